"""What can become of a stack: the closed set of decisions, each with its reason."""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct, field

from janitor.domain.model import Contact, Lease, LeaseState, Stack
from janitor.domain.planning.conditions import Condition
from janitor.domain.policy.selection import Apart


class Reason(Struct, frozen=True):
    """A sentence that a person can read, and the facts under it."""

    sentence: str
    facts: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.sentence


class TagChange(Struct, frozen=True):
    """Tags to set and to remove on a stack, so that they mirror the lease."""

    put: Mapping[str, str]
    remove: tuple[str, ...]
    attempt: str


class _Decided(Struct, frozen=True):
    """What all decisions share.

    `lease` is the stored one brought up to what was just seen (deadline, owners, name
    of the rule); `changes` says in words what moved, and is empty where nothing did.
    """

    reason: Reason
    stack: Stack | None = None
    lease: Lease | None = None
    changes: tuple[str, ...] = ()
    tags: TagChange | None = None
    unmet: Condition | None = None
    """What stands before its deletion first; None where nothing does, or nobody looked."""
    apart: Apart | None = None
    """Why it is left alone, where a rule selects it or somebody said so."""
    owners_before: tuple[Contact, ...] | None = None
    """Who the lease said owns it, where that has changed."""


class Ignore(_Decided, frozen=True):
    """Not managed, and no lease to close."""


class Open(_Decided, frozen=True):
    """A managed stack seen for the first time: open `lease`."""


class Keep(_Decided, frozen=True):
    """Nothing is due."""


class Remind(_Decided, frozen=True):
    """A notice is due and not yet delivered to everybody."""

    stage: str = ""


class Mark(_Decided, frozen=True):
    """The deadline has come: mark, tag, send the final notice."""


class Unmark(_Decided, frozen=True):
    """Marked once, but the deadline has moved: take the mark and its tags away."""


class Wait(_Decided, frozen=True):
    """Due, but not now: grace, window, a busy status, the pace of deletions."""


class Blocked(_Decided, frozen=True):
    """Due, but something forbids it until a person acts."""

    also: tuple[Contact, ...] = ()
    """Who is told besides the owners: those of the stacks that stand in the way."""


class Delete(_Decided, frozen=True):
    """Told, waited for, and still there: delete."""

    not_before: datetime | None = None
    """Its turn, where AWS does one after the other."""


class Retry(_Decided, frozen=True):
    """An earlier attempt failed and its back-off is over: delete again."""

    not_before: datetime | None = None
    """As in `Delete`."""


class Track(_Decided, frozen=True):
    """A deletion is under way: ask how it ended."""


class Close(_Decided, frozen=True):
    """The lease ends without the janitor deleting anything."""

    outcome: LeaseState = LeaseState.GONE


Decision = (
    Ignore | Open | Keep | Remind | Mark | Unmark | Wait | Blocked | Delete | Retry | Track | Close
)


def decision_name(decision: Decision) -> str:
    """Return the decision's name as `plan --json` and the tables show it."""
    return type(decision).__name__.lower()
