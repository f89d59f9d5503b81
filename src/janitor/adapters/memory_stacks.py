"""CloudFormation as an object in memory: its refusals, and deletions that end later."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime

from msgspec.structs import replace

from janitor.adapters.memory_resources import MemoryResources
from janitor.adapters.ports import PLAIN, Clock
from janitor.adapters.stack_rules import region_of, tags_to_send
from janitor.core.errors import DeleteRefused, JanitorError, StackNotFound, TagRefused
from janitor.core.ladder import Step
from janitor.core.model import Stack
from janitor.core.plan import Listing
from janitor.core.resources import Resource, Snapshot

GONE = "DELETE_COMPLETE"
_ID = "arn:aws:cloudformation:{}:123456789012:stack/{}/00000000-0000-4000-8000-{:012d}"


class MemoryStacks:
    """CloudFormation in a dictionary, with a record of every call in `calls`.

    A deletion stays DELETE_IN_PROGRESS until `finish`, or ends at once with `auto_finish`.
    """

    def __init__(self, clock: Clock, *, auto_finish: bool = False) -> None:
        self.clock = clock
        self.auto_finish = auto_finish
        self.stacks: dict[str, Stack] = {}
        self.refused_regions: dict[str, str] = {}
        self.calls: list[tuple[str, ...]] = []
        self.resources = MemoryResources()
        self.imports: dict[str, tuple[str, ...]] = {}
        self.gone_roles: set[str] = set()  # CloudFormation can no longer assume them
        self.stuck: set[str] = set()  # stacks whose deletion does not come to an end
        self.throttled = 0  # so many calls to come are refused for being too many
        self._held: dict[str, list[str]] = {}
        self._former: dict[str, str] = {}
        self._tokens: dict[str, datetime | None] = {}

    # What other hands do.

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
            outputs={name: f"value of {name}" for name in exports},
        )
        self.stacks[stack_id] = stack
        self.imports[stack_id] = imports
        if resources is None:
            resources = (Resource("Queue", "AWS::SQS::Queue", f"{name}-queue-{number}"),)
        self.resources.put(stack_id, resources)
        return stack

    def redeploy(self, stack_id: str, tags: Mapping[str, str] | None = None) -> Stack:
        """Update a stack by another hand; given tags replace all there were."""
        found, now = self.stacks[stack_id], self.clock()
        full = found.tags if tags is None else dict(tags)
        self.stacks[stack_id] = replace(found, updated=now, status="UPDATE_COMPLETE", tags=full)
        return self.stacks[stack_id]

    def set(self, stack_id: str, status: str, reason: str = "") -> Stack:
        """Bring a stack into a status."""
        self.stacks[stack_id] = replace(self.stacks[stack_id], status=status, status_reason=reason)
        return self.stacks[stack_id]

    def lock(self, stack_id: str, *, on: bool = True) -> None:
        """Switch termination protection by another hand."""
        self.stacks[stack_id] = replace(self.stacks[stack_id], termination_protection=on)

    def link(self, stack_id: str, *imports: str) -> None:
        """Let a deployment import exports of other stacks."""
        self.imports[stack_id] = imports

    def remove(self, stack_id: str) -> None:
        """Delete a stack by another hand."""
        self.set(stack_id, GONE)
        self.resources.put(stack_id, ())

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
        for export in stack.exports:
            if users := self.importing(stack, export):
                reason = f"Export {export} cannot be deleted as it is in use by {users[0]}"
                return self.set(stack_id, self._former[stack_id], reason)
        failed = self.resources.delete(stack_id, stack.role)
        return self.set(stack_id, "DELETE_FAILED" if failed else GONE, failed)

    def refuse(self, region: str, error: str) -> None:
        """Refuse every call to a region; an empty error ends that."""
        self.refused_regions[region] = error

    # What the janitor does.

    def list_all(self, regions: Iterable[str]) -> Iterator[Listing]:
        """List each region, but for those that `refuse` named."""
        for region in regions:
            self.calls.append(("list", region))
            if error := self.refused_regions.get(region):
                yield Listing(region, error=error)
                continue
            # The list does not say reliably who is protected: here it never does.
            yield Listing(
                region,
                tuple(
                    replace(stack, termination_protection=False, outputs={})
                    for stack in tuple(self.stacks.values())
                    if stack.region == region and stack.status != GONE
                ),
            )

    def describe(self, stack_id: str) -> Stack | None:
        """Return a stack, a deleted one too."""
        self.calls.append(("describe", stack_id))
        return self._find(stack_id)

    def tag(
        self,
        stack: Stack,
        put: Mapping[str, str],
        remove: Collection[str],
        token: str,
        *,
        read_back: bool = True,
    ) -> datetime | None:
        """Update the tags as CloudFormation would."""
        self.calls.append(("tag", stack.stack_id, token))
        found = self._find(stack.stack_id)
        if found is None:
            raise TagRefused(f"{stack.name} does not exist")
        full = tags_to_send(found, stack, put, remove)
        if full == found.tags:
            return None
        updated = self._tokens[token] = self.redeploy(stack.stack_id, full).updated
        return updated if read_back else None

    def own_update(self, stack_id: str, token: str) -> datetime | None:
        """Return when a stack was updated last, if it was by this token."""
        found = self._find(stack_id)
        return found.updated if found and self._tokens.get(token) == found.updated else None

    def delete(self, stack_id: str, token: str, step: Step = PLAIN) -> str:
        """Begin a deletion as CloudFormation would."""
        self.calls.append(("delete", stack_id, token))
        if (found := self._find(stack_id)) is None:
            raise StackNotFound(f"{stack_id} does not exist")
        if self.throttled:
            self.throttled -= 1
            raise DeleteRefused(f"{found.name}: Rate exceeded", said="Throttling: Rate exceeded")
        request_id = f"request-{token}"
        if found.status in (GONE, "DELETE_IN_PROGRESS") or token in self._tokens:
            return request_id
        if found.termination_protection:
            raise DeleteRefused(f"{found.name} has termination protection")
        if found.status.endswith("_IN_PROGRESS") and found.status != "REVIEW_IN_PROGRESS":
            raise DeleteRefused(f"{found.name} cannot be deleted while in status {found.status}")
        if step.rung.is_last_resort and found.status != "DELETE_FAILED":
            raise DeleteRefused(f"{found.name} is not in DELETE_FAILED state")
        role = step.role or found.role
        if role in self.gone_roles:
            raise DeleteRefused(f"{found.name}: Role {role} is invalid or cannot be assumed")
        self._tokens[token] = None
        self._former[stack_id] = found.status
        # A role that was passed stays on the stack.
        self.stacks[stack_id] = replace(found, role=role)
        self.resources.begin(stack_id, step, afresh=found.status != "DELETE_FAILED")
        self.set(stack_id, "DELETE_IN_PROGRESS")
        if self.auto_finish:
            self.finish(stack_id)
        return request_id

    def importers(self, stack_id: str, export: str) -> tuple[str, ...]:
        """Name the stacks that import an export."""
        self.calls.append(("importers", stack_id, export))
        found = self._find(stack_id)
        return self.importing(found, export) if found else ()

    def count(self, stack_id: str) -> int:
        self.calls.append(("count", stack_id))
        self._find(stack_id)
        return len(self.resources.of(stack_id))

    def snapshot(self, stack: Stack, may_go_on: Callable[[], bool] = lambda: True) -> Snapshot:
        """Return what a stack consists of."""
        self.calls.append(("snapshot", stack.stack_id))
        self._find(stack.stack_id)
        return self.resources.snapshot(stack.stack_id, may_go_on)

    def fates(self, stack_id: str) -> tuple[Resource, ...]:
        self.calls.append(("fates", stack_id))
        self._find(stack_id)
        return self.resources.fates(stack_id)

    def protect(self, stack_id: str, *, on: bool) -> None:
        """Switch termination protection."""
        self.calls.append(("protect" if on else "unprotect", stack_id))
        found = self._find(stack_id)
        if found is None or found.status in (GONE, "DELETE_IN_PROGRESS"):
            raise JanitorError(f"the protection of {stack_id} cannot be switched")
        self.stacks[stack_id] = replace(found, termination_protection=on)

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

    def _find(self, stack_id: str) -> Stack | None:
        region = region_of(stack_id)
        if error := self.refused_regions.get(region):
            raise JanitorError(f"CloudFormation in {region} refused: {error}")
        return self.stacks.get(stack_id)
