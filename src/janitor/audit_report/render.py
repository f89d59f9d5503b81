"""The report that an operator puts before an auditor: one file, no script, made piece by piece."""

from collections.abc import Iterator
from datetime import UTC, date
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from jinja2 import Template
from markupsafe import Markup
from msgspec import Struct

from janitor import __version__
from janitor.domain.journal.chain_check import Finding
from janitor.domain.journal.history import Ending, Life
from janitor.domain.journal.statistics import Totals, Week
from janitor.html import environment

WIDTH, HEIGHT, WIDEST = 530, 180, 40
"""The chart and the most of a week in it, in its own units."""
LABEL = 95
"""What the name of a month needs where letters are largest beside the chart: on a phone."""
MOST_FINDINGS = 200
"""More of them would bury the report; `janitor audit verify` names all."""

LONGEST_REASON = 300
"""Characters of the reason for an extension; the journal has the rest."""


class Bar(Struct, frozen=True):
    """One week of the chart, from the bottom: deleted, gone, given up."""

    week: date
    counts: Week
    x: float
    wide: float
    parts: tuple[tuple[str, float, float], ...]
    """Class, upper edge and height of each part."""
    label: str
    """The month, below its first week, where there is room for that."""


class Span(Struct, frozen=True):
    """What the report is about, as its head says it."""

    since: str
    until: str
    made_at: str
    about: str
    """What it was narrowed to; empty if to nothing."""


def bars(totals: Totals) -> tuple[Bar, ...]:
    """Lay the weeks out beside each other, to one scale."""
    weeks = totals.weeks()
    highest = max((w.deleted + w.gone + w.given_up for _, w in weeks), default=0) or 1
    step = min(WIDEST, WIDTH / max(len(weeks), 1))
    made, month, room_from = [], 0, 0.0
    for number, (monday, week) in enumerate(weeks):
        top, parts = float(HEIGHT), []
        counts = (("deleted", week.deleted), ("gone", week.gone), ("failed", week.given_up))
        for kind, count in counts:
            height = count * HEIGHT / highest
            top -= height
            if count:
                parts.append((kind, round(top, 1), round(height, 1)))
        x, wide = round(number * step, 1), round(step * 0.8, 1)
        label = ""
        if monday.month != month and room_from <= x <= WIDTH - LABEL:
            label, room_from = f"{monday:%b %Y}", x + LABEL
        month = monday.month
        made.append(Bar(monday, week, x, wide, tuple(parts), label))
    return tuple(made)


def head(
    span: Span, totals: Totals, events: int, chains: int, findings: tuple[Finding, ...]
) -> str:
    """Return everything that stands above the stacks."""
    drawn = bars(totals)
    return _template(
        "report.html"
    ).render(
        style=Markup(_style()),  # noqa: S704 - our own file
        version=__version__,
        span=span,
        totals=totals,
        events=events,
        chains=chains,
        findings=findings[:MOST_FINDINGS],
        more=max(0, len(findings) - MOST_FINDINGS),
        bars=drawn,
        highest=max((sum(_counts(bar.counts)) for bar in drawn), default=0),
        width=WIDTH,
        height=HEIGHT,
        Ending=Ending,
    )


def _counts(week: Week) -> tuple[int, int, int]:
    return week.deleted, week.gone, week.given_up


class Lives(Struct):
    """The stacks of a report, one after the other, under the month in which each ended."""

    zone: ZoneInfo
    told: int = 0
    _heading: str = ""

    def add(self, life: Life, *, sound: bool) -> Iterator[str]:
        """Yield the markup of one more stack."""
        heading = "Not deleted: needs attention"
        if life.ending is not Ending.NEEDS_ATTENTION:
            heading = f"{life.ended.astimezone(UTC):%B %Y}" if life.ended else "At a time unknown"
        if heading != self._heading:
            yield _template("report_heading.html").render(heading=heading, first=not self.told)
            self._heading = heading
        self.told += 1
        yield _template("report_life.html").render(
            life=life,
            zone=self.zone,
            number=self.told,
            sound=sound,
            longest=LONGEST_REASON,
            Ending=Ending,
        )


def foot() -> str:
    """Return what closes the page."""
    return "</main>\n</body>\n</html>\n"


@cache
def _template(name: str) -> Template:
    return environment("audit_report").get_template(name)


@cache
def _style() -> str:
    return Path(__file__).with_name("templates").joinpath("report.css").read_text(encoding="utf-8")
