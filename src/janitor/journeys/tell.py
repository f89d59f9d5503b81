"""Tell: do what the queue of notices asks for, a digest, a revision, an answer, a week."""

from typing import assert_never

from janitor.adapters.ports import Channel, Clock, Ledger, Policies, SideBySide, Topic, in_turn
from janitor.core.commands import NOWHERE, Place
from janitor.core.errors import DeliveryFailed, JanitorError
from janitor.core.links import Links
from janitor.core.model import Outcome, Status
from janitor.core.requests import (
    AnswerRequest,
    NoticeRequest,
    RevisionRequest,
    Telling,
    WeeklyRequest,
)
from janitor.journeys.notify import notify
from janitor.journeys.revise import revise
from janitor.journeys.weekly import send_week


def tell(
    request: Telling,
    *,
    clock: Clock,
    policies: Policies,
    ledger: Ledger,
    channel: Channel,
    links: Links | None,
    topic: Topic | None = None,
    place: Place = NOWHERE,
    side_by_side: SideBySide = in_turn,
) -> tuple[Outcome, ...]:
    """Carry out one request; the first outcome says whether to try again."""
    match request:
        case NoticeRequest():
            return notify(
                request,
                clock=clock,
                policies=policies,
                ledger=ledger,
                channel=channel,
                links=links,
                place=place,
                side_by_side=side_by_side,
            )
        case RevisionRequest():
            outcome = revise(
                request,
                clock=clock,
                policies=policies,
                ledger=ledger,
                channel=channel,
                links=links,
                place=place,
            )
            return (outcome,)
        case AnswerRequest():
            return (_answer(request, channel),)
        case WeeklyRequest():
            sent = send_week(
                request,
                clock=clock,
                policies=policies,
                ledger=ledger,
                channel=channel,
                topic=topic,
            )
            return (sent,)
        case _ as unreachable:
            assert_never(unreachable)


def _answer(request: AnswerRequest, channel: Channel) -> Outcome:
    try:
        channel.answer(request)
    except JanitorError as error:
        after = error.retry_after if isinstance(error, DeliveryFailed) else 0
        return Outcome(request.contact.address, "answer", Status.FAILED, str(error), after)
    return Outcome(request.contact.address, "answer", Status.DONE)
