"""Who owns a stack, read from its tags. What a tag says is hostile text."""

import re
import unicodedata
from collections.abc import Mapping

from janitor.core.model import OPERATORS, Contact, ContactKind, Lease
from janitor.core.policy import Terms

_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_SLACK_USER = re.compile(r"@?([UW][A-Z0-9]{6,20})")
_CHANNEL = re.compile(r"#[a-z0-9_-]{1,80}|[CG][A-Z0-9]{8,20}")
_SEPARATORS = re.compile(r"[\s,;]+")
MOST = 5
"""More owners than this in one tag is a mistake, and would be a way to flood people."""


def clean(text: str) -> str:
    """Take away what can hide or forge text: controls, bidi marks, zero-width, line breaks."""
    if text.isascii() and text.isprintable():  # nearly always, and much faster
        return " ".join(text.split())
    kept = (c if unicodedata.category(c)[0] not in "CZ" or c == " " else " " for c in text)
    return " ".join("".join(kept).split())


def contact_from(text: str) -> Contact | None:
    """Read one address: e-mail, Slack user or channel, or else a plain name; None if blank."""
    address = clean(text)
    if not address:
        return None
    if _EMAIL.fullmatch(address):
        return Contact(ContactKind.EMAIL, address.lower())
    if user := _SLACK_USER.fullmatch(address):
        return Contact(ContactKind.SLACK_USER, user[1])
    if _CHANNEL.fullmatch(address):
        return Contact(ContactKind.SLACK_CHANNEL, address)
    return Contact(ContactKind.NAME, address)


def contacts_from(text: str) -> tuple[Contact, ...]:
    """Read the owners in one tag: several only where each of them is an address."""
    parts = _SEPARATORS.split(text)
    if len(parts) > 1:
        contacts = [contact for part in parts if (contact := contact_from(part))]
        if len(contacts) > 1 and all(one.kind is not ContactKind.NAME for one in contacts):
            return tuple(sorted(set(contacts)))[:MOST]
    whole = contact_from(text)
    return (whole,) if whole else ()


def owners_of(tags: Mapping[str, str], terms: Terms) -> tuple[tuple[Contact, ...], bool]:
    """Return whom to tell about a stack, and whether that is for want of an owner.

    The first owner tag that says anything; else the policy's fallback; else the
    operators.
    """
    for key in terms.owner_tags:
        if contacts := contacts_from(tags.get(key, "")):
            return contacts, False
    return (fallback_of(terms),), True


def fallback_of(terms: Terms) -> Contact:
    """Return who is told where an owner is missing or cannot be reached."""
    return contact_from(terms.fallback_contact or "") or OPERATORS


def standing_of(contact: Contact, lease: Lease, terms: Terms) -> str:
    """Return as what somebody may act on a stack by a link that was sent to them.

    Nothing for an owner who was replaced: a link gives no right that the tags have taken. The
    policy's fallback may act, and whoever was told in the place of an owner of today.
    """
    if contact == OPERATORS:
        return "operator"
    if contact in lease.contacts:
        return "owner"
    instead = {one.instead for one in lease.notices if one.contact in lease.contacts}
    return "fallback" if contact in {fallback_of(terms), *instead} else ""
