"""Track: ask by id how a deletion ended, record it, and say what comes next.

CloudFormation's status events are best effort, so a sweep asks as well.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from janitor.adapters.ports import Clock, Ledger, NoticeItem, NoticeRequest, Policies, Queue, Stacks
from janitor.core.decisions import Reason
from janitor.core.journal import Actor, Entry, about, entry
from janitor.core.model import (
    ATTENTION,
    DELETED,
    OPERATORS,
    Lease,
    LeaseState,
    Outcome,
    Stack,
    Status,
)
from janitor.core.policy import Policy
from janitor.journeys.extend import show_anew

NO_EFFECT_AFTER = timedelta(minutes=15)
"""A claimed stack that rests in another status for so long was not deleted by that call."""

FIRST_BACK_OFF = timedelta(minutes=30)
"""Doubled by every attempt: network interfaces of functions linger 20 to 45 minutes."""

ACTOR = Actor("janitor", "janitor", "track")


def track(
    stack_id: str,
    *,
    clock: Clock,
    policies: Policies,
    stacks: Stacks,
    ledger: Ledger,
    queue: Queue,
) -> Outcome:
    """Bring one open lease in line with what its stack's id says."""
    # Gather.
    now, policy = clock(), policies.policy()
    lease = ledger.lease(stack_id)
    if lease is None or not lease.state.is_open:
        return Outcome(stack_id, "track", Status.SKIPPED, "its lease is closed")
    stack = stacks.describe(stack_id)
    # Decide.
    written = _verdict(lease, stack, now, policy)
    if written is None:
        status = stack.status if stack else ""
        return Outcome(stack_id, "track", Status.SKIPPED, f"no outcome yet: {status}")
    # Apply.
    ledger.commit(written)
    if policies.mode().notifies:
        _tell(written.record, queue)
        show_anew(lease, "", queue)
    failed = written.record.state in (LeaseState.FAILED, LeaseState.NEEDS_ATTENTION)
    status_ = Status.FAILED if failed else Status.DONE
    reason = str(written.events[-1].body["reason"]["sentence"])
    return Outcome(stack_id, written.record.state.value, status_, reason)


def _verdict(
    lease: Lease, stack: Stack | None, now: datetime, policy: Policy
) -> Entry[Lease] | None:
    """Return what to write, or nothing while the outcome is open."""
    ours = lease.state is LeaseState.DELETING
    if stack is None:
        text = "CloudFormation no longer knows this id, so nothing more can be confirmed"
        reason = Reason(text, {"result": "unverified"})
        return _closed(lease, LeaseState.GONE, reason, now, policy)
    if stack.status == "DELETE_COMPLETE":
        if ours:
            reason = Reason(f"confirmed by id after attempt {lease.attempts}")
            return _closed(lease, LeaseState.DELETED, reason, now, policy)
        reason = Reason("deleted by another hand, confirmed by id")
        return _closed(lease, LeaseState.GONE, reason, now, policy)
    if not ours or stack.status == "DELETE_IN_PROGRESS":
        return None
    if stack.status == "DELETE_FAILED":
        why = stack.status_reason or "CloudFormation gave no reason"
        return failed_attempt(lease, f"DELETE_FAILED: {why}", now=now, policy=policy, actor=ACTOR)
    if lease.claimed_at is not None and now - lease.claimed_at < NO_EFFECT_AFTER:
        return None
    why = f"the deletion had no effect, status is {stack.status}"
    if stack.status_reason:
        why = f"{why}: {stack.status_reason}"
    return failed_attempt(lease, why, now=now, policy=policy, actor=ACTOR)


def failed_attempt(
    lease: Lease, why: str, *, now: datetime, policy: Policy, actor: Actor
) -> Entry[Lease]:
    """Record a failed attempt: the next one after a back-off, or a person's attention."""
    last = lease.attempts >= policy.limits.max_attempts
    again = None if last else now + FIRST_BACK_OFF * 2 ** (lease.attempts - 1)
    changed = replace(
        lease,
        state=LeaseState.NEEDS_ATTENTION if last else LeaseState.FAILED,
        next_attempt_at=again,
        last_error=why,
    )
    facts = {"attempt": f"{lease.attempts} of {policy.limits.max_attempts}"}
    draft = about(
        lease,
        "deletion.given_up" if last else "deletion.failed",
        Reason(why, facts),
        actor=actor,
        now=now,
        policy_version=policy.version,
        result="failed",
    )
    return entry(lease, changed, draft)


def _closed(
    lease: Lease, state: LeaseState, reason: Reason, now: datetime, policy: Policy
) -> Entry[Lease]:
    """End a lease: deleted by us and confirmed, or gone by another hand."""
    draft = about(
        lease,
        "deletion.confirmed" if state is LeaseState.DELETED else "lease.closed",
        reason,
        actor=ACTOR,
        now=now,
        policy_version=policy.version,
        result=reason.facts.get("result", "ok"),
    )
    return entry(lease, replace(lease, state=state, closed_at=now), draft)


def _tell(lease: Lease, queue: Queue) -> None:
    """Queue word of the outcome; best effort, since the journal is what counts."""
    if lease.state is LeaseState.DELETED:
        stage, contacts = DELETED, lease.contacts
    elif lease.state is LeaseState.NEEDS_ATTENTION:
        stage, contacts = ATTENTION, tuple(dict.fromkeys((*lease.contacts, OPERATORS)))
    else:
        return
    for contact in contacts:
        item = NoticeItem(lease.stack_id, stage, lease.expires_at, lease.last_error)
        queue.notify(NoticeRequest(contact, (item,)))
