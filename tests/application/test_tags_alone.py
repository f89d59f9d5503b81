"""Tags and nothing but tags: which way, why not, and what became of it; owners are told all the same."""

import json
from typing import Any

import pytest
from msgspec.structs import replace
from tests.application.stories import DAY, OWNED, POLICY, SWEEPER, Story
from tests.fakes.tagging import Operation

from janitor.application.operations.explain import explain
from janitor.domain.errors import JanitorError
from janitor.domain.instants import instant_text
from janitor.domain.model import LeaseState, Mode, TagState
from janitor.domain.stack.resources import NESTED, Resource
from janitor.domain.tagging.outcomes import Became
from janitor.entrypoints.cli.views.explain import explained_document, explained_facts

MARK = {"janitor:state": "marked-for-deletion", "janitor:delete-after": "20260605T080000Z"}
QUEUE = {"Queue": {"Type": "AWS::SQS::Queue"}}
SSM = {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/image"}
USES = {
    "Parameters": {"Image": SSM},
    "Resources": {
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Ref": "Image"}}}
    },
}
SAM = {"Transform": "AWS::Serverless-2016-10-31", "Resources": QUEUE}
SECRET = {
    "Resources": {
        "Queue": {
            "Type": "AWS::SQS::Queue",
            "Properties": {"QueueName": "{{resolve:secretsmanager:s:SecretString:n}}"},
        }
    }
}
WEAK = {
    "Resources": QUEUE,
    "Outputs": {"O": {"Value": {"Fn::GetStackOutput": {"StackName": "producer"}}}},
}
CDK = {
    "Parameters": {
        "BootstrapVersion": {**SSM, "Default": "/cdk-bootstrap/hnb659fds/version"},
    },
    "Resources": {**QUEUE, "CDKMetadata": {"Type": "AWS::CDK::Metadata"}},
    "Rules": {
        "CheckBootstrapVersion": {
            "Assertions": [
                {
                    "Assert": {
                        "Fn::Not": [{"Fn::Contains": [["1", "2"], {"Ref": "BootstrapVersion"}]}]
                    },
                    "AssertDescription": "CDK bootstrap stack version 6 required.",
                }
            ]
        }
    },
}
DENY = json.dumps(
    {
        "Statement": [
            {"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"},
            {"Effect": "Deny", "Action": "Update:Replace", "Principal": "*", "Resource": "*"},
        ]
    }
)


def of(template: object, *moved: str, hidden: bool = False, **kind: Any) -> tuple[Story, str]:
    """Deploy such a stack, of which an update would change `moved`."""
    story = Story()
    stack_id = story.deploy(**kind)
    story.stacks.templates[stack_id] = template
    story.stacks.moved[stack_id] = moved
    if hidden:
        story.stacks.hidden.add(stack_id)
    return story, stack_id


def until_marked(story: Story) -> None:
    """Sweep until the final notice is out, and once more."""
    story.sweep()
    story.wait(3)
    for _ in range(2):
        story.sweep()
        story.wait(hours=1)


def is_told_and_goes(story: Story, stack_id: str, tags: dict[str, str]) -> None:
    """Look that a stack is marked, told and as it was, and goes a day later as any other."""
    assert story.lease(stack_id).state is LeaseState.MARKED
    assert "[janitor] feat will be deleted" in story.subjects()
    assert story.stack(stack_id).tags == tags
    assert story.stacks.harmed == []
    assert story.findings() == []
    story.wait(1)
    story.sweep()
    assert story.calls("delete") == [stack_id]


def explained(story: Story, stack_id: str) -> dict[str, str]:
    """Return what explain says, in rows."""
    plan, policy = story.janitor.plan().plan, story.policies.policy()
    found = explain("feat", story.lease(stack_id), plan=plan, policy=policy, stacks=story.stacks)
    rows = dict(explained_facts(found, story.now, policy.window.window.zone))
    assert explained_document(found)["tags"] == rows.get("tags", "")
    return rows


def test_a_default_stack_of_cdk_is_tagged_by_one_update() -> None:
    """The parameter that stands in each of them is used by nothing, wherever it points by now."""
    story, stack_id = of(CDK)
    story.stacks.stacks[stack_id] = replace(story.stack(stack_id), reads_ssm=True)
    until_marked(story)
    assert story.calls("tag") == [stack_id]
    assert story.calls("propose") == []
    is_told_and_goes(story, stack_id, {**OWNED, **MARK})


@pytest.mark.parametrize("template", [USES, SAM])
def test_what_was_shown_to_be_harmless_is_tagged_by_that_very_change_set(template: object) -> None:
    """No plain update is made of it."""
    story, stack_id = of(template)
    until_marked(story)
    assert (story.calls("tag"), story.calls("execute")) == ([], [stack_id])
    assert story.actions(stack_id) == [
        "lease.opened",
        "stack.marked",
        "tags.intended",
        "tags.shown",
        "notice.delivered",
        "tags.written",
    ]
    is_told_and_goes(story, stack_id, {**OWNED, **MARK})


REFUSED: list[tuple[object, tuple[str, ...], bool, str]] = [
    (
        USES,
        ("Queue",),
        False,
        "an update would change more than tags (Queue: Modify Tags Properties)",
    ),
    (USES, ("Outputs",), False, "an update would change more than tags (the template)"),
    (
        SAM,
        ("Queue",),
        False,
        "an update would change more than tags (Queue: Modify Tags Properties)",
    ),
    (
        SECRET,
        ("Queue",),
        True,
        "an update would read a dynamic reference anew ({{resolve:secretsmanager:s:SecretString:n}})",
    ),
    (
        WEAK,
        ("Outputs",),
        True,
        "an update would read outputs of other stacks anew (Fn::GetStackOutput)",
    ),
    ("no template", ("Queue",), False, "what it consists of cannot be read (its template is none)"),
]


@pytest.mark.parametrize("template, moved, hidden, why", REFUSED)
def test_what_would_change_more_is_left_alone_and_said(
    template: object, moved: tuple[str, ...], hidden: bool, why: str
) -> None:
    """Marked, told, unchanged; in journal, plan and explain with the reason, once.

    Fails with `return Way.PLAIN` at the end of `way_of`, or with `if False` before `verdict`.
    """
    story, stack_id = of(template, *moved, hidden=hidden)
    until_marked(story)
    assert story.reason(stack_id, "tags.refused") == why
    assert story.actions(stack_id).count("tags.refused") == 1
    assert story.stacks.proposed == {}
    (decision,) = story.janitor.plan().plan.decisions
    assert f"its tags are not changed: {why}" in str(decision.reason)
    assert explained(story, stack_id)["tags"] == f"its tags are not changed: {why}"
    is_told_and_goes(story, stack_id, OWNED)


def test_a_pending_change_set_of_somebody_else_is_not_lost() -> None:
    """A pipeline waits for an approval; executing another would delete it."""
    story, stack_id = of(SAM)
    story.stacks.change_sets[stack_id] = ("pipeline-42",)
    until_marked(story)
    assert story.stacks.change_sets == {stack_id: ("pipeline-42",)}
    assert "somebody else's change set (pipeline-42)" in story.reason(stack_id, "tags.refused")
    is_told_and_goes(story, stack_id, OWNED)


def test_a_change_set_that_comes_while_ours_is_made_is_not_lost_either() -> None:
    """It is looked for again right before. Fails without that look in `execute`, or in `go`."""
    story, stack_id = of(SAM)
    story.stacks.slow.add(stack_id)
    until_marked(story)
    story.stacks.slow.clear()
    story.stacks.change_sets[stack_id] = ("pipeline-42",)
    story.sweep()
    assert story.calls("execute") == []
    assert (story.stacks.change_sets, story.stacks.proposed) == ({stack_id: ("pipeline-42",)}, {})


def test_a_stack_policy_is_not_tried() -> None:
    """An update that it forbids would fail half way."""
    story, stack_id = of({"Resources": QUEUE})
    story.stacks.policies[stack_id] = DENY
    until_marked(story)
    assert story.reason(stack_id, "tags.refused") == "its stack policy may forbid updates"
    is_told_and_goes(story, stack_id, OWNED)


def test_types_that_the_janitor_may_not_tag_need_a_service_role() -> None:
    """Without one CloudFormation would use the janitor's own rights, fail and roll back."""
    parameter = (Resource("P", "AWS::SSM::Parameter", "p"),)
    story = Story()
    bare = story.deploy(resources=parameter)
    with_role = story.deploy("roled", resources=parameter, role="arn:aws:iam::1:role/deploy")
    until_marked(story)
    assert story.reason(bare, "tags.refused") == (
        "the janitor may not tag some of its resources (AWS::SSM::Parameter)"
    )
    assert story.stack(bare).tags == OWNED
    assert story.stack(with_role).tags == {**OWNED, **MARK}


def nested(*moved: str) -> tuple[Story, str, str]:
    """Deploy a root with a nested stack, of which an update would change `moved`."""
    story = Story()
    child = story.stacks.create("feat-child").stack_id
    root = story.deploy(
        resources=(
            Resource("Queue", "AWS::SQS::Queue", "q"),
            Resource("Child", NESTED, child),
        )
    )
    story.stacks.stacks[child] = replace(story.stack(child), parent_id=root)
    story.stacks.moved[child] = moved
    return story, root, child


@pytest.mark.parametrize("moved", [("Queue",), ("Outputs",)])
def test_a_root_whose_nested_template_was_overwritten_is_left_alone(moved: tuple[str, ...]) -> None:
    """Its nested change set shows it; where only outputs changed, its template does."""
    story, root, _ = nested(*moved)
    until_marked(story)
    assert "more than tags" in story.reason(root, "tags.refused")
    is_told_and_goes(story, root, OWNED)


def test_a_root_whose_nested_template_is_as_it_was_is_tagged() -> None:
    """By a change set that looks into the nested one."""
    story, root, _ = nested()
    until_marked(story)
    assert story.calls("execute") == [root]
    is_told_and_goes(story, root, {**OWNED, **MARK})


def test_a_change_set_that_takes_long_is_looked_at_by_the_next_sweep() -> None:
    """No sweep waits for it; there is one at a time."""
    story, stack_id = of(SAM)
    story.stacks.slow.add(stack_id)
    until_marked(story)
    assert story.stack(stack_id).tags == OWNED
    assert explained(story, stack_id)["tags"].startswith("a change set is to show")
    story.stacks.slow.clear()
    for _ in range(2):
        story.sweep()
    assert story.actions(stack_id)[-2:] == ["tags.shown", "tags.written"]
    assert story.stack(stack_id).tags == {**OWNED, **MARK}
    assert len(story.calls("propose")) == 1


def test_a_change_set_that_is_never_ready_is_given_up() -> None:
    """After three hours. Fails without `LONGEST_MAKING`."""
    story, stack_id = of(SAM)
    story.stacks.slow.add(stack_id)
    until_marked(story)
    for _ in range(4):
        story.wait(hours=1)
        story.sweep()
    assert "no change set could show" in story.reason(stack_id, "tags.refused")
    assert story.stacks.proposed == {}
    is_told_and_goes(story, stack_id, OWNED)


def test_a_change_set_that_nobody_needs_any_more_is_swept() -> None:
    """Its owner extended in the meantime. Fails without `withdraw` in sweep/apply.py."""
    story, stack_id = of(SAM)
    story.stacks.slow.add(stack_id)
    until_marked(story)
    story.extend(stack_id, by=DAY)
    story.sweep()
    assert story.stacks.proposed == {}
    assert "tags.withdrawn" in story.actions(stack_id)
    assert story.lease(stack_id).tagging is None


def test_a_change_set_of_ours_that_no_lease_remembers_is_made_anew() -> None:
    """It may be about anything."""
    story, stack_id = of(SAM)
    story.stacks.proposed[stack_id] = {"old": "tags"}
    until_marked(story)
    assert story.stack(stack_id).tags == {**OWNED, **MARK}


def rolling_back(became: Became, **kind: Any) -> tuple[Story, str]:
    """Deploy a stack whose updates end so."""
    story = Story()
    stack_id = story.deploy(**kind)
    story.stacks.ends[stack_id] = Operation("", became, "not authorized to perform sqs:TagQueue")
    return story, stack_id


def test_an_update_that_rolls_back_is_journalled_as_such_and_not_tried_again() -> None:
    """Until the stack is deployed, whatever tags would be written.

    Fails if `tags.written` comes when CloudFormation takes the update, and without
    `_is_in_the_way` in domain/tagging/status_tags.py.
    """
    story, stack_id = rolling_back(Became.ROLLED_BACK)
    until_marked(story)
    assert "tags.written" not in story.actions(stack_id)
    assert story.reason(stack_id, "tags.rolled-back") == (
        "the update was rolled back: not authorized to perform sqs:TagQueue"
    )
    text = "the update of its tags was rolled back (not authorized to perform sqs:TagQueue)"
    assert explained(story, stack_id)["tags"] == f"its tags are not changed: {text}"
    (decision,) = story.janitor.plan().plan.decisions
    assert text in str(decision.reason)
    story.extend(stack_id, by=DAY)
    story.sweep()
    story.wait(2)
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.MARKED
    assert len(story.calls("tag")) == 1
    story.stacks.ends.clear()
    story.stacks.redeploy(stack_id, OWNED)
    for _ in range(2):
        story.sweep()
    assert len(story.calls("tag")) == 2
    assert story.lease(stack_id).tagging is None


def test_a_roll_back_is_no_deployment() -> None:
    """A lifetime that counts from deployments does not begin anew."""
    story = Story(POLICY + "rules: [{name: all, select: {name: '*'}, ttl: 3d, ttl_from: updated}]")
    stack_id = story.deploy()
    story.stacks.ends[stack_id] = Operation("", Became.ROLLED_BACK, "no")
    until_marked(story)
    assert story.lease(stack_id).state is LeaseState.MARKED


def told_to(story: Story, words: str) -> set[str]:
    """Return who was sent something with these words in it."""
    return {m.contact.address for m in story.channel.sent if words in m.text}


@pytest.mark.parametrize("by_event", [True, False])
def test_an_update_that_is_stuck_is_told_at_once_with_the_way_out(by_event: bool) -> None:
    """To owner and operators: by the status event, or else by the next sweep.

    Fails without TAGS_STUCK in `track`, or in `standing_notices`.
    """
    story, stack_id = rolling_back(Became.STUCK)
    story.sweep()
    story.wait(3)
    story.sweep()
    if by_event:
        story.track(stack_id)
        story.janitor.drain()
    else:
        story.sweep()
    command = f"continue-update-rollback --region eu-central-1 --stack-name {stack_id}"
    assert told_to(story, command) == {"ana@example.com", "operators"}
    sent = len(story.channel.sent)
    story.sweep()
    assert len(story.channel.sent) == sent
    assert command in story.reason(stack_id, "tags.rolled-back")
    assert command in explained(story, stack_id)["tags"]
    assert story.lease(stack_id).tagging.state is TagState.STUCK  # type: ignore[union-attr]
    is_told_and_goes(story, stack_id, OWNED)


def test_who_ends_a_stuck_roll_back_has_not_deployed_the_stack() -> None:
    """Nothing is tried before somebody does."""
    story, stack_id = rolling_back(Became.STUCK)
    until_marked(story)
    story.wait(minutes=1)
    story.stacks.redeploy(stack_id)
    story.stacks.set(stack_id, "UPDATE_ROLLBACK_COMPLETE")
    story.sweep()
    assert len(story.calls("tag")) == 1


def test_an_update_that_lasts_is_waited_for() -> None:
    """Over sweeps; nobody sends another, and it counts as no deployment."""
    story = Story(POLICY + "rules: [{name: all, select: {name: '*'}, ttl: 3d, ttl_from: updated}]")
    stack_id = story.deploy()
    story.stacks.ends[stack_id] = Operation("", Became.UNDER_WAY)
    until_marked(story)
    assert story.lease(stack_id).state is LeaseState.MARKED
    assert "tags.written" not in story.actions(stack_id)
    assert explained(story, stack_id)["tags"] == "its tags are being changed"
    story.stacks.end_update(stack_id, Became.DONE)
    story.sweep()
    assert story.actions(stack_id)[-1] == "tags.written"
    assert len(story.calls("tag")) == 1


class Lossy:
    """CloudFormation whose answer to one call is lost, before or after it took effect."""

    def __init__(self, story: Story, call: str, *, takes_effect: bool) -> None:
        self.stacks, self.call, self.takes_effect = story.stacks, call, takes_effect

    def __getattr__(self, name: str) -> Any:
        """Return the method, or one that is cut off."""
        if name != self.call:
            return getattr(self.stacks, name)

        def lost(*args: Any) -> None:
            if self.takes_effect:
                getattr(self.stacks, name)(*args)
            raise JanitorError("timed out")

        return lost


@pytest.mark.parametrize("takes_effect", [True, False])
@pytest.mark.parametrize("call", ["propose", "proposal", "execute", "tag"])
def test_a_lost_answer_is_found_out_by_the_next_sweeps(call: str, takes_effect: bool) -> None:
    """By its token: what was taken is not asked for again, and what was not is."""
    story, stack_id = of({"Resources": QUEUE} if call == "tag" else SAM)
    story.sweep()
    story.wait(3)
    lossy: Any = Lossy(story, call, takes_effect=takes_effect)
    replace(story.janitor, stacks=lossy).sweep(SWEEPER)
    story.wait(hours=1)
    for _ in range(3):
        story.sweep()
    assert story.stack(stack_id).tags == {**OWNED, **MARK}
    assert story.actions(stack_id)[-1] == "tags.written"
    was_never_begun = call in ("execute", "tag") and not takes_effect
    assert ("tags.lost" in story.actions(stack_id)) is was_never_begun
    assert len(story.calls("execute")) + len(story.calls("tag")) == 1
    is_told_and_goes(story, stack_id, {**OWNED, **MARK})


def test_an_update_whose_events_are_not_there_yet_is_not_asked_for_again() -> None:
    """They may lag for a moment. Fails without `UNSEEN_FOR`."""
    story, stack_id = of({"Resources": QUEUE})
    story.sweep()
    story.wait(3)
    lossy: Any = Lossy(story, "tag", takes_effect=False)
    replace(story.janitor, stacks=lossy).sweep(SWEEPER)
    story.wait(minutes=4)
    story.sweep()
    assert "tags.lost" not in story.actions(stack_id)
    assert story.calls("tag") == []
    story.wait(minutes=1)
    story.sweep()
    assert "tags.lost" in story.actions(stack_id)
    assert story.calls("tag") == [stack_id]


def test_a_quiet_sweep_asks_for_nothing_of_this() -> None:
    """Once the tags are there, or are known not to come."""
    story, _ = of(SAM, "Queue")
    story.deploy("plain")
    until_marked(story)
    story.sweep()
    story.stacks.calls.clear()
    story.sweep()
    assert {call[0] for call in story.stacks.calls} == {"list"}


def test_observe_looks_at_no_change_set_and_makes_none() -> None:
    """It changes nothing outside the ledger."""
    story, stack_id = of(SAM)
    story.policies.override = Mode.OBSERVE
    until_marked(story)
    assert story.calls("anatomy") == story.calls("propose") == []
    assert "tags.intended" not in story.actions(stack_id)
    assert instant_text(
        story.lease(stack_id).expires_at, story.policies.policy().window.window.zone
    )
