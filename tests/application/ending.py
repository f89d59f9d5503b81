"""5: once faults stop, some sweeps bring the account to its right end, and then to rest."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from msgspec.structs import replace
from tests.application import truth
from tests.application.checkers import Checkers
from tests.application.faults import Schedule
from tests.application.timing import in_force, standing
from tests.application.world import REGIONS, World
from tests.fakes.stack_state import GONE

from janitor.domain.model import Lease, LeaseState, Mode, Stack
from janitor.domain.stack.statuses import TAGGABLE

ROUNDS = 20
APART = timedelta(hours=12)
"""Ten days in all: adoption and two graces of at most three days each."""


def come_to_rest(world: World, checkers: Checkers) -> None:
    """Let the operators set everything right, and the janitor do the rest."""
    begun = _settle(world)
    _accept_all(world, checkers)
    for what in _all_wrong_tags(world):
        checkers.no(5, f"{what}, at once")
    # Who waits for others waits for all of them, each of whom may take several attempts.
    for number in range(ROUNDS + 3 * len(world.alive())):
        if number >= ROUNDS and not _in_progress(world):
            break
        world.now += APART
        _round(world, checkers)
    # What remains at this instant (outcomes to record, new reminders) takes few sweeps.
    for _ in range(len(world.stacks.stacks) + 3):
        if not _round(world, checkers):
            break
    for what in _wrong_end(world, begun):
        checkers.no(5, what)
    if changes := _round(world, checkers):
        checkers.no(5, f"one more sweep at rest made {changes} changes")


def _accept_all(world: World, checkers: Checkers) -> None:
    """6: what an operator has accepted is held no more."""
    for _ in range(2):
        _round(world, checkers)
    world.lift(Schedule(), stale=False)
    for _ in range(2):
        _round(world, checkers)
    if held := checkers.holding.held or world.ledger.account().hold:
        checkers.no(6, f"an operator has accepted it all, and {held} is held")


def _in_progress(world: World) -> bool:
    leases = world.ledger.open_records().leases.values()
    on_the_way = {LeaseState.DELETING, LeaseState.FAILED}
    return any(lease.state in on_the_way for lease in leases)


def _settle(world: World) -> datetime:
    for region in REGIONS:
        world.stacks.refuse(region, "")
    world.stacks.unlistable.clear()
    world.channel.refused.clear()
    world.deaf.clear()
    world.mode = Mode.ENFORCE
    world.ledger.spoiled.clear()
    world.terms = replace(world.terms, office_hours=False, max_deleting=None)
    world.drain()
    return world.now


def _round(world: World, checkers: Checkers) -> int:
    before = world.writes
    swept = world.sweep(Schedule())
    checkers.after_sweep(swept, world)
    world.drain()
    for stack in world.alive():
        world.stacks.finish(stack.stack_id)
    return world.writes - before


def _wrong_end(world: World, begun: datetime) -> Iterator[str]:
    for stack in world.stacks.stacks.values():
        lease = world.ledger.lease(stack.stack_id)
        if stack.status == GONE:
            if lease is not None and lease.state.is_open:
                yield f"{stack.name} is gone, its lease is {lease.state}"
            continue
        whole = standing(stack.stack_id, world.view(), world.terms)
        if lease is not None and lease.state in (LeaseState.DELETED, LeaseState.GONE):
            yield f"{stack.name} is there, its lease is {lease.state}"
        if stack.stack_id in world.taken_out or not truth.managed(whole, world.terms):
            if lease is not None and lease.state.is_open:
                yield f"{stack.name} is not managed, its lease is {lease.state}"
        elif lease is None or not lease.state.is_open:
            yield f"{stack.name} is managed, and has no open lease"
        else:
            yield from _wrong_lease(world, whole, lease, begun)
        half = stack.status == "DELETE_FAILED"
        if lease is not None and lease.unprotected and not half:
            yield f"{stack.name} was left without its termination protection"


def _wrong_lease(world: World, stack: Stack, lease: Lease, begun: datetime) -> Iterator[str]:
    due = in_force(world, stack.stack_id, world.view())
    if lease.state is LeaseState.NEEDS_ATTENTION:
        if lease.attempts < world.terms.max_attempts and due:
            chain = [event.action for event in world.ledger.chain(stack.stack_id)]
            if "deletion.given_up" not in chain:
                yield f"{stack.name} was given up after {lease.attempts} attempts"
        if stack.status != "DELETE_FAILED" and (not due or min(due) > world.now):
            yield f"{stack.name} needs attention, and is not even due"
        told = {
            n.to
            for n in world.told
            if n.name == stack.name and "could not be deleted after" in n.text
        }
        if missing := {*truth.owners(stack, world.terms), truth.OPERATORS} - told:
            yield f"{stack.name} needs attention, and nobody told {missing}"
        return
    if lease.state is LeaseState.DELETING:
        yield f"{stack.name} is still being deleted, status {stack.status}"
    # A day less than the sweeps had, since a deadline may have come up only meanwhile.
    if due and max(due) <= begun and stack.status in truth.RESTING and not _held(world, stack):
        yield f"{stack.name} has been due since {max(due)}, status {stack.status}, {lease.state}"
    if (
        due
        and min(due) > world.now
        and stack.status != "DELETE_FAILED"
        and lease.state is not LeaseState.ACTIVE
    ):
        yield f"{stack.name} is not due before {min(due)}, its lease is {lease.state}"
    yield from _wrong_tags(world, stack, lease)


def _held(world: World, stack: Stack) -> bool:
    """Tell whether the stack must stay: protected, or imported by another that is still there."""
    users = (user for name in stack.exports for user in world.stacks.importing(stack, name))
    return truth.protected(stack, world.terms) or any(users)


def _all_wrong_tags(world: World) -> Iterator[str]:
    for stack in world.alive():
        lease = world.ledger.lease(stack.stack_id)
        whole = standing(stack.stack_id, world.view(), world.terms)
        if lease is not None and lease.state.is_open and truth.managed(whole, world.terms):
            yield from _wrong_tags(world, stack, lease)


def _wrong_tags(world: World, stack: Stack, lease: Lease) -> Iterator[str]:
    """Yield where tags do not mirror the lease though nothing was in the way."""
    if world.terms.tagging == "off" or stack.status not in TAGGABLE or "filler-0" in stack.tags:
        return
    if truth.more_than_tags(stack.stack_id, world.stacks, shown=True):
        return
    tagged = "janitor:state" in stack.tags
    if lease.state is LeaseState.ACTIVE and tagged:
        yield f"{stack.name} is active, and tagged as marked"
    # A list does not show termination protection: such a stack is asked for in vain at
    # every sweep, and a mark that a deployment wiped off it is not put back.
    if lease.state is LeaseState.MARKED and not tagged and not stack.termination_protection:
        yield f"{stack.name} is marked, and not tagged"
