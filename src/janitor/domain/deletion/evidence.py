"""What a stack was before it went, and what of it stayed: the evidence in the journal.

DynamoDB takes 400 KB an item and 4 MB a transaction, so a long list becomes several events,
and what even those cannot hold is counted and said.
"""

import hmac
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from fnmatch import fnmatchcase

from janitor.domain.journal.events import Actor, Draft, about
from janitor.domain.lease.owners import clean
from janitor.domain.model import Lease, Stack
from janitor.domain.planning.decisions import Reason
from janitor.domain.stack.resources import NESTED, Resource, Snapshot

PART_BYTES = 100_000
"""Of facts in one event; the stack's tags, in each event, may take as much again."""

MOST_PARTS = 12
LONGEST_VALUE = 2_000
MOST_KEPT = 50
"""Leftovers in a lease; the journal has more of them."""

GONE = "DELETE_COMPLETE"
SNAPSHOT = "Snapshot"


def snapshot_drafts(
    lease: Lease,
    stack: Stack,
    snapshot: Snapshot,
    *,
    actor: Actor,
    now: datetime,
    policy_version: str,
    outputs: Mapping[str, str],
) -> tuple[Draft, ...]:
    """Draft the events that say what `stack` consists of, for the journal ahead of an intent.

    `outputs` are what `recorded_outputs` makes of the stack's own.
    """
    facts = {
        "role": stack.role or "none",
        "template": snapshot.template or "unknown",
        "drift": stack.drift or "not checked",
        "resources": str(len(snapshot.resources)),
        **{f"output {key}": value for key, value in sorted(outputs.items())},
        **dict(_resource_facts(snapshot)),
    }
    parts = _parts(facts)
    kept = parts[:MOST_PARTS]
    if left_out := sum(len(part) for part in parts[MOST_PARTS:]):
        kept[-1]["left out"] = f"{left_out} more facts, for want of room"
    return tuple(
        about(
            lease,
            "stack.recorded",
            Reason(f"what the stack consists of, part {number} of {len(kept)}", part),
            actor=actor,
            now=now,
            policy_version=policy_version,
            stack=stack,
        )
        for number, part in enumerate(kept, 1)
    )


def recorded_outputs(stack: Stack, shown: Iterable[str], key: str) -> dict[str, str]:
    """Return what the journal keeps of the stack's outputs, which may hold secrets.

    The value of those that a glob of `shown` names; of the others a hash, by which whoever
    has the account's `key` can tell whether a value is the same, and nobody else can guess it.
    """
    patterns = tuple(shown)
    return {
        name: value
        if any(fnmatchcase(name, pattern) for pattern in patterns)
        else _hashed(value, key)
        for name, value in stack.outputs.items()
    }


def _hashed(value: str, key: str) -> str:
    if not key:
        return "not kept"
    # 128 bits tell values apart; the whole would only be longer.
    digest = hmac.digest(key.encode(), value.encode(errors="surrogatepass"), "sha256")
    return f"hmac-sha256:{digest.hex()[:32]}"


def _resource_facts(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    for one in snapshot.resources:
        text = f"{one.type} {one.physical_id}"
        template = snapshot.nested.get(one.physical_id)
        says = (
            one.status,
            one.policy and f"policy {one.policy}",
            template and f"template {template}",
        )
        extra = [part for part in says if part]
        yield f"resource {one.logical_id}", f"{text} ({', '.join(extra)})" if extra else text


def _parts(facts: Mapping[str, str]) -> list[dict[str, str]]:
    """Split facts so that none of the parts is longer than `PART_BYTES` as JSON."""
    parts: list[dict[str, str]] = [{}]
    size = 0
    for key, value in facts.items():
        cut = value if len(value) <= LONGEST_VALUE else f"{value[:LONGEST_VALUE]}... (cut)"
        length = len(json.dumps(key)) + len(json.dumps(cut)) + 2
        if size + length > PART_BYTES:
            parts.append({})
            size = 0
        parts[-1][key] = cut
        size += length
    return parts


def part_of_family(stack: Stack) -> Resource:
    """Return a companion as a part of its parent, as a nested stack is one."""
    return Resource(stack.name, NESTED, stack.stack_id, stack.status)


def snapshots_of(snapshot: Snapshot) -> tuple[str, ...]:
    """Name what CloudFormation makes a snapshot of, rather than just deleting it.

    Not of what is gone already: its snapshot, if there is one, was named when it went.
    """
    return tuple(
        f"a snapshot of {_named(one)}"
        for one in snapshot.resources
        if one.policy == SNAPSHOT and one.physical_id and one.status != GONE
    )[:MOST_KEPT]


def what_stayed(lease: Lease, fates: tuple[Resource, ...]) -> tuple[str, ...]:
    """Name what is left of a stack that is gone: by its events, and by what was asked for.

    A resource stayed if the last that was heard of it is not its deletion.
    """
    stayed = [_named(one) for one in fates if one.status != GONE and one.physical_id]
    gone = {_named(one) for one in fates if one.status == GONE}
    asked = [name for name in lease.retained if name not in gone]
    return tuple(dict.fromkeys((*stayed, *asked)))


def confirmed_reason(lease: Lease, fates: tuple[Resource, ...], unread: str = "") -> Reason:
    """Say how a deletion ended: what is confirmed gone, and what stayed, by their ids."""
    stayed = what_stayed(lease, fates)
    gone = [_named(one) for one in fates if one.status == GONE]
    text = f"confirmed by id after attempt {lease.attempts}"
    if stayed:
        text = f"deleted with leftovers, {text}; {len(stayed)} stayed: {_listed(stayed)}"
    facts = {"gone": str(len(gone)), "stayed": str(len(stayed))}
    facts |= {f"stayed {number}": name for number, name in enumerate(stayed, 1)}
    facts |= {f"gone {number}": name for number, name in enumerate(gone, 1)}
    if unread:
        text = f"{text}; what stayed could not be read"
        facts["unread"] = clean(unread)
    first, *rest = _parts(facts)
    if rest:
        first["left out"] = f"{sum(map(len, rest))} more facts, for want of room"
    return Reason(text, first)


def _named(one: Resource) -> str:
    """Name a resource; what is very deeply nested has a name that no row could hold."""
    return clean(str(one))[:LONGEST_VALUE]


def _listed(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:MOST_NAMED])
    more = len(names) - MOST_NAMED
    return f"{shown} and {more} more" if more > 0 else shown


MOST_NAMED = 10
