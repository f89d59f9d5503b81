"""Tell: do what the queue of notices asks for, a digest, a revision, an answer, a week."""

from typing import assert_never

from janitor.application.notification.send_digest import notify
from janitor.application.notification.update_message import revise
from janitor.application.notification.weekly import send_week
from janitor.application.ports import Channel, Clock, Ledger, Policies, SideBySide, Topic, in_turn
from janitor.domain.errors import DeliveryFailed, JanitorError
from janitor.domain.model import Outcome, Status
from janitor.domain.notification.commands import NOWHERE, Place
from janitor.domain.notification.messages import (
    AnswerRequest,
    NoticeRequest,
    RevisionRequest,
    Telling,
    WeeklyRequest,
)
from janitor.domain.notification.signed_links import Links


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
