"""What to do with one stack: `decide`, total over every status and lease state.

Deciding is a function of values and `now`. Every branch carries its reason. What stands
before a deletion is listed in `domain.planning.conditions`: the first that is not met decides.
"""

from datetime import datetime, timedelta
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from janitor.domain.deletion.strategy import deleted_by
from janitor.domain.instants import instant_text, relative_text
from janitor.domain.lease.dropped_tags import as_it_stood
from janitor.domain.lease.notice_history import deadline_text, expiry_text, told_at, unread_texts
from janitor.domain.lease.refresh import first_lease, refresh
from janitor.domain.model import (
    ADOPTED,
    FINAL,
    PROBLEM,
    Lease,
    LeaseState,
    Stack,
)
from janitor.domain.planning.accepted_policy import Ground
from janitor.domain.planning.conditions import Condition, Kind, Who, first_unmet
from janitor.domain.planning.decisions import (
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
from janitor.domain.policy.model import Policy, Rule
from janitor.domain.policy.selection import Apart, NotManaged, rule_of, why_not_managed
from janitor.domain.stack.statuses import BEING_DELETED, GONE, HALF_DELETED
from janitor.domain.tagging.status_tags import tag_change
from janitor.domain.tagging.wording import tags_text

ADOPTED_AFTER = timedelta(days=7)
"""A stack older than this when a rule first matches it is adopted."""


def decide(
    stack: Stack | None,
    lease: Lease | None,
    policy: Policy,
    now: datetime,
    ground: Ground | None = None,
) -> Decision:
    """Decide what becomes of one stack.

    `stack` is None where a complete listing of its region does not have it; `lease` is
    None where the janitor has none open (a closed one counts as none). `ground` is what
    the account's record adds to the policy.
    """
    ground = ground or Ground(policy)
    if lease is not None and not lease.state.is_open:
        lease = None
    if stack is None or stack.status == GONE:
        return _vanished(stack, lease)
    if lease is not None and lease.state is LeaseState.DELETING:
        text = f"deletion under way, CloudFormation says {stack.status}"
        return Track(Reason(text), stack, lease)
    standing = as_it_stood(stack, lease, policy).stack if lease else stack
    rule = rule_of(policy, standing)
    why_not = why_not_managed(stack, policy, ground.taken_out)
    if rule is None or why_not:
        decision = _unmanaged(stack, lease, why_not, policy, now)
        is_meant = rule is not None or (why_not and why_not.kind in (Apart.SELF, Apart.TAKEN_OUT))
        return replace(decision, apart=why_not.kind) if why_not and is_meant else decision
    if lease is None:
        return _new(stack, rule, ground, now)
    seen = refresh(stack, lease, rule, now, ground)
    decision = _Case(stack, seen.lease, seen.changes, rule, policy, now).decide()
    if seen.lease.tagging and seen.lease.tagging.why:
        sentence = f"{decision.reason.sentence}; {tags_text(seen.lease)}"
        decision = replace(decision, reason=Reason(sentence, decision.reason.facts))
    is_same = seen.lease.contacts == lease.contacts
    return decision if is_same else replace(decision, owners_before=lease.contacts)


def _vanished(stack: Stack | None, lease: Lease | None) -> Decision:
    if lease is None:
        return Ignore(Reason("deleted, and no lease is open on it"), stack)
    if lease.state is LeaseState.DELETING:
        return Track(Reason("no longer listed: the deletion seems to be through"), stack, lease)
    text = f"no longer listed: deleted {deleted_by(lease)}, which its id will confirm"
    return Close(Reason(text), stack, lease, outcome=LeaseState.GONE)


def _unmanaged(
    stack: Stack, lease: Lease | None, why_not: NotManaged | None, policy: Policy, now: datetime
) -> Decision:
    """Leave a stack alone, and end its lease if there is one."""
    reason = Reason(why_not.text if why_not else "no rule of the policy selects it")
    if lease is None:
        return Ignore(reason, stack)
    if lease.unprotected and stack.status != HALF_DELETED:
        text = f"{reason.sentence}, but its termination protection has to be put back first"
        return Wait(Reason(text), stack, lease)
    released = LeaseState.RELEASED
    tags = tag_change(stack, lease, released, policy, now)
    return Close(reason, stack, lease, tags=tags, outcome=released)


def _new(stack: Stack, rule: Rule, ground: Ground, now: datetime) -> Decision:
    """Open a lease, unless it is a policy that is not accepted yet that takes the stack in."""
    if stack.status == BEING_DELETED:
        return Ignore(Reason("being deleted already, and no lease is open on it"), stack)
    previous = ground.previous
    is_taken_in = previous is not None and not _manages(previous, stack)
    if ground.is_policy_held and is_taken_in:
        text = (
            "only the edited policy manages it, and that is held until an operator accepts it"
            " (`janitor breaker show`)"
        )
        unmet = Condition(Kind.NOT_HELD, is_met=False, detail=text, who=Who.OPERATOR)
        return Wait(Reason(text), stack, unmet=unmet)
    is_adopted = is_taken_in or now - stack.created > ADOPTED_AFTER
    opened = first_lease(stack, rule, ground.policy, now, is_adopted=is_adopted)
    text = f"matches rule '{rule.name}'; {expiry_text(opened, ground.policy)}"
    text += f"; {opened.protection}" if opened.protection else ""
    text += "".join(f"; {one}" for one in unread_texts(opened, rule))
    if is_adopted:
        text += "; adopted, since it was there before: its owner is told first"
    return Open(Reason(text), stack, opened, unmet=first_unmet(stack, opened, ground.policy, now))


def _manages(policy: Policy, stack: Stack) -> bool:
    return rule_of(policy, stack) is not None and not why_not_managed(stack, policy)


class _Case(Struct, frozen=True):
    """One managed stack with its lease, as seen now."""

    stack: Stack
    lease: Lease
    changes: tuple[str, ...]
    rule: Rule
    policy: Policy
    now: datetime

    def decide(self) -> Decision:
        unmet = first_unmet(self.stack, self.lease, self.policy, self.now)
        match self.lease.state:
            case LeaseState.ACTIVE:
                return self._active(unmet)
            case LeaseState.MARKED | LeaseState.FAILED | LeaseState.NEEDS_ATTENTION:
                return self._marked(unmet)
            case LeaseState.DELETING | LeaseState.DELETED | LeaseState.GONE | LeaseState.RELEASED:
                raise AssertionError("decided before")
            case _ as unreachable:
                assert_never(unreachable)

    @property
    def _is_due(self) -> bool:
        return self.lease.expires_at is not None and self.now >= self.lease.expires_at

    def _active(self, unmet: Condition | None) -> Decision:
        """Decide on a lease that is not marked: `MARKED` at least is not met."""
        if unmet is None:
            raise AssertionError("an active lease lacks its mark")
        if unmet.kind in (Kind.UNPROTECTED, Kind.UNLOCKED) and self._is_due:
            return self._due_and_protected(unmet)
        if unmet.kind is Kind.MARKED:
            return self._mark(unmet)
        if leftover := self._leftover_tags(unmet):
            return leftover
        if first := self._first_word(unmet):
            return first
        match unmet.kind:
            case Kind.READABLE:
                return self._unreadable(unmet)
            case Kind.UNPROTECTED | Kind.UNLOCKED | Kind.ENDS:
                return self._keep(unmet.detail, unmet)
            case Kind.NOT_HELD:
                return self._reminder(unmet) or self._wait(unmet.detail, unmet)
            case Kind.EXPIRED:
                return self._reminder(unmet) or self._keep(f"expires {self._deadline}", unmet)
            case _:
                return self._wait(unmet.detail, unmet)

    def _leftover_tags(self, unmet: Condition) -> Decision | None:
        """Take away tags of a mark that is none any more."""
        leftover = tag_change(self.stack, self.lease, LeaseState.ACTIVE, self.policy, self.now)
        if leftover is None:
            return None
        lease = self.lease
        until = expiry_text(lease, self.policy) if lease.problem else f"expires {self._deadline}"
        reason = Reason(f"not due, yet tagged as marked; {until}")
        return Unmark(reason, self.stack, lease, self.changes, leftover, unmet)

    def _first_word(self, unmet: Condition) -> Decision | None:
        """Tell the owner of a stack that was there before what the janitor is."""
        lease = self.lease
        is_kept = unmet.kind in (Kind.READABLE, Kind.UNPROTECTED, Kind.UNLOCKED)
        if lease.adopted_at and not is_kept and told_at(lease, ADOPTED) is None:
            text = f"adopted: its owner gets a first notice; {expiry_text(lease, self.policy)}"
            return self._remind(ADOPTED, text, unmet)
        return None

    def _unreadable(self, unmet: Condition) -> Decision:
        if told_at(self.lease, PROBLEM) is None:
            return self._remind(PROBLEM, unmet.detail, unmet)
        return self._keep(f"{unmet.detail}; the owner has been told", unmet)

    def _reminder(self, unmet: Condition) -> Decision | None:
        """Remind, if that is due; the latest stage that applies."""
        expires = self.lease.expires_at
        for lead, stage in self.rule.stages if expires else ():
            if expires and self.now >= expires - lead:
                if told_at(self.lease, stage) is not None:
                    return self._keep(f"reminded; expires {self._deadline}", unmet)
                text = f"{stage} reminder is due; expires {self._deadline}"
                return self._remind(stage, text, unmet)
        return None

    def _mark(self, unmet: Condition) -> Decision:
        """Mark what is due."""
        reason = Reason(f"expired {self._deadline}", self._facts)
        lease = replace(self.lease, blocked=False, last_error="")
        tags = tag_change(self.stack, lease, LeaseState.MARKED, self.policy, self.now)
        return Mark(reason, self.stack, lease, self.changes, tags, unmet)

    def _due_and_protected(self, unmet: Condition) -> Decision:
        """Hold back what is not even marked. Its owner is told, if it is not the owner's own tag."""
        why, is_news = f"due, but {unmet.detail}", unmet.kind is Kind.UNLOCKED
        held = replace(self.lease, blocked=is_news, last_error=why * is_news)
        changes = self.changes if held == self.lease else (*self.changes, why)
        return Blocked(Reason(why), self.stack, held, changes, self._marked_tags, unmet)

    def _marked(self, unmet: Condition | None) -> Decision:
        """Decide on a lease past its mark."""
        if unmet is None:
            return self._delete()
        match unmet.kind:
            case Kind.READABLE | Kind.UNPROTECTED | Kind.NOT_HELD | Kind.ENDS | Kind.EXPIRED:
                return self._no_longer_due(unmet)
            case Kind.UNLOCKED if not self._is_due:
                return self._no_longer_due(unmet)
            case Kind.UNLOCKED:
                return self._due_and_protected(unmet)
            case Kind.NOT_GIVEN_UP:
                return self._blocked(unmet.detail, unmet)
            case Kind.TOLD:
                return self._remind(
                    FINAL,
                    "marked; its final notice has not been delivered",
                    unmet,
                    self._marked_tags,
                )
            case Kind.GRACE | Kind.BACKED_OFF:
                return self._wait(unmet.detail, unmet)
            case _:
                return self._wait(f"due, but {unmet.detail}", unmet)

    def _no_longer_due(self, unmet: Condition) -> Decision:
        """Take back the mark of what is kept, or whose deadline has moved ahead again."""
        is_protected = unmet.kind is Kind.UNPROTECTED
        if self.stack.status == HALF_DELETED:
            if is_protected and self._is_due:
                return self._blocked(f"half deleted, and now {unmet.detail}", unmet)
            text = "no longer due, but an earlier attempt left it half deleted"
            return self._blocked(text, unmet)
        if is_protected and self._is_due:
            return self._unmark(f"due, but {unmet.detail}", unmet)
        if unmet.kind in (Kind.READABLE, Kind.NOT_HELD):
            return self._unmark(unmet.detail, unmet)
        return self._unmark(f"no longer due; expires {self._deadline}", unmet)

    def _delete(self) -> Decision:
        text = f"expired {self._deadline}, told, and the grace is over"
        if self.lease.attempts:
            reason = Reason(f"attempt {self.lease.attempts + 1}: {text}", self._facts)
            return Retry(reason, self.stack, self.lease, self.changes, self._marked_tags)
        reason = Reason(text, self._facts)
        return Delete(reason, self.stack, self.lease, self.changes, self._marked_tags)

    @property
    def _unread(self) -> str:
        return "".join(f"; {one}" for one in unread_texts(self.lease, self.rule))

    def _remind(
        self, stage: str, text: str, unmet: Condition, tags: TagChange | None = None
    ) -> Remind:
        return Remind(
            Reason(text + self._unread),
            self.stack,
            self.lease,
            self.changes,
            tags,
            unmet,
            stage=stage,
        )

    def _keep(self, text: str, unmet: Condition) -> Keep:
        return Keep(Reason(text + self._unread), self.stack, self.lease, self.changes, None, unmet)

    def _wait(self, text: str, unmet: Condition) -> Wait:
        return Wait(Reason(text), self.stack, self.lease, self.changes, self._marked_tags, unmet)

    def _blocked(self, text: str, unmet: Condition) -> Blocked:
        return Blocked(Reason(text), self.stack, self.lease, self.changes, None, unmet)

    def _unmark(self, text: str, unmet: Condition) -> Unmark:
        tags = tag_change(self.stack, self.lease, LeaseState.ACTIVE, self.policy, self.now)
        return Unmark(Reason(text), self.stack, self.lease, self.changes, tags, unmet)

    @property
    def _marked_tags(self) -> TagChange | None:
        return tag_change(self.stack, self.lease, self.lease.state, self.policy, self.now)

    @property
    def _deadline(self) -> str:
        """Say how far off the deadline is, and where it comes from."""
        if self.lease.expires_at is None:
            return deadline_text(self.lease, self.policy)
        return f"{relative_text(self.lease.expires_at, self.now)} ({self.lease.deadline_source})"

    @property
    def _facts(self) -> dict[str, str]:
        return {
            "status": self.stack.status,
            "rule": self.rule.name,
            "deadline": instant_text(self.lease.expires_at, self.policy.window.window.zone),
            "deadline_source": self.lease.deadline_source,
        }
