"""The outside systems as objects in memory, for tests and for one process alone.

They keep the rules of what they stand for, and the contract tests hold them to that.
"""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime

from tests.fakes.stacks import MemoryStacks

from janitor.application.ports import OpenRecords
from janitor.domain.errors import Conflict, JanitorError, UnreadableRecord
from janitor.domain.journal.events import Entry, Event, instant
from janitor.domain.model import ACCOUNT_KEY, Account, Contact, Lease, Mode
from janitor.domain.notification.messages import (
    AnswerRequest,
    DeletionRequest,
    Message,
    Sent,
    Telling,
)
from janitor.domain.policy.model import Policy

__all__ = ["MemoryChannel", "MemoryLedger", "MemoryPolicies", "MemoryQueue", "MemoryStacks"]


class MemoryLedger:
    """Leases and journal in two dictionaries, written together under one lock."""

    def __init__(self) -> None:
        self.records: dict[str, Lease | Account] = {ACCOUNT_KEY: Account()}
        self.journal: dict[str, list[Event]] = {}
        self.spoiled: dict[str, str] = {}
        """Records of which nothing can be made, and why."""
        self._lock = threading.Lock()

    def open_records(self) -> OpenRecords:
        """Return the account and the open leases."""
        with self._lock:
            leases = {
                key: record
                for key, record in self.records.items()
                if isinstance(record, Lease) and record.state.is_open
            }
            unreadable = {key: why for key, why in self.spoiled.items() if leases.pop(key, None)}
            return OpenRecords(self._account(), leases, unreadable)

    def lease(self, stack_id: str) -> Lease | None:
        """Return one lease, open or closed."""
        if why := self.spoiled.get(stack_id):
            raise UnreadableRecord(stack_id, why)
        record = self.records.get(stack_id)
        return record if isinstance(record, Lease) else None

    def account(self) -> Account:
        """Return the janitor's own record."""
        return self._account()

    def commit(self, entry: Entry[Lease] | Entry[Account]) -> None:
        """Write record and events, or raise `Conflict`."""
        key = entry.record.key
        with self._lock:
            stored = self.records.get(key)
            chain = self.journal.get(key, [])
            taken = {event.seq: event.hash for event in chain}
            if taken.get(entry.events[-1].seq) == entry.events[-1].hash:
                return  # This very entry, written by an earlier try.
            moved = (stored.version if stored else 0) != entry.expected_version
            if moved or any(event.seq in taken for event in entry.events):
                raise Conflict(f"{key} was changed by somebody else in between")
            self.records[key] = entry.record
            self.journal[key] = [*chain, *entry.events]

    def chain(self, key: str) -> Iterator[Event]:
        """Yield one chain, oldest first."""
        yield from tuple(self.journal.get(key, ()))

    def chain_keys(self) -> Iterator[str]:
        """Yield the key of every chain."""
        yield from tuple(self.journal)

    def record_keys(self) -> Iterator[str]:
        """Yield the key of every record."""
        yield from tuple(self.records)

    def events(self, since: datetime, until: datetime) -> Iterator[Event]:
        """Yield the events of all chains from `since` to before `until`."""
        first, last = instant(since.astimezone(UTC)), instant(until.astimezone(UTC))
        chosen = [
            event
            for chain in tuple(self.journal.values())
            for event in chain
            if first <= event.occurred_at < last
        ]
        yield from sorted(chosen, key=lambda event: (event.occurred_at, event.key, event.seq))

    def _account(self) -> Account:
        record = self.records[ACCOUNT_KEY]
        return record if isinstance(record, Account) else Account()


class MemoryQueue:
    """What the sweep queued, in order."""

    def __init__(self) -> None:
        self.notices: list[Telling] = []
        self.deletions: list[DeletionRequest] = []

    def notify(self, request: Telling) -> None:
        """Keep the digest."""
        self.notices.append(request)

    def delete(self, request: DeletionRequest) -> None:
        """Keep the deletion."""
        self.deletions.append(request)


class MemoryChannel:
    """What was sent, revised and answered, in order; some contacts can be refused."""

    def __init__(self, name: str = "memory", most: int = 100) -> None:
        self.name = name
        self.most = most
        self.sent: list[Message] = []
        self.revised: list[tuple[str, Message, str]] = []
        self.answered: list[AnswerRequest] = []
        self.refused: dict[Contact, JanitorError] = {}
        self._lock = threading.Lock()

    def refuse(self, contact: Contact, error: JanitorError) -> None:
        """Answer this contact's messages with `error`, until `accept`."""
        self.refused[contact] = error

    def accept(self, contact: Contact) -> None:
        """Take this contact's messages again."""
        self.refused.pop(contact, None)

    def send(self, message: Message) -> Sent:
        """Keep the message, unless its contact is refused."""
        if error := self.refused.get(message.contact):
            raise error
        with self._lock:
            self.sent.append(message)
            return Sent(f"{self.name}-{len(self.sent)}", self.name, can_change=True)

    def revise(self, message_id: str, message: Message, said: str) -> None:
        """Keep the revision."""
        self.revised.append((message_id, message, said))

    def answer(self, request: AnswerRequest) -> None:
        """Keep the answer."""
        self.answered.append(request)


class MemoryPolicies:
    """A policy that a test may exchange, and a mode that it may switch."""

    def __init__(self, policy: Policy, mode: Mode | None = None) -> None:
        self.current = policy
        self.override = mode

    def policy(self) -> Policy:
        """Return the policy."""
        return self.current

    def mode(self) -> Mode:
        """Return the mode."""
        return self.override or self.current.mode
