"""Whether a stack may be deleted by now, for the sake of its owners: what they were told."""

from datetime import datetime

from tests.journeys import truth
from tests.journeys.truth import HOUR, Told
from tests.journeys.world import View, World

from janitor.core.model import Stack


def deadlines(world: World, stack: Stack, view: View) -> set[datetime]:
    """Return the deadlines that the stack may have: more than one where faults hid something.

    An extension that was written but not acknowledged, and a tag update of the janitor
    whose record was lost, may count or not. A stack that was let go ends then, unless it
    was deployed or extended since.
    """
    terms = view.terms
    acked = world.extended.get(stack.stack_id)
    written = {
        entry.record.extended_until
        for entry in world.commits
        if entry.record.key == stack.stack_id
        and entry.events[0].action == "lease.extended"
        and (acked is None or entry.record.extended_until > acked)
    }
    found = set()
    for deployed in view.deployed[stack.stack_id]:
        asked = truth.asked(stack, terms, deployed)
        let_go = let_go_at(world, stack.stack_id)
        if let_go is not None and (let_go <= deployed or truth.is_unreadable(stack, terms)):
            let_go = None
        for extended in {acked, *written}:
            ends = [let_go] if let_go is not None else []
            if asked is not None:
                latest = stack.created + 24 * HOUR * terms.max_days
                ends.append(min(max(asked, extended or asked), latest))
            if ends:
                found.add(min(ends))
    return found


def let_go_at(world: World, stack_id: str) -> datetime | None:
    """Return when the owner let the stack go, by the journal; None if it was taken back."""
    at = None
    for entry in world.commits:
        if entry.record.key == stack_id:
            match entry.events[-1].action:
                case "lease.let_go":
                    at = datetime.fromisoformat(entry.events[-1].occurred_at)
                case "lease.extended":
                    at = None
                case _:
                    pass
    return at


def why_too_soon(world: World, stack_id: str, view: View) -> str:
    """Say why the stack may not be deleted now for the sake of its owners, or nothing."""
    stack, terms, now = view.stacks[stack_id], view.terms, world.now
    if not truth.rule_of(stack, terms):
        return "no rule selects it"
    if not truth.window_open(terms, now):
        return "the window is closed"
    why = "it has no deadline"
    for deadline in deadlines(world, stack, view):
        if now < deadline:
            why = f"its deadline is {deadline}"
            continue
        whys = [_untold(world, stack, to, deadline, terms) for to in truth.owners(stack, terms)]
        if not any(whys):
            return ""
        why = "; ".join(whys)
    return why


def _untold(world: World, stack: Stack, to: str, deadline: datetime, terms: truth.Terms) -> str:
    finals = [notice for notice in final_notices(world, stack, to) if notice.expired == deadline]
    if not finals:
        other = [f"{n.expired} at {n.sent}" for n in final_notices(world, stack, to)]
        return f"{to} got no final notice for {deadline}, only for {other}"
    if world.now - finals[0].sent < truth.grace(stack, terms):
        return f"{to} was told at {finals[0].sent} only"
    # One that went out and could not be recorded is sent again: the last one holds.
    promised = finals[-1].promised
    if promised is None or world.now < promised:
        return f"{to} was promised {promised}"
    return ""


def final_notices(world: World, stack: Stack, to: str) -> list[Told]:
    """Return the final notices about a stack that were sent to this owner, oldest first."""
    return [
        notice
        for notice in world.told
        if notice.promised is not None
        and (notice.name, notice.region, notice.to) == (stack.name, stack.region, to)
        and notice.created == stack.created
    ]
