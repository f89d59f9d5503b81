"""Tags that mirror the lease: written once, never the truth, a refusal changes nothing else."""

from collections.abc import Collection, Mapping
from typing import Any

import pytest
from msgspec.structs import replace
from tests.application.stories import DAY, MONDAY, OWNED, POLICY, SWEEPER, Story, failures
from tests.fakes.stacks import MemoryStacks
from tests.fakes.tagging import Operation

from janitor.domain.errors import DeliveryFailed, JanitorError, TagRefused
from janitor.domain.model import Contact, ContactKind, LeaseState, Mode, Stack
from janitor.domain.tagging.outcomes import Became

MARK = {"janitor:state": "marked-for-deletion", "janitor:delete-after": "20260605T080000Z"}


def test_a_mark_is_written_on_the_stack_beside_its_own_tags() -> None:
    """With the date that will hold, in intent, call and, at the next sweep, outcome."""
    story = Story()
    stack_id = story.until_marked()
    assert "tags.written" not in story.actions(stack_id)
    story.wait(hours=1)
    story.sweep()
    assert story.stack(stack_id).tags == {**OWNED, **MARK}
    assert story.actions(stack_id) == [
        "lease.opened",
        "stack.marked",
        "tags.intended",
        "notice.delivered",
        "tags.written",
    ]
    assert story.findings() == []


def test_tags_are_written_once() -> None:
    """However often it is swept."""
    story = Story()
    story.until_marked()
    for _ in range(5):
        story.wait(hours=1)
        story.sweep()
    assert len(story.calls("tag")) == 1


def test_a_redeploy_that_wipes_the_tags_is_tagged_again() -> None:
    """The lease is the truth, and the rule still selects the stack."""
    story = Story(POLICY + "rules: [{name: all, select: {name: '*'}, ttl: 3d}]")
    stack_id = story.until_marked()
    story.wait(hours=1)
    story.stacks.redeploy(stack_id, {"janitor:owner": "ana@example.com"})
    story.sweep()
    assert story.stack(stack_id).tags == {"janitor:owner": "ana@example.com", **MARK}
    assert story.lease(stack_id).state is LeaseState.MARKED


def test_the_own_tags_are_no_deployment() -> None:
    """A ttl from the last update would start anew with every mark."""
    policy = "rules: [{name: all, select: {name: '*'}, ttl: 3d, ttl_from: updated}]"
    story = Story(POLICY + policy)
    stack_id = story.until_marked()
    assert story.stack(stack_id).updated == MONDAY + 3 * DAY
    story.wait(hours=1)
    story.sweep()
    lease = story.lease(stack_id)
    assert (lease.expires_at, lease.state) == (MONDAY + 3 * DAY, LeaseState.MARKED)
    story.wait(1)
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.DELETING


def test_a_refusal_is_journalled_once_and_changes_nothing_else() -> None:
    """The owner is told all the same, and the stack goes when it should."""
    story = Story()
    full = {f"t{number}": "x" for number in range(48)}
    stack_id = story.until_marked(tags={**OWNED, **full})
    for _ in range(5):
        story.wait(hours=1)
        story.sweep()
    assert story.actions(stack_id).count("tags.refused") == 1
    assert story.reason(stack_id, "tags.refused") == "feat has no room for more tags (50 at most)"
    assert story.lease(stack_id).state is LeaseState.MARKED
    assert story.stack(stack_id).tags == {**OWNED, **full}
    story.wait(1)
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.DELETING


class Flaky(MemoryStacks):
    """CloudFormation whose tagging is cut off, before or after it took effect."""

    def __init__(self, story: Story, *, takes_effect: bool) -> None:
        super().__init__(lambda: story.now)
        self.stacks, self.operations = story.stacks.stacks, story.stacks.operations
        self.resources = story.stacks.resources
        self.takes_effect = takes_effect

    def tag(
        self,
        stack: Stack,
        put: Mapping[str, str],
        remove: Collection[str],
        token: str,
    ) -> bool:
        """Be cut off."""
        if self.takes_effect:
            super().tag(stack, put, remove, token)
        raise JanitorError("timed out")


@pytest.mark.parametrize("takes_effect", [False, True])
def test_tagging_that_was_cut_off_is_finished_by_the_next_sweep(takes_effect: bool) -> None:
    """It is not known whether it happened: what the stack shows is what counts."""
    story = Story()
    stack_id = story.deploy()
    story.sweep()
    story.wait(3)
    flaky = replace(story.janitor, stacks=Flaky(story, takes_effect=takes_effect))
    assert failures(flaky.sweep(SWEEPER)) == ["timed out"]
    assert story.lease(stack_id).state is LeaseState.MARKED
    story.wait(hours=1)
    story.sweep()
    assert story.stack(stack_id).tags == {**OWNED, **MARK}


def test_a_policy_may_switch_tagging_off() -> None:
    """Some accounts cannot have their stacks updated."""
    story = Story(POLICY + "defaults: {tagging: off}")
    stack_id = story.until_marked()
    assert story.lease(stack_id).state is LeaseState.MARKED
    assert story.stack(stack_id).tags == OWNED
    assert story.calls("tag") == []


def test_a_status_that_takes_no_tags_is_not_asked() -> None:
    """Marked and told without."""
    story = Story()
    stack_id = story.until_marked(status="ROLLBACK_COMPLETE")
    assert story.calls("tag") == []
    assert story.lease(stack_id).delete_after == MONDAY + 4 * DAY


def test_a_released_stack_loses_the_janitors_tags() -> None:
    """The policy leaves it out; nothing of ours stays behind.

    Its lease ends once it is known what became of that. Fails without `is_open` in sweep/apply.py.
    """
    story = Story()
    stack_id = story.until_marked()
    story.set_policy(POLICY + "never_delete: [feat]\n")
    story.sweep()
    assert story.stack(stack_id).tags == OWNED
    assert story.lease(stack_id).state is LeaseState.MARKED
    story.sweep()
    assert story.actions(stack_id)[-2:] == ["tags.written", "lease.closed"]
    assert story.lease(stack_id).state is LeaseState.RELEASED
    assert story.findings() == []


def test_a_root_with_a_nested_stack_whose_parameter_moved_is_not_tagged_and_goes_all_the_same() -> (
    None
):
    """Its update could replace what runs in the nested one; the refusal is journalled once.

    Fails without the nested proposals in domain/tagging/change_set.py.
    """
    story = Story()
    root = story.deploy()
    child = story.stacks.create("feat-child", parent_id=root)
    story.stacks.stacks[child.stack_id] = replace(child, reads_ssm=True)
    story.stacks.moved[child.stack_id] = ("Queue",)
    story.sweep()
    story.wait(3)
    for _ in range(3):
        story.sweep()
        story.wait(hours=1)
    assert story.stacks.harmed == []
    assert story.stack(root).tags == OWNED
    assert story.actions(root).count("tags.refused") == 1
    story.wait(1)
    story.sweep()
    assert story.calls("delete") == [root]


def test_observe_writes_no_tags_and_takes_none_away() -> None:
    """It changes nothing outside the ledger."""
    story = Story()
    stack_id = story.until_marked()
    story.extend(stack_id, by=DAY)
    story.policies.override = Mode.OBSERVE
    story.wait(hours=1)
    story.sweep()
    assert story.stack(stack_id).tags == {**OWNED, **MARK}
    assert len(story.calls("tag")) == 1


def test_tags_that_go_on_and_off_again_have_a_token_each_time() -> None:
    """CloudFormation takes the same token for the same request, and does nothing.

    Fails if the token is made of the change, without its place in the chain.
    """
    story = Story(POLICY + "defaults: {ttl_from: updated}\n")
    stack_id = story.until_marked()
    for _ in range(2):
        story.extend(stack_id, by=DAY)
        story.sweep()
        assert story.stack(stack_id).tags == OWNED
        story.wait(1, hours=1)
        story.sweep()
        assert "janitor:state" in story.stack(stack_id).tags
    tokens = [call[2] for call in story.stacks.calls if call[0] == "tag"]
    assert len(tokens) == len(set(tokens)) == 5


def roll_back(story: Story) -> None:
    """Let CloudFormation take every update of tags, and roll it back."""
    for stack_id in story.stacks.stacks:
        story.stacks.ends[stack_id] = Operation("", Became.ROLLED_BACK, "no sqs:TagQueue")


@pytest.mark.parametrize("is_kept", [False, True])
def test_tags_that_are_rolled_back_are_not_tried_every_hour(is_kept: bool) -> None:
    """Each try is an update and a roll-back of somebody's stack, of one that was kept as well.

    Fails without `_is_in_the_way` in domain/tagging/status_tags.py.
    """
    story = Story()
    if is_kept:
        stack_id = story.until_marked()
        story.wait(hours=1)
        story.sweep()
        roll_back(story)
        story.extend(stack_id, by=7 * DAY)
    else:
        stack_id = story.deploy()
        story.sweep()
        story.wait(3)
        roll_back(story)
    before = len(story.calls("tag"))
    for _ in range(20):
        story.sweep()
        story.wait(hours=1)
    assert len(story.calls("tag")) - before == 1


def test_another_mark_is_tagged_though_an_update_of_its_owner_was_rolled_back() -> None:
    """The attempt that is remembered went well, and was about the mark before.

    Fails if an extension leaves the attempt in the lease.
    """
    story = Story()
    stack_id = story.until_marked()
    story.extend(stack_id, by=DAY)
    story.stacks.redeploy(stack_id, OWNED)
    story.stacks.set(stack_id, "UPDATE_ROLLBACK_COMPLETE")
    story.wait(2)
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.MARKED
    assert "janitor:state" in story.stack(stack_id).tags


def test_refused_tags_are_not_tried_every_hour_while_a_notice_is_undelivered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The date that the mark foretells moves with each sweep.

    Fails if an attempt is told from another by a date that nobody was promised.
    """

    def refuse(*_: Any, **__: Any) -> None:
        raise TagRefused("has no room for more tags")

    story = Story()
    stack_id = story.deploy()
    story.sweep()
    story.wait(3)
    story.channel.refuse(Contact(ContactKind.EMAIL, "ana@example.com"), DeliveryFailed("down"))
    monkeypatch.setattr(story.stacks, "tag", refuse)
    for _ in range(20):
        story.sweep()
        story.wait(hours=1)
    assert story.actions(stack_id).count("tags.refused") == 1


def test_a_mark_is_one_update_of_the_stack() -> None:
    """The notice is delivered seconds after the mark, and the tag may be as much off.

    Fails if a date has to be exact.
    """
    story = Story()
    story.deploy()
    story.sweep()
    story.wait(3)
    story.look()
    story.wait(seconds=7)
    story.janitor.drain()
    for _ in range(2):
        story.wait(hours=1)
        story.sweep()
    assert len(story.calls("tag")) == 1
