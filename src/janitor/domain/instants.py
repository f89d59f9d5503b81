"""Instants as people read them: absolute, with the zone, and relative to now."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

AMBIGUOUS = frozenset({"CDT", "CST", "IST", "PST"})
"""Names that zones with different offsets have: Chicago and Shanghai, Dublin and Kolkata."""


def instant_text(when: datetime | None, zone: ZoneInfo) -> str:
    """Return `Mon 1 Jun 2026 14:00 CEST`; None is `never`.

    A zone without letters for its name (`+03`) is shown as `UTC+03`, and so is one whose
    name others have as well.
    """
    if when is None:
        return "never"
    local = when.astimezone(zone)
    name = local.tzname() or "UTC"
    if name[0] in "+-" or name in AMBIGUOUS:
        offset = f"{local:%z}"
        name = f"UTC{offset[:3]}" + (f":{offset[3:5]}" if offset[3:5] != "00" else "")
    return f"{local:%a} {local.day} {local:%b} {local.year} {local:%H:%M} {name}"


def short_text(when: datetime, zone: ZoneInfo) -> str:
    """Return `Mon 1 Jun 14:00 CEST`: for an instant within some weeks, where room is scarce."""
    return instant_text(when, zone).replace(f" {when.astimezone(zone).year} ", " ", 1)


def span_text(span: timedelta) -> str:
    """Return a span in its two largest units: `2 days 3 hours`, `40 minutes`."""
    minutes = int(span.total_seconds() // 60)
    days, rest = divmod(minutes, 24 * 60)
    hours, minutes = divmod(rest, 60)
    if days >= 14:
        return f"{days} days"
    parts = [(days, "day"), (hours, "hour"), (minutes if not days else 0, "minute")]
    texts = [f"{n} {unit}{'' if n == 1 else 's'}" for n, unit in parts if n]
    return " ".join(texts[:2]) or "less than a minute"


def relative_text(when: datetime, now: datetime) -> str:
    """Return `in 2 days 3 hours` or `40 minutes ago`."""
    if when > now:
        return f"in {span_text(when - now)}"
    if now - when < timedelta(minutes=1):
        return "now"
    return f"{span_text(now - when)} ago"
