"""Deletions that contend for one scarce call get their turn, one after the other."""

from datetime import UTC, datetime, timedelta
from typing import Any

from janitor.domain.model import Lease, LeaseState
from janitor.domain.notification.messages import GOOD_FOR
from janitor.domain.planning.api_gateway_pace import LONGEST_WAIT, TURN, spread
from janitor.domain.planning.decisions import Decision, Delete, Reason, Retry, Track, Wait

NOW = datetime(2026, 6, 8, 12, tzinfo=UTC)
LIMIT = "API Gateway deletes one API in 30 seconds in an account"


def a_lease(name: str, paced: int | None, **values: Any) -> Lease:
    """Make the lease of a stack with so many APIs."""
    return Lease(f"arn:{name}", name, "here", "default", NOW, NOW, paced=paced, **values)


def due(paced: int | None = 1, kind: type[Delete | Retry] = Delete) -> Delete | Retry:
    """Decide to delete a stack with so many APIs."""
    return kind(Reason("expired", {"rule": "default"}), None, a_lease("feat", paced))


def under_way(paced: int, **values: Any) -> Track:
    """Decide to track a deletion."""
    return Track(Reason("under way"), None, a_lease("old", paced, **values))


def turns(*decisions: Decision) -> list[float | None]:
    """Return in how many seconds each may begin; None where it need not wait."""
    return [
        (d.not_before - NOW).total_seconds()
        if isinstance(d, Delete | Retry) and d.not_before
        else None
        for d in spread(decisions, NOW)
    ]


def test_stacks_with_an_api_go_one_after_the_other_and_others_at_once() -> None:
    """Each 30 seconds for each API of the one before, in the order in which they are due.

    Fails if `spread` counts a turn for each stack and not for each API.
    """
    found = turns(due(), due(None), due(3), due(0), due(kind=Retry), due())
    assert found == [None, None, 30, None, 120, 150]


def test_a_single_stack_with_an_api_is_not_slowed() -> None:
    """Nobody is before it."""
    assert spread([due(5), due(None)], NOW) == [due(5), due(None)]


def test_a_deletion_under_way_comes_first() -> None:
    """As long as API Gateway is at it, from the call, or from the claim until that was made.

    Fails if `spread` looks at no `Track`.
    """
    just = NOW - timedelta(seconds=10)
    asked = under_way(2, state=LeaseState.DELETING, claimed_at=just, asked_at=just)
    claimed = under_way(1, state=LeaseState.DELETING, claimed_at=just)
    through = under_way(1, state=LeaseState.DELETING, asked_at=NOW - TURN)
    assert turns(asked, due()) == [None, 50]
    assert turns(claimed, asked, due(), due()) == [None, None, 50, 80]
    assert turns(through, due()) == [None, None]
    assert turns(under_way(0, asked_at=just), due()) == [None, None]
    assert turns(under_way(1), due()) == [None, None]


def test_the_plan_says_what_is_before_it() -> None:
    """The facts stay as they are."""
    first, second, third = spread([due(), due(), due()], NOW)
    assert str(first.reason) == "expired"
    assert str(second.reason) == f"expired; {LIMIT}, and 1 stack with one is before it"
    assert str(third.reason) == f"expired; {LIMIT}, and 2 stacks with one are before it"
    assert third.reason.facts == {"rule": "default"}


def test_what_would_have_to_wait_for_too_long_waits_for_a_later_sweep() -> None:
    """A verdict is good for an hour, and the message must come well before its end.

    Fails with `LONGEST_WAIT = timedelta(days=1)`.
    """
    assert LONGEST_WAIT < GOOD_FOR
    most = LONGEST_WAIT // TURN
    *going, late, later = spread([due() for _ in range(most + 3)], NOW)
    assert all(isinstance(decision, Delete) for decision in going)
    assert turns(*going)[-1] == LONGEST_WAIT.total_seconds()
    assert isinstance(late, Wait)
    assert isinstance(later, Wait)
    assert str(late.reason) == f"due, but {LIMIT}, and {most + 1} stacks with one are before it"
    assert str(later.reason) == f"due, but {LIMIT}, and {most + 2} stacks with one are before it"
