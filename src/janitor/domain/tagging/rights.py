"""Whether the sweep's role can pass a stack's tags on to what is in the stack.

Without a service role CloudFormation tags a stack's resources with the caller's permissions, and
one that it may not tag rolls the whole update back. So the types are looked up first. What is
known of each comes from AWS's own schemas: tools/tagging_rights.py, docs/adr/0024.
"""

import re
from collections.abc import Iterable
from functools import cache

CHANGE_SET = "janitor-tags"
"""The one name of change sets that the sweep's role may make, execute and delete."""

_PART = "[A-Za-z0-9]{2,64}"
OTHERS = re.compile(rf"(?!(AWS|AMZN)::){_PART}::{_PART}::{_PART}", re.IGNORECASE)
"""Types that others publish: CloudFormation calls their handlers with a role of their own.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/registry-public.html"""


def uncovered(types: Iterable[str]) -> tuple[str, ...]:
    """Return those of some resource types that take tags and that the sweep's role cannot tag.

    In order, each once. Never custom resources, types of others, and types without tags. A type
    that nobody knows is among them: unknown means no. Those of `at_creation_only` are not.
    """
    signs = _signs()
    return tuple(
        sorted(
            one for one in set(types) if signs.get(one, "+" if _is_of_others(one) else "-") == "-"
        )
    )


def at_creation_only(types: Iterable[str]) -> tuple[str, ...]:
    """Return those of some resource types that take tags, but none by an update. In order."""
    signs = _signs()
    return tuple(sorted(one for one in set(types) if signs.get(one) == "!"))


def _is_of_others(one: str) -> bool:
    return one.startswith("Custom::") or OTHERS.fullmatch(one) is not None


@cache
def _signs() -> dict[str, str]:
    """Return of every type its sign: + can be tagged, - cannot, ! at creation only, = has no tags."""
    from janitor.domain.tagging.taggable_types import TYPES  # noqa: PLC0415 - cold starts do not need it

    signs: dict[str, str] = {}
    service = ""
    for word in TYPES.split():
        if word[0] in "+-!=":
            signs[f"{service}::{word[1:]}"] = word[0]
        else:
            service = word
    return signs
