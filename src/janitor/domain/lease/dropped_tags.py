"""Tags that a deployment dropped: what they said goes on, until others are put in their place.

`cdk deploy` and `sam deploy` without `--tags` drop the tags of the deployment before. So
a lease remembers the tags that count. Of each kind (lifetime, owner) the remembered ones
hold as long as no tag of that kind is there. What else rules select by holds where nothing
of both is there. Protection holds with them: taken away alone,
somebody meant it.
"""

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from janitor.domain.model import Lease, Stack
from janitor.domain.policy.model import Policy
from janitor.domain.stack.tag_keys import near_misses, protection


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
        if not any(key in stack.tags for key in kind)
        for key, value in remembered.items()
        if key in kind
    }
    says_nothing = not any(key in kinds.lifetime or key in kinds.owner for key in stack.tags)
    if held and says_nothing:
        held = dict(remembered)  # All were dropped together: what rules select by, too.
    elif held or (says_nothing and not _keeping(stack.tags, policy)):
        mended = _mended(remembered, stack.tags, policy)
        held |= {key: remembered[key] for key in _keeping(remembered, policy) - mended}
    standing = replace(stack, tags={**stack.tags, **held})
    if policy.rule_for(standing) is None:
        # What selected it was dropped. If not even all of its tags select it, a policy edit did that.
        whole = replace(stack, tags={**stack.tags, **remembered})
        if policy.rule_for(whole) is not None:
            standing, held = whole, remembered
    return Standing(standing, tuple(sorted(held))) if held else Standing(stack)


def tags_that_count(stack: Stack, policy: Policy) -> tuple[tuple[str, str], ...]:
    """Return what a lease remembers of a stack's tags."""
    counts = policy.tag_kinds.counts
    keeping = _keeping(stack.tags, policy)
    found = [one for one in stack.tags.items() if one[0] in counts or one[0] in keeping]
    return tuple(sorted(found))


def _keeping(tags: Mapping[str, str], policy: Policy) -> set[str]:
    """Return the keys by which somebody meant to keep a stack, however they wrote it."""
    found = protection(tags, policy.tag_kinds.protect)
    near = {missed.key for missed in near_misses(tags, policy.tag_kinds.counts)}
    return near | ({found[0]} if found else set())


def _mended(remembered: Mapping[str, str], tags: Mapping[str, str], policy: Policy) -> set[str]:
    """Return the keys that were nearly right, where the right one is there by now."""
    kinds = policy.tag_kinds
    right = kinds.lifetime if any(key in tags for key in kinds.lifetime) else frozenset()
    near = near_misses(remembered, kinds.counts)
    return {missed.key for missed in near if missed.meant in tags or missed.meant in right}
