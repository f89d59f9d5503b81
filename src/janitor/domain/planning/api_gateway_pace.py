"""The pace of deletions that contend for one scarce call: each gets its turn.

API Gateway deletes one REST API, domain name or VPC link in 30 seconds for a whole account,
and that can be raised by nobody: https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html.
Stacks with one that are deleted at once fail. Stacks without are never slowed.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec.structs import replace

from janitor.domain.model import Lease
from janitor.domain.notification.messages import GOOD_FOR
from janitor.domain.planning.conditions import Who, held_up
from janitor.domain.planning.decisions import Decision, Delete, Reason, Retry, Track, Wait

TURN = timedelta(seconds=30)
LONGEST_WAIT = GOOD_FOR - timedelta(minutes=5)
"""From the sweep to the call; the message may be a moment late, and is then still good."""

_LIMIT = "API Gateway deletes one API in 30 seconds in an account"


def spread(decisions: Iterable[Decision], now: datetime) -> list[Decision]:
    """Give each deletion with an API its turn, in the order given, after those under way.

    What would have to wait for too long waits for a later sweep.
    """
    everything = list(decisions)
    ends = (_end(d.lease) for d in everything if isinstance(d, Track) and d.lease)
    busy = [end for end in ends if end is not None and end > now]
    free, before = max(busy, default=now), len(busy)
    for number, decision in enumerate(everything):
        lease = decision.lease
        if not isinstance(decision, Delete | Retry) or lease is None or not lease.paced:
            continue
        if free > now:
            everything[number] = _later(decision, free, free - now, before)
        free += TURN * lease.paced
        before += 1
    return everything


def _end(lease: Lease) -> datetime | None:
    """Return when API Gateway is through with a deletion that is under way; None if it has none."""
    began = lease.asked_at or lease.claimed_at
    return began + TURN * lease.paced if began and lease.paced else None


def _later(decision: Delete | Retry, at: datetime, span: timedelta, before: int) -> Decision:
    stacks = "1 stack with one is" if before == 1 else f"{before} stacks with one are"
    if span <= LONGEST_WAIT:
        text = f"{decision.reason.sentence}; {_LIMIT}, and {stacks} before it"
        return replace(decision, reason=Reason(text, decision.reason.facts), not_before=at)
    text = f"due, but {_LIMIT}, and {stacks} before it"
    unmet = held_up(text, Who.AWS, at)
    return Wait(
        Reason(text), decision.stack, decision.lease, decision.changes, decision.tags, unmet
    )
