"""The policy document: who is managed, for how long, and what the limits are."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping
from datetime import time, timedelta
from fnmatch import fnmatchcase, translate
from functools import cached_property
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from msgspec import Struct
from pydantic import AfterValidator, Field, field_validator, model_validator

from janitor.domain.durations import AnyDuration, Duration, hours_text
from janitor.domain.lease.addresses import is_channel, is_user_id
from janitor.domain.model import EXPIRES_TAG, TTL_TAG, Mode, Stack
from janitor.domain.policy.selector import Model, Selector, TagKey
from janitor.domain.policy.window import Window
from janitor.domain.stack.tag_keys import OWNER_TAG, PROTECT_TAGS

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


class Terms(Model):
    """How long stacks live, whom to tell, and how far owners may extend."""

    ttl: Duration | None = None
    ttl_from: Literal["created", "updated"] = "created"
    grace: AnyDuration = timedelta(hours=24)
    max_lifetime: Duration = timedelta(days=30)
    max_extension: Duration = timedelta(days=7)
    max_extensions: int = Field(5, ge=0)
    reminders: tuple[Duration, ...] = (timedelta(hours=48), timedelta(hours=24))
    allow_never: bool = False
    owner_tags: tuple[str, ...] = (OWNER_TAG, "owner", "Owner")
    ttl_tags: tuple[TagKey, ...] = Field((TTL_TAG,), min_length=1)
    expires_tags: tuple[TagKey, ...] = Field((EXPIRES_TAG,), min_length=1)
    protect_tags: tuple[TagKey, ...] = Field(PROTECT_TAGS, min_length=1)
    fallback_contact: str | None = Field(None, min_length=1, max_length=256)
    ownerless_grace: AnyDuration = timedelta(hours=72)
    adoption: AnyDuration = timedelta(days=3)
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


class WindowSpec(Model):
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


class Limits(Model):
    """What a sweep keeps to. Zero means zero, never unlimited."""

    max_deleting: int | None = Field(None, ge=0)
    """Deletions under way at the same time; without it AWS's own limits are all."""
    min_observed: AnyDuration = timedelta(hours=1)
    max_attempts: int = Field(5, ge=1)


def _user_id(text: str) -> str:
    if not is_user_id(text):
        raise ValueError(f"{text!r} is no id of a Slack user; for instance U012AB3CD")
    return text


class Operators(Model):
    """Who runs the janitor, and where they are told what needs them."""

    channel: str | None = None
    """A Slack channel; without it, or without Slack, the notices' topic."""
    members: tuple[Annotated[str, AfterValidator(_user_id)], ...] = ()
    """Slack users who may act on anybody's stack."""

    @field_validator("channel")
    @classmethod
    def _is_a_channel(cls, channel: str | None) -> str | None:
        if channel is not None and not is_channel(channel):
            raise ValueError(
                f"{channel!r} is no Slack channel; for instance #platform or C012AB3CD"
            )
        return channel


class TagKinds(Struct, frozen=True):
    """Keys of tags by what they are for."""

    lifetime: frozenset[str]
    owner: frozenset[str]
    protect: tuple[str, ...]
    counts: frozenset[str]
    """All of these, and what rules select by."""


def _default_rule(defaults: Mapping[str, object]) -> dict[str, object]:
    """Return the one rule where none is written: whatever says how long it is needed."""
    usual = {"ttl_tags": [TTL_TAG], "expires_tags": [EXPIRES_TAG]}
    lists = [defaults.get(name, keys) for name, keys in usual.items()]
    keys = [key for one in lists if isinstance(one, list | tuple) for key in one]
    # Of lists that are none the policy is told where they stand.
    selected = [{"tag": key} for key in keys] or [{"tag": TTL_TAG}]
    return {"name": "default", "select": {"any": selected}}


class Policy(Model):
    """The whole document, checked. The first rule that matches a stack wins."""

    mode: Mode = Mode.OBSERVE
    regions: tuple[str, ...] = ()
    """Empty: the region of the AWS settings in use."""
    defaults: Terms = Terms.model_construct()
    rules: tuple[Rule, ...] = Field(min_length=1)
    window: WindowSpec = WindowSpec.model_construct()
    limits: Limits = Limits.model_construct()
    never_delete: tuple[str, ...] = ()
    journal_outputs: tuple[str, ...] = ()
    """Globs of the names of outputs whose values the journal may keep: they hold no secrets."""
    operators: Operators = Operators.model_construct()

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, data: object) -> object:
        """Lay `defaults` under every rule, and the default rule under no rules."""
        if not isinstance(data, Mapping):
            return data
        defaults = data.get("defaults", {})
        if not isinstance(defaults, Mapping):
            defaults = {}
        rules = data.get("rules", [_default_rule(defaults)])
        if not isinstance(rules, list):
            return data
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
        return hashlib.sha256(self.document.encode()).hexdigest()[:12]

    @cached_property
    def document(self) -> str:
        """Return the whole document as JSON, with every default written out."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True)

    @cached_property
    def tag_kinds(self) -> "TagKinds":
        """Return which keys of tags count for what, under any rule."""
        rules: tuple[Terms, ...] = (self.defaults, *self.rules)
        lifetime = frozenset(key for r in rules for key in (*r.ttl_tags, *r.expires_tags))
        owner = frozenset(key for rule in rules for key in rule.owner_tags)
        protect = tuple(dict.fromkeys(key for rule in rules for key in rule.protect_tags))
        selecting = frozenset(key for rule in self.rules for key in rule.select.tags)
        return TagKinds(lifetime, owner, protect, lifetime | owner | selecting | set(protect))

    @cached_property
    def nearly(self) -> Rule:
        """Return the rule of stacks that none selects, but that a tag shows to be meant for one."""
        terms = self.defaults.model_dump(mode="json")
        return Rule.model_validate({**terms, "name": "nearly tagged", "select": {"name": "*"}})

    def rule_for(self, stack: Stack) -> Rule | None:
        """Return the first rule whose selector matches."""
        return next((rule for rule in self.rules if rule.select.matches(stack)), None)

    def terms(self, rule_name: str) -> Terms:
        """Return the terms of a rule by name; of a rule that is no more, the defaults."""
        return next((rule for rule in self.rules if rule.name == rule_name), self.defaults)

    def never_deletes(self, name: str) -> str | None:
        """Return the pattern that keeps a stack of this name out of reach, if one does."""
        if not self._never.match(name):
            return None
        return next(pattern for pattern in self._patterns if fnmatchcase(name, pattern))

    @cached_property
    def _patterns(self) -> tuple[str, ...]:
        return (*BUILT_IN_NEVER_DELETE, *self.never_delete)

    @cached_property
    def _never(self) -> re.Pattern[str]:
        """All patterns as one: a sweep asks for every stack of the account."""
        return re.compile("|".join(translate(pattern) for pattern in self._patterns))


def default_policy() -> Policy:
    """Return the policy that holds when nothing was written."""
    return Policy.model_validate({})
