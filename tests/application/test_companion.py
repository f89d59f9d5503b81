"""A SAM companion stack lives and goes with its parent, under the parent's lease."""

from typing import Any

import pytest
from msgspec.structs import replace
from tests.application.stories import OWNED, POLICY, THERE, Story
from tests.fakes.stacks import MemoryStacks

from janitor.application.operations.explain import explain
from janitor.application.ports import PLAIN
from janitor.domain.deletion.strategy import Step
from janitor.domain.errors import JanitorError
from janitor.domain.model import LeaseState, Status
from janitor.domain.notification.messages import DeletionRequest
from janitor.domain.planning.decisions import decision_name
from janitor.domain.stack.companions import companion_name
from janitor.domain.stack.resources import Resource
from janitor.entrypoints.cli.views.explain import explained_document, explained_facts

NAME = companion_name("feat")
IMAGES = "feat1ba8aba1/fn"
PARTS = (Resource("FnRepo", "AWS::ECR::Repository", IMAGES),)
BY_NAME = f"{POLICY}rules: [{{name: feats, select: {{name: 'feat*'}}, ttl: 3d}}]\n"
OPTED_IN = f"{POLICY}defaults: {{purge: [ecr]}}\n"


def sam(policy: str = POLICY, images: int = 0, **kind: Any) -> tuple[Story, str, str]:
    """Deploy a stack as SAM does, and its companion before it; sweep until it may be deleted."""
    story = Story(policy)
    return story, *told(story, images, **kind)


def told(story: Story, images: int = 0, **kind: Any) -> tuple[str, str]:
    """Deploy both, and sweep until the final notice is out and its grace is over."""
    companion = story.deploy(NAME, tags={}, resources=PARTS)
    story.stacks.resources.contents[IMAGES] = images
    stack_id = story.until_marked(**kind)
    story.wait(1)
    return stack_id, companion


def end(story: Story, *ids: str) -> None:
    """Let deletions come to their end, and an hour pass with its sweep."""
    for stack_id in ids:
        story.stacks.finish(stack_id)
    story.wait(hours=1)
    story.sweep()


def why(story: Story, stack_id: str) -> str:
    """Return what the plan says of a stack."""
    plan = story.janitor.plan().plan
    (found,) = [d for d in plan.decisions if d.stack and d.stack.stack_id == stack_id]
    return f"{decision_name(found)}: {found.reason}"


def last(story: Story, stack_id: str, action: str) -> Any:
    """Return the last such event."""
    return [event for event in story.ledger.chain(stack_id) if event.action == action][-1].body


def test_a_companion_has_no_lease_of_its_own_even_where_a_rule_matches_its_name() -> None:
    """And the plan says whose it is.

    Fails if `why_not_managed` does not look at the name.
    """
    story, _, companion = sam(BY_NAME)
    assert why(story, companion) == "ignore: companion of feat: it goes with it"
    assert story.ledger.lease(companion) is None


def test_a_lease_that_a_companion_once_got_ends() -> None:
    """From before it was known for one."""
    story = Story(BY_NAME)
    companion = story.deploy("feat-other", tags={}, resources=PARTS)
    story.sweep()
    stack = story.stack(companion)
    story.stacks.stacks[companion] = replace(stack, name=NAME)
    story.deploy()
    story.sweep()
    assert story.lease(companion).state is LeaseState.RELEASED


def test_without_its_parent_a_companion_is_left_alone_and_said_to_be_one() -> None:
    """Whoever matches it by name; also where the parent of that name is in another region."""
    story = Story(BY_NAME)
    companion = story.deploy(NAME, tags={})
    story.deploy("feat", region=THERE)
    text = "SAM made it as the companion of feat, which is not there: it is left alone"
    assert why(story, companion) == f"ignore: {text}"
    story.sweep()
    assert story.ledger.lease(companion) is None


def test_it_goes_first_and_in_the_same_attempt() -> None:
    """By its id, with its intent before the call and the outcome after.

    Fails if `_stay` leaves `companion` out of the request.
    """
    story, stack_id, companion = sam()
    story.sweep()
    assert story.calls("delete") == [companion, stack_id]
    assert story.actions(stack_id)[-4:] == [
        "stack.recorded",
        "deletion.intended",
        "companion.deletion_started",
        "deletion.started",
    ]
    assert last(story, stack_id, "deletion.intended")["reason"]["facts"]["companion"] == companion
    recorded = last(story, stack_id, "stack.recorded")["reason"]["facts"]
    assert recorded[f"resource {NAME}/FnRepo"].startswith(f"AWS::ECR::Repository {IMAGES}")
    started = last(story, stack_id, "companion.deletion_started")
    assert started["request_ids"][0].startswith("request-janitor-delete-")
    end(story, companion, stack_id)
    assert story.lease(stack_id).state is LeaseState.DELETED
    confirmed = last(story, stack_id, "deletion.confirmed")
    assert (confirmed["result"], confirmed["reason"]["facts"]["gone"]) == ("ok", "3")
    assert story.findings() == []


def test_images_without_an_opt_in_stay_and_the_owner_is_told() -> None:
    """They keep nothing else from going.

    Fails if `_look` does not ask what became of the companion.
    """
    story, stack_id, companion = sam(images=3)
    story.sweep()
    end(story, companion, stack_id)
    lease = story.lease(stack_id)
    assert lease.state is LeaseState.DELETED
    assert lease.leftovers == (
        f"{NAME} (AWS::CloudFormation::Stack {companion})",
        f"{NAME}/FnRepo (AWS::ECR::Repository {IMAGES})",
    )
    assert story.stacks.resources.contents[IMAGES] == 3
    assert story.subjects()[-1] == "[janitor] feat has been deleted with leftovers"
    assert f"Left: {NAME}/FnRepo" in story.channel.sent[-1].text
    assert "SAM made it as the companion of feat" in why(story, companion)


@pytest.mark.parametrize(
    "policy, tags",
    [(OPTED_IN, OWNED), (POLICY, {**OWNED, "janitor:purge": "ecr"})],
    ids=["policy", "tag"],
)
def test_images_go_under_the_parents_opt_in_before_the_parent_does(
    policy: str, tags: dict[str, str]
) -> None:
    """Only once CloudFormation could not delete them, and only those of the companion.

    Fails with `goes_first=False` in `find_companion`: nobody would come back for them.
    """
    story, stack_id, companion = sam(policy, images=2500, tags=tags)
    story.stacks.resources.contents["other"] = 7
    story.sweep()
    assert story.calls("delete") == [companion]
    lease = story.lease(stack_id)
    assert (lease.state, lease.attempts, lease.companion) == (LeaseState.FAILED, 0, companion)
    assert story.actions(stack_id)[-1] == "deletion.paused"
    end(story, companion)
    assert story.janitor.purgers["ecr"].calls == [(companion, IMAGES)]  # type: ignore[attr-defined]  # the twin
    assert story.calls("delete") == [companion, companion, stack_id]
    purged = last(story, stack_id, "resource.purged")["reason"]["facts"]
    assert (purged["images"], purged["logical_id"]) == ("2500", f"{NAME}/FnRepo")
    empties = last(story, stack_id, "deletion.intended")["reason"]["facts"]["empties"]
    assert empties == f"{NAME}/FnRepo (AWS::ECR::Repository {IMAGES})"
    end(story, companion, stack_id)
    assert story.lease(stack_id).state is LeaseState.DELETED
    assert last(story, stack_id, "deletion.confirmed")["result"] == "ok"
    assert story.stacks.resources.contents == {IMAGES: 0, "other": 7}
    assert not any("failed" in message.kinds for message in story.channel.sent)
    assert story.findings() == []


def test_with_the_opt_in_and_nothing_in_the_repositories_one_sweep_more_is_enough() -> None:
    """The companion is gone by then, and the parent follows."""
    story, stack_id, companion = sam(OPTED_IN)
    story.sweep()
    end(story, companion)
    assert story.calls("delete") == [companion, stack_id]
    end(story, stack_id)
    assert last(story, stack_id, "deletion.confirmed")["reason"]["facts"]["gone"] == "3"


def test_an_opt_in_for_buckets_empties_no_repository() -> None:
    """Fails with every word in the place of `words` in `find_companion`."""
    story, stack_id, companion = sam(f"{POLICY}defaults: {{purge: [s3]}}\n", images=3)
    story.stacks.fail(stack_id)
    story.sweep()
    end(story, companion, stack_id)
    end(story)
    assert story.calls("delete") == [companion, stack_id] * 2
    assert story.janitor.purgers["ecr"].calls == []  # type: ignore[attr-defined]  # the twin
    assert story.stacks.resources.contents[IMAGES] == 3


@pytest.mark.parametrize(
    "how, text",
    [
        ({"tags": {"janitor:protect": "base images"}}, "protected by tag janitor:protect: base im"),
        ({"tags": {"DoNotDelete": "true"}}, "protected by tag DoNotDelete: true"),
        (
            {"tags": {"janitor:protected": "1"}},
            "kept, since its tag 'janitor:protected' is not one",
        ),
        ({"tags": {"janitor:self": "1"}}, "protected by tag janitor:self"),
        ({"termination_protection": True}, "protected by CloudFormation's termination protection"),
    ],
)
def test_a_companion_that_somebody_keeps_stays_and_is_named(how: dict[str, Any], text: str) -> None:
    """Its parent goes all the same.

    Fails if `find_companion` does not ask `_why_it_stays`.
    """
    story, stack_id, companion = sam()
    story.stacks.stacks[companion] = replace(story.stack(companion), **how)
    story.sweep()
    assert story.calls("delete") == [stack_id]
    end(story, stack_id)
    (left,) = story.lease(stack_id).leftovers
    assert left.startswith(f"{NAME}, its SAM companion, which is {text}")
    assert story.stack(companion).status == "CREATE_COMPLETE"


def test_a_companion_on_the_never_delete_list_stays() -> None:
    """The operators' word holds for it too."""
    story, stack_id, _ = sam(f"{POLICY}never_delete: ['*-CompanionStack']\n")
    story.sweep()
    assert story.calls("delete") == [stack_id]
    assert "on the never-delete list (*-CompanionStack)" in story.lease(stack_id).retained[0]


def test_what_is_called_otherwise_by_now_is_not_deleted() -> None:
    """A request is text in a queue: the stack by that id has to be this one's companion.

    Fails without the look at the name in `find_companion`.
    """
    story, stack_id, _ = sam()
    other = story.deploy("prod", tags={})
    story.janitor.queue.delete(DeletionRequest(stack_id, story.now, companion=other))
    story.janitor.drain()
    assert story.calls("delete") == [stack_id]


def test_while_somebody_deploys_the_companion_nothing_goes() -> None:
    """The parent is next to be deployed. Nothing is claimed, and the next sweep decides anew.

    Fails without the look at `is_busy` in `delete`.
    """
    story, stack_id, companion = sam()
    story.stacks.set(companion, "UPDATE_IN_PROGRESS")
    report = story.sweep()
    assert report.outcomes[-1].detail == "its companion is busy: UPDATE_IN_PROGRESS"
    assert story.calls("delete") == []
    assert story.lease(stack_id).state is LeaseState.MARKED


def test_a_companion_that_is_refused_stops_nothing() -> None:
    """CloudFormation's word is in the journal, and the parent is asked for.

    Fails if `ask_for` lets the refusal through.
    """
    story, stack_id, companion = sam()
    story.stacks.throttled = 1
    story.sweep()
    assert story.calls("delete") == [companion, stack_id]
    refused = last(story, stack_id, "companion.deletion_refused")
    assert (refused["result"], "Rate exceeded" in refused["reason"]["sentence"]) == (
        "refused",
        True,
    )
    end(story, stack_id)
    assert story.lease(stack_id).leftovers == (f"{NAME} (AWS::CloudFormation::Stack {companion})",)


class CutOff(MemoryStacks):
    """CloudFormation, with the janitor cut off at its second call to delete."""

    def delete(self, stack_id: str, token: str, step: Step = PLAIN) -> str:
        """Take the first call, and the third."""
        if sum(call[0] == "delete" for call in self.calls) == 1:
            self.calls.append(("delete", stack_id, token))
            raise JanitorError("cut off")
        return super().delete(stack_id, token, step)


def test_a_janitor_that_is_cut_off_between_the_two_calls_goes_on() -> None:
    """The claim is given up, and the next attempt finds the companion gone.

    Fails if `_claim` forgets the companion: its end would not be looked at.
    """
    story = Story()
    story.stacks = CutOff(lambda: story.now)
    story.janitor = replace(story.janitor, stacks=story.stacks)
    stack_id, companion = told(story)
    report = story.sweep()
    assert report.outcomes[-1].status is Status.FAILED
    assert story.calls("delete") == [companion, stack_id]
    end(story, companion)
    assert story.lease(stack_id).state is LeaseState.FAILED
    end(story)
    assert story.calls("delete") == [companion, stack_id, stack_id]
    end(story, stack_id)
    assert story.lease(stack_id).state is LeaseState.DELETED
    assert last(story, stack_id, "deletion.confirmed")["reason"]["facts"]["gone"] == "3"


def test_once_the_companion_was_asked_for_the_stack_is_not_whole_any_more() -> None:
    """Its functions lack their images, so its owner is not told that it may be kept.

    Fails if `is_untouched` does not look at the companion.
    """
    story, stack_id, companion = sam()
    story.sweep()
    story.stacks.set(stack_id, "CREATE_COMPLETE", "cannot be deleted while in status X")
    end(story, companion)
    assert story.lease(stack_id).state is LeaseState.FAILED


def test_the_lease_is_open_until_the_companion_has_gone_too() -> None:
    """Some seconds usually; one that hangs for a day counts as left behind.

    Fails if `_is_companion_on_its_way` always says no.
    """
    story, stack_id, companion = sam()
    story.stacks.stuck.add(companion)
    story.sweep()
    end(story, stack_id)
    assert story.lease(stack_id).state is LeaseState.DELETING
    story.wait(1)
    story.sweep()
    assert story.lease(stack_id).leftovers == (f"{NAME} (AWS::CloudFormation::Stack {companion})",)


def test_a_stack_without_a_companion_costs_no_call_more() -> None:
    """Beside one that has one.

    Fails if `find_companion` describes what it has no id of.
    """
    story, _, companion = sam()
    alone = story.deploy("alone", tags={**OWNED, "janitor:ttl": "1h"})
    story.sweep()
    story.wait(hours=2)
    story.sweep()
    story.sweep()  # what became of its tags
    story.wait(1, hours=1)
    story.stacks.calls.clear()
    story.sweep()
    assert [call[0] for call in story.stacks.calls if call[1] == alone] == [
        "describe",
        "snapshot",
        "delete",
    ]
    assert companion not in story.calls("snapshot")


def test_explain_names_what_goes_with_it() -> None:
    """In the table and as JSON; of the companion it says whose it is."""
    story, stack_id, companion = sam()
    plan, policy = story.janitor.plan().plan, story.policies.policy()
    found = explain("feat", story.lease(stack_id), plan=plan, policy=policy, stacks=story.stacks)
    rows = dict(explained_facts(found, story.now, policy.window.window.zone))
    assert rows["with it"] == f"{NAME} goes too, the SAM companion with its image repositories"
    assert explained_document(found)["companion"] == NAME
    found = explain(NAME, None, plan=plan, policy=policy, stacks=story.stacks)
    rows = dict(explained_facts(found, story.now, policy.window.window.zone))
    assert rows["now"] == "ignore: companion of feat: it goes with it"
    assert "with it" not in rows
    assert companion == rows["id"]
