"""Tags and nothing but tags, over HTTP: what ministack leaves out of its answers a proxy adds.

What ministack does not do besides: no nested change sets, and a change set runs no transform anew.
"""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config
from msgspec.structs import replace
from tests.application.stories import HERE, OWNED, POLICY, SWEEPER, Story
from tests.contract.amending import Lacking, amended

from janitor.adapters.aws.cloudformation import CloudFormation
from janitor.domain.model import LeaseState, Stack
from janitor.domain.stack.resources import NESTED
from janitor.domain.tagging.ways import Anatomy

SSM = "AWS::SSM::Parameter::Value<String>"
QUEUE: dict[str, Any] = {"Type": "AWS::SQS::Queue"}
PLAIN = {"Resources": {"Queue": QUEUE}}
TRANSFORMED = {"Transform": "AWS::LanguageExtensions", **PLAIN}


class Account:
    """An account in ministack as AWS would answer of it, and a janitor in it."""

    def __init__(self, connect: Callable[..., Any], url: str, lacking: Lacking) -> None:
        self.direct, self.ssm, self.s3 = (
            connect("ministack", service) for service in ("cloudformation", "ssm", "s3")
        )
        self.lacking = lacking
        key = self.direct._request_signer._credentials.access_key
        self.client = boto3.client(
            "cloudformation",
            endpoint_url=url,
            region_name=HERE,
            aws_access_key_id=key,
            aws_secret_access_key="testing",
            config=Config(retries={"total_max_attempts": 1}),
        )
        self.stacks = CloudFormation(lambda _: self.client, pause=lambda _: None)
        self.story = Story(POLICY)
        self.story.now = datetime.now(UTC)
        self.janitor = replace(self.story.janitor, stacks=self.stacks, regions=(HERE,))

    def deploy(self, template: object, name: str = "feat", **how: Any) -> str:
        """Deploy a stack of Ana's; return its id."""
        tags = [{"Key": key, "Value": value} for key, value in OWNED.items()]
        body = template if isinstance(template, str) else json.dumps(template)
        everything = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
        made = self.direct.create_stack(
            StackName=name, TemplateBody=body, Tags=tags, Capabilities=everything, **how
        )
        assert self.rest(made["StackId"]).status == "CREATE_COMPLETE"
        return str(made["StackId"])

    def rest(self, stack_id: str) -> Stack:
        """Wait until nothing is under way with a stack."""
        end = time.monotonic() + 20
        while time.monotonic() < end:
            stack = self.stacks.describe(stack_id)
            if stack and not stack.status.endswith("_IN_PROGRESS"):
                return stack
            time.sleep(0.02)
        raise TimeoutError(stack_id)

    def until_marked(self, stack_id: str) -> Stack:
        """Sweep until the final notice is out, and twice more; return the stack."""
        self.janitor.sweep(SWEEPER)
        self.story.wait(3, minutes=5)
        for _ in range(3):
            self.lacking.asked.clear()
            self.janitor.sweep(SWEEPER)
            self.rest(stack_id)
            self.story.wait(hours=1)
        return self.rest(stack_id)

    def is_marked_and_told(self, stack_id: str) -> None:
        """Look that all went on, whatever became of the tags."""
        assert self.story.lease(stack_id).state is LeaseState.MARKED
        assert "[janitor] feat will be deleted" in self.story.subjects()
        assert self.story.findings() == []
        quiet = [one for one in self.lacking.asked if one != "DescribeStacks"]
        assert quiet == []

    def reason(self, stack_id: str, action: str) -> str:
        """Return the sentence of the last such event."""
        return self.story.reason(stack_id, action)


@pytest.fixture
def account(connect: Callable[..., Any], ministack: str) -> Iterator[Account]:
    """Make an account, and the proxy before it."""
    lacking = Lacking()
    with amended(ministack, lacking) as url:
        yield Account(connect, url, lacking)


def is_tagged(stack: Stack) -> bool:
    """Tell whether a stack has the mark beside its own tags."""
    return stack.tags.items() >= OWNED.items() and "janitor:state" in stack.tags


def test_a_plain_stack_is_tagged_by_an_update(account: Account) -> None:
    """And its resources with it; afterwards a sweep asks for nothing more."""
    stack_id = account.deploy(PLAIN)
    assert is_tagged(account.until_marked(stack_id))
    assert "tags.written" in account.story.actions(stack_id)
    account.is_marked_and_told(stack_id)


CDK = {
    "Parameters": {"BootstrapVersion": {"Type": SSM, "Default": "/cdk-bootstrap/x/version"}},
    "Resources": {
        "Queue4A7E3555": {**QUEUE, "UpdateReplacePolicy": "Delete", "DeletionPolicy": "Delete"}
    },
    "Rules": {
        "CheckBootstrapVersion": {
            "Assertions": [
                {
                    "Assert": {
                        "Fn::Not": [{"Fn::Contains": [["1", "2"], {"Ref": "BootstrapVersion"}]}]
                    },
                    "AssertDescription": "bootstrap again",
                }
            ]
        }
    },
}


def test_a_default_stack_of_cdk_is_tagged_by_an_update(account: Account) -> None:
    """Though `ResolvedValue` is there, and has moved since."""
    account.ssm.put_parameter(Name="/cdk-bootstrap/x/version", Value="21", Type="String")
    stack_id = account.deploy(CDK)
    account.lacking.deployed["BootstrapVersion"] = "21"
    account.ssm.put_parameter(
        Name="/cdk-bootstrap/x/version", Value="22", Type="String", Overwrite=True
    )
    assert is_tagged(account.until_marked(stack_id))
    assert "tags.shown" not in account.story.actions(stack_id)
    account.is_marked_and_told(stack_id)


FROM_SSM = {
    "Parameters": {"Seconds": {"Type": SSM, "Default": "/seconds"}},
    "Resources": {
        "Queue": {**QUEUE, "Properties": {"VisibilityTimeout": {"Ref": "Seconds"}}},
    },
}


@pytest.mark.parametrize("moved", [False, True])
def test_a_stack_with_a_parameter_from_ssm_is_tagged_where_that_is_what_it_was(
    account: Account, moved: bool
) -> None:
    """A change set shows it. Fails with `if False` before `verdict` in application/sweep/tagging.py."""
    account.ssm.put_parameter(Name="/seconds", Value="30", Type="String")
    stack_id = account.deploy(FROM_SSM)
    seconds = "60" if moved else "30"
    account.ssm.put_parameter(Name="/seconds", Value=seconds, Type="String", Overwrite=True)
    account.lacking.deployed["Seconds"], account.lacking.now["Seconds"] = "30", seconds
    before = account.rest(stack_id).updated
    stack = account.until_marked(stack_id)
    assert is_tagged(stack) is not moved
    assert (stack.updated == before) is moved
    if moved:
        assert "an update would change more than tags" in account.reason(stack_id, "tags.refused")
    else:
        assert "tags.shown" in account.story.actions(stack_id)
        assert "tags.written" in account.story.actions(stack_id)
    assert account.direct.list_change_sets(StackName="feat")["Summaries"] == [] or not moved
    account.is_marked_and_told(stack_id)


def test_a_transform_is_tagged_by_a_change_set(account: Account) -> None:
    """It shows that tags change and nothing else. SAM's own is not in this emulator."""
    stack_id = account.deploy(TRANSFORMED)
    assert is_tagged(account.until_marked(stack_id))
    assert "tags.shown" in account.story.actions(stack_id)
    account.is_marked_and_told(stack_id)


def nested(account: Account) -> tuple[str, str, Callable[[object | None], None]]:
    """Deploy a root and a nested stack; return both ids and what overwrites the nested template."""
    bucket = f"templates-{uuid4()}"
    account.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": HERE})

    def write(template: object | None) -> None:
        if template is None:
            account.s3.delete_object(Bucket=bucket, Key="inner.json")
        else:
            account.s3.put_object(Bucket=bucket, Key="inner.json", Body=json.dumps(template))

    write(PLAIN)
    url = f"{account.s3.meta.endpoint_url}/{bucket}/inner.json"
    child = {"Type": NESTED, "Properties": {"TemplateURL": url}}
    root = account.deploy({"Resources": {"Queue": QUEUE, "Child": child}})
    listed = account.direct.list_stack_resources(StackName="feat")["StackResourceSummaries"]
    (inner,) = [one["PhysicalResourceId"] for one in listed if one["ResourceType"] == NESTED]
    account.lacking.parents[inner] = root
    return root, inner, write


@pytest.mark.parametrize(
    "template", [None, {"Resources": {"Queue": {**QUEUE, "Properties": {"DelaySeconds": 9}}}}]
)
def test_a_root_whose_nested_template_is_gone_or_overwritten_is_left_alone(
    account: Account, template: object | None
) -> None:
    """What was measured before: a changed queue, and UPDATE_ROLLBACK_FAILED, with not a word.

    Fails with `return Way.PLAIN` at the end of `way_of`.
    """
    root, inner, write = nested(account)
    write(template)
    before = account.rest(inner)
    stack = account.until_marked(root)
    assert (stack.status, stack.tags) == ("CREATE_COMPLETE", OWNED)
    assert account.rest(inner) == before
    assert "no change set could show" in account.reason(root, "tags.refused")
    assert account.direct.list_change_sets(StackName="feat")["Summaries"] == []
    account.is_marked_and_told(root)


def test_a_dynamic_reference_is_left_alone(account: Account) -> None:
    """What it gives by now would be deployed, and no change set shows it."""
    account.ssm.put_parameter(Name="/delay", Value="1", Type="String")
    queue = {**QUEUE, "Properties": {"DelaySeconds": "{{resolve:ssm:/delay}}"}}
    stack_id = account.deploy({"Resources": {"Queue": queue}})
    account.ssm.put_parameter(Name="/delay", Value="2", Type="String", Overwrite=True)
    assert account.until_marked(stack_id).tags == OWNED
    assert "a dynamic reference anew ({{resolve:ssm:/delay}})" in account.reason(
        stack_id, "tags.refused"
    )
    account.is_marked_and_told(stack_id)


def test_a_pipelines_pending_change_set_is_still_there(account: Account) -> None:
    """Executing another one would delete it."""
    stack_id = account.deploy(PLAIN)
    wanted = {"Resources": {"Queue": QUEUE, "More": QUEUE}}
    account.direct.create_change_set(
        StackName="feat", ChangeSetName="pipeline", TemplateBody=json.dumps(wanted)
    )
    assert account.until_marked(stack_id).tags == OWNED
    (pending,) = account.direct.list_change_sets(StackName="feat")["Summaries"]
    assert (pending["ChangeSetName"], pending["ExecutionStatus"]) == ("pipeline", "AVAILABLE")
    assert "(pipeline)" in account.reason(stack_id, "tags.refused")
    account.is_marked_and_told(stack_id)


def test_a_stack_policy_is_left_alone(account: Account) -> None:
    """Even where it forbids something else."""
    policy = {
        "Statement": [
            {"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"},
            {"Effect": "Deny", "Action": "Update:Delete", "Principal": "*", "Resource": "*"},
        ]
    }
    stack_id = account.deploy(PLAIN, StackPolicyBody=json.dumps(policy))
    assert account.until_marked(stack_id).tags == OWNED
    assert account.reason(stack_id, "tags.refused") == "its stack policy may forbid updates"


@pytest.mark.parametrize("role", ["", "arn:aws:iam::123456789012:role/deploy"])
def test_types_without_rights_are_tagged_under_a_service_role_alone(
    account: Account, role: str
) -> None:
    """YAML, too."""
    stack_id = account.deploy(
        "Resources: {P: {Type: AWS::SSM::Parameter, Properties: {Type: String,"
        " Value: !Sub '${AWS::StackName}'}}}"
    )
    if role:
        account.lacking.roles[stack_id] = role
    assert is_tagged(account.until_marked(stack_id)) is bool(role)


@pytest.mark.parametrize("action", ["UpdateStack", "CreateChangeSet", "ExecuteChangeSet"])
def test_a_lost_answer_is_found_out(account: Account, action: str) -> None:
    """What was taken is not asked for again, and is journalled once it is complete."""
    stack_id = account.deploy(PLAIN if action == "UpdateStack" else TRANSFORMED)
    account.lacking.lose = action
    assert is_tagged(account.until_marked(stack_id))
    account.janitor.sweep(SWEEPER)
    assert account.story.actions(stack_id)[-1] == "tags.written"


class Blind:
    """CloudFormation that does not say what is nested: as if that came a moment later."""

    def __init__(self, stacks: CloudFormation) -> None:
        self.stacks = stacks

    def __getattr__(self, name: str) -> Any:
        """Return what CloudFormation itself does."""
        return getattr(self.stacks, name)

    def anatomy(self, stack: Stack) -> Anatomy:
        """Return the root alone."""
        found = self.stacks.anatomy(stack)
        return Anatomy(replace(found.root, template=PLAIN))


def test_an_update_that_ends_in_update_rollback_failed_is_told_with_the_way_out(
    account: Account,
) -> None:
    """To owner and operators, and in journal, plan and explain; it is not tried again."""
    root, _, write = nested(account)
    write(None)
    blind: Any = Blind(account.stacks)
    account.janitor = replace(account.janitor, stacks=blind)
    stack = account.until_marked(root)
    assert stack.status == "UPDATE_ROLLBACK_FAILED"
    command = f"aws cloudformation continue-update-rollback --region {HERE} --stack-name {root}"
    sent = account.story.channel.sent
    assert {m.contact.address for m in sent if command in m.text} == {
        "ana@example.com",
        "operators",
    }
    assert command in account.reason(root, "tags.rolled-back")
    assert "tags.written" not in account.story.actions(root)
    assert account.story.actions(root).count("tags.intended") == 1
    (decision,) = [d for d in account.janitor.plan().plan.decisions if d.lease]
    assert command in str(decision.reason)
    account.is_marked_and_told(root)
