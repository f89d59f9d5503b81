"""Letting go: the owner ends the lease now, and the way to the end is that of any deadline."""

from typing import Any

import pytest
from msgspec.structs import replace
from tests.application.stories import ANA, DAY, HOUR, MONDAY, OWNED, POLICY, SWEEPER, Story
from tests.fakes.stacks import MemoryStacks

from janitor.application.lease.release import let_go
from janitor.domain.errors import ExtensionRefused, JanitorError, StackNotFound
from janitor.domain.journal.events import Entry
from janitor.domain.lease.notice_history import LET_GO
from janitor.domain.model import Lease, LeaseState


def letting(story: Story, stack_id: str, **how: Any) -> Lease:
    """Let Ana let a stack go."""
    known: dict[str, Any] = {"actor": ANA, "reason": "merged", "now": story.now}
    policy = story.policies.policy()
    return let_go(stack_id, policy=policy, ledger=story.ledger, **{**known, **how})


def let_go_on_tuesday(**how: Any) -> tuple[Story, str]:
    """Deploy a stack on Monday, and let it go a day later."""
    story = Story(**how)
    stack_id = story.deploy()
    story.sweep()
    story.wait(1)
    letting(story, stack_id)
    return story, stack_id


def test_letting_go_moves_the_deadline_to_now_and_deletes_nothing() -> None:
    """The event has who, why, and both deadlines."""
    story, stack_id = let_go_on_tuesday()
    lease = story.lease(stack_id)
    assert (lease.state, lease.expires_at) == (LeaseState.ACTIVE, MONDAY + DAY)
    assert (lease.deadline_source, lease.generation, lease.notices) == (LET_GO, 2, ())
    event = list(story.ledger.chain(stack_id))[-1].body
    assert (event["action"], event["actor"]["id"]) == ("lease.let_go", "ana@example.com")
    assert event["reason"] == {
        "sentence": "merged",
        "facts": {"from": "Thu 4 Jun 2026 08:00 UTC", "until": "Tue 2 Jun 2026 08:00 UTC"},
    }
    assert story.calls("delete") == []


def test_final_notice_and_grace_come_after_letting_go_as_after_any_deadline() -> None:
    """Every owner is told, and a day later it goes.

    Fails with `state=LeaseState.DELETING` or with a notice in `notices=()` of release.py.
    """
    story, stack_id = let_go_on_tuesday()
    story.sweep()
    assert story.subjects() == ["[janitor] feat will be deleted"]
    assert "Why: let go; created" in story.channel.sent[-1].text
    story.wait(hours=23)
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.MARKED
    story.wait(hours=1)
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.DELETING


def test_an_extension_takes_it_back() -> None:
    """Before the mark and after it; the tag's deadline, if later, holds again.

    Fails without `let_go_at=None` in application/lease/extend.py.
    """
    for sweeps in (0, 1):
        story, stack_id = let_go_on_tuesday()
        for _ in range(sweeps):
            story.sweep()
        story.extend(stack_id, by=HOUR)
        for _ in range(3):
            story.sweep()
        lease = story.lease(stack_id)
        assert (lease.state, lease.expires_at) == (LeaseState.ACTIVE, MONDAY + 3 * DAY)


@pytest.mark.parametrize("ttl_from", ["created", "updated"])
def test_another_deployment_takes_it_back_for_good(ttl_from: str) -> None:
    """The janitor's own tag updates, which come after it, do not make it count again.

    Fails without `deployed_at=deployed_at(stack, lease)` in application/sweep/tagging.py.
    """
    story, stack_id = let_go_on_tuesday(
        policy=f"{POLICY}defaults: {{ttl_from: {ttl_from}, reminders: [1h]}}"
    )
    story.sweep()
    story.wait(hours=1)
    story.stacks.redeploy(stack_id)
    for _ in range(4):
        story.sweep()
        story.wait(hours=1)
    lease = story.lease(stack_id)
    begun = MONDAY if ttl_from == "created" else MONDAY + DAY + HOUR
    assert (lease.state, lease.expires_at) == (LeaseState.ACTIVE, begun + 3 * DAY)
    assert "janitor:state" not in story.stack(stack_id).tags
    told = story.reason(stack_id, "stack.unmarked") + story.reason(stack_id, "lease.opened")
    assert "no longer due" in told


def test_a_deployment_of_the_same_instant_takes_it_back_too() -> None:
    """Nobody can tell which came first, and unsure means do not delete.

    Fails with `<=` for `<` in `_let_go` of domain/lease/notice_history.py.
    """
    story, stack_id = let_go_on_tuesday()
    story.stacks.redeploy(stack_id)
    story.sweep()
    assert story.lease(stack_id).expires_at == MONDAY + 3 * DAY


def test_the_janitors_own_tags_do_not_take_it_back() -> None:
    """Its mark is an update of the stack, and no deployment."""
    story, stack_id = let_go_on_tuesday()
    for _ in range(3):
        story.sweep()
        story.wait(hours=1)
    assert story.stack(stack_id).tags["janitor:state"] == "marked-for-deletion"
    lease = story.lease(stack_id)
    assert (lease.state, lease.expires_at) == (LeaseState.MARKED, MONDAY + DAY)


class Mute:
    """CloudFormation that does as it is told, and says nothing of a change of tags."""

    def __init__(self, stacks: MemoryStacks, *, is_cut_off: bool) -> None:
        self.stacks, self.is_cut_off = stacks, is_cut_off

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stacks, name)

    def tag(self, *args: Any) -> bool:
        """Change them, and be cut off, or answer."""
        is_taken = self.stacks.tag(*args)
        if not self.is_cut_off:
            return is_taken
        raise JanitorError("describing feat failed: Rate exceeded")


@pytest.mark.parametrize("is_cut_off", [True, False])
def test_tags_whose_answer_was_lost_do_not_take_it_back_either(is_cut_off: bool) -> None:
    """By its token CloudFormation tells the janitor's update from a deployment.

    Fails without `settle(…)` in application/sweep/sweep.py, and if that gives a dry run leases
    that have not moved on.
    """
    story, stack_id = let_go_on_tuesday()
    muted = replace(story.janitor, stacks=Mute(story.stacks, is_cut_off=is_cut_off))
    muted.sweep(SWEEPER)
    story.wait(hours=1)
    planned = story.janitor._sweep(SWEEPER, apply=False).plan
    assert [type(d).__name__ for d in planned.decisions] == ["Wait"]
    assert story.sweep().plan == planned
    lease = story.lease(stack_id)
    assert (lease.state, lease.expires_at) == (LeaseState.MARKED, MONDAY + DAY)
    assert (lease.tagging, story.actions(stack_id)[-1]) == (None, "tags.written")
    story.stacks.redeploy(stack_id)
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.ACTIVE


def test_a_deployment_after_tags_whose_answer_was_lost_takes_it_back() -> None:
    """It keeps all tags, the janitor's own among them, and is none of its updates.

    Fails if `tag_outcome` of the twin, or of the adapter, does not look at the token.
    """
    story, stack_id = let_go_on_tuesday()
    replace(story.janitor, stacks=Mute(story.stacks, is_cut_off=True)).sweep(SWEEPER)
    story.wait(hours=1)
    story.stacks.redeploy(stack_id)
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.ACTIVE
    assert story.lease(stack_id).expires_at == MONDAY + 3 * DAY


def test_a_policy_that_leaves_the_stack_out_for_a_while_does_not_take_it_back() -> None:
    """Its owner said so of the stack, and nobody has deployed it since.

    An edit of the policy took it in again: so its owner is told first, and has three days.

    Fails with `unmarked(lease)` for `unmarked(before)` in application/sweep/apply.py.
    """
    story, stack_id = let_go_on_tuesday()
    story.set_policy(POLICY + "never_delete: [feat]\n")
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.RELEASED
    story.set_policy(POLICY)
    for _ in range(2):
        story.wait(hours=1)
        story.sweep()
    # The edit took it in, so its owner hears of that before it is marked anew.
    assert story.lease(stack_id).adopted_at is not None
    lease = story.lease(stack_id)
    assert (lease.state, lease.expires_at) == (LeaseState.ACTIVE, MONDAY + DAY)
    assert [notice.stage for notice in lease.notices] == ["adopted"]
    story.wait(3)
    story.sweep()
    lease = story.lease(stack_id)
    assert (lease.state, lease.expires_at) == (LeaseState.MARKED, MONDAY + DAY)


def test_a_stack_that_would_never_expire_can_be_let_go() -> None:
    """It ends then."""
    story = Story(POLICY + "defaults: {allow_never: true}")
    stack_id = story.deploy(tags={**OWNED, "janitor:ttl": "never"})
    story.sweep()
    story.wait(1)
    letting(story, stack_id)
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.MARKED


def test_letting_go_what_is_overdue_keeps_its_deadline() -> None:
    """The sweep has not seen it yet; no deadline moves later by that."""
    story = Story()
    stack_id = story.deploy()
    story.sweep()
    story.wait(5)
    assert letting(story, stack_id).expires_at == MONDAY + 3 * DAY


@pytest.mark.parametrize(
    "changes, why",
    [
        ({"problem": "tag janitor:ttl 'x' is odd"}, "has no deadline, since tag"),
        ({"protection": "protected by tag janitor:protect"}, "take that tag away first"),
        ({"deadline_source": LET_GO}, "feat has been let go already"),
        ({"deadline_source": "let go by its owner"}, "feat has been let go already"),
        ({"state": LeaseState.MARKED}, "goes by itself; the final notice says when"),
        ({"state": LeaseState.DELETING}, "feat is being deleted already"),
        ({"state": LeaseState.FAILED, "last_error": "in\nuse"}, "deleted so far: in use"),
        ({"state": LeaseState.NEEDS_ATTENTION}, "could not be deleted so far"),
        ({"state": LeaseState.DELETED}, "feat is deleted: there is nothing left to let go"),
        ({"state": LeaseState.GONE}, "feat is gone: there is nothing left to let go"),
        ({"state": LeaseState.RELEASED}, "feat is released: there is nothing left to let go"),
    ],
)
def test_what_cannot_be_let_go_is_refused_with_a_reason(changes: dict[str, Any], why: str) -> None:
    """And nothing changes."""
    story = Story()
    stack_id = story.deploy()
    story.sweep()
    before = replace(story.lease(stack_id), **changes)
    story.ledger.records[stack_id] = before
    with pytest.raises(ExtensionRefused, match=why):
        letting(story, stack_id)
    assert story.lease(stack_id) == before


def test_a_link_lets_go_the_deadline_that_it_was_made_for() -> None:
    """An older one says what holds now."""
    story = Story()
    stack_id = story.deploy()
    story.sweep()
    story.extend(stack_id, by=DAY)
    with pytest.raises(ExtensionRefused, match="already extended to Fri 5 Jun 2026 08:00 UTC"):
        letting(story, stack_id, generation=1)
    assert letting(story, stack_id, generation=2).deadline_source == LET_GO


def test_an_unknown_stack_cannot_be_let_go() -> None:
    """Said plainly."""
    with pytest.raises(StackNotFound, match="no lease is known for arn:x"):
        letting(Story(), "arn:x")


def test_letting_go_and_extending_at_once_loses_neither_word() -> None:
    """One of them is written first; the other looks at that, and is told.

    Fails with `if False:` for the condition of `commit` in tests/fakes/memory.py.
    """
    story, stack_id = Story(), ""
    stack_id = story.deploy()
    story.sweep()
    ledger = story.ledger
    commit, rivals = ledger.commit, [lambda: story.extend(stack_id, by=DAY)]

    def beaten(entry: Entry[Any]) -> None:
        if rivals:
            rivals.pop()()
        commit(entry)

    ledger.commit = beaten  # type: ignore[method-assign]
    with pytest.raises(ExtensionRefused, match="already extended to"):
        letting(story, stack_id, generation=1)
    assert story.lease(stack_id).expires_at == MONDAY + 4 * DAY
    assert story.actions(stack_id) == ["lease.opened", "lease.extended"]


def test_earlier_messages_are_shown_anew_with_who_let_it_go() -> None:
    """Whoever reads the reminder sees that there is nothing to press any more."""
    story = Story()
    stack_id = story.deploy()
    story.sweep()
    story.wait(2)
    story.sweep()
    letting(story, stack_id, queue=story.janitor.queue)
    story.janitor.drain()
    ((message_id, message, said),) = story.channel.revised
    assert (message_id, said) == (
        "memory-1",
        "ana@example.com let feat go, by the command line.",
    )
    (entry,) = message.words.entries
    assert (entry.stage, entry.link) == ("settled", "")
    assert entry.fate == "Its owner has let it go; a final notice says when it goes."
