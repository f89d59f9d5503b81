"""A sweep's decisions together: surprises, the order and the pace of deletions."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import replace

from janitor.core.conditions import Condition, Kind, Who
from janitor.core.decisions import (
    Decision,
    Delete,
    Ignore,
    Reason,
    Retry,
    Track,
    Wait,
    decision_name,
)
from janitor.core.families import with_families
from janitor.core.ground import Ground, ground_of
from janitor.core.lifecycle import decide
from janitor.core.model import Account, Lease, LeaseState, Mode, MoveCause, RegionSeen, Stack
from janitor.core.order import Imports, in_order
from janitor.core.policy import Limits, Policy
from janitor.core.regions_seen import seen_now
from janitor.core.surprises import Surprise, bound_of, counts_together, surprise_of

_NOT_ASKED = "it is not among the regions of this sweep, which --region or the policy names"


class Listing(Struct, frozen=True):
    """All stacks of a region, or the reason why they could not be listed in full."""

    region: str
    stacks: tuple[Stack, ...] = ()
    error: str = ""


class Plan(Struct, frozen=True):
    """What a sweep would do, for every stack of every region that could be listed."""

    now: datetime
    mode: Mode
    regions: tuple[tuple[str, str], ...]
    """Region and why it could not be listed (empty: it could)."""
    decisions: tuple[Decision, ...]
    managed: int
    due: int
    ground: Ground
    surprise: Surprise | None = None
    """What is held until an operator accepts it."""
    seen_regions: tuple[RegionSeen, ...] = ()
    """When each region was listed in full, this sweep included."""

    @property
    def counts(self) -> Counter[str]:
        """Count the decisions by name."""
        return Counter(decision_name(decision) for decision in self.decisions)

    @property
    def is_whole(self) -> bool:
        """Tell whether every stack and every lease was looked at."""
        return is_whole(self.regions, (d.lease for d in self.decisions))


class Survey(Struct, frozen=True):
    """Each stack and lease decided upon for itself, before they are looked at together."""

    now: datetime
    regions: tuple[tuple[str, str], ...]
    decisions: tuple[Decision, ...]
    ground: Ground
    seen_regions: tuple[RegionSeen, ...] = ()

    @property
    def managed(self) -> int:
        """Count what is managed, but for the leases of regions that nobody looks at any more."""
        return managed_of(self.decisions, self.regions)

    @property
    def due(self) -> list[Delete | Retry]:
        """List what would be deleted, in the order in which it would go."""
        return _in_line(self.decisions)


def is_whole(regions: Iterable[tuple[str, str]], leases: Iterable[Lease | None]) -> bool:
    """Tell whether all regions were listed, and no lease is of another one."""
    listed = {region for region, error in regions if not error}
    all_listed = all(not error for _, error in regions)
    return all_listed and all(lease is None or lease.region in listed for lease in leases)


def managed_of(decisions: Iterable[Decision], regions: Iterable[tuple[str, str]]) -> int:
    """Count the decisions that are about something managed."""
    looked_at = dict(regions)
    return sum(
        not isinstance(d, Ignore) and d.lease is not None and d.lease.region in looked_at
        for d in decisions
    )


def survey(
    listings: Iterable[Listing],
    leases: Mapping[str, Lease],
    policy: Policy,
    now: datetime,
    account: Account | None = None,
) -> Survey:
    """Decide on every stack that was listed and on every open lease.

    A lease whose region could not be listed, or is not looked at, is left alone; but the
    outcome of a deletion under way is asked for where this sweep does not look at the region.
    Without an `account` no policy was accepted before.
    """
    scene = _Scene.of(listings, leases, now)
    account = account or Account()
    listed = (region for region, error in scene.regions if not error)
    account = replace(account, seen_regions=seen_now(account.seen_regions, listed, now))
    ground = ground_of(account, policy)
    decisions = scene.decide_all(ground)
    if ground.is_policy_held and not _is_surprise(decisions, scene, ground, account):
        ground = replace(ground, is_policy_held=False)
        decisions = scene.decide_all(ground)
    bulk = frozenset(
        d.lease.stack_id for d in decisions if d.lease and counts_together(d.lease, now)
    )
    if len(bulk) > bound_of(managed_of(decisions, scene.regions)):
        ground = replace(ground, bulk=bulk)
        decisions = scene.decide_all(ground)
    return Survey(now, scene.regions, decisions, ground, account.seen_regions)


def _is_surprise(
    decisions: Iterable[Decision], scene: "_Scene", ground: Ground, account: Account
) -> bool:
    """Tell whether the edited policy brings forward too much to go by it.

    What was held once is held until nothing of it is left. A sweep that does not see
    everything cannot tell, and so accepts nothing.
    """
    found = list(decisions)
    moved = [d.lease for d in found if d.lease and d.lease.moved]
    count = sum(
        lease.moved is not None and lease.moved.cause is MoveCause.POLICY for lease in moved
    )
    is_known = account.hold is not None and account.hold.policy_version == ground.policy.version
    if is_known or not is_whole(scene.regions, scene.leases.values()):
        return count > 0
    return count > bound_of(managed_of(found, scene.regions))


class _Scene(Struct, frozen=True):
    """All that a sweep sees: stacks, leases, and the regions that could not be listed."""

    now: datetime
    stacks: tuple[Stack, ...]
    leases: Mapping[str, Lease]
    regions: tuple[tuple[str, str], ...]

    @classmethod
    def of(
        cls, listings: Iterable[Listing], leases: Mapping[str, Lease], now: datetime
    ) -> "_Scene":
        """Gather the listings; an account that changes between two pages can show a stack twice."""
        regions: list[tuple[str, str]] = []
        stacks: dict[str, Stack] = {}
        for listing in listings:
            regions.append((listing.region, listing.error))
            for stack in () if listing.error else with_families(listing.stacks):
                stacks.setdefault(stack.stack_id, stack)
        return cls(now, tuple(stacks.values()), leases, tuple(sorted(regions)))

    def decide_all(self, ground: Ground) -> tuple[Decision, ...]:
        """Decide on each stack, and on each lease without one."""
        policy, leases = ground.policy, self.leases
        decisions = [
            decide(stack, leases.get(stack.stack_id), policy, self.now, ground)
            for stack in self.stacks
        ]
        seen = {stack.stack_id for stack in self.stacks}
        errors = dict(self.regions)
        for stack_id, lease in leases.items():
            if errors.get(lease.region) == "":
                if stack_id not in seen:
                    decisions.append(decide(None, lease, policy, self.now, ground))
            elif lease.state is LeaseState.DELETING and lease.region not in errors:
                text = f"deletion under way in {lease.region}, which this sweep does not look at"
                decisions.append(Track(Reason(text), None, lease))
            else:
                why = errors.get(lease.region) or _NOT_ASKED
                text = f"left alone: region {lease.region} was not listed ({why})"
                decisions.append(Wait(Reason(text), None, lease))
        return tuple(decisions)


def unknown_imports(found: Survey, imports: Mapping[str, Imports]) -> tuple[Stack, ...]:
    """Return the stacks whose importers have to be asked for before the plan can be made.

    Only those that would go now.
    """
    due = (d.stack for d in found.due)
    return tuple(s for s in due if s and s.exports and s.stack_id not in imports)


def make_plan(found: Survey, policy: Policy, mode: Mode, imports: Mapping[str, Imports]) -> Plan:
    """Look at all decisions together: what is held, who imports from whom, and the pace."""
    ordered = in_order(found.decisions, imports, policy)
    decisions = _pace(ordered, policy.limits)
    decisions.sort(key=_by_deadline)
    leases = (d.lease for d in decisions if d.lease)
    new = (d.stack.stack_id for d in decisions if isinstance(d, Wait) and d.stack and not d.lease)
    surprise = surprise_of(leases, new, found.ground, found.managed)
    due = sum(isinstance(d, Delete | Retry) for d in decisions)
    return Plan(
        found.now,
        mode,
        found.regions,
        tuple(decisions),
        found.managed,
        due,
        found.ground,
        surprise,
        found.seen_regions,
    )


def _pace(decisions: list[Decision], limits: Limits) -> list[Decision]:
    """Let the oldest deadlines go, as many as the policy lets be under way, and the rest wait."""
    if limits.max_deleting is None:
        return decisions
    under_way = sum(isinstance(decision, Track) for decision in decisions)
    free = max(0, limits.max_deleting - under_way)
    late = {d.lease.stack_id for d in _in_line(decisions)[free:] if d.lease}
    text = (
        f"due, but {under_way + free} deletions are under way or begin now, and the policy's cap"
        f" is {limits.max_deleting} (max_deleting)"
    )
    unmet = Condition(Kind.RELEASED_BY_OTHERS, is_met=False, detail=text)
    if limits.max_deleting == 0:
        unmet = replace(unmet, who=Who.OPERATOR)

    def wait(d: Delete | Retry) -> Decision:
        if d.lease is None or d.lease.stack_id not in late:
            return d
        return Wait(Reason(text), d.stack, d.lease, d.changes, d.tags, unmet)

    return _deletions(decisions, wait)


def _in_line(decisions: Iterable[Decision]) -> list[Delete | Retry]:
    return sorted((d for d in decisions if isinstance(d, Delete | Retry)), key=_place)


def _deletions(
    decisions: Iterable[Decision], change: Callable[[Delete | Retry], Decision]
) -> list[Decision]:
    return [change(d) if isinstance(d, Delete | Retry) else d for d in decisions]


_LAST = datetime.max.replace(tzinfo=UTC)


def _by_deadline(decision: Decision) -> tuple[datetime, str]:
    """Order by deadline, the oldest first, then by id so that a plan is repeatable."""
    lease, stack = decision.lease, decision.stack
    at = lease.expires_at if lease and lease.expires_at else _LAST
    return at, lease.stack_id if lease else stack.stack_id if stack else ""


def _place(decision: Decision) -> tuple[bool, datetime, str]:
    """Order by deadline, but let no stack that was found protected hold up the others.

    Termination protection shows only when a stack is described, so a stack that has it
    comes into the line at every sweep.
    """
    return decision.lease is not None and decision.lease.blocked, *_by_deadline(decision)
