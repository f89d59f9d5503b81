"""A sweep's decisions together: the breaker, the order and the pace of deletions."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import accumulate

from msgspec import Struct

from janitor.core.deciding import Deciding
from janitor.core.decisions import (
    Blocked,
    Decision,
    Delete,
    Ignore,
    Reason,
    Retry,
    Track,
    Wait,
    decision_name,
)
from janitor.core.failures import failed
from janitor.core.families import with_families
from janitor.core.model import Account, Lease, LeaseState, Mode, Outcome, Stack
from janitor.core.order import Imports, in_order, unknown
from janitor.core.policy import Limits, Policy
from janitor.core.unread import Unread, lease_unread, stack_unread

BREAKER_LIFT = timedelta(days=1)
"""For so long an operator's acknowledgement holds."""

EMPTY: Mapping[str, str] = {}
_NOT_ASKED = "it is not among the regions of this sweep, which --region or the policy names"
MOST_ASKED = 300
"""So often CloudFormation is asked, for protection and for importers each, while it trips."""


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
    tripped: str = ""
    """Why the breaker stops all deletions; empty where it does not."""
    lifted: bool = False
    """An operator's acknowledgement is what lets deletions through."""
    unread: tuple[tuple[str, str], ...] = ()
    """Leases and stacks of which nothing can be made, and why; nothing is done about them."""

    @property
    def counts(self) -> Counter[str]:
        """Count the decisions by name."""
        return Counter(decision_name(decision) for decision in self.decisions)


class Survey(Struct, frozen=True):
    """Each stack and lease decided upon for itself, before they are looked at together."""

    now: datetime
    regions: tuple[tuple[str, str], ...]
    decisions: tuple[Decision, ...]
    unread: tuple[tuple[str, str], ...] = ()
    broken: tuple[Outcome, ...] = ()
    """Regions and stacks over which the code failed; they are left alone."""

    @property
    def managed(self) -> int:
        """Count what is managed, but for the leases of regions that nobody looks at any more."""
        regions = dict(self.regions)
        return sum(
            not isinstance(d, Ignore) and (d.lease is None or d.lease.region in regions)
            for d in self.decisions
        )

    @property
    def due(self) -> list[Delete | Retry]:
        """List what would be deleted, in the order in which it would go."""
        return _in_line(self.decisions)


def survey(
    listings: Iterable[Listing],
    leases: Mapping[str, Lease],
    policy: Policy,
    now: datetime,
    unreadable: Mapping[str, str] = EMPTY,
) -> Survey:
    """Decide on every stack that was listed and on every open lease.

    A lease whose region could not be listed, or is not looked at, is left alone; but the
    outcome of a deletion under way is asked for where this sweep does not look at the region.
    Left alone is as well whose lease is `unreadable`, or whose stack: neither is new or gone.
    """
    deciding = Deciding(leases, unreadable, policy, now)
    decisions: list[Decision] = []
    regions: list[tuple[str, str]] = []
    seen: set[str] = set()
    listed: dict[str, tuple[Unread, ...]] = {}
    for listing in listings:
        regions.append((listing.region, listing.error))
        if listing.bug:
            deciding.broken.append(failed(listing.region, "list", listing.bug))
        if listing.error:
            continue
        listed[listing.region] = listing.unread
        for stack in with_families(listing.stacks):
            # An account that changes between two pages can show a stack on both.
            if stack.stack_id not in seen:
                seen.add(stack.stack_id)
                decisions.append(deciding.on(stack.stack_id, stack))
    errors = dict(regions)
    for stack_id, lease in leases.items():
        if lease.region in listed:
            if stack_id not in seen:
                decisions.append(deciding.on_unseen(lease, listed[lease.region]))
        elif lease.state is LeaseState.DELETING and lease.region not in errors:
            text = f"deletion under way in {lease.region}, which this sweep does not look at"
            decisions.append(Track(Reason(text), None, lease))
        else:
            why = errors.get(lease.region) or _NOT_ASKED
            text = f"left alone: region {lease.region} was not listed ({why})"
            decisions.append(Wait(Reason(text), None, lease))
    unread = [(one.key, stack_unread(one)) for odd in listed.values() for one in odd]
    unread += [(key, lease_unread(why)) for key, why in unreadable.items()]
    broken = tuple(deciding.broken)
    return Survey(now, tuple(sorted(regions)), tuple(decisions), tuple(sorted(unread)), broken)


def unknown_imports(
    found: Survey, account: Account, policy: Policy, imports: Mapping[str, Imports]
) -> tuple[Stack, ...]:
    """Return the stacks whose importers have to be asked for before the plan can be made.

    Only those that would go now; while the breaker stops everything, the first in line, as
    far as `MOST_ASKED` calls reach, one for each export: the others count as due.
    """
    ordered = in_order(found.decisions, imports, policy)
    if not stopped(found, ordered, account, policy)[1]:
        return unknown(found.due, imports, policy.limits.max_deletes_per_sweep)
    line = [d.stack for d in found.due if d.stack and d.stack.exports]
    calls = accumulate(len(stack.exports) for stack in line)
    within = (stack for stack, most in zip(line, calls, strict=True) if most <= MOST_ASKED)
    return tuple(stack for stack in within if stack.stack_id not in imports)


def make_plan(
    found: Survey,
    account: Account,
    policy: Policy,
    mode: Mode,
    imports: Mapping[str, Imports],
) -> Plan:
    """Look at all decisions together: the breaker, who imports from whom, and the pace."""
    ordered = in_order(found.decisions, imports, policy)
    due, why, lifted = stopped(found, ordered, account, policy)
    decisions = _stop(ordered, why) if why else _pace(ordered, policy.limits)
    decisions.sort(key=_by_deadline)
    shown = tuple(decisions)
    return Plan(
        found.now, mode, found.regions, shown, found.managed, due, why, lifted, found.unread
    )


def stopped(
    found: Survey, ordered: Iterable[Decision], account: Account, policy: Policy
) -> tuple[int, str, bool]:
    """Count what is due and not held up; say why so much stops everything, or if that is lifted.

    Only what is known for certain to stay does not count: none of that is asked to go.
    """
    due = sum(
        isinstance(before, Delete | Retry) and not isinstance(decision, Blocked)
        for before, decision in zip(found.decisions, ordered, strict=True)
    )
    tripped = breaker(due, found.managed, policy.limits)
    until = account.breaker_lifted_until
    lifted = bool(tripped) and until is not None and found.now < until
    return due, "" if lifted else tripped, lifted


def breaker(due: int, managed: int, limits: Limits) -> str:
    """Say why so many due stacks stop everything, or nothing if they do not."""
    if due > limits.max_due:
        return f"{due} stacks are due for deletion, and max_due is {limits.max_due}"
    if due >= limits.breaker_floor and due > limits.max_deletes_fraction * managed:
        share = f"{limits.max_deletes_fraction:.0%}"
        return (
            f"{due} of {managed} managed stacks are due for deletion, more than {share}"
            " (max_deletes_fraction)"
        )
    return ""


def _stop(decisions: Iterable[Decision], why: str) -> list[Decision]:
    reason = Reason(f"breaker: {why}; `janitor breaker lift` lets them go for a day")
    return _deletions(decisions, lambda d: Blocked(reason, d.stack, d.lease, d.changes, d.tags))


def _pace(decisions: list[Decision], limits: Limits) -> list[Decision]:
    """Let the oldest deadlines go, as many as one sweep may, and the rest wait."""
    due = _in_line(decisions)
    most = limits.max_deletes_per_sweep
    late = {d.lease.stack_id: n for n, d in enumerate(due, 1) if n > most and d.lease}

    def wait(d: Delete | Retry) -> Decision:
        if d.lease is None or d.lease.stack_id not in late:
            return d
        place = late[d.lease.stack_id]
        text = f"due, number {place} in line; {most} go per sweep (max_deletes_per_sweep)"
        return Wait(Reason(text), d.stack, d.lease, d.changes, d.tags)

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
