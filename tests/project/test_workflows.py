"""The workflows run make targets that exist, with few rights, and no text of others in a script."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
ACTIONS = {"actions/checkout", "actions/setup-python", "aws-actions/configure-aws-credentials"}
TARGETS = set(
    re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
)


def problems(text: str) -> list[str]:
    """List what a workflow does against the rules."""
    workflow = yaml.safe_load(text)
    found = [] if workflow.get("permissions") == {} else ["the workflow as a whole has rights"]
    for name, job in workflow["jobs"].items():
        found += [f"{name}: {problem}" for problem in problems_of_job(job)]
        found += [problem for step in job["steps"] for problem in problems_of_step(step)]
    return found


def problems_of_job(job: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong with rights and limits of a job."""
    rights = job.get("permissions")
    if rights is None:
        yield "declares no permissions"
    elif not rights.items() <= {"contents": "read", "id-token": "write"}.items():
        yield "has more rights than it needs"
    uses_aws = any("configure-aws" in step.get("uses", "") for step in job["steps"])
    if {uses_aws} != {"environment" in job, "id-token" in (rights or {})}:
        yield "AWS, its token and an environment go together"
    if "timeout-minutes" not in job:
        yield "may hang for hours"


def problems_of_step(step: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong with a command or an action."""
    if run := step.get("run"):
        if "${{" in run:
            yield f"{run}: text of others becomes part of a script"
        if not (re.fullmatch(r"make [a-z-]+", run) and run.split()[1] in TARGETS):
            yield f"{run}: is no make target"
    if uses := step.get("uses"):
        if uses.partition("@")[0] not in ACTIONS:
            yield f"{uses}: is an action that nobody looked at"
        if "checkout@" in uses and step.get("with", {}).get("persist-credentials") is not False:
            yield f"{uses}: leaves its token behind"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_keeps_the_rules(path: Path) -> None:
    """Each workflow that there is."""
    assert problems(path.read_text(encoding="utf-8")) == []


def test_there_are_workflows() -> None:
    """Else the test above would pass over nothing."""
    assert [path.name for path in WORKFLOWS] == ["main.yml", "pull-request.yml"]


GOOD = """
permissions: {}
jobs:
  one:
    timeout-minutes: 5
    permissions: {contents: read}
    steps: [{run: make check}]
"""


@pytest.mark.parametrize(
    "was, becomes, problem",
    [
        ("permissions: {}", "on: push", "as a whole has rights"),
        ("    permissions: {contents: read}\n", "", "declares no permissions"),
        ("contents: read", "contents: write", "more rights"),
        ("contents: read", "id-token: write", "go together"),
        ("    timeout-minutes: 5\n", "", "may hang"),
        ("make check", "make nothing-like-it", "is no make target"),
        ("make check", "curl example.com", "is no make target"),
        ("make check", "make check && make fmt", "is no make target"),
        ("run: make check", 'run: "make check ${{ github.head_ref }}"', "text of others"),
        ("run: make check", 'run: "echo ${{ github.event.issue.title }}"', "text of others"),
        ("run: make check", "uses: somebody/something@v1", "nobody looked at"),
        ("run: make check", "uses: actions/checkout@v5", "leaves its token"),
    ],
)
def test_each_rule_is_seen_to_be_broken(was: str, becomes: str, problem: str) -> None:
    """A workflow that keeps all rules but one is found out."""
    assert problems(GOOD) == []
    assert any(problem in found for found in problems(GOOD.replace(was, becomes)))


def test_dependabot_reads_its_file() -> None:
    """It watches the actions, whose pins nothing else renews."""
    config = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text(encoding="utf-8"))
    assert [update["package-ecosystem"] for update in config["updates"]] == ["github-actions"]
