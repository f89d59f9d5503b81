"""What template.yaml must say, whoever edits it."""

import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from tests.cloudformation_template import read_template

from janitor.adapters.aws.client_config import BRIEF_RETRIES
from janitor.adapters.aws.dynamodb.schema import JOURNAL, LEASES, TTL_ATTRIBUTE
from janitor.domain.journal.events import Event
from janitor.entrypoints.aws_lambda.journal_log import fields_of
from janitor.extension_page.router import ADDRESSES

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = read_template(ROOT / "template.yaml")
RESOURCES: dict[str, dict[str, Any]] = TEMPLATE["Resources"]
FUNCTIONS = ("Sweep", "Notify", "Delete", "Track", "Digest", "Api", "Check", "Archive")
OUTPUTS = {
    "ApiUrl", "LeaseTableName", "JournalTableName", "NoticesTopicArn", "NoticeQueueUrl",
    "DeletionQueueUrl", "PolicyParameterName", "ModeParameterName", "LinkSecretArn",
    "SlackSecretArn", "SweepFunctionName", "NotifyFunctionName", "DeleteFunctionName",
    "TrackFunctionName", "DigestFunctionName", "ApiFunctionName", "CheckFunctionName", "Stage",
    "ArchiveBucketName", "ArchiveFunctionName",
}  # fmt: skip
SETTINGS = {
    "Sweep": {"NOTIFY", "NOTICE_QUEUE", "DELETION_QUEUE"},
    "Notify": {"DEPLOYMENT", "NOTIFY", "NOTICE_QUEUE", "LINK_SECRET", "LINK_BASE", "SLACK_SECRET"},
    "Delete": {"DELETION_QUEUE"},
    "Track": {"NOTICE_QUEUE"},
    "Digest": {"DEPLOYMENT", "NOTICE_QUEUE"},
    "Api": {"LINK_SECRET", "NOTICE_QUEUE", "SLACK_SIGNING_SECRET"},
    "Check": {"LINK_SECRET", "SLACK_SECRET", "SLACK_SIGNING_SECRET"},
    "Archive": {"ARCHIVE"},
}


def of_type(kind: str) -> dict[str, dict[str, Any]]:
    """Return the resources of a type."""
    return {name: one for name, one in RESOURCES.items() if one["Type"] == kind}


def statements(role: str) -> list[dict[str, Any]]:
    """Return the statements of a function's own policy, conditional ones as if they applied."""
    (policy,) = RESOURCES[role]["Properties"]["Policies"]
    found = policy["PolicyDocument"]["Statement"]
    return [one["Fn::If"][1] if "Fn::If" in one else one for one in found]


def allowed(role: str) -> set[str]:
    """Return every action that a function's own policy allows."""
    found: set[str] = set()
    for one in statements(role):
        actions = one["Action"] if isinstance(one["Action"], list) else [one["Action"]]
        if one["Effect"] == "Allow" and "Condition" not in one:
            found.update(actions)
    return found


@pytest.mark.parametrize("table,definition", [("LeaseTable", LEASES), ("JournalTable", JOURNAL)])
def test_the_tables_are_those_that_the_code_creates(table: str, definition: dict[str, Any]) -> None:
    """`janitor init` and the deployment make the same."""
    properties = RESOURCES[table]["Properties"]
    assert {name: properties[name] for name in definition} == definition


@pytest.mark.parametrize("table", ["LeaseTable", "JournalTable"])
def test_the_tables_are_kept_recoverable_and_encrypted(table: str) -> None:
    """They are the evidence."""
    resource = RESOURCES[table]
    assert resource["DeletionPolicy"] == resource["UpdateReplacePolicy"] == "Retain"
    properties = resource["Properties"]
    assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert properties["SSESpecification"] == {"SSEEnabled": True}
    assert properties["DeletionProtectionEnabled"] == {"Fn::If": ["IsProtected", True, False]}


def test_leases_alone_expire() -> None:
    """Nothing of the journal does."""
    leases, journal = RESOURCES["LeaseTable"], RESOURCES["JournalTable"]
    ttl = {"AttributeName": TTL_ATTRIBUTE, "Enabled": True}
    assert leases["Properties"]["TimeToLiveSpecification"] == ttl
    assert "TimeToLiveSpecification" not in journal["Properties"]


def test_the_outputs_that_others_rely_on_are_there() -> None:
    """DESIGN.md §8."""
    assert TEMPLATE["Outputs"].keys() >= OUTPUTS


def test_no_name_is_given_by_hand_but_under_the_stacks_own() -> None:
    """Several stages live in one account."""
    given = {
        (name, key): value
        for name, resource in RESOURCES.items()
        for key, value in resource.get("Properties", {}).items()
        if key == "Name" or (key.endswith("Name") and key not in {"MetricName", "StageName"})
    }
    assert all(
        str(value.get("Fn::Sub", "")).lstrip("/").startswith("${AWS::StackName}/")
        for value in given.values()
    ), given


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_has_a_role_and_a_log_of_its_own(function: str) -> None:
    """Log groups are kept, and their events for as long as the parameter says."""
    properties = RESOURCES[f"{function}Function"]["Properties"]
    assert properties["Role"] == {"Fn::GetAtt": [f"{function}Role", "Arn"]}
    assert properties["LoggingConfig"]["LogGroup"] == {"Ref": f"{function}Logs"}
    log = RESOURCES[f"{function}Logs"]
    assert log["DeletionPolicy"] == "Retain"
    assert log["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_gets_only_the_settings_that_it_needs(function: str) -> None:
    """What it does not know it cannot reach by mistake."""
    properties = RESOURCES[f"{function}Function"]["Properties"]
    own = properties.get("Environment", {}).get("Variables", {})
    assert own.keys() == {f"JANITOR_{name}" for name in SETTINGS[function]}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_role_allows_everything_but_through_cloudformation(function: str) -> None:
    """A wildcard stands in one statement alone, under that condition."""
    via = {"ForAnyValue:StringEquals": {"aws:CalledVia": ["cloudformation.amazonaws.com"]}}
    for one in statements(f"{function}Role"):
        actions = one["Action"] if isinstance(one["Action"], list) else [one["Action"]]
        if one["Effect"] == "Allow" and any("*" in action for action in actions):
            assert (function, one["Condition"]) == ("Delete", via)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_role_is_under_the_guard(function: str) -> None:
    """Own stack, tables, logs and settings are out of reach of every function."""
    guard, *others = RESOURCES[f"{function}Role"]["Properties"]["ManagedPolicyArns"]
    assert guard == {"Ref": "Guard"}
    rights = [{"Ref": name} for name in RESOURCES if name.startswith("TaggingRights")]
    assert others == (rights if function == "Sweep" else [])
    document = RESOURCES["Guard"]["Properties"]["PolicyDocument"]
    guards = [one["Fn::If"][1] if "Fn::If" in one else one for one in document["Statement"]]
    denied = {one["Sid"] for one in guards if one["Effect"] == "Deny"}
    assert denied == {
        "NeverItsOwnStack", "NeverAnyJanitorsStack", "TablesAreReadAndPutOnly",
        "LogsAreWrittenOnly", "SettingsAreReadOnly", "NeverItsOwnParts", "ArchiveIsPutOnly",
    }  # fmt: skip


def test_who_may_do_what_hurts() -> None:
    """One function each."""
    who = {
        action: [function for function in FUNCTIONS if action in allowed(f"{function}Role")]
        for action in (
            "cloudformation:DeleteStack",
            "cloudformation:UpdateStack",
            "sns:Publish",
            "sns:GetSubscriptionAttributes",
            "s3:PutObject",
        )
    }
    assert who == {
        "cloudformation:DeleteStack": ["Delete"],
        "cloudformation:UpdateStack": ["Sweep"],
        "sns:Publish": ["Notify"],
        "sns:GetSubscriptionAttributes": ["Sweep", "Notify"],
        "s3:PutObject": ["Archive"],
    }
    for function in FUNCTIONS:
        tables = {a for a in allowed(f"{function}Role") if a.startswith("dynamodb:")}
        if function == "Archive":
            assert tables == {
                f"dynamodb:{a}"
                for a in ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")
            }
            continue
        if function == "Sweep":  # It alone reads many leases at the same moment.
            tables.remove("dynamodb:BatchGetItem")
        assert tables <= {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"}


@pytest.mark.parametrize("queue", ["Notice", "Deletion"])
def test_the_queues_keep_order_and_end_in_dead_letters(queue: str) -> None:
    """Some tries, each as long as six runs of the function; more where Slack has its limits."""
    properties = RESOURCES[f"{queue}Queue"]["Properties"]
    dead = RESOURCES[f"{queue}DeadLetterQueue"]["Properties"]
    function = {"Notice": "Notify", "Deletion": "Delete"}[queue]
    timeout = RESOURCES[f"{function}Function"]["Properties"]["Timeout"]
    assert properties["FifoQueue"] is dead["FifoQueue"] is True
    assert properties["SqsManagedSseEnabled"] is dead["SqsManagedSseEnabled"] is True
    tries = {"Notice": 10, "Deletion": 5}[queue]
    assert properties["RedrivePolicy"]["maxReceiveCount"] == tries
    assert properties["VisibilityTimeout"] >= 6 * timeout
    (event,) = RESOURCES[f"{function}Function"]["Properties"]["Events"].values()
    assert event["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert event["Properties"]["ScalingConfig"]["MaximumConcurrency"] >= 2


def test_every_function_outlives_the_patience_of_its_clients() -> None:
    """So that in an outage it fails with a message, and is not cut off without one.

    Fails with 6 attempts in `clients.BRIEF_RETRIES`: waits double from 1 s, and end at 20 s.
    """
    waits = range(BRIEF_RETRIES["total_max_attempts"] - 1)
    patience = sum(min(2**wait, 20) for wait in waits)
    assert patience < min(RESOURCES[f"{f}Function"]["Properties"]["Timeout"] for f in FUNCTIONS)


def test_there_is_an_alarm_for_everything_that_must_not_go_unseen() -> None:
    """And each of them tells somebody."""
    alarms = of_type("AWS::CloudWatch::Alarm")
    assert alarms.keys() == {
        *(f"{function}ErrorsAlarm" for function in FUNCTIONS),
        *(f"{queue}DeadLettersAlarm" for queue in ("Sweep", "Notice", "Deletion", "Track")),
        "ArchiveDeadLettersAlarm", "ArchiveAgeAlarm", "JournalTamperedAlarm",
        "NoticeAgeAlarm", "DeletionAgeAlarm", "DeletionsFailedAlarm", "NoticesFailedAlarm",
        "BreakerAlarm", "RegionsAlarm", "NoSweepAlarm", "ApiFaultsAlarm",
        "OutcomesFailedAlarm", "RecordsUnreadableAlarm", "BugsAlarm",
    }  # fmt: skip
    assert all(
        one["Properties"]["AlarmActions"] == [{"Ref": "AlarmTopic"}] for one in alarms.values()
    )
    assert alarms["NoSweepAlarm"]["Properties"]["TreatMissingData"] == "breaching"


def test_the_archive_is_locked_versioned_encrypted_private_and_kept() -> None:
    """And only its function writes there, and nobody in the clear."""
    bucket = RESOURCES["ArchiveBucket"]
    assert bucket["DeletionPolicy"] == bucket["UpdateReplacePolicy"] == "Retain"
    properties = bucket["Properties"]
    assert properties["ObjectLockEnabled"] is True
    retention = properties["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]
    assert retention == {"Mode": {"Ref": "ArchiveMode"}, "Days": {"Ref": "ArchiveDays"}}
    assert TEMPLATE["Parameters"]["ArchiveMode"]["Default"] == "GOVERNANCE"
    assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    (encryption,) = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption["ServerSideEncryptionByDefault"]
    policy = RESOURCES["ArchiveBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert [(one["Effect"], one["Principal"]) for one in policy] == [("Deny", "*")] * 2
    assert policy[0]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert policy[1]["Condition"]["ArnNotLike"]


def test_everything_of_the_archive_is_left_out_where_it_is_off() -> None:
    """No part of it is made that nothing uses."""
    parts = {n: r for n, r in RESOURCES.items() if n.startswith("Archive") or "Tampered" in n}
    assert len(parts) == 10
    assert {resource["Condition"] for resource in parts.values()} == {"HasArchive"}
    outputs = [one for name, one in TEMPLATE["Outputs"].items() if "Archive" in name]
    assert [one["Condition"] for one in outputs] == ["HasArchive"] * 3
    stream = RESOURCES["JournalTable"]["Properties"]["StreamSpecification"]
    assert stream["Fn::If"][:2] == ["HasArchive", {"StreamViewType": "NEW_IMAGE"}]


def test_what_the_archive_could_not_take_is_tried_again_and_then_told() -> None:
    """For nearly as long as a stream keeps its records; an hour behind is an alarm."""
    (event,) = RESOURCES["ArchiveFunction"]["Properties"]["Events"].values()
    source = event["Properties"]
    assert source["StartingPosition"] == "TRIM_HORIZON"
    assert source["BisectBatchOnFunctionError"] is True
    assert 12 * 3600 < source["MaximumRecordAgeInSeconds"] < 24 * 3600
    assert source["DestinationConfig"]["OnFailure"]["Type"] == "SQS"
    assert RESOURCES["ArchiveAgeAlarm"]["Properties"]["MetricName"] == "IteratorAge"


LOGGED = {"key", "action", "stack", "region", "owner", "actor", "via", "result", "reason", "seq"}


def test_saved_queries_ask_for_fields_that_are_logged() -> None:
    """Whoever opens one gets an answer; entrypoints/aws_lambda/journal_log.py writes the lines."""
    event = Event(
        "janitor", 1,
        {
            "action": "a.b", "result": "ok", "actor": {"id": "x", "via": "cli"},
            "target": {"name": "n", "region": "r", "owner": "o"}, "reason": {"sentence": "s"},
        }, "", "",
    )  # fmt: skip
    assert fields_of(event).keys() == LOGGED
    queries = {
        name: one["Properties"]["QueryString"]
        for name, one in of_type("AWS::Logs::QueryDefinition").items()
        if "journal.written" in one["Properties"]["QueryString"]
    }
    assert len(queries) == 6
    words = {"fields", "timestamp", "filter", "message", "journal", "written", "and", "or", "sort",
             "desc", "limit", "like", "stats", "count", "count_distinct", "by", "as", "bin",
             "events", "deleted", "owners", "deletion", "confirmed", "ok", "ada", "example", "com",
             "1w"}  # fmt: skip
    for name, query in queries.items():
        asked = set(re.findall(r"[a-z_]\w+", query)) - words
        assert asked <= LOGGED, name


def test_every_address_of_the_page_has_a_route_for_each_of_its_methods() -> None:
    """Those of extension_page/router.py, and no other; throttling and the access log hold for all."""
    routes = {
        (event["Properties"]["Path"], event["Properties"]["Method"])
        for event in RESOURCES["ApiFunction"]["Properties"]["Events"].values()
    }
    assert routes >= {
        (address, method.lower()) for address, methods in ADDRESSES.items() for method in methods
    }
    (settings,) = RESOURCES["Api"]["Properties"]["MethodSettings"]
    assert (settings["ResourcePath"], settings["HttpMethod"]) == ("/*", "*")


def test_no_log_of_the_api_can_hold_a_token() -> None:
    """The path has it: only the route is logged, and nothing traced."""
    api = RESOURCES["Api"]["Properties"]
    assert "$context.resourcePath" in api["AccessLogSetting"]["Format"]
    assert "$context.path" not in api["AccessLogSetting"]["Format"]
    assert api["TracingEnabled"] is False
    (settings,) = api["MethodSettings"]
    assert (settings["LoggingLevel"], settings["DataTraceEnabled"]) == ("OFF", False)
    assert settings["ThrottlingRateLimit"]


def test_networks_are_kept_from_every_page_but_slacks_own_door() -> None:
    """Slack reports from anywhere; whoever adds a page adds it to the statement as well."""
    allow, deny = RESOURCES["Api"]["Properties"]["Auth"]["ResourcePolicy"]["CustomStatements"]
    assert allow["Resource"] == "execute-api:/*"
    assert set(deny["Condition"]["NotIpAddress"]) == {"aws:SourceIp"}
    kept = deny["Resource"] if isinstance(deny["Resource"], list) else [deny["Resource"]]
    for event in RESOURCES["ApiFunction"]["Properties"]["Events"].values():
        path, method = event["Properties"]["Path"], event["Properties"]["Method"].upper()
        request = f"execute-api:/live/{method}{path}"
        is_kept = any(fnmatchcase(request, pattern) for pattern in kept)
        assert is_kept is (path != "/slack/interactivity"), request


def test_each_secret_of_slacks_is_read_by_one_function_and_looked_at_by_check() -> None:
    """The function that strangers reach does not have the token."""

    def readers(parameter: str) -> set[str]:
        return {
            function
            for function in FUNCTIONS
            for one in statements(f"{function}Role")
            if one["Resource"] == {"Ref": parameter}
        }

    assert readers("SlackSecretArn") == {"Notify", "Check"}
    assert readers("SlackSigningSecretArn") == {"Api", "Check"}


def test_parameters_are_grouped_described_and_say_what_is_wrong() -> None:
    """The name of a parameter is in the message about it."""
    parameters = TEMPLATE["Parameters"]
    groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert sorted(name for group in groups for name in group["Parameters"]) == sorted(parameters)
    for name, parameter in parameters.items():
        assert parameter["Description"]
        assert name in parameter["ConstraintDescription"]
    assert parameters["Mode"]["Default"] == "observe"
    assert parameters["AllowPurge"]["Default"] == "false"


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_table_of_permissions_names_every_action(function: str) -> None:
    """docs/permissions.md is what reviewers read."""
    text = (ROOT / "docs/permissions.md").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith(f"| {function.lower()} |")]
    for action in allowed(f"{function}Role"):
        assert any(action in line for line in lines), action
