"""Owners, read from tags that anybody may write."""

import time
import unicodedata
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from janitor.domain.lease.owners import (
    Owners,
    clean,
    contact_from,
    contacts_from,
    fallback_of,
    named_owners,
    owners_in,
    owners_of,
    standing_of,
)
from janitor.domain.model import OPERATORS, Contact, ContactKind, Lease, Notice
from janitor.domain.policy.model import Terms

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
        ("ana@example.com>", EMAIL, "ana@example.com"),
        ("mailto:ana@example.com", EMAIL, "ana@example.com"),
        ("o'brien@example.com", EMAIL, "o'brien@example.com"),
        ("o\N{RIGHT SINGLE QUOTATION MARK}brien@example.com", EMAIL, "o'brien@example.com"),
        ("josé@münchen.de", EMAIL, "josé@münchen.de"),
        ("ana@xn--mnchen-3ya.de", EMAIL, "ana@xn--mnchen-3ya.de"),
        ("用户@例子.广告", EMAIL, "用户@例子.广告"),
        ("ana..b@example.com", NAME, "ana..b@example.com"),
        ("ana@example.com@example.org", NAME, "ana@example.com@example.org"),
        ("ana@example.com_x", NAME, "ana@example.com_x"),
        ("react@18.2.0", NAME, "react@18.2.0"),
        ("U012AB3CD", USER, "U012AB3CD"),
        ("@U012AB3CD", USER, "U012AB3CD"),
        ("W012A3CDE", USER, "W012A3CDE"),
        ("u012ab3cd", NAME, "u012ab3cd"),
        ("U012AB3C", NAME, "U012AB3C"),
        ("D012AB3CD", NAME, "D012AB3CD"),
        ("WEBTEAM", NAME, "WEBTEAM"),
        ("CUSTOMERS", NAME, "CUSTOMERS"),
        ("UABCDEFGH", NAME, "UABCDEFGH"),
        ("G012AB3CD", CHANNEL, "G012AB3CD"),
        ("CUSTOMERS2", CHANNEL, "CUSTOMERS2"),
        ("team-C012AB3CD", NAME, "team-C012AB3CD"),
        ("#développement", CHANNEL, "#développement"),
        ("#42", CHANNEL, "#42"),
        ("Ticket #42", NAME, "Ticket #42"),
        ("arn:aws:iam::123456789012:user/ana", NAME, "arn:aws:iam::123456789012:user/ana"),
        (
            "arn:aws:iam::123456789012:role/CI2024ADMIN",
            NAME,
            "arn:aws:iam::123456789012:role/CI2024ADMIN",
        ),
        ("https://github.com/CUSTOMERS2", NAME, "https://github.com/CUSTOMERS2"),
        ("https://example.slack.com/archives/C012AB3CD", CHANNEL, "C012AB3CD"),
        ("<@U012AB3CD>", USER, "U012AB3CD"),
        ("<#C012AB3CD|general>", CHANNEL, "C012AB3CD"),
        ("José Núñez", NAME, "José Núñez"),
        ("Jose\N{COMBINING ACUTE ACCENT}", NAME, "José"),
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
    """What is none of the known forms is a name; half an address would be somebody else's.

    Fails with `search` in place of `match`, and without the end of `_EMAIL`.
    """
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
                Contact(NAME, "@UABCDEFGH"),
                Contact(CHANNEL, "#team"),
            ),
        ),
        ("Ana Bo", (Contact(NAME, "Ana Bo"),)),
        ("Doe, Jane", (Contact(NAME, "Doe, Jane"),)),
        ("Team WORKSHOP", (Contact(NAME, "Team WORKSHOP"),)),
        ("Team #basket", (Contact(CHANNEL, "#basket"),)),
        ("#team, Ada", (Contact(CHANNEL, "#team"), Contact(NAME, "Ada"))),
        ("#team+U012AB3CD", (Contact(CHANNEL, "#team"), Contact(USER, "U012AB3CD"))),
        ("ana@example.com #42", (Contact(EMAIL, "ana@example.com"),)),
        ("ana@example.com, none", (Contact(EMAIL, "ana@example.com"),)),
        ('"Lovelace, Ada" <ada@example.com>', (Contact(EMAIL, "ada@example.com"),)),
        (
            "Lovelace, Ada <ada@example.com>; Babbage, Charles (cb@example.com)",
            (Contact(EMAIL, "ada@example.com"), Contact(EMAIL, "cb@example.com")),
        ),
        (
            "bo, Ana <ana@example.com>",
            (Contact(EMAIL, "ana@example.com"), Contact(NAME, "bo")),
        ),
        ("ana@example.com (Ana, basket team)", (Contact(EMAIL, "ana@example.com"),)),
        ("(ana@example.com, bo)", (Contact(EMAIL, "ana@example.com"), Contact(NAME, "bo"))),
        (
            "mailto:ana@example.com?cc=bo@example.com&subject=x",
            (Contact(EMAIL, "ana@example.com"), Contact(EMAIL, "bo@example.com")),
        ),
        ("ana@example.com's team", (Contact(EMAIL, "ana@example.com"),)),
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


ADA, BOB, DEV = (Contact(EMAIL, f"{name}@example.com") for name in ("ada", "bob", "ada+dev"))
AS_MET = {
    "Ada <ada@example.com>": (ADA,),
    "mailto:ada@example.com": (ADA,),
    "ada@example.com.": (ADA,),
    "ada@example.com:bob@example.com": (ADA, BOB),
    "ada@example.com/bob@example.com": (ADA, BOB),
    "ada@example.com;bob@example.com": (ADA, BOB),
    "arn:aws:sts::123456789012:assumed-role/Dev/ada@example.com": (ADA,),
    "WEBTEAM": (Contact(NAME, "WEBTEAM"),),
    "CUSTOMERS": (Contact(NAME, "CUSTOMERS"),),
    "ada+dev@example.com": (DEV,),
    "ada@example.com+bob@example.com": (ADA, BOB),
    "ada@example.com+ada+dev@example.com": (ADA, DEV),
    "José Núñez": (Contact(NAME, "José Núñez"),),
    "Team-Basket": (Contact(NAME, "Team-Basket"),),
}


@pytest.mark.parametrize("text", AS_MET)
def test_owner_tags_as_they_were_met_name_whom_they_mean(text: str) -> None:
    """Whatever stands around an address; SNS has the owner in lower case, and Slack as it is."""
    assert set(contacts_from(text)) == set(AS_MET[text])


PLACEHOLDERS = """
unknown|UNKNOWN|N/A|n/a|none|-|TBD|null|todo|nobody|?|x|na|Undefined|<unknown>|[none]|unknown, n/a
unknown/none|--|no owner|#-
"""


@pytest.mark.parametrize("text", PLACEHOLDERS.strip().replace("\n", "|").split("|"))
def test_a_placeholder_says_nothing_and_the_next_owner_tag_counts(text: str) -> None:
    """In any letters.

    Fails without `says_nothing` in `owners_in`.
    """
    assert contacts_from(text) == ()
    tags = {"janitor:owner": text, "owner": "ana@example.com"}
    assert owners_of(tags, Terms()) == ((Contact(EMAIL, "ana@example.com"),), False)
    assert owners_of({"owner": text}, Terms(fallback_contact=text)) == ((OPERATORS,), True)


@pytest.mark.parametrize("text", ["Xaver", "nobody@example.com", "#none", "Null Team", "nan", "no"])
def test_what_only_begins_like_a_placeholder_is_an_owner(text: str) -> None:
    """A word counts as a whole."""
    (contact,) = contacts_from(text)
    assert contact.address == text


def test_a_tag_cannot_flood_people() -> None:
    """Five owners and no more; how many are cut is known, and names are cut first.

    Fails if names are sorted among the addresses before the cut.
    """
    text = " ".join(f"p{number}@example.com" for number in range(20))
    assert len(contacts_from(text)) == 5
    assert owners_in(text).cut == 15
    owners = owners_in("bo, #a, #b, #c, U012AB3CD, ana@example.com")
    assert NAME not in {owner.kind for owner in owners.contacts}
    assert (len(owners.contacts), owners.cut) == (5, 1)
    assert owners_in("#a, #b, #a").cut == 0


def test_what_is_cut_is_told_of_the_tag_that_counts() -> None:
    """Not of one that is not read."""
    many = " ".join(f"p{number}@example.com" for number in range(7))
    tags = {"janitor:owner": "n/a", "owner": many, "Owner": f"{many} #a #b"}
    assert named_owners(tags, Terms()).cut == 2
    assert named_owners({"team": many}, Terms()) == Owners()


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


locals_ = st.from_regex(r"[a-z0-9_]([a-z0-9_%+'~.-]?[a-z0-9_])*", fullmatch=True)
domains = st.from_regex(
    r"[a-zà-ö0-9]+(-[a-z0-9]+)?(\.[a-zà-ö0-9]+){0,2}\.[a-z]{2,5}", fullmatch=True
)
emails = st.builds("{}@{}".format, locals_, domains)
AROUND = [
    "{}", "<{}>", "Ada <{}>", '"Lovelace, Ada" <{}>', "Lovelace, Ada <{}>", "Ada Lovelace ({})",
    "mailto:{}", "<mailto:{}>", "({})", "[{}]", "'{}'", "`{}`", "“{}”", "{}.", "{}!", "-{}", "=> {}",
    "owner={}", "owner: {}", "arn:aws:sts::123456789012:assumed-role/Dev/{}", "{} (basket, shop)",
    "{}?subject=x", "*{}*", "team/{}", "{}|Ada", "{}'s", "📧{}", "{}…",
]  # fmt: skip
APART = [" ", ",", ", ", ";", "; ", ":", "/", " / ", " + ", " and ", "\t", "\n", "|"]


@given(st.lists(st.tuples(emails, st.sampled_from(AROUND)), min_size=1, max_size=5), st.data())
def test_exactly_the_addresses_come_out_of_whatever_stands_around_them(
    parts: list[tuple[str, str]], data: st.DataObject
) -> None:
    """None is lost, cut short or taken for another.

    Fails if a plus always separates.
    """
    text = ""
    for number, (email, around) in enumerate(parts):
        text += (data.draw(st.sampled_from(APART)) if number else "") + around.format(email)
    addresses = {owner.address for owner in contacts_from(text) if owner.kind is EMAIL}
    assert addresses == {email.lower() for email, _ in parts}


@given(st.lists(emails, min_size=1, max_size=5))
def test_a_plus_separates_complete_addresses_alone(several: list[str]) -> None:
    """`ada+dev@example.com` is one.

    Fails without `_apart`.
    """
    assert {owner.address for owner in contacts_from("+".join(several))} == set(several)


PARTS = [
    "ada@x.org",
    "#42",
    "#a",
    "#_",
    "@ada",
    "U012AB3CD",
    "unknown",
    "x",
    "Ada",
    "ab@xİ.oİ",
    ".",
]
hostile = st.text() | st.lists(st.sampled_from([*PARTS, *",; +()\"':/<>&-"])).map("".join)


@given(hostile)
def test_reading_an_address_once_more_changes_nothing(text: str) -> None:
    """What the ledger keeps is what the tag says.

    Fails without `_is_mark`, and without the letter that `is_meant` asks for.
    """
    for contact in contacts_from(text):
        assert contacts_from(contact.address) == (contact,)


@pytest.mark.parametrize(
    "text",
    [
        *("a" * 20_000, "@" * 20_000, "(" * 20_000, "-" * 20_000, "U" * 20_000, "_a" * 10_000),
        *("a+" * 10_000, "a@b." * 5_000, '"(' * 10_000, "a@b.c+" * 3_000, "a," * 10_000),
        *("#a+" * 7_000, "a-" * 10_000, "a@b" + "-" * 20_000 + "." * 10, "a@" + "b-" * 10_000),
        *(
            "A, A (" * 3_000,
            "n/a," * 5_000,
            "a@b.c@" * 3_000,
            "\N{COMBINING ACUTE ACCENT}" * 20_000,
        ),
    ],
    ids=lambda text: text[:6],
)
def test_hostile_text_is_read_in_linear_time(text: str) -> None:
    """A tag has 256 letters; these have 20,000, and a square of that would take minutes."""
    start = time.process_time()
    owners_in.__wrapped__(text)  # not what was remembered of it
    assert time.process_time() - start < 1


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
