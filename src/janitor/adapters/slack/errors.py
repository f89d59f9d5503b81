"""What Slack's refusals mean: for one contact, for everybody, or for this time alone."""

import re
from collections.abc import Callable
from http.client import HTTPException
from typing import TYPE_CHECKING, Any

from slack_sdk.errors import SlackApiError, SlackClientError

from janitor.domain.errors import DeliveryFailed, JanitorError, Undeliverable
from janitor.domain.lease.owners import clean

if TYPE_CHECKING:
    from slack_sdk.web import SlackResponse

Failed = (SlackClientError, OSError, HTTPException, ValueError)
"""What the client raises: Slack's no, the network, and an answer that is none."""

UNREACHABLE = {
    "channel_not_found": "Slack knows no such channel or user, or the app is not in it",
    "user_not_found": "Slack knows no such user",
    "users_not_found": "nobody in Slack has this address",
    "user_not_visible": "the app may not see this user",
    "user_disabled": "the Slack user is deactivated",
    "cannot_dm_bot": "it is a bot",
    "is_archived": "the channel is archived",
    "not_in_channel": "the app is not in the channel: /invite it there",
    "restricted_action": "the workspace does not let the app post there",
    "restricted_action_read_only_channel": "the channel is read-only",
    "restricted_action_thread_only_channel": "the channel takes replies alone",
}
"""Refusals that concern one contact, and will not pass by themselves."""

UNKNOWN = frozenset({"users_not_found", "user_not_found", "user_not_visible", "channel_not_found"})
"""What is said of whom Slack does not know, where it is asked before anything is sent."""

_NEW_TOKEN = "put the token of an installed app into the secret SlackSecretArn"  # noqa: S105 - advice
CLOSED = {
    "invalid_auth": _NEW_TOKEN,
    "not_authed": _NEW_TOKEN,
    "account_inactive": _NEW_TOKEN,
    "token_revoked": _NEW_TOKEN,
    "token_expired": _NEW_TOKEN,
    "not_allowed_token_type": _NEW_TOKEN,
    "missing_scope": "give the app the scopes in docs/slack.md, and install it again",
    "no_permission": "give the app the scopes in docs/slack.md, and install it again",
    "messages_tab_disabled": "switch the app's messages tab on (docs/slack.md)",
    "team_access_not_granted": "install the app in this workspace",
    "access_denied": "ask an administrator of the workspace",
    "ekm_access_denied": "ask an administrator of the workspace",
    "enterprise_is_restricted": "install the app in a workspace of the organization",
    "org_login_required": "wait until the workspace has been moved",
}
"""Refusals that hit everybody, and what an operator is to do."""

BEYOND_CHANGING = frozenset(
    {"message_not_found", "cant_update_message", "edit_window_closed", "thread_not_found"}
)
"""What is said of messages that somebody deleted, or that are nobody's to change any more."""
TOO_LONG = frozenset({"msg_blocks_too_long", "msg_too_long", "invalid_blocks"})
LIMITED = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})

USUAL_WAIT = 30
"""Seconds to wait where Slack does not say for how long."""


class NotSlack(ValueError):
    """What answered is not Slack, or not all of its answer came through."""

    def __init__(self, seen: str) -> None:
        super().__init__(
            f"what answered is not Slack ({seen}); is JANITOR_SLACK_URL or a proxy in the way?"
        )


class SlackClosed(Undeliverable):
    """Slack takes nothing from the janitor any more, from whomever and to whomever."""


def asked(call: Callable[..., "SlackResponse"], *needs: str, **given: Any) -> "SlackResponse":
    """Make a call, and return its answer if that has all that it `needs`. Raises `Failed`."""
    try:
        answer = call(**given)
    except (AttributeError, TypeError) as error:  # the client, on JSON that is no object
        raise NotSlack(type(error).__name__) from error
    if not isinstance(answer.data, dict):
        raise NotSlack("no JSON")
    if missing := [name for name in needs if not answer.get(name)]:
        raise NotSlack(f"without {', '.join(missing)}")
    return answer


def code_of(error: Exception) -> str:
    """Return Slack's word for what is wrong; nothing if it is none of Slack's."""
    answer = error.response if isinstance(error, SlackApiError) else None
    said = str(answer.get("error", "")) if answer else ""
    return said if re.fullmatch(r"[a-z_]+", said) else ""


def wait_of(error: SlackApiError) -> int:
    """Return for how many seconds Slack wants to be left alone; 0 if it does not."""
    if not error.response:
        return 0
    if error.response.status_code != 429 and code_of(error) not in LIMITED:
        return 0
    said = header_of(error.response, "retry-after")
    return max(1, int(said)) if said.isascii() and said.isdigit() else USUAL_WAIT


def _is_json(error: SlackApiError) -> bool:
    return bool(error.response) and "json" in header_of(error.response, "content-type")


def header_of(response: "SlackResponse", name: str) -> str:
    """Return a header of an answer; its name may be in any case, its value in a list."""
    for key, value in response.headers.items():
        if key.lower() == name:
            return str(value[0] if isinstance(value, list) else value)
    return ""


def translated(error: Exception) -> JanitorError:
    """Return what an error means for one contact: never, for nobody, or not this time."""
    code = code_of(error)
    if code in UNREACHABLE:
        return Undeliverable(UNREACHABLE[code])
    if code in CLOSED:
        return SlackClosed(f"Slack refuses the janitor ({code}): {CLOSED[code]}")
    if isinstance(error, SlackApiError):
        if wait := wait_of(error):
            return DeliveryFailed("Slack takes no more just now", retry_after=wait)
        said = code or f"HTTP {getattr(error.response, 'status_code', 'without a word')}"
        if not code and not _is_json(error):
            return DeliveryFailed(str(NotSlack(said)))
        return DeliveryFailed(f"Slack did not take it: {said}")
    if isinstance(error, NotSlack):
        return DeliveryFailed(str(error))
    return DeliveryFailed(f"Slack cannot be reached: {clean(str(error)) or type(error).__name__}")


def lasting(error: Exception) -> DeliveryFailed:
    """Return an error for what has no fallback: it can only be tried again."""
    meant = translated(error)
    return meant if isinstance(meant, DeliveryFailed) else DeliveryFailed(str(meant))
