"""Which rules of the policy look at a stack, and why each does not select it."""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from janitor.domain.lease.deadlines import shown
from janitor.domain.lease.owners import clean
from janitor.domain.model import SELF_TAG, Stack
from janitor.domain.policy.model import Policy, Rule
from janitor.domain.policy.selector import Selector
from janitor.domain.stack.companions import parent_in
from janitor.domain.stack.tag_keys import near_misses

_NONE: Mapping[str, str] = {}


class Look(Struct, frozen=True):
    """What one rule made of a stack."""

    rule: str
    selects: bool
    why: str


def looks_of(policy: Policy, stack: Stack) -> tuple[Look, ...]:
    """Let every rule look, in the order of the policy; the first that selects is the one."""
    looks: list[Look] = []
    chosen = ""
    for rule in policy.rules:
        why = why_not(rule.select, stack)
        if chosen:
            text = f"not asked, since '{chosen}' comes before it"
            looks.append(Look(rule.name, selects=False, why=text))
        elif why:
            looks.append(Look(rule.name, selects=False, why=why))
        else:
            chosen = rule.name
            looks.append(Look(rule.name, selects=True, why=_why(rule.select, stack)))
    near = near_misses(stack.tags, policy.tag_kinds.counts)
    if near and not chosen:
        text = f"it has the tag {clean(near[0].key)}, which nearly is one of janitor's"
        looks.append(Look(policy.nearly.name, selects=True, why=text))
    return tuple(looks)


def why_not(selector: Selector, stack: Stack) -> str:
    """Say what keeps a selector from matching; nothing if it matches."""
    if selector.tag is not None:
        value = stack.tags.get(selector.tag)
        if value is None:
            return f"it has no tag {selector.tag}"
        if selector.equals is not None and value != selector.equals:
            return f"its tag {selector.tag} is {shown(value)} and not {shown(selector.equals)}"
        return ""
    if selector.name is not None:
        return "" if selector.matches(stack) else f"its name is not like {selector.name}"
    if selector.any is not None:
        reasons = [why_not(condition, stack) for condition in selector.any]
        return " and ".join(dict.fromkeys(reasons)) if all(reasons) else ""
    failing = (why_not(condition, stack) for condition in selector.all or ())
    return next((reason for reason in failing if reason), "")


def _why(selector: Selector, stack: Stack) -> str:
    """Say by what a selector matches that does."""
    if selector.tag is not None:
        return f"it has the tag {selector.tag}={clean(stack.tags[selector.tag])}"
    if selector.name is not None:
        return f"its name is like {selector.name}"
    if selector.any is not None:
        return next(_why(one, stack) for one in selector.any if one.matches(stack))
    return " and ".join(_why(condition, stack) for condition in selector.all or ())


def rule_of(policy: Policy, stack: Stack) -> Rule | None:
    """Return the rule that a stack falls under.

    One that no rule selects is managed all the same where a tag shows that somebody meant
    that: `janitor-ttl`. It is kept until the tag is put right.
    """
    if (rule := policy.rule_for(stack)) is not None:
        return rule
    return policy.nearly if near_misses(stack.tags, policy.tag_kinds.counts) else None


class Apart(StrEnum):
    """Why the janitor leaves a stack alone, whatever the rules say."""

    NESTED = "nested in another stack"
    ORPHAN = "SAM companions whose stack is gone"
    SELF = "tagged janitor:self"
    TAKEN_OUT = "taken out by an operator"
    BY_NAME = "on the never-delete list"
    TOOLKIT = "bootstrap stacks"


class NotManaged(Struct, frozen=True):
    """That the janitor leaves a stack alone: why, and in a sentence."""

    kind: Apart
    text: str


def _companion(stack: Stack, parent: str) -> NotManaged:
    if stack.companion_of:
        text = f"companion of {stack.companion_of}: it goes with it"
        return NotManaged(Apart.NESTED, text)
    text = f"SAM made it as the companion of {parent}, which is not there: it is left alone"
    return NotManaged(Apart.ORPHAN, text)


def why_not_managed(
    stack: Stack, policy: Policy, taken_out: Mapping[str, str] = _NONE
) -> NotManaged | None:
    """Say what keeps a stack from being managed, whatever the rules say; None if nothing does.

    `taken_out` are the stacks that an operator took out, by id, each with the reason.
    """
    if stack.parent_id:
        return NotManaged(Apart.NESTED, "nested stack: it lives and goes with its parent")
    if parent := parent_in(stack.name):
        return _companion(stack, parent)
    if SELF_TAG in stack.tags:
        return NotManaged(Apart.SELF, f"tag {SELF_TAG}: the janitor never looks at itself")
    if (why := taken_out.get(stack.stack_id)) is not None:
        return NotManaged(Apart.TAKEN_OUT, f"taken out by an operator: {clean(why)}")
    if pattern := policy.never_deletes(stack.name):
        return NotManaged(Apart.BY_NAME, f"its name is on the never-delete list ({pattern})")
    if stack.toolkit:
        whose = f"it is the bootstrap stack of {stack.toolkit}, as its outputs show"
        return NotManaged(Apart.TOOLKIT, f"{whose}: other stacks are deployed by it")
    return None
