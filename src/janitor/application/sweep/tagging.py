"""Mirror a lease in its stack's tags, so that tags alone change. The lease stays the truth.

What the stack is says by which way: `domain.tagging.ways`. Then intent, call, and later what became of
it. docs/adr/0023.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from janitor.application.ports import Ledger, Stacks
from janitor.domain.errors import JanitorError, TagRefused
from janitor.domain.failures import failed
from janitor.domain.journal.events import Actor, Entry, about, entry
from janitor.domain.lease.refresh import deployed_at
from janitor.domain.model import Lease, Outcome, Stack, Status, Tagging, TagState
from janitor.domain.planning.decisions import Reason, TagChange
from janitor.domain.planning.plan import Listing
from janitor.domain.tagging.change_set import Proposal, Readiness, verdict
from janitor.domain.tagging.outcomes import Became, TagOutcome, way_out
from janitor.domain.tagging.ways import Anatomy, Refusal, Way, Why, way_of

UNSEEN_FOR = timedelta(minutes=5)
"""For so long after an update was asked for, its events may not be there yet."""

LONGEST_MAKING = timedelta(hours=3)
"""A change set that is not ready after so long shows nothing."""


class Tagger(Struct, frozen=True):
    """What writes tags on stacks, and who it is for the journal."""

    now: datetime
    policy_version: str
    actor: Actor
    stacks: Stacks
    ledger: Ledger

    def mirror(self, stack: Stack, lease: Lease, change: TagChange) -> Outcome:
        """Change the tags of `stack`, or go on with that; a refusal changes nothing else."""
        return _Mirroring(self, stack, lease, change).go()

    def withdraw(self, stack: Stack, lease: Lease) -> Outcome:
        """Delete a change set of ours that nobody needs any more."""
        self.stacks.withdraw(lease.stack_id)
        text = "the change set for its tags is not needed any more, and deleted"
        self.write(lease, replace(lease, tagging=None), "tags.withdrawn", Reason(text), stack)
        return Outcome(lease.stack_id, "tag", Status.DONE, text)

    def write(
        self,
        stored: Lease,
        changed: Lease,
        action: str,
        reason: Reason,
        stack: Stack,
        result: str = "ok",
    ) -> Lease:
        """Write a lease with one event about its tags; return it as it is then."""
        draft = about(
            stored,
            action,
            reason,
            actor=self.actor,
            now=self.now,
            policy_version=self.policy_version,
            stack=stack,
            result=result,
        )
        written = entry(stored, changed, draft)
        self.ledger.commit(written)
        return written.record


class _Mirroring(Struct, frozen=True):
    """One change of one stack's tags."""

    tagger: Tagger
    stack: Stack
    lease: Lease
    change: TagChange

    def go(self) -> Outcome:
        """Take the next steps, as far as they can be taken now."""
        stacks, last = self.tagger.stacks, self.lease.tagging
        anatomy = stacks.anatomy(self.stack)
        way = way_of(
            anatomy,
            status=self.stack.status,
            role=self.stack.role,
            reads_ssm=self.stack.reads_ssm,
        )
        if last and way is Way.CHANGE_SET and anatomy.own_change_set and self._is_of_this(last):
            return self._look(self.lease, last, anatomy)
        if anatomy.own_change_set:
            stacks.withdraw(self.stack.stack_id)
        if isinstance(way, Refusal):
            return self._refused(self.lease, way)
        return self._begin(way, anatomy)

    def _is_of_this(self, last: Tagging) -> bool:
        return last.state is TagState.PROPOSED and last.attempt == self.change.attempt

    def _begin(self, way: Way, anatomy: Anatomy) -> Outcome:
        """Journal the intent, and ask for it."""
        # The place of the intent in its chain makes the token unique: tags go on and off again.
        digest = hashlib.sha256(self.lease.stack_id.encode()).hexdigest()[:16]
        token = f"janitor-tags-{digest}-{self.lease.seq + 1}"
        is_plain = way is Way.PLAIN
        tagging = Tagging(
            TagState.ASKED if is_plain else TagState.PROPOSED,
            self.tagger.now,
            attempt=self.change.attempt,
            token=token,
            before=self.stack.updated or self.stack.created,
        )
        asked = replace(
            self.lease, tagging=tagging, deployed_at=deployed_at(self.stack, self.lease)
        )
        text = f"the stack's tags are to mirror its lease, by {_by(way)}"
        facts = {"way": way.value, "template": f"sha256:{anatomy.root.digest}"}
        intended = self._write(self.lease, asked, "tags.intended", text, facts=facts)
        ask = self.tagger.stacks.tag if is_plain else self.tagger.stacks.propose
        try:
            is_taken = ask(self.stack, self.change.put, self.change.remove, token)
        except TagRefused as refusal:
            return self._refused(intended, Refusal(Why(refusal.why), str(refusal)))
        if not is_taken:
            text = "the stack has the tags that mirror its lease"
            self._write(intended, self._tried(intended, None), "tags.written", text)
            return self._done("has them already")
        return self._done("asked for") if is_plain else self._look(intended, tagging, anatomy)

    def _look(self, lease: Lease, last: Tagging, anatomy: Anatomy) -> Outcome:
        """Look at what the change set shows, and execute that very one if it is tags alone."""
        stacks, change = self.tagger.stacks, self.change
        try:
            shown = stacks.proposal(self.stack, change.put, change.remove)
            if _is_making(shown) and self.tagger.now - last.at < LONGEST_MAKING:
                return self._done("a change set is being made")
            if more := verdict(shown, anatomy.from_ssm):
                stacks.withdraw(self.stack.stack_id)
                return self._refused(lease, more)
        except TagRefused as refusal:
            stacks.withdraw(self.stack.stack_id)
            return self._refused(lease, Refusal(Why(refusal.why), str(refusal)))
        asked = replace(last, state=TagState.ASKED, at=self.tagger.now)
        text = "a change set shows that tags change and nothing else, and is executed"
        facts = {"change set": shown.id, "changes": str(len(shown.changes))}
        seen = self._write(lease, replace(lease, tagging=asked), "tags.shown", text, facts=facts)
        try:
            stacks.execute(self.stack, shown, last.token)
        except TagRefused as refusal:
            stacks.withdraw(self.stack.stack_id)
            return self._refused(seen, Refusal(Why(refusal.why), str(refusal)))
        return self._done("asked for")

    def _refused(self, lease: Lease, refusal: Refusal) -> Outcome:
        """Journal why the tags stay as they are; the same is not tried again upon this deployment."""
        tagging = Tagging(
            TagState.REFUSED,
            self.tagger.now,
            attempt=self.change.attempt,
            why=refusal.why.value,
            detail=refusal.detail,
        )
        self._write(
            lease, self._tried(lease, tagging), "tags.refused", str(refusal), result="refused"
        )
        return Outcome(lease.stack_id, "tag", Status.SKIPPED, str(refusal))

    def _tried(self, lease: Lease, tagging: Tagging | None) -> Lease:
        return replace(lease, tag_attempt=self.change.attempt, tagging=tagging)

    def _done(self, detail: str) -> Outcome:
        return Outcome(self.lease.stack_id, "tag", Status.DONE, detail)

    def _write(
        self,
        stored: Lease,
        changed: Lease,
        action: str,
        text: str,
        *,
        facts: Mapping[str, str] | None = None,
        result: str = "ok",
    ) -> Lease:
        known = {**self.change.put, "removed": ", ".join(self.change.remove), **(facts or {})}
        reason = Reason(text, {key: value for key, value in known.items() if value})
        return self.tagger.write(stored, changed, action, reason, self.stack, result)


def _by(way: Way) -> str:
    return "an update" if way is Way.PLAIN else "a change set that is looked at first"


def _is_making(shown: Proposal) -> bool:
    return any(one.readiness is Readiness.MAKING for one in (shown, *shown.nested))


def is_open(last: Tagging | None) -> bool:
    """Tell whether something of a change of tags is still to come."""
    return last is not None and last.state in (TagState.ASKED, TagState.PROPOSED)


def settle(
    listings: Iterable[Listing],
    leases: Mapping[str, Lease],
    *,
    now: datetime,
    policy_version: str,
    actor: Actor,
    stacks: Stacks,
    ledger: Ledger | None,
    broken: list[Outcome],
    may_go_on: Callable[[], bool],
) -> dict[str, Lease]:
    """Return those leases of which it is known by now what became of an update of their tags.

    Its token tells. Not to know leaves the lease as it is, and the stack counts as deployed.
    Without a `ledger` nothing is written, and once `may_go_on` says no nothing is asked. What
    the code itself fails at goes to `broken`. A region that is not listed in full is left alone.
    """
    asked = {
        stack_id: (lease, lease.tagging)
        for stack_id, lease in leases.items()
        if lease.tagging and lease.tagging.state is TagState.ASKED
    }
    settled: dict[str, Lease] = {}
    whole = (listing for listing in listings if asked and not listing.error)
    for stack in (stack for listing in whole for stack in listing.stacks):
        if stack.stack_id not in asked or not may_go_on():
            continue
        lease, last = asked[stack.stack_id]
        try:
            outcome = stacks.tag_outcome(stack, last.token, last.before)
            written = settled_by(
                stack, lease, last, outcome, now=now, policy_version=policy_version, actor=actor
            )
            if written is None:
                if outcome.updated:
                    settled[stack.stack_id] = replace(lease, own_update=outcome.updated)
                continue
            if ledger is not None:
                ledger.commit(written)
            settled[stack.stack_id] = written.record
        except JanitorError:
            continue  # The next sweep asks again.
        except Exception as error:
            broken.append(failed(stack.stack_id, "settle", error))
    return settled


def settled_by(
    stack: Stack,
    lease: Lease,
    last: Tagging,
    outcome: TagOutcome,
    *,
    now: datetime,
    policy_version: str,
    actor: Actor,
) -> Entry[Lease] | None:
    """Return what to write of the outcome of `last`, or nothing while it is open."""
    is_early = now - last.at < UNSEEN_FOR
    if outcome.became is Became.UNDER_WAY or (outcome.became is Became.NOTHING and is_early):
        return None
    action, text, after = _ended(stack, last, outcome, now)
    is_done = outcome.became is Became.DONE
    seen = replace(
        lease,
        own_update=outcome.updated or lease.own_update,
        tagging=after,
        # What never began is tried again.
        tag_attempt="" if outcome.became is Became.NOTHING else last.attempt,
    )
    draft = about(
        lease,
        action,
        Reason(text, {"token": last.token}),
        actor=actor,
        now=now,
        policy_version=policy_version,
        stack=stack,
        result="ok" if is_done else "failed",
    )
    return entry(lease, seen, draft)


def _ended(
    stack: Stack, last: Tagging, outcome: TagOutcome, now: datetime
) -> tuple[str, str, Tagging | None]:
    """Return the event of an update that has ended, its sentence, and what stays of it."""
    said = outcome.reason or "CloudFormation gave no reason"
    after = replace(last, at=now, detail=said)
    match outcome.became:
        case Became.DONE:
            text = "the update is complete: the stack has the tags that mirror its lease"
            return "tags.written", text, None
        case Became.ROLLED_BACK:
            text = f"the update was rolled back: {said}"
            after = replace(after, state=TagState.ROLLED_BACK, why=Why.ROLLED_BACK.value)
            return "tags.rolled-back", text, after
        case Became.STUCK:
            text = f"the update ended in UPDATE_ROLLBACK_FAILED: {said}; {way_out(stack.stack_id, stack.region)}"
            after = replace(after, state=TagState.STUCK, why=Why.STUCK.value)
            return "tags.rolled-back", text, after
        case Became.NOTHING | Became.UNDER_WAY:
            text = "CloudFormation never began the update, so it is made again"
            return "tags.lost", text, None
        case _ as unreachable:
            assert_never(unreachable)
