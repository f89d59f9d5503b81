"""How facts, events and checks are shown, as rich renderables: nothing here prints."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.console import Group, RenderableType
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


def events_view(events: Iterable[Event], zone: ZoneInfo) -> Table:
    """Show events of the journal, one a row."""
    table = columns("When", "Action", "Stack")
    table.add_column("Who", overflow="fold")
    table.add_column("Result", no_wrap=True)
    table.add_column("Why", ratio=1, overflow="fold")
    for event in events:
        actor = event.body["actor"]
        result = event.body["result"]
        table.add_row(
            _event_time(event, zone),
            event.action,
            stack_name(event.key),
            Text(clean(f"{actor['id']} ({actor['via']})")),
            Text(result, style="" if result == "ok" else "red"),
            Text(clean(event.body["reason"]["sentence"])),
        )
    return table


def _event_time(event: Event, zone: ZoneInfo) -> str:
    return instant_text(datetime.fromisoformat(event.occurred_at), zone)


def story_view(key: str, events: Sequence[Event], zone: ZoneInfo) -> RenderableType:
    """Tell the life of one stack: a line per event, with the facts under it."""
    lines = [Text(f"{stack_name(key)}  {key}", style="bold")]
    for event in events:
        actor = event.body["actor"]
        head = f"{_event_time(event, zone)}  {event.action}"
        line = Text(head, style="" if event.body["result"] == "ok" else "red")
        line.append(f"  by {clean(actor['id'])} ({actor['via']})", style="dim")
        lines.append(line)
        lines.append(Text(f"    {clean(event.body['reason']['sentence'])}"))
        facts: Mapping[str, str] = event.body["reason"]["facts"]
        if facts:
            text = ", ".join(f"{name} {clean(str(value))}" for name, value in facts.items())
            lines.append(Text(f"    {text}", style="dim"))
    return Group(*lines)


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
        table.add_row(row.name, Text(tags), Text(row.rule), Text(row.fate))
    return table


def columns(*names: str) -> Table:
    """Return a table without lines, with columns that are not wrapped."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in names:
        table.add_column(name, no_wrap=True)
    return table
