"""CloudFormation as an object in memory: what the janitor asks of it, and its refusals."""

from collections.abc import Callable, Iterable, Iterator

from msgspec.structs import replace
from tests.fakes.stack_state import GONE
from tests.fakes.tagging import MemoryTagging

from janitor.application.ports import PLAIN
from janitor.domain.deletion.strategy import Step
from janitor.domain.errors import DeleteRefused, JanitorError, StackNotFound
from janitor.domain.model import Stack
from janitor.domain.planning.plan import Listing
from janitor.domain.stack.resources import Count, Resource, Snapshot


class MemoryStacks(MemoryTagging):
    """The `Stacks` port in memory, with a record of every call in `calls`."""

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
            raise DeleteRefused(
                f"Stack [{stack_id}] cannot be deleted while TerminationProtection is enabled"
            )
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

    def count(self, stack_id: str) -> Count:
        self.calls.append(("count", stack_id))
        self._find(stack_id)
        return Count.of(self.resources.snapshot(stack_id, lambda: True))

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
