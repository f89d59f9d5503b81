"""Which stacks a rule is about, and what a key of a tag may be."""

from fnmatch import fnmatchcase
from functools import cached_property
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from janitor.domain.model import Stack

LONGEST_KEY = 128
"""As long as CloudFormation takes them."""


class Model(BaseModel):
    """Made ready when first used: what is only a part of a policy never needs its own check."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, ignored_types=(cached_property,), defer_build=True
    )


class Selector(Model):
    """Which stacks a rule is about: exactly one of tag, name, any, all."""

    tag: str | None = Field(None, min_length=1, max_length=LONGEST_KEY)
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

    @property
    def tags(self) -> tuple[str, ...]:
        """Return the keys of all tags that it looks at."""
        own = (self.tag,) if self.tag is not None else ()
        return (*own, *(key for one in (*(self.any or ()), *(self.all or ())) for key in one.tags))

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


def _tag_key(key: str) -> str:
    if not key.strip() or key != key.strip():
        raise ValueError(f"{key!r} is no key of a tag; for instance ttl")
    if len(key) > LONGEST_KEY:
        raise ValueError(f"a key has {LONGEST_KEY} letters at most; for instance ttl")
    if key.lower().startswith("aws:"):
        raise ValueError(f"{key!r}: keys that begin with aws: belong to AWS; for instance ttl")
    return key


TagKey = Annotated[str, AfterValidator(_tag_key)]
