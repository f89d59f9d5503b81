"""What would have to happen for a stack to be deleted, and when that could be at the earliest.

A plan says what is next. This lists all that stands before a deletion, met or not, in the
order in which it comes; it decides nothing.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from msgspec import Struct

from janitor.core.contacts import clean
from janitor.core.decisions import Decision, Delete, Retry, Wait
from janitor.core.durations import duration_text
from janitor.core.lease import grace_of, is_told, promise, told_at
from janitor.core.model import FINAL, PROTECT_TAG, Lease, LeaseState, Mode, Stack
from janitor.core.plan import Plan
from janitor.core.policy import Policy
from janitor.core.statuses import DELETABLE
from janitor.core.times import instant_text, relative_text


class Condition(Struct, frozen=True):
    """One thing that a deletion needs: whether it holds, and what about it."""

    what: str
    holds: bool
    detail: str
    by_itself: bool = True
    """Whether time and the janitor bring it about; else a person has to do something."""


class Outlook(Struct, frozen=True):
    """All conditions of one stack, and the earliest deletion (None: not as things stand)."""

    conditions: tuple[Condition, ...]
    earliest: datetime | None

    @property
    def in_the_way(self) -> tuple[Condition, ...]:
        """Return what a person would have to change."""
        return tuple(c for c in self.conditions if not c.holds and not c.by_itself)


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
    case = _Case(stack, lease, plan, policy)
    conditions = tuple(case.conditions())
    if all(condition.holds for condition in conditions):
        conditions = (*conditions, _not_held_up(decision))
    stopped = any(not c.holds and not c.by_itself for c in conditions)
    return Outlook(conditions, None if stopped else case.earliest())


def _not_held_up(decision: Decision) -> Condition:
    """Say what holds up a stack that lacks nothing itself: its place in line, or its importers."""
    goes = isinstance(decision, Delete | Retry)
    text = "nothing else is in the way" if goes else str(decision.reason)
    return Condition("not held up", goes, text, by_itself=goes or isinstance(decision, Wait))


class _Case(Struct, frozen=True):
    stack: Stack | None
    lease: Lease
    plan: Plan
    policy: Policy

    @property
    def now(self) -> datetime:
        return self.plan.now

    def conditions(self) -> Iterator[Condition]:
        """Yield them in the order in which they come."""
        expires, limits = self.lease.expires_at, self.policy.limits
        known = self.lease.first_seen + limits.min_observed
        text = f"for {duration_text(limits.min_observed)}, {self._when(known)}"
        yield Condition("known to the janitor", self.now >= known, text)
        yield from self._deadline(expires)
        yield from self._told()
        after = self._delete_after()
        if after is not None:
            text = f"{duration_text(self._grace)} after the final notice"
            if told_at(self.lease, FINAL) is None:
                text += ", which is to come"
            yield Condition("grace over", self.now >= after, f"{text}: {self._when(after)}")
        window = self.policy.window.window
        opens = window.next_open(self.now)
        text = "now" if opens == self.now else f"next {self._when(opens)}"
        yield Condition("deletions may run", opens == self.now, f"the window is open {text}")
        yield from self._stack()
        if (again := self.lease.next_attempt_at) is not None:
            yield Condition("back-off over", self.now >= again, f"next attempt {self._when(again)}")
        yield from self._account()

    def _deadline(self, expires: datetime | None) -> Iterator[Condition]:
        if expires is None:
            why = self.lease.problem or f"it never expires ({self.lease.deadline_source})"
            yield Condition("deadline passed", holds=False, detail=why, by_itself=False)
            return
        yield Condition("deadline passed", self.now >= expires, self._when(expires))
        marked = self.lease.state not in (LeaseState.ACTIVE, LeaseState.RELEASED)
        text = "by the first sweep after the deadline, in mode notify or enforce"
        yield Condition("marked", marked, text)

    def _told(self) -> Iterator[Condition]:
        missing = [c.address for c in self.lease.contacts if not is_told(self.lease, FINAL, c)]
        told = ", ".join(clean(contact.address) for contact in self.lease.contacts)
        text = f"not yet to {clean(', '.join(missing))}" if missing else f"to {told}"
        yield Condition("final notice delivered to every owner", not missing, text)

    def _stack(self) -> Iterator[Condition]:
        if self.stack is None:
            return
        protected = ""
        if PROTECT_TAG in self.stack.tags:
            why = clean(self.stack.tags[PROTECT_TAG])
            protected = f"tag {PROTECT_TAG}" + (f": {why}" if why else "")
        elif self.stack.termination_protection:
            protected = "CloudFormation's termination protection"
        text = protected or "neither by a tag nor by termination protection"
        yield Condition("not protected", not protected, text, by_itself=False)
        status = self.stack.status
        yield Condition("in a status that can be deleted", status in DELETABLE, status)

    def _account(self) -> Iterator[Condition]:
        if self.lease.state is LeaseState.NEEDS_ATTENTION:
            why = f"given up after {self.lease.attempts} attempts: {clean(self.lease.last_error)}"
            yield Condition("attempts left", holds=False, detail=why, by_itself=False)
        tripped = self.plan.tripped
        text = "not tripped"
        if tripped:
            text = f"tripped: {tripped}; `janitor breaker lift`"
        elif self.plan.lifted:
            text = "lifted by an operator"
        yield Condition("breaker", not tripped, text, by_itself=False)
        mode = self.plan.mode
        yield Condition(
            "mode enforce", mode is Mode.ENFORCE, f"it is {mode.value}", by_itself=False
        )

    def earliest(self) -> datetime:
        """Return the earliest instant at which all that comes by itself may have come."""
        bounds = [self.now, self.lease.first_seen + self.policy.limits.min_observed]
        bounds += [at for at in (self._delete_after(), self.lease.next_attempt_at) if at]
        return self.policy.window.window.next_open(max(bounds))

    def _delete_after(self) -> datetime | None:
        if self.lease.expires_at is None:
            return None
        told = told_at(self.lease, FINAL)
        return promise(self.lease, self.policy, told or max(self.lease.expires_at, self.now))

    @property
    def _grace(self) -> timedelta:
        return grace_of(self.lease, self.policy.terms(self.lease.rule))

    def _when(self, at: datetime) -> str:
        return f"{self._instant(at)} ({relative_text(at, self.now)})"

    def _instant(self, at: datetime) -> str:
        return instant_text(at, self.policy.window.window.zone)


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
