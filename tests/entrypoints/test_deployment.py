"""The command line on the tables, policy and mode of a deployed copy."""

import json
from pathlib import Path

import pytest
from tests.entrypoints.command_line import CommandLine
from tests.entrypoints.test_cli import decisions

from janitor.adapters.aws.dynamodb.schema import create_tables

HAS = {
    "LeaseTableName": "dev-leases",
    "JournalTableName": "dev-journal",
    "PolicyParameterName": "/janitor-dev/PolicyDocument",
    "ModeParameterName": "/janitor-dev/Mode",
}
NAMED = ("--deployment", "janitor-dev")
POLICY = {"rules": [{"name": "team", "select": {"tag": "team"}, "ttl": "3d"}]}


@pytest.fixture
def deployed(janitor: CommandLine) -> CommandLine:
    """Return an account in which a copy is deployed: what its outputs name, and the stack."""
    create_tables(janitor.client("dynamodb"), "dev-leases", "dev-journal")
    for name, value in (("PolicyDocument", json.dumps(POLICY)), ("Mode", "notify")):
        janitor.client("ssm").put_parameter(
            Name=f"/janitor-dev/{name}", Value=value, Type="String", Overwrite=True
        )
    template = {
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {name: {"Value": value} for name, value in HAS.items()},
    }
    janitor.client("cloudformation").create_stack(
        StackName="janitor-dev",
        TemplateBody=json.dumps(template),
        Tags=[{"Key": "janitor:self", "Value": "dev"}],
    )
    janitor.deploy("feat-a", team="web")
    return janitor


@pytest.mark.parametrize("by_variable", [True, False])
def test_tables_policy_and_mode_are_those_of_the_deployed_copy(
    deployed: CommandLine, *, by_variable: bool
) -> None:
    """By the built-in policy the stack would be nobody's, and its lease released."""
    arguments = () if by_variable else NAMED
    variables = {"JANITOR_DEPLOYMENT": "janitor-dev"} if by_variable else {}
    ran = deployed("sweep", "--apply", "--notify", "console", "--json", *arguments, **variables)
    assert (ran.code, ran.json["mode"]) == (0, "notify")
    assert decisions(ran) == {"feat-a": "open", "janitor-dev": "ignore"}
    rows = deployed.client("dynamodb").scan(TableName="dev-leases")["Items"]
    assert any(":stack/feat-a/" in row["stack_id"]["S"] for row in rows)
    assert deployed("audit", "verify", *arguments, **variables).code == 0


def test_what_is_said_comes_before_what_is_deployed(deployed: CommandLine) -> None:
    """Option by option; the rest is still the deployed copy's."""
    ran = deployed("plan", "--json", "--mode", "observe", *NAMED)
    assert ran.json["mode"] == "observe"
    assert decisions(ran)["feat-a"] == "open"
    other = deployed("plan", *NAMED, "--lease-table", "other")
    assert (other.code, "the tables other and dev-journal" in other.err) == (2, True)


def test_the_mode_parameter_of_the_deployed_copy_still_stops_it(deployed: CommandLine) -> None:
    """It is read anew, as the functions do."""
    deployed.client("ssm").put_parameter(Name="/janitor-dev/Mode", Value="off", Overwrite=True)
    ran = deployed("sweep", "--apply", "--json", *NAMED)
    assert ran.json["mode"] == "off"
    assert deployed.client("dynamodb").scan(TableName="dev-leases")["Count"] == 1  # the account's


def test_a_policy_file_does_not_override_the_deployed_mode(
    deployed: CommandLine, tmp_path: Path
) -> None:
    """The switch that stops the functions stops whoever works beside them.

    Fails if only a policy in SSM is read with the mode's parameter.
    """
    deployed.client("ssm").put_parameter(Name="/janitor-dev/Mode", Value="off", Overwrite=True)
    policy = tmp_path / "policy.json"
    policy.write_text(json.dumps({**POLICY, "mode": "enforce"}))
    ran = deployed("plan", "--json", "--policy", str(policy), *NAMED)
    assert ran.json["mode"] == "off"
    assert deployed("plan", "--json", *NAMED, "--mode", "observe").json["mode"] == "observe"


def test_an_archive_that_is_set_takes_nothing_else_over(deployed: CommandLine) -> None:
    """It is for verifying. Fails if `session` took it for the deployment."""
    ran = deployed("plan", "--json", JANITOR_ARCHIVE="janitor-dev")
    assert (ran.json["mode"], decisions(ran)["feat-a"]) == ("observe", "ignore")


@pytest.mark.parametrize(
    "stack, code, said",
    [
        ("no-such-stack", 1, "there is no stack no-such-stack"),
        ("feat-a", 2, "the stack feat-a is no deployed janitor"),
        ("janitor:dev", 2, "--deployment: 'janitor:dev' is not valid; for instance janitor-dev"),
    ],
)
def test_a_stack_that_is_no_janitor_is_refused(
    deployed: CommandLine, stack: str, code: int, said: str
) -> None:
    """In one line; and an archive is looked for in no such stack either."""
    ran = deployed("plan", "--deployment", stack)
    assert (ran.code, ran.out, ran.err.count("\n")) == (code, "", 1)
    assert said in ran.err


def test_to_verify_by_the_archive_of_a_copy_is_to_verify_its_tables(deployed: CommandLine) -> None:
    """Those of other names would be compared with an archive that is not theirs."""
    ran = deployed("audit", "verify", "--archive", "janitor-dev")
    assert "the stack janitor-dev has no archive: Archive is not on" in ran.err
