"""How plans and what came of them are shown, as rich renderables and as JSON: nothing here prints."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.text import Text

from janitor.domain.journal.event_view import stack_name
from janitor.domain.journal.events import owners_text
from janitor.domain.lease.owners import clean
from janitor.domain.model import Mode, Outcome, Status
from janitor.domain.planning.decisions import Decision, Wait, decision_name
from janitor.domain.planning.exemptions import exemptions, exemptions_text
from janitor.domain.planning.plan import Plan
from janitor.domain.planning.surprise_wording import LIFT, surprise_text
from janitor.entrypoints.cli.views.journal import PARTS, columns

STYLES = {
    "delete": "bold red",
    "retry": "bold red",
    "mark": "yellow",
    "remind": "yellow",
    "blocked": "magenta",
    "unmark": "green",
    "open": "cyan",
    "close": "cyan",
    "track": "cyan",
    "wait": "blue",
    "keep": "green",
    "ignore": "dim",
}
"""The decisions in the order of the summary, with the colour of each."""

PLANNED = {
    "delete": "to delete",
    "retry": "to delete again",
    "mark": "to mark",
    "remind": "to remind",
    "blocked": "blocked",
    "unmark": "to unmark",
    "open": "new",
    "close": "to close",
    "track": "being deleted",
    "wait": "waiting",
    "keep": "kept",
    "ignore": "not managed",
}

DONE = {
    "open": "opened",
    "reopen": "reopened",
    "close": "released",
    "update": "updated",
    "mark": "marked",
    "unmark": "unmarked",
    "tag": "tagged",
    "notify": "notice sent|notices sent",
    "revise": "message shown anew|messages shown anew",
    "answer": "answer given|answers given",
    "delete": "deletion begun|deletions begun",
    "deleted": "deletion confirmed|deletions confirmed",
    "gone": "gone by another hand",
    "mode.changed": "change of mode",
    "policy.changed": "change of policy",
    "region.refused": "region refused",
    "region.listed": "region listed again",
    "breaker.tripped": "surprise held",
    "breaker.cleared": "surprise cleared",
    "policy.accepted": "policy accepted",
    "policy.settled": "policy settled",
    "stack.forgotten": "forgotten that stacks were taken out",
    "regions.listed": "note of when regions were listed",
}
"""What came of an action, for the summary: one, and where it differs several of it."""

UNREMARKABLE = ("track",)
"""Skipped without a word: a deletion that is still under way is no news."""

UNDONE: dict[Mode, tuple[tuple[str, ...], str]] = {
    Mode.OFF: (
        ("delete", "retry", "mark", "remind", "unmark", "open", "close", "track"),
        "In mode off a sweep does none of this. Mode observe would record it.",
    ),
    Mode.OBSERVE: (
        ("delete", "retry", "mark", "remind", "unmark"),
        "In mode observe a sweep only records. Mode notify would tell and mark, enforce also delete.",
    ),
    Mode.NOTIFY: (
        ("delete", "retry"),
        "In mode notify a sweep deletes nothing. Mode enforce would.",
    ),
}
"""Which decisions a mode leaves undone, and what to say of it."""

ROOM = 50
"""Columns that a reason needs beside the others; with fewer it gets a line of its own."""


def plan_view(
    plan: Plan, zone: ZoneInfo, *, everything: bool = False, chosen: bool = False
) -> RenderableType:
    """Show a plan: refused regions, a row per managed stack, and the summary.

    Where somebody has `chosen` the regions, leases in others are counted and not shown.
    """
    left = [region for d in plan.decisions if chosen and (region := _elsewhere(d, plan))]
    if left:
        plan = replace(plan, decisions=tuple(d for d in plan.decisions if not _elsewhere(d, plan)))
    shown = [d for d in plan.decisions if everything or decision_name(d) != "ignore"]
    parts: list[RenderableType] = [_refused(plan)] if _refused(plan).plain else []
    if shown:
        parts.append(_Decisions(shown, zone, several=len(plan.regions) > 1))
    if plan.surprise:
        parts.append(Text(f"Held: {surprise_text(plan.surprise)} {LIFT}.", style="bold red"))
    if left:
        count = f"{len(left)} lease{'s' if len(left) > 1 else ''} in {', '.join(sorted(set(left)))}"
        parts.append(Text(f"Left out: {count}, where --region does not look."))
    parts.append(plan_summary(plan))
    if exempt := exemptions_text(exemptions(plan.decisions)):
        parts.append(Text(exempt))
    acts, text = UNDONE.get(plan.mode, ((), ""))
    if plan.counts.keys() & set(acts):
        parts.append(Text(text, style="yellow"))
    return Group(*parts)


def _elsewhere(decision: Decision, plan: Plan) -> str:
    """Return the region of a lease that waits only since nobody looks there, or nothing."""
    lease = decision.lease
    if isinstance(decision, Wait) and lease and lease.region not in dict(plan.regions):
        return lease.region
    return ""


def plan_summary(plan: Plan) -> Text:
    """Return the summary, as in `Plan (enforce): 1 to delete, 2 to mark, 30 kept`."""
    counts = plan.counts
    parts = [f"{counts[name]} {PLANNED[name]}" for name in STYLES if counts[name]]
    return Text(f"Plan ({plan.mode.value}): {', '.join(parts) or 'no stacks'}.", style="bold")


def _refused(plan: Plan) -> Text:
    lines = [f"{region}: left alone, {clean(error)}" for region, error in plan.regions if error]
    lines += [f"{_subject(key)}: left alone, {clean(why)}" for key, why in plan.unread]
    return Text("\n".join(lines), style="red")


def _subject(key: str) -> str:
    """Name a stack by its name and its id, so that its row can be found."""
    name = stack_name(key)
    return name if name == clean(key) else f"{name} ({clean(key)})"


class _Decisions(Struct, frozen=True):
    """A row per decision; on a narrow screen the reason gets a line of its own."""

    decisions: Sequence[Decision]
    zone: ZoneInfo
    several: bool

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Lay the decisions out for the width that there is."""
        rows = [self._cells(decision) for decision in self.decisions]
        reasons = [Text(clean(str(decision.reason))) for decision in self.decisions]
        most = options.max_width // PARTS
        widest = [max(cell.cell_len for cell in column) for column in zip(*rows, strict=True)]
        taken = sum(widest[:-1]) + min(widest[-1], most) + 2 * len(widest)
        if options.max_width - taken < min(ROOM, max(reason.cell_len for reason in reasons)):
            for cells, reason in zip(rows, reasons, strict=True):
                yield Text("  ").join(cell for cell in cells if cell.plain)
                reason.stylize("dim")
                yield Padding.indent(reason, 4)
            return
        table = columns("Decision", "Stack", *(["Region"] if self.several else []), "Expires")
        table.add_column("Owner", max_width=most, overflow="fold")
        table.add_column("Why", overflow="fold")
        for cells, reason in zip(rows, reasons, strict=True):
            table.add_row(*cells, reason)
        yield table

    def _cells(self, decision: Decision) -> list[Text]:
        lease, name = decision.lease, decision_name(decision)
        subject = lease or decision.stack
        cells = [Text(name, style=STYLES[name]), Text(subject.name if subject else "")]
        if self.several:
            cells.append(Text(subject.region if subject else ""))
        if lease is None:
            return [*cells, Text(), Text()]
        expires = "?" if lease.problem else _short(lease.expires_at, self.zone)
        return [*cells, Text(expires), Text(clean(owners_text(lease.contacts)))]


def _short(when: datetime | None, zone: ZoneInfo) -> str:
    return f"{when.astimezone(zone):%Y-%m-%d %H:%M}" if when else "never"


def outcomes_view(outcomes: Iterable[Outcome]) -> RenderableType:
    """Show what came of a sweep: a count by action, then whatever did not go as planned."""
    done: dict[str, int] = {}
    parts: list[RenderableType] = []
    for outcome in outcomes:
        if outcome.status is Status.DONE:
            done[outcome.action] = done.get(outcome.action, 0) + 1
        elif outcome.status is Status.FAILED or outcome.action not in UNREMARKABLE:
            style = "red" if outcome.status is Status.FAILED else "yellow"
            what = "delete" if outcome.action in ("failed", "needs_attention") else outcome.action
            name = stack_name(outcome.key)
            text = f"{outcome.status.value}: {what} {name}: {clean(outcome.detail)}"
            parts.append(Text(text, style=style))
    summary = ", ".join(_counted(action, count) for action, count in done.items())
    parts.append(Text(f"Applied: {summary or 'nothing to do'}.", style="bold"))
    return Group(*parts)


def _counted(action: str, count: int) -> str:
    one, _, several = DONE.get(action, action).partition("|")
    return f"{count} {several if several and count > 1 else one}"


def plan_document(plan: Plan) -> dict[str, Any]:
    """Return the plan as the one JSON object that `plan --json` prints."""
    return {
        "now": iso(plan.now),
        "mode": plan.mode.value,
        "regions": [{"region": name, "error": error or None} for name, error in plan.regions],
        "decisions": [_decision_document(decision) for decision in plan.decisions],
        "summary": {
            "managed": plan.managed,
            "due": plan.due,
            "breaker": surprise_text(plan.surprise) if plan.surprise else None,
            "never_deleted": dict(sorted(exemptions(plan.decisions).items())),
            "unreadable": [{"key": key, "error": why} for key, why in plan.unread],
            **dict(sorted(plan.counts.items())),
        },
    }


def _decision_document(decision: Decision) -> dict[str, Any]:
    lease, stack = decision.lease, decision.stack
    subject = lease or stack
    return {
        "stack_id": subject.stack_id if subject else None,
        "name": subject.name if subject else None,
        "region": subject.region if subject else None,
        "decision": decision_name(decision),
        "reason": str(decision.reason),
        "state": lease.state.value if lease and decision_name(decision) != "open" else None,
        "expires_at": iso(lease.expires_at) if lease else None,
        "delete_after": iso(lease.delete_after) if lease else None,
        "owners": [contact.address for contact in lease.contacts] if lease else [],
    }


def iso(when: datetime | None) -> str | None:
    """Return an instant as JSON shows it: ISO 8601 in UTC, with `Z`."""
    return when.isoformat().replace("+00:00", "Z") if when else None
