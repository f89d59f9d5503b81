"""One line in the log for each event of the journal: what the saved queries ask about."""

from aws_lambda_powertools import Logger

from janitor.domain.journal.events import Event
from janitor.domain.lease.owners import clean

logger = Logger(service="janitor")


def log_event(event: Event) -> None:
    """Log an event that is written."""
    logger.info("journal.written", extra=fields_of(event))


def fields_of(event: Event) -> dict[str, str | int]:
    """Return what a query may ask of an event. Addresses and agents of browsers stay out."""
    actor, target, reason = (event.body[part] for part in ("actor", "target", "reason"))
    texts = {
        "key": event.key,
        "action": event.action,
        "stack": target["name"],
        "region": target["region"],
        "owner": target["owner"],
        "actor": actor["id"],
        "via": actor["via"],
        "result": event.body["result"],
        "reason": reason["sentence"],
    }
    return {**{name: clean(str(text)) for name, text in texts.items()}, "seq": event.seq}
