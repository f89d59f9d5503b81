"""Families: a root stack, all that is nested in it, and its companion, which go when it goes."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from janitor.domain.model import Stack
from janitor.domain.stack.companions import with_companions


def with_families(stacks: Iterable[Stack]) -> list[Stack]:
    """Return the stacks of one listing, each root with what the others of its family add to it.

    Nested stacks live where their root does. One whose parent is not listed counts as a root.
    """
    listed = list(stacks)
    by_id = {stack.stack_id: stack for stack in listed}
    nested: defaultdict[str, list[Stack]] = defaultdict(list)
    for stack in by_id.values():
        root = _root(stack, by_id)
        if root is not stack:
            nested[root.stack_id].append(stack)
    return with_companions(
        [
            _joined(stack, nested[stack.stack_id]) if stack.stack_id in nested else stack
            for stack in listed
        ]
    )


def _root(stack: Stack, by_id: Mapping[str, Stack]) -> Stack:
    """Climb from parent to parent, through none of them twice."""
    seen: set[str] = set()
    while (parent := by_id.get(stack.parent_id or "")) and parent.stack_id not in seen:
        seen.add(parent.stack_id)
        stack = parent
    return stack


def _joined(root: Stack, nested: Iterable[Stack]) -> Stack:
    family = (root, *nested)
    return replace(
        root,
        exports=tuple(dict.fromkeys(export for stack in family for export in stack.exports)),
        nested=tuple(stack.name for stack in nested),
        reads_ssm=any(stack.reads_ssm for stack in family),
        resolves=next((stack.resolves for stack in family if stack.resolves), ""),
    )
