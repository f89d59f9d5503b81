"""The audit record: its events, their chain, and the check that finds what was done to it."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from janitor.domain.journal.chain_check import Finding, verify
from janitor.domain.journal.events import (
    FIRST_PREVIOUS,
    Actor,
    Draft,
    Event,
    Target,
    about,
    digest,
    entry,
    instant,
    owners_text,
)
from janitor.domain.model import Account, Contact, ContactKind, Lease, LeaseState, Stack
from janitor.domain.planning.decisions import Reason

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
SWEEP = Actor("janitor", "janitor", "sweep")
KEY = "arn:aws:cloudformation:eu-central-1:1:stack/feat/1"
LEASE = Lease(KEY, "feat", "eu-central-1", "default", NOON, NOON)


def a_draft(action: str = "lease.updated", minutes: int = 0) -> Draft:
    """Make an event without a place."""
    when = NOON + timedelta(minutes=minutes)
    return about(LEASE, action, Reason("because"), actor=SWEEP, now=when, policy_version="p1")


def a_chain(length: int) -> tuple[list[Event], Lease]:
    """Write a chain of so many events, and return it with the record at its end."""
    lease = LEASE
    events: list[Event] = []
    for number in range(length):
        written = entry(lease, lease, a_draft(f"lease.step{number}", number))
        lease = written.record
        events += written.events
    return events, lease


# Events and entries.


def test_an_entry_moves_version_number_and_head_along() -> None:
    """The record remembers where its chain ends."""
    first = entry(LEASE, replace(LEASE, state=LeaseState.MARKED), a_draft(), a_draft("b.c", 5))
    assert first.expected_version == 0
    assert [event.seq for event in first.events] == [1, 2]
    assert first.record.state is LeaseState.MARKED
    assert (first.record.version, first.record.seq) == (1, 2)
    assert first.record.head == first.events[-1].hash
    assert first.record.updated_at == NOON + timedelta(minutes=5)
    second = entry(first.record, first.record, a_draft())
    assert second.expected_version == 1
    assert second.events[0].seq == 3
    assert second.events[0].prev_hash == first.record.head


def test_a_chain_begins_with_zeros() -> None:
    """There is nothing before the first event."""
    assert entry(LEASE, LEASE, a_draft()).events[0].prev_hash == FIRST_PREVIOUS == "0" * 64


def test_a_record_never_changes_without_an_event() -> None:
    """State and audit cannot disagree."""
    with pytest.raises(ValueError, match="never changes without an event"):
        entry(LEASE, replace(LEASE, state=LeaseState.MARKED))


def test_what_a_changed_record_says_of_its_own_chain_does_not_count() -> None:
    """Version, number and head come from the stored one."""
    stored = entry(LEASE, LEASE, a_draft()).record
    forged = replace(stored, version=9, seq=9, head="f" * 64)
    written = entry(stored, forged, a_draft())
    assert (written.record.version, written.record.seq) == (2, 2)


def test_an_event_holds_everything_that_an_auditor_asks_for() -> None:
    """Who, what, when, to what, why, how it went, by which policy and code."""
    stack = Stack(KEY, "feat", "eu-central-1", "CREATE_COMPLETE", NOON, tags={"env": "dev"})
    owner = Contact(ContactKind.EMAIL, "ana@example.com")
    draft = about(
        replace(LEASE, contacts=(owner, Contact(ContactKind.NAME, "bo"))),
        "deletion.intended",
        Reason("expired, told, and the grace is over", {"status": "CREATE_COMPLETE"}),
        actor=Actor("owner", "ana@example.com", "link", "192.0.2.1", "curl/8"),
        now=NOON,
        policy_version="abc",
        stack=stack,
        result="refused",
        request_ids=("r1", "r2"),
    )
    (event,) = entry(LEASE, LEASE, draft).events
    body = dict(event.body)
    assert body.pop("id")
    assert body.pop("code_version")
    assert body == {
        "schema": 1,
        "seq": 1,
        "occurred_at": "2026-06-01T12:00:00.000000Z",
        "actor": {
            "type": "owner",
            "id": "ana@example.com",
            "via": "link",
            "ip": "192.0.2.1",
            "user_agent": "curl/8",
        },
        "action": "deletion.intended",
        "target": {
            "id": KEY,
            "name": "feat",
            "region": "eu-central-1",
            "owner": "ana@example.com, bo",
            "tags": {"env": "dev"},
        },
        "reason": {
            "sentence": "expired, told, and the grace is over",
            "facts": {"status": "CREATE_COMPLETE"},
        },
        "result": "refused",
        "request_ids": ["r1", "r2"],
        "policy_version": "abc",
    }
    assert event.action == "deletion.intended"
    assert event.occurred_at == "2026-06-01T12:00:00.000000Z"
    assert event.document() == {**event.body, "prev_hash": FIRST_PREVIOUS, "hash": event.hash}


def test_the_same_event_in_the_same_place_has_the_same_id_and_hash() -> None:
    """So that a write repeated after a lost answer is seen to be the same."""
    one, other = (entry(LEASE, LEASE, a_draft()).events[0] for _ in range(2))
    assert one == other
    assert one.body["id"] != entry(one_later(), one_later(), a_draft()).events[0].body["id"]


def one_later() -> Lease:
    """Return the record after one event."""
    return entry(LEASE, LEASE, a_draft()).record


def test_a_hash_does_not_depend_on_the_order_of_fields_and_survives_json() -> None:
    """What DynamoDB gives back is hashed to the same."""
    body = {"b": [1, "ü\ud83d"], "a": {"y": "1", "x": None}}
    turned = {"a": {"x": None, "y": "1"}, "b": [1, "ü\ud83d"]}
    assert digest("k", 1, body, "p") == digest("k", 1, turned, "p")
    assert digest("k", 1, json.loads(json.dumps(body)), "p") == digest("k", 1, body, "p")


def test_a_hash_is_the_same_in_every_release() -> None:
    """Chains of years ago must still verify: a change of this line breaks them all."""
    assert (
        digest("key", 1, {"action": "a.b", "n": [1, "ü"]}, "0" * 64)
        == "e2f92e0215338817194d7f5f4c9b590e73dace84c4ca2a5c278d26fdbf9b3af4"
    )


@pytest.mark.parametrize(
    "other",
    [
        digest("l", 1, {"a": "1"}, "p"),
        digest("k", 2, {"a": "1"}, "p"),
        digest("k", 1, {"a": "2"}, "p"),
        digest("k", 1, {"a": 1}, "p"),
        digest("k", 1, {"a": "1", "b": ""}, "p"),
        digest("k", 1, {"a": "1"}, "q"),
    ],
)
def test_a_hash_covers_key_number_body_and_the_hash_before(other: str) -> None:
    """Whatever is changed of them changes it."""
    assert digest("k", 1, {"a": "1"}, "p") != other


def test_the_account_has_a_chain_of_its_own() -> None:
    """Under the key `janitor`."""
    draft = Draft(NOON, SWEEP, "mode.changed", Target("janitor"), Reason("mode is observe"))
    (event,) = entry(Account(), Account(), draft).events
    assert event.key == "janitor"


def test_instants_are_written_with_microseconds_and_z() -> None:
    """So that text sorts as time does."""
    assert instant(NOON) == "2026-06-01T12:00:00.000000Z"


def test_owners_stand_in_one_line() -> None:
    """And nobody is an empty text."""
    assert owners_text(()) == ""


# The check of a chain.


def check(events: list[Event], lease: Lease | None) -> list[tuple[int, str]]:
    """Return number and kind of each finding."""
    end = (lease.head, lease.seq) if lease else (None, None)
    return [(finding.seq, finding.what) for finding in verify(KEY, events, *end)]


def rehashed(event: Event, **changes: object) -> Event:
    """Change an event as somebody would who knows how the hash is made."""
    prev_hash = str(changes.pop("prev_hash", event.prev_hash))
    body = {**event.body, **changes}
    return replace(
        event, body=body, prev_hash=prev_hash, hash=digest(KEY, event.seq, body, prev_hash)
    )


def renumbered(events: list[Event], first: int, *, inside: bool) -> list[Event]:
    """Give events new places, and the number in their bodies as well if asked."""
    return [
        replace(event, seq=seq, body={**event.body, "seq": seq} if inside else event.body)
        for seq, event in enumerate(events, first)
    ]


def a_forgery(seq: int, prev_hash: str) -> Event:
    """Make an event that nobody of us wrote, sound in itself."""
    lease = replace(LEASE, seq=seq - 1, head=prev_hash)
    return entry(lease, lease, a_draft("lease.forged")).events[0]


@pytest.mark.parametrize("length", [0, 1, 2, 7])
def test_a_clean_chain_has_no_findings(length: int) -> None:
    """With the record's end and without."""
    events, lease = a_chain(length)
    assert check(events, lease) == []
    assert check(events, None) == []
    assert verify(KEY, events, lease.head) == []


EVERY_PLACE = [1, 2, 3, 4, 5]


@pytest.mark.parametrize("seq", EVERY_PLACE)
def test_a_changed_event_is_named(seq: int) -> None:
    """Any field of it, its link to the one before included."""
    events, lease = a_chain(5)
    spot = events[seq - 1]
    for forged in (
        replace(spot, body={**spot.body, "result": "failed"}),
        replace(spot, body={**spot.body, "seq": 99}),
        replace(spot, prev_hash="f" * 64),
        replace(spot, prev_hash=events[-1].hash),
        replace(spot, hash="f" * 64),
    ):
        chain = [*events[: seq - 1], forged, *events[seq:]]
        assert check(chain, lease) == [(seq, "changed")]


@pytest.mark.parametrize("seq", EVERY_PLACE)
def test_a_changed_event_with_a_hash_made_to_fit_is_named_too(seq: int) -> None:
    """What follows it, or the record, remembers the hash that it had."""
    events, lease = a_chain(5)
    events[seq - 1] = rehashed(events[seq - 1], result="failed")
    assert check(events, lease) == [(seq, "changed")]


@pytest.mark.parametrize("seq", EVERY_PLACE)
def test_a_removed_event_is_named(seq: int) -> None:
    """Whether it leaves a gap, or what follows was moved up and renumbered."""
    events, lease = a_chain(5)
    before, after = events[: seq - 1], events[seq:]
    assert check([*before, *after], lease) == [(seq, "removed")]
    for inside in (False, True):
        moved = renumbered(after, seq, inside=inside)
        assert check([*before, *moved], lease) == [(seq, "removed")]


def test_several_removed_events_are_each_named() -> None:
    """From the middle, from both ends, and all of them."""
    events, lease = a_chain(6)
    assert check([events[0], events[3], events[5]], lease) == [
        (2, "removed"),
        (3, "removed"),
        (5, "removed"),
    ]
    assert check(events[1:4], lease) == [(1, "removed"), (5, "removed"), (6, "removed")]
    assert check([], lease) == [(seq, "removed") for seq in range(1, 7)]


def test_a_cut_tail_cannot_be_seen_once_the_record_is_gone() -> None:
    """The limit that the README tells."""
    events, _ = a_chain(5)
    assert check(events[:3], None) == []


@pytest.mark.parametrize("seq", EVERY_PLACE)
def test_an_inserted_event_is_named(seq: int) -> None:
    """Sound in itself, following the one before it, all after it moved and renumbered."""
    events, lease = a_chain(5)
    before, after = events[: seq - 1], events[seq - 1 :]
    forged = a_forgery(seq, before[-1].hash if before else FIRST_PREVIOUS)
    for inside in (False, True):
        chain = [*before, forged, *renumbered(after, seq + 1, inside=inside)]
        assert check(chain, lease) == [(seq, "inserted")]
        assert check(chain, None) == [(seq, "inserted")]


def test_an_event_put_behind_the_end_is_named() -> None:
    """The record ends before it."""
    events, lease = a_chain(3)
    chain = [*events, a_forgery(4, events[-1].hash)]
    assert verify(KEY, chain, lease.head, lease.seq) == [
        Finding(KEY, 4, "inserted", "event 4 was inserted: the record ends before it")
    ]
    assert verify(KEY, chain, lease.head) == verify(KEY, chain, lease.head, lease.seq)


@pytest.mark.parametrize("one, other", [(1, 2), (2, 3), (1, 5), (4, 5), (2, 4)])
def test_swapped_events_are_both_named(one: int, other: int) -> None:
    """Each says as which number it was written."""
    events, lease = a_chain(5)
    chain = list(events)
    chain[one - 1] = replace(events[other - 1], seq=one)
    chain[other - 1] = replace(events[one - 1], seq=other)
    assert check(chain, lease) == [(one, "swapped"), (other, "swapped")]
    inside = [replace(event, body={**event.body, "seq": event.seq}) for event in chain]
    assert check(inside, lease) == [(one, "swapped"), (other, "swapped")]


def test_an_event_that_was_moved_to_an_empty_place_is_named() -> None:
    """Nothing is missing and nothing came in, but it stands where it was not written."""
    events, lease = a_chain(3)
    assert check([*events[:2], replace(events[2], seq=9)], lease) == [(9, "swapped")]


def test_an_event_of_another_chain_is_named() -> None:
    """Its hash covers the key of its own chain."""
    events, lease = a_chain(3)
    other = replace(LEASE, stack_id="arn:other", seq=1, head=events[0].hash)
    stranger = entry(other, other, a_draft()).events[0]
    assert check([events[0], replace(stranger, key=KEY), events[2]], lease) == [(2, "changed")]


def test_the_findings_are_sentences() -> None:
    """As `janitor audit verify` prints them."""
    events, lease = a_chain(4)
    changed = replace(events[1], body={**events[1].body, "result": "failed"})
    end = (lease.head, lease.seq)
    assert [f.text for f in verify(KEY, [events[0], changed, *events[2:]], *end)] == [
        "event 2 does not match its hash"
    ]
    again = rehashed(events[1], result="failed")
    assert [f.text for f in verify(KEY, [events[0], again, *events[2:]], *end)] == [
        "event 2 is not the one that event 3 has the hash of"
    ]
    assert [f.text for f in verify(KEY, [*events[:3], rehashed(events[3], result="x")], *end)] == [
        "event 4 is not the one that the record has the hash of"
    ]
    assert [f.text for f in verify(KEY, events[:3], *end)] == [
        "event 4 is missing: the record remembers a later end"
    ]
    turned = [events[0], replace(events[2], seq=2), replace(events[1], seq=3), events[3]]
    assert [f.text for f in verify(KEY, turned, *end)] == [
        "event 2 stands here, but was written as number 3",
        "event 3 stands here, but was written as number 2",
    ]
    forged = a_forgery(2, events[0].hash)
    inserted = [events[0], forged, *renumbered(events[1:], 3, inside=False)]
    assert [f.text for f in verify(KEY, inserted, *end)] == [
        "event 2 was inserted: the chain passes it by"
    ]


Mutation = Callable[[list[Event], int, int], tuple[list[Event], set[int]]]


def change(events: list[Event], spot: int, _: int) -> tuple[list[Event], set[int]]:
    """Change one event."""
    forged = replace(events[spot], body={**events[spot].body, "action": "x.y"})
    return [*events[:spot], forged, *events[spot + 1 :]], {spot + 1}


def change_with_hash(events: list[Event], spot: int, _: int) -> tuple[list[Event], set[int]]:
    """Change one event and make its hash fit."""
    return [*events[:spot], rehashed(events[spot], action="x.y"), *events[spot + 1 :]], {spot + 1}


def remove(events: list[Event], spot: int, _: int) -> tuple[list[Event], set[int]]:
    """Take one event away."""
    return [*events[:spot], *events[spot + 1 :]], {spot + 1}


def remove_and_close(events: list[Event], spot: int, _: int) -> tuple[list[Event], set[int]]:
    """Take one event away and move the others up."""
    return renumbered([*events[:spot], *events[spot + 1 :]], 1, inside=False), {spot + 1}


def insert(events: list[Event], spot: int, _: int) -> tuple[list[Event], set[int]]:
    """Put an event in, sound in itself, and move the others on."""
    forged = a_forgery(spot + 1, events[spot - 1].hash if spot else FIRST_PREVIOUS)
    after = renumbered(events[spot:], spot + 2, inside=True)
    return [*events[:spot], forged, *after], {spot + 1}


def append(events: list[Event], _: int, __: int) -> tuple[list[Event], set[int]]:
    """Put an event behind the end."""
    return [*events, a_forgery(len(events) + 1, events[-1].hash)], {len(events) + 1}


def swap(events: list[Event], one: int, other: int) -> tuple[list[Event], set[int]]:
    """Let two events change places."""
    assume(one != other)
    chain = list(events)
    chain[one] = replace(events[other], seq=one + 1)
    chain[other] = replace(events[one], seq=other + 1)
    return chain, {one + 1, other + 1}


@given(
    st.integers(1, 12).flatmap(
        lambda n: st.tuples(st.just(n), st.integers(0, n - 1), st.integers(0, n - 1))
    ),
    st.sampled_from(
        [
            (change, "changed"),
            (change_with_hash, "changed"),
            (remove, "removed"),
            (remove_and_close, "removed"),
            (insert, "inserted"),
            (append, "inserted"),
            (swap, "swapped"),
        ]
    ),
)
def test_any_one_tampering_is_found_and_named(
    spots: tuple[int, int, int], mutation: tuple[Mutation, str]
) -> None:
    """Exactly the events that were touched, and what was done to them."""
    length, one, other = spots
    events, lease = a_chain(length)
    tamper, what = mutation
    chain, touched = tamper(events, one, other)
    assert check(chain, lease) == [(seq, what) for seq in sorted(touched)]


@given(st.lists(st.integers(0, 5), max_size=8), st.integers(0, 6), st.data())
def test_any_heap_of_events_is_checked_without_an_error(
    picks: list[int], length: int, data: st.DataObject
) -> None:
    """Doubled, torn and shuffled; only the chain itself has no findings."""
    events, lease = a_chain(6)
    heap = [replace(events[pick], seq=data.draw(st.integers(1, 7))) for pick in picks]
    if heap != events:
        assert check(heap, lease)
    assert (check(events[:length], lease) == []) is (length == 6)


def test_a_chain_rewritten_from_some_point_on_does_not_reach_the_remembered_end() -> None:
    """All hashes fit, and still the record knows better."""
    events, lease = a_chain(5)
    rewritten = events[:2]
    for event in events[2:]:
        rewritten.append(rehashed(event, result="failed", prev_hash=rewritten[-1].hash))
    assert check(rewritten, lease) == [(5, "changed")]
    assert check(rewritten, None) == []


def test_a_first_event_that_does_not_begin_the_chain_is_named() -> None:
    """Where there is no record, an invented beginning still shows."""
    (event,), _ = a_chain(1)
    assert check([rehashed(event, prev_hash="f" * 64)], None) == [(1, "changed")]
