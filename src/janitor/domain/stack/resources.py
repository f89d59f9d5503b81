"""What a stack consists of, as CloudFormation tells it."""

from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct, field
from msgspec.structs import replace

from janitor.domain.errors import JanitorError
from janitor.domain.stack.statuses import GONE, HALF_DELETED

NESTED = "AWS::CloudFormation::Stack"
MOST_NESTED = 200
"""Nested stacks that are asked for what became of them."""

RETAINED = ("Retain", "RetainExceptOnCreate")
SKIPPED = "DELETE_SKIPPED"


class Resource(Struct, frozen=True):
    """A resource of a stack. Its ids and its reason are other people's text."""

    logical_id: str
    type: str
    physical_id: str = ""
    status: str = ""
    reason: str = ""
    policy: str = ""
    """Its DeletionPolicy, where that is not to delete."""
    stack_id: str = ""
    """The nested stack that it is in; empty for one of the root stack itself."""

    def __str__(self) -> str:
        return f"{self.logical_id} ({self.type} {self.physical_id or 'without an id'})"


PACED = frozenset(
    {
        "AWS::ApiGateway::RestApi",
        "AWS::ApiGateway::DomainName",
        "AWS::ApiGatewayV2::DomainName",
        "AWS::ApiGatewayV2::VpcLink",
    }
)
"""What AWS deletes one at a time in an account, as `domain.planning.api_gateway_pace` says."""


class Count(Struct, frozen=True):
    """How much a stack has."""

    resources: int
    """Its own, without those of nested stacks."""
    paced: int
    """Of those and of nested stacks, how many AWS deletes one at a time."""

    @classmethod
    def of(cls, snapshot: "Snapshot") -> "Count":
        """Count what a stack and its nested ones consist of."""
        found = snapshot.resources
        own = sum(not one.stack_id for one in found)
        return cls(own, sum(one.type in PACED for one in found))


class Snapshot(Struct, frozen=True):
    """What a stack consists of right before it is deleted."""

    resources: tuple[Resource, ...] = ()
    template: str = ""
    """The hash of the template, or why there is none."""
    nested: Mapping[str, str] = field(default_factory=dict)
    """The same of each nested stack, by its id, and why it could not be looked into."""

    @property
    def failed(self) -> tuple[Resource, ...]:
        """Return what an earlier deletion could not delete, in nested stacks that failed too."""
        failed: list[Resource] = []
        half_deleted = {""}
        for one in self.resources:  # A nested stack comes before what is in it.
            if one.status == HALF_DELETED and one.stack_id in half_deleted:
                failed.append(one)
                half_deleted.add(one.physical_id)
        return tuple(failed)


def whole(
    stack_id: str, read: Callable[[str], Snapshot], may_go_on: Callable[[], bool] = lambda: True
) -> Snapshot:
    """Return what a stack and its nested ones consist of, as `read` tells of each by its id.

    The stack's own come first. What is gone, or stays as a whole, is not looked into; nor is
    more once `may_go_on` says no, and that is said: it holds no deletion up.
    """
    root = read(stack_id)
    found, nested = [*root.resources], {stack_id: root.template}
    for one in found:  # It grows: a nested stack may have nested ones.
        child = one.physical_id
        if not _is_nested(one) or child in nested:
            continue
        if one.policy in RETAINED or one.status in (GONE, SKIPPED):
            continue
        if not may_go_on():
            nested[child] = "unknown: there was no time left to look into it"
            continue
        inner = read(child)
        nested[child] = inner.template
        found += within(one, inner.resources)
    del nested[stack_id]
    return replace(root, resources=tuple(found), nested=nested)


def with_nested(stack_id: str, read: Callable[[str], tuple[Resource, ...]]) -> tuple[Resource, ...]:
    """Return what became of the resources of a stack and of its nested ones, as `read` tells by id.

    A parent shows as deleted a child that has left something behind, so each one is asked.
    What is in a child is named after it: `Child/Table`. Raises `JanitorError` for too many.
    """
    found = [*read(stack_id)]
    asked = {stack_id}
    for one in found:  # It grows: a child may have children.
        child = one.physical_id
        if not _is_nested(one) or child in asked or one.status not in (GONE, HALF_DELETED):
            continue
        if len(asked) > MOST_NESTED:
            raise JanitorError(f"more than {MOST_NESTED} nested stacks, too many to ask each one")
        asked.add(child)
        found += within(one, read(child))
    return tuple(found)


def _is_nested(one: Resource) -> bool:
    return one.type == NESTED and one.physical_id.startswith("arn:")


def within(stack: Resource, resources: Iterable[Resource]) -> Iterable[Resource]:
    """Name what is in a nested stack after it, and say where it is."""
    return (
        replace(one, logical_id=f"{stack.logical_id}/{one.logical_id}", stack_id=stack.physical_id)
        for one in resources
    )
