"""What is going to happen, day by day, if nobody does anything: reminders, marks, deletions."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from janitor.domain.lease.notice_history import promise, told_at
from janitor.domain.model import ADOPTED, FINAL, Lease, LeaseState
from janitor.domain.planning.conditions import Kind
from janitor.domain.planning.decisions import Blocked, Close, Decision, Delete, Retry, Unmark, Wait
from janitor.domain.planning.plan import Plan
from janitor.domain.policy.model import Policy


class Step(StrEnum):
    """What can lie ahead of a stack."""

    REMINDER = "reminder"
    FIRST_NOTICE = "first notice"
    MARK = "mark"
    DELETION = "deletion"


class Ahead(Struct, frozen=True, order=True):
    """One thing that is going to happen, at the earliest."""

    at: datetime
    step: Step
    name: str
    region: str
    stack_id: str
    detail: str = ""


_STAYS = frozenset(
    {
        Kind.READABLE,
        Kind.UNPROTECTED,
        Kind.UNLOCKED,
        Kind.ENDS,
        Kind.NOT_GIVEN_UP,
    }
)
"""What waiting alone does not change."""


def forecast(plan: Plan, policy: Policy, days: int) -> tuple[Ahead, ...]:
    """Return what lies within so many days, in order of time."""
    end = plan.now + timedelta(days=days)
    found = (
        Ahead(max(at, plan.now), step, lease.name, lease.region, lease.stack_id, detail)
        for decision in plan.decisions
        if (lease := decision.lease)
        for at, step, detail in _steps(decision, lease, policy, plan.now)
    )
    return tuple(sorted(ahead for ahead in found if ahead.at <= end))


def _steps(
    decision: Decision, lease: Lease, policy: Policy, now: datetime
) -> Iterator[tuple[datetime, Step, str]]:
    unmet = decision.unmet
    stays = isinstance(decision, Blocked) or (unmet is not None and unmet.kind in _STAYS)
    # What is left alone waits for nothing that anybody looked at.
    is_left = isinstance(decision, Close) or (isinstance(decision, Wait) and unmet is None)
    if stays or is_left or lease.expires_at is None or not lease.state.is_open:
        return
    if lease.state is LeaseState.ACTIVE or isinstance(decision, Unmark):
        yield from _until_mark(lease, lease.expires_at, policy, now)
    elif lease.state is LeaseState.DELETING:
        return
    elif isinstance(decision, Delete | Retry):
        yield now, Step.DELETION, str(decision.reason)
    else:
        told = told_at(lease, FINAL) or now
        at = max(promise(lease, policy, told), lease.next_attempt_at or now)
        opens = policy.window.window.next_open(max(at, now))
        yield opens, Step.DELETION, str(decision.reason) if isinstance(decision, Wait) else ""


def _until_mark(
    lease: Lease, expires: datetime, policy: Policy, now: datetime
) -> Iterator[tuple[datetime, Step, str]]:
    terms = policy.terms(lease.rule)
    for lead, stage in terms.stages:
        if expires - lead > now:
            yield expires - lead, Step.REMINDER, stage
    marked = max(expires, now)
    if lease.adopted_at is not None:
        told = told_at(lease, ADOPTED)
        if told is None:
            yield now, Step.FIRST_NOTICE, "adopted"
        marked = max(marked, (told or now) + terms.adoption)
    yield marked, Step.MARK, lease.deadline_source
    yield promise(lease, policy, marked), Step.DELETION, "if nobody extends it"
