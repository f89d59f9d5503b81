"""By which way the tags of a stack may change so that nothing else does, or why by none.

Changing a stack's tags is updating it. docs/adr/0023 says what that may change besides.
"""

import json
from collections.abc import Iterator, Mapping
from enum import StrEnum

from msgspec import Struct

from janitor.domain.lease.owners import clean
from janitor.domain.tagging.read_anew import Reading, reading_of
from janitor.domain.tagging.rights import at_creation_only, uncovered

_AT_REST = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"})
"""The last operation went well, and so the stack's role still works."""
_MOST_NAMED = 3
_LONGEST = 120


class Way(StrEnum):
    """How the tags are changed."""

    PLAIN = "plain"
    """By an update: there is nothing that it could read anew."""
    CHANGE_SET = "change set"
    """By a change set, once that shows that tags alone would change."""


class Why(StrEnum):
    """Why the tags of a stack are not changed. Each has its sentence in `why_text`."""

    LIMITS = "limits"
    MOVED = "moved"
    PENDING = "pending"
    POLICY = "stack policy"
    AT_CREATION = "at creation"
    REFERENCE = "dynamic reference"
    WEAK = "weak reference"
    ROLE = "role"
    RIGHTS = "rights"
    UNREADABLE = "unreadable"
    NOT_SHOWN = "not shown"
    MORE = "more than tags"
    REFUSED = "refused"
    ROLLED_BACK = "rolled back"
    STUCK = "stuck"


class Part(Struct, frozen=True):
    """One stack of a family: the root, or one nested in it. All of it is other people's text."""

    name: str
    template: object = None
    """As it was written, parsed."""
    digest: str = ""
    """SHA-256 of the template's text."""
    types: tuple[str, ...] = ()
    policy: str = ""
    """Its stack policy, as JSON."""
    problem: str = ""
    """What could not be read of it, and why."""


class Anatomy(Struct, frozen=True):
    """What a stack is, as far as an update could change more than its tags."""

    root: Part
    nested: tuple[Part, ...] = ()
    change_sets: tuple[str, ...] = ()
    """Names of those that others made."""
    values: tuple[str, ...] = ()
    """Of the root's parameters, as far as they can be seen."""
    own_change_set: bool = False
    """One of the janitor's was left behind."""

    @property
    def from_ssm(self) -> frozenset[str]:
        """Return the parameters from SSM that something of it uses."""
        return frozenset().union(*(reading_of(part.template).from_ssm for part in self.parts))

    @property
    def parts(self) -> tuple[Part, ...]:
        """Return the root, and then all that is nested in it."""
        return (self.root, *self.nested)


class Refusal(Struct, frozen=True):
    """That the tags stay as they are: why, and of what."""

    why: Why
    detail: str = ""

    def __str__(self) -> str:
        return why_text(self.why, self.detail)


def way_of(anatomy: Anatomy, *, status: str, role: str, reads_ssm: bool) -> Way | Refusal:
    """Return by which way the tags may change; unsure means by none.

    `status`, `role` and `reads_ssm` (a parameter of it, or of one nested in it, was read from
    SSM) are as DescribeStacks says.
    """
    readings = [reading_of(part.template) for part in anatomy.parts]
    for refusal in _refusals(anatomy, readings, status, role):
        return refusal
    is_known = any(one.anew for one in readings)
    # What DescribeStacks knows of and the template does not is none of ours to explain.
    hides = reads_ssm and not any(_declares_ssm(part.template) for part in anatomy.parts)
    return Way.CHANGE_SET if is_known or anatomy.nested or hides else Way.PLAIN


def _declares_ssm(template: object) -> bool:
    parameters = template.get("Parameters") if isinstance(template, Mapping) else None
    of = parameters.values() if isinstance(parameters, Mapping) else ()
    return any("AWS::SSM::" in str(one.get("Type")) for one in of if isinstance(one, Mapping))


def _refusals(
    anatomy: Anatomy, readings: list[Reading], status: str, role: str
) -> Iterator[Refusal]:
    """Yield what stands against it, the first first."""
    parts = anatomy.parts
    for part, reading in zip(parts, readings, strict=True):
        if part.problem or not reading.is_read:
            detail = part.problem or "its template is none"
            yield Refusal(Why.UNREADABLE, detail)
    if anatomy.change_sets:
        yield Refusal(Why.PENDING, _named(anatomy.change_sets))
    if any(not allows_all(part.policy) for part in parts):
        yield Refusal(Why.POLICY)
    types = [one for part in parts for one in part.types]
    if fixed := at_creation_only(types):
        yield Refusal(Why.AT_CREATION, _named(fixed))
    texts = [reading.unpinned for reading in readings]
    texts += [value for value in anatomy.values if "resolve:" in value]
    if unpinned := next(filter(None, texts), ""):
        yield Refusal(Why.REFERENCE, unpinned[:_LONGEST])
    if any(reading.is_weak for reading in readings):
        yield Refusal(Why.WEAK)
    if role and status not in _AT_REST:
        yield Refusal(Why.ROLE)
    if not role and (lacking := uncovered(types)):
        yield Refusal(Why.RIGHTS, _named(lacking))


def allows_all(policy: str) -> bool:
    """Tell whether a stack policy is none, or plainly allows every update."""
    if not policy.strip():
        return True
    try:
        said = json.loads(policy)
        statements = said["Statement"]
        several = statements if isinstance(statements, list) else [statements]
        return bool(several) and all(_allows(one) for one in several)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return False


def _allows(statement: Mapping[str, object]) -> bool:
    known = statement.keys() <= {"Sid", "Effect", "Action", "Principal", "Resource"}
    is_all = all(
        statement[name] in (wanted, [wanted])
        for name, wanted in (("Action", "Update:*"), ("Principal", "*"), ("Resource", "*"))
    )
    return known and is_all and statement["Effect"] == "Allow"


def _named(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:_MOST_NAMED])
    more = len(names) - _MOST_NAMED
    return f"{shown} and {more} more" if more > 0 else shown


_SENTENCES: Mapping[Why, str] = {
    Why.LIMITS: "{}",
    Why.MOVED: "it was updated in between",
    Why.PENDING: "somebody else's change set ({}) is pending, and would be lost by an update",
    Why.POLICY: "its stack policy may forbid updates",
    Why.AT_CREATION: "some of its resources take tags at creation only ({})",
    Why.REFERENCE: "an update would read a dynamic reference anew ({})",
    Why.WEAK: "an update would read outputs of other stacks anew (Fn::GetStackOutput)",
    Why.ROLE: "its service role's last update did not succeed, so another one may not either",
    Why.RIGHTS: "the janitor may not tag some of its resources ({})",
    Why.UNREADABLE: "what it consists of cannot be read ({})",
    Why.NOT_SHOWN: "no change set could show what an update would change ({})",
    Why.MORE: "an update would change more than tags ({})",
    Why.REFUSED: "CloudFormation will not ({})",
    Why.ROLLED_BACK: "the update of its tags was rolled back ({})",
    Why.STUCK: "the update of its tags ended in UPDATE_ROLLBACK_FAILED ({})",
}


def why_text(why: Why, detail: str = "") -> str:
    """Say why the tags of a stack are not changed; `detail` is of what, other people's text."""
    return _SENTENCES[why].replace("{}", clean(detail) or "no reason given")
