"""CloudFormation as an object in memory: what other hands do, and how deletions end."""

from collections.abc import Callable, Mapping
from datetime import datetime

from msgspec.structs import replace
from tests.fakes.resources import MemoryResources

from janitor.adapters.aws.failure_reasons import capped
from janitor.application.ports import Clock
from janitor.domain.model import Stack
from janitor.domain.stack.resources import NESTED, Resource
from janitor.domain.stack.toolkits import toolkit_of

GONE = "DELETE_COMPLETE"
_ID = "arn:aws:cloudformation:{}:123456789012:stack/{}/00000000-0000-4000-8000-{:012d}"


class Hands:
    """The stacks in a dictionary, and all that befalls them but for what the janitor does.

    A deletion stays DELETE_IN_PROGRESS until `finish`, or ends at once with `auto_finish`.
    """

    def __init__(self, clock: Clock, *, auto_finish: bool = False) -> None:
        self.clock = clock
        self.auto_finish = auto_finish
        self.stacks: dict[str, Stack] = {}
        self.refused_regions: dict[str, str] = {}
        self.calls: list[tuple[str, ...]] = []
        self.resources = MemoryResources()
        self.resources.ends_nested = self._end_nested
        self.imports: dict[str, tuple[str, ...]] = {}
        self.gone_roles: set[str] = set()  # CloudFormation can no longer assume them
        self.stuck: set[str] = set()  # stacks whose deletion does not come to an end
        self.throttled = 0  # so many calls to come are refused for being too many
        self._held: dict[str, list[str]] = {}
        self._former: dict[str, str] = {}
        self._tokens: dict[str, datetime | None] = {}

    def create(
        self,
        name: str,
        region: str = "eu-central-1",
        tags: Mapping[str, str] | None = None,
        *,
        created: datetime | None = None,
        status: str = "CREATE_COMPLETE",
        parent_id: str | None = None,
        termination_protection: bool = False,
        exports: tuple[str, ...] = (),
        outputs: tuple[str, ...] = (),
        imports: tuple[str, ...] = (),
        role: str = "",
        resources: tuple[Resource, ...] | None = None,
    ) -> Stack:
        """Deploy a new stack; a name may be used again once its stack is gone."""
        number = len(self.stacks) + 1
        stack_id = _ID.format(region, name, number)
        stack = Stack(
            stack_id=stack_id,
            name=name,
            region=region,
            status=status,
            created=created or self.clock(),
            tags=dict(tags or {}),
            parent_id=parent_id,
            termination_protection=termination_protection,
            exports=exports,
            role=role,
            outputs={name: f"value of {name}" for name in (*exports, *outputs)},
            toolkit=toolkit_of(outputs, ""),
        )
        self.stacks[stack_id] = stack
        self.imports[stack_id] = imports
        if resources is None:
            resources = (Resource("Queue", "AWS::SQS::Queue", f"{name}-queue-{number}"),)
        self.resources.put(stack_id, resources)
        if parent_id in self.stacks:
            part = Resource(name, NESTED, stack_id)
            self.resources.put(parent_id, (*self.resources.of(parent_id), part))
        return stack

    def redeploy(self, stack_id: str, tags: Mapping[str, str] | None = None) -> Stack:
        """Update a stack by another hand; given tags replace all there were."""
        found, now = self.stacks[stack_id], self.clock()
        full = found.tags if tags is None else dict(tags)
        self.stacks[stack_id] = replace(found, updated=now, status="UPDATE_COMPLETE", tags=full)
        return self.stacks[stack_id]

    def set(self, stack_id: str, status: str, reason: str = "") -> Stack:
        """Bring a stack into a status."""
        stack = replace(self.stacks[stack_id], status=status, status_reason=capped(reason))
        self.stacks[stack_id] = stack
        return self.stacks[stack_id]

    def lock(self, stack_id: str, *, on: bool = True) -> None:
        """Switch termination protection by another hand."""
        self.stacks[stack_id] = replace(self.stacks[stack_id], termination_protection=on)

    def link(self, stack_id: str, *imports: str) -> None:
        """Let a deployment import exports of other stacks."""
        self.imports[stack_id] = imports

    def remove(self, stack_id: str) -> None:
        """Delete a stack by another hand, and what is nested in it."""
        self.set(stack_id, GONE)
        self.resources.put(stack_id, ())
        for nested in [one.stack_id for one in self.stacks.values() if one.parent_id == stack_id]:
            self.remove(nested)

    def fail(
        self, stack_id: str, times: int = 1, reason: str = "resource in use", resource: str = ""
    ) -> None:
        """Let the next `times` deletions of a stack end in DELETE_FAILED, over one resource."""
        self.resources.fail(stack_id, times, reason, resource)

    def hold(self, stack_id: str, importer: str) -> None:
        """Let the next deletion fall back to the former status: an export is in use."""
        reason = f"Export {self.stacks[stack_id].name} cannot be deleted as it is in use by "
        self._held.setdefault(stack_id, []).append(reason + importer)

    def finish(self, stack_id: str) -> Stack:
        """Bring a deletion under way to its end."""
        stack = self.stacks[stack_id]
        if stack.status != "DELETE_IN_PROGRESS" or stack_id in self.stuck:
            return stack
        if held := self._held.get(stack_id):
            return self.set(stack_id, self._former[stack_id], held.pop(0))
        if reason := self._in_use(stack):
            return self.set(stack_id, self._former[stack_id], reason)
        failed = self.resources.delete(stack_id, stack.role)
        return self.set(stack_id, "DELETE_FAILED" if failed else GONE, failed)

    def _end_nested(self, stack_id: str, delete: Callable[[], str]) -> str:
        """Let a nested stack go with its root, once nobody imports what it exports."""
        stack = self.stacks.get(stack_id)
        if stack is None:
            return delete()
        failed = self._in_use(stack) or delete()
        self.set(stack_id, "DELETE_FAILED" if failed else GONE, failed)
        return failed and f"Embedded stack {stack_id} was not successfully deleted: {failed}"

    def _in_use(self, stack: Stack) -> str:
        """Say who else imports what it exports; those in which it is nested are on their way out."""
        above, parent = {stack.name}, stack.parent_id
        while parent in self.stacks:
            above.add(self.stacks[parent].name)
            parent = self.stacks[parent].parent_id
        for export in stack.exports:
            for user in self.importing(stack, export):
                if user not in above:
                    return f"Export {export} cannot be deleted as it is in use by {user}"
        return ""

    def refuse(self, region: str, error: str) -> None:
        """Refuse every call to a region; an empty error ends that."""
        self.refused_regions[region] = error

    def importing(self, stack: Stack, export: str) -> tuple[str, ...]:
        """Name the stacks that import an export right now."""
        return tuple(
            sorted(
                other.name
                for other in tuple(self.stacks.values())
                if export in self.imports.get(other.stack_id, ())
                and (other.region, other.status != GONE) == (stack.region, True)
            )
        )
