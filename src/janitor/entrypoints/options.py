"""The options that commands share, and what a command makes of them."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.console import Console

from janitor.core.errors import ConfigurationError
from janitor.core.expiry import Unreadable, parse_instant
from janitor.core.model import Mode
from janitor.journeys.inprocess import Janitor
from janitor.settings import Settings, settings_now
from janitor.wiring import Aws, build, connect

Regions = Annotated[
    list[str] | None,
    typer.Option(
        "--region",
        help="Region to look at; may be repeated. [default: the policy's, or AWS_REGION]",
    ),
]
PolicySource = Annotated[
    str | None,
    typer.Option("--policy", help="Policy file, or ssm:NAME. [env: JANITOR_POLICY]"),
]
ModeOption = Annotated[
    Mode | None,
    typer.Option("--mode", help="How far to go, before what the policy says. [env: JANITOR_MODE]"),
]
Notify = Annotated[
    str | None,
    typer.Option("--notify", help="console, or sns:TOPIC_ARN. [env: JANITOR_NOTIFY]"),
]
LeaseTable = Annotated[
    str | None,
    typer.Option("--lease-table", help="[env: JANITOR_LEASE_TABLE] [default: janitor-leases]"),
]
JournalTable = Annotated[
    str | None,
    typer.Option("--journal-table", help="[env: JANITOR_JOURNAL_TABLE] [default: janitor-journal]"),
]
Now = Annotated[
    str | None,
    typer.Option("--now", help="Pretend that it is this instant, for trying things out."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else on stdout.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, for the journal.")]

NARROWEST = 120
"""Columns of a table that does not go to a terminal, whose width nobody knows."""


def out() -> Console:
    """Return the console on stdout; off a terminal it has no colour and does not cut."""
    console = Console(highlight=False, soft_wrap=False)
    if not console.is_terminal:
        console.width = max(console.width, NARROWEST)
    return console


def err() -> Console:
    """Return the console on stderr, for progress and errors."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def print_json(document: Any) -> None:
    """Print one JSON object on stdout."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def clock_of(now: str | None, settings: Settings, *, changes: bool) -> Callable[[], datetime]:
    """Return the clock: the real one, or one that stands at `--now`.

    A pretended instant never decides about a real account's stacks.
    """
    if now is None:
        return lambda: datetime.now(UTC)
    if changes and not settings.is_emulated:
        raise ConfigurationError(
            "--now is for trying things out, and this would change a real account;"
            " leave it away, or set AWS_ENDPOINT_URL to an emulator"
        )
    try:
        instant = parse_instant(now, ZoneInfo("UTC"))
    except Unreadable as error:
        raise ConfigurationError(f"--now {error}") from error
    return lambda: instant


@contextmanager
def session(
    *, now: str | None = None, changes: bool = False, json_only: bool = False, **options: object
) -> Iterator[tuple[Janitor, Aws]]:
    """Connect to the account and put the janitor together; show what is being listed.

    With `json_only` notices go to stderr, so that stdout is JSON alone.
    """
    settings = settings_now(**options)
    clock = clock_of(now, settings, changes=changes)
    aws = connect(settings)
    progress = err()
    notices = err() if json_only else out()
    with progress.status("listing stacks", spinner="dots") as status:
        counts: dict[str, int] = {}

        def on_page(region: str, count: int) -> None:
            counts[region] = counts.get(region, 0) + count
            listed = ", ".join(f"{name} {number}" for name, number in sorted(counts.items()))
            status.update(f"listing stacks: {listed}")

        def write(text: str) -> None:
            notices.print(text, markup=False, soft_wrap=True)

        yield build(settings, aws, clock=clock, write=write, on_page=on_page), aws
