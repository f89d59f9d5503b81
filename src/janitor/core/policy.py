"""The policy document: who is managed, for how long, and what the limits are."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping
from datetime import time, timedelta
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from janitor.core.durations import AnyDuration, Duration, hours_text
from janitor.core.expiry import Window
from janitor.core.model import EXPIRES_TAG, TTL_TAG, Mode, Stack

BUILT_IN_NEVER_DELETE = (
    "*CDKToolkit*",
    "aws-sam-cli-managed-*",
    "StackSet-*",
    "SC-*",
    "AWSControlTower*",
    "awseb-*",
)
"""Names that no policy can put into the janitor's reach."""

_ROLE = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]{1,576}")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class _Model(BaseModel):
    """Made ready when first used: what is only a part of a policy never needs its own check."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, ignored_types=(cached_property,), defer_build=True
    )


class Selector(_Model):
    """Which stacks a rule is about: exactly one of tag, name, any, all."""

    tag: str | None = Field(None, min_length=1, max_length=128)
    equals: str | None = None
    name: str | None = Field(None, min_length=1)
    any: tuple["Selector", ...] | None = None
    all: tuple["Selector", ...] | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        forms = [f for f in ("tag", "name", "any", "all") if getattr(self, f) is not None]
        if len(forms) != 1:
            raise ValueError("needs exactly one of tag, name, any, all; for instance tag: env")
        if self.equals is not None and self.tag is None:
            raise ValueError("equals goes with tag; for instance {tag: env, equals: dev}")
        if self.any == () or self.all == ():
            raise ValueError(f"{forms[0]} must list at least one condition")
        return self

    def matches(self, stack: Stack) -> bool:
        """Tell whether the stack is one of those."""
        if self.tag is not None:
            value = stack.tags.get(self.tag)
            return value is not None and self.equals in (None, value)
        if self.name is not None:
            return fnmatchcase(stack.name, self.name)
        if self.any is not None:
            return any(condition.matches(stack) for condition in self.any)
        return all(condition.matches(stack) for condition in self.all or ())


class Terms(_Model):
    """How long stacks live, whom to tell, and how far owners may extend."""

    ttl: Duration | None = None
    ttl_from: Literal["created", "updated"] = "created"
    grace: AnyDuration = timedelta(hours=24)
    max_lifetime: Duration = timedelta(days=30)
    max_extension: Duration = timedelta(days=7)
    max_extensions: int = Field(5, ge=0)
    reminders: tuple[Duration, ...] = (timedelta(hours=48), timedelta(hours=24))
    allow_never: bool = False
    owner_tags: tuple[str, ...] = ("janitor:owner", "owner", "Owner")
    fallback_contact: str | None = Field(None, min_length=1, max_length=256)
    ownerless_grace: AnyDuration = timedelta(hours=72)
    tagging: Literal["on", "off"] = "on"
    review_grace: AnyDuration = timedelta(hours=72)
    override_protection: bool = False
    purge: tuple[Literal["s3", "ecr"], ...] = ()
    cleanup_role: str | None = Field(None, max_length=2048)
    last_resort: Literal["none", "retain", "force"] = "none"

    @field_validator("cleanup_role")
    @classmethod
    def _is_a_role(cls, arn: str | None) -> str | None:
        if arn is not None and not _ROLE.fullmatch(arn):
            raise ValueError(f"{arn!r} is no role; for instance arn:aws:iam::123456789012:role/rm")
        return arn

    @cached_property
    def stages(self) -> tuple[tuple[timedelta, str], ...]:
        """Return the reminders, nearest to the deadline first, each with its stage."""
        return tuple((lead, hours_text(lead)) for lead in sorted(set(self.reminders)))


class Rule(Terms):
    """Terms for the stacks that `select` selects."""

    name: str = Field(min_length=1, max_length=64)
    select: Selector


class WindowSpec(_Model):
    """When deletions may run."""

    days: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = Field(
        ("mon", "tue", "wed", "thu", "fri"), min_length=1
    )
    hours: str = "09:00-17:00"
    zone: str = "UTC"

    @field_validator("hours")
    @classmethod
    def _readable(cls, hours: str) -> str:
        _bounds(hours)
        return hours

    @field_validator("zone")
    @classmethod
    def _known(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"{zone!r} is unknown; for instance Europe/Berlin") from error
        return zone

    @cached_property
    def window(self) -> Window:
        """Return the window as the core computes with it."""
        days = {DAYS.index(day) for day in self.days}
        return Window(frozenset(days), *_bounds(self.hours), ZoneInfo(self.zone))


_HOURS = re.compile(r"([0-9]{2}:[0-9]{2})\s*-\s*([0-9]{2}:[0-9]{2})")


def _bounds(hours: str) -> tuple[time, time]:
    """Read `09:00-17:00`; offsets, seconds, a third time of day and no span are refused."""
    match = _HOURS.fullmatch(hours.strip())
    start, end = match.groups() if match else ("", "")
    if match and start == end:
        raise ValueError(
            f"{hours!r}: must be a span, for instance 10:00-16:00, or 00:00-24:00 for the whole day"
        )
    try:
        return time.fromisoformat(start), time.fromisoformat("00:00" if end == "24:00" else end)
    except ValueError as error:
        raise ValueError(f"{hours!r}: write for instance 09:00-17:00") from error


class Limits(_Model):
    """What stops a sweep from deleting too much. Zero means zero, never unlimited."""

    max_deletes_fraction: float = Field(0.25, ge=0, le=1)
    breaker_floor: int = Field(5, ge=0)
    max_due: int = Field(50, ge=0)
    max_deletes_per_sweep: int = Field(10, ge=0)
    min_observed: AnyDuration = timedelta(hours=1)
    max_attempts: int = Field(5, ge=1)


class Operators(_Model):
    """Who runs the janitor, and where they are told what needs them."""

    channel: str | None = Field(None, pattern=r"^(#[a-z0-9_-]{1,80}|[CG][A-Z0-9]{8,20})$")
    """A Slack channel; without it, or without Slack, the notices' topic."""
    members: tuple[Annotated[str, Field(pattern=r"^[UW][A-Z0-9]{6,20}$")], ...] = ()
    """Slack users who may act on anybody's stack."""


_DEFAULT_RULE = {"name": "default", "select": {"any": [{"tag": TTL_TAG}, {"tag": EXPIRES_TAG}]}}


class Policy(_Model):
    """The whole document, checked. The first rule that matches a stack wins."""

    mode: Mode = Mode.OBSERVE
    regions: tuple[str, ...] = ()
    """Empty: the region of the AWS settings in use."""
    defaults: Terms = Terms.model_construct()
    rules: tuple[Rule, ...] = Field(min_length=1)
    window: WindowSpec = WindowSpec.model_construct()
    limits: Limits = Limits.model_construct()
    never_delete: tuple[str, ...] = ()
    operators: Operators = Operators.model_construct()

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, data: object) -> object:
        """Lay `defaults` under every rule, and the default rule under no rules."""
        if not isinstance(data, Mapping):
            return data
        defaults = data.get("defaults", {})
        rules = data.get("rules", [_DEFAULT_RULE])
        if not isinstance(rules, list):
            return data
        if not isinstance(defaults, Mapping):
            defaults = {}
        laid = [{**defaults, **rule} if isinstance(rule, Mapping) else rule for rule in rules]
        return {**data, "rules": laid}

    @field_validator("rules")
    @classmethod
    def _names_differ(cls, rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
        for name, count in Counter(rule.name for rule in rules).items():
            if count > 1:
                raise ValueError(f"two rules are called {name!r}; names tell them apart")
        return rules

    @cached_property
    def version(self) -> str:
        """Return a short hash of the document, which every event carries."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def rule_for(self, stack: Stack) -> Rule | None:
        """Return the first rule whose selector matches."""
        return next((rule for rule in self.rules if rule.select.matches(stack)), None)

    def terms(self, rule_name: str) -> Terms:
        """Return the terms of a rule by name; of a rule that is no more, the defaults."""
        return next((rule for rule in self.rules if rule.name == rule_name), self.defaults)

    def never_deletes(self, name: str) -> str | None:
        """Return the pattern that keeps a stack of this name out of reach, if one does."""
        patterns = (*BUILT_IN_NEVER_DELETE, *self.never_delete)
        return next((pattern for pattern in patterns if fnmatchcase(name, pattern)), None)


def default_policy() -> Policy:
    """Return the policy that holds when nothing was written."""
    return Policy.model_validate({})
