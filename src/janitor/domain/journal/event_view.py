"""An event as people read it: every text cleaned, and nothing in it relied upon.

A row may have been tampered with, and much of it is text from tags.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from janitor.domain.journal.events import Event
from janitor.domain.lease.owners import clean

UNEXPLAINED = "extended, no reason given"
"""The sentence of an extension whose maker gave none: ours, and nobody's words."""


class Reading(Struct, frozen=True):
    """One event in plain values; what cannot be read is empty."""

    key: str
    seq: int
    at: datetime | None
    action: str
    result: str
    stack: str
    region: str
    owner: str
    actor: str
    actor_type: str
    via: str
    ip: str
    sentence: str
    facts: Mapping[str, str]
    tags: Mapping[str, str]
    request_ids: tuple[str, ...]
    policy_version: str
    code_version: str

    @property
    def who(self) -> str:
        """Return who acted, and by which way."""
        return f"{self.actor or '?'} ({self.via or '?'})"


def stack_name(key: str) -> str:
    """Return the name in a stack's id, or the key of another chain as it is."""
    parts = key.split("/")
    return clean(parts[1] if key.startswith("arn:") and len(parts) > 1 else key)


def read_event(event: Event) -> Reading:
    """Read an event; one that was tampered with beyond reading has only its place."""
    body = event.body
    actor, target, reason = (_mapping(body.get(part)) for part in ("actor", "target", "reason"))
    return Reading(
        key=event.key,
        seq=event.seq,
        at=instant_of(event),
        action=_text(body.get("action")),
        result=_text(body.get("result")),
        stack=_text(target.get("name")) or stack_name(event.key),
        region=_text(target.get("region")),
        owner=_text(target.get("owner")),
        actor=_text(actor.get("id")),
        actor_type=_text(actor.get("type")),
        via=_text(actor.get("via")),
        ip=_text(actor.get("ip")),
        sentence=_text(reason.get("sentence")) or "cannot be read",
        facts=_texts(reason.get("facts")),
        tags=_texts(target.get("tags")),
        request_ids=tuple(_text(one) for one in _list(body.get("request_ids"))),
        policy_version=_text(body.get("policy_version")),
        code_version=_text(body.get("code_version")),
    )


def instant_of(event: Event) -> datetime | None:
    """Return when it happened; None where that cannot be read or has no zone."""
    try:
        at = datetime.fromisoformat(event.occurred_at)
    except ValueError:
        return None
    return at if at.tzinfo else None


def fact_of(event: Event, name: str) -> str:
    """Return one of the facts under an event's reason; empty if there is none."""
    return _text(_mapping(_mapping(event.body.get("reason")).get("facts")).get(name))


def _text(value: object) -> str:
    return clean(value) if isinstance(value, str) else "" if value is None else clean(str(value))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _texts(value: object) -> dict[str, str]:
    return {_text(name): _text(text) for name, text in _mapping(value).items()}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
