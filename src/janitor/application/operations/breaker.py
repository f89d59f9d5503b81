"""Breaker: an operator accepts exactly what is held, and the policy that would have done it."""

from datetime import datetime

from msgspec.structs import replace

from janitor.application.ports import Ledger
from janitor.domain.errors import Conflict, LiftRefused
from janitor.domain.journal.events import JANITOR_TARGET, Actor, Draft, entry
from janitor.domain.lease.owners import clean
from janitor.domain.model import Account, MoveCause
from janitor.domain.planning.decisions import Reason
from janitor.domain.planning.plan import Plan
from janitor.domain.planning.surprises import move_id
from janitor.domain.policy.model import Policy


def lift(
    plan: Plan,
    *,
    shown: str,
    actor: Actor,
    reason: str,
    now: datetime,
    policy: Policy,
    ledger: Ledger,
) -> Account:
    """Accept what `plan` holds; from then on mark, notice and full grace follow.

    `shown` is the name of the set that the operator saw. Raises `LiftRefused` where nothing
    is held, no reason is given, or another set is held by now.
    """
    surprise = plan.surprise
    if surprise is None:
        raise LiftRefused("nothing is held, so there is nothing to accept")
    if not clean(reason):
        raise LiftRefused("say why, for the journal; for instance --reason 'asked the team'")
    if surprise.set_id != shown:
        raise LiftRefused(
            f"what is held has changed since it was shown: it is set {surprise.set_id} now, and"
            f" not {clean(shown)}; look at `janitor breaker show` again"
        )
    if not plan.is_whole:
        raise LiftRefused("not every region could be listed, so nobody knows all that is held")
    moves = tuple(
        move_id(lease.moved, lease.stack_id)
        for lease in surprise.of(MoveCause.TAGS)
        if lease.moved is not None
    )
    account = ledger.account()
    changed = replace(account, accepted_moves=(*account.accepted_moves, *moves), hold=None)
    if surprise.policy_version:
        changed = replace(
            changed,
            accepted_policy=policy.document,
            previous_policy=account.accepted_policy,
            swept_policy="",
        )
    facts = {
        "set": surprise.set_id,
        "by policy": str(len(surprise.of(MoveCause.POLICY))),
        "by tags": str(len(moves)),
        "newly managed": str(len(surprise.new)),
    }
    draft = Draft(
        now,
        actor,
        "breaker.lifted",
        JANITOR_TARGET,
        Reason(clean(reason), facts),
        policy_version=policy.version,
    )
    written = entry(account, changed, draft)
    try:
        ledger.commit(written)
    except Conflict as error:
        raise LiftRefused("a sweep was faster; look at `janitor breaker show` again") from error
    return written.record
