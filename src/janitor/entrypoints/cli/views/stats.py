"""How the numbers of the journal are shown, as rich renderables and as JSON."""

from collections import Counter
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from janitor.application.audit.report import Report
from janitor.domain.instants import instant_text, span_text
from janitor.domain.journal.events import instant
from janitor.domain.journal.history import Ending
from janitor.domain.lease.owners import clean
from janitor.entrypoints.cli.views.journal import columns

MOST = 10
"""Rows of a ranking."""


def stats_view(made: Report, zone: ZoneInfo) -> RenderableType:
    """Show the numbers: what stacks came to, what was done, who did it, week by week."""
    totals = made.totals
    span = f"{instant_text(made.since, zone)} to {instant_text(made.until, zone)}"
    facts = columns("", "")
    facts.show_header = False
    rows = {
        "stacks: open now": str(totals.endings[Ending.OPEN]),
        **{f"stacks: {e.value}": str(totals.endings[e]) for e in Ending if e is not Ending.OPEN},
        "median life of a deleted stack": _span(totals.median_lifetime),
        "shortest time from final notice to deletion": _span(totals.shortest_grace),
        "events": f"{totals.events}",
        **{f"results: {clean(name)}": str(n) for name, n in sorted(totals.results.items())},
        "chains that are not sound": str(len({finding.key for finding in made.findings})),
    }
    for name, text in rows.items():
        facts.add_row(name, text)
    weeks = columns("Week of", "Deleted", "Gone", "Given up")
    for monday, week in totals.weeks():
        if week.deleted or week.gone or week.given_up:
            weeks.add_row(f"{monday}", f"{week.deleted}", f"{week.gone}", f"{week.given_up}")
    return Group(
        Text(span, style="bold"),
        facts,
        _ranking("Action", totals.actions),
        _ranking("Extended by", totals.extended_by, MOST),
        _ranking("Told by", totals.told_by),
        _ranking("Deleted stacks of", totals.deleted_of, MOST),
        weeks,
    )


def stats_document(made: Report) -> dict[str, Any]:
    """Return the numbers as one JSON object; spans are seconds."""
    totals = made.totals
    return {
        "since": instant(made.since),
        "until": instant(made.until),
        "events": totals.events,
        "actions": dict(totals.actions.most_common()),
        "results": dict(totals.results.most_common()),
        "endings": {ending.value: totals.endings[ending] for ending in Ending},
        "extended_by": dict(totals.extended_by.most_common()),
        "told_by": dict(totals.told_by.most_common()),
        "deleted_of": dict(totals.deleted_of.most_common()),
        "median_lifetime": _seconds(totals.median_lifetime),
        "shortest_grace": _seconds(totals.shortest_grace),
        "weeks": [
            {
                "week": f"{monday}",
                "deleted": week.deleted,
                "gone": week.gone,
                "given_up": week.given_up,
            }
            for monday, week in totals.weeks()
        ],
        "findings": [
            {"key": f.key, "seq": f.seq, "what": f.what, "text": f.text} for f in made.findings
        ],
    }


def _ranking(title: str, counts: Counter[str], most: int | None = None) -> Table:
    table = columns(title, "Count")
    for name, count in counts.most_common(most):
        table.add_row(Text(clean(name)), str(count))
    return table


def _span(span: timedelta | None) -> str:
    return "-" if span is None else span_text(span)


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()
