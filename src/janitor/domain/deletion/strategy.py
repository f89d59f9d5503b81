"""The ladder of a deletion that fails: which rung comes next, how long to wait, when to stop.

Plain again after a back-off; then, where policy or tag opted in, what stands in the way is
emptied; another role where the stack's own is gone or refused; at the very end, where the
policy says so, the stack goes without what cannot be deleted. `docs/adr/0009` has the order.
"""

from datetime import timedelta
from enum import StrEnum

from msgspec import Struct

from janitor.domain.deletion.causes import Cause, cause_of_resource, stuck
from janitor.domain.model import FAILED_RUNG, PURGE_TAG, Lease, LeaseState, Stack
from janitor.domain.policy.model import Limits, Terms
from janitor.domain.stack.purge_tag import read_purge
from janitor.domain.stack.resources import Resource
from janitor.domain.stack.statuses import BEING_DELETED, GONE, HALF_DELETED

FIRST_BACK_OFF = timedelta(minutes=30)
"""Doubled by every attempt: network interfaces of functions linger 20 to 45 minutes."""

LAST_RESORTS = 2
"""Attempts with the last resort: leaving one thing behind may show that another is stuck too."""

MOST_REFUSALS_DOUBLED = 5
TOLD_AFTER = 5
"""Refusals for one and the same cause, some 15 hours of them, after which somebody hears of it."""

THROTTLED = "throttled"
"""In the place of a rung, in the stage of the notice about it."""

PURGEABLE = {"AWS::S3::Bucket": "s3", "AWS::ECR::Repository": "ecr"}
"""What can be emptied, and the word by which policy and tag opt in."""


class Rung(StrEnum):
    """How one attempt goes about it."""

    PLAIN = "plain"
    PURGE = "purge"
    ROLE = "role"
    RETAIN = "retain"
    FORCE = "force"

    @property
    def is_last_resort(self) -> bool:
        """Tell whether it leaves behind what cannot be deleted."""
        return self in (Rung.RETAIN, Rung.FORCE)


class Step(Struct, frozen=True):
    """One attempt: its rung, what to empty before, and how to ask CloudFormation."""

    rung: Rung = Rung.PLAIN
    purge: tuple[Resource, ...] = ()
    role: str = ""
    retain: tuple[Resource, ...] = ()
    """What stays: named to CloudFormation, or with `force` what it is expected to leave."""


def is_an_attempt(cause: Cause, lease: Lease) -> bool:
    """Tell whether an attempt that failed so counts as one: no rung helps with the others.

    That nothing can be begun counts where it does not end, so that a person is asked.
    """
    if cause is Cause.NOT_BEGUN:
        return lease.cause == cause and lease.refusals >= TOLD_AFTER
    return not cause.only_waits


def next_step(
    lease: Lease, stack: Stack, failed: tuple[Resource, ...], terms: Terms, limits: Limits
) -> Step:
    """Return how the attempt that is due goes about it.

    `failed` are the resources that are DELETE_FAILED now, of this very stack; remedies and
    last resorts are about them alone, and only CloudFormation's word makes them so. What is
    in a nested stack can be emptied; to be left behind, only the root's own can be named. What
    only waits, as for a service that throttled, is not left behind either.
    """
    role = _role(lease, stack, terms)
    if stack.status != HALF_DELETED:
        return Step(Rung.ROLE if role else Rung.PLAIN, role=role)
    is_last = lease.attempts >= limits.max_attempts and terms.last_resort != "none"
    if is_last and (stay := stuck(failed)):
        own = tuple(one for one in stay if not one.stack_id)
        return Step(Rung(terms.last_resort), role=role, retain=own)
    opted_in = purge_words(stack, terms)
    full = (one for one in failed if not one.reason or cause_of_resource(one) is Cause.FULL)
    if purge := tuple(one for one in full if PURGEABLE.get(one.type) in opted_in):
        return Step(Rung.PURGE, purge=purge, role=role)
    return Step(Rung.ROLE if role else Rung.PLAIN, role=role)


def _role(lease: Lease, stack: Stack, terms: Terms) -> str:
    """Return the role to pass: only where the stack's own one is gone or refused."""
    if not stack.role or terms.cleanup_role is None:
        return ""
    needs_it = lease.cause in (Cause.ROLE_GONE, Cause.DENIED)
    return terms.cleanup_role if needs_it or stack.role == terms.cleanup_role else ""


def purge_words(stack: Stack, terms: Terms) -> frozenset[str]:
    """Return what may be emptied for this stack, by its rule and by its own tag."""
    return read_purge(stack.tags.get(PURGE_TAG, ""), PURGEABLE.values()).known | {*terms.purge}


def most_attempts(terms: Terms, limits: Limits, *, half_deleted: bool) -> int:
    """Return after how many attempts a person is asked."""
    has_last_resort = half_deleted and terms.last_resort != "none"
    return limits.max_attempts + LAST_RESORTS * has_last_resort


def back_off(attempts: int, limits: Limits) -> timedelta:
    """Return how long to wait after so many attempts; before a last resort nothing lingers."""
    return FIRST_BACK_OFF * (1 << (attempts - 1 if 0 < attempts < limits.max_attempts else 0))


def back_off_refused(refusals: int) -> timedelta:
    """Return how long to wait after so many attempts that came to nothing."""
    return FIRST_BACK_OFF * (1 << min(refusals, MOST_REFUSALS_DOUBLED))


def lacks_protection(lease: Lease, stack: Stack | None) -> bool:
    """Tell whether a deletion that came to nothing has left a stack without its protection.

    CloudFormation takes it back in any status but that of a deletion, also during an update.
    """
    return (
        lease.unprotected
        and lease.state is not LeaseState.DELETING
        and stack is not None
        and stack.status not in (GONE, HALF_DELETED, BEING_DELETED)
    )


def deleted_by(lease: Lease) -> str:
    """Say by whom a stack was deleted while no attempt of ours was under way."""
    late = lease.claimed_at is not None
    return "by another hand" + ", or late by an attempt of the janitor's" * late


def failed_stage(lease: Lease) -> str:
    """Return the stage of the notice about a failed attempt: one for each rung, one for none."""
    return f"{FAILED_RUNG}{THROTTLED if _is_throttled(lease) else lease.rung or Rung.PLAIN}"


def is_failing(lease: Lease) -> bool:
    """Tell whether people are to hear of a failure, and another attempt will come."""
    has_failed = lease.attempts > 0 and bool(lease.rung)
    return lease.state is LeaseState.FAILED and (has_failed or _is_throttled(lease))


def _is_throttled(lease: Lease) -> bool:
    """Tell whether a service of AWS has throttled for so long that somebody is to look."""
    return lease.cause == Cause.THROTTLED and not lease.rung and lease.refusals >= TOLD_AFTER
