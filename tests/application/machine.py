"""A machine that plays everybody in an account at once."""

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from msgspec.structs import replace
from tests.application.checkers import Checkers
from tests.application.drawn import (
    CLEANUP_ROLE,
    COUNTS,
    CROWD,
    EDITS,
    JUMPS,
    MISSPELT,
    NAMES,
    ORDERS,
    ORDERS_BETWEEN,
    OWN_ROLE,
    OWNERS,
    READERS,
    SCRIPTS,
    SURPRISES,
    fates,
    faults_anywhere,
    faults_early,
    lifetimes,
    others,
    owners,
    which,
)
from tests.application.ending import come_to_rest
from tests.application.faults import Fault, Schedule
from tests.application.truth import HAZARDS, LIFETIME, NEARLY, PROTECTING
from tests.application.world import REGIONS, World

from janitor.domain.errors import DeliveryFailed, Undeliverable
from janitor.domain.model import (
    DELETE_AFTER_TAG,
    STATE_TAG,
    Contact,
    ContactKind,
    LeaseState,
    Mode,
    Stack,
)
from janitor.domain.notification.messages import DeletionRequest
from janitor.domain.planning.decisions import decision_name
from janitor.domain.stack.resources import Resource

MIRRORED = frozenset({STATE_TAG, DELETE_AFTER_TAG})


class Account(RuleBasedStateMachine):
    """Owners, operators, CloudFormation and the janitor, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.checkers = Checkers()
        self.world = World(self.checkers)
        self.before_script: dict[str, tuple[dict[str, str], dict[str, str] | None]] = {}

    def step(self) -> None:
        """Count a step, and say what does not hold after it."""
        COUNTS["steps"] += 1
        self.checkers.after_step(self.world)
        assert not self.checkers.found, "\n".join(self.checkers.found)

    def pick(self, n: int) -> Stack | None:
        """Return one of the stacks that are not gone."""
        alive = self.world.alive()
        return alive[n % len(alive)] if alive else None

    def subject(self) -> Stack | None:
        """Return the stack that the message in process is about, where races are."""
        request = self.world.message.request if self.world.message else None
        stack_id = request.stack_id if isinstance(request, DeletionRequest) else ""
        return next((stack for stack in self.world.alive() if stack.stack_id == stack_id), None)

    def plan(self, faults: dict[int, Fault], other: str, n: int) -> Schedule:
        """Return a schedule whose other hand does `other` to a stack."""
        return Schedule(faults, lambda: self.act(other, n))

    def tags(self, lifetime: str, owner: str, *, fast: bool) -> dict[str, str]:
        """Return a deployment's tags."""
        tags = {"env": "fast" if fast else "dev"}
        if lifetime.startswith(("+", "-", "2026")):
            hours = lifetime.removesuffix("h")
            when = lifetime if "2026" in lifetime else self._in(int(hours))
            tags["janitor:expires"] = when
        elif lifetime:
            tags["janitor:ttl"] = lifetime
        if owner:
            tags["janitor:owner"] = owner
        return tags

    def _in(self, hours: int) -> str:
        return f"{self.world.now + timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}"

    def act(self, what: str, n: int) -> None:
        """Let another hand do something, be it in the middle of a journey."""
        world, stack = self.world, self.subject() or self.pick(n)
        if what in {"off", "observe"}:
            world.mode = Mode(what)
        elif stack is not None and what == "extend":
            world.extend(stack.stack_id, 1, Schedule())
        elif stack is not None and what == "let go":
            world.let_go(stack.stack_id, Schedule())
        elif stack is not None and what == "remove":
            world.stacks.remove(stack.stack_id)
        elif stack is not None:
            tags = {
                "redeploy": None,
                "strip": {"env": "dev"},
                "later": {**stack.tags, "janitor:expires": self._in(60)},
                "protect": {**stack.tags, "janitor:protect": "demo on Friday"},
                "owner": {**stack.tags, "janitor:owner": OWNERS[n % 3]},
            }
            world.redeploy(stack, tags[what])

    # Owners.

    @initialize(
        edits=st.lists(st.sampled_from(EDITS), max_size=3),
        some=st.integers(1, 5),
        owner=owners,
        bob=st.integers(2, 4),
        deaf=st.sampled_from([(), (), ("ann@x.org",), ("bob@x.org", "ops@x.org"), READERS]),
        office_hours=st.sampled_from([False, False, True]),
        min_observed=st.sampled_from([1, 1, 40]),
        theme=st.sampled_from(
            ["", "crowd", "named", "named", "narrow", "failing", "stubborn", "laden", "roleless"]
        ),
    )
    def begin(
        self,
        edits: list[dict[str, object]],
        some: int,
        owner: str,
        bob: int,
        deaf: tuple[str, ...],
        theme: str,
        **terms: Any,
    ) -> None:
        """Begin with a policy and some stacks, and perhaps an owner who cannot be reached."""
        self.world.deaf.update(deaf)
        self.turn(0, bob)
        self.world.terms = replace(self.world.terms, **terms)
        for edit in edits:
            self.world.terms = replace(self.world.terms, **edit)
        for name in NAMES[:some]:
            self.world.create(name, REGIONS[0], self.tags("3h", owner, fast=False), nested=False)
        stacks = self.world.stacks
        match theme:
            case "narrow":
                self.world.terms = replace(self.world.terms, max_deleting=1)
                stacks.lock(self.world.alive()[0].stack_id)
            case "failing" | "stubborn":
                most = 1 if theme == "failing" else 4
                self.world.terms = replace(self.world.terms, max_attempts=most)
                for stack in self.world.alive():
                    stacks.fail(stack.stack_id, 2)
            case "laden" | "roleless":
                self.begin_laden(some, owner, bob, roleless=theme == "roleless")
            case "crowd" | "named":
                self.begin_crowded(owner, rounds=bob - 1, is_named=theme == "named")
            case _:
                pass

    def begin_laden(self, some: int, owner: str, bob: int, *, roleless: bool) -> None:
        """Begin with stacks that will not go at once: full, protected, imported, without a role."""
        stacks = self.world.stacks
        resort = ("none", "retain", "force")[some % 3]
        role = CLEANUP_ROLE * (roleless or some != 1) or None
        self.world.terms = replace(
            self.world.terms,
            purge=True,
            last_resort=resort,
            cleanup_role=role,
            override=some % 2 == 1,
            max_attempts=4 if bob == 2 else 2,
        )
        for number, name in enumerate(NAMES[min(some, 3) : 5]):
            tags = self.tags("3h", owner, fast=False)
            more = self.contents(name, number * 8 + 4 * (some % 2 and not roleless))
            self.world.create(name, REGIONS[0], tags, nested=False, **more)
        locked = self.world.alive()[0].stack_id
        stacks.lock(locked)
        stacks.hold(locked, "another stack")
        used = [e for stack in self.world.alive() for e in stack.exports][:1]
        tags = {"owner": "ann@x.org"}
        self.world.create("keep-f", REGIONS[0], tags, nested=False, imports=tuple(used))
        if roleless or bob == 3:
            stacks.gone_roles.add(OWN_ROLE)
        for stack in self.world.alive() * (bob == 2):
            stacks.fail(stack.stack_id, 1, resource="Queue")

    def begin_crowded(self, owner: str, rounds: int, *, is_named: bool) -> None:
        """Begin with so many stacks that one edit, or one script, is a surprise."""
        if is_named:
            self.world.terms = replace(self.world.terms, by_name=True, ttl=96)
        is_taken_in = is_named and rounds == 3
        if is_taken_in:
            self.world.terms = replace(self.world.terms, by_name=False)
        self.gather("" if is_named else "4d", owner, protect=rounds == 1 and not is_named)
        for _ in range(rounds):
            self.calm()
        if is_taken_in:
            self.world.terms = replace(self.world.terms, by_name=True)
            self.calm()

    def gather(self, lifetime: str, owner: str, *, protect: bool) -> None:
        """Deploy eight stacks at once."""
        tags = self.tags(lifetime, owner, fast=False)
        if protect:
            tags["DoNotDelete"] = "yes"
        for name in CROWD:
            self.world.create(name, REGIONS[0], tags, nested=False)

    def calm(self) -> None:
        """Let a sweep and all its messages go well."""
        self._sweep(Schedule())
        self.world.drain()

    @rule(lifetime=st.sampled_from(["4d", "30h", "", "soon"]), owner=owners, protect=st.booleans())
    def crowd(self, lifetime: str, owner: str, protect: bool) -> None:
        """Deploy eight stacks at once, and let the janitor see them."""
        self.gather(lifetime, owner, protect=protect)
        self.calm()
        self.step()

    @rule(what=st.sampled_from(SCRIPTS), parts=st.sampled_from([1, 1, 1, 2]), jump=which)
    def script(self, what: str, parts: int, jump: int) -> None:
        """Let a script write the same tags on all stacks, at once or in two goes."""
        stacks, self.before_script = self.world.alive(), {}
        for part in range(parts):
            for stack in stacks[part::parts]:
                tags = self.scripted(what, dict(stack.tags))
                self.before_script[stack.stack_id] = (dict(stack.tags), tags)
                self.world.redeploy(stack, tags)
            self.calm()
            self.world.now += timedelta(hours=jump % 3)
        self.world.show()
        self.step()

    def scripted(self, what: str, tags: dict[str, str]) -> dict[str, str]:
        """Return what a script makes of a stack's tags."""
        match what:
            case "past" | "soon" | "later":
                hours = {"past": -2, "soon": 5, "later": 60}[what]
                return {**tags, "janitor:expires": self._in(hours)}
            case "short":
                tags.pop("janitor:expires", "")
                return {**tags, "janitor:ttl": "3h"}
            case _:
                keeping = PROTECTING | NEARLY
                return {key: value for key, value in tags.items() if key not in keeping}

    @rule(what=st.sampled_from(SURPRISES), jump=st.sampled_from(JUMPS[:6]))
    def edit(self, what: dict[str, object], jump: timedelta) -> None:
        """Let an operator edit the policy, and let time pass until a sweep sees it."""
        self.world.now += jump
        self.world.terms = replace(self.world.terms, **what)
        self.calm()
        self.world.show()
        self.step()

    @rule(what=st.sampled_from(["tags", "tags", "policy"]))
    def put_back(self, what: str) -> None:
        """Take a script's tags, or an edit that is not accepted, back."""
        world = self.world
        if what == "policy" and world.accepted is not None:
            world.terms = world.accepted
        for stack in world.alive() if what == "tags" else ():
            before, written = self.before_script.get(stack.stack_id, ({}, None))
            own = {key: value for key, value in stack.tags.items() if key not in MIRRORED}
            if own == {key: v for key, v in (written or {}).items() if key not in MIRRORED}:
                world.redeploy(stack, before)
        self.calm()
        self.step()

    @rule(stale=st.booleans(), faults=faults_early, jump=st.sampled_from(JUMPS))
    def accept(self, stale: bool, faults: dict[int, Fault], jump: timedelta) -> None:
        """Let an operator accept what is held, and see what comes of it."""
        self.world.lift(Schedule(faults), stale=stale)
        for span in (timedelta(minutes=5), jump):
            self.world.now += span
            self.calm()
        self.step()

    @rule(n=which, undo=st.booleans(), faults=faults_early)
    def take_out(self, n: int, undo: bool, faults: dict[int, Fault]) -> None:
        """Let an operator take a stack out, or put one back."""
        out = sorted(self.world.taken_out)
        if undo and out:
            self.world.take_out(out[n % len(out)], self.plan(faults, "extend", n), undo=True)
        elif (stack := self.pick(n)) and n % 3 == 0:
            self.world.take_out(stack.stack_id, self.plan(faults, "extend", n), undo=False)
        self.step()

    @rule(n=which, days=st.integers(4, 6), mark=st.booleans())
    def silence(self, n: int, days: int, mark: bool) -> None:
        """Let a region be away for days, with sweeps meanwhile, and come back."""
        region = REGIONS[n % 4 // 3]
        for _ in range(2 * mark):
            self.calm()
            self.world.now += timedelta(hours=3)
        self.world.stacks.refuse(region, "AccessDenied")
        for _ in range(days):
            self.calm()
            self.world.now += timedelta(hours=26)
        self.world.stacks.refuse(region, "")
        for _ in range(2):
            self.calm()
            self.world.now += timedelta(minutes=30)
        self.step()

    @rule(n=which, lifetime=lifetimes, owner=owners, special=st.integers(0, 19), more=which)
    def deploy(self, n: int, lifetime: str, owner: str, special: int, more: int) -> None:
        """Deploy a stack, now and then an unusual one."""
        tags = self.tags(lifetime, owner, fast=special in (1, 2, 3))
        if special in {4, 7, 8}:
            tags |= {f"filler-{i}": "" for i in range(49 - len(tags))}
        if special == 5:
            tags["janitor:self"] = "1"
        if special in {9, 10}:
            tags |= MISSPELT[more % 4]
        if special == 11:
            tags["DoNotDelete"] = "yes"
        name, region = NAMES[n % len(NAMES)], REGIONS[n % 3 // 2]
        contents = self.contents(name, more)
        if special >= 16:
            contents["created"] = self.world.now - timedelta(days=8, minutes=len(self.world.told))
        self.world.create(name, region, tags, nested=special == 6, **contents)
        self.hazard(name, region, more)
        self.step()

    def hazard(self, name: str, region: str, n: int) -> None:
        """Let every other stack be one whose update would read something anew; some have moved."""
        stacks = self.world.stacks
        found = [s for s in self.world.alive() if (s.name, s.region) == (name, region)]
        if n % 2 or not found or found[0].stack_id in stacks.templates:
            return
        stack_id = found[0].stack_id
        beside, moved = HAZARDS[n // 2 % len(HAZARDS)]
        resources = {one.logical_id: {"Type": one.type} for one in stacks.resources.of(stack_id)}
        stacks.templates[stack_id] = {"Resources": resources, **beside}
        stacks.moved[stack_id] = moved
        if "Transform" not in beside and "Parameters" not in beside:
            stacks.hidden.add(stack_id)
        if n % 10 == 0:
            stacks.change_sets[stack_id] = ("pipeline",)

    def contents(self, name: str, n: int) -> dict[str, Any]:
        """Return what a stack consists of, exports and imports, and whose role it has."""
        bucket = Resource("Data", "AWS::S3::Bucket", f"{name}-data-{n}")
        queue = Resource("Queue", "AWS::SQS::Queue", f"{name}-queue-{n}")
        kept = Resource("Log", "AWS::Logs::LogGroup", f"{name}-log-{n}", policy="Retain")
        exports = [e for other in self.world.alive() for e in other.exports]
        if n % 4 == 0:
            self.world.stacks.resources.contents[bucket.physical_id] = n * 60
        return {
            "resources": (queue, *[bucket] * (n % 4 == 0), *[kept] * (n % 7 == 0)),
            "exports": (f"{name}-out",) * (n % 3 == 0),
            "imports": tuple(exports[n % 5 : n % 5 + 1]),
            "role": OWN_ROLE * (n % 8 == 0),
        }

    @rule(n=which, lifetime=lifetimes, owner=owners, how=st.integers(0, 8))
    def retag(self, n: int, lifetime: str, owner: str, how: int) -> None:
        """Deploy again: as it was, without tags, with others, protected, set free."""
        if stack := self.pick(n):
            tags: dict[str, str] | None = {**stack.tags}
            match how:
                case 0:
                    tags = None
                case 1:
                    tags = {}
                case 2:
                    tags = {**stack.tags, "janitor:protect": "demo"}
                case 3:
                    keeping = PROTECTING | NEARLY
                    tags = {k: v for k, v in stack.tags.items() if k not in keeping}
                case 8:
                    dropped = LIFETIME | PROTECTING | NEARLY
                    tags = {k: v for k, v in stack.tags.items() if k not in dropped}
                case 6:
                    tags = {**stack.tags, **MISSPELT[n % 4]}
                case 7:
                    tags = {**stack.tags, "DoNotDelete": ("yes", "false")[n % 5 // 4]}
                case _:
                    tags = self.tags(lifetime, owner, fast=how == 5)
            self.world.redeploy(stack, tags)
        self.step()

    @rule(n=which, how=st.integers(0, 11))
    def meddle(self, n: int, how: int) -> None:
        """Delete by hand, switch termination protection, or get a status stuck."""
        if stack := self.pick(n):
            stacks, stack_id = self.world.stacks, stack.stack_id
            match how:
                case 0:
                    stacks.remove(stack_id)
                case 1 | 2:
                    stacks.lock(stack_id, on=not stack.termination_protection)
                case 3 if stack.status == "CREATE_COMPLETE":
                    stacks.set(stack_id, "UPDATE_IN_PROGRESS")
                case 4 if stack.status == "UPDATE_IN_PROGRESS":
                    stacks.set(stack_id, "UPDATE_COMPLETE")
                case 5 | 6 | 8 | 9:
                    stacks.fail(stack_id, times=1 + n % 3)
                case 7:
                    stacks.hold(stack_id, "another stack")
                case 10 if stack_id in self.world.ledger.records:
                    self.world.ledger.spoiled[stack_id] = "its state is none that is known"
                    self.world.seen["spoilt"] += 1
                case 11:
                    self.world.ledger.spoiled.clear()
                case _:
                    pass
        self.step()

    @rule(n=which, how=st.integers(0, 3))
    def upset(self, n: int, how: int) -> None:
        """Import what another stack exports, take roles or rights away, or throttle."""
        stacks, stack = self.world.stacks, self.pick(n)
        match how:
            case 0 if stack is not None:
                exports = [e for other in self.world.alive() for e in other.exports]
                stacks.link(stack.stack_id, *exports[n % 3 : n % 3 + 1])
            case 1:
                stacks.gone_roles ^= {OWN_ROLE}
            case 2:
                stacks.resources.denied_to ^= {OWN_ROLE}
            case _:
                stacks.throttled = 1
        self.step()

    @rule(n=which, days=st.integers(1, 4), faults=faults_early, link=st.booleans())
    def extend(self, n: int, days: int, faults: dict[int, Fault], link: bool) -> None:
        """Extend by hand or by a link, an old one too."""
        if link and self.world.texts:
            self.world.click(n % 4)
        elif stack := self.pick(n):
            self.world.extend(stack.stack_id, days, self.plan(faults, "extend", n))
        self.step()

    @rule(n=which, faults=faults_early)
    def let_go(self, n: int, faults: dict[int, Fault]) -> None:
        """Let an owner say that a stack may go."""
        if stack := self.pick(n):
            self.world.let_go(stack.stack_id, self.plan(faults, "extend", n))
        self.step()

    @rule(n=which, jump=st.sampled_from(JUMPS), back=st.integers(0, 3))
    def regret(self, n: int, jump: timedelta, back: int) -> None:
        """Let a stack go, let the janitor act on it, and then take it back, or not."""
        if stack := self.pick(n):
            self.world.let_go(stack.stack_id, Schedule())
            self._sweep(Schedule())
            self.world.drain()
            self.world.now += timedelta(minutes=30)
            if back in {1, 2}:
                now = self.world.stacks.stacks[stack.stack_id]
                self.world.redeploy(now, now.tags if back == 1 else stack.tags)
            elif back:
                self.world.extend(stack.stack_id, 1, Schedule())
            for _ in range(2):
                self._sweep(Schedule())
                self.world.drain()
            self.world.now += jump
            self._sweep(Schedule())
            self.world.drain()
        self.step()

    # Operators, and the weather.

    @rule(what=st.sampled_from(ORDERS), faults=faults_early)
    def operate(self, what: Mode | dict[str, object] | None, faults: dict[int, Fault]) -> None:
        """Switch the mode, edit the policy, or accept what is held."""
        match what:
            case Mode():
                self.world.mode = what
            case None:
                self.world.lift(Schedule(faults), stale=False)
            case edit:
                self.world.terms = replace(self.world.terms, **edit)
        self.step()

    @rule(n=which, how=st.integers(0, 6))
    def weather(self, n: int, how: int) -> None:
        """Let a region refuse, break off or recover; let a contact become unreachable."""
        self.turn(n, how)
        self.step()

    def turn(self, n: int, how: int) -> None:
        """Turn the weather."""
        stacks, region = self.world.stacks, REGIONS[n % 2]
        bob = Contact(ContactKind.EMAIL, "bob@x.org")
        match how:
            case 0:
                stacks.refuse(region, "AccessDenied")
            case 1:
                stacks.unlistable[region] = n % 3
            case 2:
                self.world.channel.refuse(bob, Undeliverable("no such user"))
            case 3:
                self.world.channel.refuse(bob, DeliveryFailed("try later"))
            case 4:
                self.world.channel.accept(bob)
            case _:
                stacks.refuse(region, "")
                stacks.unlistable.clear()

    @rule(who=st.sampled_from(READERS), deaf=st.booleans(), jump=st.sampled_from(JUMPS[:4]))
    def refilter(self, who: str, deaf: bool, jump: timedelta) -> None:
        """Let somebody tighten or loosen the filter of the topic's subscription."""
        (self.world.deaf.add if deaf else self.world.deaf.discard)(who)
        self.world.now += jump
        self.step()

    @rule(jump=st.sampled_from(JUMPS))
    def wait(self, jump: timedelta) -> None:
        """Let time pass."""
        self.world.now += jump
        self.step()

    @rule(n=which)
    def finish(self, n: int) -> None:
        """Let a deletion under way come to its end."""
        if stack := self.pick(n):
            self.world.stacks.finish(stack.stack_id)
        self.step()

    # The janitor.

    def _sweep(self, schedule: Schedule, fate: str = "lost", *, lag: bool = False) -> None:
        swept = self.world.sweep(schedule, fate, lag=lag)
        self.checkers.after_sweep(swept, self.world)
        self.world.now += timedelta(minutes=1)  # No two sweeps are of one instant.
        if swept.report and self.world.mode is not Mode.OFF:
            COUNTS.update(decision_name(d) for d in swept.report.plan.decisions)

    @rule(faults=faults_anywhere, fate=fates, lag=st.booleans(), other=others, n=which)
    def sweep(self, faults: dict[int, Fault], fate: str, lag: bool, other: str, n: int) -> None:
        """Sweep under faults; what it queued stays in the queue."""
        self._sweep(self.plan(faults, other, n), fate, lag=lag)
        self.step()

    @rule(jump=st.sampled_from(JUMPS))
    def hours_pass(self, jump: timedelta) -> None:
        """Let time pass, and then everything go well once."""
        self.world.now += jump
        before = self.checkers.unprotected(self.world)
        self._sweep(Schedule())
        self.world.drain()
        self.checkers.after_calm(before, self.world)
        self.step()

    @rule(jump=st.sampled_from(JUMPS))
    def day_passes(self, jump: timedelta) -> None:
        """Let everything go well twice, deletions come to their end included."""
        for span in (jump, timedelta(hours=25)):
            self.world.now += span
            self._sweep(Schedule())
            self.world.drain()
            for stack in self.world.alive():
                self.world.stacks.finish(stack.stack_id)
        self.step()

    @rule(n=which, days=st.integers(1, 2), faults=faults_anywhere, protect=st.booleans())
    def rescue(self, n: int, days: int, faults: dict[int, Fault], protect: bool) -> None:
        """Let the owner of a marked stack extend, and cut off the sweep that unmarks it."""
        leases = self.world.ledger.open_records().leases
        marked = [key for key, lease in leases.items() if lease.state is LeaseState.MARKED]
        if marked:
            stack = self.world.stacks.stacks[marked[n % len(marked)]]
            self.world.extend(stack.stack_id, days, Schedule())
            if protect:
                self.world.redeploy(stack, {**stack.tags, "janitor:protect": "demo"})
                self.world.now += timedelta(days=days, hours=1)
            else:
                self._sweep(Schedule(faults))
        self.step()

    @rule(n=which)
    def leave_and_return(self, n: int) -> None:
        """Let a deployment without tags take a stack out, and the next one bring it back."""
        if stack := self.pick(n):
            for tags in ({"env": "dev"}, stack.tags):
                self.world.now += timedelta(minutes=5)
                self.world.redeploy(stack, tags)
                self._sweep(Schedule())
                self.world.drain()
        self.step()

    @rule(
        jump=st.sampled_from(JUMPS),
        sweeping=faults_anywhere,
        delivering=st.lists(faults_early, min_size=1, max_size=3),
        fate=fates,
        other=others,
        order=st.sampled_from(ORDERS_BETWEEN),
    )
    def stormy_day(
        self,
        jump: timedelta,
        sweeping: dict[int, Fault],
        delivering: list[dict[int, Fault]],
        fate: str,
        other: str,
        order: Mode | dict[str, object] | None,
    ) -> None:
        """Let time pass, sweep, and process every message once, all under faults.

        With an `order`, operators change something and sweep again before any message
        is processed; at the end they take it back.
        """
        self.world.now += jump
        for stack in self.world.alive():
            self.world.stacks.finish(stack.stack_id)
        self._sweep(self.plan(sweeping, other, 0), fate)
        mode, terms = self.world.mode, self.world.terms
        if isinstance(order, Mode):
            self.world.mode = order
        elif order is not None:
            self.world.terms = replace(terms, **order)
            self._sweep(Schedule())
        for n in range(len(self.world.queue)):
            self.world.deliver(0, self.plan(delivering[n % len(delivering)], other, n))
        if order is not None:
            self.world.mode, self.world.terms = mode, terms
        self.step()

    @rule(n=which, faults=faults_early, again=st.booleans(), other=others)
    def deliver(self, n: int, faults: dict[int, Fault], again: bool, other: str) -> None:
        """Process one message, in any order, perhaps not for the last time."""
        if self.world.queue:
            self.world.deliver(n, self.plan(faults, other, n), again=again)
        self.step()

    @rule(n=which, faults=faults_early, other=others)
    def track(self, n: int, faults: dict[int, Fault], other: str) -> None:
        """Let a status event arrive, about a stack that is gone too."""
        ids = list(self.world.stacks.stacks)
        if ids:
            self.world.track(ids[n % len(ids)], self.plan(faults, other, n))
        self.step()

    def teardown(self) -> None:
        """Let the faults stop, and look at where it all comes to rest."""
        if self.checkers.found:
            return
        come_to_rest(self.world, self.checkers)
        self.checkers.after_step(self.world)
        self.checkers.at_end(self.world)
        COUNTS.update(self.world.seen)
        for chain in self.world.ledger.journal.values():
            COUNTS.update(event.action for event in chain)
        assert not self.checkers.found, "\n".join(self.checkers.found)
