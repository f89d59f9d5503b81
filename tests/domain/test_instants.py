"""Instants as people read them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from janitor.domain.instants import instant_text, relative_text, span_text

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "zone, text",
    [
        ("UTC", "Mon 1 Jun 2026 12:00 UTC"),
        ("Europe/Berlin", "Mon 1 Jun 2026 14:00 CEST"),
        ("America/New_York", "Mon 1 Jun 2026 08:00 EDT"),
        ("Pacific/Auckland", "Tue 2 Jun 2026 00:00 NZST"),
        ("Asia/Kathmandu", "Mon 1 Jun 2026 17:45 UTC+05:45"),
        ("America/Sao_Paulo", "Mon 1 Jun 2026 09:00 UTC-03"),
    ],
)
def test_an_instant_is_told_with_day_and_zone(zone: str, text: str) -> None:
    """A zone that has no letters is told by its offset."""
    assert instant_text(NOON, ZoneInfo(zone)) == text


def test_the_zone_tells_the_two_hours_of_an_autumn_night_apart() -> None:
    """Half past two comes twice."""
    berlin = ZoneInfo("Europe/Berlin")
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert instant_text(first, berlin) == "Sun 25 Oct 2026 02:30 CEST"
    assert instant_text(first + timedelta(hours=1), berlin) == "Sun 25 Oct 2026 02:30 CET"


def test_no_deadline_is_never() -> None:
    """None is a word."""
    assert instant_text(None, ZoneInfo("UTC")) == "never"


SPANS = [
    (0, "less than a minute"),
    (59, "less than a minute"),
    (60, "1 minute"),
    (119, "1 minute"),
    (120, "2 minutes"),
    (3600, "1 hour"),
    (3660, "1 hour 1 minute"),
    (7200, "2 hours"),
    (86_400, "1 day"),
    (86_400 + 60, "1 day"),
    (86_400 + 3600, "1 day 1 hour"),
    (2 * 86_400 + 3 * 3600 + 59 * 60, "2 days 3 hours"),
    (13 * 86_400 + 23 * 3600, "13 days 23 hours"),
    (14 * 86_400, "14 days"),
    (14 * 86_400 + 23 * 3600, "14 days"),
    (400 * 86_400, "400 days"),
]


@pytest.mark.parametrize("seconds, text", SPANS)
def test_a_span_is_told_in_its_two_largest_units(seconds: int, text: str) -> None:
    """Never more than there is: it is rounded down."""
    assert span_text(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    "seconds, text",
    [
        (1, "in less than a minute"),
        (0, "now"),
        (-59, "now"),
        (-60, "1 minute ago"),
        (86_399, "in 23 hours 59 minutes"),
        (86_400, "in 1 day"),
        (-90_000, "1 day 1 hour ago"),
    ],
)
def test_an_instant_is_told_relative_to_now(seconds: int, text: str) -> None:
    """Ahead, now, or ago."""
    assert relative_text(NOON + timedelta(seconds=seconds), NOON) == text


@given(
    st.datetimes(timezones=st.just(UTC)).filter(lambda when: 2 < when.year < 9998),
    st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns"]),
)
def test_any_instant_can_be_told(when: datetime, zone: str) -> None:
    """In any zone, at any distance."""
    assert instant_text(when, ZoneInfo(zone)).isprintable()
    assert relative_text(when, NOON).isprintable()
