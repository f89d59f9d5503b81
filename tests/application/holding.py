"""What has to be held as a surprise, worked out apart from the code under test.

Only what is beyond doubt is held to: where a fault hides what the janitor saw, it may hold
or not.
"""

from dataclasses import dataclass, field
from datetime import datetime

from tests.application import truth
from tests.application.timing import deadlines, let_go_at, standing
from tests.application.truth import DAY, MOST_AT_ONCE
from tests.application.world import View, World

from janitor.domain.model import Account, Lease, LeaseState

OPEN = (LeaseState.ACTIVE, LeaseState.MARKED)
BUSY = ("DELETE_COMPLETE", "DELETE_IN_PROGRESS", "DELETE_FAILED")


@dataclass(frozen=True)
class Move:
    """A deadline that tags have moved to within a day, and the one before."""

    to: datetime
    former: datetime | None
    at: datetime


@dataclass
class Holding:
    """What one sweep after another has to hold."""

    moves: dict[str, Move] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    """Of these moves, those that were more than a handful together."""
    candidates: dict[str, Move] = field(default_factory=dict)
    """Moves that the sweep under way is the first to see."""
    brought_forward: dict[str, set[datetime]] = field(default_factory=dict)
    """By stack, its deadlines by the accepted policy, where the one of the day makes it earlier."""
    must_hold_policy: bool = False
    is_settled: bool = False
    """The policy of the day is accepted, and was all that a sweep before this one went by."""
    bulk: set[str] = field(default_factory=set)
    """Moves of the last day, those that are new included."""

    # Before a sweep.

    def look(self, world: World) -> None:
        """Work out what the sweep that begins now has to hold."""
        view, account = world.view(), world.ledger.account()
        self.is_settled = view.accepted == view.terms and not account.previous_policy
        self._forget(world, view)
        self.brought_forward = self._brought_forward(world, view)
        hold = account.hold
        is_known = hold is not None and hold.policy_version == world.policy().version
        many = len(self.brought_forward) > MOST_AT_ONCE
        self.must_hold_policy = many or (is_known and bool(self.brought_forward))
        self.candidates = self._candidates(world, view, account)
        recent = {key for key, move in self.moves.items() if world.now - move.at < DAY}
        self.bulk = recent | self.candidates.keys()

    @property
    def must_hold_tags(self) -> set[str]:
        """Return the stacks whose former deadline the sweep that begins now has to hold."""
        return self.held | (self.bulk if len(self.bulk) > MOST_AT_ONCE else set())

    def former(self, stack_id: str) -> datetime | None:
        """Return the deadline that holds; None where the stack is kept."""
        return (self.moves.get(stack_id) or self.candidates[stack_id]).former

    def _looked_at(self, world: World, view: View) -> list[Lease]:
        """Return the open leases about which there is no doubt."""
        stacks = world.stacks
        return [
            lease
            for key, lease in view.leases.items()
            if key not in world.ledger.spoiled
            and not stacks.refused_regions.get(lease.region)
            and lease.region not in stacks.unlistable
            and view.stacks[key].status not in BUSY
        ]

    def _brought_forward(self, world: World, view: View) -> dict[str, set[datetime]]:
        accepted, terms = view.accepted, view.terms
        if accepted in (None, terms):
            return {}
        found = {}
        for lease in self._looked_at(world, view):
            key, stack = lease.stack_id, standing(lease.stack_id, view, terms)
            both = truth.managed(stack, terms) and truth.managed(stack, accepted)
            if not both or lease.state is LeaseState.DELETING or key in view.taken_out:
                continue
            if truth.tagged_to_stay(stack) or let_go_at(world, key):
                continue
            now, before = (deadlines(world, stack, view, one) for one in (terms, accepted))
            if before and min(before) <= world.now:
                continue  # It is due by both, and so there is nothing to hold.
            if now and (not before or max(now) < min(before)):
                found[key] = before
        return found

    def _candidates(self, world: World, view: View, account: Account) -> dict[str, Move]:
        """Return what tags alone have moved since the sweep before."""
        if not self.is_settled or account.accepted_moves:
            return {}
        found = {}
        for lease in self._looked_at(world, view):
            key = lease.stack_id
            if key in self.moves or lease.moved or lease.state not in OPEN:
                continue
            to = self._to(world, key, view)
            former = None if lease.problem or lease.protection else lease.expires_at
            was_due = former is not None and former <= world.now
            if to is None or was_due or (former is not None and to >= former):
                continue
            if to - world.now < DAY:
                found[key] = Move(to, former, world.now)
        return found

    def _to(self, world: World, stack_id: str, view: View) -> datetime | None:
        """Return the deadline by the tags of the day; None for none, and where that is in doubt."""
        stack = standing(stack_id, view, view.terms)
        if not truth.managed(stack, view.terms) or stack_id in view.taken_out:
            return None
        if truth.tagged_to_stay(stack) or let_go_at(world, stack_id):
            return None
        ends = deadlines(world, stack, view, view.terms)
        return ends.pop() if len(ends) == 1 else None

    def _forget(self, world: World, view: View) -> None:
        """Let go of what was put back, moved out of reach, or is gone."""
        for key, move in list(self.moves.items()):
            lease, gone = view.leases.get(key), view.stacks[key].status in BUSY
            to = self._to(world, key, view)
            is_past = move.former is not None and world.now >= move.former
            is_late = to is None or (move.former is not None and to >= move.former)
            is_slow = to is not None and to != move.to and to - world.now >= DAY
            is_over = key not in self.held and world.now - move.at >= DAY
            if lease is None or gone or is_past or is_late or is_slow or is_over:
                self.release(key)

    def release(self, stack_id: str) -> None:
        """An owner or an operator has decided about it."""
        self.moves.pop(stack_id, None)
        self.held.discard(stack_id)
        self.candidates.pop(stack_id, None)
        self.bulk.discard(stack_id)

    # After it.

    def swept(self, world: World) -> None:
        """A sweep that nothing disturbed has seen all this."""
        held = self.must_hold_tags
        self.moves |= self.candidates
        self.held = held
        self.candidates = {}
        world.seen["held by tags"] += len(held)
        world.seen["held by policy"] += len(self.brought_forward) * self.must_hold_policy


def why_held(holding: Holding, stack_id: str, now: datetime) -> str:
    """Say why a stack is held at this instant, or nothing."""
    if stack_id in holding.must_hold_tags:
        former = holding.former(stack_id)
        if former is None or now < former:
            return f"its tags are a surprise, and {former} holds"
    if holding.must_hold_policy and stack_id in holding.brought_forward:
        before = holding.brought_forward[stack_id]
        if not before or now < min(before):
            return f"the edited policy is not accepted, and {before} holds"
    return ""
