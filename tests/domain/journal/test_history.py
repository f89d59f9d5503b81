"""Lives told from events, the running check, the numbers, and the questions: all in one pass."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from janitor.domain.errors import ConfigurationError
from janitor.domain.journal.event_filter import Question
from janitor.domain.journal.event_view import read_event
from janitor.domain.journal.events import JANITOR_TARGET, Actor, Draft, Event, about, digest, entry
from janitor.domain.journal.history import Ending, Life, Stories, in_brief, life_of
from janitor.domain.journal.statistics import Totals
from janitor.domain.journal.stream_check import MOST_AHEAD, RunningCheck
from janitor.domain.model import Account, Contact, ContactKind, Lease
from janitor.domain.planning.decisions import Reason

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
UTC_ZONE = ZoneInfo("UTC")
ADA = Contact(ContactKind.EMAIL, "ada@example.com")
OWNER = Actor("owner", "ada@example.com", "link")
Step = tuple[float, str, Actor, str, dict[str, str], str]


def step(hours: float, action: str, via: str = "sweep", **facts: str) -> Step:
    """Make a step of a life that the janitor takes."""
    return hours, action, Actor("janitor", "janitor", via), "because", facts, "ok"


OPENED = step(0, "lease.opened")
EXTENDED: Step = (10, "lease.extended", OWNER, "still testing", {"until": "Thursday"}, "ok")
FINAL = step(20, "notice.delivered", "notify", stage="final", to="ada@example.com", channel="sns")
INTENDED = step(45, "deletion.intended", "delete", resources="a bucket")
CONFIRMED = step(46, "deletion.confirmed", "track")
WHOLE = (OPENED, EXTENDED, FINAL, INTENDED, CONFIRMED)


def a_life(*steps: Step, name: str = "feat", begin: datetime = NOON) -> list[Event]:
    """Write the chain of a stack."""
    key = f"arn:aws:cloudformation:eu-central-1:1:stack/{name}/1"
    lease = Lease(key, name, "eu-central-1", "default", begin, begin, contacts=(ADA,))
    events: list[Event] = []
    for hours, action, actor, sentence, facts, result in steps:
        draft = about(
            lease, action, Reason(sentence, facts), actor=actor,
            now=begin + timedelta(hours=hours), policy_version="p", result=result,
        )  # fmt: skip
        written = entry(lease, lease, draft)
        lease = written.record
        events += written.events
    return events


def told(events: Sequence[Event]) -> list[Life]:
    """Let all events pass, in the order of time."""
    stories = Stories()
    ordered = sorted(events, key=lambda event: (event.occurred_at, event.key, event.seq))
    return [life for event in ordered for life in stories.add(event)] + list(stories.rest())


# A life.


def test_a_life_tells_who_was_asked_who_extended_and_how_it_ended() -> None:
    """All that an auditor asks of one deletion."""
    life = life_of("key", a_life(*WHOLE))
    assert (life.name, life.region, life.owner) == ("feat", "eu-central-1", "ada@example.com")
    assert (life.ending, life.opened, life.ended) == (
        Ending.DELETED,
        NOON,
        NOON + timedelta(hours=46),
    )
    assert [(t.stage, t.to, t.channel) for t in life.told] == [("final", "ada@example.com", "sns")]
    assert [(e.by, e.until, e.reason) for e in life.extended] == [
        ("ada@example.com (link)", "Thursday", "still testing")
    ]
    assert [s.action for s in life.steps] == ["deletion.intended", "deletion.confirmed"]
    assert life.steps[0].facts == {"resources": "a bucket"}
    assert life.final_notice == NOON + timedelta(hours=20)
    assert in_brief(life, UTC_ZONE) == (
        "Deleted by the janitor, Wed 3 Jun 2026 10:00 UTC, 1 day 22 hours after it was first seen."
        " Owner ada@example.com; told: ada@example.com; extended 1 time, by ada@example.com (link)."
    )


@pytest.mark.parametrize(
    "steps,ending,brief",
    [
        ((OPENED,), Ending.OPEN, "Still there"),
        ((OPENED, step(9, "lease.closed", "track")), Ending.GONE, "Gone by another hand"),
        ((OPENED, step(9, "lease.closed", "sweep")), Ending.RELEASED, "Released"),
        (
            (OPENED, INTENDED, step(47, "deletion.given_up", "track")),
            Ending.NEEDS_ATTENTION,
            "Could not be deleted",
        ),
        (
            (OPENED, INTENDED, (*step(47, "deletion.confirmed", "track")[:5], "leftovers")),
            Ending.LEFTOVERS,
            "Deleted by the janitor with leftovers",
        ),
        (
            (OPENED, step(9, "lease.closed"), step(12, "lease.reopened"), INTENDED, CONFIRMED),
            Ending.DELETED,
            "Deleted by the janitor",
        ),
    ],
)
def test_every_way_to_end_has_its_words(steps: Any, ending: Ending, brief: str) -> None:
    """And a life that goes on has, too."""
    life = life_of("key", a_life(*steps))
    assert life.ending is ending
    assert in_brief(life, UTC_ZONE).startswith(brief)


def test_a_life_from_the_middle_says_so() -> None:
    """What came before the span is read from the chain by the report."""
    life = life_of("key", a_life(*WHOLE)[2:])
    assert not life.is_whole
    assert life.opened is None


def test_a_notice_after_the_deletion_began_is_not_the_final_one() -> None:
    """The grace is measured from what the owner had before."""
    late = step(45.5, "notice.delivered", "notify", stage="final", to="bob", channel="sns")
    life = life_of("key", a_life(OPENED, FINAL, INTENDED, late, CONFIRMED))
    assert life.final_notice == NOON + timedelta(hours=20)


# Many lives, as they pass by.


def test_a_life_is_told_once_it_is_over_for_a_while() -> None:
    """Word of the deletion comes after the end, and belongs to it.

    Fails if a life is closed at its end: `PATIENCE = timedelta()`.
    """
    word = step(47, "notice.delivered", "notify", stage="deleted", to="ada@example.com")
    other = a_life(OPENED, name="later", begin=NOON + timedelta(days=9))
    stories = Stories()
    early = [life for event in a_life(*WHOLE, word) for life in stories.add(event)]
    assert early == []
    (life,) = stories.add(other[0])
    assert [t.stage for t in life.told] == ["final", "deleted"]


def test_what_comes_much_later_is_no_second_life() -> None:
    """Not even counted.

    Fails if `_told` is not looked at.
    """
    late = step(24 * 30, "notice.delivered", "notify", stage="deleted", to="ada@example.com")
    between = a_life(OPENED, name="other", begin=NOON + timedelta(days=20))
    lives = told([*a_life(*WHOLE, late), *between])
    assert [life.name for life in lives] == ["feat", "other"]


def test_only_lives_that_go_on_are_in_memory() -> None:
    """A year of them would not be.

    Fails if ended lives are not taken out of `_going_on`.
    """
    stories, most = Stories(), 0
    for number in range(300):
        life = a_life(*WHOLE, name=f"feat-{number}", begin=NOON + timedelta(days=number))
        for event in life:
            list(stories.add(event))
        most = max(most, len(stories._going_on))
    assert most <= 6


def test_the_janitors_own_chain_is_no_life() -> None:
    """It is about sweeps, and goes on for ever."""
    draft = Draft(
        NOON, Actor("operator", "o", "cli"), "breaker.lifted", JANITOR_TARGET, Reason("x")
    )
    assert told(entry(Account(), Account(), draft).events) == []


def test_a_stack_that_comes_back_goes_on_with_its_life() -> None:
    """Released, told of, and opened again weeks later."""
    back = step(24 * 20, "lease.reopened")
    gone = step(24 * 21, "lease.closed", "track")
    between = a_life(OPENED, name="other", begin=NOON + timedelta(days=10))
    lives = told([*a_life(OPENED, step(9, "lease.closed"), back, gone), *between])
    endings = [(life.name, life.ending, life.first_seq) for life in lives]
    assert endings == [
        ("feat", Ending.RELEASED, 1),
        ("feat", Ending.GONE, 3),
        ("other", Ending.OPEN, 1),
    ]


# Whether what passes is sound.


def doubted(events: Sequence[Event], head: tuple[int, str] | None = None) -> bool:
    """Let events of one chain pass the check; tell whether it is in doubt after that."""
    check = RunningCheck()
    for event in events:
        check.add(event)
    return bool(check.end({events[0].key: head} if head else {}))


@given(st.permutations(range(5)))
def test_a_chain_is_sound_in_whatever_order_it_comes(order: list[int]) -> None:
    """Clocks differ, so what is first in time may be second in the chain."""
    events = a_life(*WHOLE)
    assert not doubted([events[n] for n in order], head=(5, events[-1].hash))


@pytest.mark.parametrize("place", range(5))
def test_a_changed_event_is_found_as_it_passes(place: int) -> None:
    """Fails without the comparison of hashes in `add`."""
    events = a_life(*WHOLE)
    events[place] = replace(events[place], body={**events[place].body, "result": "failed"})
    assert doubted(events)


@pytest.mark.parametrize("place", range(1, 4))
def test_a_gap_is_found(place: int) -> None:
    """What comes after it waits in vain.

    Fails if what is left in `ahead` is not looked at.
    """
    events = a_life(*WHOLE)
    assert doubted(events[:place] + events[place + 1 :])


def test_what_comes_after_a_gap_is_not_kept_for_ever() -> None:
    """A chain with a gap at its beginning may go on for a year.

    Fails without the look at `MOST_AHEAD`.
    """
    events = a_life(*(step(hour, "lease.updated") for hour in range(MOST_AHEAD * 3)))
    check = RunningCheck()
    for event in (*events[:5], *events[6:]):
        check.add(event)
    (chain,) = check._chains.values()
    assert len(chain.ahead) <= MOST_AHEAD
    assert check.end({}) == [events[0].key]


def test_a_tail_that_was_cut_off_is_found_by_the_record() -> None:
    """Fails if heads are not compared."""
    events = a_life(*WHOLE)
    assert not doubted(events[:4])
    assert doubted(events[:4], head=(5, events[4].hash))
    assert doubted(events, head=(5, "f" * 64))
    assert RunningCheck().end({"all cut off": (5, events[4].hash)}) == ["all cut off"]


def test_a_chain_from_the_middle_is_not_blamed_for_that() -> None:
    """It began before the span."""
    events = a_life(*WHOLE)
    assert not doubted(events[2:])
    assert not doubted([events[3], events[2], events[4]])


def test_a_chain_that_begins_with_what_has_something_before_it_is_in_doubt() -> None:
    """Its first event was cut off, and the second put in its place.

    Fails without the look at `FIRST_PREVIOUS`.
    """
    key = a_life(*WHOLE)[0].key
    body = a_life(*WHOLE)[0].body
    assert doubted([Event(key, 1, body, "e" * 64, digest(key, 1, body, "e" * 64))])


def test_an_event_put_between_does_not_fit() -> None:
    """Its own hash may be right, the link is not."""
    events = a_life(*WHOLE)
    other = a_life(OPENED, step(1, "lease.updated"), step(2, "lease.updated"))
    assert doubted([*events[:2], other[2], *events[3:]])


# Numbers.


def test_the_numbers_are_those_of_what_passed() -> None:
    """Weeks without anything are there, with nothing in them."""
    totals = Totals()
    lives = [
        *a_life(*WHOLE),
        *a_life(*WHOLE, name="b", begin=NOON + timedelta(days=21)),
        *a_life(OPENED, step(9, "lease.closed", "track"), name="c"),
        *a_life(OPENED, step(9, "deletion.given_up", "track"), name="d"),
    ]
    for event in lives:
        totals.add(event)
    for life in told(lives):
        totals.add_life(life)
    assert (totals.events, totals.actions["lease.opened"], totals.results["ok"]) == (14, 4, 14)
    assert totals.extended_by == {"ada@example.com (link)": 2}
    assert totals.told_by == {"sns": 2}
    weeks = {day: (week.deleted, week.gone, week.given_up) for day, week in totals.weeks()}
    assert weeks == {
        date(2026, 6, 1): (1, 1, 1),
        date(2026, 6, 8): (0, 0, 0),
        date(2026, 6, 15): (0, 0, 0),
        date(2026, 6, 22): (1, 0, 0),
    }
    assert totals.median_lifetime == timedelta(hours=46)
    assert totals.shortest_grace == timedelta(hours=25)


def test_of_nothing_there_are_no_numbers() -> None:
    """And no week."""
    assert Totals().weeks() == []
    assert Totals().median_lifetime is Totals().shortest_grace is None


# Questions.


@pytest.mark.parametrize(
    "question,fits",
    [
        (Question(), 5),
        (Question(stack="feat"), 5),
        (Question(stack="feat-other"), 0),
        (Question(owner="ADA@example.com"), 5),
        (Question(owner="ada"), 0),
        (Question(action="deletion"), 2),
        (Question(action="deletion.intended"), 1),
        (Question(action="delet"), 0),
        (Question(result="ok"), 5),
        (Question(result="failed"), 0),
        (Question(actor="ada@example.com"), 1),
        (Question(actor="owner"), 1),
        (Question(actor="notify"), 1),
        (Question(actor="janitor", action="lease"), 1),
    ],
)
def test_a_question_is_answered_by_the_events_that_fit(question: Question, fits: int) -> None:
    """Each part of it narrows, and a part that is empty does not."""
    assert sum(question.fits(event) for event in a_life(*WHOLE)) == fits


def test_a_result_that_no_event_has_is_refused_by_name() -> None:
    """With those there are."""
    with pytest.raises(ConfigurationError, match="'fine' is none of ok, refused, failed"):
        Question(result="fine")


# What is not an event.

BODIES: list[dict[str, Any]] = [
    {},
    {"action": 3, "actor": "x", "target": [], "reason": "no", "request_ids": "r"},
    {"occurred_at": "2026-06-01T12:00:00", "actor": {"id": None}, "reason": {"facts": 7}},
    {"reason": {"sentence": {"a": 1}, "facts": {"b": ["c"]}}, "target": {"tags": {"d": None}}},
]


@pytest.mark.parametrize("body", BODIES)
def test_an_event_that_was_made_unreadable_stops_nothing(body: dict[str, Any]) -> None:
    """It is read as far as it can be, told, counted, and found."""
    event = Event("arn:aws:cloudformation:eu-central-1:1:stack/feat/1", 1, body, "", "")
    assert read_event(event).stack == "feat"
    assert read_event(event).at is None
    (life,) = told([event])
    assert in_brief(life, UTC_ZONE)
    totals = Totals()
    totals.add(event)
    totals.add_life(life)
    assert doubted([event])
    assert not Question(stack="other").fits(event)
