"""The order of deletions by export and import: who imports goes first, who stays holds up.

CloudFormation keeps a stack as long as another one imports what it exports. Who imports is
asked only about stacks that would go in this very sweep. Nested stacks count as their root,
since they go with it: what they export is asked about as its own, and it stands for them where
they import.
"""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from janitor.domain.journal.events import owners_text
from janitor.domain.lease.owners import clean, owners_of
from janitor.domain.model import OPERATORS, Contact, LeaseState, Stack
from janitor.domain.planning.conditions import Who, held_up
from janitor.domain.planning.decisions import (
    Blocked,
    Decision,
    Delete,
    Mark,
    Reason,
    Retry,
    Track,
    Wait,
)
from janitor.domain.policy.model import Policy

LEAVING = frozenset({LeaseState.MARKED, LeaseState.DELETING, LeaseState.FAILED})
MOST_NAMED = 5


class Imports(Struct, frozen=True):
    """Who imports what one stack exports: names of stacks by export; or why that is unknown."""

    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    error: str = ""

    @property
    def holds_up(self) -> bool:
        """Tell whether the stack cannot go now."""
        return bool(self.error) or any(self.names.values())


def by_others(stack: Stack, names: Mapping[str, tuple[str, ...]]) -> Imports:
    """Leave out its own family, which goes with it, in the order that CloudFormation knows."""
    family = {stack.name, *stack.nested}
    return Imports(
        {export: tuple(n for n in who if n not in family) for export, who in names.items()}
    )


def in_order(
    decisions: Iterable[Decision], imports: Mapping[str, Imports], policy: Policy
) -> list[Decision]:
    """Let importers go first, and hold up whoever is imported by a stack that stays."""
    everything = list(decisions)
    order = _Order(everything, imports, policy)
    return [order.decide(d) if isinstance(d, Delete | Retry) else d for d in everything]


class _Order:
    """What the decisions say of every stack that is there, by name; of nested ones their root's."""

    def __init__(
        self, decisions: Sequence[Decision], imports: Mapping[str, Imports], policy: Policy
    ) -> None:
        self._imports = imports
        self._policy = policy
        self._by_name: dict[tuple[str, str], Decision] = {}
        if not any(found.holds_up for found in imports.values()):
            return
        there = [(decision.stack, decision) for decision in decisions if decision.stack]
        self._by_name |= {(stack.region, stack.name): decision for stack, decision in there}
        self._by_name |= {(root.region, name): it for root, it in there for name in root.nested}

    def decide(self, decision: Delete | Retry) -> Decision:
        """Return the decision as it is, or what holds it up."""
        stack, lease = decision.stack, decision.lease
        if stack is None or lease is None:
            return decision
        found = self._imports.get(stack.stack_id)
        if found is None or not found.holds_up:
            return self._freed(decision)
        if found.error:
            text = f"due, but who imports what it exports could not be read: {clean(found.error)}"
            unmet = held_up(text, Who.AWS)
            return Wait(Reason(text), stack, lease, decision.changes, decision.tags, unmet)
        if circle := self._circle(stack):
            return self._blocked(decision, _circle_text(circle), (OPERATORS,))
        staying = [use for use in self._uses(stack) if not _leaves(use.importer)]
        if staying:
            named = "; ".join(use.text(self._owners(use)) for use in staying[:MOST_NAMED])
            more = len(staying) - MOST_NAMED
            text = named + (f"; and {more} more" if more > 0 else "")
            also = tuple(sorted({c for use in staying for c in self._owners(use)}))
            return self._blocked(decision, text, also)
        first = ", ".join(sorted({clean(use.name) for use in self._uses(stack)}))
        freed = self._freed(decision)
        text = f"due, but {first} imports what it exports and goes first"
        unmet = held_up(text, Who.NOBODY)
        return Wait(Reason(text), stack, freed.lease, freed.changes, freed.tags, unmet)

    def _freed(self, decision: Delete | Retry) -> Delete | Retry:
        """Forget who held it up before."""
        lease = decision.lease
        if lease is None or not lease.blocker:
            return decision
        changes = (*decision.changes, "no stack that stays imports its exports any more")
        return replace(decision, lease=replace(lease, blocker=""), changes=changes)

    def _blocked(self, decision: Delete | Retry, why: str, also: tuple[Contact, ...]) -> Blocked:
        lease, changes = decision.lease, decision.changes
        if lease is not None and lease.blocker != why:
            lease, changes = replace(lease, blocker=why), (*changes, f"held up: {why}")
        reason, unmet = Reason(f"due, but {why}"), held_up(why, Who.OTHERS)
        return Blocked(reason, decision.stack, lease, changes, decision.tags, unmet, also=also)

    def _uses(self, stack: Stack) -> list["_Use"]:
        """List who imports what `stack` exports, once for each export: one use at least, if any."""
        found = self._imports.get(stack.stack_id, Imports())
        uses: dict[tuple[str, str], _Use] = {}
        for export, names in sorted(found.names.items()):
            for name in sorted(names):
                importer = self._by_name.get((stack.region, name))
                named = importer.stack.name if importer and importer.stack else name
                uses[export, named] = _Use(export, named, importer)
        return list(uses.values())

    def _circle(self, stack: Stack) -> tuple[str, ...]:
        """Return the names of those that wait for each other, `stack` among them; or nothing."""
        reach = self._reached_from(stack)
        if stack.stack_id not in reach:
            return ()
        circle = [
            other.name
            for stack_id, other in reach.items()
            if stack.stack_id in self._reached_from(other) or stack_id == stack.stack_id
        ]
        return tuple(sorted(circle))

    def _reached_from(self, stack: Stack) -> dict[str, Stack]:
        """Return every stack that has to go before `stack`."""
        reached: dict[str, Stack] = {}
        todo = [stack]
        while todo:
            for use in self._uses(todo.pop()):
                other = use.importer.stack if use.importer else None
                if other is not None and other.stack_id not in reached:
                    reached[other.stack_id] = other
                    todo.append(other)
        return reached

    def _owners(self, use: "_Use") -> tuple[Contact, ...]:
        """Return who owns an importer: as its lease says, or its tags."""
        if use.importer is None:
            return (OPERATORS,)
        if use.importer.lease is not None:
            return use.importer.lease.contacts
        tags = use.importer.stack.tags if use.importer.stack else {}
        return owners_of(tags, self._policy.defaults)[0]


class _Use(Struct, frozen=True):
    """One import: the export, and the stack that imports it (None: not in the listing)."""

    export: str
    name: str
    importer: Decision | None

    def text(self, owners: tuple[Contact, ...]) -> str:
        """Say who imports what, and whose it is."""
        whose = clean(owners_text(owners))
        return (
            f"{clean(self.name)} (owner {whose}) imports its export {clean(self.export)} and stays"
        )


def _circle_text(circle: tuple[str, ...]) -> str:
    if len(circle) == 1:
        return f"{clean(circle[0])} imports its own exports; take the import out of it"
    names = " and ".join(clean(name) for name in circle)
    why = f"{names} import each other's exports, so that none of them can be deleted"
    return f"{why}; take the import out of one of them"


def _leaves(importer: Decision | None) -> bool:
    """Tell whether an importer is on its way out, so that waiting for it is enough."""
    if importer is None:
        return False
    if isinstance(importer, Delete | Retry | Track | Mark):
        return True
    lease = importer.lease
    return isinstance(importer, Wait) and lease is not None and lease.state in LEAVING
