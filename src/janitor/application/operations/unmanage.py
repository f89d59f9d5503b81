"""Unmanage: an operator takes a stack out of the janitor's care, or puts it back.

The next sweep ends the lease, and takes the janitor's tags from the stack.
"""

from datetime import datetime

from msgspec.structs import replace

from janitor.application.ports import Ledger
from janitor.domain.errors import Conflict, JanitorError
from janitor.domain.journal.events import Actor, Draft, entry, target_of
from janitor.domain.lease.owners import clean
from janitor.domain.model import Account, Lease, LeaseState
from janitor.domain.planning.decisions import Reason

TRIES = 5
_ALWAYS_CHANGING = "the record is changing all the time just now; please try again"


def unmanage(
    lease: Lease, *, actor: Actor, reason: str, now: datetime, ledger: Ledger, undo: bool = False
) -> Account:
    """Write that a stack is taken out, and why; with `undo` that it is not any more.

    Raises `JanitorError` where a deletion is under way, no reason is given, or nothing changes.
    """
    if not clean(reason):
        raise JanitorError("say why, for the journal; for instance --reason 'it is no feature'")
    if lease.state is LeaseState.DELETING and not undo:
        raise JanitorError(_too_late(lease))
    for _ in range(TRIES):
        account = ledger.account()
        out = dict(account.taken_out)
        if (lease.stack_id in out) is not undo:
            state = "is not taken out" if undo else "is taken out already"
            raise JanitorError(f"{lease.name} {state}")
        kept = tuple(one for one in account.taken_out if one[0] != lease.stack_id)
        taken_out = kept if undo else (*kept, (lease.stack_id, clean(reason)))
        draft = Draft(
            now,
            actor,
            "stack.put_back" if undo else "stack.taken_out",
            target_of(lease),
            Reason(clean(reason)),
            policy_version=account.policy_version,
        )
        written = entry(account, replace(account, taken_out=taken_out), draft)
        try:
            ledger.commit(written)
        except Conflict:
            continue  # a sweep was faster
        if not undo:
            _outrun(lease.stack_id, draft, ledger)
        return written.record
    raise JanitorError(_ALWAYS_CHANGING)


def _outrun(stack_id: str, draft: Draft, ledger: Ledger) -> None:
    """Write upon the lease too: so a deletion that did not know of it loses its claim.

    Raises `JanitorError` where the claim was faster.
    """
    for _ in range(TRIES):
        lease = ledger.lease(stack_id)
        if lease is None or not lease.state.is_open:
            return
        if lease.state is LeaseState.DELETING:
            raise JanitorError(_too_late(lease))
        try:
            ledger.commit(entry(lease, lease, draft))
        except Conflict:
            continue
        return
    raise JanitorError(_ALWAYS_CHANGING)


def _too_late(lease: Lease) -> str:
    return f"{lease.name} is being deleted, and that cannot be taken back"
