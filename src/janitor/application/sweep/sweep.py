"""Sweep: list every region's stacks and the open leases, decide, apply.

A dry run differs in one place: it stops before apply.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from functools import partial
from itertools import compress

from msgspec import Struct
from msgspec.structs import replace

from janitor.application.notification.topic_reach import LISTEN, look_who_hears
from janitor.application.ports import (
    Clock,
    Ledger,
    Policies,
    Queue,
    SideBySide,
    Stacks,
    Topic,
    in_turn,
)
from janitor.application.sweep.account import record_sweep
from janitor.application.sweep.apply import Applying
from janitor.application.sweep.outbox import Gathered
from janitor.application.sweep.stack_questions import Asking
from janitor.application.sweep.tagging import settle
from janitor.domain.errors import ClockError, Conflict
from janitor.domain.failures import failed
from janitor.domain.instants import instant_text
from janitor.domain.journal.events import Actor
from janitor.domain.model import ACCOUNT_KEY, FINAL, Account, Lease, Mode, Outcome, Status
from janitor.domain.notification.messages import NoticeRequest, Telling
from janitor.domain.planning.decisions import Decision, Ignore
from janitor.domain.planning.export_order import Imports
from janitor.domain.planning.plan import Plan, make_plan, survey, unknown_imports
from janitor.domain.planning.termination_protection import unknown_protection, with_protection
from janitor.domain.policy.model import Policy

CLOCK_TOLERANCE = timedelta(minutes=5)
"""Clocks of several machines may differ by so much."""

SWEEP = "sweep"
ITEMS = frozenset({SWEEP, "decide"})
"""The actions whose failure says that nothing was done about a stack."""


class Report(Struct, frozen=True):
    """What a sweep decided, and what came of it (nothing in a dry run)."""

    plan: Plan
    outcomes: tuple[Outcome, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Tell whether anything was swept: a region was listed, and not every stack failed."""
        asked = {_key(d) for d in self.plan.decisions if not isinstance(d, Ignore)}
        failed_ = {o.key for o in self.outcomes if o.status is Status.FAILED and o.action in ITEMS}
        is_listed = any(not error for _, error in self.plan.regions)
        return is_listed and (not asked or not asked <= failed_)


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
    topic: Topic | None = None,
    may_go_on: Callable[[], bool] = lambda: True,
    side_by_side: SideBySide = in_turn,
) -> Report:
    """Make one pass over the account. Raises `ClockError` if the clock went backwards.

    `may_go_on` is asked before CloudFormation is asked about a stack that is due, and before
    each decision is applied: what is left when it says no is for the next sweep, and what was
    gathered until then is still queued. Who hears the `topic` is looked at once, where there
    is something to tell. Both are done `side_by_side`, all that belongs to one
    stack in order.
    """
    # Gather.
    now, policy, mode = clock(), policies.policy(), policies.mode()
    under_way = stacks.list_all(regions)
    records = ledger.open_records()
    account, leases = records.account, records.leases
    _refuse_old_clock(now, account, leases.values(), policy)
    listings = tuple(under_way)
    does_act = apply and mode is not Mode.OFF
    asking = Asking(stacks, may_go_on)
    settled = settle(
        listings,
        leases,
        now=now,
        policy_version=policy.version,
        actor=actor,
        stacks=stacks,
        ledger=ledger if does_act else None,
        broken=asking.broken,
        may_go_on=may_go_on,
    )
    # Decide, and ask what keeps the stacks that would go from going, as far as that decides it.
    found = survey(
        listings, {**leases, **settled}, policy, now, account, unreadable=records.unreadable
    )
    due = [stack.stack_id for stack in unknown_protection(found)]
    answers = side_by_side(partial(asking.is_protected, stack_id) for stack_id in due)
    found = with_protection(found, set(compress(due, answers)))
    imports: dict[str, Imports] = {}
    while asked := unknown_imports(found, imports):
        who = side_by_side(partial(asking.importers_of, stack) for stack in asked)
        imports |= zip((stack.stack_id for stack in asked), who, strict=True)
    plan = make_plan(found, policy, mode, imports)
    broken = (*found.broken, *asking.broken)
    if not does_act:
        return Report(plan, broken)
    # Apply.
    gathered = Gathered()
    applying = Applying(plan, policy, actor, clock, policies, stacks, ledger, gathered)
    outcomes = [*broken, *guarded(ACCOUNT_KEY, SWEEP, partial(record_sweep, account, applying))]
    for some, own in side_by_side(_acts(applying, may_go_on)):
        outcomes += some
        gathered.take(own)
    tellings = list(gathered.take_notices())
    if topic is not None and any(isinstance(one, NoticeRequest) for one in tellings):
        look = partial(
            look_who_hears,
            topic,
            ledger=ledger,
            now=now,
            actor=actor,
            policy_version=policy.version,
        )
        heard = list(guarded(ACCOUNT_KEY, LISTEN, look))
        outcomes += heard
        if any(outcome.action == LISTEN for outcome in heard):
            # By what the ledger has from before, nobody may lose a stack.
            tellings = [one for telling in tellings for one in _but_final(telling)]
    for request in tellings:
        outcomes += guarded(request.contact.address, "queue", partial(queue.notify, request))
    for deletion in gathered.deletions:
        outcomes += guarded(deletion.stack_id, "queue", partial(queue.delete, deletion))
    return Report(plan, tuple(outcomes))


def _acts(
    applying: Applying, may_go_on: Callable[[], bool]
) -> Iterator[Callable[[], tuple[list[Outcome], Gathered]]]:
    """Yield the applying of each decision, until there is no time left to begin another.

    Each gathers for itself, so that what comes of them all has one order.
    """

    def act(decision: Decision) -> tuple[list[Outcome], Gathered]:
        own = Gathered()
        apply = partial(replace(applying, queue=own).apply, decision)
        return list(guarded(_key(decision), SWEEP, apply)), own

    decisions = applying.plan.decisions
    for done, decision in enumerate(decisions):
        if not may_go_on():
            left = f"out of time: {len(decisions) - done} stacks are left to the next sweep"
            skipped = Outcome(ACCOUNT_KEY, SWEEP, Status.SKIPPED, left)
            yield partial(_left, skipped)
            return
        yield partial(act, decision)


def _but_final(telling: Telling) -> Iterator[Telling]:
    """Leave final notices to the next sweep, which asks for them again."""
    if not isinstance(telling, NoticeRequest):
        yield telling
    elif items := tuple(item for item in telling.items if item.stage != FINAL):
        yield NoticeRequest(telling.contact, items)


def _left(skipped: Outcome) -> tuple[list[Outcome], Gathered]:
    return [skipped], Gathered()


def guarded(
    key: str, action: str, act: Callable[[], Iterable[Outcome] | None]
) -> Iterator[Outcome]:
    """Act on one item and keep its error as its outcome: no item stops another.

    An error that is none of ours is a bug; it is kept with its traceback.
    """
    try:
        yield from act() or ()
    except Conflict:
        text = "changed meanwhile; the next sweep decides anew"
        yield Outcome(key, action, Status.SKIPPED, text)
    except Exception as error:
        yield failed(key, action, error)


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
