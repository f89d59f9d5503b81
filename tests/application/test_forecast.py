"""The days ahead say what will happen, and nothing that will not."""

import pytest
from tests.application.stories import DAY, POLICY, Story

from janitor.application.operations.explain import explain
from janitor.domain.model import LeaseState
from janitor.domain.planning.exemptions import exemptions
from janitor.domain.planning.forecast import Step, forecast

OWNER = {"owner": "ana@example.com"}
NAMED = POLICY + "rules: [{name: feat, select: {name: 'feat*'}, ttl: 7d}]\n"


def ahead(story: Story) -> list[tuple[Step, float]]:
    """Return what lies within two weeks, and in how many days."""
    plan = story.janitor.plan().plan
    found = forecast(plan, story.policies.policy(), 14)
    return [(one.step, (one.at - story.now) / DAY) for one in found]


def test_a_new_stack_is_reminded_marked_and_deleted() -> None:
    """In this order, each when it is due."""
    story = Story(NAMED)
    story.deploy(tags=OWNER)
    reminders = [(Step.REMINDER, 5.0), (Step.REMINDER, 6.0)]
    assert ahead(story) == [*reminders, (Step.MARK, 7.0), (Step.DELETION, 8.0)]


def test_a_protected_stack_that_was_never_seen_before_is_neither_foretold_nor_forgotten() -> None:
    """The first plan of an account is the one that people look at.

    Fails without `unmet` in the `Open` of `_new` in domain/planning/decide.py.
    """
    story = Story(NAMED)
    story.deploy(tags={**OWNER, "janitor:protect": "demo"})
    assert ahead(story) == []
    assert exemptions(story.janitor.plan().plan.decisions) == {"protected by a tag": 1}


@pytest.mark.parametrize(
    "tag, days", [({"janitor:protect": "demo"}, []), ({"janitor:ttl": "10d"}, [3.0, 4.0])]
)
def test_what_is_about_to_lose_its_mark_is_foretold_by_what_holds_now(
    tag: dict[str, str], days: list[float]
) -> None:
    """Fails without `unmet` in `_unmark` of domain/planning/decide.py, or `Unmark` in domain/planning/forecast.py."""
    story = Story(NAMED)
    stack_id = story.deploy(tags=OWNER)
    story.sweep()
    story.wait(7)
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.MARKED
    story.stacks.redeploy(stack_id, {**OWNER, **tag})
    assert [at for step, at in ahead(story) if step is not Step.REMINDER] == days


def test_what_is_held_goes_by_its_former_deadline_and_explain_says_so_too() -> None:
    """An edited policy is held; the stacks end as they would have without it.

    Fails without `until` in the condition `NOT_HELD` of domain/planning/conditions.py.
    """
    story = Story(POLICY + "rules: [{name: feat, select: {name: 'feat*'}, ttl: 30d}]\n")
    for number in range(8):
        story.deploy(f"feat-{number}", tags=OWNER)
    story.sweep()
    story.wait(25)
    story.sweep()
    story.set_policy(POLICY + "rules: [{name: feat, select: {name: 'feat*'}, ttl: 30m}]\n")
    story.sweep()
    plan, policy = story.janitor.plan().plan, story.policies.policy()
    assert plan.surprise is not None
    assert [at for step, at in ahead(story) if step is Step.MARK] == [5.0] * 8
    found = explain(
        "feat-3", story.janitor.find("feat-3"), plan=plan, policy=policy, stacks=story.stacks
    )
    assert found.deleted.startswith("Thu 2 Jul 2026 08:00 UTC at the earliest, once: ")


def test_what_is_not_looked_after_any_more_or_cannot_be_seen_is_not_foretold() -> None:
    """By an edit of the policy, or as its region cannot be listed.

    Fails without `is_left` in domain/planning/forecast.py.
    """
    story = Story(NAMED)
    stack_id = story.deploy(tags=OWNER)
    story.sweep()
    story.wait(7)
    story.sweep()
    story.stacks.refused_regions[story.stack(stack_id).region] = "AccessDenied"
    assert ahead(story) == []
    story.stacks.refused_regions.clear()
    assert ahead(story) == [(Step.DELETION, 1.0)]
    story.set_policy(POLICY)
    assert ahead(story) == []
