"""A function imports what it needs to answer, and nothing that only another one needs."""

import os
import subprocess
import sys

import pytest

COMMAND_LINE = {"typer", "rich", "click"}
LATER = {"boto3"}
"""Needed by all in Lambda, and not by those who only look at a function's code."""
WARM = "from janitor.entrypoints.aws_lambda.container import of_this_process as p; print(*p().aws._clients)"


def run(script: str, **environment: str) -> str:
    """Run a script in a fresh process that has no AWS, and return what it prints."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**kept, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def imported_by(module: str) -> set[str]:
    """Return the names of all modules that are there after importing one in a fresh process."""
    return set(run(f"import sys, {module}; print(*sys.modules)").split())


@pytest.mark.parametrize(
    "module, never",
    [
        (
            "api",
            {
                "slack_sdk",
                "janitor.adapters.slack.channel",
                "janitor.adapters.aws.sns",
                "janitor.domain.planning.plan",
                "janitor.application.deletion.delete",
                "janitor.application.notification.send_digest",
                "janitor.application.sweep.sweep",
            },
        ),
        ("workers", {"slack_sdk", "jinja2", "janitor.html"}),
        (
            "archive",
            {
                "slack_sdk",
                "jinja2",
                "janitor.html",
                "janitor.application.deletion.delete",
                "janitor.application.lease.extend",
                "janitor.application.notification.send_digest",
                "janitor.application.sweep.sweep",
            },
        ),
        (
            "preflight",
            {
                "slack_sdk",
                "jinja2",
                "janitor.html",
                "janitor.application.deletion.delete",
            },
        ),
    ],
)
def test_a_door_loads_no_more_than_it_needs(module: str, never: set[str]) -> None:
    """The page above all: it can neither delete nor speak to Slack, and a person waits for it."""
    found = imported_by(f"janitor.entrypoints.aws_lambda.{module}")
    assert f"janitor.entrypoints.aws_lambda.{module}" in found
    assert found & (never | COMMAND_LINE | LATER) == set()


def test_the_table_of_types_is_loaded_by_who_asks_for_one() -> None:
    """It has a line for each type that AWS has, and most sweeps write no tags."""
    module, table = "janitor.domain.tagging.rights", "janitor.domain.tagging.taggable_types"
    assert table not in imported_by(module)
    asked = f"import sys, {module} as m; m.uncovered(['AWS::EC2::VPC']); print(*sys.modules)"
    assert table in run(asked).split()


def test_in_lambda_a_door_makes_its_clients_before_anybody_waits() -> None:
    """Fails without `warm()` where a function starts."""
    script = f"import janitor.entrypoints.aws_lambda.api; {WARM}"
    settings = {"AWS_REGION": "eu-central-1", "JANITOR_POLICY": "ssm:/janitor/policy"}
    warm = run(script, AWS_LAMBDA_FUNCTION_NAME="janitor-dev-api", **settings)
    assert "dynamodb" in warm
    assert "ssm" in warm
    assert run(script, **settings).strip() == ""


@pytest.mark.parametrize("region", ["", "eu central"])
def test_a_door_with_wrong_settings_opens_and_says_so_when_called(region: str) -> None:
    """A start that fails would say so in no alarm's words. Fails without `suppress` in `warm`."""
    script = """
from janitor.entrypoints.aws_lambda.container import deployed
try: deployed("notice_queue")
except Exception as error: print(error)
"""
    said = run(script, AWS_LAMBDA_FUNCTION_NAME="f", AWS_REGION=region, JANITOR_STAGE="DEV!")
    assert said == "JANITOR_STAGE: 'DEV!' is not valid; for instance dev\n"
