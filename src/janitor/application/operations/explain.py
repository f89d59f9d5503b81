"""Explain: what the janitor knows about one stack, and what would have to happen to it."""

from collections.abc import Iterator

from msgspec import Struct

from janitor.application.ports import Stacks
from janitor.domain.durations import duration_text
from janitor.domain.errors import JanitorError, StackNotFound
from janitor.domain.instants import instant_text
from janitor.domain.lease.deadlines import Unreadable
from janitor.domain.lease.dropped_tags import as_it_stood
from janitor.domain.lease.notice_history import caps_count_from, deadline_text
from janitor.domain.lease.owners import clean
from janitor.domain.lease.refresh import asked_of, deployed_at
from janitor.domain.model import Lease, Stack
from janitor.domain.planning.decisions import Decision, Delete, Ignore, Open, Retry, Track
from janitor.domain.planning.earliest_deletion import Notice, Outlook, notices_of, outlook
from janitor.domain.planning.plan import Plan
from janitor.domain.planning.termination_protection import as_protected
from janitor.domain.policy.model import Policy, Rule
from janitor.domain.policy.selection import Look, looks_of, rule_of
from janitor.domain.stack.tag_keys import lookup


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
    name: str, lease: Lease | None, *, plan: Plan, policy: Policy, stacks: Stacks
) -> Explained:
    """Put into words what the next sweep would do with one stack, and everything that counts.

    `plan` is what that sweep would do, and `lease` the stack's record, if there is one; else
    the stack is looked for by its name. Raises `StackNotFound` where no sweep decides on it.
    """
    # Gather.
    decision = _decision_on(lease.stack_id if lease else name, name, plan)
    subject = decision.lease or decision.stack
    stack = stacks.describe(subject.stack_id) if subject else None
    # Decide: the list of stacks does not show what protects one.
    if stack and stack.termination_protection and not isinstance(decision, Open):
        decision = as_protected(decision, plan.now, plan.ground)
    seen = None if isinstance(decision, Ignore) else decision.lease
    ahead = outlook(stack, seen, decision, plan, policy) if seen else None
    whole = as_it_stood(stack, seen, policy).stack if stack and seen else stack
    rule = rule_of(policy, whole) if whole else None
    steps = _deadline(whole, seen, rule, policy) if whole and seen and rule else ()
    return Explained(
        stack=stack,
        lease=seen,
        decision=decision,
        looks=looks_of(policy, whole) if whole else (),
        deadline=tuple(steps),
        most_extensions=policy.terms(seen.rule).max_extensions if seen else 0,
        notices=tuple(notices_of(seen, policy, plan.now)) if seen else (),
        outlook=ahead,
        deleted=_deleted(decision, ahead, policy),
    )


def _decision_on(key: str, name: str, plan: Plan) -> Decision:
    """Return what was decided on a stack, by its id or the name of one that is not nested."""
    found = {d.stack.stack_id: d for d in plan.decisions if d.stack and _is_called(key, d.stack)}
    found |= {d.lease.stack_id: d for d in plan.decisions if d.lease and d.lease.stack_id == key}
    if len(found) > 1:
        ids = ", ".join(sorted(found))
        raise StackNotFound(f"{len(found)} stacks are called {name}; give the id: {ids}")
    for decision in found.values():
        return decision
    for region, error in plan.regions:
        if error:
            raise JanitorError(
                f"no stack {name} where it could be looked for; not {region} ({error})"
            )
    where = ", ".join(region for region, _ in plan.regions)
    raise StackNotFound(
        f"no stack {name} in {where}, and no lease is open on it;"
        f" `janitor audit show {name}` tells of one that is gone"
    )


def _is_called(key: str, stack: Stack) -> bool:
    return key == stack.stack_id or (key == stack.name and stack.parent_id is None)


def _deadline(stack: Stack, lease: Lease, rule: Rule, policy: Policy) -> Iterator[str]:
    """Say what asks for which deadline: a tag or the rule, an extension, the most there is."""
    zone = policy.window.window.zone
    is_deployed = rule.ttl_from == "updated"
    begins = deployed_at(stack, lease) if is_deployed else stack.created
    try:
        asked = asked_of(stack, lease, rule, zone)
        yield clean(f"asked for by {asked.source}: {instant_text(asked.at, zone)}")
        if asked.at and not lookup(stack.tags, rule.expires_tags):
            since = "last deployment" if is_deployed else "creation"
            yield f"counted from its {since}, {instant_text(begins, zone)}"
    except Unreadable as error:
        yield clean(f"cannot be told: {error}")
    if lease.extended_until:
        yield f"extended until {instant_text(lease.extended_until, zone)}"
    latest = instant_text(caps_count_from(lease) + rule.max_lifetime, zone)
    yield f"never past {latest} (max_lifetime {duration_text(rule.max_lifetime)})"
    yield clean(f"holds: {deadline_text(lease, policy)}")


def _deleted(decision: Decision, ahead: Outlook | None, policy: Policy) -> str:
    """Say when the stack could be deleted at the earliest, and what has to happen before."""
    if ahead is None:
        return "never: it is not managed"
    if isinstance(decision, Track):
        return "its deletion is under way"
    if ahead.earliest is None:
        reasons = "; ".join(f"{c.detail} ({c.who})" for c in ahead.in_the_way)
        return f"not as things stand ({reasons})"
    if isinstance(decision, Delete | Retry):
        return "by the next sweep"
    missing = [c.kind.value for c in ahead.conditions if not c.is_met]
    at = instant_text(ahead.earliest, policy.window.window.zone)
    return (
        f"{at} at the earliest, once: {', '.join(missing)}" if missing else f"{at} at the earliest"
    )
