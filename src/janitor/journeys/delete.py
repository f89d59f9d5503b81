"""Delete: read everything again, decide again, claim, journal the intent, then ask AWS."""

import hashlib
from dataclasses import replace
from datetime import datetime, timedelta

from janitor.adapters.ports import Clock, DeletionRequest, Ledger, Policies, Stacks
from janitor.core.decisions import Blocked, Delete, Reason, Retry
from janitor.core.errors import Conflict, DeleteRefused
from janitor.core.journal import Actor, about, entry
from janitor.core.lifecycle import decide
from janitor.core.model import Lease, LeaseState, Mode, Outcome, Status
from janitor.core.policy import Policy
from janitor.journeys.track import failed_attempt

GOOD_FOR = timedelta(hours=1)
"""A sweep's verdict older than this is not acted upon: the next sweep gives a new one."""

CLAIM_GOOD_FOR = timedelta(minutes=5)
"""From the claim to the call; far less than `track.NO_EFFECT_AFTER`, which gives claims up."""

ACTOR = Actor("janitor", "janitor", "delete")


def delete(
    request: DeletionRequest, *, clock: Clock, policies: Policies, stacks: Stacks, ledger: Ledger
) -> Outcome:
    """Delete one stack if it still is due, by everything that can be known right now."""
    # Gather.
    now, policy, mode = clock(), policies.policy(), policies.mode()
    if mode is not Mode.ENFORCE:
        return _skipped(request, f"mode is {mode.value} by now")
    if now - request.decided_at > GOOD_FOR:
        return _skipped(request, "decided too long ago; the next sweep decides anew")
    if ledger.account().breaker_tripped_at is not None:
        return _skipped(request, "the breaker has tripped meanwhile")
    lease = ledger.lease(request.stack_id)
    if lease is None or not lease.state.is_open:
        return _skipped(request, "its lease is closed")
    stack = stacks.describe(request.stack_id)
    # Decide.
    decision = decide(stack, lease, policy, now)
    if isinstance(decision, Blocked):
        _journal_refusal(lease, decision.reason, now, policy, ledger)
    if not isinstance(decision, Delete | Retry) or decision.lease is None:
        return _skipped(request, f"no longer due: {decision.reason}")
    # Apply: claim and intent are one write, and whoever loses it deletes nothing.
    claimed = entry(
        lease,
        replace(
            decision.lease,
            state=LeaseState.DELETING,
            attempts=lease.attempts + 1,
            claimed_at=now,
            next_attempt_at=None,
            last_error="",
            blocked=False,
        ),
        about(
            decision.lease,
            "deletion.intended",
            decision.reason,
            actor=ACTOR,
            now=now,
            policy_version=policy.version,
            stack=stack,
        ),
    )
    try:
        ledger.commit(claimed)
    except Conflict:
        return _skipped(request, "the lease has just changed; the next sweep decides anew")
    if clock() - now > CLAIM_GOOD_FOR:
        # Held up for so long, others may have taken the claim for dead, and an owner the stack.
        return _skipped(request, "held up after the claim; the next sweep decides anew")
    return _ask(claimed.record, now, policy, stacks, ledger)


def _ask(lease: Lease, now: datetime, policy: Policy, stacks: Stacks, ledger: Ledger) -> Outcome:
    """Call DeleteStack for a claimed lease, and journal what AWS answered."""
    try:
        request_id = stacks.delete(lease.stack_id, deletion_token(lease))
    except DeleteRefused as refusal:
        written = failed_attempt(lease, str(refusal), now=now, policy=policy, actor=ACTOR)
        ledger.commit(written)
        return Outcome(lease.stack_id, "delete", Status.FAILED, str(refusal))
    draft = about(
        lease,
        "deletion.started",
        Reason("CloudFormation accepted the deletion", {"attempt": str(lease.attempts)}),
        actor=ACTOR,
        now=now,
        policy_version=policy.version,
        request_ids=(request_id,),
    )
    try:
        ledger.commit(entry(lease, lease, draft))
    except Conflict:
        why = "begun, and journalled by its intent; somebody else has tracked it already"
        return Outcome(lease.stack_id, "delete", Status.DONE, why)
    return Outcome(lease.stack_id, "delete", Status.DONE)


def deletion_token(lease: Lease) -> str:
    """Return the ClientRequestToken of this claim: its place in the chain is its alone."""
    digest = hashlib.sha256(lease.stack_id.encode()).hexdigest()[:16]
    return f"janitor-delete-{digest}-{lease.generation}-{lease.seq}"


def _skipped(request: DeletionRequest, why: str) -> Outcome:
    return Outcome(request.stack_id, "delete", Status.SKIPPED, why)


def _journal_refusal(
    lease: Lease, reason: Reason, now: datetime, policy: Policy, ledger: Ledger
) -> None:
    """Record once that a due stack is protected, which only its description showed."""
    if lease.blocked and lease.last_error == str(reason):
        return
    draft = about(
        lease,
        "deletion.blocked",
        reason,
        actor=ACTOR,
        now=now,
        policy_version=policy.version,
        result="refused",
    )
    ledger.commit(entry(lease, replace(lease, last_error=str(reason), blocked=True), draft))
