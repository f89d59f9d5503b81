"""What must extend nothing and let nothing go: every request but one press of our own button."""

import random
import re
import string
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlencode, urljoin

import pytest
from msgspec.structs import replace
from tests.browser.site import (
    ANA,
    FROM_OUR_PAGE,
    KEY,
    LEASE,
    NOW,
    OFFERED,
    STACK_ID,
    STATES,
    Site,
)

from janitor.domain.model import OPERATORS, Contact, ContactKind
from janitor.domain.notification.signed_links import EXTEND, LET_GO, SLACK, Claims, Links
from janitor.domain.policy.model import Policy

MUTATED = 2_400
WITH_FALLBACK = Policy.model_validate({"defaults": {"fallback_contact": "team@example.com"}})
FORM = urlencode({"until": OFFERED, "name": LEASE.name, "reason": "x"}).encode()
"""Right for both forms, so that only the link is wrong."""
ACTIONS = [EXTEND, LET_GO]
ALPHABET = string.ascii_letters + string.digits + "-_."
OTHER_STACK = STACK_ID.replace("basket", "search")
OTHER_ACCOUNT = STACK_ID.replace("123456789012", "210987654321")


def claims(**changes: object) -> Claims:
    """Return the claims of a good link, but for `changes`."""
    good = Claims(STACK_ID, 1, ANA, NOW - timedelta(hours=1))
    return replace(good, **changes)


def token(action: str, key: str = KEY, **changes: object) -> str:
    """Sign a token."""
    return Links([key], "https://x").sign(claims(**changes), action)


def mutated(good: str, seed: int) -> Iterator[str]:
    """Yield tokens that are nearly right: cut, changed, swapped, spelled anew, put together."""
    chance = random.Random(seed)  # noqa: S311 - the same ones at every run
    payload, _, signature = good.rpartition(".")
    foreign = token(EXTEND, "z" * 40).rpartition(".")[2]
    while True:
        at = chance.randrange(len(good))
        other = chance.choice(ALPHABET)
        yield chance.choice(
            [
                good[:at] + other + good[at + 1 :],
                good[:at] + other + good[at:],
                good[:at] + good[at + 1 :],
                good[:at],
                good[at:],
                good[:at] + good[at:].swapcase(),
                good[:at] + good[at:][::-1],
                good + other,
                other + good,
                f"{payload}.{foreign}",
                f"{payload[:at]}{other}{payload[at + 1 :]}.{signature}",
                f"{payload}.{signature[:at]}{other}{signature[at + 1 :]}",
                f"{forged(chance)}.{signature}",
                "".join(chance.choices(ALPHABET, k=chance.randrange(1, 300))),
                good.replace(".", "..", 1),
                f"{good}.{signature}",
                f"{good}%00",
                f"{good}{chance.choice(['=', '==', ' ', '+', '%0A', '~', 'ü'])}",
            ]
        )


def forged(chance: random.Random) -> str:
    """Return a payload that says something else, under which a good signature is then put."""
    changes: dict[str, object] = chance.choice(
        [
            {"stack_id": OTHER_STACK},
            {"stack_id": OTHER_ACCOUNT},
            {"generation": chance.randrange(2, 99)},
            {"contact": Contact(ContactKind.EMAIL, "eve@example.com")},
            {"contact": Contact(ContactKind.OPERATORS, ANA.address)},
            {"issued_at": NOW + timedelta(days=chance.randrange(1, 999))},
        ]
    )
    return token(EXTEND, "z" * 40, **changes).rpartition(".")[0]


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("target", ACTIONS)
def test_thousands_of_mutated_tokens_do_nothing(action: str, target: str) -> None:
    """Whatever the address; none is even taken for a link of ours.

    Fails if `_is_canonical` in signed_links.py answers True to everything: the last character of a
    signature has spare bits.
    """
    site = Site()
    before = site.recorded
    good = token(action)
    tried = set()
    for one in mutated(good, seed=len(action) * 100 + len(target)):
        if one == good or one in tried:
            continue
        tried.add(one)
        link = f"/{target}/{one}"
        assert site.send("POST", link, FROM_OUR_PAGE, FORM).status == 404, one
        assert site.get(link).status == 404, one
        if len(tried) == MUTATED // 4:
            break
    assert site.recorded == before
    assert site.send("POST", f"/{action}/{good}", FROM_OUR_PAGE, FORM).status == 200


WRONG = {
    "expired": (token(EXTEND, issued_at=NOW - timedelta(days=61)), 410),
    "forged": (token(EXTEND, "f" * 40), 404),
    "to let go": (token(LET_GO), 404),
    "of Slack": (token(SLACK), 404),
    "of nothing": (token("release"), 404),
    "of another stack": (token(EXTEND, stack_id=OTHER_STACK), 404),
    "of another account": (token(EXTEND, stack_id=OTHER_ACCOUNT), 404),
    "of an older generation": (token(EXTEND, generation=0), 409),
    "of a generation to come": (token(EXTEND, generation=2), 409),
    "of a negative generation": (token(EXTEND, generation=-1), 409),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_token_for_something_else_does_nothing_here(name: str) -> None:
    """Even where the form is right. Fails if `extend` is given no generation."""
    site = Site()
    before = site.recorded
    wrong, status = WRONG[name]
    answer = site.send("POST", f"/extend/{wrong}", FROM_OUR_PAGE, FORM)
    assert answer.status == status
    assert site.recorded == before


def test_a_token_of_another_stack_touches_that_one_alone() -> None:
    """The stack is the one that was signed."""
    site = Site()
    other = replace(LEASE, stack_id=OTHER_STACK, name="feat-search")
    site.ledger.records[OTHER_STACK] = other
    link = f"/extend/{token(EXTEND, stack_id=OTHER_STACK)}"
    assert site.send("POST", link, FROM_OUR_PAGE, FORM).status == 200
    assert site.now == LEASE
    assert site.ledger.lease(OTHER_STACK) != other


def test_who_a_link_was_sent_to_is_who_is_recorded() -> None:
    """Nobody acts under another name by changing a form."""
    eve = Contact(ContactKind.EMAIL, "eve@example.com")
    site = Site(replace(LEASE, contacts=(ANA, eve)))
    link = f"/extend/{token(EXTEND, contact=eve)}"
    body = FORM + b"&contact=ana%40example.com"
    assert site.send("POST", link, FROM_OUR_PAGE, body).status == 200
    (event,) = site.ledger.chain(STACK_ID)
    assert event.body["actor"]["id"] == "eve@example.com"


@pytest.mark.parametrize("reader, kind", [
    (ANA, "owner"),
    (Contact(ContactKind.EMAIL, "team@example.com"), "fallback"),
    (OPERATORS, "operator"),
])  # fmt: skip
def test_the_record_says_as_what_somebody_acted(reader: Contact, kind: str) -> None:
    """An owner, who is told in their place, an operator. Fails if `_actor` says "owner"."""
    site = Site(reader=reader, policy=WITH_FALLBACK)
    assert site.press(site.link(), until=OFFERED).status == 200
    (event,) = site.ledger.chain(STACK_ID)
    actor = event.body["actor"]
    assert (actor["type"], actor["id"]) == (kind, reader.address)


AHEAD = [
    {"Sec-Purpose": "prefetch"},
    {"Sec-Purpose": "prefetch;prerender"},
    {"sec-purpose": "prefetch;anonymous-client-ip"},
    {"Purpose": "prefetch"},
    {"X-Moz": "prefetch"},
]


@pytest.mark.parametrize("headers", AHEAD)
@pytest.mark.parametrize("action", ACTIONS)
def test_what_a_browser_sends_ahead_of_any_tap_changes_nothing(
    action: str, headers: dict[str, str]
) -> None:
    """Not even as our own form. Fails if `not_our_form` does not ask `is_prefetch`."""
    site = Site()
    before = site.recorded
    link = site.link(action)
    for method in ("GET", "HEAD"):
        assert site.send(method, link, headers).status == 200
    assert site.send("POST", link, {**FROM_OUR_PAGE, **headers}, FORM).status == 403
    assert site.recorded == before


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(
    "method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "post", "POST "]
)
def test_no_method_but_post_acts(action: str, method: str) -> None:
    """With everything else as our own form has it."""
    site = Site()
    before = site.recorded
    status = site.send(method, site.link(action), FROM_OUR_PAGE, FORM).status
    assert status == (200 if method in ("GET", "HEAD") else 405)
    assert site.recorded == before


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "same-origin, cross-site"},
        {"Origin": "null"},
        {"Origin": "https://evil.example"},
        {"Referer": "https://janitor.example.com/live/extend/x"},
    ],
)
def test_no_form_without_proof_of_our_own_page_acts(action: str, sent: dict[str, str]) -> None:
    """Both forms ask for it. Fails if `not_our_form` is not asked."""
    site = Site()
    before = site.recorded
    headers = {"Content-Type": FROM_OUR_PAGE["Content-Type"], **sent}
    assert site.send("POST", site.link(action), headers, FORM).status == 403
    assert site.recorded == before


@pytest.mark.parametrize("state", STATES)
def test_a_crawler_that_follows_every_link_and_submits_nothing_changes_nothing(state: str) -> None:
    """From every state of the page, into whatever it leads to."""
    site = STATES[state].site()
    before = site.recorded
    base = f"{site.address}/"
    waiting, seen = [STATES[state].link(site)], set()
    while waiting:
        link = waiting.pop()
        if link in seen or not link.startswith(base):
            continue
        seen.add(link)
        site.send("HEAD", link)
        page = site.get(link).body.decode()
        waiting += [urljoin(link, to) for to in re.findall(r'(?:href|action|src)="([^"]*)"', page)]
    assert site.recorded == before
    assert len(seen) <= 6
    if state == "ends":
        assert len(seen) == 3
