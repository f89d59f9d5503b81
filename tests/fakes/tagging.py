"""CloudFormation as an object in memory, as far as changing tags needs it.

An update reads anew what `moved` names, as CloudFormation does: `harmed` says what that changed.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace
from tests.fakes.stack_state import Hands

from janitor.adapters.aws.tag_update_rules import region_of, tags_to_send
from janitor.application.ports import Clock
from janitor.domain.errors import JanitorError, TagRefused
from janitor.domain.model import Stack
from janitor.domain.stack.resources import NESTED
from janitor.domain.tagging.change_set import Change, Proposal, Readiness
from janitor.domain.tagging.outcomes import Became, TagOutcome
from janitor.domain.tagging.rights import CHANGE_SET
from janitor.domain.tagging.ways import Anatomy, Part, Why


class Operation(Struct, frozen=True):
    """An update of a stack, by whose token, and how it ended."""

    token: str
    became: Became
    reason: str = ""


_STATUS = {
    Became.UNDER_WAY: "UPDATE_IN_PROGRESS",
    Became.DONE: "UPDATE_COMPLETE",
    Became.ROLLED_BACK: "UPDATE_ROLLBACK_COMPLETE",
    Became.STUCK: "UPDATE_ROLLBACK_FAILED",
}


class MemoryTagging(Hands):
    """That part of the `Stacks` port in memory."""

    def __init__(self, clock: Clock, *, auto_finish: bool = False) -> None:
        super().__init__(clock, auto_finish=auto_finish)
        self.templates: dict[str, object] = {}
        """Where a stack's is not just its resources."""
        self.policies: dict[str, str] = {}
        """Stack policies, as JSON."""
        self.change_sets: dict[str, tuple[str, ...]] = {}
        """Names of those that others made."""
        self.moved: dict[str, tuple[str, ...]] = {}
        """What an update of each stack would change besides tags, by logical ids."""
        self.hidden: set[str] = set()
        """Stacks of which a change set shows none of that, as with dynamic references."""
        self.harmed: list[tuple[str, str]] = []
        """Each stack with what of it an update for tags changed."""
        self.ends: dict[str, Operation] = {}
        """How the updates of a stack end, where not well."""
        self.slow: set[str] = set()
        """Stacks whose change sets are not ready at once."""
        self.proposed: dict[str, Mapping[str, str]] = {}
        """The janitor's own change sets: the tags of each."""
        self.operations: dict[str, list[Operation]] = {}

    def anatomy(self, stack: Stack) -> Anatomy:
        """Return what a stack consists of."""
        self.calls.append(("anatomy", stack.stack_id))
        self._find(stack.stack_id)
        names = self.change_sets.get(stack.stack_id, ())
        root, *nested = map(self._part, self._family(stack.stack_id))
        is_left = stack.stack_id in self.proposed
        values = (stack.resolves,) * bool(stack.resolves)
        return Anatomy(root, tuple(nested), names, values, is_left)

    def _part(self, stack_id: str) -> Part:
        resources = self.resources.of(stack_id)
        template = {"Resources": {one.logical_id: {"Type": one.type} for one in resources}}
        return Part(
            stack_id.split("/")[1],
            self.templates.get(stack_id, template),
            f"digest of {stack_id}",
            tuple(one.type for one in resources),
            self.policies.get(stack_id, ""),
        )

    def _family(self, stack_id: str) -> Iterator[str]:
        yield stack_id
        for one in self.resources.of(stack_id):
            if one.type == NESTED and one.physical_id in self.stacks:
                yield from self._family(one.physical_id)

    def tag(
        self, stack: Stack, put: Mapping[str, str], remove: Collection[str], token: str
    ) -> bool:
        """Update the tags as CloudFormation would, and all that it reads anew."""
        self.calls.append(("tag", stack.stack_id, token))
        full = self._wanted(stack, put, remove)
        if full == self.stacks[stack.stack_id].tags:
            return False
        self._update(stack.stack_id, full, token)
        return True

    def _wanted(
        self, stack: Stack, put: Mapping[str, str], remove: Collection[str]
    ) -> Mapping[str, str]:
        found = self._find(stack.stack_id)
        if found is None:
            raise TagRefused(f"{stack.name} does not exist")
        return tags_to_send(found, stack, put, remove)

    def _update(self, stack_id: str, tags: Mapping[str, str], token: str) -> None:
        end = replace(self.ends.get(stack_id, Operation("", Became.DONE)), token=token)
        if end.became in (Became.DONE, Became.UNDER_WAY):
            for one in self._family(stack_id):
                self.harmed += [(one, what) for what in self.moved.pop(one, ())]
        else:
            tags = self.stacks[stack_id].tags
        self.redeploy(stack_id, tags)
        self.operations.setdefault(stack_id, [])[-1:] = [end]
        self.set(stack_id, _STATUS[end.became])

    def end_update(self, stack_id: str, became: Became, reason: str = "") -> None:
        """Bring an update that is under way to its end."""
        last = self.operations[stack_id][-1]
        self.operations[stack_id][-1] = Operation(last.token, became, reason)
        self.set(stack_id, _STATUS[became])

    def redeploy(self, stack_id: str, tags: Mapping[str, str] | None = None) -> Stack:
        """Update a stack by another hand: no change set outlives that."""
        self.operations.setdefault(stack_id, []).append(Operation("", Became.DONE))
        self.proposed.pop(stack_id, None)
        self.change_sets.pop(stack_id, None)
        return super().redeploy(stack_id, tags)

    def propose(
        self, stack: Stack, put: Mapping[str, str], remove: Collection[str], token: str
    ) -> bool:
        """Make a change set."""
        self.calls.append(("propose", stack.stack_id, token))
        full = self._wanted(stack, put, remove)
        if full == self.stacks[stack.stack_id].tags:
            return False
        if stack.stack_id in self.proposed:
            raise TagRefused(f"ChangeSet {CHANGE_SET} already exists", why=Why.REFUSED)
        self.proposed[stack.stack_id] = full
        return True

    def proposal(self, stack: Stack, put: Mapping[str, str], remove: Collection[str]) -> Proposal:
        """Look at the change set."""
        self.calls.append(("proposal", stack.stack_id))
        wanted = self._wanted(stack, put, remove)
        if (tags := self.proposed.get(stack.stack_id)) is None:
            return Proposal("", Readiness.FAILED, reason="it is gone", wanted=wanted)
        if stack.stack_id in self.slow:
            return Proposal(self._change_set_of(stack.stack_id), Readiness.MAKING, wanted=wanted)
        return replace(self._shown(stack.stack_id), tags=tags, wanted=wanted)

    def _change_set_of(self, stack_id: str) -> str:
        return f"{CHANGE_SET} of {stack_id}"

    def _shown(self, stack_id: str) -> Proposal:
        moved = () if stack_id in self.hidden else self.moved.get(stack_id, ())
        changes, nested = [], []
        for one in self.resources.of(stack_id):
            is_nested = one.type == NESTED and one.physical_id in self.stacks
            if is_nested:
                nested.append(self._shown(one.physical_id))
            changes.append(
                Change(
                    resource=one.logical_id,
                    type=one.type,
                    action="Modify",
                    replacement="False",
                    scope=("Tags", "Properties") if one.logical_id in moved else ("Tags",),
                    change_set=self._change_set_of(one.physical_id) if is_nested else "",
                )
            )
        is_same = "Outputs" not in moved
        return Proposal(
            self._change_set_of(stack_id),
            Readiness.READY,
            tuple(changes),
            nested=tuple(nested),
            is_same_template=is_same,
        )

    def execute(self, stack: Stack, proposal: Proposal, token: str) -> None:
        """Execute the change set; all others of the stack are gone after that."""
        self.calls.append(("execute", stack.stack_id, token))
        found = self._find(stack.stack_id)
        if names := self.change_sets.get(stack.stack_id):
            raise TagRefused(", ".join(names), why=Why.PENDING)
        if found is None or found.updated != stack.updated:
            raise TagRefused(stack.name, why=Why.MOVED)
        if proposal.id != self._change_set_of(stack.stack_id):
            raise TagRefused("its change set was made anew", why=Why.NOT_SHOWN)
        self._update(stack.stack_id, self.proposed[stack.stack_id], token)

    def withdraw(self, stack_id: str) -> None:
        """Delete the change set."""
        self.calls.append(("withdraw", stack_id))
        self._find(stack_id)
        self.proposed.pop(stack_id, None)

    def tag_outcome(self, stack: Stack, token: str, before: datetime | None) -> TagOutcome:
        """Return what became of an update."""
        self.calls.append(("outcome", stack.stack_id))
        self._find(stack.stack_id)
        known = self.operations.get(stack.stack_id, [])
        for number, one in enumerate(reversed(known)):
            if one.token == token:
                updated = self.stacks[stack.stack_id].updated if number == 0 else None
                return TagOutcome(one.became, one.reason, updated)
        return TagOutcome(Became.NOTHING)

    def _find(self, stack_id: str) -> Stack | None:
        region = region_of(stack_id)
        if error := self.refused_regions.get(region):
            raise JanitorError(f"CloudFormation in {region} refused: {error}")
        return self.stacks.get(stack_id)
