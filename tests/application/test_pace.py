"""Stacks with an API, told of the same day: each is deleted in its turn."""

from datetime import timedelta
from typing import Any

from msgspec.structs import replace
from tests.application.stories import OWNED, Story

from janitor.application.operations.local import MOST_WAITED
from janitor.domain.model import Status
from janitor.domain.planning.decisions import decision_name
from janitor.domain.stack.resources import Resource


def api(number: int) -> dict[str, Any]:
    """Return what a stack with one REST API consists of."""
    return {"resources": (Resource("Api", "AWS::ApiGateway::RestApi", f"api-{number}"),)}


def until_due(count: int, plain: tuple[int, ...] = ()) -> tuple[Story, list[str]]:
    """Deploy so many stacks with an API, a minute apart, and wait until they may be deleted.

    Those of the numbers in `plain` have none.
    """
    it = Story()
    ids = []
    for number in range(count):
        parts = {} if number in plain else api(number)
        ids.append(it.deploy(f"feat-{number:03}", **parts))
        it.wait(minutes=1)
    it.sweep()
    it.wait(3)
    it.sweep()
    it.wait(1, hours=1)
    return it, ids


def waiting(story: Story) -> list[float]:
    """Let the janitor wait for turns by letting time pass; return for how long it does."""
    waits: list[float] = []

    def pause(seconds: float) -> None:
        waits.append(seconds)
        story.wait(seconds=seconds)

    story.janitor = replace(story.janitor, pause=pause)
    return waits


def test_what_has_an_api_goes_one_in_thirty_seconds_and_what_has_none_at_once() -> None:
    """The oldest deadline first.

    Fails if `_stay` leaves `not_before` out of the request.
    """
    story, (first, second, plain, third) = until_due(4, plain=(2,))
    waits = waiting(story)
    story.sweep()
    assert story.calls("delete") == [first, plain, second, third]
    assert waits == [30, 30]


def test_a_sweep_does_not_wait_for_ever_and_the_next_one_goes_on() -> None:
    """What is left is said, and goes then.

    Fails if `_in_their_turn` waits whatever the sum is.
    """
    story, ids = until_due(25)
    waits = waiting(story)
    report = story.sweep()
    assert len(story.calls("delete")) == 21
    assert sum(waits) == MOST_WAITED.total_seconds()
    left = [o for o in report.outcomes if o.status is Status.SKIPPED]
    assert {o.detail for o in left} == {
        "its turn at AWS is too far off to wait for; the next sweep goes on"
    }
    assert [o.key for o in left] == ids[21:]
    story.wait(hours=1)
    story.sweep()
    assert story.calls("delete") == ids


def test_where_the_clock_stands_still_turns_are_waited_for_all_the_same() -> None:
    """`--now` stops it. Fails if `_in_their_turn` goes by the clock alone."""
    story, ids = until_due(3)
    waits: list[float] = []
    story.janitor = replace(story.janitor, pause=waits.append)
    story.sweep()
    assert story.calls("delete") == ids
    assert waits == [30, 30]


def test_who_cannot_wait_leaves_the_others_to_the_next_sweeps() -> None:
    """One goes in each."""
    story, ids = until_due(2)
    story.sweep()
    assert story.calls("delete") == ids[:1]
    story.wait(hours=1)
    story.sweep()
    assert story.calls("delete") == ids


def test_a_request_that_comes_too_early_says_when_to_come_again() -> None:
    """To the second, and it asks nobody anything before.

    Fails if `delete` does not look at `not_before`.
    """
    story, ids = until_due(2)
    story.look()
    late = story.janitor.queue.deletions[1]
    assert late.not_before == story.now + timedelta(seconds=30)
    story.wait(seconds=10.5)
    (outcome,) = story.janitor._delete(late)
    assert (outcome.status, outcome.retry_after) == (Status.SKIPPED, 20)
    assert story.calls("delete") == []
    story.wait(seconds=19.5)
    (outcome,) = story.janitor._delete(late)
    assert (outcome.status, outcome.retry_after) == (Status.DONE, 0)
    assert story.calls("delete") == ids[1:]


def test_more_than_an_hours_worth_waits_and_the_plan_names_the_limit() -> None:
    """A verdict is good for an hour. What has no API is not slowed by it."""
    story, _ = until_due(130)
    found = [d for d in story.janitor.plan().plan.decisions if d.lease]
    assert [decision_name(d) for d in found] == ["delete"] * 111 + ["wait"] * 19
    assert str(found[-1].reason) == (
        "due, but API Gateway deletes one API in 30 seconds in an account,"
        " and 129 stacks with one are before it"
    )


def test_what_no_reminder_counted_is_counted_at_the_mark() -> None:
    """As when a stack is made with less time than a reminder's. Once is enough.

    Fails without `_counted` in the case of `Mark`.
    """
    story = Story()
    hasty = story.deploy("hasty", tags={**OWNED, "janitor:ttl": "1h"}, **api(1))
    plain = story.deploy("plain", tags={**OWNED, "janitor:ttl": "1h"})
    story.sweep()
    story.stacks.calls.clear()
    story.wait(hours=2)
    story.sweep()
    assert [story.lease(one).paced for one in (hasty, plain)] == [1, 0]
    story.wait(hours=1)
    story.sweep()
    assert len(story.calls("count")) <= 2
