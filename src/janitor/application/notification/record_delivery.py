"""Delivery: write into lease and journal that a notice was sent, once for each stack in it."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from janitor.application.notification.unreachable_owner import named
from janitor.application.ports import Ledger
from janitor.domain.errors import Conflict
from janitor.domain.failures import failed
from janitor.domain.journal.events import JANITOR_TARGET, Actor, Draft, about, entry
from janitor.domain.lease.notice_history import AWAITING_DELETION, is_named, promise
from janitor.domain.model import (
    ACCOUNT_KEY,
    FINAL,
    IN_USE,
    KEPT,
    PROBLEM,
    TAGS_DROPPED,
    TAGS_STUCK,
    Contact,
    Lease,
    LeaseState,
    Notice,
    Outcome,
    Status,
)
from janitor.domain.notification.messages import NoticeItem, Sent
from janitor.domain.notification.pending import matters_of
from janitor.domain.planning.decisions import Reason
from janitor.domain.policy.model import Policy

ACTOR = Actor("janitor", "janitor", "notify")
TRIES = 5
_UNRECORDED = "delivered, but not recorded, so it may be sent again: {}"

_OF_SEVERAL = (PROBLEM, IN_USE, TAGS_DROPPED, KEPT, TAGS_STUCK)
"""Stages of which one notice may be about this, and the next about that."""


class Delivery(Struct, frozen=True):
    """How a message went out."""

    contact: Contact
    to: Contact
    """Who got it: the contact, or whoever was told in their place."""
    sent: Sent
    at: datetime
    word: Sent | None
    """What operators were told of an owner who cannot be reached."""
    stack_ids: tuple[str, ...]
    """All stacks in the message."""

    @property
    def is_in_place(self) -> bool:
        """Tell whether somebody else was told, as nobody could reach the contact."""
        return self.to != self.contact

    def notice(self, item: NoticeItem) -> Notice:
        """Return what the lease remembers of it."""
        beside = (key for key in self.stack_ids if key not in (item.stack_id, ACCOUNT_KEY))
        return Notice(
            stage=item.stage,
            deadline=item.deadline,
            contact=self.contact,
            delivered_at=self.at,
            channel=self.sent.channel,
            detail=item.text if item.stage in _OF_SEVERAL else "",
            message_id=self.sent.message_id if self.sent.can_change else "",
            recipient="" if self.is_in_place else self.sent.recipient,
            beside=tuple(beside) if self.sent.can_change else (),
            instead=self.to if self.is_in_place else None,
        )


def record(
    item: NoticeItem, lease: Lease | None, delivery: Delivery, policy: Policy, ledger: Ledger
) -> Outcome:
    """Write the delivery, whatever else happened to the lease meanwhile.

    `lease` is as it was read before sending; it is read anew where it has changed since.
    """
    facts = {
        "stage": item.stage,
        "to": delivery.contact.address,
        "channel": delivery.sent.channel,
    }
    if delivery.is_in_place:
        facts["fallback"] = delivery.to.address
    if delivery.sent.heard_by:
        facts["heard_by"] = delivery.sent.heard_by
    reason = Reason(f"{item.stage} notice delivered to {delivery.to.address}", facts)
    for tried in range(TRIES):
        try:
            if tried:
                lease = ledger.lease(item.stack_id)
            if lease is None:
                break
            draft = about(
                lease,
                "notice.delivered",
                reason,
                actor=ACTOR,
                now=delivery.at,
                policy_version=policy.version,
                request_ids=(delivery.sent.message_id,),
            )
            ledger.commit(entry(lease, _told(lease, item, delivery, policy), draft))
        except Conflict:
            continue
        except Exception as error:
            return failed(item.stack_id, "notify", error, _UNRECORDED)
        return Outcome(item.stack_id, "notify", Status.DONE)
    why = "delivered, but the lease changed too often to record it"
    return Outcome(item.stack_id, "notify", Status.FAILED, why)


def record_for_account(
    items: Sequence[NoticeItem], delivery: Delivery, policy: Policy, ledger: Ledger
) -> Outcome:
    """Write that operators were told what these say of the account as a whole."""
    matters = [item.about for item in items]
    facts = {"about": ", ".join(matters), "channel": delivery.sent.channel}
    if delivery.sent.heard_by:
        facts["heard_by"] = delivery.sent.heard_by
    draft = Draft(
        delivery.at,
        ACTOR,
        "operators.told",
        JANITOR_TARGET,
        Reason(f"{facts['about']} notice delivered to {delivery.to.address}", facts),
        request_ids=(delivery.sent.message_id,),
        policy_version=policy.version,
    )
    for _ in range(TRIES):
        account = ledger.account()
        told = tuple(one for one in matters_of(account) if one in (*account.told, *matters))
        try:
            ledger.commit(entry(account, replace(account, told=told), draft))
        except Conflict:
            continue  # a sweep was faster
        except Exception as error:
            return failed(ACCOUNT_KEY, "notify", error, _UNRECORDED)
        return Outcome(ACCOUNT_KEY, "notify", Status.DONE)
    why = _UNRECORDED.format("the record changed too often to say so there")
    return Outcome(ACCOUNT_KEY, "notify", Status.FAILED, why)


def _told(lease: Lease, item: NoticeItem, delivery: Delivery, policy: Policy) -> Lease:
    """Return the lease with what its owner has been told, and with the date that was given.

    A final notice for a mark that was taken back meanwhile counts for no later mark.
    """
    notice = delivery.notice(item)
    after, notices, given = lease.delete_after, [*lease.notices, notice], lease.promised
    is_of_date = delivery.contact in lease.contacts or lease.delete_after is None
    if item.stage == FINAL and is_of_date:  # To anybody else the date of before was given.
        given = promise(lease, policy, delivery.at, in_place=delivery.is_in_place)
    if item.stage == FINAL and lease.expires_at == item.deadline:
        if lease.state is LeaseState.ACTIVE:
            notices.remove(notice)
        elif lease.state in AWAITING_DELETION and delivery.contact in lease.contacts:
            after = given
    if delivery.word is not None and not is_named(lease, delivery.contact):
        notices.append(named(lease, delivery.contact, delivery.word, delivery.at))
    return replace(counted(item, lease), notices=tuple(notices), delete_after=after, promised=given)


def counted(item: NoticeItem, lease: Lease) -> Lease:
    """Return the lease with the resources that were counted for this notice."""
    if item.resources is None:
        return lease
    return replace(lease, resources=item.resources, paced=item.paced)
