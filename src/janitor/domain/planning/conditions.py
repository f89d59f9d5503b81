"""What stands between a stack and its deletion: one list, in the order in which it is decided by.

`decide` acts upon the first that is not met. Whoever explains shows the whole list.
"""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from janitor.domain.durations import duration_text
from janitor.domain.instants import instant_text
from janitor.domain.lease.notice_history import grace_of, is_told, promise, told_at, told_instead
from janitor.domain.lease.owners import clean
from janitor.domain.model import ADOPTED, FINAL, Contact, Lease, LeaseState, MoveCause, Stack
from janitor.domain.policy.model import Policy, Terms
from janitor.domain.stack.statuses import DELETABLE, IN_REVIEW


class Kind(StrEnum):
    """Each thing that a deletion needs, as a list names it."""

    READABLE = "its tags can be read"
    UNPROTECTED = "no tag protects it"
    UNLOCKED = "no termination protection"
    ENDS = "it has a deadline"
    NOT_HELD = "its deadline is not held"
    EXPIRED = "the deadline has passed"
    ADOPTED = "its adoption is over"
    MARKED = "it is marked"
    NOT_GIVEN_UP = "attempts are left"
    TOLD = "every owner has its final notice"
    GRACE = "the grace is over"
    BACKED_OFF = "the pause after a failed attempt is over"
    REVIEWED = "no change set is in review"
    AT_REST = "its status can be deleted"
    OBSERVED = "it has been known for long enough"
    WINDOW = "deletions may run"
    RELEASED_BY_OTHERS = "nothing else is in the way"
    MODE = "the mode is enforce"


class Who(StrEnum):
    """Who can bring a condition about."""

    NOBODY = "it comes by itself"
    OWNER = "the owner"
    OPERATOR = "an operator"
    OTHERS = "the owners of other stacks"
    AWS = "AWS"


class Condition(Struct, frozen=True):
    """One thing that a deletion needs: whether it is met, and what about it."""

    kind: Kind
    is_met: bool
    detail: str
    who: Who = Who.NOBODY
    until: datetime | None = None
    """When it comes by itself, at the earliest; None where that is not known."""

    @property
    def comes_by_itself(self) -> bool:
        """Tell whether waiting is enough: nobody has to do anything."""
        return self.who in (Who.NOBODY, Who.AWS) or self.until is not None


def conditions(
    stack: Stack | None, lease: Lease, policy: Policy, now: datetime
) -> Iterator[Condition]:
    """Return what a deletion of this stack needs, each with how it stands now.

    `lease` is as seen now. Without a `stack` what only CloudFormation knows is as it was last seen.
    """
    return _conditions(stack, lease, policy, now, in_full=True)


def _conditions(
    stack: Stack | None, lease: Lease, policy: Policy, now: datetime, *, in_full: bool
) -> Iterator[Condition]:
    case = _Case(stack, lease, policy, policy.terms(lease.rule), now, in_full)
    yield case.readable()
    yield case.unprotected()
    if stack is not None:
        yield case.unlocked(stack)
    elif lease.blocked:
        text = "CloudFormation's termination protection is on"
        yield Condition(Kind.UNLOCKED, is_met=False, detail=text, who=Who.OWNER)
    yield from case.deadline()
    if lease.adopted_at is not None:
        yield case.adopted()
    yield case.marked()
    yield case.not_given_up()
    told = told_at(lease, FINAL)
    yield case.told(told)
    yield case.grace(told)
    if lease.next_attempt_at is not None:
        yield case.backed_off(lease.next_attempt_at)
    if stack is not None:
        if stack.status == IN_REVIEW:
            yield case.reviewed(stack)
        yield case.at_rest(stack)
    yield case.observed()
    yield case.window()
    if stack is None and lease.blocker:
        yield held_up(lease.blocker, Who.OTHERS)


def held_up(why: str, who: Who, until: datetime | None = None) -> Condition:
    """Return that something else is in the way of a stack that lacks nothing itself."""
    return Condition(Kind.RELEASED_BY_OTHERS, is_met=False, detail=why, who=who, until=until)


def first_unmet(
    stack: Stack | None, lease: Lease, policy: Policy, now: datetime
) -> Condition | None:
    """Return what stands before the deletion first; None where nothing does."""
    found = _conditions(stack, lease, policy, now, in_full=False)
    return next((condition for condition in found if not condition.is_met), None)


class _Case(Struct, frozen=True):
    """One stack with its lease at one instant."""

    stack: Stack | None
    lease: Lease
    policy: Policy
    terms: Terms
    now: datetime
    in_full: bool
    """Whether the deadline is worded too: who decides words it by how far off it is."""

    def readable(self) -> Condition:
        why = self.lease.problem
        return Condition(Kind.READABLE, not why, f"kept, since {why}" if why else "", Who.OWNER)

    def unprotected(self) -> Condition:
        why = self.lease.protection
        return Condition(Kind.UNPROTECTED, not why, why, Who.OWNER)

    def unlocked(self, stack: Stack) -> Condition:
        is_on = stack.termination_protection
        is_met = not is_on or self.terms.override_protection
        text = "protected by CloudFormation's termination protection" if is_on else ""
        if is_on and is_met:
            text = "the policy takes it off for the deletion (override_protection)"
        return Condition(Kind.UNLOCKED, is_met, text, Who.OWNER)

    def deadline(self) -> Iterator[Condition]:
        """Yield that there is one, that nobody holds a former one, and that it has come."""
        expires, moved = self.lease.expires_at, self.lease.moved
        if self.lease.problem:
            return
        if moved is not None and moved.is_held:
            is_over = expires is not None and self.now >= expires
            # Without an operator it ends by the former deadline, if that is one.
            yield Condition(Kind.NOT_HELD, is_over, self._held(), Who.OPERATOR, expires)
        if expires is None:
            text = f"never expires ({self.lease.deadline_source})"
            yield Condition(Kind.ENDS, is_met=False, detail=text, who=Who.OWNER)
            return
        text = ""
        if self.in_full:
            text = f"{self._instant(expires)} ({self.lease.deadline_source})"
        yield Condition(Kind.EXPIRED, self.now >= expires, text, until=expires)

    def _held(self) -> str:
        """Say which deadline is held, and what clears that."""
        moved = self.lease.moved
        if moved is None:
            return ""
        by, put_back = "its tags", "its tags are put back"
        if moved.cause is MoveCause.POLICY:
            by, put_back = "an edit of the policy", "the edit is taken back"
        return (
            f"by {by} it would end {self._instant(moved.to)}; its former deadline"
            f" ({self._instant(moved.former)}) holds until an operator accepts that or {put_back}"
        )

    def adopted(self) -> Condition:
        """Say whether an old stack's owners have known of the janitor for long enough."""
        told = told_at(self.lease, ADOPTED)
        span = duration_text(self.terms.adoption)
        if told is None:
            text = f"old, and its first notice is not delivered; {span} from then on"
            until = self.now + self.terms.adoption
        else:
            until = told + self.terms.adoption
            text = f"old when first seen; not marked before {self._instant(until)}"
        # What is marked already was adopted before: a new owner of it takes no mark back.
        is_met = self.lease.state is not LeaseState.ACTIVE or (
            told is not None and self.now >= until
        )
        return Condition(Kind.ADOPTED, is_met, text, until=until)

    def marked(self) -> Condition:
        is_met = self.lease.state is not LeaseState.ACTIVE
        text = "" if is_met else "by the next sweep, in mode notify or enforce"
        return Condition(Kind.MARKED, is_met, text)

    def not_given_up(self) -> Condition:
        given_up = self.lease.state is LeaseState.NEEDS_ATTENTION
        text = f"needs attention: {clean(self.lease.last_error)}" if given_up else ""
        return Condition(Kind.NOT_GIVEN_UP, not given_up, text, Who.OWNER)

    def told(self, told: datetime | None) -> Condition:
        if told is not None:
            text = f"to {', '.join(map(self._reached, self.lease.contacts))}"
            return Condition(Kind.TOLD, is_met=True, detail=text)
        missing = [c.address for c in self.lease.contacts if not is_told(self.lease, FINAL, c)]
        text = f"not yet to {clean(', '.join(missing))}"
        return Condition(Kind.TOLD, is_met=False, detail=text)

    def _reached(self, contact: Contact) -> str:
        instead = told_instead(self.lease, FINAL, contact)
        who = clean(contact.address)
        return f"{clean(instead.address)} in the place of {who}" if instead else who

    def grace(self, told: datetime | None) -> Condition:
        """Say when the promise of the final notice is over; before it was given, when it could be."""
        adopted = self.adopted().until if self.lease.adopted_at and not told else None
        begins = told or max(self.now, self.lease.expires_at or self.now, adopted or self.now)
        until = promise(self.lease, self.policy, begins)
        span = duration_text(grace_of(self.lease, self.terms))
        if told is None:
            text = f"{span} after the final notice, {self._instant(until)} at the earliest"
        else:
            text = f"owner told; deletion not before {self._instant(until)}"
        return Condition(Kind.GRACE, told is not None and self.now >= until, text, until=until)

    def backed_off(self, again: datetime) -> Condition:
        which = self.lease.attempts or "(not counted)"
        text = f"attempt {which} failed; the next is at {self._instant(again)}"
        return Condition(Kind.BACKED_OFF, self.now >= again, text, until=again)

    def reviewed(self, stack: Stack) -> Condition:
        until = (stack.updated or stack.created) + self.terms.review_grace
        text = f"only a change set, which may be in review until {self._instant(until)}"
        return Condition(Kind.REVIEWED, self.now >= until, text, Who.OWNER, until)

    def at_rest(self, stack: Stack) -> Condition:
        is_met = stack.status in DELETABLE
        text = stack.status if is_met else f"busy: {stack.status}"
        return Condition(Kind.AT_REST, is_met, text, Who.AWS)

    def observed(self) -> Condition:
        least = self.policy.limits.min_observed
        until = self.lease.first_seen + least
        text = f"known for less than {duration_text(least)}" if self.now < until else ""
        return Condition(Kind.OBSERVED, self.now >= until, text, until=until)

    def window(self) -> Condition:
        window = self.policy.window.window
        opens = window.next_open(self.now)
        is_met = opens == self.now
        text = "" if is_met else f"deletions run only from {self._instant(opens)}"
        return Condition(Kind.WINDOW, is_met, text, until=opens)

    def _instant(self, when: datetime | None) -> str:
        return instant_text(when, self.policy.window.window.zone)
