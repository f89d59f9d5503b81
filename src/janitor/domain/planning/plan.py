"""A sweep's decisions together: surprises, the order and the pace of deletions."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import replace

from janitor.domain.failures import failed
from janitor.domain.model import (
    Account,
    Lease,
    LeaseState,
    Mode,
    MoveCause,
    Outcome,
    RegionSeen,
    Stack,
)
from janitor.domain.planning.accepted_policy import Ground, ground_of
from janitor.domain.planning.api_gateway_pace import spread
from janitor.domain.planning.conditions import Who, held_up
from janitor.domain.planning.decide_each import Deciding
from janitor.domain.planning.decisions import (
    Decision,
    Delete,
    Ignore,
    Reason,
    Retry,
    Track,
    Wait,
    decision_name,
)
from janitor.domain.planning.export_order import Imports, in_order
from janitor.domain.planning.listed_regions import is_silent, seen_now
from janitor.domain.planning.surprises import (
    Surprise,
    bound_of,
    counts_together,
    is_held_by_tags,
    is_held_still,
    kept_until,
    surprise_of,
)
from janitor.domain.planning.unreadable import Unread, lease_unread, stack_unread
from janitor.domain.policy.model import Limits, Policy
from janitor.domain.stack.nesting import with_families

EMPTY: Mapping[str, str] = {}
_NOT_ASKED = "it is not among the regions of this sweep, which --region or the policy names"


class Listing(Struct, frozen=True):
    """All stacks of a region, or the reason why they could not be listed in full."""

    region: str
    stacks: tuple[Stack, ...] = ()
    error: str = ""
    unread: tuple[Unread, ...] = ()
    """Stacks that are there, of which nothing can be made: neither new nor gone."""
    bug: Exception | None = None
    """What made the error, where it is none of our own."""


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
    unread: tuple[tuple[str, str], ...] = ()
    """Leases and stacks of which nothing can be made, and why; nothing is done about them."""
    is_moving: bool = False
    """Some stack has yet to be written as policy and tags have it now."""

    @property
    def counts(self) -> Counter[str]:
        """Count the decisions by name."""
        return Counter(decision_name(decision) for decision in self.decisions)

    @property
    def is_whole(self) -> bool:
        """Tell whether every region was listed that was listed lately."""
        return is_whole(self.regions, self.seen_regions, self.now)


class Survey(Struct, frozen=True):
    """Each stack and lease decided upon for itself, before they are looked at together."""

    now: datetime
    regions: tuple[tuple[str, str], ...]
    decisions: tuple[Decision, ...]
    ground: Ground
    seen_regions: tuple[RegionSeen, ...] = ()
    unread: tuple[tuple[str, str], ...] = ()
    broken: tuple[Outcome, ...] = ()
    """Regions and stacks over which the code failed; they are left alone."""
    is_moving: bool = False

    @property
    def managed(self) -> int:
        """Count what is managed, but for the leases of regions that nobody looks at any more."""
        return managed_of(self.decisions, self.regions)

    @property
    def due(self) -> list[Delete | Retry]:
        """List what would be deleted, in the order in which it would go."""
        return _in_line(self.decisions)


def is_whole(regions: Iterable[tuple[str, str]], seen: Iterable[RegionSeen], now: datetime) -> bool:
    """Tell whether every region was listed that was listed lately: else a part is not in sight."""
    listed = {region for region, error in regions if not error}
    return all(one.region in listed or is_silent(one, now) for one in seen)


def _in_sight(
    decisions: Iterable[Decision],
    regions: Iterable[tuple[str, str]],
    seen: Iterable[RegionSeen],
    now: datetime,
) -> Iterator[Lease]:
    """Yield the leases of regions that were listed now or lately.

    What is noted of others is from long ago, and they may be gone for good.
    """
    near = {region for region, error in regions if not error}
    near |= {one.region for one in seen if not is_silent(one, now)}
    return (d.lease for d in decisions if d.lease and d.lease.region in near)


def _managed_in_sight(
    decisions: Iterable[Decision],
    regions: Iterable[tuple[str, str]],
    seen: Iterable[RegionSeen],
    now: datetime,
) -> int:
    """Count what is managed, in regions that this sweep does not look at too: a bound is a share."""
    managed = (decision for decision in decisions if not isinstance(decision, Ignore))
    return sum(1 for _ in _in_sight(managed, regions, seen, now))


def managed_of(decisions: Iterable[Decision], regions: Iterable[tuple[str, str]]) -> int:
    """Count the decisions that are about something managed."""
    looked_at = dict(regions)
    subjects = (d.lease or (None if d.unmet else d.stack) for d in decisions if _is_managed(d))
    return sum(subject is not None and subject.region in looked_at for subject in subjects)


def _is_managed(decision: Decision) -> bool:
    """Tell whether it is about a stack under lease, be it one that cannot be read."""
    return not isinstance(decision, Ignore)


def survey(
    listings: Iterable[Listing],
    leases: Mapping[str, Lease],
    policy: Policy,
    now: datetime,
    account: Account | None = None,
    *,
    unreadable: Mapping[str, str] = EMPTY,
) -> Survey:
    """Decide on every stack that was listed and on every open lease.

    A lease whose region could not be listed, or is not looked at, is left alone; but the
    outcome of a deletion under way is asked for where this sweep does not look at the region.
    Left alone is as well whose lease is `unreadable`, or whose stack: neither is new or gone.
    Without an `account` no policy was accepted before.
    """
    scene = _Scene.of(listings, leases, unreadable, now)
    account = account or Account()
    listed = {region for region, error in scene.regions if not error}
    # What a script did in a region while that was out of sight belongs to what it did elsewhere.
    is_back = not listed.isdisjoint(account.refused_regions)
    account = replace(account, seen_regions=seen_now(account.seen_regions, listed, now))
    ground = ground_of(account, policy)
    decisions, broken = scene.decide_all(ground)
    if ground.is_policy_held and not _is_surprise(decisions, scene, ground, account):
        ground = replace(ground, is_policy_held=False)
        decisions, broken = scene.decide_all(ground)
    bulk = frozenset(
        d.lease.stack_id
        for d in decisions
        if d.lease and (counts_together(d.lease, now) or (is_back and is_held_by_tags(d.lease)))
    )
    seen = account.seen_regions
    if len(bulk) > bound_of(_managed_in_sight(decisions, scene.regions, seen, now)):
        ground = replace(ground, bulk=bulk)
        decisions, broken = scene.decide_all(ground)
    return Survey(
        now,
        scene.regions,
        decisions,
        ground,
        account.seen_regions,
        scene.named,
        broken,
        any(_is_moving(decision, leases, account) for decision in decisions),
    )


def _is_moving(decision: Decision, leases: Mapping[str, Lease], account: Account) -> bool:
    """Tell whether a sweep that is cut off would leave this stack without its move or adoption.

    Of stacks without a lease those count that were there when the account was last written.
    """
    lease = decision.lease
    if lease is None:
        return False
    if (stored := leases.get(lease.stack_id)) is not None:
        return bool(decision.changes) and kept_until(stored) != kept_until(lease)
    was_there = account.updated_at is not None and lease.created < account.updated_at
    return was_there and lease.adopted_at is not None


def _is_surprise(
    decisions: Iterable[Decision], scene: "_Scene", ground: Ground, account: Account
) -> bool:
    """Tell whether the edited policy brings forward too much to go by it.

    What was held once is held until nothing of it is left. A sweep that does not see
    everything cannot tell, and so accepts nothing.
    """
    found = list(decisions)
    seen = _in_sight(found, scene.regions, account.seen_regions, scene.now)
    held = (le.moved for le in seen if is_held_still(le, ground, scene.now))
    count = sum(moved is not None and moved.cause is MoveCause.POLICY for moved in held)
    is_known = account.hold is not None and account.hold.policy_version == ground.policy.version
    if is_known or not is_whole(scene.regions, account.seen_regions, scene.now):
        return count > 0
    return count > bound_of(
        _managed_in_sight(found, scene.regions, account.seen_regions, scene.now)
    )


class _Scene(Struct, frozen=True):
    """All that a sweep sees: stacks, leases, and what of both could not be read."""

    now: datetime
    listings: tuple[Listing, ...]
    stacks: Mapping[str, Stack]
    leases: Mapping[str, Lease]
    unreadable: Mapping[str, str]

    @classmethod
    def of(
        cls,
        listings: Iterable[Listing],
        leases: Mapping[str, Lease],
        unreadable: Mapping[str, str],
        now: datetime,
    ) -> "_Scene":
        """Gather the listings; an account that changes between two pages can show a stack twice."""
        found = tuple(listings)
        stacks: dict[str, Stack] = {}
        for listing in found:
            for stack in () if listing.error else with_families(listing.stacks):
                stacks.setdefault(stack.stack_id, stack)
        return cls(now, found, stacks, leases, unreadable)

    @property
    def regions(self) -> tuple[tuple[str, str], ...]:
        """Return each region, and why it could not be listed."""
        return tuple(sorted((listing.region, listing.error) for listing in self.listings))

    @property
    def named(self) -> tuple[tuple[str, str], ...]:
        """Return what could not be read, and why."""
        listed = (listing for listing in self.listings if not listing.error)
        unread = [(one.key, stack_unread(one)) for listing in listed for one in listing.unread]
        unread += [(key, lease_unread(why)) for key, why in self.unreadable.items()]
        return tuple(sorted(unread))

    def decide_all(self, ground: Ground) -> tuple[tuple[Decision, ...], tuple[Outcome, ...]]:
        """Decide on each stack, and on each lease without one; say where the code failed."""
        deciding = Deciding(self.leases, self.unreadable, ground, self.now)
        deciding.broken.extend(
            failed(listing.region, "list", listing.bug) for listing in self.listings if listing.bug
        )
        decisions = [deciding.on(stack_id, stack) for stack_id, stack in self.stacks.items()]
        by_region = {listing.region: listing for listing in self.listings}
        for stack_id, lease in self.leases.items():
            listing = by_region.get(lease.region)
            if listing is None or listing.error:
                decisions.append(_left_alone(lease, listing))
            elif stack_id not in self.stacks:
                decisions.append(deciding.on_unseen(lease, listing.unread))
        return tuple(decisions), tuple(deciding.broken)


def _left_alone(lease: Lease, listing: Listing | None) -> Decision:
    """Leave a lease as it is whose region was not listed; but ask how a deletion ended."""
    if lease.state is LeaseState.DELETING and listing is None:
        text = f"deletion under way in {lease.region}, which this sweep does not look at"
        return Track(Reason(text), None, lease)
    why = listing.error if listing else _NOT_ASKED
    text = f"left alone: region {lease.region} was not listed ({why})"
    return Wait(Reason(text), None, lease)


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
    decisions = spread(decisions, found.now)
    leases = _in_sight(decisions, found.regions, found.seen_regions, found.now)
    new = (d.stack.stack_id for d in decisions if d.stack and not d.lease and d.unmet)
    managed = _managed_in_sight(decisions, found.regions, found.seen_regions, found.now)
    surprise = surprise_of(leases, new, found.ground, managed, found.now)
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
        found.unread,
        found.is_moving,
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
    unmet = held_up(text, Who.NOBODY if limits.max_deleting else Who.OPERATOR)

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
