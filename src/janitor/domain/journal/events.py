"""The audit record: its events, their hash chain, and the check of a chain.

One chain per stack, and one under the key `janitor` for events of the sweep itself.
An event's hash covers everything in it and the hash before it, so a changed, removed,
inserted or swapped event is found and named. The head of a chain is also in the record
(lease or account) that the event changed, so that a cut tail is found as well.
"""

import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Generic, TypeVar

from msgspec import Struct, field
from msgspec.structs import replace

from janitor import __version__
from janitor.domain.model import ACCOUNT_KEY, Account, Contact, Lease, Stack
from janitor.domain.planning.decisions import Reason

SCHEMA = 1
FIRST_PREVIOUS = "0" * 64
_NAMESPACE = uuid.UUID("6f1b3c9e-2d0a-5d53-9a55-6a616e69746f")


class Actor(Struct, frozen=True):
    """Who acted, and by which way."""

    type: str
    """`janitor`, `owner`, `fallback` (told for want of an owner), `operator` or `cloudformation`."""
    id: str
    via: str
    """`sweep`, `notify`, `delete`, `track`, `link`, `slack` or `cli`."""
    ip: str = ""
    user_agent: str = ""


class Target(Struct, frozen=True):
    """What was acted upon, as it was then."""

    id: str
    name: str = ""
    region: str = ""
    owner: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


class Draft(Struct, frozen=True):
    """An event that has no place in a chain yet."""

    occurred_at: datetime
    actor: Actor
    action: str
    """`noun.verb`: `lease.opened`, `deletion.intended` …"""
    target: Target
    reason: Reason
    result: str = "ok"
    """`ok`, `refused`, `failed`, `unverified`, or `leftovers` where something stayed."""
    request_ids: tuple[str, ...] = ()
    policy_version: str = ""


class Event(Struct, frozen=True):
    """An event in its place: `body` is what the hash covers."""

    key: str
    seq: int
    body: Mapping[str, Any]
    prev_hash: str
    hash: str

    @property
    def action(self) -> str:
        """Return the action, `noun.verb`."""
        return str(self.body.get("action", ""))

    @property
    def occurred_at(self) -> str:
        """Return the instant as ISO 8601 text in UTC."""
        return str(self.body.get("occurred_at", ""))

    def document(self) -> dict[str, Any]:
        """Return the event as one JSON object, as `audit` prints it."""
        return {**self.body, "prev_hash": self.prev_hash, "hash": self.hash}


Record = TypeVar("Record", Lease, Account)


class Entry(Struct, Generic[Record], frozen=True):
    """A change of one record together with its events: one transaction.

    It holds only while the stored record still has `expected_version` (0: no record).
    """

    record: Record
    events: tuple[Event, ...]
    expected_version: int


def instant(when: datetime) -> str:
    """Return the instant as the journal writes it: UTC, microseconds, `Z`."""
    return when.isoformat(timespec="microseconds").replace("+00:00", "Z")


def digest(key: str, seq: int, body: Mapping[str, Any], prev_hash: str) -> str:
    """Return the SHA-256 of an event's canonical JSON, as 64 hex digits."""
    canonical = json.dumps(
        {"body": body, "key": key, "prev_hash": prev_hash, "seq": seq},
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=True,
    )
    return hashlib.sha256(canonical.encode()).hexdigest()


def entry(stored: Record, changed: Record, *drafts: Draft) -> Entry[Record]:
    """Put `drafts` behind the chain of `stored` and move the head of `changed` to the last."""
    if not drafts:
        raise ValueError("a record never changes without an event")
    seq, head = stored.seq, stored.head or FIRST_PREVIOUS
    events = []
    for draft in drafts:
        seq += 1
        event = _seal(stored.key, seq, draft, head)
        head = event.hash
        events.append(event)
    record = replace(
        changed,
        version=stored.version + 1,
        seq=seq,
        head=head,
        updated_at=drafts[-1].occurred_at,
    )
    return Entry(record, tuple(events), stored.version)


def _seal(key: str, seq: int, draft: Draft, prev_hash: str) -> Event:
    body: dict[str, Any] = {
        "id": str(uuid.uuid5(_NAMESPACE, f"{key}#{seq}")),
        "schema": SCHEMA,
        "seq": seq,
        "occurred_at": instant(draft.occurred_at),
        "actor": {
            "type": draft.actor.type,
            "id": draft.actor.id,
            "via": draft.actor.via,
            "ip": draft.actor.ip,
            "user_agent": draft.actor.user_agent,
        },
        "action": draft.action,
        "target": {
            "id": draft.target.id,
            "name": draft.target.name,
            "region": draft.target.region,
            "owner": draft.target.owner,
            "tags": dict(draft.target.tags),
        },
        "reason": {"sentence": draft.reason.sentence, "facts": dict(draft.reason.facts)},
        "result": draft.result,
        "request_ids": list(draft.request_ids),
        "policy_version": draft.policy_version,
        "code_version": __version__,
    }
    return Event(key, seq, body, prev_hash, digest(key, seq, body, prev_hash))


def target_of(lease: Lease, stack: Stack | None = None) -> Target:
    """Describe the stack of `lease` as an event's target."""
    return Target(
        id=lease.stack_id,
        name=lease.name,
        region=lease.region,
        owner=owners_text(lease.contacts),
        tags=dict(stack.tags) if stack else {},
    )


def about(
    lease: Lease,
    action: str,
    reason: Reason,
    *,
    actor: Actor,
    now: datetime,
    policy_version: str,
    stack: Stack | None = None,
    result: str = "ok",
    request_ids: tuple[str, ...] = (),
) -> Draft:
    """Draft an event about a leased stack."""
    target = target_of(lease, stack)
    return Draft(now, actor, action, target, reason, result, request_ids, policy_version)


JANITOR_TARGET = Target(id=ACCOUNT_KEY, name=ACCOUNT_KEY)


def owners_text(contacts: Iterable[Contact]) -> str:
    """Return the addresses of `contacts` in one line."""
    return ", ".join(contact.address for contact in contacts)
