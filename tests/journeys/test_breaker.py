"""The breaker counts what would go: who stays stops nobody, and is told what holds it."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from tests.journeys.stories import DAY, OWNED, POLICY, SWEEPER, Story

from janitor.adapters.ports import Result, in_turn
from janitor.core.errors import JanitorError
from janitor.core.model import LeaseState, Stack
from janitor.journeys.sweep import Report, sweep

LATER = {**OWNED, "janitor:ttl": "29d"}
WHY = "protected by CloudFormation's termination protection"


def twenty(story: Story, **held: Any) -> list[str]:
    """Deploy six stacks for three days, one for four and thirteen for long: return the seven.

    Go on until the six are due: Friday, 08:00.
    """
    ids = [story.deploy(f"due-{n}", **held) for n in range(6)]
    ids.append(story.deploy("free", tags={**OWNED, "janitor:ttl": "4d"}))
    for number in range(13):
        story.deploy(f"late-{number}", tags=LATER)
    story.sweep()
    story.wait(3)
    story.sweep()
    story.wait(1)
    return ids


def told(story: Story, kind: str) -> list[str]:
    """Return to whom notices of this kind went."""
    return [message.contact.address for message in story.channel.sent if kind in message.kinds]


def test_protected_stacks_do_not_stop_the_others_and_their_owner_is_told_once() -> None:
    """Six of twenty are due for ever, and none of them goes.

    Fails without `with_protection` in journeys/sweep.py.
    """
    story = Story()
    *held, free = twenty(story, termination_protection=True)
    report = story.sweep()
    assert (report.plan.tripped, report.plan.due) == ("", 0)
    assert {story.lease(stack_id).last_error for stack_id in held} == {f"due, but {WHY}"}
    for _ in range(2):
        story.wait(1)
        story.sweep()
    assert story.calls("delete") == [free]
    assert told(story, "protected") == ["ana@example.com"]
    assert told(story, "breaker") == []
    assert [story.actions(stack_id).count("lease.updated") for stack_id in held] == [1] * 6


def test_stacks_that_others_hold_up_do_not_stop_the_rest_and_their_owner_is_told_once() -> None:
    """They export what a living stack imports.

    Fails if `unknown_imports` asks nobody while the breaker stops, or `stopped` counts all.
    """
    story = Story()
    story.deploy("alive", tags={"owner": "bob@example.com"}, imports=("x",))
    *held, free = twenty(story, exports=("x",))
    assert story.sweep().plan.tripped == ""
    for _ in range(2):
        story.wait(1)
        story.sweep()
    assert story.calls("delete") == [free]
    assert sorted(told(story, "in-use")) == ["ana@example.com", "bob@example.com"]
    assert {story.lease(stack_id).state for stack_id in held} == {LeaseState.MARKED}


def unlock(story: Story, ids: list[str]) -> None:
    """Take their protection off."""
    for stack_id in ids:
        story.stacks.lock(stack_id, on=False)


def override(story: Story, ids: list[str]) -> None:
    """Let a new policy take it off."""
    assert ids
    story.set_policy(POLICY + "defaults: {override_protection: true}\n")


def silence(story: Story, ids: list[str]) -> None:
    """Let CloudFormation describe none of them any more."""

    class Silent(type(story.stacks)):  # type: ignore[misc]  # the twin, less one answer
        def describe(self, stack_id: str) -> Stack | None:
            assert ids
            raise JanitorError(f"describing {stack_id} failed: Rate exceeded")

    story.stacks.__class__ = Silent


@pytest.mark.parametrize("change", [unlock, override, silence])
def test_what_was_protected_and_may_go_now_counts(
    change: Callable[[Story, list[str]], None],
) -> None:
    """So many at once are what the breaker is for, and unsure means stop.

    Fails if `with_protection` goes by `lease.blocked` instead of by what was described.
    """
    story = Story()
    ids = twenty(story, termination_protection=True)
    story.sweep()
    assert story.lease(ids[0]).blocked
    change(story, ids)
    story.wait(hours=1)
    why = "6 of 20 managed stacks are due for deletion, more than 25% (max_deletes_fraction)"
    assert story.sweep().plan.tripped == why
    assert story.calls("delete") == []


def test_what_waits_for_a_stack_that_is_due_too_counts() -> None:
    """Both go, one after the other: a flood in a chain is a flood.

    Fails if `stopped` does not count what waits.
    """
    story = Story(POLICY + "limits: {max_due: 1, max_deletes_fraction: 1}\n")
    story.deploy("feat-net", exports=("net",))
    story.deploy("feat-app", imports=("net",))
    story.sweep()
    story.wait(3)
    story.sweep()
    story.wait(1)
    report = story.sweep()
    assert report.plan.tripped == "2 stacks are due for deletion, and max_due is 1"
    assert story.calls("delete") == []


def test_nobody_is_described_where_the_breaker_lets_all_go() -> None:
    """Not one call more than needed."""
    story = Story()
    story.until_marked(termination_protection=True)
    story.wait(DAY.days)
    before = len(story.calls("describe"))
    story.look()
    assert len(story.calls("describe")) == before


def test_a_sweep_without_time_asks_about_no_due_stack_and_tells_of_the_breaker() -> None:
    """What was not asked counts as due, and what there was time for is done.

    Fails if `is_protected` or `importers_of` of asking.py does not ask `may_go_on`.
    """
    story = Story()
    story.deploy("alive", tags={"owner": "bob@example.com"}, imports=("x",))
    twenty(story, exports=("x",), termination_protection=True)
    before = list(story.stacks.calls)
    report = swept(story, may_go_on=lambda: False)
    assert report.plan.due == 6
    assert {call[0] for call in story.stacks.calls[len(before) :]} <= {"list"}
    assert story.ledger.account().breaker_tripped_at == story.now


def test_due_stacks_are_asked_about_side_by_side() -> None:
    """Fails if either is asked one after the other."""
    story = Story()
    story.deploy("alive", tags={"owner": "bob@example.com"}, imports=("x",))
    twenty(story, exports=("x",))
    sizes: list[int] = []

    def side_by_side(acts: Iterable[Callable[[], Result]]) -> list[Result]:
        results = in_turn(acts)
        sizes.append(len(results))
        return results

    swept(story, side_by_side=side_by_side)
    assert sizes[:2] == [6, 6]


def swept(story: Story, **how: Any) -> Report:
    """Sweep once, and leave the queues as they are."""
    return sweep(
        clock=story.janitor.clock,
        policies=story.policies,
        regions=story.janitor.regions,
        stacks=story.stacks,
        ledger=story.ledger,
        queue=story.janitor.queue,
        actor=SWEEPER,
        apply=True,
        **how,
    )
