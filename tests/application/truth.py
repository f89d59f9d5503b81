"""What is true of a stack by DESIGN.md, worked out apart from the code under test.

Nothing here calls the janitor's own rules: tags, rules and dates are read anew, and what
owners were told is read from the text that they were sent.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from functools import cache

from msgspec import Struct
from msgspec.structs import replace
from tests.fakes.stacks import MemoryStacks

from janitor.domain.model import Stack
from janitor.domain.policy.model import Policy
from janitor.domain.stack.resources import Resource

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TTLS = {"3h": 3 * HOUR, "30h": 30 * HOUR, "4d": 4 * DAY}
OWNERS = {
    "ann@x.org": ("ann@x.org",),
    "bob@x.org": ("bob@x.org",),
    "bob@x.org, ann@x.org": ("ann@x.org", "bob@x.org"),
}
OPERATORS = "operators"
NEVER_DELETED = ("CDKToolkit", "SC-*", "keep-*")
LIFETIME = frozenset({"janitor:ttl", "janitor:expires"})
OWNING = frozenset({"janitor:owner", "owner"})
PROTECTING = frozenset({"janitor:protect", "DoNotDelete"})
NEARLY = frozenset({"janitor:protected", "Janitor:TTL", "janitor-expires", "janitor:keep"})
"""Keys that the machine draws; none of them is one of the janitor's."""
COUNTING = LIFETIME | OWNING | PROTECTING | NEARLY | {"env"}
"""Keys that a lease remembers."""
OLD = 7 * DAY
"""A stack that is older when a rule first matches it is adopted."""
MOST_AT_ONCE = 5
"""So many deadlines may come earlier at once, in accounts of fewer than sixty stacks as here."""
RESTING = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "ROLLBACK_COMPLETE", "DELETE_FAILED"})


class Terms(Struct, frozen=True):
    """What operators may change in the policy."""

    grace: int = 24
    ownerless_grace: int = 48
    office_hours: bool = False
    max_deleting: int | None = None
    max_attempts: int = 2
    max_days: int = 12
    max_extension: int = 3
    max_extensions: int = 3
    fallback: str | None = None
    tagging: str = "on"
    by_name: bool = False
    ttl: int = 30
    adoption: int = 24
    min_observed: int = 1
    allow_never: bool = False
    override: bool = False
    purge: bool = False
    last_resort: str = "none"
    cleanup_role: str | None = None


SSM = {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/a"}


@cache
def policy_of(terms: Terms) -> Policy:
    """Return the policy document that says so."""
    tagged = {"any": [{"tag": "janitor:ttl"}, {"tag": "janitor:expires"}]}
    named = {"name": "feat-[cd]*"}
    return Policy.model_validate(
        {
            "defaults": {
                "grace": f"{terms.grace}h",
                "ownerless_grace": f"{terms.ownerless_grace}h",
                "max_lifetime": f"{terms.max_days}d",
                "max_extension": f"{terms.max_extension}d",
                "max_extensions": terms.max_extensions,
                "fallback_contact": terms.fallback,
                "tagging": terms.tagging,
                "allow_never": terms.allow_never,
                "override_protection": terms.override,
                "purge": ["s3"] if terms.purge else [],
                "last_resort": terms.last_resort,
                "cleanup_role": terms.cleanup_role,
                "owner_tags": ["janitor:owner", "owner"],
                "reminders": ["24h", "2h"],
                "adoption": f"{terms.adoption}h",
            },
            "rules": [
                {
                    "name": "fast",
                    "select": {"tag": "env", "equals": "fast"},
                    "ttl": "6h",
                    "ttl_from": "updated",
                },
                {
                    "name": "main",
                    "select": named if terms.by_name else tagged,
                    "ttl": f"{terms.ttl}h",
                },
            ],
            "window": {
                "days": ["mon", "tue", "wed", "thu", "fri"]
                if terms.office_hours
                else ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
                "hours": "09:00-17:00" if terms.office_hours else "00:00-24:00",
            },
            "limits": {
                "max_deleting": terms.max_deleting,
                "min_observed": f"{terms.min_observed}h",
                "max_attempts": terms.max_attempts,
            },
            "never_delete": ["keep-*"],
        }
    )


def standing(stack: Stack, remembered: Mapping[str, str], terms: Terms) -> Stack:
    """Return the stack with the tags that hold: dropped ones do until others take their place."""
    lost = {key: value for key, value in remembered.items() if key not in stack.tags}
    held: dict[str, str] = {}
    for kind in (LIFETIME, OWNING):
        if not kind & stack.tags.keys():
            held |= {key: value for key, value in lost.items() if key in kind}
    is_bare = not (LIFETIME | OWNING) & stack.tags.keys()
    if held and is_bare:
        held = lost
    elif held or (is_bare and not (PROTECTING | NEARLY) & stack.tags.keys()):
        held |= {key: value for key, value in lost.items() if key in PROTECTING | NEARLY}
    whole = replace(stack, tags={**stack.tags, **held})
    if not _selected(whole, terms) and _selected(
        everything := replace(stack, tags={**stack.tags, **lost}), terms
    ):
        return everything
    return whole


def _selected(stack: Stack, terms: Terms) -> str:
    if stack.tags.get("env") == "fast":
        return "fast"
    if terms.by_name:
        return "main" * fnmatchcase(stack.name, "feat-[cd]*")
    return "main" * bool(LIFETIME & stack.tags.keys())


def rule_of(stack: Stack, terms: Terms) -> str:
    """Return the name of the rule that the stack falls under, or nothing.

    Here and below `stack` has the tags that hold for it.
    """
    return _selected(stack, terms) or "nearly" * nearly(stack)


def nearly(stack: Stack) -> bool:
    """Tell whether a tag looks like one of the janitor's and is none: somebody means to keep it."""
    return bool(NEARLY & stack.tags.keys())


def managed(stack: Stack, terms: Terms) -> bool:
    """Tell whether the stack is the janitor's business at all."""
    return (
        bool(rule_of(stack, terms))
        and stack.parent_id is None
        and "janitor:self" not in stack.tags
        and not any(fnmatchcase(stack.name, pattern) for pattern in NEVER_DELETED)
    )


def protected(stack: Stack, terms: Terms) -> bool:
    """Tell whether its owner has put the stack out of reach."""
    locked = stack.termination_protection and not terms.override
    return tagged_to_stay(stack) or locked


def tagged_to_stay(stack: Stack) -> bool:
    """Tell whether a tag protects the stack; `DoNotDelete` does not when it says `false`."""
    return any(stack.tags.get(key, "false") != "false" for key in PROTECTING)


def more_than_tags(stack_id: str, stacks: MemoryStacks, *, shown: bool) -> str:
    """Say what an update of a stack for its tags may change besides; `shown`: by a change set.

    A change set shows what SSM and transforms give now, and not what a dynamic reference does.
    """
    if stacks.change_sets.get(stack_id):
        return "a change set of somebody else's is lost"
    family = [stack_id, *(s.stack_id for s in stacks.stacks.values() if s.parent_id == stack_id)]
    if any(stacks.moved.get(one) for one in family):
        return "something that it reads anew has moved"
    text = json.dumps([stacks.templates.get(one) for one in family])
    never = [word for word in ("{{resolve:", "Fn::GetStackOutput") if word in text]
    anew = [word for word in ("Transform", '{"Ref": "FromSsm"}') if word in text]
    return ", ".join(
        [*never, *([] if shown else anew), *(["nested"] * (len(family) > 1 and not shown))]
    )


HAZARDS: tuple[tuple[Mapping[str, object], tuple[str, ...]], ...] = (
    ({"Parameters": {"FromSsm": SSM}, "Outputs": {"O": {"Value": {"Ref": "FromSsm"}}}}, ()),
    ({"Parameters": {"FromSsm": SSM}, "Outputs": {"O": {"Value": {"Ref": "FromSsm"}}}}, ("Queue",)),
    ({"Parameters": {"BootstrapVersion": SSM}, "Rules": {"R": {"Ref": "BootstrapVersion"}}}, ()),
    ({"Transform": "AWS::Serverless-2016-10-31"}, ()),
    ({"Transform": "AWS::Serverless-2016-10-31"}, ("Queue",)),
    ({"Metadata": {"secret": "{{resolve:secretsmanager:s:SecretString:p}}"}}, ("Queue",)),
    ({"Outputs": {"O": {"Value": {"Fn::GetStackOutput": {"StackName": "p"}}}}}, ("Queue",)),
)
"""Parts of a template beside its resources, and what of those an update for tags would change."""


def may_purge(stack: Stack, resource: Resource, terms: Terms) -> bool:
    """Tell whether operators or the owner have allowed to empty this kind of resource."""
    if resource.type == "AWS::S3::Bucket":
        return terms.purge or "s3" in stack.tags.get("janitor:purge", "")
    return resource.type == "AWS::ECR::Repository" and "ecr" in stack.tags.get("janitor:purge", "")


def owners(stack: Stack, terms: Terms) -> tuple[str, ...]:
    """Return whom the notices about the stack must reach."""
    for tag in ("janitor:owner", "owner"):
        if stack.tags.get(tag):
            return OWNERS[stack.tags[tag]]
    return (terms.fallback or OPERATORS,)


def grace(stack: Stack, terms: Terms, *, in_place: bool) -> timedelta:
    """Return how long the stack stands after the final notice, which may be read in an owner's place."""
    ownerless = not (stack.tags.get("janitor:owner") or stack.tags.get("owner"))
    if in_place and not ownerless:
        return max(terms.grace, terms.ownerless_grace) * HOUR
    return (terms.ownerless_grace if ownerless else terms.grace) * HOUR


def asked(stack: Stack, terms: Terms, deployed: datetime) -> datetime | None:
    """Return the deadline that tags and rule ask for; None for never and for unreadable."""
    if nearly(stack):
        return None
    if (expires := stack.tags.get("janitor:expires")) is not None:
        try:
            return datetime.fromisoformat(expires)
        except ValueError:
            return None
    fast = rule_of(stack, terms) == "fast"
    if (ttl := stack.tags.get("janitor:ttl")) is not None:
        lifetime = TTLS.get(ttl)
    else:
        lifetime = 6 * HOUR if fast else terms.ttl * HOUR
    return None if lifetime is None else (deployed if fast else stack.created) + lifetime


def is_unreadable(stack: Stack, terms: Terms) -> bool:
    """Tell whether the tags that count say nothing that can be read."""
    if nearly(stack):
        return True
    never = stack.tags.get("janitor:ttl") == "never" and "janitor:expires" not in stack.tags
    return asked(stack, terms, stack.created) is None and not (never and terms.allow_never)


def window_open(terms: Terms, now: datetime) -> bool:
    """Tell whether deletions may run."""
    return not terms.office_hours or (now.weekday() < 5 and 9 <= now.hour < 17)


@dataclass(frozen=True)
class Told:
    """A paragraph of a notice, as its reader understands it."""

    name: str
    region: str
    to: str
    sent: datetime
    text: str
    created: datetime | None = None
    expired: datetime | None = None
    promised: datetime | None = None
    """Not deleted before: only a final notice says so."""
    in_place: bool = False
    """Somebody else reads it, since nobody can reach whom it is for."""
    is_first_word: bool = False
    """It says of a stack that was there before what the janitor is."""


FIRST_WORD = "This stack was here before it was looked after."
PROMISE = r"at the earliest on"


def read_notice(text: str, sent: datetime) -> Iterator[Told]:
    """Read a digest paragraph by paragraph."""
    greeting, *paragraphs = re.sub(r"\n {4}", " ", text).split("\n\n")
    greeting = greeting.replace("\n", " ")
    to, in_place = OPERATORS, False
    addressed = r"To (?P<to>\S+): this is about|This is about .* of (?P<for>\S+), who cannot"
    if found := re.match(addressed, greeting):
        to, in_place = found["to"] or found["for"], not found["to"]
    for paragraph in paragraphs:
        if head := re.match(r"(\S+)  \((\S+)\)\n", paragraph):
            yield Told(
                head[1],
                head[2],
                to,
                sent,
                paragraph,
                _instant(paragraph, r"created"),
                _instant(paragraph, r"Expired"),
                None if (first := FIRST_WORD in paragraph) else _instant(paragraph, PROMISE),
                in_place,
                first,
            )


@cache
def _read(text: str) -> datetime:
    return datetime.strptime(text, "%a %d %b %Y %H:%M UTC").replace(tzinfo=UTC)


def _instant(text: str, before: str) -> datetime | None:
    found = re.search(before + r" (\w{3} \d+ \w{3} \d{4} \d\d:\d\d UTC) \(", text)
    return _read(found[1]) if found else None
