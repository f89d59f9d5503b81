"""What a stack consists of, as CloudFormation tells it."""

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from janitor.core.errors import JanitorError
from janitor.core.statuses import GONE, HALF_DELETED

NESTED = "AWS::CloudFormation::Stack"
MOST_NESTED = 200
"""Nested stacks that are asked for what became of them."""


class Resource(Struct, frozen=True):
    """A resource of a stack. Its ids and its reason are other people's text."""

    logical_id: str
    type: str
    physical_id: str = ""
    status: str = ""
    reason: str = ""
    policy: str = ""
    """Its DeletionPolicy, where that is not to delete."""

    def __str__(self) -> str:
        return f"{self.logical_id} ({self.type} {self.physical_id or 'without an id'})"


class Snapshot(Struct, frozen=True):
    """What a stack consists of right before it is deleted."""

    resources: tuple[Resource, ...] = ()
    template: str = ""
    """The hash of the template, or why there is none."""

    @property
    def failed(self) -> tuple[Resource, ...]:
        """Return what an earlier deletion could not delete."""
        return tuple(one for one in self.resources if one.status == HALF_DELETED)


def with_nested(stack_id: str, read: Callable[[str], tuple[Resource, ...]]) -> tuple[Resource, ...]:
    """Return what became of the resources of a stack and of its nested ones, as `read` tells by id.

    A parent shows as deleted a child that has left something behind, so each one is asked.
    What is in a child is named after it: `Child/Table`. Raises `JanitorError` for too many.
    """
    found = [*read(stack_id)]
    asked = {stack_id}
    for one in found:  # It grows: a child may have children.
        child = one.physical_id
        is_read = one.type != NESTED or not child.startswith("arn:") or child in asked
        if is_read or one.status not in (GONE, HALF_DELETED):
            continue
        if len(asked) > MOST_NESTED:
            raise JanitorError(f"more than {MOST_NESTED} nested stacks, too many to ask each one")
        asked.add(child)
        found += [
            replace(inner, logical_id=f"{one.logical_id}/{inner.logical_id}")
            for inner in read(child)
        ]
    return tuple(found)
