"""How the days ahead are shown: a heading for each day with its sums, a line for each stack."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from janitor.domain.instants import instant_text
from janitor.domain.lease.owners import clean
from janitor.domain.model import Mode
from janitor.domain.planning.forecast import Ahead, Step
from janitor.entrypoints.cli.views.plan import iso

_STYLES = {
    Step.DELETION: "bold red",
    Step.MARK: "yellow",
    Step.REMINDER: "",
    Step.FIRST_NOTICE: "cyan",
}


def forecast_view(ahead: Sequence[Ahead], days: int, mode: Mode, zone: ZoneInfo) -> RenderableType:
    """Show the days ahead, each with what happens then at the earliest."""
    span = f"the next {days} day{'' if days == 1 else 's'}"
    if not ahead:
        return Text(f"Nothing is going to happen in {span}.")
    if_so = "" if mode is Mode.ENFORCE else f" It would in mode enforce; the mode is {mode.value}."
    head = Text(f"What is going to happen in {span}, if nobody does anything.{if_so}")
    return Group(head, *_days(ahead, zone))


def _days(ahead: Sequence[Ahead], zone: ZoneInfo) -> Iterator[RenderableType]:
    for day, of_day in groupby(ahead, key=lambda one: one.at.astimezone(zone).date()):
        several = list(of_day)
        counts = Counter(one.step for one in several)
        sums = ", ".join(
            f"{counts[step]} {step}{'' if counts[step] == 1 else 's'}"
            for step in Step
            if counts[step]
        )
        yield Text(f"{day:%a} {day.day} {day:%b %Y}: {sums}", style="bold")
        for one in several:
            detail = f" ({clean(one.detail)})" if one.detail else ""
            at = instant_text(one.at, zone).split(" ", 4)[4]
            line = Text(f"{at}  {one.step}  ", style=_STYLES[one.step])
            line.append(f"{clean(one.name)} ({one.region})", style="bold")
            line.append(detail, style="dim")
            yield Padding.indent(line, 2)


def forecast_document(ahead: Sequence[Ahead]) -> list[dict[str, Any]]:
    """Return the days ahead as JSON, in order of time."""
    return [
        {
            "at": iso(one.at),
            "step": one.step.value,
            "stack_id": one.stack_id,
            "name": one.name,
            "region": one.region,
            "detail": one.detail,
        }
        for one in ahead
    ]
