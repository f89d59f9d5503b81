"""What a policy would do to a few example stacks, so that its author sees what it means."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from msgspec import Struct

from janitor.domain.instants import instant_text
from janitor.domain.lease.notice_history import promise
from janitor.domain.model import PROTECT_TAG, TTL_TAG, Lease, Mode, Stack
from janitor.domain.planning.conditions import Kind, first_unmet
from janitor.domain.planning.decide import decide
from janitor.domain.planning.decisions import Open
from janitor.domain.policy.model import BUILT_IN_NEVER_DELETE, Policy
from janitor.domain.policy.selector import Selector


class Example(Struct, frozen=True):
    """A made-up stack, created now, and what becomes of it if nobody does anything."""

    name: str
    tags: Mapping[str, str]
    rule: str
    fate: str


def why_nothing_goes(policy: Policy) -> str:
    """Say why nothing at all is deleted under this policy; nothing if something may be."""
    limits, why = policy.limits, []
    if policy.mode is Mode.OFF:
        why.append("mode off stops every sweep")
    elif policy.mode is not Mode.ENFORCE:
        why.append(f"its mode is {policy.mode.value} (another one may be given where it runs)")
    if limits.max_deleting == 0:
        why.append("limits.max_deleting is 0")
    return f"As it stands nothing is deleted: {', and '.join(why)}." if why else ""


def examples(policy: Policy, now: datetime) -> tuple[Example, ...]:
    """Play the policy on a stack for each rule, and on a few that every account has."""
    owner = {policy.rules[0].owner_tags[0]: "ada@example.com"} if policy.rules[0].owner_tags else {}
    cases: list[tuple[str, dict[str, str]]] = []
    for rule in policy.rules:
        name, tags = _selected_by(rule.select)
        cases.append((name, {**tags, **owner}))
    name, tags = cases[0]
    cases += [
        (f"{name}-nobodys", {key: value for key, value in tags.items() if key not in owner}),
        (f"{name}-typo", {**tags, TTL_TAG: "three days"}),
        (f"{name}-forever", {**tags, TTL_TAG: "never"}),
        (f"{name}-kept", {**tags, PROTECT_TAG: "demo on Friday"}),
        (BUILT_IN_NEVER_DELETE[0], tags),
        ("production-network", {}),
    ]
    return tuple(_play(policy, name, tags, now) for name, tags in cases)


def _selected_by(selector: Selector) -> tuple[str, dict[str, str]]:
    """Make up a name and tags that a selector matches, as far as that is plain."""
    if selector.tag is not None:
        return "feat-basket", {selector.tag: selector.equals or _value(selector.tag)}
    if selector.name is not None:
        return selector.name.replace("*", "basket").replace("?", "x"), {}
    if selector.any is not None:
        return _selected_by(selector.any[0])
    names, tags = [], {}
    for condition in selector.all or ():
        name, more = _selected_by(condition)
        tags.update(more)
        if condition.name is not None:
            names.append(name)
    return (names or ["feat-basket"])[0], tags


def _value(tag: str) -> str:
    return "3d" if tag == TTL_TAG else "2099-12-31" if tag == "janitor:expires" else "yes"


def _play(policy: Policy, name: str, tags: Mapping[str, str], now: datetime) -> Example:
    stack = Stack("arn:example", name, "eu-central-1", "CREATE_COMPLETE", now, tags=tags)
    decision = decide(stack, None, policy, now)
    if not isinstance(decision, Open) or decision.lease is None:
        return Example(name, tags, "", f"not managed: {decision.reason}")
    lease = decision.lease
    unmet = first_unmet(stack, lease, policy, now)
    match unmet.kind if unmet else None:
        case Kind.READABLE:
            fate = f"kept; its owner is told at once and then every week: {lease.problem}"
        case Kind.UNPROTECTED:
            fate = f"kept: {lease.protection}"
        case _ if lease.expires_at is None:
            fate = "kept for ever"
        case _:
            fate = _dates(policy, lease, lease.expires_at)
    return Example(name, tags, lease.rule, fate)


def _dates(policy: Policy, lease: Lease, expires: datetime) -> str:
    zone = policy.window.window.zone
    stages = policy.terms(lease.rule).stages
    reminders = [
        instant_text(expires - lead, zone)
        for lead, _ in reversed(stages)
        if expires - lead > lease.created
    ]
    reminded = f"reminded {' and '.join(reminders)}; " if reminders else ""
    delete = promise(lease, policy, expires + timedelta(0))
    return (
        f"{reminded}marked {instant_text(expires, zone)}; deleted {instant_text(delete, zone)}"
        f" at the earliest ({lease.deadline_source})"
    )
