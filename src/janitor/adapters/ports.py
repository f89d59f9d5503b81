"""The protocols that journeys depend on; every outside system is behind one of them.

Every method may raise a `JanitorError`; the journeys keep such an error in the outcome
of the one stack that it befell.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from pydantic import TypeAdapter

from janitor.core.archive import ArchiveObject, Trace
from janitor.core.audit import Finding
from janitor.core.journal import Entry, Event
from janitor.core.letter import Wording
from janitor.core.model import Account, Contact, Lease, Mode, Stack
from janitor.core.policy import Policy

if TYPE_CHECKING:  # the extension page needs no plan, and a person waits for it
    from janitor.core.plan import Listing

Clock = Callable[[], datetime]


class Stacks(Protocol):
    """CloudFormation."""

    def list_all(self, regions: Iterable[str]) -> Iterator["Listing"]:
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


@dataclass(frozen=True, slots=True)
class RevisionRequest:
    """A message that was sent earlier, to be shown as things stand now."""

    contact: Contact
    message_id: str
    stack_ids: tuple[str, ...]
    """All stacks in it."""
    said: str = ""
    """What happened, for the message's thread; without it, only the message changes."""


@dataclass(frozen=True, slots=True)
class AnswerRequest:
    """A word to one person alone, in the channel where they pressed a button."""

    contact: Contact
    channel_id: str
    text: str


Telling = NoticeRequest | RevisionRequest | AnswerRequest
"""What the queue of notices carries."""


@lru_cache
def notice_body() -> TypeAdapter[Telling]:
    """Return how what is to be told looks in a message; what does not fit is a ValueError.

    Built when first needed: it takes time that not every function's start has to spend.
    """
    return TypeAdapter(Telling)


@lru_cache
def deletion_body() -> TypeAdapter[DeletionRequest]:
    """Return how a deletion looks in a message, as `notice_body` does."""
    return TypeAdapter(DeletionRequest)


class Queue(Protocol):
    """The way from the sweep to notify and delete."""

    def notify(self, request: Telling) -> None:
        """Queue a digest, a revision of one, or an answer."""
        ...

    def delete(self, request: DeletionRequest) -> None:
        """Queue a deletion."""
        ...


@dataclass(frozen=True, slots=True)
class Message:
    """A digest in words, with attributes to filter by."""

    contact: Contact
    words: Wording
    kinds: tuple[str, ...]
    regions: tuple[str, ...]

    @property
    def subject(self) -> str:
        """Return the subject."""
        return self.words.subject

    @property
    def text(self) -> str:
        """Return the digest as plain text."""
        return self.words.text


@dataclass(frozen=True, slots=True)
class Sent:
    """What a channel says of a message that it took."""

    message_id: str
    channel: str
    recipient: str = ""
    """The person behind the contact, where the channel had to look: a Slack user's id."""


class Channel(Protocol):
    """A way to reach people."""

    most: int
    """Stacks in one message: what was cut short would count as delivered all the same."""

    def send(self, message: Message) -> Sent:
        """Send a message, whole.

        Raises `Undeliverable` if this contact can never be reached, `DeliveryFailed` if
        it failed this time.
        """
        ...

    def revise(self, message_id: str, message: Message, said: str) -> None:
        """Show an earlier message anew, and say in its thread what happened.

        Does nothing where messages cannot be changed once they are sent.
        """
        ...

    def answer(self, request: AnswerRequest) -> None:
        """Say something to one person alone; nothing where the channel has no such way."""
        ...


class Policies(Protocol):
    """Where the policy document comes from."""

    def policy(self) -> Policy:
        """Return the policy in force. Raises `PolicyError` naming every problem."""
        ...

    def mode(self) -> Mode:
        """Return the mode, read anew at every call."""
        ...


class Archive(Protocol):
    """Where every write to the journal is kept once more, out of an administrator's reach."""

    def put(self, made: ArchiveObject) -> None:
        """Write an object; one that is there already is the same, and stays."""
        ...

    def traces(self) -> Iterator[tuple[str, Trace] | Finding]:
        """Yield every line with the key of its chain, and what is wrong with the archive."""
        ...
