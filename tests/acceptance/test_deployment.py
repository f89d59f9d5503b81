"""Deploying: what the emulator lacks, and settings that are wrong."""

import json
import sys
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.acceptance.conftest import BUCKET, BUILD, ROOT
from tests.acceptance.deployed import Account, until
from tests.acceptance.lacking import LACKING, LIKE, UNKNOWN_KEYS
from tests.cloudformation_template import read_template

from janitor.domain.tagging.rights import CHANGE_SET


@pytest.fixture(scope="module")
def template_url(account: Account, packaged: str) -> str:
    """Return where the packaged template lies."""
    account.client("s3").put_object(Bucket=BUCKET, Key="packaged.json", Body=packaged.encode())
    return f"{account.url}/{BUCKET}/packaged.json"


def create(account: Account, template_url: str, name: str, **settings: str) -> str:
    """Begin a deployment with these settings."""
    answer = account.client("cloudformation").create_stack(
        StackName=name,
        TemplateURL=template_url,
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in settings.items()],
    )
    return str(answer["StackId"])


def reasons(account: Account, stack_id: str) -> list[str]:
    """Wait for the end of a deployment that fails, and return what it says."""
    until(lambda: account.status(stack_id) in {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED"}, 60)
    pages = account.client("cloudformation").get_paginator("describe_stack_events")
    return [
        event["ResourceStatusReason"]
        for page in pages.paginate(StackName=stack_id)
        for event in page["StackEvents"]
        if event["ResourceStatus"] == "CREATE_FAILED"
    ]


@pytest.mark.parametrize("lacking", LACKING)
def test_what_is_taken_out_is_what_the_emulator_still_lacks(account: Account, lacking: str) -> None:
    """And what it has learned meanwhile may stay in."""
    template = {"Resources": {"Any": {"Type": lacking, "Properties": LIKE[lacking]}}}
    with pytest.raises(ClientError, match="Unrecognized resource types"):
        account.client("cloudformation").create_stack(
            StackName=lacking.replace("::", "-"), TemplateBody=json.dumps(template)
        )


def test_what_is_taken_out_is_in_the_template() -> None:
    """Each entry of the list is there for something."""
    resources = read_template(ROOT / "template.yaml")["Resources"].values()
    types = {resource["Type"] for resource in resources}
    if any("DeploymentPreference" in resource["Properties"] for resource in resources):
        types |= {"AWS::CodeDeploy::Application", "AWS::CodeDeploy::DeploymentGroup"}
    assert LACKING.keys() <= types


@pytest.mark.parametrize("key", sorted(UNKNOWN_KEYS))
def test_the_emulator_still_gives_no_request_the_keys_that_are_taken_out(
    account: Account, key: str
) -> None:
    """Else the conditions may stay in; and each of them is in the template."""
    assert key in (ROOT / "template.yaml").read_text(encoding="utf-8")
    iam = account.client("iam")
    name = key.replace(":", "-")
    iam.create_user(UserName=name)
    allow = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    statement = {**allow, "Condition": {"StringLike": {key: "*"}}}
    iam.put_user_policy(
        UserName=name,
        PolicyName="any",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )
    made = iam.create_access_key(UserName=name)["AccessKey"]
    credentials = {
        "aws_access_key_id": made["AccessKeyId"],
        "aws_secret_access_key": made["SecretAccessKey"],
        "aws_session_token": "",
    }
    cloudformation = account.client("cloudformation", credentials)
    with pytest.raises(ClientError, match="not authorized"):
        cloudformation.delete_change_set(StackName="any", ChangeSetName=CHANGE_SET)


TAG = sys.implementation.cache_tag
UNCHECKED_HASH = b"\x01\x00\x00\x00"
"""The flags of bytecode by PEP 552: made from a source by its hash, and never compared with it."""

WRONG_AT_ONCE = {
    "Mode": "aggressive",
    "ScheduleExpression": "every hour",
    "Stage": "Much Too Long A Name",
    "SlackSecretArn": "my-secret",
    "SlackSigningSecretArn": "arn:aws:s3:::signing",
    "Regions": "Frankfurt",
}


@pytest.mark.parametrize("parameter", WRONG_AT_ONCE)
def test_a_value_that_cannot_be_is_refused_before_anything_is_made(
    account: Account, template_url: str, parameter: str
) -> None:
    """The message names the parameter."""
    with pytest.raises(ClientError, match=parameter):
        create(account, template_url, "janitor-wrong", **{parameter: WRONG_AT_ONCE[parameter]})


WRONG_ON_A_LOOK: dict[str, str] = {
    "PolicyDocument": "rules: 3",
    "SlackSecretArn": "arn:aws:secretsmanager:eu-central-1:000000000000:secret:nothing-AbCdEf",
    "ScheduleExpression": "cron(99 99 * * ? *)",
}
TOO_LONG = "janitor-in-the-development-account"


@pytest.fixture(scope="module")
def looked_at(account: Account, template_url: str) -> dict[str, Any]:
    """Deploy with each of these at the same time."""
    return {
        parameter: create(account, template_url, f"wrong-{parameter.lower()}", **{parameter: value})
        for parameter, value in WRONG_ON_A_LOOK.items()
    } | {TOO_LONG: create(account, template_url, TOO_LONG)}


@pytest.mark.parametrize("parameter", [*WRONG_ON_A_LOOK, TOO_LONG])
def test_a_value_that_turns_out_wrong_stops_the_deployment(
    account: Account, looked_at: dict[str, str], parameter: str
) -> None:
    """Before any function works: the check function looks first."""
    why = reasons(account, looked_at[parameter])
    assert any(parameter in reason for reason in why), why
    kinds = {
        event["LogicalResourceId"]
        for event in account.client("cloudformation").describe_stack_events(
            StackName=looked_at[parameter]
        )["StackEvents"]
    }
    assert "SweepFunction" not in kinds


def test_what_is_built_is_small_and_always_the_same(packaged: str) -> None:
    """No boto3, one time on every file; the same for every function.

    Others' code is bytecode alone, and ours is beside its bytecode, which no time can outdate.
    """
    built = sorted(path for path in BUILD.iterdir() if path.is_dir())
    assert len(built) == 8
    for function in built:
        files = [path for path in function.rglob("*") if path.is_file()]
        assert sum(path.stat().st_size for path in files) <= 12 * 1024 * 1024
        assert {path.stat().st_mtime for path in files} == {315532800}
        ours = [path for path in files if "janitor" in path.relative_to(function).parts]
        for path in (path for path in ours if path.suffix == ".py"):
            assert (path.parent / "__pycache__" / f"{path.stem}.{TAG}.pyc").exists()
        assert not [path for path in files if path.suffix == ".py" and path not in ours]
        assert {p.read_bytes()[4:8] for p in files if p.suffix == ".pyc"} == {UNCHECKED_HASH}
        assert not {"boto3", "botocore", "typer", "rich"} & {
            path.name for path in function.iterdir()
        }
    resources = json.loads(packaged)["Resources"].values()
    assert len({r["Properties"]["CodeUri"] for r in resources if "CodeUri" in r["Properties"]}) == 1
