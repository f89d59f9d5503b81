"""Leases and journal in DynamoDB, written in one transaction.

What many threads write or read at the same time goes in few calls, each record's change and
its events still whole or not at all (docs/adr/0012).
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from msgspec.structs import replace

from janitor.adapters.aws.dynamodb.batches import MOST_TOGETHER, read_together, write_together
from janitor.adapters.aws.dynamodb.group_commit import Together
from janitor.adapters.aws.dynamodb.rows import account_of, event_of, lease_of, open_records_of
from janitor.adapters.aws.dynamodb.schema import (
    DAY_INDEX,
    IS_OPEN,
    OPEN_INDEX,
    AnyEntry,
    entry_writes,
)
from janitor.adapters.aws.errors import AwsError, code_of, is_denied, message_of, translated
from janitor.application.ports import OpenRecords
from janitor.domain.errors import ConfigurationError, Conflict
from janitor.domain.journal.events import Event, instant
from janitor.domain.model import ACCOUNT_KEY, Account, Lease

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_ATTEMPTS = 5
"""How often a transaction that met another one in DynamoDB is tried."""
_AT_ONCE = 4
"""Calls of a kind under way before others wait to go together."""


class DynamoLedger:
    """The `Ledger` port on the two tables of `janitor.adapters.aws.dynamodb.schema`."""

    def __init__(
        self,
        client: "DynamoDBClient",
        lease_table: str,
        journal_table: str,
        pause: Callable[[float], None] = time.sleep,
        on_written: Callable[[Event], object] = lambda _: None,
    ) -> None:
        self._client = client
        self._leases = lease_table
        self._journal = journal_table
        self._pause = pause
        self._on_written = on_written
        self._commit: Together[AnyEntry, None] = Together(
            self._commit_alone, self._commit_together, MOST_TOGETHER // 2, _AT_ONCE
        )
        self._get: Together[str, dict[str, Any] | None] = Together(
            self._get_alone, self._get_together, MOST_TOGETHER, _AT_ONCE
        )

    def open_records(self) -> OpenRecords:
        """Read everything open in one paged query of the sparse index."""
        rows = self._query(
            self._leases,
            IndexName=OPEN_INDEX,
            KeyConditionExpression="#open = :yes",
            ProjectionExpression="stack_id, doc, #schema",
            ExpressionAttributeNames={"#open": "open", "#schema": "schema"},
            ExpressionAttributeValues={":yes": {"S": IS_OPEN}},
        )
        account, found = open_records_of(rows, self._leases)
        # The index may lag behind `janitor init` by a moment.
        return found if account else replace(found, account=self.account())

    def lease(self, stack_id: str) -> Lease | None:
        """Read one lease, consistently."""
        row = self._get(stack_id)
        return None if row is None else lease_of(stack_id, row)

    def account(self) -> Account:
        """Read the janitor's own record, consistently."""
        row = self._get(ACCOUNT_KEY)
        if row is None:
            raise ConfigurationError(
                f"the table {self._leases} is not initialised: run `janitor init`"
            )
        return account_of(row, self._leases)

    def commit(self, entry: AnyEntry) -> None:
        """Write record and events in one transaction.

        An entry that turns out to be written already, by a try whose answer was lost, is
        success. A transaction that meets another is tried again a few times.
        """
        self._commit(entry)
        for event in entry.events:
            self._on_written(event)

    def _commit_together(self, entries: Sequence[AnyEntry]) -> dict[int, None]:
        writes = [entry_writes(entry, self._leases, self._journal) for entry in entries]
        return write_together(self._client, writes)

    def _commit_alone(self, entry: AnyEntry) -> None:
        writes = entry_writes(entry, self._leases, self._journal)
        for attempt in range(1, _ATTEMPTS + 1):
            with self._translating(f"writing to {self._leases} and {self._journal}"):
                try:
                    self._client.transact_write_items(TransactItems=writes)
                except ClientError as error:
                    reasons = _cancellation_reasons(error)
                    if not reasons & _LOST:
                        raise
                    if "ConditionalCheckFailed" in reasons:
                        if self._is_written(entry.events[-1]):
                            return
                        raise _conflict(entry) from error
                    if attempt == _ATTEMPTS:
                        raise _conflict(entry) from error
                else:
                    return
            self._pause(random.uniform(0, 0.05 * 2**attempt))  # noqa: S311 - spreads retries

    def chain(self, key: str) -> Iterator[Event]:
        """Read one chain, consistently and page by page."""
        rows = self._query(
            self._journal,
            KeyConditionExpression="stack_id = :key",
            ConsistentRead=True,
            ExpressionAttributeValues={":key": {"S": key}},
        )
        return map(event_of, rows)

    def chain_keys(self) -> Iterator[str]:
        """Scan the journal for its keys: for an audit, not for a sweep."""
        return self._keys(self._journal)

    def record_keys(self) -> Iterator[str]:
        """Scan the leases for their keys, those of closed ones too; one without content is none."""
        return self._keys(self._leases, FilterExpression="attribute_exists(doc)")

    def events(self, since: datetime, until: datetime) -> Iterator[Event]:
        """Read the index by day, one query for each day in between."""
        first, last = instant(since.astimezone(UTC)), instant(until.astimezone(UTC))
        day, end = since.astimezone(UTC).date(), until.astimezone(UTC).date()
        while day <= end:
            rows = self._query(
                self._journal,
                IndexName=DAY_INDEX,
                KeyConditionExpression="#day = :day AND #at BETWEEN :first AND :last",
                ExpressionAttributeNames={"#day": "day", "#at": "at"},
                ExpressionAttributeValues={
                    ":day": {"S": day.isoformat()},
                    ":first": {"S": first},
                    ":last": {"S": last},
                },
            )
            # The index leaves open in which order events of one instant come.
            for at, same in groupby(map(event_of, rows), key=lambda event: event.occurred_at):
                if at != last:
                    yield from sorted(same, key=lambda event: (event.key, event.seq))
            day += timedelta(days=1)

    def _is_written(self, event: Event) -> bool:
        answer = self._client.get_item(
            TableName=self._journal,
            Key={"stack_id": {"S": event.key}, "seq": {"N": str(event.seq)}},
            ConsistentRead=True,
        )
        return "Item" in answer and event_of(answer["Item"]) == event

    def _get_alone(self, key: str) -> dict[str, Any] | None:
        with self._translating(f"reading {self._leases}"):
            answer = self._client.get_item(
                TableName=self._leases, Key={"stack_id": {"S": key}}, ConsistentRead=True
            )
        return answer.get("Item")

    def _get_together(self, keys: Sequence[str]) -> dict[int, dict[str, Any] | None]:
        return read_together(self._client, self._leases, keys)

    def _keys(self, table: str, **only: Any) -> Iterator[str]:
        pages = self._client.get_paginator("scan").paginate(
            TableName=table, ConsistentRead=True, ProjectionExpression="stack_id", **only
        )
        with self._translating(f"reading {table}"):
            yield from dict.fromkeys(
                row["stack_id"]["S"] for page in pages for row in page["Items"]
            )

    def _query(self, table: str, **arguments: Any) -> Iterator[dict[str, Any]]:
        pages = self._client.get_paginator("query").paginate(TableName=table, **arguments)
        with self._translating(f"reading {table}"):
            for page in pages:
                yield from page["Items"]

    @contextmanager
    def _translating(self, doing: str) -> Iterator[None]:
        """Say in a `ConfigurationError` or `JanitorError` what AWS did not like."""
        try:
            yield
        except AwsError as error:
            region = self._client.meta.region_name
            if code_of(error) == "ResourceNotFoundException":
                raise ConfigurationError(
                    f"the tables {self._leases} and {self._journal} are not both there "
                    f"in {region}: run `janitor init`; if they are in another region, set AWS_REGION"
                ) from error
            if is_denied(error):
                raise ConfigurationError(
                    f"permission is missing for {doing} in {region}: {message_of(error)}"
                ) from error
            raise translated(error, f"{doing} in {region}") from error


_LOST = frozenset({"ConditionalCheckFailed", "TransactionConflict"})


def _cancellation_reasons(error: ClientError) -> frozenset[str]:
    reasons = error.response.get("CancellationReasons", ())
    return frozenset(str(reason.get("Code", "")) for reason in reasons)


def _conflict(entry: AnyEntry) -> Conflict:
    return Conflict(f"{entry.record.key} was changed by somebody else in between")
