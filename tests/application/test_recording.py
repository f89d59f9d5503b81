"""What was delivered is on record, whatever happens to the lease or the ledger meanwhile."""

from typing import Any

from msgspec.structs import replace
from tests.application.stories import SWEEPER, Story, failures
from tests.fakes.memory import MemoryLedger

from janitor.domain.errors import Conflict, JanitorError
from janitor.domain.journal.events import Entry


class Troubled(MemoryLedger):
    """A ledger that refuses to record deliveries, so many times, with this error."""

    def __init__(self, story: Story, times: int, error: Exception) -> None:
        super().__init__()
        self.records, self.journal = story.ledger.records, story.ledger.journal
        self.times = times
        self.error = error

    def commit(self, entry: Entry[Any]) -> None:
        """Refuse some."""
        if entry.events[-1].action == "notice.delivered" and self.times:
            self.times -= 1
            raise self.error
        super().commit(entry)


def swept(times: int, error: Exception) -> tuple[Story, str, list[str]]:
    """Sweep when a reminder is due, with such trouble; return what failed."""
    story = Story()
    stack_id = story.deploy()
    story.sweep()
    story.wait(2)
    ledger = Troubled(story, times, error)
    return story, stack_id, failures(replace(story.janitor, ledger=ledger).sweep(SWEEPER))


def test_a_delivery_is_recorded_over_other_writes_in_between() -> None:
    """The lease is read again, and the notice put on what it is by then."""
    story, stack_id, failed = swept(4, Conflict("changed in between"))
    assert failed == []
    assert [notice.stage for notice in story.lease(stack_id).notices] == ["24h"]


def test_a_delivery_that_cannot_be_recorded_is_told_as_failed() -> None:
    """Not recorded is not told: the next sweep sends it again, which is the lesser evil."""
    story, stack_id, failed = swept(99, Conflict("changed in between"))
    assert failed == ["delivered, but the lease changed too often to record it"]
    assert story.lease(stack_id).notices == ()
    story.sweep()
    assert len(story.channel.sent) == 2


def test_a_ledger_that_is_down_is_told_as_failed() -> None:
    """With its error; nothing is lost but the record."""
    _, _, failed = swept(1, JanitorError("throttled"))
    assert failed == ["delivered, but not recorded, so it may be sent again: throttled"]
