"""A lease by itself: how it ends, who was told of it, and what the final notice promised."""

from datetime import datetime, timedelta

from msgspec.structs import replace

from janitor.domain.instants import instant_text
from janitor.domain.lease.owners import clean
from janitor.domain.model import (
    FINAL,
    OF_NO_DEADLINE,
    PURGE_TAG,
    UNREACHABLE,
    Contact,
    Lease,
    LeaseState,
    Notice,
    TagState,
)
from janitor.domain.policy.model import Policy, Terms

AWAITING_DELETION = (LeaseState.MARKED, LeaseState.FAILED)
"""States in which a final notice speaks of what will be."""

TOLD_AGAIN = timedelta(days=7)
"""So often the owner is told the same of a stack's tags: what cannot be read, what is dropped."""

LET_GO = "let go"
"""The source of such a deadline; leases of an earlier version say more after it."""


def is_let_go(lease: Lease) -> bool:
    """Tell whether the lease ends because somebody let the stack go."""
    return lease.deadline_source.startswith(LET_GO)


def is_refused(lease: Lease) -> bool:
    """Tell whether the last change of tags was not made, for a reason that may be over."""
    return lease.tagging is not None and lease.tagging.state is TagState.REFUSED


def is_stuck(lease: Lease) -> bool:
    """Tell whether the janitor's own update left the stack in UPDATE_ROLLBACK_FAILED."""
    return lease.tagging is not None and lease.tagging.state is TagState.STUCK


def deadline_text(lease: Lease, policy: Policy) -> str:
    """Say when the lease ends and where that comes from."""
    if lease.problem:
        return f"none until its tags are put right, since {lease.problem}"
    until = instant_text(lease.expires_at, policy.window.window.zone)
    return f"{until} ({lease.deadline_source})"


def expiry_text(lease: Lease, policy: Policy) -> str:
    """Say when the lease ends, or that it is kept until somebody mends its tags."""
    if lease.problem:
        return f"kept until its tags are put right, since {lease.problem}"
    return f"expires {deadline_text(lease, policy)}"


def unread_texts(lease: Lease, terms: Terms) -> list[str]:
    """Say of each tag, or word in one, that counts for nothing which one does."""
    read = " and ".join((terms.ttl_tags[0], terms.expires_tags[0]))
    texts = [f"its tag {clean(key)} is not read: {read} are" for key in lease.unread]
    if lease.unknown_purge:
        words = ", ".join(map(clean, lease.unknown_purge))
        texts.append(f"its tag {PURGE_TAG} knows s3 and ecr, and not {words}")
    return texts


def told_at(lease: Lease, stage: str) -> datetime | None:
    """Return when the last of the contacts was told this stage of the present deadline.

    None until every present contact was: an owner who came later was not told.
    """
    delivered = []
    for contact in lease.contacts:
        told = [n.delivered_at for n in lease.notices if _speaks_of(n, lease, stage, contact)]
        if not told:
            return None
        delivered.append(min(told))
    return max(delivered, default=None)


def is_told(lease: Lease, stage: str, contact: Contact) -> bool:
    """Tell whether this contact was told this stage of the present deadline."""
    return any(_speaks_of(notice, lease, stage, contact) for notice in lease.notices)


def is_named(lease: Lease, owner: Contact) -> bool:
    """Tell whether operators know by now that this owner of the stack cannot be reached."""
    return any(
        notice.stage == UNREACHABLE
        and notice.deadline == lease.expires_at
        and notice.detail == owner.address
        for notice in lease.notices
    )


def _speaks_of(notice: Notice, lease: Lease, stage: str, contact: Contact) -> bool:
    if notice.stage != stage or notice.contact != contact:
        return False
    if stage not in OF_NO_DEADLINE and notice.deadline != lease.expires_at:
        return False
    about = about_of(lease, stage)
    return about is None or notice.detail == about


def about_of(lease: Lease, stage: str) -> str | None:
    """Return what a notice of this stage is about, where another of the stage may be about another."""
    match stage:
        case "problem":
            return lease.problem
        case "in-use":
            return lease.blocker
        case "tags-dropped":
            return lease.tags_dropped_at.isoformat() if lease.tags_dropped_at else ""
        case "kept":
            return lease.protection
        case "tags-stuck":
            return lease.tagging.at.isoformat() if is_stuck(lease) and lease.tagging else ""
        case _:
            return None


def notices_that_stay(lease: Lease, deadline: datetime | None) -> tuple[Notice, ...]:
    """Return what was told of `deadline`, and what holds whatever the deadline is."""
    return tuple(n for n in lease.notices if n.deadline == deadline or n.stage in OF_NO_DEADLINE)


def caps_count_from(lease: Lease) -> datetime:
    """Return from when the longest lifetime counts: creation, or adoption where that was later."""
    return max(lease.created, lease.adopted_at or lease.created)


def grace_of(lease: Lease, terms: Terms, *, in_place: bool = False) -> timedelta:
    """Return how long after the final notice the stack still stands.

    At least as long as one without an owner, where somebody else was told in an owner's place,
    or with `in_place` is to be.
    """
    if lease.ownerless:
        return terms.ownerless_grace
    if in_place or any(told_instead(lease, FINAL, contact) for contact in lease.contacts):
        return max(terms.grace, terms.ownerless_grace)
    return terms.grace


def told_instead(lease: Lease, stage: str, contact: Contact) -> Contact | None:
    """Return who was told this stage in the place of a contact who could not be reached."""
    speaking = (one for one in lease.notices if _speaks_of(one, lease, stage, contact))
    return next((one.instead for one in speaking if one.instead), None)


def promise(lease: Lease, policy: Policy, told: datetime, *, in_place: bool = False) -> datetime:
    """Return the earliest deletion after a final notice delivered at `told`.

    The grace from then, and then the next opening of the deletion window; never
    earlier than what an earlier final notice promised, be it for another deadline.
    """
    ends = told + grace_of(lease, policy.terms(lease.rule), in_place=in_place)
    given = max(ends, lease.delete_after or ends, lease.promised or ends)
    return policy.window.window.next_open(given)


def after_adoption(lease: Lease, policy: Policy, told: datetime) -> datetime | None:
    """Return the earliest deletion of an adopted stack whose first notice is delivered at `told`."""
    if lease.expires_at is None:
        return None
    marked = max(lease.expires_at, told + policy.terms(lease.rule).adoption)
    return promise(lease, policy, marked)


def unmarked(lease: Lease) -> Lease:
    """Take back the mark, and the final notice with it: another mark is told anew."""
    return replace(
        lease,
        state=LeaseState.ACTIVE,
        notices=tuple(notice for notice in lease.notices if notice.stage != FINAL),
        delete_after=None,
        attempts=0,
        claimed_at=None,
        next_attempt_at=None,
        last_error="",
        cause="",
        blocked=False,
        tag_attempt="",
        tagging=None if is_refused(lease) else lease.tagging,
        rung="",
        companion="",
        asked_at=None,
        refusals=0,
        blocker="",
    )
