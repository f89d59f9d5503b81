"""Notices to an SNS topic, with attributes that subscriptions may filter by."""

import json
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING

from janitor.adapters.aws.errors import AwsError, is_transient, message_of, translated
from janitor.domain.errors import DeliveryFailed, JanitorError, TooLong
from janitor.domain.model import Audience, Subscription
from janitor.domain.notification.messages import AnswerRequest, Message, Sent
from janitor.domain.notification.topic_reach import UNCONFIRMED, heard_by, understood

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import MessageAttributeValueTypeDef, SubscriptionTypeDef

MAX_SUBJECT = 99
MAX_BYTES = 256 * 1024 - 8 * 1024
"""SNS takes 256 KiB with attributes and subject; this much is left to the text."""
_MAX_ATTRIBUTE = 1024


MOST_SUBSCRIPTIONS = 300
"""A sweep reads the attributes of so many, one call each; SNS takes 200 filters for a topic."""
MOST_BYTES_OF_FILTERS = 100_000
"""In the account's record, which holds 400 KB with all else."""
ASSUMED = "assumed: somebody passes it on"


class SnsTopic:
    """The `Topic` port: who is subscribed to one topic, and what their filters are."""

    def __init__(self, client: "SNSClient", topic_arn: str) -> None:
        self._client = client
        self._topic_arn = topic_arn

    def audience(self, now: datetime) -> Audience:
        """Read every subscription; of what may not be read the audience says so.

        <https://docs.aws.amazon.com/sns/latest/api/API_GetSubscriptionAttributes.html>
        """
        try:
            listed = self._listed()
            some = list(islice(listed, MOST_SUBSCRIPTIONS))
            left = sum(1 for _ in listed)
            read = tuple(self._read(one) for one in some)
        except (*AwsError, JanitorError, LookupError, TypeError) as error:
            return Audience(self._topic_arn, now, problem=_said(error))
        return Audience(self._topic_arn, now, *_fitted(read, left))

    def _listed(self) -> Iterator["SubscriptionTypeDef"]:
        pages = self._client.get_paginator("list_subscriptions_by_topic")
        for page in pages.paginate(TopicArn=self._topic_arn):
            yield from page["Subscriptions"]

    def _read(self, one: "SubscriptionTypeDef") -> Subscription:
        arn, protocol = one["SubscriptionArn"], one["Protocol"]
        if not arn.startswith("arn:"):
            return Subscription(arn, protocol, problem=UNCONFIRMED)
        name = arn.rpartition(":")[2]
        if protocol == "firehose":
            return Subscription(name, protocol, problem="one is Firehose, which nobody reads")
        try:
            answer = self._client.get_subscription_attributes(SubscriptionArn=arn)
        except AwsError as error:
            if is_transient(error):
                raise translated(error, "reading a subscription") from error
            why = f"one cannot be read: {message_of(error)}"
            return Subscription(name, protocol, problem=why)
        return understood(_subscription(name, protocol, answer["Attributes"]))


def _subscription(name: str, protocol: str, attributes: Mapping[str, str]) -> Subscription:
    policy = attributes.get("FilterPolicy", "")
    problem = ""
    if attributes.get("PendingConfirmation") != "false":
        problem = UNCONFIRMED
    elif policy and attributes.get("FilterPolicyScope", "MessageAttributes") != "MessageAttributes":
        problem = "one filters by the text of a message, which is no JSON"
    return Subscription(name, protocol, "" if problem else policy, problem)


def _fitted(read: Sequence[Subscription], left: int) -> tuple[tuple[Subscription, ...], str, int]:
    """Leave out what makes the record too long; it counts for nobody."""
    kept: list[Subscription] = []
    size = 0
    for one in read:
        size += len(one.filter.encode()) + len(one.problem.encode())
        if size > MOST_BYTES_OF_FILTERS:
            break
        kept.append(one)
    return tuple(kept), "", left + len(read) - len(kept)


def _said(error: Exception) -> str:
    if isinstance(error, AwsError):
        return message_of(error)
    return str(error) if isinstance(error, JanitorError) else f"the answer is odd: {error!r}"


class SnsChannel:
    """The `Channel` port on one topic.

    Only what a subscription lets through is sent: a topic that nobody hears is no delivery.
    With `assume_told` somebody answers for that, and nobody looks.
    """

    most = 100

    def __init__(self, client: "SNSClient", topic_arn: str, *, assume_told: bool = False) -> None:
        self._client = client
        self._topic_arn = topic_arn
        self._assume_told = assume_told

    def send(self, message: Message) -> Sent:
        """Publish, if the audience that the message brings along has somebody who hears it."""
        text = message.text
        size = len(text.encode())
        if size > MAX_BYTES:
            # Cut short it would count as delivered to those whom it no longer names.
            raise TooLong(f"the notice has {size} bytes, and SNS takes {MAX_BYTES}")
        values = _values_of(message)
        heard = ASSUMED
        if not self._assume_told:
            heard = heard_by(message.audience, self._topic_arn, values)
        try:
            answer = self._client.publish(
                TopicArn=self._topic_arn,
                Subject=one_line(plain(message.subject), MAX_SUBJECT) or "janitor",
                Message=text or message.subject or "janitor",
                MessageAttributes=_attributes(values),
            )
        except AwsError as error:
            raise DeliveryFailed(f"SNS did not take the notice: {message_of(error)}") from error
        return Sent(answer["MessageId"], "sns", heard_by=heard)

    def revise(self, message_id: str, message: Message, said: str) -> None:
        """A mail that was sent cannot be changed."""

    def answer(self, request: AnswerRequest) -> None:
        """Nobody presses buttons here."""


def _values_of(message: Message) -> dict[str, tuple[str, ...]]:
    """Return what filters compare: the owner in lower case, and each kind and region."""
    owner = one_line(message.contact.address, _MAX_ATTRIBUTE).lower() or "unknown"
    values = {"owner": (owner,), "kind": message.kinds, "region": message.regions}
    return {name: several for name, several in values.items() if several}


def _attributes(values: Mapping[str, Sequence[str]]) -> "dict[str, MessageAttributeValueTypeDef]":
    made: dict[str, MessageAttributeValueTypeDef] = {
        name: {"DataType": "String.Array", "StringValue": json.dumps(several)}
        for name, several in values.items()
    }
    return made | {"owner": {"DataType": "String", "StringValue": values["owner"][0]}}


def one_line(text: str, longest: int) -> str:
    """Return `text` without control characters or line breaks, in at most `longest`."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    line = " ".join(printable.split())
    return line if len(line) <= longest else line[: longest - 3] + "..."


def plain(text: str) -> str:
    """Return `text` in ASCII: letters without their accents, others as question marks.

    SNS takes UTF-8 in the text and in attributes; of a subject its documentation said for long
    that it has to be ASCII, and a refusal would hold up the whole notice.
    """
    letters = (c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return "".join(letters).encode("ascii", "replace").decode()
