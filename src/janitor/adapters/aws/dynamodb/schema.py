"""The two DynamoDB tables: their definitions as data, their rows, their creation."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from janitor.adapters.aws.errors import AwsError, code_of, message_of, translated
from janitor.domain.journal.events import Entry, Event
from janitor.domain.journal.serialization import SCHEMA, event_document, record_text
from janitor.domain.model import Account, Lease, LeaseState

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

AnyEntry = Entry[Lease] | Entry[Account]

OPEN_INDEX = "open"
DAY_INDEX = "day"
IS_OPEN = "yes"
"""The value of `open`; closed leases lack the attribute, and so are not in its index."""

LEASES: dict[str, Any] = {
    "AttributeDefinitions": [
        {"AttributeName": "stack_id", "AttributeType": "S"},
        {"AttributeName": "open", "AttributeType": "S"},
    ],
    "KeySchema": [{"AttributeName": "stack_id", "KeyType": "HASH"}],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": OPEN_INDEX,
            "KeySchema": [{"AttributeName": "open", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["doc", "schema"]},
        }
    ],
    "BillingMode": "PAY_PER_REQUEST",
}
JOURNAL: dict[str, Any] = {
    "AttributeDefinitions": [
        {"AttributeName": "stack_id", "AttributeType": "S"},
        {"AttributeName": "seq", "AttributeType": "N"},
        {"AttributeName": "day", "AttributeType": "S"},
        {"AttributeName": "at", "AttributeType": "S"},
    ],
    "KeySchema": [
        {"AttributeName": "stack_id", "KeyType": "HASH"},
        {"AttributeName": "seq", "KeyType": "RANGE"},
    ],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": DAY_INDEX,
            "KeySchema": [
                {"AttributeName": "day", "KeyType": "HASH"},
                {"AttributeName": "at", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "ALL"},
        }
    ],
    "BillingMode": "PAY_PER_REQUEST",
}
TTL_ATTRIBUTE = "expires_ttl"
"""On leases alone: nothing of the journal ever expires."""
KEPT_AFTER_CLOSE = timedelta(days=90)


def record_row(record: Lease | Account) -> dict[str, Any]:
    """Return the row of a lease or of the account.

    The record is one JSON text, as botocore takes some 40 times as long to read the same
    thing as attributes. Only what DynamoDB itself looks at stands beside it.
    """
    row: dict[str, Any] = {
        "stack_id": {"S": record.key},
        "version": {"N": str(record.version)},
        "schema": {"N": str(SCHEMA)},
        "doc": {"S": record_text(record)},
    }
    if isinstance(record, Account) or record.state.is_open:
        row["open"] = {"S": IS_OPEN}
    elif record.state is not LeaseState.RELEASED:
        # A released stack still stands and may come back to its lease and its chain, so
        # that row stays. The id of a deleted stack never comes back.
        closed = record.closed_at or record.updated_at or datetime.now(UTC)
        row[TTL_ATTRIBUTE] = {"N": str(int((closed + KEPT_AFTER_CLOSE).timestamp()))}
    return row


def event_row(event: Event) -> dict[str, Any]:
    """Return the row of an event."""
    return {
        "stack_id": {"S": event.key},
        "seq": {"N": str(event.seq)},
        "day": {"S": event.occurred_at[:10]},
        "at": {"S": event.occurred_at},
        "schema": {"N": str(SCHEMA)},
        "doc": {"S": json.dumps(event_document(event), separators=(",", ":"))},
    }


def entry_writes(entry: AnyEntry, lease_table: str, journal_table: str) -> list[Any]:
    """Return what one transaction must write, all or none, for the entry to be there."""
    record = {
        "TableName": lease_table,
        "Item": record_row(entry.record),
        "ConditionExpression": "version = :expected",
        "ExpressionAttributeValues": {":expected": {"N": str(entry.expected_version)}},
    }
    if entry.expected_version == 0:
        # The account begins as a row of version 0, a lease as no row.
        record["ConditionExpression"] = "attribute_not_exists(stack_id) OR version = :expected"
    events = [
        {
            "TableName": journal_table,
            "Item": event_row(event),
            "ConditionExpression": "attribute_not_exists(stack_id)",
        }
        for event in entry.events
    ]
    return [{"Put": put} for put in (record, *events)]


_BACKUPS_WITHIN = 60
"""Looks, two seconds apart, at whether a new table takes backups yet: a minute is usual."""


def create_tables(
    client: "DynamoDBClient",
    lease_table: str,
    journal_table: str,
    *,
    wait: bool = True,
    pause: Callable[[float], None] = time.sleep,
) -> list[str]:
    """Create what is missing of the tables and the account row; return the names created.

    Without `wait` a new table is left to itself: call again once it is active. With it this
    takes up to two minutes a table for each of creation and backups. Raises `JanitorError`.
    """
    created = []
    for name, definition in ((lease_table, LEASES), (journal_table, JOURNAL)):
        try:
            if _create(client, name, definition):
                created.append(name)
                if not wait:
                    continue
            client.get_waiter("table_exists").wait(
                TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 120}
            )
            _recoverable(client, name, pause)
            if name == lease_table:
                _expiring(client, name)
                put_account(client, name)
        except AwsError as error:
            raise translated(error, f"creating the table {name}") from error
    return created


def put_account(client: "DynamoDBClient", lease_table: str) -> None:
    """Write the account row unless there is one."""
    try:
        client.put_item(
            TableName=lease_table,
            Item=record_row(Account()),
            ConditionExpression="attribute_not_exists(stack_id)",
        )
    except ClientError as error:
        if code_of(error) != "ConditionalCheckFailedException":
            raise translated(error, f"writing the account to {lease_table}") from error
    except AwsError as error:
        raise translated(error, f"writing the account to {lease_table}") from error


def _create(client: "DynamoDBClient", name: str, definition: dict[str, Any]) -> bool:
    try:
        client.create_table(TableName=name, **definition)
    except ClientError as error:
        if code_of(error) != "ResourceInUseException":
            raise
        return False
    return True


def _recoverable(client: "DynamoDBClient", name: str, pause: Callable[[float], None]) -> None:
    """Switch point-in-time recovery on, which AWS refuses while it prepares backups of a new table.

    Up to a minute: https://github.com/scalar-labs/scalardb/issues/347. The error is described in
    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateContinuousBackups.html
    """
    for left in reversed(range(_BACKUPS_WITHIN)):
        try:
            client.update_continuous_backups(
                TableName=name,
                PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
            )
        except ClientError as error:
            if code_of(error) in _NOT_IMPLEMENTED:
                return
            if code_of(error) != "ContinuousBackupsUnavailableException" or not left:
                raise
        else:
            return
        pause(2)


def _expiring(client: "DynamoDBClient", name: str) -> None:
    try:
        client.update_time_to_live(
            TableName=name,
            TimeToLiveSpecification={"Enabled": True, "AttributeName": TTL_ATTRIBUTE},
        )
    except ClientError as error:
        if "already enabled" not in message_of(error) and code_of(error) not in _NOT_IMPLEMENTED:
            raise


_NOT_IMPLEMENTED = frozenset({"UnknownOperationException", "InvalidAction", "NotImplemented"})
"""How emulators answer to what they lack."""
