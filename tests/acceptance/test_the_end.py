"""Taking a stage away. Last, since nothing of it works afterwards."""

import sys

from tests.acceptance.conftest import run
from tests.acceptance.deployed import Account, Stage


def test_destroying_a_stage_keeps_the_evidence_and_says_so(
    account: Account, stages: dict[str, Stage]
) -> None:
    """Tables and logs stay, and the words say how to remove them."""
    outputs = stages["two"].outputs
    said = run(
        sys.executable, "-m", "janitor.entrypoints.cli.destroy", "janitor-two",
        AWS_ENDPOINT_URL=account.url,
    )  # fmt: skip
    tables = account.client("dynamodb").list_tables()["TableNames"]
    for table in (outputs["LeaseTableName"], outputs["JournalTableName"]):
        assert table in tables
        assert f"delete-table --table-name {table}" in said
    assert "SweepLogs" in said
    names = {
        stack["StackName"] for stack in account.client("cloudformation").describe_stacks()["Stacks"]
    }
    assert "janitor-two" not in names
    assert "janitor-one" in names
