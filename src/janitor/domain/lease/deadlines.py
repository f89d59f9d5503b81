"""Reading lifetimes and dates as people write them, and the deadline that they make."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from msgspec import Struct

from janitor.domain.errors import JanitorError
from janitor.domain.model import EXPIRES_TAG, TTL_TAG
from janitor.domain.stack.tag_keys import lookup

TTL_EXAMPLE = "for instance 90m, 36h, 3d or 2w"
EXPIRES_EXAMPLE = "for instance 2026-06-01, 20260601T120000Z or 2026-06-01T12:00:00+02:00"
LONGEST = timedelta(days=36_500)
SHOWN = 60
"""So much of a tag's value is repeated in a message; the rest becomes an ellipsis."""
END_OF_DAY = time(23, 59, 59, fold=1)
"""The later of two such where clocks go back at midnight, and the last second that there is
where they go forward before it (`America/Nuuk`)."""

_MINUTE, _HOUR, _DAY, _WEEK = (
    timedelta(minutes=1),
    timedelta(hours=1),
    timedelta(days=1),
    timedelta(weeks=1),
)
_UNITS = {
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), _MINUTE),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), _HOUR),
    **dict.fromkeys(("d", "day", "days"), _DAY),
    **dict.fromkeys(("w", "wk", "wks", "week", "weeks"), _WEEK),
}
_UNEQUAL = frozenset({"mo", "mos", "mon", "month", "months", "y", "yr", "yrs", "year", "years"})
_ENDLESS = frozenset(
    {"forever", "permanent", "permanently", "infinite", "infinity", "indefinite", "indefinitely"}
    | {"endless", "unlimited", "always", "eternal"}
)
_DURATION = re.compile("([0-9]+)[ \N{NO-BREAK SPACE}]*([A-Za-z]+)")
_NUMBER = re.compile(r"[0-9]+")
_ISO = re.compile(
    r"P(?=.)(?:([0-9]+)Y)?(?:([0-9]+)M)?(?:([0-9]+)W)?(?:([0-9]+)D)?"
    r"(?:T(?=.)(?:([0-9]+)H)?(?:([0-9]+)M)?(?:([0-9]+)S)?)?",
    re.ASCII | re.IGNORECASE,
)
_ISO_STEPS = (_WEEK, _DAY, _HOUR, _MINUTE, timedelta(seconds=1))
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


@lru_cache(maxsize=1024)
def parse_duration(value: str) -> timedelta:
    """Read `90m`, `3d`, `3 days` or `P7D`; zero is a duration. Raises `Unreadable`."""
    text = value.strip()
    if not text:
        raise Unreadable(f"is empty; {TTL_EXAMPLE}")
    if match := _DURATION.fullmatch(text):
        return _sum(value, ((match[1], _step(value, match[2])),))
    if iso := _ISO.fullmatch(text):
        return _iso(value, iso)
    if _NUMBER.fullmatch(text):
        raise Unreadable(f"{shown(value)} has no unit; {_with_unit(text)}")
    raise Unreadable(f"{shown(value)} is not a lifetime; {TTL_EXAMPLE}")


def parse_ttl(value: str) -> timedelta | None:
    """Read the lifetime in a tag: a duration above zero, or None for `never`."""
    text = value.strip().lower()
    if text == "never":
        return None
    if text in _ENDLESS:
        why = f"{shown(value)} is not a lifetime; the word for no end is never"
        raise Unreadable(f"{why}, where the policy allows it; {TTL_EXAMPLE}")
    lifetime = parse_duration(value)
    if not lifetime:
        raise Unreadable(f"{shown(value)} is no time at all; {TTL_EXAMPLE}")
    return lifetime


def _step(value: str, unit: str) -> timedelta:
    if unit == "M":
        raise Unreadable(f"{shown(value)}: M could be minutes or months; {TTL_EXAMPLE}")
    if unit.lower() in _UNEQUAL:
        raise _unequal(value)
    if unit.lower() not in _UNITS:
        raise Unreadable(f"{shown(value)}: the unit is not m, h, d or w; {TTL_EXAMPLE}")
    return _UNITS[unit.lower()]


def _iso(value: str, match: re.Match[str]) -> timedelta:
    years, months, *counts = match.groups()
    if (years or "").strip("0") or (months or "").strip("0"):
        raise _unequal(value)
    parts = zip(counts, _ISO_STEPS, strict=True)
    total = _sum(value, ((count, step) for count, step in parts if count))
    if total % _MINUTE:
        raise Unreadable(f"{shown(value)} is not in whole minutes; for instance PT90M or 90m")
    return total


def _unequal(value: str) -> Unreadable:
    why = "months and years differ in length, write days"
    return Unreadable(f"{shown(value)}: {why}; for instance 30d or P30D")


def _with_unit(digits: str) -> str:
    number = digits.lstrip("0")
    return f"for instance {number}d" if 0 < len(number) <= 4 else "for instance 30d"


def _sum(value: str, parts: Iterable[tuple[str, timedelta]]) -> timedelta:
    """Add up counts of steps. A tag may hold 256 digits: they are compared before multiplied."""
    total = timedelta(0)
    for count, step in parts:
        digits = count.lstrip("0") or "0"
        if len(digits) > 12 or int(digits) > (LONGEST - total) // step:
            raise Unreadable(f"{shown(value)} is longer than a hundred years; {TTL_EXAMPLE}")
        total += int(digits) * step
    return total


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
    ttl_tags: Sequence[str] = (TTL_TAG,),
    expires_tags: Sequence[str] = (EXPIRES_TAG,),
) -> Deadline:
    """Return the deadline that tags and rule ask for, before extensions and the cap.

    The first that applies: a tag with a date, one with a lifetime (of each kind the first of
    the keys that there is), the rule's `ttl`. Raises `Unreadable` if that cannot be read.
    """
    if found := lookup(tags, expires_tags):
        key, expires = found
        try:
            return Deadline(parse_instant(expires, zone), f"tag {key}={expires.strip()}")
        except Unreadable as error:
            raise Unreadable(f"tag {key} {error}") from error
    if found := lookup(tags, ttl_tags):
        key, ttl = found
        try:
            lifetime = parse_ttl(ttl)
        except Unreadable as error:
            raise Unreadable(f"tag {key} {error}") from error
        if lifetime is None and not allow_never:
            raise Unreadable(f"tag {key} 'never' is not allowed by the policy; {TTL_EXAMPLE}")
        at = None if lifetime is None else counts_from + lifetime
        return Deadline(at, f"tag {key}={' '.join(ttl.split())}")
    if rule_ttl is None:
        raise Unreadable(f"no tag {ttl_tags[0]} says how long it is needed; {TTL_EXAMPLE}")
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
