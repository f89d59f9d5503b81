"""Who hears the topic is looked at before anything is told, and kept in the ledger."""

import json
from datetime import datetime
from typing import Any

from msgspec.structs import replace
from tests.application.stories import DAY, MONDAY, OWNED, Story, failures
from tests.fakes.memory import MemoryChannel, MemoryLedger

from janitor.application.notification.weekly import queue_week
from janitor.domain.errors import Conflict, JanitorError
from janitor.domain.journal.events import Entry
from janitor.domain.model import OPERATORS, Audience, LeaseState, Subscription
from janitor.domain.notification.messages import Message, Sent
from janitor.domain.notification.topic_reach import heard_by

TOPIC = "arn:aws:sns:eu-central-1:123456789012:notices"


class Topic:
    """A topic with one subscription, whose filter a test changes."""

    def __init__(self) -> None:
        self.owners = ["ana@example.com", "bo@example.com", "operators"]
        self.problem = ""
        self.looks = 0

    def audience(self, now: datetime) -> Audience:
        """Return who hears it now."""
        self.looks += 1
        if self.problem:
            return Audience(TOPIC, now, problem=self.problem)
        one = Subscription("1", "email", json.dumps({"owner": self.owners}))
        return Audience(TOPIC, now, (one,))


class Channel(MemoryChannel):
    """A channel that goes by who hears the topic, as the ledger has it."""

    def send(self, message: Message) -> Sent:
        """Take a message that somebody hears."""
        heard = heard_by(message.audience, TOPIC, {"owner": (message.contact.address,)})
        return replace(super().send(message), heard_by=heard)


class Ledger(MemoryLedger):
    """A ledger that takes nothing about the topic, as long as it is `full`."""

    full: JanitorError | None = None

    def commit(self, entry: Entry[Any]) -> None:
        """Write, or not."""
        if self.full and entry.events[0].action == "audience.read":
            raise self.full
        super().commit(entry)


def begin() -> tuple[Story, Topic, Ledger]:
    """Begin a story on a topic."""
    story, topic, ledger = Story(), Topic(), Ledger()
    story.ledger, story.channel = ledger, Channel()
    story.janitor = replace(
        story.janitor, ledger=ledger, channel=story.channel, topic=topic, links=None
    )
    return story, topic, ledger


def test_a_sweep_that_cannot_record_who_hears_sends_no_final_notice() -> None:
    """By what the ledger has from before, she was reached; all that ends no stack goes out.

    Fails without `_but_final` in application/sweep/sweep.py, be the error a conflict or another one.
    """
    for error in (Conflict("moved"), JanitorError("the table is full")):
        story, topic, ledger = begin()
        stack_id = story.deploy()
        story.deploy("young", {**OWNED, "janitor:ttl": "5d"})
        story.sweep()
        story.wait(1)
        story.sweep()
        assert [message.kinds for message in story.channel.sent] == [("48h",)]
        topic.owners.remove("ana@example.com")
        ledger.full = error
        story.wait(2)
        story.sweep()
        assert story.lease(stack_id).state is LeaseState.MARKED
        assert [message.kinds for message in story.channel.sent] == [("48h",), ("48h",)]
        ledger.full = None
        story.sweep()
        (final,) = [message for message in story.channel.sent if "final" in message.kinds]
        assert final.contact == OPERATORS
        assert "of ana@example.com, who cannot be reached" in final.words.greeting


def test_a_topic_that_cannot_be_read_writes_nobody_off() -> None:
    """It is said once a sweep, nothing is delivered, and the next sweep looks again."""
    story, topic, _ = begin()
    stack_id = story.deploy()
    story.sweep()
    topic.problem = "AccessDenied"
    story.wait(3)
    first, second = failures(story.sweep())
    assert first == f"who hears the topic {TOPIC} cannot be read: AccessDenied"
    assert f"--notify sns:{TOPIC}:assume-told says so" in second
    story.wait(30)
    story.sweep()
    assert story.lease(stack_id).notices == ()
    assert story.calls("delete") == []
    topic.problem = ""
    story.sweep()
    (notice,) = story.lease(stack_id).notices
    assert (notice.delivered_at, notice.instead) == (MONDAY + 33 * DAY, None)


def test_what_was_heard_is_in_the_journal() -> None:
    """Of the topic when it changed, of each notice by which subscription."""
    story, topic, _ = begin()
    stack_id = story.until_marked()
    facts = next(e for e in story.ledger.chain("janitor") if e.action == "audience.read")
    assert facts.body["reason"]["facts"]["email 1"] == json.dumps({"owner": topic.owners})
    told = next(e for e in story.ledger.chain(stack_id) if e.action == "notice.delivered")
    assert told.body["reason"]["facts"]["heard_by"] == "1 of 1 subscriptions: email 1"
    assert story.findings() == []


def test_the_week_looks_for_itself() -> None:
    """No sweep of a quiet week has looked who hears it."""
    story, topic, _ = begin()
    queue_week(
        clock=lambda: story.now,
        policies=story.policies,
        ledger=story.ledger,
        queue=story.janitor.queue,
    )
    topic.owners = ["ana@example.com"]
    (outcome,) = story.janitor.drain()
    assert outcome.detail == "no subscription of the topic lets it through"
    assert (topic.looks, story.channel.sent) == (1, [])
    assert story.ledger.account().week_told == ""
