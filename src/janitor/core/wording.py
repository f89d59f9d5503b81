"""Every sentence that owners and operators are sent, in one place.

Whatever comes from a tag or from AWS passes `clean` first: no control characters, no
line breaks, nothing invisible. Times are absolute, with their zone, and relative.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from janitor.core.contacts import clean
from janitor.core.model import (
    ATTENTION,
    BREAKER,
    DELETED,
    FINAL,
    PROBLEM,
    Contact,
    ContactKind,
    Lease,
    Mode,
)
from janitor.core.policy import Policy
from janitor.core.times import instant_text, relative_text

SUBJECT_LENGTH = 99
"""SNS wants fewer than 100 characters."""

URGENCY = (BREAKER, ATTENTION, FINAL, PROBLEM)
"""The order of a digest; reminders follow by deadline, and what is over comes last."""


@dataclass(frozen=True, slots=True)
class Item:
    """One stack in a digest."""

    stage: str
    lease: Lease | None
    """None where the notice is about the account as a whole."""
    text: str = ""
    delete_after: datetime | None = None
    """For a final notice: the date that will hold."""
    link: str = ""
    """Where the owner can extend; empty where no page is served."""
    refusal: str = ""
    """Why it can no longer be extended, if that is so."""


@dataclass(frozen=True, slots=True)
class Wording:
    """A digest in words, ready to be sent."""

    subject: str
    text: str


def digest(
    contact: Contact, items: Iterable[Item], *, now: datetime, policy: Policy, mode: Mode
) -> Wording:
    """Word one owner's digest, the most urgent stack first."""
    ordered = sorted(items, key=_urgency)
    paragraphs = [_paragraph(item, now, policy, mode) for item in ordered]
    parts = [_greeting(contact, ordered), *paragraphs, *_foot(ordered)]
    return Wording(_subject(ordered, now), "\n\n".join(parts))


def _urgency(item: Item) -> tuple[int, str, str]:
    if item.stage in URGENCY:
        rank = URGENCY.index(item.stage)
    else:
        rank = len(URGENCY) + (item.stage == DELETED)
    lease = item.lease
    at = lease.expires_at.isoformat() if lease and lease.expires_at else ""
    return rank, at, lease.name if lease else ""


def _subject(items: Sequence[Item], now: datetime) -> str:
    first = items[0]
    headline = _headline(first, now)
    more = len(items) - 1
    text = f"[janitor] {headline}" + (f", and {more} more" if more else "")
    if len(text) > SUBJECT_LENGTH:
        rest = f"..., and {more} more" if more else "..."
        text = text[: SUBJECT_LENGTH - len(rest)] + rest
    return text


def _headline(item: Item, now: datetime) -> str:
    name = clean(item.lease.name) if item.lease else ""
    match item.stage:
        case "breaker":
            return "deletions are stopped: too many stacks are due"
        case "attention":
            return f"{name} could not be deleted"
        case "final":
            return f"{name} will be deleted"
        case "problem":
            return f"{name} has a lifetime that cannot be read"
        case "deleted":
            return f"{name} has been deleted"
        case _:
            at = item.lease.expires_at if item.lease else None
            return f"{name} expires {relative_text(at, now)}" if at else f"{name} expires"


def _greeting(contact: Contact, items: Sequence[Item]) -> str:
    count = sum(item.lease is not None for item in items)
    stacks = "a temporary CloudFormation stack" if count == 1 else f"{count} temporary stacks"
    if contact.kind is ContactKind.OPERATORS:
        return "To the operators of the janitor:"
    return f"To {clean(contact.address)}: this is about {stacks} of yours."


def _paragraph(item: Item, now: datetime, policy: Policy, mode: Mode) -> str:
    if item.lease is None:
        return (
            f"Nothing is being deleted: {clean(item.text)}.\n"
            "Look at `janitor plan`. If all of that may go, `janitor breaker lift` lets it go"
            " for one day."
        )
    lease = item.lease
    head = f"{clean(lease.name)}  ({lease.region})"
    return "\n".join([head, *(f"  {line}" for line in _lines(item, lease, now, policy, mode))])


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
            return [fate, begins, why, *_keep(item, lease)]
        case "problem":
            return [
                f"It is kept, but {clean(item.text)}.",
                "Please correct the tag; until then nothing reminds you and nothing deletes it.",
            ]
        case "deleted":
            return ["It has been deleted, and CloudFormation has confirmed it.", why]
        case "attention":
            attempts = f"{lease.attempts} attempt{'' if lease.attempts == 1 else 's'}"
            error = clean(item.text).rstrip(".")
            return [
                f"It could not be deleted after {attempts}: {error}.",
                "The janitor will not try again. Please delete it by hand, or ask your operators.",
            ]
        case _:
            fate = f"Expires {when(lease.expires_at)}; then it is marked for deletion."
            return [fate, why, *_keep(item, lease)]


def _keep(item: Item, lease: Lease) -> list[str]:
    if item.refusal:
        return [f"It cannot be extended any more: {clean(item.refusal)}."]
    command = f"janitor extend {clean(lease.name)} --by 3d --reason '...'"
    return [f"To keep it: {item.link}" if item.link else f"To keep it: {command}"]


def _foot(items: Iterable[Item]) -> list[str]:
    if all(item.stage in {BREAKER, ATTENTION, PROBLEM, DELETED} for item in items):
        return []
    return ["If you no longer need a stack, delete it now, or let it go by itself."]
