"""Revise: show a message that was sent earlier as things stand now, and say what happened."""

from datetime import datetime

from janitor.application.notification.read_leases import read_leases
from janitor.application.notification.send_digest import item_of
from janitor.application.ports import Channel, Clock, Ledger, Policies
from janitor.domain.errors import DeliveryFailed, JanitorError
from janitor.domain.model import (
    FINAL,
    SETTLED,
    Contact,
    Lease,
    LeaseState,
    Outcome,
    Status,
)
from janitor.domain.notification.commands import NOWHERE, Place
from janitor.domain.notification.digest import Item
from janitor.domain.notification.messages import Message, NoticeItem, RevisionRequest
from janitor.domain.notification.signed_links import Links
from janitor.domain.notification.wording import digest


def revise(
    request: RevisionRequest,
    *,
    clock: Clock,
    policies: Policies,
    ledger: Ledger,
    channel: Channel,
    links: Links | None,
    place: Place = NOWHERE,
) -> Outcome:
    """Word the message again from what the ledger says now.

    A stack whose notice of this message no longer speaks of its deadline is shown as what
    has become of it, without anything to press.
    """
    now, policy, mode = clock(), policies.policy(), policies.mode()
    if not mode.notifies:
        why = f"mode is {mode.value} by now"
        return Outcome(request.contact.address, "revise", Status.SKIPPED, why)
    found, unread = read_leases(ledger, request.stack_ids)
    leases = [found[key] for key in request.stack_ids if key in found]
    if not leases:
        why = "nothing is known any more of the stacks in it"
        return Outcome(request.contact.address, "revise", Status.SKIPPED, why)
    items = []
    for lease in leases:
        stage = _standing(lease, request.message_id, now)
        notice = NoticeItem(lease.stack_id, stage, lease.expires_at, lease.problem)
        items.append(
            item_of(notice, lease, request.contact, now, policy, links, to=_reader(lease, request))
            if stage != SETTLED
            else Item(SETTLED, lease)
        )
    message = Message(
        request.contact,
        digest(request.contact, items, now=now, policy=policy, mode=mode, place=place),
        kinds=tuple(sorted({item.stage for item in items})),
        regions=tuple(sorted({lease.region for lease in leases})),
    )
    try:
        channel.revise(request.message_id, message, request.said)
    except JanitorError as error:
        after = error.retry_after if isinstance(error, DeliveryFailed) else 0
        return Outcome(request.contact.address, "revise", Status.FAILED, str(error), after)
    said = "; left out: ".join((message.subject, *map(str, unread.values())))
    return Outcome(request.contact.address, "revise", Status.DONE, said)


def _reader(lease: Lease, request: RevisionRequest) -> Contact:
    """Return who got the message: its contact, or whoever was told in their place."""
    got = (one.instead for one in lease.notices if one.message_id == request.message_id)
    return next(filter(None, got), request.contact)


def _standing(lease: Lease, message_id: str, now: datetime) -> str:
    """Return the stage at which the message still speaks of this lease, or `settled`."""
    for notice in lease.notices:
        is_of_now = notice.deadline == lease.expires_at and notice.detail == lease.problem
        if notice.message_id == message_id and is_of_now:
            is_past = lease.expires_at is not None and now >= lease.expires_at
            state = LeaseState.MARKED if notice.stage == FINAL else LeaseState.ACTIVE
            if lease.state is state and is_past is (notice.stage == FINAL):
                return notice.stage
    return SETTLED
