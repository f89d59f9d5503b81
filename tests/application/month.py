"""A month of an account whose mail breaks down, whose functions crash, and whose owners act.

Queues are as SQS has them: in order for each owner, at least once, five tries. What was sent
is counted as the channel takes it, and compared with what the ledger remembers.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from tests.application.faults import Crash, Fault, Schedule, faulty
from tests.application.stories import DAY, HOUR, MONDAY
from tests.fakes.memory import MemoryChannel, MemoryLedger, MemoryPolicies
from tests.fakes.stacks import MemoryStacks

from janitor.application.deletion.delete import delete
from janitor.application.deletion.track import track
from janitor.application.lease.extend import extend
from janitor.application.lease.release import let_go
from janitor.application.notification.dispatch import tell
from janitor.application.ports import PLAIN
from janitor.application.sweep.sweep import sweep
from janitor.domain.deletion.strategy import Step
from janitor.domain.errors import DeliveryFailed, JanitorError, Undeliverable
from janitor.domain.journal.events import Actor
from janitor.domain.model import OPERATORS, Lease, LeaseState, Mode
from janitor.domain.notification.messages import DeletionRequest, Message, Sent, Telling
from janitor.domain.notification.signed_links import Links
from janitor.domain.policy.loader import parse_policy

HOURS = 31 * 24
STACKS = 40
GRACE = DAY
POLICY = """
defaults: {grace: 24h, ownerless_grace: 24h, fallback_contact: '#team', max_extension: 7d}
window: {days: [mon, tue, wed, thu, fri], hours: 07:00-20:00, zone: Europe/Berlin}
"""
OWNERS = (*(f"owner{n}@x.org" for n in range(6)), "gone@x.org", "")
"""Eight: one has left the company, and one is nobody."""
LIFETIMES = ("2d", "3d", "4d", "6d", "9d", "12d", "20d", "3x")
TRIES = 5
SWEEPER = Actor("janitor", "janitor", "sweep")
ANYBODY = Actor("owner", "somebody", "link")

Key = tuple[str, str, str, datetime | None]
"""Owner, stack id, stage and deadline: what may be told once."""


@dataclass
class Waiting:
    """A message in a queue."""

    request: Telling | DeletionRequest
    visible_at: datetime
    tries: int = 0

    @property
    def group(self) -> object:
        """Return what is worked off in order: an owner's digests, a stack's deletions."""
        request = self.request
        return request.stack_id if isinstance(request, DeletionRequest) else request.contact


class Stacks(MemoryStacks):
    """CloudFormation that asks of each deletion whether its owners were told."""

    def __init__(self, month: "Month") -> None:
        super().__init__(lambda: month.now)
        self.month = month

    def delete(self, stack_id: str, token: str, step: Step = PLAIN) -> str:
        """Look, then delete."""
        self.month.look_at_deletion(stack_id)
        return super().delete(stack_id, token, step)


class Channel(MemoryChannel):
    """Mail that breaks down, does not know one owner, and counts what it takes."""

    def __init__(self, month: "Month") -> None:
        super().__init__(most=25)
        self.month = month

    def send(self, message: Message) -> Sent:
        """Take a message, or not."""
        month = self.month
        if message.contact.address == "gone@x.org":
            raise Undeliverable("users_not_found")
        if month.now < month.outage_until or month.random.random() < 0.03:
            month.counts["outage"] += 1
            raise DeliveryFailed("ratelimited", retry_after=month.random.randint(30, 3600))
        sent = super().send(message)
        month.take(message)
        return sent


class Month:
    """The account, its clock, and the count of what was told."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311 - a story, not a secret
        self.now = MONDAY
        self.stacks = Stacks(self)
        self.ledger = MemoryLedger()
        self.channel = Channel(self)
        self.policies = MemoryPolicies(parse_policy(POLICY, "policy"), Mode.ENFORCE)
        self.links = Links(["k" * 32], "https://janitor.example.com")
        self.schedule = Schedule()
        self.waiting: list[Waiting] = []
        self.outage_until = MONDAY
        self.told: Counter[Key] = Counter()
        self.first_told: dict[Key, datetime] = {}
        self.may_be_told_again: Counter[Key] = Counter()
        self.taken: list[Key] = []
        self.teller = OPERATORS
        self.owners: dict[str, str] = {}
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.hit_this_hour = False
        self.let_go: Counter[str] = Counter()
        """Taken back, it brings a deadline back, of which the owner is told anew."""
        self.calm = 0
        """Hours in a row in which nothing failed and nobody acted."""

    # The queue port.

    def notify(self, request: Telling) -> None:
        """Queue something to tell."""
        self.waiting.append(Waiting(request, self.now))

    def delete(self, request: DeletionRequest) -> None:
        """Queue a deletion."""
        self.waiting.append(Waiting(request, self.now))

    # What is counted.

    def take(self, message: Message) -> None:
        """Count what a message tells."""
        for entry in message.words.entries:
            if entry.stage == "unreachable":
                names = entry.lines[0].removeprefix("Stacks: ").rstrip(".").split(", ")
                ids = [s.stack_id for s in self.stacks.stacks.values() if s.name in names]
            else:
                ids = [entry.stack_id]
            to = OPERATORS if entry.stage == "unreachable" else self.teller
            for stack_id in ids:
                lease = self.lease(stack_id)
                key = (to.address, stack_id, entry.stage, lease.expires_at)
                self.told[key] += 1
                self.first_told.setdefault(key, self.now)
                self.taken.append(key)
                self.counts[entry.stage] += 1

    def look_at_deletion(self, stack_id: str) -> None:
        """Say so if an owner of the stack was not told in time."""
        stack, lease = self.stacks.stacks[stack_id], self.lease(stack_id)
        if stack.status.startswith("DELETE"):
            return
        self.counts["deletions"] += 1
        for owner in self.owners[stack_id].split() or ["#team"]:
            at = self.first_told.get((owner, stack_id, "final", lease.expires_at))
            if at is None or self.now - at < GRACE:
                self.wrong.append(f"{stack.name} deleted at {self.now}; {owner} was told {at}")

    def lease(self, stack_id: str) -> Lease:
        """Return a lease."""
        lease = self.ledger.lease(stack_id)
        assert lease is not None
        return lease

    # What happens.

    def run(self, act: Callable[..., Any], *ports: str, calls: int, **more: Any) -> Any:
        """Run a journey, which one call in some runs may cut off; return its answer or None."""
        faults = {}
        if self.random.random() < 0.25:
            kinds = [Fault.CRASH_BEFORE, Fault.CRASH_AFTER, Fault.FAIL, Fault.TIMEOUT]
            faults = {self.random.randrange(calls): self.random.choice(kinds)}
        self.schedule = Schedule(faults)
        real = {
            "stacks": self.stacks,
            "ledger": self.ledger,
            "channel": self.channel,
            "queue": self,
            "policies": self.policies,
        }
        wrapped = {name: faulty(real[name], lambda: self.schedule) for name in ports}
        try:
            return act(clock=lambda: self.now, **wrapped, **more)
        except (Crash, JanitorError):
            return None
        finally:
            if self.schedule.hit:
                self.hit_this_hour = True
                self.counts.update(fault.name for fault in self.schedule.hit)

    def play(self) -> None:
        """Let the month pass, hour by hour."""
        for hour in range(HOURS):
            self.now = MONDAY + hour * HOUR
            self.hit_this_hour = False
            self._act(hour)
            self.run(
                sweep,
                *("policies", "stacks", "ledger", "queue"),
                calls=40,
                regions=("eu-central-1",),
                actor=SWEEPER,
                apply=True,
            )
            swept_at = self.now
            for _ in range(3):
                self._work_off()
                self.now += timedelta(minutes=10)
            self._finish_deletions()
            self.calm = 0 if self.hit_this_hour or self.waiting else self.calm + 1
            if self.calm > 1:  # a sweep that takes tags away reminds with the next
                self.counts["calm hours"] += 1
                self.wrong += self._untold(swept_at)

    def _act(self, hour: int) -> None:
        """Let people deploy, extend, let go, and let mail break down."""
        chance, ids = self.random.random, list(self.owners)
        if len(ids) < STACKS and hour % 9 == 0:
            owner = OWNERS[len(ids) % len(OWNERS)]
            if len(ids) % 10 == 9:
                owner = "owner1@x.org owner2@x.org"
            tags = {"janitor:ttl": self.random.choice(LIFETIMES)}
            tags |= {"janitor:owner": owner} if owner else {}
            stack = self.stacks.create(f"feat-{len(ids)}", tags=tags)
            self.owners[stack.stack_id] = owner
        if chance() < 1 / 60:
            self.outage_until = self.now + self.random.randint(1, 12) * HOUR
        if ids and chance() < 0.15:
            self._owner_acts(self.random.choice(ids))

    def _owner_acts(self, stack_id: str) -> None:
        known: dict[str, Any] = {
            "actor": ANYBODY,
            "reason": "",
            "now": self.now,
            "policy": self.policies.policy(),
            "ledger": self.ledger,
            "queue": self,
        }
        self.hit_this_hour = True
        what = self.random.choice(["extend", "extend", "let go", "deploy"])
        try:
            if what == "extend":
                extend(stack_id, by=self.random.randint(1, 4) * DAY, **known)
            elif what == "let go":
                let_go(stack_id, **known)
                self.let_go[stack_id] += 1
            elif not self.stacks.stacks[stack_id].status.startswith("DELETE"):
                self.stacks.redeploy(stack_id)
            self.counts[what] += 1
        except JanitorError:
            self.counts[f"{what} refused"] += 1

    def _work_off(self) -> None:
        """Take each message that can be seen; what fails comes back, and its group waits."""
        held: set[object] = set()
        for message in tuple(self.waiting):
            if message.group in held or message.visible_at > self.now:
                held.add(message.group)
                continue
            message.tries += 1
            if self._process(message):
                if self.random.random() > 0.02:  # SQS may deliver once more
                    self.waiting.remove(message)
                continue
            held.add(message.group)
            if message.tries == TRIES:
                self.waiting.remove(message)
                self.counts["dead letters"] += 1

    def _process(self, message: Waiting) -> bool:
        request = message.request
        if isinstance(request, DeletionRequest):
            outcome = self.run(
                delete, "policies", "stacks", "ledger", calls=12, request=request, purgers={}
            )
            return outcome is not None
        self.teller, self.taken = request.contact, []
        outcomes = self.run(
            tell, "policies", "ledger", "channel", calls=12, request=request, links=self.links
        )
        self._compare(bool(self.schedule.hit))
        if outcomes is None or outcomes[0].status.value == "failed":
            wait = outcomes[0].retry_after if outcomes else 360
            message.visible_at = self.now + timedelta(seconds=wait or 360)
            return False
        return True

    def _compare(self, was_hit: bool) -> None:
        """See that what was taken is remembered; if not, it may be told once more."""
        for key in self.taken:
            owner, stack_id, stage, deadline = key
            if not any(
                notice.stage == stage
                and notice.deadline == deadline
                and owner == notice.contact.address
                for notice in self.lease(stack_id).notices
            ):
                self.may_be_told_again[key] += 1
                self.counts["sent and not recorded"] += 1
                if not was_hit:
                    self.wrong.append(f"{key} was sent, and not recorded though nothing failed")

    def _finish_deletions(self) -> None:
        for stack in list(self.stacks.stacks.values()):
            if stack.status == "DELETE_IN_PROGRESS":
                self.stacks.finish(stack.stack_id)
                if self.random.random() < 0.7:
                    self.run(
                        track,
                        *("policies", "stacks", "ledger", "queue"),
                        calls=6,
                        stack_id=stack.stack_id,
                    )

    # What must have been told by the end of an hour in which nothing went wrong.

    def _untold(self, swept_at: datetime) -> Iterator[str]:
        for lease in self.ledger.open_records().leases.values():
            stage = _stage_of(lease, swept_at)
            if stage is None or lease.first_seen >= swept_at:
                continue
            for owner in self._addressees(lease, stage):
                if not self.told[(owner, lease.stack_id, stage, lease.expires_at)]:
                    yield f"{owner} was not told {stage} of {lease.name} by {swept_at}"

    def _addressees(self, lease: Lease, stage: str) -> Iterable[str]:
        owners = self.owners[lease.stack_id].split() or ["#team"]
        is_theirs = stage == "problem" or (stage == "final" and not self.owners[lease.stack_id])
        return [*owners, *(["operators"] if is_theirs else [])]

    def repeated(self) -> list[str]:
        """Return what was told more often than the faults explain."""
        return [
            f"{key} was told {count} times"
            for key, count in self.told.items()
            if count > _often(key) + self.may_be_told_again[key] + self.let_go[key[1]]
        ]


def _often(key: Key) -> int:
    """Return how often something is told in a month: a problem every week."""
    return 1 + HOURS // (7 * 24) if key[2] == "problem" else 1


def _stage_of(lease: Lease, now: datetime) -> str | None:
    """Return the stage that applies, worked out apart from the code under test."""
    if lease.problem:
        return "problem"
    if lease.state is LeaseState.MARKED:
        return "final"
    if lease.state is not LeaseState.ACTIVE or lease.expires_at is None:
        return None
    ahead = lease.expires_at - now
    if ahead <= timedelta():
        return None
    return "24h" if ahead <= 24 * HOUR else "48h" if ahead <= 48 * HOUR else None
