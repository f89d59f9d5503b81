"""Tags that a deployment dropped: what they said goes on, until others are put in their place.

`cdk deploy` and `sam deploy` without `--tags` drop the tags of the deployment before. So
a lease remembers the tags that count. Of each kind (lifetime, owner) the remembered ones
hold as long as no tag of that kind is there. Protection holds with them: taken away alone,
somebody meant it.
"""

from collections.abc import Collection, Mapping

from msgspec import Struct
from msgspec.structs import replace

from janitor.core.model import Lease, Stack
from janitor.core.policy import Policy


class Standing(Struct, frozen=True):
    """A stack with the tags that hold, and which of them it lacks."""

    stack: Stack
    lacks: tuple[str, ...] = ()


def as_it_stood(stack: Stack, lease: Lease, policy: Policy) -> Standing:
    """Return the stack with the tags that hold for it."""
    remembered = {key: value for key, value in lease.tags if key not in stack.tags}
    if not remembered:
        return Standing(stack)
    kinds = policy.tag_kinds
    held = {
        key: value
        for kind in (kinds.lifetime, kinds.owner)
        if not _has_any(stack.tags, kind)
        for key, value in remembered.items()
        if key in kind
    }
    is_bare = not any(
        _has_any(stack.tags, kind) for kind in (kinds.lifetime, kinds.owner, kinds.protect)
    )
    if held or is_bare:
        held |= {key: value for key, value in remembered.items() if key in kinds.protect}
    standing = replace(stack, tags={**stack.tags, **held})
    if policy.rule_for(standing) is None:
        # What selected it was dropped. If all of its tags do not select it, an edit of the policy did that.
        whole = replace(stack, tags={**stack.tags, **remembered})
        if policy.rule_for(whole) is not None:
            standing, held = whole, remembered
    return Standing(standing, tuple(sorted(held))) if held else Standing(stack)


def _has_any(tags: Mapping[str, str], keys: Collection[str]) -> bool:
    return any(key in tags for key in keys)


def tags_that_count(stack: Stack, policy: Policy) -> tuple[tuple[str, str], ...]:
    """Return what a lease remembers of a stack's tags."""
    counts = policy.tag_kinds.counts
    return tuple(sorted((key, value) for key, value in stack.tags.items() if key in counts))
