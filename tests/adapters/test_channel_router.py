"""Which way a notice goes where there are Slack and a topic."""

import pytest
from tests.fakes.memory import MemoryChannel, MemoryPolicies

from janitor.adapters.channel_router import Routes
from janitor.adapters.slack.errors import SlackClosed
from janitor.domain.errors import ConfigurationError, DeliveryFailed, JanitorError, Undeliverable
from janitor.domain.model import OPERATORS, Contact, ContactKind
from janitor.domain.notification.digest import Wording
from janitor.domain.notification.messages import AnswerRequest, Message
from janitor.domain.policy.model import Policy

ANA = Contact(ContactKind.EMAIL, "ana@example.com")
OPS = Contact(ContactKind.SLACK_CHANNEL, "#ops")


class Ways:
    """Slack, a topic, and the routes over both."""

    def __init__(self, channel: str | None = "#ops") -> None:
        self.slack, self.topic = MemoryChannel("slack", most=12), MemoryChannel("sns")
        policy = Policy.model_validate({"operators": {"channel": channel}})
        self.routes = Routes(self.slack, self.topic, MemoryPolicies(policy))

    def send(self, to: Contact) -> str:
        """Send a digest; return the channel that took it."""
        return self.routes.send(Message(to, Wording("subject", "Greeting."), (), ())).channel


def test_owners_are_reached_in_slack_alone() -> None:
    """And as many stacks go into a message as both take."""
    ways = Ways()
    assert ways.send(ANA) == "slack"
    assert ways.topic.sent == []
    assert ways.routes.most == 12


def test_an_owner_whom_slack_cannot_reach_is_for_the_fallback() -> None:
    """The topic is not tried: it takes everything, and nobody may read it."""
    ways = Ways()
    ways.slack.refuse(ANA, Undeliverable("nobody has this address"))
    with pytest.raises(Undeliverable, match="nobody has"):
        ways.send(ANA)
    assert ways.topic.sent == []


def test_operators_are_reached_in_their_channel() -> None:
    """The policy names it."""
    ways = Ways()
    assert ways.send(OPERATORS) == "slack"
    assert [message.contact for message in ways.slack.sent] == [OPS]


def test_operators_without_a_channel_are_reached_by_the_topic() -> None:
    """As without Slack."""
    ways = Ways(None)
    assert ways.send(OPERATORS) == "sns"
    assert [message.contact for message in ways.topic.sent] == [OPERATORS]
    assert ways.slack.sent == []


@pytest.mark.parametrize(
    "error", [Undeliverable("archived"), SlackClosed("revoked"), ConfigurationError("no token")]
)
def test_the_topic_takes_what_the_operators_channel_does_not(error: JanitorError) -> None:
    """And says so: somebody has to mend the channel."""
    ways = Ways()
    ways.slack.refuse(OPS, error)
    assert ways.send(OPERATORS) == "sns"
    (message,) = ways.topic.sent
    assert message.contact == OPERATORS
    assert message.words.greeting == f"Greeting. (Not in Slack's #ops: {error}.)"


def test_a_slack_that_is_down_is_waited_for() -> None:
    """Operators hear of it later, in the right place; with its delay."""
    ways = Ways()
    for contact in (OPS, ANA):
        ways.slack.refuse(contact, DeliveryFailed("down", retry_after=9))
    for contact in (OPERATORS, ANA):
        with pytest.raises(DeliveryFailed) as caught:
            ways.send(contact)
        assert caught.value.retry_after == 9
    assert ways.topic.sent == []


def test_a_closed_slack_sends_owners_a_copy_and_leaves_the_rest_to_the_fallback() -> None:
    """A copy under the owner's attribute is not a delivery: nobody may be subscribed to it."""
    ways = Ways()
    ways.slack.refuse(ANA, SlackClosed("token revoked"))
    with pytest.raises(SlackClosed):
        ways.send(ANA)
    assert [message.contact for message in ways.topic.sent] == [ANA]
    ways.topic.refuse(ANA, DeliveryFailed("down too"))
    with pytest.raises(SlackClosed):
        ways.send(ANA)


def test_only_slacks_messages_are_changed_later() -> None:
    """A mail stays as it was sent."""
    ways = Ways()
    message = Message(ANA, Wording("subject", "Greeting."), (), ())
    ways.routes.revise("7c7c", message, "said")
    ways.routes.revise("D0000001/1.2", message, "said")
    assert [one[0] for one in ways.slack.revised] == ["D0000001/1.2"]
    ways.routes.answer(AnswerRequest(ANA, "D1", "no"))
    assert len(ways.slack.answered) == 1
