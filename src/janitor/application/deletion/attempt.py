"""Work off one claim: empty what was opted in, take protection off, ask CloudFormation.

Every call that changes something is in the intent that came with the claim; what came of it
is journalled right after. A claim that was lost meanwhile does nothing any more.
"""

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from janitor.application.deletion.companion import Companion, ask_for
from janitor.application.deletion.failed_attempt import failed_attempt, failure_of, is_untouched
from janitor.application.ports import Clock, Ledger, Purger, Stacks
from janitor.domain.deletion.causes import Cause
from janitor.domain.deletion.strategy import PURGEABLE, Step
from janitor.domain.errors import Conflict, DeleteRefused, JanitorError
from janitor.domain.journal.events import Actor, Draft, Entry, about, entry
from janitor.domain.lease.owners import clean
from janitor.domain.model import Lease, LeaseState, Mode, Outcome, Stack, Status
from janitor.domain.planning.decisions import Reason
from janitor.domain.policy.model import Policy

ACTOR = Actor("janitor", "janitor", "delete")

CLAIM_GOOD_FOR = timedelta(minutes=5)
"""From the claim to the call; far less than `track.NO_EFFECT_AFTER`, which gives claims up."""

PURGE_FOR = timedelta(minutes=3)
"""How much of that emptying may take; the next sweep goes on with the rest."""

MODE_GOOD_FOR = timedelta(seconds=5)
"""For so long the mode is taken as known; then it is read again, and after any emptying."""

MOST_PAUSES = 24
"""Runs that only emptied something. After that the bucket is being filled, not emptied."""

TRIES = 5


def deletion_token(lease: Lease) -> str:
    """Return the ClientRequestToken of this claim: its place in the chain is its alone."""
    digest = hashlib.sha256(lease.stack_id.encode()).hexdigest()[:16]
    return f"janitor-delete-{digest}-{lease.generation}-{lease.seq}"


class Attempt(Struct, frozen=True):
    """One claim: the lease as it was claimed, and how to go about it."""

    claimed: Lease
    stack: Stack
    step: Step
    now: datetime
    policy: Policy
    clock: Clock
    stacks: Stacks
    ledger: Ledger
    purgers: Mapping[str, Purger]
    may_go_on: Callable[[], bool]
    mode: Callable[[], Mode]
    companion: Companion | None = None

    def make(self) -> Outcome:
        """Make the attempt as far as it goes in this run."""
        if self._is_late():
            return self._outcome(
                Status.SKIPPED, "held up after the claim; the next sweep decides anew"
            )
        lease = self.claimed
        if self.step.purge:
            lease, is_paused = self._purge(lease)
            if is_paused:
                return self._outcome(
                    Status.SKIPPED, "emptied in part; the next sweep goes on with it"
                )
            if self._is_late():
                return self._outcome(
                    Status.SKIPPED, "held up while emptying; the next sweep decides anew"
                )
        is_known = not self.step.purge and self.clock() - self.now < MODE_GOOD_FOR
        if not is_known and (why := self._why_not()):
            self._pause(lease, f"nothing is deleted now: {why}")
            return self._outcome(Status.SKIPPED, why)
        if self.companion is not None and self.companion.is_to_be_asked:
            lease, is_taken = self._ask_companion(lease, self.companion.stack)
            if is_taken and self.companion.goes_first:
                why = "its companion goes first; the next sweep goes on with the stack itself"
                self._pause(lease, why)
                return self._outcome(Status.SKIPPED, why)
        if self.stack.termination_protection:
            self.stacks.protect(lease.stack_id, on=False)
            text = "termination protection taken off, as the policy says (override_protection)"
            lease = self._note(lease, "protection.removed", Reason(text))
        return self._ask(lease)

    def _ask_companion(self, lease: Lease, companion: Stack) -> tuple[Lease, bool]:
        """Ask for the companion's deletion first; tell whether it was taken."""
        asked = ask_for(companion, deletion_token(self.claimed), self.stacks)
        lease = self._note(
            lease,
            asked.action,
            asked.reason,
            result=asked.result,
            request_ids=asked.request_ids,
        )
        return lease, asked.result == "ok"

    def _is_late(self) -> bool:
        """Tell whether others may have taken the claim for dead, and an owner the stack."""
        return self.clock() - self.now > CLAIM_GOOD_FOR

    def _why_not(self) -> str:
        """Say why the mode, read anew, lets nothing be deleted any more; nothing if it does."""
        try:
            mode = self.mode()
        except JanitorError as error:
            return f"the mode cannot be read: {error}"
        return "" if mode is Mode.ENFORCE else f"mode is {mode.value} by now"

    def _ask(self, lease: Lease) -> Outcome:
        """Call DeleteStack, and journal what AWS answered."""
        try:
            request_id = self.stacks.delete(lease.stack_id, deletion_token(self.claimed), self.step)
        except DeleteRefused as refusal:
            failure = failure_of(refusal)
            lease = self._commit(
                lease,
                lambda stored: failed_attempt(
                    stored, failure, now=self.now, policy=self.policy, actor=ACTOR, stack=self.stack
                ),
            )
            if lease.unprotected:
                protect_again(lease, self.now, self.policy, self.stacks, self.ledger)
            return self._outcome(Status.FAILED, failure.text)
        reason = Reason(
            "CloudFormation accepted the deletion",
            {"attempt": str(lease.attempts), "rung": self.step.rung.value},
        )
        try:
            self._note(
                lease, "deletion.started", reason, request_ids=(request_id,), asked_at=self.clock()
            )
        except Conflict:
            why = "begun, and journalled by its intent; somebody else has tracked it already"
            return self._outcome(Status.DONE, why)
        return self._outcome(Status.DONE, "")

    def _purge(self, lease: Lease) -> tuple[Lease, bool]:
        """Empty what could not be deleted; tell whether it goes on in the next run."""
        read_at = self.now

        def in_time() -> bool:
            nonlocal read_at
            now = self.clock()
            if now - read_at >= MODE_GOOD_FOR and not self._why_not():
                read_at = now
            is_known = now - read_at < MODE_GOOD_FOR
            return is_known and now - self.now < PURGE_FOR and self.may_go_on()

        for resource in self.step.purge:
            purger = self.purgers.get(PURGEABLE[resource.type])
            if purger is None:
                continue
            done = purger.purge(resource.stack_id or lease.stack_id, resource, in_time)
            counts = ", ".join(f"{count} {what}" for what, count in sorted(done.counts.items()))
            text = f"{clean(str(resource))}: {counts or 'nothing'} deleted"
            if done.problem:
                text = f"{text}; {clean(done.problem)}"
            elif not done.is_empty:
                text = f"{text}; more is left"
            facts = {
                "type": resource.type,
                "logical_id": resource.logical_id,
                "physical_id": resource.physical_id,
                **{what: str(count) for what, count in done.counts.items()},
                "empty": "yes" if done.is_empty else "no",
            }
            result = "failed" if done.problem else "ok"
            lease = self._note(lease, "resource.purged", Reason(text, facts), result=result)
            if not done.is_empty and not done.problem and lease.refusals < MOST_PAUSES:
                why = self._why_not() or "more is emptied in the next run"
                return self._pause(lease, f"{clean(str(resource))} is not empty yet: {why}"), True
        return lease, False

    def _pause(self, lease: Lease, text: str) -> Lease:
        """Give the claim back: this was no attempt yet, and a later sweep goes on."""
        is_off = lease.unprotected and not self.stack.termination_protection
        back: dict[str, Any] = {"attempts": lease.attempts - 1, "rung": "", "unprotected": is_off}
        if is_untouched(lease, self.stack):
            # Nothing was asked of AWS yet, so its owner may still keep it.
            back |= {"state": LeaseState.MARKED, "claimed_at": None}
            return self._note(lease, "deletion.withdrawn", Reason(text), **back)
        back |= {"state": LeaseState.FAILED, "refusals": lease.refusals + 1, "last_error": text}
        if lease.cause == Cause.THROTTLED:
            back["cause"] = ""  # What was emptied meanwhile ends a run of refusals by a service.
        return self._note(lease, "deletion.paused", Reason(text), **back)

    def _note(
        self,
        lease: Lease,
        action: str,
        reason: Reason,
        *,
        result: str = "ok",
        request_ids: tuple[str, ...] = (),
        **changes: object,
    ) -> Lease:
        def make(stored: Lease) -> Entry[Lease]:
            now = self.clock()
            draft = _draft(
                stored, action, reason, now, self.policy, result=result, request_ids=request_ids
            )
            return entry(stored, replace(stored, **changes), draft)

        return self._commit(lease, make)

    def _commit(self, lease: Lease, make: Callable[[Lease], Entry[Lease]]) -> Lease:
        """Write upon the lease as it is by now, as long as the claim is still ours."""
        for _ in range(TRIES):
            written = make(lease)
            try:
                self.ledger.commit(written)
            except Conflict:
                found = self.ledger.lease(lease.stack_id)
                if found is None or not self._is_ours(found):
                    raise
                lease = found
            else:
                return written.record
        raise Conflict(f"{lease.stack_id} changes all the time")

    def _is_ours(self, lease: Lease) -> bool:
        claim = (LeaseState.DELETING, self.claimed.claimed_at, self.claimed.attempts)
        return (lease.state, lease.claimed_at, lease.attempts) == claim

    def _outcome(self, status: Status, why: str) -> Outcome:
        return Outcome(self.claimed.stack_id, "delete", status, why)


def protect_again(
    lease: Lease, now: datetime, policy: Policy, stacks: Stacks, ledger: Ledger
) -> Lease:
    """Put back the termination protection that was taken off for a deletion that came to nothing."""
    text = "its termination protection is put back, as it was not deleted"
    intent = _draft(lease, "protection.intended", Reason(text), now, policy)
    written = entry(lease, lease, intent)
    ledger.commit(written)
    stacks.protect(lease.stack_id, on=True)
    lease = written.record
    draft = _draft(
        lease, "protection.restored", Reason("termination protection is on again"), now, policy
    )
    restored = entry(lease, replace(lease, unprotected=False), draft)
    ledger.commit(restored)
    return restored.record


def _draft(
    lease: Lease,
    action: str,
    reason: Reason,
    now: datetime,
    policy: Policy,
    *,
    result: str = "ok",
    request_ids: tuple[str, ...] = (),
) -> Draft:
    return about(
        lease,
        action,
        reason,
        actor=ACTOR,
        now=now,
        policy_version=policy.version,
        result=result,
        request_ids=request_ids,
    )
