"""Lifetimes and dates as people write them, the deadline they make, and the window."""

import contextlib
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from janitor.domain.lease.deadlines import (
    Deadline,
    Unreadable,
    asked_deadline,
    effective_deadline,
    parse_duration,
    parse_instant,
    parse_ttl,
    shown,
)
from janitor.domain.policy.window import Window

CREATED = datetime(2026, 5, 1, 8, tzinfo=UTC)
TTL_HELP = "; for instance 90m, 36h, 3d or 2w"
DATE_HELP = "; for instance 2026-06-01, 20260601T120000Z or 2026-06-01T12:00:00+02:00"
UTC_ZONE = ZoneInfo("UTC")
BERLIN = ZoneInfo("Europe/Berlin")
AUCKLAND = ZoneInfo("Pacific/Auckland")
NEW_YORK = ZoneInfo("America/New_York")
SANTIAGO = ZoneInfo("America/Santiago")
CAIRO = ZoneInfo("Africa/Cairo")
NUUK = ZoneInfo("America/Nuuk")


def ttl(text: str, days: float) -> tuple[dict[str, str], ZoneInfo, datetime]:
    """Pair a `janitor:ttl` with the deadline it makes, so many days after creation."""
    return {"janitor:ttl": text}, UTC_ZONE, CREATED + timedelta(days=days)


def bad_ttl(text: str, why: str) -> tuple[dict[str, str], ZoneInfo, str]:
    """Pair a `janitor:ttl` with what its owner is told."""
    return {"janitor:ttl": text}, UTC_ZONE, f"tag janitor:ttl {why}{TTL_HELP}"


def no_unit(text: str, example: str) -> tuple[dict[str, str], ZoneInfo, str]:
    """Pair a number alone with what its owner is told."""
    quoted = f"'{text[:59]}…'" if len(text) > 60 else f"'{text}'"
    said = f"tag janitor:ttl {quoted} has no unit; for instance {example}"
    return {"janitor:ttl": text}, UTC_ZONE, said


def unequal(text: str) -> tuple[dict[str, str], ZoneInfo, str]:
    """Pair a lifetime in months or years with what its owner is told."""
    why = "months and years differ in length, write days; for instance 30d or P30D"
    return {"janitor:ttl": text}, UTC_ZONE, f"tag janitor:ttl '{text}': {why}"


def endless(text: str) -> tuple[dict[str, str], ZoneInfo, str]:
    """Pair a word for no end with the word that is read."""
    why = "is not a lifetime; the word for no end is never, where the policy allows it"
    return bad_ttl(text, f"'{text}' {why}")


def expires(
    text: str, at: str, zone: ZoneInfo = UTC_ZONE
) -> tuple[dict[str, str], ZoneInfo, datetime]:
    """Pair a `janitor:expires` with the deadline it makes, in UTC."""
    return {"janitor:expires": text}, zone, datetime.fromisoformat(at)


def bad_expires(text: str, why: str) -> tuple[dict[str, str], ZoneInfo, str]:
    """Pair a `janitor:expires` with what its owner is told."""
    return {"janitor:expires": text}, UTC_ZONE, f"tag janitor:expires {why}{DATE_HELP}"


HOUR = 1 / 24
TABLE = [
    # units
    ttl("90m", 1.5 * HOUR),
    ttl("1m", HOUR / 60),
    ttl("36h", 1.5),
    ttl("3d", 3),
    ttl("2w", 14),
    ttl("3D", 3),
    ttl("36H", 1.5),
    ttl("2W", 14),
    ttl("03d", 3),
    ttl("0000000000000000003d", 3),
    ttl("36500d", 36_500),
    bad_ttl("90M", "'90M': M could be minutes or months"),
    unequal("3y"),
    unequal("3mo"),
    bad_ttl("3sec", "'3sec': the unit is not m, h, d or w"),
    bad_ttl("3s", "'3s': the unit is not m, h, d or w"),
    bad_ttl("3hH", "'3hH': the unit is not m, h, d or w"),
    # a number alone
    no_unit("30", "30d"),
    no_unit("3", "3d"),
    no_unit("0", "30d"),
    no_unit("1780300800", "30d"),
    # words
    *(ttl(text, 90 * HOUR / 60) for text in ("90min", "90 mins", "90 minute", "90 Minutes")),
    *(ttl(text, 36 * HOUR) for text in ("36hr", "36 hrs", "36 hour", "36HOURS", "36 h")),
    ttl("1 hour", HOUR),
    *(ttl(text, 3) for text in ("3day", "3 days", "3days", "3 DAYS", "3 d", "3  d")),
    *(ttl(text, 14) for text in ("2week", "2weeks", "2 wk", "2wks", "2 Weeks")),
    ttl("3\N{NO-BREAK SPACE}days", 3),
    unequal("1 month"),
    unequal("2 Years"),
    bad_ttl("three days", "'three days' is not a lifetime"),
    bad_ttl("3 days 2 hours", "'3 days 2 hours' is not a lifetime"),
    bad_ttl("3 days.", "'3 days.' is not a lifetime"),
    bad_ttl("3 fortnights", "'3 fortnights': the unit is not m, h, d or w"),
    # ISO 8601
    ttl("P7D", 7),
    ttl("p7d", 7),
    ttl("P2W", 14),
    ttl("PT36H", 1.5),
    ttl("PT90M", 1.5 * HOUR),
    ttl("P1DT12H", 1.5),
    ttl("P1W2DT3H4M", 9 + 3 * HOUR + 4 * HOUR / 60),
    ttl("P7DT0H0M0S", 7),
    ttl("P0Y0M7D", 7),
    ttl("PT7200S", 2 * HOUR),
    unequal("P1Y"),
    unequal("P1M"),
    unequal("p6m"),
    unequal("P1Y2M3DT4H"),
    (
        {"janitor:ttl": "PT90S"},
        UTC_ZONE,
        "tag janitor:ttl 'PT90S' is not in whole minutes; for instance PT90M or 90m",
    ),
    *(
        bad_ttl(text, f"'{text}' is not a lifetime")
        for text in (
            "P",
            "PT",
            "P1DT",
            "P1",
            "P1H",
            "PT1D",
            "P-1D",
            "-P1D",
            "P1.5D",
            "P1D2W",
        )
    ),
    bad_ttl("P0D", "'P0D' is no time at all"),
    bad_ttl("P36500DT1H", "'P36500DT1H' is longer than a hundred years"),
    bad_ttl("P9999999999999W", "'P9999999999999W' is longer than a hundred years"),
    # other things
    bad_ttl("d", "'d' is not a lifetime"),
    bad_ttl("d3", "'d3' is not a lifetime"),
    bad_ttl("tomorrow", "'tomorrow' is not a lifetime"),
    bad_ttl("1d12h", "'1d12h' is not a lifetime"),
    bad_ttl("1d 12h", "'1d 12h' is not a lifetime"),
    bad_ttl("1.5d", "'1.5d' is not a lifetime"),
    bad_ttl("1,5d", "'1,5d' is not a lifetime"),
    bad_ttl("1e3d", "'1e3d' is not a lifetime"),
    bad_ttl("3_0d", "'3_0d' is not a lifetime"),
    bad_ttl("2026-06-01", "'2026-06-01' is not a lifetime"),
    # zero, signs, huge
    bad_ttl("0d", "'0d' is no time at all"),
    bad_ttl("000m", "'000m' is no time at all"),
    bad_ttl("-3d", "'-3d' is not a lifetime"),
    bad_ttl("+3d", "'+3d' is not a lifetime"),
    bad_ttl("\N{MINUS SIGN}3d", "'\N{MINUS SIGN}3d' is not a lifetime"),
    bad_ttl("36501d", "'36501d' is longer than a hundred years"),
    bad_ttl("99999999w", "'99999999w' is longer than a hundred years"),
    bad_ttl("9999999999999d", "'9999999999999d' is longer than a hundred years"),
    no_unit("9" * 256, "30d"),
    bad_ttl("9" * 255 + "d", f"'{'9' * 59}…' is longer than a hundred years"),
    # blanks and spaces
    bad_ttl("", "is empty"),
    bad_ttl("   ", "is empty"),
    bad_ttl("\t\n\N{NO-BREAK SPACE}", "is empty"),
    ttl("  3d  ", 3),
    ttl("\t3d\n", 3),
    ttl("\N{NO-BREAK SPACE}3d\N{NO-BREAK SPACE}", 3),
    ttl("\N{IDEOGRAPHIC SPACE}3d", 3),
    bad_ttl("3\td", "'3·d' is not a lifetime"),
    bad_ttl("3d\N{ZERO WIDTH SPACE}", "'3d·' is not a lifetime"),
    bad_ttl("\N{RIGHT-TO-LEFT OVERRIDE}3d", "'·3d' is not a lifetime"),
    bad_ttl("3d\x00", "'3d·' is not a lifetime"),
    # unicode digits and letters that only look like ours
    bad_ttl("\u0663d", "'\u0663d' is not a lifetime"),
    bad_ttl("\uff13d", "'\uff13d' is not a lifetime"),
    bad_ttl("3\N{CYRILLIC SMALL LETTER DE}", "'3\N{CYRILLIC SMALL LETTER DE}' is not a lifetime"),
    bad_ttl("\N{SUPERSCRIPT THREE}d", "'\N{SUPERSCRIPT THREE}d' is not a lifetime"),
    # never, where the rule does not allow it
    bad_ttl("never", "'never' is not allowed by the policy"),
    bad_ttl("NeVeR", "'never' is not allowed by the policy"),
    bad_ttl("nevermore", "'nevermore' is not a lifetime"),
    *map(endless, ("forever", "Permanent", "infinite", "unlimited")),
    # dates: the end of that day in the policy's zone
    expires("2026-06-01", "2026-06-01T23:59:59+00:00"),
    expires("20260601", "2026-06-01T23:59:59+00:00"),
    expires(" 2026-06-01\t", "2026-06-01T23:59:59+00:00"),
    expires("2024-02-29", "2024-02-29T23:59:59+00:00"),
    expires("2026-06-01", "2026-06-01T21:59:59+00:00", BERLIN),
    expires("2026-03-28", "2026-03-28T22:59:59+00:00", BERLIN),
    expires("2026-03-29", "2026-03-29T21:59:59+00:00", BERLIN),
    expires("2026-10-24", "2026-10-24T21:59:59+00:00", BERLIN),
    expires("2026-10-25", "2026-10-25T22:59:59+00:00", BERLIN),
    expires("2026-06-01", "2026-06-01T11:59:59+00:00", AUCKLAND),
    expires("2026-04-04", "2026-04-04T10:59:59+00:00", AUCKLAND),
    expires("2026-04-05", "2026-04-05T11:59:59+00:00", AUCKLAND),
    expires("2026-03-07", "2026-03-08T04:59:59+00:00", NEW_YORK),
    expires("2026-03-08", "2026-03-09T03:59:59+00:00", NEW_YORK),
    expires("2026-11-01", "2026-11-02T04:59:59+00:00", NEW_YORK),
    # clocks that go back at midnight: the day ends at the later of two such instants
    expires("2026-04-03", "2026-04-04T02:59:59+00:00", SANTIAGO),
    expires("2026-04-04", "2026-04-05T03:59:59+00:00", SANTIAGO),
    expires("2026-04-05", "2026-04-06T03:59:59+00:00", SANTIAGO),
    expires("2026-10-28", "2026-10-28T20:59:59+00:00", CAIRO),
    expires("2026-10-29", "2026-10-29T21:59:59+00:00", CAIRO),
    expires("2026-04-05", "2026-04-05T21:59:59+00:00", CAIRO),
    expires("2026-03-28", "2026-03-29T00:59:59+00:00", NUUK),  # its last hour is skipped
    expires("2026-10-24", "2026-10-25T01:59:59+00:00", NUUK),
    expires("1901-01-01", "1901-01-01T23:59:59+00:00"),
    expires("9998-12-31", "9998-12-31T23:59:59+00:00"),
    bad_expires("2026-02-30", "'2026-02-30': no such date or time"),
    bad_expires("2025-02-29", "'2025-02-29': no such date or time"),
    bad_expires("2026-13-01", "'2026-13-01': no such date or time"),
    bad_expires("2026-00-10", "'2026-00-10': no such date or time"),
    bad_expires("0000-01-01", "'0000-01-01': no such date or time"),
    bad_expires("0001-01-01", "'0001-01-01': the year is out of range"),
    bad_expires("1900-12-31", "'1900-12-31': the year is out of range"),
    bad_expires("9999-12-31", "'9999-12-31': the year is out of range"),
    bad_expires(
        "9999-12-31T23:59:59-12:00", "'9999-12-31T23:59:59-12:00': the year is out of range"
    ),
    bad_expires("2026-W23", "'2026-W23' is not a date"),
    bad_expires("2026-W23-1", "'2026-W23-1' is not a date"),
    bad_expires("2026-152", "'2026-152' is not a date"),
    bad_expires("01.06.2026", "'01.06.2026' is not a date"),
    bad_expires("6/1/2026", "'6/1/2026' is not a date"),
    bad_expires("2026-6-1", "'2026-6-1' is not a date"),
    bad_expires("1780300800", "'1780300800' is not a date"),
    bad_expires("3d", "'3d' is not a date"),
    bad_expires("never", "'never' is not a date"),
    bad_expires("\u0662\u0660\u0662\u0666-06-01", "'\u0662\u0660\u0662\u0666-06-01' is not a date"),
    bad_expires("2026\N{EN DASH}06\N{EN DASH}01", "'2026\N{EN DASH}06\N{EN DASH}01' is not a date"),
    # instants
    expires("20260601T120000Z", "2026-06-01T12:00:00+00:00"),
    expires("2026-06-01T12:00:00Z", "2026-06-01T12:00:00+00:00"),
    expires("2026-06-01t12:00:00z", "2026-06-01T12:00:00+00:00"),
    expires("2026-06-01T12:00Z", "2026-06-01T12:00:00+00:00"),
    expires("2026-06-01T12:00:00+02:00", "2026-06-01T10:00:00+00:00"),
    expires("2026-06-01T12:00:00+0200", "2026-06-01T10:00:00+00:00"),
    expires("20260601T1200-0530", "2026-06-01T17:30:00+00:00"),
    expires("2026-06-01T12:00:00-00:00", "2026-06-01T12:00:00+00:00"),
    expires("2026-06-01T00:30:00+14:00", "2026-05-31T10:30:00+00:00"),
    expires("2026-06-01T12:00:00.999999999Z", "2026-06-01T12:00:00+00:00"),
    expires("2026-06-01T12:00:00.5+02:00", "2026-06-01T10:00:00+00:00", AUCKLAND),
    bad_expires("2026-06-01T12:00:00", "'2026-06-01T12:00:00' has no time zone, add Z or +02:00"),
    bad_expires("20260601T1200", "'20260601T1200' has no time zone, add Z or +02:00"),
    bad_expires("2026-06-01 12:00:00Z", "'2026-06-01 12:00:00Z' is not a date"),
    bad_expires("2026-06-01T12:00:00 Z", "'2026-06-01T12:00:00 Z' is not a date"),
    bad_expires("2026-06-01T12:00:00 CEST", "'2026-06-01T12:00:00 CEST' is not a date"),
    bad_expires("2026-06-01T12:00:00+02", "'2026-06-01T12:00:00+02' is not a date"),
    bad_expires("2026-06-01T12Z", "'2026-06-01T12Z' is not a date"),
    bad_expires("2026-06-01T24:00:00Z", "'2026-06-01T24:00:00Z': no such date or time"),
    bad_expires("2026-06-01T12:60:00Z", "'2026-06-01T12:60:00Z': no such date or time"),
    bad_expires("2026-06-30T23:59:60Z", "'2026-06-30T23:59:60Z': no such date or time"),
    bad_expires("2026-06-01T12:00:00+15:00", "'2026-06-01T12:00:00+15:00': no such offset"),
    bad_expires("2026-06-01T12:00:00+02:60", "'2026-06-01T12:00:00+02:60': no such offset"),
    bad_expires("", "is empty"),
    bad_expires("  ", "is empty"),
    bad_expires("<!channel>" * 20, f"'{('<!channel>' * 6)[:59]}…' is not a date"),
]


@pytest.mark.parametrize("tags, zone, expected", TABLE, ids=lambda value: repr(value)[:60])
def test_a_lifetime_tag_makes_a_deadline_or_the_exact_message(
    tags: dict[str, str], zone: ZoneInfo, expected: datetime | str
) -> None:
    """What cannot be read is told with an example of what can, and never means expired."""
    try:
        found: datetime | str | None = asked_deadline(
            tags, counts_from=CREATED, rule_ttl=None, allow_never=False, zone=zone
        ).at
    except Unreadable as error:
        found = str(error)
    assert found == expected


def asked(tags: dict[str, str], *, allow_never: bool = False, days: int | None = None) -> Deadline:
    """Ask for a deadline where only tags, `never` and the rule's ttl matter."""
    rule_ttl = None if days is None else timedelta(days=days)
    return asked_deadline(
        tags, counts_from=CREATED, rule_ttl=rule_ttl, allow_never=allow_never, zone=UTC_ZONE
    )


@pytest.mark.parametrize("text", ["never", "NEVER", "Never", " never\t", "nEvEr"])
def test_never_is_no_deadline_where_the_rule_allows_it(text: str) -> None:
    """In any case of letters, and with spaces around it."""
    assert asked({"janitor:ttl": text}, allow_never=True) == Deadline(
        None, f"tag janitor:ttl={text.strip()}"
    )


def test_expires_comes_before_ttl_and_ttl_before_the_rule() -> None:
    """The source says which of them it was."""
    both = {"janitor:expires": "2026-06-01", "janitor:ttl": "3d"}
    end = datetime(2026, 6, 1, 23, 59, 59, tzinfo=UTC)
    assert asked(both, days=1) == Deadline(end, "tag janitor:expires=2026-06-01")
    assert asked({"janitor:ttl": " 3d "}, days=1) == Deadline(
        CREATED + timedelta(days=3), "tag janitor:ttl=3d"
    )
    assert asked({}, days=1) == Deadline(CREATED + timedelta(days=1), "the rule's ttl")


@pytest.mark.parametrize("text", ["", "soon"])
def test_an_unreadable_expires_is_not_papered_over_by_a_good_ttl(text: str) -> None:
    """The owner meant something by it, and what cannot be known."""
    with pytest.raises(Unreadable, match=r"^tag janitor:expires "):
        asked({"janitor:expires": text, "janitor:ttl": "3d"}, days=1)


def test_the_keys_are_those_of_the_policy_in_its_order() -> None:
    """What other keys say is not read, whatever it is.

    Fails with the constants in place of the parameters.
    """

    def read(tags: dict[str, str]) -> Deadline:
        return asked_deadline(
            tags,
            counts_from=CREATED,
            rule_ttl=timedelta(days=1),
            allow_never=False,
            zone=UTC_ZONE,
            ttl_tags=("janitor:ttl", "ttl"),
            expires_tags=("expires", "enddate"),
        )

    assert read({"ttl": "72h"}) == Deadline(CREATED + timedelta(days=3), "tag ttl=72h")
    assert read({"ttl": "72h", "janitor:ttl": "2d"}).source == "tag janitor:ttl=2d"
    both = {"ttl": "72h", "enddate": "2026-06-01", "expires": "2026-06-02"}
    assert read(both).source == "tag expires=2026-06-02"
    assert read({"janitor:expires": "2026-06-01"}).source == "the rule's ttl"
    assert read({"TTL": "72h"}).source == "the rule's ttl"
    with pytest.raises(Unreadable, match=r"^tag ttl '30' has no unit; for instance 30d$"):
        read({"ttl": "30"})


@pytest.mark.parametrize("zone", [SANTIAGO, CAIRO, NUUK, BERLIN, ZoneInfo("Asia/Beirut")], ids=str)
@pytest.mark.parametrize("year", [2011, 2024, 2026])
def test_a_date_lasts_until_its_day_has_ended_by_the_calendar(zone: ZoneInfo, year: int) -> None:
    """One second more, and it is another day; for each day of the year.

    Fails without the fold in `END_OF_DAY`.
    """
    for number in range(365):
        day = date(year, 1, 1) + timedelta(days=number)
        end = parse_instant(day.isoformat(), zone)
        assert end.astimezone(zone).date() == day
        assert (end + timedelta(seconds=1)).astimezone(zone).date() == day + timedelta(days=1)


def test_an_unreadable_ttl_does_not_fall_back_to_the_rule() -> None:
    """A rule's ttl may be shorter than what the owner meant."""
    with pytest.raises(Unreadable, match=r"^tag janitor:ttl '3x': the unit"):
        asked({"janitor:ttl": "3x"}, days=1)


def test_nothing_that_says_how_long_is_unreadable_too() -> None:
    """A rule may select by name and have no ttl of its own."""
    with pytest.raises(Unreadable) as caught:
        asked({})
    assert str(caught.value) == f"no tag janitor:ttl says how long it is needed{TTL_HELP}"


LATEST = CREATED + timedelta(days=30)


@pytest.mark.parametrize(
    "asked_days, extended_days, days, source",
    [
        (3, None, 3, "tag"),
        (3, 5, 5, "an extension"),
        (5, 5, 5, "tag"),
        (5, 3, 5, "tag"),
        (30, None, 30, "tag"),
        (31, None, 30, "max_lifetime, which cuts tag"),
        (3, 31, 30, "max_lifetime, which cuts an extension"),
        (3, 30, 30, "an extension"),
    ],
)
def test_the_deadline_is_the_later_of_asked_and_extended_but_never_past_the_cap(
    asked_days: int, extended_days: int | None, days: int, source: str
) -> None:
    """An extension never shortens, and the cap holds for both."""
    extended = None if extended_days is None else CREATED + timedelta(days=extended_days)
    deadline = effective_deadline(
        Deadline(CREATED + timedelta(days=asked_days), "tag"), extended, LATEST
    )
    assert deadline == Deadline(CREATED + timedelta(days=days), source)


def test_never_stays_never_whatever_was_extended() -> None:
    """The rule allowed it, so the cap does not apply."""
    never = Deadline(None, "tag janitor:ttl=never")
    assert effective_deadline(never, LATEST, LATEST) == never


@given(st.text(max_size=300))
def test_no_text_at_all_breaks_the_reading(text: str) -> None:
    """A value is read, or it is Unreadable with an example; there is no third way."""
    for read in (parse_duration, parse_ttl, lambda value: parse_instant(value, BERLIN)):
        try:
            value = read(text)
        except Unreadable as error:
            assert "for instance" in str(error)  # noqa: PT017 - either way is right
            assert str(error).isprintable()  # noqa: PT017
        else:
            assert value is None or isinstance(value, datetime | timedelta)


@given(
    st.from_regex(
        r"[0-9]{1,14}( ?(days?|hrs?|wks?)|[mhdwMHDWs])?|P([0-9]{1,7}W)?([0-9]{1,7}D)?(T[0-9]{1,9}[HMS])?",
        fullmatch=True,
    )
)
def test_a_duration_that_is_read_is_never_negative_nor_over_a_hundred_years(text: str) -> None:
    """So that no sum with it can overflow."""
    with contextlib.suppress(Unreadable):
        assert timedelta(0) <= parse_duration(text) <= timedelta(days=36_500)


@given(
    st.from_regex(
        r"[0-9]{4}-?[0-9]{2}-?[0-9]{2}(T[0-9]{2}:?[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{4})?)?",
        fullmatch=True,
    ),
    st.sampled_from([UTC_ZONE, BERLIN, AUCKLAND, NEW_YORK]),
)
def test_an_instant_that_is_read_is_in_utc_and_leaves_room_for_arithmetic(
    text: str, zone: ZoneInfo
) -> None:
    """A hundred years of grace may be added to any of them and any may be shown anywhere."""
    try:
        when = parse_instant(text, zone)
    except Unreadable:
        return
    assert when.tzinfo is UTC
    when.astimezone(AUCKLAND)
    when.astimezone(NEW_YORK)
    assert when - timedelta(days=36_500) < when


@given(st.text(max_size=300))
def test_what_messages_quote_is_one_short_printable_line(text: str) -> None:
    """Whatever stands in the tag."""
    assert shown(text).isprintable()
    assert len(shown(text)) <= 62


# The window.

WEEKDAYS = frozenset(range(5))
OFFICE = Window(WEEKDAYS, time(9), time(17), UTC_ZONE)
SECOND = timedelta(seconds=1)


def utc(text: str) -> datetime:
    """Read an instant in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "now, opens",
    [
        ("2026-06-01T08:59:59", "2026-06-01T09:00:00"),  # a Monday
        ("2026-06-01T09:00:00", "2026-06-01T09:00:00"),
        ("2026-06-01T16:59:59", "2026-06-01T16:59:59"),
        ("2026-06-01T17:00:00", "2026-06-02T09:00:00"),
        ("2026-06-05T17:00:00", "2026-06-08T09:00:00"),
        ("2026-06-06T12:00:00", "2026-06-08T09:00:00"),
    ],
)
def test_a_window_is_open_from_its_first_second_to_before_its_end(now: str, opens: str) -> None:
    """Weekdays nine to five; the weekend waits for Monday."""
    assert OFFICE.next_open(utc(now)) == utc(opens)
    assert OFFICE.is_open(utc(now)) is (now == opens)


@pytest.mark.parametrize(
    "now, opens",
    [
        ("2026-06-05T21:59:59", "2026-06-05T22:00:00"),  # Friday night belongs to Friday
        ("2026-06-05T23:00:00", "2026-06-05T23:00:00"),
        ("2026-06-06T01:59:59", "2026-06-06T01:59:59"),
        ("2026-06-06T02:00:00", "2026-06-12T22:00:00"),
        ("2026-06-06T22:30:00", "2026-06-12T22:00:00"),
    ],
)
def test_a_window_past_midnight_belongs_to_the_day_it_opens_on(now: str, opens: str) -> None:
    """From ten on Friday night until two on Saturday."""
    night = Window(frozenset({4}), time(22), time(2), UTC_ZONE)
    assert night.next_open(utc(now)) == utc(opens)


@pytest.mark.parametrize(
    "now, opens",
    [
        ("2026-06-01T23:59:59", "2026-06-02T00:00:00"),
        ("2026-06-02T00:00:00", "2026-06-02T00:00:00"),
        ("2026-06-02T23:59:59", "2026-06-02T23:59:59"),
        ("2026-06-03T00:00:00", "2026-06-09T00:00:00"),
    ],
)
def test_equal_start_and_end_are_the_whole_day(now: str, opens: str) -> None:
    """From midnight to midnight."""
    tuesday = Window(frozenset({1}), time(0), time(0), UTC_ZONE)
    assert tuesday.next_open(utc(now)) == utc(opens)


@pytest.mark.parametrize(
    "zone, now, opens",
    [
        (BERLIN, "2026-03-27T12:00:00", "2026-03-27T12:00:00"),
        (BERLIN, "2026-03-28T12:00:00", "2026-03-30T07:00:00"),  # summer time has begun
        (BERLIN, "2026-10-24T12:00:00", "2026-10-26T08:00:00"),  # and ended
        (NEW_YORK, "2026-03-07T12:00:00", "2026-03-09T13:00:00"),
        (AUCKLAND, "2026-04-04T12:00:00", "2026-04-05T21:00:00"),  # Monday there already
    ],
)
def test_a_window_keeps_the_clock_of_its_zone(zone: ZoneInfo, now: str, opens: str) -> None:
    """Nine o'clock is nine o'clock, summer or winter."""
    window = Window(WEEKDAYS, time(9), time(17), zone)
    assert window.next_open(utc(now)) == utc(opens)


def test_a_window_in_the_hour_that_summer_time_skips_does_not_open_that_day() -> None:
    """From two to three on the last Sunday of March there is nothing; a week later there is."""
    window = Window(frozenset({6}), time(2), time(3), BERLIN)
    assert window.next_open(utc("2026-03-29T00:59:59")) == utc("2026-04-05T00:00:00")
    assert not window.is_open(utc("2026-03-29T01:00:00"))
    assert window.next_open(utc("2026-03-23T00:00:00")) == utc("2026-04-05T00:00:00")


def test_a_window_in_the_hour_that_comes_twice_is_open_for_both() -> None:
    """Two to three lasts two hours on the last Sunday of October."""
    window = Window(frozenset({6}), time(2), time(3), BERLIN)
    assert window.is_open(utc("2026-10-25T00:00:00"))
    assert window.is_open(utc("2026-10-25T01:59:59"))
    assert not window.is_open(utc("2026-10-25T02:00:00"))


def test_a_window_without_days_is_a_mistake() -> None:
    """The policy refuses it; here it would be a loop without end."""
    with pytest.raises(ValueError, match="at least one day"):
        Window(frozenset(), time(9), time(17), UTC_ZONE).next_open(CREATED)


windows = st.builds(
    Window,
    days=st.frozensets(st.integers(0, 6), min_size=1),
    start=st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    end=st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    zone=st.sampled_from([UTC_ZONE, BERLIN, AUCKLAND, NEW_YORK, ZoneInfo("Australia/Lord_Howe")]),
)
near_dst = st.sampled_from([date(2026, 3, 27), date(2026, 10, 23), date(2026, 4, 3)]).flatmap(
    lambda day: st.integers(0, 5 * 24 * 3600).map(
        lambda s: datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(seconds=s)
    )
)
instants = st.datetimes(
    min_value=datetime(2000, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


@given(windows, instants | near_dst)
def test_the_next_opening_is_open_and_never_in_the_past(window: Window, now: datetime) -> None:
    """And an open window's next opening is now; a closed one's is the first second of it."""
    opens = window.next_open(now)
    assert opens >= now
    assert window.is_open(opens)
    assert opens - now < timedelta(days=15)
    assert window.is_open(now) is (opens == now)
    if opens > now:
        assert not window.is_open(opens - SECOND) or opens - SECOND < now
    assert opens.astimezone(window.zone).weekday() in window.days or window.end <= window.start


@given(windows, instants | near_dst, st.timedeltas(timedelta(0), timedelta(days=20)))
def test_a_later_now_never_has_an_earlier_opening(
    window: Window, now: datetime, wait: timedelta
) -> None:
    """So a promise never moves forward by waiting."""
    assert window.next_open(now) <= window.next_open(now + wait)
