"""Which way a notice goes in a deployment that has Slack and a topic."""

from contextlib import suppress

from msgspec.structs import replace

from janitor.adapters.slack.errors import SlackClosed
from janitor.application.ports import Channel, Policies
from janitor.domain.errors import ConfigurationError, JanitorError, Undeliverable
from janitor.domain.model import OPERATORS, Contact, ContactKind
from janitor.domain.notification.messages import AnswerRequest, Message, Sent


class Routes:
    """The `Channel` port on two others: owners in Slack, operators in Slack or by the topic.

    The topic takes what the operators' channel in Slack does not, so that the chain that
    ends at the operators ends. Should Slack take nothing at all any more, the topic also
    gets each owner's digest, under the owner's own attribute.
    """

    def __init__(self, slack: Channel, topic: Channel, policies: Policies) -> None:
        self._slack = slack
        self._topic = topic
        self._policies = policies
        self.most = min(slack.most, topic.most)

    def send(self, message: Message) -> Sent:
        if message.contact == OPERATORS:
            return self._to_operators(message)
        try:
            return self._slack.send(message)
        except SlackClosed:
            with suppress(JanitorError):  # what counts as delivered goes to the operators
                self._topic.send(message)
            raise

    def _to_operators(self, message: Message) -> Sent:
        channel = self._policies.policy().operators.channel
        if channel is None:
            return self._topic.send(message)
        try:
            return self._slack.send(
                replace(message, contact=Contact(ContactKind.SLACK_CHANNEL, channel))
            )
        except (Undeliverable, ConfigurationError) as error:
            greeting = f"{message.words.greeting} (Not in Slack's {channel}: {error}.)"
            words = replace(message.words, greeting=greeting)
            return self._topic.send(replace(message, words=words))

    def revise(self, message_id: str, message: Message, said: str) -> None:
        # Slack's ids have a channel before the slash; a mail that was sent stays as it is.
        if "/" in message_id:
            self._slack.revise(message_id, message, said)

    def answer(self, request: AnswerRequest) -> None:
        self._slack.answer(request)
