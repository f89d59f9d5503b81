"""Leases, accounts and events as JSON documents, and back.

A document leaves out whatever still has its default, and a reader ignores keys that it
does not know: a field may be added within a schema. Anything else needs a new one. A value that
is not what its field holds is refused with the name of the field, and never guessed at.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from msgspec import NODEFAULT, convert, to_builtins
from msgspec.structs import fields

from janitor.core.journal import Event
from janitor.core.model import (
    Account,
    Contact,
    ContactKind,
    FormerOwner,
    Hold,
    Lease,
    LeaseState,
    Mode,
    Moved,
    Notice,
    RegionSeen,
)

SCHEMA = 1
"""Which documents the tables hold."""

_Codec = tuple[Callable[[Any], Any] | None, Callable[[Any], Any]]
_Record = TypeVar("_Record", Lease, Account)
LONGEST = 60
"""Letters of a value that an error quotes."""
_ODD = (LookupError, TypeError, ValueError, AttributeError, OverflowError)
"""What reading a value raises that is none of ours to have written."""


class Malformed(ValueError):
    """A document that no release of this schema has written; the text says which part of it."""


def lease_document(lease: Lease) -> dict[str, Any]:
    """Return the lease as a JSON object."""
    return _document(lease, _LEASE_FIELDS)


def lease_from(document: Mapping[str, Any]) -> Lease:
    """Return the lease that `document` holds. Raises `Malformed`."""
    return _made(Lease, document, _LEASE_READERS)


def account_document(account: Account) -> dict[str, Any]:
    """Return the account as a JSON object."""
    return _document(account, _ACCOUNT_FIELDS)


def account_from(document: Mapping[str, Any]) -> Account:
    """Return the account that `document` holds. Raises `Malformed`."""
    return _made(Account, document, _ACCOUNT_READERS)


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


def _contacts_document(contacts: tuple[Contact, ...]) -> list[list[str]]:
    return [[contact.kind.value, contact.address] for contact in contacts]


def _contacts_from(document: Any) -> tuple[Contact, ...]:
    return tuple([Contact(_KINDS[kind], _text(address)) for kind, address in _list(document)])


def _notices_document(notices: tuple[Notice, ...]) -> list[dict[str, Any]]:
    return [
        {
            "stage": notice.stage,
            "deadline": notice.deadline and notice.deadline.isoformat(),
            "contact": [notice.contact.kind.value, notice.contact.address],
            "delivered_at": notice.delivered_at.isoformat(),
            "channel": notice.channel,
            "detail": notice.detail,
            **{
                name: value
                for name in ("message_id", "recipient", "beside")
                if (value := getattr(notice, name))
            },
            **({"instead": _contacts_document((notice.instead,))[0]} if notice.instead else {}),
        }
        for notice in notices
    ]


def _notices_from(document: Any) -> tuple[Notice, ...]:
    read = _instant_from
    return tuple(
        [
            Notice(
                stage=_text(notice["stage"]),
                deadline=read(notice["deadline"]) if notice["deadline"] else None,
                contact=_contacts_from([notice["contact"]])[0],
                delivered_at=read(notice["delivered_at"]),
                channel=_text(notice["channel"]),
                detail=_text(notice.get("detail", "")),
                message_id=_text(notice.get("message_id", "")),
                recipient=_text(notice.get("recipient", "")),
                beside=_texts(notice["beside"]) if "beside" in notice else (),
                instead=_contacts_from([notice["instead"]])[0] if "instead" in notice else None,
            )
            for notice in _list(document)
        ]
    )


def _list(value: Any) -> list[Any]:
    if type(value) is not list:
        raise TypeError(value)
    return value


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError(value)
    return value


def _texts(values: Any) -> tuple[str, ...]:
    return tuple([_text(value) for value in _list(values)])


def _pairs(values: Any) -> tuple[tuple[str, str], ...]:
    return tuple([(_text(key), _text(value)) for key, value in _list(values)])


def _number(value: Any) -> int:
    if type(value) is not int:
        raise TypeError(value)
    return value


def _flag(value: Any) -> bool:
    if type(value) is not bool:
        raise TypeError(value)
    return value


def _instant_from(value: Any) -> datetime:
    """Read an instant; a naive one says nothing."""
    instant = datetime.fromisoformat(value)
    if instant.tzinfo is None:
        raise ValueError(value)
    return instant


# Looking a member up in a dictionary takes a tenth of the time of calling the enum,
# and a sweep reads thousands of leases.
_KINDS = {kind.value: kind for kind in ContactKind}
_STATES = {state.value: state for state in LeaseState}
_MODES = {mode.value: mode for mode in Mode}

_INSTANT: _Codec = (datetime.isoformat, _instant_from)
_CODECS: dict[Any, _Codec] = {
    str: (None, _text),
    int: (None, _number),
    bool: (None, _flag),
    datetime: _INSTANT,
    datetime | None: _INSTANT,
    LeaseState: (lambda state: state.value, _STATES.__getitem__),
    Mode | None: (lambda mode: mode.value, _MODES.__getitem__),
    int | None: (None, _number),
    tuple[str, ...]: (list, _texts),
    tuple[tuple[str, str], ...]: (list, _pairs),
    tuple[Contact, ...]: (_contacts_document, _contacts_from),
    tuple[Notice, ...]: (_notices_document, _notices_from),
}


def _plain(kind: Any) -> _Codec:
    """Return the codec of a type that msgspec writes as plain values."""
    return to_builtins, partial(convert, type=kind)


_CODECS |= {
    kind: _plain(kind)
    for kind in (
        Moved | None,
        Hold | None,
        tuple[FormerOwner, ...],
        tuple[RegionSeen, ...],
    )
}


def _fields(record: type[Lease] | type[Account]) -> list[tuple[str, Any, _Codec]]:
    """List name, default and codec of each field; a type without a codec is a KeyError."""
    return [(field.name, field.default, _CODECS[field.type]) for field in fields(record)]


_LEASE_FIELDS = _fields(Lease)
_LEASE_READERS = {name: codec[1] for name, _, codec in _LEASE_FIELDS}
_ACCOUNT_FIELDS = _fields(Account)
_ACCOUNT_READERS = {name: codec[1] for name, _, codec in _ACCOUNT_FIELDS}


def _document(record: Lease | Account, layout: list[tuple[str, Any, _Codec]]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for name, default, (write, _) in layout:
        value = getattr(record, name)
        if default is NODEFAULT or value != default:
            document[name] = value if write is None else write(value)
    return document


def _made(
    kind: type[_Record],
    document: Mapping[str, Any],
    readers: Mapping[str, Callable[[Any], Any]],
) -> _Record:
    try:
        return kind(
            **{name: readers[name](value) for name, value in document.items() if name in readers}
        )
    except _ODD as error:
        raise Malformed(_what_is_wrong(kind, document, readers)) from error


def _what_is_wrong(
    kind: type[Lease] | type[Account],
    document: Mapping[str, Any],
    readers: Mapping[str, Callable[[Any], Any]],
) -> str:
    """Name the field that cannot be read, once it is known that there is one."""
    for name in readers.keys() & document.keys():
        try:
            readers[name](document[name])
        except _ODD:
            return f"its {name} is {str(document[name])[:LONGEST]!r}, which says nothing here"
    required = (field.name for field in fields(kind) if field.default is NODEFAULT)
    missing = sorted(name for name in required if name not in document)
    return f"it lacks {', '.join(missing)}"
