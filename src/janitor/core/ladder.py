"""The ladder of a deletion that fails: which rung comes next, how long to wait, when to stop.

Plain again after a back-off; then, where policy or tag opted in, what stands in the way is
emptied; another role where the stack's own is gone or refused; at the very end, where the
policy says so, the stack goes without what cannot be deleted. `docs/adr/0009` has the order.
"""

import re
from collections.abc import Iterable
from datetime import timedelta
from enum import StrEnum

from msgspec import Struct

from janitor.core.contacts import clean
from janitor.core.model import FAILED_RUNG, PURGE_TAG, Lease, LeaseState, Stack
from janitor.core.policy import Limits, Terms
from janitor.core.purge_tag import read_purge
from janitor.core.resources import Resource
from janitor.core.statuses import BEING_DELETED, GONE, HALF_DELETED

FIRST_BACK_OFF = timedelta(minutes=30)
"""Doubled by every attempt: network interfaces of functions linger 20 to 45 minutes."""

LAST_RESORTS = 2
"""Attempts with the last resort: leaving one thing behind may show that another is stuck too."""

MOST_REFUSALS_DOUBLED = 5
MOST_THROTTLED = 5
LONGEST_REASON = 400
MOST_REASONS = 10
REASONS_APART = " | "
"""Between what CloudFormation said of the stack and of each resource, in one text."""

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


class Cause(StrEnum):
    """Why CloudFormation did not delete, as far as that decides what comes next."""

    IN_USE = "export in use"
    THROTTLED = "throttled"
    NOT_BEGUN = "not begun"
    ROLE_GONE = "role gone"
    DENIED = "access denied"
    OTHER = "other"


_WORD = r"(?<![\w./-]){}(?![\w/-])"
"""A word of its own, and no part of somebody's name or path."""
_LISTED = re.compile(r"\[[^\]]*\]")
"""Logical ids, and ARNs."""
_SAID = tuple(
    (cause, re.compile(_WORD.format(f"(?:{texts})"), re.IGNORECASE))
    for cause, texts in (
        (Cause.IN_USE, "as it is in use by|is imported by stack"),
        (Cause.THROTTLED, "rate exceeded|throttl(?:ing|ed|ingexception)"),
        (Cause.ROLE_GONE, "is invalid or cannot be assumed"),
        (Cause.DENIED, "access ?denied|accessdeniedexception|not authorized"),
        (Cause.NOT_BEGUN, "deleted while in status(?! delete)|termination ?protection"),
    )
)


def cause_of(said: str, names: Iterable[str] = ()) -> Cause:
    """Classify what CloudFormation said, in an error or as a status reason.

    `names` in it, of the stack and of what it consists of, are other people's words.
    """
    words = _LISTED.sub(" ", said)
    for name in sorted(filter(None, names), key=len, reverse=True):
        words = re.sub(_WORD.format(re.escape(name)), " ", words)
    return next((cause for cause, text in _SAID if text.search(words)), Cause.OTHER)


def cause_of_failure(stack: Stack, failed: tuple[Resource, ...]) -> Cause:
    """Classify why `stack` is still there: by its status reason and by those of `failed`.

    It was begun, whatever a resource says of a protection of its own.
    """
    names = [name for one in failed for name in (one.logical_id, one.physical_id)]
    reasons = (stack.status_reason, *(one.reason for one in failed))
    cause = cause_of(REASONS_APART.join(reasons), (stack.name, stack.stack_id, *names))
    return Cause.OTHER if cause is Cause.NOT_BEGUN else cause


def is_an_attempt(cause: Cause, lease: Lease) -> bool:
    """Tell whether an attempt that failed so counts as one: no rung helps with the others.

    What does not end counts, throttling or that nothing can be begun, so that a person hears of it.
    """
    if cause in (Cause.THROTTLED, Cause.NOT_BEGUN):
        return lease.cause == cause and lease.refusals >= MOST_THROTTLED
    return cause is not Cause.IN_USE


def next_step(
    lease: Lease, stack: Stack, failed: tuple[Resource, ...], terms: Terms, limits: Limits
) -> Step:
    """Return how the attempt that is due goes about it.

    `failed` are the resources that are DELETE_FAILED now, of this very stack; remedies and
    last resorts are about them alone, and only CloudFormation's word makes them so. What is
    in a nested stack can be emptied; to be left behind, only the root's own can be named.
    """
    role = _role(lease, stack, terms)
    if stack.status != HALF_DELETED:
        return Step(Rung.ROLE if role else Rung.PLAIN, role=role)
    if lease.attempts >= limits.max_attempts and failed and terms.last_resort != "none":
        own = tuple(one for one in failed if not one.stack_id)
        return Step(Rung(terms.last_resort), role=role, retain=own)
    opted_in = purge_words(stack, terms)
    stay = (one for one in failed if is_full(one) or not one.reason)
    if purge := tuple(one for one in stay if PURGEABLE.get(one.type) in opted_in):
        return Step(Rung.PURGE, purge=purge, role=role)
    return Step(Rung.ROLE if role else Rung.PLAIN, role=role)


def _role(lease: Lease, stack: Stack, terms: Terms) -> str:
    """Return the role to pass: only where the stack's own one is gone or refused."""
    if not stack.role or terms.cleanup_role is None:
        return ""
    # A record from before it was kept has it in words.
    cause = lease.cause or cause_of(lease.last_error, (stack.name, stack.stack_id))
    needs_it = cause in (Cause.ROLE_GONE, Cause.DENIED)
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
    """Return the stage of the notice about a failed attempt: one for each rung."""
    return f"{FAILED_RUNG}{lease.rung or Rung.PLAIN}"


def is_failing(lease: Lease) -> bool:
    """Tell whether an attempt has failed and another one will come."""
    return lease.state is LeaseState.FAILED and lease.attempts > 0 and bool(lease.rung)


_NOT_EMPTY = ("not empty", "notempty", "contains images")
_PLAIN = (
    (("accessdenied", "access denied", "not authorized"), "permission to delete it is missing",
     "delete it by hand, or ask your operators"),
    (("is invalid or cannot be assumed",), "the role of the stack is gone",
     "create the role again, or ask your operators for a cleanup_role"),
    (("deletion protection", "deletionprotection"), "it has a protection against deletion of its own",
     "switch that off on the resource"),
    (("custom resource", "custom::", "cloudformation did not receive a response"),
     "the function behind this custom resource did not delete it",
     "look at that function's log, or see that it still exists"),
    (("dependent object", "dependencyviolation", "in use", "has dependencies", "attached"),
     "something still uses it",
     "find what does; network interfaces of functions go by themselves within an hour"),
)  # fmt: skip
"""What AWS says, what that means, and what helps."""


def is_full(resource: Resource) -> bool:
    """Tell whether it stays because of what is in it: nothing else is helped by emptying."""
    told = resource.reason.lower()
    return resource.type in PURGEABLE and any(text in told for text in _NOT_EMPTY)


def plain_words(resource: Resource) -> str:
    """Say why a resource could not be deleted, and what to do, in one line."""
    said = clean(resource.reason).rstrip(".")[:LONGEST_REASON]
    told = f"{resource.type} {said}".lower()
    if is_full(resource):
        word = PURGEABLE[resource.type]
        helps = f"empty it, or let the janitor do so: tag the stack {PURGE_TAG}={word}"
        return f"{clean(str(resource))}: it is not empty ({said}); {helps}"
    for texts, means, helps in _PLAIN:
        if any(text in told for text in texts):
            why = f" ({said})" if said else ""
            return f"{clean(str(resource))}: {means}{why}; {helps}"
    return f"{clean(str(resource))}: {said or 'CloudFormation gave no reason'}"


def failure_text(said: str, failed: tuple[Resource, ...]) -> str:
    """Say why an attempt failed, resource by resource."""
    more = len(failed) - MOST_REASONS
    reasons = [plain_words(one) for one in failed[:MOST_REASONS]]
    if more > 0:
        reasons.append(f"and {more} more")
    return REASONS_APART.join([clean(said).rstrip("."), *reasons]) if reasons else clean(said)
