"""One contract for every ledger: in memory, and in DynamoDB as two emulators have it."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from tests.fakes.memory import MemoryLedger

from janitor.adapters.aws.dynamodb.ledger import DynamoLedger
from janitor.adapters.aws.dynamodb.schema import create_tables
from janitor.application.ports import Ledger, OpenRecords
from janitor.domain.errors import ConfigurationError, Conflict, UnreadableRecord
from janitor.domain.journal.chain_check import verify
from janitor.domain.journal.events import (
    JANITOR_TARGET,
    Actor,
    Draft,
    Entry,
    entry,
    target_of,
)
from janitor.domain.model import ACCOUNT_KEY, Lease, LeaseState, Mode
from janitor.domain.planning.decisions import Reason

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
EMULATORS = ["ministack", "moto"]
THREADS = pytest.mark.parametrize("ledger", ["memory", "ministack"], indirect=True)
"""moto's transactions are not whole while other threads write."""


class Tables:
    """Two fresh tables of an emulator, and the ledger on them."""

    def __init__(self, client: Any) -> None:
        self.client = client
        mark = uuid.uuid4().hex[:8]
        self.names = (f"leases-{mark}", f"journal-{mark}")
        self.created = create_tables(client, *self.names)
        self.ledger = DynamoLedger(client, *self.names)

    def set(self, key: str, attribute: str, value: dict[str, str]) -> None:
        """Change a row of the lease table by hand."""
        self.client.update_item(
            TableName=self.names[0],
            Key={"stack_id": {"S": key}},
            UpdateExpression="SET #a = :v",
            ExpressionAttributeNames={"#a": attribute},
            ExpressionAttributeValues={":v": value},
        )


@pytest.fixture(params=EMULATORS)
def tables(request: pytest.FixtureRequest, connect: Callable[..., Any]) -> Tables:
    """Make fresh tables in each emulator."""
    return Tables(connect(request.param, "dynamodb"))


@pytest.fixture(params=["memory", *EMULATORS])
def ledger(request: pytest.FixtureRequest, connect: Callable[..., Any]) -> Ledger:
    """Make a fresh ledger of each kind."""
    if request.param == "memory":
        return MemoryLedger()
    return Tables(connect(request.param, "dynamodb")).ledger


def a_lease(name: str = "feat", **values: Any) -> Lease:
    """Make a lease that is not stored yet."""
    stack_id = f"arn:aws:cloudformation:eu-central-1:123456789012:stack/{name}/1"
    return Lease(stack_id, name, "eu-central-1", "all", NOON, NOON, **values)


def draft(lease: Lease, action: str, by: str = "janitor", at: datetime = NOON) -> Draft:
    """Make an event about a lease."""
    return Draft(at, Actor("janitor", by, "sweep"), action, target_of(lease), Reason(f"by {by}"))


def step(lease: Lease, action: str, by: str = "janitor", **changes: Any) -> Entry[Lease]:
    """Make the entry that changes a stored lease."""
    return entry(lease, replace(lease, **changes), draft(lease, action, by))


def opened(ledger: Ledger, lease: Lease) -> Lease:
    """Store a new lease, and return it as stored."""
    ledger.commit(entry(lease, lease, draft(lease, "lease.opened")))
    stored = ledger.lease(lease.stack_id)
    assert stored is not None
    return stored


def test_a_lease_and_its_events_are_written_together(ledger: Ledger) -> None:
    """What was written is what is read, in each of the ways to read it."""
    lease = a_lease(extensions=2, expires_at=NOON)
    first = entry(lease, lease, draft(lease, "lease.opened"), draft(lease, "notice.delivered"))
    ledger.commit(first)
    assert ledger.lease(lease.stack_id) == first.record
    assert ledger.open_records().leases == {lease.stack_id: first.record}
    assert tuple(ledger.chain(lease.stack_id)) == first.events


def test_the_account_changes_like_a_lease(ledger: Ledger) -> None:
    """It is there from the beginning, and has a chain of its own."""
    account = ledger.account()
    assert ledger.open_records() == OpenRecords(account, {})
    event = Draft(
        NOON, Actor("operator", "o", "cli"), "mode.changed", JANITOR_TARGET, Reason("now")
    )
    changed = entry(account, replace(account, mode=Mode.ENFORCE), event)
    ledger.commit(changed)
    assert ledger.account() == changed.record
    assert ledger.open_records().account == changed.record
    another = replace(event, reason=Reason("then"))
    with pytest.raises(Conflict):
        ledger.commit(entry(account, replace(account, mode=Mode.OFF), another))
    assert verify(ACCOUNT_KEY, list(ledger.chain(ACCOUNT_KEY)), ledger.account().head) == []


def test_a_record_that_has_moved_is_a_conflict_and_nothing_is_written(ledger: Ledger) -> None:
    """Neither record nor event: the loser reads again."""
    lease = opened(ledger, a_lease())
    extended = step(lease, "lease.extended", extensions=1)
    ledger.commit(extended)
    with pytest.raises(Conflict, match="in between"):
        ledger.commit(step(lease, "deletion.intended", state=LeaseState.DELETING))
    assert ledger.lease(lease.stack_id) == extended.record
    actions = [event.action for event in ledger.chain(lease.stack_id)]
    assert actions == ["lease.opened", "lease.extended"]


def test_the_version_alone_decides(ledger: Ledger) -> None:
    """A stale record loses even where its event would find a free place in the chain."""
    lease = opened(ledger, a_lease())
    ledger.commit(step(lease, "lease.extended", extensions=1))
    stale = replace(lease, seq=lease.seq + 1)
    with pytest.raises(Conflict):
        ledger.commit(step(stale, "deletion.intended", state=LeaseState.DELETING))
    assert len(list(ledger.chain(lease.stack_id))) == 2


def test_an_event_never_takes_the_place_of_another(ledger: Ledger) -> None:
    """The journal only grows, even if a record were set back by hand."""
    lease = opened(ledger, a_lease())
    ledger.commit(step(lease, "lease.extended", extensions=1))
    rewriting = replace(step(lease, "deletion.intended"), expected_version=lease.version + 1)
    with pytest.raises(Conflict):
        ledger.commit(rewriting)
    assert [e.action for e in ledger.chain(lease.stack_id)] == ["lease.opened", "lease.extended"]


def test_a_lease_is_opened_once(ledger: Ledger) -> None:
    """Two sweeps at a time find the same new stack; one of them opens the lease."""
    lease = a_lease()
    opened(ledger, lease)
    with pytest.raises(Conflict):
        ledger.commit(entry(lease, lease, draft(lease, "lease.opened", by="another sweep")))


def test_an_entry_whose_answer_was_lost_may_be_written_again(ledger: Ledger) -> None:
    """It counts once, and is no conflict, even if somebody wrote after it."""
    lease = opened(ledger, a_lease())
    extended = step(lease, "lease.extended", extensions=1)
    ledger.commit(extended)
    ledger.commit(extended)
    after = step(extended.record, "notice.delivered")
    ledger.commit(after)
    ledger.commit(extended)
    assert ledger.lease(lease.stack_id) == after.record
    assert len(list(ledger.chain(lease.stack_id))) == 3


# Not on moto: its transactions roll back to a copy of the whole table that was made without a
# lock, which takes away what another thread has written meanwhile.
@pytest.mark.parametrize("ledger", ["memory", "ministack"], indirect=True)
@pytest.mark.parametrize("name", ["one", "two", "three", "four"])
def test_of_fifty_who_extend_or_claim_at_once_exactly_one_wins(ledger: Ledger, name: str) -> None:
    """An acknowledged extension is never lost, and a claim never stands beside it."""
    lease = opened(ledger, a_lease(name, state=LeaseState.MARKED))

    def race(number: int) -> Entry[Lease] | None:
        attempt = (
            step(lease, "lease.extended", f"{number}", state=LeaseState.ACTIVE, extensions=1)
            if number % 2
            else step(lease, "deletion.intended", f"{number}", state=LeaseState.DELETING)
        )
        try:
            ledger.commit(attempt)
        except Conflict:
            return None
        return attempt

    with ThreadPoolExecutor(50) as pool:
        won = [attempt for attempt in pool.map(race, range(50)) if attempt]
    assert len(won) == 1
    assert ledger.lease(lease.stack_id) == won[0].record
    events = list(ledger.chain(lease.stack_id))
    assert events[1:] == list(won[0].events)
    assert verify(lease.stack_id, events, won[0].record.head) == []


@THREADS
def test_what_many_threads_write_and_read_is_each_whole_and_its_own(ledger: Ledger) -> None:
    """Whatever goes in one call: a change that comes too late spoils no other.

    Fails if a group's error goes to all of it (`raise` in `Together._go`), and if a read that
    was left out counts as no record (no `if stack_id not in late`, `held` for every place).
    """
    leases = [opened(ledger, a_lease(f"feat-{number}")) for number in range(60)]
    late = {lease.stack_id for lease in leases[::7]}
    for lease in leases[::7]:
        ledger.commit(step(lease, "lease.extended", extensions=1))

    def mark(lease: Lease) -> str:
        try:
            ledger.commit(step(lease, "stack.marked", state=LeaseState.MARKED))
        except Conflict:
            assert lease.stack_id in late
        found = ledger.lease(lease.stack_id)
        assert ledger.lease(f"{lease.stack_id}-unknown") is None
        assert ledger.account().version == 0
        assert found is not None
        return f"{found.name} {found.state.value} {found.extensions}"

    with ThreadPoolExecutor(60) as pool:
        done = list(pool.map(mark, leases))
    assert done == [
        f"{lease.name} active 1" if lease.stack_id in late else f"{lease.name} marked 0"
        for lease in leases
    ]
    for lease in leases:
        events = list(ledger.chain(lease.stack_id))
        now = ledger.lease(lease.stack_id)
        assert now is not None
        assert [event.seq for event in events] == [1, 2]
        assert verify(lease.stack_id, events, now.head) == []


@THREADS
def test_many_threads_may_change_one_lease_at_once_and_one_of_them_does(ledger: Ledger) -> None:
    """Two changes of one record never go in one transaction, which DynamoDB would refuse."""
    lease = opened(ledger, a_lease())
    others = [opened(ledger, a_lease(f"feat-{number}")) for number in range(30)]

    def change(number: int) -> bool:
        one = others[number // 2] if number % 2 else lease
        try:
            ledger.commit(step(one, "lease.extended", by=f"owner {number}", extensions=1))
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(60) as pool:
        done = list(pool.map(change, range(60)))
    assert sum(done[::2]) == 1
    assert all(done[1::2])


def test_closed_leases_leave_the_open_set_and_stay_readable(ledger: Ledger) -> None:
    """They cost a sweep nothing; and one that is opened again comes back."""
    lease = opened(ledger, a_lease())
    gone = step(lease, "lease.closed", state=LeaseState.GONE, closed_at=NOON)
    ledger.commit(gone)
    assert ledger.open_records().leases == {}
    assert ledger.lease(lease.stack_id) == gone.record
    again = step(gone.record, "lease.opened", state=LeaseState.ACTIVE)
    ledger.commit(again)
    assert ledger.open_records().leases == {lease.stack_id: again.record}


def test_all_open_leases_are_read_however_many_pages_they_fill(ledger: Ledger) -> None:
    """DynamoDB answers with 1 MB at most."""
    for number in range(13):
        opened(ledger, a_lease(f"feat-{number}", last_error="x" * 100_000))
    assert len(ledger.open_records().leases) == 13


def test_a_lease_that_nobody_stored_is_none(ledger: Ledger) -> None:
    """And has no chain."""
    assert ledger.lease("arn:nobody") is None
    assert list(ledger.chain("arn:nobody")) == []


def test_a_chain_is_read_in_the_order_of_its_numbers(ledger: Ledger) -> None:
    """Ten comes after nine, also where the store sorts."""
    lease = opened(ledger, a_lease())
    for _ in range(11):
        ledger.commit(step(lease, "notice.delivered"))
        stored = ledger.lease(lease.stack_id)
        assert stored is not None
        lease = stored
    events = list(ledger.chain(lease.stack_id))
    assert [event.seq for event in events] == list(range(1, 13))
    assert verify(lease.stack_id, events, lease.head) == []


def test_the_journal_names_every_chain_once(ledger: Ledger) -> None:
    """The janitor's own included, once it has an event."""
    one, two = opened(ledger, a_lease("one")), opened(ledger, a_lease("two"))
    ledger.commit(step(one, "notice.delivered"))
    account = ledger.account()
    event = Draft(NOON, Actor("janitor", "j", "sweep"), "a.b", JANITOR_TARGET, Reason("x"))
    ledger.commit(entry(account, account, event))
    assert sorted(ledger.chain_keys()) == sorted([one.stack_id, two.stack_id, ACCOUNT_KEY])


def test_the_records_name_every_stack_that_they_remember(ledger: Ledger) -> None:
    """One that is deleted as well: its row outlives it, and says how long its chain was.

    Fails if open leases alone are named.
    """
    lease, gone = opened(ledger, a_lease("one")), opened(ledger, a_lease("two"))
    ledger.commit(step(gone, "deletion.confirmed", state=LeaseState.DELETED, closed_at=NOON))
    assert sorted(ledger.record_keys()) == sorted([lease.stack_id, gone.stack_id, ACCOUNT_KEY])


def test_events_of_some_days_come_in_order_from_the_first_up_to_the_last(ledger: Ledger) -> None:
    """The end is not included; events of one instant keep the order of their chain."""
    midnight = NOON.replace(hour=0) + timedelta(days=1)
    moments = [NOON, midnight - timedelta(microseconds=1), midnight, midnight + timedelta(days=1)]
    for name in ("b", "a"):
        lease = a_lease(name)
        drafts = [draft(lease, f"event.{index}", at=at) for index, at in enumerate(moments)]
        twin = draft(lease, "event.twin", at=moments[-1])
        ledger.commit(entry(lease, lease, *drafts, twin))

    def told(since: datetime, until: datetime) -> list[str]:
        return [f"{e.body['target']['name']} {e.action}" for e in ledger.events(since, until)]

    everything = told(NOON, moments[-1] + timedelta(microseconds=1))
    assert everything == [
        *(f"{name} event.{index}" for index in range(3) for name in "ab"),
        *("a event.3", "a event.twin", "b event.3", "b event.twin"),
    ]
    assert told(NOON + timedelta(microseconds=1), moments[-1]) == everything[2:6]
    assert told(midnight, midnight) == []


def test_tables_are_created_once(tables: Tables) -> None:
    """`janitor init` may run again, and leaves alone what is there."""
    assert tables.created == list(tables.names)
    lease = opened(tables.ledger, a_lease())
    assert create_tables(tables.client, *tables.names) == []
    assert tables.ledger.lease(lease.stack_id) == lease


def test_rows_of_closed_leases_expire_and_journals_do_not(tables: Tables) -> None:
    """By the TTL attribute, which only the lease table has."""
    leases, journal = (
        tables.client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
        for name in tables.names
    )
    assert (leases["TimeToLiveStatus"], leases["AttributeName"]) == ("ENABLED", "expires_ttl")
    assert journal["TimeToLiveStatus"] == "DISABLED"


def test_reading_more_than_a_page_takes_more_than_a_query(tables: Tables) -> None:
    """Otherwise the paging test would prove nothing; and one page takes one call."""
    calls: list[str] = []
    tables.client.meta.events.register(
        "before-call.dynamodb", lambda model, **_: calls.append(model.name)
    )
    tables.ledger.open_records()
    assert calls == ["Query"]
    for number in range(13):
        opened(tables.ledger, a_lease(f"feat-{number}", last_error="x" * 100_000))
    calls.clear()
    tables.ledger.open_records()
    assert set(calls) == {"Query"}
    assert len(calls) > 1


@pytest.mark.parametrize("schema", ["0", "2"])
def test_records_of_another_schema_stop_everything(tables: Tables, schema: str) -> None:
    """An older or newer release wrote them; nothing is guessed."""
    lease = opened(tables.ledger, a_lease())
    tables.set(lease.stack_id, "schema", {"N": schema})
    expected = rf"{tables.names[0]} holds records of schema {schema}, .* reads schema 1"
    with pytest.raises(ConfigurationError, match=expected):
        tables.ledger.open_records()
    with pytest.raises(
        UnreadableRecord, match=rf"{lease.stack_id} .* schema {schema}, .* schema 1"
    ):
        tables.ledger.lease(lease.stack_id)


Spoil = Callable[[str], None]


@pytest.fixture(params=["memory", *EMULATORS])
def spoilt(
    request: pytest.FixtureRequest, connect: Callable[..., Any]
) -> tuple[Ledger, Callable[[str], None]]:
    """Make a ledger of each kind, and return how to spoil a record of it."""
    if request.param == "memory":
        memory = MemoryLedger()
        return memory, lambda key: memory.spoiled.update({key: "its content is no JSON"})
    tables = Tables(connect(request.param, "dynamodb"))
    return tables.ledger, lambda key: tables.set(key, "doc", {"S": "<html>"})


def test_a_lease_that_cannot_be_read_is_named_and_stops_no_other(
    spoilt: tuple[Ledger, Spoil],
) -> None:
    """It is there: neither read, nor missing, nor written over.

    Fails without `except Malformed` in rows.py.
    """
    ledger, spoil = spoilt
    fine, odd = opened(ledger, a_lease("fine")), opened(ledger, a_lease("odd"))
    spoil(odd.stack_id)
    found = ledger.open_records()
    assert found.leases == {fine.stack_id: fine}
    assert found.unreadable == {odd.stack_id: "its content is no JSON"}
    with pytest.raises(UnreadableRecord) as caught:
        ledger.lease(odd.stack_id)
    expected = f"the lease of {odd.stack_id} cannot be read: its content is no JSON"
    assert str(caught.value) == expected
    with pytest.raises(Conflict):
        ledger.commit(step(a_lease("odd"), "lease.opened", by="another"))


def test_many_leases_read_at_once_are_read_beside_one_that_cannot_be(
    tables: Tables,
) -> None:
    """Reads that go together are spoilt by none of them."""
    leases = [opened(tables.ledger, a_lease(f"feat-{n}")) for n in range(12)]
    tables.set(leases[0].stack_id, "doc", {"S": "[]"})

    def read(lease: Lease) -> Lease | str | None:
        try:
            return tables.ledger.lease(lease.stack_id)
        except UnreadableRecord as error:
            return error.why

    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(read, leases))
    assert found == ["its content is no JSON object", *leases[1:]]


@pytest.mark.parametrize(
    "attribute, value, why",
    [
        ("doc", {"S": "[1]"}, "its content is no JSON object"),
        ("doc", {"S": "[" * 100_000}, "its content is no JSON"),
        ("doc", {"N": "1"}, "it lacks its content, or the schema of that"),
        ("schema", {"S": "1"}, "it lacks its content, or the schema of that"),
        ("schema", {"N": "2"}, "it is of schema 2, and this janitor reads schema 1: use"),
        ("doc", {"S": "{}"}, "it lacks created, first_seen, name, region, rule, stack_id"),
    ],
)
def test_whatever_is_odd_about_a_row_is_said(
    tables: Tables, attribute: str, value: dict[str, str], why: str
) -> None:
    """In one line, beside the others; a mixed table is no release of another schema."""
    fine, odd = opened(tables.ledger, a_lease("fine")), opened(tables.ledger, a_lease("odd"))
    tables.set(odd.stack_id, attribute, value)
    found = tables.ledger.open_records()
    assert list(found.leases) == [fine.stack_id]
    assert found.unreadable[odd.stack_id].startswith(why)
    with pytest.raises(UnreadableRecord, match=why.split(",", maxsplit=1)[0]):
        tables.ledger.lease(odd.stack_id)


def test_a_row_that_says_it_is_of_another_stack_is_not_believed(tables: Tables) -> None:
    """Somebody copied it, and what is in it is true of no stack here."""
    fine, odd = opened(tables.ledger, a_lease("fine")), opened(tables.ledger, a_lease("odd"))
    row = tables.client.get_item(TableName=tables.names[0], Key={"stack_id": {"S": fine.stack_id}})[
        "Item"
    ]
    tables.set(odd.stack_id, "doc", row["doc"])
    found = tables.ledger.open_records()
    assert found.leases == {fine.stack_id: fine}
    assert found.unreadable == {odd.stack_id: f"it says that it is of {fine.stack_id}"}


@pytest.mark.parametrize("value", ["", "<html>", "[]", '{"mode": "sometimes"}', '{"version": "x"}'])
def test_without_the_account_nothing_is_decided(tables: Tables, value: str) -> None:
    """One clear line: without mode, breaker and chain there is no sweep."""
    tables.set(ACCOUNT_KEY, "doc", {"S": value} if value else {"NULL": True})  # type: ignore[dict-item]
    expected = rf"the row janitor of the table {tables.names[0]}, .* cannot be read: [^\n]+$"
    with pytest.raises(ConfigurationError, match=expected):
        tables.ledger.open_records()
    with pytest.raises(ConfigurationError, match=expected):
        tables.ledger.account()


def test_a_row_without_content_is_no_record(tables: Tables) -> None:
    """Whoever puts one by hand does not keep the rest from being checked.

    Fails without the filter.
    """
    tables.client.put_item(TableName=tables.names[0], Item={"stack_id": {"S": "forged"}})
    assert list(tables.ledger.record_keys()) == [ACCOUNT_KEY]


def test_tables_without_the_account_row_are_not_initialised(tables: Tables) -> None:
    """Somebody made the tables by hand: the way out is named."""
    tables.client.delete_item(TableName=tables.names[0], Key={"stack_id": {"S": ACCOUNT_KEY}})
    with pytest.raises(ConfigurationError, match="not initialised: run `janitor init`"):
        tables.ledger.open_records()


def test_an_account_row_that_the_index_does_not_show_yet_is_found(tables: Tables) -> None:
    """The index lags behind the table by a moment."""
    account = tables.ledger.account()
    tables.client.update_item(
        TableName=tables.names[0],
        Key={"stack_id": {"S": ACCOUNT_KEY}},
        UpdateExpression="REMOVE #open",
        ExpressionAttributeNames={"#open": "open"},
    )
    assert tables.ledger.open_records() == OpenRecords(account, {})


def test_missing_tables_are_named_with_the_way_to_make_them(tables: Tables) -> None:
    """Every way to reach them says the same."""
    ledger = DynamoLedger(tables.client, "no-leases", "no-journal")
    lease = a_lease()
    expected = "no-leases and no-journal .* in eu-central-1: run `janitor init`"
    for call in (
        ledger.open_records,
        ledger.account,
        lambda: list(ledger.chain("x")),
        lambda: list(ledger.chain_keys()),
        lambda: list(ledger.record_keys()),
        lambda: list(ledger.events(NOON, NOON)),
        lambda: ledger.commit(step(lease, "lease.opened")),
    ):
        with pytest.raises(ConfigurationError, match=expected):
            call()
