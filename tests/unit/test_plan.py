"""A sweep's decisions together: breaker, pace, order, and the document of them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from janitor.core.decisions import Delete, decision_name
from janitor.core.model import Account, Contact, ContactKind, Lease, LeaseState, Mode, Notice, Stack
from janitor.core.order import Imports
from janitor.core.plan import Listing, Plan, breaker, make_plan, survey, unknown_imports
from janitor.core.policy import Limits, Policy
from janitor.core.policy_file import parse_policy
from janitor.core.protection import unknown_protection
from janitor.core.unread import Unread
from janitor.entrypoints.plan_tables import plan_document

CREATED = datetime(2026, 6, 1, 8, tzinfo=UTC)
EXPIRES = CREATED + timedelta(days=3)
NOW = datetime(2026, 6, 5, 10, tzinfo=UTC)  # a Friday, in the window
ANA = Contact(ContactKind.EMAIL, "ana@example.com")
HERE, THERE = "eu-central-1", "us-east-1"


def a_stack(name: str, region: str = HERE, **values: Any) -> Stack:
    """Make a stack of Monday that lives for three days."""
    known: dict[str, Any] = {
        "status": "CREATE_COMPLETE",
        "created": CREATED,
        "tags": {"janitor:ttl": "3d", "janitor:owner": "ana@example.com"},
    }
    return Stack(f"arn:{region}:{name}", name, region, **{**known, **values})


def due(stack: Stack, hours_ago: int = 50) -> Lease:
    """Make the lease of a stack that may go now; `hours_ago` since its deadline."""
    expires = NOW - timedelta(hours=hours_ago)
    return Lease(
        stack.stack_id,
        stack.name,
        stack.region,
        "default",
        stack.created,
        CREATED,
        state=LeaseState.MARKED,
        expires_at=expires,
        contacts=(ANA,),
        notices=(Notice("final", expires, ANA, expires, "memory"),),
    )


def plan_of(
    listings: list[Listing],
    leases: list[Lease],
    policy: Policy | str = "",
    account: Account | None = None,
    imports: Mapping[str, Imports] | None = None,
) -> Plan:
    """Plan a sweep in mode enforce."""
    if isinstance(policy, str):
        policy = parse_policy(policy, "p")
    by_id = {lease.stack_id: lease for lease in leases}
    found = survey(listings, by_id, policy, NOW)
    return make_plan(found, account or Account(), policy, Mode.ENFORCE, imports or {})


def due_plan(count: int, limits: str, others: int = 0, account: Account | None = None) -> Plan:
    """Plan with so many due stacks, the first the longest overdue, and others that are not."""
    hours = [50 + count - number for number in range(count)]
    stacks = [a_stack(f"due-{n}", tags=tags(NOW - timedelta(hours=h))) for n, h in enumerate(hours)]
    fresh = [a_stack(f"new-{number}", created=NOW) for number in range(others)]
    leases = [due(stack, h) for stack, h in zip(stacks, hours, strict=True)]
    listing = Listing(HERE, (*fresh, *reversed(stacks)))
    return plan_of([listing], leases, f"limits: {limits}", account)


def tags(expires: datetime) -> dict[str, str]:
    """Return tags that ask for a deadline."""
    return {"janitor:expires": f"{expires:%Y%m%dT%H%M%SZ}", "janitor:owner": "ana@example.com"}


ODD_ID, ODD_NAME = Unread("arn:eu-central-1:odd", "odd", "x"), Unread("", "odd", "x")
WITHOUT_BOTH = Unread("", "", "it has no StackId")
FAR_ODD = Unread("arn:other", "other", "x")


@pytest.mark.parametrize(
    "odd, expected",
    [
        (ODD_ID, {"odd": "wait", "gone": "close"}),
        (ODD_NAME, {"odd": "wait", "gone": "close"}),
        (WITHOUT_BOTH, {"odd": "wait", "gone": "wait"}),
        (FAR_ODD, {"odd": "close", "gone": "close"}),
    ],
)
def test_the_lease_of_a_stack_that_cannot_be_read_is_not_closed(
    odd: Unread, expected: dict[str, str]
) -> None:
    """By its id, else its name, else any of that region may be the one.

    Fails without `left_alone` in deciding.py.
    """
    leases = [due(a_stack("odd")), due(a_stack("gone"))]
    listing = Listing(HERE, (a_stack("new"),), unread=(odd,))
    plan = plan_of([listing], leases)
    assert named(plan) == {**expected, "new": "open"}
    assert [key for key, _ in plan.unread] == [odd.key]
    why = "left alone: what CloudFormation says of it cannot be read: "
    waits = [str(d.reason) for d in plan.decisions if decision_name(d) == "wait"]
    assert all(reason.startswith(why) for reason in waits)


def test_a_stack_whose_lease_cannot_be_read_is_neither_new_nor_due_nor_closed() -> None:
    """And plan says so; those beside it go on.

    Fails without `self.unreadable.get` in deciding.py: the stack would be new.
    """
    stacks = (a_stack("odd"), a_stack("next"))
    unreadable = {stacks[0].stack_id: "its content is no JSON", "arn:gone": "its state is 'x'"}
    found = survey([Listing(HERE, stacks)], {}, parse_policy("", "p"), NOW, unreadable)
    plan = make_plan(found, Account(), parse_policy("", "p"), Mode.ENFORCE, {})
    assert named(plan) == {"odd": "wait", "next": "open"}
    (wait,) = [d for d in plan.decisions if decision_name(d) == "wait"]
    assert str(wait.reason) == "left alone: its lease cannot be read: its content is no JSON"
    document = plan_document(plan)["summary"]["unreadable"]
    assert [one["key"] for one in document] == ["arn:eu-central-1:odd", "arn:gone"]


def test_a_stack_over_which_the_code_fails_is_left_alone_and_stops_no_other() -> None:
    """A bug, told from all that CloudFormation may say; its traceback travels along.

    Fails without `except Exception` in deciding.py.
    """
    broken: Any = 5
    stacks = (a_stack("odd", tags={"janitor:ttl": broken}), a_stack("next"))
    policy = parse_policy("", "p")
    found = survey([Listing(HERE, stacks)], {}, policy, NOW)
    (outcome,) = found.broken
    assert (outcome.key, outcome.action) == (stacks[0].stack_id, "decide")
    assert outcome.detail.startswith("a bug in janitor: ")
    assert "\n" not in outcome.detail
    assert outcome.bug is not None
    assert outcome.bug.__traceback__
    plan = make_plan(found, Account(), policy, Mode.ENFORCE, {})
    assert named(plan) == {"odd": "wait", "next": "open"}


def named(plan: Plan) -> dict[str, str]:
    """Return what is decided on each stack, by its name."""
    subjects = [(decision.lease or decision.stack, decision) for decision in plan.decisions]
    return {subject.name: decision_name(decision) for subject, decision in subjects if subject}


# The breaker.


@pytest.mark.parametrize(
    "due_count, managed, limits, why",
    [
        (0, 0, {}, ""),
        (0, 100, {}, ""),
        (4, 4, {}, ""),  # fewer than breaker_floor
        (5, 20, {}, ""),  # a quarter is not more than a quarter
        (
            5,
            19,
            {},
            "5 of 19 managed stacks are due for deletion, more than 25% (max_deletes_fraction)",
        ),
        (
            6,
            23,
            {},
            "6 of 23 managed stacks are due for deletion, more than 25% (max_deletes_fraction)",
        ),
        (50, 1_000, {}, ""),
        (51, 1_000, {}, "51 stacks are due for deletion, and max_due is 50"),
        (1, 100, {"max_due": 0}, "1 stacks are due for deletion, and max_due is 0"),
        (0, 100, {"max_due": 0}, ""),
        (1, 100, {"max_due": 1}, ""),
        (
            1,
            100,
            {"max_deletes_fraction": 0.0, "breaker_floor": 0},
            "1 of 100 managed stacks are due for deletion, more than 0% (max_deletes_fraction)",
        ),
        (0, 100, {"max_deletes_fraction": 0.0, "breaker_floor": 0}, ""),
        (4, 100, {"max_deletes_fraction": 0.0}, ""),
        (100, 100, {"max_deletes_fraction": 1.0, "max_due": 100}, ""),
    ],
)
def test_the_breaker_trips_over_a_share_or_a_number(
    due_count: int, managed: int, limits: dict[str, Any], why: str
) -> None:
    """More than the share, from the floor on; or more than the number. Zero means zero."""
    assert breaker(due_count, managed, Limits(**limits)) == why


def test_a_tripped_breaker_blocks_every_deletion_and_says_why() -> None:
    """And nothing else."""
    plan = due_plan(5, "{}", others=14)
    why = "5 of 19 managed stacks are due for deletion, more than 25% (max_deletes_fraction)"
    assert (plan.tripped, plan.lifted, plan.due, plan.managed) == (why, False, 5, 19)
    assert plan.counts == {"blocked": 5, "open": 14}
    reasons = {str(d.reason) for d in plan.decisions if decision_name(d) == "blocked"}
    assert reasons == {f"breaker: {why}; `janitor breaker lift` lets them go for a day"}


def test_one_more_managed_stack_and_it_does_not_trip() -> None:
    """The edge, through the whole plan."""
    plan = due_plan(5, "{}", others=15)
    assert (plan.tripped, plan.counts) == ("", {"delete": 5, "open": 15})


@pytest.mark.parametrize(
    "until, is_lifted",
    [(NOW + timedelta(seconds=1), True), (NOW, False), (NOW - timedelta(seconds=1), False)],
)
def test_an_operators_word_lifts_the_breaker_until_its_day_is_over(
    until: datetime, is_lifted: bool
) -> None:
    """To the second."""
    plan = due_plan(5, "{}", account=Account(breaker_lifted_until=until))
    assert plan.lifted is is_lifted
    assert bool(plan.tripped) is not is_lifted
    assert plan.counts == ({"delete": 5} if is_lifted else {"blocked": 5})


def test_a_lifted_breaker_still_keeps_the_pace() -> None:
    """So many per sweep and no more."""
    account = Account(breaker_lifted_until=NOW + timedelta(days=1))
    plan = due_plan(20, "{max_deletes_per_sweep: 3}", account=account)
    assert plan.counts == {"delete": 3, "wait": 17}


def test_what_does_not_trip_is_not_lifted() -> None:
    """An acknowledgement that nothing needs is not told."""
    account = Account(breaker_lifted_until=NOW + timedelta(days=1))
    assert due_plan(1, "{}", account=account).lifted is False


def test_not_managed_stacks_do_not_water_the_share_down() -> None:
    """A large account must not make the breaker blunt."""
    stacks = [a_stack(f"due-{number}") for number in range(5)]
    strangers = [a_stack(f"other-{number}", tags={}) for number in range(100)]
    plan = plan_of([Listing(HERE, (*stacks, *strangers))], [due(s, 26) for s in stacks])
    assert plan.managed == 5
    assert plan.tripped


def test_leases_of_a_region_that_was_dropped_do_not_water_it_down_either() -> None:
    """They stay open for ever, and say nothing of what is there. Those of a refused region count.

    Fails if `managed` counts whatever is not ignored.
    """
    stacks = [a_stack(f"due-{number}") for number in range(5)]
    far = [due(a_stack(f"far-{number}", THERE), 26) for number in range(20)]
    leases = [*(due(stack, 26) for stack in stacks), *far]
    dropped = plan_of([Listing(HERE, tuple(stacks))], leases)
    assert (dropped.managed, bool(dropped.tripped)) == (5, True)
    refused = plan_of([Listing(HERE, tuple(stacks)), Listing(THERE, error="denied")], leases)
    assert (refused.managed, bool(refused.tripped)) == (25, False)


@pytest.mark.parametrize(
    "lifted,asked", [(None, slice(0, 300)), (NOW + timedelta(days=1), slice(350, 400))]
)
def test_so_many_are_described_while_the_breaker_trips_and_the_known_while_it_does_not(
    lifted: datetime | None, asked: slice
) -> None:
    """Of a flood three hundred; else those that were protected the last time.

    Fails without `MOST_ASKED`, or without the look at `blocked` in core/protection.py.
    """
    stacks = [a_stack(f"due-{number:03}") for number in range(400)]
    leases = {s.stack_id: replace(due(s, 26), blocked=n >= 350) for n, s in enumerate(stacks)}
    policy = parse_policy("", "p")
    found = survey([Listing(HERE, tuple(stacks))], leases, policy, NOW)
    account = Account(breaker_lifted_until=lifted)
    assert unknown_protection(found, account, policy) == tuple(stacks[asked])


def test_so_many_calls_are_made_for_importers_while_the_breaker_trips() -> None:
    """One for each export: who is held up makes no room for more.

    Fails if `unknown_imports` counts stacks, or asks on with the answers.
    """
    exports = tuple(f"x-{number}" for number in range(40))
    stacks = [a_stack(f"due-{number:02}", exports=exports) for number in range(100)]
    policy = parse_policy("", "p")
    found = survey(
        [Listing(HERE, tuple(stacks))], {s.stack_id: due(s, 26) for s in stacks}, policy, NOW
    )
    asked = unknown_imports(found, Account(), policy, {})
    assert asked == tuple(stacks[:7])
    held = {stack.stack_id: Imports({"x-0": ("alive",)}) for stack in asked}
    assert unknown_imports(found, Account(), policy, held) == ()


# The pace.


def test_the_oldest_deadlines_go_first() -> None:
    """However the region listed them."""
    plan = due_plan(4, "{max_deletes_per_sweep: 2}")
    deletes = [d.stack.name for d in plan.decisions if isinstance(d, Delete) and d.stack]
    assert deletes == ["due-0", "due-1"]
    assert [str(d.reason) for d in plan.decisions if decision_name(d) == "wait"] == [
        "due, number 3 in line; 2 go per sweep (max_deletes_per_sweep)",
        "due, number 4 in line; 2 go per sweep (max_deletes_per_sweep)",
    ]


def test_what_was_refused_before_does_not_hold_up_the_line() -> None:
    """Termination protection shows only when a stack is asked for."""
    hours = [52, 51, 50]
    stacks = [a_stack(f"due-{n}", tags=tags(NOW - timedelta(hours=h))) for n, h in enumerate(hours)]
    leases = [due(stack, h) for stack, h in zip(stacks, hours, strict=True)]
    leases[0] = replace(leases[0], blocked=True)
    listing = Listing(HERE, tuple(stacks))
    plan = plan_of([listing], leases, "limits: {max_deletes_per_sweep: 2}")
    assert named(plan) == {"due-0": "wait", "due-1": "delete", "due-2": "delete"}


def test_zero_per_sweep_means_zero() -> None:
    """Never unlimited."""
    assert due_plan(3, "{max_deletes_per_sweep: 0}").counts == {"wait": 3}


def test_zero_due_means_that_one_is_too_many() -> None:
    """A way to stop everything."""
    assert due_plan(1, "{max_due: 0}").counts == {"blocked": 1}


def test_as_many_as_the_pace_all_go() -> None:
    """The edge."""
    assert due_plan(3, "{max_deletes_per_sweep: 3}").counts == {"delete": 3}
    assert due_plan(4, "{max_deletes_per_sweep: 3}").counts == {"delete": 3, "wait": 1}


def test_stacks_of_one_deadline_go_in_the_order_of_their_ids() -> None:
    """So that a plan can be repeated."""
    stacks = [a_stack(name) for name in ("c", "a", "b")]
    leases = [due(stack, 50) for stack in stacks]
    stacks = [replace(s, tags=tags(NOW - timedelta(hours=50))) for s in stacks]
    plan = plan_of([Listing(HERE, tuple(stacks))], leases, "limits: {max_deletes_per_sweep: 1}")
    assert named(plan) == {"a": "delete", "b": "wait", "c": "wait"}
    assert list(named(plan)) == ["a", "b", "c"]


# Regions.


def test_a_region_that_refuses_leaves_its_leases_alone_and_no_others() -> None:
    """Missing data never means gone."""
    here, there = a_stack("here"), a_stack("there", THERE)
    gone = a_stack("gone")
    plan = plan_of(
        [Listing(HERE, (here,)), Listing(THERE, (there,), error="AccessDenied")],
        [due(here, 26), due(there, 26), due(gone, 26)],
    )
    assert named(plan) == {"here": "delete", "there": "wait", "gone": "close"}
    (waits,) = [d for d in plan.decisions if decision_name(d) == "wait"]
    assert str(waits.reason) == "left alone: region us-east-1 was not listed (AccessDenied)"
    assert waits.lease == due(there, 26)
    assert plan.regions == ((HERE, ""), (THERE, "AccessDenied"))


def test_a_region_that_is_no_longer_asked_about_leaves_its_leases_alone() -> None:
    """Taking a region out of the policy deletes nothing there."""
    plan = plan_of([Listing(HERE)], [due(a_stack("there", THERE))])
    (only,) = plan.decisions
    why = "it is not among the regions of this sweep, which --region or the policy names"
    assert decision_name(only) == "wait"
    assert str(only.reason) == f"left alone: region us-east-1 was not listed ({why})"


def test_a_deletion_under_way_is_tracked_where_the_region_was_dropped() -> None:
    """But a region that refuses is left alone as a whole.

    Fails without `lease.region not in errors`, and without the branch.
    """
    lease = replace(due(a_stack("there", THERE)), state=LeaseState.DELETING)
    assert named(plan_of([Listing(HERE)], [lease])) == {"there": "track"}
    refused = plan_of([Listing(HERE), Listing(THERE, error="AccessDenied")], [lease])
    assert named(refused) == {"there": "wait"}


def test_an_empty_region_is_listed_all_the_same() -> None:
    """No stacks is an answer: what was there is gone."""
    plan = plan_of([Listing(HERE)], [due(a_stack("gone"))])
    assert named(plan) == {"gone": "close"}


def test_a_stack_that_two_pages_show_is_decided_once() -> None:
    """An account changes while it is listed."""
    stack = a_stack("feat")
    plan = plan_of([Listing(HERE, (stack, stack)), Listing(HERE, (stack,))], [due(stack, 26)])
    assert plan.counts == {"delete": 1}
    assert plan.due == plan.managed == 1


def test_two_stacks_of_one_name_are_two() -> None:
    """Names are used again; only the id tells."""
    old = a_stack("feat")
    new = replace(old, stack_id="arn:new", created=NOW)
    plan = plan_of([Listing(HERE, (new,))], [due(old, 26)])
    assert plan.counts == {"close": 1, "open": 1}


def test_nothing_at_all_is_a_plan() -> None:
    """The first run on an empty account."""
    plan = plan_of([], [])
    assert (plan.decisions, plan.counts, plan.tripped) == ((), {}, "")


@given(
    st.integers(0, 12),
    st.integers(0, 12),
    st.integers(0, 15),
    st.integers(0, 15),
    st.floats(0, 1),
    st.integers(0, 15),
)
def test_no_limits_ever_let_more_go_than_they_say(
    count: int, others: int, most: int, max_due: int, share: float, floor: int
) -> None:
    """Whatever they are."""
    limits = (
        f"{{max_deletes_per_sweep: {most}, max_due: {max_due},"
        f" max_deletes_fraction: {share:.6f}, breaker_floor: {floor}}}"
    )
    plan = due_plan(count, limits, others)
    going = plan.counts["delete"]
    assert going <= min(count, most)
    if going:
        assert count <= max_due
        assert count < floor or count <= round(share, 6) * (count + others)
    elif count and most:
        assert plan.tripped
    assert len(plan.decisions) == count + others


# The document.


def test_the_document_of_a_plan_is_what_the_design_says() -> None:
    """One object, and None where there is nothing to say."""
    going = a_stack("going")
    new = a_stack("new", created=NOW)
    stranger = a_stack("stranger", tags={})
    lease = replace(due(going, 26), delete_after=NOW, deadline_source="tag janitor:ttl=3d")
    plan = plan_of(
        [Listing(HERE, (stranger, new, going)), Listing(THERE, error="AccessDenied")], [lease]
    )
    assert plan_document(plan) == {
        "now": "2026-06-05T10:00:00Z",
        "mode": "enforce",
        "regions": [
            {"region": "eu-central-1", "error": None},
            {"region": "us-east-1", "error": "AccessDenied"},
        ],
        "decisions": [
            {
                "stack_id": "arn:eu-central-1:going",
                "name": "going",
                "region": "eu-central-1",
                "decision": "delete",
                "reason": "expired 1 day 2 hours ago (tag janitor:ttl=3d), told,"
                " and the grace is over",
                "state": "marked",
                "expires_at": "2026-06-04T08:00:00Z",
                "delete_after": "2026-06-05T10:00:00Z",
                "owners": ["ana@example.com"],
            },
            {
                "stack_id": "arn:eu-central-1:new",
                "name": "new",
                "region": "eu-central-1",
                "decision": "open",
                "reason": "matches rule 'default'; expires Mon 8 Jun 2026 10:00 UTC"
                " (tag janitor:ttl=3d)",
                "state": None,
                "expires_at": "2026-06-08T10:00:00Z",
                "delete_after": None,
                "owners": ["ana@example.com"],
            },
            {
                "stack_id": "arn:eu-central-1:stranger",
                "name": "stranger",
                "region": "eu-central-1",
                "decision": "ignore",
                "reason": "no rule of the policy selects it",
                "state": None,
                "expires_at": None,
                "delete_after": None,
                "owners": [],
            },
        ],
        "summary": {
            "managed": 2,
            "due": 1,
            "breaker": None,
            "breaker_lifted": False,
            "unreadable": [],
            "delete": 1,
            "ignore": 1,
            "open": 1,
        },
    }


def test_the_document_says_that_the_breaker_tripped() -> None:
    """A program that reads it must not have to count."""
    summary = plan_document(due_plan(5, "{}"))["summary"]
    assert summary["breaker"] == (
        "5 of 5 managed stacks are due for deletion, more than 25% (max_deletes_fraction)"
    )
    assert summary["blocked"] == 5
