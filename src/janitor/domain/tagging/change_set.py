"""What a change set would change: tags alone, or more."""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct, field

from janitor.domain.model import DELETE_AFTER_TAG
from janitor.domain.stack.resources import NESTED
from janitor.domain.tagging.ways import Refusal, Why


class Change(Struct, frozen=True):
    """One change that a change set shows. A field that AWS left out is empty."""

    resource: str
    type: str
    action: str
    replacement: str
    scope: tuple[str, ...]
    details: tuple[tuple[str, str], ...] = ()
    """Of each detail the attribute that it is about, and where the change comes from."""
    kind: str = "Resource"
    policy_action: str = ""
    physical_id: str = ""
    change_set: str = ""
    """The id of the nested stack's own."""


class Readiness(StrEnum):
    """How far a change set is."""

    MAKING = "making"
    READY = "ready"
    FAILED = "failed"


class Proposal(Struct, frozen=True):
    """A change set, or one of its nested ones."""

    id: str
    readiness: Readiness
    changes: tuple[Change, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    """All that the stack would have."""
    wanted: Mapping[str, str] = field(default_factory=dict)
    """All that it is to have."""
    reason: str = ""
    nested: tuple["Proposal", ...] = ()
    moved: tuple[str, ...] = ()
    """Parameters from SSM that have another value by now."""
    is_same_template: bool = True
    """What it would deploy is, letter by letter, what is deployed: outputs are in no change."""


def verdict(proposal: Proposal, from_ssm: frozenset[str]) -> Refusal | None:
    """Return why a change set is not to be executed; None where it changes tags alone.

    The instant in one of the tags may be off.
    `from_ssm` names the parameters whose value something uses: an output, which no change shows.
    """
    if proposal.readiness is not Readiness.READY:
        return Refusal(Why.NOT_SHOWN, proposal.reason or proposal.readiness.value)
    if _without_instant(proposal.tags) != _without_instant(proposal.wanted):
        return Refusal(Why.NOT_SHOWN, "it is about other tags")
    return _more(proposal, from_ssm)


def _more(proposal: Proposal, from_ssm: frozenset[str]) -> Refusal | None:
    """Return what else would change, in nested change sets too."""
    if not proposal.is_same_template:
        return Refusal(Why.MORE, "the template")
    if moved := from_ssm.intersection(proposal.moved):
        return Refusal(Why.MORE, f"the parameter {min(moved)}")
    known = {one.id: one for one in proposal.nested}
    for change in proposal.changes:
        if not _is_harmless(change):
            return Refusal(Why.MORE, f"{change.resource}: {_said(change)}")
        if change.type != NESTED:
            continue
        nested = known.get(change.change_set)
        if nested is None:
            return Refusal(Why.NOT_SHOWN, f"nothing is known of the nested stack {change.resource}")
        if nested.readiness is not Readiness.READY:
            return Refusal(Why.NOT_SHOWN, f"{change.resource}: {nested.reason}")
        if found := _more(nested, from_ssm):
            return found
    return None


def _is_harmless(change: Change) -> bool:
    """Tell whether a change is one of tags alone.

    Of a nested stack CloudFormation also says `Automatic`, since it may find something new
    there: what that is, its own change set shows.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ResourceChangeDetail.html
    """
    is_modified = (change.kind, change.action) == ("Resource", "Modify")
    if not is_modified or change.replacement != "False" or change.policy_action:
        return False
    if change.type != NESTED:
        is_of_tags = all(attribute == "Tags" for attribute, _ in change.details)
        return change.scope == ("Tags",) and is_of_tags
    of_others = [source for attribute, source in change.details if attribute != "Tags"]
    is_automatic = all(source == "Automatic" for source in of_others)
    return (
        set(change.scope) <= {"Tags", "Properties"}
        and is_automatic
        and bool(of_others or set(change.scope) <= {"Tags"})
    )


def _said(change: Change) -> str:
    said = [change.action or "no action", *change.scope]
    if change.replacement != "False":
        said.append(f"replacement {change.replacement or 'unknown'}")
    return " ".join(said)


def _without_instant(tags: Mapping[str, str]) -> Mapping[str, object]:
    return {key: key == DELETE_AFTER_TAG or value for key, value in tags.items()}
