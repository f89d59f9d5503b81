"""Letting a stack go by the page: the name typed, nothing deleted at once, and a way back."""

import re
from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.browser.site import (
    ANA,
    BOB,
    FROM_OUR_PAGE,
    HOSTILE,
    HOSTILE_TAG,
    HOUR,
    LEASE,
    MARKED,
    NOW,
    OFFERED,
    RTL,
    STACK_ID,
    TAKEN,
    ZERO_WIDTH,
    Site,
    text_of,
)

from janitor.domain.lease.notice_history import LET_GO as BY_OWNER
from janitor.domain.model import Lease, LeaseState, Mode, Notice
from janitor.domain.notification.messages import RevisionRequest
from janitor.domain.notification.signed_links import EXTEND, LET_GO
from janitor.extension_page.http import Response

NAMED = {"name": "feat-basket"}


def way_back(response: Response) -> str:
    """Return the token in the link that keeps the stack after all; empty if there is none."""
    found = re.search(r'class="button" href="\.\./extend/([^"]+)"', response.body.decode())
    return found[1] if found else ""


def test_the_extension_page_offers_it_apart_with_a_token_of_its_own() -> None:
    """Closed at first, and what it means is said before the name is asked for."""
    site = Site()
    page = site.get(site.link())
    html = page.body.decode()
    assert '<details class="aside">\n<summary>Let it go now</summary>' in html
    (action,) = re.findall(r'action="\.\./let-go/([^"]+)"', html)
    claims = site.links.verify(action, NOW, LET_GO)
    assert claims == site.links.verify(site.link().rpartition("/")[2], NOW)
    assert (
        "Nothing is deleted at once: it ends now instead of Tue 2 Jun 2026 08:34 CEST (in 23"
        " hours). You get a final notice. It will be deleted 1 day after that, at the earliest."
        " Until it is deleted, the link in that notice keeps it."
    ) in text_of(page)


def test_an_owner_who_was_replaced_sees_the_stack_and_can_do_nothing() -> None:
    """The page says whom to ask, and has no form, no date for a calendar and no other link.

    Each way fails without `sent_to` in its call of `extend` or `let_go`, the page without
    `_spent` in `show`.
    """
    site = Site(replace(LEASE, contacts=(BOB,)), reader=ANA)
    before = site.recorded
    page = site.get(site.link())
    assert page.status == 409
    assert text_of(page).startswith(
        "janitor feat-basket has changed hands It belongs to bob@example.com now, so your link"
        " only shows it. If you still need it, ask them to keep it"
    )
    html = page.body.decode()
    assert "<form" not in html
    assert "../" not in html
    assert site.get(f"{site.link()}/deadline.ics").status == 409
    assert site.get(site.link(LET_GO)).status == 409
    assert site.press(site.link(LET_GO), **NAMED).status == 409
    assert site.press(site.link(), until=OFFERED).status == 409
    assert site.recorded == before


def test_looking_at_the_page_that_asks_changes_nothing() -> None:
    """GET and HEAD show it."""
    site = Site()
    before = site.recorded
    page = site.get(site.link(LET_GO))
    assert page.status == 200
    assert "Let feat-basket go?" in text_of(page)
    assert site.send("HEAD", site.link(LET_GO)).body == b""
    assert site.recorded == before


@pytest.mark.parametrize("typed", ["feat-basket", "  feat-basket ", "feat-basket\r\n"])
def test_the_name_typed_lets_it_go(typed: str) -> None:
    """Its deadline is now, the journal has who did it, and nothing is deleted yet."""
    site = Site()
    page = site.press(site.link(LET_GO), name=typed)
    assert page.status == 200
    assert text_of(page).startswith(
        "janitor feat-basket is let go It will be deleted, at the earliest Tue 2 Jun 2026 09:34"
        " CEST (in 1 day). First you get a final notice, and the stack still stands for 1 day"
        " after it. Until it is deleted, the link in that notice keeps it. Keep it after all"
    )
    assert (site.now.state, site.now.expires_at) == (LeaseState.ACTIVE, NOW)
    assert (site.now.deadline_source, site.now.generation) == (BY_OWNER, 2)
    (event,) = site.ledger.chain(STACK_ID)
    assert event.action == "lease.let_go"
    assert event.body["actor"] == {
        "type": "owner",
        "id": "ana@example.com",
        "via": "link",
        "ip": "192.0.2.7",
        "user_agent": "Browser/1.0",
    }


@pytest.mark.parametrize(
    "typed", ["", "feat", "feat-baskets", "FEAT-BASKET", "feat basket", "feat-basket\u200b", "*"]
)
def test_another_name_changes_nothing_and_asks_again(typed: str) -> None:
    """Exactly, but for blanks around it. Fails if the comparison ignores case."""
    site = Site()
    before = site.recorded
    page = site.press(site.link(LET_GO), name=typed)
    assert page.status == 400
    assert "to let it go, type its name exactly: feat-basket" in text_of(page)
    assert site.recorded == before


@pytest.mark.parametrize(
    "body", [b"", b"until=x", b"name=feat-basket&name=feat-basket", b"name=%FF", b"\xff"]
)
def test_a_body_that_is_not_the_form_changes_nothing(body: bytes) -> None:
    """Missing, doubled, not text."""
    site = Site()
    before = site.recorded
    assert site.send("POST", site.link(LET_GO), FROM_OUR_PAGE, body).status == 400
    assert site.recorded == before


def test_a_link_that_extends_lets_nothing_go_and_the_other_way_round() -> None:
    """Fails if `verify` gets no action."""
    site = Site()
    before = site.recorded
    extending, ending = (site.link(action).rpartition("/")[2] for action in (EXTEND, LET_GO))
    assert site.press(f"{site.address}/let-go/{extending}", **NAMED).status == 404
    assert site.press(f"{site.address}/extend/{ending}", until=OFFERED).status == 404
    assert site.recorded == before


def test_the_way_back_is_a_link_of_the_new_generation() -> None:
    """It shows the page, and its button keeps the stack; the link before is used up."""
    site = Site()
    before = site.link()
    token = way_back(site.press(site.link(LET_GO), **NAMED))
    claims = site.links.verify(token, NOW)
    assert (claims.generation, claims.contact, claims.issued_at) == (
        2,
        ANA,
        NOW.replace(microsecond=0),
    )
    back = f"{site.address}/extend/{token}"
    assert "feat-basket was let go It ended Mon 1 Jun 2026 09:34 CEST (now)" in text_of(
        site.get(back)
    )
    assert "feat-basket was let go" in text_of(site.get(before))
    assert site.get(before).status == 409
    assert site.press(back, until=OFFERED).status == 200
    assert (site.now.let_go_at, site.now.generation) == (None, 3)


def test_who_has_no_extension_left_is_told_that_there_is_no_way_back() -> None:
    """Before and after. Fails if `_way_back` does not look at the extensions."""
    site = Site(replace(LEASE, extensions=5))
    told = "All extensions are used, so only deploying it again takes this back."
    assert told in text_of(site.get(site.link()))
    page = site.press(site.link(LET_GO), **NAMED)
    assert told in text_of(page)
    assert way_back(page) == ""


def test_while_deletions_are_off_the_page_says_so() -> None:
    """No date is promised that only switching them on makes real."""
    site = Site(mode=Mode.NOTIFY)
    assert "Deletions are switched off at present. Once they are on, it will be deleted" in text_of(
        site.press(site.link(LET_GO), **NAMED)
    )


@pytest.mark.parametrize(
    "lease, generation, sentence",
    [
        (LEASE, 7, "This link is out of date"),
        (TAKEN, 2, "feat-basket has been let go already."),
        (TAKEN, 1, "feat-basket was let go"),
        (MARKED, 1, "feat-basket ended Mon 1 Jun 2026 06:34 CEST and goes by itself"),
        (
            replace(LEASE, protection="protected by tag janitor:protect: a <b>fair</b>"),
            1,
            "feat-basket is protected by tag janitor:protect: a <b>fair</b>; take that tag away",
        ),
        (replace(LEASE, state=LeaseState.DELETING), 1, "feat-basket is being deleted"),
        (replace(LEASE, state=LeaseState.FAILED), 1, "feat-basket could not be deleted"),
        (replace(LEASE, state=LeaseState.NEEDS_ATTENTION), 1, "The janitor will not try again."),
        (replace(LEASE, state=LeaseState.DELETED), 1, "Nothing is left to keep."),
        (replace(LEASE, state=LeaseState.GONE), 1, "Somebody else deleted it"),
        (replace(LEASE, state=LeaseState.RELEASED), 1, "You need do nothing."),
        (replace(LEASE, expires_at=None, problem="tag x is y"), 1, "since tag x is y"),
    ],
)
def test_what_cannot_be_let_go_says_why(lease: Lease, generation: int, sentence: str) -> None:
    """Looked at or posted to, with one status, and nothing changes."""
    site = Site(lease)
    link = site.link(LET_GO, generation)
    before = site.recorded
    for page in (site.get(link), site.press(link, **NAMED)):
        assert page.status == 409
        assert sentence in text_of(page)
        assert "<form" not in page.body.decode()
    assert site.recorded == before


@pytest.mark.parametrize("link", [EXTEND, LET_GO])
def test_earlier_messages_are_shown_anew(link: str) -> None:
    """By way of the queue, whichever form was sent. Fails if the page passes no queue on."""
    notice = Notice("24h", LEASE.expires_at, ANA, NOW - HOUR, "slack", message_id="C1/2")
    site = Site(replace(LEASE, notices=(notice,)))
    site.press(site.link(link), **({"until": OFFERED} if link == EXTEND else NAMED))
    (request,) = site.queue.notices
    assert isinstance(request, RevisionRequest)
    assert (request.contact, request.message_id, request.stack_ids) == (ANA, "C1/2", (STACK_ID,))
    assert request.said.startswith("ana@example.com ")


def test_a_lease_that_nobody_knows_is_unknown_here_too() -> None:
    """With what that means."""
    site = Site(None)
    for page in (site.get(site.link(LET_GO)), site.press(site.link(LET_GO), **NAMED)):
        assert page.status == 404
        assert "Its lease ended long ago, so nothing is left to keep." in text_of(page)


def test_a_link_that_is_too_old_lets_nothing_go() -> None:
    """Sixty days, as everywhere."""
    site = Site()
    before = site.recorded
    assert site.press(site.link(LET_GO, age=timedelta(days=61)), **NAMED).status == 410
    assert site.recorded == before


@pytest.mark.parametrize("action", [EXTEND, LET_GO])
def test_hostile_tags_come_out_as_text_on_every_page(action: str) -> None:
    """Owners, labels, the source of the deadline, the protection and what was typed.

    Fails if `facts` does without `clean`, or the templates without escaping.
    """
    bare = replace(HOSTILE, protection="")
    pages = [
        Site(HOSTILE).get(Site(HOSTILE).link(action)),
        Site(bare).get(Site(bare).link(action)),
        Site(bare).press(Site(bare).link(LET_GO), name=HOSTILE_TAG),
        Site(bare).press(Site(bare).link(LET_GO), **NAMED),
        Site(bare).press(Site(bare).link(), until=OFFERED, reason=HOSTILE_TAG),
        Site(replace(HOSTILE, extensions=9)).get(Site(HOSTILE).link()),
        Site(replace(HOSTILE, state=LeaseState.FAILED, last_error=HOSTILE_TAG)).get(
            Site(HOSTILE).link()
        ),
    ]
    for page in pages:
        html = page.body.decode()
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
        assert not re.search(r"<(script|!channel|img)|href=.https://evil", html)
        assert not set(html) & {RTL, ZERO_WIDTH, "\r", "\x00"}
        assert "line break" in html


# The calendar file, which lives under the same links.


def test_the_date_comes_as_a_file_for_a_calendar() -> None:
    """Named, typed, and with the headers that everything here has."""
    site = Site()
    before = site.recorded
    (link,) = re.findall(
        r'href="\.\.(/extend/[^"]+/deadline\.ics)"', site.get(site.link()).body.decode()
    )
    answer = site.get(link)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="deadline.ics"'
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.body.startswith(b"BEGIN:VCALENDAR\r\n")
    assert link == f"{site.link()}/deadline.ics".removeprefix(site.address)
    head = site.send("HEAD", link)
    assert (head.status, head.headers, head.body) == (200, answer.headers, b"")
    assert site.send("POST", link, FROM_OUR_PAGE, b"until=x").status == 405
    assert site.recorded == before


def test_after_an_extension_the_file_has_the_new_date() -> None:
    """The page that confirms it has a link of the new generation for that."""
    site = Site()
    page = site.press(site.link(), until=OFFERED).body.decode()
    (link,) = re.findall(r'href="\.\.(/extend/[^"]+/deadline\.ics)"', page)
    assert b"DTSTART:20260605T063412Z\r\n" in site.get(link).body
    old = site.get(f"{site.link(generation=1)}/deadline.ics")
    assert old.status == 409
    assert "There is no date ahead" in text_of(old)


@pytest.mark.parametrize("lease", [replace(LEASE, state=LeaseState.DELETED), TAKEN, None])
def test_without_a_date_ahead_there_is_a_page_instead(lease: Lease | None) -> None:
    """And no link to it on the other pages."""
    site = Site(lease)
    assert site.get(f"{site.link()}/deadline.ics").status == (409 if lease else 404)
    assert "deadline.ics" not in site.get(site.link()).body.decode()
