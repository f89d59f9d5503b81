"""The ladder under the deployed functions' own roles, with IAM enforced."""

import hashlib
import json

from tests.acceptance.conftest import POLICY, verify
from tests.acceptance.deployed import PAST, Account, Inbox, Stage, until

REPOSITORY = {"Type": "AWS::ECR::Repository", "Properties": {"RepositoryName": "feat-images"}}
TAGS = {
    "team-one": "x",
    "janitor:expires": PAST,
    "janitor:owner": "ada@example.com",
    "janitor:purge": "ecr",
}


def put_image(account: Account) -> None:
    """Push an image into the repository of the stack."""
    config = {"digest": "sha256:" + hashlib.sha256(b"x").hexdigest()}
    account.client("ecr").put_image(
        repositoryName="feat-images",
        imageManifest=json.dumps({"schemaVersion": 2, "config": config}),
        imageTag="v1",
    )


def test_images_that_stand_in_the_way_are_deleted_by_the_functions_role(
    account: Account, one: Stage, inbox: Inbox
) -> None:
    """From the tag to the journal, with what was recorded, purged and confirmed."""
    stack = account.create_stack("feat-laden", TAGS, {"Images": REPOSITORY})
    put_image(account)
    for _ in range(3):
        one.sweep()
    until(lambda: account.status(stack) == "DELETE_FAILED")
    one.sweep()
    assert "it is not empty" in one.reason(stack, "deletion.failed")["sentence"]
    recorded = one.reason(stack, "stack.recorded")["facts"]
    assert recorded["resource Images"].startswith("AWS::ECR::Repository feat-images")
    assert recorded["template"].startswith("sha256:")
    assert any("feat-laden could not be deleted yet" in n["Subject"] for n in inbox.read())
    one.end_back_off(stack)
    one.sweep()
    until(lambda: account.status(stack) == "DELETE_COMPLETE")
    one.sweep()
    assert one.reason(stack, "resource.purged")["facts"]["images"] == "1"
    assert one.reason(stack, "deletion.confirmed")["facts"]["gone"] == "1"
    assert one.state(stack) == "deleted"
    verify(one)


def test_an_exporter_waits_and_protection_is_taken_off_where_the_policy_says_so(
    account: Account, one: Stage
) -> None:
    """What sweep and delete ask of CloudFormation for that, they may."""
    (rule,) = POLICY["rules"]
    one.set_policy(**{**POLICY, "rules": [{**rule, "override_protection": True}]})
    value = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "x"}}
    cloudformation = account.client("cloudformation")
    tags = [{"Key": key, "Value": text} for key, text in TAGS.items()]
    outputs = {"Net": {"Value": {"Ref": "Value"}, "Export": {"Name": "feat-net"}}}
    exporter = cloudformation.create_stack(
        StackName="feat-exporter",
        TemplateBody=json.dumps({"Resources": {"Value": value}, "Outputs": outputs}),
        Tags=tags,
        EnableTerminationProtection=True,
    )["StackId"]
    until(lambda: account.status(exporter) == "CREATE_COMPLETE")
    used = {**value, "Properties": {"Type": "String", "Value": {"Fn::ImportValue": "feat-net"}}}
    importer = account.create_stack("feat-importer", TAGS, {"Value": used})
    for _ in range(3):
        one.sweep()
    until(lambda: account.status(importer) == "DELETE_COMPLETE")
    assert "deletion.intended" not in one.actions(exporter)
    one.sweep()
    until(lambda: account.status(exporter) == "DELETE_COMPLETE")
    one.sweep()
    assert "protection.removed" in one.actions(exporter)
    assert [one.state(stack) for stack in (exporter, importer)] == ["deleted", "deleted"]
