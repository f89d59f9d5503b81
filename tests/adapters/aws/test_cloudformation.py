"""What CloudFormation answers becomes our types, our errors, and nothing else."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ReadTimeoutError
from botocore.stub import Stubber

from janitor.adapters.aws.client_config import CLIENT_CONFIG, read_timestamp, speed_up_timestamps
from janitor.adapters.aws.cloudformation import CloudFormation
from janitor.adapters.aws.cloudformation_tagging import CAPABILITIES
from janitor.adapters.aws.failure_reasons import LONGEST, capped
from janitor.adapters.aws.stack_parsing import stacks_of
from janitor.domain.deletion.causes import Cause, cause_of, cause_of_refusal
from janitor.domain.deletion.strategy import Rung, Step
from janitor.domain.errors import (
    ConfigurationError,
    DeleteRefused,
    JanitorError,
    StackNotFound,
    TagRefused,
)
from janitor.domain.model import Stack
from janitor.domain.stack.resources import (
    MOST_NESTED,
    NESTED,
    Count,
    Resource,
    Snapshot,
    whole,
    with_nested,
)
from janitor.domain.tagging.outcomes import Became, TagOutcome

ARN = "arn:aws:cloudformation:eu-central-1:123456789012:stack/feat/1"
CREATED = datetime(2026, 6, 1, 12, tzinfo=UTC)
UPDATED = CREATED + timedelta(hours=1)
BY_ID = {"StackName": ARN}
ONCE = Config(retries={"total_max_attempts": 1})
META = {"RequestId": "request-1", "HTTPStatusCode": 200}


def raw(**changes: Any) -> dict[str, Any]:
    """Make a stack as CloudFormation answers with it."""
    return {
        "StackId": ARN,
        "StackName": "feat",
        "CreationTime": CREATED,
        "StackStatus": "CREATE_COMPLETE",
        "Tags": [{"Key": "owner", "Value": "a@b.c"}],
        **changes,
    }


def seen(**changes: Any) -> Stack:
    """Make the stack as the decision saw it."""
    values: dict[str, Any] = {"status": "CREATE_COMPLETE", "tags": {"owner": "a@b.c"}}
    return Stack(
        stack_id=ARN, name="feat", region="eu-central-1", created=CREATED, **values | changes
    )


@pytest.fixture
def aws() -> Iterator[Stubber]:
    """Make a client that answers what a test puts into it, in that order."""
    client = boto3.client("cloudformation", region_name="eu-central-1")
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def stacks(aws: Stubber) -> CloudFormation:
    """Make the adapter on that client; it never really waits."""
    client: Any = aws.client
    return CloudFormation(lambda _: client, pause=lambda _: None)


def page(*stacks: dict[str, Any], token: str | None = None) -> dict[str, Any]:
    """Make a page of an answer."""
    return {"Stacks": list(stacks), **({"NextToken": token} if token else {})}


def test_all_that_we_know_of_a_stack_comes_from_the_answer(
    aws: Stubber, stacks: CloudFormation
) -> None:
    """Nested stacks keep their parent."""
    answer = raw(
        LastUpdatedTime=UPDATED,
        StackStatus="UPDATE_ROLLBACK_FAILED",
        StackStatusReason="why",
        ParentId="arn:parent",
        EnableTerminationProtection=True,
    )
    aws.add_response("describe_stacks", page(answer), BY_ID)
    assert stacks.describe(ARN) == seen(
        status="UPDATE_ROLLBACK_FAILED",
        updated=UPDATED,
        status_reason="why",
        parent_id="arn:parent",
        termination_protection=True,
    )


def outputs(*names: str) -> list[dict[str, str]]:
    """Make outputs of these names."""
    return [{"OutputKey": name, "OutputValue": "v"} for name in names]


def test_a_listing_tells_a_bootstrap_stack_of_any_name_by_its_outputs(
    aws: Stubber, stacks: CloudFormation
) -> None:
    """An app has the version as a parameter. Fails if `_stack` leaves out `toolkit`."""
    version = {"ParameterKey": "BootstrapVersion", "ParameterValue": "/cdk-bootstrap/x/version"}
    answer = page(
        raw(Outputs=outputs("BucketName", "BootstrapVersion")),
        raw(Outputs=outputs("BucketName", "Url"), Parameters=[version]),
        raw(Outputs=outputs("SourceBucket"), Description="Managed Stack for AWS SAM CLI"),
        raw(),
    )
    aws.add_response("describe_stacks", answer, {})
    (listing,) = stacks.list_all(["eu-central-1"])
    assert [stack.toolkit for stack in listing.stacks] == ["AWS CDK", "", "AWS SAM CLI", ""]


def test_a_region_that_refuses_a_later_page_is_refused_whole(
    aws: Stubber, stacks: CloudFormation
) -> None:
    """Half a list would make the other half look gone."""
    aws.add_response("describe_stacks", page(raw(), token="more"), {})
    aws.add_client_error("describe_stacks", "AccessDenied", "not\n authorized")
    (listing,) = stacks.list_all(["eu-central-1"])
    assert listing.stacks == ()
    assert listing.error == "listing eu-central-1 failed: AccessDenied: not authorized"


@pytest.mark.parametrize("code", ["InvalidClientTokenId", "UnrecognizedClientException"])
def test_a_region_that_is_not_enabled_is_called_so(
    aws: Stubber, stacks: CloudFormation, code: str
) -> None:
    """It answers as bad credentials do, and good ones are what the other regions were read with."""
    aws.add_client_error("describe_stacks", code, "The security token is invalid.")
    (listing,) = stacks.list_all(["eu-central-1"])
    assert listing.error == (
        "eu-central-1 is not enabled in this account, or refuses these credentials"
        f" ({code}: The security token is invalid.)"
    )


NEXT = ARN.replace("feat", "next")
ODD: list[tuple[dict[str, Any], str, str]] = [
    ({"StackId": None}, "feat", "'NoneType' object has no attribute 'split'"),
    ({"StackId": "feat"}, "feat", "'feat' is no stack id"),
    ({"StackName": ...}, ARN, "it has no StackName"),
    ({"StackStatus": ...}, ARN, "it has no StackStatus"),
    ({"CreationTime": ...}, ARN, "it has no CreationTime"),
    ({"CreationTime": "yesterday"}, ARN, "CreationTime is 'yesterday', which is no instant"),
    ({"LastUpdatedTime": "soon"}, ARN, "LastUpdatedTime is 'soon', which is no instant"),
    ({"Tags": [{"Key": "owner"}]}, ARN, "it has no Value"),
    ({"Tags": "owner"}, ARN, "string indices must be integers, not 'str'"),
    ({"StackId": ..., "StackName": ...}, "", "it has no StackId"),
]


@pytest.mark.parametrize("changes, key, why", ODD)
def test_one_stack_that_cannot_be_read_is_named_and_the_region_listed(
    changes: dict[str, Any], key: str, why: str
) -> None:
    """It is there, so neither new nor gone; what is beside it is seen as ever.

    Fails without `except ODD` in stack_parsing.py.
    """
    odd = {k: v for k, v in raw(**changes).items() if v is not ...}
    stacks, unread = stacks_of("eu-central-1", [odd, raw(StackId=NEXT, StackName="next")])
    assert [stack.name for stack in stacks] == ["next"]
    assert [(one.stack_id or one.name, one.why) for one in unread] == [(key, why)]


def test_whatever_stands_in_a_page_is_no_reason_to_lose_it() -> None:
    """Not even what is no stack at all."""
    stacks, unread = stacks_of("eu-central-1", [None, 5, "feat", [], {}, raw()])
    assert [stack.name for stack in stacks] == ["feat"]
    assert len(unread) == 5
    assert {one.key for one in unread} == {"a stack without id or name"}


def test_what_is_wrong_in_the_lister_itself_is_told_from_a_region_that_refuses() -> None:
    """A bug: its region is left alone as any, and its traceback travels along."""

    def clients(region: str) -> Any:
        raise AttributeError("no such thing")

    (listing,) = CloudFormation(clients).list_all(["eu-central-1"])
    assert listing.error == "a bug in janitor: AttributeError: no such thing"
    assert isinstance(listing.bug, AttributeError)
    assert listing.bug.__traceback__


def test_a_region_that_cannot_be_reached_does_not_keep_the_others_waiting() -> None:
    """Nor does one whose client cannot even be made."""
    client = boto3.client("cloudformation", region_name="eu-central-1")
    release = threading.Event()

    def clients(region: str) -> Any:
        if region == "broken":
            raise RuntimeError("no such region")
        if region == "slow":
            release.wait(10)
        return client

    with Stubber(client) as aws:
        aws.add_response("describe_stacks", page(raw()), {})
        aws.add_response("describe_stacks", page(), {})
        listings = CloudFormation(clients).list_all(["slow", "eu-central-1", "broken"])
        first = {next(listings).region, next(listings).region}
        release.set()
        last = next(listings)
    assert first == {"eu-central-1", "broken"}
    assert last.region == "slow"


def test_regions_are_listed_once_each(aws: Stubber, stacks: CloudFormation) -> None:
    """A region named twice is a slip, not twice the work."""
    aws.add_response("describe_stacks", page(raw()), {})
    assert len(list(stacks.list_all(["eu-central-1", "eu-central-1"]))) == 1
    assert list(stacks.list_all([])) == []


def test_listing_ends_after_the_page_at_hand_when_nobody_wants_it_any_more() -> None:
    """Ctrl-C does not wait for a thousand pages."""
    clients = {
        name: boto3.client("cloudformation", region_name="eu-central-1")
        for name in ("short", "long")
    }
    closed, pages = threading.Event(), []

    def on_page(region: str, count: int) -> None:
        if region == "long":
            pages.append(count)
            closed.wait(10)

    with Stubber(clients["short"]) as short, Stubber(clients["long"]) as long:
        short.add_response("describe_stacks", page(raw()), {})
        long.add_response("describe_stacks", page(raw(), token="more"), {})
        long.add_response("describe_stacks", page(raw()), {"NextToken": "more"})
        before = set(threading.enumerate())
        listings = CloudFormation(clients.__getitem__, on_page).list_all(["long", "short"])
        lister = set(threading.enumerate()) - before
        assert next(listings).region == "short"
        listings.close()
        closed.set()
        for thread in lister:
            thread.join(10)
    assert pages == [1]


def test_an_update_of_tags_says_that_everything_else_stays(
    aws: Stubber, stacks: CloudFormation
) -> None:
    """No values, no topics, no role: each of them would change the stack."""
    parameters = [{"ParameterKey": "Secret", "ParameterValue": "****"}]
    aws.add_response("describe_stacks", page(raw(Parameters=parameters)), BY_ID)
    aws.add_response(
        "update_stack",
        {"StackId": ARN},
        {
            "StackName": ARN,
            "UsePreviousTemplate": True,
            "Parameters": [{"ParameterKey": "Secret", "UsePreviousValue": True}],
            "Capabilities": list(CAPABILITIES),
            "Tags": [{"Key": "owner", "Value": "a@b.c"}, {"Key": "new", "Value": "1"}],
            "ClientRequestToken": "token-1",
        },
    )
    assert stacks.tag(seen(), {"new": "1"}, (), "token-1") is True


@pytest.mark.parametrize(
    "status",
    ["ROLLBACK_COMPLETE", "UPDATE_FAILED", "DELETE_FAILED", "UPDATE_IN_PROGRESS", "BRAND_NEW"],
)
def test_a_status_that_takes_no_tags_is_refused_before_asking(
    aws: Stubber, stacks: CloudFormation, status: str
) -> None:
    """Statuses that AWS has yet to invent included."""
    aws.add_response("describe_stacks", page(raw(StackStatus=status)), BY_ID)
    with pytest.raises(TagRefused, match=status):
        stacks.tag(seen(), {"new": "1"}, (), "token-1")


def test_no_updates_to_be_performed_is_success(aws: Stubber, stacks: CloudFormation) -> None:
    """But no update of ours."""
    aws.add_response("describe_stacks", page(raw()), BY_ID)
    aws.add_client_error("update_stack", "ValidationError", "No updates are to be performed.")
    assert stacks.tag(seen(), {"new": "1"}, (), "token-1") is False


def test_an_update_that_was_submitted_before_is_taken(aws: Stubber, stacks: CloudFormation) -> None:
    """The token was taken by an earlier try."""
    aws.add_response("describe_stacks", page(raw()), BY_ID)
    aws.add_client_error("update_stack", "TokenAlreadyExistsException", "exists")
    assert stacks.tag(seen(), {"new": "1"}, (), "token-1") is True


@pytest.mark.parametrize(
    "code, status, kind",
    [
        ("ValidationError", 400, TagRefused),
        ("InsufficientCapabilitiesException", 400, TagRefused),
        ("AccessDenied", 403, TagRefused),
        ("Throttling", 400, JanitorError),
        ("Whatever", 500, JanitorError),
        ("ExpiredToken", 403, ConfigurationError),
    ],
)
def test_a_refusal_to_tag_is_told_from_a_bad_moment(
    aws: Stubber, stacks: CloudFormation, code: str, status: int, kind: type[JanitorError]
) -> None:
    """A refusal is not tried again upon the same deployment, a bad moment is."""
    aws.add_response("describe_stacks", page(raw()), BY_ID)
    aws.add_client_error("update_stack", code, "no", http_status_code=status)
    with pytest.raises(JanitorError, match="no") as raised:
        stacks.tag(seen(), {"new": "1"}, (), "token-1")
    assert type(raised.value) is kind


def operation(status: str, token: str, thing: str = ARN, at: datetime = UPDATED) -> dict[str, Any]:
    """Make an event of the stack, or of a thing in it, as CloudFormation answers with it."""
    return {
        "StackId": ARN,
        "EventId": f"{status}-{at}",
        "StackName": "feat",
        "PhysicalResourceId": thing,
        "ResourceStatus": status,
        "Timestamp": at,
        "ClientRequestToken": token,
    }


MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    "events, updated",
    [
        ([operation("UPDATE_COMPLETE", "ours", at=UPDATED + MINUTE)], UPDATED),
        ([operation("UPDATE_COMPLETE", "theirs"), operation("UPDATE_IN_PROGRESS", "theirs")], None),
        ([operation("UPDATE_IN_PROGRESS", "theirs")], None),
        ([operation("UPDATE_COMPLETE", "theirs", "queue-1")], UPDATED),
    ],
)
def test_the_last_operation_tells_by_its_token_whose_update_it_was(
    aws: Stubber, stacks: CloudFormation, events: list[dict[str, Any]], updated: datetime | None
) -> None:
    """Events come newest first, and only those of the stack itself count.

    Fails without the look at `ClientRequestToken`, or at `PhysicalResourceId`. Over HTTP it is in
    tests/contract/test_stacks.py; ministack 1.5 puts the token on all events of an operation,
    also on those of its resources, and none of its events lags.
    """
    before = operation("UPDATE_IN_PROGRESS", "ours", at=UPDATED + timedelta(seconds=1))
    aws.add_response("describe_stack_events", {"StackEvents": [*events, before]}, BY_ID)
    assert stacks.tag_outcome(seen(updated=UPDATED), "ours", CREATED).updated == updated


def test_events_that_lag_behind_the_description_tell_nothing(
    aws: Stubber, stacks: CloudFormation
) -> None:
    """The stack was updated by somebody since, and there is no word of it yet.

    Fails without the look at the time of the last event.
    """
    late = seen(updated=UPDATED + 2 * MINUTE)
    aws.add_response(
        "describe_stack_events", {"StackEvents": [operation("UPDATE_IN_PROGRESS", "ours")]}, BY_ID
    )
    assert stacks.tag_outcome(late, "ours", CREATED) == TagOutcome(Became.UNDER_WAY)


def test_a_stack_whose_events_know_no_token_was_not_updated_by_it(
    aws: Stubber, stacks: CloudFormation
) -> None:
    """Nor is read what was before."""
    long_ago = operation("UPDATE_IN_PROGRESS", "ours", at=CREATED - 2 * MINUTE)
    for events in ([], [long_ago]):
        aws.add_response("describe_stack_events", {"StackEvents": events}, BY_ID)
        assert stacks.tag_outcome(seen(), "ours", CREATED) == TagOutcome(Became.NOTHING)


@pytest.mark.parametrize(
    "status, became",
    [
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", Became.DONE),
        ("UPDATE_ROLLBACK_IN_PROGRESS", Became.UNDER_WAY),
        ("UPDATE_ROLLBACK_COMPLETE", Became.ROLLED_BACK),
        ("UPDATE_ROLLBACK_FAILED", Became.STUCK),
    ],
)
def test_the_last_event_of_an_update_says_what_became_of_it(
    aws: Stubber, stacks: CloudFormation, status: str, became: Became
) -> None:
    """The reason is that of the event with which the roll-back began."""
    events = [
        operation(status, "ours"),
        {
            **operation("UPDATE_ROLLBACK_IN_PROGRESS", "ours"),
            "ResourceStatusReason": "no sqs:TagQueue",
        },
        operation("UPDATE_IN_PROGRESS", "ours"),
    ]
    aws.add_response("describe_stack_events", {"StackEvents": events}, BY_ID)
    found = stacks.tag_outcome(seen(updated=UPDATED), "ours", CREATED)
    assert found == TagOutcome(became, "no sqs:TagQueue", UPDATED)


def test_events_that_cannot_be_read_are_an_error(aws: Stubber, stacks: CloudFormation) -> None:
    """Not to know is not a no."""
    aws.add_client_error("describe_stack_events", "Throttling", "Rate exceeded")
    with pytest.raises(JanitorError, match="reading the events"):
        stacks.tag_outcome(seen(), "ours", CREATED)


def test_a_deletion_asks_by_id_and_names_its_request(aws: Stubber, stacks: CloudFormation) -> None:
    """No role, no mode: CloudFormation uses the stack's own."""
    expected = {"StackName": ARN, "ClientRequestToken": "token-1"}
    aws.add_response("delete_stack", {"ResponseMetadata": META}, expected)
    assert stacks.delete(ARN, "token-1") == "request-1"


def test_a_deletion_that_was_submitted_before_is_success(
    aws: Stubber, stacks: CloudFormation
) -> None:
    """The token was taken by an earlier try."""
    aws.add_client_error(
        "delete_stack", "TokenAlreadyExistsException", "exists", response_meta=META
    )
    assert stacks.delete(ARN, "token-1") == "request-1"


@pytest.mark.parametrize(
    "code, message, cause",
    [
        (
            "ValidationError",
            f"Stack [{ARN}] cannot be deleted while TerminationProtection is enabled",
            Cause.NOT_BEGUN,
        ),
        (
            "ValidationError",
            f"Stack [{ARN}] cannot be deleted while in status UPDATE_IN_PROGRESS",
            Cause.NOT_BEGUN,
        ),
        ("Throttling", "Rate exceeded", Cause.THROTTLED),
        ("AccessDenied", "not authorized to perform: cloudformation:DeleteStack", Cause.DENIED),
        ("ValidationError", "Export feat is imported by stack other", Cause.IN_USE),
    ],
)
def test_a_refusal_to_delete_says_what_decides_what_comes_next(
    aws: Stubber, stacks: CloudFormation, code: str, message: str, cause: Cause
) -> None:
    """With what CloudFormation said."""
    aws.add_client_error("delete_stack", code, message)
    with pytest.raises(DeleteRefused, match="will not delete feat: ") as refused:
        stacks.delete(ARN, "token-1")
    assert cause_of_refusal(refused.value.said) is cause
    assert message in str(refused.value)


def test_deleting_a_stack_that_is_not_there_is_said_as_such(
    aws: Stubber, stacks: CloudFormation
) -> None:
    """Gone, unverified: not deleted by us."""
    aws.add_client_error("delete_stack", "ValidationError", f"Stack [{ARN}] does not exist")
    with pytest.raises(StackNotFound):
        stacks.delete(ARN, "token-1")


def test_a_deletion_whose_answer_was_lost_is_neither_done_nor_refused() -> None:
    """It may have been taken: `DeleteRefused` would be a lie."""
    client = boto3.client("cloudformation", region_name="eu-central-1", config=ONCE)

    def lose(**_: Any) -> None:
        raise ReadTimeoutError(endpoint_url="https://aws")

    client.meta.events.register("before-send.cloudformation.DeleteStack", lose)
    with pytest.raises(JanitorError, match="deleting feat in eu-central-1 failed") as raised:
        CloudFormation(lambda _: client).delete(ARN, "token-1")
    assert type(raised.value) is JanitorError


@pytest.mark.parametrize("code", ["InternalFailure", "ServiceUnavailable"])
def test_a_deletion_amid_which_aws_failed_is_neither_done_nor_refused(
    aws: Stubber, stacks: CloudFormation, code: str
) -> None:
    """It may have been taken as well, and the tracker will see.

    Fails without `is_broken_off`.
    """
    aws.add_client_error("delete_stack", code, "We encountered an error", http_status_code=500)
    with pytest.raises(JanitorError, match=f"deleting feat in eu-central-1 failed: {code}") as told:
        stacks.delete(ARN, "token-1")
    assert type(told.value) is JanitorError


@pytest.mark.parametrize("code", ["AccessDenied", "ValidationError", "Throttling"])
def test_only_does_not_exist_means_that_a_stack_is_unknown(
    aws: Stubber, stacks: CloudFormation, code: str
) -> None:
    """Anything else says nothing about the stack."""
    aws.add_client_error("describe_stacks", code, "something else")
    with pytest.raises(JanitorError):
        stacks.describe(ARN)
    aws.add_client_error("describe_stacks", "ValidationError", "Stack with id x does not exist")
    assert stacks.describe(ARN) is None


@pytest.mark.parametrize(
    "value",
    [
        "2026-06-01T12:00:00.000Z",
        "2026-06-01T12:00:00+00:00",
        "2026-06-01T14:00:00+02:00",
        "Mon, 01 Jun 2026 12:00:00 GMT",
        "1780315200",
        1780315200,
        1780315200.0,
    ],
)
def test_a_timestamp_is_the_same_instant_in_utc_whatever_its_form(value: object) -> None:
    """What botocore reads, we read."""
    assert read_timestamp(value) == CREATED
    assert read_timestamp(value).tzinfo is UTC


@pytest.mark.parametrize("value", ["yesterday", "", "2026-13-01", "1e400", None, {}])
def test_a_timestamp_that_cannot_be_read_comes_back_as_it_is(value: Any) -> None:
    """Whoever needs it refuses the one thing that has it, and not the whole answer."""
    assert read_timestamp(value) == value


def test_a_timestamp_without_a_zone_is_utc(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """AWS means UTC, wherever this machine stands."""
    request.addfinalizer(time.tzset)
    with monkeypatch.context() as here:
        here.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        assert read_timestamp("2026-06-01T12:00:00") == CREATED


def test_local_times_of_other_readers_become_utc(aws: Stubber, stacks: CloudFormation) -> None:
    """Without the faster reader botocore answers in another zone."""
    there = timezone(timedelta(hours=2))
    aws.add_response("describe_stacks", page(raw(CreationTime=CREATED.astimezone(there))), BY_ID)
    stack = stacks.describe(ARN)
    assert stack is not None
    assert stack.created.tzinfo is UTC


def test_a_session_reads_timestamps_with_the_faster_reader() -> None:
    """As botocore lets its users choose."""
    session = botocore.session.get_session()
    speed_up_timestamps(session)
    parser = session.get_component("response_parser_factory").create_parser("query")
    assert parser._timestamp_parser is read_timestamp


def test_the_client_settings_slow_down_under_throttling() -> None:
    """And do not hang on a dead network."""
    client = boto3.client("cloudformation", region_name="eu-central-1", config=CLIENT_CONFIG)
    config: Any = client.meta.config
    assert config.retries == {"mode": "adaptive", "total_max_attempts": 8}
    assert (config.connect_timeout, config.read_timeout) == (5, 30)


def test_role_retained_resources_and_force_are_passed_as_the_step_says(
    aws: Stubber, stacks: CloudFormation
) -> None:
    """And nothing of it for a plain deletion."""
    plain = {"StackName": ARN, "ClientRequestToken": "t"}
    data = Resource("Data", "AWS::S3::Bucket", "data")
    role = "arn:aws:iam::123456789012:role/cleanup"
    for step, more in (
        (Step(), {}),
        (Step(Rung.PURGE, purge=(data,)), {}),
        (Step(Rung.ROLE, role=role), {"RoleARN": role}),
        (
            Step(Rung.RETAIN, retain=(data,), role=role),
            {"RetainResources": ["Data"], "RoleARN": role},
        ),
        (Step(Rung.FORCE, retain=(data,)), {"DeletionMode": "FORCE_DELETE_STACK"}),
    ):
        aws.add_response("delete_stack", {"ResponseMetadata": META}, {**plain, **more})
        assert stacks.delete(ARN, "t", step) == "request-1"


def event(name: str, status: str, physical: str = "", reason: str = "") -> dict[str, Any]:
    """Make a stack event as CloudFormation answers with it."""
    return {
        "StackId": ARN,
        "EventId": f"{name}-{status}",
        "StackName": "feat",
        "LogicalResourceId": name,
        "PhysicalResourceId": physical or f"{name}-1",
        "ResourceType": "T",
        "Timestamp": CREATED,
        "ResourceStatus": status,
        "ResourceStatusReason": reason,
    }


def test_fates_are_read_back_to_where_the_stack_was_last_at_rest(
    aws: Stubber, stacks: CloudFormation
) -> None:
    """Over attempts and pages; what an update before did is not looked at."""
    newest = [
        event("feat", "DELETE_COMPLETE", ARN),
        event("Data", "DELETE_SKIPPED"),
        event("feat", "DELETE_IN_PROGRESS", ARN),
        event("feat", "DELETE_FAILED", ARN),
        event("Data", "DELETE_FAILED", reason="not empty"),
    ]
    older = [
        event("Queue", "DELETE_COMPLETE"),
        event("Queue", "DELETE_IN_PROGRESS"),
        event("feat", "DELETE_IN_PROGRESS", ARN),
        event("feat", "UPDATE_COMPLETE", ARN),
        event("Old", "DELETE_SKIPPED"),
    ]
    aws.add_response("describe_stack_events", {"StackEvents": newest, "NextToken": "n"}, BY_ID)
    aws.add_response("describe_stack_events", {"StackEvents": older}, {**BY_ID, "NextToken": "n"})
    found = {one.logical_id: one.status for one in stacks.fates(ARN)}
    assert found == {"Data": "DELETE_SKIPPED", "Queue": "DELETE_COMPLETE"}


def test_reasons_are_capped_when_they_are_read(aws: Stubber, stacks: CloudFormation) -> None:
    """Their end is kept, where the codes stand.

    Fails without `capped` in `_resource`, or in `_stack`.
    """
    long = "x" * 3_500 + " (RequestToken: 1-2, HandlerErrorCode: Throttling)"
    aws.add_response(
        "describe_stack_events",
        {
            "StackEvents": [
                event("Api", "DELETE_FAILED", reason=long),
                event("feat", "DELETE_IN_PROGRESS", ARN),
                event("feat", "CREATE_COMPLETE", ARN),
            ]
        },
        BY_ID,
    )
    (fate,) = stacks.fates(ARN)
    aws.add_response("describe_stacks", page(raw(StackStatusReason=long)), BY_ID)
    stack = stacks.describe(ARN)
    assert stack is not None
    for reason in (fate.reason, stack.status_reason):
        assert len(reason) == LONGEST
        assert reason.startswith("xxx")
        assert cause_of(reason) is Cause.THROTTLED
    assert capped("x" * LONGEST) == "x" * LONGEST


def test_a_throttled_deletion_is_refused_whatever_the_status(
    aws: Stubber, stacks: CloudFormation
) -> None:
    """AWS took nothing of it, so no outcome is waited for.

    Fails if `is_broken_off` does not ask `is_throttled`.
    """
    aws.add_client_error("delete_stack", "Throttling", "Rate exceeded", http_status_code=503)
    with pytest.raises(DeleteRefused) as refused:
        stacks.delete(ARN, "token-1")
    assert cause_of_refusal(refused.value.said) is Cause.THROTTLED


CHILD = "arn:aws:cloudformation:eu-central-1:123456789012:stack/feat-Child/2"


def test_fates_are_read_of_nested_stacks_too(aws: Stubber, stacks: CloudFormation) -> None:
    """The parent shows a child as deleted that has left its table behind.

    Fails if `fates` reads the events of the root alone. Over HTTP, tests/contract/test_stacks.py
    deletes the child first. ministack 1.5 writes no event in a child that goes with its parent:
    the newest one stays its own CREATE_COMPLETE, though DescribeStacks says DELETE_COMPLETE. It
    deletes what has DeletionPolicy Retain in it as well, and passes over what it cannot delete
    there (a repository with images stayed): so no nested stack ends as DELETE_FAILED either.
    """
    nested = {**event("Child", "DELETE_COMPLETE", CHILD), "ResourceType": NESTED}
    root = [nested, event("feat", "DELETE_IN_PROGRESS", ARN)]
    child = [
        event("feat-Child", "DELETE_COMPLETE", CHILD),
        event("Table", "DELETE_SKIPPED"),
        event("feat-Child", "CREATE_COMPLETE", CHILD),
    ]
    aws.add_response("describe_stack_events", {"StackEvents": root}, BY_ID)
    aws.add_response("describe_stack_events", {"StackEvents": child}, {"StackName": CHILD})
    found = {one.logical_id: one.status for one in stacks.fates(ARN)}
    assert found == {"Child": "DELETE_COMPLETE", "Child/Table": "DELETE_SKIPPED"}


@pytest.mark.parametrize("status,asked", [("DELETE_SKIPPED", 1), ("DELETE_FAILED", 2)])
def test_only_a_nested_stack_whose_deletion_was_tried_is_asked(status: str, asked: int) -> None:
    """One that was kept stays as a whole, and its parent says so."""
    calls = []

    def read(stack_id: str) -> tuple[Resource, ...]:
        calls.append(stack_id)
        return (Resource("Child", NESTED, CHILD, status),)

    assert len(with_nested(ARN, read)) == asked
    assert len(calls) == asked


def test_more_nested_stacks_than_can_be_asked_are_an_error() -> None:
    """Rather than half an answer, which would be taken for the whole.

    Fails without `MOST_NESTED`.
    """
    many = tuple(
        Resource(f"Child{n}", NESTED, f"{CHILD}{n}", "DELETE_COMPLETE")
        for n in range(MOST_NESTED + 1)
    )
    with pytest.raises(JanitorError, match="too many to ask each one"):
        with_nested(ARN, lambda stack_id: many * (stack_id == ARN))


RESOURCES = {
    "StackResourceSummaries": [
        {
            "LogicalResourceId": "Db",
            "PhysicalResourceId": "db-1",
            "ResourceType": "AWS::RDS::DBInstance",
            "LastUpdatedTimestamp": CREATED,
            "ResourceStatus": "DELETE_FAILED",
            "ResourceStatusReason": "no",
        }
    ]
}


@pytest.mark.parametrize(
    "body,policy",
    [
        ("Resources:\n  Db:\n    Type: AWS::RDS::DBInstance\n", "Snapshot"),
        ("Resources:\n  Db:\n    Type: !Ref X\n    DeletionPolicy: Snapshot\n", "Snapshot"),
        ("Resources:\n  Db:\n    Type: T\n", ""),
        ("{Resources: {Db: {Type: AWS::CloudFormation::Stack, DeletionPolicy: Retain}}}", "Retain"),
        ('{"Resources": {"Db": {"Type": "T", "DeletionPolicy": "Retain"}}}', "Retain"),
        (
            "Resources: {Db: {Type: AWS::RDS::DBInstance, Properties: {DBClusterIdentifier: c}}}",
            "",
        ),
        ('{"Resources": {"Db": "odd", "X": 1}}', ""),
        ("Snapshot: [", ""),
        ("- Snapshot", ""),
    ],
)
def test_a_snapshot_reads_the_deletion_policy_from_yaml_and_json(
    aws: Stubber, stacks: CloudFormation, body: str, policy: str
) -> None:
    """With AWS's own defaults; a template that cannot be read holds nothing up."""
    aws.add_response("get_template", {"TemplateBody": body}, BY_ID)
    aws.add_response("list_stack_resources", RESOURCES, BY_ID)
    snapshot = stacks.snapshot(seen())
    assert snapshot.template.startswith("sha256:")
    (resource,) = snapshot.failed
    assert resource == Resource("Db", "AWS::RDS::DBInstance", "db-1", "DELETE_FAILED", "no", policy)


def test_a_template_that_may_not_be_read_is_said_to_be_unknown(
    aws: Stubber, stacks: CloudFormation
) -> None:
    """The resources count; throttling is another matter."""
    aws.add_client_error("get_template", "AccessDenied", "not authorized")
    aws.add_response("list_stack_resources", RESOURCES, BY_ID)
    assert stacks.snapshot(seen()).template.startswith("unknown: ")
    aws.add_client_error("get_template", "ServiceUnavailable", "later", http_status_code=503)
    with pytest.raises(JanitorError, match="reading the template of feat failed"):
        stacks.snapshot(seen())


GRANDCHILD = "arn:aws:cloudformation:eu-central-1:123456789012:stack/feat-Child-More/3"


def listed(name: str, kind: str, physical: str, status: str = "CREATE_COMPLETE") -> dict[str, Any]:
    """Make a resource as CloudFormation lists it."""
    return {
        "LogicalResourceId": name,
        "PhysicalResourceId": physical,
        "ResourceType": kind,
        "LastUpdatedTimestamp": CREATED,
        "ResourceStatus": status,
    }


def consists_of(
    aws: Stubber, stack_id: str, *resources: dict[str, Any], body: str = "Resources: {}"
) -> None:
    """Let CloudFormation answer what a stack consists of."""
    by_id = {"StackName": stack_id}
    aws.add_response("get_template", {"TemplateBody": body}, by_id)
    answer = {"StackResourceSummaries": list(resources)}
    aws.add_response("list_stack_resources", answer, by_id)


def test_a_snapshot_looks_into_nested_stacks(aws: Stubber, stacks: CloudFormation) -> None:
    """The parent's list shows nothing but the nested stack itself.

    Fails if `snapshot` reads the root alone.
    """
    consists_of(aws, ARN, listed("Child", NESTED, CHILD), listed("Db", "T", "db-0"))
    consists_of(
        aws,
        CHILD,
        listed("Db", "AWS::RDS::DBInstance", "db-1"),
        listed("More", NESTED, GRANDCHILD),
        body="Resources:\n  Db:\n    Type: AWS::RDS::DBInstance\n",
    )
    consists_of(
        aws,
        GRANDCHILD,
        listed("Table", "AWS::DynamoDB::Table", "table-1"),
        body='{"Resources": {"Table": {"Type": "T", "DeletionPolicy": "Retain"}}}',
    )
    snapshot = stacks.snapshot(seen())
    found = {one.logical_id: (one.stack_id, one.policy) for one in snapshot.resources}
    assert found == {
        "Child": ("", ""),
        "Db": ("", ""),
        "Child/Db": (CHILD, "Snapshot"),
        "Child/More": (CHILD, ""),
        "Child/More/Table": (GRANDCHILD, "Retain"),
    }
    assert snapshot.nested.keys() == {CHILD, GRANDCHILD}
    hashes = {snapshot.template, *snapshot.nested.values()}
    assert len(hashes) == 3
    assert all(one.startswith("sha256:") for one in hashes)


@pytest.mark.parametrize(
    "code,said",
    [("AccessDenied", "not authorized"), ("ValidationError", "Stack x does not exist")],
)
def test_a_nested_stack_that_cannot_be_read_for_good_holds_nothing_up(
    aws: Stubber, stacks: CloudFormation, code: str, said: str
) -> None:
    """It is said; the root's own resources count all the same.

    Fails without the look at `is_nested` in `_consists_of`.
    """
    consists_of(aws, ARN, listed("Child", NESTED, CHILD))
    aws.add_client_error("get_template", code, said, expected_params={"StackName": CHILD})
    aws.add_client_error("list_stack_resources", code, said, expected_params={"StackName": CHILD})
    snapshot = stacks.snapshot(seen())
    assert [one.logical_id for one in snapshot.resources] == ["Child"]
    assert snapshot.nested == {CHILD: f"unknown: {said}; what is in it is unknown: {said}"}


@pytest.mark.parametrize("code", ["Throttling", "ExpiredToken"])
def test_a_nested_stack_that_cannot_be_read_just_now_is_an_error(
    aws: Stubber, stacks: CloudFormation, code: str
) -> None:
    """As of the root: the next sweep tries again.

    Fails without the look at `_is_for_good` in `_consists_of`.
    """
    consists_of(aws, ARN, listed("Child", NESTED, CHILD))
    aws.add_response("get_template", {"TemplateBody": "{}"}, {"StackName": CHILD})
    aws.add_client_error("list_stack_resources", code, "later")
    with pytest.raises(JanitorError, match=r"the resources of feat-Child"):
        stacks.snapshot(seen())


def test_counting_looks_for_apis_in_nested_stacks_and_at_no_template(
    aws: Stubber, stacks: CloudFormation
) -> None:
    """What the owner is told of are the root's own; what is deleted one at a time is all.

    Fails if `count` reads the root alone.
    """
    answers = {
        ARN: (listed("Child", NESTED, CHILD), listed("Api", "AWS::ApiGateway::RestApi", "a")),
        CHILD: (
            listed("Domain", "AWS::ApiGateway::DomainName", "d"),
            listed("Http", "AWS::ApiGatewayV2::Api", "h"),
        ),
    }
    for stack_id, resources in answers.items():
        answer = {"StackResourceSummaries": list(resources)}
        aws.add_response("list_stack_resources", answer, {"StackName": stack_id})
    assert stacks.count(ARN) == Count(resources=2, paced=2)


def test_the_root_must_be_listed(aws: Stubber, stacks: CloudFormation) -> None:
    """No evidence, no deletion.

    Fails if `_consists_of` takes every stack for a nested one.
    """
    aws.add_response("get_template", {"TemplateBody": "{}"}, BY_ID)
    aws.add_client_error("list_stack_resources", "AccessDenied", "not authorized")
    with pytest.raises(JanitorError, match="listing the resources of feat failed"):
        stacks.snapshot(seen())


@pytest.mark.parametrize(
    "status,policy",
    [
        ("CREATE_COMPLETE", "Retain"),
        ("CREATE_COMPLETE", "RetainExceptOnCreate"),
        ("DELETE_COMPLETE", "Delete"),
        ("DELETE_SKIPPED", "Delete"),
    ],
)
def test_a_nested_stack_that_stays_or_is_gone_is_not_looked_into(
    aws: Stubber, stacks: CloudFormation, status: str, policy: str
) -> None:
    """Nothing in it is deleted now, so there will be no snapshot of its database either.

    Fails if `whole` reads every nested stack, or without `NESTED` in `_SNAPSHOT_HINTS`.
    """
    body = f"Resources:\n  Child:\n    Type: {NESTED}\n    DeletionPolicy: {policy}\n"
    consists_of(aws, ARN, listed("Child", NESTED, CHILD, status), body=body)
    snapshot = stacks.snapshot(seen())
    assert [one.logical_id for one in snapshot.resources] == ["Child"]
    assert snapshot.nested == {}


def test_nested_stacks_that_name_each_other_are_looked_into_once() -> None:
    """The root too: this cannot be, and ends all the same.

    Fails without the look at what `nested` has already.
    """
    calls = []

    def read(stack_id: str) -> Snapshot:
        calls.append(stack_id)
        assert len(calls) < 5
        return Snapshot((Resource("A", NESTED, CHILD), Resource("B", NESTED, ARN)), stack_id)

    snapshot = whole(ARN, read)
    assert calls == [ARN, CHILD]
    assert (len(snapshot.resources), snapshot.nested) == (4, {CHILD: CHILD})


def test_nested_stacks_for_which_there_is_no_time_are_said_to_be_unknown() -> None:
    """Nobody would ever delete such a stack if that were an error, or took a function's life.

    Fails without the asking in `whole` of domain/stack/resources.py.
    """
    many = tuple(Resource(f"C{n}", NESTED, f"{CHILD}{n}") for n in range(5))
    calls = []

    def read(stack_id: str) -> Snapshot:
        calls.append(stack_id)
        return Snapshot(many * (stack_id == ARN), "sha256:x")

    snapshot = whole(ARN, read, lambda: len(calls) < 4)
    assert len(calls) == 4
    assert len(snapshot.resources) == len(many)
    unknown = [one for one in snapshot.nested.values() if one != "sha256:x"]
    assert unknown == ["unknown: there was no time left to look into it"] * 2


def test_what_failed_counts_only_in_nested_stacks_that_failed_too() -> None:
    """One whose deletion was not tried yet may have failed for another hand: no remedy is due.

    Fails if `failed` only looks at each resource's own status.
    """
    bad, fine = "DELETE_FAILED", "CREATE_COMPLETE"
    snapshot = Snapshot(
        (
            Resource("Child", NESTED, CHILD, bad),
            Resource("Other", NESTED, GRANDCHILD, fine),
            Resource("Child/Data", "AWS::S3::Bucket", "data-1", bad, stack_id=CHILD),
            Resource("Child/Queue", "AWS::SQS::Queue", "queue-1", fine, stack_id=CHILD),
            Resource("Other/Data", "AWS::S3::Bucket", "data-2", bad, stack_id=GRANDCHILD),
        )
    )
    assert [one.logical_id for one in snapshot.failed] == ["Child", "Child/Data"]


def test_a_change_set_alone_has_nothing_to_record(stacks: CloudFormation) -> None:
    """CloudFormation would say that there is no such template."""
    snapshot = stacks.snapshot(seen(status="REVIEW_IN_PROGRESS"))
    assert (snapshot.resources, snapshot.template) == ((), "none, as only a change set was made")


def test_not_imported_is_no_error_and_anything_else_is(
    aws: Stubber, stacks: CloudFormation
) -> None:
    """AWS tells one from the other by its text alone."""
    text = "Export 'net' is not imported by any stack."
    aws.add_client_error("list_imports", "ValidationError", text)
    assert stacks.importers(ARN, "net") == ()
    aws.add_client_error("list_imports", "AccessDenied", "not authorized")
    with pytest.raises(JanitorError, match="asking who imports net in eu-central-1 failed"):
        stacks.importers(ARN, "net")
