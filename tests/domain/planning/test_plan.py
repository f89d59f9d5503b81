"""A sweep's decisions together: pace, order, regions, and the document of them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from janitor.domain.model import Contact, ContactKind, Lease, LeaseState, Mode, Notice, Stack
from janitor.domain.planning.conditions import Kind, Who
from janitor.domain.planning.decisions import Delete, decision_name
from janitor.domain.planning.export_order import Imports
from janitor.domain.planning.plan import Listing, Plan, make_plan, survey, unknown_imports
from janitor.domain.planning.termination_protection import unknown_protection
from janitor.domain.planning.unreadable import Unread
from janitor.domain.policy.loader import parse_policy
from janitor.domain.policy.model import Policy
from janitor.entrypoints.cli.views.plan import plan_document

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
    imports: Mapping[str, Imports] | None = None,
) -> Plan:
    """Plan a sweep in mode enforce."""
    if isinstance(policy, str):
        policy = parse_policy(policy, "p")
    by_id = {lease.stack_id: lease for lease in leases}
    found = survey(listings, by_id, policy, NOW)
    return make_plan(found, policy, Mode.ENFORCE, imports or {})


def due_plan(count: int, limits: str, others: int = 0) -> Plan:
    """Plan with so many due stacks, the first the longest overdue, and others that are not."""
    hours = [50 + count - number for number in range(count)]
    stacks = [a_stack(f"due-{n}", tags=tags(NOW - timedelta(hours=h))) for n, h in enumerate(hours)]
    fresh = [a_stack(f"new-{number}", created=NOW) for number in range(others)]
    leases = [due(stack, h) for stack, h in zip(stacks, hours, strict=True)]
    listing = Listing(HERE, (*fresh, *reversed(stacks)))
    return plan_of([listing], leases, f"limits: {limits}")


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

    Fails without `left_alone` in decide_each.py.
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

    Fails without `self.unreadable.get` in decide_each.py: the stack would be new.
    """
    stacks = (a_stack("odd"), a_stack("next"))
    unreadable = {stacks[0].stack_id: "its content is no JSON", "arn:gone": "its state is 'x'"}
    found = survey([Listing(HERE, stacks)], {}, parse_policy("", "p"), NOW, unreadable=unreadable)
    plan = make_plan(found, parse_policy("", "p"), Mode.ENFORCE, {})
    assert named(plan) == {"odd": "wait", "next": "open"}
    (wait,) = [d for d in plan.decisions if decision_name(d) == "wait"]
    assert str(wait.reason) == "left alone: its lease cannot be read: its content is no JSON"
    document = plan_document(plan)["summary"]["unreadable"]
    assert [one["key"] for one in document] == ["arn:eu-central-1:odd", "arn:gone"]


def test_a_stack_over_which_the_code_fails_is_left_alone_and_stops_no_other() -> None:
    """A bug, told from all that CloudFormation may say; its traceback travels along.

    Fails without `except Exception` in decide_each.py.
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
    plan = make_plan(found, policy, Mode.ENFORCE, {})
    assert named(plan) == {"odd": "wait", "next": "open"}


def named(plan: Plan) -> dict[str, str]:
    """Return what is decided on each stack, by its name."""
    subjects = [(decision.lease or decision.stack, decision) for decision in plan.decisions]
    return {subject.name: decision_name(decision) for subject, decision in subjects if subject}


# Load is no surprise.


@pytest.mark.parametrize("count, others", [(1, 0), (60, 0), (60, 140), (400, 0)])
def test_whatever_is_due_goes_however_much_it_is(count: int, others: int) -> None:
    """A day on which a whole account falls due is a day like any other.

    Fails if a sweep stops at any number or share.
    """
    plan = due_plan(count, "{}", others)
    assert (plan.due, plan.managed, plan.surprise) == (count, count + others, None)
    assert plan.counts == ({"delete": count, "open": others} if others else {"delete": count})


def test_leases_of_a_region_that_was_dropped_are_not_counted_as_managed() -> None:
    """They stay open for ever, and say nothing of what is there. Those of a refused region count.

    Fails if `managed` counts whatever is not ignored.
    """
    stacks = [a_stack(f"due-{number}") for number in range(5)]
    strangers = [a_stack(f"other-{number}", tags={}) for number in range(100)]
    far = [due(a_stack(f"far-{number}", THERE), 26) for number in range(20)]
    leases = [*(due(stack, 26) for stack in stacks), *far]
    here = Listing(HERE, (*stacks, *strangers))
    assert plan_of([here], leases).managed == 5
    assert plan_of([here, Listing(THERE, error="denied")], leases).managed == 25


def test_those_that_were_protected_the_last_time_are_described_and_no_more_than_so_many() -> None:
    """Of any number that is due: the others are deleted, and `delete` looks for itself.

    Fails without the look at `blocked` or without `MOST_ASKED` in domain/planning/termination_protection.py.
    """
    stacks = [a_stack(f"due-{number:03}") for number in range(800)]
    policy = parse_policy("", "p")
    for known in (0, 1, 300, 400):
        leases = {s.stack_id: replace(due(s, 26), blocked=n < known) for n, s in enumerate(stacks)}
        found = survey([Listing(HERE, tuple(stacks))], leases, policy, NOW)
        assert unknown_protection(found) == tuple(stacks[: min(known, 300)])


def test_the_importers_of_what_would_go_now_are_asked_for_once() -> None:
    """Of no other stack, and not of one that exports nothing.

    Fails if `unknown_imports` asks again with the answers, or about everything.
    """
    stacks = [a_stack(f"due-{n:02}", exports=(f"x-{n}",) * (n % 2)) for n in range(10)]
    early = a_stack("early", exports=("x",), created=NOW)
    found = survey(
        [Listing(HERE, (*stacks, early))],
        {s.stack_id: due(s, 26) for s in stacks},
        parse_policy("", "p"),
        NOW,
    )
    asked = unknown_imports(found, {})
    assert asked == tuple(stacks[1::2])
    held = {stack.stack_id: Imports({"x": ("alive",)}) for stack in asked}
    assert unknown_imports(found, held) == ()


# The pace.


def test_the_oldest_deadlines_go_first() -> None:
    """However the region listed them."""
    plan = due_plan(4, "{max_deleting: 2}")
    deletes = [d.stack.name for d in plan.decisions if isinstance(d, Delete) and d.stack]
    assert deletes == ["due-0", "due-1"]
    assert [str(d.reason) for d in plan.decisions if decision_name(d) == "wait"] == [
        "due, but 2 deletions are under way or begin now, and the policy's cap is 2 (max_deleting)"
    ] * 2


def test_deletions_under_way_count() -> None:
    """The cap is on how many are under way at once, and not on how many begin.

    Fails if `_pace` leaves out `under_way`.
    """
    going = [a_stack(f"going-{n}", status="DELETE_IN_PROGRESS") for n in range(2)]
    waiting = [a_stack(f"due-{n}") for n in range(3)]
    leases = [
        *(replace(due(stack, 26), state=LeaseState.DELETING) for stack in going),
        *(due(stack, 26) for stack in waiting),
    ]
    listing = Listing(HERE, (*going, *waiting))
    for most, begin in ((1, 0), (2, 0), (3, 1), (4, 2), (5, 3), (6, 3)):
        plan = plan_of([listing], leases, f"limits: {{max_deleting: {most}}}")
        assert (plan.counts["track"], plan.counts["delete"]) == (2, begin)


def test_a_place_in_line_comes_by_itself_and_zero_does_not() -> None:
    """Zero is an operator's word. Fails if nobody is named who could change it."""
    for most, who, by_itself in ((1, Who.NOBODY, True), (0, Who.OPERATOR, False)):
        plan = due_plan(2, f"{{max_deleting: {most}}}")
        unmet = [d.unmet for d in plan.decisions if decision_name(d) == "wait"][-1]
        assert unmet is not None
        assert (unmet.kind, unmet.is_met, unmet.who) == (Kind.RELEASED_BY_OTHERS, False, who)
        assert unmet.comes_by_itself is by_itself


def test_what_was_refused_before_does_not_hold_up_the_line() -> None:
    """Termination protection shows only when a stack is asked for."""
    hours = [52, 51, 50]
    stacks = [a_stack(f"due-{n}", tags=tags(NOW - timedelta(hours=h))) for n, h in enumerate(hours)]
    leases = [due(stack, h) for stack, h in zip(stacks, hours, strict=True)]
    leases[0] = replace(leases[0], blocked=True)
    listing = Listing(HERE, tuple(stacks))
    plan = plan_of([listing], leases, "limits: {max_deleting: 2}")
    assert named(plan) == {"due-0": "wait", "due-1": "delete", "due-2": "delete"}


def test_zero_at_once_means_zero() -> None:
    """Never unlimited: a way to stop everything."""
    assert due_plan(3, "{max_deleting: 0}").counts == {"wait": 3}


def test_as_many_as_the_cap_all_go() -> None:
    """The edge."""
    assert due_plan(3, "{max_deleting: 3}").counts == {"delete": 3}
    assert due_plan(4, "{max_deleting: 3}").counts == {"delete": 3, "wait": 1}


def test_stacks_of_one_deadline_go_in_the_order_of_their_ids() -> None:
    """So that a plan can be repeated."""
    stacks = [a_stack(name) for name in ("c", "a", "b")]
    leases = [due(stack, 50) for stack in stacks]
    stacks = [replace(s, tags=tags(NOW - timedelta(hours=50))) for s in stacks]
    plan = plan_of([Listing(HERE, tuple(stacks))], leases, "limits: {max_deleting: 1}")
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
    assert (plan.decisions, plan.counts, plan.surprise) == ((), {}, None)


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 15), st.none() | st.integers(0, 15))
def test_exactly_as_many_go_as_the_cap_leaves_room_for(
    count: int, others: int, going: int, most: int | None
) -> None:
    """Whatever it is, and all without one."""
    stacks = [a_stack(f"due-{n}") for n in range(count)]
    fresh = [a_stack(f"new-{n}", created=NOW) for n in range(others)]
    leaving = [a_stack(f"going-{n}", status="DELETE_IN_PROGRESS") for n in range(going)]
    leases = [due(stack, 26) for stack in stacks]
    leases += [replace(due(stack, 26), state=LeaseState.DELETING) for stack in leaving]
    limits = "" if most is None else f"limits: {{max_deleting: {most}}}"
    plan = plan_of([Listing(HERE, (*stacks, *fresh, *leaving))], leases, limits)
    room = count if most is None else max(0, most - going)
    assert plan.counts["delete"] == min(count, room)
    assert plan.counts["wait"] == count - min(count, room)
    assert len(plan.decisions) == count + others + going


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
            "never_deleted": {},
            "unreadable": [],
            "delete": 1,
            "ignore": 1,
            "open": 1,
        },
    }


def test_the_document_says_that_something_is_held() -> None:
    """A program that reads it must not have to count."""
    stacks = [a_stack(f"feat-{n}", tags=tags(NOW + timedelta(hours=1))) for n in range(6)]
    later = NOW + timedelta(days=9)
    leases = [replace(due(stack), state=LeaseState.ACTIVE, expires_at=later) for stack in stacks]
    summary = plan_document(plan_of([Listing(HERE, tuple(stacks))], leases))["summary"]
    assert summary["breaker"] == (
        "tags brought forward the deadlines of 6 stacks of 6 managed within a day. That is more"
        " than 5, so each keeps its former deadline until an operator accepts the new ones or the"
        " tags are put back. All else goes on."
    )
    assert (summary["wait"], summary["due"]) == (6, 0)
