"""Durations as policies and tags write them, and as fields of the policy."""

from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

from janitor.domain.lease.deadlines import Unreadable, parse_duration


def duration_text(value: timedelta) -> str:
    """Return a duration the way policies and tags write it: `90m`, `36h`, `3d`."""
    minutes = int(value.total_seconds() // 60)
    if minutes and minutes % (24 * 60) == 0:
        return f"{minutes // (24 * 60)}d"
    return f"{minutes // 60}h" if minutes % 60 == 0 else f"{minutes}m"


def hours_text(value: timedelta) -> str:
    """Return a reminder's stage: hours where it comes out even, so that 48h stays 48h."""
    minutes = int(value.total_seconds() // 60)
    return f"{minutes // 60}h" if minutes % 60 == 0 else f"{minutes}m"


def _duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a duration; for instance 90m, 36h, 3d or 2w")
    try:
        return parse_duration(value)
    except Unreadable as error:
        raise ValueError(str(error).replace("a lifetime", "a duration")) from error


def _positive(value: timedelta) -> timedelta:
    if not value:
        raise ValueError("must be longer than zero; for instance 24h")
    return value


AnyDuration = Annotated[timedelta, BeforeValidator(_duration), PlainSerializer(duration_text)]
Duration = Annotated[
    timedelta,
    BeforeValidator(lambda value: _positive(_duration(value))),
    PlainSerializer(duration_text),
]
