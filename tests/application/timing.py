"""Whether a stack may be deleted by now, for the sake of its owners: what they were told."""

from datetime import datetime

from tests.application import truth
from tests.application.truth import HOUR, Terms, Told
from tests.application.world import START, View, World

from janitor.domain.model import MoveCause, Stack


def standing(stack_id: str, view: View, terms: Terms) -> Stack:
    """Return a stack with the tags that hold for it by these terms."""
    lease = view.leases.get(stack_id)
    remembered = dict(lease.tags) if lease else {}
    return truth.standing(view.stacks[stack_id], remembered, terms)


def deadlines(world: World, stack: Stack, view: View, terms: Terms) -> set[datetime]:
    """Return the deadlines that a stack, with the tags that hold, may have by these terms.

    More than one where faults hid something: an extension that was written but not
    acknowledged, and a tag update of the janitor whose record was lost, may count or not. A
    stack that was let go ends then, unless it was deployed or extended since.
    """
    acked = world.extended.get(stack.stack_id)
    written = {
        entry.record.extended_until
        for entry in world.commits_of.get(stack.stack_id, ())
        if entry.events[0].action == "lease.extended"
        and (acked is None or entry.record.extended_until > acked)
    }
    lease = view.leases.get(stack.stack_id)
    begun = max(stack.created, lease.adopted_at or stack.created) if lease else stack.created
    found = set()
    for deployed in view.deployed[stack.stack_id]:
        asked = truth.asked(stack, terms, deployed)
        let_go = let_go_at(world, stack.stack_id)
        if let_go is not None and (let_go <= deployed or truth.is_unreadable(stack, terms)):
            let_go = None
        for extended in {acked, *written}:
            ends = [let_go] if let_go is not None else []
            if asked is not None:
                latest = begun + 24 * HOUR * terms.max_days
                ends.append(min(max(asked, extended or asked), latest))
            if ends:
                found.add(min(ends))
    return found


def in_force(world: World, stack_id: str, view: View) -> set[datetime]:
    """Return the deadlines that a stack may have at present.

    As long as an edit of the policy is not accepted, the later of two counts. Where tags are a
    surprise, the lease says which former deadline it holds; whether it has to is looked at apart.
    """
    stack = standing(stack_id, view, view.terms)
    ends = deadlines(world, stack, view, view.terms)
    accepted = view.accepted
    if accepted not in (None, view.terms) and truth.rule_of(stack, accepted):
        before = deadlines(world, stack, view, accepted)
        ends = {max(one, other) for one in ends for other in before}
    lease = view.leases.get(stack_id)
    if lease and lease.moved and lease.moved.is_held and lease.moved.cause is MoveCause.TAGS:
        ends |= {lease.moved.former} if lease.moved.former else set()
    return ends


def let_go_at(world: World, stack_id: str) -> datetime | None:
    """Return when the owner let the stack go, by the journal; None if it was taken back."""
    at = None
    for entry in world.commits_of.get(stack_id, ()):
        match entry.events[-1].action:
            case "lease.let_go":
                at = datetime.fromisoformat(entry.events[-1].occurred_at)
            case "lease.extended":
                at = None
            case _:
                pass
    return at


def why_too_soon(world: World, stack_id: str, view: View, *, void: bool = True) -> str:
    """Say why the stack may not be deleted now for the sake of its owners, or nothing.

    With `void`, notices from before its region was away for too long count for nothing.
    """
    terms, now = view.terms, world.now
    stack = standing(stack_id, view, terms)
    if not truth.rule_of(stack, terms):
        return "no rule selects it"
    if not truth.window_open(terms, now):
        return "the window is closed"
    since = world.regions.void.get(stack.region, START) if void else START
    why = "it has no deadline"
    for deadline in in_force(world, stack_id, view):
        if now < deadline:
            why = f"its deadline is {deadline}"
            continue
        whys = [
            _untold(world, stack, to, deadline, terms, since) for to in truth.owners(stack, terms)
        ]
        if not any(whys):
            return ""
        why = "; ".join(whys)
    return why


def _untold(
    world: World, stack: Stack, to: str, deadline: datetime, terms: Terms, since: datetime
) -> str:
    finals = [
        notice
        for notice in final_notices(world, stack, to)
        if notice.expired == deadline and notice.sent >= since
    ]
    if not finals:
        other = [f"{n.expired} at {n.sent}" for n in final_notices(world, stack, to)]
        return f"{to} got no final notice for {deadline}, only for {other}"
    if not any(
        world.now - one.sent >= truth.grace(stack, terms, in_place=one.in_place) for one in finals
    ):
        how = " in their place" * finals[0].in_place
        return f"{to} was told{how} at {finals[0].sent} only"
    # One that went out and could not be recorded is sent again: the last one holds.
    promised = finals[-1].promised
    if promised is None or world.now < promised:
        return f"{to} was promised {promised}"
    return ""


def final_notices(world: World, stack: Stack, to: str) -> list[Told]:
    """Return the final notices about a stack that were sent to this owner, oldest first."""
    return [
        notice
        for notice in world.told_of.get(stack.name, ())
        if notice.promised is not None
        and (notice.region, notice.to) == (stack.region, to)
        and notice.created == stack.created
    ]


def why_not_adopted(world: World, stack_id: str, view: View, opened: datetime) -> str:
    """Say who has not known of the janitor for long enough for an old stack to be marked."""
    stack = standing(stack_id, view, view.terms)
    since = max(opened, world.regions.void.get(stack.region, START))
    for to in truth.owners(stack, view.terms):
        told = [
            notice.sent
            for notice in world.told_of.get(stack.name, ())
            if notice.is_first_word
            and (notice.region, notice.to) == (stack.region, to)
            and notice.sent >= since
        ]
        if not told or world.now - min(told) < view.terms.adoption * HOUR:
            return f"{to} got its first notice at {min(told) if told else 'no time'}"
    return ""
