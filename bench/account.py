"""Emulated AWS accounts of managed stacks, each with its lease open already."""

import json
import os
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from tests.fakes.memory import MemoryChannel, MemoryLedger

from janitor.adapters.aws.cloudformation import CloudFormation
from janitor.adapters.aws.dynamodb.schema import create_tables, record_row
from janitor.adapters.policy_sources import DefaultPolicies
from janitor.application.operations.local import Janitor
from janitor.domain.journal.events import Actor
from janitor.domain.model import EXPIRES_TAG, PROTECT_TAG, TTL_TAG, Mode
from janitor.entrypoints.demo.emulator import FAKE_CREDENTIALS, emulated_aws
from janitor.settings import Settings

REGION = "eu-central-1"
TEMPLATE = json.dumps({"Resources": {"Wait": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}})
_ROWS_PER_WRITE = 25
"""As many as BatchWriteItem takes."""


@dataclass(frozen=True)
class Account:
    """The account of one emulator."""

    url: str
    stacks: int

    @property
    def environment(self) -> dict[str, str]:
        """Return the whole environment of a process that works on this account."""
        passed_on = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return {
            **passed_on,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            **{name.upper(): value for name, value in FAKE_CREDENTIALS.items()},
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1",
            "JANITOR_MODE": Mode.ENFORCE.value,
            "JANITOR_NOTIFY": "console",
        }

    def fill(self) -> int:
        """Deploy the stacks and open every lease; return how many bytes the leases have."""
        client: Any = self._client("cloudformation")
        for number in range(self.stacks):
            tags = [{"Key": key, "Value": value} for key, value in tags_of(number).items()]
            client.create_stack(StackName=name_of(number), TemplateBody=TEMPLATE, Tags=tags)
        rows = [record_row(record) for record in _settled_ledger(client).records.values()]
        self._write(rows)
        return _index_bytes(rows)

    def _write(self, rows: list[dict[str, Any]]) -> None:
        """Put rows where the sweep reads them; it does not read the journal."""
        client: Any = self._client("dynamodb")
        table = Settings().lease_table
        create_tables(client, table, Settings().journal_table)
        for start in range(0, len(rows), _ROWS_PER_WRITE):
            some = rows[start : start + _ROWS_PER_WRITE]
            puts = [{"PutRequest": {"Item": row}} for row in some]
            if client.batch_write_item(RequestItems={table: puts})["UnprocessedItems"]:
                raise RuntimeError("the emulator left rows unwritten")

    def _client(self, service: str) -> Any:
        return boto3.client(  # type: ignore[call-overload]
            service, endpoint_url=self.url, region_name=REGION, **FAKE_CREDENTIALS
        )


class Accounts:
    """Accounts of several sizes, made when first asked for.

    Each has an emulator to itself: one reads over the stacks of all its accounts. It is a
    process of its own, so that its CPU time is not ours.
    """

    def __init__(self, open_until: ExitStack) -> None:
        self._open_until = open_until
        self._made: dict[int, tuple[Account, int]] = {}

    def with_stacks(self, stacks: int) -> tuple[Account, int]:
        """Return an account of so many stacks, and how many bytes its open leases have."""
        if stacks not in self._made:
            account = Account(self._open_until.enter_context(emulated_aws()), stacks)
            self._made[stacks] = (account, account.fill())
        return self._made[stacks]


def name_of(number: int) -> str:
    """Return the name of a stack."""
    return f"feat-basket-{number}"


def tags_of(number: int) -> dict[str, str]:
    """Return the tags of a stack: the fewest that a managed one has, so no easy reading.

    Of ten stacks one has a date, one a reminder behind it, one is protected.
    """
    owner = {"owner": f"dev{number % 40}@example.com"}
    match number % 10:
        case 0:
            day = datetime.now(UTC).date() + timedelta(days=20)
            return {**owner, EXPIRES_TAG: day.isoformat()}
        case 1:
            return {**owner, TTL_TAG: "1d"}
        case 2:
            return {**owner, TTL_TAG: "14d", PROTECT_TAG: "customer demo"}
        case _:
            return {**owner, TTL_TAG: "14d"}


def _settled_ledger(client: Any) -> MemoryLedger:
    """Sweep until nothing changes any more, with a ledger in memory."""
    ledger = MemoryLedger()
    janitor = Janitor(
        clock=lambda: datetime.now(UTC),
        policies=DefaultPolicies(Mode.ENFORCE),
        stacks=CloudFormation(lambda _: client),
        ledger=ledger,
        channel=MemoryChannel(),
        regions=(REGION,),
        home=REGION,
    )
    for _ in range(5):
        if not janitor.sweep(Actor("janitor", "janitor", "bench")).outcomes:
            return ledger
    raise RuntimeError("the account does not come to rest")


def _index_bytes(rows: Iterable[dict[str, Any]]) -> int:
    """Return what DynamoDB counts for these rows in the index of open leases."""
    return sum(
        len(name) + sum(len(value.encode()) for value in row[name].values())
        for row in rows
        for name in ("stack_id", "open", "doc", "schema")
    )
