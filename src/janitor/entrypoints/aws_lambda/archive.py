"""The door of the archive function: the journal table's stream in, objects in the bucket out."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.data_classes import DynamoDBStreamEvent
from aws_lambda_powertools.utilities.typing import LambdaContext

from janitor.application.audit.archive import keep
from janitor.domain.journal.archive_format import Seen, Written
from janitor.domain.lease.owners import clean
from janitor.entrypoints.aws_lambda.container import deployed

logger = Logger(service="janitor")
metrics = Metrics(namespace="janitor", service="janitor")


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def archive(event: dict[str, Any], context: LambdaContext) -> dict[str, int]:  # noqa: ARG001
    """Archive a batch; an error brings the whole of it again, which makes the same objects."""
    janitor = deployed("archive")
    kept = keep(read_stream(event), janitor.archive)
    for made in kept.objects:
        logger.info("archive.done", extra={"key": made.name, "events": made.lines})
    for write in kept.tampered:
        what = {"key": clean(write.key), "seq": write.seq, "seen": write.seen.value}
        logger.error("journal.tampered", extra=what)
    metrics.add_dimension("stage", janitor.settings.stage or "none")
    lines = sum(made.lines for made in kept.objects)
    metrics.add_metric("EventsArchived", MetricUnit.Count, lines)
    metrics.add_metric("JournalTampered", MetricUnit.Count, len(kept.tampered))
    return {"archived": lines, "tampered": len(kept.tampered)}


def read_stream(event: dict[str, Any]) -> Iterator[Written]:
    """Read a batch of the stream. No row is refused, however odd: what was written is kept."""
    for record in DynamoDBStreamEvent(event).records:
        change = record.dynamodb
        if change is None:
            continue
        image = change.new_image or {}
        yield Written(
            key=str(change.keys["stack_id"]),
            seq=int(change.keys["seq"]),
            seen=Seen(record.raw_event["eventName"]),
            at=datetime.fromtimestamp(float(change["ApproximateCreationDateTime"]), UTC),
            number=int(change.sequence_number or 0),
            document=_document(image) if image else None,
        )


def _document(image: dict[str, Any]) -> dict[str, Any]:
    """Return the event in a row, or the row as it is where that is no event."""
    try:
        document = json.loads(image["doc"])
    except (ValueError, KeyError, TypeError):
        document = None
    return document if isinstance(document, dict) else {"unreadable": str(image)}
