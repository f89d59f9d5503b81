"""How facts, events and checks are shown, as rich renderables: nothing here prints."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from zoneinfo import ZoneInfo

from msgspec import Struct
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from janitor.application.audit.verify import Checked, Memory
from janitor.application.operations.doctor import Examined
from janitor.domain.instants import instant_text, span_text
from janitor.domain.journal.event_view import Reading, read_event, stack_name
from janitor.domain.journal.events import Event
from janitor.domain.journal.history import in_brief, life_of
from janitor.domain.lease.owners import clean
from janitor.domain.model import ACCOUNT_KEY
from janitor.domain.planning.policy_preview import Example


def facts_view(facts: Iterable[tuple[str, str]]) -> Table:
    """Show labelled facts, one a line."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for label, text in facts:
        table.add_row(label, Text(clean(text)))
    return table


NARROW = 160
"""Columns below which a table of events becomes a list: its reasons would have no room."""


class _Told(Struct, frozen=True):
    """An event in words; one that was tampered with beyond reading has few."""

    read: Reading
    zone: ZoneInfo

    @property
    def when(self) -> str:
        return instant_text(self.read.at, self.zone) if self.read.at else "?"

    @property
    def result(self) -> Text:
        result = self.read.result or "?"
        return Text(result, style="" if result == "ok" else "red")

    def lines(self, name: str = "") -> RenderableType:
        """Return the event as a head and its reason below it."""
        head = Text(f"{self.when}  {self.read.action or '?'}", style=self.result.style)
        if name:
            head.append(f"  {name}", style="bold")
        head.append(f"  by {self.read.who}", style="dim")
        return Group(head, Padding.indent(Text(self.read.sentence), 4))


class _Events(Struct, frozen=True):
    """Some events of the journal, one a row; on a narrow screen a list."""

    told: Sequence[_Told]
    headed: bool

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Lay the events out for the width that there is; the same for each part of a long list."""
        if options.max_width < NARROW:
            yield from (told.lines(told.read.stack) for told in self.told)
            return
        table = columns()
        table.show_header = self.headed
        most = options.max_width // PARTS
        for name, least in (("When", 24), ("Action", 18), ("Stack", 20), ("Who", 20)):
            table.add_column(name, min_width=least, max_width=most, overflow="fold")
        table.add_column("Result", min_width=7, no_wrap=True)
        table.add_column("Why", overflow="fold")
        for told in self.told:
            cells = [told.when, told.read.action, told.read.stack, told.read.who]
            table.add_row(*map(Text, cells), told.result, Text(told.read.sentence))
        yield table


PARTS = 5
"""Into so many the width is divided: a column of names has one of them at the most."""
PART = 200
"""Events that are laid out at a time: a long list comes as it is read."""


def events_view(events: Iterable[Event], zone: ZoneInfo) -> Iterator[RenderableType]:
    """Show events of the journal, one a row, some at a time."""
    told, headed = (_Told(read_event(event), zone) for event in events), True
    while part := list(islice(told, PART)):
        yield _Events(part, headed)
        headed = False


def story_view(key: str, events: Sequence[Event], zone: ZoneInfo) -> RenderableType:
    """Tell the life of one stack: in brief, then a line per event with the facts under it."""
    parts: list[RenderableType] = [Text(f"{stack_name(key)}  {clean(key)}", style="bold")]
    if key != ACCOUNT_KEY and events:
        parts.append(Text(in_brief(life_of(key, events), zone)))
    for event in events:
        told = _Told(read_event(event), zone)
        parts.append(told.lines())
        facts = [f"{name} {text}" for name, text in told.read.facts.items()]
        facts += [f"request {one}" for one in told.read.request_ids]
        if facts:
            parts.append(Padding.indent(Text(", ".join(facts), style="dim"), 4))
    return Group(*parts)


def checks_view(checks: Sequence[Checked], memory: Memory | None = None) -> RenderableType:
    """Show whether the journal is sound, and each event that is not."""
    parts: list[RenderableType] = [
        Text(clean(f"{stack_name(check.key)}: {finding.text}  ({finding.key})"), style="red")
        for check in checks
        for finding in check.findings
    ]
    events = sum(check.events for check in checks)
    broken = sum(bool(check.findings) for check in checks)
    verdict = f"{broken} of {len(checks)} chains are not sound" if broken else "sound"
    style = "bold red" if broken else "bold green"
    if memory is not None:
        parts.append(Text(_beside_archive(checks, memory)))
    parts.append(Text(f"Journal: {events} events in {len(checks)} chains: {verdict}.", style=style))
    return Group(*parts)


def _beside_archive(checks: Sequence[Checked], memory: Memory) -> str:
    """Say what the archive could speak for."""
    if memory.began is None:
        return "Archive: empty."
    parts = [f"Archive: compared, from {memory.began:%Y-%m-%d %H:%M} UTC on"]
    if young := sum(check.on_the_way for check in checks):
        lag = span_text(memory.lag)
        parts.append(f"{young} events of the last {lag} may still be on their way there")
    if older := sum(check.older for check in checks):
        parts.append(f"{older} events are older than it, and it cannot speak for them")
    return f"{'; '.join(parts)}."


def examined_view(found: Iterable[Examined]) -> Table:
    """Show what a doctor saw, one thing a line."""
    table = columns("", "What")
    table.add_column("Seen", overflow="fold")
    for examined in found:
        verdict = Text("fine", style="green") if examined.fine else Text("wrong", style="bold red")
        table.add_row(verdict, examined.what, Text(clean(examined.seen)))
    return table


def examples_view(rows: Iterable[Example]) -> Table:
    """Show what a policy would do to the example stacks."""
    table = columns("Example stack")
    table.add_column("Tags", overflow="fold")
    table.add_column("Rule", no_wrap=True)
    table.add_column("If nobody does anything", overflow="fold")
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
