"""What to do with one stack: `decide`, total over every status and lease state.

Deciding is a function of values and `now`. Every branch carries its reason.
"""

from datetime import datetime
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from janitor.core.contacts import clean
from janitor.core.decisions import (
    Blocked,
    Close,
    Decision,
    Delete,
    Ignore,
    Keep,
    Mark,
    Open,
    Reason,
    Remind,
    Retry,
    TagChange,
    Track,
    Unmark,
    Wait,
)
from janitor.core.durations import duration_text
from janitor.core.ladder import deleted_by
from janitor.core.lease import (
    deadline_text,
    expiry_text,
    first_lease,
    observe,
    promise,
    protection_of,
    told_at,
)
from janitor.core.mirror import tag_change
from janitor.core.model import FINAL, PROBLEM, PROTECT_TAG, Lease, LeaseState, Stack
from janitor.core.policy import Policy, Rule
from janitor.core.selection import why_not_managed
from janitor.core.statuses import BEING_DELETED, DELETABLE, GONE, HALF_DELETED, IN_REVIEW
from janitor.core.times import instant_text, relative_text


def decide(stack: Stack | None, lease: Lease | None, policy: Policy, now: datetime) -> Decision:
    """Decide what becomes of one stack.

    `stack` is None where a complete listing of its region does not have it; `lease` is
    None where the janitor has none open (a closed one counts as none).
    """
    if lease is not None and not lease.state.is_open:
        lease = None
    if stack is None or stack.status == GONE:
        return _vanished(stack, lease)
    if lease is not None and lease.state is LeaseState.DELETING:
        text = f"deletion under way, CloudFormation says {stack.status}"
        return Track(Reason(text), stack, lease)
    rule = policy.rule_for(stack)
    why_not = why_not_managed(stack, policy)
    if rule is None or why_not:
        reason = Reason(why_not or "no rule of the policy selects it")
        if lease is None:
            return Ignore(reason, stack)
        if lease.unprotected and stack.status != HALF_DELETED:
            text = f"{reason.sentence}, but its termination protection has to be put back first"
            return Wait(Reason(text), stack, lease)
        released = LeaseState.RELEASED
        tags = tag_change(stack, lease, released, policy, now)
        return Close(reason, stack, lease, tags=tags, outcome=released)
    if lease is None:
        if stack.status == BEING_DELETED:
            return Ignore(Reason("being deleted already, and no lease is open on it"), stack)
        opened = first_lease(stack, rule, policy, now)
        text = f"matches rule '{rule.name}'; {expiry_text(opened, policy)}"
        return Open(Reason(text), stack, opened)
    seen, changes = observe(stack, lease, rule, policy)
    return _Case(stack, seen, changes, rule, policy, now).decide()


def _vanished(stack: Stack | None, lease: Lease | None) -> Decision:
    if lease is None:
        return Ignore(Reason("deleted, and no lease is open on it"), stack)
    if lease.state is LeaseState.DELETING:
        return Track(Reason("no longer listed: the deletion seems to be through"), stack, lease)
    text = f"no longer listed: deleted {deleted_by(lease)}, which its id will confirm"
    return Close(Reason(text), stack, lease, outcome=LeaseState.GONE)


class _Case(Struct, frozen=True):
    """One managed stack with its lease, as seen now."""

    stack: Stack
    lease: Lease
    changes: tuple[str, ...]
    rule: Rule
    policy: Policy
    now: datetime

    def decide(self) -> Decision:
        match self.lease.state:
            case LeaseState.ACTIVE:
                return self._due() if self._is_due else self._running()
            case LeaseState.MARKED | LeaseState.FAILED | LeaseState.NEEDS_ATTENTION:
                return self._marked() if self._is_due else self._no_longer_due()
            case LeaseState.DELETING | LeaseState.DELETED | LeaseState.GONE | LeaseState.RELEASED:
                raise AssertionError("decided before")
            case _ as unreachable:
                assert_never(unreachable)

    @property
    def _is_due(self) -> bool:
        return self.lease.expires_at is not None and self.now >= self.lease.expires_at

    @property
    def _protection(self) -> str:
        """Say what protects the stack, or nothing."""
        if by_tag := protection_of(self.stack):
            return by_tag
        return "protected by CloudFormation's termination protection" * (
            self.stack.termination_protection and not self.rule.override_protection
        )

    def _running(self) -> Decision:
        """Decide on an active lease ahead of its deadline."""
        if leftover := tag_change(self.stack, self.lease, LeaseState.ACTIVE, self.policy, self.now):
            lease = self.lease
            until = (
                expiry_text(lease, self.policy) if lease.problem else f"expires {self._deadline}"
            )
            reason = Reason(f"not due, yet tagged as marked; {until}")
            return Unmark(reason, self.stack, self.lease, self.changes, leftover)
        if self.lease.problem:
            reason = Reason(f"kept, since {self.lease.problem}")
            if told_at(self.lease, PROBLEM) is None:
                return Remind(reason, self.stack, self.lease, self.changes, stage=PROBLEM)
            return self._keep(f"{reason.sentence}; the owner has been told")
        if self._protection:
            return self._keep(self._protection)
        if self.lease.expires_at is None:
            return self._keep(f"never expires ({self.lease.deadline_source})")
        for lead, stage in self.rule.stages:
            if self.now >= self.lease.expires_at - lead:
                if told_at(self.lease, stage) is not None:
                    return self._keep(f"reminded; expires {self._deadline}")
                reason = Reason(f"{stage} reminder is due; expires {self._deadline}")
                return Remind(reason, self.stack, self.lease, self.changes, stage=stage)
        return self._keep(f"expires {self._deadline}")

    def _due(self) -> Decision:
        """Decide on an active lease whose deadline has come."""
        if self._protection:
            return self._due_and_protected(f"due, but {self._protection}")
        reason = Reason(f"expired {self._deadline}", self._facts)
        lease = replace(self.lease, blocked=False, last_error="")
        tags = tag_change(self.stack, lease, LeaseState.MARKED, self.policy, self.now)
        return Mark(reason, self.stack, lease, self.changes, tags)

    def _due_and_protected(self, why: str) -> Decision:
        """Hold back what is not even marked. Its owner is told, if it is not the owner's own tag."""
        is_news = not protection_of(self.stack)
        held = replace(self.lease, blocked=is_news, last_error=why * is_news)
        changes = self.changes if held == self.lease else (*self.changes, why)
        return Blocked(Reason(why), self.stack, held, changes, self._marked_tags)

    def _no_longer_due(self) -> Decision:
        """Decide on a lease past its mark whose deadline has moved ahead again."""
        if self.stack.status == HALF_DELETED:
            return self._blocked("no longer due, but an earlier attempt left it half deleted")
        why = self.lease.problem and f"kept, since {self.lease.problem}"
        return self._unmark(why or f"no longer due; expires {self._deadline}")

    def _marked(self) -> Decision:
        """Decide on a lease past its deadline and its mark."""
        if PROTECT_TAG in self.stack.tags:
            if self.stack.status == HALF_DELETED:
                return self._blocked(f"half deleted, and now {self._protection}")
            return self._unmark(f"due, but {self._protection}")
        if self.lease.state is LeaseState.NEEDS_ATTENTION:
            return self._blocked(f"needs attention: {clean(self.lease.last_error)}")
        told = told_at(self.lease, FINAL)
        if told is None:
            reason = Reason("marked; its final notice has not been delivered")
            return Remind(
                reason, self.stack, self.lease, self.changes, self._marked_tags, stage=FINAL
            )
        return self._told(promise(self.lease, self.policy, told))

    def _told(self, delete_after: datetime) -> Decision:
        """Decide on a marked lease whose owners were all told."""
        if self.now < delete_after:
            return self._wait(f"owner told; deletion not before {self._instant(delete_after)}")
        if self.lease.next_attempt_at is not None and self.now < self.lease.next_attempt_at:
            again = self._instant(self.lease.next_attempt_at)
            which = self.lease.attempts or "(not counted)"
            return self._wait(f"attempt {which} failed; the next is at {again}")
        if self._protection:
            return self._blocked(f"due, but {self._protection}")
        reviewed = (self.stack.updated or self.stack.created) + self.rule.review_grace
        if self.stack.status == IN_REVIEW and self.now < reviewed:
            until = self._instant(reviewed)
            return self._wait(f"due, but only a change set, which may be in review until {until}")
        if self.stack.status not in DELETABLE:
            return self._wait(f"due, but busy: {self.stack.status}")
        if self.now - self.lease.first_seen < self.policy.limits.min_observed:
            least = duration_text(self.policy.limits.min_observed)
            return self._wait(f"due, but known for less than {least}")
        window = self.policy.window.window
        if not window.is_open(self.now):
            opens = self._instant(window.next_open(self.now))
            return self._wait(f"due, but deletions run only from {opens}")
        text = f"expired {self._deadline}, told, and the grace is over"
        if self.lease.attempts:
            reason = Reason(f"attempt {self.lease.attempts + 1}: {text}", self._facts)
            return Retry(reason, self.stack, self.lease, self.changes, self._marked_tags)
        reason = Reason(text, self._facts)
        return Delete(reason, self.stack, self.lease, self.changes, self._marked_tags)

    def _keep(self, text: str) -> Keep:
        return Keep(Reason(text), self.stack, self.lease, self.changes)

    def _wait(self, text: str) -> Wait:
        return Wait(Reason(text), self.stack, self.lease, self.changes, self._marked_tags)

    def _blocked(self, text: str) -> Blocked:
        return Blocked(Reason(text), self.stack, self.lease, self.changes)

    def _unmark(self, text: str) -> Unmark:
        tags = tag_change(self.stack, self.lease, LeaseState.ACTIVE, self.policy, self.now)
        return Unmark(Reason(text), self.stack, self.lease, self.changes, tags)

    @property
    def _marked_tags(self) -> TagChange | None:
        return tag_change(self.stack, self.lease, self.lease.state, self.policy, self.now)

    @property
    def _deadline(self) -> str:
        """Say how far off the deadline is, and where it comes from."""
        if self.lease.expires_at is None:
            return deadline_text(self.lease, self.policy)
        return f"{relative_text(self.lease.expires_at, self.now)} ({self.lease.deadline_source})"

    def _instant(self, when: datetime) -> str:
        return instant_text(when, self.policy.window.window.zone)

    @property
    def _facts(self) -> dict[str, str]:
        return {
            "status": self.stack.status,
            "rule": self.rule.name,
            "deadline": self._instant(self.lease.expires_at) if self.lease.expires_at else "never",
            "deadline_source": self.lease.deadline_source,
        }
