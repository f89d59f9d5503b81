"""One checker per invariant of DESIGN.md §4, over the world's own record.

A checker collects what it finds, since an assertion raised inside a journey could be
swallowed there. The mutations that each one has caught are in mutations.py.
"""

import os
from collections import Counter
from datetime import datetime
from typing import Any

from tests.journeys import truth
from tests.journeys.comparing import asked_to_delete, compared
from tests.journeys.recording import Observer
from tests.journeys.timing import let_go_at, why_too_soon
from tests.journeys.truth import HOUR
from tests.journeys.world import Swept, World

from janitor.core.audit import verify
from janitor.core.decisions import decision_name
from janitor.core.journal import FIRST_PREVIOUS, Entry
from janitor.core.ladder import Step
from janitor.core.model import Lease, LeaseState, Mode, Stack
from janitor.core.requests import DeletionRequest, Message, RevisionRequest, Telling
from janitor.core.resources import Resource

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
    """The nine invariants; `found` is what did not hold."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.states: dict[str, str] = {}
        self.heads: dict[str, tuple[int, str]] = {}
        self.opened: dict[str, datetime] = {}
        self.recorded: set[str] = set()
        self.intended: Counter[str] = Counter()
        self.called: Counter[str] = Counter()
        self.deleted_by_sweep: dict[int, set[str]] = {}
        self.limits: dict[int, int] = {}
        self.stopped = False

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
        self._within_limits(stack_id, world)  # 6
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

    def on_tag(self, stack_id: str, world: World) -> None:
        """Look at a change of tags before it takes effect."""
        self._intent("tags", stack_id)
        if not any(view.mode.notifies for view in world.views):
            self.no(8, f"tagged in mode {world.mode}")
        if not any(view.terms.tagging == "on" for view in world.views):
            self.no(4, "tagged though the policy says off")

    def on_send(self, message: Message, world: World) -> None:
        """Look at a notice as it leaves."""
        if not any(view.mode.notifies for view in world.views):
            self.no(8, f"sent {message.subject} in mode {world.mode}")

    def on_revise(self, message: Message, world: World) -> None:
        """Look at an earlier notice as it is shown anew: what it says holds now."""
        if not any(view.mode.notifies for view in world.views):
            self.no(8, f"revised {message.subject} in mode {world.mode}")
        for told in truth.read_notice(message.text, world.now):
            stacks = [s for s in world.stacks.stacks.values() if s.created == told.created]
            leases = [world.ledger.lease(s.stack_id) for s in stacks if s.name == told.name]
            for lease in leases:
                if told.promised and lease and lease.delete_after != told.promised:
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
        if getattr(record, "region", "") in world.stacks.refused_in_list:
            self.no(9, f"{action} in refused region {record.region}")

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
            case "breaker.tripped" | "breaker.cleared" | "breaker.lifted":
                self.stopped = action == "breaker.tripped"
                if action == "breaker.lifted":
                    world.lifted_until = world.now + 24 * HOUR
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

    # 1 and 2.

    def _told(self, stack: Stack, world: World) -> None:
        """1: all present owners were told of this deadline in time, as the text promised."""
        whys = [why_too_soon(world, stack.stack_id, view) for view in world.views]
        if all(whys):
            self.no(1, f"{stack.name} deleted, but {whys[-1]}")

    def _extended(self, stack: Stack, world: World) -> None:
        """2: an acknowledged extension holds, but for the cap of `max_lifetime`.

        Unless the owner has let the stack go since, and not deployed it again.
        """
        let_go = let_go_at(world, stack.stack_id)
        deployed = [at for view in world.views for at in view.deployed[stack.stack_id]]
        if let_go is not None and let_go > min(deployed):
            return
        until = world.extended.get(stack.stack_id)
        caps = [stack.created + 24 * HOUR * view.terms.max_days for view in world.views]
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
            seen = view.stacks[stack.stack_id]
            known = world.now - self.opened[stack.stack_id]
            if not truth.managed(seen, view.terms):
                whys.append("not managed")
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

    def _within_limits(self, stack_id: str, world: World) -> None:
        """6: no sweep deletes more than it may, and none is deleted once one has stopped."""
        assert world.message is not None
        number, request = world.message.sweep, world.message.request
        if isinstance(request, DeletionRequest) and request.restore_only:
            self.no(6, f"{stack_id} deleted by a request to put its protection back")
        ids = self.deleted_by_sweep.setdefault(number, set())
        ids.add(stack_id)
        if len(ids) > self.limits[number]:
            self.no(6, f"{len(ids)} deletions by one sweep")
        if self.stopped and len(world.views) == 1:
            self.no(6, "deleted after the breaker had tripped")

    # 6, 7 and 9, after a sweep.

    def after_sweep(self, swept: Swept, world: World, terms: truth.Terms) -> None:
        """Compare what a sweep did with what the plan said and what the limits allow."""
        self.limits[swept.number] = max(terms.max_deletes, world.terms.max_deletes)
        if swept.calls_by_plan:
            self.no(7, f"the plan made {swept.calls_by_plan} changes")
        deletions = asked_to_delete(swept)
        if len(deletions) > self.limits[swept.number]:
            self.no(6, f"{len(deletions)} deletions queued")
        for stack_id in deletions:
            if stack_id.split(":")[3] in swept.refused:
                self.no(9, f"deletion queued in a refused region: {stack_id}")
        if swept.report is None:
            return
        decided = swept.report.plan.decisions
        in_line = sum("in line" in str(d.reason) for d in decided)
        stopped = sum(str(d.reason).startswith("breaker") for d in decided)
        first = sum("goes first" in str(d.reason) for d in decided)
        going = sum(decision_name(d) in ("delete", "retry") for d in decided)
        due = going + in_line + stopped + first
        count = sum(decision_name(d) != "ignore" for d in decided)
        many = due >= terms.floor and due > terms.fraction * count
        if (due > terms.max_due or many) and deletions and world.now >= world.lifted_until:
            self.no(6, f"{due} of {count} are due, and deletions were queued")
        if swept.undisturbed:
            for what, planned, done in compared(swept):
                if planned != done:
                    self.no(7, f"{what}: planned {planned}, done {done}")

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
