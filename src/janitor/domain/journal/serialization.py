"""Leases, accounts and events as JSON, and back.

A text leaves out whatever still has its default, and a reader ignores keys that it does not
know: a field may be added within a schema. Anything else needs a new one. A value that is not
what its field holds is refused with the name of the field, and never guessed at.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from msgspec import NODEFAULT, MsgspecError, convert, json
from msgspec.structs import FieldInfo, fields

from janitor.domain.journal.events import Event
from janitor.domain.model import Account, Lease

SCHEMA = 1
"""Which documents the tables hold."""

LONGEST = 60
"""Letters of a value that an error quotes."""

_Record = TypeVar("_Record", Lease, Account)
_ODD = (MsgspecError, RecursionError, ValueError)
"""What reading raises that is none of ours to have written."""


class Malformed(ValueError):
    """A document that no release of this schema has written; the text says which part of it."""


def record_text(record: Lease | Account) -> str:
    """Return a record as one JSON object."""
    return json.encode(record).decode()


def lease_from(text: str) -> Lease:
    """Return the lease that `text` holds. Raises `Malformed`."""
    return _read(text, Lease)


def account_from(text: str) -> Account:
    """Return the account that `text` holds. Raises `Malformed`."""
    return _read(text, Account)


def event_document(event: Event) -> dict[str, Any]:
    """Return the event as one JSON object, with the key of its chain."""
    return {"key": event.key, **event.document()}


def event_from(document: Mapping[str, Any], seq: int | None = None) -> Event:
    """Return the event that `document` holds.

    `seq` is the place it was found at, where that is known; verifying a chain compares
    it with the number that the event was written as.
    """
    body = dict(document)
    key = str(body.pop("key", ""))
    prev_hash = str(body.pop("prev_hash", ""))
    own_hash = str(body.pop("hash", ""))
    written_as = body.get("seq")
    if seq is None:
        seq = written_as if isinstance(written_as, int) else -1
    return Event(key, seq, body, prev_hash, own_hash)


def _read(text: str, kind: type[_Record]) -> _Record:
    try:
        return json.decode(text, type=kind)
    except _ODD as error:
        raise Malformed(_what_is_wrong(text, fields(kind))) from error


def _what_is_wrong(text: str, known: tuple[FieldInfo, ...]) -> str:
    """Name the field that cannot be read, once it is known that there is one."""
    try:
        document = json.decode(text)
    except _ODD:
        return "its content is no JSON"
    if not isinstance(document, dict):
        return "its content is no JSON object"
    for one in known:
        if one.encode_name in document and not _fits(document[one.encode_name], one.type):
            value = str(document[one.encode_name])[:LONGEST]
            return f"its {one.name} is {value!r}, which says nothing here"
    missing = [one.name for one in known if _is_required(one) and one.name not in document]
    return f"it lacks {', '.join(sorted(missing))}"


def _fits(value: object, kind: Any) -> bool:
    try:
        convert(value, kind)
    except _ODD:
        return False
    return True


def _is_required(one: FieldInfo) -> bool:
    return one.default is NODEFAULT and one.default_factory is NODEFAULT
