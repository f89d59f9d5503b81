"""The calendar file: readable by a strict reader, the same event for the same deadline, harmless."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace
from tests.browser.site import HOSTILE_TAG, HOUR, LEASE, MARKED, NOW, RTL, ZERO_WIDTH

from janitor.domain.model import Lease, LeaseState
from janitor.extension_page.calendar import calendar_of

BERLIN = ZoneInfo("Europe/Berlin")
EXPECTED = """\
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//janitor//deadline//EN
METHOD:PUBLISH
BEGIN:VEVENT
UID:ID-1@janitor
SEQUENCE:0
DTSTAMP:20260601T073412Z
DTSTART:20260602T063412Z
SUMMARY:feat-basket ends
DESCRIPTION:Stack feat-basket in eu-central-1. feat-basket ends Tue 2 Jun 2026 08:34 CEST.\
 It is then marked for deletion\\, and its owner gets a final notice. To keep it\\, open the\
 link in the newest notice of the janitor. If it was extended since\\, this entry is out of date.
URL:https://eu-central-1.console.aws.amazon.com/cloudformation/home?region=eu-central-1\
#/stacks/stackinfo?stackId=arn%3Aaws%3Acloudformation%3Aeu-central-1%3A123456789012%3Astack\
%2Ffeat-basket%2F0a1b2c3d
TRANSP:TRANSPARENT
BEGIN:VALARM
ACTION:DISPLAY
DESCRIPTION:feat-basket ends in a day
TRIGGER:-P1D
END:VALARM
END:VEVENT
END:VCALENDAR
"""
NAMES = [line.partition(":")[0] for line in EXPECTED.splitlines()]


def file_of(lease: Lease) -> str:
    """Return the file for a lease."""
    return calendar_of(lease, NOW, BERLIN)


def lines_of(file: str) -> list[str]:
    """Read a file as RFC 5545 says: lines end in CRLF, and a blank continues one."""
    assert file.endswith("\r\n")
    assert "\n" not in file.replace("\r\n", "")
    assert "\r" not in file.replace("\r\n", "")
    assert all(len(line.encode()) <= 75 for line in file.split("\r\n"))
    return file.removesuffix("\r\n").replace("\r\n ", "").split("\r\n")


def value(file: str, name: str) -> str:
    """Return the first value of a property."""
    return next(line.partition(":")[2] for line in lines_of(file) if line.startswith(f"{name}:"))


def test_a_deadline_is_an_event_in_utc_with_an_alarm_a_day_ahead() -> None:
    """The whole file. Fails if `_folded` breaks at 76 octets, or `_escaped` leaves a comma."""
    file = file_of(LEASE)
    uid = value(file, "UID")
    text = EXPECTED.replace("ID-1@janitor", uid)
    assert lines_of(file) == text.splitlines()
    assert uid.endswith("-1@janitor")


def test_the_same_deadline_is_the_same_event() -> None:
    """Imported twice it is there once; another generation or another stack is another."""
    later = calendar_of(LEASE, NOW + HOUR, BERLIN)
    assert value(later, "UID") == value(file_of(LEASE), "UID")
    others = [replace(LEASE, generation=2), replace(LEASE, stack_id=f"{LEASE.stack_id}x")]
    ids = {value(file_of(one), "UID") for one in (LEASE, *others)}
    assert len(ids) == 3


def test_once_the_deadline_is_past_the_event_moves_to_the_earliest_deletion() -> None:
    """As a later version of the same event."""
    file = file_of(MARKED)
    assert value(file, "UID") == value(file_of(LEASE), "UID")
    assert value(file, "SEQUENCE") == "1"
    assert value(file, "DTSTART") == "20260602T043412Z"
    assert value(file, "SUMMARY") == "feat-basket may be deleted"


@pytest.mark.parametrize(
    "lease",
    [
        replace(LEASE, expires_at=None),
        replace(LEASE, expires_at=NOW),
        replace(MARKED, delete_after=None),
        replace(MARKED, delete_after=NOW),
        *(
            replace(LEASE, state=state)
            for state in LeaseState
            if state not in (LeaseState.ACTIVE, LeaseState.MARKED)
        ),
    ],
)
def test_what_has_no_date_ahead_has_no_file(lease: Lease) -> None:
    """Never, past, going or gone."""
    assert file_of(lease) == ""


@pytest.mark.parametrize(
    "name",
    [
        HOSTILE_TAG,
        "x\r\nBEGIN:VALARM\r\nACTION:PROCEDURE\r\nATTACH:https://evil.example/x",
        "x\nURL:https://evil.example",
        "\u2028\u2029\x85\x0b\x0c\x1c",
        "=1+1",
        "日本語" * 60,
        "\U0001f9f9" * 64,
        "\\n\\N\\;\\,",
    ],
)
def test_a_hostile_name_adds_no_line_and_hides_nothing(name: str) -> None:
    """Fails if `_escaped` does without `clean`."""
    file = file_of(replace(LEASE, name=name, region=name))
    assert [line.partition(":")[0] for line in lines_of(file)] == NAMES
    assert RTL not in file
    assert ZERO_WIDTH not in file
    unescaped = value(file, "SUMMARY").replace("\\\\", "").replace("\\;", "").replace("\\,", "")
    assert not set("\\;,") & set(unescaped)


def test_no_key_to_the_stack_is_in_a_calendar() -> None:
    """Calendars are shared: the only link leads to the console."""
    file = file_of(LEASE)
    assert "/extend/" not in "".join(lines_of(file))
    assert file.count("http") == 1


def test_a_fraction_of_a_second_does_not_make_it_later() -> None:
    """Cut, not rounded."""
    end = NOW + timedelta(hours=1, microseconds=900_000)
    assert value(file_of(replace(LEASE, expires_at=end)), "DTSTART") == "20260601T083412Z"
