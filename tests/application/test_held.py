"""What is held is let go by what clears it, and by nothing else."""

from collections.abc import Callable, Iterable, Iterator

import pytest
from tests.application.stories import HERE, POLICY, SWEEPER, THERE, Story
from tests.fakes.stacks import MemoryStacks

from janitor.application.operations.breaker import lift
from janitor.application.operations.unmanage import unmanage
from janitor.application.sweep.sweep import sweep
from janitor.domain.journal.events import Actor
from janitor.domain.model import Account, LeaseState
from janitor.domain.planning.plan import Listing
from janitor.domain.planning.unreadable import Unread

OWNER = {"owner": "ana@example.com"}
OPERATOR = Actor("operator", "olga", "cli")


def by_name(ttl: str) -> str:
    """Return a policy under which stacks called so live for so long."""
    return POLICY + f"rules: [{{name: feat, select: {{name: 'feat*'}}, ttl: {ttl}}}]\n"


def account_of(story: Story, count: int = 30, region: str = HERE) -> list[str]:
    """Deploy so many stacks, two days ago."""
    ids = [story.deploy(f"feat-{region}-{n}", tags=OWNER, region=region) for n in range(count)]
    story.sweep()
    story.wait(2)
    story.sweep()
    return ids


def accept(story: Story) -> Account:
    """Accept what is held, as an operator does."""
    plan = story.janitor.plan().plan
    assert plan.surprise is not None
    return lift(
        plan,
        shown=plan.surprise.set_id,
        actor=OPERATOR,
        reason="meant",
        now=story.now,
        policy=story.policies.policy(),
        ledger=story.ledger,
    )


def cut_sweep(story: Story, after: int) -> None:
    """Sweep, with time for so many stacks only."""
    asked = iter(range(after))
    sweep(
        clock=lambda: story.now,
        policies=story.policies,
        regions=(HERE, THERE),
        stacks=story.stacks,
        ledger=story.ledger,
        queue=story.janitor.queue,
        actor=SWEEPER,
        apply=True,
        may_go_on=lambda: next(asked, None) is not None,
    )
    story.janitor.drain()


def edit(story: Story, ids: list[str]) -> None:
    """Let the policy bring all deadlines forward."""
    assert ids
    story.set_policy(by_name("30m"))


def retag(story: Story, ids: list[str]) -> None:
    """Let a script set ten dates that have passed."""
    for stack_id in ids[:10]:
        story.stacks.redeploy(stack_id, {**OWNER, "janitor:expires": "2026-06-02"})


@pytest.mark.parametrize("mistake", [edit, retag])
def test_what_was_accepted_stays_accepted_where_a_sweep_has_no_time_for_all(
    mistake: Callable[[Story, list[str]], None],
) -> None:
    """No stack is held once more, and each that was accepted is marked.

    Fails without `is_moving` in `_with_accepted` of application/sweep/account.py.
    """
    story = Story(by_name("30d"))
    ids = account_of(story)
    mistake(story, ids)
    story.sweep()
    accept(story)
    story.wait(hours=1)
    cut_sweep(story, 8)
    story.wait(hours=1)
    plan = story.sweep().plan
    assert plan.surprise is None
    marked = [i for i in ids if story.lease(i).state is LeaseState.MARKED]
    assert len(marked) == (30 if mistake is edit else 10)
    story.wait(hours=1)
    story.sweep()
    account = story.ledger.account()
    assert (account.previous_policy, account.accepted_moves) == ("", ())


@pytest.mark.parametrize("is_put_back", [True, False], ids=["put back", "accepted"])
def test_a_region_that_is_gone_for_good_holds_nothing(is_put_back: bool) -> None:
    """Neither after the policy is put back nor after it is accepted is anybody told again.

    Fails without `_in_sight` in domain/planning/plan.py, or `is_policy_held` in `is_held_still` of domain/planning/surprises.py.
    """
    story = Story(by_name("30d"))
    account_of(story, 15, THERE)
    account_of(story, 15)
    edit(story, ["all"])
    story.sweep()
    assert story.ledger.account().hold is not None
    story.stacks.refused_regions[THERE] = "AccessDenied"
    for _ in range(14):
        story.wait(hours=12)
        story.sweep()
    if is_put_back:
        story.set_policy(by_name("30d"))
    else:
        accept(story)
    for _ in range(4):
        story.wait(hours=12)
        story.sweep()
        assert story.ledger.account().hold is None
    assert story.actions().count("breaker.tripped") == 1


def test_an_edit_is_put_back_while_a_region_is_away_and_nothing_is_held() -> None:
    """Its leases still say what was held when it was listed last.

    Fails without `is_policy_held` in `is_held_still` of domain/planning/surprises.py.
    """
    story = Story(by_name("30d"))
    account_of(story, 15, THERE)
    edit(story, ["all"])
    story.sweep()
    story.stacks.refused_regions[THERE] = "AccessDenied"
    story.set_policy(by_name("30d"))
    story.wait(hours=1)
    story.sweep()
    assert story.ledger.account().hold is None


def test_tags_in_bulk_are_told_where_a_policy_is_held_already() -> None:
    """It is another mistake.

    Fails without `is_by_tags` in `_with_hold` of application/sweep/account.py.
    """
    story = Story(POLICY + "rules: [{name: long, select: {tag: owner}, ttl: 30d}]\n")
    ids = account_of(story)
    edited = "rules: [{name: short, select: {name: '*-1?'}, ttl: 30m}, {name: long,"
    story.set_policy(POLICY + f"{edited} select: {{tag: owner}}, ttl: 30d}}]\n")
    story.sweep()
    assert told(story) == [True]
    story.wait(hours=1)
    retag(story, ids)
    for _ in range(2):
        story.sweep()
        story.wait(hours=1)
    assert told(story) == [True, True]
    hold = story.ledger.account().hold
    assert hold is not None
    assert "10 of 30 managed" in hold.text
    assert "tags brought forward the deadlines of 10 stacks" in hold.text


def told(story: Story) -> list[bool]:
    """Return one True for each time that operators were told of what is held."""
    return [True for message in story.channel.sent if "breaker" in message.kinds]


def test_who_was_taken_out_stays_out_while_the_listing_cannot_be_read() -> None:
    """What cannot be read is not gone.

    Fails without the look at `unread` in `_still_there` of application/sweep/account.py.
    """
    story = Story(by_name("7d"))
    stack_id = story.deploy(tags=OWNER)
    story.sweep()
    unmanage(story.lease(stack_id), actor=OPERATOR, reason="no", now=story.now, ledger=story.ledger)
    story.wait(hours=1)
    story.sweep()

    class Odd(MemoryStacks):
        def list_all(self, regions: Iterable[str]) -> Iterator[Listing]:
            assert regions
            yield Listing(HERE, unread=(Unread(stack_id, "feat", "no CreationTime"),))
            yield Listing(THERE)

    story.stacks.__class__ = Odd
    story.wait(hours=1)
    story.sweep()
    story.stacks.__class__ = MemoryStacks
    for _ in range(10):
        story.wait(1)
        story.sweep()
    assert story.lease(stack_id).state is LeaseState.RELEASED
    story.stacks.set(stack_id, "DELETE_COMPLETE")
    story.sweep()
    assert story.ledger.account().taken_out == ()
    assert "stack.forgotten" in story.actions()


def test_a_region_that_was_away_when_a_policy_was_accepted_is_held_when_it_returns() -> None:
    """The operator did not see it, so nobody accepted what the policy does there.

    Fails without the look at `void_before` in `_is_by_policy` of domain/lease/refresh.py.
    """
    story = Story(by_name("30d"))
    away, here = account_of(story, 15, THERE), account_of(story, 15)
    story.stacks.refused_regions[THERE] = "AccessDenied"
    for _ in range(14):
        story.wait(hours=12)
        story.sweep()
    edit(story, away)
    story.sweep()
    accept(story)
    story.stacks.refused_regions.clear()
    for _ in range(3):
        story.wait(hours=1)
        story.sweep()
        assert {story.lease(stack_id).state for stack_id in away} == {LeaseState.ACTIVE}
        assert {story.lease(stack_id).state for stack_id in here} == {LeaseState.MARKED}
    assert story.ledger.account().hold is not None


def test_who_sweeps_once_a_week_accepts_no_policy_while_a_region_is_refused_once() -> None:
    """A week is its usual interval there.

    Fails with `SILENT_AFTER` alone in `is_silent` of domain/planning/listed_regions.py.
    """
    story = Story(by_name("30d"))
    account_of(story, 15, THERE)
    for _ in range(3):
        story.wait(7)
        story.sweep()
    story.stacks.refused_regions[THERE] = "AccessDenied"
    edit(story, ["all"])
    story.wait(7)
    story.sweep()
    assert "policy.accepted" not in story.actions()[story.actions().index("region.refused") :]


@pytest.mark.parametrize("mistake", [edit, retag])
def test_what_is_due_by_its_former_deadline_too_holds_nothing(
    mistake: Callable[[Story, list[str]], None],
) -> None:
    """A stack that cannot be deleted would keep a policy from ever being accepted.

    Fails without the look at `former` in `is_held_still` of domain/planning/surprises.py.
    """
    story = Story(by_name("30d"))
    ids = account_of(story, 8)
    mistake(story, ids)
    story.sweep()
    assert story.ledger.account().hold is not None
    for _ in range(40):
        story.wait(1)
        story.sweep()
        for stack in list(story.stacks.stacks.values()):
            if stack.status == "DELETE_IN_PROGRESS":
                story.stacks.set(stack.stack_id, "DELETE_FAILED")
    assert {story.lease(i).state for i in ids} == {LeaseState.NEEDS_ATTENTION}
    assert story.ledger.account().hold is None
    assert story.janitor.plan().plan.surprise is None


def test_who_sweeps_one_region_counts_what_is_managed_in_all() -> None:
    """A tenth of what is held is no tenth of what one region has.

    Fails with `managed_of` for `_managed_in_sight` in domain/planning/plan.py.
    """
    story = Story(by_name("30d"))
    account_of(story, 6, THERE)
    account_of(story, 6)
    edit(story, ["all"])
    story.sweep()
    surprise = sweep(
        clock=lambda: story.now,
        policies=story.policies,
        regions=(HERE,),
        stacks=story.stacks,
        ledger=story.ledger,
        queue=story.janitor.queue,
        actor=SWEEPER,
        apply=False,
    ).plan.surprise
    assert surprise is not None
    assert (len(surprise.leases), surprise.managed) == (12, 12)
