"""Termination protection among so many due stacks that the breaker trips.

The list of stacks does not show it. Who has it never goes, and must not stop the others.
"""

from collections.abc import Collection
from dataclasses import replace

from janitor.core.decisions import Blocked, Decision, Delete, Retry
from janitor.core.lifecycle import decide
from janitor.core.model import Account, Stack
from janitor.core.plan import MOST_LOOKED_AT, Survey, stopped
from janitor.core.policy import Policy


def unknown_protection(found: Survey, account: Account, policy: Policy) -> tuple[Stack, ...]:
    """Return the stacks to describe before the plan can be made; none if all may go on.

    Those that were protected the last time, and of the others as many as is reasonable.
    """
    if not stopped(found, found.decisions, account, policy)[1]:
        return ()
    due = [(d.stack, d.lease is not None and d.lease.blocked) for d in found.due]
    known = [stack for stack, blocked in due if stack and blocked]
    others = [stack for stack, blocked in due if stack and not blocked]
    return (*known, *others[:MOST_LOOKED_AT])


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
