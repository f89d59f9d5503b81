"""What can become of a stack: the closed set of decisions, each with its reason."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from janitor.core.model import Contact, Lease, LeaseState, Stack


@dataclass(frozen=True, slots=True)
class Reason:
    """A sentence that a person can read, and the facts under it."""

    sentence: str
    facts: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.sentence


@dataclass(frozen=True, slots=True)
class TagChange:
    """Tags to set and to remove on a stack, so that they mirror the lease."""

    put: Mapping[str, str]
    remove: tuple[str, ...]
    attempt: str


@dataclass(frozen=True, slots=True)
class _Decided:
    """What all decisions share.

    `lease` is the stored one brought up to what was just seen (deadline, owners, name
    of the rule); `changes` says in words what moved, and is empty where nothing did.
    """

    reason: Reason
    stack: Stack | None = None
    lease: Lease | None = None
    changes: tuple[str, ...] = ()
    tags: TagChange | None = None


class Ignore(_Decided):
    """Not managed, and no lease to close."""


class Open(_Decided):
    """A managed stack seen for the first time: open `lease`."""


class Keep(_Decided):
    """Nothing is due."""


@dataclass(frozen=True, slots=True)
class Remind(_Decided):
    """A notice is due and not yet delivered to everybody."""

    stage: str = ""


class Mark(_Decided):
    """The deadline has come: mark, tag, send the final notice."""


class Unmark(_Decided):
    """Marked once, but the deadline has moved: take the mark and its tags away."""


class Wait(_Decided):
    """Due, but not now: grace, window, a busy status, the pace of deletions."""


@dataclass(frozen=True, slots=True)
class Blocked(_Decided):
    """Due, but something forbids it until a person acts."""

    also: tuple[Contact, ...] = ()
    """Who is told besides the owners: those of the stacks that stand in the way."""


class Delete(_Decided):
    """Told, waited for, and still there: delete."""


class Retry(_Decided):
    """An earlier attempt failed and its back-off is over: delete again."""


class Track(_Decided):
    """A deletion is under way: ask how it ended."""


@dataclass(frozen=True, slots=True)
class Close(_Decided):
    """The lease ends without the janitor deleting anything."""

    outcome: LeaseState = LeaseState.GONE


Decision = (
    Ignore | Open | Keep | Remind | Mark | Unmark | Wait | Blocked | Delete | Retry | Track | Close
)


def decision_name(decision: Decision) -> str:
    """Return the decision's name as `plan --json` and the tables show it."""
    return type(decision).__name__.lower()
