"""The archive of the journal: its lines and objects, and how a table is compared with it.

Every write to the journal table becomes one line of the archive, also those that no
janitor makes: a row that was changed or removed. The archive cannot be edited while it is
locked, so it is what a table is measured by.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import groupby
from typing import Any, assert_never

from msgspec import Struct
from msgspec.structs import replace

from janitor.core.audit import Finding
from janitor.core.errors import JanitorError
from janitor.core.journal import Event, instant
from janitor.core.records import event_from

LAG = timedelta(minutes=15)
"""How long an event may be on its way to the archive."""


class Seen(StrEnum):
    """What the table's stream said was done to a row."""

    INSERT = "INSERT"
    MODIFY = "MODIFY"
    REMOVE = "REMOVE"


class UnreadableArchive(JanitorError):
    """An object of the archive is not what the janitor wrote."""


class Written(Struct, frozen=True):
    """One write to the journal table, as its stream told of it."""

    key: str
    seq: int
    seen: Seen
    at: datetime
    """When DynamoDB took the write: no row can say otherwise."""
    number: int
    """The place in the stream; a later write of one chain has a higher one."""
    document: Mapping[str, Any] | None = None
    """The event as the row had it; None for a row that was removed."""


class Trace(Struct, frozen=True):
    """What is kept in memory of one line, to compare by."""

    seq: int
    seen: Seen
    at: datetime
    number: int
    mark: bytes


class ArchiveObject(Struct, frozen=True):
    """One object of the archive; its name says what is in it, so a repeat is the same object."""

    name: str
    body: bytes
    lines: int


def objects_of(writes: Iterable[Written]) -> tuple[ArchiveObject, ...]:
    """Make the objects of one batch: one for each day on which DynamoDB took the writes."""
    ordered = sorted(writes, key=lambda write: write.number)
    by_day = groupby(ordered, key=lambda write: write.at.astimezone(UTC).date())
    return tuple(_object_of(tuple(same)) for _, same in by_day)


def _object_of(writes: tuple[Written, ...]) -> ArchiveObject:
    heads = {
        write.key: {"seq": write.seq, "hash": write.document.get("hash", "")}
        for write in writes
        if write.seen is Seen.INSERT and write.document
    }
    lines = [*(_line_of(write) for write in writes), {"heads": heads}]
    body = "".join(f"{_json(line)}\n" for line in lines).encode()
    first, last = writes[0], writes[-1]
    day = first.at.astimezone(UTC)
    name = f"{day:%Y/%m/%d}/{first.number:040}-{last.number:040}-{_digest(body)}.jsonl"
    return ArchiveObject(name, body, len(writes))


def _line_of(write: Written) -> dict[str, Any]:
    return {
        "key": write.key,
        "seq": write.seq,
        "seen": write.seen.value,
        "at": instant(write.at.astimezone(UTC)),
        "number": str(write.number),
        "event": None if write.document is None else dict(write.document),
    }


def writes_in(name: str, body: bytes) -> Iterator[Written]:
    """Read an object's lines. Raises `UnreadableArchive` where they are not what was written.

    The name holds the digest of the content, so nothing in it can be other than it was.
    """
    if _digest(body) != name.rpartition("/")[2].removesuffix(".jsonl").rpartition("-")[2]:
        raise UnreadableArchive(f"the object {name} is not what its name says: it was replaced")
    for text in body.decode().splitlines():
        line = json.loads(text)
        if "heads" not in line:
            yield Written(
                key=line["key"],
                seq=line["seq"],
                seen=Seen(line["seen"]),
                at=datetime.fromisoformat(line["at"]),
                number=int(line["number"]),
                document=line["event"],
            )


def trace_of(write: Written) -> Trace:
    """Return what a comparison needs of a line."""
    mark = b"" if write.document is None else _mark(event_from(write.document))
    return Trace(write.seq, write.seen, write.at, write.number, mark)


def _mark(event: Event) -> bytes:
    """Return a digest of what an event says and links to, wherever it stands."""
    return hashlib.sha256(_json(event.document()).encode()).digest()


def _json(document: Any) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":"))


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:32]


class Compared(Struct, frozen=True):
    """One chain of the table beside the archive."""

    findings: tuple[Finding, ...] = ()
    on_the_way: int = 0
    """Events too young to be in the archive for certain."""
    older: int = 0
    """Events from before the archive began, which it cannot speak for."""


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

    `began` is the instant of the oldest line of the whole archive; None if it is empty.
    """
    ordered = sorted(set(traces), key=lambda trace: trace.number)
    first = _first_writes(ordered)
    by_mark = {trace.mark: seq for seq, trace in first.items()}
    found = list(_later_writes(key, ordered, first))
    named = {finding.seq for finding in found}
    result = Compared()
    for event in events:
        original = first.pop(event.seq, None)
        mark = _mark(event)
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
            continue
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
        when = f"{trace.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
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
    try:
        at = datetime.fromisoformat(event.occurred_at)
        if now - lag < at <= now + lag:
            return "young"
        return "older" if began is None or at < began - lag else "lost"
    except (ValueError, TypeError):  # tampered with beyond reading, or without a zone
        return "lost"


def _finding(key: str, seq: int, what: str, text: str) -> Finding:
    return Finding(key, seq, what, f"event {seq} {text}")
