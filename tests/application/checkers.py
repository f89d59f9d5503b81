"""Checkers for each invariant of DESIGN.md §4, over the world's own record.

A checker collects what it finds, since an assertion raised inside a journey could be
swallowed there. The mutations that each one has caught are in mutations.py.
"""

import os
from collections import Counter
from datetime import datetime
from typing import Any

from tests.application import truth
from tests.application.comparing import asked_to_delete, compared
from tests.application.holding import BUSY, OPEN, Holding, why_held
from tests.application.recording import Observer
from tests.application.timing import (
    in_force,
    let_go_at,
    standing,
    why_not_adopted,
    why_too_soon,
)
from tests.application.truth import DAY, HOUR
from tests.application.world import Shown, Swept, World

from janitor.domain.deletion.strategy import Step
from janitor.domain.journal.chain_check import verify
from janitor.domain.journal.events import FIRST_PREVIOUS, Entry
from janitor.domain.model import Account, Lease, LeaseState, Mode, MoveCause, Stack
from janitor.domain.notification.messages import DeletionRequest, Message, RevisionRequest, Telling
from janitor.domain.stack.resources import Resource

ONLY = os.environ.get("HUNT", "")
"""Set by mutations.py to an invariant's number: no other checker may take the credit."""

STATE_AFTER = {
    "lease.opened": "active",
    "lease.reopened": "active",
    "lease.extended": "active",
    "lease.let_go": "active",
    "stack.marked": "marked",
    "stack.unmarked": "active",
    "deletion.intended": "deleting",
    "deletion.failed": "failed",
    "deletion.refused": "failed",
    "deletion.paused": "failed",
    "deletion.withdrawn": "marked",
    "deletion.given_up": "needs_attention",
    "deletion.confirmed": "deleted",
}
"""What a reader of the journal takes the lease to be; other events change no state."""


class Checkers(Observer):
    """The invariants; `found` is what did not hold."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.states: dict[str, str] = {}
        self.heads: dict[str, tuple[int, str]] = {}
        self.opened: dict[str, datetime] = {}
        self.recorded: set[str] = set()
        self.intended: Counter[str] = Counter()
        self.called: Counter[str] = Counter()
        self.adopted: dict[str, datetime] = {}
        self.holding = Holding()
        self.retagged: set[str] = set()

    def no(self, invariant: int, what: str) -> None:
        """Record that an invariant does not hold."""
        if ONLY in {"", str(invariant)}:
            self.found.append(f"invariant {invariant}: {what}")

    # At the moment of a change.

    def on_delete(self, stack_id: str, step: Step, world: World) -> None:
        """Look at a DeleteStack call before it takes effect."""
        stack = world.stacks.stacks[stack_id]
        if stack.status != "DELETE_COMPLETE":
            self._told(stack, world)  # 1
            self._extended(stack, world)  # 2
            self._managed(stack, world)  # 4
        self._intent("deletion", stack_id)  # 3
        if self.states.get(stack_id) != "deleting":
            self.no(3, f"{stack.name} deleted without a claim")
        self._last_resort(stack, step, world)
        self._not_held(stack, world)  # 6
        if stack_id in world.ledger.spoiled:
            self.no(9, f"{stack.name} deleted, and nobody can read its lease")
        if not any(view.mode is Mode.ENFORCE for view in world.views[world.purged_at :]):
            self.no(8, f"deleted in mode {world.mode}")

    def on_purge(self, stack_id: str, resource: Resource, world: World) -> None:
        """4: only what this stack's deletion has failed on is emptied, and only if opted in."""
        ids = (resource.logical_id, resource.physical_id)
        if not any(ids in view.failed.get(stack_id, ()) for view in world.views):
            self.no(4, f"emptied {resource}, which did not fail, of {stack_id}")
        if not any(
            truth.may_purge(view.stacks[stack_id], resource, view.terms) for view in world.views
        ):
            self.no(4, f"emptied {resource} though nobody opted in")
        if self.states.get(stack_id) != "deleting":
            self.no(3, f"emptied {resource} without a claim")

    def on_protect(self, stack_id: str, on: bool, world: World) -> None:
        """4: protection is taken off for a claimed deletion alone, where the policy says so."""
        if on:
            self._intent("protection", stack_id)
            if not any(view.mode.notifies for view in world.views):
                self.no(8, f"termination protection of {stack_id} put back in mode {world.mode}")
            return
        if not any(view.terms.override for view in world.views):
            self.no(4, f"termination protection of {stack_id} taken off")
        if self.states.get(stack_id) != "deleting":
            self.no(3, f"termination protection of {stack_id} taken off without a claim")

    def _last_resort(self, stack: Stack, step: Step, world: World) -> None:
        """4: nothing is left behind unless the policy says so, and only what failed."""
        if not step.rung.is_last_resort:
            return
        failed = {
            one.logical_id
            for one in world.stacks.resources.of(stack.stack_id)
            if one.status == "DELETE_FAILED"
        }
        if not any(view.terms.last_resort == step.rung.value for view in world.views):
            self.no(4, f"{stack.name} asked for with {step.rung} against the policy")
        if stack.status == "DELETE_FAILED" and {o.logical_id for o in step.retain} != failed:
            self.no(4, f"{stack.name} leaves {step.retain}, and {failed} failed")

    def on_tag(self, stack_id: str, world: World, *, shown: bool = False) -> None:
        """Look at a change of tags before it takes effect."""
        self._intent("tags", stack_id)
        if not any(view.mode.notifies for view in world.views):
            self.no(8, f"tagged in mode {world.mode}")
        if not any(view.terms.tagging == "on" for view in world.views):
            self.no(4, "tagged though the policy says off")
        if more := truth.more_than_tags(stack_id, world.stacks, shown=shown):
            self.no(10, f"{stack_id} is tagged, and {more}")
        world.seen["tagged by a change set"] += shown

    def on_send(self, message: Message, world: World) -> None:
        """Look at a notice as it leaves."""
        if not any(view.mode.notifies for view in world.views):
            self.no(8, f"sent {message.subject} in mode {world.mode}")
        self._heard(message, world)

    def _heard(self, message: Message, world: World) -> None:
        """1: a final notice is sent only where somebody heard it when a sweep looked last.

        It was queued by one sweep; those after it may have looked as well.
        """
        if "final" not in message.kinds or world.message is None:
            return
        since = range(world.message.sweep, world.sweeps + 1)
        if all(message.contact.address in world.deaf_at.get(one, ()) for one in since):
            self.no(1, f"final notice to {message.contact.address}, which nobody hears")

    def on_revise(self, message: Message, world: World) -> None:
        """Look at an earlier notice as it is shown anew: what it says holds now."""
        if not any(view.mode.notifies for view in world.views):
            self.no(8, f"revised {message.subject} in mode {world.mode}")
        for told in truth.read_notice(message.text, world.now):
            stacks = [s for s in world.stacks.stacks.values() if s.created == told.created]
            leases = [world.ledger.records.get(s.stack_id) for s in stacks if s.name == told.name]
            for lease in leases:
                if not isinstance(lease, Lease) or not told.promised:
                    continue
                if lease.delete_after != told.promised:
                    self.no(1, f"shown anew with {told.promised}, and {lease.delete_after} holds")

    def on_queue(self, request: Telling | DeletionRequest, world: World) -> None:
        """Look at a message as it is queued."""
        if isinstance(request, RevisionRequest):
            return  # An owner may act in any mode; what is sent of it is looked at then.
        enforce = isinstance(request, DeletionRequest) and not request.restore_only
        allowed = [v for v in world.views if v.mode is Mode.ENFORCE or not enforce]
        if not any(view.mode.notifies for view in allowed):
            self.no(8, f"queued {request} in mode {world.mode}")

    def on_commit(self, entry: Entry[Any], world: World) -> None:
        """Replay what was written, and compare the record with it."""
        key, record = entry.record.key, entry.record
        seq, head = self.heads.get(key, (0, FIRST_PREVIOUS))
        for event in entry.events:
            if (event.seq, event.prev_hash) != (seq + 1, head):
                self.no(3, f"event {event.seq} of {key} does not follow {seq}")
            seq, head = event.seq, event.hash
            self._replay(event.action, event.body, key, world)
        if (record.seq, record.head) != (seq, head):
            self.no(3, f"record {key} does not remember the end of its chain")
        self.heads[key] = (seq, head)
        self._steps([event.action for event in entry.events], record, world)
        if isinstance(record, Lease) and record.state.value != self.states.get(key):
            action = entry.events[-1].action
            self.no(3, f"{action}: lease is {record.state.value}, journal {self.states.get(key)}")
        if world.doing == "plan":
            self.no(7, "the plan wrote to the ledger")
        action = entry.events[-1].action
        if world.doing != "sweep" or action in {"lease.extended", "lease.let_go"}:
            return  # An owner may act in the middle of a sweep.
        if all(view.mode is Mode.OFF for view in world.views):
            self.no(8, "a sweep in mode off wrote to the ledger")
        self._only_what_is_seen(action, record, world)

    def _only_what_is_seen(self, action: str, record: Lease | Account, world: World) -> None:
        """9: nothing is written about what cannot be listed or read."""
        if isinstance(record, Lease) and record.region in world.stacks.refused_in_list:
            self.no(9, f"{action} in refused region {record.region}")
        if record.key in world.ledger.spoiled:
            self.no(9, f"{action} upon a lease that nobody can read: {record.key}")

    def _replay(self, action: str, body: Any, key: str, world: World) -> None:
        match action:
            case "lease.opened" | "lease.reopened":
                self.opened[key] = world.now
            case "lease.closed":
                by = body["actor"]["via"]
                self.states[key] = "released" if by == "sweep" else "gone"
            case "stack.recorded":
                self.recorded.add(key)
            case "deletion.confirmed":
                self._told_what_stayed(key, body, world)
            case "deletion.intended" | "tags.intended" | "protection.intended":
                if action == "deletion.intended" and key not in self.recorded:
                    self.no(3, f"intent without a record of what {key} is")
                self.recorded.discard(key)
                self.intended[f"{action.split('.', maxsplit=1)[0]} {key}"] += 1
            case _:
                pass
        if action in STATE_AFTER:
            self.states[key] = STATE_AFTER[action]

    def _told_what_stayed(self, key: str, body: Any, world: World) -> None:
        """3: a stack of which something stayed is never just deleted.

        Where a fault hides what stayed, that is what is said.
        """
        if body["result"] == "unverified" and world.schedule.hit:
            return
        stayed = [
            one.physical_id
            for one in world.stacks.resources.fates(key)
            if one.status != "DELETE_COMPLETE"
        ]
        facts = " ".join(body["reason"]["facts"].values())
        if stayed and (body["result"] == "ok" or not all(one in facts for one in stayed)):
            self.no(3, f"{key} is confirmed as {body['result']}, and {stayed} stayed")

    # What a sweep opens, marks and accepts.

    def _steps(self, actions: list[str], record: Lease | Account, world: World) -> None:
        if isinstance(record, Account):
            self._accepted(record, actions, world)
            return
        for action in actions:
            self._step(action, record, world)

    def _step(self, action: str, lease: Lease, world: World) -> None:
        match action:
            case "lease.opened" | "lease.reopened":
                self._adopts(lease, world)
                self.holding.release(lease.stack_id)
            case "stack.marked":
                self._marked(lease, world)
            case "lease.extended" | "lease.let_go":
                self.holding.release(lease.stack_id)
            case _:
                pass

    def _adopts(self, lease: Lease, world: World) -> None:
        """4 and 6: who was there before is adopted, and left alone while the edit is held."""
        key, view = lease.stack_id, world.views[0]
        accepted = view.accepted
        stack = view.stacks[key]
        is_old = world.now - stack.created > truth.OLD
        was_managed = accepted is None or truth.managed(stack, accepted)
        if (is_old or not was_managed) and lease.adopted_at is None:
            self.no(4, f"{stack.name} was there before, and is not adopted")
        is_settled = self.holding.is_settled
        is_first = key not in self.adopted and lease.generation == 1
        if is_first and is_settled and not is_old and lease.adopted_at is not None:
            self.no(4, f"{stack.name} is adopted at the age of {world.now - stack.created}")
        at = lease.adopted_at
        if at is not None and self.adopted.setdefault(key, at) != at:
            self.no(4, f"{stack.name} is adopted twice")
        if self._is_sure(world) and self.holding.must_hold_policy and not was_managed:
            self.no(6, f"{stack.name} is taken in by a policy that is not accepted")

    def _marked(self, lease: Lease, world: World) -> None:
        """1, 4, 6 and 11: nothing is marked before its time."""
        key, name = lease.stack_id, lease.name
        ends = [end for view in world.views for end in in_force(world, key, view)]
        if self._is_sure(world) and (why := why_held(self.holding, key, world.now)):
            self.no(6, f"{name} is marked, and {why}")
        elif world.views[0].accepted == world.views[0].terms and not any(
            end <= world.now for end in ends
        ):
            self.no(1, f"{name} is marked, and its deadline is {ends}")
        if all(truth.nearly(standing(key, view, view.terms)) for view in world.views):
            self.no(11, f"{name} is marked, and somebody means to keep it")
        if all(truth.tagged_to_stay(standing(key, view, view.terms)) for view in world.views):
            self.no(4, f"{name} is marked, and a tag protects it")
        if key in self.adopted:
            whys = [why_not_adopted(world, key, v, self.opened[key]) for v in world.views]
            if all(whys):
                self.no(4, f"{name} is marked, and was adopted; {whys[-1]}")

    def _is_sure(self, world: World) -> bool:
        """Tell whether the sweep under way has seen what is there."""
        return world.doing == "sweep" and not world.schedule.hit and not world.ledger.lag

    def _accepted(self, account: Account, actions: list[str], world: World) -> None:
        """6: a policy is accepted if it surprises nobody, or by an operator."""
        if "policy.accepted" in actions and world.accepted and self._is_sure(world):
            if self.holding.must_hold_policy:
                names = sorted(self.holding.brought_forward)
                self.no(6, f"a policy is accepted that brings forward {len(names)}: {names}")
            for region in world.stacks.refused_in_list:
                last = world.regions.certain.get(region)
                if last and world.now - last < 3 * DAY:
                    self.no(6, f"a policy is accepted while nobody sees {region}")
        if "breaker.tripped" in actions:
            is_edited = world.accepted != world.terms
            if not is_edited and len(self.retagged) <= truth.MOST_AT_ONCE:
                self.no(6, f"held, and only {len(self.retagged)} stacks ever got other tags")
        if account.accepted_policy == world.policy().document:
            world.accepted = world.terms

    def on_retagged(self, stack_id: str) -> None:
        """Note whose tags another hand has changed."""
        self.retagged.add(stack_id)

    def before_sweep(self, world: World) -> None:
        """6: look at what the sweep has to hold."""
        self.holding.look(world)

    def on_lifted(self, shown: Shown, held: Shown | None, world: World) -> None:
        """6: an operator accepts exactly what was shown."""
        if held is None or shown.content != held.content:
            self.no(6, f"accepted {held}, and shown was {shown}")
        for stack_id, _ in shown.content:
            self.holding.release(stack_id)

    def _not_held(self, stack: Stack, world: World) -> None:
        """6: nothing goes by a deadline that is held."""
        assert world.message is not None
        request = world.message.request
        if isinstance(request, DeletionRequest) and request.restore_only:
            self.no(6, f"{stack.name} deleted by a request to put its protection back")
        if stack.stack_id in self.holding.held:
            former = self.holding.former(stack.stack_id)
            if former is None or world.now < former:
                self.no(6, f"{stack.name} deleted, and its tags are a surprise: {former} holds")

    # 1 and 2.

    def _told(self, stack: Stack, world: World) -> None:
        """1: all present owners were told of this deadline in time, as the text promised."""
        whys = [why_too_soon(world, stack.stack_id, view) for view in world.views]
        if all(whys):
            anew = [why_too_soon(world, stack.stack_id, v, void=False) for v in world.views]
            # Without the silence of the region it would have been all right.
            self.no(1 if all(anew) else 9, f"{stack.name} deleted, but {whys[-1]}")

    def _extended(self, stack: Stack, world: World) -> None:
        """2: an acknowledged extension holds, but for the cap of `max_lifetime`.

        Unless the owner has let the stack go since, and not deployed it again.
        """
        let_go = let_go_at(world, stack.stack_id)
        deployed = [at for view in world.views for at in view.deployed[stack.stack_id]]
        if let_go is not None and let_go > min(deployed):
            return
        until = world.extended.get(stack.stack_id)
        begun = max(stack.created, self.adopted.get(stack.stack_id, stack.created))
        caps = [begun + 24 * HOUR * view.terms.max_days for view in world.views]
        if until is not None and world.now < min(until, *caps):
            self.no(2, f"{stack.name} deleted, but it was extended until {until}")

    def on_extended(self, stack_id: str, lease: Lease, days: int) -> None:
        """2: what is acknowledged is an open lease that runs at least that long."""
        if lease.state is not LeaseState.ACTIVE or lease.extended_until is None:
            self.no(2, f"an extension of a lease that is {lease.state}")

    # 3.

    def _intent(self, what: str, stack_id: str) -> None:
        """3: the intent is in the journal before the call."""
        key = f"{what} {stack_id}"
        self.called[key] += 1
        if self.called[key] > self.intended[key]:
            self.no(3, f"call without an intent: {key}")

    def after_step(self, world: World) -> None:
        """3: who reads journal and account sees one story; nothing says deleted too soon."""
        stacks = world.stacks.stacks
        for key, state in self.states.items():
            if state == "deleted" and stacks[key].status != "DELETE_COMPLETE":
                self.no(3, f"journal says {state}, stack is {stacks[key].status}")
            record = world.ledger.records[key]
            if isinstance(record, Lease) and record.state.value != state:
                self.no(3, f"lease is {record.state.value}, journal says {state}")

    def at_end(self, world: World) -> None:
        """3: every chain verifies against the head that its record remembers, and ends."""
        for key, stack in world.stacks.stacks.items():
            closed = self.states.get(key, "gone") in {"deleted", "gone", "released"}
            if stack.status == "DELETE_COMPLETE" and not closed:
                self.no(3, f"{stack.name} is gone, and the journal stays silent")
        for key in world.ledger.chain_keys():
            head = world.ledger.records[key].head
            for finding in verify(key, list(world.ledger.chain(key)), head):
                self.no(3, finding.text)

    # 4 and 6.

    def _managed(self, stack: Stack, world: World) -> None:
        """4: the stack as it was seen is managed, known for a while, unprotected, at rest."""
        whys = []
        for view in world.views:
            seen = standing(stack.stack_id, view, view.terms)
            known = world.now - self.opened[stack.stack_id]
            if not truth.managed(seen, view.terms):
                whys.append("not managed")
            elif stack.stack_id in view.taken_out:
                whys.append("taken out")
            elif truth.protected(seen, view.terms):
                whys.append("protected")
            elif seen.status.endswith("_IN_PROGRESS"):
                whys.append(f"busy: {seen.status}")
            elif known < view.terms.min_observed * HOUR:
                whys.append("just seen for the first time")
            else:
                whys.append("")
        if all(whys):
            self.no(4, f"{stack.name} deleted, but {whys[-1]}")
        near = [truth.nearly(standing(stack.stack_id, v, v.terms)) for v in world.views]
        if all(near):
            self.no(11, f"{stack.name} deleted, and somebody meant to keep it")

    # 6, 7 and 9, after a sweep.

    def after_sweep(self, swept: Swept, world: World) -> None:
        """Compare what a sweep did with what the plan said and what has to be held."""
        if swept.calls_by_plan:
            self.no(7, f"the plan made {swept.calls_by_plan} changes")
        deletions = asked_to_delete(swept)
        most = swept.terms.max_deleting
        if most is not None and len(deletions) > most:
            self.no(6, f"{len(deletions)} deletions queued, and {most} may be under way")
        for stack_id in deletions:
            if stack_id.split(":")[3] in swept.refused:
                self.no(9, f"deletion queued in a refused region: {stack_id}")
        if swept.report is None or not swept.undisturbed:
            return
        for what, planned, done in compared(swept):
            if planned != done:
                self.no(7, f"{what}: planned {planned}, done {done}")
        if swept.mode is not Mode.OFF:
            self.holding.swept(world)
            self._held(swept, world)
            self._as_it_stood(swept, world)

    def _held(self, swept: Swept, world: World) -> None:
        """6: marks made meanwhile are taken back, and what was put back is held no more."""
        for stack_id in self.holding.held if swept.mode.notifies else ():
            lease = world.ledger.records[stack_id]
            former = self.holding.former(stack_id)
            is_ahead = former is None or world.now < former
            if isinstance(lease, Lease) and lease.state is LeaseState.MARKED and is_ahead:
                self.no(6, f"{lease.name} is still marked, and {former} holds")
        if swept.refused or world.accepted != swept.terms:
            return
        for lease in swept.view.leases.values():
            after = world.ledger.records[lease.stack_id]
            assert isinstance(after, Lease)
            is_by_policy = after.moved and after.moved.cause is MoveCause.POLICY
            if is_by_policy and after.state is LeaseState.ACTIVE and self._can_read(after, world):
                self.no(6, f"{lease.name} is held, and the policy is accepted")

    def _as_it_stood(self, swept: Swept, world: World) -> None:
        """4: a deployment that drops all tags changes nothing."""
        for lease in swept.view.leases.values():
            stack, after = swept.view.stacks[lease.stack_id], world.ledger.records[lease.stack_id]
            assert isinstance(after, Lease)
            bare = not truth.COUNTING & stack.tags.keys()
            if not bare or not lease.tags or lease.state not in OPEN or stack.status in BUSY:
                continue
            if lease.region in swept.refused or not self._can_read(lease, world):
                continue
            if lease.stack_id in swept.view.taken_out or not self.holding.is_settled:
                continue
            self._compare_dropped(lease, after)

    def _compare_dropped(self, lease: Lease, after: Lease) -> None:
        """Compare a lease before and after a sweep that saw none of the stack's tags."""
        if not after.state.is_open:
            self.no(4, f"{lease.name} lost its tags, and its lease with them")
        if (lease.contacts, lease.protection) != (after.contacts, after.protection):
            self.no(4, f"{lease.name} lost its tags, and is {after.contacts}, {after.protection}")
        if lease.problem != after.problem:
            self.no(4, f"{lease.name} lost its tags, and its problem is {after.problem}")
        ends, was = after.expires_at, lease.expires_at
        is_earlier = ends is not None and (was is None or ends < was)
        if is_earlier and not lease.let_go_at and not lease.moved:
            self.no(4, f"{lease.name} lost its tags, and ends {ends} instead of {was}")

    def _can_read(self, lease: Lease, world: World) -> bool:
        return lease.stack_id not in world.ledger.spoiled

    def unprotected(self, world: World) -> set[str]:
        """List what an attempt that came to nothing has left without its protection."""
        leases = world.ledger.open_records().leases
        return {
            stack_id
            for stack_id, lease in leases.items()
            if lease.unprotected
            and lease.state is not LeaseState.DELETING
            and not world.stacks.stacks[stack_id].status.startswith("DELETE_")
            and stack_id.split(":")[3] not in world.stacks.refused_in_list
        }

    def after_calm(self, before: set[str], world: World) -> None:
        """5: a sweep that nothing disturbed, with all its messages, puts protection back."""
        if world.mode.notifies:
            for stack_id in before & self.unprotected(world):
                self.no(5, f"{stack_id} was left without its termination protection")
