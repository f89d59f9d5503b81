"""A deadline as a calendar file (RFC 5545), for whoever wants it beside their meetings."""

import hashlib
import re
from datetime import datetime
from zoneinfo import ZoneInfo

from janitor.domain.instants import instant_text
from janitor.domain.lease.owners import clean
from janitor.domain.model import Lease, LeaseState
from janitor.domain.stack.console_links import console_page

LONGEST_LINE = 75
"""Octets, without the line's end."""


def calendar_of(lease: Lease, now: datetime, zone: ZoneInfo) -> str:
    """Return the file; empty if nothing lies ahead that has a date.

    The event is the deadline, or once that is past the earliest deletion. The same stack and
    generation are the same event, so that importing it again moves it. No link is in it that
    could extend: calendars are shared.
    """
    name = clean(lease.name)
    if lease.state not in (LeaseState.ACTIVE, LeaseState.MARKED):
        return ""
    if lease.expires_at is not None and lease.expires_at > now:
        when, title, moved = lease.expires_at, f"{name} ends", 0
        fate = "It is then marked for deletion, and its owner gets a final notice."
    elif lease.delete_after is not None and lease.delete_after > now:
        when, title, moved = lease.delete_after, f"{name} may be deleted", 1
        fate = "It is marked for deletion, and this is the earliest date for that."
    else:
        return ""
    text = (
        f"Stack {name} in {lease.region}. {title} {instant_text(when, zone)}. {fate}"
        " To keep it, open the link in the newest notice of the janitor."
        " If it was extended since, this entry is out of date."
    )
    page = console_page(lease.stack_id)
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//janitor//deadline//EN",
        "METHOD:PUBLISH",
        "BEGIN:VEVENT",
        f"UID:{hashlib.sha256(lease.stack_id.encode()).hexdigest()[:32]}-{lease.generation}@janitor",
        f"SEQUENCE:{moved}",
        f"DTSTAMP:{_utc(now)}",
        f"DTSTART:{_utc(when)}",
        f"SUMMARY:{_escaped(title)}",
        f"DESCRIPTION:{_escaped(text)}",
        *([f"URL:{page}"] if page else []),
        "TRANSP:TRANSPARENT",
        "BEGIN:VALARM",
        "ACTION:DISPLAY",
        f"DESCRIPTION:{_escaped(title)} in a day",
        "TRIGGER:-P1D",
        "END:VALARM",
        "END:VEVENT",
        "END:VCALENDAR",
    ]
    return "".join(f"{_folded(line)}\r\n" for line in lines)


def _utc(when: datetime) -> str:
    return f"{when:%Y%m%dT%H%M%SZ}"


def _escaped(text: str) -> str:
    return re.sub(r"([\\;,])", r"\\\1", clean(text))


def _folded(line: str) -> str:
    """Break a line so that none is too long; a character of several octets stays whole."""
    parts, size = [""], 0
    for character in line:
        octets = len(character.encode())
        if size + octets > LONGEST_LINE:
            parts.append("")
            size = 1  # the blank that continues a line
        parts[-1] += character
        size += octets
    return "\r\n ".join(parts)
