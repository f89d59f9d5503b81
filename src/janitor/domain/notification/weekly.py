"""A week of the account for its operators: what was kept, deleted and failed, and who needs a word.

Made from the journal's events of the week and the leases that are open at its end. All
text comes cleaned, since most of it is from tags.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct, field
from msgspec.structs import replace

from janitor.domain.journal.event_view import read_event
from janitor.domain.journal.events import Event
from janitor.domain.lease.owners import clean
from janitor.domain.model import Account, Hold, Lease, LeaseState
from janitor.domain.planning.conditions import Kind, conditions
from janitor.domain.planning.exemptions import exemptions_of_leases
from janitor.domain.policy.model import Policy
from janitor.domain.stack.labels import cost_of, labels_of

REPEATED = 2
"""Extensions from which on an owner is named."""
UNTOLD = timedelta(days=1)
"""For so long a final notice may be on its way before its stack is named."""
HAVE_FAILED = (LeaseState.FAILED, LeaseState.NEEDS_ATTENTION)
OLDEST = 5


class Line(Struct, frozen=True):
    """One stack, or one owner, and what is to be said of them."""

    name: str
    region: str = ""
    owner: str = ""
    detail: str = ""
    due: datetime | None = None


class Survivor(Struct, frozen=True):
    """An old stack that is still there."""

    name: str
    region: str
    owner: str
    created: datetime
    expires_at: datetime | None


class Week(Struct, frozen=True):
    """What there is to tell of one week, each list in an order that does not change."""

    since: datetime
    until: datetime
    open: int
    hold: Hold | None = None
    """What a surprise holds."""
    exempt: Mapping[str, int] = field(default_factory=dict)
    """How many stacks are never deleted as things stand, by why."""
    refused: tuple[str, ...] = ()
    """Regions that cannot be listed."""
    held: tuple[Line, ...] = ()
    """Stacks that are due and cannot go until somebody acts; the detail is why."""
    kept: tuple[Line, ...] = ()
    """Stacks that were extended; the detail is until when, and by whom."""
    let_go: tuple[Line, ...] = ()
    """The detail is by whom."""
    deleted: tuple[Line, ...] = ()
    """Stacks that are gone without a rest; the detail is the monthly cost, if known."""
    leftovers: tuple[Line, ...] = ()
    """Stacks that are gone but for something; the detail says what CloudFormation confirmed."""
    failed: tuple[Line, ...] = ()
    """Stacks that could not be deleted and still are there; the detail is the error."""
    extenders: tuple[tuple[str, int, int], ...] = ()
    """Owners, how often the stacks that they still have were extended, and how many these are."""
    oldest: tuple[Survivor, ...] = ()
    ownerless: tuple[Line, ...] = ()
    unreachable: tuple[Line, ...] = ()
    """Owners whose notices went to a fallback; the detail is which."""
    unreadable: tuple[Line, ...] = ()
    savings: tuple[tuple[str, Decimal], ...] = ()
    """A month, by currency, of the deleted stacks whose cost is known."""
    unknown_costs: int = 0
    """Deleted stacks whose cost nobody told."""


def week_of(when: datetime, zone: ZoneInfo) -> str:
    """Return the ISO week in which an instant lies in `zone`: `2026-W23`. Later sorts after."""
    year, week, _ = when.astimezone(zone).isocalendar()
    return f"{year}-W{week:02}"


def weekly(
    events: Iterable[Event],
    leases: Iterable[Lease],
    account: Account,
    since: datetime,
    now: datetime,
    policy: Policy,
) -> Week:
    """Look back at the week from `since` to `now`; `leases` are those open by now."""
    by_action: dict[str, dict[str, Event]] = {}
    unreachable = {}
    for event in events:
        by_action.setdefault(event.action, {})[event.key] = event  # of a stack, the last counts
        facts = _facts(event)
        if event.action == "notice.delivered" and facts.get("fallback"):
            unreachable[clean(str(facts.get("to")))] = clean(str(facts["fallback"]))
    ordered = sorted(leases, key=lambda lease: (lease.created, lease.stack_id))
    gone = by_action.get("deletion.confirmed", {})
    costs = {key: cost_of(_labels(by_action.get("deletion.intended", {}).get(key))) for key in gone}
    whole = [e for e in gone.values() if e.body.get("result") != "leftovers"]
    rests = [e for e in gone.values() if e.body.get("result") == "leftovers"]
    return Week(
        since=since,
        until=now,
        open=len(ordered),
        hold=account.hold,
        exempt=exemptions_of_leases(ordered, account.taken_out),
        refused=account.refused_regions,
        held=tuple(_held_lines(ordered, policy, now)),
        kept=_lines(
            by_action.get("lease.extended", {}).values(),
            lambda e: f"until {_facts(e).get('until', '?')}, by {read_event(e).who}",
        ),
        let_go=_lines(
            by_action.get("lease.let_go", {}).values(), lambda e: f"by {read_event(e).who}"
        ),
        deleted=_lines(whole, lambda e: _cost(costs[e.key])),
        leftovers=_lines(rests, _sentence),
        failed=tuple(
            _line(lease, lease.blocker or lease.last_error)
            for lease in ordered
            if lease.state in HAVE_FAILED
        ),
        extenders=_extenders(ordered),
        oldest=tuple(
            Survivor(clean(le.name), le.region, _owner(le), le.created, le.expires_at)
            for le in ordered[:OLDEST]
        ),
        ownerless=tuple(_line(lease) for lease in ordered if lease.ownerless),
        unreachable=tuple(Line(who, detail=to) for who, to in sorted(unreachable.items())),
        unreadable=tuple(_line(lease, lease.problem) for lease in ordered if lease.problem),
        savings=_savings(costs.values()),
        unknown_costs=sum(cost is None for cost in costs.values()),
    )


def _held_lines(leases: Iterable[Lease], policy: Policy, now: datetime) -> Iterator[Line]:
    """Yield what is due and held up, the longest first."""
    held = [(le.expires_at, le, why) for le in leases if (why := _held_by(le, policy, now))]
    for due, lease, why in sorted(held, key=lambda one: (one[0], one[1].stack_id)):
        yield replace(_line(lease, why), due=due)


def _held_by(lease: Lease, policy: Policy, now: datetime) -> str:
    """Say why a stack that is due does not go; nothing if it goes, or is named as failed."""
    if lease.expires_at is None or lease.expires_at > now or lease.state in HAVE_FAILED:
        return ""
    for unmet in (c for c in conditions(None, lease, policy, now) if not c.is_met):
        if unmet.kind is Kind.TOLD and lease.state is LeaseState.MARKED:
            is_late = now - lease.expires_at >= UNTOLD
            return f"its final notice is not delivered: {unmet.detail}" if is_late else ""
        if not unmet.comes_by_itself:
            return unmet.detail
    return ""


def _extenders(leases: Iterable[Lease]) -> tuple[tuple[str, int, int], ...]:
    """Return the owners of stacks that were extended again and again, the keenest first."""
    times: Counter[str] = Counter()
    stacks: Counter[str] = Counter()
    for lease in leases:
        if lease.extensions and not lease.ownerless:
            times[_owner(lease)] += lease.extensions
            stacks[_owner(lease)] += 1
    found = [(who, n, stacks[who]) for who, n in times.items() if n >= REPEATED]
    return tuple(sorted(found, key=lambda one: (-one[1], one[0])))


def _savings(costs: Iterable[tuple[Decimal, str] | None]) -> tuple[tuple[str, Decimal], ...]:
    sums: dict[str, Decimal] = {}
    for amount, currency in filter(None, costs):
        sums[currency] = sums.get(currency, Decimal()) + amount
    return tuple(sorted(sums.items()))


def _lines(
    events: Iterable[Event], detail: Callable[[Event], str] = lambda _: ""
) -> tuple[Line, ...]:
    lines = []
    for event in events:
        target = event.body.get("target", {})
        name, region, owner = (clean(str(target.get(k, ""))) for k in ("name", "region", "owner"))
        lines.append(Line(name, region, owner, clean(detail(event))))
    return tuple(sorted(lines, key=lambda line: (line.name, line.region, line.owner, line.detail)))


def _line(lease: Lease, detail: str = "") -> Line:
    return Line(clean(lease.name), lease.region, _owner(lease), clean(detail))


def _owner(lease: Lease) -> str:
    return "" if lease.ownerless else ", ".join(clean(one.address) for one in lease.contacts)


def _facts(event: Event) -> Mapping[str, Any]:
    facts: Mapping[str, Any] = event.body.get("reason", {}).get("facts", {})
    return facts


def _sentence(event: Event) -> str:
    return str(event.body.get("reason", {}).get("sentence", ""))


def _labels(event: Event | None) -> tuple[tuple[str, str], ...]:
    """Return the labels of a stack as its tags were when its deletion was begun."""
    return labels_of(event.body.get("target", {}).get("tags", {})) if event else ()


def _cost(cost: tuple[Decimal, str] | None) -> str:
    return f"{cost[0]:.2f} {cost[1]} a month" if cost else ""
