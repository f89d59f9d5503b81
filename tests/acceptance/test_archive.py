"""The archive as template.yaml deploys it: what is written reaches it, and it finds who edits."""

import json
import sys
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.acceptance.conftest import ROOT, run
from tests.acceptance.deployed import REGION, Account, Key, Stage, until
from tests.acceptance.lacking import IGNORED, NEEDS_TLS
from tests.cloudformation_template import read_template

from janitor.domain.journal.archive_format import BEGINNING

Row = dict[str, Any]


def objects(one: Stage) -> list[str]:
    """Return the names of all objects in the archive, but for the one that says when it began."""
    pages = one.account.client("s3").get_paginator("list_objects_v2")
    bucket = one.outputs["ArchiveBucketName"]
    keys = [o["Key"] for page in pages.paginate(Bucket=bucket) for o in page.get("Contents", ())]
    return [key for key in keys if key != BEGINNING]


def archived(one: Stage) -> list[Row]:
    """Return every line of the archive."""
    s3, bucket = one.account.client("s3"), one.outputs["ArchiveBucketName"]
    bodies = [s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in objects(one)]
    return [json.loads(line) for body in bodies for line in body.decode().splitlines()]


def rows(one: Stage, stack: str) -> list[Row]:
    """Return a stack's rows in the journal table."""
    return list(
        one.account.client("dynamodb").query(
            TableName=one.outputs["JournalTableName"],
            KeyConditionExpression="stack_id = :key",
            ExpressionAttributeValues={":key": {"S": stack}},
        )["Items"]
    )


def verified(one: Stage, stack: str) -> dict[str, Any]:
    """Let the command line compare one stack's chain with the archive that it finds by itself."""
    script = (
        "import sys; from janitor.entrypoints.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    sys.exit(end.code not in (0, 1))"
    )
    said = run(
        sys.executable, "-c", script, "audit", "verify", stack, "--archive", "janitor-one",
        "--json", "--lag", "0m",
        "--lease-table", one.outputs["LeaseTableName"],
        "--journal-table", one.outputs["JournalTableName"],
        AWS_ENDPOINT_URL=one.account.url,
    )  # fmt: skip
    return dict(json.loads(said))


@pytest.fixture
def stack(account: Account, one: Stage) -> str:
    """Bring a stack so far that it has a journal of several events, all in the archive."""
    tags = {"team-one": "x", "janitor:expires": "2026-01-01"}
    stack = account.create_stack(f"feat-evidence-{uuid.uuid4().hex[:6]}", tags)
    one.set_mode("notify")
    one.sweep()
    one.sweep()
    until(lambda: "notice.delivered" in one.actions(stack))
    count = len(rows(one, stack))
    until(lambda: sum(line.get("key") == stack for line in archived(one)) >= count)
    return stack


@pytest.fixture
def editable(one: Stage, stack: str) -> Iterator[Any]:
    """Return DynamoDB with an administrator's rights; afterwards all rows are as they were."""
    before = rows(one, stack)
    dynamodb, table = one.account.client("dynamodb"), one.outputs["JournalTableName"]
    yield dynamodb
    for row in rows(one, stack):
        key = {"stack_id": row["stack_id"], "seq": row["seq"]}
        dynamodb.delete_item(TableName=table, Key=key)
    for row in before:
        dynamodb.put_item(TableName=table, Item=row)


def test_the_archive_finds_what_an_administrator_did_to_the_table(
    one: Stage, stack: str, editable: Any
) -> None:
    """Edited, removed, reordered: each is named; and the function said so at once.

    Fails if the function keeps insertions alone and verifying takes no archive.
    """
    sound = verified(one, stack)
    assert sound["findings"] == []
    assert sound["archive"]["on_the_way"] == sound["archive"]["older"] == 0
    table = one.outputs["JournalTableName"]
    first, second, third, fourth, *_ = rows(one, stack)
    first["doc"]["S"] = first["doc"]["S"].replace("team-one", "team-two")
    editable.put_item(TableName=table, Item=first)
    key = {"stack_id": second["stack_id"], "seq": second["seq"]}
    editable.delete_item(TableName=table, Key=key)
    third["doc"], fourth["doc"] = fourth["doc"], third["doc"]
    third["at"], fourth["at"] = fourth["at"], third["at"]
    for row in (third, fourth):
        editable.put_item(TableName=table, Item=row)
    until(lambda: len([x for x in archived(one) if x.get("seen") in {"MODIFY", "REMOVE"}]) >= 4)
    found = {(f["seq"], f["what"]) for f in verified(one, stack)["findings"]}
    assert found >= {(1, "changed"), (2, "removed"), (3, "swapped"), (4, "swapped")}
    assert any("journal.tampered" in line for line in one.new_errors())


def test_each_object_is_written_once_and_none_is_overwritten(one: Stage, stack: str) -> None:
    """Lines, their order, and the heads at the end of each object."""
    lines = archived(one)
    own = [line for line in lines if line.get("key") == stack and line["seen"] == "INSERT"]
    assert [line["event"]["action"] for line in own][:2] == ["lease.opened", "stack.marked"]
    assert any(stack in line.get("heads", {}) for line in lines)
    versions = one.account.client("s3").list_object_versions(
        Bucket=one.outputs["ArchiveBucketName"]
    )["Versions"]
    assert len({version["Key"] for version in versions}) == len(versions)


def test_the_function_says_the_same_when_a_batch_comes_again(one: Stage) -> None:
    """The stream delivers at least once."""
    event = json.loads((ROOT / "events/archive.json").read_text(encoding="utf-8"))
    before = len(objects(one))
    assert one.invoke("Archive", event) == {"archived": 2, "tampered": 1}
    assert one.invoke("Archive", event) == {"archived": 2, "tampered": 1}
    assert len(objects(one)) == before + 1


def test_what_is_under_the_templates_lock_is_not_deleted(one: Stage) -> None:
    """By nobody who does not bypass governance, the account's root included."""
    resources = read_template(ROOT / "template.yaml")
    bucket = resources["Resources"]["ArchiveBucket"]["Properties"]
    parameters = {name: one_["Default"] for name, one_ in resources["Parameters"].items()}
    rule = bucket["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]
    lock = {name: parameters[value["Ref"]] for name, value in rule.items()}
    s3, name = one.account.client("s3"), one.outputs["ArchiveBucketName"]
    # The emulator takes no lock from a template: see lacking.py.
    s3.put_object_lock_configuration(
        Bucket=name,
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": lock},
        },
    )
    event = json.loads((ROOT / "events/archive.json").read_text(encoding="utf-8"))
    for record in event["Records"]:
        record["dynamodb"]["SequenceNumber"] += "9"
    known = set(objects(one))
    one.invoke("Archive", event)
    (key,) = set(objects(one)) - known
    version = s3.list_object_versions(Bucket=name, Prefix=key)["Versions"][0]["VersionId"]
    with pytest.raises(ClientError, match="object lock"):
        s3.delete_object(Bucket=name, Key=key, VersionId=version)


def test_the_lock_that_the_emulator_ignores_it_still_ignores(account: Account) -> None:
    """When it has learned that, the tests can rely on the template for it."""
    bucket = read_template(ROOT / "template.yaml")["Resources"]["ArchiveBucket"]["Properties"]
    assert set(IGNORED) <= bucket.keys()
    lock = {"ObjectLockEnabled": True, "ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"}}
    template = {"Resources": {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": lock}}}
    cloudformation = account.client("cloudformation")
    stack = cloudformation.create_stack(StackName="locked", TemplateBody=json.dumps(template))
    stack_id = str(stack["StackId"])
    until(lambda: account.status(stack_id) == "CREATE_COMPLETE")
    (made,) = cloudformation.describe_stack_resources(StackName=stack_id)["StackResources"]
    with pytest.raises(ClientError, match="ObjectLockConfigurationNotFound"):
        account.client("s3").get_object_lock_configuration(Bucket=made["PhysicalResourceId"])


@pytest.fixture(scope="module")
def administrator(account: Account) -> Key:
    """Return the credentials of somebody who may do everything; the root is past all policies."""
    iam = account.client("iam")
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    iam.create_user(UserName="admin")
    iam.put_user_policy(
        UserName="admin",
        PolicyName="all",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [everything]}),
    )
    key = iam.create_access_key(UserName="admin")["AccessKey"]
    return {
        "aws_access_key_id": key["AccessKeyId"],
        "aws_secret_access_key": key["SecretAccessKey"],
        "aws_session_token": "",
    }


def test_what_is_sent_in_the_clear_is_denied(account: Account, administrator: Key) -> None:
    """By the statement that the deployed bucket does without here, since all is in the clear."""
    policy = read_template(ROOT / "template.yaml")["Resources"]["ArchiveBucketPolicy"]
    statements = policy["Properties"]["PolicyDocument"]["Statement"]
    (statement,) = [one for one in statements if one["Sid"] == NEEDS_TLS]
    s3, name = account.client("s3", administrator), "in-the-clear"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=name, Key="before", Body=b"x")
    resource = [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"]
    document = {"Version": "2012-10-17", "Statement": [{**statement, "Resource": resource}]}
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps(document))
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.get_object(Bucket=name, Key="before")


def test_nobody_but_the_function_writes_to_the_archive(
    account: Account, one: Stage, administrator: Key
) -> None:
    """An administrator neither, as long as the bucket's policy stands."""
    s3, name = account.client("s3", administrator), one.outputs["ArchiveBucketName"]
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.put_object(Bucket=name, Key="forged", Body=b"x")
    assert "Versions" in s3.list_object_versions(Bucket=name)


def test_a_stage_without_an_archive_has_nothing_of_it(stages: dict[str, Stage]) -> None:
    """`Archive=off`: no bucket, no function, no stream."""
    two = stages["two"]
    assert not [name for name in two.outputs if "Archive" in name]
    table = two.account.client("dynamodb").describe_table(TableName=two.outputs["JournalTableName"])
    assert "LatestStreamArn" not in table["Table"]
