"""Termination protection of due stacks, as far as a sweep has to know of it.

The list of stacks does not show it. Who has it never goes: it must not stop the others, and
nobody must wait for it.
"""

from collections.abc import Collection
from itertools import islice

from msgspec.structs import replace

from janitor.core.decisions import Blocked, Decision, Delete, Retry
from janitor.core.lifecycle import decide
from janitor.core.model import Account, Stack
from janitor.core.plan import MOST_ASKED, Survey, stopped
from janitor.core.policy import Policy


def unknown_protection(found: Survey, account: Account, policy: Policy) -> tuple[Stack, ...]:
    """Return the due stacks to describe before the plan can be made, `MOST_ASKED` at most.

    Those that were protected the last time; while the breaker stops everything, any.
    """
    is_stopped = bool(stopped(found, found.decisions, account, policy)[1])
    asked = (d.stack for d in found.due if is_stopped or (d.lease and d.lease.blocked))
    return tuple(islice(filter(None, asked), MOST_ASKED))


def with_protection(found: Survey, protected: Collection[str], policy: Policy) -> Survey:
    """Hold back those of the due stacks that were found `protected`, as their rule says."""

    def hold(decision: Decision) -> Decision:
        stack, lease = decision.stack, decision.lease
        if not isinstance(decision, Delete | Retry) or stack is None or lease is None:
            return decision
        if stack.stack_id not in protected:
            return decision
        seen = replace(stack, termination_protection=True)
        again = decide(seen, lease, policy, found.now)
        if not isinstance(again, Blocked):
            return decision  # Its rule overrides that.
        why, changes = str(again.reason), decision.changes
        if not lease.blocked or lease.last_error != why:
            lease, changes = replace(lease, blocked=True, last_error=why), (*changes, why)
        return Blocked(again.reason, seen, lease, changes)

    return replace(found, decisions=tuple(map(hold, found.decisions))) if protected else found
