"""The operators' week in words: what happened, then what needs somebody."""

from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo

from janitor.core.letter import Entry, Wording
from janitor.core.times import instant_text, relative_text
from janitor.core.weekly import Line, Survivor, Week

WEEKLY = "weekly"
"""The kind of such a message."""
MOST_LINES = 10
"""Of one list; the rest is counted. `janitor audit list` and `janitor plan` have them all."""
LONGEST = 240
"""Characters of one line: channels have limits, and readers too."""


def weekly_wording(week: Week, zone: ZoneInfo) -> Wording:
    """Word the week; lists that are empty are left out."""
    deleted = len(week.deleted) + len(week.leftovers)
    subject = (
        f"[janitor] the week: {deleted} deleted, {len(week.kept)} extended,"
        f" {len(week.failed)} in trouble"
    )
    greeting = (
        "To the operators of the janitor: the week from"
        f" {instant_text(week.since, zone)} to {instant_text(week.until, zone)}."
    )
    lists: Sequence[tuple[str, str, Sequence[str]]] = (
        ("Could not be deleted", "They wait for another try, or for you.", _told(week.failed)),
        ("Deleted, but something stayed", "Please look at what is left.", _told(week.leftovers)),
        (
            "Lifetimes that cannot be read",
            "These stacks are kept until their tags are put right.",
            _told(week.unreadable),
        ),
        (
            "Owners who cannot be reached",
            "Their notices went elsewhere; please correct the owner tags.",
            [_cut(f"{line.name}: {line.detail} was told instead") for line in week.unreachable],
        ),
        ("Without an owner", "Please find out whose they are.", _told(week.ownerless)),
        ("Deleted", "Gone, and confirmed by CloudFormation.", _told(week.deleted)),
        ("Let go by their owners", "The grace runs, or has run.", _told(week.let_go)),
        ("Extended", "Kept by their owners.", _told(week.kept, "until ")),
        (
            "Extended again and again",
            "Perhaps these stacks are not so temporary.",
            [_cut(f"{who}: {n} extensions on {_stacks(m)}") for who, n, m in week.extenders],
        ),
        ("Oldest stacks", "They have been there for longest.", _old(week.oldest, week, zone)),
    )
    sections = [
        Entry(WEEKLY, f"{title} ({len(lines)})", fate=fate, lines=_first(lines))
        for title, fate, lines in lists
        if lines
    ]
    return Wording(subject, greeting, (_in_short(week), *sections))


def _in_short(week: Week) -> Entry:
    gone = len(week.deleted) + len(week.leftovers)
    happened = (
        f"{_stacks(week.open)} under lease; in this week {len(week.kept)} extended,"
        f" {len(week.let_go)} let go and {gone} deleted"
        f"{f', {len(week.leftovers)} of them with leftovers' if week.leftovers else ''}."
    )
    return Entry(WEEKLY, "In short", fate=happened, lines=(_saved(week, gone),) if gone else ())


def _saved(week: Week, gone: int) -> str:
    sums = " and ".join(f"{amount:.2f} {currency}" for currency, amount in week.savings)
    if not sums:
        return "Saved: unknown, as no tag janitor:monthly-cost says what they cost."
    rest = f"; the cost of {week.unknown_costs} of {gone} is unknown" if week.unknown_costs else ""
    return f"Saved: {sums} a month{rest}."


def _told(lines: Iterable[Line], before: str = "") -> list[str]:
    texts = []
    for line in lines:
        detail = f": {before}{line.detail}" if line.detail else ""
        owner = f", {line.owner}" if line.owner else ""
        texts.append(_cut(f"{line.name} ({line.region}){owner}{detail}"))
    return texts


def _old(survivors: Iterable[Survivor], week: Week, zone: ZoneInfo) -> list[str]:
    return [
        _cut(
            f"{one.name} ({one.region}){f', {one.owner}' if one.owner else ''}: created"
            f" {relative_text(one.created, week.until)}, ends {instant_text(one.expires_at, zone)}"
        )
        for one in survivors
    ]


def _first(lines: Sequence[str]) -> tuple[str, ...]:
    more = len(lines) - MOST_LINES
    return (*lines[:MOST_LINES], *([f"and {more} more"] if more > 0 else []))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def _stacks(count: int) -> str:
    return f"{count} stack{'' if count == 1 else 's'}"
