"""The week is looked back at, queued, and told to the operators once."""

import pytest
from msgspec.structs import replace
from tests.application.stories import ANA, DAY, OWNED, Story
from tests.fakes.memory import MemoryChannel, MemoryQueue

from janitor.application.lease.release import let_go
from janitor.application.notification.weekly import look_back, queue_week
from janitor.domain.errors import DeliveryFailed, JanitorError
from janitor.domain.model import OPERATORS, Mode, Outcome, Status
from janitor.domain.notification.digest import Wording
from janitor.domain.notification.messages import Message, Sent, WeeklyRequest

SENT = ("weekly",)


def week_passes(story: Story) -> Outcome:
    """Let the schedule fire, and do what it queued."""
    outcome = queue_week(
        clock=lambda: story.now,
        policies=story.policies,
        ledger=story.ledger,
        queue=story.janitor.queue,
    )
    return (outcome, *story.janitor.drain())[-1]


def told(story: Story) -> list[Message]:
    """Return the weeks that operators were sent."""
    return [message for message in story.channel.sent if message.kinds == SENT]


def test_a_week_with_everything_in_it_reaches_the_operators() -> None:
    """What happened in the story is in the text."""
    story = Story()
    going = story.deploy("going", {**OWNED, "janitor:monthly-cost": "12.50 EUR"})
    kept = story.deploy("kept")
    away = story.deploy("away")
    story.deploy("odd", {**OWNED, "janitor:ttl": "3x"})
    story.deploy("nobodys", {"janitor:ttl": "9d"})
    story.sweep()
    for stack_id in (kept, kept, going):
        policy = story.policies.policy()
        if stack_id == kept:
            story.extend(stack_id, by=2 * DAY)
        else:
            story.wait(hours=1)
            let_go(going, actor=ANA, reason="", now=story.now, policy=policy, ledger=story.ledger)
    story.stacks.remove(away)
    for _ in range(4):
        story.sweep()
        story.wait(1)
        for stack in list(story.stacks.stacks.values()):
            story.stacks.finish(stack.stack_id)
    outcome = week_passes(story)
    assert outcome.status is Status.DONE
    (message,) = told(story)
    assert message.contact == OPERATORS
    assert message.subject == "[janitor] the week: 1 deleted, 1 extended, 0 in trouble"
    for line in (
        "  Saved: 12.50 EUR a month.",
        "  going (eu-central-1), ana@example.com: 12.50 EUR a month",
        "  1 stack of ana@example.com: 2 extensions",
        "  nobodys (eu-central-1)\n",
        "Lifetimes to put right (1)",
    ):
        assert line in message.text, message.text
    assert "away" not in message.text
    assert story.findings() == []


def test_of_each_week_operators_are_told_once() -> None:
    """A schedule that fires daily, or twice, sends no second one; the next week has its own.

    Fails with `if False:` for the comparison with `week_told` in application/notification/weekly.py.
    """
    story = Story()
    for _ in range(8):
        week_passes(story)
        week_passes(story)
        story.wait(1)
    assert len(told(story)) == 2
    assert story.ledger.account().week_told == "2026-W24"
    assert story.actions().count("week.told") == 2
    assert story.reason("janitor", "week.told") == "told the operators of 2026-W24"


def test_a_week_that_comes_out_of_the_queue_late_is_not_told_after_the_next() -> None:
    """Old news is no news."""
    story = Story()
    story.wait(7)
    week_passes(story)
    story.janitor.queue.notify(WeeklyRequest(OPERATORS, "2026-W23", Wording("old", "old")))
    (outcome,) = story.janitor.drain()
    assert outcome.detail == "2026-W23 was told already"
    assert len(told(story)) == 1


@pytest.mark.parametrize("mode", [Mode.OFF, Mode.OBSERVE])
def test_modes_that_tell_nobody_tell_no_week(mode: Mode) -> None:
    """Not when it is queued, nor when it comes out of the queue."""
    story = Story(mode=mode)
    queue = MemoryQueue()
    outcome = queue_week(
        clock=lambda: story.now, policies=story.policies, ledger=story.ledger, queue=queue
    )
    assert (outcome.status, queue.notices) == (Status.SKIPPED, [])
    story.janitor.queue.notify(WeeklyRequest(OPERATORS, "2026-W23", Wording("x", "x")))
    (outcome,) = story.janitor.drain()
    assert outcome.detail == f"mode is {mode.value} by now"
    assert story.channel.sent == []


def test_a_week_that_could_not_be_sent_is_told_later() -> None:
    """It stays in the queue for as long as the channel said."""
    story = Story()
    story.channel.refuse(OPERATORS, DeliveryFailed("ratelimited", retry_after=30))
    outcome = week_passes(story)
    assert (outcome.status, outcome.retry_after) == (Status.FAILED, 30)
    assert story.ledger.account().week_told == ""
    story.channel.accept(OPERATORS)
    assert week_passes(story).status is Status.DONE


class Racing(MemoryChannel):
    """A channel during whose sending a sweep writes the account."""

    def __init__(self, story: Story) -> None:
        super().__init__()
        self.story = story

    def send(self, message: Message) -> Sent:
        """Send, and let the policy change."""
        self.story.set_policy("limits: {max_deleting: 7}")
        self.story.look()
        return super().send(message)


def test_a_sweep_at_the_same_moment_loses_neither_record() -> None:
    """Whoever is second reads what the first made of it."""
    story = Story()
    story.janitor = replace(story.janitor, channel=Racing(story))
    assert week_passes(story).status is Status.DONE
    account = story.ledger.account()
    assert (account.week_told, account.policy_version) == (
        "2026-W23",
        story.policies.policy().version,
    )
    assert story.findings() == []


def test_a_week_that_was_sent_is_not_sent_again_because_its_record_failed() -> None:
    """The message is done; only a repeat within the week would come twice, and that is said."""
    story = Story()

    def refuse(_: object) -> None:
        raise JanitorError("DynamoDB is throttled")

    story.ledger.commit = refuse  # type: ignore[method-assign,assignment]
    outcome = week_passes(story)
    assert (outcome.status, outcome.detail) == (
        Status.DONE,
        "sent, but not recorded: DynamoDB is throttled",
    )


def test_looking_back_changes_nothing() -> None:
    """`janitor digest` may be asked at any time."""
    story = Story()
    story.deploy()
    story.sweep()
    before = dict(story.ledger.records)
    words = look_back(clock=lambda: story.now, policies=story.policies, ledger=story.ledger)
    assert "1 stack under lease;" in words.text
    assert story.ledger.records == before
