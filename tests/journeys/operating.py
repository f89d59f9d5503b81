"""What an operator does about a surprise, and what the plan says of a stack that still stands.

The one place in which the tests of ordinary life know how the product says that.
"""

from dataclasses import dataclass
from datetime import datetime

from janitor.adapters.ports import Ledger
from janitor.core.decisions import Blocked, Decision, Track, Wait, decision_name
from janitor.core.journal import Actor
from janitor.core.plan import Plan
from janitor.core.policy import Policy
from janitor.journeys.account import lift_breaker

name = decision_name

OPERATOR = Actor("operator", "olga", "cli")


@dataclass(frozen=True)
class Obstacle:
    """Why a stack still stands, as the plan shows it, and who can act."""

    reason: str
    who: str


def accept(plan: Plan, *, now: datetime, policy: Policy, ledger: Ledger) -> None:
    """Let an operator accept exactly what the plan shows as held."""
    lift_breaker(
        actor=OPERATOR, reason="that edit was meant", now=now, policy=policy, ledger=ledger
    )


def held(plan: Plan) -> set[str]:
    """Return the ids of the stacks that a surprise holds."""
    return {d.stack.stack_id for d in plan.decisions if plan.tripped and d.stack}


def excuse(decision: Decision | None) -> str:
    """Say which limit of AWS, cap of the policy or other stack is waited for; nothing if none is."""
    if decision is None or decision.lease is None:
        return ""
    lease = decision.lease
    waits = isinstance(decision, Track) or lease.blocker or lease.next_attempt_at
    goes_after = isinstance(decision, Wait) and "goes first" in str(decision.reason)
    return str(decision.reason) if waits or goes_after else ""


def obstacle(decision: Decision) -> Obstacle:
    """Return why a stack stands, and who can act."""
    who = "a person" if isinstance(decision, Blocked) else "time"
    return Obstacle(str(decision.reason), who)
