"""A function imports what it needs to answer, and nothing that only another one needs."""

import subprocess
import sys

import pytest

COMMAND_LINE = {"typer", "rich", "click"}
LATER = {"boto3"}
"""Needed by all, but not to be loaded: the clients are made at the first event."""


def imported_by(module: str) -> set[str]:
    """Return the names of all modules that are there after importing one in a fresh process."""
    script = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "module, never",
    [
        (
            "api_door",
            {
                "slack_sdk",
                "janitor.adapters.slack",
                "janitor.adapters.sns",
                "janitor.core.plan",
                "janitor.journeys.delete",
                "janitor.journeys.notify",
                "janitor.journeys.sweep",
            },
        ),
        ("lambdas", {"slack_sdk", "jinja2", "janitor.pages"}),
        (
            "archive_door",
            {
                "slack_sdk",
                "jinja2",
                "janitor.pages",
                "janitor.journeys.delete",
                "janitor.journeys.extend",
                "janitor.journeys.notify",
                "janitor.journeys.sweep",
            },
        ),
        ("check", {"slack_sdk", "jinja2", "janitor.pages", "janitor.journeys.delete"}),
    ],
)
def test_a_door_loads_no_more_than_it_needs(module: str, never: set[str]) -> None:
    """The page above all: it can neither delete nor speak to Slack, and a person waits for it."""
    found = imported_by(f"janitor.entrypoints.{module}")
    assert f"janitor.entrypoints.{module}" in found
    assert found & (never | COMMAND_LINE | LATER) == set()
