"""Explain: what the janitor knows about one stack, and what would have to happen to it."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from msgspec import Struct

from janitor.adapters.ports import Stacks
from janitor.core.contacts import clean
from janitor.core.decisions import Decision, Delete, Ignore, Retry, Track
from janitor.core.durations import duration_text
from janitor.core.errors import JanitorError, StackNotFound
from janitor.core.expiry import Unreadable, asked_deadline
from janitor.core.lease import deadline_text, deployed_at
from janitor.core.lifecycle import decide
from janitor.core.model import Account, Lease, Mode, Stack
from janitor.core.outlook import Notice, Outlook, notices_of, outlook
from janitor.core.policy import Policy, Rule
from janitor.core.selection import Look, looks_of
from janitor.core.times import instant_text


class Explained(Struct, frozen=True):
    """Everything that counts about one stack."""

    stack: Stack | None
    lease: Lease | None
    """As seen now; None where the stack is not managed."""
    decision: Decision
    looks: tuple[Look, ...]
    deadline: tuple[str, ...]
    """How the deadline came about, step by step; the last is the one that holds."""
    most_extensions: int
    notices: tuple[Notice, ...]
    outlook: Outlook | None
    deleted: str
    """When it could be deleted at the earliest, in words."""


def explain(
    name: str,
    lease: Lease | None,
    *,
    now: datetime,
    policy: Policy,
    mode: Mode,
    account: Account,
    regions: Iterable[str],
    stacks: Stacks,
) -> Explained:
    """Decide on one stack as a sweep would, and put everything that counts into words.

    `lease` is the open one, if there is one; else the stack is looked for by its name.
    """
    # Gather.
    stack = stacks.describe(lease.stack_id) if lease else _by_name(name, regions, stacks)
    if lease is None and stack is None:
        raise StackNotFound(f"no stack {name} in {', '.join(regions)}, and no lease of that name")
    # Decide.
    decision = decide(stack, lease, policy, now)
    seen = None if isinstance(decision, Ignore) else decision.lease
    ahead = outlook(stack, seen, account, policy, mode, now) if seen else None
    rule = policy.rule_for(stack) if stack else None
    steps = _deadline(stack, seen, rule, policy) if stack and seen and rule else ()
    return Explained(
        stack=stack,
        lease=seen,
        decision=decision,
        looks=looks_of(policy, stack) if stack else (),
        deadline=tuple(steps),
        most_extensions=policy.terms(seen.rule).max_extensions if seen else 0,
        notices=tuple(notices_of(seen, policy, now)) if seen else (),
        outlook=ahead,
        deleted=_deleted(decision, ahead, policy),
    )


def _by_name(name: str, regions: Iterable[str], stacks: Stacks) -> Stack | None:
    if name.startswith("arn:"):
        return stacks.describe(name)
    refused = []
    for listing in stacks.list_all(regions):
        if listing.error:
            refused.append(f"{listing.region} ({listing.error})")
        for stack in listing.stacks:
            if stack.name == name and stack.parent_id is None:
                return stack
    if refused:
        raise JanitorError(f"no stack {name} where it could be looked for; not {refused[0]}")
    return None


def _deadline(stack: Stack, lease: Lease, rule: Rule, policy: Policy) -> Iterator[str]:
    """Say what asks for which deadline: a tag or the rule, an extension, the most there is."""
    zone = policy.window.window.zone
    is_deployed = rule.ttl_from == "updated"
    begins = deployed_at(stack, lease) if is_deployed else stack.created
    try:
        asked = asked_deadline(
            stack.tags,
            counts_from=begins,
            rule_ttl=rule.ttl,
            allow_never=rule.allow_never,
            zone=zone,
        )
        yield clean(f"asked for by {asked.source}: {instant_text(asked.at, zone)}")
        if "janitor:expires" not in asked.source and asked.at:
            since = "last deployment" if is_deployed else "creation"
            yield f"counted from its {since}, {instant_text(begins, zone)}"
    except Unreadable as error:
        yield clean(f"cannot be told: {error}")
    if lease.extended_until:
        yield f"extended until {instant_text(lease.extended_until, zone)}"
    latest = instant_text(stack.created + rule.max_lifetime, zone)
    yield f"never past {latest} (max_lifetime {duration_text(rule.max_lifetime)})"
    yield clean(f"holds: {deadline_text(lease, policy)}")


def _deleted(decision: Decision, ahead: Outlook | None, policy: Policy) -> str:
    """Say when the stack could be deleted at the earliest, and what has to happen before."""
    if ahead is None:
        return "never: it is not managed"
    if isinstance(decision, Track):
        return "its deletion is under way"
    if ahead.earliest is None:
        reasons = "; ".join(f"{c.what}: {c.detail}" for c in ahead.in_the_way)
        return f"not as things stand ({reasons})"
    if isinstance(decision, Delete | Retry):
        return "by the next sweep"
    missing = [c.what for c in ahead.conditions if not c.holds]
    at = instant_text(ahead.earliest, policy.window.window.zone)
    return (
        f"{at} at the earliest, once: {', '.join(missing)}" if missing else f"{at} at the earliest"
    )
