"""CloudFormation as an object in memory: its refusals, and deletions that end later."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from janitor.adapters.ports import Clock
from janitor.adapters.stack_rules import region_of, tags_to_send
from janitor.core.errors import DeleteRefused, JanitorError, StackNotFound, TagRefused
from janitor.core.model import Stack
from janitor.core.plan import Listing

GONE = "DELETE_COMPLETE"


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
        self._outcomes: dict[str, list[tuple[str, str]]] = {}
        self._former: dict[str, str] = {}
        self._tokens: set[str] = set()

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
    ) -> Stack:
        """Deploy a new stack; a name may be used again once its stack is gone."""
        number = len(self.stacks) + 1
        stack_id = (
            f"arn:aws:cloudformation:{region}:123456789012:stack/{name}/"
            f"00000000-0000-4000-8000-{number:012d}"
        )
        stack = Stack(
            stack_id=stack_id,
            name=name,
            region=region,
            status=status,
            created=created or self.clock(),
            tags=dict(tags or {}),
            parent_id=parent_id,
            termination_protection=termination_protection,
        )
        self.stacks[stack_id] = stack
        return stack

    def redeploy(self, stack_id: str, tags: Mapping[str, str] | None = None) -> Stack:
        """Update a stack by another hand; given tags replace all there were."""
        now = self.clock()
        stack = replace(self.stacks[stack_id], updated=now, status="UPDATE_COMPLETE")
        if tags is not None:
            stack = replace(stack, tags=dict(tags))
        self.stacks[stack_id] = stack
        return stack

    def set(self, stack_id: str, status: str, reason: str = "") -> Stack:
        """Bring a stack into a status."""
        stack = replace(self.stacks[stack_id], status=status, status_reason=reason)
        self.stacks[stack_id] = stack
        return stack

    def protect(self, stack_id: str, on: bool = True) -> None:
        """Switch termination protection."""
        self.stacks[stack_id] = replace(self.stacks[stack_id], termination_protection=on)

    def remove(self, stack_id: str) -> None:
        """Delete a stack by another hand."""
        self.set(stack_id, GONE)

    def fail(self, stack_id: str, times: int = 1, reason: str = "resource in use") -> None:
        """Let the next `times` deletions of a stack end in DELETE_FAILED."""
        self._outcomes.setdefault(stack_id, []).extend([("DELETE_FAILED", reason)] * times)

    def hold(self, stack_id: str, importer: str) -> None:
        """Let the next deletion fall back to the former status: an export is in use."""
        reason = f"Export {self.stacks[stack_id].name} cannot be deleted as it is in use by "
        self._outcomes.setdefault(stack_id, []).append(("", reason + importer))

    def finish(self, stack_id: str) -> Stack:
        """Bring a deletion under way to its end."""
        if self.stacks[stack_id].status != "DELETE_IN_PROGRESS":
            return self.stacks[stack_id]
        planned = self._outcomes.get(stack_id)
        status, reason = planned.pop(0) if planned else (GONE, "")
        return self.set(stack_id, status or self._former[stack_id], reason)

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
                    replace(stack, termination_protection=False)
                    for stack in tuple(self.stacks.values())
                    if stack.region == region and stack.status != GONE
                ),
            )

    def describe(self, stack_id: str) -> Stack | None:
        """Return a stack, a deleted one too."""
        self.calls.append(("describe", stack_id))
        return self._find(stack_id)

    def tag(
        self, stack: Stack, put: Mapping[str, str], remove: Collection[str], token: str
    ) -> datetime | None:
        """Update the tags as CloudFormation would."""
        self.calls.append(("tag", stack.stack_id, token))
        found = self._find(stack.stack_id)
        if found is None:
            raise TagRefused(f"{stack.name} does not exist")
        full = tags_to_send(found, stack, put, remove)
        return None if full == found.tags else self.redeploy(stack.stack_id, full).updated

    def delete(self, stack_id: str, token: str) -> str:
        """Begin a deletion as CloudFormation would."""
        self.calls.append(("delete", stack_id, token))
        found = self._find(stack_id)
        if found is None:
            raise StackNotFound(f"{stack_id} does not exist")
        request_id = f"request-{token}"
        if found.status in (GONE, "DELETE_IN_PROGRESS") or token in self._tokens:
            return request_id
        if found.termination_protection:
            raise DeleteRefused(f"{found.name} has termination protection", retry=False)
        if found.status.endswith("_IN_PROGRESS") and found.status != "REVIEW_IN_PROGRESS":
            raise DeleteRefused(f"{found.name} cannot be deleted while in status {found.status}")
        self._tokens.add(token)
        self._former[stack_id] = found.status
        self.set(stack_id, "DELETE_IN_PROGRESS")
        if self.auto_finish:
            self.finish(stack_id)
        return request_id

    def _find(self, stack_id: str) -> Stack | None:
        region = region_of(stack_id)
        if error := self.refused_regions.get(region):
            raise JanitorError(f"CloudFormation in {region} refused: {error}")
        return self.stacks.get(stack_id)
