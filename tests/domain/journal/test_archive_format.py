"""The archive's lines and objects, and how a table that somebody edited is found out by them."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from janitor.domain.journal.archive_check import LAG, Compared, compare
from janitor.domain.journal.archive_format import (
    Began,
    Seen,
    UnreadableArchive,
    Written,
    beginning_of,
    objects_of,
    told_by,
    trace_of,
    writes_in,
)
from janitor.domain.journal.events import Actor, Event, about, entry
from janitor.domain.journal.serialization import event_document
from janitor.domain.model import Lease
from janitor.domain.planning.decisions import Reason

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=9)
KEY = "arn:aws:cloudformation:eu-central-1:1:stack/feat/1"
LEASE = Lease(KEY, "feat", "eu-central-1", "default", NOON, NOON)


def a_chain(length: int, begin: datetime = NOON) -> list[Event]:
    """Write a chain of so many events, a minute apart."""
    lease = LEASE
    events: list[Event] = []
    for number in range(length):
        draft = about(
            lease, f"lease.step{number}", Reason("because"),
            actor=Actor("janitor", "janitor", "sweep"),
            now=begin + timedelta(minutes=number), policy_version="p",
        )  # fmt: skip
        written = entry(lease, lease, draft)
        lease = written.record
        events += written.events
    return events


def insertions(events: list[Event]) -> list[Written]:
    """Return what the stream says when these are written, each a second after it happened."""
    return [
        Written(
            event.key,
            event.seq,
            Seen.INSERT,
            datetime.fromisoformat(event.occurred_at) + timedelta(seconds=1),
            1000 + number,
            event_document(event),
        )
        for number, event in enumerate(events)
    ]


def events_at(events: list[Event], seq: int) -> datetime:
    """Return when one of them happened, as it says."""
    return datetime.fromisoformat(events[seq - 1].occurred_at)


def compared(
    events: list[Event], writes: list[Written], now: datetime = LATER, began: datetime | None = NOON
) -> Compared:
    """Compare a table's chain with the archive of these writes."""
    return compare(KEY, events, map(trace_of, writes), now=now, began=began)


def found(events: list[Event], writes: list[Written]) -> list[tuple[int, str]]:
    """Return number and kind of what is found."""
    return [(finding.seq, finding.what) for finding in compared(events, writes).findings]


# What is written.


def test_an_object_has_a_json_object_a_line_and_the_heads_last() -> None:
    """A person or Athena can read it; the heads say where each chain stood."""
    events = a_chain(2)
    (made,) = objects_of(insertions(events))
    lines = [json.loads(line) for line in made.body.decode().splitlines()]
    assert [line.get("seq") for line in lines] == [1, 2, None]
    assert lines[0]["event"] == event_document(events[0])
    assert lines[0]["at"] == "2026-06-01T12:00:01.000000Z"
    assert lines[2] == {"heads": {KEY: {"seq": 2, "hash": events[1].hash}}}
    assert (made.lines, made.name[:11]) == (2, "2026/06/01/")


def test_an_object_is_of_one_day() -> None:
    """The day on which DynamoDB took the write, which no row can say otherwise."""
    writes = insertions(a_chain(3, NOON.replace(hour=23, minute=58)))
    assert [made.name[:10] for made in objects_of(writes)] == ["2026/06/01", "2026/06/02"]


@given(st.permutations(insertions(a_chain(6))))
def test_the_same_batch_makes_the_same_objects(writes: list[Written]) -> None:
    """So that a repeat writes what is there already.

    Fails if `objects_of` does not sort: `ordered = list(writes)`.
    """
    assert objects_of(writes) == objects_of(insertions(a_chain(6)))


def test_the_beginning_is_the_date_of_the_first_events() -> None:
    """A sweep's events are older than their rows; one from far off does not make it any older.

    Fails if it is when the first row was written, and if any date is believed.
    """

    def began(writes: list[Written]) -> Began:
        made = beginning_of(writes)
        (told,) = told_by(made.name, made.body)
        assert isinstance(told, Began)
        return told

    first, second = insertions(a_chain(2))
    late = replace(first, at=NOON + timedelta(minutes=10))
    assert began([second, late]) == Began(NOON)
    forged = replace(first, at=NOON + timedelta(days=3))
    assert began([forged]) == Began(NOON + timedelta(days=3))
    assert began([Written(KEY, 2, Seen.REMOVE, LATER, 2000)]) == Began(LATER)


def test_a_later_object_of_a_day_sorts_behind_an_earlier_one() -> None:
    """Numbers of different lengths are one length in the name."""
    first, second = insertions(a_chain(2))
    names = [
        objects_of([replace(write, number=n)])[0].name for write, n in ((first, 9), (second, 10))
    ]
    assert names == sorted(names)


def test_what_is_written_is_what_is_read() -> None:
    """Insertions and what nobody should do alike."""
    writes = insertions(a_chain(3))
    writes.append(Written(KEY, 2, Seen.REMOVE, NOON + timedelta(hours=1), 2000))
    made = objects_of(writes)[0]
    assert list(writes_in(made.name, made.body)) == writes


def test_an_object_that_was_replaced_is_refused() -> None:
    """Its name holds the digest of what was in it.

    Fails without the comparison in `writes_in`: `if False:`.
    """
    made = objects_of(insertions(a_chain(2)))[0]
    with pytest.raises(UnreadableArchive, match="was replaced"):
        list(writes_in(made.name, made.body.replace(b"because", b"perhaps")))


# What is found.


def test_a_table_as_it_was_written_is_sound() -> None:
    """Also where the stream said things twice, as it may."""
    events = a_chain(5)
    writes = insertions(events)
    assert compared(events, [*writes, *writes[1:3]]) == Compared()


def rewritten(events: list[Event]) -> list[Event]:
    """Let an administrator forge event 3, and make every hash of the chain fit again."""
    forged = a_chain(len(events))
    lease = LEASE
    chain: list[Event] = []
    for event in forged:
        sentence = "perhaps" if event.seq == 3 else "because"
        draft = about(
            lease, event.action, Reason(sentence), actor=Actor("janitor", "janitor", "sweep"),
            now=datetime.fromisoformat(event.occurred_at), policy_version="p",
        )  # fmt: skip
        written = entry(lease, lease, draft)
        lease = written.record
        chain += written.events
    return chain


def edited(events: list[Event]) -> list[Event]:
    """Let one event say something else."""
    body = {**events[2].body, "reason": {"sentence": "perhaps", "facts": {}}}
    return [*events[:2], replace(events[2], body=body), *events[3:]]


def swapped(events: list[Event]) -> list[Event]:
    """Let two events change places."""
    one, two = replace(events[1], seq=4), replace(events[3], seq=2)
    return [events[0], two, events[2], one, *events[4:]]


EDITS: dict[str, tuple[Callable[[list[Event]], list[Event]], list[tuple[int, str]]]] = {
    "edited": (edited, [(3, "changed")]),
    "edited with all hashes after it": (
        rewritten,
        [(3, "changed"), (4, "changed"), (5, "changed"), (6, "changed")],
    ),
    "removed in the middle": (lambda events: [*events[:2], *events[3:]], [(3, "removed")]),
    "cut off at the end": (lambda events: events[:4], [(5, "removed"), (6, "removed")]),
    "removed whole": (lambda _: [], [(number, "removed") for number in range(1, 7)]),
    "reordered": (swapped, [(2, "swapped"), (4, "swapped")]),
    "lengthened": (
        lambda events: [*events, replace(events[5], seq=7, hash="f" * 64)],
        [(7, "inserted")],
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_what_an_administrator_does_to_a_table_is_named(edit: str) -> None:
    """Each event that was edited, removed, reordered or put there by hand, and no other.

    Fails if marks are not compared: `elif True: continue` for `elif mark == original.mark`;
    and without the loop over `first.keys() - named`.
    """
    act, expected = EDITS[edit]
    events = a_chain(6)
    assert found(act(events), insertions(events)) == expected


@pytest.mark.parametrize("seen,text", [(Seen.MODIFY, "was changed"), (Seen.REMOVE, "was removed")])
def test_a_row_that_was_put_back_afterwards_is_named_all_the_same(seen: Seen, text: str) -> None:
    """The archive saw it, and says when.

    Fails if `_later_writes` yields nothing.
    """
    events = a_chain(3)
    at = NOON + timedelta(days=2)
    writes = [*insertions(events), Written(KEY, 2, seen, at, 5000)]
    (finding,) = compared(events, writes).findings
    assert finding.seq == 2
    assert text in finding.text
    assert "2026-06-03 12:00:00 UTC" in finding.text


def test_of_two_insertions_the_first_is_what_counts() -> None:
    """Whoever removes a row and puts another one leaves both in the archive.

    Fails if the last one counts: `first[trace.seq] = trace`.
    """
    events = a_chain(3)
    forged = edited(events)
    again = replace(insertions(forged)[2], number=6000, at=NOON + timedelta(days=2))
    for table in (forged, events):
        (finding,) = compared(table, [*insertions(events), again]).findings
        assert (finding.seq, finding.what) == (3, "changed")
        assert "a second time and otherwise, 2026-06-03 12:00:00 UTC" in finding.text


def test_the_newest_events_may_be_on_their_way() -> None:
    """A second within the lag they are not missing, and after it they are.

    Fails if every age is young: `if True:` in `_age`.
    """
    events = a_chain(4)
    last = datetime.fromisoformat(events[3].occurred_at)
    writes = insertions(events)[:3]
    young = compared(events, writes, now=last + LAG - timedelta(seconds=1))
    assert (young.findings, young.on_the_way) == ((), 1)
    missing = compared(events, writes, now=last + LAG)
    assert [(f.seq, f.what) for f in missing.findings] == [(4, "inserted")]


def test_the_events_of_a_long_sweep_may_be_on_their_way() -> None:
    """They have the date of its start, and a sweep in Lambda may take a quarter of an hour.

    Fails with a lag of 15 minutes.
    """
    events = a_chain(2)
    written = datetime.fromisoformat(events[1].occurred_at) + timedelta(minutes=15)
    outcome = compared(events, insertions(events)[:1], now=written + timedelta(minutes=2))
    assert (outcome.findings, outcome.on_the_way) == ((), 1)


def test_what_is_written_while_the_archive_is_read_may_be_on_its_way() -> None:
    """`now` is when reading began; the table is read after it.

    Fails if only the lag is allowed for: `<= now + lag`.
    """
    events = a_chain(2)
    began = datetime.fromisoformat(events[1].occurred_at) - timedelta(hours=2)
    outcome = compared(events, [], now=began)
    assert (outcome.findings, outcome.on_the_way) == ((), 2)


def test_an_event_from_the_future_is_not_on_its_way_for_ever() -> None:
    """Else whoever forges one would only have to date it ahead."""
    events = a_chain(2, LATER + timedelta(days=300))
    assert [f.what for f in compared(events, []).findings] == ["inserted", "inserted"]


def test_events_from_before_the_archive_are_counted_and_not_blamed() -> None:
    """It was switched on later, and cannot speak for them."""
    events = a_chain(6)
    began = datetime.fromisoformat(events[4].occurred_at) + timedelta(hours=1)
    late = [replace(write, at=began) for write in insertions(events)[4:]]
    outcome = compared(events, late, began=began)
    assert (outcome.findings, outcome.older) == ((), 4)


@pytest.mark.parametrize("apart", [timedelta(hours=-6), timedelta(0), timedelta(hours=6)])
def test_an_event_is_written_about_when_it_happens(apart: timedelta) -> None:
    """A sweep dates its events by its start, and clocks differ; six hours are enough for both."""
    events = a_chain(3)
    writes = [replace(w, at=events_at(events, w.seq) + apart) for w in insertions(events)]
    assert found(events, writes) == []


@pytest.mark.parametrize("apart", [timedelta(days=30), timedelta(hours=-6, seconds=-1)])
def test_an_event_that_was_written_at_another_time_than_its_own_is_named(apart: timedelta) -> None:
    """Every hash fits, and the archive has it; but nobody heard of it on that day.

    Fails without `_is_of_its_time`.
    """
    events = a_chain(3)
    writes = insertions(events)
    writes[2] = replace(writes[2], at=events_at(events, 3) + apart)
    (finding,) = compared(events, writes).findings
    assert (finding.seq, finding.what) == (3, "inserted")
    assert "is dated 2026-06-01T12:02:00.000000Z, but was written 2026-0" in finding.text


def test_an_event_without_a_date_is_named() -> None:
    """A janitor dates all of them.

    Fails if one that cannot be read is of its time: `at is None or`.
    """
    (event,) = a_chain(1)
    undated = replace(event, body={**event.body, "occurred_at": "2026-06-01"})
    write = replace(insertions([event])[0], document=event_document(undated))
    assert found([undated], [write]) == [(1, "inserted")]


def test_a_row_that_cannot_be_read_is_named() -> None:
    """What was made unreadable in the table is not what was written."""
    events = a_chain(3)
    broken = [events[0], Event(KEY, 2, {}, "", ""), events[2]]
    assert found(broken, insertions(events)) == [(2, "changed")]
    assert found([*events, Event(KEY, 4, {}, "", "")], insertions(events)) == [(4, "inserted")]


def histories() -> Iterator[tuple[int, int]]:
    """Yield every length of a chain up to six, with every place in it."""
    yield from ((length, place) for length in range(1, 7) for place in range(length))


@pytest.mark.parametrize("length,place", list(histories()))
def test_no_place_in_a_chain_is_out_of_sight(length: int, place: int) -> None:
    """The first and the last as well as any between."""
    events = a_chain(length)
    writes = insertions(events)
    changed = [*events]
    changed[place] = replace(events[place], body={**events[place].body, "result": "failed"})
    assert found(changed, writes) == [(place + 1, "changed")]
    assert found(events[:place] + events[place + 1 :], writes) == [(place + 1, "removed")]
