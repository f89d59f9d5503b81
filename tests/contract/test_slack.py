"""Slack over the wire: who is reached, what is refused and for how long, what is changed later."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.structs import replace
from slack_sdk import WebClient
from tests.adapters.slack.test_blocks import ENTRY, HOSTILE, WORDS
from tests.slack_server import TOKEN, Reply, Workspace, slack_server

from janitor.adapters.slack.channel import MOST_KNOWN, SCOPES, SlackChannel
from janitor.adapters.slack.errors import CLOSED, UNREACHABLE, SlackClosed
from janitor.domain.errors import ConfigurationError, DeliveryFailed, Undeliverable
from janitor.domain.model import OPERATORS, Contact, ContactKind
from janitor.domain.notification.digest import Wording
from janitor.domain.notification.messages import AnswerRequest, Message
from janitor.domain.policy.model import Policy
from janitor.entrypoints.aws_lambda.slack import PATH

ROOT = Path(__file__).resolve().parents[2]
ADDRESS = "ana@example.com"
ANA = Contact(ContactKind.EMAIL, ADDRESS)


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        """Return them."""
        return self.now


@pytest.fixture
def slack() -> Iterator[Workspace]:
    """Run a Slack in which Ana has an account."""
    with slack_server() as workspace:
        workspace.add_user(ADDRESS)
        yield workspace


@pytest.fixture
def clock() -> Clock:
    """Return the clock of the channel."""
    return Clock()


@pytest.fixture
def channel(slack: Workspace, clock: Clock) -> SlackChannel:
    """Return the channel, as wiring makes it."""
    client = WebClient(base_url=slack.url, timeout=1, retry_handlers=[])
    return SlackChannel(client, lambda: TOKEN, clock)


def user_in(slack: Workspace) -> str:
    """Return Ana's id."""
    return next(iter(slack.users))


def a_message(to: Contact = ANA, words: Wording = WORDS) -> Message:
    """Make a digest."""
    return Message(to, words, ("24h",), ("eu-central-1",))


def refusal(channel: SlackChannel, error: type[Exception], to: Contact = ANA) -> str:
    """Return what is said of a message that is not taken; it is of exactly this error."""
    with pytest.raises(error) as caught:
        channel.send(a_message(to))
    assert type(caught.value) is error
    return str(caught.value)


def test_an_owner_named_by_address_gets_a_direct_message(
    slack: Workspace, channel: SlackChannel
) -> None:
    """Looked up once, posted to the user, and the user is remembered as the recipient."""
    sent = channel.send(a_message())
    (message,) = slack.messages()
    user = user_in(slack)
    assert (sent.message_id, sent.channel, sent.recipient) == (
        f"{message.channel}/{message.ts}",
        "slack",
        user,
    )
    assert message.channel == f"D{user[1:]}"
    assert message.text.startswith("feat-basket expires in 23 hours\n")
    assert ENTRY.fate in message.words
    (posted,) = slack.called("chat.postMessage")
    assert (posted["unfurl_links"], posted["unfurl_media"], posted["mrkdwn"]) == (False,) * 3


@pytest.mark.parametrize("named", ["#dev", "id"])
def test_a_channel_is_reached_by_name_or_id(
    slack: Workspace, channel: SlackChannel, named: str
) -> None:
    """As the tag says it."""
    place = slack.add_channel("dev")
    to = Contact(ContactKind.SLACK_CHANNEL, place if named == "id" else named)
    sent = channel.send(a_message(to))
    assert sent.message_id.startswith(f"{place}/")
    assert sent.recipient == ""


def test_an_owner_named_by_slack_id_is_not_looked_up(
    slack: Workspace, channel: SlackChannel
) -> None:
    """A user's id is a place to post to."""
    user = user_in(slack)
    assert channel.send(a_message(Contact(ContactKind.SLACK_USER, user))).recipient == user
    assert slack.called("users.lookupByEmail") == []


def test_addresses_are_looked_up_once_while_the_function_is_warm(
    slack: Workspace, channel: SlackChannel, clock: Clock
) -> None:
    """And again after hours; that there is nobody is forgotten sooner."""
    nobody = Contact(ContactKind.EMAIL, "nobody@example.com")
    for _ in range(3):
        channel.send(a_message())
        assert refusal(channel, Undeliverable, nobody) == "nobody in Slack has this address"
    assert len(slack.called("users.lookupByEmail")) == 2
    clock.now += 16 * 60
    slack.add_user("nobody@example.com")
    channel.send(a_message())
    channel.send(a_message(nobody))
    assert len(slack.called("users.lookupByEmail")) == 3
    clock.now += 7 * 3600
    channel.send(a_message())
    assert len(slack.called("users.lookupByEmail")) == 4


def test_what_is_remembered_is_bounded(slack: Workspace, channel: SlackChannel) -> None:
    """A function may stay warm for long."""
    for number in range(MOST_KNOWN + 10):
        channel._found[f"{number}@example.com"] = ("U1", 9_999.0)
        if len(channel._found) > MOST_KNOWN:
            channel._found.popitem(last=False)
    channel.send(a_message())
    assert len(channel._found) == MOST_KNOWN
    assert ADDRESS in channel._found


def test_who_has_left_is_not_reached(slack: Workspace, channel: SlackChannel) -> None:
    """Slack shows deactivated users in different ways."""
    slack.users[user_in(slack)]["deleted"] = True
    assert refusal(channel, Undeliverable) == "nobody in Slack has this address"
    left = Contact(ContactKind.SLACK_USER, user_in(slack))
    assert refusal(channel, Undeliverable, left) == "the Slack user is deactivated"
    slack.reply(
        "users.lookupByEmail", Reply(body={"ok": True, "user": {"id": "U1", "deleted": True}})
    )
    other = Contact(ContactKind.EMAIL, "gone@example.com")
    assert refusal(channel, Undeliverable, other) == "nobody in Slack has this address"


def test_channels_that_cannot_be_reached_say_why(slack: Workspace, channel: SlackChannel) -> None:
    """Each with what would help."""
    slack.add_channel("old", archived=True)
    slack.add_channel("elsewhere", joined=False)
    for name, why in {
        "#none": "channel_not_found",
        "#old": "is_archived",
        "#elsewhere": "not_in_channel",
    }.items():
        to = Contact(ContactKind.SLACK_CHANNEL, name)
        assert refusal(channel, Undeliverable, to) == UNREACHABLE[why]


@pytest.mark.parametrize("contact", [Contact(ContactKind.NAME, "Ana"), OPERATORS])
def test_what_is_no_address_in_slack_is_refused_without_asking(
    slack: Workspace, channel: SlackChannel, contact: Contact
) -> None:
    """A name, and the operators, to whom another way leads."""
    refusal(channel, Undeliverable, contact)
    assert slack.calls == []


def named(name: str) -> Contact:
    """Return a contact whose address says nothing of Slack."""
    return Contact(ContactKind.NAME, name)


NO_ADDRESS = "the owner tag names somebody, but gives no address"


def test_capitals_are_an_id_only_where_slack_knows_it(
    slack: Workspace, channel: SlackChannel
) -> None:
    """A team is called CUSTOMERS, and an id of long ago has no digit.

    Fails if such a name is posted to without asking.
    """
    slack.scopes.add("channels:read")
    slack.users["UABCDEFGH"] = {"id": "UABCDEFGH", "email": "", "deleted": False}
    slack.channels["CHANNELID"] = {"name": "dev", "archived": False, "joined": True}
    slack.channels["C00000001"] = {"name": "CUSTOMERS", "archived": False, "joined": True}
    assert channel.send(a_message(named("@UABCDEFGH"))).recipient == "UABCDEFGH"
    assert channel.send(a_message(named("CHANNELID"))).message_id.startswith("CHANNELID/")
    posted = len(slack.called("chat.postMessage"))
    for name in ("CUSTOMERS", "WEBPORTAL", "WEBTEAM", "Customers"):
        assert refusal(channel, Undeliverable, named(name)) == NO_ADDRESS
    assert len(slack.called("chat.postMessage")) == posted


def test_who_has_left_and_had_an_id_of_capitals_is_not_reached(
    slack: Workspace, channel: SlackChannel
) -> None:
    """As if nobody had it."""
    slack.users["UABCDEFGH"] = {"id": "UABCDEFGH", "email": "", "deleted": True}
    assert refusal(channel, Undeliverable, named("UABCDEFGH")) == NO_ADDRESS


def test_an_app_that_may_not_see_channels_takes_capitals_for_a_name(
    slack: Workspace, channel: SlackChannel
) -> None:
    """That scope is needed for nothing else, so that its lack closes nothing; it is asked once.

    Fails if a missing scope is an error there.
    """
    for _ in range(3):
        assert refusal(channel, Undeliverable, named("CUSTOMERS")) == NO_ADDRESS
    assert len(slack.called("conversations.info")) == 1


@pytest.mark.parametrize("contact", [named("CUSTOMERS"), named("UABCDEFGH")])
def test_a_limited_question_about_an_id_is_put_again_later(
    slack: Workspace, channel: SlackChannel, contact: Contact
) -> None:
    """It says nothing of whether there is one."""
    slack.limit("conversations.info", 7)
    slack.limit("users.info", 7)
    assert refusal(channel, DeliveryFailed, contact) == "Slack takes no more just now"
    assert refusal(channel, DeliveryFailed, contact) == "Slack limits look-ups just now"


@pytest.mark.parametrize("code", sorted(UNREACHABLE))
def test_a_lasting_refusal_of_one_contact_is_undeliverable(
    slack: Workspace, channel: SlackChannel, code: str
) -> None:
    """The fallback is next."""
    slack.refuse("chat.postMessage", code)
    assert refusal(channel, Undeliverable) == UNREACHABLE[code]


@pytest.mark.parametrize("code", sorted(CLOSED))
def test_a_refusal_that_hits_everybody_says_what_an_operator_is_to_do(
    slack: Workspace, channel: SlackChannel, code: str
) -> None:
    """It is told apart, so that owners also get it another way."""
    slack.refuse("chat.postMessage", code)
    assert refusal(channel, SlackClosed) == f"Slack refuses the janitor ({code}): {CLOSED[code]}"


def test_a_wrong_token_and_a_missing_scope_close_slack(
    slack: Workspace, channel: SlackChannel
) -> None:
    """As the server itself finds them."""
    slack.scopes.discard("users:read.email")
    assert "(missing_scope)" in refusal(channel, SlackClosed)
    slack.token = "xoxb-another"
    assert "(invalid_auth)" in refusal(channel, SlackClosed)


def test_a_new_token_is_used_at_the_next_message(slack: Workspace) -> None:
    """It is asked for each time."""
    tokens = ["xoxb-old", TOKEN]
    client = WebClient(base_url=slack.url, timeout=1, retry_handlers=[])
    channel = SlackChannel(client, lambda: tokens.pop(0))
    refusal(channel, SlackClosed)
    channel.send(a_message())
    assert len(slack.messages()) == 1


def test_a_limit_is_given_back_with_its_delay(slack: Workspace, channel: SlackChannel) -> None:
    """Nothing sleeps and nothing is tried again here."""
    slack.limit("chat.postMessage", 37)
    with pytest.raises(DeliveryFailed) as caught:
        channel.send(a_message())
    assert caught.value.retry_after == 37
    assert len(slack.called("chat.postMessage")) == 1
    channel.send(a_message())
    assert len(slack.messages()) == 1


def test_limited_look_ups_are_not_asked_again_before_their_time(
    slack: Workspace, channel: SlackChannel, clock: Clock
) -> None:
    """Asking on would only make the wait longer; who is known already is still reached."""
    known = Contact(ContactKind.SLACK_USER, user_in(slack))
    slack.limit("users.lookupByEmail", 20)
    waits = []
    for _ in range(2):
        with pytest.raises(DeliveryFailed) as caught:
            channel.send(a_message())
        waits.append(caught.value.retry_after)
        clock.now += 5
    channel.send(a_message(known))
    assert waits == [20, 16]
    assert len(slack.called("users.lookupByEmail")) == 1
    clock.now += 15
    channel.send(a_message())


@pytest.mark.parametrize(
    "reply, said",
    [
        (Reply(503, "<html>no</html>"), "HTTP 503"),
        (Reply(500, {"ok": False, "error": "internal_error"}), "internal_error"),
        (Reply(200, "<html>a proxy</html>"), "did not take it"),
        (Reply(200, {"ok": False, "error": "fatal_error"}), "fatal_error"),
        (Reply(200, {"ok": False, "error": "something new"}), "HTTP 200"),
        (Reply(seconds=3), "Slack cannot be reached"),
    ],
    ids=["503", "500", "proxy", "fatal", "unknown", "silence"],
)
def test_what_goes_wrong_for_now_is_tried_again_later(
    slack: Workspace, channel: SlackChannel, reply: Reply, said: str
) -> None:
    """Nobody is written off for it, and the queue decides when."""
    slack.reply("chat.postMessage", reply)
    assert said in refusal(channel, DeliveryFailed)
    assert len(slack.called("chat.postMessage")) == 1


def test_a_slack_that_is_not_there_is_tried_again_later() -> None:
    """Nobody listens."""
    client = WebClient(base_url="http://127.0.0.1:9/api/", timeout=1, retry_handlers=[])
    with pytest.raises(DeliveryFailed, match=r"^Slack cannot be reached"):
        SlackChannel(client, lambda: TOKEN).send(a_message())


def test_a_digest_too_long_for_slack_goes_whole_but_without_buttons(
    slack: Workspace, channel: SlackChannel
) -> None:
    """Slack's limit for all text together is not documented, so it may bite any time."""
    slack.longest_in_blocks = 600
    words = replace(WORDS, entries=tuple(replace(ENTRY, name=f"feat-{n}") for n in range(3)))
    channel.send(a_message(words=words))
    (message,) = slack.messages()
    assert slack.refused == ["msg_blocks_too_long"]
    assert [f"feat-{n}" in message.words for n in range(3)] == [True] * 3
    assert str(message.blocks).count(ENTRY.link) == 3
    assert message.buttons == {}


def test_a_full_digest_of_the_longest_texts_is_taken(
    slack: Workspace, channel: SlackChannel
) -> None:
    """By Slack's own limits, in one form or the other."""
    hostile = replace(ENTRY, fate=HOSTILE, lines=(HOSTILE,) * 3, facts=((HOSTILE, HOSTILE),) * 3)
    for count in (1, channel.most, 40):
        channel.send(a_message(words=replace(WORDS, entries=(hostile,) * count)))
    assert len(slack.messages()) == 3
    assert slack.pings() == []


def test_a_message_is_changed_in_place_and_its_thread_says_why(
    slack: Workspace, channel: SlackChannel
) -> None:
    """The words of the thread cannot mention anybody."""
    sent = channel.send(a_message())
    kept = replace(ENTRY, fate="Kept: it now ends Wed 3 Jun 2026 08:34 CEST.", token="", choices=())
    channel.revise(
        sent.message_id,
        a_message(words=replace(WORDS, entries=(kept,))),
        "U1 kept it. Reason: <!channel> *now*",
    )
    (message,) = slack.messages()
    assert message.edits == 1
    assert kept.fate in message.words
    assert slack.thread(message) == ["U1 kept it. Reason: &lt;!channel&gt; *now*"]
    assert slack.pings() == []
    channel.revise(sent.message_id, a_message(), "")
    assert len(slack.thread(message)) == 1


@pytest.mark.parametrize(
    "code", ["message_not_found", "cant_update_message", "edit_window_closed", "is_archived"]
)
def test_a_message_that_cannot_be_changed_any_more_is_left(
    slack: Workspace, channel: SlackChannel, code: str
) -> None:
    """Somebody deleted it, perhaps: that is no error, and nothing to try again."""
    slack.refuse("chat.update", code)
    channel.revise("D0000001/1.2", a_message(), "said")
    assert slack.messages() == []


def test_a_revision_that_fails_for_now_is_tried_again(
    slack: Workspace, channel: SlackChannel
) -> None:
    """A limit with its delay; a closed Slack has no other way for it."""
    slack.limit("chat.update", 11)
    with pytest.raises(DeliveryFailed) as caught:
        channel.revise("D0000001/1.2", a_message(), "")
    assert caught.value.retry_after == 11
    slack.token = "xoxb-another"
    with pytest.raises(DeliveryFailed, match="invalid_auth"):
        channel.revise("D0000001/1.2", a_message(), "")


def test_an_answer_is_seen_by_one_person_alone(slack: Workspace, channel: SlackChannel) -> None:
    """And it cannot mention anybody; who has left the channel gets none."""
    user = user_in(slack)
    place = slack.add_channel("dev")
    person = Contact(ContactKind.SLACK_USER, user)
    channel.answer(AnswerRequest(person, place, "only <!here> an owner can"))
    assert slack.told(user) == ["only &lt;!here&gt; an owner can"]
    assert slack.messages() == []
    channel.answer(AnswerRequest(replace(person, address="U99999999"), place, "gone"))
    slack.limit("chat.postEphemeral", 3)
    with pytest.raises(DeliveryFailed):
        channel.answer(AnswerRequest(person, place, "again"))


def test_the_token_is_examined_with_its_scopes(slack: Workspace, channel: SlackChannel) -> None:
    """What the app lacks is named."""
    channel.examine()
    slack.scopes = {"chat:write"}
    with pytest.raises(ConfigurationError, match=r"lacks users:read, users:read\.email; give the"):
        channel.examine()
    slack.token = "xoxb-another"
    with pytest.raises(ConfigurationError, match="invalid_auth"):
        channel.examine()


def test_the_manifest_in_the_docs_asks_for_what_is_needed_and_no_more() -> None:
    """An app made from it passes the examination, and reports to where the door is."""
    text = (ROOT / "docs/slack.md").read_text(encoding="utf-8")
    manifest, policy = map(yaml.safe_load, re.findall(r"```yaml\n(.*?)```", text, re.DOTALL))
    assert set(manifest["oauth_config"]["scopes"]["bot"]) == SCOPES
    assert manifest["settings"]["interactivity"]["is_enabled"] is True
    assert manifest["settings"]["interactivity"]["request_url"].endswith(f"/live{PATH}")
    assert manifest["features"]["app_home"]["messages_tab_enabled"] is True
    assert Policy.model_validate(policy).operators.channel == "#janitor-ops"


def test_no_error_shows_the_token(
    slack: Workspace, channel: SlackChannel, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither do the client's logs."""
    caplog.set_level("DEBUG")
    replies: list[Any] = [Reply(503, "no"), Reply(body={"ok": False, "error": "fatal_error"})]
    slack.reply("chat.postMessage", *replies)
    said = [refusal(channel, DeliveryFailed) for _ in replies]
    assert TOKEN not in "".join([*said, caplog.text])
