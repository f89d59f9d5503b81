"""Delete: read everything again, decide again, claim, journal the intent, then ask AWS."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from math import ceil

from msgspec.structs import replace

from janitor.application.deletion.attempt import ACTOR, MODE_GOOD_FOR, Attempt, protect_again
from janitor.application.deletion.companion import Companion, find_companion
from janitor.application.ports import Clock, Ledger, Policies, Purger, Stacks
from janitor.domain.deletion.evidence import recorded_outputs, snapshot_drafts, snapshots_of
from janitor.domain.deletion.strategy import Step, lacks_protection, next_step
from janitor.domain.errors import Conflict
from janitor.domain.journal.events import Entry, about, entry
from janitor.domain.lease.owners import clean
from janitor.domain.model import Lease, LeaseState, Mode, Outcome, Stack, Status
from janitor.domain.notification.messages import GOOD_FOR, DeletionRequest
from janitor.domain.planning.accepted_policy import ground_of
from janitor.domain.planning.decide import decide
from janitor.domain.planning.decisions import Blocked, Delete, Reason, Retry
from janitor.domain.policy.model import Policy
from janitor.domain.stack.resources import Snapshot
from janitor.domain.stack.statuses import HALF_DELETED


def delete(
    request: DeletionRequest,
    *,
    clock: Clock,
    policies: Policies,
    stacks: Stacks,
    ledger: Ledger,
    purgers: Mapping[str, Purger],
    may_go_on: Callable[[], bool] = lambda: True,
) -> Outcome:
    """Delete one stack if it still is due, by everything that can be known right now.

    `may_go_on` is asked while buckets and repositories are emptied: when it says no, the
    next sweep goes on with that.
    """
    # Gather.
    now = clock()
    if request.not_before is not None and now < request.not_before:
        why = "not its turn yet: AWS deletes one at a time of what it has"
        left = ceil((request.not_before - now).total_seconds())
        return Outcome(request.stack_id, "delete", Status.SKIPPED, why, retry_after=left)
    policy, mode = policies.policy(), policies.mode()
    if request.restore_only:
        return _restore(request, now, policy, mode, stacks, ledger)
    if why := _why_nothing_goes(request, now, mode):
        return _skipped(request, why)
    lease = ledger.lease(request.stack_id)
    if lease is None or not lease.state.is_open:
        return _skipped(request, "its lease is closed")
    # After the lease: whoever takes a stack out writes here first, and then upon the lease.
    account = ledger.account()
    ground = ground_of(account, policy)
    stack = stacks.describe(request.stack_id)
    # Decide.
    decision = decide(stack, lease, policy, now, ground)
    if isinstance(decision, Blocked) and lease.state is not LeaseState.NEEDS_ATTENTION:
        lease = _journal_refusal(lease, decision.reason, now, policy, ledger)
    if not isinstance(decision, Delete | Retry) or decision.lease is None or stack is None:
        if lacks_protection(lease, stack):
            protect_again(lease, now, policy, stacks, ledger)
        return _skipped(request, f"no longer due: {decision.reason}")
    # For as long as what was just read counts as known, and neighbours in the batch can wait.
    is_fresh = partial(_is_fresh, now, clock)
    companion = find_companion(request, decision.lease, stack, policy, stacks, is_fresh)
    if companion is not None and companion.is_busy:
        return _skipped(request, f"its companion is busy: {companion.stack.status}")
    snapshot = stacks.snapshot(stack, is_fresh)
    step = _step(decision.lease, stack, snapshot, companion, policy)
    # Apply: claim, snapshot and intent are one write, and whoever loses it deletes nothing.
    claimed = _claim(
        lease,
        decision,
        stack,
        snapshot=snapshot,
        step=step,
        companion=companion,
        now=now,
        policy=policy,
        outputs=recorded_outputs(stack, policy.journal_outputs, account.evidence_key),
    )
    try:
        ledger.commit(claimed)
    except Conflict:
        return _skipped(request, "the lease has just changed; the next sweep decides anew")
    return Attempt(
        claimed.record,
        stack,
        step,
        now,
        policy,
        clock,
        stacks,
        ledger,
        purgers,
        may_go_on,
        policies.mode,
        companion,
    ).make()


def _is_fresh(since: datetime, clock: Clock) -> bool:
    return clock() - since < MODE_GOOD_FOR


def _step(
    lease: Lease, stack: Stack, snapshot: Snapshot, companion: Companion | None, policy: Policy
) -> Step:
    """Return how the attempt goes about it, with what is to be emptied of the companion."""
    terms = policy.terms(lease.rule)
    step = next_step(lease, stack, snapshot.failed, terms, policy.limits)
    return replace(step, purge=(*step.purge, *companion.purge)) if companion else step


def _why_nothing_goes(request: DeletionRequest, now: datetime, mode: Mode) -> str:
    """Say what keeps every stack of this sweep from being deleted; nothing if nothing does."""
    if mode is not Mode.ENFORCE:
        return f"mode is {mode.value} by now"
    if now - request.decided_at > GOOD_FOR:
        return "decided too long ago; the next sweep decides anew"
    return ""


def _restore(
    request: DeletionRequest,
    now: datetime,
    policy: Policy,
    mode: Mode,
    stacks: Stacks,
    ledger: Ledger,
) -> Outcome:
    """Put protection back where it still lacks; that deletes nothing, so no breaker stops it."""
    if not mode.notifies:
        return _skipped(request, f"mode is {mode.value} by now")
    lease = ledger.lease(request.stack_id)
    if lease is None or not lease.state.is_open:
        return _skipped(request, "its lease is closed")
    if not lacks_protection(lease, stacks.describe(request.stack_id)):
        return _skipped(request, "no protection is to be put back by now")
    protect_again(lease, now, policy, stacks, ledger)
    return Outcome(request.stack_id, "protect", Status.DONE)


def _claim(
    lease: Lease,
    decision: Delete | Retry,
    stack: Stack,
    *,
    snapshot: Snapshot,
    step: Step,
    companion: Companion | None,
    now: datetime,
    policy: Policy,
    outputs: Mapping[str, str],
) -> Entry[Lease]:
    """Return the write that makes the deletion ours: what goes, and what will be done to it."""
    seen = decision.lease or lease
    if companion is not None:
        snapshot = companion.beside(snapshot)
    left = companion.left if companion else ()
    stays = (*(clean(str(one)) for one in step.retain), *snapshots_of(snapshot), *left)
    drafts = snapshot_drafts(
        seen,
        stack,
        snapshot,
        actor=ACTOR,
        now=now,
        policy_version=policy.version,
        outputs=outputs,
    )
    intent = about(
        seen,
        "deletion.intended",
        Reason(decision.reason.sentence, {**decision.reason.facts, **_how(step, stack, companion)}),
        actor=ACTOR,
        now=now,
        policy_version=policy.version,
        stack=stack,
    )
    claimed = replace(
        seen,
        state=LeaseState.DELETING,
        attempts=lease.attempts + 1,
        claimed_at=now,
        asked_at=None,
        half_deleted=stack.status == HALF_DELETED,
        next_attempt_at=None,
        last_error="",
        blocked=False,
        rung=step.rung.value,
        companion=companion.stack.stack_id if companion and not companion.stays else seen.companion,
        unprotected=lease.unprotected or stack.termination_protection,
        retained=tuple(dict.fromkeys((*lease.retained, *stays))),
    )
    return entry(lease, claimed, *drafts, intent)


def _how(step: Step, stack: Stack, companion: Companion | None) -> dict[str, str]:
    """Say as facts what will be done beyond a plain deletion."""
    goes_too = companion.stack.stack_id if companion and companion.is_to_be_asked else ""
    facts = {
        "rung": step.rung.value,
        "empties": ", ".join(map(str, step.purge)),
        "role": step.role,
        "leaves": ", ".join(map(str, step.retain)),
        "companion": goes_too,
        "protection": "taken off first" * stack.termination_protection,
    }
    return {key: value for key, value in facts.items() if value and value != "plain"}


def _skipped(request: DeletionRequest, why: str) -> Outcome:
    return Outcome(request.stack_id, "delete", Status.SKIPPED, why)


def _journal_refusal(
    lease: Lease, reason: Reason, now: datetime, policy: Policy, ledger: Ledger
) -> Lease:
    """Record once that a due stack is protected, which only its description showed."""
    if lease.blocked and lease.last_error == str(reason):
        return lease
    draft = about(
        lease,
        "deletion.blocked",
        reason,
        actor=ACTOR,
        now=now,
        policy_version=policy.version,
        result="refused",
    )
    written = entry(lease, replace(lease, last_error=str(reason), blocked=True), draft)
    ledger.commit(written)
    return written.record
