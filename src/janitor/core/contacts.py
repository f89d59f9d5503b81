"""Who owns a stack, read from its tags. What a tag says is hostile text."""

import re
import unicodedata
from collections.abc import Iterable, Mapping

from janitor.core.model import OPERATORS, Contact, ContactKind, Lease
from janitor.core.policy import Terms

_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_SLACK_USER = re.compile(r"@?([UW][A-Z0-9]{6,20})")
_CHANNEL = re.compile(r"#[a-z0-9_-]{1,80}|[CG][A-Z0-9]{8,20}")
_SEPARATORS = re.compile(r"[\s,;]+")
_COMMAS = re.compile(r"[,;]")
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
    """Read the owners in one tag: several addresses, or with an e-mail address among them also names.

    Words before an e-mail address (`Ana Doe ana@example.com`) only say whose it is. A text
    with names alone is one name, commas and all.
    """
    words = _read(_SEPARATORS.split(text))
    if all(word.kind is not ContactKind.NAME for word in words):
        owners = words
    elif any(word.kind is ContactKind.EMAIL for word in words):
        owners = [owner for entry in _COMMAS.split(text) for owner in _owners_in(entry)]
    else:
        owners = _read([text])
    return tuple(sorted(set(owners)))[:MOST]


def _owners_in(entry: str) -> list[Contact]:
    """Read what stands between two commas; what is meant for an address stays an owner."""
    words = [(word, owner) for word in entry.split() if (owner := contact_from(word))]
    if not any(owner.kind is ContactKind.EMAIL for _, owner in words):
        return _read([entry])
    return [owner for word, owner in words if _is_meant(word, owner)]


def _is_meant(word: str, owner: Contact) -> bool:
    """Tell an address, or what is to be one, from a word; Slack's ids have digits in them."""
    is_id = owner.kind is not ContactKind.NAME and any(map(str.isdigit, word))
    return is_id or "@" in word or word.startswith("#")


def _read(texts: Iterable[str]) -> list[Contact]:
    return [contact for text in texts if (contact := contact_from(text))]


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
