"""Keys of tags: those that are read, and those that nearly are one."""

import string
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from janitor.domain.lease.deadlines import Unreadable, asked_deadline
from janitor.domain.model import EXPIRES_TAG, PROTECT_TAG, PURGE_TAG, TTL_TAG
from janitor.domain.policy.model import Terms
from janitor.domain.stack.labels import labels_of
from janitor.domain.stack.tag_keys import (
    ASKED_KEYS,
    OWN_KEYS,
    OWNER_TAG,
    PROTECT_TAGS,
    NearMiss,
    lookup,
    near_misses,
    protection,
    unread_lifetimes,
)

USUAL = frozenset((TTL_TAG, EXPIRES_TAG))


def test_of_several_keys_the_first_that_there_is_counts() -> None:
    """In the order of the policy, and exactly as it is written there."""
    tags = {"ttl": "3d", "janitor:ttl": "2d", "TTL": "1d"}
    assert lookup(tags, ("janitor:ttl", "ttl")) == ("janitor:ttl", "2d")
    assert lookup(tags, ("lifetime", "ttl")) == ("ttl", "3d")
    assert lookup(tags, ("Ttl",)) is None
    assert lookup({"ttl": ""}, ("ttl",)) == ("ttl", "")


@pytest.mark.parametrize(
    "key",
    [
        "DoNotDelete",
        "donotdelete",
        "DONOTDELETE",
        "do-not-delete",
        "Do_Not_Delete",
        "do not delete",
    ],
)
def test_a_key_that_protects_does_so_however_it_is_written(key: str) -> None:
    """Where another janitor reads it, people write it in many ways."""
    assert protection({"env": "dev", key: "true"}, PROTECT_TAGS) == (key, "true")
    assert protection({key: ""}, ("do-not-delete",)) == (key, "")


@pytest.mark.parametrize("value", ["false", "False", "no", " off ", "0"])
def test_a_key_of_others_that_says_no_protects_nothing(value: str) -> None:
    """`DoNotDelete=false` is an answer; the janitor's own key has a reason as its value.

    Fails without `_SAYS_NO`.
    """
    assert protection({"DoNotDelete": value}, PROTECT_TAGS) is None
    assert protection({"DoNotDelete": value, "do-not-delete": "1"}, PROTECT_TAGS)
    assert protection({PROTECT_TAG: value}, PROTECT_TAGS) == (PROTECT_TAG, value)


def test_the_janitors_own_key_protects_only_as_it_is_written() -> None:
    """What nearly is it keeps a stack too, and its owner is told which is right."""
    assert protection({"Janitor:Protect": "true"}, PROTECT_TAGS) is None
    assert protection({"janitor-protect": "true"}, PROTECT_TAGS) is None
    assert protection({PROTECT_TAG: "demo"}, ("keep",)) is None
    assert protection({"Team:Keep": "demo"}, ("team:keep",)) == ("Team:Keep", "demo")


NEARLY = {
    "janitor:protected": PROTECT_TAG,
    "janitor:protection": PROTECT_TAG,
    "janitor:keep": PROTECT_TAG,
    "janitor:do-not-delete": PROTECT_TAG,
    "janitor:protct": PROTECT_TAG,
    "Janitor:Protect": PROTECT_TAG,
    "janitor:TTL": TTL_TAG,
    "Janitor:TTL": TTL_TAG,
    "JANITOR:ttl": TTL_TAG,
    "janitor-ttl": TTL_TAG,
    "janitor_ttl": TTL_TAG,
    "janitor.ttl": TTL_TAG,
    "janitor/ttl": TTL_TAG,
    "janitor ttl": TTL_TAG,
    "janitorTtl": TTL_TAG,
    "janitor::ttl": TTL_TAG,
    "janitor: ttl": TTL_TAG,
    "janitor:ttl ": TTL_TAG,
    "janitor\N{FULLWIDTH COLON}ttl": TTL_TAG,
    "janitor:lifetime": TTL_TAG,
    "janitor:ttl-days": TTL_TAG,
    "janitor:expire": EXPIRES_TAG,
    "janitor:expiry": EXPIRES_TAG,
    "janitor:expiration": EXPIRES_TAG,
    "janitor:expries": EXPIRES_TAG,
    "janitor:expiresAt": EXPIRES_TAG,
    "janitor:keep-until": EXPIRES_TAG,
    "janitor:deleteAfter": EXPIRES_TAG,
    "janitor:delete": EXPIRES_TAG,
    "janitor-expires": EXPIRES_TAG,
    "janitor:Owner": OWNER_TAG,
    "janitor:owner-mail": OWNER_TAG,
    "janitor:owners": OWNER_TAG,
    "janitor-purge": PURGE_TAG,
    "janitor:pullRequest": "janitor:pull-request",
    "Janitor:State": "janitor:state",
    "janitor:foo": "",
    "Janitor:Foo": "",
    "janitor:": "",
}


@pytest.mark.parametrize("key", NEARLY)
def test_a_key_that_nearly_is_one_of_the_janitors_is_told_with_the_right_one(key: str) -> None:
    """Other letters, another separator, another word; of what nobody can guess the list is told."""
    assert near_misses({key: "true", "env": "dev"}, ()) == (NearMiss(key, NEARLY[key]),)


@pytest.mark.parametrize(
    "key",
    [
        *("janitors-note", "janitors-ttl", "janitor", "janitor-note", "janitor-team", "janitorial"),
        *("janitor test", "kube-janitor:ttl", "aws:janitor:ttl", "aws:cloudformation:stack-name"),
        *("team", "ttl", "expires", "DoNotDelete", "", ":", "\N{PILE OF POO}"),
    ],
)
def test_what_only_has_the_word_in_it_is_no_near_miss(key: str) -> None:
    """A tag about somebody's janitor keeps no stack."""
    assert near_misses({key: "janitor"}, ()) == ()


def test_keys_that_the_policy_names_are_no_near_misses() -> None:
    """A rule may select by `janitor-ttl`."""
    tags = {"janitor-ttl": "3d", "janitor:expiry": "x", "janitor:zone": "y"}
    assert near_misses(tags, {"janitor-ttl", "janitor:zone"}) == (
        NearMiss("janitor:expiry", EXPIRES_TAG),
    )


WRITTEN = [
    "janitor:ttl",
    "janitor:expires",
    "janitor:protect",
    "janitor:owner",
    "janitor:purge",
    "janitor:branch",
    "janitor:pull-request",
    "janitor:commit",
    "janitor:monthly-cost",
    "janitor:self",
    "janitor:state",
    "janitor:delete-after",
]
keys = st.sampled_from(WRITTEN)


@given(st.dictionaries(keys, st.text()))
def test_exact_keys_are_never_near_misses(tags: dict[str, str]) -> None:
    """Whatever their values, and what the janitor itself has written among them.

    Fails if `OWN_KEYS` lacks one of them.
    """
    assert near_misses(tags, ()) == ()
    assert unread_lifetimes(tags, USUAL) == ()


def test_the_keys_that_labels_and_owners_are_read_from_are_among_the_own() -> None:
    """Otherwise a label would keep a stack."""
    assert set(ASKED_KEYS) < OWN_KEYS
    assert len(labels_of(dict.fromkeys(OWN_KEYS, "x"))) == 4
    assert {key for key in Terms().owner_tags if key.startswith("janitor")} <= OWN_KEYS


def changed(data: Any, key: str) -> str:
    """Write a key in other letters or with another separator."""
    space, _, word = key.partition(":")
    letters = st.sampled_from([str.upper, str.lower, str.title])
    apart = data.draw(st.sampled_from([":", "-", "_", ".", "/", " ", ""]))
    text: str = data.draw(letters)(space) + apart + data.draw(letters)(word)
    return text


@given(st.data(), st.sampled_from(sorted(ASKED_KEYS)))
def test_any_other_spelling_of_a_key_is_told_with_it(data: Any, key: str) -> None:
    """Fails if letters are compared as they are written."""
    written = changed(data, key)
    expected = () if written == key else (NearMiss(written, key),)
    assert near_misses([written], ()) == expected


@given(st.text(max_size=128) | st.text(alphabet=string.punctuation + "janitorTL ", max_size=20))
def test_any_key_at_all_is_looked_at(key: str) -> None:
    """A key is hostile text like any other; what is meant is one of the keys, or nothing."""
    for missed in near_misses([key], ()):
        assert missed.meant in {"", *OWN_KEYS}
    assert unread_lifetimes([key], [key]) == ()


@pytest.mark.parametrize(
    "key",
    [
        *("ttl", "TTL", "expires", "Expiry", "expiration", "expire-on", "EXPIRES_AT"),
        *("delete-after", "DeleteAfter", "deletion-date", "lifetime", "keep-until", "KeepUntil"),
        *("time to live", "acme:delete-after", "acme/ttl", "valid.until", "TerminationDate"),
    ],
)
def test_a_key_that_looks_like_a_lifetime_and_is_not_read_is_known(key: str) -> None:
    """Whoever wrote it believes that it is read."""
    assert unread_lifetimes({key: "2027-06-30", "env": "dev"}, USUAL) == (key,)
    assert unread_lifetimes({key: "2027-06-30"}, {*USUAL, key}) == ()


def test_the_janitors_own_keys_are_unread_where_the_policy_names_others() -> None:
    """Then they say nothing, and that must be seen."""
    assert unread_lifetimes({TTL_TAG: "3d", EXPIRES_TAG: "x"}, {"ttl", EXPIRES_TAG}) == (TTL_TAG,)


@pytest.mark.parametrize(
    "key",
    [
        *("cache-ttl", "until", "duration", "Name", "expired-orders", "aws:ttl", "startdate"),
        *("ttlock", "janitor:delete-after", "janitor-ttl"),
    ],
)
def test_what_says_something_else_is_no_lifetime(key: str) -> None:
    """The janitor's own mark is none, and what nearly is its key is told as that."""
    assert unread_lifetimes([key], USUAL) == ()


class Reading(Struct, frozen=True):
    """What the tags of a stack say, before anything is decided."""

    deadline: str = ""
    """Where it comes from, or why it cannot be read."""
    missed: tuple[NearMiss, ...] = ()
    protected: str = ""
    unread: tuple[str, ...] = ()


def nearly(key: str, meant: str) -> Reading:
    """Return the reading of a stack whose one lifetime or protection is a near miss."""
    return Reading(NO_LIFETIME, (NearMiss(key, meant),))


EXAMPLE = "for instance 90m, 36h, 3d or 2w"
NO_LIFETIME = f"no tag janitor:ttl says how long it is needed; {EXAMPLE}"
BOTH_TTLS = Terms(ttl_tags=("janitor:ttl", "ttl"))
EXPIRES_TOO = Terms(expires_tags=("janitor:expires", "expires"))
ENDLESS = (
    "tag janitor:ttl 'forever' is not a lifetime; the word for no end is never, where the policy"
    f" allows it; {EXAMPLE}"
)
AS_MET: list[tuple[dict[str, str], Terms, Reading]] = [
    ({"janitor:protected": "true"}, Terms(), nearly("janitor:protected", PROTECT_TAG)),
    (
        {"Janitor:Protect": "true", "janitor:ttl": "1d"},
        Terms(),
        Reading("tag janitor:ttl=1d", (NearMiss("Janitor:Protect", PROTECT_TAG),)),
    ),
    ({"janitor:TTL": "30d"}, Terms(), nearly("janitor:TTL", TTL_TAG)),
    ({"janitor-ttl": "30d"}, Terms(), nearly("janitor-ttl", TTL_TAG)),
    ({"janitor:expire": "2027-01-01"}, Terms(), nearly("janitor:expire", EXPIRES_TAG)),
    ({"DoNotDelete": "true"}, Terms(), Reading(NO_LIFETIME, protected="DoNotDelete")),
    ({"do-not-delete": "true"}, Terms(), Reading(NO_LIFETIME, protected="do-not-delete")),
    ({"expires": "2027-06-30"}, Terms(), Reading(NO_LIFETIME, unread=("expires",))),
    ({"expires": "2027-06-30"}, EXPIRES_TOO, Reading("tag expires=2027-06-30")),
    ({"ttl": "72h"}, BOTH_TTLS, Reading("tag ttl=72h")),
    ({"janitor:ttl": "P7D"}, Terms(), Reading("tag janitor:ttl=P7D")),
    ({"janitor:ttl": "3 days"}, Terms(), Reading("tag janitor:ttl=3 days")),
    (
        {"janitor:ttl": "30"},
        Terms(),
        Reading("tag janitor:ttl '30' has no unit; for instance 30d"),
    ),
    ({"janitor:ttl": "forever"}, Terms(), Reading(ENDLESS)),
]


@pytest.mark.parametrize("tags, terms, reading", AS_MET, ids=lambda value: str(value)[:40])
def test_tags_as_they_were_met_say_what_they_say(
    tags: dict[str, str], terms: Terms, reading: Reading
) -> None:
    """What becomes of the stack is for the life cycle to decide."""
    try:
        deadline = asked_deadline(
            tags,
            counts_from=datetime(2026, 6, 1, tzinfo=UTC),
            rule_ttl=None,
            allow_never=False,
            zone=ZoneInfo("UTC"),
            ttl_tags=terms.ttl_tags,
            expires_tags=terms.expires_tags,
        ).source
    except Unreadable as error:
        deadline = str(error)
    read_keys = (*terms.ttl_tags, *terms.expires_tags)
    protected = protection(tags, terms.protect_tags)
    assert reading == Reading(
        deadline,
        near_misses(tags, read_keys),
        protected[0] if protected else "",
        unread_lifetimes(tags, read_keys),
    )
