"""Leases, accounts and events as JSON documents, and back.

A document leaves out whatever still has its default, and a reader ignores keys that it
does not know: a field may be added within a schema. Anything else needs a new one.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

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

_Codec = tuple[Callable[[Any], Any] | None, Callable[[Any], Any] | None]


def lease_document(lease: Lease) -> dict[str, Any]:
    """Return the lease as a JSON object."""
    return _document(lease, _LEASE_FIELDS)


def lease_from(document: Mapping[str, Any]) -> Lease:
    """Return the lease that `document` holds."""
    return Lease(**_values(document, _LEASE_READERS))


def account_document(account: Account) -> dict[str, Any]:
    """Return the account as a JSON object."""
    return _document(account, _ACCOUNT_FIELDS)


def account_from(document: Mapping[str, Any]) -> Account:
    """Return the account that `document` holds."""
    return Account(**_values(document, _ACCOUNT_READERS))


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


def _contacts_from(document: list[list[str]]) -> tuple[Contact, ...]:
    return tuple([Contact(_KINDS[kind], address) for kind, address in document])


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


def _notices_from(document: list[dict[str, Any]]) -> tuple[Notice, ...]:
    read = datetime.fromisoformat
    return tuple(
        [
            Notice(
                stage=notice["stage"],
                deadline=read(notice["deadline"]) if notice["deadline"] else None,
                contact=Contact(_KINDS[notice["contact"][0]], notice["contact"][1]),
                delivered_at=read(notice["delivered_at"]),
                channel=notice["channel"],
                detail=notice.get("detail", ""),
                message_id=notice.get("message_id", ""),
                recipient=notice.get("recipient", ""),
                beside=tuple(notice.get("beside", ())),
                instead=_contacts_from([notice["instead"]])[0] if "instead" in notice else None,
            )
            for notice in document
        ]
    )


# Looking a member up in a dictionary takes a tenth of the time of calling the enum,
# and a sweep reads thousands of leases.
_KINDS = {kind.value: kind for kind in ContactKind}
_STATES = {state.value: state for state in LeaseState}
_MODES = {mode.value: mode for mode in Mode}

_AS_IT_IS: _Codec = (None, None)
_INSTANT: _Codec = (datetime.isoformat, datetime.fromisoformat)
_CODECS: dict[Any, _Codec] = {
    str: _AS_IT_IS,
    int: _AS_IT_IS,
    bool: _AS_IT_IS,
    datetime: _INSTANT,
    datetime | None: _INSTANT,
    LeaseState: (lambda state: state.value, _STATES.__getitem__),
    Mode | None: (lambda mode: mode.value, _MODES.__getitem__),
    int | None: _AS_IT_IS,
    tuple[str, ...]: (list, tuple),
    tuple[tuple[str, str], ...]: (list, lambda pairs: tuple(map(tuple, pairs))),
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


def _values(
    document: Mapping[str, Any], readers: Mapping[str, Callable[[Any], Any] | None]
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in document.items():
        if name in readers:
            read = readers[name]
            values[name] = value if read is None else read(value)
    return values
