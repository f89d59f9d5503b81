"""Notices as an SQS subscription of the topic receives them."""

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from janitor.adapters.aws.sns import MAX_BYTES, SnsChannel, SnsTopic
from janitor.domain.errors import DeliveryFailed, TooLong, Undeliverable
from janitor.domain.model import Contact, ContactKind
from janitor.domain.notification.digest import Wording
from janitor.domain.notification.messages import Message, Sent

OWNER = Contact(ContactKind.EMAIL, "ann@example.com")
BOB = Contact(ContactKind.EMAIL, "bob@example.com")
NOW = datetime(2026, 6, 1, 8, tzinfo=UTC)


@pytest.fixture(params=["ministack", "moto"])
def topic(request: pytest.FixtureRequest, connect: Callable[..., Any]) -> "Topic":
    """Make a topic with a queue behind it in each emulator."""
    return Topic(connect, request.param)


class Topic:
    """A topic with a queue behind it."""

    def __init__(self, connect: Callable[..., Any], emulator: str) -> None:
        self.sns = connect(emulator, "sns")
        self.sqs = connect(emulator, "sqs")
        name = f"notices-{uuid.uuid4().hex[:8]}"
        self.arn = self.sns.create_topic(Name=name)["TopicArn"]
        self.url = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        queue = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])
        self.queue_arn = queue["Attributes"]["QueueArn"]

    def subscribe(self, **attributes: str) -> None:
        """Let the queue receive what matches."""
        self.sns.subscribe(
            TopicArn=self.arn, Protocol="sqs", Endpoint=self.queue_arn, Attributes=attributes
        )

    def send(self, message: Message) -> Sent:
        """Send by whoever hears the topic now."""
        audience = SnsTopic(self.sns, self.arn).audience(NOW)
        return SnsChannel(self.sns, self.arn).send(replace(message, audience=audience))

    def received(self) -> list[dict[str, Any]]:
        """Take what lies in the queue."""
        answer = self.sqs.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=1
        )
        messages = answer.get("Messages", [])
        for message in messages:
            self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in messages]


def a_message(**changes: Any) -> Message:
    """Make a digest."""
    values: dict[str, Any] = {
        "contact": OWNER,
        "subject": "2 stacks end tomorrow",
        "text": "Hello Ann\n\nfeat-basket ends tomorrow: kept until then.",
        "kinds": ("48h", "final"),
        "regions": ("eu-central-1",),
    }
    values |= changes
    return Message(
        values["contact"],
        Wording(values["subject"], values["text"]),
        values["kinds"],
        values["regions"],
    )


def test_a_notice_arrives_as_it_was_written(topic: Topic) -> None:
    """Subject, text and the attributes to filter by."""
    topic.subscribe()
    sent = topic.send(a_message())
    (received,) = topic.received()
    assert received["MessageId"] == sent.message_id
    assert received["Subject"] == "2 stacks end tomorrow"
    assert received["Message"] == a_message().text
    attributes = {name: a["Value"] for name, a in received["MessageAttributes"].items()}
    assert attributes["owner"] == "ann@example.com"
    assert json.loads(attributes["kind"]) == ["48h", "final"]
    assert json.loads(attributes["region"]) == ["eu-central-1"]


def test_a_subscription_may_ask_for_its_owner_and_kind(topic: Topic) -> None:
    """Attributes are what filter policies look at."""
    topic.subscribe(FilterPolicy=json.dumps({"owner": ["ann@example.com"], "kind": ["final"]}))
    topic.send(a_message(subject="hers"))
    for message in (a_message(contact=BOB), a_message(kinds=("48h",))):
        with pytest.raises(Undeliverable, match="no subscription of the topic lets it through"):
            topic.send(message)
    assumed = SnsChannel(topic.sns, topic.arn, assume_told=True)
    assumed.send(a_message(subject="his", contact=BOB))
    assumed.send(a_message(subject="early", kinds=("48h",)))
    assert [message["Subject"] for message in topic.received()] == ["hers"]


def test_a_digest_that_is_too_long_is_not_cut_but_refused(topic: Topic) -> None:
    """Cut short, it would count as delivered for stacks that it no longer names."""
    topic.subscribe()
    with pytest.raises(TooLong, match="and SNS takes"):
        topic.send(a_message(text="é" * MAX_BYTES))
    topic.send(a_message(text="x" * MAX_BYTES))
    (received,) = topic.received()
    assert len(received["Message"]) == MAX_BYTES


def test_a_subject_of_hostile_text_is_one_short_line(topic: Topic) -> None:
    """Tags are written by anybody."""
    topic.subscribe()
    topic.send(a_message(subject="a\r\nBcc: x\x1b[2J é字 " + "y" * 200))
    (received,) = topic.received()
    assert received["Subject"].startswith("a Bcc: x [2J e? yyy")
    assert len(received["Subject"]) < 100


@pytest.mark.parametrize(
    "kind,address,owner",
    [
        (ContactKind.NAME, "José Núñez", "josé núñez"),
        (ContactKind.NAME, "Team-Basket", "team-basket"),
        (ContactKind.SLACK_USER, "U012AB3CD", "u012ab3cd"),
        (ContactKind.SLACK_CHANNEL, "C012AB3CD", "c012ab3cd"),
        (ContactKind.EMAIL, "用户@例子.广告", "用户@例子.广告"),
    ],
)
def test_the_attribute_has_every_kind_of_owner_in_lower_case_and_whole(
    topic: Topic, kind: ContactKind, address: str, owner: str
) -> None:
    """A filter compares case and letters; the text has them as they were written.

    Fails without `lower`, and with an attribute in ASCII.
    """
    topic.subscribe(FilterPolicy=json.dumps({"owner": [owner]}))
    message = a_message(contact=Contact(kind, address), subject=f"Of {address}", text=address)
    topic.send(message)
    (received,) = topic.received()
    assert received["MessageAttributes"]["owner"]["Value"] == owner
    assert address in received["Message"]
    assert received["Subject"].isascii()


def test_a_notice_about_no_region_has_no_such_attribute(topic: Topic) -> None:
    """An empty list is not a valid attribute."""
    topic.subscribe()
    topic.send(a_message(regions=(), subject="", text=""))
    (received,) = topic.received()
    assert set(received["MessageAttributes"]) == {"owner", "kind"}


def test_a_topic_that_is_not_there_fails_for_now(topic: Topic) -> None:
    """It hits everybody and an operator puts it right: nobody is written off."""
    with pytest.raises(DeliveryFailed, match="SNS did not take the notice"):
        SnsChannel(topic.sns, topic.arn + "-gone", assume_told=True).send(a_message())
    topic.arn += "-gone"
    with pytest.raises(DeliveryFailed, match="who hears the topic cannot be read"):
        topic.send(a_message())
