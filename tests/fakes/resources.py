"""What stacks in memory consist of: why some of it will not go, and how to empty it."""

from collections import defaultdict
from collections.abc import Callable

from msgspec.structs import replace

from janitor.adapters.aws.failure_reasons import capped
from janitor.application.ports import Purged
from janitor.domain.deletion.strategy import PURGEABLE, Rung, Step
from janitor.domain.stack.resources import NESTED, RETAINED, Resource, Snapshot, whole, with_nested

NOT_EMPTY = {
    "AWS::S3::Bucket": "The bucket you tried to delete is not empty",
    "AWS::ECR::Repository": "The repository cannot be deleted because it still contains images",
    "AWS::Athena::WorkGroup": "WorkGroup is not empty (Service: Athena, Status Code: 400)",
    "AWS::Backup::BackupVault": "Backup vault cannot be deleted because it contains recovery points.",
}
BATCH = 1000


class MemoryResources:
    """The resources of each stack, and what becomes of them in a deletion."""

    def __init__(self) -> None:
        self.contents: dict[str, int] = defaultdict(int)
        """What is in a bucket, repository and the like, by physical id."""
        self.says: dict[str, str] = {}
        """What AWS says of one that it does not delete, by physical id, for as long as it stands here."""
        self.made_for: dict[str, str] = {}
        """The other stack that a name has passed on to, by physical id."""
        self.needs: dict[str, str] = {}
        """What one needs, by logical ids: it is not even tried as long as that one stands."""
        self.denied_to: set[str] = set()
        """Roles that may delete nothing any more."""
        self.ends_nested: Callable[[str, Callable[[], str]], str] = lambda _, delete: delete()
        """Ends the deletion of a nested stack, which `delete` does; the reason if it fails."""
        self._there: dict[str, dict[str, Resource]] = {}
        self._fates: dict[str, dict[str, Resource]] = {}
        self._steps: dict[str, Step] = {}
        self._failing: dict[str, list[tuple[str, str]]] = {}

    def put(self, stack_id: str, resources: tuple[Resource, ...]) -> None:
        """Let a stack consist of these."""
        self._there[stack_id] = {
            one.logical_id: replace(one, status=one.status or "CREATE_COMPLETE")
            for one in resources
        }

    def of(self, stack_id: str) -> tuple[Resource, ...]:
        """Return what a stack consists of now."""
        return tuple(self._there.get(stack_id, {}).values())

    def snapshot(self, stack_id: str, may_go_on: Callable[[], bool]) -> Snapshot:
        """Return what a stack consists of now, nested stacks too."""
        return whole(
            stack_id, lambda one: Snapshot(self.of(one), f"sha256:{one.split('/')[1]}"), may_go_on
        )

    def fates(self, stack_id: str) -> tuple[Resource, ...]:
        """Return what became of each since the deletion began, in nested stacks too."""
        return with_nested(stack_id, lambda one: tuple(self._fates.get(one, {}).values()))

    def fail(self, stack_id: str, times: int, reason: str, resource: str) -> None:
        """Let `times` deletions fail over one resource, the first if none is named."""
        self._failing.setdefault(stack_id, []).extend([(resource, reason)] * times)

    def begin(self, stack_id: str, step: Step, *, afresh: bool) -> None:
        """Remember how a deletion was asked for."""
        self._steps[stack_id] = step
        if afresh:
            self._fates[stack_id] = {}

    def delete(self, stack_id: str, role: str) -> str:
        """Delete what can be deleted; return the reason if something could not."""
        step, there = self._steps[stack_id], self._there[stack_id]
        fates = self._fates.setdefault(stack_id, {})
        retained = {one.logical_id for one in step.retain} if step.rung is Rung.RETAIN else set()
        failing = self._failing.get(stack_id)
        name, reason = failing.pop(0) if failing else ("", "")
        stubborn = name or (next(iter(there), "") if reason else "")
        failed: list[str] = []
        untried = {
            self.needs[one.logical_id]
            for one in there.values()
            if one.logical_id in self.needs
            and one.logical_id not in retained
            and (one.logical_id == stubborn or self._hindrance(one, role))
        }
        for one in tuple(there.values()):
            why = reason if one.logical_id == stubborn else self._hindrance(one, role)
            if one.logical_id in untried and not _forces(step):
                continue
            is_forced = _forces(step) and (why or one.logical_id in untried)
            if one.policy in RETAINED or one.logical_id in retained or is_forced:
                status = "DELETE_SKIPPED"
            elif why := why or self._delete_nested(one, role):
                status = "DELETE_FAILED"
                failed.append(one.logical_id)
            else:
                status = "DELETE_COMPLETE"
            fates[one.logical_id] = replace(one, status=status, reason=capped(why))
            if status == "DELETE_FAILED":
                there[one.logical_id] = fates[one.logical_id]
            else:
                del there[one.logical_id]
        if not failed:
            return ""
        return reason or f"The following resource(s) failed to delete: [{', '.join(failed)}]."

    def _delete_nested(self, one: Resource, role: str) -> str:
        """Delete a nested stack with its parent; return the reason if something could not."""
        if one.type != NESTED or one.physical_id not in self._there:
            return ""
        self._steps.setdefault(one.physical_id, Step())
        return self.ends_nested(one.physical_id, lambda: self.delete(one.physical_id, role))

    def _hindrance(self, one: Resource, role: str) -> str:
        if role and role in self.denied_to:
            return f"AccessDenied: {role} is not authorized to delete {one.physical_id}"
        if self.contents.get(one.physical_id):
            return NOT_EMPTY[one.type]
        return self.says.get(one.physical_id, "")


def _forces(step: Step) -> bool:
    return step.rung is Rung.FORCE


class MemoryPurger:
    """Empties the buckets or the repositories in memory, a thousand things at a time."""

    def __init__(self, resources: MemoryResources, kind: str) -> None:
        self._resources = resources
        self.kind = kind
        self.calls: list[tuple[str, str]] = []

    def purge(self, stack_id: str, resource: Resource, may_go_on: Callable[[], bool]) -> Purged:
        """Empty a resource."""
        self.calls.append((stack_id, resource.physical_id))
        if PURGEABLE.get(resource.type) != self.kind:
            raise AssertionError(f"{resource} is none of {self.kind}")
        is_listed = resource.physical_id in {o.physical_id for o in self._resources.of(stack_id)}
        made_for = self._resources.made_for.get(resource.physical_id, stack_id)
        if not is_listed or made_for != stack_id:
            return Purged({}, is_empty=False, problem="what has this name now is left alone")
        contents, done = self._resources.contents, 0
        what = "object versions" if self.kind == "s3" else "images"
        while left := contents.get(resource.physical_id, 0):
            if not may_go_on():
                return Purged({what: done}, is_empty=False)
            taken = min(BATCH, left)
            contents[resource.physical_id] -= taken
            done += taken
        return Purged({what: done}, is_empty=True)
