"""Ports in memory that tell an observer about every change at the moment it is asked for."""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tests.application.truth import read_notice
from tests.fakes.memory import MemoryChannel, MemoryLedger
from tests.fakes.resources import MemoryPurger
from tests.fakes.stacks import MemoryStacks

from janitor.application.ports import PLAIN, OpenRecords, Purged
from janitor.domain.deletion.strategy import Step
from janitor.domain.journal.events import Entry
from janitor.domain.model import Audience, Lease, Mode, Stack, Subscription
from janitor.domain.notification.messages import DeletionRequest, Message, Sent, Telling
from janitor.domain.notification.topic_reach import heard_by
from janitor.domain.planning.plan import Listing
from janitor.domain.policy.model import Policy
from janitor.domain.stack.resources import Resource
from janitor.domain.tagging.change_set import Proposal

if TYPE_CHECKING:
    from tests.application.world import Shown, World


@dataclass(frozen=True)
class Queued:
    """A message, and the number of the sweep that it comes from."""

    request: Telling | DeletionRequest
    sweep: int


class Observer:
    """What the checkers are told about, at the moment when it happens."""

    def on_tag(self, stack_id: str, world: "World", *, shown: bool = False) -> None:
        """The tags of a stack are about to be changed, or a change set for that executed."""

    def on_delete(self, stack_id: str, step: Step, world: "World") -> None:
        """A stack is about to be deleted."""

    def on_purge(self, stack_id: str, resource: Resource, world: "World") -> None:
        """A bucket or a repository is about to be emptied."""

    def on_protect(self, stack_id: str, on: bool, world: "World") -> None:
        """A stack's termination protection is about to be switched by the janitor."""

    def before_sweep(self, world: "World") -> None:
        """A sweep is about to begin."""

    def on_retagged(self, stack_id: str) -> None:
        """Another hand is about to change the tags of a stack."""

    def on_lifted(self, shown: "Shown", held: "Shown | None", world: "World") -> None:
        """An operator has accepted the set that was shown, when `held` was what is held."""

    def on_commit(self, entry: Entry[Any], world: "World") -> None:
        """The ledger has been written."""

    def on_send(self, message: Message, world: "World") -> None:
        """A notice has been taken."""

    def on_revise(self, message: Message, world: "World") -> None:
        """An earlier notice is shown anew."""

    def on_queue(self, request: Telling | DeletionRequest, world: "World") -> None:
        """Something is about to be queued."""

    def on_extended(self, stack_id: str, lease: Lease, days: int) -> None:
        """An extension has been acknowledged."""


class RecordingStacks(MemoryStacks):
    """CloudFormation that tells the observer about every change it is asked for."""

    def __init__(self, world: "World") -> None:
        super().__init__(world.clock)
        self.world = world
        self.unlistable: dict[str, int] = {}
        """Regions whose listing breaks off after so many stacks; other calls work."""
        self.refused_in_list: set[str] = set()

    def list_all(self, regions: Iterable[str]) -> Iterator[Listing]:
        """List each region; some lists break off."""
        self.refused_in_list = set()
        for listing in super().list_all(regions):
            if listing.region in self.unlistable and not listing.error:
                partial = listing.stacks[: self.unlistable[listing.region]]
                yield_this = Listing(listing.region, partial, "Throttling on page 2")
            else:
                yield_this = listing
            if yield_this.error:
                self.refused_in_list.add(listing.region)
            yield yield_this

    def tag(
        self,
        stack: Stack,
        put: Mapping[str, str],
        remove: Collection[str],
        token: str,
    ) -> bool:
        """Record the call, then change the tags."""
        self.world.mutations += 1
        self.world.observer.on_tag(stack.stack_id, self.world)
        return super().tag(stack, put, remove, token)

    def propose(
        self, stack: Stack, put: Mapping[str, str], remove: Collection[str], token: str
    ) -> bool:
        """Record the call: it changes something at AWS, if nothing of the stack."""
        self.world.mutations += 1
        return super().propose(stack, put, remove, token)

    def execute(self, stack: Stack, proposal: Proposal, token: str) -> None:
        """Record the call, then change the tags."""
        self.world.mutations += 1
        self.world.observer.on_tag(stack.stack_id, self.world, shown=True)
        super().execute(stack, proposal, token)

    def withdraw(self, stack_id: str) -> None:
        """Record the call."""
        self.world.mutations += 1
        super().withdraw(stack_id)

    def delete(self, stack_id: str, token: str, step: Step = PLAIN) -> str:
        """Record the call with everything as it is right now, then delete."""
        self.world.mutations += 1
        self.world.observer.on_delete(stack_id, step, self.world)
        self.world.seen["last resort"] += step.rung.is_last_resort
        self.world.seen["cleanup role"] += bool(step.role)
        return super().delete(stack_id, token, step)

    def protect(self, stack_id: str, *, on: bool) -> None:
        """Record the call, then switch."""
        self.world.mutations += 1
        self.world.observer.on_protect(stack_id, on, self.world)
        super().protect(stack_id, on=on)


class RecordingPurger(MemoryPurger):
    """A purger that tells the observer what it is asked to empty."""

    def __init__(self, world: "World", kind: str) -> None:
        super().__init__(world.stacks.resources, kind)
        self.world = world

    def purge(self, stack_id: str, resource: Resource, may_go_on: Callable[[], bool]) -> Purged:
        """Record the call, then empty."""
        self.world.mutations += 1
        self.world.purged_at = len(self.world.views) - 1
        self.world.seen[f"purged {self.kind}"] += 1
        self.world.observer.on_purge(stack_id, resource, self.world)
        return super().purge(stack_id, resource, may_go_on)


class RecordingLedger(MemoryLedger):
    """A ledger that tells the observer about every write, and whose index may lag."""

    def __init__(self, world: "World") -> None:
        super().__init__()
        self.world = world
        self.lag = False
        self._before = super().open_records()

    def open_records(self) -> OpenRecords:
        """Return the account and the open leases, perhaps as they were one write ago."""
        return self._before if self.lag else super().open_records()

    def commit(self, entry: Entry[Any]) -> None:
        """Write, and record what was written."""
        before = super().open_records()
        known = self.journal.get(entry.record.key, [])
        super().commit(entry)
        if self.journal[entry.record.key] is not known:
            self._before = before
            self.world.mutations += 1
            self.world.commits.append(entry)
            self.world.commits_of.setdefault(entry.record.key, []).append(entry)
            self.world.observer.on_commit(entry, self.world)


TOPIC = "arn:aws:sns:eu-central-1:123456789012:notices"


@dataclass
class WorldTopic:
    """A topic with one subscription, whose filter shuts out who is deaf just now."""

    world: "World"

    def audience(self, now: datetime) -> Audience:
        """Return who hears it."""
        deaf = sorted(self.world.deaf)
        policy = json.dumps({"owner": [{"anything-but": deaf}]}) if deaf else ""
        return Audience(TOPIC, now, (Subscription("1", "email", policy),))


class RecordingChannel(MemoryChannel):
    """The topic, as far as it is sent to; it remembers when it took what, as a reader understands it."""

    def __init__(self, world: "World") -> None:
        super().__init__()
        self.world = world

    def send(self, message: Message) -> Sent:
        """Take a message that somebody hears, as the ledger has it."""
        heard_by(message.audience, TOPIC, {"owner": (message.contact.address,)})
        sent = super().send(message)
        world = self.world
        world.mutations += 1
        world.observer.on_send(message, world)
        for told in read_notice(message.text, world.now):
            world.told.append(told)
            world.told_of.setdefault(told.name, []).append(told)
            world.seen["first word"] += told.is_first_word
            world.seen["told of dropped tags"] += "A deployment dropped its tags" in told.text
        if "/extend/" in message.text:
            world.texts.append(message.text)
        if message.contact.kind.value == "operators":
            world.seen["told operators"] += 1
        return sent

    def revise(self, message_id: str, message: Message, said: str) -> None:
        """Take a revision; it changes nothing that is at rest."""
        super().revise(message_id, message, said)
        self.world.seen["revised"] += 1
        self.world.observer.on_revise(message, self.world)


@dataclass
class WorldQueue:
    """The way into the world's queue."""

    world: "World"

    def notify(self, request: Telling) -> None:
        """Queue a digest."""
        self._put(request)

    def delete(self, request: DeletionRequest) -> None:
        """Queue a deletion."""
        self._put(request)

    def _put(self, request: Telling | DeletionRequest) -> None:
        self.world.mutations += 1
        self.world.puts += 1
        self.world.observer.on_queue(request, self.world)
        self.world.queue.append(Queued(request, self.world.sweeps))


@dataclass
class WorldPolicies:
    """The world's policy and mode as a port."""

    world: "World"

    def policy(self) -> Policy:
        """Return the policy in force."""
        return self.world.policy()

    def mode(self) -> Mode:
        """Return the mode in force."""
        return self.world.mode
