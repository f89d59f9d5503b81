"""What CloudFormation reads anew when it updates a stack by its own template, without any change.

A template comes as it was written, parsed: `!Ref X` as `{"Ref": "X"}`. It is other people's text.
"""

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum

from msgspec import Struct

from janitor.domain.stack.resources import NESTED

_RESOLVE = "{{resolve:"
_NAME = r"[A-Za-z0-9_.\-/]+"
_NAME_OF_ARN = r"(?:arn:[a-z0-9-]+:secretsmanager:[a-z0-9-]*:\d*:secret:)?[A-Za-z0-9_.\-/+=@]+"
PINNED = re.compile(
    rf"\{{\{{resolve:(?:ssm(?:-secure)?:{_NAME}:\d+"
    rf"|secretsmanager:{_NAME_OF_ARN}:SecretString:[^:{{}}$]*::[A-Za-z0-9-]{{32,64}})\}}\}}"
)
"""A dynamic reference to one version: the same whenever it is read.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html"""

_SSM_VALUE = "AWS::SSM::Parameter::Value"
_NOT_DEPLOYED = frozenset(
    {"AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Rules"}
)
"""Sections from which nothing reaches a resource or an output."""


class Anew(StrEnum):
    """What is read anew, and of which a change set shows what it would change."""

    NESTED = "nested stacks"
    TRANSFORM = "transforms"
    MODULE = "modules"
    PARAMETER = "parameters from SSM"
    ZONES = "the region's zones"
    VERSION = "references to one version"


class Reading(Struct, frozen=True):
    """What an update would read anew for one template."""

    anew: frozenset[Anew] = frozenset()
    unpinned: str = ""
    """A dynamic reference that no change set shows the change of: the first, or what there is of it."""
    is_weak: bool = False
    """It takes outputs of other stacks by `Fn::GetStackOutput`."""
    from_ssm: frozenset[str] = frozenset()
    """Names of the parameters from SSM that something uses."""
    is_read: bool = True
    """It is a template at all."""


def reading_of(template: object) -> Reading:
    """Return what an update would read anew by this template."""
    resources = template.get("Resources") if isinstance(template, Mapping) else None
    if not isinstance(template, Mapping) or not isinstance(resources, Mapping):
        return Reading(is_read=False)
    keys: set[str] = set()
    texts: list[str] = []
    for key, value in _walk(template):
        keys.add(key)
        texts += [text for text in (key, value) if isinstance(text, str) and text]
    types = [str(one.get("Type")) for one in resources.values() if isinstance(one, Mapping)]
    from_ssm = _used(template, _from_ssm(template))
    found = {
        Anew.NESTED: NESTED in types,
        Anew.TRANSFORM: "Transform" in template or "Fn::Transform" in keys,
        Anew.MODULE: any(one.endswith("::MODULE") for one in types),
        Anew.PARAMETER: bool(from_ssm),
        Anew.ZONES: "Fn::GetAZs" in keys,
        Anew.VERSION: any(PINNED.search(text) for text in texts),
    }
    return Reading(
        anew=frozenset(one for one, is_there in found.items() if is_there),
        unpinned=next((text for text in texts if is_unpinned(text)), ""),
        from_ssm=from_ssm,
        is_weak="Fn::GetStackOutput" in keys,
    )


def is_unpinned(text: str) -> bool:
    """Tell whether a text has, or begins, a dynamic reference that is not to one version.

    One that a function puts together stands in parts: none of them is a whole reference.
    """
    rest = PINNED.sub("", text)
    is_begun = any(rest.endswith(_RESOLVE[:count]) for count in range(3, len(_RESOLVE)))
    return "resolve:" in rest or is_begun


def _from_ssm(template: Mapping[object, object]) -> frozenset[str]:
    parameters = template.get("Parameters")
    of = parameters if isinstance(parameters, Mapping) else {}
    return frozenset(
        str(name)
        for name, one in of.items()
        if isinstance(one, Mapping) and str(one.get("Type")).startswith(_SSM_VALUE)
    )


def _used(template: Mapping[object, object], names: frozenset[str]) -> frozenset[str]:
    """Return those of some parameters that anything deployed uses; rules alone do not."""
    if not names:
        return names
    deployed = {key: value for key, value in template.items() if key not in _NOT_DEPLOYED}
    used = {value for key, value in _walk(deployed) if key == "Ref" and value in names}
    texts = "\n".join(
        value.replace(" ", "") for _, value in _walk(deployed) if isinstance(value, str)
    )
    return frozenset(name for name in names if name in used or f"${{{name}}}" in texts)


def _walk(root: object) -> Iterator[tuple[str, object]]:
    """Yield each key with its value, and each value of a list with none; every object once.

    YAML may name one part in a thousand places, or within itself.
    """
    seen: set[int] = set()
    left: list[object] = [root]
    while left:
        one = left.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, Mapping):
            pairs: list[tuple[str, object]] = [(str(key), value) for key, value in one.items()]
        elif isinstance(one, list | tuple):
            pairs = [("", value) for value in one]
        else:
            continue
        for key, value in pairs:
            yield key, value
            if isinstance(value, Mapping | list | tuple):
                left.append(value)
