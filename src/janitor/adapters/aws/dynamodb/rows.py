"""What stands in a row of the two tables, read; a row that cannot be is named, and stops no other."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from janitor.application.ports import OpenRecords
from janitor.domain.errors import ConfigurationError, UnreadableRecord
from janitor.domain.journal.events import Event
from janitor.domain.journal.serialization import (
    SCHEMA,
    Malformed,
    account_from,
    event_from,
    lease_from,
)
from janitor.domain.model import ACCOUNT_KEY, Account, Lease

Row = Mapping[str, Any]


class _OtherSchema(Malformed):
    """Another release wrote this."""

    def __init__(self, found: str) -> None:
        super().__init__(
            f"it is of schema {found[:9]}, and this janitor reads schema {SCHEMA}:"
            " use the release that wrote it"
        )
        self.found = found


def open_records_of(rows: Iterable[Row], table: str) -> tuple[Account | None, OpenRecords]:
    """Read the rows of everything open, and the account apart, which may not be among them.

    Raises `ConfigurationError` where nothing can be decided: the account cannot be read, or
    another release wrote every lease.
    """
    account: Account | None = None
    leases: dict[str, Lease] = {}
    unreadable: dict[str, str] = {}
    foreign: set[str] = set()
    for row in rows:
        key = str(row["stack_id"]["S"])
        if key == ACCOUNT_KEY:
            account = account_of(row, table)
            continue
        try:
            leases[key] = _lease(key, row)
        except Malformed as error:
            unreadable[key] = str(error)
            if isinstance(error, _OtherSchema):
                foreign.add(error.found)
    if foreign and not leases:
        raise _of_another_release(table, ", ".join(sorted(foreign)))
    return account, OpenRecords(account or Account(), leases, unreadable)


def lease_of(key: str, row: Row) -> Lease:
    """Read a lease. Raises `UnreadableRecord`."""
    try:
        return _lease(key, row)
    except Malformed as error:
        raise UnreadableRecord(key, str(error)) from error


def account_of(row: Row, table: str) -> Account:
    """Read the janitor's own record. Raises `ConfigurationError`: without it nothing is decided."""
    try:
        return account_from(_text(row))
    except _OtherSchema as error:
        raise _of_another_release(table, error.found) from error
    except Malformed as error:
        raise ConfigurationError(
            f"the row {ACCOUNT_KEY} of the table {table}, without which nothing is decided,"
            f" cannot be read: {error}"
        ) from error


def event_of(row: Row) -> Event:
    """Read an event; one that was tampered with beyond reading is an event without content.

    Its hash then fits nothing, and a check of the chain names it.
    """
    key, number = row["stack_id"]["S"], row["seq"]["N"]
    seq = int(number) if number.isdecimal() else -1
    tampered = Event(key, seq, {}, "", "")
    try:
        event = event_from(json.loads(row["doc"]["S"]), seq=seq)
        filed_under = row["day"]["S"], row["at"]["S"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return tampered
    is_in_place = filed_under == (event.occurred_at[:10], event.occurred_at)
    return event if is_in_place else tampered


def _lease(key: str, row: Row) -> Lease:
    lease = lease_from(_text(row))
    if lease.stack_id != key:
        raise Malformed(f"it says that it is of {lease.stack_id[:200]}")
    return lease


def _text(row: Row) -> str:
    try:
        found, text = row["schema"]["N"], row["doc"]["S"]
    except (KeyError, TypeError) as error:
        raise Malformed("it lacks its content, or the schema of that") from error
    if found != str(SCHEMA):
        raise _OtherSchema(str(found))
    if not isinstance(text, str):
        raise Malformed("its content is no JSON")
    return text


def _of_another_release(table: str, schemas: str) -> ConfigurationError:
    return ConfigurationError(
        f"the table {table} holds records of schema {schemas}, "
        f"and this janitor reads schema {SCHEMA}: use the release that wrote them"
    )
