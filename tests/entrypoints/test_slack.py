"""What Slack reports: only what it signed lately counts, and only owners and operators act."""

import copy
import hashlib
import json
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.entrypoints.test_api import ANA, LEASE, LINKS, NOW, POLICY, STACK_ID, TOMORROW
from tests.fakes.memory import MemoryLedger, MemoryPolicies, MemoryQueue
from tests.slack_server import Shown, Workspace

from janitor.domain.errors import Conflict, JanitorError
from janitor.domain.model import Contact, ContactKind, Lease, LeaseState, Notice
from janitor.domain.notification.messages import AnswerRequest, RevisionRequest, Telling
from janitor.domain.notification.signed_buttons import button_value
from janitor.domain.notification.signed_links import SLACK, Claims, Links
from janitor.entrypoints.aws_lambda.slack import LONGEST_PAYLOAD, PATH, interact
from janitor.extension_page.http import Request

USER, BO, OLGA = "U00000ANA", "U000000BO", "U00000OPS"
DM = "D0000ANA"
SLACK_SIDE = Workspace()
TOLD = Notice(
    "24h", LEASE.expires_at, ANA, NOW - timedelta(hours=1), "slack", "", f"{DM}/1.2", USER
)
REMINDED = replace(LEASE, notices=(TOLD,))
MEMBERS = POLICY.model_copy(
    update={"operators": POLICY.operators.model_copy(update={"members": (OLGA,)})}
)
TO_KEEP = TOMORROW
UNCHANGED = "Nothing was changed: "


class Desk:
    """The endpoint with one lease behind it."""

    def __init__(self, lease: Lease | None = REMINDED) -> None:
        self.now = NOW
        self.ledger = MemoryLedger()
        if lease is not None:
            self.ledger.records[lease.key] = lease
        self.queue = MemoryQueue()

    def send(self, body: bytes, headers: dict[str, str]) -> int:
        """Send one request; return the status. The answer is always empty."""
        response = interact(
            Request("POST", PATH, headers, body, "192.0.2.7"),
            secret=lambda: SLACK_SIDE.signing_secret,
            clock=lambda: self.now,
            policies=MemoryPolicies(MEMBERS),
            ledger=self.ledger,
            links=lambda: LINKS,
            queue=self.queue,
        )
        assert response.body == b""
        return response.status

    def report(self, payload: object, at: float | None = None) -> int:
        """Send what Slack would, signed."""
        stamp = self.now.timestamp() if at is None else at
        return self.send(*SLACK_SIDE.report(payload, stamp))

    def press(self, value: str, user: str = USER) -> str:
        """Press a button; return what that person alone is told."""
        before = len(self.answers)
        assert self.report(pressed(value, user)) == 200
        (answer,) = self.answers[before:]
        assert answer.contact == Contact(ContactKind.SLACK_USER, user)
        assert answer.channel_id == DM
        return answer.text

    @property
    def answers(self) -> list[AnswerRequest]:
        """Return what is to be said to single people."""
        return [one for one in self.queue.notices if isinstance(one, AnswerRequest)]

    @property
    def revisions(self) -> list[RevisionRequest]:
        """Return which messages are to be shown anew."""
        return [one for one in self.queue.notices if isinstance(one, RevisionRequest)]

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

    @property
    def actor(self) -> dict[str, str]:
        """Return who did the last thing in the journal."""
        actor: dict[str, str] = list(self.ledger.chain(STACK_ID))[-1].body["actor"]
        return actor


def pressed(value: str, user: str = USER) -> dict[str, Any]:
    """Make the payload of a pressed button."""
    message = Shown(DM, "1.2", "text", [])
    return Workspace.payload(message, {"value": value, "action_id": "keep-1"}, user)


def value(
    until: str | None = TO_KEEP,
    *,
    stack_id: str = STACK_ID,
    generation: int = 1,
    action: str = SLACK,
    links: Links = LINKS,
    contact: Contact = ANA,
) -> str:
    """Make the value of a button."""
    token = links.sign(Claims(stack_id, generation, contact, NOW), action)
    return f"{token} {until or 'let-go'}"


# What a button does.


def test_a_button_keeps_a_stack_and_shows_the_message_anew() -> None:
    """One write; the revision and the private word are queued for the function that has Slack."""
    desk = Desk()
    assert desk.press(value()) == "feat-basket is kept until Wed 3 Jun 2026 08:34 CEST."
    assert desk.lease.expires_at is not None
    assert desk.lease.expires_at.isoformat() == TO_KEEP
    assert desk.actor["type"] == "owner"
    assert desk.actor["id"] == f"{USER} (ana@example.com)"
    assert desk.actor["via"] == "slack"
    (revision,) = desk.revisions
    assert (revision.message_id, revision.stack_ids) == (f"{DM}/1.2", (STACK_ID,))
    assert revision.said == (
        f"{USER} (ana@example.com) kept feat-basket until Wed 3 Jun 2026 08:34 CEST, in Slack."
    )


def test_a_button_lets_a_stack_go_and_nothing_more() -> None:
    """The deadline is now; the final notice and its grace are still to come."""
    desk = Desk()
    told = desk.press(value(None))
    assert told == "feat-basket is let go. A final notice will say when it is deleted."
    assert (desk.lease.state, desk.lease.expires_at) == (LeaseState.ACTIVE, NOW)
    assert len(desk.revisions) == 1


def test_an_owner_named_by_slack_id_may_act() -> None:
    """Whether or not a notice has reached them."""
    desk = Desk(replace(LEASE, contacts=(Contact(ContactKind.SLACK_USER, USER),)))
    assert "is kept until" in desk.press(value())
    assert desk.actor["id"] == USER


def test_an_operator_may_act_on_anybodys_stack() -> None:
    """The policy names them, and the journal says so."""
    desk = Desk()
    assert "is kept until" in desk.press(value(), OLGA)
    assert (desk.actor["type"], desk.actor["id"]) == ("operator", OLGA)


def test_pressing_twice_does_it_once_and_says_so() -> None:
    """So does Slack's own retry, and whoever else has the same button.

    Fails if `press` passes `generation=None` and does not compare it itself.
    """
    desk = Desk()
    desk.press(value())
    before = desk.state
    already = f"{UNCHANGED}feat-basket is already extended to Wed 3 Jun 2026 08:34 CEST."
    assert desk.press(value()) == already
    assert desk.press(value(None)) == already
    assert desk.press(value(), BO) == already
    assert desk.state == before


@pytest.mark.parametrize(
    "changes, told",
    [
        ({"state": LeaseState.DELETING}, "feat-basket is being deleted, and that cannot be taken"),
        ({"state": LeaseState.DELETED}, "feat-basket is deleted: there is nothing left to extend"),
        ({"extensions": 5}, "feat-basket has used all of its 5 extensions (max_extensions)"),
        ({"problem": "tag x is wrong"}, "feat-basket has no deadline to extend, since tag x is"),
    ],
)
def test_what_cannot_be_kept_is_said_in_words(changes: dict[str, Any], told: str) -> None:
    """To whoever pressed, alone."""
    desk = Desk(replace(REMINDED, **changes))
    before = desk.state
    assert desk.press(value()).startswith(f"{UNCHANGED}{told}")
    assert desk.state == before


def test_what_cannot_be_let_go_is_said_in_words() -> None:
    """A protected stack stays."""
    desk = Desk(replace(REMINDED, protection="protected by tag janitor:protect"))
    assert "take that tag away first" in desk.press(value(None))


def test_a_stack_that_is_not_known_any_more_is_said_to_be() -> None:
    """Its lease ended long ago."""
    unknown = "the janitor knows nothing of this stack any more."
    assert Desk(None).press(value()) == f"{UNCHANGED}{unknown}"


def test_a_date_past_the_caps_is_refused() -> None:
    """Whoever could sign as Slack still gets no more than the policy gives."""
    desk = Desk()
    assert "can be extended until" in desk.press(value("2026-12-01T00:00:00+00:00"))
    assert desk.lease == REMINDED


# Who may not.


@pytest.mark.parametrize(
    "lease",
    [
        REMINDED,
        LEASE,
        replace(REMINDED, contacts=(Contact(ContactKind.SLACK_CHANNEL, "#dev"),)),
        replace(REMINDED, contacts=(Contact(ContactKind.SLACK_USER, OLGA),)),
    ],
    ids=["an owner's notice", "no notice yet", "a channel", "another user"],
)
def test_who_is_neither_owner_nor_operator_is_told_so(lease: Lease) -> None:
    """To be in the channel gives nobody a right.

    Fails if `actor_of` returns an owner for everybody.
    """
    desk = Desk(lease)
    before = desk.state
    for wish in (value(), value(None)):
        told = desk.press(wish, BO)
        assert told == f"{UNCHANGED}only an owner of feat-basket or an operator can do that."
    assert desk.state == before


def test_who_was_an_owner_once_may_not_act_any_more() -> None:
    """The tag names somebody else by now, whatever notices went out before.

    Fails if `actor_of` does not ask whether the notice's contact still is one.
    """
    desk = Desk(replace(REMINDED, contacts=(Contact(ContactKind.EMAIL, "bo@example.com"),)))
    assert "only an owner" in desk.press(value())
    assert desk.lease.generation == 1


def test_who_was_told_in_an_owners_place_is_no_owner() -> None:
    """A fallback's notice has no recipient."""
    desk = Desk(replace(REMINDED, notices=(replace(TOLD, recipient=""),)))
    assert "only an owner" in desk.press(value())


# Which requests count.


def headers_of(body: bytes, **changes: str | None) -> dict[str, str]:
    """Return the headers of a genuine report, with changes; None takes one away."""
    made: dict[str, str | None] = {**SLACK_SIDE.signed(body, NOW.timestamp())}
    made |= {name.replace("_", "-"): text for name, text in changes.items()}
    return {name: text for name, text in made.items() if text is not None}


BODY = urlencode({"payload": json.dumps(pressed(value()))}).encode()
GENUINE = SLACK_SIDE.signed(BODY, NOW.timestamp())["X-Slack-Signature"]


@pytest.mark.parametrize(
    "changes",
    [
        {"X_Slack_Signature": None},
        {"X_Slack_Request_Timestamp": None},
        {"X_Slack_Signature": ""},
        {"X_Slack_Signature": "v0="},
        {"X_Slack_Signature": GENUINE.removeprefix("v0=")},
        {"X_Slack_Signature": GENUINE.replace("v0=", "v1=")},
        {"X_Slack_Signature": GENUINE.upper()},
        {"X_Slack_Signature": f" {GENUINE}"},
        {"X_Slack_Signature": f"{GENUINE}, {GENUINE}"},
        {"X_Slack_Signature": "v0=" + hashlib.sha256(BODY).hexdigest()},
        {"X_Slack_Signature": "v0=é\udcff\u0000"},
        {"X_Slack_Request_Timestamp": ""},
        {"X_Slack_Request_Timestamp": "now"},
        {"X_Slack_Request_Timestamp": "١٧٨٠٢٩٩٢٥٢"},
        {"X_Slack_Request_Timestamp": "-1"},
        {"X_Slack_Request_Timestamp": "1e9"},
        {"X_Slack_Request_Timestamp": "9" * 5_000},
        {"X_Slack_Request_Timestamp": f"{int(NOW.timestamp())}.0"},
        {"X_Slack_Request_Timestamp": str(int(NOW.timestamp()) + 1)},
    ],
)
def test_what_slack_did_not_sign_is_refused(changes: dict[str, str | None]) -> None:
    """With one status for all of it, and nothing is changed or said.

    Fails if `is_genuine` returns True at its end.
    """
    desk = Desk()
    before = desk.state
    assert desk.send(BODY, headers_of(BODY, **changes)) == 401
    assert desk.state == before
    assert desk.queue.notices == []


def test_a_signature_with_another_secret_is_refused() -> None:
    """Another app's, or another stage's."""
    desk = Desk()
    assert desk.send(*SLACK_SIDE.report(pressed(value()), NOW.timestamp(), "f" * 32)) == 401
    assert desk.send(*SLACK_SIDE.report(pressed(value()), NOW.timestamp(), "")) == 401
    assert desk.lease == REMINDED


@pytest.mark.parametrize(
    "seconds, status", [(-301, 401), (-299, 200), (0, 200), (299, 200), (301, 401)]
)
def test_a_report_is_good_for_five_minutes(seconds: int, status: int) -> None:
    """Whatever was recorded on its way cannot be sent again later.

    Fails without the comparison with MAX_AGE.
    """
    desk = Desk()
    desk.now = NOW.replace(microsecond=0)
    assert desk.report(pressed(value()), desk.now.timestamp() + seconds) == status
    assert (desk.lease != REMINDED) is (status == 200)


def test_a_replayed_report_does_nothing_twice() -> None:
    """Within the five minutes it is genuine, and the generation in it is spent."""
    desk = Desk()
    sent = SLACK_SIDE.report(pressed(value()), NOW.timestamp())
    assert desk.send(*sent) == 200
    before = desk.state
    assert [desk.send(*sent) for _ in range(3)] == [200] * 3
    assert desk.state == before


def test_slacks_own_retry_does_what_was_not_done_and_is_silent_otherwise() -> None:
    """Else whoever pressed would read that it was kept, and that nothing was changed."""
    desk = Desk()
    body, headers = SLACK_SIDE.report(pressed(value()), NOW.timestamp())
    retry = {**headers, "X-Slack-Retry-Num": "1", "X-Slack-Retry-Reason": "http_timeout"}
    assert [desk.send(body, retry) for _ in range(2)] == [200, 200]
    assert desk.lease.generation == 2
    assert [answer.text.split(" until")[0] for answer in desk.answers] == ["feat-basket is kept"]


@given(st.integers(0, len(BODY) - 1), st.integers(1, 255))
def test_a_body_with_one_byte_changed_is_refused(place: int, by: int) -> None:
    """The signature covers all of it."""
    desk = Desk()
    changed = BODY[:place] + bytes([BODY[place] ^ by]) + BODY[place + 1 :]
    assert desk.send(changed, headers_of(BODY)) == 401
    assert desk.lease == REMINDED


OTHERS = {
    "another stage": value(links=Links(["x" * 40], LINKS.base_url)),
    "another action": value(action="extend"),
    "to let go by link": value(action="let-go"),
    "another generation": value(generation=2),
    "another stack": value(stack_id=STACK_ID.replace("feat-basket", "feat-other")),
    "another account": value(stack_id=STACK_ID.replace("123456789012", "210987654321")),
    "no token": f" {TO_KEEP}",
    "nothing": " ",
    "no wish": value().partition(" ")[0],
    "half a token": value()[10:],
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_button_of_something_else_changes_nothing(name: str) -> None:
    """Though Slack signed the report, and an owner pressed."""
    desk = Desk()
    before = desk.state
    assert desk.press(OTHERS[name]).startswith(UNCHANGED)
    assert desk.state == before


def test_a_changed_token_changes_nothing() -> None:
    """Any letter of it, to any other: some two thousand of them."""
    genuine = value()
    desk = Desk()
    count = 0
    for place in range(genuine.index(" ")):
        for letter in "abcXYZ019-_.=":
            if letter != genuine[place]:
                count += 1
                told = desk.press(genuine[:place] + letter + genuine[place + 1 :])
                assert told.startswith(UNCHANGED)
    assert count >= 2_000
    assert desk.lease == REMINDED


@given(st.text(max_size=300))
def test_any_value_is_answered(text: str) -> None:
    """Whatever Slack might hand on."""
    desk = Desk()
    assert desk.report(pressed(text)) == 200
    assert desk.lease == REMINDED


@given(st.binary(max_size=300))
def test_any_signed_body_is_answered(body: bytes) -> None:
    """With 400 where it is no report, and never with an error of ours."""
    desk = Desk()
    assert desk.send(body, headers_of(body)) in (200, 400)
    assert desk.lease == REMINDED


@pytest.mark.parametrize(
    "body",
    [b"payload=", b"payload=%7B", b"payload=1&payload=2", b"payload=null", b"payload=%FF", b"x=1",
     b"payload=%7B%22type%22%3A%22block_actions%22%7D",
     pytest.param(b"payload=%7B%22x%22%3A" + b"%5B" * 50_000, id="deep")],
)  # fmt: skip
def test_a_signed_body_that_is_no_report_is_a_bad_request(body: bytes) -> None:
    """And nothing is said to anybody."""
    desk = Desk()
    assert desk.send(body, headers_of(body)) == 400
    assert desk.queue.notices == []


def test_a_body_without_end_is_refused() -> None:
    """Before its signature is computed."""
    body = b"p" * (LONGEST_PAYLOAD + 1)
    assert Desk().send(body, headers_of(body)) == 401


def test_a_link_that_was_pressed_is_answered_and_does_nothing() -> None:
    """Slack reports buttons that only open a page as well, and kinds that are yet to come."""
    desk = Desk()
    link = Workspace.payload(Shown(DM, "1.2", "t", []), {"action_id": "choose"}, USER)
    assert desk.report(link) == 200
    assert desk.report({**link, "type": "view_submission"}) == 200
    assert desk.report({**link, "channel": None}) == 200
    assert (desk.lease, desk.queue.notices) == (REMINDED, [])


# What goes wrong on our side.


class Broken(MemoryLedger):
    """A ledger that cannot be written."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def commit(self, entry: Any) -> None:
        """Fail."""
        raise self._error


class Full(MemoryQueue):
    """A queue that takes nothing."""

    def notify(self, request: Telling) -> None:
        """Fail."""
        raise JanitorError(f"no room for {request}")


def test_a_ledger_that_fails_lets_slack_say_so() -> None:
    """Then Slack marks the button as failed, and it can be pressed again."""
    desk = Desk()
    desk.ledger = Broken(JanitorError("table gone"))
    desk.ledger.records[STACK_ID] = REMINDED
    assert desk.report(pressed(value())) == 503
    assert desk.queue.notices == []


def test_losing_a_race_for_good_is_said() -> None:
    """Nothing was acknowledged."""
    desk = Desk()
    desk.ledger = Broken(Conflict("moved"))
    desk.ledger.records[STACK_ID] = REMINDED
    assert "changing all the time" in desk.press(value())


def test_an_extension_stands_though_nothing_can_be_said() -> None:
    """What is in the ledger is granted; an old button says so when it is pressed again."""
    desk = Desk()
    desk.queue = Full()
    assert desk.report(pressed(value())) == 200
    assert desk.lease.generation == 2


def test_the_value_of_a_button_is_what_the_tests_say() -> None:
    """So that these tests press what owners press."""
    token, _, wish = value().partition(" ")
    assert button_value(token, None) == value(None)
    assert wish == TO_KEEP
