"""Sweeping in many threads comes to what sweeping in order comes to."""

import random
import threading
from collections.abc import Collection, Mapping
from typing import Any

import pytest
from msgspec.structs import replace
from tests.application.faults import Crash
from tests.application.stories import DAY, HERE, HOUR, POLICY, SWEEPER, THERE, Story, failures
from tests.fakes.memory import MemoryChannel, MemoryLedger, MemoryQueue
from tests.fakes.stacks import MemoryStacks

from janitor.adapters.thread_pool import Threads
from janitor.application.ports import PLAIN, SideBySide, in_turn
from janitor.application.sweep.sweep import sweep
from janitor.domain.deletion.strategy import Step
from janitor.domain.errors import Conflict, JanitorError
from janitor.domain.model import Account, Lease, LeaseState, Mode, Stack, Status
from janitor.domain.notification.messages import Message, Sent

GENEROUS = POLICY + ("limits: {max_deleting: 12, max_attempts: 2}")
OWNERS = ["ana@example.com", "bob@example.com", "ana@example.com cid@example.com", "#team", ""]


def dawdle() -> None:
    """Let other threads come first, now and then."""
    threading.Event().wait(random.choice([0, 0, 0.0005, 0.002]))  # noqa: S311 - no secret


class Slow(MemoryLedger):
    """A ledger whose calls end in no particular order."""

    def commit(self, entry: Any) -> None:
        """Write, after a while."""
        dawdle()
        super().commit(entry)

    def lease(self, stack_id: str) -> Any:
        """Read, after a while."""
        dawdle()
        return super().lease(stack_id)


class Moody(MemoryStacks):
    """CloudFormation that takes its time, and will not hear of some stacks."""

    bad: Collection[str] = ()

    def tag(
        self,
        stack: Stack,
        put: Mapping[str, str],
        remove: Collection[str],
        token: str,
    ) -> bool:
        """Tag, after a while, unless it is a bad one."""
        dawdle()
        if stack.name in self.bad:
            raise JanitorError(f"no tags for {stack.name}")
        return super().tag(stack, put, remove, token)

    def delete(self, stack_id: str, token: str, step: Step = PLAIN) -> str:
        """Delete, after a while."""
        dawdle()
        return super().delete(stack_id, token, step)


class Letters(MemoryChannel):
    """A channel whose ids say what was sent to whom, in whatever order."""

    def send(self, message: Message) -> Sent:
        """Take it, after a while."""
        dawdle()
        sent = super().send(message)
        return replace(sent, message_id=f"{message.contact.address}: {message.subject}")


class Busy(Story):
    """An account of many stacks of all kinds, drawn by `seed`, swept `side_by_side`."""

    stacks: Moody

    def __init__(self, seed: int, side_by_side: SideBySide) -> None:
        super().__init__(GENEROUS)
        self.stacks = Moody(lambda: self.now)
        self.ledger, self.channel = Slow(), Letters()
        self.janitor = replace(
            self.janitor,
            stacks=self.stacks,
            ledger=self.ledger,
            channel=self.channel,
            side_by_side=side_by_side,
        )
        draw = random.Random(seed)  # noqa: S311 - no secret
        ids = []
        for number in range(40):
            tags = {"janitor:ttl": draw.choice(["1d", "2d", "3d", "soon", "9d"])}
            if owner := draw.choice(OWNERS):
                tags["janitor:owner"] = owner
            if draw.random() < 0.1:
                tags["janitor:protect"] = "demo"
            region = draw.choice([HERE, THERE])
            ids.append(self.deploy(f"feat-{number}", tags, region=region))
        self.stacks.bad = {f"feat-{number}" for number in draw.sample(range(40), 4)}
        for stack_id in draw.sample(ids, 5):
            self.stacks.fail(stack_id, times=draw.randint(1, 3))
        for stack_id in draw.sample(ids, 4):
            self.stacks.lock(stack_id)
        self.gone = draw.sample(ids, 3)
        self.outcomes: list[Any] = []

    def live(self) -> "Busy":
        """Sweep four times a day for six days; deletions end and things happen in between."""
        for turn in range(24):
            self.outcomes.append(self.sweep().outcomes)
            for stack_id in list(self.stacks.stacks):
                self.stacks.finish(stack_id)
            if turn == 9:
                for stack_id in self.gone:
                    self.stacks.remove(stack_id)
            self.wait(hours=6)
        return self


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("most", [2, 32])
def test_many_threads_leave_what_one_leaves(seed: int, most: int) -> None:
    """Leases, journal, tags, outcomes in their order, and what each owner read.

    Fails if what the threads gather goes straight into one `Gathered`, since then the order
    of digests is that of the threads (`replace(applying, queue=own)`).
    """
    ordered, threaded = Busy(seed, in_turn).live(), Busy(seed, Threads(most)).live()
    assert threaded.outcomes == ordered.outcomes
    assert threaded.stacks.stacks == ordered.stacks.stacks
    assert threaded.findings() == []
    for key in ordered.ledger.records:
        actions = [event.action for event in ordered.ledger.chain(key)]
        assert [event.action for event in threaded.ledger.chain(key)] == actions
    read, expected = (
        sorted((m.contact, m.subject, m.kinds) for m in story.channel.sent)
        for story in (threaded, ordered)
    )
    assert read == expected


def but_its_key(record: Lease | Account) -> Lease | Account:
    """Return a record without what is drawn at random for each account."""
    return replace(record, evidence_key="") if isinstance(record, Account) else record


@pytest.mark.parametrize("seed", range(3))
def test_where_one_is_told_the_journals_are_the_same_to_the_last_hash(seed: int) -> None:
    """With two owners, or operators too, either of the two notices may be recorded first."""

    def lived(side_by_side: SideBySide) -> Busy:
        story = Busy(seed, side_by_side)
        for stack_id, stack in story.stacks.stacks.items():
            if " " in stack.tags.get("janitor:owner", ""):
                tags = {**stack.tags, "janitor:owner": "ana@example.com"}
                story.stacks.stacks[stack_id] = replace(stack, tags=tags)
        return story.live()

    ordered, threaded = lived(in_turn), lived(Threads(16))
    told_one = [
        key
        for key, record in ordered.ledger.records.items()
        if isinstance(record, Account) or len({n.contact for n in record.notices}) < 2
    ]
    assert len(told_one) > 25
    for key in told_one:
        assert but_its_key(threaded.ledger.records[key]) == but_its_key(ordered.ledger.records[key])
        assert threaded.ledger.journal[key] == ordered.ledger.journal[key]


def test_an_error_with_one_stack_stops_no_other() -> None:
    """It stands in that stack's outcome; the others are marked, tagged and told."""
    story = Busy(1, Threads(16))
    story.sweep()
    story.wait(4)
    bad = {f"no tags for {name}" for name in story.stacks.bad}
    assert set(failures(story.sweep())) <= bad
    marked = [le for le in story.ledger.records.values() if getattr(le, "state", "") == "marked"]
    assert len(marked) > 10


def test_what_is_queued_is_in_one_order_whichever_thread_was_first() -> None:
    """Deletions by deadline, digests by contact, and their stacks by deadline."""

    def queued(side_by_side: SideBySide) -> MemoryQueue:
        story = Busy(2, in_turn)
        for _ in range(2):
            story.sweep()
            story.wait(days=1)
        queue = MemoryQueue()
        sweep(
            clock=lambda: story.now,
            policies=story.policies,
            regions=(HERE, THERE),
            stacks=story.stacks,
            ledger=story.ledger,
            queue=queue,
            actor=SWEEPER,
            apply=True,
            side_by_side=side_by_side,
        )
        return queue

    ordered, threaded = queued(in_turn), queued(Threads(32))
    assert threaded.deletions == ordered.deletions != []
    assert threaded.notices == ordered.notices != []


@pytest.mark.parametrize("side_by_side, under_way", [(in_turn, 0), (Threads(8), 7)])
def test_a_sweep_out_of_time_begins_no_other_stack(
    side_by_side: SideBySide, under_way: int
) -> None:
    """Those that were begun are ended, and the rest is for the next sweep.

    Fails if all is handed to the threads at once: `side_by_side(list(_acts(…)))`.
    """
    story = Busy(3, in_turn)
    most = 15

    def opened() -> int:
        return len(story.ledger.records) - 1

    def look() -> str:
        report = sweep(
            clock=lambda: story.now,
            policies=story.policies,
            regions=(HERE, THERE),
            stacks=story.stacks,
            ledger=story.ledger,
            queue=MemoryQueue(),
            actor=SWEEPER,
            apply=True,
            may_go_on=lambda: opened() < most,
            side_by_side=side_by_side,
        )
        return report.outcomes[-1].detail

    assert look() == f"out of time: {40 - opened()} stacks are left to the next sweep"
    assert most <= opened() <= most + under_way
    most = 41
    assert look() == ""
    assert opened() == 40


@pytest.mark.parametrize("after", [3, 10, 30])
def test_a_process_that_ends_in_one_thread_is_finished_by_the_next_sweep(after: int) -> None:
    """5: whatever the other threads were in the middle of.

    Fails if the claim is not written before the deletion: `ledger.commit(claimed)`.
    """
    story = Busy(after, Threads(8))
    story.stacks.bad = ()
    story.sweep()
    story.wait(4)
    lock, commits, commit = threading.Lock(), 0, story.ledger.commit

    class Ending(Slow):
        def commit(self, entry: Any) -> None:
            nonlocal commits
            with lock:
                commits += 1
                if commits > after:
                    raise Crash("commit")
            commit(entry)

        def lease(self, stack_id: str) -> Any:
            return story.ledger.lease(stack_id)

        def account(self) -> Any:
            return story.ledger.account()

        def open_records(self) -> Any:
            return story.ledger.open_records()

    with pytest.raises(Crash):
        replace(story.janitor, ledger=Ending()).sweep(SWEEPER)
    for _ in range(12):
        story.now += 12 * HOUR
        story.janitor.sweep(SWEEPER)
        for stack_id in list(story.stacks.stacks):
            story.stacks.finish(stack_id)
    assert story.findings() == []
    for stack_id, stack in story.stacks.stacks.items():
        lease = story.lease(stack_id)
        if lease.state is LeaseState.DELETED:
            assert stack.status == "DELETE_COMPLETE"
            assert "notice.delivered" in story.actions(stack_id)
    assert sum(story.lease(key).state is LeaseState.DELETED for key in story.stacks.stacks) > 15


def test_a_lease_that_moved_meanwhile_is_skipped_alone() -> None:
    """An owner extends while the sweep is at it: the others are not held up."""
    story = Busy(4, Threads(16))
    story.stacks.bad = ()
    story.sweep()
    story.wait(4)
    lucky = next(
        key for key, stack in story.stacks.stacks.items() if stack.tags["janitor:ttl"] == "2d"
    )
    commit, once = story.ledger.commit, threading.Lock()

    class Meddled(Slow):
        def commit(self, entry: Any) -> None:
            if entry.record.key == lucky and once.acquire(blocking=False):
                raise Conflict("somebody extended it")
            commit(entry)

        def lease(self, stack_id: str) -> Any:
            return story.ledger.lease(stack_id)

        def account(self) -> Any:
            return story.ledger.account()

        def open_records(self) -> Any:
            return story.ledger.open_records()

    report = replace(story.janitor, ledger=Meddled()).sweep(SWEEPER)
    skipped = [o.key for o in report.outcomes if o.status is Status.SKIPPED and o.action == "sweep"]
    assert skipped == [lucky]
    assert sum(o.action == "mark" for o in report.outcomes) > 10


def test_observe_touches_nothing_in_any_thread() -> None:
    """8: leases and journal only."""
    story = Busy(5, Threads(16))
    story.policies.override = Mode.OBSERVE
    for _ in range(4):
        story.sweep()
        story.now += 2 * DAY
    assert {call[0] for call in story.stacks.calls} <= {"list", "describe"}
    assert story.channel.sent == []
