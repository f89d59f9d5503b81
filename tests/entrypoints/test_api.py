"""The extension page: what it shows, what it refuses, and that only our own form changes a thing."""

import copy
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.fakes.memory import MemoryLedger, MemoryPolicies

from janitor.application.lease.extend import extend
from janitor.domain.errors import JanitorError
from janitor.domain.journal.events import Actor
from janitor.domain.model import OPERATORS, Contact, ContactKind, Lease, LeaseState, Mode
from janitor.domain.notification.signed_links import Claims, Links
from janitor.domain.policy.model import Policy
from janitor.extension_page.http import Request, Response
from janitor.extension_page.router import handle

NOW = datetime(2026, 6, 1, 7, 34, 12, 345, UTC)
ANA = Contact(ContactKind.EMAIL, "ana@example.com")
STACK_ID = "arn:aws:cloudformation:eu-central-1:123456789012:stack/feat-basket/0a1b"
POLICY = Policy.model_validate({"mode": "enforce", "window": {"zone": "Europe/Berlin"}})
LINKS = Links(["k" * 40], "https://janitor.example.com/prod")
SAME_ORIGIN = {
    "Sec-Fetch-Site": "same-origin",
    "Content-Type": "application/x-www-form-urlencoded",
}
TOMORROW = "2026-06-03T06:34:12.000345+00:00"
"""One of the dates that are offered for `LEASE`."""
LEASE = Lease(
    stack_id=STACK_ID,
    name="feat-basket",
    region="eu-central-1",
    rule="default",
    created=NOW - timedelta(days=3),
    first_seen=NOW - timedelta(days=3),
    expires_at=NOW + timedelta(hours=23),
    deadline_source="tag janitor:ttl=4d",
    contacts=(ANA,),
    labels=(("branch", "feature/basket"), ("pull request", "17"), ("monthly cost", "12.50 EUR")),
    resources=23,
    version=1,
)


class Door:
    """A ledger with one lease behind the page, and ways to knock."""

    def __init__(self, lease: Lease | None = LEASE, mode: Mode | None = None) -> None:
        self.now = NOW
        self.ledger = MemoryLedger()
        if lease is not None:
            self.ledger.records[lease.key] = lease
        self.policies = MemoryPolicies(POLICY, mode)

    def send(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
    ) -> Response:
        """Send one request."""
        return handle(
            Request(method, path, headers or {}, body, "192.0.2.7"),
            clock=lambda: self.now,
            policies=self.policies,
            ledger=self.ledger,
            links=LINKS,
        )

    def get(self, path: str) -> Response:
        """Open a page."""
        return self.send("GET", path)

    def post(self, path: str, until: str = TOMORROW, reason: str = "") -> Response:
        """Send the form as a browser does."""
        headers = {**SAME_ORIGIN, "User-Agent": "Browser/1.0"}
        return self.send("POST", path, headers, form(until, reason))

    @property
    def lease(self) -> Lease:
        """Return the lease as it is now."""
        lease = self.ledger.lease(STACK_ID)
        assert lease is not None
        return lease

    @property
    def state(self) -> tuple[object, object]:
        """Return a copy of all that is recorded."""
        return copy.deepcopy((self.ledger.records, self.ledger.journal))


def form(until: str = TOMORROW, reason: str = "") -> bytes:
    """Return the form's body."""
    return urlencode({"until": until, "reason": reason}).encode()


def path_to(
    stack_id: str = STACK_ID, generation: int = 1, contact: Contact = ANA, action: str = "extend"
) -> str:
    """Return the path of a link that we signed."""
    return f"/extend/{LINKS.sign(Claims(stack_id, generation, contact, NOW), action)}"


def text_of(response: Response) -> str:
    """Return what a person reads on a page."""
    page = response.body.decode()
    page = re.sub(r"<style>.*?</style>|<title>.*?</title>", "", page, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", page)).split())


def offers_of(response: Response) -> list[str]:
    """Return the values of the radio buttons."""
    return [
        unescape(v) for v in re.findall(r'name="until" value="([^"]*)"', response.body.decode())
    ]


# What the page shows.


def test_the_page_shows_what_the_owner_must_know() -> None:
    """Stack, account, region, deadline, what comes next, extensions, and the choices."""
    response = Door().get(path_to())
    text = text_of(response)
    assert response.status == 200
    for fact in (
        "feat-basket ends in 23 hours It ends Tue 2 Jun 2026 08:34 CEST.",
        "Keep until Wed 3 Jun 08:34 CEST 1 day longer",
        "Keep until Fri 5 Jun 08:34 CEST 3 days longer",
        "Keep until Tue 9 Jun 08:34 CEST 7 days longer",
        "Stack feat-basket",
        "Account 123456789012",
        "Region eu-central-1",
        "Owner ana@example.com",
        "Created Fri 29 May 2026 09:34 CEST (3 days ago)",
        "Deadline Tue 2 Jun 2026 08:34 CEST (in 23 hours)",
        "Set by tag janitor:ttl=4d",
        "Extensions 0 used, 5 left",
        "Not beyond Sun 28 Jun 2026 09:34 CEST",
        "Resources 23",
        "Monthly cost 12.50 EUR",
        "Branch feature/basket",
        "Pull request 17",
        "At its deadline it is marked for deletion. You get a final notice.",
        "It will be deleted 1 day after that, at the earliest.",
        "sent to ana@example.com",
    ):
        assert fact in text
    assert offers_of(response)[0] == TOMORROW
    assert (
        '<a href="https://eu-central-1.console.aws.amazon.com/cloudformation/home'
        "?region=eu-central-1#/stacks/stackinfo?stackId=arn%3Aaws%3Acloudformation%3A"
    ) in response.body.decode()


def test_what_is_not_known_of_a_stack_is_unknown() -> None:
    """Neither a guess nor a gap."""
    bare = replace(LEASE, labels=(), resources=None, ownerless=True, contacts=(OPERATORS,))
    text = text_of(Door(bare).get(path_to()))
    assert "Owner nobody; told instead: the operators" in text
    assert "Resources unknown Monthly cost unknown" in text


def test_the_page_of_a_marked_stack_says_when_it_goes() -> None:
    """The date of the final notice is repeated."""
    marked = replace(
        LEASE,
        state=LeaseState.MARKED,
        expires_at=NOW - timedelta(hours=3),
        delete_after=NOW + timedelta(hours=21),
    )
    text = text_of(Door(marked).get(path_to()))
    assert "It expired Mon 1 Jun 2026 06:34 CEST (3 hours ago) and is marked for deletion." in text
    assert "feat-basket may be deleted in 21 hours" in text
    assert "It will be deleted, at the earliest Tue 2 Jun 2026 06:34 CEST." in text


def test_the_page_does_not_threaten_while_deletions_are_off() -> None:
    """In `notify` nothing is deleted, and the page says so."""
    marked = replace(LEASE, state=LeaseState.MARKED, expires_at=NOW - timedelta(hours=3))
    text = text_of(Door(marked, Mode.NOTIFY).get(path_to()))
    assert "Deletions are switched off at present." in text


def test_every_control_has_a_label_and_there_is_no_script() -> None:
    """The form works with a keyboard, a screen reader, and nothing else."""
    page = Door().get(path_to()).body.decode()
    assert "<script" not in page
    assert page.count('<button name="until" value="') == 3
    for field in ("reason", "name"):
        assert f'for="{field}"' in page
        assert f'id="{field}"' in page
    keep, let_go = re.findall(r"<form[^>]*>", page)
    assert keep == '<form method="post" class="keep">'
    assert let_go.startswith('<form method="post" action="../let-go/')


def test_near_the_ceiling_the_last_possible_date_is_the_only_offer() -> None:
    """What the caps leave is offered, and taken."""
    old = replace(LEASE, created=NOW - timedelta(days=28, hours=12))
    door = Door(old)
    offers = offers_of(door.get(path_to()))
    assert offers == [(old.created + timedelta(days=30)).isoformat()]
    assert door.post(path_to(), offers[0]).status == 200


# What POST does.


def test_a_post_extends_and_the_page_states_the_new_deadline() -> None:
    """What was acknowledged is in the ledger, with who did it from where."""
    door = Door()
    response = door.post(path_to(), TOMORROW, "the customer\r\nwants it")
    assert response.status == 200
    assert "feat-basket now ends Wed 3 Jun 2026 08:34 CEST (in 1 day 23 hours)." in text_of(
        response
    )
    assert door.lease.expires_at == datetime.fromisoformat(TOMORROW)
    assert door.lease.generation == 2
    (event,) = door.ledger.chain(STACK_ID)
    assert event.action == "lease.extended"
    assert event.body["actor"] == {
        "type": "owner",
        "id": "ana@example.com",
        "via": "link",
        "ip": "192.0.2.7",
        "user_agent": "Browser/1.0",
    }
    assert event.body["reason"]["sentence"] == "the customer wants it"


def test_every_offer_can_be_taken_minutes_later() -> None:
    """People read before they click, and the clock goes on."""
    for state, expires_at in (
        (LeaseState.ACTIVE, NOW + timedelta(hours=23)),
        (LeaseState.MARKED, NOW - timedelta(hours=3)),
    ):
        lease = replace(LEASE, state=state, expires_at=expires_at)
        for offer in offers_of(Door(lease).get(path_to())):
            door = Door(lease)
            door.now += timedelta(minutes=20)
            assert door.post(path_to(), offer).status == 200
            assert door.lease.expires_at == datetime.fromisoformat(offer)


def test_a_second_post_changes_nothing_and_says_what_holds() -> None:
    """A link is good for one generation: replays and double clicks add no days."""
    door = Door()
    door.post(path_to())
    before = door.state
    for until in (TOMORROW, "2026-06-05T06:34:12+00:00"):
        again = door.post(path_to(), until)
        assert again.status == 409
        assert "feat-basket is already extended to Wed 3 Jun 2026 08:34 CEST." in text_of(again)
    assert "already extended to" in text_of(door.get(path_to()))
    assert door.state == before


def test_a_long_user_agent_and_reason_are_cut() -> None:
    """The journal takes what is useful, not whatever is sent."""
    door = Door()
    headers = {**SAME_ORIGIN, "User-Agent": "x\x1b[31m" * 200}
    door.send("POST", path_to(), headers, form(reason="y" * 1_000))
    (event,) = door.ledger.chain(STACK_ID)
    assert len(event.body["actor"]["user_agent"]) == 200
    assert "\x1b" not in event.body["actor"]["user_agent"]
    assert len(event.body["reason"]["sentence"]) == 200


# What is refused.


@pytest.mark.parametrize(
    "until, complaint",
    [
        ("2026-06-10T06:34:13+00:00", "at the latest (max_extension, max_lifetime)"),
        ("2036-06-01T00:00:00Z", "at the latest (max_extension, max_lifetime)"),
        ("2026-06-02T06:34:12+00:00", "already runs until Tue 2 Jun 2026 08:34 CEST"),
        ("2020-01-01T00:00:00Z", "already runs until"),
        ("0001-01-01T00:00:00+14:00", "choose one of these dates"),
        ("9999-12-31T23:59:59-14:00", "choose one of these dates"),
        ("2026-06-03T06:34:12", "choose one of these dates"),
        ("2026-06-03", "choose one of these dates"),
        ("2026-W23-3T06:34:12+00:00", "choose one of these dates"),
        ("2026-06-31T06:34:12+00:00", "choose one of these dates"),
        ("2026-06-03T06:34:12+99:00", "choose one of these dates"),
        ("\uff12\uff10\uff12\uff16-06-03T06:34:12Z", "choose one of these dates"),
        (f"{TOMORROW}\n", "choose one of these dates"),
        ("never", "choose one of these dates"),
        ("", "choose one of these dates"),
    ],
)
def test_a_date_that_was_not_offered_is_refused_and_the_form_is_shown_again(
    until: str, complaint: str
) -> None:
    """Beyond the caps, in the past, naive or garbage: nothing changes."""
    door = Door()
    before = door.state
    response = door.post(path_to(), until)
    assert response.status == 400
    assert complaint in text_of(response)
    assert len(offers_of(response)) == 3
    assert door.state == before


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"until",
        b"&&&",
        b"until=%FF%FE",
        b"until=%zz",
        "until=ü".encode(),
        b"\x00\xff",
        form() + b"&until=2026-06-03T06:34:12Z",
        b"reason=only",
        b"&".join([b"a=b"] * 50) + b"&" + form(),
        b'{"until": "2026-06-03T06:34:12Z"}',
    ],
)
def test_a_body_that_is_no_form_of_ours_is_refused(body: bytes) -> None:
    """Bad encodings, missing and doubled fields: the form is shown again."""
    door = Door()
    before = door.state
    response = door.send("POST", path_to(), SAME_ORIGIN, body)
    assert response.status == 400
    assert offers_of(response)
    assert door.state == before


def test_a_body_may_be_4_kib_and_not_a_byte_more() -> None:
    """The limit comes before everything that reads the body."""
    door = Door()
    exact = form() + b"x" * (4_096 - len(form()))
    assert door.send("POST", path_to(), SAME_ORIGIN, exact + b"x").status == 413
    assert door.ledger.journal == {}
    assert door.send("POST", path_to(), SAME_ORIGIN, exact).status == 200


@pytest.mark.parametrize(
    "content_type, status",
    [
        ("application/x-www-form-urlencoded", 200),
        ("Application/X-WWW-Form-Urlencoded; charset=utf-8", 200),
        ("text/plain", 415),
        ("application/json", 415),
        ("multipart/form-data; boundary=x", 415),
        ("", 415),
        (None, 415),
    ],
)
def test_only_a_form_is_read(content_type: str | None, status: int) -> None:
    """The types that a foreign page may send without asking are no use to it."""
    door = Door()
    headers = {"Sec-Fetch-Site": "same-origin"}
    if content_type is not None:
        headers["content-type"] = content_type
    assert door.send("POST", path_to(), headers, form()).status == status
    assert bool(door.ledger.journal) == (status == 200)


@pytest.mark.parametrize(
    "site, origin, allowed",
    [
        ("same-origin", None, True),
        ("same-origin", "null", True),  # what our Referrer-Policy makes of it
        ("same-origin", "https://evil.example", True),  # no browser sends this pair
        ("same-site", "https://janitor.example.com", False),
        ("cross-site", "https://janitor.example.com", False),
        ("none", None, False),
        ("", "https://janitor.example.com", False),
        ("same-origin, cross-site", None, False),
        (None, "https://janitor.example.com", True),
        (None, "https://janitor.example.com:443", False),  # browsers leave the usual port out
        (None, "http://janitor.example.com", False),
        (None, "https://janitor.example.com.evil.example", False),
        (None, "https://evil.example", False),
        (None, "null", False),
        (None, "", False),
        (None, None, False),
    ],
)
def test_only_our_own_page_can_post(site: str | None, origin: str | None, allowed: bool) -> None:
    """Sec-Fetch-Site decides; where a browser does not send it, Origin does."""
    door = Door()
    headers = {"content-type": SAME_ORIGIN["Content-Type"]}
    if site is not None:
        headers["sec-fetch-site"] = site
    if origin is not None:
        headers["ORIGIN"] = origin
    response = door.send("POST", path_to(), headers, form())
    assert response.status == (200 if allowed else 403)
    assert bool(door.ledger.journal) == allowed
    if not allowed:
        assert "Open the link in the notice itself, and press the button there." in text_of(
            response
        )


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "get", ""])
def test_no_other_method_changes_anything(method: str) -> None:
    """Scanners and previews may ask whatever they like."""
    door = Door()
    before = door.state
    response = door.send(method, path_to(), SAME_ORIGIN, form())
    assert door.state == before
    if method in ("GET", "HEAD"):
        assert response.status == 200
    else:
        assert response.status == 405
        assert response.headers["Allow"] == "GET, HEAD, POST"


def test_head_answers_like_get_without_a_body() -> None:
    """The headers are those of the page."""
    head, page = Door().send("HEAD", path_to()), Door().get(path_to())
    assert (head.status, dict(head.headers)) == (page.status, dict(page.headers))
    assert head.body == b""


OTHER_KEYS = Links(["z" * 40], LINKS.base_url)


@pytest.mark.parametrize(
    "path",
    [
        "/extend/",
        "/extend/x",
        "/extend/" + "x" * 5_000,
        f"/extend/{OTHER_KEYS.sign(Claims(STACK_ID, 1, ANA, NOW))}",
        path_to()[:-1],
        path_to() + "x",
        path_to(action="release"),
        "/extend/%00",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_link_that_is_not_ours_opens_nothing(path: str, method: str) -> None:
    """Forged, cut or for another action: one page, which says what to do."""
    door = Door()
    before = door.state
    response = door.send(method, path, SAME_ORIGIN, form())
    assert response.status == 404
    assert "Open the link in the newest notice" in text_of(response)
    assert door.state == before


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_link_of_more_than_60_days_says_that_it_is_too_old(method: str) -> None:
    """And where a newer one is."""
    door = Door()
    before = door.state
    old = LINKS.sign(Claims(STACK_ID, 1, ANA, NOW - timedelta(days=60, seconds=1)))
    response = door.send(method, f"/extend/{old}", SAME_ORIGIN, form())
    assert response.status == 410
    assert "This link is older than 60 days." in text_of(response)
    assert "The newest notice about your stack has a link that works." in text_of(response)
    assert door.state == before


@pytest.mark.parametrize("path", ["", "/", "/extend", "/favicon.ico", "//", path_to() + "/x", "*"])
def test_there_is_nothing_else(path: str) -> None:
    """Every other address is not found."""
    assert Door().get(path).status == 404


def test_a_link_for_another_stack_does_not_touch_this_one() -> None:
    """The stack is the one in the token; of one that nobody knows, the page says so."""
    door = Door()
    before = door.state
    for response in (door.get(path_to("arn:other")), door.post(path_to("arn:other"))):
        assert response.status == 404
        assert "knows nothing of this stack any more" in text_of(response)
    assert door.state == before


def later(**changes: object) -> Lease:
    """Return the lease in another state."""
    return replace(LEASE, **changes)


@pytest.mark.parametrize(
    "lease, generation, sentence",
    [
        (later(), 7, "This link was for an earlier deadline of feat-basket, which now ends Tue 2"),
        (later(extensions=5), 1, "feat-basket has used all of its 5 extensions"),
        (
            later(created=NOW - timedelta(days=29, hours=1)),
            1,
            "feat-basket may not live beyond Tue 2 Jun 2026 08:34 CEST (max_lifetime).",
        ),
        (later(expires_at=None), 1, "feat-basket never expires, so there is nothing to extend."),
        (later(expires_at=None), 7, "feat-basket never expires, so there is nothing to extend."),
        (
            later(expires_at=None, problem="tag janitor:ttl 'x' is not a lifetime"),
            1,
            "feat-basket has no deadline to extend, since tag janitor:ttl 'x' is not a lifetime.",
        ),
        (later(state=LeaseState.DELETING), 1, "feat-basket is being deleted"),
        (later(state=LeaseState.DELETING, extended_until=LEASE.expires_at), 7, "is being deleted"),
        (later(state=LeaseState.FAILED), 1, "A deletion was begun and has failed"),
        (later(state=LeaseState.NEEDS_ATTENTION), 1, "The janitor will not try again."),
        (later(state=LeaseState.DELETED), 1, "It was deleted some time ago, and CloudFormation"),
        (later(state=LeaseState.DELETED), 7, "It was deleted some time ago, and CloudFormation"),
        (later(state=LeaseState.GONE), 1, "Somebody else deleted it"),
        (later(state=LeaseState.RELEASED), 1, "The janitor does not look after it any more"),
    ],
)
def test_a_lease_that_cannot_be_extended_says_why(
    lease: Lease, generation: int, sentence: str
) -> None:
    """One status for all of it, whether looked at or posted to, and nothing changes."""
    door = Door(lease)
    before = door.state
    for response in (
        door.get(path_to(generation=generation)),
        door.post(path_to(generation=generation)),
    ):
        assert response.status == 409
        assert sentence in text_of(response)
        assert offers_of(response) == []
    assert door.state == before


def test_who_loses_the_race_is_told() -> None:
    """An extension by another way makes the link of the page that is open outdated."""
    door = Door()
    extend(
        STACK_ID,
        by=timedelta(days=2),
        actor=Actor("operator", "op", "cli"),
        reason="",
        now=NOW,
        policy=POLICY,
        ledger=door.ledger,
    )
    assert "already extended to Thu 4 Jun 2026 08:34 CEST" in text_of(door.post(path_to()))


# What never leaks.


def test_hostile_values_are_escaped_and_cleaned() -> None:
    """Tags are written by anybody: no markup, nothing invisible."""
    contact = Contact(ContactKind.NAME, "<script>alert(1)</script>\u202e\x07")
    lease = replace(LEASE, name='x"><img src=x>')
    for response in (
        Door(lease).get(path_to(contact=contact)),
        Door(lease).post(path_to(contact=contact), reason="<b>"),
        Door(replace(lease, extensions=9)).get(path_to(contact=contact)),
        Door(lease).post(path_to(contact=contact), "2036-01-01T00:00:00Z"),
    ):
        page = response.body.decode()
        assert "<script" not in page
        assert "<img" not in page
        assert "\u202e" not in page
        assert "\x07" not in page


SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
    "X-Content-Type-Options": "nosniff",
    "Content-Type": "text/html; charset=utf-8",
}


@pytest.mark.parametrize(
    "method, path",
    [
        ("GET", path_to()),
        ("POST", path_to()),
        ("GET", "/"),
        ("PUT", path_to()),
        ("GET", "/extend/x"),
    ],
)
def test_every_answer_has_the_headers_and_no_token(method: str, path: str) -> None:
    """Nothing is cached, framed, indexed or sent on, and the style is named by its hash."""
    response = Door().send(method, path, SAME_ORIGIN, form())
    assert SECURITY_HEADERS.items() <= dict(response.headers).items()
    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-[A-Za-z0-9+/]{43}=';"
        r" form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        response.headers["Content-Security-Policy"],
    )
    if path == path_to():
        # Links and forms of the page itself have it; nothing sends its address to others.
        token = path.removeprefix("/extend/")
        outside = re.sub(r' (href|action)="\.\./[^"]*"', "", response.body.decode())
        assert token not in outside
        assert token not in str(response.headers)


class BrokenLedger(MemoryLedger):
    """A ledger that cannot be read."""

    def lease(self, stack_id: str) -> Lease | None:
        """Fail as an adapter does."""
        raise JanitorError(f"reading {stack_id} failed: secret detail")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_a_failure_of_ours_is_a_page_without_detail_or_token(
    method: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The person is told to try again; the log has the error, and no token."""
    door = Door()
    door.ledger = BrokenLedger()
    response = door.send(method, path_to(), SAME_ORIGIN, form())
    assert response.status == 503
    assert "secret detail" not in response.body.decode()
    assert "Traceback" not in response.body.decode()
    assert "page.failed" in caplog.text
    assert path_to().removeprefix("/extend/") not in caplog.text


paths = st.one_of(
    st.text(),
    st.sampled_from([path_to(), path_to(generation=2), path_to("arn:x"), "/extend/"]),
    st.text().map(lambda text: f"/extend/{text}"),
    st.text(max_size=3).map(lambda text: path_to() + text),
)
methods = st.one_of(st.sampled_from(["GET", "HEAD", "POST", "PUT"]), st.text())
headers = st.one_of(
    st.just(SAME_ORIGIN),
    st.dictionaries(
        st.one_of(st.sampled_from(["Sec-Fetch-Site", "origin", "Content-Type"]), st.text()),
        st.text(),
    ),
)
bodies = st.one_of(
    st.binary(),
    st.binary().map(lambda text: b"until=" + text),
    st.text().map(lambda text: form(text, text)),
    st.datetimes().map(lambda when: form(when.isoformat() + "+00:00")),
    st.just(form()),
)


@given(method=methods, path=paths, sent=headers, body=bodies)
def test_no_request_makes_it_stumble(
    method: str, path: str, sent: dict[str, str], body: bytes
) -> None:
    """Whatever comes, there is a page and no server error; only a POST of ours writes."""
    door = Door()
    response = door.send(method, path, sent, body)
    assert 200 <= response.status < 500
    if door.ledger.journal:
        assert method == "POST"
        assert path == path_to()
        assert sent == SAME_ORIGIN
