"""What a sweep's plan says beside what the sweep did."""

from collections.abc import Callable, Iterator
from typing import Any

from tests.application.world import Swept

from janitor.application.sweep.tagging import is_open
from janitor.domain.model import ACCOUNT_KEY, OPERATORS, LeaseState, Mode
from janitor.domain.notification.messages import DeletionRequest, NoticeRequest
from janitor.domain.notification.pending import is_about_an_outcome
from janitor.domain.planning.decisions import Close, decision_name


def asked_to_delete(swept: Swept) -> set[str]:
    """Return what a sweep queued for deletion, but for those that only get their protection back."""
    return {
        q.request.stack_id
        for q in swept.queued
        if isinstance(q.request, DeletionRequest) and not q.request.restore_only
    }


def compared(swept: Swept) -> Iterator[tuple[str, object, object]]:
    """7: yield what was planned beside what was done, for a sweep that nothing disturbed."""
    assert swept.report is not None
    plan = swept.planned.plan
    yield "plan", plan, swept.report.plan
    if any(outcome.action == "sweep" for outcome in swept.report.outcomes):
        return  # The world itself refused something: a region, or a stale read.

    def planned(name: str, which: Callable[[Any], bool] = lambda _: True) -> set[str]:
        return {
            (d.lease or d.stack).stack_id  # type: ignore[union-attr]
            for d in plan.decisions
            if decision_name(d) == name and which(d)
        }

    def done(*actions: str) -> set[str]:
        return {
            entry.record.key
            for entry in swept.commits
            for event in entry.events
            if event.action in actions
        }

    def released(decision: Any) -> bool:
        is_released = isinstance(decision, Close) and decision.outcome is LeaseState.RELEASED
        # What became of the tags is seen first.
        has_tags = is_released and (decision.tags is not None or is_open(decision.lease.tagging))
        return is_released and not (has_tags and plan.mode.notifies)

    if plan.mode is Mode.OFF:
        return
    yield "open", planned("open"), done("lease.opened", "lease.reopened")
    yield "close", planned("close", released), done("lease.closed") & planned("close", released)
    if plan.mode.notifies:
        yield "mark", planned("mark"), done("stack.marked")
        moved = planned("unmark", lambda d: d.lease.state is not LeaseState.ACTIVE)
        yield "unmark", moved, done("stack.unmarked")
    asked = asked_to_delete(swept)
    enforced = planned("delete") | planned("retry") if plan.mode is Mode.ENFORCE else set[str]()
    yield "delete", enforced, asked
    told = {
        item.stack_id
        for q in swept.queued
        if isinstance(q.request, NoticeRequest) and q.request.contact != OPERATORS
        for item in q.request.items
        if not is_about_an_outcome(item.stage) or item.stage == "problem"
    } - {ACCOUNT_KEY}
    wanted = planned("mark") | planned("remind") if plan.mode.notifies else set[str]()
    yield "remind", told <= wanted, True
