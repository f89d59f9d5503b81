"""Extension links: what was signed comes back, and nothing else is believed."""

import base64
import random
import string
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from janitor.domain.errors import BadLink
from janitor.domain.model import Contact, ContactKind
from janitor.domain.notification.signed_links import LONGEST_TOKEN, Claims, Links

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
OLD, NEW, OTHER = ("a" * 32, "b" * 40, "c" * 64)
LINKS = Links([OLD, NEW], "https://janitor.example.com/prod/")
STACK_ID = "arn:aws:cloudformation:eu-central-1:123456789012:stack/feat/0a1b2c3d-0000"
CLAIMS = Claims(STACK_ID, 3, Contact(ContactKind.EMAIL, "ana@example.com"), NOON)
TOKEN = LINKS.sign(CLAIMS)
NOT_OURS = "this link is not one of ours"
CUT_OFF = "this link is not one of ours, or was cut off on its way"


def refused(token: str, links: Links = LINKS, action: str = "extend") -> str:
    """Return what the person with a bad link is told."""
    with pytest.raises(BadLink) as caught:
        links.verify(token, NOON, action)
    return str(caught.value)


@given(
    st.builds(
        Claims,
        stack_id=st.text(max_size=100),
        generation=st.integers(1, 10**6),
        contact=st.builds(
            Contact,
            kind=st.sampled_from(ContactKind),
            address=st.text(st.characters(exclude_categories=["Cs"]), max_size=200),
        ),
        issued_at=st.datetimes(
            datetime(2026, 5, 1),  # noqa: DTZ001 - hypothesis adds the zone
            datetime(2026, 6, 1),  # noqa: DTZ001
            timezones=st.just(UTC),
        ).map(lambda when: when.replace(microsecond=0)),
    )
)
def test_what_was_signed_comes_back_as_it_was(claims: Claims) -> None:
    """To the second."""
    token = LINKS.sign(claims)
    if len(token) <= LONGEST_TOKEN:
        assert LINKS.verify(token, NOON) == claims
    assert set(token) <= set(string.ascii_letters + string.digits + "-_.")


def test_a_link_is_base_action_and_token() -> None:
    """One slash between them, whatever the base ends with."""
    assert LINKS.url(CLAIMS) == f"https://janitor.example.com/prod/extend/{TOKEN}"
    assert LINKS.url(CLAIMS, "release").startswith("https://janitor.example.com/prod/release/")


def test_a_link_is_short_enough_for_mail_and_slack() -> None:
    """Even for the longest stack name there is."""
    longest = STACK_ID.replace("feat", "x" * 128)
    claims = Claims(longest, 99, Contact(ContactKind.EMAIL, "y" * 243 + "@example.com"), NOON)
    assert len(LINKS.url(claims)) < 1_000


def test_an_old_key_still_verifies_and_the_newest_signs() -> None:
    """A link in a mail outlives a rotation."""
    of_old = Links([OLD], "https://x").sign(CLAIMS)
    assert LINKS.verify(of_old, NOON) == CLAIMS
    assert Links([NEW], "https://x").verify(TOKEN, NOON) == CLAIMS
    assert refused(TOKEN, Links([OLD], "https://x")) == CUT_OFF


def test_a_dropped_key_no_longer_verifies() -> None:
    """That is what dropping it is for."""
    of_old = Links([OLD], "https://x").sign(CLAIMS)
    assert refused(of_old, Links([NEW], "https://x")) == CUT_OFF
    assert refused(of_old, Links([OTHER, NEW], "https://x")) == CUT_OFF


@pytest.mark.parametrize("keys", [[], [""], ["a" * 31], [OLD, "short"]])
def test_no_key_and_short_keys_are_refused(keys: list[str]) -> None:
    """A guess must cost more than the stack is worth."""
    with pytest.raises(ValueError, match="a signing key has at least 32 characters"):
        Links(keys, "https://x")


def test_a_link_is_good_for_its_action_only() -> None:
    """A link that extends never releases."""
    assert refused(TOKEN, action="release") == CUT_OFF
    assert refused(LINKS.sign(CLAIMS, "release")) == CUT_OFF
    assert LINKS.verify(LINKS.sign(CLAIMS, "release"), NOON, "release") == CLAIMS


def test_a_link_lasts_sixty_days_to_the_second() -> None:
    """Longer than the longest lease of the default policy."""
    last = NOON + timedelta(days=60)
    assert LINKS.verify(TOKEN, last) == CLAIMS
    with pytest.raises(BadLink, match=r"^this link is older than 60 days$"):
        LINKS.verify(TOKEN, last + timedelta(seconds=1))


def with_flipped_bit(token: str, rng: random.Random) -> str:
    """Flip one bit of one character."""
    spot = rng.randrange(len(token))
    return token[:spot] + chr(ord(token[spot]) ^ (1 << rng.randrange(7))) + token[spot + 1 :]


def with_other_case(token: str, rng: random.Random) -> str:
    """Turn one letter's case, as some mail programs turn all."""
    spot = rng.choice([index for index, letter in enumerate(token) if letter.isalpha()])
    return token[:spot] + token[spot].swapcase() + token[spot + 1 :]


def cut(token: str, rng: random.Random) -> str:
    """Cut the token off at either end."""
    spot = rng.randrange(1, len(token))
    return rng.choice([token[:spot], token[spot:]])


def with_more(token: str, rng: random.Random) -> str:
    """Put a character in anywhere."""
    spot = rng.randrange(len(token) + 1)
    return token[:spot] + rng.choice(string.printable + "é\u200b") + token[spot:]


def with_less(token: str, rng: random.Random) -> str:
    """Take one character out."""
    spot = rng.randrange(len(token))
    return token[:spot] + token[spot + 1 :]


def with_two_turned(token: str, rng: random.Random) -> str:
    """Let two neighbours change places."""
    spot = rng.randrange(len(token) - 1)
    return token[:spot] + token[spot + 1] + token[spot] + token[spot + 2 :]


MUTATIONS = [with_flipped_bit, with_other_case, cut, with_more, with_less, with_two_turned]


def test_thousands_of_damaged_and_forged_tokens_are_all_refused() -> None:
    """Bits flipped, cases turned, ends cut, characters added, dropped and transposed."""
    rng = random.Random(2026)  # noqa: S311 - repeatable, not secret
    tried: set[str] = set()
    while len(tried) < 3_000:
        mutated = rng.choice(MUTATIONS)(TOKEN, rng)
        if mutated != TOKEN:
            tried.add(mutated)
    for token in tried:
        assert refused(token) in {NOT_OURS, CUT_OFF}


def test_the_spare_bits_of_the_signature_are_not_a_second_spelling() -> None:
    """Base64 leaves two bits of the last character unused; one token has one spelling."""
    alphabet = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
    for letter in alphabet:
        if letter != TOKEN[-1]:
            assert refused(TOKEN[:-1] + letter) in {NOT_OURS, CUT_OFF}


def test_the_parts_of_two_tokens_cannot_be_put_together() -> None:
    """Nor can a payload be had without its signature."""
    payload, signature = TOKEN.rsplit(".", 1)
    other_claims = Claims(STACK_ID.replace("feat", "prod"), 3, CLAIMS.contact, NOON)
    other_payload, other_signature = LINKS.sign(other_claims).rsplit(".", 1)
    for token in (
        f"{payload}.{other_signature}",
        f"{other_payload}.{signature}",
        f"{signature}.{payload}",
        f"{payload}.",
        f".{signature}",
        payload,
        f"{payload}.{signature}.{signature}",
        f"{payload}.{signature}=",
        f"{TOKEN}{TOKEN}",
    ):
        assert refused(token) in {NOT_OURS, CUT_OFF}


def test_a_payload_signed_by_somebody_else_is_refused() -> None:
    """With every trick but the key."""
    forged = Links([OTHER], "https://x").sign(CLAIMS)
    assert refused(forged) == CUT_OFF
    payload = base64.urlsafe_b64encode(b'["arn",1,"email","a@b.c",0]').rstrip(b"=").decode()
    assert refused(f"{payload}.{'A' * 43}") == CUT_OFF


@pytest.mark.parametrize("token", ["", ".", "..", "x", "\x00", "é.é", "\ud800.\ud800", "%2e%2e/"])
def test_odd_text_is_refused_like_any_other(token: str) -> None:
    """A URL may hold anything."""
    assert refused(token) in {NOT_OURS, CUT_OFF}


def test_an_endless_token_is_refused_before_it_is_read() -> None:
    """Whatever its length, it costs nothing."""
    assert refused(TOKEN + "A" * LONGEST_TOKEN) == NOT_OURS
    assert refused("." * 10**6) == NOT_OURS


@given(st.text(max_size=200))
def test_any_text_is_a_bad_link(token: str) -> None:
    """And no other error."""
    assert refused(token) in {NOT_OURS, CUT_OFF}


def test_a_signed_payload_of_another_shape_is_refused() -> None:
    """What an older or newer release may have signed."""
    for payload in ([], ["arn"], "text", {"a": 1}, ["arn", "x", "email", "a", 1], [1, 2, 3, 4, 5]):
        token = str(LINKS._serializer("extend").dumps(payload))
        assert refused(token) == CUT_OFF
    far = str(LINKS._serializer("extend").dumps(["arn", 1, "email", "a@b.c", 10**20]))
    assert refused(far) == CUT_OFF
