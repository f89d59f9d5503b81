"""One account in memory, with everybody in it, that keeps its own record of what was done."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from tests.application.faults import Crash, Schedule, faulty
from tests.application.recording import (
    Observer,
    Queued,
    RecordingChannel,
    RecordingLedger,
    RecordingPurger,
    RecordingStacks,
    WorldPolicies,
    WorldQueue,
    WorldTopic,
)
from tests.application.truth import Terms, Told, policy_of

from janitor.application.deletion.delete import delete
from janitor.application.deletion.track import track
from janitor.application.lease.extend import extend
from janitor.application.lease.release import let_go
from janitor.application.notification.dispatch import tell
from janitor.application.operations.breaker import lift
from janitor.application.operations.unmanage import unmanage
from janitor.application.sweep.sweep import Report, sweep
from janitor.domain.errors import (
    ExtensionRefused,
    JanitorError,
    LiftRefused,
    StackNotFound,
    UnreadableRecord,
)
from janitor.domain.journal.events import Actor, Entry
from janitor.domain.model import Account, Lease, Mode, Stack
from janitor.domain.notification.messages import DeletionRequest
from janitor.domain.notification.signed_links import Links
from janitor.domain.policy.model import Policy

START = datetime(2026, 6, 1, 10, tzinfo=UTC)
"""A Monday. All instants here are whole minutes, since notices tell no seconds."""
REGIONS = ("eu-central-1", "us-east-1")
LINKS = Links(("k" * 32,), "https://janitor.example")
OWNER = Actor("owner", "ann@x.org", "link")
OPERATOR = Actor("operator", "olga", "cli")
SWEEPER = Actor("janitor", "janitor", "sweep")

Result = TypeVar("Result")


@dataclass(frozen=True)
class View:
    """How things stood at one moment of a journey: other hands may act during it."""

    stacks: Mapping[str, Stack]
    terms: Terms
    mode: Mode
    deployed: Mapping[str, set[datetime]]
    """When each stack may have been deployed last."""
    failed: Mapping[str, frozenset[tuple[str, str]]]
    """The resources, by both their ids, that CloudFormation has failed to delete in each stack."""
    leases: Mapping[str, Lease]
    """The open leases, for the tags that each remembers."""
    accepted: Terms | None
    """By which policy was last accepted."""
    taken_out: frozenset[str]


class Regions:
    """When each region was listed, and since when notices there are void."""

    def __init__(self) -> None:
        self.last: dict[str, datetime] = {}
        self.certain: dict[str, datetime] = {}
        self.longest: dict[str, timedelta] = {}
        self.void: dict[str, datetime] = {}

    def listed(self, region: str, now: datetime, *, certain: bool) -> bool:
        """Note that a region may have been listed; return whether it was away for too long.

        The ledger notes it every twelve hours at the least, and what fails is not noted at all:
        this is true only where it is beyond doubt.
        """
        last = self.last.get(region)
        self.last[region] = now
        if last is None:
            self.certain[region] = now
            return False
        usual = self.longest.get(region, timedelta()) + timedelta(hours=12)
        is_void = now - last > max(timedelta(days=4), 3 * usual)
        if is_void:
            self.void[region] = now
        if certain:
            gap = now - self.certain[region]
            self.longest[region] = max(gap, self.longest.get(region, gap))
            self.certain[region] = now
        return is_void


@dataclass(frozen=True)
class Shown:
    """What an operator was shown as held: the name of the set, and what is in it."""

    name: str
    content: frozenset[tuple[str, str]]


@dataclass
class Swept:
    """What one sweep was seen to do; `queued` is what it put into the queue."""

    number: int
    report: Report | None
    planned: Report
    queued: tuple[Queued, ...]
    commits: tuple[Entry[Any], ...]
    refused: frozenset[str]
    calls_by_plan: int
    undisturbed: bool
    view: View
    """How things stood before."""

    @property
    def terms(self) -> Terms:
        """Return the policy in force."""
        return self.view.terms

    @property
    def mode(self) -> Mode:
        """Return the mode in force."""
        return self.view.mode


class World:
    """The account, its people, and the record of what the janitor did to them."""

    def __init__(self, observer: Observer) -> None:
        self.observer = observer
        self.now = START
        self.terms = Terms()
        self.mode = Mode.ENFORCE
        self.schedule = Schedule()
        self.stacks = RecordingStacks(self)
        self.stacks.resources.needs["Queue"] = "Data"
        self.purgers = {kind: RecordingPurger(self, kind) for kind in ("s3", "ecr")}
        self.ledger = RecordingLedger(self)
        self.channel = RecordingChannel(self)
        self.queue: list[Queued] = []
        self.views: list[View] = []
        self.purged_at = 0
        """Which view was the last when a bucket was emptied: the mode is read again after that."""
        self.doing = ""
        self.message: Queued | None = None
        self.sweeps = 0
        self.commits: list[Entry[Any]] = []
        self.commits_of: dict[str, list[Entry[Any]]] = {}
        self.told: list[Told] = []
        self.told_of: dict[str, list[Told]] = {}
        self.texts: list[str] = []
        self.deployed: dict[str, datetime] = {}
        self.maybe_deployed: dict[str, set[datetime]] = {}
        self.extended: dict[str, datetime] = {}
        self.accepted: Terms | None = None
        self.regions = Regions()
        self.shown: Shown | None = None
        self.taken_out: set[str] = set()
        self.deaf: set[str] = set()
        """Whom the filter of the topic's subscription shuts out."""
        self.deaf_at: dict[int, frozenset[str]] = {}
        """Who was deaf when a sweep of this number looked, if it did."""
        self.mutations = 0
        self.puts = 0
        self.seen: Counter[str] = Counter()

    # The ports, as the journeys get them.

    def clock(self) -> datetime:
        """Return the time; reading it never fails."""
        return self.now

    def policy(self) -> Policy:
        """Return the policy in force."""
        return policy_of(self.terms)

    def current_mode(self) -> Mode:
        """Return the mode in force."""
        return self.mode

    def ports(self, *names: str) -> dict[str, Any]:
        """Return the ports of these names, each of whose calls may be hit."""
        real = {
            "stacks": self.stacks,
            "ledger": self.ledger,
            "channel": self.channel,
            "queue": WorldQueue(self),
            "policies": WorldPolicies(self),
            "topic": WorldTopic(self),
        }
        return {name: faulty(real[name], lambda: self.schedule) for name in names}

    def run(
        self, doing: str, schedule: Schedule, act: Callable[[], Result]
    ) -> tuple[Result | None, BaseException | None]:
        """Run a journey under a schedule of faults; return its result, or how it ended."""
        self.schedule, self.doing = schedule, doing
        self.views, self.purged_at = [self.view()], 0
        other_hands = schedule.meanwhile

        def meanwhile() -> None:
            kept, self.schedule = self.schedule, Schedule()
            other_hands()
            self.schedule = kept
            self.views.append(self.view())

        schedule.meanwhile = meanwhile
        try:
            return act(), None
        except (Crash, JanitorError) as end:
            return None, end
        finally:
            self.seen.update(fault.name for fault in schedule.hit)
            self.schedule, self.doing, self.views = Schedule(), "", []

    def view(self) -> View:
        """Return how things stand."""
        deployed = {
            stack_id: {at, *self.maybe_deployed.get(stack_id, ())}
            for stack_id, at in self.deployed.items()
        }
        failed = {
            stack_id: frozenset(
                (one.logical_id, one.physical_id)
                for one in self.stacks.resources.of(stack_id)
                if one.status == stack.status
            )
            for stack_id, stack in self.stacks.stacks.items()
            if stack.status == "DELETE_FAILED"
        }
        leases = {
            key: one
            for key, one in self.ledger.records.items()
            if isinstance(one, Lease) and one.state.is_open
        }
        return View(
            dict(self.stacks.stacks),
            self.terms,
            self.mode,
            deployed,
            failed,
            leases,
            self.accepted,
            frozenset(self.taken_out),
        )

    @property
    def writes(self) -> int:
        """Count the changes so far, but for messages in the queue."""
        return self.mutations - self.puts

    # The journeys.

    def sweep(self, schedule: Schedule, fate: str = "lost", *, lag: bool = False) -> Swept:
        """Plan, then sweep the same account at the same instant.

        `fate` is what becomes of the queue in a crash; with `lag` the open leases are
        read as they were one write ago.
        """
        self.sweeps += 1
        self.deaf_at[self.sweeps] = frozenset(self.deaf)
        self.ledger.lag = lag
        self.observer.before_sweep(self)
        view = self.view()
        before, queued, commits = self.mutations, len(self.queue), len(self.commits)
        planned, _ = self.run("plan", Schedule(), lambda: self._sweep(apply=False))
        assert planned is not None
        by_plan = self.mutations - before
        report, end = self.run("sweep", schedule, lambda: self._sweep(apply=True))
        self.ledger.lag = False
        decided = report.plan.decisions if report else ()
        self.seen["held up"] += sum("and stays" in str(decision.reason) for decision in decided)
        if self.mode is not Mode.OFF:
            for region in {*REGIONS} - self.stacks.refused_in_list:
                self.seen["region away"] += self.regions.listed(
                    region, self.now, certain=not schedule.hit and not lag
                )
        new = tuple(self.queue[queued:])
        if isinstance(end, Crash):
            kept = {"lost": [], "kept": self.queue, "twice": [*self.queue, *self.queue]}
            self.queue = list(kept[fate])
        return Swept(
            self.sweeps,
            report,
            planned,
            new,
            tuple(self.commits[commits:]),
            frozenset(self.stacks.refused_in_list),
            by_plan,
            not schedule.hit and not lag,
            view,
        )

    def _sweep(self, *, apply: bool) -> Report:
        ports = self.ports("policies", "stacks", "ledger", "queue", "topic")
        return sweep(clock=self.clock, regions=REGIONS, actor=SWEEPER, apply=apply, **ports)

    def deliver(self, place: int, schedule: Schedule, *, again: bool = False) -> None:
        """Process one message, from any place in the queue; `again`: it comes once more."""
        message = self.queue.pop(place % len(self.queue))
        self.message = message
        request = message.request
        if not isinstance(request, DeletionRequest):
            ports = self.ports("policies", "ledger", "channel")
            self.run(
                "notify",
                schedule,
                lambda: tell(request, clock=self.clock, links=LINKS, **ports),
            )
        else:
            ports = self.ports("policies", "stacks", "ledger")
            purgers: Any = {
                kind: faulty(purger, lambda: self.schedule) for kind, purger in self.purgers.items()
            }
            self.run(
                "delete",
                schedule,
                lambda: delete(request, clock=self.clock, purgers=purgers, **ports),
            )
        self.message = None
        if again:
            self.queue.append(message)

    def drain(self) -> None:
        """Process all messages in order, without faults."""
        while self.queue:
            self.deliver(0, Schedule())

    def track(self, stack_id: str, schedule: Schedule) -> None:
        """Let a status event about the stack arrive."""
        ports = self.ports("policies", "stacks", "ledger", "queue")
        self.run("track", schedule, lambda: track(stack_id, clock=self.clock, **ports))

    def extend(
        self, stack_id: str, days: int, schedule: Schedule, generation: int | None = None
    ) -> None:
        """Let an owner extend; remember what was acknowledged."""

        def act() -> Lease:
            return extend(
                stack_id,
                by=timedelta(days=days),
                actor=OWNER,
                reason="still needed",
                now=self.now,
                policy=self.policy(),
                ledger=ledger,
                generation=generation,
                queue=WorldQueue(self),
            )

        ledger: Any = faulty(self.ledger, lambda: self.schedule)
        nested = bool(self.doing)
        try:
            if nested:
                lease: Lease | None = act()
            else:
                lease, end = self.run("extend", schedule, act)
                if isinstance(end, ExtensionRefused):
                    raise end
        except (ExtensionRefused, StackNotFound, UnreadableRecord):
            self.seen["extension refused"] += 1
            return
        if lease is not None and lease.expires_at is not None:
            self.seen["extension granted"] += 1
            self.observer.on_extended(stack_id, lease, days)
            self.extended[stack_id] = max(lease.expires_at, self.extended.get(stack_id, START))

    def let_go(self, stack_id: str, schedule: Schedule) -> None:
        """Let an owner let a stack go, be it in the middle of a journey."""

        def act() -> Lease:
            return let_go(
                stack_id,
                actor=OWNER,
                reason="not needed any more",
                now=self.now,
                policy=self.policy(),
                ledger=ledger,
                queue=WorldQueue(self),
            )

        ledger: Any = faulty(self.ledger, lambda: self.schedule)
        try:
            lease, end = (act(), None) if self.doing else self.run("let go", schedule, act)
            if isinstance(end, ExtensionRefused | StackNotFound):
                raise end
        except (ExtensionRefused, StackNotFound, UnreadableRecord):
            self.seen["letting go refused"] += 1
            return
        if lease is not None:
            self.seen["let go"] += 1

    def click(self, which: int) -> None:
        """Let an owner click a link of some notice, the latest for 0."""
        text = self.texts[-1 - which % len(self.texts)]
        tokens = [part.split()[0] for part in text.split("/extend/")[1:]]
        for token in tokens[:1]:
            try:
                claims = LINKS.verify(token, self.now)
            except JanitorError:
                return
            self.seen["click"] += 1
            self.extend(claims.stack_id, 1, Schedule(), claims.generation)

    def show(self) -> Report:
        """Let an operator look at what is held."""
        report = self.run("plan", Schedule(), lambda: self._sweep(apply=False))[0]
        assert report is not None
        self.shown = _shown(report) or self.shown
        return report

    def lift(self, schedule: Schedule, *, stale: bool) -> None:
        """Let an operator accept what is held, as it is shown now or was the last time."""
        before_that, plan = self.shown, self.show()
        now = _shown(plan)
        shown = before_that if stale else now
        if shown is None:
            return
        ledger: Any = faulty(self.ledger, lambda: self.schedule)
        before = self.ledger.account().seq

        def act() -> Account:
            return lift(
                plan.plan,
                shown=shown.name,
                actor=OPERATOR,
                reason="the team asked for it",
                now=self.now,
                policy=self.policy(),
                ledger=ledger,
            )

        _, end = self.run("lift", schedule, act)
        if self.ledger.account().seq > before:
            self.observer.on_lifted(shown, now, self)
        elif isinstance(end, LiftRefused):
            self.seen["lift refused"] += 1

    def take_out(self, stack_id: str, schedule: Schedule, *, undo: bool) -> None:
        """Let an operator take a stack out for good, or put it back."""
        lease = self.ledger.records.get(stack_id)
        if not isinstance(lease, Lease):
            return
        ledger: Any = faulty(self.ledger, lambda: self.schedule)

        def act() -> Account:
            return unmanage(
                lease,
                actor=OPERATOR,
                reason="it is no feature",
                now=self.now,
                ledger=ledger,
                undo=undo,
            )

        self.run("unmanage", schedule, act)
        self.taken_out = {key for key, _ in self.ledger.account().taken_out}

    # Owners and their deployments.

    def alive(self) -> list[Stack]:
        """Return the stacks that are not gone."""
        return [s for s in self.stacks.stacks.values() if s.status != "DELETE_COMPLETE"]

    def create(
        self, name: str, region: str, tags: Mapping[str, str], *, nested: bool, **more: Any
    ) -> None:
        """Deploy a stack, if the name is free there."""
        if any(stack.name == name and stack.region == region for stack in self.alive()):
            return
        parent = "arn:aws:cloudformation:x:1:stack/parent/1" if nested else None
        stack = self.stacks.create(name, region, tags, parent_id=parent, **more)
        self.deployed[stack.stack_id] = stack.created
        self.now += timedelta(minutes=1)  # So that name and creation tell stacks apart.

    def redeploy(self, stack: Stack, tags: Mapping[str, str] | None) -> None:
        """Deploy a stack again, where CloudFormation takes an update.

        No two updates of a stack are of one instant, as their times tell them apart.
        """
        if stack.updated == self.now and self.doing:
            return
        if stack.updated == self.now:
            self.now += timedelta(minutes=1)
        if self.stacks.stacks[stack.stack_id].status in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            if tags not in (None, self.stacks.stacks[stack.stack_id].tags):
                self.observer.on_retagged(stack.stack_id)
            self.stacks.redeploy(stack.stack_id, tags)
            self.deployed[stack.stack_id] = self.now
            self.maybe_deployed.pop(stack.stack_id, None)


def _shown(report: Report) -> Shown | None:
    surprise = report.plan.surprise
    if surprise is None:
        return None
    moves = {(le.stack_id, str(le.moved.to)) for le in surprise.leases if le.moved}
    new = {(stack_id, "new") for stack_id in surprise.new}
    policy = {("policy", surprise.policy_version)}
    return Shown(surprise.set_id, frozenset(moves | new | policy))
