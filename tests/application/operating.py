"""What an operator does about a surprise, and what the plan says of a stack that still stands.

The one place in which the tests of ordinary life know how the product says that.
"""

from dataclasses import dataclass
from datetime import datetime

from janitor.application.operations.breaker import lift
from janitor.application.ports import Ledger
from janitor.domain.journal.events import Actor
from janitor.domain.planning.conditions import Kind, Who
from janitor.domain.planning.decisions import Decision, Track, decision_name
from janitor.domain.planning.plan import Plan
from janitor.domain.policy.model import Policy

OPERATOR = Actor("operator", "olga", "cli")


@dataclass(frozen=True)
class Obstacle:
    """Why a stack still stands, as the plan shows it, and who can act."""

    reason: str
    who: str


def accept(plan: Plan, *, now: datetime, policy: Policy, ledger: Ledger) -> None:
    """Let an operator accept exactly what the plan shows as held."""
    assert plan.surprise is not None
    why = "that edit was meant"
    lift(
        plan,
        shown=plan.surprise.set_id,
        actor=OPERATOR,
        reason=why,
        now=now,
        policy=policy,
        ledger=ledger,
    )


def held(plan: Plan) -> set[str]:
    """Return the ids of the stacks that a surprise holds."""
    if plan.surprise is None:
        return set()
    return {*(lease.stack_id for lease in plan.surprise.leases), *plan.surprise.new}


EXCUSES = frozenset({Kind.BACKED_OFF, Kind.AT_REST, Kind.RELEASED_BY_OTHERS})
"""A limit of AWS, the policy's cap, or another stack."""


def excuse(decision: Decision | None) -> str:
    """Say which limit of AWS, cap of the policy or other stack is waited for; nothing if none is."""
    if isinstance(decision, Track):
        return str(decision.reason)
    unmet = decision.unmet if decision else None
    return unmet.detail if unmet and unmet.kind in EXCUSES else ""


def obstacle(decision: Decision) -> Obstacle:
    """Return why a stack stands, and who can act."""
    if decision.unmet is None:
        return Obstacle(f"{decision_name(decision)}: {decision.reason}", "")
    return Obstacle(str(decision.reason), decision.unmet.who.value or Who.NOBODY.value)
