"""A small account in memory, in which the stories of the journeys take place."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.fakes.memory import MemoryChannel, MemoryLedger, MemoryPolicies
from tests.fakes.resources import MemoryPurger
from tests.fakes.stacks import MemoryStacks

from janitor.application.deletion.track import track
from janitor.application.lease.extend import extend
from janitor.application.operations.local import Janitor
from janitor.application.sweep.sweep import Report
from janitor.domain.journal.chain_check import verify
from janitor.domain.journal.events import Actor
from janitor.domain.model import ACCOUNT_KEY, Lease, Mode, Outcome, Stack
from janitor.domain.notification.signed_links import Links
from janitor.domain.policy.loader import parse_policy

MONDAY = datetime(2026, 6, 1, 8, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
HERE, THERE = "eu-central-1", "us-east-1"
ANA = Actor("owner", "ana@example.com", "cli")
SWEEPER = Actor("janitor", "janitor", "sweep")
OWNED = {"janitor:ttl": "3d", "janitor:owner": "ana@example.com"}
POLICY = "window: {days: [mon, tue, wed, thu, fri, sat, sun], hours: 00:00-24:00}\n"
"""Deletions at any hour, so that a story need not wait for Monday."""


class Story:
    """The janitor over memory, from Monday morning on."""

    def __init__(self, policy: str = POLICY, mode: Mode = Mode.ENFORCE) -> None:
        self.now = MONDAY
        self.stacks = MemoryStacks(lambda: self.now)
        self.ledger = MemoryLedger()
        self.channel = MemoryChannel()
        self.policies = MemoryPolicies(parse_policy(policy, "policy.yaml"), mode)
        self.janitor = Janitor(
            clock=lambda: self.now,
            policies=self.policies,
            stacks=self.stacks,
            ledger=self.ledger,
            channel=self.channel,
            regions=(HERE, THERE),
            home=HERE,
            links=Links(["k" * 32], "https://janitor.example.com"),
            purgers={kind: MemoryPurger(self.stacks.resources, kind) for kind in ("s3", "ecr")},
        )

    # What happens.

    def deploy(self, name: str = "feat", tags: Mapping[str, str] | None = None, **kind: Any) -> str:
        """Create a stack, of Ana's for three days unless told otherwise; return its id."""
        return self.stacks.create(name, tags=OWNED if tags is None else tags, **kind).stack_id

    def wait(self, days: float = 0, **span: float) -> None:
        """Let time pass."""
        self.now += timedelta(days=days, **span)

    def sweep(self) -> Report:
        """Sweep, and do all that was queued."""
        return self.janitor.sweep(SWEEPER)

    def look(self) -> Report:
        """Sweep, but leave the queues as they are."""
        return self.janitor._sweep(SWEEPER, apply=True)

    def until_marked(self, name: str = "feat", **kind: Any) -> str:
        """Deploy a stack and sweep until its final notice is out: Thursday, 08:00."""
        stack_id = self.deploy(name, **kind)
        self.sweep()
        self.wait(3)
        self.sweep()
        return stack_id

    def until_deleting(self, name: str = "feat", **kind: Any) -> str:
        """Deploy a stack and sweep until its deletion is under way: Friday, 08:00."""
        stack_id = self.until_marked(name, **kind)
        self.wait(1)
        self.sweep()
        return stack_id

    def extend(self, stack_id: str, **how: Any) -> Lease:
        """Let Ana extend."""
        known: dict[str, Any] = {"actor": ANA, "reason": "still testing", "now": self.now}
        return extend(
            stack_id,
            policy=self.policies.policy(),
            ledger=self.ledger,
            **{**known, **how},
        )

    def track(self, stack_id: str) -> Outcome:
        """Ask how a deletion ended."""
        return track(
            stack_id,
            clock=lambda: self.now,
            policies=self.policies,
            stacks=self.stacks,
            ledger=self.ledger,
            queue=self.janitor.queue,
        )

    def set_policy(self, text: str) -> None:
        """Put another policy in force."""
        self.policies.current = parse_policy(text, "policy.yaml")

    # What can be seen.

    def lease(self, stack_id: str) -> Lease:
        """Return a lease as it is now."""
        lease = self.ledger.lease(stack_id)
        assert lease is not None
        return lease

    def stack(self, stack_id: str) -> Stack:
        """Return a stack as it is now."""
        return self.stacks.stacks[stack_id]

    def actions(self, key: str = ACCOUNT_KEY) -> list[str]:
        """Return the actions in a chain, oldest first."""
        return [event.action for event in self.ledger.chain(key)]

    def reason(self, key: str, action: str) -> str:
        """Return the sentence of the last such event."""
        found = [event for event in self.ledger.chain(key) if event.action == action]
        return str(found[-1].body["reason"]["sentence"])

    def subjects(self) -> list[str]:
        """Return the subjects of all that was sent."""
        return [message.subject for message in self.channel.sent]

    def calls(self, kind: str) -> list[str]:
        """Return the ids of the stacks about which CloudFormation was asked for this."""
        return [call[1] for call in self.stacks.calls if call[0] == kind]

    def findings(self) -> list[str]:
        """Return what is wrong with any chain of the journal."""
        ends = {ACCOUNT_KEY: self.ledger.account().head}
        for key in self.ledger.chain_keys():
            lease = self.ledger.lease(key)
            if lease:
                ends[key] = lease.head
        return [
            finding.text
            for key, head in ends.items()
            for finding in verify(key, list(self.ledger.chain(key)), head)
        ]


def failures(report: Report) -> list[str]:
    """Return the details of what failed."""
    return [outcome.detail for outcome in report.outcomes if outcome.status.value == "failed"]
