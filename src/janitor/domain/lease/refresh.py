"""A lease brought up to what its stack shows: deadline, owners, protection, and what has moved."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from janitor.domain.deletion.strategy import PURGEABLE
from janitor.domain.instants import instant_text
from janitor.domain.lease.deadlines import (
    Deadline,
    Unreadable,
    asked_deadline,
    effective_deadline,
    shown,
)
from janitor.domain.lease.dropped_tags import as_it_stood, tags_that_count
from janitor.domain.lease.notice_history import (
    LET_GO,
    TOLD_AGAIN,
    about_of,
    caps_count_from,
    deadline_text,
    notices_that_stay,
)
from janitor.domain.lease.owners import clean, owners_of
from janitor.domain.model import (
    ADOPTED,
    FINAL,
    KEPT,
    PROBLEM,
    PURGE_TAG,
    TAGS_DROPPED,
    FormerOwner,
    Lease,
    MoveCause,
    Moved,
    Notice,
    Stack,
)
from janitor.domain.planning.accepted_policy import Ground
from janitor.domain.planning.surprises import (
    counts_together,
    is_accepted,
    is_earlier,
    is_held_by_tags,
    is_sudden,
    kept_until,
)
from janitor.domain.policy.model import Policy, Rule
from janitor.domain.policy.selection import rule_of
from janitor.domain.stack.labels import labels_of
from janitor.domain.stack.purge_tag import read_purge
from janitor.domain.stack.tag_keys import (
    ASKED_KEYS,
    NearMiss,
    near_misses,
    protection,
    unread_lifetimes,
)

REMEMBERED = timedelta(days=7)
"""For so long somebody who owned a stack hears of its mark."""
_HELD = "the former deadline, which is held"


class Refreshed(Struct, frozen=True):
    """A lease as seen now, and in words what has moved."""

    lease: Lease
    changes: tuple[str, ...] = ()


def deployed_at(stack: Stack, lease: Lease | None) -> datetime:
    """Return the last deployment; the janitor's own tag update does not count as one."""
    seen = stack.updated or stack.created
    if lease is not None and lease.own_update is not None and seen <= lease.own_update:
        return lease.deployed_at or stack.created
    return seen


def first_lease(
    stack: Stack, rule: Rule, policy: Policy, now: datetime, *, is_adopted: bool = False
) -> Lease:
    """Return the lease with which a stack begins."""
    blank = Lease(
        stack_id=stack.stack_id,
        name=stack.name,
        region=stack.region,
        rule=rule.name,
        created=stack.created,
        first_seen=now,
        tags=tags_that_count(stack, policy),
        adopted_at=now if is_adopted else None,
    )
    return _seen(stack, blank, rule, policy)


def refresh(stack: Stack, lease: Lease, rule: Rule, now: datetime, ground: Ground) -> Refreshed:
    """Bring `lease` up to what the stack shows now; say in words what has moved.

    `rule` is the one that the stack falls under with the tags that hold for it.
    """
    policy = ground.policy
    standing = as_it_stood(stack, lease, policy)
    whole = standing.stack
    seen = _seen(whole, lease, rule, policy)
    seen = _later_of_policies(whole, lease, seen, now, ground)
    seen = _later_of_tags(whole, lease, seen, now, ground)
    seen = replace(
        seen,
        tags=_remembered(whole, lease, seen, policy),
        tags_dropped_at=(lease.tags_dropped_at or now) if standing.lacks else None,
        former_owners=_former_owners(lease, seen, now),
    )
    changes = list(_changes(lease, seen, standing.lacks, policy))
    if seen.expires_at != lease.expires_at:
        kept = notices_that_stay(lease, seen.expires_at)
        generation = lease.generation + 1
        seen = replace(seen, generation=generation, delete_after=None, notices=kept, blocker="")
        was = instant_text(lease.expires_at, policy.window.window.zone)
        changes.insert(0, f"deadline moved from {was} to {deadline_text(seen, policy)}")
    return _without_old_notices(Refreshed(seen, tuple(changes)), now, ground)


def _remembered(
    stack: Stack, lease: Lease, seen: Lease, policy: Policy
) -> tuple[tuple[str, str], ...]:
    """Return the tags that go on if they are dropped; of a move that may be a mistake, the former.

    Else whoever takes such a tag off again would find that it still holds.
    """
    tags = tags_that_count(stack, policy)
    if seen.moved is None or seen.moved.cause is not MoveCause.TAGS:
        return tags
    lifetime = policy.tag_kinds.lifetime
    former = (one for one in lease.tags if one[0] in lifetime)
    return tuple(sorted((*former, *(one for one in tags if one[0] not in lifetime))))


def _changes(lease: Lease, seen: Lease, lacks: tuple[str, ...], policy: Policy) -> list[str]:
    """Say what has moved, but for the deadline itself."""
    changes = []
    if seen.problem != lease.problem:
        changes.append(f"kept, since {seen.problem}" if seen.problem else "lifetime is readable")
    if seen.contacts != lease.contacts:
        changes.append(f"owner is now {', '.join(c.address for c in seen.contacts)}")
    if seen.protection != lease.protection:
        changes.append(seen.protection or "no longer protected by a tag")
    if seen.labels != lease.labels:
        told = ", ".join(f"{name} {text}" for name, text in seen.labels)
        changes.append(f"labelled {told}" if told else "no longer labelled")
    if seen.rule != lease.rule:
        changes.append(f"falls under rule '{seen.rule}' instead of '{lease.rule}'")
    if seen.tags_dropped_at != lease.tags_dropped_at:
        dropped = f"a deployment dropped its tags {', '.join(map(clean, lacks))}; they still hold"
        changes.append(dropped if lacks else "its tags are there again")
    changes += _held_changes(lease.moved, seen.moved, policy)
    # A record that never had them is completed with the next change: that alone is none.
    is_same = seen.expires_at == lease.expires_at and not changes
    if lease.tags and seen.tags != lease.tags and is_same:
        changes.append("its tags say the same in other words")
    if seen.unknown_purge != lease.unknown_purge:
        words = ", ".join(map(clean, seen.unknown_purge))
        changes.append(
            f"{PURGE_TAG} does not know {words}" if words else "all it may purge is known"
        )
    if seen.unread != lease.unread:
        not_read = ", ".join(map(clean, seen.unread))
        changes.append(f"its tags {not_read} are not read" if not_read else "all its tags are read")
    return changes


def _held_changes(before: Moved | None, after: Moved | None, policy: Policy) -> list[str]:
    """Say that a former deadline is held from now on, or no more."""
    was, is_held = bool(before and before.is_held), bool(after and after.is_held)
    if after and is_held and (not was or before != after):
        to = instant_text(after.to, policy.window.window.zone)
        return [f"an earlier deadline ({to}, by its {after.cause.value}) is held"]
    return ["no earlier deadline is held any more"] if was and not is_held else []


def asked_of(stack: Stack, lease: Lease, rule: Rule, zone: ZoneInfo) -> Deadline:
    """Return the deadline that the tags and the rule ask for. Raises `Unreadable`."""
    return asked_deadline(
        stack.tags,
        counts_from=deployed_at(stack, lease) if rule.ttl_from == "updated" else stack.created,
        rule_ttl=rule.ttl,
        allow_never=rule.allow_never,
        zone=zone,
        ttl_tags=rule.ttl_tags,
        expires_tags=rule.expires_tags,
    )


def _seen(stack: Stack, lease: Lease, rule: Rule, policy: Policy) -> Lease:
    """Return what the stack's tags and the rule make of the lease."""
    contacts, ownerless = owners_of(stack.tags, rule)
    deployed = deployed_at(stack, lease) if rule.ttl_from == "updated" else lease.deployed_at
    try:
        asked = asked_of(stack, lease, rule, policy.window.window.zone)
        latest = caps_count_from(lease) + rule.max_lifetime
        deadline = effective_deadline(asked, lease.extended_until, latest)
        at, source, problem = deadline.at, deadline.source, ""
        if (let_go := _let_go(stack, lease)) and (at is None or let_go < at):
            at, source = let_go, LET_GO
    except Unreadable as error:
        at, source, problem = None, "", str(error)
    if near := near_misses(stack.tags, policy.tag_kinds.counts):
        at, source, problem = None, "", near_miss_text(near)
    by_tag = protection(stack.tags, rule.protect_tags)
    return replace(
        lease,
        rule=rule.name,
        contacts=contacts,
        ownerless=ownerless,
        labels=labels_of(stack.tags),
        protection=protection_text(by_tag) if by_tag else "",
        protect_tag=by_tag[0] if by_tag else "",
        unknown_purge=unknown_words(stack),
        unread=unread_lifetimes(stack.tags, (*rule.ttl_tags, *rule.expires_tags)),
        expires_at=at,
        deadline_source=source,
        problem=problem,
        deployed_at=deployed,
    )


def _later_of_policies(
    stack: Stack, lease: Lease, seen: Lease, now: datetime, ground: Ground
) -> Lease:
    """Keep the deadline of the accepted policy where that is later, as long as a surprise is held."""
    was_held = lease.moved is not None and lease.moved.cause is MoveCause.POLICY
    seen = replace(seen, moved=None) if was_held else seen
    before = _by_accepted(stack, seen, ground) if ground.is_policy_held else None
    if before is None:
        return seen
    to = kept_until(seen)
    if to is not None and is_earlier(to, kept_until(before)):
        since = lease.moved.at if lease.moved and was_held else now
        return _held_by_policy(lease, seen, before, Moved(MoveCause.POLICY, since, to, None))
    if seen.expires_at is not None and is_earlier(seen.expires_at, before.expires_at):
        # It is kept by both, so nothing is held; but it is not due by the later of the two.
        return replace(seen, expires_at=before.expires_at, deadline_source=before.deadline_source)
    return seen


def _held_by_policy(lease: Lease, seen: Lease, before: Lease, moved: Moved) -> Lease:
    """Keep the deadline by the accepted policy, or that of before the tags where they are held."""
    former, known = kept_until(before), lease.moved
    if known is not None and is_held_by_tags(lease) and former and is_earlier(former, known.former):
        moved = replace(moved, former=known.former, is_held=True, is_by_tags=True)
        return replace(seen, moved=moved, expires_at=known.former, deadline_source=_HELD)
    return _with_deadline_of(
        before, replace(seen, moved=replace(moved, former=former, is_held=True))
    )


def _by_accepted(stack: Stack, seen: Lease, ground: Ground) -> Lease | None:
    """Return the lease by the accepted policy; None if that does not manage the stack."""
    accepted = ground.accepted
    rule = rule_of(accepted, stack) if accepted else None
    return _seen(stack, seen, rule, accepted) if accepted and rule else None


def _with_deadline_of(other: Lease, lease: Lease) -> Lease:
    return replace(
        lease,
        expires_at=other.expires_at,
        deadline_source=other.deadline_source,
        problem=other.problem,
        protection=other.protection,
    )


def _later_of_tags(stack: Stack, lease: Lease, seen: Lease, now: datetime, ground: Ground) -> Lease:
    """Note a deadline that tags brought forward to within a day; keep the former if it is held."""
    if seen.moved is not None and seen.moved.cause is MoveCause.POLICY:
        return seen
    moved = _moved_by_tags(stack, lease, seen, now, ground)
    if moved is None or is_accepted(moved, lease.stack_id, ground):
        return replace(seen, moved=None)
    if not moved.is_held and lease.stack_id not in ground.bulk:
        return replace(seen, moved=moved)
    held = replace(moved, is_held=True)
    return replace(seen, moved=held, expires_at=moved.former, deadline_source=_HELD)


def _moved_by_tags(
    stack: Stack, lease: Lease, seen: Lease, now: datetime, ground: Ground
) -> Moved | None:
    """Return how tags moved the deadline to an earlier one; None if they did not, or not suddenly."""
    to, known = kept_until(seen), lease.moved
    if known and known.cause is MoveCause.POLICY:
        is_both = known.is_by_tags
        known = replace(known, cause=MoveCause.TAGS, is_by_tags=False) if is_both else None
    if known and not known.is_held and not counts_together(lease, now):
        known = None
    former = known.former if known else kept_until(lease)
    if to is None or not is_earlier(to, former) or (seen.let_go_at and to == _let_go(stack, seen)):
        return None
    if known is not None:
        return known if known.to == to else replace(known, to=to) if is_sudden(to, now) else None
    was_due = former is not None and former <= now
    if was_due or not is_sudden(to, now) or _is_by_policy(stack, lease, seen, now, ground):
        return None
    return Moved(MoveCause.TAGS, now, to, former)


def _is_by_policy(stack: Stack, lease: Lease, seen: Lease, now: datetime, ground: Ground) -> bool:
    """Tell whether the same tags give no earlier deadline by the policy of before.

    Where a region is back after a long silence the policy may have been accepted without it.
    """
    previous = ground.previous if ground.void_before.get(lease.region) != now else None
    rule = rule_of(previous, stack) if previous else None
    if previous is None or rule is None:
        return False
    before = kept_until(_seen(stack, seen, rule, previous))
    return before is None or not is_earlier(before, kept_until(lease))


def _let_go(stack: Stack, lease: Lease) -> datetime | None:
    """Return when the owner let it go, if that still holds: whoever deploys again wants it."""
    said = lease.let_go_at
    return said if said is not None and deployed_at(stack, lease) < said else None


def _former_owners(lease: Lease, seen: Lease, now: datetime) -> tuple[FormerOwner, ...]:
    """Return who owned the stack in the last days and does not any more."""
    left = lease.contacts if seen.contacts != lease.contacts and not lease.ownerless else ()
    if not left and not lease.former_owners:
        return ()
    former = {one.contact: one for one in lease.former_owners if now - one.until < REMEMBERED}
    former |= {contact: FormerOwner(contact, now) for contact in left}
    return tuple(one for contact, one in sorted(former.items()) if contact not in seen.contacts)


def _without_old_notices(found: Refreshed, now: datetime, ground: Ground) -> Refreshed:
    """Drop what was told too long ago: each is told anew."""
    lease, changes = found.lease, list(found.changes)
    void = ground.void_before.get(lease.region)
    if void and any(_is_void(n.stage) and n.delivered_at < void for n in lease.notices):
        kept = tuple(n for n in lease.notices if not _is_void(n.stage) or n.delivered_at >= void)
        lease = replace(lease, notices=kept, delete_after=None)
        changes.append("told anew, since its region could not be listed for days")
    if lease.problem:
        fresh = tuple(
            n for n in lease.notices if n.stage != PROBLEM or now - n.delivered_at < TOLD_AGAIN
        )
        if fresh != lease.notices:
            lease = replace(lease, notices=fresh)
            changes.append("its owner is told again, a week after the last time")
    # Gone with the next change: that alone is none.
    if any(_is_outdated(notice, lease, now) for notice in lease.notices):
        kept = tuple(n for n in lease.notices if not _is_outdated(n, lease, now))
        lease = replace(lease, notices=kept)
    return Refreshed(lease, tuple(changes))


def _is_outdated(notice: Notice, lease: Lease, now: datetime) -> bool:
    """Tell whether a notice spoke of tags as they were a week ago and are no more."""
    is_about_tags = notice.stage in (TAGS_DROPPED, KEPT)
    is_old = now - notice.delivered_at >= TOLD_AGAIN
    return is_about_tags and is_old and notice.detail != about_of(lease, notice.stage)


def _is_void(stage: str) -> bool:
    return stage in (FINAL, ADOPTED)


def protection_text(by_tag: tuple[str, str]) -> str:
    """Say in words what tag protects a stack, and why."""
    key, why = by_tag
    return f"protected by tag {clean(key)}" + (f": {clean(why)}" if clean(why) else "")


def near_miss_text(near: tuple[NearMiss, ...]) -> str:
    """Say of a tag that nearly is one of the janitor's which one is."""
    first, more = near[0], len(near) - 1
    others = f", and {more} more," if more else ""
    if first.meant:
        return f"its tag {shown(first.key)}{others} is not one of janitor's; {first.meant} is"
    known = ", ".join(ASKED_KEYS)
    return f"its tag {shown(first.key)}{others} is not one of janitor's; these are: {known}"


def unknown_words(stack: Stack) -> tuple[str, ...]:
    """Return what the stack's own tag lets the janitor empty that it does not know."""
    text = stack.tags.get(PURGE_TAG)
    return read_purge(text, PURGEABLE.values()).unknown if text else ()
