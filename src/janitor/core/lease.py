"""A lease beside its stack: deadline and owners as they are now, who was told, which tags."""

from datetime import datetime, timedelta

from msgspec.structs import replace

from janitor.core.contacts import clean, owners_of
from janitor.core.expiry import Unreadable, asked_deadline, effective_deadline
from janitor.core.labels import labels_of
from janitor.core.model import (
    FINAL,
    IN_USE,
    PROBLEM,
    PROTECT_TAG,
    UNREACHABLE,
    Contact,
    Lease,
    LeaseState,
    Notice,
    Stack,
)
from janitor.core.policy import Policy, Rule, Terms
from janitor.core.times import instant_text

AWAITING_DELETION = (LeaseState.MARKED, LeaseState.FAILED)
"""States in which a final notice speaks of what will be."""

LET_GO = "let go"
"""The source of such a deadline; leases of an earlier version say more after it."""


def is_let_go(lease: Lease) -> bool:
    """Tell whether the lease ends because somebody let the stack go."""
    return lease.deadline_source.startswith(LET_GO)


def deployed_at(stack: Stack, lease: Lease | None) -> datetime:
    """Return the last deployment; the janitor's own tag update does not count as one."""
    seen = stack.updated or stack.created
    if lease is not None and lease.own_update is not None and seen <= lease.own_update:
        return lease.deployed_at or stack.created
    return seen


def first_lease(stack: Stack, rule: Rule, policy: Policy, now: datetime) -> Lease:
    """Return the lease with which a stack begins."""
    blank = Lease(
        stack_id=stack.stack_id,
        name=stack.name,
        region=stack.region,
        rule=rule.name,
        created=stack.created,
        first_seen=now,
    )
    return _seen(stack, blank, rule, policy)


def observe(
    stack: Stack, lease: Lease, rule: Rule, policy: Policy
) -> tuple[Lease, tuple[str, ...]]:
    """Bring `lease` up to what the stack shows now; say in words what has moved."""
    seen = _seen(stack, lease, rule, policy)
    changes = []
    if seen.expires_at != lease.expires_at:
        kept = tuple(notice for notice in lease.notices if notice.deadline == seen.expires_at)
        generation = lease.generation + 1
        seen = replace(seen, generation=generation, delete_after=None, notices=kept, blocker="")
        was = instant_text(lease.expires_at, policy.window.window.zone)
        changes.append(f"deadline moved from {was} to {deadline_text(seen, policy)}")
    if seen.problem != lease.problem:
        changes.append(f"kept, since {seen.problem}" if seen.problem else "lifetime is readable")
    if seen.contacts != lease.contacts:
        changes.append(f"owner is now {', '.join(c.address for c in seen.contacts)}")
    if seen.protection != lease.protection:
        changes.append(seen.protection or f"no longer protected by tag {PROTECT_TAG}")
    if seen.labels != lease.labels:
        told = ", ".join(f"{name} {text}" for name, text in seen.labels)
        changes.append(f"labelled {told}" if told else "no longer labelled")
    if seen.rule != lease.rule:
        changes.append(f"falls under rule '{seen.rule}' instead of '{lease.rule}'")
    return seen, tuple(changes)


def _seen(stack: Stack, lease: Lease, rule: Rule, policy: Policy) -> Lease:
    contacts, ownerless = owners_of(stack.tags, rule)
    counts_from, deployed = stack.created, lease.deployed_at
    if rule.ttl_from == "updated":
        counts_from = deployed = deployed_at(stack, lease)
    try:
        asked = asked_deadline(
            stack.tags,
            counts_from=counts_from,
            rule_ttl=rule.ttl,
            allow_never=rule.allow_never,
            zone=policy.window.window.zone,
        )
        latest = stack.created + rule.max_lifetime
        deadline = effective_deadline(asked, lease.extended_until, latest)
        at, source, problem = deadline.at, deadline.source, ""
        if (let_go := _let_go(stack, lease)) and (at is None or let_go < at):
            at, source = let_go, LET_GO
    except Unreadable as error:
        at, source, problem = None, "", str(error)
    return replace(
        lease,
        rule=rule.name,
        contacts=contacts,
        ownerless=ownerless,
        labels=labels_of(stack.tags),
        protection=protection_of(stack),
        expires_at=at,
        deadline_source=source,
        problem=problem,
        deployed_at=deployed,
    )


def _let_go(stack: Stack, lease: Lease) -> datetime | None:
    """Return when the owner let it go, if that still holds: whoever deploys again wants it."""
    said = lease.let_go_at
    return said if said is not None and deployed_at(stack, lease) < said else None


def protection_of(stack: Stack) -> str:
    """Say in words what tag protects the stack; nothing if none does."""
    why = stack.tags.get(PROTECT_TAG)
    if why is None:
        return ""
    return f"protected by tag {PROTECT_TAG}" + (f": {clean(why)}" if clean(why) else "")


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
    return (
        notice.stage == stage
        and notice.deadline == lease.expires_at
        and notice.contact == contact
        and (stage != PROBLEM or notice.detail == lease.problem)
        and (stage != IN_USE or notice.detail == lease.blocker)
    )


def grace_of(lease: Lease, terms: Terms) -> timedelta:
    """Return how long after the final notice the stack still stands."""
    return terms.ownerless_grace if lease.ownerless else terms.grace


def promise(lease: Lease, policy: Policy, told: datetime) -> datetime:
    """Return the earliest deletion after a final notice delivered at `told`.

    The grace from then, and then the next opening of the deletion window; never
    earlier than what an earlier final notice promised, be it for another deadline.
    """
    ends = told + grace_of(lease, policy.terms(lease.rule))
    given = max(ends, lease.delete_after or ends, lease.promised or ends)
    return policy.window.window.next_open(given)


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
        rung="",
        companion="",
        asked_at=None,
        refusals=0,
        blocker="",
    )
