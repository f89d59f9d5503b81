"""A failed attempt in the ledger: the next one after a back-off, or a person's attention."""

from datetime import datetime

from msgspec.structs import replace

from janitor.domain.deletion.causes import Cause, Failure, cause_of_refusal
from janitor.domain.deletion.failure_wording import held_up_text
from janitor.domain.deletion.strategy import (
    back_off,
    back_off_refused,
    is_an_attempt,
    most_attempts,
)
from janitor.domain.errors import DeleteRefused
from janitor.domain.journal.events import Actor, Entry, about, entry
from janitor.domain.model import Lease, LeaseState, Stack
from janitor.domain.planning.decisions import Reason
from janitor.domain.policy.model import Policy
from janitor.domain.stack.importers import importers_in
from janitor.domain.stack.statuses import HALF_DELETED


def failed_attempt(
    lease: Lease,
    failure: Failure,
    *,
    now: datetime,
    policy: Policy,
    actor: Actor,
    stack: Stack,
) -> Entry[Lease]:
    """Record a failed attempt: the next one after a back-off, or a person's attention."""
    half, why, cause = stack.status == HALF_DELETED, failure.text, failure.cause
    if not is_an_attempt(cause, lease):
        is_whole = cause is Cause.NOT_BEGUN and is_untouched(lease, stack)
        return _came_to_nothing(
            lease, failure, is_whole=is_whole, now=now, policy=policy, actor=actor
        )
    most = most_attempts(policy.terms(lease.rule), policy.limits, half_deleted=half)
    last = lease.attempts >= most
    again = None if last else now + back_off(lease.attempts, policy.limits)
    changed = replace(
        lease,
        state=LeaseState.NEEDS_ATTENTION if last else LeaseState.FAILED,
        next_attempt_at=again,
        last_error=why,
        cause=cause.value,
    )
    facts = {"attempt": f"{lease.attempts} of {most}", "rung": lease.rung}
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


def failure_of(refusal: DeleteRefused) -> Failure:
    """Return what it means that CloudFormation would not begin."""
    said = refusal.said
    return Failure(str(refusal), cause_of_refusal(said), importers_in([said]))


def is_untouched(claimed: Lease, stack: Stack) -> bool:
    """Tell whether no attempt before this one can have taken anything of a stack or its companion."""
    return claimed.attempts == 1 and stack.status != HALF_DELETED and not claimed.companion


def _came_to_nothing(
    lease: Lease,
    failure: Failure,
    *,
    is_whole: bool,
    now: datetime,
    policy: Policy,
    actor: Actor,
) -> Entry[Lease]:
    """Record an attempt that no rung of the ladder would have helped; it does not count.

    Of a stack that `is_whole` nothing was ever asked, so its owner may still keep it.
    """
    why, cause = failure.text, failure.cause
    before = lease.refusals if lease.cause == cause else 0
    changed = replace(
        lease,
        state=LeaseState.MARKED if is_whole else LeaseState.FAILED,
        claimed_at=None if is_whole else lease.claimed_at,
        retained=() if is_whole else lease.retained,
        attempts=max(lease.attempts - 1, 0),
        refusals=before + 1,
        rung="",
        next_attempt_at=now + back_off_refused(before),
        last_error=why,
        cause=cause.value,
        blocker=held_up_text(failure.importers) if cause is Cause.IN_USE else lease.blocker,
    )
    draft = about(
        lease,
        "deletion.withdrawn" if is_whole else "deletion.refused",
        Reason(why, {"attempt": "not counted", "cause": cause.value}),
        actor=actor,
        now=now,
        policy_version=policy.version,
        result="refused",
    )
    return entry(lease, changed, draft)
