"""Thousands of requests at the deployed page's own door: never a fault, never a secret in the log.

The events are those of API Gateway's proxy; what comes of them is judged by what the page
promises. Schemathesis would need a description in OpenAPI and a server for it; the answers here
are pages, so hypothesis alone, over the same methods, paths, headers and bodies, says as much.
"""

import base64
import json
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.browser.site import (
    ANA,
    FROM_OUR_PAGE,
    HOSTILE,
    KEY,
    LEASE,
    MARKED,
    POLICY,
    STACK_ID,
    BrokenLedger,
)
from tests.fakes.memory import MemoryLedger, MemoryPolicies, MemoryQueue

from janitor.domain.model import Lease
from janitor.domain.notification.signed_links import EXTEND, LET_GO, SLACK, Claims, Links
from janitor.entrypoints.aws_lambda import api as api_door

CASES = 5_000
HERE = datetime.now(UTC)
"""The door reads the real clock, so the lease is of now."""
LINKS = Links(["p" * 40, KEY], "https://unused.example.com")
LEASES = [
    replace(
        lease,
        created=HERE - timedelta(days=3),
        expires_at=HERE + ends,
        delete_after=None,
    )
    for lease, ends in (
        (LEASE, timedelta(hours=23)),
        (MARKED, timedelta(hours=-3)),
        (HOSTILE, timedelta(hours=9)),
        (replace(LEASE, extensions=5), timedelta(hours=23)),
    )
]
SITES = ["same-origin", "cross-site", "same-site", "none", "", "same-origin, same-origin"]


def signed(action: str, generation: int = 1, age: int = 1, stack_id: str = STACK_ID) -> str:
    """Return a token."""
    return LINKS.sign(Claims(stack_id, generation, ANA, HERE - timedelta(days=age)), action)


TOKENS = [
    signed(EXTEND),
    signed(LET_GO),
    signed(SLACK),
    signed(EXTEND, generation=2),
    signed(EXTEND, age=61),
    signed(LET_GO, stack_id="arn:other"),
]
WORDS = st.text(st.characters(codec="utf-8"), max_size=30)


def mostly(usual: st.SearchStrategy[Any], odd: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Draw what is usual, and in one of ten cases what is odd."""
    return st.integers(0, 9).flatmap(lambda n: odd if n == 9 else usual)


cut = st.sampled_from(TOKENS).flatmap(
    lambda one: st.integers(0, len(one) - 1).map(lambda n: one[:n])
)
tokens = mostly(st.sampled_from([*TOKENS[:2] * 3, *TOKENS]), cut | WORDS)
places = ["/extend/{}", "/extend/{}", "/let-go/{}", "/extend/{}/deadline.ics", "/slack/{}"]
paths = mostly(st.builds(str.format, st.sampled_from(places), tokens), WORDS)
methods = mostly(
    st.sampled_from(["GET", "POST", "POST", "POST", "HEAD"]),
    st.sampled_from(["PUT", "DELETE", "OPTIONS", "PATCH", "get", ""]) | WORDS,
)
fields = st.fixed_dictionaries(
    {},
    optional={
        "until": st.one_of(
            st.sampled_from([(HERE + timedelta(days=n)).isoformat() for n in (0, 2, 5, 40)]),
            st.datetimes().map(lambda when: f"{when.isoformat()}Z"),
            WORDS,
        ),
        "name": st.one_of(st.just(LEASE.name), st.just(f" {LEASE.name}\n"), WORDS),
        "reason": WORDS,
        "x": WORDS,
    },
)
bodies = mostly(
    fields.map(urlencode),
    st.one_of(
        fields.map(lambda known: json.dumps(known, ensure_ascii=False)),
        WORDS,
        st.just("x" * 5_000),
        st.none(),
    ),
)
headers = mostly(
    st.just(FROM_OUR_PAGE),
    st.none()
    | st.dictionaries(
        st.sampled_from(["Sec-Fetch-Site", "ORIGIN", "content-type", "Sec-Purpose"]) | WORDS,
        st.sampled_from([*SITES, FROM_OUR_PAGE["Content-Type"], "prefetch"]) | WORDS,
        max_size=5,
    ),
)
contexts = st.sampled_from(
    [
        {"domainName": "a.example", "stage": "live", "identity": {"sourceIp": "192.0.2.1"}},
        {"identity": {"sourceIp": None}},
        {},
    ]
)


def encoded(event: dict[str, Any], how: str) -> dict[str, Any]:
    """Return the event with its body in base64, as API Gateway may have it, or nearly."""
    body = (event["body"] or "").encode()
    if how == "plain":
        return event
    text = base64.b64encode(body).decode() if how == "base64" else "=" + str(event["body"])
    return {**event, "body": text, "isBase64Encoded": True}


events = st.builds(
    encoded,
    st.fixed_dictionaries(
        {
            "httpMethod": methods,
            "path": paths,
            "headers": headers,
            "body": bodies,
            "requestContext": contexts,
        }
    ),
    st.sampled_from(["plain", "plain", "base64", "broken"]),
)


@contextmanager
def listening() -> Iterator[StringIO]:
    """Take down every line that the function would log, in the form in which it would."""
    lines = StringIO()
    structured, plain = logging.StreamHandler(lines), logging.StreamHandler(lines)
    structured.setFormatter(api_door.logger.registered_formatter)
    root = logging.getLogger()
    level = root.level
    ours = logging.getLogger(api_door.logger.name)
    ours.addHandler(structured)
    root.addHandler(plain)
    root.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        root.setLevel(level)
        root.removeHandler(plain)
        ours.removeHandler(structured)


def asked(event: dict[str, Any], ledger: MemoryLedger) -> dict[str, Any]:
    """Answer an event as the function does."""
    return api_door.answer(
        event,
        policies=MemoryPolicies(POLICY),
        ledger=ledger,
        links=LINKS,
        queue=MemoryQueue(),
    )


def ledger_with(lease: Lease, kind: type[MemoryLedger] = MemoryLedger) -> MemoryLedger:
    """Return a ledger with one lease."""
    ledger = kind()
    ledger.records[lease.key] = lease
    return ledger


def secrets_in(text: str) -> list[str]:
    """Return what must not be in a log: keys and tokens, or enough of one to use it."""
    parts = [*LINKS.keys, *(token.rpartition(".")[2] for token in TOKENS), *TOKENS]
    return [part for part in parts if part in text]


NO_FORM: dict[str, Any] = {
    "httpMethod": "POST",
    "path": f"/extend/{TOKENS[0]}",
    "headers": {**FROM_OUR_PAGE, "Content-Type": "text/plain"},
    "body": "until=now",
    "requestContext": {},
}
"""From our own page, and no form: so rare among what is drawn that it is given."""
EXTENDING = {
    **NO_FORM,
    "headers": FROM_OUR_PAGE,
    "body": urlencode({"until": (HERE + timedelta(days=2)).isoformat()}),
}
LETTING_GO = {
    **EXTENDING,
    "path": f"/let-go/{TOKENS[1]}",
    "body": urlencode({"name": LEASE.name}),
}
"""What changes something: given as well, so that no chance has to bring it."""


def test_five_thousand_requests_make_no_fault_and_leave_no_secret_in_the_log() -> None:
    """Only a form from our own page with a good token changes a thing.

    Fails if the door logs `request.path`.
    """
    statuses: Counter[int] = Counter()
    changed: Counter[str] = Counter()

    @settings(max_examples=CASES)
    @given(event=events, lease=st.sampled_from(LEASES))
    @example(event=NO_FORM, lease=LEASES[0])
    @example(event=EXTENDING, lease=LEASES[0])
    @example(event=LETTING_GO, lease=LEASES[0])
    def answers(event: dict[str, Any], lease: Lease) -> None:
        ledger = ledger_with(lease)
        answer = asked(event, ledger)
        statuses[answer["statusCode"]] += 1
        assert 200 <= answer["statusCode"] < 500
        assert answer["isBase64Encoded"] is False
        assert answer["headers"]["Cache-Control"] == "no-store"
        json.dumps(answer)
        if ledger.journal:
            (written,) = ledger.journal[STACK_ID]
            changed[written.action] += 1
            assert event["httpMethod"] == "POST"
            assert answer["statusCode"] == 200
            site = {k.lower(): v for k, v in event["headers"].items()}.get("sec-fetch-site")
            assert site == "same-origin"

    with listening() as log:
        answers()
    assert sum(statuses.values()) >= CASES
    assert log.getvalue().count('"page.answered"') == sum(statuses.values())
    assert secrets_in(log.getvalue()) == []
    # So many cases are of use only if they reach everything that there is.
    assert statuses.keys() >= {200, 400, 403, 404, 405, 409, 410, 413, 415}, statuses
    assert min(statuses[status] for status in (200, 400, 404, 409)) > CASES // 20, statuses
    assert changed.keys() == {"lease.extended", "lease.let_go"}


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_fault_of_ours_is_logged_without_the_token(token: str, method: str) -> None:
    """With its trace, which is for the operators. Fails if the door logs `request.path`."""
    ledger = ledger_with(LEASES[0], BrokenLedger)
    body = urlencode({"until": HERE.isoformat(), "name": LEASE.name})
    with listening() as log:
        for place in ("extend", "let-go"):
            event = {"httpMethod": method, "path": f"/{place}/{token}", "body": body}
            answer = asked({**event, "headers": FROM_OUR_PAGE}, ledger)
            assert "Traceback" not in answer["body"]
    assert secrets_in(log.getvalue()) == []
    if "503" in log.getvalue():
        assert "page.failed" in log.getvalue()


def test_what_would_give_a_secret_away_is_noticed() -> None:
    """The two tests above would see one."""
    assert secrets_in(f"GET /extend/{TOKENS[0]}")
    assert secrets_in(f"the key is {KEY}")
    assert secrets_in("GET /extend/{token}") == []
