"""Archiving and verifying together: a ledger whose every write goes to an archive."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from tests.fakes.archive import MemoryArchive
from tests.fakes.memory import MemoryLedger

from janitor.application.audit.archive import keep
from janitor.application.audit.verify import Checked, remember, verify_chains
from janitor.application.ports import Archive
from janitor.domain.errors import JanitorError
from janitor.domain.journal.archive_format import BEGINNING, ArchiveObject, Seen, Trace, Written
from janitor.domain.journal.chain_check import Finding
from janitor.domain.journal.events import Actor, Draft, Event, about, entry
from janitor.domain.journal.serialization import event_document
from janitor.domain.model import Lease, LeaseState
from janitor.domain.planning.decisions import Reason

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
NOW = NOON + timedelta(days=9)


def step_of(lease: Lease, number: int, since: datetime = NOON) -> Draft:
    """Draft an event, so many minutes later."""
    return about(
        lease, f"lease.step{number}", Reason("because"),
        actor=Actor("janitor", "janitor", "sweep"),
        now=since + timedelta(minutes=number), policy_version="p",
    )  # fmt: skip


class World:
    """A ledger, its archive, and the stream between them."""

    def __init__(self) -> None:
        self.ledger = MemoryLedger()
        self.archive = MemoryArchive()
        self.number = 0

    def write(self, name: str, count: int, *, archived: bool = True, since: datetime = NOON) -> str:
        """Open a lease and write so many events about it."""
        key = f"arn:aws:cloudformation:eu-central-1:1:stack/{name}/1"
        lease = Lease(key, name, "eu-central-1", "default", NOON, NOON)
        events: list[Event] = []
        for step in range(count):
            written = entry(lease, lease, step_of(lease, step, since))
            self.ledger.commit(written)
            lease = written.record
            events += written.events
        if archived:
            keep(self.stream(events), self.archive)
        return key

    def stream(self, events: Iterable[Event], seen: Seen = Seen.INSERT) -> list[Written]:
        """Return what the stream says of these."""
        made = []
        for event in events:
            self.number += 1
            at = datetime.fromisoformat(event.occurred_at)
            document = None if seen is Seen.REMOVE else event_document(event)
            made.append(Written(event.key, event.seq, seen, at, self.number, document))
        return made

    def check(self, *only: str, archive: Archive | None = None) -> list[Checked]:
        """Verify the ledger by its archive."""
        memory = remember(archive or self.archive, NOW)
        return list(verify_chains(self.ledger, only, memory))

    def findings(self, *only: str, archive: Archive | None = None) -> list[Finding]:
        """Return all findings."""
        checks = self.check(*only, archive=archive)
        return [finding for check in checks for finding in check.findings]


@pytest.fixture
def world() -> World:
    """Make a world with two stacks in it."""
    made = World()
    made.write("one", 4)
    made.write("two", 3)
    return made


def test_a_ledger_beside_its_own_archive_is_sound(world: World) -> None:
    """All chains, and each once."""
    assert [(check.events, check.findings) for check in world.check()] == [(4, ()), (3, ())]


def test_a_chain_that_is_gone_as_a_whole_is_in_the_archive(world: World) -> None:
    """With its lease, so that nothing else in the tables speaks of it.

    Fails if `verify_chains` takes no keys from the archive.
    """
    key = world.write("three", 2)
    del world.ledger.records[key], world.ledger.journal[key]
    assert [(f.key, f.seq, f.what) for f in world.findings()] == [
        (key, 1, "removed"),
        (key, 2, "removed"),
    ]


def test_a_chain_that_is_gone_as_a_whole_is_remembered_by_its_closed_lease(world: World) -> None:
    """The row of a deleted stack stays for a while, and no archive is needed.

    Fails without `record_keys` in `verify_chains`: open leases alone do not name it.
    """
    key = world.write("three", 2)
    lease = world.ledger.lease(key)
    assert lease is not None
    world.ledger.records[key] = replace(lease, state=LeaseState.DELETED)
    del world.ledger.journal[key]
    (check,) = [check for check in verify_chains(world.ledger) if check.findings]
    assert [(f.key, f.seq, f.what) for f in check.findings] == [
        (key, 1, "removed"),
        (key, 2, "removed"),
    ]


class Busy(MemoryLedger):
    """A ledger that a janitor writes to right after something of it was read."""

    def __init__(self, world: World, after: str, times: int) -> None:
        super().__init__()
        self.records, self.journal = world.ledger.records, world.ledger.journal
        self.after, self.left = after, times

    def lease(self, stack_id: str) -> Lease | None:
        """Read the lease, and then let the janitor write."""
        lease = super().lease(stack_id)
        self._meanwhile("lease", stack_id)
        return lease

    def chain(self, key: str) -> Iterator[Event]:
        """Read the chain, and then let the janitor write."""
        events = list(super().chain(key))
        self._meanwhile("chain", key)
        return iter(events)

    def _meanwhile(self, what: str, key: str) -> None:
        lease = super().lease(key)
        if what == self.after and self.left and lease:
            self.left -= 1
            self.commit(entry(lease, lease, step_of(lease, 9)))


@pytest.mark.parametrize("after", ["lease", "chain"])
@pytest.mark.parametrize("times", [1, 2, 4])
def test_a_janitor_at_work_is_no_tampering(world: World, after: str, times: int) -> None:
    """It may write between the reading of a chain and of its record, more than once.

    Fails if what the first reading finds is told: `if True:` in `_check`.
    """
    busy = Busy(world, after, times)
    assert [f.text for check in verify_chains(busy) for f in check.findings] == []


def test_a_query_may_see_a_transaction_later_than_a_get(world: World) -> None:
    """DynamoDB promises no more; nothing is written in between, and the next query sees it.

    Fails if one reading beside a record that stays the same is enough.
    """

    class Late(Busy):
        """A ledger whose first query misses the last event."""

        def chain(self, key: str) -> Iterator[Event]:
            """Read the chain, the first time without its end."""
            events = list(super().chain(key))
            self.left -= 1
            return iter(events[:-1] if self.left >= 0 else events)

    assert [f.text for check in verify_chains(Late(world, "", 1)) for f in check.findings] == []


def test_what_is_found_in_a_chain_that_never_rests_is_told(world: World) -> None:
    """Else whoever goes on writing hides it."""
    key = "arn:aws:cloudformation:eu-central-1:1:stack/one/1"
    del world.ledger.journal[key][1]
    busy = Busy(world, "lease", 1000)
    found = {(f.seq, f.what) for check in verify_chains(busy, (key,)) for f in check.findings}
    assert (2, "removed") in found


def test_history_that_was_rewritten_whole_is_found(world: World) -> None:
    """Both tables agree with each other, every hash fits, and the archive says otherwise.

    Fails if `Memory.beside` compares with nothing: `traces = ()`.
    """
    key = world.write("three", 3)
    events = world.ledger.journal[key]
    lease = Lease(key, "three", "eu-central-1", "default", NOON, NOON)
    forged: list[Event] = []
    for event in events:
        draft = about(
            lease, event.action, Reason("as I like it"),
            actor=Actor("janitor", "janitor", "sweep"),
            now=datetime.fromisoformat(event.occurred_at), policy_version="p",
        )  # fmt: skip
        written = entry(lease, lease, draft)
        lease = written.record
        forged += written.events
    world.ledger.journal[key], world.ledger.records[key] = forged, lease
    assert [f.text for check in verify_chains(world.ledger) for f in check.findings] == []
    assert [(f.seq, f.what) for f in world.findings(key)] == [(n, "changed") for n in (1, 2, 3)]


def test_a_batch_that_comes_again_changes_nothing(world: World) -> None:
    """The stream delivers at least once, and after a bisected batch in other pieces."""
    events = world.ledger.journal["arn:aws:cloudformation:eu-central-1:1:stack/one/1"]
    world.number = 0
    writes = world.stream(events)
    before = dict(world.archive.objects)
    assert keep(writes, world.archive).objects[0].name in before
    assert world.archive.objects == before
    keep(writes[:2], world.archive)
    keep(writes[2:], world.archive)
    assert len(world.archive.objects) == len(before) + 2
    assert world.findings() == []


def test_a_write_that_no_janitor_makes_is_kept_and_told(world: World) -> None:
    """A removed row is named by the archive function at once, and by each check after."""
    event = world.ledger.journal["arn:aws:cloudformation:eu-central-1:1:stack/one/1"][1]
    kept = keep(world.stream([event], Seen.REMOVE), world.archive)
    assert [(write.seq, write.seen) for write in kept.tampered] == [(2, Seen.REMOVE)]
    assert [(f.seq, f.what) for f in world.findings()] == [(2, "removed")]


def test_an_archive_that_is_empty_beside_a_journal_is_no_proof(world: World) -> None:
    """Whoever empties it, or names the wrong one, is not told that all is well.

    Fails without the finding for it in `verify_chains`.
    """
    (finding,) = world.findings(archive=MemoryArchive())
    assert "the archive is empty" in finding.text


def later(world: World, name: str, days: int) -> None:
    """Write two events, dated and archived so many days after noon."""
    key = world.write(name, 2, since=NOON + timedelta(days=days))
    assert world.findings() == [], key


def test_the_oldest_objects_cannot_be_deleted_unnoticed(world: World) -> None:
    """By whoever may bypass governance: the archive says in an object of its own when it began.

    Fails if the oldest line that is left counts as the beginning.
    """
    later(world, "young", 8)
    for name in [name for name in world.archive.objects if name.startswith("2026/06/01")]:
        del world.archive.objects[name]
    assert [f.what for f in world.findings()] == ["inserted"] * 7
    assert "in the table alone" in world.findings()[0].text


def test_the_word_of_when_it_began_cannot_be_deleted_unnoticed(world: World) -> None:
    """Nor be had anew, as the next batch would write it: all older lines speak against it.

    Fails without `check_beginning`.
    """
    later(world, "young", 4)
    del world.archive.objects[BEGINNING]
    assert "the archive does not say when it began" in world.findings()[0].text
    world.write("younger", 2, since=NOON + timedelta(days=8))
    (finding,) = world.findings()
    assert finding.text == (
        "the archive says that it began 2026-06-09 12:00:00 UTC, "
        "and has lines of 2026-06-01 12:00:00 UTC"
    )


def test_events_from_before_an_archive_that_was_switched_on_are_nobodys_fault() -> None:
    """Those of a minute before as well, and what the stream keeps comes in any order.

    Fails if a lag is left before the beginning: `at < began - lag`.
    """
    world = World()
    world.write("before", 3, archived=False)
    for minutes in (60, 5):
        world.write(f"after-{minutes}", 2, since=NOON + timedelta(minutes=minutes))
    assert world.findings() == []
    assert sum(check.older for check in world.check()) == 3


def test_what_is_wrong_with_the_archive_itself_is_told_last(world: World) -> None:
    """An object that was put over another is no chain, and still a finding."""

    class Overwritten(MemoryArchive):
        """An archive with an object that somebody touched."""

        def traces(self) -> Any:
            """Yield a finding, then everything."""
            yield Finding("2026/06/01/x.jsonl", 0, "archive", "was put twice")
            yield from super().traces()

    touched = Overwritten()
    touched.objects = world.archive.objects
    assert [f.text for f in world.findings(archive=touched)] == ["was put twice"]


def test_an_outage_of_the_archive_is_an_error_and_the_next_try_writes_all(world: World) -> None:
    """Nothing is lost: the batch comes again as a whole."""

    class Failing(MemoryArchive):
        """An archive that takes one object and then none."""

        def put(self, made: ArchiveObject) -> None:
            """Take the first alone."""
            if self.objects:
                raise JanitorError("writing failed")
            super().put(made)

    events = world.ledger.journal["arn:aws:cloudformation:eu-central-1:1:stack/one/1"]
    writes = world.stream(events)
    writes = [*writes[:2], *(replace(w, at=w.at + timedelta(days=1)) for w in writes[2:])]
    failing = Failing()
    with pytest.raises(JanitorError):
        keep(writes, failing)
    working = MemoryArchive()
    working.objects = failing.objects
    keep(writes, working)
    traces: list[Trace] = [told[1] for told in working.traces() if isinstance(told, tuple)]
    assert sorted(trace.seq for trace in traces) == [1, 2, 3, 4]
