"""The companion stack that SAM makes beside a stack whose functions are images.

It holds their repositories, has no tags, and is no nested stack. SAM names it after its parent,
with a checksum of the parent's name, and `sam deploy` and `sam delete` find it by that alone:
https://github.com/aws/aws-sam-cli/blob/develop/samcli/lib/bootstrap/companion_stack/data_types.py.
"""

import hashlib
import re
from collections.abc import Iterable

from msgspec.structs import replace

from janitor.domain.model import Stack

MOST_OF_A_NAME = 104
"""A stack's name has 128 characters at most, and SAM's own part of it 24."""

_END = "-CompanionStack"
_NAME = re.compile(rf"(?P<parent>.{{1,104}})-(?P<checksum>[0-9a-f]{{8}}){_END}")


def companion_name(parent: str) -> str:
    """Return what SAM calls the companion of a stack of this name."""
    return f"{parent[:MOST_OF_A_NAME]}-{_checksum(parent)}{_END}"


def parent_in(name: str) -> str:
    """Return the parent's name as far as it stands in a companion's; nothing if this is none.

    A parent's name that was cut off cannot be told from its checksum.
    """
    # Every stack of a sweep is asked.
    found = _NAME.fullmatch(name) if name.endswith(_END) else None
    if found is None:
        return ""
    parent = found["parent"]
    is_cut = len(parent) == MOST_OF_A_NAME
    return parent if is_cut or _checksum(parent) == found["checksum"] else ""


def with_companions(stacks: list[Stack]) -> list[Stack]:
    """Let the stacks of one region know their companions, and these their parents."""
    companions = {s.name: s for s in stacks if s.parent_id is None and parent_in(s.name)}
    if not companions:
        return stacks
    parents = {companion_name(s.name): s for s in stacks if s.parent_id is None}
    return list(_introduced(stacks, companions, parents))


def _introduced(
    stacks: Iterable[Stack], companions: dict[str, Stack], parents: dict[str, Stack]
) -> Iterable[Stack]:
    own = {p.stack_id: companions[name] for name, p in parents.items() if name in companions}
    for stack in stacks:
        if companion := own.get(stack.stack_id):
            nested = (*stack.nested, companion.name)
            yield replace(stack, companion=companion.stack_id, nested=nested)
        elif stack.name in companions and stack.name in parents:
            yield replace(stack, companion_of=parents[stack.name].name)
        else:
            yield stack


def _checksum(name: str) -> str:
    return hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()[:8]
