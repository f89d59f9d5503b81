"""The tags that mirror a lease on its stack: what of them has to change, and when not to try."""

from datetime import UTC, datetime, timedelta
from typing import assert_never

from janitor.domain.lease.notice_history import promise
from janitor.domain.lease.refresh import deployed_at
from janitor.domain.model import (
    DELETE_AFTER_TAG,
    MARKED_VALUE,
    STATE_TAG,
    Lease,
    LeaseState,
    Stack,
    Tagging,
    TagState,
)
from janitor.domain.planning.decisions import TagChange
from janitor.domain.policy.model import Policy
from janitor.domain.stack.statuses import ROLLED_BACK, TAGGABLE

_FORMAT = "%Y%m%dT%H%M%SZ"
_TOLERANCE = timedelta(minutes=15)
"""A final notice is delivered so soon after the mark, as a rule; every update is one more risk."""


def tag_change(
    stack: Stack, lease: Lease, state: LeaseState, policy: Policy, now: datetime
) -> TagChange | None:
    """Return what must change for the stack's tags to mirror a lease in `state`.

    None if they do, if the status or the policy forbids it, or if the very same change
    was tried upon this very deployment: a refusal is not repeated every hour. Nor is any other
    while nobody knows what became of the last, or after one that was rolled back until the stack
    is deployed. An instant that is a little off, as the one foretold at the mark is, is worth no
    other update.
    """
    if stack.status not in TAGGABLE or policy.terms(lease.rule).tagging == "off":
        return None
    if lease.tagging and _is_in_the_way(lease.tagging, stack, lease):
        return None
    put: dict[str, str] = {}
    remove: tuple[str, ...] = ()
    if state is LeaseState.MARKED:
        after = lease.delete_after or promise(lease, policy, now)
        if stack.tags.get(STATE_TAG) != MARKED_VALUE:
            put = {STATE_TAG: MARKED_VALUE, DELETE_AFTER_TAG: tag_instant(after)}
        elif lease.delete_after and not _is_about(stack.tags.get(DELETE_AFTER_TAG, ""), after):
            put = {DELETE_AFTER_TAG: tag_instant(after)}
    elif state in (LeaseState.ACTIVE, LeaseState.RELEASED):
        remove = tuple(key for key in (STATE_TAG, DELETE_AFTER_TAG) if key in stack.tags)
    if not put and not remove:
        return None
    # The instant foretold at the mark moves with each sweep: it makes no other change of it.
    what = f"{sorted(put if STATE_TAG in put else put.items())}{sorted(remove)}"
    attempt = f"{what}@{deployed_at(stack, lease).isoformat()}"
    return None if attempt == lease.tag_attempt else TagChange(put, remove, attempt)


def _is_in_the_way(last: Tagging, stack: Stack, lease: Lease) -> bool:
    """Tell whether the last change forbids another: its outcome is open, or was a roll-back.

    Whoever ends a roll-back that was stuck has not deployed the stack.
    """
    match last.state:
        case TagState.ASKED:
            return True
        case TagState.PROPOSED | TagState.REFUSED:
            return False
        case TagState.ROLLED_BACK | TagState.STUCK:
            is_same = last.attempt.endswith(f"@{deployed_at(stack, lease).isoformat()}")
            return is_same or stack.status == ROLLED_BACK
        case _ as unreachable:
            assert_never(unreachable)


def tag_instant(when: datetime) -> str:
    """Return an instant as tags hold it: `20260601T120000Z`."""
    return f"{when:{_FORMAT}}"


def _is_about(text: str, when: datetime) -> bool:
    """Tell whether a tag says this instant, give or take `_TOLERANCE`."""
    try:
        said = datetime.strptime(text, _FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return False
    return abs(said - when) <= _TOLERANCE
