"""An ordinary account over the fakes, swept every hour, and a judge apart from the product.

People make stacks and say how long each is wanted; the account remembers that, what the
messages promised, and when the window was open. From these alone it says what went too early
and what stayed too long. The policy is the default one in mode enforce, and nothing is off.
"""

import os
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.application import operating
from tests.application.stories import DAY, HERE, HOUR, SWEEPER, THERE
from tests.fakes.memory import MemoryChannel, MemoryLedger, MemoryPolicies
from tests.fakes.resources import MemoryPurger
from tests.fakes.stacks import MemoryStacks

from janitor.application.lease.extend import extend
from janitor.application.operations.local import Janitor
from janitor.application.ports import PLAIN
from janitor.application.sweep.sweep import Report
from janitor.domain.deletion.strategy import Step
from janitor.domain.errors import ExtensionRefused, StackNotFound
from janitor.domain.journal.events import Actor
from janitor.domain.model import DELETE_AFTER_TAG, FINAL, STATE_TAG, Stack
from janitor.domain.notification.messages import Message, Sent
from janitor.domain.notification.signed_links import Links
from janitor.domain.planning.decisions import decision_name
from janitor.domain.planning.plan import Plan
from janitor.domain.policy.loader import parse_policy
from janitor.domain.stack.statuses import BEING_DELETED, GONE

START = datetime(2026, 6, 1, tzinfo=UTC)
"""A Monday."""
POLICY = "{mode: enforce, operators: {channel: '#janitor'}}"
SWEPT_AT = timedelta(minutes=5)
"""Past each hour; by half past, what was to be deleted has gone."""
GRACE = timedelta(hours=24)
OWNERLESS_GRACE = timedelta(hours=72)
NOTICES_HOLD = 4 * DAY
"""What was told of a region is void once it could not be listed for longer."""
SOAK = os.environ.get("HYPOTHESIS_PROFILE") == "soak"
DAYTIME = range(24) if SOAK else range(9, 18, 3)
NIGHTS = 6
"""A sweep every hour, or else at some hours of the day and every so many at night: what is the
same in all of them costs the most time."""
PATIENCE = 2
"""So many sweeps of open window a stack may stand after the promised date."""

_INSTANT = re.compile(r"\w{3} (\d{1,2} \w{3} \d{4} \d\d:\d\d) UTC")

Act = Callable[["Account"], object]


@dataclass
class Made:
    """A stack, and what the people who made it mean."""

    stack_id: str
    name: str
    tags: Mapping[str, str]
    due: datetime | None
    """Until when it is wanted; None: somebody means to keep it."""
    grace: timedelta = GRACE
    told: list[tuple[datetime, datetime]] = field(default_factory=list)
    """Its final notices: when each was sent, and which date it promised."""
    tampered: bool = False
    """A script was at its tags."""
    first_told: datetime | None = None
    """When anything about it was sent first."""
    asked: datetime | None = None
    """When CloudFormation was first asked to delete it."""
    gone: datetime | None = None
    by_hand: bool = False
    untold: int = 0
    """Sweeps after its end without a final notice."""
    outlasted: int = 0
    """Sweeps of open window after the promised date."""
    late: str = ""
    """Why it outlasted its promise, in the words of the plan; empty: it did not."""

    def begin_anew(self, due: datetime | None) -> None:
        """Forget what was told: it counts no more."""
        self.due, self.outlasted, self.untold = due, 0, 0
        self.told.clear()


class Account:
    """The account, its people, and what was seen of the janitor."""

    def __init__(
        self,
        policy: str = POLICY,
        *,
        regions: tuple[str, ...] = (HERE,),
        start: datetime = START,
        stacks: Any = None,
        ledger: Any = None,
    ) -> None:
        """Begin over the fakes, unless `stacks` and `ledger` are others that behave alike."""
        self.now = start
        self.stacks = stacks or Stacks(self)
        self.ledger = ledger or MemoryLedger()
        self.policies = MemoryPolicies(parse_policy(policy, "policy.yaml"))
        self.janitor = Janitor(
            clock=lambda: self.now,
            policies=self.policies,
            stacks=self.stacks,
            ledger=self.ledger,
            channel=Channel(self),
            regions=regions,
            home=HERE,
            links=Links(["k" * 32], "https://janitor.example.com"),
            purgers={} if stacks else _purgers(self.stacks),
        )
        self.agenda: defaultdict[datetime, list[Act]] = defaultdict(list)
        self.made: dict[str, Made] = {}
        self.standing: dict[str, Made] = {}
        self.report: Report | None = None
        self._decisions: dict[str, Any] | None = None
        self.asleep = False
        """No sweep takes place."""
        self.unseen = ""
        """The region that cannot be listed."""
        self.unseen_since = START
        self.wrong: list[str] = []
        """What went too early, or untold, or though somebody meant to keep it."""
        self.early: list[str] = []
        """What was marked, or told, by another deadline than the one that people mean."""
        self.to_operators: list[tuple[datetime, Message]] = []

    # What people do.

    def make(
        self,
        name: str,
        tags: Mapping[str, str],
        *,
        due: datetime | None,
        grace: timedelta = GRACE,
        region: str = HERE,
        **kind: Any,
    ) -> Made:
        """Deploy a stack that is wanted until `due`."""
        stack = self.stacks.create(name, region, tags, **kind)
        made = Made(stack.stack_id, name, dict(tags), due, grace)
        self.made[stack.stack_id] = self.standing[stack.stack_id] = made
        return made

    def want(self, name: str, days: float, owner: str = "ana@example.com", **kind: Any) -> Made:
        """Deploy a stack with a `janitor:ttl` of so many days."""
        tags = {"janitor:ttl": f"{round(days * 24)}h", "janitor:owner": owner}
        return self.make(name, tags, due=self.now + days * DAY, **kind)

    def at(self, when: datetime, act: Act) -> None:
        """Let somebody act at a full hour."""
        self.agenda[when.replace(minute=0, second=0)].append(act)

    def redeploy(self, made: Made, tags: Mapping[str, str] | None = None) -> bool:
        """Deploy a stack again, with the tags it was made with unless told otherwise."""
        stack = self.stacks.stacks[made.stack_id]
        if stack.status.startswith(("DELETE", "ROLLBACK")) or made.gone:
            return False
        self.stacks.redeploy(made.stack_id, made.tags if tags is None else tags)
        return True

    def retag(self, made: Made, **changed: str) -> bool:
        """Change single tags of a stack; those that the janitor wrote stay."""
        stack = self.stacks.stacks[made.stack_id]
        keys = {f"janitor:{key}": value for key, value in changed.items()}
        return self.redeploy(made, {**stack.tags, **keys})

    def untag(self, made: Made, key: str) -> bool:
        """Take one of janitor's tags off a stack again."""
        tags = dict(self.stacks.stacks[made.stack_id].tags)
        tags.pop(f"janitor:{key}", None)
        return self.redeploy(made, tags)

    def extend(self, made: Made, by: timedelta) -> bool:
        """Let the owner click; tell whether that was granted."""
        try:
            lease = extend(
                made.stack_id,
                by=by,
                actor=Actor("owner", "ana@example.com", "link"),
                reason="still testing",
                now=self.now,
                policy=self.policies.policy(),
                ledger=self.ledger,
                queue=self.janitor.queue,
            )
        except (ExtensionRefused, StackNotFound):
            return False
        made.begin_anew(lease.expires_at)
        return True

    def remove(self, made: Made) -> None:
        """Let the owner delete a stack."""
        if made.gone is None and not self.stacks.stacks[made.stack_id].status.startswith("DELETE"):
            self.stacks.remove(made.stack_id)
            made.by_hand = True
            self._close(made)

    def set_policy(self, text: str) -> None:
        """Put another policy in force."""
        self.policies.current = parse_policy(text, "policy.yaml")

    def accept(self) -> None:
        """Let an operator accept exactly what is held: people mean the new deadline from now on."""
        for stack_id in self.held & set(self.standing):
            self.standing[stack_id].begin_anew(self.now)
        policy = self.policies.policy()
        operating.accept(self.plan, now=self.now, policy=policy, ledger=self.ledger)

    def refuse(self, region: str, error: str) -> None:
        """Let a region refuse every call; an empty error ends that."""
        self.stacks.refuse(region, error)
        self.unseen, since, self.unseen_since = region if error else "", self.unseen_since, self.now
        if error or self.now - since <= NOTICES_HOLD:
            return
        for made in self.standing.values():
            if f":{region}:" in made.stack_id:
                made.begin_anew(made.due)

    # How time passes.

    def run(self, days: float, every: int = NIGHTS, daytime: range = DAYTIME) -> None:
        """Let days pass, with a sweep in each hour of `daytime`, and `every` so many hours."""
        for _ in range(round(days * 24)):
            for act in self.agenda.pop(self.now, ()):
                act(self)
            hour = self.now
            if not self.asleep and (hour.hour in daytime or hour.hour % every == 0):
                self.now = hour + SWEPT_AT
                self.sweep()
            self.now = hour + HOUR

    def sweep(self) -> None:
        """Sweep, let CloudFormation come to its end, and judge."""
        self.report = self.janitor.sweep(SWEEPER)
        self.wrong += [o.detail for o in self.report.outcomes if "Error" in o.detail]
        for stack_id in self.stacks.settle():
            if stack_id in self.made and self.stacks.stacks[stack_id].status == GONE:
                self._close(self.made[stack_id])
        self._judge()

    def decision(self, stack_id: str) -> Any:
        """Return what the last sweep decided on a stack, or None."""
        if self._decisions is None:
            found = self.report.plan.decisions if self.report else ()
            self._decisions = {d.stack.stack_id: d for d in found if d.stack}
        return self._decisions.get(stack_id)

    def _close(self, made: Made) -> None:
        made.gone = self.now
        self.standing.pop(made.stack_id, None)

    # The judge.

    def _judge(self) -> None:
        """Count for each stack the sweeps of open window that it outlasts its promise."""
        self._decisions = None
        for made in self.standing.values():
            if made.late or made.due is None or self.now < made.due:
                continue
            if self.unseen and f":{self.unseen}:" in made.stack_id:
                continue  # plan says for each that its region cannot be listed
            if not made.told or made.told[-1][0] < made.due:
                made.untold += 1
                if made.untold == PATIENCE:  # what is seen for the first time is opened first
                    self._blame(made, "it fell due, and no final notice was sent")
            elif self.now >= made.told[-1][1]:
                made.outlasted += is_open(self.now)
                if operating.excuse(self.decision(made.stack_id)):
                    made.outlasted = 0
                if made.outlasted == PATIENCE:
                    self._blame(made, "it outlasts its promise")

    def _blame(self, made: Made, what: str) -> None:
        decision = self.decision(made.stack_id)
        why = f"{decision_name(decision)}, {decision.reason}" if decision else "no decision"
        made.late = f"{made.name} at {self.now}: {what}: {why}"

    def take(self, message: Message) -> None:
        """Note what a message says about each stack."""
        for entry in message.words.entries:
            made = self.made.get(entry.stack_id)
            if made is None:
                self.to_operators.append((self.now, message))
                continue
            made.first_told = made.first_told or self.now
            said = _INSTANT.search(entry.fate)
            if entry.stage == FINAL and said:
                self._take_final(made, instant(said[1]))
            elif said and "Expires" in entry.fate and _is_before(instant(said[1]), made.due):
                self.early.append(f"{made.name} was told {entry.fate!r}, but {made.due}")

    def _take_final(self, made: Made, promised: datetime) -> None:
        if made.due is None or self.now < made.due:
            self.early.append(f"{made.name} was told its end at {self.now}, before {made.due}")
        if not made.told or made.told[-1][1] != promised or made.told[-1][0] < (made.due or START):
            made.told.append((self.now, promised))
        latest = max([next_open(self.now + made.grace), *(at for _, at in made.told[:-1])])
        if promised > latest + HOUR:
            made.late = f"{made.name}: told at {self.now}, and promised no earlier than {promised}"

    def look_at_deletion(self, made: Made) -> None:
        """Say so if a stack is deleted that may not be."""
        made.asked = made.asked or self.now
        if made.due is None or self.now < made.due:
            self.wrong.append(f"{made.name} deleted at {self.now}, but wanted until {made.due}")
        elif not made.told or self.now < max(made.told[-1][1], made.told[-1][0] + made.grace):
            self.wrong.append(f"{made.name} deleted at {self.now}, but told {made.told}")

    def look_at_mark(self, made: Made) -> None:
        """Say so if a stack is marked that may not be."""
        if made.due is None or self.now < made.due:
            self.early.append(f"{made.name} marked at {self.now}, but wanted until {made.due}")

    # What came of it.

    @property
    def plan(self) -> Plan:
        """Return what a sweep would do now."""
        return self.janitor.plan().plan

    @property
    def held(self) -> set[str]:
        """Return what a surprise holds, as the plan shows it."""
        return operating.held(self.plan)

    @property
    def bound(self) -> int:
        """Return how many deadlines may come earlier at once before that is a surprise."""
        return max(5, len(self.standing) // 10)

    @property
    def ahead(self) -> list[Made]:
        """Return what stands and is wanted for longer."""
        return [m for m in self.standing.values() if m.due is None or m.due > self.now]

    @property
    def late(self) -> list[str]:
        """Return what stayed too long, and why."""
        return [made.late for made in self.made.values() if made.late]

    def gone(self, among: Collection[Made] | None = None) -> list[Made]:
        """Return what the janitor deleted, in that order."""
        some = self.made.values() if among is None else among
        return sorted(
            (m for m in some if m.gone and not m.by_hand), key=lambda m: m.gone or self.now
        )

    @property
    def share(self) -> str:
        """Say in numbers what came of it all."""
        due = [m for m in self.made.values() if not m.by_hand and m.due and m.due < self.now]
        return (
            f"{len(self.made)} made, {len(due)} fell due, {len(self.gone())} gone,"
            f" {len(self.late)} late, {len(self.wrong)} wrongly"
        )


class Stacks(MemoryStacks):
    """CloudFormation that shows each change to the judge first."""

    def __init__(self, account: Account) -> None:
        super().__init__(lambda: account.now)
        self.account = account

    def settle(self) -> list[str]:
        """Bring what is being deleted to its end; return the ids of that."""
        ending = [one.stack_id for one in self.stacks.values() if one.status == BEING_DELETED]
        for stack_id in ending:
            self.finish(stack_id)
        return ending

    def delete(self, stack_id: str, token: str, step: Step = PLAIN) -> str:
        """Look, then delete."""
        made = self.account.made.get(stack_id)
        if made and not self.stacks[stack_id].status.startswith("DELETE"):
            self.account.look_at_deletion(made)
        return super().delete(stack_id, token, step)

    def tag(self, stack: Stack, put: Mapping[str, str], *rest: Any, **more: Any) -> Any:
        """Look, then tag."""
        made = self.account.made.get(stack.stack_id)
        if made and (STATE_TAG in put or DELETE_AFTER_TAG in put):
            self.account.look_at_mark(made)
        return super().tag(stack, put, *rest, **more)


class Channel(MemoryChannel):
    """A channel that reaches everybody, and shows the judge what it takes."""

    def __init__(self, account: Account) -> None:
        super().__init__()
        self.account = account

    def send(self, message: Message) -> Sent:
        """Take a message."""
        self.account.take(message)
        return super().send(message)


def _purgers(stacks: MemoryStacks) -> dict[str, MemoryPurger]:
    return {kind: MemoryPurger(stacks.resources, kind) for kind in ("s3", "ecr")}


def instant(text: str) -> datetime:
    """Read an instant as notices write it."""
    return datetime.strptime(text, "%d %b %Y %H:%M").replace(tzinfo=UTC)


def _is_before(when: datetime, due: datetime | None) -> bool:
    """Tell whether an end as a notice writes it, without seconds, comes before what is meant."""
    return due is not None and when < due - timedelta(minutes=1)


def is_open(when: datetime) -> bool:
    """Tell whether the default window is open."""
    return when.weekday() < 5 and 9 <= when.hour < 17


def next_open(when: datetime) -> datetime:
    """Return when the default window is open next."""
    if is_open(when):
        return when
    day = when.replace(hour=9, minute=0, second=0, microsecond=0)
    day += DAY * (when.hour >= 9)
    while day.weekday() > 4:
        day += DAY
    return day


__all__ = ["DAY", "HERE", "HOUR", "START", "THERE", "Account", "Made", "is_open", "next_open"]
