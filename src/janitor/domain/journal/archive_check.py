"""How the journal's table is compared with what its archive kept."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from janitor.domain.journal.archive_format import APART, Seen, Trace, mark_of
from janitor.domain.journal.chain_check import Finding
from janitor.domain.journal.event_view import instant_of
from janitor.domain.journal.events import Event

LAG = timedelta(minutes=30)
"""How old an event may be that is on its way to the archive: a sweep has 15 minutes to write it."""
STREAM_KEEPS = timedelta(hours=24)
"""No older write can come to an archive that begins."""


class Compared(Struct, frozen=True):
    """One chain of the table beside the archive."""

    findings: tuple[Finding, ...] = ()
    on_the_way: int = 0
    """Events too young to be in the archive for certain."""
    older: int = 0
    """Events from before the archive began, which it cannot speak for."""


def check_beginning(said: datetime | None, oldest: datetime | None) -> Iterator[Finding]:
    """Hold what an archive says of its beginning beside the oldest line in it.

    Nobody can write it anew to fit: an archive that has just begun has no older lines.
    """
    if oldest is None:
        return
    if said is None:
        text = "the archive does not say when it began: the object that says so was deleted"
        yield Finding("archive", 0, "archive", text)
    elif oldest < said - STREAM_KEEPS:
        text = f"the archive says that it began {_when(said)}, and has lines of {_when(oldest)}"
        yield Finding("archive", 0, "archive", text)


def compare(
    key: str,
    events: Sequence[Event],
    traces: Iterable[Trace],
    *,
    now: datetime,
    began: datetime | None,
    lag: timedelta = LAG,
) -> Compared:
    """Compare a chain of the table with the lines that the archive has of it.

    `began` is when the archive began; None if it is empty.
    """
    ordered = sorted(set(traces), key=lambda trace: trace.number)
    first = _first_writes(ordered)
    by_mark = {trace.mark: seq for seq, trace in first.items()}
    found = list(_later_writes(key, ordered, first))
    named = {finding.seq for finding in found}
    result = Compared()
    for event in events:
        original = first.pop(event.seq, None)
        mark = mark_of(event)
        if original is None:
            match _age(event, now, began, lag):
                case "young":
                    result = replace(result, on_the_way=result.on_the_way + 1)
                case "older":
                    result = replace(result, older=result.older + 1)
                case _:
                    text = "is in the table alone: put there by hand, or lost to the archive"
                    found.append(_finding(key, event.seq, "inserted", text))
        elif mark == original.mark:
            if not _is_of_its_time(event, original.at):
                text = f"is dated {event.occurred_at}, but was written {_when(original.at)}"
                found.append(_finding(key, event.seq, "inserted", text))
        elif (home := by_mark.get(mark)) is not None and home != event.seq:
            text = f"stands here, but the archive has it as event {home}"
            found.append(_finding(key, event.seq, "swapped", text))
        elif event.seq not in named:
            text = "is not what the archive has"
            found.append(_finding(key, event.seq, "changed", text))
    for seq in first.keys() - named:
        text = "is in the archive alone: it is gone from the table"
        found.append(_finding(key, seq, "removed", text))
    ordered_findings = sorted(found, key=lambda finding: (finding.seq, finding.text))
    return replace(result, findings=tuple(ordered_findings))


def _first_writes(ordered: Iterable[Trace]) -> dict[int, Trace]:
    """Return the first insertion at each place of the chain: what the janitor wrote."""
    first: dict[int, Trace] = {}
    for trace in ordered:
        if trace.seen is Seen.INSERT:
            first.setdefault(trace.seq, trace)
    return first


def _later_writes(
    key: str, ordered: Iterable[Trace], first: Mapping[int, Trace]
) -> Iterator[Finding]:
    """Name every write after the first: the journal is put once and never touched again."""
    for trace in ordered:
        when = _when(trace.at)
        match trace.seen:
            case Seen.MODIFY:
                yield _finding(key, trace.seq, "changed", f"was changed in the table, {when}")
            case Seen.REMOVE:
                yield _finding(key, trace.seq, "removed", f"was removed from the table, {when}")
            case Seen.INSERT if first[trace.seq].mark != trace.mark:
                text = f"was written a second time and otherwise, {when}"
                yield _finding(key, trace.seq, "changed", text)
            case Seen.INSERT:
                pass  # the first, or one that says the same
            case _ as unreachable:
                assert_never(unreachable)


def _age(event: Event, now: datetime, began: datetime | None, lag: timedelta) -> str:
    """Say whether an event that the archive lacks may still come, or was before its time."""
    at = instant_of(event)
    if at is None:  # tampered with beyond reading
        return "lost"
    if now - lag < at <= now + APART:  # reading takes a while, and a janitor goes on writing
        return "young"
    return "older" if began is None or at < began else "lost"


def _is_of_its_time(event: Event, written: datetime) -> bool:
    """Tell whether an event was written about when it says that it happened."""
    at = instant_of(event)
    return at is not None and abs(written - at) <= APART


def _when(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _finding(key: str, seq: int, what: str, text: str) -> Finding:
    return Finding(key, seq, what, f"event {seq} {text}")
