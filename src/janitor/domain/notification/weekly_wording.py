"""The operators' week in words: what happened, then what needs somebody."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from janitor.domain.instants import instant_text, relative_text
from janitor.domain.notification.commands import NOWHERE, Place, to_look_at_it, to_see_what_is_held
from janitor.domain.notification.digest import Entry, Wording
from janitor.domain.notification.weekly import Line, Survivor, Week
from janitor.domain.planning.exemptions import exemptions_text

WEEKLY = "weekly"
"""The kind of such a message."""
MOST_LINES = 10
"""Of one list; the rest is counted. `janitor audit list` and `janitor plan` have them all."""
LONGEST = 240
"""Characters of one line: channels have limits, and readers too."""

REFUSED = "Regions that cannot be listed"


def weekly_wording(week: Week, zone: ZoneInfo, place: Place = NOWHERE) -> Wording:
    """Word the week; lists that are empty are left out."""
    deleted = len(week.deleted) + len(week.leftovers)
    subject = (
        f"[janitor] the week: {'something is held, ' if week.hold else ''}"
        f"{deleted} deleted, {len(week.kept)} extended,"
        f" {len(week.failed) + len(week.held)} in trouble"
    )
    greeting = (
        "To the operators of the janitor: the week from"
        f" {instant_text(week.since, zone)} to {instant_text(week.until, zone)}."
    )
    lists: Sequence[tuple[str, str, Sequence[str]]] = (
        (
            REFUSED,
            "Nothing there is marked or deleted meanwhile.",
            week.refused,
        ),
        (
            "Due, and held up",
            "They stay until somebody does something about what holds them up.",
            _held(week.held, week, zone),
        ),
        ("Could not be deleted", "They wait for another try, or for you.", _told(week.failed)),
        ("Deleted, but something stayed", "Please look at what is left.", _told(week.leftovers)),
        (
            "Lifetimes to put right",
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
        ("Let go", "The grace runs, or has run.", _told(week.let_go)),
        ("Extended", "Kept for longer.", _told(week.kept)),
        (
            "Extended again and again",
            "Perhaps these stacks are not so temporary.",
            [_cut(f"{_stacks(m)} of {who}: {n} extensions") for who, n, m in week.extenders],
        ),
        ("Oldest stacks", "They have been there for longest.", _old(week.oldest, week, zone)),
    )
    sections = [
        Entry(
            WEEKLY,
            f"{title} ({len(lines)})",
            fate=fate,
            lines=_first(lines),
            commands=(to_look_at_it(place),) if title == REFUSED else (),
        )
        for title, fate, lines in lists
        if lines
    ]
    return Wording(subject, greeting, (*_held_back(week, zone, place), _in_short(week), *sections))


def _held_back(week: Week, zone: ZoneInfo, place: Place) -> Iterator[Entry]:
    """Say what a surprise holds, since when, and what to do about it."""
    if hold := week.hold:
        since = f"{instant_text(hold.since, zone)} ({relative_text(hold.since, week.until)})"
        text = f"Since {since}: {hold.text}"
        yield Entry(WEEKLY, "Something is held", fate=text, commands=(to_see_what_is_held(place),))


def _in_short(week: Week) -> Entry:
    gone = len(week.deleted) + len(week.leftovers)
    happened = (
        f"{_stacks(week.open)} under lease"
        f"{f', {len(week.held)} of them due and held up' if week.held else ''}; in this week {len(week.kept)} extended,"
        f" {len(week.let_go)} let go and {gone} deleted"
        f"{f', {len(week.leftovers)} of them with leftovers' if week.leftovers else ''}."
    )
    saved = _saved(week, gone) if gone else ""
    lines = tuple(filter(None, (saved, exemptions_text(week.exempt))))
    return Entry(WEEKLY, "In short", fate=happened, lines=lines)


def _saved(week: Week, gone: int) -> str:
    sums = " and ".join(f"{amount:.2f} {currency}" for currency, amount in week.savings)
    if not sums:
        return "Saved: unknown, as no tag janitor:monthly-cost says what they cost."
    rest = f"; the cost of {week.unknown_costs} of {gone} is unknown" if week.unknown_costs else ""
    return f"Saved: {sums} a month{rest}."


def _told(lines: Iterable[Line]) -> list[str]:
    return [_of(line, line.detail) for line in lines]


def _held(lines: Iterable[Line], week: Week, zone: ZoneInfo) -> list[str]:
    return [_of(line, f"{_end(line.due, week, zone)}; {line.detail}") for line in lines]


def _old(survivors: Iterable[Survivor], week: Week, zone: ZoneInfo) -> list[str]:
    return [
        _of(
            one,
            f"created {relative_text(one.created, week.until)}, {_end(one.expires_at, week, zone)}",
        )
        for one in survivors
    ]


def _of(one: Line | Survivor, what: str) -> str:
    """Return one line about a stack: name, region, owner, and what is to be said."""
    owner = f", {one.owner}" if one.owner else ""
    return _cut(f"{one.name} ({one.region}){owner}{f': {what}' if what else ''}")


def _end(at: datetime | None, week: Week, zone: ZoneInfo) -> str:
    if at is None:
        return "has no end"
    is_past = at <= week.until
    return f"{'due since' if is_past else 'ends'} {instant_text(at, zone)}"


def _first(lines: Sequence[str]) -> tuple[str, ...]:
    more = len(lines) - MOST_LINES
    return (*lines[:MOST_LINES], *([f"and {more} more"] if more > 0 else []))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def _stacks(count: int) -> str:
    return f"{count} stack{'' if count == 1 else 's'}"
