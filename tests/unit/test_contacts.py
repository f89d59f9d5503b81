"""Owners, read from tags that anybody may write."""

import unicodedata
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from janitor.core.contacts import (
    clean,
    contact_from,
    contacts_from,
    fallback_of,
    owners_of,
    standing_of,
)
from janitor.core.model import OPERATORS, Contact, ContactKind, Lease, Notice
from janitor.core.policy import Terms

EMAIL, USER, CHANNEL, NAME = (
    ContactKind.EMAIL,
    ContactKind.SLACK_USER,
    ContactKind.SLACK_CHANNEL,
    ContactKind.NAME,
)


@pytest.mark.parametrize(
    "text, kind, address",
    [
        ("ana@example.com", EMAIL, "ana@example.com"),
        ("  Ana.B+dev@Example.COM ", EMAIL, "ana.b+dev@example.com"),
        ("ana@a.b.c.example.co.uk", EMAIL, "ana@a.b.c.example.co.uk"),
        ("ana@localhost", NAME, "ana@localhost"),
        ("ana@example..com", NAME, "ana@example..com"),
        ("@example.com", NAME, "@example.com"),
        ("ana@exa mple.com", NAME, "ana@exa mple.com"),
        ("ana@example.com>", NAME, "ana@example.com>"),
        ("mailto:ana@example.com", NAME, "mailto:ana@example.com"),
        ("U012AB3CD", USER, "U012AB3CD"),
        ("@U012AB3CD", USER, "U012AB3CD"),
        ("W012A3CDE", USER, "W012A3CDE"),
        ("u012ab3cd", NAME, "u012ab3cd"),
        ("#team-basket", CHANNEL, "#team-basket"),
        ("C012AB3CD", CHANNEL, "C012AB3CD"),
        ("#Team Basket", NAME, "#Team Basket"),
        ("ana", NAME, "ana"),
        ("@ana", NAME, "@ana"),
        ("Ana B. (basket team)", NAME, "Ana B. (basket team)"),
        ("<!channel>", NAME, "<!channel>"),
        ("a\nb", NAME, "a b"),
    ],
)
def test_an_address_is_known_by_its_form(text: str, kind: ContactKind, address: str) -> None:
    """What is none of the known forms is a name."""
    assert contact_from(text) == Contact(kind, address)


@pytest.mark.parametrize("text", ["", " ", "\t\n", "\N{ZERO WIDTH SPACE}", "\x00\x1b"])
def test_what_says_nothing_is_nobody(text: str) -> None:
    """Blank, or only looking so."""
    assert contact_from(text) is None
    assert contacts_from(text) == ()


@pytest.mark.parametrize(
    "text, contacts",
    [
        (
            "bo@example.com, ana@example.com",
            (Contact(EMAIL, "ana@example.com"), Contact(EMAIL, "bo@example.com")),
        ),
        (
            "ana@example.com;#team U012AB3CD",
            (
                Contact(EMAIL, "ana@example.com"),
                Contact(CHANNEL, "#team"),
                Contact(USER, "U012AB3CD"),
            ),
        ),
        ("ana@example.com ana@EXAMPLE.com,", (Contact(EMAIL, "ana@example.com"),)),
        ("ana@example.com, bo", (Contact(EMAIL, "ana@example.com"), Contact(NAME, "bo"))),
        ("ana@example.com, B O", (Contact(EMAIL, "ana@example.com"), Contact(NAME, "B O"))),
        ("Ana Doe ana@example.com", (Contact(EMAIL, "ana@example.com"),)),
        (
            "Ana ana@example.com, bo@example",
            (Contact(EMAIL, "ana@example.com"), Contact(NAME, "bo@example")),
        ),
        (
            "ana@example.com bo@example",
            (Contact(EMAIL, "ana@example.com"), Contact(NAME, "bo@example")),
        ),
        ("Ana UNKNOWN ana@example.com", (Contact(EMAIL, "ana@example.com"),)),
        (
            "Ana ana@example.com U012AB3CD @UABCDEFGH #team",
            (
                Contact(EMAIL, "ana@example.com"),
                Contact(USER, "U012AB3CD"),
                Contact(USER, "UABCDEFGH"),
                Contact(CHANNEL, "#team"),
            ),
        ),
        ("Ana Bo", (Contact(NAME, "Ana Bo"),)),
        ("Doe, Jane", (Contact(NAME, "Doe, Jane"),)),
        ("Team WORKSHOP", (Contact(NAME, "Team WORKSHOP"),)),
    ],
)
def test_one_tag_may_name_several_addresses(text: str, contacts: tuple[Contact, ...]) -> None:
    """Whoever can be told by an address is; what is no address stays an owner, with a fallback.

    Fails if a tag counts as one name as soon as one word of it is no address.
    """
    assert set(contacts_from(text)) == set(contacts)
    assert len(contacts_from(text)) == len(contacts)


def test_the_order_of_owners_in_a_tag_does_not_matter() -> None:
    """Another order is no other owner, and makes no entry in the journal."""
    assert contacts_from("a@x.de b@x.de #c") == contacts_from("#c,b@x.de;a@x.de")


def test_a_tag_cannot_flood_people() -> None:
    """Five owners and no more."""
    text = " ".join(f"p{number}@example.com" for number in range(20))
    assert len(contacts_from(text)) == 5


def test_the_first_owner_tag_that_says_anything_counts() -> None:
    """In the order of the policy."""
    tags = {"Owner": "c@x.de", "owner": "b@x.de", "janitor:owner": " "}
    assert owners_of(tags, Terms()) == ((Contact(EMAIL, "b@x.de"),), False)
    other = Terms(owner_tags=("team", "Owner"))
    assert owners_of(tags, other) == ((Contact(EMAIL, "c@x.de"),), False)


def test_without_an_owner_the_fallback_is_told_and_then_the_operators() -> None:
    """And it is known that nobody owns the stack."""
    assert owners_of({}, Terms(fallback_contact="#dev")) == ((Contact(CHANNEL, "#dev"),), True)
    assert owners_of({}, Terms()) == ((OPERATORS,), True)
    assert owners_of({"owner": "a"}, Terms(owner_tags=())) == ((OPERATORS,), True)


def test_a_fallback_that_only_looks_like_text_is_none() -> None:
    """So the operators are told."""
    assert fallback_of(Terms(fallback_contact=" ")) == OPERATORS


@pytest.mark.parametrize(
    "text, cleaned",
    [
        ("plain", "plain"),
        ("  a   b  ", "a b"),
        ("a\r\nBcc: x@y.z", "a Bcc: x@y.z"),
        ("a\x1b[31mb", "a [31mb"),
        ("a\N{RIGHT-TO-LEFT OVERRIDE}b", "a b"),
        ("a\N{ZERO WIDTH JOINER}b", "a b"),
        ("a\N{LINE SEPARATOR}b\N{NO-BREAK SPACE}c", "a b c"),
        ("a\ud800b", "a b"),
        ("Zoë \N{PILE OF POO}", "Zoë \N{PILE OF POO}"),
    ],
)
def test_cleaned_text_hides_and_forges_nothing(text: str, cleaned: str) -> None:
    """No controls, no lines, nothing invisible; letters stay."""
    assert clean(text) == cleaned


@given(st.text())
def test_cleaned_text_is_one_printable_line_and_stays_as_it_is(text: str) -> None:
    """Cleaning twice is cleaning once."""
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    assert cleaned == cleaned.strip()
    assert all(unicodedata.category(c)[0] not in "CZ" or c == " " for c in cleaned)
    assert len(cleaned.splitlines()) <= 1


@given(st.text())
def test_any_tag_has_at_most_five_owners_with_clean_addresses(text: str) -> None:
    """And reading it never fails."""
    contacts = contacts_from(text)
    assert len(contacts) <= 5
    for contact in contacts:
        assert contact.address
        assert clean(contact.address) == contact.address


def test_who_may_act_by_a_link_follows_tags_policy_and_who_was_told() -> None:
    """Fails without `instead` in `standing_of`, or without the owners of today there."""
    ana, bo, team, other = (Contact(EMAIL, f"{name}@x.org") for name in ("ana", "bo", "team", "o"))
    now = datetime(2026, 6, 1, tzinfo=UTC)
    told = Notice("final", None, ana, now, "slack", instead=team)
    lease = Lease("arn", "feat", "here", "default", now, now, contacts=(ana,), notices=(told,))
    terms = Terms(fallback_contact="o@x.org")
    people = (ana, bo, team, other, OPERATORS)
    standings = [standing_of(one, lease, terms) for one in people]
    assert standings == ["owner", "", "fallback", "fallback", "operator"]
    replaced = replace(lease, contacts=(bo,))
    standings = [standing_of(one, replaced, terms) for one in people]
    assert standings == ["", "owner", "", "fallback", "operator"]
