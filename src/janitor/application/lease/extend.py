"""Extend: one conditional write that gives a lease a later deadline.

The CLI, the web form and Slack's buttons all come here.
"""

from datetime import datetime, timedelta

from msgspec.structs import replace

from janitor.application.lease.update import Change, change_lease, way_of
from janitor.application.ports import Ledger, Queue
from janitor.domain.errors import ExtensionRefused
from janitor.domain.instants import instant_text
from janitor.domain.journal.event_view import UNEXPLAINED
from janitor.domain.journal.events import Actor, about, owners_text
from janitor.domain.lease.notice_history import caps_count_from, notices_that_stay
from janitor.domain.lease.owners import clean, standing_of
from janitor.domain.model import Contact, Lease, LeaseState
from janitor.domain.notification.wording import kept
from janitor.domain.planning.decisions import Reason
from janitor.domain.policy.model import Policy, Terms

OFFERED_DAYS = (1, 3, 7)


def extend(
    stack_id: str,
    *,
    until: datetime | None = None,
    by: timedelta | None = None,
    actor: Actor,
    reason: str,
    now: datetime,
    policy: Policy,
    ledger: Ledger,
    generation: int | None = None,
    sent_to: Contact | None = None,
    queue: Queue | None = None,
) -> Lease:
    """Give the lease a deadline of `until`, or `by` after the later of now and its deadline.

    `generation` is the one a link was made for; a link is good for that one alone, and for
    as long as the one it was `sent_to` has a say. By way of `queue` earlier messages about
    the stack are shown anew.
    Returns the lease as written: an extension that was acknowledged is in the ledger.
    Raises `StackNotFound` or `ExtensionRefused`, whose text says what to do.
    """
    zone = policy.window.window.zone

    def decide(lease: Lease) -> Change:
        if why := link_refusal(lease, generation, sent_to, policy, now):
            raise ExtensionRefused(why)
        if why := refusal(lease, policy, now):
            raise ExtensionRefused(why)
        length = timedelta(days=1) if by is None else by
        wanted = until or _start(lease, now) + length
        _check(wanted, lease, policy, now)
        changed = replace(
            lease,
            state=LeaseState.ACTIVE,
            expires_at=wanted,
            extended_until=max(wanted, lease.extended_until or wanted),
            let_go_at=None,
            deadline_source="an extension",
            extensions=lease.extensions + 1,
            generation=lease.generation + 1,
            notices=notices_that_stay(lease, wanted),
            delete_after=None,
            moved=None,
            last_error="",
            cause="",
            refusals=0,
            tag_attempt="",
            next_attempt_at=None,
            blocked=False,
            blocker="",
        )
        facts = {
            "from": instant_text(lease.expires_at, zone),
            "until": instant_text(wanted, zone),
            "extension": f"{changed.extensions} of {policy.terms(lease.rule).max_extensions}",
        }
        draft = about(
            lease,
            "lease.extended",
            Reason(reason or UNEXPLAINED, facts),
            actor=actor,
            now=now,
            policy_version=policy.version,
        )
        how = way_of(actor)
        return Change(changed, draft, lambda lease: kept(actor.id, how, lease, reason, policy))

    return change_lease(stack_id, decide, ledger=ledger, queue=queue)


def latest(lease: Lease, policy: Policy, now: datetime) -> datetime:
    """Return the latest deadline that one extension may give now."""
    terms: Terms = policy.terms(lease.rule)
    return min(
        _start(lease, now) + terms.max_extension, caps_count_from(lease) + terms.max_lifetime
    )


def _start(lease: Lease, now: datetime) -> datetime:
    """Return the instant from which an extension counts: the later of now and the deadline."""
    return max(now, lease.expires_at or now)


def choices(lease: Lease, policy: Policy, now: datetime) -> tuple[datetime, ...]:
    """Return the deadlines to offer, within the caps: some days on, or else the last possible."""
    if refusal(lease, policy, now):
        return ()
    start, last = _start(lease, now), latest(lease, policy, now)
    offered = [start + timedelta(days=days) for days in OFFERED_DAYS]
    return tuple(when for when in offered if when <= last) or (last,)


def refusal(lease: Lease, policy: Policy, now: datetime) -> str:
    """Say why the lease cannot be extended at all; nothing if it can."""
    terms = policy.terms(lease.rule)
    zone = policy.window.window.zone
    if not lease.state.is_open:
        return f"{lease.name} is {lease.state.value}: there is nothing left to extend"
    if lease.state in (LeaseState.FAILED, LeaseState.NEEDS_ATTENTION):
        return (
            f"{lease.name} is past extending: a deletion was begun and has failed"
            f" ({clean(lease.last_error)}); a later tag janitor:expires keeps what is whole"
        )
    if lease.state is LeaseState.DELETING:
        return f"{lease.name} is being deleted, and that cannot be taken back"
    if lease.problem:
        return f"{lease.name} has no deadline to extend, since {lease.problem}"
    if lease.expires_at is None:
        return f"{lease.name} never expires, so there is nothing to extend"
    if lease.extensions >= terms.max_extensions:
        return (
            f"{lease.name} has used all of its {terms.max_extensions} extensions"
            f" (max_extensions); it ends {instant_text(lease.expires_at, zone)}"
        )
    last = latest(lease, policy, now)
    if last <= _start(lease, now):
        ceiling = instant_text(caps_count_from(lease) + terms.max_lifetime, zone)
        return f"{lease.name} may not live beyond {ceiling} (max_lifetime)"
    return ""


def _check(wanted: datetime, lease: Lease, policy: Policy, now: datetime) -> None:
    zone = policy.window.window.zone
    if wanted <= _start(lease, now):
        ends = instant_text(lease.expires_at, zone)
        raise ExtensionRefused(f"{lease.name} already runs until {ends}; choose a later instant")
    last = latest(lease, policy, now)
    if wanted > last:
        raise ExtensionRefused(
            f"{lease.name} can be extended until {instant_text(last, zone)} at the latest"
            " (max_extension, max_lifetime)"
        )


def link_refusal(
    lease: Lease, generation: int | None, sent_to: Contact | None, policy: Policy, now: datetime
) -> str:
    """Say why a link is of no use by now, whatever it is for; nothing if it is good.

    It was made for another generation, or for somebody who has no say any more.
    """
    if sent_to is not None and is_replaced(sent_to, lease, policy):
        owners = "nobody" if lease.ownerless else owners_text(lease.contacts)
        return f"{lease.name} belongs to {owners} now, and no longer to {sent_to.address}"
    if generation is not None and generation != lease.generation:
        return outdated(lease, policy, now)
    return ""


def is_replaced(sent_to: Contact, lease: Lease, policy: Policy) -> bool:
    """Tell whether somebody whom a notice once reached has no say about a running lease."""
    is_running = lease.state in (LeaseState.ACTIVE, LeaseState.MARKED)
    return is_running and not standing_of(sent_to, lease, policy.terms(lease.rule))


def outdated(lease: Lease, policy: Policy, now: datetime) -> str:
    """Say why a link that was made for another generation of the lease is of no use."""
    if lease.expires_at is None or lease.state not in (LeaseState.ACTIVE, LeaseState.MARKED):
        return refusal(lease, policy, now)
    ends = instant_text(lease.expires_at, policy.window.window.zone)
    if is_extended(lease, now):
        return f"{lease.name} is already extended to {ends}"
    return f"this link was for an earlier deadline of {lease.name}, which now ends {ends}"


def is_extended(lease: Lease, now: datetime) -> bool:
    """Tell whether the lease runs on because of an extension."""
    ends = lease.expires_at
    return ends is not None and ends == lease.extended_until and now < ends
