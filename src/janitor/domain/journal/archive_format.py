"""The archive of the journal: its lines and objects.

Every write to the journal table becomes one line of the archive, also those that no
janitor makes: a row that was changed or removed. The archive cannot be edited while it is
locked, so it is what a table is measured by (`domain/journal/archive_check.py`).
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import groupby
from typing import Any

from msgspec import Struct

from janitor.domain.errors import JanitorError
from janitor.domain.journal.event_view import instant_of
from janitor.domain.journal.events import Event, instant
from janitor.domain.journal.serialization import event_from

BEGINNING = "began.jsonl"
"""The object that says when the archive began; in a listing it comes after all others."""
APART = timedelta(hours=6)
"""How far an event's date may be from when it was written: a sweep dates its events by its start."""


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


class Began(Struct, frozen=True):
    """When the archive began, as an object of its own says."""

    at: datetime


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


def beginning_of(writes: Sequence[Written]) -> ArchiveObject:
    """Make the object that says when the archive began, by what is the first batch of it.

    Every batch makes one and the first stays, since all have one name.
    """
    began = min(map(_date_of, writes)).astimezone(UTC)
    return ArchiveObject(BEGINNING, f"{_json({'began': instant(began)})}\n".encode(), 0)


def _date_of(write: Written) -> datetime:
    """Return the date of the event, or when it was written where they are too far apart."""
    date = instant_of(event_from(write.document)) if write.document else None
    return date if date and timedelta(0) <= write.at - date <= APART else write.at


def _line_of(write: Written) -> dict[str, Any]:
    return {
        "key": write.key,
        "seq": write.seq,
        "seen": write.seen.value,
        "at": instant(write.at.astimezone(UTC)),
        "number": str(write.number),
        "event": None if write.document is None else dict(write.document),
    }


def told_by(name: str, body: bytes) -> Iterator[tuple[str, Trace] | Began]:
    """Read any object of the archive. Raises `UnreadableArchive` as `writes_in` does."""
    if name.rpartition("/")[2] == BEGINNING:
        yield Began(datetime.fromisoformat(json.loads(body)["began"]).astimezone(UTC))
    else:
        for write in writes_in(name, body):
            yield write.key, trace_of(write)


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
    mark = b"" if write.document is None else mark_of(event_from(write.document))
    return Trace(write.seq, write.seen, write.at, write.number, mark)


def mark_of(event: Event) -> bytes:
    """Return a digest of what an event says and links to, wherever it stands."""
    return hashlib.sha256(_json(event.document()).encode()).digest()


def _json(document: Any) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":"))


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:32]
