"""What would have to happen for a stack to be deleted, and when that could be at the earliest.

A plan says what is next. This shows the whole list of conditions by which it was decided.
"""

from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct

from janitor.domain.lease.notice_history import is_told
from janitor.domain.model import FINAL, Lease, Mode, Stack
from janitor.domain.planning.conditions import Condition, Kind, Who, conditions
from janitor.domain.planning.decisions import Decision, Delete, Retry
from janitor.domain.planning.plan import Plan
from janitor.domain.policy.model import Policy


class Outlook(Struct, frozen=True):
    """All conditions of one stack, and the earliest deletion (None: not as things stand)."""

    conditions: tuple[Condition, ...]
    earliest: datetime | None

    @property
    def in_the_way(self) -> tuple[Condition, ...]:
        """Return what somebody would have to change."""
        return tuple(c for c in self.conditions if not c.is_met and not c.comes_by_itself)


class Notice(Struct, frozen=True):
    """One notice to one contact: delivered, ahead, or missed."""

    stage: str
    to: str
    state: str
    """`delivered`, `due` or `missed`."""
    at: datetime | None
    channel: str = ""


def outlook(
    stack: Stack | None, lease: Lease, decision: Decision, plan: Plan, policy: Policy
) -> Outlook:
    """Look ahead for a stack that is managed, whose lease is as seen now, by what is planned."""
    found = list(conditions(stack, lease, policy, plan.now))
    if all(condition.is_met for condition in found):
        found.append(_others(decision))
    found.append(_mode(plan.mode))
    ahead = Outlook(tuple(found), None)
    if ahead.in_the_way:
        return ahead
    bounds = [plan.now, *(c.until for c in found if c.until and not c.is_met)]
    return Outlook(ahead.conditions, policy.window.window.next_open(max(bounds)))


def _others(decision: Decision) -> Condition:
    """Say what holds up a stack that lacks nothing itself: its place in line, or its importers."""
    if isinstance(decision, Delete | Retry):
        return Condition(Kind.RELEASED_BY_OTHERS, is_met=True, detail="")
    unmet = decision.unmet
    who = unmet.who if unmet else Who.NOBODY
    text = unmet.detail if unmet else str(decision.reason)
    return Condition(Kind.RELEASED_BY_OTHERS, is_met=False, detail=text, who=who)


def _mode(mode: Mode) -> Condition:
    return Condition(Kind.MODE, mode is Mode.ENFORCE, f"it is {mode.value}", Who.OPERATOR)


def notices_of(lease: Lease, policy: Policy, now: datetime) -> Iterator[Notice]:
    """Yield what the contacts were told of the present deadline, and will be, in that order."""
    for notice in lease.notices:
        yield Notice(
            notice.stage, notice.contact.address, "delivered", notice.delivered_at, notice.channel
        )
    if lease.expires_at is None or not lease.state.is_open:
        return
    stages = [(lease.expires_at - lead, stage) for lead, stage in policy.terms(lease.rule).stages]
    stages = [*reversed(stages), (lease.expires_at, FINAL)]
    for (at, stage), (following, _) in zip(stages, [*stages[1:], stages[-1]], strict=True):
        missed = stage != FINAL and now >= following
        for contact in lease.contacts:
            if not is_told(lease, stage, contact):
                yield Notice(stage, contact.address, "missed" if missed else "due", at)
