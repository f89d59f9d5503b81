"""Apply one decision to its lease: the ledger first, then what hangs on it."""

from collections.abc import Iterable
from contextlib import suppress
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from janitor.application.deletion.track import track
from janitor.application.ports import Clock, Ledger, Policies, Queue, Stacks
from janitor.application.sweep.tagging import Tagger, is_open
from janitor.domain.deletion.strategy import lacks_protection
from janitor.domain.errors import Conflict, JanitorError
from janitor.domain.journal.events import Actor, about, entry, owners_text
from janitor.domain.lease.notice_history import is_told, unmarked
from janitor.domain.lease.refresh import refresh
from janitor.domain.model import (
    FINAL,
    OF_NO_DEADLINE,
    OPERATORS,
    PROBLEM,
    Contact,
    Lease,
    LeaseState,
    Mode,
    Outcome,
    Stack,
    Status,
    TagState,
)
from janitor.domain.notification.messages import (
    DeletionRequest,
    NoticeItem,
    NoticeRequest,
)
from janitor.domain.notification.pending import Standing, standing_notices
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
from janitor.domain.planning.plan import Plan
from janitor.domain.policy.model import Policy
from janitor.domain.policy.selection import rule_of
from janitor.domain.stack.resources import Count


class Applying(Struct, frozen=True):
    """A sweep's apply step: each decision by itself, in any thread."""

    plan: Plan
    policy: Policy
    actor: Actor
    clock: Clock
    policies: Policies
    stacks: Stacks
    ledger: Ledger
    queue: Queue

    def apply(self, decision: Decision) -> Iterable[Outcome]:
        """Carry out `decision` as far as the mode allows."""
        notifies = self.plan.mode.notifies
        match decision:
            case Ignore():
                return
            case Open(lease=Lease() as lease):
                yield self._open(lease, decision)
            case Track(lease=Lease() as lease):
                yield self._track(lease)
            case Close(lease=Lease() as lease, outcome=LeaseState.GONE):
                yield self._track(lease)
            case Close(lease=Lease() as lease):
                yield from self._release(decision, lease)
            case Mark(lease=Lease() as lease) if notifies:
                marked = replace(lease, state=LeaseState.MARKED)
                lease = self._write(self._counted(marked), "stack.marked", decision)
                yield Outcome(lease.stack_id, "mark", Status.DONE)
                self._ask_notices(lease, FINAL)
                self._protect_again(lease, decision.stack)
                yield from self._tags(decision.stack, lease, decision.tags)
            case Unmark(lease=Lease() as lease) if notifies and lease.state != LeaseState.ACTIVE:
                lease = self._write(unmarked(lease), "stack.unmarked", decision)
                yield Outcome(lease.stack_id, "unmark", Status.DONE)
                self._protect_again(lease, decision.stack)
                yield from self._tags(decision.stack, lease, decision.tags)
            case Keep() | Remind() | Mark() | Unmark() | Wait() | Blocked() | Delete() | Retry():
                yield from self._stay(decision)
            case Open() | Track() | Close():
                raise AssertionError("these are always about a lease")
            case _ as unreachable:
                assert_never(unreachable)

    def _stay(self, decision: Decision) -> Iterable[Outcome]:
        """Leave the lease in its state: write what moved, ask for notice or deletion."""
        lease = decision.lease
        if lease is None:
            return
        if decision.changes:
            moved = replace(decision, reason=Reason("; ".join(decision.changes)))
            lease = self._write(lease, "lease.updated", moved)
            yield Outcome(lease.stack_id, "update", Status.DONE)
        if isinstance(decision, Remind) and self.plan.mode.notifies:
            self._ask_notices(lease, decision.stage)
        if self.plan.mode.notifies:  # what `track` queued may have been lost
            for notice in standing_notices(lease, decision, self.plan.now):
                self._ask(lease, notice)
        if isinstance(decision, Delete | Retry) and self.plan.mode is Mode.ENFORCE:
            companion = decision.stack.companion if decision.stack else ""
            self.queue.delete(
                DeletionRequest(
                    lease.stack_id,
                    self.plan.now,
                    companion=companion,
                    not_before=decision.not_before,
                )
            )
            return  # An update would be in the way of that; what waits or is held up is tagged.
        self._protect_again(lease, decision.stack)
        yield from self._tags(decision.stack, lease, decision.tags)

    def _protect_again(self, lease: Lease, stack: Stack | None) -> None:
        """Ask for the protection of what is not to go now: `delete` alone may switch it.

        Of a stack in a region that this sweep does not look at, too: `delete` looks.
        """
        is_seen = stack is not None or lease.region in dict(self.plan.regions)
        lacks = lacks_protection(lease, stack) if is_seen else lease.unprotected
        if lacks and self.plan.mode.notifies:
            self.queue.delete(DeletionRequest(lease.stack_id, self.plan.now, restore_only=True))

    def _write(
        self, lease: Lease, action: str, decision: Decision, stored: Lease | None = None
    ) -> Lease:
        reasons = [(action, decision.reason)]
        if decision.owners_before is not None:
            reasons.insert(0, ("owner.changed", _new_owner(decision.owners_before, lease)))
        drafts = [
            about(
                lease,
                what,
                reason,
                actor=self.actor,
                now=self.plan.now,
                policy_version=self.policy.version,
                stack=decision.stack,
            )
            for what, reason in reasons
        ]
        written = entry(stored or lease, lease, *drafts)
        self.ledger.commit(written)
        return written.record

    def _open(self, lease: Lease, decision: Decision) -> Outcome:
        try:
            self._write(lease, "lease.opened", decision)
        except Conflict:
            before = self._closed_before(lease)
            if before is None:
                raise
            # All that it was told, asked and granted is carried on. Not so: what an unmark takes
            # back (the attempts to delete it among that), any notice, and how long it is known.
            kept = replace(
                unmarked(before),
                first_seen=lease.first_seen,
                adopted_at=before.adopted_at or lease.adopted_at,
                generation=before.generation + 1,
                notices=(),
                closed_at=None,
            )
            if decision.stack and (rule := rule_of(self.policy, decision.stack)):
                kept = refresh(decision.stack, kept, rule, self.plan.now, self.plan.ground).lease
            self._write(kept, "lease.reopened", decision, before)
        return Outcome(lease.stack_id, "open", Status.DONE)

    def _closed_before(self, lease: Lease) -> Lease | None:
        """Return the closed lease that this stack had: its chain goes on, its caps count.

        None if a listing says nothing against its end: a deletion that was confirmed, or
        what came after this sweep began. Of a lease that is no longer kept, the journal
        still has the end of the chain.
        """
        before = self.ledger.lease(lease.stack_id)
        if before is not None:
            is_settled = before.state.is_open or before.state is LeaseState.DELETED
            ended = before.closed_at or before.first_seen
            return None if is_settled or ended >= self.plan.now else before
        events = list(self.ledger.chain(lease.stack_id))
        return replace(lease, seq=events[-1].seq, head=events[-1].hash) if events else None

    def _release(self, decision: Close, lease: Lease) -> Iterable[Outcome]:
        for outcome in self._tags(decision.stack, lease, decision.tags):
            yield outcome
            # Writing the tags has moved the record on.
            lease = self.ledger.lease(lease.stack_id) or lease
        if self.plan.mode.notifies and is_open(lease.tagging):
            return  # Nobody looks at a closed lease: the next sweep sees what became of the tags.
        released = replace(lease, state=LeaseState.RELEASED, closed_at=self.plan.now)
        self._write(released, "lease.closed", decision, lease)
        yield Outcome(lease.stack_id, "close", Status.DONE)

    def _track(self, lease: Lease) -> Outcome:
        return track(
            lease.stack_id,
            clock=self.clock,
            policies=self.policies,
            stacks=self.stacks,
            ledger=self.ledger,
            queue=self.queue,
        )

    def _tags(
        self, stack: Stack | None, lease: Lease, change: TagChange | None
    ) -> Iterable[Outcome]:
        if stack is None or not self.plan.mode.notifies:
            return
        tagger = Tagger(self.plan.now, self.policy.version, self.actor, self.stacks, self.ledger)
        if change is not None:
            yield tagger.mirror(stack, lease, change)
        elif lease.tagging and lease.tagging.state is TagState.PROPOSED:
            yield tagger.withdraw(stack, lease)

    def _ask_notices(self, lease: Lease, stage: str) -> None:
        operators = (OPERATORS,) if stage == PROBLEM or lease.ownerless else ()
        text = lease.problem if stage == PROBLEM else ""
        count = self._count(lease) if stage not in (PROBLEM, FINAL) else None
        former = (one.contact for one in lease.former_owners if stage == FINAL)
        contacts = (*lease.contacts, *operators, *former)
        self._ask(lease, Standing(stage, contacts, text), count)

    def _count(self, lease: Lease) -> Count | None:
        """Count the resources for the first reminder; where that fails it stays unknown."""
        if lease.paced is None:
            with suppress(JanitorError):
                return self.stacks.count(lease.stack_id)
        return None

    def _counted(self, lease: Lease) -> Lease:
        """Count at the mark what no reminder counted: how fast stacks go depends on it."""
        count = self._count(lease)
        return replace(lease, resources=count.resources, paced=count.paced) if count else lease

    def _ask(self, lease: Lease, notice: Standing, count: Count | None = None) -> None:
        deadline = None if notice.stage in OF_NO_DEADLINE else lease.expires_at
        item = NoticeItem(lease.stack_id, notice.stage, deadline, notice.text)
        if count:
            item = replace(item, resources=count.resources, paced=count.paced)
        for contact in dict.fromkeys(notice.contacts):
            if not is_told(lease, notice.stage, contact):
                self.queue.notify(NoticeRequest(contact, (item,)))


def _new_owner(before: tuple[Contact, ...], lease: Lease) -> Reason:
    """Say who owned a stack, and who does now."""
    was, now = owners_text(before) or "nobody", owners_text(lease.contacts) or "nobody"
    return Reason(f"the owner was {was} and is now {now}", {"from": was, "to": now})
