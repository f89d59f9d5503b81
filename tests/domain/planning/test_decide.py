"""Deciding on one stack: total over everything that can be seen, exact at every edge."""

import itertools
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.session
import pytest
from msgspec.structs import replace

from janitor.domain.model import Contact, ContactKind, Lease, LeaseState, Notice, Stack
from janitor.domain.notification.pending import standing_notices, still_holds
from janitor.domain.planning.decide import decide
from janitor.domain.planning.decisions import (
    Close,
    Delete,
    Mark,
    Remind,
    Retry,
    Unmark,
    decision_name,
)
from janitor.domain.policy.loader import parse_policy
from janitor.domain.policy.model import Policy, default_policy

POLICY = default_policy()
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
CREATED = datetime(2026, 6, 1, 8, tzinfo=UTC)  # a Monday
EXPIRES = CREATED + 3 * DAY  # Thursday 08:00
TOLD = EXPIRES + 2 * HOUR  # Thursday 10:00
DELETABLE_AT = TOLD + DAY  # Friday 10:00, and the window is open
ANA = Contact(ContactKind.EMAIL, "ana@example.com")
BO = Contact(ContactKind.EMAIL, "bo@example.com")
TAGS = {"janitor:ttl": "3d", "janitor:owner": "ana@example.com"}
MARKED_TAGS = {
    "janitor:state": "marked-for-deletion",
    "janitor:delete-after": "20260605T100000Z",
}


def a_stack(tags: dict[str, str] | None = None, **values: Any) -> Stack:
    """Make a stack of Monday that lives for three days, unless told otherwise."""
    known: dict[str, Any] = {
        "stack_id": "arn:aws:cloudformation:eu-central-1:1:stack/feat/1",
        "name": "feat",
        "region": "eu-central-1",
        "status": "CREATE_COMPLETE",
        "created": CREATED,
        "tags": TAGS if tags is None else tags,
    }
    return Stack(**{**known, **values})


def told(stage: str, at: datetime, contact: Contact = ANA, **values: Any) -> Notice:
    """Make a delivered notice that speaks of the deadline on Thursday."""
    return Notice(stage, values.pop("deadline", EXPIRES), contact, at, "memory", **values)


def a_lease(state: LeaseState = LeaseState.ACTIVE, **values: Any) -> Lease:
    """Make the lease of that stack as a sweep right after its creation wrote it."""
    known: dict[str, Any] = {
        "stack_id": "arn:aws:cloudformation:eu-central-1:1:stack/feat/1",
        "name": "feat",
        "region": "eu-central-1",
        "rule": "default",
        "created": CREATED,
        "first_seen": CREATED,
        "state": state,
        "expires_at": EXPIRES,
        "deadline_source": "tag janitor:ttl=3d",
        "contacts": (ANA,),
        "version": 1,
        "seq": 1,
    }
    return Lease(**{**known, **values})


def marked(**values: Any) -> Lease:
    """Make a marked lease whose owner was told on Thursday at ten."""
    return a_lease(
        LeaseState.MARKED,
        **{"notices": (told("final", TOLD),), "delete_after": DELETABLE_AT, **values},
    )


def failed(**values: Any) -> Lease:
    """Make a lease whose first deletion failed on Friday at ten."""
    again = DELETABLE_AT + timedelta(minutes=30)
    known: dict[str, Any] = {
        "state": LeaseState.FAILED,
        "attempts": 1,
        "last_error": "DELETE_FAILED: Bucket",
        "next_attempt_at": again,
    }
    return replace(marked(), **{**known, **values})


def verdict(
    stack: Stack | None, lease: Lease | None, now: datetime, policy: Policy = POLICY
) -> tuple[str, str]:
    """Return what is decided, and the sentence."""
    decision = decide(stack, lease, policy, now)
    return decision_name(decision), str(decision.reason)


BAD_TTL = "tag janitor:ttl '3x': the unit is not m, h, d or w; for instance 90m, 36h, 3d or 2w"

# Every branch, in the order of the life of a stack: what is seen, and when; then what is
# decided, and why.

STACK = a_stack()
BARE = a_stack(tags={})
GONE = a_stack(status="DELETE_COMPLETE")
NESTED = a_stack(parent_id="arn:aws:cloudformation:eu-central-1:1:stack/parent/1")
JANITOR = a_stack({**TAGS, "janitor:self": "1"})
TOOLKIT = a_stack(name="CDKToolkit")
RENAMED = a_stack(name="deploy-base", toolkit="AWS CDK")
TAGGED = a_stack({**TAGS, **MARKED_TAGS})
BUSY = a_stack(status="UPDATE_IN_PROGRESS")
HALF = a_stack(status="DELETE_FAILED")
GOING = a_stack(status="DELETE_IN_PROGRESS")
MISSPELT = a_stack({**TAGS, "janitor:ttl": "3x"})
KEPT = a_stack({**TAGS, "janitor:protect": " demo on Friday "})
KEPT_SILENTLY = a_stack({**TAGS, "janitor:protect": ""})
KEPT_BY_TWO = a_stack({**TAGS, "janitor:owner": "ana@example.com, bo@example.com"})
LOCKED = a_stack(termination_protection=True)
LONGER = a_stack({**TAGS, "janitor:ttl": "5d"})
FOREVER = a_stack({**TAGS, "janitor:ttl": "never"})

ACTIVE = a_lease()
MARKED = marked()
UNTOLD = marked(notices=(), delete_after=None)
DELETING = a_lease(LeaseState.DELETING, attempts=1)
FAILED = failed()
STUCK = failed(state=LeaseState.NEEDS_ATTENTION, attempts=5, last_error="DELETE_FAILED:\nBucket")
CLOSED = a_lease(LeaseState.DELETED)
BAD = a_lease(expires_at=None, deadline_source="", problem=BAD_TTL)
BAD_TOLD = replace(BAD, notices=(told("problem", CREATED, deadline=None, detail=BAD_TTL),))
BAD_TOLD_OF_ANOTHER = replace(BAD, notices=(told("problem", CREATED, deadline=None, detail="x"),))

ON_THURSDAY = "Thu 4 Jun 2026 08:00 UTC (tag janitor:ttl=3d)"
AHEAD = "(tag janitor:ttl=3d)"
LATER = "(tag janitor:ttl=5d)"
PROTECTED = "protected by tag janitor:protect: demo on Friday"
LOCK = "protected by CloudFormation's termination protection"
BOOTSTRAP = (
    "it is the bootstrap stack of AWS CDK, as its outputs show: other stacks are deployed by it"
)
NEXT_DAY = f"expired 1 day 2 hours ago {AHEAD}, told, and the grace is over"

BRANCHES: list[tuple[Stack | None, Lease | None, datetime, str, str]] = [
    # Not there, or not ours.
    (None, None, CREATED, "ignore", "deleted, and no lease is open on it"),
    (GONE, None, CREATED, "ignore", "deleted, and no lease is open on it"),
    (GONE, CLOSED, CREATED, "ignore", "deleted, and no lease is open on it"),
    (BARE, None, CREATED, "ignore", "no rule of the policy selects it"),
    (NESTED, None, CREATED, "ignore", "nested stack: it lives and goes with its parent"),
    (JANITOR, None, CREATED, "ignore", "tag janitor:self: the janitor never looks at itself"),
    (TOOLKIT, None, CREATED, "ignore", "its name is on the never-delete list (*CDKToolkit*)"),
    (RENAMED, None, CREATED, "ignore", BOOTSTRAP),
    *[
        (GOING, lease, CREATED, "ignore", "being deleted already, and no lease is open on it")
        for lease in (None, CLOSED)
    ],
    # A lease ends without a deletion.
    (BARE, MARKED, DELETABLE_AT, "close", "no rule of the policy selects it"),
    (NESTED, MARKED, DELETABLE_AT, "close", "nested stack: it lives and goes with its parent"),
    (JANITOR, MARKED, EXPIRES, "close", "tag janitor:self: the janitor never looks at itself"),
    (TOOLKIT, FAILED, EXPIRES, "close", "its name is on the never-delete list (*CDKToolkit*)"),
    (RENAMED, MARKED, DELETABLE_AT, "close", BOOTSTRAP),
    *[
        (
            stack,
            lease,
            CREATED,
            "close",
            "no longer listed: deleted by another hand, which its id will confirm",
        )
        for stack in (None, GONE)
        for lease in (ACTIVE, MARKED, FAILED, STUCK)
    ],
    # A deletion under way.
    (None, DELETING, EXPIRES, "track", "no longer listed: the deletion seems to be through"),
    (GONE, DELETING, EXPIRES, "track", "no longer listed: the deletion seems to be through"),
    (HALF, DELETING, EXPIRES, "track", "deletion under way, CloudFormation says DELETE_FAILED"),
    (BARE, DELETING, EXPIRES, "track", "deletion under way, CloudFormation says CREATE_COMPLETE"),
    (KEPT, DELETING, EXPIRES, "track", "deletion under way, CloudFormation says CREATE_COMPLETE"),
    # A new stack.
    (STACK, None, CREATED, "open", f"matches rule 'default'; expires {ON_THURSDAY}"),
    (STACK, CLOSED, CREATED, "open", f"matches rule 'default'; expires {ON_THURSDAY}"),
    (STACK, None, EXPIRES + DAY, "open", f"matches rule 'default'; expires {ON_THURSDAY}"),
    (
        MISSPELT,
        None,
        CREATED,
        "open",
        f"matches rule 'default'; kept until its tags are put right, since {BAD_TTL}",
    ),
    # Active, ahead of the deadline.
    (STACK, ACTIVE, CREATED, "keep", f"expires in 3 days {AHEAD}"),
    (STACK, ACTIVE, EXPIRES - 48 * HOUR - SECOND, "keep", f"expires in 2 days {AHEAD}"),
    (
        STACK,
        ACTIVE,
        EXPIRES - 48 * HOUR,
        "remind",
        f"48h reminder is due; expires in 2 days {AHEAD}",
    ),
    (
        STACK,
        ACTIVE,
        EXPIRES - 48 * HOUR + SECOND,
        "remind",
        f"48h reminder is due; expires in 1 day 23 hours {AHEAD}",
    ),
    (
        STACK,
        a_lease(notices=(told("48h", EXPIRES - 48 * HOUR),)),
        EXPIRES - 24 * HOUR - SECOND,
        "keep",
        f"reminded; expires in 1 day {AHEAD}",
    ),
    (
        STACK,
        a_lease(notices=(told("48h", EXPIRES - 48 * HOUR),)),
        EXPIRES - 24 * HOUR,
        "remind",
        f"24h reminder is due; expires in 1 day {AHEAD}",
    ),
    (  # a stage that was missed is not sent late
        STACK,
        ACTIVE,
        EXPIRES - HOUR,
        "remind",
        f"24h reminder is due; expires in 1 hour {AHEAD}",
    ),
    (
        STACK,
        a_lease(notices=(told("24h", EXPIRES - 24 * HOUR),)),
        EXPIRES - SECOND,
        "keep",
        f"reminded; expires in less than a minute {AHEAD}",
    ),
    (  # told of another deadline is not told
        STACK,
        a_lease(notices=(told("24h", EXPIRES - 24 * HOUR, deadline=EXPIRES - HOUR),)),
        EXPIRES - HOUR,
        "remind",
        f"24h reminder is due; expires in 1 hour {AHEAD}",
    ),
    (  # one of two owners is not everybody
        KEPT_BY_TWO,
        a_lease(contacts=(ANA, BO), notices=(told("24h", EXPIRES - 24 * HOUR),)),
        EXPIRES - HOUR,
        "remind",
        f"24h reminder is due; expires in 1 hour {AHEAD}",
    ),
    (KEPT, ACTIVE, EXPIRES - SECOND, "keep", PROTECTED),
    (KEPT_SILENTLY, ACTIVE, EXPIRES - SECOND, "keep", "protected by tag janitor:protect"),
    (LOCKED, ACTIVE, EXPIRES - SECOND, "keep", LOCK),
    (
        TAGGED,
        ACTIVE,
        CREATED,
        "unmark",
        f"not due, yet tagged as marked; expires in 3 days {AHEAD}",
    ),
    (
        replace(MISSPELT, tags={**MISSPELT.tags, **MARKED_TAGS}),
        BAD,
        CREATED,
        "unmark",
        f"not due, yet tagged as marked; kept until its tags are put right, since {BAD_TTL}",
    ),
    (MISSPELT, ACTIVE, EXPIRES + DAY, "remind", f"kept, since {BAD_TTL}"),
    (MISSPELT, BAD_TOLD_OF_ANOTHER, CREATED, "remind", f"kept, since {BAD_TTL}"),
    (MISSPELT, BAD_TOLD, CREATED, "keep", f"kept, since {BAD_TTL}; the owner has been told"),
    # Active, and the deadline has come.
    (STACK, ACTIVE, EXPIRES, "mark", f"expired now {AHEAD}"),
    (STACK, ACTIVE, EXPIRES + SECOND, "mark", f"expired now {AHEAD}"),
    (BUSY, ACTIVE, EXPIRES + DAY, "mark", f"expired 1 day ago {AHEAD}"),
    (KEPT, ACTIVE, EXPIRES, "blocked", f"due, but {PROTECTED}"),
    (LOCKED, ACTIVE, EXPIRES, "blocked", f"due, but {LOCK}"),
    # Marked, and the deadline has moved ahead.
    (LONGER, MARKED, DELETABLE_AT, "unmark", f"no longer due; expires in 22 hours {LATER}"),
    (LONGER, FAILED, DELETABLE_AT, "unmark", f"no longer due; expires in 22 hours {LATER}"),
    (LONGER, STUCK, DELETABLE_AT, "unmark", f"no longer due; expires in 22 hours {LATER}"),
    (MISSPELT, MARKED, DELETABLE_AT, "unmark", f"kept, since {BAD_TTL}"),
    (
        replace(LONGER, status="DELETE_FAILED"),
        FAILED,
        DELETABLE_AT,
        "blocked",
        "no longer due, but an earlier attempt left it half deleted",
    ),
    # Marked, and protected since.
    (KEPT, MARKED, DELETABLE_AT, "unmark", f"due, but {PROTECTED}"),
    (KEPT, STUCK, DELETABLE_AT, "unmark", f"due, but {PROTECTED}"),
    (
        replace(KEPT, status="DELETE_FAILED"),
        FAILED,
        DELETABLE_AT,
        "blocked",
        f"half deleted, and now {PROTECTED}",
    ),
    (HALF, STUCK, DELETABLE_AT, "blocked", "needs attention: DELETE_FAILED: Bucket"),
    # Marked, and not told.
    (STACK, UNTOLD, EXPIRES + 9 * DAY, "remind", "marked; its final notice has not been delivered"),
    (
        KEPT_BY_TWO,
        MARKED,
        DELETABLE_AT,
        "remind",
        "marked; its final notice has not been delivered",
    ),
    (
        STACK,
        marked(notices=(told("final", TOLD, deadline=EXPIRES - SECOND),)),
        DELETABLE_AT,
        "remind",
        "marked; its final notice has not been delivered",
    ),
    # Told, and within the grace.
    *[
        (
            STACK,
            MARKED,
            now,
            "wait",
            "owner told; deletion not before Fri 5 Jun 2026 10:00 UTC",
        )
        for now in (TOLD, DELETABLE_AT - SECOND)
    ],
    (  # the last of two owners counts
        KEPT_BY_TWO,
        marked(
            contacts=(ANA, BO),
            notices=(told("final", TOLD), told("final", TOLD + HOUR, BO)),
        ),
        DELETABLE_AT + HOUR - SECOND,
        "wait",
        "owner told; deletion not before Fri 5 Jun 2026 11:00 UTC",
    ),
    (  # a promise is kept even where the policy would allow less
        STACK,
        marked(delete_after=DELETABLE_AT + 2 * HOUR),
        DELETABLE_AT + 2 * HOUR - SECOND,
        "wait",
        "owner told; deletion not before Fri 5 Jun 2026 12:00 UTC",
    ),
    (  # told so late that the grace ends outside the window
        STACK,
        marked(notices=(told("final", TOLD + 8 * HOUR),), delete_after=None),
        datetime(2026, 6, 8, 8, 59, 59, tzinfo=UTC),
        "wait",
        "owner told; deletion not before Mon 8 Jun 2026 09:00 UTC",
    ),
    # The grace is over.
    (STACK, MARKED, DELETABLE_AT, "delete", NEXT_DAY),
    (STACK, MARKED, DELETABLE_AT + SECOND, "delete", NEXT_DAY),
    (STACK, marked(delete_after=None), DELETABLE_AT, "delete", NEXT_DAY),
    (LOCKED, MARKED, DELETABLE_AT, "blocked", f"due, but {LOCK}"),
    (BUSY, MARKED, DELETABLE_AT, "wait", "due, but busy: UPDATE_IN_PROGRESS"),
    (
        a_stack(status="DELETE_IN_PROGRESS"),
        MARKED,
        DELETABLE_AT,
        "wait",
        "due, but busy: DELETE_IN_PROGRESS",
    ),
    (
        a_stack(status="REVIEW_IN_PROGRESS"),
        MARKED,
        DELETABLE_AT,
        "delete",
        NEXT_DAY,
    ),
    (
        STACK,
        marked(first_seen=DELETABLE_AT - HOUR + SECOND),
        DELETABLE_AT,
        "wait",
        "due, but known for less than 1h",
    ),
    (STACK, marked(first_seen=DELETABLE_AT - HOUR), DELETABLE_AT, "delete", NEXT_DAY),
    (
        STACK,
        MARKED,
        datetime(2026, 6, 5, 16, 59, 59, tzinfo=UTC),
        "delete",
        f"expired 1 day 8 hours ago {AHEAD}, told, and the grace is over",
    ),
    (
        STACK,
        MARKED,
        datetime(2026, 6, 5, 17, tzinfo=UTC),
        "wait",
        "due, but deletions run only from Mon 8 Jun 2026 09:00 UTC",
    ),
    (
        STACK,
        MARKED,
        datetime(2026, 6, 8, 8, 59, 59, tzinfo=UTC),
        "wait",
        "due, but deletions run only from Mon 8 Jun 2026 09:00 UTC",
    ),
    (
        STACK,
        MARKED,
        datetime(2026, 6, 8, 9, tzinfo=UTC),
        "delete",
        f"expired 4 days 1 hour ago {AHEAD}, told, and the grace is over",
    ),
    # An attempt has failed.
    (
        HALF,
        FAILED,
        DELETABLE_AT + timedelta(minutes=30) - SECOND,
        "wait",
        "attempt 1 failed; the next is at Fri 5 Jun 2026 10:30 UTC",
    ),
    (HALF, FAILED, DELETABLE_AT + timedelta(minutes=30), "retry", f"attempt 2: {NEXT_DAY}"),
    (STACK, FAILED, DELETABLE_AT + timedelta(minutes=30), "retry", f"attempt 2: {NEXT_DAY}"),
]


@pytest.mark.parametrize("stack, lease, now, decision, reason", BRANCHES)
def test_each_branch_decides_what_it_should_and_says_why(
    stack: Stack | None, lease: Lease | None, now: datetime, decision: str, reason: str
) -> None:
    """With a second less and a second more wherever time is what decides."""
    assert verdict(stack, lease, now) == (decision, reason)


def test_a_new_stack_that_a_tag_protects_says_so_beside_its_deadline() -> None:
    """Or a reader of the plan takes the date for its end."""
    stack = a_stack(tags={**TAGS, "DoNotDelete": "yes"})
    decision = decide(stack, None, POLICY, CREATED)
    assert decision_name(decision) == "open"
    assert str(decision.reason).endswith("; protected by tag DoNotDelete: yes")


def test_never_is_kept_where_the_rule_allows_it() -> None:
    """And says that a tag asked for it."""
    policy = parse_policy(
        "rules:\n- {name: default, select: {tag: 'janitor:ttl'}, allow_never: true}", "p"
    )
    lease = a_lease(expires_at=None, deadline_source="tag janitor:ttl=never")
    assert verdict(FOREVER, lease, EXPIRES, policy) == (
        "keep",
        "never expires (tag janitor:ttl=never)",
    )


def test_a_stack_without_an_owner_has_the_longer_grace() -> None:
    """Three days, to the second, for somebody to notice."""
    nobody = Contact(ContactKind.OPERATORS, "operators")
    lease = marked(
        contacts=(nobody,),
        ownerless=True,
        notices=(told("final", TOLD, nobody),),
        delete_after=None,
    )
    stack = a_stack({"janitor:ttl": "3d"})
    policy = parse_policy("window: {days: [mon, tue, wed, thu, fri, sat, sun]}", "p")
    at = TOLD + 3 * DAY
    assert verdict(stack, lease, at - SECOND, policy) == (
        "wait",
        "owner told; deletion not before Sun 7 Jun 2026 10:00 UTC",
    )
    assert verdict(stack, lease, at, policy)[0] == "delete"


def test_the_reason_of_a_deletion_carries_its_facts() -> None:
    """They go into the journal under the sentence."""
    assert decide(STACK, MARKED, POLICY, DELETABLE_AT).reason.facts == {
        "status": "CREATE_COMPLETE",
        "rule": "default",
        "deadline": "Thu 4 Jun 2026 08:00 UTC",
        "deadline_source": "tag janitor:ttl=3d",
    }


def test_times_are_told_in_the_zone_of_the_policy() -> None:
    """Nobody in Berlin should have to count from UTC."""
    policy = parse_policy("window: {zone: Europe/Berlin}", "p")
    assert verdict(STACK, MARKED, TOLD, policy) == (
        "wait",
        "owner told; deletion not before Fri 5 Jun 2026 12:00 CEST",
    )


def test_a_reminder_names_its_stage() -> None:
    """So that the notice can be recorded under it."""
    decision = decide(STACK, ACTIVE, POLICY, EXPIRES - HOUR)
    assert isinstance(decision, Remind)
    assert decision.stage == "24h"


def test_a_mark_brings_the_tags_that_mirror_it_and_an_unmark_takes_them_away() -> None:
    """The date is the earliest that could hold if the notice went out now."""
    mark = decide(STACK, ACTIVE, POLICY, EXPIRES)
    assert isinstance(mark, Mark)
    assert mark.tags
    assert mark.tags.put == {
        "janitor:state": "marked-for-deletion",
        "janitor:delete-after": "20260605T090000Z",
    }
    unmark = decide(
        replace(TAGGED, tags={**TAGGED.tags, "janitor:ttl": "5d"}), MARKED, POLICY, TOLD
    )
    assert isinstance(unmark, Unmark)
    assert unmark.tags
    assert (unmark.tags.put, unmark.tags.remove) == (
        {},
        ("janitor:state", "janitor:delete-after"),
    )


def test_an_owner_hears_of_protection_that_the_list_shows_already() -> None:
    """Once, though nothing is marked; of the owner's own tag nobody is told.

    Fails if `_due` holds back by termination protection what no notice speaks of.
    """
    held = decide(LOCKED, ACTIVE, POLICY, EXPIRES)
    assert held.lease is not None
    assert [one.stage for one in standing_notices(held.lease, held, EXPIRES)] == ["protected"]
    assert still_holds("protected", "", held.lease)
    again = decide(LOCKED, held.lease, POLICY, EXPIRES + HOUR)
    assert (again.lease, again.changes) == (held.lease, ())
    by_tag = decide(KEPT, held.lease, POLICY, EXPIRES)
    assert by_tag.lease is not None
    assert list(standing_notices(by_tag.lease, by_tag, EXPIRES)) == []
    free = decide(STACK, held.lease, POLICY, EXPIRES)
    assert isinstance(free, Mark)
    assert (free.lease and free.lease.blocked) is False


def test_what_a_tag_says_cannot_break_a_reason_into_lines() -> None:
    """Reasons are printed in tables and journals."""
    stack = a_stack({**TAGS, "janitor:protect": "a\nb\x1b[31m\N{RIGHT-TO-LEFT OVERRIDE}c"})
    assert verdict(stack, ACTIVE, CREATED) == (
        "keep",
        "protected by tag janitor:protect: a b [31m c",
    )


# Total, over everything that CloudFormation can say.


def statuses() -> list[str]:
    """Return every stack status in botocore's model, and one that AWS has yet to invent."""
    model = botocore.session.Session().get_service_model("cloudformation")
    shape: Any = model.shape_for("StackStatus")
    return [*shape.enum, "HIBERNATE_IN_PROGRESS"]


# FIELD-NOTES' table, kept apart from the code's own.
MAY_BE_DELETED = {
    "CREATE_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
    "ROLLBACK_COMPLETE",
    "ROLLBACK_FAILED",
    "CREATE_FAILED",
    "UPDATE_FAILED",
    "UPDATE_ROLLBACK_FAILED",
    "DELETE_FAILED",
    "REVIEW_IN_PROGRESS",
}

KINDS_OF_STACK = [
    STACK,
    TAGGED,
    LONGER,
    MISSPELT,
    KEPT,
    KEPT_SILENTLY,
    LOCKED,
    FOREVER,
    BARE,
    NESTED,
    JANITOR,
    TOOLKIT,
    KEPT_BY_TWO,
    a_stack({"janitor:expires": "2026-06-04T08:00:00Z"}),
]

MOMENTS = [
    CREATED,
    EXPIRES - SECOND,
    EXPIRES,
    DELETABLE_AT - SECOND,
    DELETABLE_AT,
    DELETABLE_AT + timedelta(minutes=30),
    datetime(2026, 6, 5, 17, tzinfo=UTC),
    datetime(2026, 6, 8, 9, tzinfo=UTC),
]


def kinds_of_lease() -> Iterator[Lease | None]:
    """Yield no lease, and one in every state, told and untold, known long and not."""
    yield None
    for state in LeaseState:
        attempts = 0 if state in {LeaseState.ACTIVE, LeaseState.MARKED} else 1
        kinds = (MARKED, UNTOLD, marked(first_seen=DELETABLE_AT), FAILED, BAD)
        for lease in kinds if state.is_open else (MARKED,):
            yield replace(lease, state=state, attempts=attempts)


def assert_may_go(decision: Delete | Retry, stored: Lease, now: datetime) -> None:
    """Check what must hold for any deletion, from the invariants and not from the code."""
    stack, lease = decision.stack, decision.lease
    assert stack is not None
    assert lease is not None
    assert stored.state in {LeaseState.MARKED, LeaseState.FAILED}
    assert isinstance(decision, Retry) is (stored.attempts > 0)
    assert lease.expires_at is not None
    assert lease.expires_at <= now
    for contact in lease.contacts:
        told = [
            notice.delivered_at
            for notice in stored.notices
            if (notice.stage, notice.deadline, notice.contact)
            == ("final", lease.expires_at, contact)
        ]
        assert told
        assert min(told) + DAY <= now
    assert lease.contacts
    assert stored.delete_after is None or stored.delete_after <= now
    assert stored.next_attempt_at is None or stored.next_attempt_at <= now
    assert now - stored.first_seen >= HOUR
    assert now.weekday() < 5
    assert 9 <= now.hour < 17
    assert stack.status in MAY_BE_DELETED
    assert not stack.termination_protection
    assert stack.parent_id is None
    assert stack.name != "CDKToolkit"
    assert not {"janitor:protect", "janitor:self"} & stack.tags.keys()
    assert {"janitor:ttl", "janitor:expires"} & stack.tags.keys()


def test_every_status_state_protection_and_moment_has_a_decision_with_a_reason() -> None:
    """And a deletion is decided only where every invariant allows it."""
    seen: Counter[str] = Counter()
    for status, kind, lease, now in itertools.product(
        statuses(), KINDS_OF_STACK, kinds_of_lease(), MOMENTS
    ):
        decision = decide(replace(kind, status=status), lease, POLICY, now)
        sentence = decision.reason.sentence
        assert sentence.strip()
        assert sentence.isprintable()
        seen[decision_name(decision)] += 1
        if isinstance(decision, Delete | Retry):
            assert lease is not None
            assert_may_go(decision, lease, now)
    assert set(seen) == {
        "ignore",
        "open",
        "keep",
        "remind",
        "mark",
        "unmark",
        "wait",
        "blocked",
        "delete",
        "retry",
        "track",
        "close",
    }


def test_a_status_nobody_has_heard_of_waits() -> None:
    """AWS adds statuses; none of them may be deleted by default."""
    known = {status for status in statuses() if status in MAY_BE_DELETED}
    assert known == MAY_BE_DELETED
    for status in set(statuses()) - known - {"DELETE_COMPLETE"}:
        assert verdict(a_stack(status=status), MARKED, DELETABLE_AT) == (
            "wait",
            f"due, but busy: {status}",
        )


def test_a_released_lease_takes_its_tags_along() -> None:
    """What the janitor wrote on a stack does not stay behind."""
    stack = replace(TAGGED, tags=MARKED_TAGS)
    decision = decide(stack, MARKED, POLICY, DELETABLE_AT)
    assert isinstance(decision, Close)
    assert decision.outcome is LeaseState.RELEASED
    assert decision.tags
    assert decision.tags.remove == ("janitor:state", "janitor:delete-after")
