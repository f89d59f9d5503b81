"""Notices as Slack messages that are changed in place, and words to one person alone."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from slack_sdk.errors import SlackApiError

from janitor.adapters.slack.blocks import MOST, Block, blocks_of, escaped, summary_of
from janitor.adapters.slack.errors import (
    BEYOND_CHANGING,
    CLOSED,
    TOO_LONG,
    UNKNOWN,
    UNREACHABLE,
    Failed,
    NotSlack,
    asked,
    code_of,
    header_of,
    lasting,
    translated,
    wait_of,
)
from janitor.domain.errors import ConfigurationError, DeliveryFailed, Undeliverable
from janitor.domain.lease.addresses import like_an_id
from janitor.domain.model import Contact, ContactKind
from janitor.domain.notification.digest import Wording
from janitor.domain.notification.messages import AnswerRequest, Message, Sent

if TYPE_CHECKING:
    from slack_sdk import WebClient
    from slack_sdk.web import SlackResponse

SCOPES = frozenset({"chat:write", "users:read", "users:read.email"})
"""What the app needs; docs/slack.md says what for."""

KNOWN_FOR, UNKNOWN_FOR = 6 * 3600.0, 15 * 60.0
"""Seconds for which who is behind an address, or that there is nobody, is remembered."""
MOST_KNOWN = 2_000


class SlackChannel:
    """The `Channel` port on one Slack app.

    `token` is asked before each message, so that a new one is used at once; `clock` is
    seconds that only grow. Nothing is tried again here: the queue does that.
    """

    most = MOST

    def __init__(
        self,
        client: "WebClient",
        token: Callable[[], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._token = token
        self._clock = clock
        self._found: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._no_lookup_before = 0.0

    def send(self, message: Message) -> Sent:
        self._client.token = self._token()
        try:
            to, user = self._place_of(message.contact)
            answer = self._post(to, message.words)
        except Failed as error:
            raise translated(error) from error
        return Sent(f"{answer['channel']}/{answer['ts']}", "slack", user, can_change=True)

    def revise(self, message_id: str, message: Message, said: str) -> None:
        channel, _, ts = message_id.partition("/")
        self._client.token = self._token()
        try:
            self._laid_out(
                message.words,
                lambda **laid: asked(self._client.chat_update, channel=channel, ts=ts, **laid),
            )
            if said:
                asked(
                    self._client.chat_postMessage,
                    channel=channel,
                    thread_ts=ts,
                    text=escaped(said),
                    mrkdwn=False,
                    unfurl_links=False,
                    unfurl_media=False,
                )
        except Failed as error:
            if code_of(error) not in BEYOND_CHANGING | UNREACHABLE.keys():
                raise lasting(error) from error

    def answer(self, request: AnswerRequest) -> None:
        self._client.token = self._token()
        try:
            asked(
                self._client.chat_postEphemeral,
                channel=request.channel_id,
                user=request.contact.address,
                text=escaped(request.text),
            )
        except Failed as error:
            # Who has left the channel meanwhile is told nothing there.
            if code_of(error) not in {"user_not_in_channel", *UNREACHABLE}:
                raise lasting(error) from error

    def examine(self) -> None:
        """Raise `ConfigurationError` if the token is not good for what the janitor does."""
        self._client.token = self._token()
        try:
            answer = asked(self._client.auth_test)
        except Failed as error:
            raise ConfigurationError(str(translated(error))) from error
        granted = {name.strip() for name in header_of(answer, "x-oauth-scopes").split(",")}
        if missing := sorted(SCOPES - granted):
            raise ConfigurationError(
                f"the Slack app lacks {', '.join(missing)}; {CLOSED['missing_scope']}"
            )

    def _place_of(self, contact: Contact) -> tuple[str, str]:
        """Return where to post, and the user behind it, if it is one.

        A user's id is a place to post to: Slack opens the direct message by itself.
        """
        match contact.kind:
            case ContactKind.EMAIL:
                user = self._known(contact.address, self._user_of)
                if not user:
                    raise Undeliverable(UNREACHABLE["users_not_found"])
                return user, user
            case ContactKind.SLACK_USER:
                return contact.address, contact.address
            case ContactKind.SLACK_CHANNEL:
                return contact.address, ""
            case ContactKind.NAME:
                if (like := like_an_id(contact.address)) and self._known(like, self._with_id):
                    return like, like if like[0] in "UW" else ""
                raise Undeliverable("the owner tag names somebody, but gives no address")
            case ContactKind.OPERATORS:
                raise Undeliverable("the policy names no Slack channel of the operators")

    def _known(self, address: str, look_up: Callable[[str], str]) -> str:
        """Look up who or what has an address; what was found is remembered for a while."""
        now = self._clock()
        found, until = self._found.get(address, ("", 0.0))
        if now >= until:
            if now < self._no_lookup_before:  # asking on would only make the wait longer
                wait = int(self._no_lookup_before - now) + 1
                raise DeliveryFailed("Slack limits look-ups just now", retry_after=wait)
            found = self._looked_up(address, look_up)
            self._found[address] = found, now + (KNOWN_FOR if found else UNKNOWN_FOR)
            self._found.move_to_end(address)
            if len(self._found) > MOST_KNOWN:
                self._found.popitem(last=False)
        return found

    def _looked_up(self, address: str, look_up: Callable[[str], str]) -> str:
        try:
            return look_up(address)
        except SlackApiError as error:
            if code_of(error) in UNKNOWN:
                return ""
            if wait := wait_of(error):
                self._no_lookup_before = self._clock() + wait
            raise

    def _user_of(self, address: str) -> str:
        return _active(asked(self._client.users_lookupByEmail, "user", email=address)["user"])

    def _with_id(self, like: str) -> str:
        """Ask for a name that could be an id; of channels only where the app may see them."""
        if like[0] in "UW":
            return _active(asked(self._client.users_info, "user", user=like)["user"])
        try:
            found = asked(self._client.conversations_info, "channel", channel=like)["channel"]
        except SlackApiError as error:
            if code_of(error) == "missing_scope":  # nothing else needs that one
                return ""
            raise
        return str(found["id"]) if isinstance(found, dict) and found.get("id") else ""

    def _post(self, to: str, words: Wording) -> "SlackResponse":
        return self._laid_out(
            words,
            lambda **laid: asked(
                self._client.chat_postMessage,
                *("channel", "ts"),
                channel=to,
                mrkdwn=False,
                unfurl_links=False,
                unfurl_media=False,
                **laid,
            ),
        )

    @staticmethod
    def _laid_out(words: Wording, put: Callable[..., "SlackResponse"]) -> "SlackResponse":
        """Put a digest into Slack; if that is too long for it, without what can be spared."""
        blocks: list[Block] = blocks_of(words)
        try:
            return put(text=summary_of(words), blocks=blocks)
        except SlackApiError as error:
            if code_of(error) not in TOO_LONG:
                raise
        return put(text=summary_of(words), blocks=blocks_of(words, compact=True))


def _active(user: Any) -> str:
    """Return the id of a user; nothing of one that was switched off."""
    if not isinstance(user, dict) or not user.get("id"):
        raise NotSlack("a user without an id")
    return "" if user.get("deleted") else str(user["id"])
