"""The protocols that journeys depend on; every outside system is behind one of them.

Every method may raise a `JanitorError`; the journeys keep such an error in the outcome
of the one stack that it befell.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from janitor.core.journal import Entry, Event
from janitor.core.model import Account, Contact, Lease, Mode, Stack
from janitor.core.plan import Listing
from janitor.core.policy import Policy

Clock = Callable[[], datetime]


class Stacks(Protocol):
    """CloudFormation."""

    def list_all(self, regions: Iterable[str]) -> Iterator[Listing]:
        """Yield one listing per region, as they come; a refusal is a listing, not an error."""
        ...

    def describe(self, stack_id: str) -> Stack | None:
        """Return the stack by its id, deleted ones too; None if AWS does not know the id."""
        ...

    def tag(
        self, stack: Stack, put: Mapping[str, str], remove: Collection[str], token: str
    ) -> datetime | None:
        """Set and remove tags, keep all others; return LastUpdatedTime once it has moved.

        `stack` is as the decision saw it: raises `TagRefused` if it was updated since,
        and where CloudFormation says no. "No updates are to be performed" is success.
        """
        ...

    def delete(self, stack_id: str, token: str) -> str:
        """Ask for the deletion and return the request id.

        Raises `DeleteRefused` for a definite no, `StackNotFound` if there is nothing to
        delete; after any other error the deletion may have been taken.
        """
        ...


class Ledger(Protocol):
    """Leases and journal."""

    def open_records(self) -> tuple[Account, dict[str, Lease]]:
        """Return the account and all open leases by stack id (may lag by a moment)."""
        ...

    def lease(self, stack_id: str) -> Lease | None:
        """Return one lease, open or closed, as it is now."""
        ...

    def account(self) -> Account:
        """Return the janitor's own record as it is now."""
        ...

    def commit(self, entry: Entry[Lease] | Entry[Account]) -> None:
        """Write record and events, all or none. Raises `Conflict` if the record has moved."""
        ...

    def chain(self, key: str) -> Iterator[Event]:
        """Yield one chain, oldest first."""
        ...

    def chain_keys(self) -> Iterator[str]:
        """Yield the key of every chain in the journal."""
        ...

    def events(self, since: datetime, until: datetime) -> Iterator[Event]:
        """Yield all events of all chains from `since` up to `until`, oldest first."""
        ...


@dataclass(frozen=True, slots=True)
class NoticeItem:
    """One stack in a notice: the stage, and the deadline that it speaks of."""

    stack_id: str
    stage: str
    deadline: datetime | None
    text: str = ""
    """What a `problem` or an outcome is about."""


@dataclass(frozen=True, slots=True)
class NoticeRequest:
    """One owner's digest, to be rendered and sent."""

    contact: Contact
    items: tuple[NoticeItem, ...]


@dataclass(frozen=True, slots=True)
class DeletionRequest:
    """A stack that a sweep found due, to be decided upon again and deleted."""

    stack_id: str
    decided_at: datetime


class Queue(Protocol):
    """The way from the sweep to notify and delete."""

    def notify(self, request: NoticeRequest) -> None:
        """Queue a digest."""
        ...

    def delete(self, request: DeletionRequest) -> None:
        """Queue a deletion."""
        ...


@dataclass(frozen=True, slots=True)
class Message:
    """A rendered digest: plain text, with attributes to filter by."""

    contact: Contact
    subject: str
    text: str
    kinds: tuple[str, ...]
    regions: tuple[str, ...]


class Channel(Protocol):
    """A way to reach people."""

    name: str

    def send(self, message: Message) -> str:
        """Send and return the channel's id for the message.

        Raises `Undeliverable` if this contact can never be reached, `DeliveryFailed` if
        it failed this time.
        """
        ...


class Policies(Protocol):
    """Where the policy document comes from."""

    def policy(self) -> Policy:
        """Return the policy in force. Raises `PolicyError` naming every problem."""
        ...

    def mode(self) -> Mode:
        """Return the mode, read anew at every call."""
        ...
