"""All journeys in one process: what a sweep queues is done when it ends."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from functools import partial
from itertools import chain

from msgspec import Struct, field
from msgspec.structs import replace

from janitor.application.deletion.delete import delete
from janitor.application.notification.dispatch import tell
from janitor.application.ports import (
    Channel,
    Clock,
    Ledger,
    Policies,
    Purger,
    SideBySide,
    Stacks,
    Topic,
    in_turn,
)
from janitor.application.sweep.outbox import Gathered
from janitor.application.sweep.sweep import Report, guarded, sweep
from janitor.domain.errors import ConfigurationError, StackNotFound, UnreadableRecord
from janitor.domain.journal.event_view import stack_name
from janitor.domain.journal.events import Actor
from janitor.domain.model import Contact, Lease, Mode, Outcome, Status
from janitor.domain.notification.commands import NOWHERE, Place
from janitor.domain.notification.messages import DeletionRequest, Telling
from janitor.domain.notification.signed_links import Links

MOST_WAITED = timedelta(minutes=10)
"""In all, for deletions whose turn comes later: somebody may be waiting for the sweep to end."""


class Janitor(Struct, frozen=True):
    """The journeys with everything that they depend on; queues are emptied in-process."""

    clock: Clock
    policies: Policies
    stacks: Stacks
    ledger: Ledger
    channel: Channel | None
    regions: tuple[str, ...]
    """Where to look, if not where the policy says."""
    home: str
    """The region of the tables, and where to look if nobody says."""
    links: Links | None = None
    purgers: Mapping[str, Purger] = field(default_factory=dict)
    """Who empties what CloudFormation cannot delete, by the word that opts in."""
    queue: Gathered = field(default_factory=Gathered)
    side_by_side: SideBySide = in_turn
    place: Place = NOWHERE
    """Where the commands in notices find this janitor."""
    unheard: str = ""
    """Why nobody is known to hear what is told, where that is so: mode enforce refuses it."""
    topic: Topic | None = None
    """Where somebody has to be seen to hear what is told; None where nobody looks."""
    pause: Callable[[float], None] | None = None
    """Waits for so many seconds; without it a deletion whose turn is later is not waited for."""

    def plan(self) -> Report:
        """Decide, and apply nothing."""
        return self._sweep(Actor("janitor", "janitor", "cli"), apply=False)

    def sweep(self, actor: Actor) -> Report:
        """Make a whole sweep: decide, apply, send the notices, ask for the deletions."""
        if self.policies.mode().notifies and self.channel is None:
            raise ConfigurationError(
                f"mode {self.policies.mode().value} sends notices, and nothing says how:"
                " give --notify console or --notify sns:ARN"
            )
        if self.policies.mode() is Mode.ENFORCE and self.unheard:
            raise ConfigurationError(self.unheard)
        report = self._sweep(actor, apply=True)
        return Report(report.plan, (*report.outcomes, *self.drain()))

    def where(self) -> tuple[str, ...]:
        """Return the regions to look at: as given, as the policy says, or the home region."""
        return self.regions or self.policies.policy().regions or (self.home,)

    def find(self, name: str) -> Lease | None:
        """Return the lease of a stack by id, open or closed, or the open one by its name.

        Raises `StackNotFound` where the name alone does not tell which one is meant, and
        `UnreadableRecord` where the only one of that name says nothing.
        """
        if name.startswith("arn:"):
            return self.ledger.lease(name)
        records = self.ledger.open_records()
        found = [lease for lease in records.leases.values() if lease.name == name]
        if self.regions:
            found = [lease for lease in found if lease.region in self.regions]
        if len(found) > 1:
            ids = ", ".join(sorted(lease.stack_id for lease in found))
            raise StackNotFound(f"{len(found)} stacks are called {name}; give the id: {ids}")
        for key, why in records.unreadable.items():
            if not found and stack_name(key) == name:
                raise UnreadableRecord(key, why)
        return found[0] if found else None

    def drain(self) -> tuple[Outcome, ...]:
        """Do what is queued: notices first, since no deletion goes before its notice."""
        told = self.side_by_side(self._notices())
        later = [one for one in self.queue.deletions if one.not_before is not None]
        deleted = self.side_by_side(self._deletions())
        return tuple(chain.from_iterable((*told, *deleted, *self._in_their_turn(later))))

    def _notices(self) -> Iterator[Callable[[], list[Outcome]]]:
        """Yield what each contact is told, by contact; no two of one run side by side."""
        tellings: dict[Contact, list[Callable[[], Iterable[Outcome]]]] = {}
        for request in self.queue.take_notices():
            tellings.setdefault(request.contact, []).append(partial(self._tell, request))
        for contact, several in sorted(tellings.items(), key=lambda one: one[0]):
            yield partial(_all, contact.address, "notify", several)

    def _deletions(self) -> Iterator[Callable[[], list[Outcome]]]:
        while self.queue.deletions:
            deletion = self.queue.deletions.pop(0)
            if deletion.not_before is None:
                yield partial(_all, deletion.stack_id, "delete", [partial(self._delete, deletion)])

    def _in_their_turn(self, later: Iterable[DeletionRequest]) -> Iterator[list[Outcome]]:
        """Wait for the turn of each, the first of them first, and no longer than `MOST_WAITED`."""
        began, waited = self.clock(), timedelta()
        for request in sorted(later, key=lambda one: one.not_before or began):
            # The clock of a test, or of `--now`, may stand still.
            passed = max(self.clock() - began, waited)
            left = (request.not_before or began) - began - passed
            if self.pause is None or passed + left > MOST_WAITED:
                why = "its turn at AWS is too far off to wait for; the next sweep goes on"
                yield [Outcome(request.stack_id, "delete", Status.SKIPPED, why)]
                continue
            if left > timedelta():
                self.pause(left.total_seconds())
                waited = passed + left
            act = partial(self._delete, replace(request, not_before=None))
            yield _all(request.stack_id, "delete", [act])

    def _tell(self, request: Telling) -> Iterable[Outcome]:
        if self.channel is None:
            return ()
        return tell(
            request,
            clock=self.clock,
            policies=self.policies,
            ledger=self.ledger,
            channel=self.channel,
            links=self.links,
            topic=self.topic,
            place=self.place,
            side_by_side=self.side_by_side,
        )

    def _delete(self, request: DeletionRequest) -> Iterable[Outcome]:
        yield delete(
            request,
            clock=self.clock,
            policies=self.policies,
            stacks=self.stacks,
            ledger=self.ledger,
            purgers=self.purgers,
        )

    def _sweep(self, actor: Actor, *, apply: bool) -> Report:
        return sweep(
            clock=self.clock,
            policies=self.policies,
            regions=self.where(),
            stacks=self.stacks,
            ledger=self.ledger,
            queue=self.queue,
            actor=actor,
            apply=apply,
            topic=self.topic,
            side_by_side=self.side_by_side,
        )


def _all(key: str, action: str, acts: Iterable[Callable[[], Iterable[Outcome]]]) -> list[Outcome]:
    return [outcome for act in acts for outcome in guarded(key, action, act)]
