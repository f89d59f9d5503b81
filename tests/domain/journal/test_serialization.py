"""Records survive their JSON documents whole."""

import json
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from janitor.domain.journal import serialization as records
from janitor.domain.journal.events import JANITOR_TARGET, Actor, Draft, entry
from janitor.domain.model import OPERATORS, Account, Contact, ContactKind, Lease, Notice
from janitor.domain.planning.decisions import Reason

instants = st.datetimes(timezones=st.just(UTC))
st.register_type_strategy(datetime, instants)
leases = st.builds(Lease, **{name: st.from_type(t) for name, t in Lease.__annotations__.items()})
accounts = st.builds(
    Account, **{name: st.from_type(t) for name, t in Account.__annotations__.items()}
)
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def document_of(lease: Lease) -> dict[str, object]:
    """Return what the text of a lease says."""
    document: dict[str, object] = json.loads(records.record_text(lease))
    return document


@given(leases)
def test_a_lease_comes_back_from_its_document_as_it_was(lease: Lease) -> None:
    """Through the very text that the table stores."""
    assert records.lease_from(records.record_text(lease)) == lease


@given(accounts)
def test_an_account_comes_back_from_its_document_as_it_was(account: Account) -> None:
    """The janitor's own record is stored in the same way."""
    assert records.account_from(records.record_text(account)) == account


@given(st.text(), instants, st.dictionaries(st.text(), st.text()))
def test_an_event_comes_back_from_its_document_as_it_was(
    sentence: str, when: datetime, facts: dict[str, str]
) -> None:
    """Whatever stands in it, its hash still holds."""
    draft = Draft(
        when, Actor("owner", "a@b.c", "link"), "a.b", JANITOR_TARGET, Reason(sentence, facts)
    )
    event = entry(Account(), Account(), draft).events[0]
    text = json.dumps(records.event_document(event))
    assert records.event_from(json.loads(text)) == event


def test_a_document_leaves_out_what_is_still_at_its_default() -> None:
    """Rows stay small and quick to read."""
    lease = Lease("arn", "feat", "eu-central-1", "all", NOON, NOON)
    assert set(json.loads(records.record_text(lease))) == {
        "stack_id",
        "name",
        "region",
        "rule",
        "created",
        "first_seen",
    }
    assert records.record_text(Account()) == "{}"


def test_keys_that_a_later_release_added_are_ignored() -> None:
    """A field may come within a schema without breaking the release before it."""
    lease = Lease("arn", "feat", "eu-central-1", "all", NOON, NOON, generation=3)
    document = {**document_of(lease), "colour": "blue"}
    assert records.lease_from(json.dumps(document)) == lease
    assert records.account_from('{"colour": "blue"}') == Account()


def test_an_event_found_in_another_place_keeps_that_place() -> None:
    """Verifying a chain needs both: where an event stands and as what it was written."""
    draft = Draft(NOON, Actor("janitor", "janitor", "sweep"), "a.b", JANITOR_TARGET, Reason("x"))
    document = records.event_document(entry(Account(), Account(), draft).events[0])
    moved = records.event_from(document, seq=7)
    assert (moved.seq, moved.body["seq"]) == (7, 1)


def test_a_lease_needs_its_name() -> None:
    """A required field that is missing is an error, never a guess."""
    lease = Lease("arn", "feat", "eu-central-1", "all", NOON, NOON)
    document = document_of(lease)
    del document["created"]
    with pytest.raises(records.Malformed, match="it lacks created"):
        records.lease_from(json.dumps(document))


def test_a_notice_without_a_deadline_comes_back_without_one() -> None:
    """A `problem` notice may speak of no deadline at all."""
    owner = Contact(ContactKind.EMAIL, "a@b.c")
    notice = Notice("problem", None, owner, NOON, "sns", detail="ttl")
    lease = Lease("arn", "feat", "eu-central-1", "all", NOON, NOON, notices=(notice,))
    assert records.lease_from(records.record_text(lease)).notices == (notice,)


def test_a_notice_keeps_how_it_can_be_shown_anew() -> None:
    """The channel's id, the person found, the stacks beside it, and who got it instead."""
    owner = Contact(ContactKind.EMAIL, "a@b.c")
    notice = Notice(
        "24h", NOON, owner, NOON, "slack", "", "C1:17.1", "U012ABCDEF", ("arn:b",), OPERATORS
    )
    lease = Lease("arn", "feat", "eu-central-1", "all", NOON, NOON, notices=(notice,))
    assert records.lease_from(records.record_text(lease)).notices == (notice,)


def test_an_account_remembers_the_week_that_was_told() -> None:
    """And one of an earlier release remembers none."""
    account = Account(week_told="2026-W23")
    assert records.account_from(records.record_text(account)) == account
    assert records.account_from("{}").week_told == ""


WHOLE = json.loads(records.record_text(
    Lease(
        "arn", "feat", "eu-central-1", "all", NOON, NOON,
        expires_at=NOON,
        contacts=(Contact(ContactKind.EMAIL, "ann@example.com"),),
        labels=(("branch", "main"),),
        retained=("Bucket",),
        notices=(Notice("48h", NOON, OPERATORS, NOON, "sns", beside=("b",)),),
    )
))  # fmt: skip
ODD: list[tuple[str, object]] = [
    ("state", "frozen"), ("state", None), ("state", ["active"]),
    ("name", 5), ("name", None), ("ownerless", "yes"), ("generation", "1"), ("generation", True),
    ("generation", 1.5), ("resources", "many"),
    ("expires_at", "tomorrow"), ("expires_at", 5),
    ("expires_at", "2026-06-01T12:00:00"),
    ("contacts", [{"kind": "pigeon", "address": "ann"}]), ("contacts", "ann"),
    ("contacts", [{"kind": "email", "address": 1}]), ("contacts", {}), ("contacts", [["email"]]),
    ("labels", [["branch", 1]]), ("labels", {"branch": "main"}),
    ("retained", "Bucket"), ("retained", [1]),
    ("notices", [{}]), ("notices", {"stage": "48h"}), ("notices", ["48h"]),
    ("notices", [{**WHOLE["notices"][0], "deadline": "soon"}]),
    ("notices", [{**WHOLE["notices"][0], "contact": []}]),
    ("notices", [{**WHOLE["notices"][0], "beside": "b"}]),
]  # fmt: skip


@pytest.mark.parametrize("name, value", ODD)
def test_a_value_that_is_not_what_its_field_holds_is_refused_by_name(
    name: str, value: object
) -> None:
    """A contact that is a text would be four of one letter, and a naive instant no instant.

    Fails with `datetime` for `Instant` in domain/model.py.
    """
    assert records.lease_from(json.dumps(WHOLE)).name == "feat"
    with pytest.raises(records.Malformed, match=f"its {name} is .*, which says nothing here"):
        records.lease_from(json.dumps({**WHOLE, name: value}))


def test_an_account_in_a_mode_that_nobody_knows_is_refused() -> None:
    """It might be one that deletes."""
    with pytest.raises(records.Malformed, match="its mode is 'sometimes'"):
        records.account_from('{"mode": "sometimes"}')


@given(st.dictionaries(st.sampled_from(sorted(Lease.__annotations__)), st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda one: st.lists(one) |
    st.dictionaries(st.text(), one), max_leaves=5)))  # fmt: skip
def test_no_document_is_read_by_halves_or_ends_in_another_error(
    document: dict[str, object],
) -> None:
    """A lease as it was written, or `Malformed`: the rows beside it go on."""
    with suppress(records.Malformed):
        lease = records.lease_from(json.dumps({**WHOLE, **document}))
        assert records.lease_from(records.record_text(lease)) == lease
