"""Explain: what the janitor knows about one stack, and what would have to happen to it."""

from collections.abc import Iterable
from datetime import datetime

from janitor.adapters.ports import Stacks
from janitor.core.decisions import Decision, Delete, Ignore, Retry, decision_name
from janitor.core.errors import JanitorError, StackNotFound
from janitor.core.lease import deadline_text, promise, told_at
from janitor.core.lifecycle import decide
from janitor.core.model import FINAL, Lease, Mode, Stack
from janitor.core.policy import Policy
from janitor.core.times import instant_text, relative_text

Fact = tuple[str, str]


def explain(
    name: str,
    lease: Lease | None,
    *,
    now: datetime,
    policy: Policy,
    mode: Mode,
    regions: Iterable[str],
    stacks: Stacks,
) -> tuple[Decision, list[Fact]]:
    """Decide on one stack as a sweep would, and put everything that counts into words.

    `lease` is the open one, if there is one; else the stack is looked for by its name.
    """
    stack = stacks.describe(lease.stack_id) if lease else _by_name(name, regions, stacks)
    if lease is None and stack is None:
        raise StackNotFound(f"no stack {name} in {', '.join(regions)}, and no lease of that name")
    decision = decide(stack, lease, policy, now)
    return decision, list(_facts(decision, stack, now, policy, mode))


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


def _facts(
    decision: Decision, stack: Stack | None, now: datetime, policy: Policy, mode: Mode
) -> Iterable[Fact]:
    zone = policy.window.window.zone
    subject = decision.lease or stack
    if subject:
        yield "stack", f"{subject.name} in {subject.region}"
        yield "id", subject.stack_id
    if stack:
        yield "status", stack.status
        yield (
            "created",
            f"{instant_text(stack.created, zone)} ({relative_text(stack.created, now)})",
        )
    if lease := decision.lease:
        terms = policy.terms(lease.rule)
        yield "rule", lease.rule
        yield "lease", f"{lease.state.value}, generation {lease.generation}"
        yield "owners", ", ".join(c.address for c in lease.contacts)
        yield "deadline", deadline_text(lease, policy)
        yield "extensions", f"{lease.extensions} of {terms.max_extensions} used"
        for notice in lease.notices:
            when = instant_text(notice.delivered_at, zone)
            yield (
                "notice",
                f"{notice.stage} to {notice.contact.address} by {notice.channel}, {when}",
            )
        if lease.last_error:
            yield "last error", lease.last_error
    yield "now", f"{decision_name(decision)}: {decision.reason}"
    yield "deleted", _earliest(decision, now, policy, mode)


def _earliest(decision: Decision, now: datetime, policy: Policy, mode: Mode) -> str:
    """Say when the stack could be deleted at the earliest, and what has to happen before."""
    lease = decision.lease
    if isinstance(decision, Ignore) or lease is None:
        return "never: it is not managed"
    if lease.expires_at is None:
        return "never, as things stand"
    if isinstance(decision, Delete | Retry):
        text = "by the next sweep"
    else:
        told = told_at(lease, FINAL)
        after = promise(lease, policy, told or max(lease.expires_at, now))
        at = instant_text(max(after, now), policy.window.window.zone)
        text = f"{at} at the earliest"
        if told is None:
            text += ", if the final notice is delivered by the deadline, or else later"
    if mode is not Mode.ENFORCE:
        text += f"; but nothing is deleted in mode {mode.value}"
    return text
