"""Keys of tags as people write them: those that are read, and those that nearly are one."""

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache

from msgspec import Struct

from janitor.domain.model import (
    DELETE_AFTER_TAG,
    EXPIRES_TAG,
    PROTECT_TAG,
    PURGE_TAG,
    SELF_TAG,
    STATE_TAG,
    TTL_TAG,
)

OWNER_TAG = "janitor:owner"
BRANCH_TAG = "janitor:branch"
PULL_REQUEST_TAG = "janitor:pull-request"
COMMIT_TAG = "janitor:commit"
COST_TAG = "janitor:monthly-cost"
PROTECT_TAGS = (PROTECT_TAG, "DoNotDelete", "do-not-delete")
"""The keys that protect a stack where the policy names no others."""
_SPACE = "janitor:"
ASKED_KEYS = (
    *(TTL_TAG, EXPIRES_TAG, PROTECT_TAG, OWNER_TAG, PURGE_TAG),
    *(BRANCH_TAG, PULL_REQUEST_TAG, COMMIT_TAG, COST_TAG),
)
"""What people may write in the janitor's own name space."""

OWN_KEYS = frozenset({*ASKED_KEYS, SELF_TAG, STATE_TAG, DELETE_AFTER_TAG})
"""All keys of that name space, those that the janitor writes among them."""

MOST_REMEMBERED = 4096
"""Keys whose reading is remembered: the stacks of an account share theirs."""

_OWN = re.compile(r"janitor([^a-z0-9]*)(.*)", re.DOTALL)
_NO_WORD = re.compile(r"[\W_]+")
_SAYS_NO = frozenset({"false", "no", "off", "0"})
_BETWEEN_WORDS = re.compile(r"[\s_-]+")
_MEANT = {
    TTL_TAG: "ttl timetolive lifetime lifespan livetime lease duration maxage ttldays ttlhours",
    EXPIRES_TAG: "expires expire expired expiry expiration expirydate expirationdate expiredate "
    "expireson expiresat expireon expireat expireafter expiresafter validuntil until keepuntil "
    "deleteafter deleteon deleteat deletionafter deletiondate deletedate removeafter removeon "
    "destroyafter terminateafter enddate deadline",
    PROTECT_TAG: "protect protected protection donotdelete dontdelete nodelete neverdelete "
    "deletionprotection keep preserve retain exempt exclude ignore skip disable disabled",
    OWNER_TAG: "owner owners contact createdby",
    PURGE_TAG: "purge empty",
}
_KEY_MEANT = {word: key for key, words in _MEANT.items() for word in words.split()}
_KEY_MEANT |= {
    _NO_WORD.sub("", key.removeprefix(_SPACE)): key
    for key in OWN_KEYS - {DELETE_AFTER_TAG}  # who writes one nearly such wants to set a date
}
_GUESSED = sorted(word for word in _KEY_MEANT if "delete" not in word or word.startswith("delete"))
"""Not `nodelete`, to which `delete` comes close: that would be the opposite."""
_NOT_A_LIFETIME = frozenset({"lease", "duration", "until", "deadline", "expired", "enddate"})
_LIFETIMES = {
    *(word for word, key in _KEY_MEANT.items() if key in (TTL_TAG, EXPIRES_TAG)),
    *("terminationdate", "terminateon", "destroyon", "cleanupafter", "endoflife", "shelflife"),
    *("autodelete", "autodeleteafter", "autodeleteon", "expiresin"),
} - _NOT_A_LIFETIME


class NearMiss(Struct, frozen=True, order=True):
    """A key that looks like one of the janitor's own and is none."""

    key: str
    meant: str = ""
    """The key that was probably meant; nothing if that cannot be guessed."""


def lookup(tags: Mapping[str, str], keys: Iterable[str]) -> tuple[str, str] | None:
    """Return the first of the keys that the tags have, with its value; exactly as written."""
    return next(((key, tags[key]) for key in keys if key in tags), None)


def protection(tags: Mapping[str, str], keys: tuple[str, ...]) -> tuple[str, str] | None:
    """Return the first tag that one of the protecting keys names, with its value.

    A key of another name space matches in any letters, and whatever stands between its words
    (`donotdelete` is `Do_Not-Delete`), unless its value says no: `DoNotDelete=false`. One of
    the janitor's own matches exactly and whatever its value, which is the reason.
    """
    found = [
        (place, key, value)
        for key, value in tags.items()
        if (place := _place(key, keys)) is not None and (is_own(key) or not _says_no(value))
    ]
    return min(found)[1:] if found else None


@lru_cache(maxsize=MOST_REMEMBERED)
def _place(key: str, keys: tuple[str, ...]) -> int | None:
    """Return which of the protecting keys this one is; None if none."""
    loose = _loosely(key)
    for place, wanted in enumerate(keys):
        is_like = not is_own(wanted) and loose == _loosely(wanted)
        if is_like or key == wanted:
            return place
    return None


def _says_no(value: str) -> bool:
    return value.strip().casefold() in _SAYS_NO


@lru_cache(maxsize=MOST_REMEMBERED)
def _loosely(key: str) -> str:
    return _BETWEEN_WORDS.sub("", key).casefold()


def is_own(key: str) -> bool:
    """Tell whether a key is in the janitor's name space, as it is written."""
    return key.startswith(_SPACE)


def near_misses(tags: Iterable[str], known: Collection[str]) -> tuple[NearMiss, ...]:
    """Return the keys that look like one of the janitor's own and are none.

    Whatever is in its name space counts (`janitor:expiry`); in other letters and with another
    separator (`janitor-ttl`, `janitorTtl`) what is nearly one of its keys. `known` keys, which
    the policy itself names, are none.
    """
    missed = [miss for key in tags if key not in known and (miss := _near_miss(key))]
    return tuple(sorted(missed)) if missed else ()


@lru_cache(maxsize=MOST_REMEMBERED)
def _near_miss(key: str) -> NearMiss | None:
    # Letters that only look like ours (a full-width colon) are ours after this.
    match = _OWN.fullmatch(unicodedata.normalize("NFKC", key).strip().casefold())
    if match is None or key in OWN_KEYS:
        return None
    separator, rest = match.groups()
    is_in_space = ":" in separator
    meant = _meant(rest, is_in_space=is_in_space, is_apart=bool(separator))
    return NearMiss(key, meant) if is_in_space or meant else None


def _meant(rest: str, *, is_in_space: bool, is_apart: bool) -> str:
    """Return the key that was probably meant by what follows the name space."""
    word = _NO_WORD.sub("", rest)
    words = [word, *(_NO_WORD.split(rest) if is_in_space else ())]
    if known := next(filter(None, map(_KEY_MEANT.get, words)), ""):
        return known
    return _guessed(word) if is_apart else ""


def _guessed(word: str) -> str:
    import difflib  # noqa: PLC0415 - cold starts do not need it

    close = difflib.get_close_matches(word, _GUESSED, n=1, cutoff=0.75)
    return _KEY_MEANT[close[0]] if close else ""


def unread_lifetimes(tags: Iterable[str], read_keys: Collection[str]) -> tuple[str, ...]:
    """Return the keys that look like a lifetime and are not among those that are read.

    In any letters and with any separator, also behind a name space (`acme:delete-after`).
    """
    return tuple(sorted(key for key in tags if key not in read_keys and _is_a_lifetime(key)))


@lru_cache(maxsize=MOST_REMEMBERED)
def _is_a_lifetime(key: str) -> bool:
    folded = key.strip().casefold()
    if folded.startswith(("aws:", "janitor")):
        return key in (TTL_TAG, EXPIRES_TAG)
    last = re.split(r"[:/]", folded)[-1]
    return any(_NO_WORD.sub("", text) in _LIFETIMES for text in (folded, last))
