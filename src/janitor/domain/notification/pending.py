"""What people have to be told of a lease as it stands, besides what a decision itself asks for.

The same is asked for at every sweep until it was delivered, so that no notice is lost.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from msgspec import Struct

from janitor.domain.deletion.strategy import failed_stage, is_failing
from janitor.domain.lease.notice_history import (
    AWAITING_DELETION,
    TOLD_AGAIN,
    about_of,
    is_stuck,
    told_at,
)
from janitor.domain.model import (
    ATTENTION,
    BREAKER,
    DELETED,
    FAILED_RUNG,
    FINAL,
    IN_USE,
    KEPT,
    OPERATORS,
    PROBLEM,
    PROTECTED,
    REGION,
    STUCK,
    TAGS_DROPPED,
    TAGS_STUCK,
    Account,
    Contact,
    Lease,
    LeaseState,
    Stack,
)
from janitor.domain.planning.decisions import Blocked, Decision
from janitor.domain.stack.statuses import (
    BEING_DELETED,
    DELETABLE,
    GONE,
    IN_PROGRESS,
    ROLLBACK_FAILED,
)
from janitor.domain.stack.tag_keys import is_own

STUCK_AFTER = timedelta(hours=2)
"""An operation that is still in progress after so long is told to operators, never cancelled."""

ABOUT_AN_OUTCOME = frozenset(
    {DELETED, ATTENTION, PROBLEM, IN_USE, PROTECTED, STUCK, TAGS_DROPPED, KEPT, TAGS_STUCK}
)


class Standing(Struct, frozen=True):
    """A notice that is due for as long as things stand as they do."""

    stage: str
    contacts: tuple[Contact, ...]
    """Some may be in it twice: owners may be operators too."""
    text: str = ""


def matters_of(account: Account) -> tuple[str, ...]:
    """Return what operators have to be told of as it is: `breaker`, `region us-east-1`."""
    regions = (f"{REGION} {name}" for name in account.refused_regions)
    return (*([BREAKER] if account.hold else ()), *regions)


def standing_notices(lease: Lease, decision: Decision, now: datetime) -> Iterator[Standing]:
    """Yield what has to be told about a lease that stays in its state."""
    if lease.state is LeaseState.NEEDS_ATTENTION:
        yield Standing(ATTENTION, (*lease.contacts, OPERATORS), lease.last_error)
    if is_failing(lease):
        yield Standing(failed_stage(lease), (*lease.contacts, OPERATORS), lease.last_error)
    if lease.blocked and (lease.state in AWAITING_DELETION or isinstance(decision, Blocked)):
        yield Standing(PROTECTED, lease.contacts, lease.last_error)
    if isinstance(decision, Blocked) and lease.blocker:
        yield Standing(IN_USE, (*lease.contacts, *decision.also), lease.blocker)
    elif lease.blocker and lease.state is LeaseState.FAILED:
        yield Standing(IN_USE, lease.contacts, lease.blocker)  # CloudFormation's own word
    # What operators are told beside owners, whose delivery alone is looked at by the decision.
    if lease.problem and told_at(lease, PROBLEM):
        yield Standing(PROBLEM, (OPERATORS,), lease.problem)
    if lease.ownerless and lease.state is LeaseState.MARKED and told_at(lease, FINAL):
        yield Standing(FINAL, (OPERATORS,))
    yield from _about_tags(lease, now)
    stack = decision.stack
    if stack is not None and stack.status == ROLLBACK_FAILED and is_stuck(lease):
        about = about_of(lease, TAGS_STUCK) or ""
        yield Standing(TAGS_STUCK, (*lease.contacts, OPERATORS), about)
    if stack is not None and stuck_since(stack, lease, now):
        yield Standing(STUCK, (OPERATORS,), stack.status)


def _about_tags(lease: Lease, now: datetime) -> Iterator[Standing]:
    """Yield what the owners are told once of the stack's tags, whatever its state.

    Of dropped tags once a week, where every second deployment drops them.
    """
    if lease.tags_dropped_at is not None:
        heard = {
            notice.contact
            for notice in lease.notices
            if notice.stage == TAGS_DROPPED and now - notice.delivered_at < TOLD_AGAIN
        }
        contacts = tuple(contact for contact in lease.contacts if contact not in heard)
        yield Standing(TAGS_DROPPED, contacts, about_of(lease, TAGS_DROPPED) or "")
    if lease.protect_tag and not is_own(lease.protect_tag):
        # Nobody wrote it for the janitor: let them know what it does here.
        yield Standing(KEPT, lease.contacts, lease.protection)


def stuck_since(stack: Stack, lease: Lease, now: datetime) -> datetime | None:
    """Return since when a stack has been in a status that does not let it go, if for too long.

    Either an operation is in progress, or a stack past its mark rests where nothing is deleted.
    """
    is_due = lease.state in AWAITING_DELETION
    if stack.status in (*DELETABLE, GONE) or not (is_due or stack.status.endswith(IN_PROGRESS)):
        return None
    began = stack.updated or stack.created
    if stack.status == BEING_DELETED:
        if lease.state is not LeaseState.DELETING:
            return None  # Begun by another hand, and nobody knows when.
        began = lease.claimed_at or began
    return began if now - began >= STUCK_AFTER else None


def is_about_an_outcome(stage: str) -> bool:
    """Tell whether a notice offers no extension: it is about what has happened."""
    return stage in ABOUT_AN_OUTCOME or stage.startswith(FAILED_RUNG)


def still_holds(stage: str, text: str, lease: Lease) -> bool:
    """Tell whether what such a notice says is still so."""
    match stage:
        case "deleted":
            return lease.state is LeaseState.DELETED
        case "attention":
            return lease.state is LeaseState.NEEDS_ATTENTION
        case "problem":
            return lease.state is LeaseState.ACTIVE and lease.problem == text != ""
        case "in-use":
            return lease.state in AWAITING_DELETION and lease.blocker == text != ""
        case "protected":
            return lease.state in (LeaseState.ACTIVE, *AWAITING_DELETION) and lease.blocked
        case "stuck":
            return lease.state.is_open
        case "tags-dropped" | "kept" | "tags-stuck":
            return lease.state.is_open and about_of(lease, stage) == text != ""
        case _:
            return is_failing(lease) and stage == failed_stage(lease)
