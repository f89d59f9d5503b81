"""Commands that count the journal and hand it on: export, stats."""

import csv
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Annotated, TextIO
from zoneinfo import ZoneInfo

import typer
from msgspec import Struct

from janitor.application.audit.report import events_of, report
from janitor.application.operations.local import Janitor
from janitor.domain.errors import ConfigurationError
from janitor.domain.instants import instant_text
from janitor.domain.journal.chain_check import Finding, unsound_text
from janitor.domain.journal.csv_export import HEADER, row
from janitor.domain.journal.event_filter import Question
from janitor.domain.journal.history import Life
from janitor.domain.lease.deadlines import Unreadable, parse_duration, parse_instant
from janitor.entrypoints.cli.debugging import err
from janitor.entrypoints.cli.options import Options, out, print_json, taking
from janitor.entrypoints.cli.views.stats import stats_document, stats_view

app = typer.Typer()
Since = Annotated[
    str,
    typer.Option(
        "--since",
        metavar="WHEN",
        help="How long ago (7d), an instant, or a date, which means its beginning.",
    ),
]
Until = Annotated[
    str | None,
    typer.Option(
        "--until", metavar="WHEN", help="As --since; a date means its end. [default: now]"
    ),
]
StackName = Annotated[str, typer.Option("--stack", metavar="STACK", help="Only this name or id.")]
Owner = Annotated[str, typer.Option("--owner", metavar="OWNER", help="Only of this owner.")]
YEAR = "365d"


class Span(Struct, frozen=True):
    """From when up to when; the end is not part of it."""

    since: datetime
    until: datetime

    @classmethod
    def of(cls, since: str, until: str | None, now: datetime, zone: ZoneInfo) -> "Span":
        """Read both ends. Raises `ConfigurationError` naming the option that is wrong."""
        # What has just happened should be in it.
        end = now + timedelta(seconds=1)
        if until:
            end = _instant(until, "--until", now, zone, time.max)
        span = cls(_instant(since, "--since", now, zone, time.min), end)
        if span.since >= span.until:
            raise ConfigurationError(f"--since {since!r} is not before --until; for instance 7d")
        return span


def _instant(text: str, option: str, now: datetime, zone: ZoneInfo, day_at: time) -> datetime:
    try:
        return now - parse_duration(text)
    except Unreadable:
        pass
    except OverflowError as error:
        raise ConfigurationError(f"{option} {text!r} is before all time") from error
    try:
        return parse_instant(text, zone, day_at)
    except Unreadable as error:
        raise ConfigurationError(f"{option} {error}, or how long ago: 7d") from error


@app.command()
@taking("policy", "now")
def export(
    options: Options,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="One row for each event, safe in a spreadsheet.")
    ] = False,
    as_html: Annotated[
        bool, typer.Option("--html", help="One page with each deletion, to put before an auditor.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Where to. [default: stdout]")
    ] = None,
    since: Since = YEAR,
    until: Until = None,
    stack: StackName = "",
    owner: Owner = "",
) -> None:
    """Hand the journal on: --csv, --json (one object a line), or --html.

    The page says whether the journal is sound, and the exit code is 1 where it is not; rows
    and objects are handed on unchecked.
    """
    if as_csv + as_html + options.as_json != 1:
        raise ConfigurationError(
            "give one of --csv, --json and --html; for instance --html --output audit.html"
        )
    question = Question(stack=stack, owner=owner)
    findings: tuple[Finding, ...] = ()
    with options.session() as (janitor, _):
        zone = janitor.policies.policy().window.window.zone
        span = Span.of(since, until, janitor.clock(), zone)
        with _written_to(output) as file:
            if as_html:
                findings = _html(file, janitor, question, span, zone)
            else:
                _events(file, janitor, question, span, as_csv=as_csv)
    if output:
        err().print(f"written: {output}", markup=False)
    _fail_if_unsound(findings)


@contextmanager
def _written_to(output: Path | None) -> Iterator[TextIO]:
    """Open stdout, or a file that takes its name only once it is whole."""
    if output is None:
        yield sys.stdout
        return
    try:
        descriptor, name = tempfile.mkstemp(dir=output.parent, prefix=f".{output.name}.")
    except OSError as error:
        raise ConfigurationError(f"--output {output}: {error.strerror}") from error
    partial = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            yield file
        partial.replace(output)
    except OSError as error:
        raise ConfigurationError(f"--output {output}: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)


def _events(
    file: TextIO, janitor: Janitor, question: Question, span: Span, *, as_csv: bool
) -> None:
    events = events_of(janitor.ledger, question, span.since, span.until)
    if as_csv:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(map(row, events))
        return
    for event in events:
        document = {"key": event.key, **event.document()}
        file.write(json.dumps(document, ensure_ascii=False) + "\n")


def _html(
    file: TextIO, janitor: Janitor, question: Question, span: Span, zone: ZoneInfo
) -> tuple[Finding, ...]:
    """Write the page, and return what is wrong with the journal.

    The stacks wait on disk until what stands above them is known.
    """
    from janitor.audit_report import render as page

    now = janitor.clock()
    lives = page.Lives(zone)
    with tempfile.TemporaryFile("w+", encoding="utf-8") as spool:

        def tell(life: Life, sound: bool) -> None:
            spool.writelines(lives.add(life, sound=sound))

        made = report(
            janitor.ledger, question, since=span.since, until=span.until, now=now, tell=tell
        )
        asked = (("stack", question.stack), ("owner", question.owner))
        about = page.Span(
            instant_text(span.since, zone),
            instant_text(span.until, zone),
            instant_text(now, zone),
            ", ".join(f"{name} {text}" for name, text in asked if text),
        )
        file.write(page.head(about, made.totals, made.events, made.chains, made.findings))
        spool.seek(0)
        file.writelines(iter(lambda: spool.read(1 << 16), ""))
        file.write(page.foot())
    return made.findings


def _fail_if_unsound(findings: tuple[Finding, ...]) -> None:
    """Say on stderr in one line what is wrong with the journal, and exit with 1."""
    if findings:
        err().print(unsound_text(findings), markup=False)
        raise typer.Exit(1)


@app.command()
@taking("policy", "now")
def stats(
    options: Options,
    since: Since = YEAR,
    until: Until = None,
    stack: StackName = "",
    owner: Owner = "",
) -> None:
    """Count what happened, in all and by week.

    Deletions, extensions, notices, refusals, lifetimes.
    """
    question = Question(stack=stack, owner=owner)
    with options.session() as (janitor, _):
        zone = janitor.policies.policy().window.window.zone
        now = janitor.clock()
        span = Span.of(since, until, now, zone)
        made = report(janitor.ledger, question, since=span.since, until=span.until, now=now)
    if options.as_json:
        print_json(stats_document(made))
    else:
        out().print(stats_view(made, zone))
    _fail_if_unsound(made.findings)
