"""The report: a span of the journal read once, as a page and as rows, whatever is in it."""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace
from tests.fakes.memory import MemoryLedger

from janitor.application.audit.report import Report, events_of, report
from janitor.application.audit.verify import verify_chains
from janitor.audit_report import render as page
from janitor.domain.journal.csv_export import HEADER, cell, row
from janitor.domain.journal.event_filter import Question
from janitor.domain.journal.event_view import UNEXPLAINED
from janitor.domain.journal.events import JANITOR_TARGET, Actor, Draft, Event, about, entry
from janitor.domain.journal.history import Ending, Life
from janitor.domain.journal.statistics import Totals
from janitor.domain.model import (
    ACCOUNT_KEY,
    Account,
    Contact,
    ContactKind,
    Lease,
    LeaseState,
    Stack,
)
from janitor.domain.planning.decisions import Reason

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
NOW = NOON + timedelta(days=60)
BERLIN = ZoneInfo("Europe/Berlin")
HOSTILE = [
    "<script>alert(1)</script>",
    "</dd></dl><img src=x onerror=alert(1)>",
    '"><a href="javascript:alert(1)">',
    "&lt;b&gt; {{ 7 * 7 }} {% raw %}",
    "\u202eevil\u0000\x1b[31m",
]
Step = tuple[float, str, str]
WHOLE: tuple[Step, ...] = (
    (0, "lease.opened", "sweep"),
    (20, "notice.delivered", "notify"),
    (45, "deletion.intended", "delete"),
    (46, "deletion.confirmed", "track"),
)


def write(
    ledger: MemoryLedger,
    name: str,
    steps: Sequence[Step] = WHOLE,
    *,
    begin: datetime = NOON,
    text: str = "ada@example.com",
) -> str:
    """Write a stack's life into the ledger, with a text wherever others may put one."""
    key = f"arn:aws:cloudformation:eu-central-1:1:stack/{name}/1"
    owner = Contact(ContactKind.NAME, text)
    lease = Lease(key, name, "eu-central-1", "default", begin, begin, contacts=(owner,))
    tags = {"note": text, text[:20]: "x"}
    stack = Stack(key, name, "eu-central-1", "CREATE_COMPLETE", begin, tags=tags)
    facts = {"stage": "final", "to": text, "channel": "sns", "resources": text}
    for hours, action, via in steps:
        draft = about(
            lease, action, Reason(text, facts), actor=Actor("janitor", text, via),
            now=begin + timedelta(hours=hours), policy_version="p", stack=stack,
            request_ids=(text,),
        )  # fmt: skip
        state = LeaseState.DELETED if "confirmed" in action else lease.state
        written = entry(lease, replace(lease, state=state), draft)
        ledger.commit(written)
        lease = written.record
    return key


@pytest.fixture
def ledger() -> MemoryLedger:
    """Return a ledger that nothing was written to."""
    return MemoryLedger()


def made(
    ledger: MemoryLedger, question: Question | None = None, since: datetime = NOON
) -> tuple[Report, list[tuple[Life, bool]]]:
    """Make the report from a day on; return it with the lives that were told."""
    lives: list[tuple[Life, bool]] = []
    report_ = report(
        ledger,
        question or Question(),
        since=since,
        until=NOW,
        now=NOW,
        tell=lambda life, sound: lives.append((life, sound)),
    )
    return report_, lives


def html(ledger: MemoryLedger) -> str:
    """Return the page."""
    report_, told = made(ledger)
    lives = page.Lives(BERLIN)
    stacks = "".join(part for life, sound in told for part in lives.add(life, sound=sound))
    span = page.Span("Monday", "Tuesday", "Wednesday", "")
    head = page.head(span, report_.totals, report_.events, report_.chains, report_.findings)
    return head + stacks + page.foot()


# What is told.


def test_each_deletion_is_told_in_the_order_of_its_end(ledger: MemoryLedger) -> None:
    """What goes on is counted and not told; what needs a person comes last."""
    write(ledger, "second", begin=NOON + timedelta(days=3))
    write(ledger, "first")
    write(ledger, "stuck", [WHOLE[0], WHOLE[2], (47, "deletion.given_up", "track")])
    write(ledger, "goes-on", WHOLE[:2])
    report_, lives = made(ledger)
    assert [(life.name, sound) for life, sound in lives] == [
        ("first", True),
        ("second", True),
        ("stuck", True),
    ]
    assert (report_.events, report_.chains, report_.findings) == (13, 4, ())
    assert report_.totals.endings == {
        Ending.DELETED: 2,
        Ending.NEEDS_ATTENTION: 1,
        Ending.OPEN: 2,
    }


def test_what_is_open_is_counted_by_the_leases(ledger: MemoryLedger) -> None:
    """Whether anything happened to it in the span or not.

    Fails where the lives of the span are counted: it is none of them.
    """
    write(ledger, "quiet", WHOLE[:1])
    write(ledger, "of-another", WHOLE[:1], text="bob@example.com")
    write(ledger, "gone")
    later = NOON + timedelta(days=30)
    assert made(ledger, since=later)[0].totals.endings == {Ending.OPEN: 2}
    for question in (Question(stack="quiet"), Question(owner="BOB@example.com")):
        assert made(ledger, question, since=later)[0].totals.endings == {Ending.OPEN: 1}


def test_a_life_that_began_before_the_span_is_told_whole(ledger: MemoryLedger) -> None:
    """Who was asked is the evidence, whenever that was.

    Fails if a life that is not whole is taken as it is.
    """
    write(ledger, "long")
    (told,) = made(ledger, since=NOON + timedelta(hours=40))[1]
    assert told[0].is_whole
    assert [notice.stage for notice in told[0].told] == ["final"]


def test_the_report_is_about_what_was_asked_for(ledger: MemoryLedger) -> None:
    """One stack, or one owner; and what passed the check is all of the span."""
    write(ledger, "a", text="ada@example.com")
    write(ledger, "b", text="bob@example.com")
    for question in (Question(stack="b"), Question(owner="BOB@example.com")):
        report_, lives = made(ledger, question)
        assert [life.name for life, _ in lives] == ["b"]
        assert (report_.totals.events, report_.events) == (4, 8)
        events = list(events_of(ledger, question, NOON, NOW))
        assert {event.body["target"]["name"] for event in events} == {"b"}


def test_a_chain_that_is_not_sound_is_marked_where_it_is_told(ledger: MemoryLedger) -> None:
    """And at the top, so that nobody reads past it.

    Fails if every life is told as sound: `tell(whole, True)`.
    """
    write(ledger, "good")
    key = write(ledger, "bad")
    changed = ledger.journal[key][1]
    ledger.journal[key][1] = replace(changed, body={**changed.body, "result": "failed"})
    report_, lives = made(ledger)
    assert {life.name: sound for life, sound in lives} == {"good": True, "bad": False}
    assert [(finding.key, finding.seq) for finding in report_.findings] == [(key, 2)]
    text = html(ledger)
    assert "The journal is not sound" in text
    assert "event 2 does not match its hash" in text
    assert text.count("chain not sound") == 1


def test_events_cut_off_an_open_lease_are_missed(ledger: MemoryLedger) -> None:
    """Its record remembers the end."""
    key = write(ledger, "cut", WHOLE[:3])
    ledger.journal[key].pop()
    report_, _ = made(ledger)
    assert [(finding.seq, finding.what) for finding in report_.findings] == [(3, "removed")]


def test_a_lease_whose_chain_was_taken_whole_is_missed(ledger: MemoryLedger) -> None:
    """None of its events passes, and its record remembers them.

    Fails if only the heads of chains that passed are looked at.
    """
    key = write(ledger, "taken", WHOLE[:3])
    del ledger.journal[key]
    assert {finding.key for finding in made(ledger)[0].findings} == {key}


def remove(chain: list[Event], place: int) -> None:
    """Take an event out of its chain."""
    del chain[place]


def change(chain: list[Event], place: int) -> None:
    """Write something else into an event."""
    chain[place] = replace(chain[place], body={**chain[place].body, "result": "failed"})


def blot(chain: list[Event], place: int) -> None:
    """Make an event unreadable, as the table's adapter reads such a row."""
    chain[place] = Event(chain[place].key, chain[place].seq, {}, "", "")


def swap(chain: list[Event], place: int) -> None:
    """Exchange the contents of an event and of the next."""
    one, two = chain[place : place + 2]
    chain[place], chain[place + 1] = replace(two, seq=one.seq), replace(one, seq=two.seq)


LONG: tuple[Step, ...] = (
    WHOLE[0],
    *((hour, "lease.updated", "sweep") for hour in range(1, 8)),
    *WHOLE[2:],
)


@pytest.mark.parametrize("place", [0, 2, 8])
@pytest.mark.parametrize("hours", [0, 1.5])
@pytest.mark.parametrize("tamper", [remove, change, blot, swap])
def test_the_report_names_what_verify_names(
    ledger: MemoryLedger, tamper: Callable[[list[Event], int], None], hours: float, place: int
) -> None:
    """No more and no less, whether the chain began before the span or in it.

    Fails if what follows a gap is named: `event 4 stands apart`, to the last.
    """
    write(ledger, "good", LONG)
    key = write(ledger, "bad", LONG)
    tamper(ledger.journal[key], place)
    (checked,) = verify_chains(ledger, (key,))
    assert checked.findings
    report_, lives = made(ledger, since=NOON + timedelta(hours=hours))
    assert report_.findings == checked.findings
    assert [(life.name, sound) for life, sound in lives if life.name == "bad"] in (
        [("bad", False)],
        [],
    )
    assert ("good", True) in [(life.name, sound) for life, sound in lives]


def test_a_missing_event_is_named_once_on_the_page(ledger: MemoryLedger) -> None:
    """By its number, and by the stack's name, not by what came after it."""
    key = write(ledger, "bad", LONG)
    remove(ledger.journal[key], 2)
    found = re.findall(r"<li>(event .*?)</li>", html(ledger))
    assert found == [f"event 3 is missing <small>{key}</small>"]


def test_what_the_index_alone_still_shows_is_no_fault_of_the_report() -> None:
    """Rows that are gone, record and all, may stay in the index for a moment.

    Fails if each chain in doubt has to be one that `verify_chains` has something to say of.
    """

    class Stale(MemoryLedger):
        def events(self, since: datetime, until: datetime) -> Iterator[Event]:
            """Leave one out, so that the rest is in doubt."""
            return (event for event in super().events(since, until) if event.seq != 3)

        def chain(self, key: str) -> Iterator[Event]:
            """Know of nothing."""
            return iter(())

        def lease(self, stack_id: str) -> Lease | None:
            """Know of nothing."""
            return None

    stale = Stale()
    write(stale, "feat", LONG)
    assert made(stale)[0].findings == ()


def test_a_deletion_whose_end_was_removed_is_named(ledger: MemoryLedger) -> None:
    """It looks like a stack that is open, and no lease is.

    Fails if only what has ended is held beside its record.
    """
    key = write(ledger, "cut")
    remove(ledger.journal[key], len(ledger.journal[key]) - 1)
    (checked,) = verify_chains(ledger, (key,))
    assert checked.findings
    assert made(ledger)[0].findings == checked.findings


def test_a_chain_from_before_the_span_is_no_finding(ledger: MemoryLedger) -> None:
    """Fails if a chain has to begin in the span."""
    write(ledger, "long")
    account = Account()
    actor, at = Actor("operator", "o", "cli"), [NOON, NOON + timedelta(hours=30)]
    for when in at:
        draft = Draft(when, actor, "breaker.lifted", JANITOR_TARGET, Reason("x"))
        written = entry(account, account, draft)
        ledger.commit(written)
        account = written.record
    report_, _ = made(ledger, since=NOON + timedelta(hours=25))
    assert (report_.events, report_.findings) == (3, ())
    remove(ledger.journal[ACCOUNT_KEY], 0)
    assert [f.text for f in made(ledger)[0].findings] == ["event 1 is missing"]


def test_an_event_that_the_index_does_not_show_yet_is_not_missing(ledger: MemoryLedger) -> None:
    """The chain itself is asked before anything is said of it.

    Fails if a gap in what passed is a finding.
    """

    class Late(MemoryLedger):
        def events(self, since: datetime, until: datetime) -> Iterator[Event]:
            """Leave one out."""
            return (event for event in super().events(since, until) if event.seq != 3)

    late = Late()
    write(late, "feat", LONG)
    report_, ((life, sound),) = made(late)
    assert (report_.findings, life.name, sound) == ((), "feat", True)


# The page.


class Structure(HTMLParser):
    """The elements of a page, and whether they are closed in order."""

    VOID = ("meta", "rect", "line", "br")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember an element."""
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close the last one, or fail."""
        if tag not in self.VOID:
            assert self.open.pop() == tag


def structure(text: str) -> Structure:
    """Read a page; whatever is not closed in order fails."""
    parser = Structure()
    parser.feed(text)
    assert parser.open == []
    return parser


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_somebody_wrote_becomes_markup(ledger: MemoryLedger, text: str) -> None:
    """Tags, owners, reasons, facts, actors and request ids are text.

    Fails with `autoescape=False` in audit_report/render.py.
    """
    write(ledger, "plain", text="x")
    harmless = structure(html(ledger))
    other = MemoryLedger()
    write(other, "plain", text=text)
    written = html(other)
    found = structure(written)
    names = [name for name, _ in found.elements]
    assert names == [name for name, _ in harmless.elements]
    assert not {"script", "img", "a", "iframe", "link"} & set(names)
    assert not [key for _, attributes in found.elements for key in attributes if key[:2] == "on"]
    assert not re.search("[\u202e\u0000\u001b]", written)
    assert "49" not in re.sub(r"<style>.*?</style>|<svg.*?</svg>", "", written, flags=re.DOTALL)


def test_the_page_needs_nothing_else_and_runs_nothing(ledger: MemoryLedger) -> None:
    """One file, and a policy in it that would stop whatever got in."""
    write(ledger, "feat")
    text = html(ledger)
    assert "default-src &#39;none&#39;" in text or "default-src 'none'" in text
    urls = re.findall(r"""(?:src|href|url|@import)\s*[=(]\s*["']?([^"')\s>]+)""", text)
    assert urls == []
    assert "<script" not in text


def test_the_chart_says_what_its_table_says(ledger: MemoryLedger) -> None:
    """A bar for each week with something in it, a row for each week, and a name for the chart."""
    for number in range(3):
        write(ledger, f"a{number}")
    write(ledger, "b", begin=NOON + timedelta(days=21))
    text = html(ledger)
    found = structure(text)
    bars = [a for name, a in found.elements if name == "rect"]
    assert [float(bar["height"] or 0) for bar in bars] == [180.0, 60.0]
    rows = re.findall(r'<time datetime="([\d-]+)">[^<]*</time></th><td>(\d+)</td>', text)
    assert rows == [
        ("2026-06-01", "3"), ("2026-06-08", "0"), ("2026-06-15", "0"), ("2026-06-22", "1"),
    ]  # fmt: skip
    (svg,) = [a for name, a in found.elements if name == "svg"]
    assert (svg["role"], svg["aria-labelledby"]) == ("img", "chart-title")
    ids = [a["id"] for _, a in found.elements if "id" in a]
    assert len(ids) == len(set(ids))
    assert {"chart-title", "week-table"} <= set(ids)


@pytest.mark.parametrize("weeks", [2, 5, 9, 14, 19, 25, 53])
@pytest.mark.parametrize("day", range(0, 35, 7))
def test_no_name_of_a_month_runs_into_the_next(weeks: int, day: int) -> None:
    """Nor out of the chart: on a phone eight letters are some 85 of its units wide.

    Fails with a name for each month: `Nov 2026Dec 2026`.
    """
    totals = Totals()
    begin = NOON + timedelta(days=day)
    for at in (begin, begin + timedelta(weeks=weeks - 1)):
        draft = Draft(at, Actor("janitor", "j", "x"), "a.b", JANITOR_TARGET, Reason("x"))
        totals.add(entry(Account(), Account(), draft).events[0])
    places = [bar.x for bar in page.bars(totals) if bar.label]
    assert len(places) >= 1
    assert all(b - a >= 90 for a, b in pairwise([*places, page.WIDTH]))


def test_a_page_about_nothing_says_so(ledger: MemoryLedger) -> None:
    """And is a page."""
    text = html(ledger)
    structure(text)
    assert "The journal has no event of this time." in text


def test_what_an_auditor_asks_stands_under_each_stack(ledger: MemoryLedger) -> None:
    """Who was asked and when, what was deleted, how it ended, where the evidence is."""
    key = write(ledger, "feat")
    text = re.sub(r"<[^>]+>|\s+", " ", html(ledger))
    text = re.sub(r"\s+", " ", text)
    for words in (
        "Deleted by the janitor, Wed 3 Jun 2026 12:00 CEST , 1 day 22 hours after it was first",
        "ada@example.com, final notice by sns, Tue 2 Jun 2026 10:00 CEST",
        "by nobody",
        "deletion.intended",
        "resources: ada@example.com",
        f"{key} , events 1 to 4, chain sound",
        "deleted by the janitor 1",
    ):
        assert words in text


@pytest.mark.parametrize(
    "reason, shown",
    [
        ("demo on Friday", "CEST</time>: “demo on Friday”</li>"),
        ("x" * 5000, f"CEST</time>: “{'x' * 299}…”</li>"),
        (UNEXPLAINED, "CEST</time>, no reason given</li>"),
    ],
)
def test_a_reason_is_quoted_if_somebody_gave_it(
    ledger: MemoryLedger, reason: str, shown: str
) -> None:
    """As far as a page has room; the journal keeps it whole.

    Fails with the sentence of each extension in quotation marks.
    """
    extended = (10, "lease.extended", "link")
    write(ledger, "feat", (WHOLE[0], extended, *WHOLE[1:]), text=reason)
    (line,) = re.findall(r"<li>by .*? until , .*", html(ledger))
    assert line.endswith(shown)


# The rows.


@pytest.mark.parametrize(
    "text",
    [
        "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "'=1", '"=1', "''\"=1", "%1", "|1",
        "\uff1d1+1", "\uff20x",
    ],
)  # fmt: skip
def test_no_cell_is_a_formula(text: str) -> None:
    """However it begins, and behind a quote too.

    Fails if `cell` returns the text as it is.
    """
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "a=1", "2026-06-01", "arn:aws:x", "<b>", "'quoted'"])
def test_what_is_no_formula_stays_as_it_is(text: str) -> None:
    """Nobody has to take quotes away."""
    assert cell(text) == text


def test_a_row_has_a_cell_for_each_column_and_no_line_break(ledger: MemoryLedger) -> None:
    """Whatever the text."""
    write(ledger, "feat", text="=cmd|' /C calc'!A0\n\x1b[31m")
    for event in ledger.journal["arn:aws:cloudformation:eu-central-1:1:stack/feat/1"]:
        cells = row(event)
        assert len(cells) == len(HEADER)
        assert not re.search(r"[\n\r\t\x1b]", "".join(cells))
        assert dict(zip(HEADER, cells, strict=True))["owner"].startswith("'=cmd")


def test_a_row_that_was_made_unreadable_is_a_row() -> None:
    """With its place, and nothing that could be a formula."""
    cells = dict(zip(HEADER, row(Event("=k", 3, {"action": "=x"}, "-p", "@h")), strict=True))
    assert (cells["seq"], cells["stack_id"], cells["action"]) == ("3", "'=k", "'=x")
    assert (cells["hash"], cells["prev_hash"]) == ("'@h", "'-p")
