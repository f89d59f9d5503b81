"""Sweep: list every region's stacks and the open leases, decide, apply.

A dry run differs in one place: it stops before apply.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from itertools import compress

from msgspec import Struct
from msgspec.structs import replace

from janitor.adapters.ports import (
    Clock,
    Ledger,
    Policies,
    Queue,
    SideBySide,
    Stacks,
    in_turn,
)
from janitor.core.decisions import Decision
from janitor.core.errors import ClockError, Conflict, JanitorError
from janitor.core.journal import Actor
from janitor.core.model import ACCOUNT_KEY, Account, Lease, Mode, Outcome, Stack, Status
from janitor.core.order import Imports, by_others
from janitor.core.plan import Plan, make_plan, survey, unknown_imports
from janitor.core.policy import Policy
from janitor.core.protection import unknown_protection, with_protection
from janitor.core.times import instant_text
from janitor.journeys.account import record_sweep
from janitor.journeys.gathered import Gathered
from janitor.journeys.leases import Applying
from janitor.journeys.tagging import settle

CLOCK_TOLERANCE = timedelta(minutes=5)
"""Clocks of several machines may differ by so much."""


class Report(Struct, frozen=True):
    """What a sweep decided, and what came of it (nothing in a dry run)."""

    plan: Plan
    outcomes: tuple[Outcome, ...] = ()


def sweep(
    *,
    clock: Clock,
    policies: Policies,
    regions: Iterable[str],
    stacks: Stacks,
    ledger: Ledger,
    queue: Queue,
    actor: Actor,
    apply: bool,
    may_go_on: Callable[[], bool] = lambda: True,
    side_by_side: SideBySide = in_turn,
) -> Report:
    """Make one pass over the account. Raises `ClockError` if the clock went backwards.

    `may_go_on` is asked before CloudFormation is asked about a stack that is due, and before
    each decision is applied: what is left when it says no is for the next sweep, and what was
    gathered until then is still queued. Both are done `side_by_side`, all that belongs to one
    stack in order.
    """
    # Gather.
    now, policy, mode = clock(), policies.policy(), policies.mode()
    under_way = stacks.list_all(regions)
    account, leases = ledger.open_records()
    _refuse_old_clock(now, account, leases.values(), policy)
    listings = tuple(under_way)
    does_act = apply and mode is not Mode.OFF
    leases = leases | settle(
        listings,
        leases,
        now=now,
        policy_version=policy.version,
        actor=actor,
        stacks=stacks,
        ledger=ledger if does_act else None,
    )
    # Decide, and ask what keeps the stacks that would go from going, as far as that decides it.
    found = survey(listings, leases, policy, now, account)
    due = [stack.stack_id for stack in unknown_protection(found)]
    answers = side_by_side(partial(_is_protected, stack_id, stacks, may_go_on) for stack_id in due)
    found = with_protection(found, set(compress(due, answers)))
    imports: dict[str, Imports] = {}
    while asked := unknown_imports(found, imports):
        who = side_by_side(partial(_importers_of, stack, stacks, may_go_on) for stack in asked)
        imports |= zip((stack.stack_id for stack in asked), who, strict=True)
    plan = make_plan(found, policy, mode, imports)
    if not does_act:
        return Report(plan)
    # Apply.
    gathered = Gathered()
    applying = Applying(plan, policy, actor, clock, policies, stacks, ledger, gathered)
    outcomes = list(guarded(ACCOUNT_KEY, "sweep", partial(record_sweep, account, applying)))
    for some, own in side_by_side(_acts(applying, may_go_on)):
        outcomes += some
        gathered.take(own)
    for request in gathered.take_notices():
        outcomes += guarded(request.contact.address, "queue", partial(queue.notify, request))
    for deletion in gathered.deletions:
        outcomes += guarded(deletion.stack_id, "queue", partial(queue.delete, deletion))
    return Report(plan, tuple(outcomes))


def _is_protected(stack_id: str, stacks: Stacks, may_go_on: Callable[[], bool]) -> bool:
    """Ask whether a stack has termination protection; where that fails it counts as one to go."""
    with suppress(JanitorError):
        seen = stacks.describe(stack_id) if may_go_on() else None
        return seen is not None and seen.termination_protection
    return False


def _importers_of(stack: Stack, stacks: Stacks, may_go_on: Callable[[], bool]) -> Imports:
    """Ask who imports what a stack exports; what cannot be read holds the stack up."""
    names: dict[str, tuple[str, ...]] = {}
    try:
        for export in stack.exports:
            if not may_go_on():
                return Imports(error="the sweep is out of time")
            names[export] = stacks.importers(stack.stack_id, export)
    except JanitorError as error:
        return Imports(error=str(error))
    return by_others(stack, names)


def _acts(
    applying: Applying, may_go_on: Callable[[], bool]
) -> Iterator[Callable[[], tuple[list[Outcome], Gathered]]]:
    """Yield the applying of each decision, until there is no time left to begin another.

    Each gathers for itself, so that what comes of them all has one order.
    """

    def act(decision: Decision) -> tuple[list[Outcome], Gathered]:
        own = Gathered()
        apply = partial(replace(applying, queue=own).apply, decision)
        return list(guarded(_key(decision), "sweep", apply)), own

    decisions = applying.plan.decisions
    for done, decision in enumerate(decisions):
        if not may_go_on():
            left = f"out of time: {len(decisions) - done} stacks are left to the next sweep"
            skipped = Outcome(ACCOUNT_KEY, "sweep", Status.SKIPPED, left)
            yield partial(_left, skipped)
            return
        yield partial(act, decision)


def _left(skipped: Outcome) -> tuple[list[Outcome], Gathered]:
    return [skipped], Gathered()


def guarded(
    key: str, action: str, act: Callable[[], Iterable[Outcome] | None]
) -> Iterator[Outcome]:
    """Act on one item and keep its error as its outcome: no item stops another."""
    try:
        yield from act() or ()
    except Conflict:
        text = "changed meanwhile; the next sweep decides anew"
        yield Outcome(key, action, Status.SKIPPED, text)
    except Exception as error:
        yield Outcome(key, action, Status.FAILED, str(error) or repr(error))


def _key(decision: Decision) -> str:
    subject = decision.lease or decision.stack
    return subject.stack_id if subject else ACCOUNT_KEY


def _refuse_old_clock(
    now: datetime, account: Account, leases: Iterable[Lease], policy: Policy
) -> None:
    last = account.updated_at or now
    for lease in leases:
        if lease.updated_at is not None and lease.updated_at > last:
            last = lease.updated_at
    if now < last - CLOCK_TOLERANCE:
        zone = policy.window.window.zone
        raise ClockError(
            f"the clock stands at {instant_text(now, zone)}, but the ledger was written at"
            f" {instant_text(last, zone)}; set the clock right, or give a later --now"
        )
