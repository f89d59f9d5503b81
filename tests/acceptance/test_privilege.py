"""What each function's role must not do, tried with that role's own credentials."""
# ruff: noqa: D102 - the names of the acts say it

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.acceptance.deployed import PAST, Account, Key, Stage, until
from tests.iam import Request, is_allowed

from janitor.domain.tagging.rights import CHANGE_SET

FUNCTIONS = ("Sweep", "Notify", "Delete", "Track", "Digest", "Api", "Check", "Archive")
DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError"}


class Act:
    """Everything that would hurt, done with the credentials of one role."""

    def __init__(self, account: Account, key: Key, one: Stage, two: Stage, victim: str) -> None:
        self._account, self._key, self._two, self._victim = account, key, two, victim
        self._one = one.outputs
        self._leases, self._journal = one.outputs["LeaseTableName"], one.outputs["JournalTableName"]

    def _to(self, service: str) -> Any:
        return self._account.client(service, self._key)

    def delete_a_stack(self) -> None:
        self._to("cloudformation").delete_stack(StackName=self._victim)

    def delete_the_janitor(self) -> None:
        self._to("cloudformation").delete_stack(StackName="janitor-one")

    def delete_a_stack_with_another_role(self) -> None:
        role = "arn:aws:iam::000000000000:role/admin"
        self._to("cloudformation").delete_stack(StackName=self._victim, RoleARN=role)

    def change_a_stack(self) -> None:
        self._to("cloudformation").update_stack(
            StackName=self._victim, UsePreviousTemplate=True, Tags=[{"Key": "a", "Value": "b"}]
        )

    def make_a_change_set(self) -> None:
        self._to("cloudformation").create_change_set(
            StackName=self._victim, ChangeSetName=CHANGE_SET, UsePreviousTemplate=True,
            Tags=[{"Key": "a", "Value": "b"}],
        )  # fmt: skip

    def execute_a_change_set(self) -> None:
        self._to("cloudformation").execute_change_set(
            StackName=self._victim, ChangeSetName=CHANGE_SET
        )

    def make_a_change_set_for_the_janitor(self) -> None:
        self._to("cloudformation").create_change_set(
            StackName="janitor-one", ChangeSetName=CHANGE_SET, UsePreviousTemplate=True
        )

    def change_the_janitor(self) -> None:
        self._to("cloudformation").update_stack(StackName="janitor-one", UsePreviousTemplate=True)

    def create_a_stack(self) -> None:
        template = json.dumps({"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}})
        self._to("cloudformation").create_stack(StackName="mine", TemplateBody=template)

    def see_all_stacks(self) -> None:
        self._to("cloudformation").describe_stacks()

    def delete_a_resource_past_cloudformation(self) -> None:
        for resource in self._account.client("cloudformation").describe_stack_resources(
            StackName=self._victim
        )["StackResources"]:
            self._to("sqs").delete_queue(QueueUrl=resource["PhysicalResourceId"])

    def delete_code_past_cloudformation(self) -> None:
        self._to("s3").delete_bucket(Bucket="artifacts")

    def become_an_administrator(self) -> None:
        self._to("iam").create_user(UserName="me")

    def widen_its_own_role(self) -> None:
        caller = self._to("sts").get_caller_identity()["Arn"]
        everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        self._to("iam").put_role_policy(
            RoleName=caller.split("/")[1],
            PolicyName="more",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [everything]}),
        )

    def tag_past_cloudformation(self) -> None:
        url = self._one["NoticeQueueUrl"]
        self._to("sqs").tag_queue(QueueUrl=url, Tags={"janitor:self": ""})

    def read_all_leases(self) -> None:
        self._to("dynamodb").scan(TableName=self._leases)

    def list_open_leases(self) -> None:
        self._to("dynamodb").query(
            TableName=self._leases,
            IndexName="open",
            KeyConditionExpression="#open = :yes",
            ExpressionAttributeNames={"#open": "open"},
            ExpressionAttributeValues={":yes": {"S": "yes"}},
        )

    def list_events_by_day(self) -> None:
        self._to("dynamodb").query(
            TableName=self._journal,
            IndexName="day",
            KeyConditionExpression="#day = :day",
            ExpressionAttributeNames={"#day": "day"},
            ExpressionAttributeValues={":day": {"S": "2026-06-01"}},
        )

    def read_a_lease(self) -> None:
        self._to("dynamodb").get_item(TableName=self._leases, Key={"stack_id": {"S": "janitor"}})

    def write_a_lease(self) -> None:
        self._to("dynamodb").put_item(TableName=self._leases, Item={"stack_id": {"S": "forged"}})

    def queue_a_notice(self) -> None:
        self._to("sqs").send_message(
            QueueUrl=self._one["NoticeQueueUrl"], MessageBody="{}", MessageGroupId="a",
            MessageDeduplicationId="a",
        )  # fmt: skip

    def delete_a_lease(self) -> None:
        key = {"stack_id": {"S": self._victim}}
        self._to("dynamodb").delete_item(TableName=self._leases, Key=key)

    def delete_the_leases(self) -> None:
        self._to("dynamodb").delete_table(TableName=self._leases)

    def unprotect_the_journal(self) -> None:
        self._to("dynamodb").update_table(TableName=self._journal, DeletionProtectionEnabled=False)

    def delete_the_journal(self) -> None:
        self._to("dynamodb").delete_table(TableName=self._journal)

    def write_to_the_journal(self) -> None:
        item = {"stack_id": {"S": "forged"}, "seq": {"N": "1"}}
        self._to("dynamodb").put_item(TableName=self._journal, Item=item)

    def change_an_event(self) -> None:
        self._to("dynamodb").update_item(
            TableName=self._journal,
            Key={"stack_id": {"S": "janitor"}, "seq": {"N": "1"}},
            UpdateExpression="SET doc = :doc",
            ExpressionAttributeValues={":doc": {"S": "{}"}},
        )

    def delete_an_event(self) -> None:
        key = {"stack_id": {"S": "janitor"}, "seq": {"N": "1"}}
        self._to("dynamodb").delete_item(TableName=self._journal, Key=key)

    def delete_an_event_in_a_transaction(self) -> None:
        key = {"stack_id": {"S": "janitor"}, "seq": {"N": "1"}}
        self._to("dynamodb").transact_write_items(
            TransactItems=[{"Delete": {"TableName": self._journal, "Key": key}}]
        )

    def queue_a_deletion(self) -> None:
        self._to("sqs").send_message(
            QueueUrl=self._one["DeletionQueueUrl"], MessageBody="{}", MessageGroupId="a",
            MessageDeduplicationId="a",
        )  # fmt: skip

    def empty_the_notices(self) -> None:
        self._to("sqs").purge_queue(QueueUrl=self._one["NoticeQueueUrl"])

    def tell_people(self) -> None:
        self._to("sns").publish(TopicArn=self._one["NoticesTopicArn"], Message="hello")

    def see_who_hears(self) -> None:
        sns = self._to("sns")
        topic = self._one["NoticesTopicArn"]
        for one in sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]:
            sns.get_subscription_attributes(SubscriptionArn=one["SubscriptionArn"])

    def let_nobody_hear(self) -> None:
        sns = self._account.client("sns")
        topic = self._one["NoticesTopicArn"]
        queue = "arn:aws:sqs:eu-central-1:000000000000:nobody"
        arn = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)["SubscriptionArn"]
        self._to("sns").unsubscribe(SubscriptionArn=arn)

    def switch_to_enforce(self) -> None:
        name = self._one["ModeParameterName"]
        self._to("ssm").put_parameter(Name=name, Value="enforce", Overwrite=True)

    def write_the_policy(self) -> None:
        name = self._one["PolicyParameterName"]
        self._to("ssm").put_parameter(Name=name, Value="{}", Overwrite=True)

    def read_the_link_key(self) -> None:
        self._to("secretsmanager").get_secret_value(SecretId=self._one["LinkSecretArn"])

    def change_the_link_key(self) -> None:
        secret = self._one["LinkSecretArn"]
        self._to("secretsmanager").put_secret_value(SecretId=secret, SecretString="k" * 64)

    def delete_the_logs(self) -> None:
        for group in self._account.client("logs").describe_log_groups()["logGroups"]:
            self._to("logs").delete_log_group(logGroupName=group["logGroupName"])

    def start_another_function(self) -> None:
        self._to("lambda").invoke(FunctionName=self._one["DeleteFunctionName"], Payload=b"{}")

    def replace_code(self) -> None:
        name = self._one["ApiFunctionName"]
        self._to("lambda").update_function_code(FunctionName=name, ZipFile=b"")

    def stop_the_schedule(self) -> None:
        for schedule in self._account.client("scheduler").list_schedules()["Schedules"]:
            self._to("scheduler").delete_schedule(Name=schedule["Name"])

    def read_the_other_stages_leases(self) -> None:
        key = {"stack_id": {"S": "janitor"}}
        table = self._two.outputs["LeaseTableName"]
        self._to("dynamodb").get_item(TableName=table, Key=key)

    def read_the_other_stages_link_key(self) -> None:
        self._to("secretsmanager").get_secret_value(SecretId=self._two.outputs["LinkSecretArn"])

    def switch_the_other_stage(self) -> None:
        name = self._two.outputs["ModeParameterName"]
        self._to("ssm").put_parameter(Name=name, Value="off", Overwrite=True)

    def put_into_the_archive(self) -> None:
        self._to("s3").put_object(Bucket=self._one["ArchiveBucketName"], Key="forged", Body=b"x")

    def read_the_archive(self) -> None:
        self._to("s3").get_object(Bucket=self._one["ArchiveBucketName"], Key="any")

    def list_the_archive(self) -> None:
        self._to("s3").list_objects_v2(Bucket=self._one["ArchiveBucketName"])

    def delete_from_the_archive(self) -> None:
        self._to("s3").delete_object(Bucket=self._one["ArchiveBucketName"], Key="any")

    def unlock_the_archive(self) -> None:
        self._to("s3").put_object_lock_configuration(
            Bucket=self._one["ArchiveBucketName"],
            ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"},
        )

    def open_the_archive(self) -> None:
        self._to("s3").delete_bucket_policy(Bucket=self._one["ArchiveBucketName"])

    def delete_the_archive(self) -> None:
        self._to("s3").delete_bucket(Bucket=self._one["ArchiveBucketName"])


NOBODY = (
    Act.delete_the_janitor,
    Act.change_the_janitor,
    Act.make_a_change_set_for_the_janitor,
    Act.create_a_stack,
    Act.delete_a_resource_past_cloudformation,
    Act.delete_code_past_cloudformation,
    Act.become_an_administrator,
    Act.widen_its_own_role,
    Act.tag_past_cloudformation,
    Act.read_all_leases,
    Act.delete_a_lease,
    Act.delete_the_leases,
    Act.unprotect_the_journal,
    Act.delete_the_journal,
    Act.change_an_event,
    Act.delete_an_event,
    Act.delete_an_event_in_a_transaction,
    Act.empty_the_notices,
    Act.let_nobody_hear,
    Act.switch_to_enforce,
    Act.write_the_policy,
    Act.change_the_link_key,
    Act.delete_the_logs,
    Act.start_another_function,
    Act.replace_code,
    Act.stop_the_schedule,
    Act.read_the_archive,
    Act.list_the_archive,
    Act.delete_from_the_archive,
    Act.unlock_the_archive,
    Act.open_the_archive,
    Act.delete_the_archive,
    Act.read_the_other_stages_leases,
    Act.read_the_other_stages_link_key,
    Act.switch_the_other_stage,
)
"""What no function may do."""

BUT = {
    Act.delete_a_stack: {"Delete"},
    # Denied to delete as well, by a condition (cloudformation:RoleArn) that the emulator ignores.
    Act.delete_a_stack_with_another_role: {"Delete"},
    Act.change_a_stack: {"Sweep"},
    Act.make_a_change_set: {"Sweep"},
    Act.execute_a_change_set: {"Sweep"},
    Act.see_all_stacks: {"Sweep", "Check"},
    Act.list_open_leases: {"Sweep", "Check", "Digest"},
    Act.list_events_by_day: {"Digest"},
    Act.read_a_lease: {"Sweep", "Notify", "Delete", "Track", "Api", "Check"},
    Act.write_a_lease: {"Sweep", "Notify", "Delete", "Track", "Api", "Check"},
    Act.queue_a_notice: {"Sweep", "Track", "Digest", "Api"},
    Act.write_to_the_journal: {"Sweep", "Notify", "Delete", "Track", "Api"},
    Act.queue_a_deletion: {"Sweep"},
    Act.tell_people: {"Notify"},
    Act.see_who_hears: {"Sweep", "Notify"},
    Act.put_into_the_archive: {"Archive"},
    Act.read_the_link_key: {"Notify", "Api", "Check"},
}
"""What no function may do but these."""

FORBIDDEN = [
    *((function, act) for act in NOBODY for function in FUNCTIONS),
    *((function, act) for act, but in BUT.items() for function in FUNCTIONS if function not in but),
]


def credentials_of(account: Account, stage: Stage, function: str) -> Key:
    """Return credentials of a function's role, which is made assumable for that."""
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    service = {**trust, "Principal": {"Service": "lambda.amazonaws.com"}}
    name = stage.outputs[f"{function}FunctionName"]
    role = account.client("lambda").get_function_configuration(FunctionName=name)["Role"]
    account.client("iam").update_assume_role_policy(
        RoleName=role.rpartition("/")[2],
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust, service]}),
    )
    answer = account.client("sts").assume_role(RoleArn=role, RoleSessionName="trespasser")
    return {
        "aws_access_key_id": answer["Credentials"]["AccessKeyId"],
        "aws_secret_access_key": answer["Credentials"]["SecretAccessKey"],
        "aws_session_token": answer["Credentials"]["SessionToken"],
    }


@pytest.fixture(scope="module")
def keys(account: Account, stages: dict[str, Stage]) -> dict[str, Key]:
    """Return credentials of each function's role."""
    return {function: credentials_of(account, stages["one"], function) for function in FUNCTIONS}


@pytest.fixture(scope="module")
def victim(account: Account) -> str:
    """Let a stack be there that no janitor manages."""
    return account.create_stack("victim", {})


@pytest.mark.parametrize(
    "function,act", FORBIDDEN, ids=[f"{f.lower()}-{act.__name__}" for f, act in FORBIDDEN]
)
def test_a_function_is_denied_what_would_hurt(
    function: str,
    act: Callable[[Act], None],
    account: Account,
    stages: dict[str, Stage],
    keys: dict[str, Key],
    victim: str,
) -> None:
    """Under the very role that does its work in the other tests."""
    with pytest.raises(ClientError) as caught:
        act(Act(account, keys[function], stages["one"], stages["two"], victim))
    assert caught.value.response["Error"]["Code"] in DENIED, caught.value


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_same_credentials_do_what_the_function_needs(
    function: str, account: Account, stages: dict[str, Stage], keys: dict[str, Key]
) -> None:
    """So it is the policies that deny, and not credentials that are good for nothing."""
    outputs = stages["one"].outputs
    ssm = account.client("ssm", keys[function])
    assert ssm.get_parameter(Name=outputs["ModeParameterName"])["Parameter"]["Value"]
    if function == "Digest":  # it reads by indexes alone, as the next test has it do
        return
    key = {"stack_id": {"S": "janitor"}}
    dynamodb = account.client("dynamodb", keys[function])
    if function == "Archive":  # it alone reads no lease
        with pytest.raises(ClientError, match="not authorized"):
            dynamodb.get_item(TableName=outputs["LeaseTableName"], Key=key)
        return
    assert "Item" in dynamodb.get_item(TableName=outputs["LeaseTableName"], Key=key)


@pytest.mark.parametrize(
    "function,act",
    [
        ("Sweep", Act.see_all_stacks),
        ("Sweep", Act.list_open_leases),
        ("Sweep", Act.make_a_change_set),
        ("Check", Act.see_all_stacks),
        ("Digest", Act.list_open_leases),
        ("Digest", Act.list_events_by_day),
        ("Notify", Act.tell_people),
        ("Notify", Act.see_who_hears),
        ("Sweep", Act.see_who_hears),
        ("Api", Act.read_the_link_key),
        ("Archive", Act.put_into_the_archive),
    ],
)
def test_who_is_excepted_may(
    function: str,
    act: Callable[[Act], None],
    account: Account,
    stages: dict[str, Stage],
    keys: dict[str, Key],
    victim: str,
) -> None:
    """The acts are denied by role, and not because they are wrong in themselves."""
    act(Act(account, keys[function], stages["one"], stages["two"], victim))


IN_IT = {
    "Role": {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "lambda.amazonaws.com"},
                        "Action": "sts:AssumeRole",
                    }
                ],
            }
        },
    },
    "Function": {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Runtime": "python3.13",
            "Handler": "index.handler",
            "Code": {"ZipFile": "def handler(event, context): pass"},
            "Role": {"Fn::GetAtt": ["Role", "Arn"]},
        },
    },
    "Table": {
        "Type": "AWS::DynamoDB::Table",
        "Properties": {
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "BillingMode": "PAY_PER_REQUEST",
        },
    },
    "Queue": {"Type": "AWS::SQS::Queue"},
}
"""One of each that nearly every stack of a developer has."""

NEEDED = {
    "arn:aws:iam::000000000000:role/{Role}": "iam:TagRole iam:UntagRole iam:GetRole",
    "arn:aws:lambda:eu-central-1:000000000000:function:{Function}": (
        "lambda:TagResource lambda:UntagResource lambda:ListTags lambda:GetFunction"
    ),
    "arn:aws:dynamodb:eu-central-1:000000000000:table/{Table}": (
        "dynamodb:TagResource dynamodb:UntagResource dynamodb:DescribeTable"
    ),
    "arn:aws:sqs:eu-central-1:000000000000:{Queue}": (
        "sqs:TagQueue sqs:UntagQueue sqs:GetQueueAttributes"
    ),
}
"""What CloudFormation calls to tag them; the emulator lets it, whatever the caller may."""


def deployed_statements(account: Account, stage: Stage, function: str) -> list[dict[str, Any]]:
    """Return the statements of a function's role as they arrived in the account."""
    iam = account.client("iam")
    name = stage.outputs[f"{function}FunctionName"]
    role = account.client("lambda").get_function_configuration(FunctionName=name)["Role"]
    role = role.rpartition("/")[2]
    documents = [
        iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
        for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]
    ]
    for policy in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        version = iam.get_policy(PolicyArn=policy["PolicyArn"])["Policy"]["DefaultVersionId"]
        found = iam.get_policy_version(PolicyArn=policy["PolicyArn"], VersionId=version)
        documents.append(found["PolicyVersion"]["Document"])
    return [statement for document in documents for statement in document["Statement"]]


def test_a_stack_with_function_role_table_and_queue_is_marked_with_the_rights_as_deployed(
    account: Account, one: Stage
) -> None:
    """The tags are on the stack and on what is in it, and IAM would let CloudFormation set them."""
    stack = account.create_stack("feat-usual", {"team-one": "x", "janitor:expires": PAST}, IN_IT)
    one.sweep()
    one.sweep()
    until(lambda: account.tags(stack).get("janitor:state") == "marked-for-deletion")
    until(lambda: account.status(stack) == "UPDATE_COMPLETE")
    one.set_mode("notify")  # in enforce the sweep that looks how it went deletes as well
    one.sweep()
    assert "tags.written" in one.actions(stack)
    resources = account.client("cloudformation").describe_stack_resources(StackName=stack)
    ids = {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"].rpartition("/")[2]
        for resource in resources["StackResources"]
    }
    tags = account.client("iam").list_role_tags(RoleName=ids["Role"])["Tags"]
    assert {"Key": "janitor:state", "Value": "marked-for-deletion"} in tags
    statements = deployed_statements(account, one, "Sweep")
    via = {"aws:CalledVia": ("cloudformation.amazonaws.com",)}
    for arn, actions in NEEDED.items():
        for action in actions.split():
            request = Request(action, arn.format(**ids), via)
            assert is_allowed(statements, request), request
            assert not is_allowed(statements, request._replace(context={})), request
    account.client("cloudformation").delete_stack(StackName=stack)
    until(lambda: account.status(stack) == "DELETE_COMPLETE")
