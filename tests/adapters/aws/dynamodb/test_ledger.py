"""What only shows when DynamoDB answers oddly, and what stands in a row."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from janitor.adapters.aws.dynamodb.ledger import DynamoLedger
from janitor.adapters.aws.dynamodb.schema import create_tables, event_row, record_row
from janitor.domain.errors import ConfigurationError, Conflict, JanitorError
from janitor.domain.journal.events import Actor, Draft, Entry, entry, target_of
from janitor.domain.model import Account, Lease, LeaseState
from janitor.domain.planning.decisions import Reason

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
LEASE = Lease("arn:feat", "feat", "eu-central-1", "all", NOON, NOON)


class Answers(Stubber):
    """A stubber that knows the type of its client."""

    aws: Any


@pytest.fixture
def aws() -> Iterator["Answers"]:
    """Make a client that answers what a test puts into it, in that order."""
    client = boto3.client("dynamodb", region_name="eu-central-1")
    with Answers(client) as answers:
        answers.aws = client
        yield answers
        answers.assert_no_pending_responses()


def opening(by: str = "janitor") -> Entry[Lease]:
    """Make the entry that opens the lease."""
    draft = Draft(NOON, Actor("janitor", by, "sweep"), "lease.opened", target_of(LEASE), Reason(by))
    return entry(LEASE, LEASE, draft)


def cancelled(aws: Answers, *codes: str) -> None:
    """Answer a transaction with its cancellation."""
    aws.add_client_error(
        "transact_write_items",
        "TransactionCanceledException",
        "cancelled",
        modeled_fields={"CancellationReasons": [{"Code": code} for code in codes]},
    )


def test_a_transaction_that_meets_another_is_tried_again(aws: Answers) -> None:
    """Spread out, a few times, and then it is a conflict."""
    pauses: list[float] = []
    ledger = DynamoLedger(aws.aws, "leases", "journal", pauses.append)
    cancelled(aws, "TransactionConflict", "None")
    aws.add_response("transact_write_items", {})
    ledger.commit(opening())
    assert len(pauses) == 1
    for _ in range(5):
        cancelled(aws, "None", "TransactionConflict")
    with pytest.raises(Conflict):
        ledger.commit(opening())
    assert len(pauses) == 5
    assert sum(pauses) < 4


@pytest.mark.parametrize("stored, lost", [("janitor", False), ("another", True)])
def test_a_failed_condition_is_looked_into(aws: Answers, stored: str, lost: bool) -> None:
    """Our own event in the journal means that an earlier try had worked."""
    ledger = DynamoLedger(aws.aws, "leases", "journal")
    cancelled(aws, "ConditionalCheckFailed", "ConditionalCheckFailed")
    aws.add_response(
        "get_item",
        {"Item": event_row(opening(stored).events[0])},
        {
            "TableName": "journal",
            "Key": {"stack_id": {"S": "arn:feat"}, "seq": {"N": "1"}},
            "ConsistentRead": True,
        },
    )
    if lost:
        with pytest.raises(Conflict, match="arn:feat"):
            ledger.commit(opening())
    else:
        ledger.commit(opening())


def test_a_transaction_cancelled_for_another_reason_is_no_conflict(aws: Answers) -> None:
    """Reading again would not help."""
    cancelled(aws, "ValidationError", "None")
    with pytest.raises(JanitorError, match="writing to leases and journal") as raised:
        DynamoLedger(aws.aws, "leases", "journal").commit(opening())
    assert not isinstance(raised.value, Conflict)


@pytest.mark.parametrize(
    "code, expected",
    [
        ("ExpiredTokenException", "credentials are not usable for reading leases"),
        ("UnrecognizedClientException", "credentials are not usable for reading leases"),
        ("InvalidSignatureException", "credentials are not usable for reading leases"),
        ("AccessDeniedException", "permission is missing for reading leases in eu-central-1"),
        ("ResourceNotFoundException", "not both there in eu-central-1: run `janitor init`"),
    ],
)
def test_what_nobody_can_work_with_is_a_configuration_error(
    aws: Answers, code: str, expected: str
) -> None:
    """In one line, as it is what the operator reads first."""
    aws.add_client_error("query", code, "the token\n is bad")
    with pytest.raises(ConfigurationError, match=expected) as raised:
        DynamoLedger(aws.aws, "leases", "journal").open_records()
    assert "\n" not in str(raised.value)


def test_no_credentials_at_all_is_a_configuration_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a newcomer meets first."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    client = boto3.Session().client("dynamodb", region_name="eu-central-1")
    with pytest.raises(ConfigurationError, match=r"credentials are not usable .* Unable to locate"):
        DynamoLedger(client, "leases", "journal").open_records()


def test_other_trouble_is_an_error_of_one_line(aws: Answers) -> None:
    """Not the operator's fault, so no configuration error."""
    aws.add_client_error("query", "InternalServerError", "oh\nno", http_status_code=500)
    with pytest.raises(JanitorError, match=r"reading leases in eu-central-1 failed: .* oh no") as e:
        DynamoLedger(aws.aws, "leases", "journal").open_records()
    assert not isinstance(e.value, ConfigurationError)


@pytest.mark.parametrize("state", LeaseState)
def test_a_row_is_open_or_expires_unless_its_stack_may_come_back(state: LeaseState) -> None:
    """A released stack still stands: without its row its chain could not go on."""
    row = record_row(
        Lease("arn:feat", "feat", "eu", "all", NOON, NOON, state=state, closed_at=NOON, version=3)
    )
    assert ("open" in row) is state.is_open
    ends = {LeaseState.DELETED, LeaseState.GONE}
    assert ("expires_ttl" in row) is (state in ends)
    if state in ends:
        assert row["expires_ttl"]["N"] == str(int(NOON.timestamp()) + 90 * 24 * 3600)
    assert (row["version"]["N"], row["schema"]["N"]) == ("3", "1")


def test_the_account_row_is_always_open() -> None:
    """One query reads it with the leases."""
    row: dict[str, Any] = record_row(Account())
    assert row["stack_id"]["S"] == "janitor"
    assert "open" in row
    assert "expires_ttl" not in row


def test_an_event_row_can_be_found_by_its_day_and_never_expires() -> None:
    """The index is by day and instant."""
    row = event_row(opening().events[0])
    assert row["day"] == {"S": "2026-06-01"}
    assert row["at"] == {"S": "2026-06-01T12:00:00.000000Z"}
    assert "expires_ttl" not in row
    assert json.loads(row["doc"]["S"])["key"] == "arn:feat"


CREATED: dict[str, Any] = {"TableDescription": {}}
ACTIVE = {"Table": {"TableStatus": "ACTIVE"}}
UNAVAILABLE = ("update_continuous_backups", "ContinuousBackupsUnavailableException", "enabling")


@pytest.mark.parametrize("refusals", [0, 1, 59])
def test_a_new_table_is_waited_for_until_it_takes_backups(aws: Answers, refusals: int) -> None:
    """AWS enables them for up to a minute, and refuses to be told meanwhile."""
    pauses: list[float] = []
    for _ in range(2):
        aws.add_response("create_table", CREATED)
        aws.add_response("describe_table", ACTIVE)
        for _ in range(refusals):
            aws.add_client_error(*UNAVAILABLE)
        aws.add_response("update_continuous_backups", {})
        if not pauses:
            aws.add_response("update_time_to_live", {})
            aws.add_response("put_item", {})
            pauses.append(0)
    made = create_tables(aws.aws, "leases", "journal", pause=pauses.append)
    assert made == ["leases", "journal"]
    assert pauses[1:] == [2] * 2 * refusals


def test_a_table_that_never_takes_backups_is_named(aws: Answers) -> None:
    """After two minutes; `init` may be run again."""
    pauses: list[float] = []
    aws.add_response("create_table", CREATED)
    aws.add_response("describe_table", ACTIVE)
    for _ in range(60):
        aws.add_client_error(*UNAVAILABLE)
    with pytest.raises(JanitorError, match="creating the table leases failed: Continuous"):
        create_tables(aws.aws, "leases", "journal", pause=pauses.append)
    assert sum(pauses) == 118
