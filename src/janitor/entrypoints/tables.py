"""How facts, events and checks are shown, as rich renderables: nothing here prints."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from janitor.core.contacts import clean
from janitor.core.examples import Example
from janitor.core.journal import Event
from janitor.core.times import instant_text
from janitor.journeys.doctor import Examined
from janitor.journeys.verify import Checked


def stack_name(key: str) -> str:
    """Return the name in a stack's id, or the key of another chain as it is."""
    parts = key.split("/")
    return parts[1] if key.startswith("arn:") and len(parts) > 1 else clean(key)


def facts_view(facts: Iterable[tuple[str, str]]) -> Table:
    """Show labelled facts, one a line."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for label, text in facts:
        table.add_row(label, Text(clean(text)))
    return table


NARROW = 100
"""Columns below which a table of events becomes a list."""


@dataclass(frozen=True, slots=True)
class _Told:
    """An event in words; one that was tampered with beyond reading has few."""

    event: Event
    zone: ZoneInfo

    @property
    def when(self) -> str:
        try:
            return instant_text(datetime.fromisoformat(self.event.occurred_at), self.zone)
        except ValueError:
            return "?"

    @property
    def who(self) -> str:
        actor: Mapping[str, str] = self.event.body.get("actor", {})
        return clean(f"{actor.get('id', '?')} ({actor.get('via', '?')})")

    @property
    def result(self) -> Text:
        result = str(self.event.body.get("result", "?"))
        return Text(result, style="" if result == "ok" else "red")

    @property
    def why(self) -> str:
        return clean(self.event.body.get("reason", {}).get("sentence", "cannot be read"))

    @property
    def facts(self) -> str:
        facts: Mapping[str, str] = self.event.body.get("reason", {}).get("facts", {})
        return ", ".join(f"{name} {clean(str(value))}" for name, value in facts.items())

    def lines(self, name: str = "") -> RenderableType:
        """Return the event as a head and its reason below it."""
        head = Text(f"{self.when}  {self.event.action or '?'}", style=self.result.style)
        if name:
            head.append(f"  {name}", style="bold")
        head.append(f"  by {self.who}", style="dim")
        return Group(head, Padding(Text(self.why), (0, 0, 0, 4)))


@dataclass(frozen=True, slots=True)
class _Events:
    """Events of the journal, one a row; on a narrow screen a list."""

    told: Sequence[_Told]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Lay the events out for the width that there is."""
        if options.max_width < NARROW:
            yield from (told.lines(stack_name(told.event.key)) for told in self.told)
            return
        table = columns("When", "Action", "Stack")
        table.add_column("Who", overflow="fold")
        table.add_column("Result", no_wrap=True)
        table.add_column("Why", ratio=1, overflow="fold")
        for told in self.told:
            event = told.event
            cells = [told.when, event.action, stack_name(event.key), told.who]
            table.add_row(*map(Text, cells), told.result, Text(told.why))
        yield table


def events_view(events: Iterable[Event], zone: ZoneInfo) -> RenderableType:
    """Show events of the journal, one a row."""
    return _Events([_Told(event, zone) for event in events])


def story_view(key: str, events: Sequence[Event], zone: ZoneInfo) -> RenderableType:
    """Tell the life of one stack: a line per event, with the facts under it."""
    parts: list[RenderableType] = [Text(f"{stack_name(key)}  {clean(key)}", style="bold")]
    for event in events:
        told = _Told(event, zone)
        parts.append(told.lines())
        if told.facts:
            parts.append(Padding(Text(told.facts, style="dim"), (0, 0, 0, 4)))
    return Group(*parts)


def checks_view(checks: Sequence[Checked]) -> RenderableType:
    """Show whether the journal is sound, and each event that is not."""
    parts: list[RenderableType] = [
        Text(f"{stack_name(check.key)}: {finding.text}  ({check.key})", style="red")
        for check in checks
        for finding in check.findings
    ]
    events = sum(check.events for check in checks)
    broken = sum(bool(check.findings) for check in checks)
    verdict = f"{broken} of {len(checks)} chains are not sound" if broken else "sound"
    style = "bold red" if broken else "bold green"
    parts.append(Text(f"Journal: {events} events in {len(checks)} chains: {verdict}.", style=style))
    return Group(*parts)


def examined_view(found: Iterable[Examined]) -> Table:
    """Show what a doctor saw, one thing a line."""
    table = columns("", "What")
    table.add_column("Seen", ratio=1, overflow="fold")
    for examined in found:
        verdict = Text("fine", style="green") if examined.fine else Text("wrong", style="bold red")
        table.add_row(verdict, examined.what, Text(clean(examined.seen)))
    return table


def examples_view(rows: Iterable[Example]) -> Table:
    """Show what a policy would do to the example stacks."""
    table = columns("Example stack")
    table.add_column("Tags", overflow="fold")
    table.add_column("Rule", no_wrap=True)
    table.add_column("If nobody does anything", ratio=1, overflow="fold")
    for row in rows:
        tags = ", ".join(f"{key}={value}" for key, value in row.tags.items())
        table.add_row(Text(row.name), Text(tags), Text(row.rule), Text(row.fate))
    return table


def columns(*names: str) -> Table:
    """Return a table without lines, with columns that are not wrapped."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in names:
        table.add_column(name, no_wrap=True)
    return table
