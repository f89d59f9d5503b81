"""Surprises: what a policy edit, or tags in bulk, would bring forward, and whether to hold it.

Load is no surprise: however much falls due by the deadlines that everybody knows, it goes.
What is held keeps its former deadline until an operator accepts exactly that, or policy or
tags are put back.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec import Struct

from janitor.domain.model import Lease, MoveCause, Moved
from janitor.domain.planning.accepted_policy import Ground

LEAST_SURPRISE = 5
"""So many deadlines may come earlier at once in an account of any size."""
SHARE_OF_SURPRISE = 10
"""In a larger one, a tenth of what is managed."""
SUDDEN = timedelta(days=1)
"""A deadline that tags move counts if it comes within this time, or has passed."""
TOGETHER = timedelta(days=1)
"""Moves by tags within this time count together."""


def bound_of(managed: int) -> int:
    """Return how many deadlines may come earlier at once without being held."""
    return max(LEAST_SURPRISE, managed // SHARE_OF_SURPRISE)


def kept_until(lease: Lease) -> datetime | None:
    """Return when the lease ends, as far as tags and policy say; None if it is kept."""
    return None if lease.problem or lease.protection else lease.expires_at


def is_earlier(end: datetime, former: datetime | None) -> bool:
    """Tell whether a deadline comes before another, where None never comes."""
    return former is None or end < former


def is_sudden(end: datetime, now: datetime) -> bool:
    """Tell whether a deadline leaves nobody the time to notice."""
    return end - now < SUDDEN


def move_id(moved: Moved, stack_id: str) -> str:
    """Return a short name for this very move of this very stack."""
    return hashlib.sha256(f"{stack_id} {moved.to.isoformat()}".encode()).hexdigest()[:16]


def is_accepted(moved: Moved, stack_id: str, ground: Ground) -> bool:
    """Tell whether an operator accepted this very move."""
    return bool(ground.accepted_moves) and move_id(moved, stack_id) in ground.accepted_moves


def counts_together(lease: Lease | None, now: datetime) -> bool:
    """Tell whether tags moved this lease's deadline recently."""
    moved = lease.moved if lease else None
    return moved is not None and moved.cause is MoveCause.TAGS and now - moved.at < TOGETHER


def is_held_by_tags(lease: Lease | None) -> bool:
    """Tell whether the lease keeps its deadline of before its tags moved it."""
    moved = lease.moved if lease else None
    return moved is not None and (
        moved.is_by_tags or (moved.cause is MoveCause.TAGS and moved.is_held)
    )


class Surprise(Struct, frozen=True):
    """What is held, as one sweep sees it."""

    leases: tuple[Lease, ...]
    """Whose former deadline is held, with what it would be in `moved`."""
    new: tuple[str, ...]
    """Ids of stacks that only the policy that is not accepted manages."""
    managed: int
    policy_version: str = ""
    """Of the policy that is not accepted; empty where tags alone are the cause."""
    accepted_version: str = ""

    def of(self, cause: MoveCause) -> tuple[Lease, ...]:
        """Return what is held for one cause."""
        return tuple(le for le in self.leases if le.moved and le.moved.cause is cause)

    @property
    def is_large(self) -> bool:
        """Tell whether there is more than anybody would do by hand."""
        return len(self.leases) > bound_of(self.managed)

    @property
    def set_id(self) -> str:
        """Return a short name for exactly this set: another set, or another policy, has another."""
        moves = (move_id(le.moved, le.stack_id) for le in self.leases if le.moved)
        parts = sorted((*moves, *self.new, self.policy_version))
        return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:8]


def is_held_still(lease: Lease, ground: Ground, now: datetime) -> bool:
    """Tell whether something is left to hold of a lease.

    Not of one that is due by its former deadline too, and not where a policy that is not held
    was noted before.
    """
    moved = lease.moved
    if moved is None or not moved.is_held or (moved.former is not None and moved.former <= now):
        return False
    return ground.is_policy_held or moved.cause is not MoveCause.POLICY


def surprise_of(
    leases: Iterable[Lease], new: Iterable[str], ground: Ground, managed: int, now: datetime
) -> Surprise | None:
    """Return what is held; None if nothing is."""
    held = tuple(le for le in leases if is_held_still(le, ground, now))
    new = tuple(new)
    if not held and not new:
        return None
    accepted = ground.accepted.version if ground.accepted else ""
    version = ground.policy.version if ground.is_policy_held else ""
    return Surprise(held, new, managed, version, accepted)
