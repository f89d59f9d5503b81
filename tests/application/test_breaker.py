"""A surprise holds what it touches, until exactly that is accepted or put back; load holds nothing."""

from collections.abc import Callable

import pytest
from tests.application.stories import DAY, HERE, OWNED, POLICY, SWEEPER, THERE, Story

from janitor.application.operations.breaker import lift
from janitor.application.sweep.sweep import sweep
from janitor.domain.errors import LiftRefused
from janitor.domain.journal.events import Actor
from janitor.domain.model import LeaseState
from janitor.domain.planning.accepted_policy import ground_of
from janitor.domain.planning.plan import Plan

OPERATOR = Actor("operator", "olga", "cli")
OWNER = {"owner": "ana@example.com"}
BY_NAME = POLICY + "rules: [{name: feat, select: {name: 'feat*'}, ttl: %s}]\n"


def plan(story: Story) -> Plan:
    """Return what a sweep would do now."""
    return story.janitor.plan().plan


def accept(story: Story, shown: str = "", reason: str = "meant so") -> None:
    """Accept what is held now, or what was shown before."""
    found = plan(story)
    lift(
        found,
        shown=shown or (found.surprise.set_id if found.surprise else ""),
        actor=OPERATOR,
        reason=reason,
        now=story.now,
        policy=story.policies.policy(),
        ledger=story.ledger,
    )


def states(story: Story, ids: list[str]) -> set[LeaseState]:
    """Return the states of these leases."""
    return {story.lease(stack_id).state for stack_id in ids}


def told(story: Story, stage: str) -> list[str]:
    """Return to whom notices of this stage went."""
    return [message.contact.address for message in story.channel.sent if stage in message.kinds]


def several(story: Story, count: int, tags: dict[str, str] | None = None) -> list[str]:
    """Deploy so many stacks and let a sweep see them."""
    ids = [story.deploy(f"feat-{n}", tags=OWNER if tags is None else tags) for n in range(count)]
    story.sweep()
    return ids


def edited(story: Story, ids: list[str]) -> None:
    """Shorten the lifetime to half an hour."""
    assert ids
    story.set_policy(BY_NAME % "30m")


def rewritten(story: Story, ids: list[str]) -> None:
    """Let a script set a date in the past."""
    for stack_id in ids:
        story.stacks.redeploy(stack_id, {**OWNER, "janitor:expires": "2026-05-31"})


def put_back_policy(story: Story, ids: list[str]) -> None:
    """Take the edit back."""
    assert ids
    story.set_policy(BY_NAME % "9d")


def put_back_tags(story: Story, ids: list[str]) -> None:
    """Take the script's tags off."""
    for stack_id in ids:
        story.stacks.redeploy(stack_id, OWNER)


MISTAKES = pytest.mark.parametrize("mistake", [edited, rewritten])


@pytest.mark.parametrize("count", [1, 5, 40])
def test_what_is_due_goes_however_much_it_is(count: int) -> None:
    """Fails with `limits.max_deleting is None` turned round in `_pace` of domain/planning/plan.py."""
    story = Story()
    ids = several(story, count, OWNED)
    story.wait(3)
    story.sweep()
    story.wait(1)
    story.sweep()
    assert sorted(story.calls("delete")) == sorted(ids)
    assert told(story, "breaker") == []


def test_the_policy_may_say_how_many_go_at_once_and_plan_names_what_waits() -> None:
    """The oldest first. Zero means zero."""
    story = Story(POLICY + "limits: {max_deleting: 2}\n")
    ids = []
    for number in range(3):
        story.wait(hours=number)
        ids.append(story.deploy(f"feat-{number}", tags=OWNED))
    story.sweep()
    story.wait(3, hours=3)
    story.sweep()
    story.wait(1)
    story.sweep()
    assert story.calls("delete") == ids[:2]
    why = (
        "due, but 2 deletions are under way or begin now, and the policy's cap is 2 (max_deleting)"
    )
    assert str(plan(story).decisions[-1].reason) == why
    story.stacks.finish(ids[0])
    story.sweep()
    story.sweep()
    assert story.calls("delete") == ids
    story.set_policy(POLICY + "limits: {max_deleting: 0}\n")
    assert plan(story).due == 0


@MISTAKES
def test_a_mistake_about_many_holds_each_and_nothing_else(
    mistake: Callable[[Story, list[str]], None],
) -> None:
    """None is marked, told or deleted by the earlier deadline; what is due by its own goes.

    Fails with `ground.is_policy_held` or `ground.bulk` ignored in domain/lease/refresh.py.
    """
    story = Story(BY_NAME % "9d")
    due = story.deploy("feat-due", tags={**OWNER, "janitor:ttl": "1d"})
    ids = several(story, 8)
    before = {stack_id: story.lease(stack_id).expires_at for stack_id in ids}
    story.wait(hours=2)
    mistake(story, ids)
    for _ in range(5 * 6):
        story.wait(hours=4)
        story.sweep()
    assert states(story, ids) == {LeaseState.ACTIVE}
    assert {stack_id: story.lease(stack_id).expires_at for stack_id in ids} == before
    assert story.calls("delete") == [due]
    assert told(story, "breaker") == ["operators"]
    held = plan(story).surprise
    assert held is not None
    assert len(held.leases) == 8
    assert story.findings() == []


@MISTAKES
def test_what_is_accepted_is_marked_told_and_has_its_whole_grace(
    mistake: Callable[[Story, list[str]], None],
) -> None:
    """Fails without `accepted_policy` or `accepted_moves` in application/operations/breaker.py."""
    story = Story(BY_NAME % "9d")
    ids = several(story, 8)
    story.wait(hours=2)
    mistake(story, ids)
    story.sweep()
    accept(story)
    assert states(story, ids) == {LeaseState.ACTIVE}
    story.sweep()
    assert states(story, ids) == {LeaseState.MARKED}
    story.wait(1, seconds=-1)
    story.sweep()
    assert story.calls("delete") == []
    story.wait(seconds=1)
    story.sweep()
    assert sorted(story.calls("delete")) == sorted(ids)
    assert story.reason("janitor", "breaker.lifted") == "meant so"
    assert plan(story).surprise is None
    assert story.ledger.account().hold is None


@pytest.mark.parametrize(
    "mistake, back", [(edited, put_back_policy), (rewritten, put_back_tags)], ids=["policy", "tags"]
)
def test_what_is_put_back_is_as_if_it_had_not_been(
    mistake: Callable[[Story, list[str]], None], back: Callable[[Story, list[str]], None]
) -> None:
    """Without an operator, and they hear of the next one."""
    story = Story(BY_NAME % "9d")
    ids = several(story, 8)
    before = {stack_id: story.lease(stack_id).expires_at for stack_id in ids}
    for _ in range(2):
        story.wait(hours=2)
        mistake(story, ids)
        story.sweep()
        story.wait(hours=2)
        back(story, ids)
        story.sweep()
        assert plan(story).surprise is None
    assert {stack_id: story.lease(stack_id).expires_at for stack_id in ids} == before
    assert told(story, "breaker") == ["operators", "operators"]
    assert story.actions().count("breaker.cleared") == 2


@MISTAKES
def test_a_few_are_no_surprise(mistake: Callable[[Story, list[str]], None]) -> None:
    """Five may, six not: with `>=` for `>` in domain/planning/plan.py five are held."""
    story = Story(BY_NAME % "9d")
    ids = several(story, 5)
    story.wait(hours=2)
    mistake(story, ids)
    story.sweep()
    assert states(story, ids) == {LeaseState.MARKED}
    assert told(story, "breaker") == []


@MISTAKES
def test_only_the_set_that_was_shown_is_accepted(
    mistake: Callable[[Story, list[str]], None],
) -> None:
    """Fails without the look at `shown` in application/operations/breaker.py."""
    story = Story(BY_NAME % "9d")
    ids = several(story, 9)
    story.wait(hours=2)
    mistake(story, ids[:8] if mistake is rewritten else ids)
    story.sweep()
    surprise = plan(story).surprise
    assert surprise is not None
    rewritten(story, ids[8:])
    story.deploy("feat-new", tags=OWNER)
    story.sweep()
    story.sweep()
    with pytest.raises(LiftRefused, match="has changed since it was shown"):
        accept(story, surprise.set_id)
    assert states(story, ids[:8]) == {LeaseState.ACTIVE}


@pytest.mark.parametrize("reason", ["", "\u200b "])
def test_nothing_is_accepted_without_a_reason_or_where_nothing_is_held(reason: str) -> None:
    """The journal wants to know why."""
    story = Story(BY_NAME % "9d")
    ids = several(story, 8)
    with pytest.raises(LiftRefused, match="nothing is held"):
        accept(story)
    edited(story, ids)
    with pytest.raises(LiftRefused, match="say why"):
        accept(story, reason=reason)


def test_a_script_that_takes_hours_is_seen_in_the_end_and_its_marks_are_taken_back() -> None:
    """Five an hour are too many in the second.

    Fails without `ground.bulk` in `_later_of_tags` of domain/lease/refresh.py.
    """
    story = Story(BY_NAME % "9d")
    ids = several(story, 20)
    for begin in range(0, 20, 5):
        rewritten(story, ids[begin : begin + 5])
        story.sweep()
        story.wait(hours=1)
    assert states(story, ids) == {LeaseState.ACTIVE}
    assert story.actions(ids[0]).count("stack.unmarked") == 1
    assert {story.lease(stack_id).delete_after for stack_id in ids} == {None}


def test_protection_that_is_taken_from_many_is_such_a_mistake() -> None:
    """Fails with `lease.expires_at` for what `kept_until` returns."""
    story = Story(BY_NAME % "1d")
    ids = several(story, 8, {**OWNER, "janitor:protect": "x"})
    story.wait(5)
    story.sweep()
    for stack_id in ids:
        story.stacks.redeploy(stack_id, OWNER)
    for _ in range(3):
        story.sweep()
        story.wait(1)
    assert states(story, ids) == {LeaseState.ACTIVE}
    accept(story)
    story.sweep()
    assert states(story, ids) == {LeaseState.MARKED}


def test_a_small_rest_of_what_was_held_is_not_let_through() -> None:
    """Fails without `is_known` in `_is_surprise` of domain/planning/plan.py."""
    story = Story(BY_NAME % "9d")
    ids = several(story, 8)
    edited(story, ids)
    story.sweep()
    for stack_id in ids[2:]:
        story.stacks.remove(stack_id)
    story.sweep()
    story.wait(hours=2)
    story.sweep()
    assert states(story, ids[:2]) == {LeaseState.ACTIVE}


def test_stacks_that_only_a_held_policy_manages_are_left_alone_and_then_adopted() -> None:
    """Fails without `is_taken_in` in `_new` of domain/planning/decide.py."""
    story = Story(BY_NAME % "9d")
    ids = several(story, 8)
    other = story.deploy("other", tags=OWNER)
    story.sweep()
    story.wait(hours=2)
    story.set_policy(POLICY + "rules: [{name: all, select: {name: '*'}, ttl: 30m}]\n")
    story.sweep()
    assert story.ledger.lease(other) is None
    surprise = plan(story).surprise
    assert surprise is not None
    assert surprise.new == (other,)
    accept(story)
    story.sweep()
    assert story.lease(other).adopted_at == story.now
    assert states(story, ids) == {LeaseState.MARKED}


def test_an_edit_that_takes_in_many_and_brings_nothing_forward_adopts_them() -> None:
    """Whatever their age; those that come later are no concern of the edit."""
    story = Story(BY_NAME % "9d")
    several(story, 8)
    others = [story.deploy(f"other-{n}", tags=OWNER) for n in range(20)]
    story.sweep()
    story.wait(1)
    story.set_policy(POLICY + "rules: [{name: all, select: {name: '*'}, ttl: 9d}]\n")
    story.sweep()
    assert {story.lease(stack_id).adopted_at for stack_id in others} == {story.now}
    story.wait(hours=1)
    story.sweep()
    late = story.deploy("other-late", tags=OWNER)
    story.sweep()
    assert story.lease(late).adopted_at is None


@pytest.mark.parametrize("days, is_told_anew", [(3, False), (7, True)])
def test_after_a_long_silence_of_its_region_a_stack_is_told_anew(
    days: int, is_told_anew: bool
) -> None:
    """Fails without `_without_old_notices` in domain/lease/refresh.py."""
    story = Story()
    stack_id = story.deploy()
    for _ in range(6):
        story.sweep()
        story.wait(hours=12)
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.MARKED
    story.stacks.refuse(HERE, "AccessDenied")
    for _ in range(days):
        story.wait(1)
        story.sweep()
    story.stacks.refuse(HERE, "")
    story.sweep()
    assert (story.calls("delete") == []) is is_told_anew
    assert len(told(story, "final")) == 1 + is_told_anew
    story.wait(1)
    story.sweep()
    assert story.calls("delete") == [stack_id]


def test_an_edit_is_not_accepted_while_a_region_is_away() -> None:
    """Nobody knows what it would do there.

    Fails without `is_whole` in `_is_surprise`, and without the look at it in `_with_accepted`.
    """
    story = Story(BY_NAME % "9d")
    here = [story.deploy(f"feat-{n}", tags=OWNER) for n in range(2)]
    there = [story.deploy(f"feat-t{n}", tags=OWNER, region=THERE) for n in range(9)]
    story.sweep()
    story.stacks.refuse(THERE, "AccessDenied")
    story.wait(hours=2)
    edited(story, here)
    story.sweep()
    assert states(story, here) == {LeaseState.ACTIVE}
    story.stacks.refuse(THERE, "")
    story.wait(hours=1)
    story.sweep()
    assert states(story, here + there) == {LeaseState.ACTIVE}
    surprise = plan(story).surprise
    assert surprise is not None
    assert len(surprise.leases) == 11


def test_a_deletion_that_was_queued_before_the_edit_was_seen_looks_again() -> None:
    """Fails with `is_policy_held=False` in `ground_of`."""
    story = Story(BY_NAME % "9d")
    (stack_id,) = several(story, 1)
    story.set_policy(BY_NAME % "30m")
    found = story.ledger.account()
    assert found.accepted_policy != story.policies.policy().document
    assert ground_of(found, story.policies.policy()).is_policy_held
    assert story.lease(stack_id).expires_at == story.now + 9 * DAY


def test_nobody_is_described_where_nothing_is_held() -> None:
    """Not one call more than needed."""
    story = Story()
    story.until_marked(termination_protection=True)
    story.wait(DAY.days)
    before = len(story.calls("describe"))
    story.look()
    assert len(story.calls("describe")) == before


def test_a_sweep_without_time_asks_about_no_due_stack() -> None:
    """What was not asked is not decided.

    Fails if `is_protected` or `importers_of` of stack_questions.py does not ask `may_go_on`.
    """
    story = Story()
    story.deploy("alive", tags={"owner": "bob@example.com"}, imports=("x",))
    for number in range(6):
        story.deploy(f"due-{number}", exports=("x",), termination_protection=True)
    story.sweep()
    story.wait(3)
    story.sweep()
    story.wait(1)
    before = len(story.stacks.calls)
    sweep(
        clock=story.janitor.clock,
        policies=story.policies,
        regions=story.janitor.regions,
        stacks=story.stacks,
        ledger=story.ledger,
        queue=story.janitor.queue,
        actor=SWEEPER,
        apply=True,
        may_go_on=lambda: False,
    )
    assert {call[0] for call in story.stacks.calls[before:]} <= {"list"}


def test_an_unchanged_sweep_writes_nothing_for_half_a_day() -> None:
    """Then it notes once that it saw the regions."""
    story = Story(BY_NAME % "9d")
    several(story, 3)
    story.wait(hours=1)
    story.sweep()
    before = {key: list(story.ledger.chain(key)) for key in story.ledger.chain_keys()}
    for _ in range(10):
        story.wait(hours=1)
        story.sweep()
    assert {key: list(story.ledger.chain(key)) for key in story.ledger.chain_keys()} == before
    story.wait(hours=1)
    story.sweep()
    assert story.actions()[-1] == "regions.listed"
