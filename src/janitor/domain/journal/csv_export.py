"""Events as rows of a table that opens in a spreadsheet without doing anything there."""

import re

from janitor.domain.journal.event_view import read_event
from janitor.domain.journal.events import Event

HEADER = (
    "occurred_at", "action", "result", "stack", "region", "owner", "actor", "actor_type", "via",
    "ip", "reason", "facts", "request_ids", "policy_version", "code_version", "stack_id", "seq",
    "hash", "prev_hash",
)  # fmt: skip

# A spreadsheet takes a cell that begins so for a formula, and some do behind a quote as well;
# the last four are the full-width forms of the first.
_FORMULA = re.compile(r"[\s'\"]*[=+\-@\t\r|%＝＋－＠]")  # noqa: RUF001 - those forms are meant


def row(event: Event) -> list[str]:
    """Return the cells of an event, in the order of `HEADER`."""
    read = read_event(event)
    facts = "; ".join(f"{name}: {text}" for name, text in read.facts.items())
    cells = [
        event.occurred_at, read.action, read.result, read.stack, read.region, read.owner,
        read.actor, read.actor_type, read.via, read.ip, read.sentence, facts,
        " ".join(read.request_ids), read.policy_version, read.code_version, event.key,
        str(event.seq), event.hash, event.prev_hash,
    ]  # fmt: skip
    return [cell(text) for text in cells]


def cell(text: str) -> str:
    """Return the text so that no spreadsheet takes it for a formula."""
    return f"'{text}" if _FORMULA.match(text) else text
