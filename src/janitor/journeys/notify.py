"""Notify: look again at each lease, word one digest, send it, record what was delivered."""

from dataclasses import dataclass, replace
from datetime import datetime

from janitor.adapters.ports import (
    Channel,
    Clock,
    Ledger,
    Message,
    NoticeItem,
    NoticeRequest,
    Policies,
)
from janitor.core.contacts import fallback_of
from janitor.core.decisions import Reason
from janitor.core.errors import Conflict, JanitorError, Undeliverable
from janitor.core.journal import Actor, about, entry
from janitor.core.lease import is_told, promise
from janitor.core.links import Claims, Links
from janitor.core.model import (
    ACCOUNT_KEY,
    ATTENTION,
    DELETED,
    FINAL,
    PROBLEM,
    Contact,
    Lease,
    LeaseState,
    Notice,
    Outcome,
    Status,
)
from janitor.core.policy import Policy
from janitor.core.wording import Item, digest
from janitor.journeys.extend import refusal

ACTOR = Actor("janitor", "janitor", "notify")
TRIES = 5


@dataclass(frozen=True, slots=True)
class _Delivery:
    """How a digest went out."""

    message_id: str
    to: Contact
    at: datetime


def notify(
    request: NoticeRequest,
    *,
    clock: Clock,
    policies: Policies,
    ledger: Ledger,
    channel: Channel,
    links: Links | None,
) -> tuple[Outcome, ...]:
    """Send one owner's digest of what still holds, and record it stack by stack.

    The instant from which the grace counts is taken before the text is worded, so that
    the date in the text is the date in the ledger.
    """
    # Gather.
    now, policy, mode = clock(), policies.policy(), policies.mode()
    if not mode.notifies:
        why = f"mode is {mode.value} by now"
        return (Outcome(request.contact.address, "notify", Status.SKIPPED, why),)
    found = [
        (item, None if item.stack_id == ACCOUNT_KEY else ledger.lease(item.stack_id))
        for item in dict.fromkeys(request.items)
    ]
    # Decide.
    wanted = [(i, le) for i, le in found if _still_wanted(i, le, request.contact, now)]
    if not wanted:
        why = "nothing of it holds any more"
        return (Outcome(request.contact.address, "notify", Status.SKIPPED, why),)
    items = [_item(i, le, request.contact, now, policy, links) for i, le in wanted]
    words = digest(request.contact, items, now=now, policy=policy, mode=mode)
    message = Message(
        request.contact,
        words.subject,
        words.text,
        kinds=tuple(sorted({item.stage for item, _ in wanted})),
        regions=tuple(sorted({lease.region for _, lease in wanted if lease})),
    )
    # Apply.
    try:
        delivery = _send(message, [le for _, le in wanted if le], channel, policy, now)
    except JanitorError as error:
        return (Outcome(request.contact.address, "notify", Status.FAILED, str(error)),)
    outcomes = [
        _record(item, request.contact, delivery, channel.name, policy, ledger)
        for item, _ in wanted
        if item.stack_id != ACCOUNT_KEY
    ]
    told = Outcome(request.contact.address, "notify", Status.DONE, words.subject)
    return (told, *(outcome for outcome in outcomes if outcome.status is Status.FAILED))


def _still_wanted(item: NoticeItem, lease: Lease | None, contact: Contact, now: datetime) -> bool:
    """Tell whether the notice is still true and not yet delivered to this contact."""
    if item.stack_id == ACCOUNT_KEY:
        return True
    if lease is None or lease.expires_at != item.deadline or is_told(lease, item.stage, contact):
        return False
    match item.stage:
        case "deleted":
            return lease.state is LeaseState.DELETED
        case "attention":
            return lease.state is LeaseState.NEEDS_ATTENTION
        case "final":
            return lease.state in (LeaseState.MARKED, LeaseState.FAILED)
        case "problem":
            return lease.state is LeaseState.ACTIVE and lease.problem == item.text != ""
        case _:
            is_ahead = lease.expires_at is not None and now < lease.expires_at
            return lease.state is LeaseState.ACTIVE and is_ahead


def _item(
    item: NoticeItem,
    lease: Lease | None,
    contact: Contact,
    now: datetime,
    policy: Policy,
    links: Links | None,
) -> Item:
    if lease is None or item.stage in (DELETED, ATTENTION, PROBLEM):
        return Item(item.stage, lease, item.text)
    claims = Claims(lease.stack_id, lease.generation, contact, now)
    link = links.url(claims) if links else ""
    after = promise(lease, policy, now) if item.stage == FINAL else None
    return Item(item.stage, lease, item.text, after, link, refusal(lease, policy, now))


def _send(
    message: Message, leases: list[Lease], channel: Channel, policy: Policy, now: datetime
) -> _Delivery:
    """Send to the contact, or to the fallback if it can never be reached."""
    try:
        return _Delivery(channel.send(message), message.contact, now)
    except Undeliverable:
        terms = policy.terms(leases[0].rule) if leases else policy.defaults
        fallback = fallback_of(terms)
        if fallback == message.contact:
            raise
        return _Delivery(channel.send(replace(message, contact=fallback)), fallback, now)


def _record(
    item: NoticeItem,
    contact: Contact,
    delivery: _Delivery,
    channel: str,
    policy: Policy,
    ledger: Ledger,
) -> Outcome:
    """Write the delivery into lease and journal, whatever else happened to it meanwhile."""
    detail = item.text if item.stage == PROBLEM else ""
    notice = Notice(item.stage, item.deadline, contact, delivery.at, channel, detail)
    facts = {"stage": item.stage, "to": contact.address, "channel": channel}
    if delivery.to != contact:
        facts["fallback"] = delivery.to.address
    reason = Reason(f"{item.stage} notice delivered to {delivery.to.address}", facts)
    for _ in range(TRIES):
        try:
            lease = ledger.lease(item.stack_id)
            if lease is None:
                break
            after = lease.delete_after
            is_final = item.stage == FINAL and lease.expires_at == item.deadline
            if is_final and lease.state in (LeaseState.MARKED, LeaseState.FAILED):
                after = promise(lease, policy, delivery.at)
            draft = about(
                lease,
                "notice.delivered",
                reason,
                actor=ACTOR,
                now=delivery.at,
                policy_version=policy.version,
                request_ids=(delivery.message_id,),
            )
            changed = replace(lease, notices=(*lease.notices, notice), delete_after=after)
            ledger.commit(entry(lease, changed, draft))
        except Conflict:
            continue
        except Exception as error:
            why = f"delivered, but not recorded, so it may be sent again: {error}"
            return Outcome(item.stack_id, "notify", Status.FAILED, why)
        return Outcome(item.stack_id, "notify", Status.DONE)
    why = "delivered, but the lease changed too often to record it"
    return Outcome(item.stack_id, "notify", Status.FAILED, why)
