"""What change sets, nested ones too, say of a stack becomes a proposal, and nothing of it is guessed."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from janitor.adapters.aws.cloudformation import CloudFormation
from janitor.domain.errors import JanitorError, TagRefused
from janitor.domain.model import Stack
from janitor.domain.stack.resources import NESTED
from janitor.domain.tagging.change_set import Proposal, Readiness, verdict
from janitor.domain.tagging.rights import CHANGE_SET
from janitor.domain.tagging.ways import Why

ARN = "arn:aws:cloudformation:eu-central-1:123456789012:stack/feat/1"
CHILD = "arn:aws:cloudformation:eu-central-1:123456789012:stack/feat-Child/2"
SET = "arn:aws:cloudformation:eu-central-1:123456789012:changeSet/janitor-tags/11111111"
INNER = "arn:aws:cloudformation:eu-central-1:123456789012:changeSet/janitor-tags-Child/22222222"
CREATED = datetime(2026, 6, 1, 12, tzinfo=UTC)
STACK = Stack(ARN, "feat", "eu-central-1", "CREATE_COMPLETE", CREATED, tags={"owner": "a"})
MARK = {"janitor:state": "marked-for-deletion"}
OURS = {"ChangeSetName": CHANGE_SET, "StackName": ARN}


@pytest.fixture
def aws() -> Iterator[Stubber]:
    """Make a client that answers what a test puts into it, in that order."""
    with Stubber(boto3.client("cloudformation", region_name="eu-central-1")) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def stacks(aws: Stubber) -> CloudFormation:
    """Make the adapter on that client; it never really waits."""
    client: Any = aws.client
    return CloudFormation(lambda _: client, pause=lambda _: None)


def described(aws: Stubber, stack_id: str = ARN, **more: Any) -> None:
    """Answer with a stack."""
    raw = {
        "StackId": stack_id,
        "StackName": stack_id.split("/")[1],
        "CreationTime": CREATED,
        "StackStatus": "CREATE_COMPLETE",
        "Tags": [{"Key": "owner", "Value": "a"}],
        **more,
    }
    aws.add_response("describe_stacks", {"Stacks": [raw]}, {"StackName": stack_id})


def change(name: str, kind: str = "AWS::SQS::Queue", **more: Any) -> dict[str, Any]:
    """Make a change of tags."""
    resource = {
        "Action": "Modify",
        "LogicalResourceId": name,
        "ResourceType": kind,
        "Replacement": "False",
        "Scope": ["Tags"],
        **more,
    }
    return {"Type": "Resource", "ResourceChange": resource}


def change_set(changes: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """Make an answer about the root's change set."""
    return {
        "ChangeSetId": SET,
        "StackId": ARN,
        "Status": "CREATE_COMPLETE",
        "ExecutionStatus": "AVAILABLE",
        "Tags": [{"Key": k, "Value": v} for k, v in {"owner": "a", **MARK}.items()],
        "Changes": changes,
        **more,
    }


def templates(aws: Stubber, stack_id: str, which: str, new: str = "{}", old: str = "{}") -> None:
    """Answer with the template that would be deployed, and the one that is."""
    aws.add_response(
        "get_template", {"TemplateBody": new}, {"StackName": stack_id, "ChangeSetName": which}
    )
    aws.add_response("get_template", {"TemplateBody": old}, {"StackName": stack_id})


def looked_at(stacks: CloudFormation) -> Proposal:
    """Look at the change set."""
    return stacks.proposal(STACK, MARK, ())


@pytest.mark.parametrize("new", ["{}", '{"Outputs": {}}'])
def test_a_nested_change_set_is_looked_at_with_its_template(
    aws: Stubber, stacks: CloudFormation, new: str
) -> None:
    """By its own id, on as many pages as there are; what its template is now is compared.

    Fails if `_proposal` leaves out `nested`, or a page, or the template.
    """
    automatic = {"Target": {"Attribute": "Properties"}, "ChangeSource": "Automatic"}
    child = change(
        "Child",
        NESTED,
        ChangeSetId=INNER,
        PhysicalResourceId=CHILD,
        Scope=["Properties", "Tags"],
        Details=[automatic],
    )
    described(aws)
    first = change_set([change("Queue")], NextToken="more")
    aws.add_response("describe_change_set", first, OURS)
    aws.add_response("describe_change_set", change_set([child]), {**OURS, "NextToken": "more"})
    described(aws, CHILD)
    inner = change_set([change("Inner")], ChangeSetId=INNER, StackId=CHILD)
    aws.add_response("describe_change_set", inner, {"ChangeSetName": INNER})
    templates(aws, CHILD, INNER, new)
    templates(aws, ARN, SET)
    shown = looked_at(stacks)
    assert [one.resource for one in shown.changes] == ["Queue", "Child"]
    assert [one.resource for one in shown.nested[0].changes] == ["Inner"]
    refusal = verdict(shown, frozenset())
    assert (refusal is None) is (new == "{}")


@pytest.mark.parametrize("value", ["v1", "v2", None])
def test_what_a_parameter_gives_now_is_compared(
    aws: Stubber, stacks: CloudFormation, value: str | None
) -> None:
    """One that the change set says nothing of has moved."""
    key = {"ParameterKey": "Image", "ParameterValue": "/image"}
    described(aws, Parameters=[{**key, "ResolvedValue": "v1"}])
    now = {**key, **({"ResolvedValue": value} if value else {})}
    aws.add_response("describe_change_set", change_set([], Parameters=[now]), OURS)
    templates(aws, ARN, SET)
    assert looked_at(stacks).moved == (() if value == "v1" else ("Image",))


def test_a_change_set_is_waited_for_and_not_for_long(aws: Stubber, stacks: CloudFormation) -> None:
    """Four looks; a sweep has others to look after."""
    described(aws)
    making = change_set([], Status="CREATE_IN_PROGRESS", ExecutionStatus="UNAVAILABLE")
    for _ in range(4):
        aws.add_response("describe_change_set", making, OURS)
    assert looked_at(stacks).readiness is Readiness.MAKING


def test_a_change_set_that_failed_or_is_gone_shows_nothing(
    aws: Stubber, stacks: CloudFormation
) -> None:
    """Why, in AWS's words."""
    described(aws)
    failed = change_set([], Status="FAILED", ExecutionStatus="UNAVAILABLE", StatusReason="S3 error")
    aws.add_response("describe_change_set", failed, OURS)
    shown = looked_at(stacks)
    assert (shown.readiness, shown.reason) == (Readiness.FAILED, "S3 error")
    described(aws)
    aws.add_client_error("describe_change_set", "ChangeSetNotFound", "gone")
    assert looked_at(stacks).readiness is Readiness.FAILED


def test_a_change_set_is_made_of_what_is_there_and_the_tags(
    aws: Stubber, stacks: CloudFormation
) -> None:
    """By the one name, and for what is nested too; no template, no role, no values."""
    described(aws, Parameters=[{"ParameterKey": "P", "ParameterValue": "****"}])
    aws.add_response(
        "create_change_set",
        {"Id": SET, "StackId": ARN},
        {
            "StackName": ARN,
            "ChangeSetName": CHANGE_SET,
            "ChangeSetType": "UPDATE",
            "ClientToken": "token",
            "IncludeNestedStacks": True,
            "UsePreviousTemplate": True,
            "Parameters": [{"ParameterKey": "P", "UsePreviousValue": True}],
            "Capabilities": ANY,
            "Tags": [{"Key": k, "Value": v} for k, v in {"owner": "a", **MARK}.items()],
        },
    )
    assert stacks.propose(STACK, MARK, (), "token")


SHOWN = Proposal(SET, Readiness.READY)


def summaries(aws: Stubber, *names: str) -> None:
    """Answer with change sets."""
    found = [{"ChangeSetName": name} for name in names]
    aws.add_response("list_change_sets", {"Summaries": found}, {"StackName": ARN})


def test_the_very_change_set_that_was_looked_at_is_executed(
    aws: Stubber, stacks: CloudFormation
) -> None:
    """After a last look."""
    summaries(aws, CHANGE_SET)
    aws.add_response("describe_change_set", change_set([]), OURS)
    described(aws)
    aws.add_response("execute_change_set", {}, {**OURS, "ClientRequestToken": "token"})
    stacks.execute(STACK, SHOWN, "token")


def test_another_one_of_the_same_name_is_not_executed(aws: Stubber, stacks: CloudFormation) -> None:
    """Nor beside somebody else's, nor where the stack has moved on.

    Fails for each without its look in `execute`.
    """
    summaries(aws, CHANGE_SET)
    aws.add_response("describe_change_set", change_set([], ChangeSetId=INNER), OURS)
    summaries(aws, CHANGE_SET, "pipeline")
    summaries(aws, CHANGE_SET)
    aws.add_response("describe_change_set", change_set([]), OURS)
    described(aws, LastUpdatedTime=CREATED)
    for why in (Why.NOT_SHOWN, Why.PENDING, Why.MOVED):
        with pytest.raises(TagRefused) as refused:
            stacks.execute(STACK, SHOWN, "token")
        assert refused.value.why == why


def parts(aws: Stubber, **policy: str) -> None:
    """Answer what a root with a nested stack consists of."""
    body = f"Resources: {{Child: {{Type: {NESTED}}}}}"
    aws.add_response(
        "get_template", {"TemplateBody": body}, {"StackName": ARN, "TemplateStage": "Original"}
    )
    listed = {
        "LogicalResourceId": "Child",
        "ResourceType": NESTED,
        "PhysicalResourceId": CHILD,
        "ResourceStatus": "CREATE_COMPLETE",
        "LastUpdatedTimestamp": CREATED,
    }
    aws.add_response("list_stack_resources", {"StackResourceSummaries": [listed]}, BY_ID)
    aws.add_response("get_stack_policy", policy, BY_ID)


BY_ID = {"StackName": ARN}


def test_what_may_not_be_read_is_said_of_its_part(aws: Stubber, stacks: CloudFormation) -> None:
    """A nested stack, or the list of change sets: then nothing is known, and nothing is tagged."""
    parts(aws, StackPolicyBody="{}")
    aws.add_client_error("get_template", "AccessDenied", "no GetTemplate")
    aws.add_client_error("list_change_sets", "AccessDenied", "no ListChangeSets")
    found = stacks.anatomy(STACK)
    assert (found.root.policy, found.root.types) == ("{}", (NESTED,))
    assert [part.problem for part in found.parts] == [
        "no ListChangeSets",
        "feat-Child: no GetTemplate",
    ]


def test_what_cannot_be_read_just_now_is_an_error(aws: Stubber, stacks: CloudFormation) -> None:
    """The next sweep asks again: a refusal would hold until the next deployment."""
    aws.add_client_error("get_template", "Throttling", "Rate exceeded")
    with pytest.raises(JanitorError, match="Rate exceeded"):
        stacks.anatomy(STACK)
