"""The operators' week, from events and open leases to words."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from janitor.domain.journal.events import Actor, Draft, Event, Target, entry
from janitor.domain.model import (
    OPERATORS,
    Account,
    Contact,
    ContactKind,
    Hold,
    Lease,
    LeaseState,
    Notice,
)
from janitor.domain.notification.weekly import Week, week_of, weekly
from janitor.domain.notification.weekly_wording import weekly_wording
from janitor.domain.planning.decisions import Reason
from janitor.domain.policy.model import default_policy
from janitor.domain.stack.labels import labels_of

NOW = datetime(2026, 6, 8, 8, tzinfo=UTC)
SINCE = NOW - timedelta(days=7)
DAY = timedelta(days=1)
MARKED = LeaseState.MARKED
BERLIN = ZoneInfo("Europe/Berlin")
POLICY = default_policy()
ANA = Contact(ContactKind.EMAIL, "ana@x.org")
JANITOR = Actor("janitor", "janitor", "sweep")


def an_event(
    action: str,
    name: str = "feat-a",
    *,
    facts: Mapping[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
    result: str = "ok",
    owner: str = "ana@x.org",
    sentence: str = "why",
    actor: Actor = JANITOR,
) -> Event:
    """Make an event about a stack."""
    target = Target(f"arn:{name}", name, "eu-central-1", owner, tags or {})
    draft = Draft(NOW - DAY, actor, action, target, Reason(sentence, facts or {}), result)
    made = entry(Account(), Account(), draft).events[0]
    return Event(f"arn:{name}", made.seq, made.body, made.prev_hash, made.hash)


def a_lease(name: str, days: int = 5, **values: Any) -> Lease:
    """Make a lease of Ana's that began some days ago and ends in two."""
    known: dict[str, Any] = {
        "created": NOW - days * DAY,
        "first_seen": NOW - days * DAY,
        "expires_at": NOW + 2 * DAY,
        "contacts": (ANA,),
    }
    return Lease(f"arn:{name}", name, "eu-central-1", "default", **{**known, **values})


def gone(name: str, cost: str = "", result: str = "ok", sentence: str = "confirmed") -> list[Event]:
    """Return the events of a deletion."""
    tags = {"janitor:monthly-cost": cost} if cost else {}
    return [
        an_event("deletion.intended", name, tags=tags),
        an_event("deletion.confirmed", name, result=result, sentence=sentence),
    ]


EVENTS = [
    an_event("lease.extended", "feat-b", facts={"until": "Tue 9 Jun 2026 08:00 CEST"}),
    an_event(
        "lease.extended",
        "feat-b",
        facts={"until": "Wed 10 Jun 2026 08:00 CEST"},
        actor=Actor("operator", "op@x.org", "cli"),
    ),
    an_event("lease.let_go", "feat-c", owner="bo@x.org", actor=Actor("owner", "bo@x.org", "link")),
    *gone("feat-d", "12.50 EUR"),
    *gone("feat-e", "100 EUR"),
    *gone("feat-f", "40"),
    *gone("feat-g"),
    *gone("feat-h", "1 EUR", "leftovers", "deleted with leftovers, 1 stayed: Bucket"),
    an_event("notice.delivered", "feat-i", facts={"to": "eve@x.org", "fallback": "#team"}),
    an_event("notice.delivered", "feat-j", facts={"to": "eve@x.org", "fallback": "#team"}),
    an_event("notice.delivered", "feat-j", facts={"to": "ana@x.org"}),
    an_event("stack.marked", "feat-k"),
]
LEASES = [
    a_lease("feat-b", 30, extensions=4),
    a_lease("feat-i", 2, extensions=1, contacts=(Contact(ContactKind.EMAIL, "eve@x.org"),)),
    a_lease("feat-l", 90, extensions=3),
    a_lease("feat-m", 3, contacts=(OPERATORS,), ownerless=True),
    a_lease("feat-n", 1, problem="tag janitor:ttl '3x' is odd", expires_at=None),
    a_lease("feat-o", 4, state=LeaseState.NEEDS_ATTENTION, last_error="DELETE_FAILED: in use"),
]
TEXT = """\
To the operators of the janitor: the week from Mon 1 Jun 2026 10:00 CEST to
Mon 8 Jun 2026 10:00 CEST.

In short
  6 stacks under lease; in this week 1 extended, 1 let go and 5 deleted, 1 of
    them with leftovers.
  Saved: 113.50 EUR and 40.00 USD a month; the cost of 1 of 5 is unknown.
  Never deleted as things stand: 1 with tags that cannot be read.

Could not be deleted (1)
  They wait for another try, or for you.
  feat-o (eu-central-1), ana@x.org: DELETE_FAILED: in use

Deleted, but something stayed (1)
  Please look at what is left.
  feat-h (eu-central-1), ana@x.org: deleted with leftovers, 1 stayed: Bucket

Lifetimes to put right (1)
  These stacks are kept until their tags are put right.
  feat-n (eu-central-1), ana@x.org: tag janitor:ttl '3x' is odd

Owners who cannot be reached (1)
  Their notices went elsewhere; please correct the owner tags.
  eve@x.org: #team was told instead

Without an owner (1)
  Please find out whose they are.
  feat-m (eu-central-1)

Deleted (4)
  Gone, and confirmed by CloudFormation.
  feat-d (eu-central-1), ana@x.org: 12.50 EUR a month
  feat-e (eu-central-1), ana@x.org: 100.00 EUR a month
  feat-f (eu-central-1), ana@x.org: 40.00 USD a month
  feat-g (eu-central-1), ana@x.org

Let go (1)
  The grace runs, or has run.
  feat-c (eu-central-1), bo@x.org: by bo@x.org (link)

Extended (1)
  Kept for longer.
  feat-b (eu-central-1), ana@x.org: until Wed 10 Jun 2026 08:00 CEST, by
    op@x.org (cli)

Extended again and again (1)
  Perhaps these stacks are not so temporary.
  2 stacks of ana@x.org: 7 extensions

Oldest stacks (5)
  They have been there for longest.
  feat-l (eu-central-1), ana@x.org: created 90 days ago, ends Wed 10 Jun 2026
    10:00 CEST
  feat-b (eu-central-1), ana@x.org: created 30 days ago, ends Wed 10 Jun 2026
    10:00 CEST
  feat-o (eu-central-1), ana@x.org: created 4 days ago, ends Wed 10 Jun 2026
    10:00 CEST
  feat-m (eu-central-1): created 3 days ago, ends Wed 10 Jun 2026 10:00 CEST
  feat-i (eu-central-1), eve@x.org: created 2 days ago, ends Wed 10 Jun 2026
    10:00 CEST"""


def test_a_week_is_told_with_what_needs_somebody_first() -> None:
    """Then what happened, then what has been there for long."""
    words = weekly_wording(weekly(EVENTS, LEASES, Account(), SINCE, NOW, POLICY), BERLIN)
    assert words.subject == "[janitor] the week: 5 deleted, 1 extended, 1 in trouble"
    assert words.text == TEXT


def test_a_quiet_week_is_short() -> None:
    """Empty lists are left out."""
    words = weekly_wording(weekly([], [], Account(), SINCE, NOW, POLICY), BERLIN)
    assert words.text == (
        "To the operators of the janitor: the week from Mon 1 Jun 2026 10:00 CEST to\n"
        "Mon 8 Jun 2026 10:00 CEST.\n\n"
        "In short\n"
        "  0 stacks under lease; in this week 0 extended, 0 let go and 0 deleted."
    )


def a_due_lease(name: str, days: int, **values: Any) -> Lease:
    """Make a lease that was marked some days ago."""
    at = NOW - days * DAY
    told = Notice("final", at, ANA, at, "sns")
    known = {"expires_at": at, "delete_after": at + DAY, "state": MARKED, "notices": (told,)}
    return a_lease(name, 20, **{**known, **values})


STUCK = [
    a_due_lease("protected", 8, state=LeaseState.ACTIVE, protection="protected by tag x: demo"),
    a_due_lease("switch", 9, blocked=True),
    a_due_lease("exporter", 3, blocker="feat-z of eve@x.org imports Bus"),
    a_due_lease("untold", 2, notices=()),
    a_due_lease("just-marked", 0, notices=()),
    a_due_lease("ready", 4),
    a_due_lease("failing", 4, state=LeaseState.FAILED, last_error="DELETE_FAILED: in use"),
    a_lease("runs"),
]
STUCK_TEXT = """\
Something is held
  Since Tue 2 Jun 2026 10:00 CEST (6 days ago): tags brought forward the
    deadlines of 9 stacks.
  To see what is held, and the command that accepts exactly that, run:
    janitor breaker show

In short
  8 stacks under lease, 4 of them due and held up; in this week 0 extended, 0
    let go and 0 deleted.
  Never deleted as things stand: 1 protected by a tag, 1 with termination
    protection.

Regions that cannot be listed (1)
  Nothing there is marked or deleted meanwhile.
  us-east-1
  To look at it, run:
    janitor plan

Due, and held up (4)
  They stay until somebody does something about what holds them up.
  switch (eu-central-1), ana@x.org: due since Sat 30 May 2026 10:00 CEST;
    CloudFormation's termination protection is on
  protected (eu-central-1), ana@x.org: due since Sun 31 May 2026 10:00 CEST;
    protected by tag x: demo
  exporter (eu-central-1), ana@x.org: due since Fri 5 Jun 2026 10:00 CEST;
    feat-z of eve@x.org imports Bus
  untold (eu-central-1), ana@x.org: due since Sat 6 Jun 2026 10:00 CEST; its
    final notice is not delivered: not yet to ana@x.org

Could not be deleted (1)
  They wait for another try, or for you.
  failing (eu-central-1), ana@x.org: DELETE_FAILED: in use
"""


def test_what_is_stuck_is_told_with_its_reason_and_counted() -> None:
    """What is held first, since when and how to accept it; then each stack that is due and stays.

    Fails without `_held_back` and `_held_by`: `0 in trouble` was said of all that.
    """
    hold = Hold(NOW - 6 * DAY, "tags brought forward the deadlines of 9 stacks.")
    account = Account(hold=hold, refused_regions=("us-east-1",))
    words = weekly_wording(weekly([], STUCK, account, SINCE, NOW, POLICY), BERLIN)
    assert words.subject == (
        "[janitor] the week: something is held, 0 deleted, 0 extended, 5 in trouble"
    )
    assert STUCK_TEXT in words.text
    assert max(map(len, words.text.split("\n"))) <= 78


def test_a_deadline_that_has_passed_does_not_read_as_one_to_come() -> None:
    """Fails with `ends` for each of the oldest."""
    leases = [a_due_lease("late", 8), a_lease("runs"), a_lease("never", expires_at=None)]
    text = weekly_wording(weekly([], leases, Account(), SINCE, NOW, POLICY), BERLIN).text
    flat = " ".join(text.split())
    assert "late (eu-central-1), ana@x.org: created 20 days ago, due since Sun 31 May 2026" in flat
    assert "never (eu-central-1), ana@x.org: created 5 days ago, has no end" in flat
    assert "runs (eu-central-1), ana@x.org: created 5 days ago, ends Wed 10 Jun 2026" in flat


def test_costs_that_nobody_told_are_no_savings_of_zero() -> None:
    """Unknown is said to be unknown."""
    words = weekly_wording(weekly(gone("feat-a"), [], Account(), SINCE, NOW, POLICY), BERLIN)
    assert "Saved: unknown, as no tag janitor:monthly-cost says what they cost." in words.text


def test_the_order_does_not_depend_on_the_order_of_the_leases() -> None:
    """The same week makes the same text."""
    forth = weekly(EVENTS, LEASES, Account(), SINCE, NOW, POLICY)
    assert weekly(EVENTS, LEASES[::-1], Account(), SINCE, NOW, POLICY) == forth


def test_a_long_list_is_cut_and_counted() -> None:
    """A message has its limits, and the command line has them all."""
    leases = [a_lease(f"feat-{n:02}", problem="x") for n in range(25)]
    words = weekly_wording(weekly([], leases, Account(), SINCE, NOW, POLICY), BERLIN)
    (unreadable,) = [e for e in words.entries if e.name == "Lifetimes to put right (25)"]
    assert len(unreadable.lines) == 11
    assert unreadable.lines[-1] == "and 15 more"


@pytest.mark.parametrize(
    "when, week",
    [
        ("2026-06-07T21:59:00+00:00", "2026-W23"),
        ("2026-06-07T22:00:00+00:00", "2026-W24"),
        ("2026-12-31T12:00:00+00:00", "2026-W53"),
        ("2027-01-04T12:00:00+00:00", "2027-W01"),
    ],
)
def test_a_week_begins_on_monday_in_the_zone_of_the_policy(when: str, week: str) -> None:
    """As on the operators' own calendar."""
    assert week_of(datetime.fromisoformat(when), BERLIN) == week


hostile = st.text(max_size=300) | st.sampled_from(
    [
        "<!channel>",
        "=cmd|' /C calc'!A0",
        "a\r\nb",
        "\N{RIGHT-TO-LEFT OVERRIDE}x\N{ZERO WIDTH SPACE}",
    ]
)


@given(hostile, hostile, hostile)
def test_whatever_tags_and_aws_say_is_harmless_in_the_week(a: str, b: str, c: str) -> None:
    """Each line is printable, short, and one line. Fails without `clean` in `_line`."""
    lease = a_lease(
        a, problem=b, last_error=c, state=LeaseState.FAILED, labels=labels_of({"pr": a}),
        contacts=(Contact(ContactKind.NAME, b),), extensions=3,
    )  # fmt: skip
    events = [
        an_event("lease.extended", a, owner=b, facts={"until": c}),
        an_event("notice.delivered", a, facts={"to": b, "fallback": c}),
        *gone(b, a, "leftovers", c),
    ]
    words = weekly_wording(weekly(events, [lease], Account(), SINCE, NOW, POLICY), BERLIN)
    for entry_ in words.entries:
        assert all(line.isprintable() and len(line) <= 240 for line in entry_.lines)
    assert words.subject.isprintable()
    assert len(words.subject) < 100


def test_an_event_that_was_tampered_with_stops_nothing() -> None:
    """What cannot be read any more is an event without content."""
    assert weekly([Event("arn", 1, {}, "", "")], [], Account(), SINCE, NOW, POLICY) == Week(
        SINCE, NOW, 0
    )
