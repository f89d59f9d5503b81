"""Which rules of the policy look at a stack, and why each does not select it."""

from msgspec import Struct

from janitor.core.companions import parent_in
from janitor.core.contacts import clean
from janitor.core.expiry import shown
from janitor.core.model import SELF_TAG, Stack
from janitor.core.policy import Policy, Selector


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


def why_not_managed(stack: Stack, policy: Policy) -> str:
    """Say what keeps a stack from being managed, whatever the rules say; nothing if nothing does."""
    if stack.parent_id:
        return "nested stack: it lives and goes with its parent"
    if parent := parent_in(stack.name):
        if stack.companion_of:
            return f"companion of {stack.companion_of}: it goes with it"
        return f"SAM made it as the companion of {parent}, which is not there: it is left alone"
    if SELF_TAG in stack.tags:
        return f"tag {SELF_TAG}: the janitor never looks at itself"
    if pattern := policy.never_deletes(stack.name):
        return f"its name is on the never-delete list ({pattern})"
    if stack.toolkit:
        whose = f"it is the bootstrap stack of {stack.toolkit}, as its outputs show"
        return f"{whose}: other stacks are deployed by it"
    return ""
