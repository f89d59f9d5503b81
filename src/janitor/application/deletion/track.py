"""Track: ask by id how a deletion ended, record it, and say what comes next.

CloudFormation's status events are best effort, so a sweep asks as well.
"""

from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from janitor.application.deletion.failed_attempt import failed_attempt
from janitor.application.lease.update import show_anew
from janitor.application.ports import Clock, Ledger, Policies, Queue, Stacks
from janitor.application.sweep.tagging import settled_by
from janitor.domain.deletion.causes import Failure, cause_of_failure
from janitor.domain.deletion.evidence import (
    MOST_KEPT,
    confirmed_reason,
    part_of_family,
    what_stayed,
)
from janitor.domain.deletion.failure_wording import failure_text
from janitor.domain.deletion.strategy import deleted_by, failed_stage, is_failing
from janitor.domain.errors import JanitorError
from janitor.domain.journal.events import Actor, Entry, about, entry
from janitor.domain.lease.notice_history import about_of, is_stuck, is_told
from janitor.domain.model import (
    ATTENTION,
    DELETED,
    OF_NO_DEADLINE,
    OPERATORS,
    STUCK,
    TAGS_STUCK,
    Lease,
    LeaseState,
    Outcome,
    Stack,
    Status,
    Tagging,
    TagState,
)
from janitor.domain.notification.messages import NoticeItem, NoticeRequest
from janitor.domain.notification.pending import stuck_since
from janitor.domain.planning.decisions import Reason
from janitor.domain.policy.model import Policy
from janitor.domain.stack.importers import importers_in
from janitor.domain.stack.resources import Resource, within
from janitor.domain.stack.statuses import BEING_DELETED, GONE, HALF_DELETED

NO_EFFECT_AFTER = timedelta(minutes=15)
"""A claimed stack that rests in another status for so long was not deleted by that call."""

STALE_FOR = timedelta(minutes=1)
"""For so long after the call a description may still be of before it."""

EVIDENCE_WITHIN = timedelta(days=1)
"""For so long an outcome waits for word of what stayed and why, rather than to leave it open."""

ACTOR = Actor("janitor", "janitor", "track")


class _Seen(Struct, frozen=True):
    """A stack by its id, and what its events say of each resource."""

    stack: Stack | None
    fates: tuple[Resource, ...] = ()
    """Those of its companion too, where it was to go as well."""
    unread: str = ""
    companion: Stack | None = None


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
    seen = _look(lease, stacks, now)
    if seen.stack and lease.tagging and lease.tagging.state is TagState.ASKED:
        lease = _settle(
            lease,
            lease.tagging,
            seen.stack,
            now=now,
            policy_version=policy.version,
            stacks=stacks,
            ledger=ledger,
        )
        if is_stuck(lease) and policies.mode().notifies:
            _ask(lease, TAGS_STUCK, about_of(lease, TAGS_STUCK) or "", queue)
    # Decide.
    written = _verdict(lease, seen, now, policy)
    if written is None:
        if seen.stack and stuck_since(seen.stack, lease, now) and policies.mode().notifies:
            _ask(lease, STUCK, seen.stack.status, queue, owners=False)
        status = seen.stack.status if seen.stack else ""
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


def _settle(
    lease: Lease,
    last: Tagging,
    stack: Stack,
    *,
    now: datetime,
    policy_version: str,
    stacks: Stacks,
    ledger: Ledger,
) -> Lease:
    """Write what became of an update of tags, if that is known by now."""
    outcome = stacks.tag_outcome(stack, last.token, last.before)
    settled = settled_by(
        stack, lease, last, outcome, now=now, policy_version=policy_version, actor=ACTOR
    )
    if settled is None:
        return lease
    ledger.commit(settled)
    return settled.record


def _look(lease: Lease, stacks: Stacks, now: datetime) -> _Seen:
    stack = stacks.describe(lease.stack_id)
    if lease.state is not LeaseState.DELETING or stack is None:
        return _Seen(stack)
    if stack.status not in (GONE, HALF_DELETED):
        return _Seen(stack)
    try:
        fates = stacks.fates(lease.stack_id)
        if stack.status != GONE or not lease.companion:
            return _Seen(stack, fates)
        companion = stacks.describe(lease.companion)
        return _Seen(stack, (*fates, *_fates_of(companion, stacks)), companion=companion)
    except JanitorError as error:
        # Who writes "deleted" today cannot add tomorrow what stayed, nor take back an attempt
        # that was counted though a service had only throttled.
        if now - (lease.claimed_at or now) < EVIDENCE_WITHIN:
            raise
        return _Seen(stack, unread=str(error))


def _fates_of(companion: Stack | None, stacks: Stacks) -> tuple[Resource, ...]:
    """Return what became of a companion and of what is in it, as if it were nested."""
    if companion is None:
        return ()
    itself = part_of_family(companion)
    if companion.status not in (GONE, HALF_DELETED):
        return (itself,)
    return (itself, *within(itself, stacks.fates(companion.stack_id)))


def _verdict(lease: Lease, seen: _Seen, now: datetime, policy: Policy) -> Entry[Lease] | None:
    """Return what to write, or nothing while the outcome is open."""
    ours, stack = lease.state is LeaseState.DELETING, seen.stack
    if stack is None:
        text = "CloudFormation no longer knows this id, so nothing more can be confirmed"
        reason = Reason(text, {"result": "unverified"})
        return _closed(lease, LeaseState.GONE, reason, now, policy)
    if stack.status == "DELETE_COMPLETE":
        if ours and _is_companion_on_its_way(lease, seen.companion, now):
            return None
        if ours:
            return _deleted(lease, seen, now, policy)
        reason = Reason(f"deleted {deleted_by(lease)}, confirmed by id")
        return _closed(lease, LeaseState.GONE, reason, now, policy)
    if not ours or stack.status == BEING_DELETED:
        return None
    is_old = lease.claimed_at is None or now - lease.claimed_at >= NO_EFFECT_AFTER
    if stack.status == HALF_DELETED:
        if not is_old and not _is_news(lease, now):
            return None
        said = f"DELETE_FAILED: {stack.status_reason or 'CloudFormation gave no reason'}"
        failed = tuple(one for one in seen.fates if one.status == HALF_DELETED)
        failure = _failure(failure_text(said, failed), stack, failed)
        return failed_attempt(lease, failure, now=now, policy=policy, actor=ACTOR, stack=stack)
    if not is_old:
        return None
    why = f"the deletion had no effect, status is {stack.status}"
    if stack.status_reason:
        why = f"{why}: {stack.status_reason}"
    failure = _failure(why, stack, ())
    return failed_attempt(lease, failure, now=now, policy=policy, actor=ACTOR, stack=stack)


def _failure(text: str, stack: Stack, failed: tuple[Resource, ...]) -> Failure:
    reasons = (stack.status_reason, *(one.reason for one in failed))
    return Failure(text, cause_of_failure(stack, failed), importers_in(reasons))


def _is_companion_on_its_way(lease: Lease, companion: Stack | None, now: datetime) -> bool:
    """Tell whether to wait for a companion, which takes seconds; after a day it counts as left."""
    is_recent = lease.claimed_at is not None and now - lease.claimed_at < EVIDENCE_WITHIN
    return companion is not None and companion.status == BEING_DELETED and is_recent


def _is_news(lease: Lease, now: datetime) -> bool:
    """Tell whether DELETE_FAILED is about the present attempt, and not still the one before.

    Between the claim and the call buckets are emptied, and right after the call CloudFormation
    may answer with what was. A sweep asks again.
    """
    if lease.asked_at is None:
        return False
    return not lease.half_deleted or now - lease.asked_at >= STALE_FOR


def _deleted(lease: Lease, seen: _Seen, now: datetime, policy: Policy) -> Entry[Lease]:
    """End a lease whose stack we deleted, and never as plain deleted if something stayed."""
    reason = confirmed_reason(lease, seen.fates, seen.unread)
    stayed = what_stayed(lease, seen.fates)[:MOST_KEPT]
    result = "leftovers" if stayed else "unverified" if seen.unread else "ok"
    return _closed(
        replace(lease, leftovers=stayed), LeaseState.DELETED, reason, now, policy, result
    )


def _closed(
    lease: Lease,
    state: LeaseState,
    reason: Reason,
    now: datetime,
    policy: Policy,
    result: str = "ok",
) -> Entry[Lease]:
    """End a lease: deleted by us and confirmed, or gone by another hand."""
    draft = about(
        lease,
        "deletion.confirmed" if state is LeaseState.DELETED else "lease.closed",
        reason,
        actor=ACTOR,
        now=now,
        policy_version=policy.version,
        result=reason.facts.get("result", result),
    )
    return entry(lease, replace(lease, state=state, closed_at=now), draft)


def _tell(lease: Lease, queue: Queue) -> None:
    """Queue word of the outcome; best effort, since the journal is what counts."""
    if lease.state is LeaseState.DELETED:
        _ask(lease, DELETED, "", queue, operators=bool(lease.leftovers))
    elif lease.state is LeaseState.NEEDS_ATTENTION:
        _ask(lease, ATTENTION, lease.last_error, queue)
    elif is_failing(lease):
        _ask(lease, failed_stage(lease), lease.last_error, queue)


def _ask(
    lease: Lease,
    stage: str,
    text: str,
    queue: Queue,
    *,
    owners: bool = True,
    operators: bool = True,
) -> None:
    contacts = (*lease.contacts * owners, *(OPERATORS,) * operators)
    for contact in dict.fromkeys(contacts):
        if is_told(lease, stage, contact):
            continue
        deadline = None if stage in OF_NO_DEADLINE else lease.expires_at
        item = NoticeItem(lease.stack_id, stage, deadline, text)
        queue.notify(NoticeRequest(contact, (item,)))
