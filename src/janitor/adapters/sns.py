"""Notices to an SNS topic, with attributes that subscriptions may filter by."""

import json
import unicodedata
from typing import TYPE_CHECKING

from janitor.adapters.aws_errors import AwsError, message_of
from janitor.core.errors import DeliveryFailed, TooLong
from janitor.core.requests import AnswerRequest, Message, Sent

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import MessageAttributeValueTypeDef

MAX_SUBJECT = 99
MAX_BYTES = 256 * 1024 - 8 * 1024
"""SNS takes 256 KiB with attributes and subject; this much is left to the text."""
_MAX_ATTRIBUTE = 1024


class SnsChannel:
    """The `Channel` port on one topic.

    Whatever goes wrong with a topic goes wrong for everybody, and is put right by an
    operator: no contact is ever `Undeliverable` here.
    """

    most = 100

    def __init__(self, client: "SNSClient", topic_arn: str) -> None:
        self._client = client
        self._topic_arn = topic_arn

    def send(self, message: Message) -> Sent:
        """Publish."""
        text = message.text
        size = len(text.encode())
        if size > MAX_BYTES:
            # Cut short it would count as delivered to those whom it no longer names.
            raise TooLong(f"the notice has {size} bytes, and SNS takes {MAX_BYTES}")
        attributes: dict[str, MessageAttributeValueTypeDef] = {
            "owner": {
                "DataType": "String",
                "StringValue": one_line(message.contact.address, _MAX_ATTRIBUTE).lower()
                or "unknown",
            }
        }
        for name, values in (("kind", message.kinds), ("region", message.regions)):
            if values:
                attributes[name] = {"DataType": "String.Array", "StringValue": json.dumps(values)}
        try:
            answer = self._client.publish(
                TopicArn=self._topic_arn,
                Subject=one_line(plain(message.subject), MAX_SUBJECT) or "janitor",
                Message=text or message.subject or "janitor",
                MessageAttributes=attributes,
            )
        except AwsError as error:
            raise DeliveryFailed(f"SNS did not take the notice: {message_of(error)}") from error
        return Sent(answer["MessageId"], "sns")

    def revise(self, message_id: str, message: Message, said: str) -> None:
        """A mail that was sent cannot be changed."""

    def answer(self, request: AnswerRequest) -> None:
        """Nobody presses buttons here."""


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
