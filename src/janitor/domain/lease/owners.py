"""Who owns a stack, read from its tags. What a tag says is hostile text."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache

from msgspec import Struct

from janitor.domain.lease.addresses import Word, is_channel, says_nothing, words_of
from janitor.domain.model import OPERATORS, Contact, ContactKind, Lease
from janitor.domain.policy.model import Terms

_COMMAS = re.compile("([,;\N{FULLWIDTH COMMA}\N{FULLWIDTH SEMICOLON}\N{IDEOGRAPHIC COMMA}])")
_TOGETHER = re.compile(
    r"\"[^\"]*\"|\([^()]*\)"
    "|\N{LEFT DOUBLE QUOTATION MARK}[^\N{RIGHT DOUBLE QUOTATION MARK}]*"
    "\N{RIGHT DOUBLE QUOTATION MARK}"
)
_FIRST_NAME = re.compile(r"[^\W\d_][\w .'-]*+[\"'\N{RIGHT SINGLE QUOTATION MARK}]?\s*[<(]")
MOST_REMEMBERED = 2048
"""Tags whose reading is remembered: an account has fewer owners than stacks."""
MOST = 5
"""More owners than this in one tag is a mistake, and would be a way to flood people."""


class Owners(Struct, frozen=True):
    """Who owns a stack by one tag, and how many more it named."""

    contacts: tuple[Contact, ...] = ()
    cut: int = 0
    """Owners beyond `MOST`: nobody tells them anything."""


def clean(text: str) -> str:
    """Take away what can hide or forge text: controls, bidi marks, zero-width, line breaks."""
    if text.isascii() and text.isprintable():  # nearly always, and much faster
        return " ".join(text.split())
    kept = (c if unicodedata.category(c)[0] not in "CZ" or c == " " else " " for c in text)
    return " ".join("".join(kept).split())


def contact_from(text: str) -> Contact | None:
    """Read whom a text that is to name one contact names; None if it says nothing."""
    return next(iter(contacts_from(text)), None)


def contacts_from(text: str) -> tuple[Contact, ...]:
    """Read the owners in one tag, `MOST` at most."""
    return owners_in(text).contacts


@lru_cache(maxsize=MOST_REMEMBERED)
def owners_in(text: str) -> Owners:
    """Read the owners in one tag: each address in it, whatever stands around.

    Words beside an address only say whose it is (`Ana Doe ana@example.com`); behind a comma or
    semicolon they are an owner of that name. A text without any address is one name, commas
    and all, and a placeholder (`unknown`, `N/A`) is nobody. Names are cut before addresses.
    """
    text = unicodedata.normalize("NFC", clean(text))
    if says_nothing(text):
        return Owners()
    entries = _entries(text)
    if not any(_has_address(words) for _, words in entries):
        return Owners((Contact(ContactKind.NAME, text),))
    found = {owner for entry, words in entries for owner in _owners_of_entry(entry, words)}
    kept = sorted(found, key=lambda owner: (owner.kind is ContactKind.NAME, owner))[:MOST]
    return Owners(tuple(sorted(kept)), len(found) - len(kept))


def _entries(text: str) -> list[tuple[str, tuple[Word, ...]]]:
    """Return what stands between commas and semicolons, each with its words.

    A comma inside quotes or brackets is a part of what they hold, and so is that of
    `Lovelace, Ada <ada@example.com>`.
    """
    entries: list[tuple[str, tuple[Word, ...]]] = []
    separator = ""
    for part in _COMMAS.split(_TOGETHER.sub(_without_commas, text)):
        if _COMMAS.fullmatch(part):
            separator = part
            continue
        entry = clean(part)
        words = _words(entry)
        if separator == "," and _FIRST_NAME.match(entry) and _is_surname(*entries[-1]):
            entries.pop()
        entries.append((entry, words))
    return entries


def _words(entry: str) -> tuple[Word, ...]:
    if is_channel(entry):  # as a whole, also one that is a number
        return (Word(entry, Contact(ContactKind.SLACK_CHANNEL, entry)),)
    return words_of(entry)


def _without_commas(group: re.Match[str]) -> str:
    return group[0] if "@" in group[0] or "#" in group[0] else _COMMAS.sub(" ", group[0])


def _is_surname(entry: str, words: tuple[Word, ...]) -> bool:
    """Tell whether the one word before a comma can be a surname; `bo` in lower case is an owner."""
    is_one = len(words) == 1 and not words[0].is_meant and " " not in entry
    return is_one and not _has_address(words) and words[0].text[0].isupper()


def _has_address(words: tuple[Word, ...]) -> bool:
    return any(word.address for word in words)


def _owners_of_entry(entry: str, words: tuple[Word, ...]) -> Iterator[Contact]:
    if not _has_address(words):
        if not says_nothing(entry):
            yield Contact(ContactKind.NAME, _without_half_a_pair(entry))
        return
    for word in words:
        if word.address:
            yield word.address
        elif word.is_meant:
            yield Contact(ContactKind.NAME, word.text)


def _without_half_a_pair(name: str) -> str:
    """Take away what is left of brackets or quotes around several owners."""
    if not any(closing in name for closing in ")]}"):
        name = name.lstrip("([{")
    if not any(opening in name for opening in "([{"):
        name = name.rstrip(")]}")
    return (name.strip('"') if name.count('"') % 2 else name).strip()


def owners_of(tags: Mapping[str, str], terms: Terms) -> tuple[tuple[Contact, ...], bool]:
    """Return whom to tell about a stack, and whether that is for want of an owner.

    The first owner tag that says anything; else the policy's fallback; else the
    operators.
    """
    contacts = named_owners(tags, terms).contacts
    return (contacts, False) if contacts else ((fallback_of(terms),), True)


def named_owners(tags: Mapping[str, str], terms: Terms) -> Owners:
    """Return the owners in the first owner tag that names any; nobody if none does."""
    read = (owners_in(tags[key]) for key in terms.owner_tags if key in tags)
    return next((owners for owners in read if owners.contacts), Owners())


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
