"""`make deploy` and `make destroy` themselves, the first time and again."""

import json
import os
import pty
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.conftest import ROOT, run
from tests.acceptance.deployed import Account, Stage, until
from tests.acceptance.lacking import without_what_lacks
from tests.cloudformation_template import read_template


@pytest.fixture(scope="module")
def make(account: Account, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return how to call make: on our template less what lacks, for this machine, and samconfig."""
    folder = tmp_path_factory.mktemp("make")
    template = without_what_lacks(read_template(ROOT / "template.yaml"))
    template["Globals"]["Function"]["CodeUri"] = str(ROOT)
    (folder / "template.json").write_text(json.dumps(template), encoding="utf-8")
    samconfig = folder / "samconfig.toml"
    samconfig.write_bytes((ROOT / "samconfig.toml").read_bytes())

    def make(target: str, stage: str = "", typed: str | None = None, **variables: str) -> str:
        keyboard, terminal = pty.openpty()
        try:
            os.write(keyboard, (typed or "").encode())
            return run(
                "make", target, f"STAGE={stage}", f"TEMPLATE={folder / 'template.json'}",
                f"SAMCONFIG={samconfig}", "BUILD_FOR=host", f"BUILD_DIR={folder / 'build'}",
                stdin=None if typed is None else terminal,
                AWS_ENDPOINT_URL=account.url,
                **variables,
            )  # fmt: skip
        finally:
            os.close(keyboard)
            os.close(terminal)

    make.samconfig = samconfig  # type: ignore[attr-defined]
    return make


@pytest.fixture(scope="module")
def four(account: Account, make: Any) -> Stage:
    """Deploy a stage that was never heard of, with somebody at the keyboard."""
    make("deploy", "four", "notify\n\nteam-four\nops@example.com\n")
    return Stage(account, "four")


def test_a_first_deployment_asks_and_keeps_the_answers(
    account: Account, make: Any, four: Stage
) -> None:
    """In samconfig.toml, where the pipeline finds them, behind the stages of before."""
    assert account.status("janitor-four") == "CREATE_COMPLETE"
    assert account.tags("janitor-four") == {"janitor:self": "four"}
    given = {
        p["ParameterKey"]: p["ParameterValue"] for p in account.stack("janitor-four")["Parameters"]
    }
    assert given.items() >= {
        "Stage": "four", "Mode": "notify", "SelectorTag": "team-four", "Regions": "",
        "OpsEmail": "ops@example.com",
    }.items()  # fmt: skip
    text = make.samconfig.read_text()
    assert text.startswith((ROOT / "samconfig.toml").read_text())
    assert text.endswith(
        """
[four.deploy.parameters]
parameter_overrides = [
    "Stage=four",
    "Mode=notify",
    "SelectorTag=team-four",
    "OpsEmail=ops@example.com",
]
"""
    )
    assert four.invoke("Check") == {"fine": True, "reason": ""}


def test_another_deployment_asks_nothing_and_takes_what_was_edited(
    account: Account, make: Any, four: Stage
) -> None:
    """There is no terminal, as in the pipeline."""
    samconfig: Path = make.samconfig
    samconfig.write_text(samconfig.read_text().replace("Mode=notify", "Mode=observe"))
    before = samconfig.read_text()
    make("deploy", "four")
    assert account.status("janitor-four") == "UPDATE_COMPLETE"
    ssm = account.client("ssm")
    name = four.outputs["ModeParameterName"]
    assert ssm.get_parameter(Name=name)["Parameter"]["Value"] == "observe"
    assert samconfig.read_text() == before


def test_the_pipeline_finds_the_first_deployment_fine(make: Any, four: Stage) -> None:
    """Before anybody confirmed a subscription, and before any sweep."""
    said = make("smoke", "four")
    assert "policy, mode, secrets and a dry sweep are fine" in said
    assert "subscriptions" not in said


def test_destroying_says_what_stays(account: Account, make: Any, four: Stage) -> None:
    """And leaves the other stages as they are; whoever sits there has to type the name.

    Fails without `_agreed`, and without the look at where STAGE comes from in the Makefile.
    """
    table = four.outputs["JournalTableName"]
    with pytest.raises(pytest.fail.Exception, match="nothing was deleted"):
        make("destroy", "four", "janitor-three\n")
    with pytest.raises(pytest.fail.Exception, match="which stage"):
        run("make", "destroy", AWS_ENDPOINT_URL=account.url)
    assert account.status("janitor-four") in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
    said = make("destroy", "four", "janitor-four\n")
    assert "The stack janitor-four is deleted. These stay:" in said
    assert f"aws dynamodb delete-table --table-name {table}" in said
    roles = [line.split()[1] for line in said.splitlines() if line.startswith("  Role ")]
    assert len(roles) == 1, "the functions' roles go with them"
    assert "ApiLogRole" in roles[0]
    names = {
        stack["StackName"] for stack in account.client("cloudformation").describe_stacks()["Stacks"]
    }
    assert "janitor-four" not in names
    assert table in account.client("dynamodb").list_tables()["TableNames"]


def test_a_preview_is_a_stack_for_three_days_and_takes_all_with_it(
    account: Account, make: Any
) -> None:
    """Branch, author and number are other people's text, and nothing but names."""
    said = make("preview", BRANCH="fix/New $(false) `Basket`", AUTHOR='ann"; false #', NUMBER="'42")
    name = "feat-New-false-Ba-42"
    assert "policy, mode, secrets and a dry sweep are fine" in said
    assert account.tags(name) == {"janitor:ttl": "3d", "janitor:owner": "ann-false"}
    preview = account.stack(name)
    given = {p["ParameterKey"]: p["ParameterValue"] for p in preview["Parameters"]}
    assert given.items() >= {"Stage": "pr-42", "Mode": "observe", "Archive": "off"}.items()
    cloudformation = account.client("cloudformation")
    cloudformation.delete_stack(StackName=name)
    until(lambda: account.status(preview["StackId"]) == "DELETE_COMPLETE")
    tables = account.client("dynamodb").list_tables()["TableNames"]
    groups = account.client("logs").describe_log_groups()["logGroups"]
    assert not [one for one in (*tables, *(g["logGroupName"] for g in groups)) if name in one]
