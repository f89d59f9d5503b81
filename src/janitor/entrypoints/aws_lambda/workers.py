"""The doors of the deployed functions: read the event, call a journey, log what came of it."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import (
    SqsFifoPartialProcessor,
    process_partial_response,
)
from aws_lambda_powertools.utilities.data_classes import EventBridgeEvent
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from janitor.application.deletion.delete import delete as delete_stack
from janitor.application.deletion.track import track as track_stack
from janitor.application.notification.dispatch import tell
from janitor.application.notification.weekly import queue_week
from janitor.application.sweep.sweep import sweep as sweep_account
from janitor.domain.errors import DeliveryFailed, TooEarly, UnreadableMessage
from janitor.domain.failures import failed
from janitor.domain.journal.events import Actor
from janitor.domain.lease.owners import clean
from janitor.domain.model import LeaseState, Outcome, Status
from janitor.domain.notification.messages import deletion_from, telling_from
from janitor.domain.planning.exemptions import exemptions
from janitor.entrypoints.aws_lambda.container import Deployed, deployed

RESERVE_MILLISECONDS = 30_000
"""So much of a sweep's time is kept for the decision at hand and for queueing."""

RESERVE_FOR_DELETION_MILLISECONDS = 20_000
"""So much of a deletion's time is kept from emptying buckets, to journal what was done."""

UNDELETED = frozenset({LeaseState.FAILED.value, LeaseState.NEEDS_ATTENTION.value})
"""What tracking says of a deletion that failed: its sweep did not."""

logger = Logger(service="janitor")
metrics = Metrics(namespace="janitor", service="janitor")
by_group = SqsFifoPartialProcessor(skip_group_on_error=True)
by_group.raise_on_entire_batch_failure = False
"""What fails holds up its own owner or stack, and nobody else's.

A batch that is for later, all of it, is no failure of the function.
"""


def now() -> datetime:
    """Return the clock's instant."""
    return datetime.now(UTC)


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def sweep(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Make one pass over the account; the time that is left decides how far it gets."""
    janitor = deployed("notify", "notice_queue", "deletion_queue")
    report = sweep_account(
        clock=now,
        policies=janitor.policies,
        regions=janitor.regions(),
        stacks=janitor.stacks,
        ledger=janitor.ledger,
        queue=janitor.queue,
        actor=Actor("janitor", "janitor", "sweep"),
        apply=not event.get("dry_run", False),
        topic=janitor.topic,
        may_go_on=lambda: context.get_remaining_time_in_millis() > RESERVE_MILLISECONDS,
        side_by_side=janitor.side_by_side,
    )
    plan = report.plan
    for region, error in plan.regions:
        if error:
            logger.error("region.refused", extra={"region": region, "error": clean(error)})
    for key, why in plan.unread:
        logger.error("record.unreadable", extra={"key": clean(key), "error": clean(why)})
    _log(janitor, report.outcomes)
    broken = [one for one in report.outcomes if one.status is Status.FAILED]
    undeleted = [one for one in broken if one.action in UNDELETED]
    _count(janitor, "OutcomesFailed", len(broken) - len(undeleted))
    _count(janitor, "DeletionsFailed", len(undeleted))
    _count(janitor, "RecordsUnreadable", len(plan.unread))
    _count(janitor, "StacksManaged", plan.managed)
    _count(janitor, "StacksDue", plan.due)
    _count(janitor, "BreakerTripped", plan.surprise is not None)
    _count(janitor, "StacksExempt", exemptions(plan.decisions).total())
    _count(janitor, "RegionsRefused", sum(bool(error) for _, error in plan.regions))
    # Where nothing was swept the alarm is to say so.
    _count(janitor, "SweepCompleted", report.is_complete)
    summary = {"mode": plan.mode.value, "managed": plan.managed, "due": plan.due, **plan.counts}
    logger.info("sweep.completed", extra=summary)
    return summary


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def notify(event: dict[str, Any], context: LambdaContext) -> Any:
    """Send the digests in a batch; what fails goes back to the queue."""
    _to_notify()
    return process_partial_response(event, _notify, by_group, context)


def _to_notify() -> Deployed:
    return deployed("notify", "link_secret", "link_base", "notice_queue")


def _notify(record: SQSRecord) -> None:
    janitor = _to_notify()
    try:
        first, *others = tell(
            telling_from(record.body),
            clock=now,
            policies=janitor.policies,
            ledger=janitor.ledger,
            channel=janitor.channel,
            topic=janitor.topic,
            place=janitor.place,
            links=janitor.links,
        )
    except Exception as error:
        _log_failed(janitor, "notify", record, error)
        _count(janitor, "NoticesFailed", 1)
        raise
    _log(janitor, [first, *others])
    # What was sent but not recorded stays: the next sweep finds it undelivered.
    _count(janitor, "NoticesFailed", first.status is Status.FAILED and not first.retry_after)
    _count(janitor, "OutcomesFailed", sum(one.status is Status.FAILED for one in others))
    if first.retry_after:
        queue = janitor.settings.notice_queue
        janitor.postpone(queue, record.receipt_handle, first.retry_after)
    if first.status is Status.FAILED:
        raise DeliveryFailed(first.detail)


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def delete(event: dict[str, Any], context: LambdaContext) -> Any:
    """Delete the stacks in a batch; each is decided upon again."""
    return process_partial_response(event, _delete, by_group, context)


def _delete(record: SQSRecord, lambda_context: LambdaContext) -> None:
    janitor = deployed("deletion_queue")
    try:
        outcome = delete_stack(
            deletion_from(record.body),
            clock=now,
            policies=janitor.policies,
            stacks=janitor.stacks,
            ledger=janitor.ledger,
            purgers=janitor.purgers,
            may_go_on=lambda: (
                lambda_context.get_remaining_time_in_millis() > RESERVE_FOR_DELETION_MILLISECONDS
            ),
        )
    except Exception as error:
        _log_failed(janitor, "delete", record, error)
        _count(janitor, "DeletionsFailed", 1)
        raise
    _log(janitor, [outcome])
    _count(janitor, "DeletionsFailed", outcome.status is Status.FAILED)
    if outcome.retry_after:
        queue = janitor.settings.deletion_queue
        janitor.postpone(queue, record.receipt_handle, outcome.retry_after)
        raise TooEarly(outcome.detail)


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def track(event: dict[str, Any], context: LambdaContext) -> dict[str, str]:  # noqa: ARG001
    """Record how a deletion ended, upon CloudFormation's word of a status change."""
    janitor = deployed("notice_queue")
    stack_id = (EventBridgeEvent(event).get("detail") or {}).get("stack-id")
    if not isinstance(stack_id, str):
        raise UnreadableMessage("the event names no stack as detail.stack-id")
    outcome = track_stack(
        stack_id,
        clock=now,
        policies=janitor.policies,
        stacks=janitor.stacks,
        ledger=janitor.ledger,
        queue=janitor.queue,
    )
    _log(janitor, [outcome])
    _count(janitor, "DeletionsFailed", outcome.status is Status.FAILED)
    return {"status": outcome.status.value, "detail": outcome.detail}


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def digest(event: dict[str, Any], context: LambdaContext) -> dict[str, str]:  # noqa: ARG001
    """Queue the operators' look back at the week; notify sends it, once a week."""
    janitor = deployed("notice_queue")
    outcome = queue_week(
        clock=now,
        policies=janitor.policies,
        ledger=janitor.ledger,
        queue=janitor.queue,
        place=janitor.place,
    )
    _log(janitor, [outcome])
    return {"status": outcome.status.value, "detail": outcome.detail}


def _log(janitor: Deployed, outcomes: Iterable[Outcome]) -> None:
    """Log a line for each outcome; of a bug with its traceback, and count it."""
    bugs = 0
    for outcome in outcomes:
        write = logger.error if outcome.status is Status.FAILED else logger.info
        write(
            f"{outcome.action}.{outcome.status.value}",
            extra={"key": clean(outcome.key), "detail": clean(outcome.detail)},
            exc_info=outcome.bug,
        )
        bugs += outcome.bug is not None
    _count(janitor, "Bugs", bugs)


def _log_failed(janitor: Deployed, action: str, record: SQSRecord, error: Exception) -> None:
    """Name the message that failed, as the batch goes on and nobody else says it."""
    _log(janitor, [failed(record.message_id, action, error)])


def _count(janitor: Deployed, name: str, value: float) -> None:
    metrics.add_dimension("stage", janitor.settings.stage or "none")
    metrics.add_metric(name, MetricUnit.Count, value)
