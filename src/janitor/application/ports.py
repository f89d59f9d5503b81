"""The protocols that journeys depend on; every outside system is behind one of them.

Every method may raise a `JanitorError`; the journeys keep such an error in the outcome
of the one stack that it befell.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, TypeVar

from msgspec import Struct, field

from janitor.domain.deletion.strategy import Step
from janitor.domain.journal.events import Entry, Event
from janitor.domain.model import Account, Audience, Lease, Mode, Stack
from janitor.domain.notification.messages import (
    AnswerRequest,
    DeletionRequest,
    Message,
    Sent,
    Telling,
)
from janitor.domain.policy.model import Policy
from janitor.domain.stack.resources import Count, Resource, Snapshot

if TYPE_CHECKING:  # the extension page needs neither plan nor archive, and a person waits for it
    from janitor.domain.journal.archive_format import ArchiveObject, Began, Trace
    from janitor.domain.journal.chain_check import Finding
    from janitor.domain.planning.plan import Listing
    from janitor.domain.tagging.change_set import Proposal
    from janitor.domain.tagging.outcomes import TagOutcome
    from janitor.domain.tagging.ways import Anatomy

Clock = Callable[[], datetime]
PLAIN = Step()
Result = TypeVar("Result")


class SideBySide(Protocol):
    """The way to do many things of which none needs another."""

    def __call__(self, acts: Iterable[Callable[[], Result]]) -> list[Result]:
        """Do all of `acts`; return what each returned, in their order, whichever ended first.

        `acts` is asked for the next one when that can begin, and by one thread at a time.
        After an error no other begins: those under way end, and then it is raised.
        """
        ...


def in_turn(acts: Iterable[Callable[[], Result]]) -> list[Result]:
    """Do one thing after the other: `SideBySide` for where there is nothing to win."""
    return [act() for act in acts]


class Stacks(Protocol):
    """CloudFormation."""

    def list_all(self, regions: Iterable[str]) -> Iterator["Listing"]:
        """Yield one listing per region, as they come; a refusal is a listing, not an error."""
        ...

    def describe(self, stack_id: str) -> Stack | None:
        """Return the stack by its id, deleted ones too; None if AWS does not know the id."""
        ...

    def anatomy(self, stack: Stack) -> "Anatomy":
        """Return what a stack is, as far as an update could change more than its tags."""
        ...

    def tag(
        self, stack: Stack, put: Mapping[str, str], remove: Collection[str], token: str
    ) -> bool:
        """Ask for an update that sets and removes tags and keeps all others.

        False if there is nothing to update. `stack` is as the decision saw it: raises
        `TagRefused` if it was updated since, and where CloudFormation says no. What becomes of
        the update `tag_outcome` tells.
        """
        ...

    def propose(
        self, stack: Stack, put: Mapping[str, str], remove: Collection[str], token: str
    ) -> bool:
        """Make a change set, by the janitor's own name, that does the same; as `tag` otherwise.

        There must be none of that name.
        """
        ...

    def proposal(self, stack: Stack, put: Mapping[str, str], remove: Collection[str]) -> "Proposal":
        """Return what that change set shows, having waited some seconds at most.

        Raises `TagRefused` as `tag` does.
        """
        ...

    def execute(self, stack: Stack, proposal: "Proposal", token: str) -> None:
        """Execute the change set that was looked at, and no other.

        Raises `TagRefused` where that, the stack or its other change sets have changed since.
        """
        ...

    def withdraw(self, stack_id: str) -> None:
        """Delete that change set, if there is one."""
        ...

    def tag_outcome(self, stack: Stack, token: str, before: datetime | None) -> "TagOutcome":
        """Return what became of the update with this token.

        `before` is when the stack was updated before that; its events are read back to there.
        """
        ...

    def delete(self, stack_id: str, token: str, step: Step = PLAIN) -> str:
        """Ask for the deletion, in the way of `step`, and return the request id.

        Raises `DeleteRefused` for a definite no, `StackNotFound` if there is nothing to
        delete; after any other error the deletion may have been taken.
        """
        ...

    def importers(self, stack_id: str, export: str) -> tuple[str, ...]:
        """Return the names of the stacks that import what this one exports, in its region."""
        ...

    def count(self, stack_id: str) -> Count:
        """Return how many resources a stack has, and how many of them AWS deletes one at a time."""
        ...

    def snapshot(self, stack: Stack, may_go_on: Callable[[], bool] = ...) -> Snapshot:
        """Return what the stack consists of now, with the status of each resource.

        `may_go_on` is asked before each nested stack; those left when it says no are unknown.
        """
        ...

    def fates(self, stack_id: str) -> tuple[Resource, ...]:
        """Return what became of each resource since the stack's deletion began, by its events.

        A stack that is gone still answers. Of a resource its last event counts. Those of
        nested stacks are among them, named after these: `Child/Table`.
        """
        ...

    def protect(self, stack_id: str, *, on: bool) -> None:
        """Switch the termination protection; safe to repeat."""
        ...


class Purged(Struct, frozen=True):
    """What was taken out of a bucket or repository, by kind; whether nothing is left in it."""

    counts: Mapping[str, int]
    is_empty: bool
    problem: str = ""
    """What would not go, and why."""


class Purger(Protocol):
    """A way to empty one kind of resource."""

    def purge(self, stack_id: str, resource: Resource, may_go_on: Callable[[], bool]) -> Purged:
        """Empty a resource of this stack, as far as `may_go_on` lets it; safe to repeat.

        Only ever asked about a resource that CloudFormation could not delete.
        """
        ...


class OpenRecords(Struct, frozen=True):
    """The account and everything that is open, by stack id."""

    account: Account
    leases: Mapping[str, Lease]
    unreadable: Mapping[str, str] = field(default_factory=dict)
    """Leases that are there, of which nothing can be made, and why: neither new nor gone."""


class Ledger(Protocol):
    """Leases and journal."""

    def open_records(self) -> OpenRecords:
        """Return the account and all open leases (may lag by a moment).

        Raises `ConfigurationError` where the account cannot be read, or no lease at all.
        """
        ...

    def lease(self, stack_id: str) -> Lease | None:
        """Return one lease, open or closed, as it is now. Raises `UnreadableRecord`."""
        ...

    def account(self) -> Account:
        """Return the janitor's own record as it is now. Raises `ConfigurationError`."""
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

    def record_keys(self) -> Iterator[str]:
        """Yield the key of every record, those of closed leases and the account's included."""
        ...

    def events(self, since: datetime, until: datetime) -> Iterator[Event]:
        """Yield all events of all chains from `since` up to `until`, oldest first."""
        ...


class Queue(Protocol):
    """The way from the sweep to notify and delete."""

    def notify(self, request: Telling) -> None:
        """Queue a digest, a revision of one, an answer, or the operators' week."""
        ...

    def delete(self, request: DeletionRequest) -> None:
        """Queue a deletion."""
        ...


class Channel(Protocol):
    """A way to reach people."""

    most: int
    """Stacks in one message: what was cut short would count as delivered all the same."""

    def send(self, message: Message) -> Sent:
        """Send a message, whole.

        Raises `Undeliverable` if this contact can never be reached, `TooLong` if fewer
        stacks have to be in it, `DeliveryFailed` if it failed this time.
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


class Topic(Protocol):
    """The topic of the notices, as whoever queues them looks at it."""

    def audience(self, now: datetime) -> Audience:
        """Read who is subscribed, and by which filters; what cannot be read is said in it."""
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

    def put(self, made: "ArchiveObject") -> None:
        """Write an object; one that is there already is the same, and stays."""
        ...

    def traces(self) -> Iterator["tuple[str, Trace] | Began | Finding"]:
        """Yield every line with the key of its chain, when it began, and what is wrong with it."""
        ...
