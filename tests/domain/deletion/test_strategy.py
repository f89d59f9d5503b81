"""Which rung comes next, how long to wait, when to stop, and what it is called in plain words."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from janitor.domain.deletion.causes import Cause, cause_of
from janitor.domain.deletion.strategy import (
    PURGEABLE,
    TOLD_AFTER,
    Rung,
    Step,
    back_off,
    back_off_refused,
    failed_stage,
    is_an_attempt,
    is_failing,
    most_attempts,
    next_step,
    purge_words,
)
from janitor.domain.journal.serialization import lease_from
from janitor.domain.model import Lease, LeaseState, Stack
from janitor.domain.notification.pending import stuck_since
from janitor.domain.policy.model import Limits, Terms
from janitor.domain.stack.purge_tag import PurgeWords, read_purge
from janitor.domain.stack.resources import Resource

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
LIMITS = Limits(max_attempts=3)
BUCKET = Resource(
    "Data",
    "AWS::S3::Bucket",
    "data",
    "DELETE_FAILED",
    "The bucket you tried to delete is not empty",
)
SILENT = replace(BUCKET, reason="")
DENYING = replace(BUCKET, reason="User: x is not authorized to perform: s3:DeleteBucket")
QUEUE = Resource("Queue", "AWS::SQS::Queue", "queue", "DELETE_FAILED")
NESTED = Resource("Child", "AWS::CloudFormation::Stack", "arn:child", "DELETE_FAILED", "why")
INSIDE = replace(BUCKET, logical_id="Child/Data", stack_id="arn:child")
OWN, CLEANUP = "arn:aws:iam::123456789012:role/own", "arn:aws:iam::123456789012:role/cleanup"
GONE = f"Role {OWN} is invalid or cannot be assumed"


def a_lease(**values: Any) -> Lease:
    """Make a lease."""
    return Lease("arn", "feat", "here", "default", NOW, NOW, **values)


def a_stack(**values: Any) -> Stack:
    """Make a stack that is half deleted unless told otherwise."""
    return Stack("arn", "feat", "here", **{"status": "DELETE_FAILED", "created": NOW, **values})


WHOLE = a_stack(status="CREATE_COMPLETE")
HALF = a_stack()
OWNED = a_stack(role=OWN)
CASES = [
    (WHOLE, 0, "", Terms(), (), Step()),
    (WHOLE, 0, "", Terms(purge=("s3",), last_resort="force"), (), Step()),
    (HALF, 1, "x", Terms(), (BUCKET,), Step()),
    (HALF, 1, "x", Terms(purge=("s3",)), (BUCKET, QUEUE), Step(Rung.PURGE, (BUCKET,))),
    (HALF, 1, "x", Terms(purge=("ecr",)), (BUCKET, QUEUE), Step()),
    # What is in it is not why it stays.
    (HALF, 1, "x", Terms(purge=("s3",)), (DENYING,), Step()),
    (HALF, 1, "x", Terms(purge=("s3",)), (SILENT, DENYING), Step(Rung.PURGE, (SILENT,))),
    (HALF, 1, "x", Terms(purge=("s3",)), (QUEUE,), Step()),
    (HALF, 1, "x", Terms(last_resort="retain"), (QUEUE,), Step()),
    (HALF, 2, "x", Terms(last_resort="retain"), (QUEUE,), Step()),
    (
        HALF,
        3,
        "x",
        Terms(purge=("s3",), last_resort="retain"),
        (BUCKET, QUEUE),
        Step(Rung.RETAIN, retain=(BUCKET, QUEUE)),
    ),
    (HALF, 3, "x", Terms(last_resort="force"), (QUEUE,), Step(Rung.FORCE, retain=(QUEUE,))),
    (HALF, 3, "x", Terms(last_resort="retain"), (), Step()),
    # Of a nested stack all can be emptied, and only the stack as a whole left behind.
    (HALF, 1, "x", Terms(purge=("s3",)), (NESTED, INSIDE), Step(Rung.PURGE, (INSIDE,))),
    (
        HALF,
        3,
        "x",
        Terms(last_resort="retain"),
        (NESTED, INSIDE),
        Step(Rung.RETAIN, retain=(NESTED,)),
    ),
    (
        HALF,
        3,
        "x",
        Terms(last_resort="force"),
        (NESTED, INSIDE),
        Step(Rung.FORCE, retain=(NESTED,)),
    ),
    (WHOLE, 9, "x", Terms(last_resort="retain"), (), Step()),
    (OWNED, 1, GONE, Terms(), (QUEUE,), Step()),
    (OWNED, 1, GONE, Terms(cleanup_role=CLEANUP), (QUEUE,), Step(Rung.ROLE, role=CLEANUP)),
    (OWNED, 1, "AccessDenied", Terms(cleanup_role=CLEANUP), (), Step(Rung.ROLE, role=CLEANUP)),
    (OWNED, 1, "in use", Terms(cleanup_role=CLEANUP), (QUEUE,), Step()),
    (HALF, 1, "AccessDenied", Terms(cleanup_role=CLEANUP), (QUEUE,), Step()),
    (
        a_stack(role=OWN, status="CREATE_COMPLETE"),
        1,
        GONE,
        Terms(cleanup_role=CLEANUP),
        (),
        Step(Rung.ROLE, role=CLEANUP),
    ),
    (
        OWNED,
        1,
        GONE,
        Terms(cleanup_role=CLEANUP, purge=("s3",)),
        (BUCKET,),
        Step(Rung.PURGE, (BUCKET,), CLEANUP),
    ),
]


@pytest.mark.parametrize("stack,attempts,error,terms,failed,step", CASES)
def test_the_next_rung(
    stack: Stack,
    attempts: int,
    error: str,
    terms: Terms,
    failed: tuple[Resource, ...],
    step: Step,
) -> None:
    """Opted in, needed, and in its turn; otherwise plain."""
    lease = a_lease(attempts=attempts, last_error=error, cause=cause_of(error).value)
    assert next_step(lease, stack, failed, terms, LIMITS) == step


@pytest.mark.parametrize(
    "tag,policy,words",
    [
        ("s3", (), {"s3"}),
        (" S3, ecr", (), {"s3", "ecr"}),
        ("everything", (), set()),
        *((f"s3{apart}ecr", (), {"s3", "ecr"}) for apart in (" ", ",", ";", "/", "+", ":", "; ")),
        ("s3-ecr", (), set()),
        ("", ("ecr",), {"ecr"}),
        ("s3", ("ecr",), {"s3", "ecr"}),
    ],
)
def test_what_may_be_emptied(tag: str, policy: Any, words: set[str]) -> None:
    """Words that are not known opt into nothing."""
    stack = a_stack(tags={"janitor:purge": tag})
    assert purge_words(stack, Terms(purge=policy)) == words


def test_words_of_the_purge_tag_that_nobody_knows_are_returned() -> None:
    """As they are written and each once, so that the owner can be told."""
    read = read_purge("S3; buckets/Logs+buckets", PURGEABLE.values())
    assert read == PurgeWords(frozenset({"s3"}), ("buckets", "Logs"))
    assert read_purge(" ;, ", PURGEABLE.values()) == PurgeWords()


def test_how_often_and_how_far_apart() -> None:
    """Doubling, and at once before a last resort; last resorts only where one can be."""
    waits = [back_off(n, Limits(max_attempts=5)) // timedelta(minutes=1) for n in range(1, 7)]
    assert waits == [30, 60, 120, 240, 30, 30]
    assert back_off_refused(0) == timedelta(minutes=30)
    assert back_off_refused(99) == timedelta(hours=16)
    forced = Terms(last_resort="force")
    assert most_attempts(Terms(), LIMITS, half_deleted=True) == 3
    assert most_attempts(forced, LIMITS, half_deleted=False) == 3
    assert most_attempts(forced, LIMITS, half_deleted=True) == 5


@pytest.mark.parametrize(
    "cause,refusals,counts",
    [
        (Cause.OTHER, 0, True),
        (Cause.DENIED, 0, True),
        (Cause.FULL, 0, True),
        (Cause.IN_THE_WAY, 0, True),
        (Cause.IN_USE, 99, False),
        (Cause.THROTTLED, 99, False),
        (Cause.NOT_BEGUN, 4, False),
        (Cause.NOT_BEGUN, 5, True),
    ],
)
def test_which_failures_count(cause: Cause, refusals: int, counts: bool) -> None:
    """Those that another rung may help with, and those that do not end by themselves."""
    assert is_an_attempt(cause, a_lease(refusals=refusals, cause=cause.value)) is counts


def test_one_call_that_began_nothing_is_no_attempt_after_other_refusals() -> None:
    """Only what lasts is. Fails without `lease.cause` in `is_an_attempt`."""
    paused = a_lease(refusals=9, cause=Cause.IN_USE.value)
    assert not is_an_attempt(Cause.NOT_BEGUN, paused)


@pytest.mark.parametrize(
    "refusals,rung,cause,stage",
    [
        (TOLD_AFTER, "", Cause.THROTTLED, "failed-throttled"),
        (TOLD_AFTER - 1, "", Cause.THROTTLED, ""),
        (TOLD_AFTER, "", Cause.IN_USE, ""),
        (TOLD_AFTER, "purge", Cause.FULL, "failed-purge"),
        (0, "plain", Cause.OTHER, "failed-plain"),
    ],
)
def test_throttling_that_lasts_is_told_as_that(
    refusals: int, rung: str, cause: Cause, stage: str
) -> None:
    """And neither is the first of it, nor what another stage tells.

    Fails if `is_failing` does not ask `_is_throttled`, or if that does not look at the cause.
    """
    lease = a_lease(
        state=LeaseState.FAILED, attempts=1, refusals=refusals, rung=rung, cause=cause.value
    )
    assert (failed_stage(lease) if is_failing(lease) else "") == stage


RATE = replace(QUEUE, logical_id="Api", reason="Too Many Requests (Service: X, Status Code: 429)")
USED = replace(QUEUE, logical_id="Out", reason="Export net is imported by stack app")


def test_what_only_waits_is_never_left_behind() -> None:
    """A service that throttled will delete it another time, and an importer will go.

    Fails if `next_step` does not ask `stuck`.
    """
    terms, lease = Terms(last_resort="retain"), a_lease(attempts=3)
    assert next_step(lease, HALF, (RATE, USED), terms, LIMITS) == Step()
    mixed = next_step(lease, HALF, (RATE, QUEUE, USED), terms, LIMITS)
    assert mixed == Step(Rung.RETAIN, retain=(QUEUE,))
    nested = (NESTED, replace(RATE, stack_id="arn:child"))
    assert next_step(lease, HALF, nested, terms, LIMITS) == Step()


def test_what_is_full_is_emptied_beside_what_was_throttled() -> None:
    """The remedy is right for the one, whatever is said of the other."""
    step = next_step(a_lease(attempts=1), HALF, (RATE, BUCKET), Terms(purge=("s3",)), LIMITS)
    assert step == Step(Rung.PURGE, (BUCKET,))


@pytest.mark.parametrize(
    "status,state,hours,is_stuck",
    [
        ("UPDATE_IN_PROGRESS", LeaseState.ACTIVE, 2, True),
        ("UPDATE_IN_PROGRESS", LeaseState.ACTIVE, 1.9, False),
        ("REVIEW_IN_PROGRESS", LeaseState.ACTIVE, 99, False),
        ("UPDATE_COMPLETE", LeaseState.ACTIVE, 99, False),
        ("DELETE_IN_PROGRESS", LeaseState.DELETING, 2, True),
        ("DELETE_IN_PROGRESS", LeaseState.MARKED, 99, False),
        ("IMPORT_ROLLBACK_FAILED", LeaseState.MARKED, 2, True),
        ("IMPORT_ROLLBACK_FAILED", LeaseState.ACTIVE, 99, False),
        ("A_STATUS_TO_COME", LeaseState.FAILED, 2, True),
        ("UPDATE_ROLLBACK_FAILED", LeaseState.MARKED, 99, False),
    ],
)
def test_what_is_stuck(status: str, state: LeaseState, hours: float, is_stuck: bool) -> None:
    """Two hours in progress, or due where nothing can be deleted.

    By another hand nobody knows since when a deletion runs. Fails if only what is in progress
    is looked at.
    """
    stack = a_stack(status=status)
    lease = a_lease(state=state, claimed_at=NOW)
    since = stuck_since(stack, lease, NOW + timedelta(hours=hours))
    assert since == (NOW if is_stuck else None)


def test_a_lease_of_before_the_ladder_still_loads() -> None:
    """Its document has none of the new fields."""
    document = {
        "stack_id": "arn",
        "name": "feat",
        "region": "here",
        "rule": "default",
        "created": "2026-06-01T12:00:00+00:00",
        "first_seen": "2026-06-01T12:00:00+00:00",
        "state": "failed",
        "attempts": 2,
        "last_error": "DELETE_FAILED: x",
    }
    lease = lease_from(json.dumps(document))
    assert (lease.rung, lease.asked_at, lease.refusals, lease.retained) == ("", None, 0, ())
    assert (lease.cause, lease.half_deleted) == ("", False)
    assert next_step(lease, HALF, (BUCKET,), Terms(), LIMITS) == Step()
