"""Notify: look again at each lease, word one digest, send it, record what was delivered."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from msgspec import Struct

from janitor.application.lease.extend import choices, refusal
from janitor.application.notification.read_leases import read_leases
from janitor.application.notification.record_delivery import (
    Delivery,
    counted,
    record,
    record_for_account,
)
from janitor.application.notification.unreachable_owner import name_to_operators
from janitor.application.ports import Channel, Clock, Ledger, Policies, SideBySide, in_turn
from janitor.domain.errors import DeliveryFailed, JanitorError, NotHeard, TooLong, Undeliverable
from janitor.domain.failures import failed
from janitor.domain.lease.addresses import like_an_id
from janitor.domain.lease.notice_history import AWAITING_DELETION, after_adoption, is_told, promise
from janitor.domain.lease.owners import fallback_of
from janitor.domain.model import (
    ACCOUNT_KEY,
    ADOPTED,
    FINAL,
    OF_NO_DEADLINE,
    OPERATORS,
    Account,
    Audience,
    Contact,
    ContactKind,
    Lease,
    LeaseState,
    Mode,
    Outcome,
    Status,
)
from janitor.domain.notification.commands import NOWHERE, Place
from janitor.domain.notification.digest import Item, Missed
from janitor.domain.notification.messages import Message, NoticeItem, NoticeRequest
from janitor.domain.notification.pending import is_about_an_outcome, matters_of, still_holds
from janitor.domain.notification.signed_links import SLACK, Claims, Links
from janitor.domain.notification.wording import digest, urgency
from janitor.domain.policy.model import Policy

Wanted = tuple[NoticeItem, Lease | None]


class _Apart(JanitorError):
    """Who cannot be reached has stacks of several rules, each with a fallback of its own."""


def notify(
    request: NoticeRequest,
    *,
    clock: Clock,
    policies: Policies,
    ledger: Ledger,
    channel: Channel,
    links: Links | None,
    place: Place = NOWHERE,
    side_by_side: SideBySide = in_turn,
) -> tuple[Outcome, ...]:
    """Send one owner's digest of what still holds, and record it stack by stack.

    Where a channel cannot take it in one message, for the number of stacks or for its size,
    it goes in several, the most urgent first, each recorded before the next: one that fails
    leaves the rest for another try.
    """
    # Gather.
    now, policy, mode = clock(), policies.policy(), policies.mode()
    if not mode.notifies:
        return (_outcome(request, Status.SKIPPED, f"mode is {mode.value} by now"),)
    asked = list(dict.fromkeys(request.items))
    ids = [item.stack_id for item in asked if item.stack_id != ACCOUNT_KEY]
    leases, unread = read_leases(ledger, ids, side_by_side)
    found = [(item, leases.get(item.stack_id)) for item in asked]
    account = ledger.account()
    # Decide.
    wanted = [(i, le) for i, le in found if _still_wanted(i, le, account, request.contact, now)]
    left_out = [failed(one.key, "notify", one) for one in unread.values()]
    if not wanted:
        nothing = _outcome(request, Status.SKIPPED, "nothing of it holds any more")
        return (nothing, *left_out)
    wanted.sort(key=lambda one: urgency(one[0].stage, one[1]))
    # Apply.
    audience = account.audience
    sending = _Sending(
        request.contact, clock, policy, mode, ledger, channel, links, side_by_side, audience, place
    )
    said = unheard = ""
    unrecorded: list[Outcome] = left_out
    parts = [wanted[at : at + channel.most] for at in range(0, len(wanted), channel.most)]
    while parts:
        part = parts.pop(0)
        try:
            subject, outcomes = sending.part(part)
        except JanitorError as error:
            if isinstance(error, TooLong) and (half := len(part) // 2):
                parts[:0] = part[:half], part[half:]
                continue
            if isinstance(error, _Apart):
                parts[:0] = sending.by_fallback(part).values()
                continue
            if isinstance(error, NotHeard):
                unheard = str(error)
                continue
            after = error.retry_after if isinstance(error, DeliveryFailed) else 0
            return (_outcome(request, Status.FAILED, str(error), after), *unrecorded)
        said = said or subject
        unrecorded += [outcome for outcome in outcomes if outcome.status is Status.FAILED]
    if unheard:
        return (_outcome(request, Status.SKIPPED, unheard), *unrecorded)
    return (_outcome(request, Status.DONE, said), *unrecorded)


def _outcome(request: NoticeRequest, status: Status, detail: str, retry_after: int = 0) -> Outcome:
    return Outcome(request.contact.address, "notify", status, detail, retry_after)


def _still_wanted(
    item: NoticeItem, lease: Lease | None, account: Account, contact: Contact, now: datetime
) -> bool:
    """Tell whether the notice is still true and not yet delivered to this contact."""
    if item.stack_id == ACCOUNT_KEY:
        return item.about in matters_of(account) and item.about not in account.told
    if lease is None or is_told(lease, item.stage, contact):
        return False
    if item.stage not in OF_NO_DEADLINE and lease.expires_at != item.deadline:
        return False
    if is_about_an_outcome(item.stage):
        return still_holds(item.stage, item.text, lease)
    if item.stage == FINAL:
        return lease.state in AWAITING_DELETION
    if item.stage == ADOPTED:
        return lease.state is LeaseState.ACTIVE and lease.adopted_at is not None
    is_ahead = lease.expires_at is not None and now < lease.expires_at
    return lease.state is LeaseState.ACTIVE and is_ahead


class _Sending(Struct, frozen=True):
    """One digest on its way."""

    contact: Contact
    clock: Clock
    policy: Policy
    mode: Mode
    ledger: Ledger
    channel: Channel
    links: Links | None
    side_by_side: SideBySide
    audience: Audience | None
    """Who hears the topic, as the ledger has it."""
    place: Place
    """Where commands find this janitor."""

    def part(self, wanted: Sequence[Wanted]) -> tuple[str, list[Outcome]]:
        """Send one message and record it; return its subject and what came of recording.

        The instant from which the grace counts is taken before the text is worded, so
        that the date in the text is the date in the ledger.
        """
        now = self.clock()
        leases = [lease for _, lease in wanted if lease]
        fallbacks = self.by_fallback(wanted)
        missed: list[Missed] = []
        for to in dict.fromkeys((self.contact, *fallbacks, OPERATORS)):
            message = self._message(to, wanted, now, missed)
            try:
                sent = self.channel.send(message)
            except Undeliverable as error:
                if len(fallbacks) > 1:
                    raise _Apart(str(error)) from error
                missed.append(Missed(to, str(error)))
                continue
            word = None
            if missed and to != OPERATORS:
                word = name_to_operators(missed[0], leases, self.channel, self.audience)
            delivery = Delivery(
                self.contact, to, sent, now, word, tuple(item.stack_id for item, _ in wanted)
            )
            outcomes = self.side_by_side(
                partial(record, item, lease, delivery, self.policy, self.ledger)
                for item, lease in wanted
                if lease is not None
            )
            if matters := [item for item, _ in wanted if item.stack_id == ACCOUNT_KEY]:
                outcomes.append(record_for_account(matters, delivery, self.policy, self.ledger))
            return message.subject, outcomes
        raise Undeliverable(f"nobody can be reached: {'; '.join(map(str, missed))}")

    def by_fallback(self, wanted: Sequence[Wanted]) -> dict[Contact, list[Wanted]]:
        """Sort out what is said by who is told instead if the contact cannot be reached."""
        apart: dict[Contact, list[Wanted]] = {}
        for item, lease in wanted:
            terms = self.policy.terms(lease.rule) if lease else self.policy.defaults
            apart.setdefault(fallback_of(terms), []).append((item, lease))
        return apart

    def _message(
        self, to: Contact, wanted: Sequence[Wanted], now: datetime, missed: Sequence[Missed]
    ) -> Message:
        items = [
            item_of(item, lease, self.contact, now, self.policy, self.links, to=to)
            for item, lease in wanted
        ]
        reader = OPERATORS if to == OPERATORS and not missed else self.contact
        return Message(
            to,
            digest(
                reader,
                items,
                now=now,
                policy=self.policy,
                mode=self.mode,
                missed=missed,
                place=self.place,
            ),
            kinds=tuple(sorted({item.stage for item, _ in wanted})),
            regions=tuple(
                sorted({i.region or (le.region if le else "") for i, le in wanted} - {""})
            ),
            audience=self.audience,
        )


def item_of(
    item: NoticeItem,
    lease: Lease | None,
    contact: Contact,
    now: datetime,
    policy: Policy,
    links: Links | None,
    *,
    to: Contact,
) -> Item:
    """Return what a digest for this contact says of one stack.

    Its link is for whoever it goes `to`: the contact, or who is told in their place.
    """
    if lease is None or is_about_an_outcome(item.stage):
        return Item(item.stage, lease, item.text)
    if contact not in lease.contacts and contact in {one.contact for one in lease.former_owners}:
        return Item(item.stage, counted(item, lease), item.text, lease.delete_after, is_former=True)
    claims = Claims(lease.stack_id, lease.generation, to, now)
    # To be in a channel gives nobody a right, so no buttons go to one that a tag names.
    is_a_channel = to.kind is ContactKind.SLACK_CHANNEL or like_an_id(to.address)[:1] in ("C", "G")
    is_of_a_tag = is_a_channel and to != fallback_of(policy.terms(lease.rule))
    is_final = item.stage == FINAL
    after = promise(lease, policy, now, in_place=to != contact) if is_final else None
    if is_final and (is_told(lease, FINAL, contact) or contact not in lease.contacts):
        after = lease.delete_after or after
    if item.stage == ADOPTED:
        after = after_adoption(lease, policy, now)
    return Item(
        item.stage,
        counted(item, lease),
        item.text,
        after,
        links.url(claims) if links else "",
        refusal(lease, policy, now),
        choices(lease, policy, now),
        links.sign(claims, SLACK) if links and not is_of_a_tag else "",
    )
