"""Each condition that time alone meets, a second before its instant, at it, and a second after."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from janitor.domain.model import (
    ADOPTED,
    FINAL,
    Contact,
    ContactKind,
    Lease,
    LeaseState,
    MoveCause,
    Moved,
    Notice,
    Stack,
)
from janitor.domain.planning.conditions import Condition, Kind, Who, conditions, first_unmet
from janitor.domain.policy.model import Policy

AT = datetime(2026, 6, 10, 12, tzinfo=UTC)
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
STACK_ID = "arn:aws:cloudformation:eu-central-1:123456789012:stack/feat/1"
ADA = Contact(ContactKind.EMAIL, "ada@example.com")
POLICY = Policy.model_validate(
    {
        "defaults": {"grace": "24h", "adoption": "3d", "review_grace": "5d"},
        "rules": [{"name": "all", "select": {"tag": "janitor:ttl"}, "ttl": "3d"}],
        "limits": {"min_observed": "2h"},
        "window": {"days": ["wed"], "hours": "12:00-17:00"},
    }
)
STACK = Stack(STACK_ID, "feat", "eu-central-1", "CREATE_COMPLETE", AT - 20 * DAY)


def told(stage: str, when: datetime, deadline: datetime | None) -> Notice:
    """Return a notice that Ada has."""
    return Notice(stage=stage, deadline=deadline, contact=ADA, delivered_at=when, channel="memory")


DUE = Lease(
    stack_id=STACK_ID,
    name="feat",
    region="eu-central-1",
    rule="all",
    created=STACK.created,
    first_seen=AT - 20 * DAY,
    state=LeaseState.MARKED,
    contacts=(ADA,),
    expires_at=AT - 3 * DAY,
    notices=(told(FINAL, AT - 2 * DAY, AT - 3 * DAY),),
)
"""Due, told, and its grace over: nothing stands before its deletion at `AT`."""
FORMER = Moved(MoveCause.TAGS, AT - HOUR, AT - 4 * DAY, AT, is_held=True)

EDGES: dict[Kind, tuple[dict[str, Any], dict[str, Any]]] = {
    Kind.NOT_HELD: ({"expires_at": AT, "moved": FORMER, "state": LeaseState.ACTIVE}, {}),
    Kind.EXPIRED: ({"expires_at": AT, "state": LeaseState.ACTIVE}, {}),
    Kind.ADOPTED: (
        {
            "state": LeaseState.ACTIVE,
            "adopted_at": AT - 4 * DAY,
            "notices": (told(ADOPTED, AT - 3 * DAY, None),),
        },
        {},
    ),
    Kind.GRACE: ({"notices": (told(FINAL, AT - DAY, AT - 3 * DAY),)}, {}),
    Kind.BACKED_OFF: (
        {"state": LeaseState.FAILED, "attempts": 1, "next_attempt_at": AT},
        {},
    ),
    Kind.REVIEWED: ({}, {"status": "REVIEW_IN_PROGRESS", "created": AT - 5 * DAY}),
    Kind.OBSERVED: ({"first_seen": AT - 2 * HOUR}, {}),
    Kind.WINDOW: ({}, {}),
}


@pytest.mark.parametrize("kind", EDGES, ids=lambda kind: kind.name)
def test_a_condition_is_met_at_its_instant_and_not_a_second_before(kind: Kind) -> None:
    """And it names that instant, so that nobody is promised another.

    Each fails with `>` for the `>=` of its condition in domain/planning/conditions.py.
    """
    lease, stack = replace(DUE, **EDGES[kind][0]), replace(STACK, **EDGES[kind][1])

    def at(now: datetime) -> Condition:
        found = conditions(stack, lease, POLICY, now)
        return next(condition for condition in found if condition.kind is kind)

    assert [at(AT + step).is_met for step in (-SECOND, 0 * SECOND, SECOND)] == [False, True, True]
    before = at(AT - SECOND)
    assert (before.until, before.comes_by_itself) == (AT, True)


def test_nothing_stands_before_what_is_due_and_told() -> None:
    """The table above changes one thing at a time of a lease that lacks nothing."""
    assert first_unmet(STACK, DUE, POLICY, AT) is None


@pytest.mark.parametrize(
    "lease, stack, kind, who",
    [
        ({"problem": "no lifetime"}, {}, Kind.READABLE, Who.OWNER),
        ({"protection": "protected by tag"}, {}, Kind.UNPROTECTED, Who.OWNER),
        ({}, {"termination_protection": True}, Kind.UNLOCKED, Who.OWNER),
        ({"expires_at": None}, {}, Kind.ENDS, Who.OWNER),
        ({"state": LeaseState.NEEDS_ATTENTION}, {}, Kind.NOT_GIVEN_UP, Who.OWNER),
        ({"notices": ()}, {}, Kind.TOLD, Who.NOBODY),
        ({}, {"status": "UPDATE_IN_PROGRESS"}, Kind.AT_REST, Who.AWS),
    ],
    ids=lambda value: value.name if isinstance(value, Kind) else "",
)
def test_what_time_does_not_bring_names_who_can(
    lease: dict[str, Any], stack: dict[str, Any], kind: Kind, who: Who
) -> None:
    """Only what the janitor or CloudFormation does by itself needs nobody."""
    unmet = first_unmet(replace(STACK, **stack), replace(DUE, **lease), POLICY, AT)
    assert unmet is not None
    assert (unmet.kind, unmet.who) == (kind, who)
    assert unmet.comes_by_itself is (who in (Who.NOBODY, Who.AWS))
