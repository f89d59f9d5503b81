"""Every sentence that owners and operators are sent, in one place.

A digest is worded once, as a structure that each channel lays out in its own way. Whatever
comes from a tag or from AWS passes `clean` first: no control characters, no line breaks,
nothing invisible. Times are absolute, with their zone, and relative.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from janitor.domain.deletion.strategy import deleted_by
from janitor.domain.instants import instant_text, relative_text, short_text, span_text
from janitor.domain.lease.notice_history import is_let_go, unread_texts
from janitor.domain.lease.owners import clean
from janitor.domain.model import (
    ADOPTED,
    ATTENTION,
    BREAKER,
    DELETED,
    EXPIRES_TAG,
    FAILED_RUNG,
    FINAL,
    IN_USE,
    PROBLEM,
    PROTECT_TAG,
    PROTECTED,
    REGION,
    SETTLED,
    STUCK,
    TAGS_DROPPED,
    TAGS_STUCK,
    Contact,
    ContactKind,
    Lease,
    LeaseState,
    Mode,
)
from janitor.domain.notification.commands import NOWHERE, Place, to_keep, to_leave_alone
from janitor.domain.notification.digest import (
    Choice,
    Command,
    Entry,
    Item,
    Missed,
    Wording,
    without_links,
)
from janitor.domain.notification.digest_summary import summary
from janitor.domain.notification.outcome_wording import (
    account_entry,
    outcome_headline,
    outcome_lines,
    tags_dropped_lines,
)
from janitor.domain.notification.pending import is_about_an_outcome
from janitor.domain.policy.model import Policy
from janitor.domain.stack.labels import COST, cost_text
from janitor.domain.tagging.outcomes import way_out

SUBJECT_LENGTH = 99
"""SNS wants fewer than 100 characters."""

URGENCY = (
    BREAKER,
    REGION,
    ATTENTION,
    TAGS_STUCK,
    STUCK,
    FINAL,
    IN_USE,
    PROTECTED,
    PROBLEM,
    TAGS_DROPPED,
    ADOPTED,
)
"""The order of a digest; reminders follow by deadline, and what is over comes last."""

TO_OPERATORS = "To the operators of the janitor:"


def digest(
    contact: Contact,
    items: Iterable[Item],
    *,
    now: datetime,
    policy: Policy,
    mode: Mode,
    missed: Sequence[Missed] = (),
    place: Place = NOWHERE,
) -> Wording:
    """Word one owner's digest, the most urgent stack first.

    `place` is where its commands find this janitor.
    `missed` says whom it could not reach before, `contact` first, if it goes to somebody else.
    """
    ordered = sorted(items, key=lambda item: urgency(item.stage, item.lease))
    entries = tuple(_entry(item, contact, now, policy, mode, place) for item in ordered)
    greeting = _greeting(contact, ordered, missed)
    of_a_stack = any(
        entry.commands and entry.stack_id and entry.stage != TAGS_STUCK for entry in entries
    )
    foot = " ".join(one for one in (_foot(ordered), place.rights * of_a_stack) if one)
    return Wording(_subject(ordered, now), greeting, entries, foot)


def kept(who: str, how: str, lease: Lease, reason: str, policy: Policy) -> str:
    """Say for a message's thread who kept a stack."""
    until = instant_text(lease.expires_at, policy.window.window.zone)
    why = f" Reason: {clean(reason)}" if clean(reason) else ""
    return f"{clean(who)} kept {clean(lease.name)} until {until}, {how}.{why}"


def let_go(who: str, how: str, lease: Lease) -> str:
    """Say for a message's thread who let a stack go."""
    return f"{clean(who)} let {clean(lease.name)} go, {how}."


def unreachable(missed: Missed, names: Iterable[str]) -> Wording:
    """Tell operators that an owner can never be reached as the tag says."""
    who = clean(missed.contact.address)
    fate = f"They cannot be reached ({clean(missed.why)}), so the fallback was told."
    stacks = ", ".join(clean(name) for name in names)
    advice = "Please correct the owner tag of these stacks, or ask who owns them."
    entry = Entry("unreachable", who, fate=fate, lines=(f"Stacks: {stacks}.", advice))
    return Wording(_fitted(f"{who} cannot be reached", ""), TO_OPERATORS, (entry,))


def urgency(stage: str, lease: Lease | None) -> tuple[int, str, str]:
    """Return the place of a stack in a digest; the least is the most urgent."""
    rank = len(URGENCY) + (stage in (DELETED, SETTLED))
    if stage in URGENCY:
        rank = URGENCY.index(stage)
    elif stage.startswith(FAILED_RUNG):
        rank = URGENCY.index(ATTENTION)
    at = lease.expires_at.isoformat() if lease and lease.expires_at else ""
    return rank, at, lease.name if lease else ""


def _subject(items: Sequence[Item], now: datetime) -> str:
    more = len(items) - 1
    return _fitted(_headline(items[0], now), f", and {more} more" if more else "")


def _fitted(headline: str, rest: str) -> str:
    text = f"[janitor] {without_links(headline)}{rest}"
    if len(text) > SUBJECT_LENGTH:
        text = text[: SUBJECT_LENGTH - len(rest) - 3] + "..." + rest
    return text


def _headline(item: Item, now: datetime) -> str:
    name = clean(item.lease.name) if item.lease else ""
    match item.stage:
        case "breaker":
            return "held: too many deadlines would come earlier at once"
        case "region":
            return "a region cannot be listed"
        case "final":
            return f"{name} will be deleted"
        case "adopted":
            return f"{name} is looked after by the janitor from now on"
        case "settled":
            return f"{name}: nothing to do"
        case stage if is_about_an_outcome(stage) and item.lease:
            return outcome_headline(item, item.lease)
        case _:
            at = item.lease.expires_at if item.lease else None
            return f"{name} expires {relative_text(at, now)}" if at else f"{name} expires"


def _greeting(contact: Contact, items: Sequence[Item], missed: Sequence[Missed]) -> str:
    count = sum(item.lease is not None for item in items)
    stacks = "a temporary CloudFormation stack" if count == 1 else f"{count} temporary stacks"
    sums = f": {summary(items)}" if count > 1 else ""
    who = clean(contact.address)
    if contact.kind is ContactKind.OPERATORS:
        return TO_OPERATORS
    if missed:
        also = "".join(f" Nor can {one}." for one in missed[1:])
        return (
            f"This is about {stacks} of {who}, who cannot be reached ({clean(missed[0].why)})."
            f"{also} You are told in their place{sums}."
        )
    if all(item.stage == IN_USE and _is_other(item, contact) for item in items):
        return f"To {who}: this is about {stacks} that another one of yours imports from."
    return f"To {who}: this is about {stacks} of yours{sums}."


def _is_other(item: Item, contact: Contact) -> bool:
    return item.lease is not None and contact not in item.lease.contacts


def _entry(
    item: Item, reader: Contact, now: datetime, policy: Policy, mode: Mode, place: Place
) -> Entry:
    if item.lease is None:
        return account_entry(item, place)
    lease = item.lease
    fate, *lines = _lines(item, lease, now, policy, mode)
    if reader.kind is ContactKind.OPERATORS:
        lines.append(_owners(lease))
    is_open = item.stage != SETTLED and not is_about_an_outcome(item.stage)
    zone = policy.window.window.zone
    start = max(now, lease.expires_at or now)
    return Entry(
        stage=item.stage,
        name=clean(lease.name),
        region=lease.region,
        stack_id=lease.stack_id,
        fate=fate,
        lines=tuple(lines),
        facts=_facts(lease) if is_open else (),
        choices=tuple(
            Choice(f"Keep {span_text(when - start)}, until {short_text(when, zone)}", when)
            for when in item.offers
        ),
        link=item.link if is_open and not item.refusal else "",
        token=item.token if is_open else "",
        commands=tuple(_commands(item, lease, now, place, is_open=is_open)),
    )


def _lines(item: Item, lease: Lease, now: datetime, policy: Policy, mode: Mode) -> list[str]:
    def when(at: datetime | None) -> str:
        text = instant_text(at, policy.window.window.zone)
        return f"{text} ({relative_text(at, now)})" if at else text

    why = f"Why: {clean(lease.deadline_source)}; created {when(lease.created)}."
    match item.stage:
        case "final":
            begins = f"Expired {when(lease.expires_at)}."
            fate = f"It will be deleted, at the earliest on {when(item.delete_after)}."
            if mode is not Mode.ENFORCE:
                fate = (
                    "Deletions are switched off at present. Once they are on it will be deleted,"
                    f" at the earliest on {when(item.delete_after)}."
                )
            rest = [*_refused(item), *_unread(lease, policy), *_former(item, lease)]
            return [fate, begins, why, *rest]
        case "adopted":
            return [*_adopted(item, lease, when(item.delete_after), mode), *_unread(lease, policy)]
        case "tags-dropped":
            return tags_dropped_lines(lease, f"It ends {when(lease.expires_at)}.", why)
        case "settled":
            return [_settled(lease, when(lease.expires_at))]
        case stage if is_about_an_outcome(stage):
            return outcome_lines(item, lease, why, when(lease.next_attempt_at or now))
        case _:
            fate = f"Expires {when(lease.expires_at)}; then it is marked for deletion."
            return [fate, why, *_refused(item), *_unread(lease, policy)]


def _adopted(item: Item, lease: Lease, after: str, mode: Mode) -> list[str]:
    """Say what the janitor is, what it will do with a stack that was there before, and how to keep it."""
    fate = f"It will be deleted, at the earliest on {after}, and not before a final notice."
    if mode is not Mode.ENFORCE:
        fate = (
            f"Deletions are switched off at present. Once they are on: {fate[0].lower()}{fate[1:]}"
        )
    if lease.expires_at is None:
        fate = "It has no deadline, so nothing happens to it."
    return [
        fate,
        (
            "The janitor looks after temporary stacks in this account: it reminds their owners, and"
            " deletes what nobody extends. This stack was here before it was looked after."
        ),
        f"Why: {clean(lease.deadline_source)}.",
        (
            f"To keep it longer, extend it, or tag it {EXPIRES_TAG} with a date. To keep it for good,"
            f" tag it {PROTECT_TAG} with the reason."
        ),
        *_refused(item),
    ]


def _unread(lease: Lease, policy: Policy) -> list[str]:
    """Say what of its tags counts for nothing, as a sentence each."""
    texts = unread_texts(lease, policy.terms(lease.rule))
    return [f"{text[0].upper()}{text[1:]}." for text in texts]


def _former(item: Item, lease: Lease) -> list[str]:
    """Tell somebody who owned the stack until lately whose it is now."""
    if not item.is_former:
        return []
    return [f"You owned it until some days ago. {_owners(lease)}"]


def _owners(lease: Lease) -> str:
    """Say for operators whose stack it is."""
    if lease.ownerless:
        return "No tag says who owns it."
    return f"Owner: {', '.join(clean(owner.address) for owner in lease.contacts)}."


def _settled(lease: Lease, ends: str) -> str:
    """Say what became of a stack that an earlier notice was about."""
    match lease.state:
        case LeaseState.DELETED:
            stayed = " with leftovers" * bool(lease.leftovers)
            return f"It has been deleted{stayed}, and CloudFormation has confirmed it."
        case LeaseState.GONE:
            return f"It is gone: deleted {deleted_by(lease)}."
        case LeaseState.RELEASED:
            return "The janitor does not look after it any more."
        case LeaseState.DELETING:
            return "It is being deleted."
        case LeaseState.FAILED | LeaseState.NEEDS_ATTENTION:
            return f"It could not be deleted so far: {clean(lease.last_error).rstrip('.')}."
        case LeaseState.MARKED:
            return "It is marked for deletion; the newest notice says when it goes."
        case LeaseState.ACTIVE if is_let_go(lease):
            return "Its owner has let it go; a final notice says when it goes."
        case LeaseState.ACTIVE:
            return f"Kept: it now ends {ends}."


def _refused(item: Item) -> list[str]:
    return [f"It cannot be extended any more: {clean(item.refusal)}."] if item.refusal else []


def _commands(
    item: Item, lease: Lease, now: datetime, place: Place, *, is_open: bool
) -> list[Command]:
    if item.stage == TAGS_DROPPED:
        return to_leave_alone(lease, place)
    if item.stage == TAGS_STUCK:
        return [Command("To end it, run:", way_out(lease.stack_id, lease.region))]
    if not is_open or item.link or item.refusal or item.is_former:
        return []
    return to_keep(lease, item.offers, now, place)


def _facts(lease: Lease) -> tuple[tuple[str, str], ...]:
    labels = [(name, text) for name, text in lease.labels if name != COST]
    count = [] if lease.resources is None else [("resources", str(lease.resources))]
    return (*labels, *count, (COST, cost_text(lease.labels)))


def _foot(items: Iterable[Item]) -> str:
    if all(
        item.stage in {BREAKER, REGION, SETTLED} or is_about_an_outcome(item.stage)
        for item in items
    ):
        return ""
    return (
        "If you no longer need a stack, delete it now, or let it go by itself."
        " None is deleted before a final notice has told you when."
    )
