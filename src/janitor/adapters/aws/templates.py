"""A template as it was written, parsed: short functions of YAML as the long ones of JSON."""

import hashlib
import json
from typing import Any, cast

import yaml

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Template(_Base):  # type: ignore[misc] # which of the two depends on how yaml was built
    """A template in YAML."""


def _long(loader: Any, suffix: str, node: yaml.Node) -> dict[str, object]:
    """Return `!Sub x` as `{"Fn::Sub": x}`."""
    match node:
        case yaml.MappingNode():
            value = loader.construct_mapping(node, deep=True)
        case yaml.SequenceNode():
            value = loader.construct_sequence(node, deep=True)
        case _:
            value = loader.construct_scalar(node)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Template.add_multi_constructor("!", _long)


def text_of(body: object) -> tuple[str, str]:
    """Return the text of a template and its SHA-256.

    `body` is as boto3 gives it: JSON comes parsed, YAML as the text that it is.
    """
    text = body if isinstance(body, str) else json.dumps(body, sort_keys=True)
    return text, hashlib.sha256(text.encode()).hexdigest()


def content_of(body: object) -> object:
    """Return what a template says; None if it is none."""
    if not isinstance(body, str):
        return body
    try:
        return cast("object", yaml.load(body, _Template))  # noqa: S506 - a SafeLoader it is
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):
        return None


def parsed(body: object) -> tuple[object, str]:
    """Return what a template says and the SHA-256 of its text."""
    return content_of(body), text_of(body)[1]
