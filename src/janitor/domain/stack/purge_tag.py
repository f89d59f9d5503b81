"""What an owner lets the janitor empty, as the tag `janitor:purge` says it."""

import re
from collections.abc import Collection

from msgspec import Struct

from janitor.domain.lease.owners import clean

_APART = re.compile(r"[\s,;/+:]+")


class PurgeWords(Struct, frozen=True):
    """The words in the tag: those that opt into something, and those that nobody knows."""

    known: frozenset[str] = frozenset()
    unknown: tuple[str, ...] = ()
    """As they are written, for its owner to be told."""


def read_purge(text: str, known: Collection[str]) -> PurgeWords:
    """Read `s3;ecr`: blank, comma, semicolon, slash, plus and colon separate; case does not count."""
    words = list(dict.fromkeys(filter(None, _APART.split(clean(text)))))
    return PurgeWords(
        frozenset(word.lower() for word in words) & frozenset(known),
        tuple(word for word in words if word.lower() not in known),
    )
