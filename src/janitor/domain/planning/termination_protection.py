"""Termination protection of due stacks, as far as a sweep has to know of it.

The list of stacks does not show it. Who has it never goes: it must not stop the others, and
nobody must wait for it.
"""

from collections.abc import Collection
from datetime import datetime
from itertools import islice

from msgspec.structs import replace

from janitor.domain.model import Stack
from janitor.domain.planning.accepted_policy import Ground
from janitor.domain.planning.conditions import Kind
from janitor.domain.planning.decide import decide
from janitor.domain.planning.decisions import Decision, Delete, Retry
from janitor.domain.planning.plan import Survey

MOST_ASKED = 300
"""So many stacks are described in one sweep; of others `delete` itself finds out."""


def unknown_protection(found: Survey) -> tuple[Stack, ...]:
    """Return the due stacks to describe before the plan can be made: those protected last time."""
    asked = (d.stack for d in found.due if d.lease and d.lease.blocked)
    return tuple(islice(filter(None, asked), MOST_ASKED))


def with_protection(found: Survey, protected: Collection[str]) -> Survey:
    """Hold back those of the due stacks that were found `protected`, as their rule says."""

    def hold(decision: Decision) -> Decision:
        is_due = isinstance(decision, Delete | Retry)
        if not is_due or decision.stack is None or decision.stack.stack_id not in protected:
            return decision
        return as_protected(decision, found.now, found.ground)

    return replace(found, decisions=tuple(map(hold, found.decisions))) if protected else found


def as_protected(decision: Decision, now: datetime, ground: Ground) -> Decision:
    """Return what is decided on a stack that has termination protection; as before if that is all one."""
    if decision.stack is None or decision.lease is None:
        return decision
    seen = replace(decision.stack, termination_protection=True)
    again = decide(seen, decision.lease, ground.policy, now, ground)
    if again.unmet is None or again.unmet.kind is not Kind.UNLOCKED:
        return decision
    return replace(again, changes=(*decision.changes, *again.changes))
