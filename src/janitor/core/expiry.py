"""Reading lifetimes and dates from tags, deadline arithmetic, and the deletion window."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

from janitor.core.errors import JanitorError
from janitor.core.model import EXPIRES_TAG, TTL_TAG

TTL_EXAMPLE = "for instance 90m, 36h, 3d or 2w"
EXPIRES_EXAMPLE = "for instance 2026-06-01, 20260601T120000Z or 2026-06-01T12:00:00+02:00"
LONGEST = timedelta(days=36_500)
END_OF_DAY = time(23, 59, 59)
SHOWN = 60
"""So much of a tag's value is repeated in a message; the rest becomes an ellipsis."""

_UNITS = {
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_DURATION = re.compile(r"([0-9]+)([A-Za-z]+)", re.ASCII)
_DATE = re.compile(r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})", re.ASCII)
_INSTANT = re.compile(
    r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})[Tt]"
    r"([0-9]{2}):?([0-9]{2})(?::?([0-9]{2})(?:\.[0-9]+)?)?"
    r"(Z|z|[+-][0-9]{2}:?[0-9]{2})?",
    re.ASCII,
)


class Unreadable(JanitorError):
    """A lifetime or date that cannot be read; the text shows what is right."""


class Deadline(Struct, frozen=True):
    """When a lease ends (None: never), and where that comes from."""

    at: datetime | None
    source: str


def shown(value: str) -> str:
    """Return a tag's value as messages quote it: one line, printable, not too long."""
    text = "".join(c if c.isprintable() else "·" for c in value)
    return f"'{text[: SHOWN - 1]}…'" if len(text) > SHOWN else f"'{text}'"


def parse_duration(value: str) -> timedelta:
    """Read `90m`, `36h`, `3d`, `2w`; zero is a duration. Raises `Unreadable`."""
    text = value.strip()
    if not text:
        raise Unreadable(f"is empty; {TTL_EXAMPLE}")
    match = _DURATION.fullmatch(text)
    if match is None:
        raise Unreadable(f"{shown(value)} is not a lifetime; {TTL_EXAMPLE}")
    number, unit = match.groups()
    if unit == "M":
        raise Unreadable(f"{shown(value)}: M could be minutes or months; {TTL_EXAMPLE}")
    if unit.lower() not in _UNITS:
        raise Unreadable(f"{shown(value)}: the unit is not m, h, d or w; {TTL_EXAMPLE}")
    step = _UNITS[unit.lower()]
    # The digits are compared before they are multiplied: a tag may hold 256 of them.
    if len(number.lstrip("0")) > 12 or int(number) > LONGEST // step:
        raise Unreadable(f"{shown(value)} is longer than a hundred years; {TTL_EXAMPLE}")
    return int(number) * step


def parse_ttl(value: str) -> timedelta | None:
    """Read the lifetime in a tag: a duration above zero, or None for `never`."""
    if value.strip().lower() == "never":
        return None
    lifetime = parse_duration(value)
    if not lifetime:
        raise Unreadable(f"{shown(value)} is no time at all; {TTL_EXAMPLE}")
    return lifetime


def parse_instant(value: str, zone: ZoneInfo, day_at: time = END_OF_DAY) -> datetime:
    """Read a date or an instant, and return it in UTC.

    A bare date means `day_at` of that day in `zone`: its end, if nothing else is said. A time
    of day without an offset is refused, since nobody can tell which zone was meant.
    """
    text = value.strip()
    if not text:
        raise Unreadable(f"is empty; {EXPIRES_EXAMPLE}")
    if day := _DATE.fullmatch(text):
        return datetime.combine(_at(value, day.groups()), day_at, zone).astimezone(UTC)
    match = _INSTANT.fullmatch(text)
    if match is None:
        raise Unreadable(f"{shown(value)} is not a date; {EXPIRES_EXAMPLE}")
    *day_parts, hour, minute, second, offset = match.groups()
    if offset is None:
        raise Unreadable(f"{shown(value)} has no time zone, add Z or +02:00; {EXPIRES_EXAMPLE}")
    naive = _at(value, day_parts, hour, minute, second or "00")
    return _shift(value, naive, offset)


def _at(value: str, day: tuple[str, ...] | list[str], *clock: str) -> datetime:
    try:
        when = datetime(*(int(part) for part in day), *(int(part) for part in clock))  # type: ignore[arg-type]  # noqa: DTZ001
    except ValueError as error:
        raise Unreadable(f"{shown(value)}: no such date or time; {EXPIRES_EXAMPLE}") from error
    if not 1900 < when.year < 9999:  # so that zones and graces cannot overflow
        raise Unreadable(f"{shown(value)}: the year is out of range; {EXPIRES_EXAMPLE}")
    return when


def _shift(value: str, naive: datetime, offset: str) -> datetime:
    if offset in "Zz":
        return naive.replace(tzinfo=UTC)
    hours, minutes = int(offset[1:3]), int(offset[-2:])
    if hours > 14 or minutes > 59:
        raise Unreadable(f"{shown(value)}: no such offset; {EXPIRES_EXAMPLE}")
    shift = timedelta(hours=hours, minutes=minutes)
    return (naive - shift if offset[0] == "+" else naive + shift).replace(tzinfo=UTC)


def asked_deadline(
    tags: Mapping[str, str],
    *,
    counts_from: datetime,
    rule_ttl: timedelta | None,
    allow_never: bool,
    zone: ZoneInfo,
) -> Deadline:
    """Return the deadline that tags and rule ask for, before extensions and the cap.

    The first that applies: `janitor:expires`, `janitor:ttl`, the rule's `ttl`. Raises
    `Unreadable` if the one that applies cannot be read.
    """
    if (expires := tags.get(EXPIRES_TAG)) is not None:
        with_source = f"tag {EXPIRES_TAG}={expires.strip()}"
        try:
            return Deadline(parse_instant(expires, zone), with_source)
        except Unreadable as error:
            raise Unreadable(f"tag {EXPIRES_TAG} {error}") from error
    if (ttl := tags.get(TTL_TAG)) is not None:
        try:
            lifetime = parse_ttl(ttl)
        except Unreadable as error:
            raise Unreadable(f"tag {TTL_TAG} {error}") from error
        if lifetime is None and not allow_never:
            raise Unreadable(f"tag {TTL_TAG} 'never' is not allowed by the policy; {TTL_EXAMPLE}")
        at = None if lifetime is None else counts_from + lifetime
        return Deadline(at, f"tag {TTL_TAG}={ttl.strip()}")
    if rule_ttl is None:
        raise Unreadable(f"no tag {TTL_TAG} says how long it is needed; {TTL_EXAMPLE}")
    return Deadline(counts_from + rule_ttl, "the rule's ttl")


def effective_deadline(
    asked: Deadline, extended_until: datetime | None, latest: datetime
) -> Deadline:
    """Return the later of what was asked and any extension, never past `latest`."""
    if asked.at is None:
        return asked
    at, source = asked.at, asked.source
    if extended_until is not None and extended_until > at:
        at, source = extended_until, "an extension"
    if at > latest:
        at, source = latest, f"max_lifetime, which cuts {source}"
    return Deadline(at, source)


class Window(Struct, frozen=True):
    """When deletions may run: days of the week (0 is Monday) and hours, in a zone.

    `end` at or before `start` means the window runs past midnight and belongs to the
    day on which it opens; both at midnight is the whole day.
    """

    days: frozenset[int]
    start: time
    end: time
    zone: ZoneInfo

    def next_open(self, now: datetime) -> datetime:
        """Return `now` if the window is open, else the instant at which it opens next."""
        today = now.astimezone(self.zone).date()
        # The one opening of a week may fall into the hour that summer time skips.
        for offset in range(-1, 16):
            day = date.fromordinal(today.toordinal() + offset)
            if day.weekday() not in self.days:
                continue
            opens, closes = self._bounds(day)
            if opens <= now < closes:
                return now
            if now < opens < closes:  # each later day opens later still
                return opens
        raise ValueError("a window has at least one day")

    def is_open(self, now: datetime) -> bool:
        """Tell whether deletions may run at `now`."""
        return self.next_open(now) == now

    def _bounds(self, day: date) -> tuple[datetime, datetime]:
        last = day if self.end > self.start else date.fromordinal(day.toordinal() + 1)
        opens = datetime.combine(day, self.start, tzinfo=self.zone)
        closes = datetime.combine(last, self.end, tzinfo=self.zone)
        return opens.astimezone(UTC), closes.astimezone(UTC)
