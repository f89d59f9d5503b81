"""The part of the bench about a year of the journal: what it takes to hand it on."""

import json
import subprocess
import sys
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

import boto3

from account import REGION, Account
from janitor.adapters.aws.dynamodb.schema import create_tables
from janitor.entrypoints.demo.emulator import FAKE_CREDENTIALS, emulated_aws
from janitor.settings import Settings
from journal import END, rows
from report import Part, Target

EVENTS = 100_000
ROUNDS = {"--html": 3, "--csv": 1, "--json": 1}
ROWS_PER_WRITE = 25
MOST_SECONDS = 30.0
MOST_MEMORY = 300.0
MIB = 1024 * 1024


def export() -> Part:
    """Export a year of events in each form, each time in a fresh process."""
    with ExitStack() as until_the_end:
        account = Account(until_the_end.enter_context(emulated_aws()), 0)
        _fill(account.url)
        runs = {
            form: [_measure(account, form) for _ in range(rounds)]
            for form, rounds in ROUNDS.items()
        }
    table = [
        (
            form,
            *(f"{min(run[key] for run in found):.1f} s" for key in ("cpu_with_start", "wall")),
            f"{max(run['peak_mib'] for run in found):.0f} MiB",
            f"{found[0]['bytes'] / MIB:.1f} MiB",
        )
        for form, found in runs.items()
    ]
    html = runs["--html"]
    return Part(
        "export",
        f"`janitor audit export` of {EVENTS} events of a year",
        f"The least time and the highest peak of {ROUNDS['--html']} processes for the page. Wall has the emulator's"
        " time in it, which shares the cores.",
        ("form", "CPU", "wall", "peak memory", "file"),
        table,
        [
            Target("seconds of export --html", min(run["wall"] for run in html), MOST_SECONDS),
            Target("peak MiB of export --html", max(r["peak_mib"] for r in html), MOST_MEMORY),
        ],
        {form.strip("-"): found for form, found in runs.items()},
    )


def _fill(url: str) -> None:
    """Write the journal into tables of an emulator."""
    make: Any = boto3.client  # typed for literal service names only
    client = make("dynamodb", endpoint_url=url, region_name=REGION, **FAKE_CREDENTIALS)
    journal = Settings().journal_table
    create_tables(client, Settings().lease_table, journal)
    written = rows(EVENTS)
    while some := [{"PutRequest": {"Item": row}} for row in islice(written, ROWS_PER_WRITE)]:
        if client.batch_write_item(RequestItems={journal: some})["UnprocessedItems"]:
            raise RuntimeError("the emulator left rows unwritten")


def _measure(account: Account, form: str) -> dict[str, Any]:
    script = Path(__file__).with_name("whole_export.py")
    span = ("--since", "400d", "--now", END.isoformat())
    done = subprocess.run(
        [sys.executable, str(script), form, *span],
        env=account.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured
