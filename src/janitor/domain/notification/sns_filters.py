"""Whether SNS lets a message through to a subscription: its filter policy, evaluated as SNS does.

The rules are those of <https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html>:
keys are and-ed, values or-ed, of an array attribute one element is enough. Where the page and
SNS have differed, the stricter reading counts, since a stack may go by the answer: of an array
`anything-but` has to hold for every element, letters beyond ASCII have no upper case, and a
value with a quote or a backslash equals nothing, as SNS compares those escaped.
"""

import json
import re
from collections.abc import Mapping, Sequence
from ipaddress import ip_address, ip_network
from typing import Any

from janitor.domain.errors import JanitorError

Value = str | int | float
"""A scalar of an attribute: what a `String` holds, or one element of a `String.Array`."""
Attributes = Mapping[str, Sequence[Value]]

LONGEST = 256 * 1024
"""Bytes of a filter policy in SNS."""
_RESERVED = frozenset(
    {
        "anything-but",
        "cidr",
        "equals-ignore-case",
        "exists",
        "numeric",
        "prefix",
        "suffix",
        "wildcard",
    }
)
_MOST_KEYS = 50
_COMPARISONS = {
    "=": lambda value, bound: value == bound,
    "<": lambda value, bound: value < bound,
    "<=": lambda value, bound: value <= bound,
    ">": lambda value, bound: value > bound,
    ">=": lambda value, bound: value >= bound,
}


class NotUnderstood(JanitorError):
    """A filter of which nobody can say here what it lets through."""


def lets_through(policy: str, attributes: Attributes) -> bool:
    """Tell whether a filter by attributes lets a message through; an empty one lets all.

    Raises `NotUnderstood` for what SNS may understand and this does not.
    """
    if not policy:
        return True
    try:
        document = json.loads(policy)
    except (ValueError, RecursionError) as error:
        raise NotUnderstood("its filter is no JSON") from error
    return _all_hold(_keys_of(document), attributes)


def _keys_of(document: object) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise NotUnderstood("its filter is no JSON object")
    if len(document) > _MOST_KEYS:
        raise NotUnderstood("its filter has too many keys")
    return document


def _all_hold(keys: Mapping[str, Any], attributes: Attributes) -> bool:
    """Tell whether every key holds; each is looked at, so that an odd one is noticed."""
    return False not in [
        True in [_all_hold(_keys_of(one), attributes) for one in rules]
        if key == "$or" and _is_either(rules)
        else _one_holds(key, rules, attributes.get(key))
        for key, rules in keys.items()
    ]


def _is_either(rules: object) -> bool:
    """Tell whether `$or` is the operator; SNS takes it for a name where it holds anything else."""
    return (
        isinstance(rules, list)
        and len(rules) > 1
        and all(isinstance(one, dict) and one and not one.keys() & _RESERVED for one in rules)
    )


def _one_holds(key: str, rules: object, values: Sequence[Value] | None) -> bool:
    if not isinstance(rules, list) or not rules:
        raise NotUnderstood(f"its filter has no list of values for {key!r}")
    return True in [_holds(rule, values) for rule in rules]


def _holds(rule: object, values: Sequence[Value] | None) -> bool:
    """Tell whether one of the values of a key holds for an attribute, which may be absent."""
    probed = values or ("",)  # Without a value, an odd rule is noticed all the same.
    if not isinstance(rule, dict):
        return True in [_equals(rule, value) for value in probed] and bool(values)
    if len(rule) != 1:
        raise NotUnderstood("its filter has a rule with several operators")
    ((operator, operand),) = rule.items()
    match operator:
        case "exists":
            if not isinstance(operand, bool):
                raise NotUnderstood("its filter says exists, and neither true nor false")
            return operand is bool(values)
        case "anything-but":
            return True not in [_is_excluded(operand, value) for value in probed] and bool(values)
        case _ if operator in _RESERVED:
            return True in [_compares(operator, operand, value) for value in probed] and bool(
                values
            )
        case _:
            raise NotUnderstood(f"its filter has an operator unknown here: {operator[:40]!r}")


def _equals(rule: object, value: Value) -> bool:
    if isinstance(rule, bool) or rule is None:
        return False  # an attribute of ours is neither
    if isinstance(rule, str):
        return isinstance(value, str) and value == rule and not _is_escaped(rule)
    if isinstance(rule, int | float):
        return not isinstance(value, str) and float(value) == float(rule)
    raise NotUnderstood("its filter has a list where a value should be")


def _is_escaped(text: str) -> bool:
    return '"' in text or "\\" in text


def _is_excluded(operand: object, value: Value) -> bool:
    """Tell whether `anything-but` shuts a value out; where that is unsure, it does."""
    if isinstance(operand, dict):
        return _matches_pattern(operand, value)
    several = operand if isinstance(operand, list) else [operand]
    if not several or not all(_is_scalar(one) for one in several):
        raise NotUnderstood("its filter says anything-but, and not what")
    is_unsure = isinstance(value, str) and _is_escaped(value)
    return is_unsure or True in [_equals(one, value) for one in several]


def _is_scalar(one: object) -> bool:
    return isinstance(one, str | int | float) and not isinstance(one, bool)


def _matches_pattern(operand: dict[str, Any], value: Value) -> bool:
    if len(operand) != 1:
        raise NotUnderstood("its filter says anything-but, and several operators")
    ((operator, patterns),) = operand.items()
    if operator not in {"prefix", "suffix", "wildcard", "equals-ignore-case"}:
        raise NotUnderstood(f"its filter says anything-but {operator[:40]!r}")
    several = patterns if isinstance(patterns, list) else [patterns]
    if not several:
        raise NotUnderstood("its filter says anything-but, and not what")
    if not isinstance(value, str):
        return True  # of a number nobody says what it begins with
    found = [_compares(operator, one, value, shuts_out=True) for one in several]
    return any(found) or _is_escaped(value)


def _compares(operator: str, operand: object, value: Value, *, shuts_out: bool = False) -> bool:
    """Tell whether one operator with one operand fits one value."""
    if operator == "numeric":
        return _is_in_range(operand, value)
    if not isinstance(operand, str) or not operand:
        raise NotUnderstood(f"its filter says {operator}, and no text")
    match operator:
        case "prefix":
            fits = _text(value).startswith(operand)
        case "suffix":
            fits = _text(value).endswith(operand)
        case "equals-ignore-case":
            fits = _is_same_in_any_letters(operand, _text(value), shuts_out=shuts_out)
        case "wildcard":
            fits = _fits_wildcard(operand, _text(value))
        case _:
            fits = _is_within(operand, _text(value))
    is_sure = not _is_escaped(operand) or operator == "wildcard"
    return fits and isinstance(value, str) and (is_sure or shuts_out)


def _text(value: Value) -> str:
    return value if isinstance(value, str) else ""


def _is_same_in_any_letters(one: str, other: str, *, shuts_out: bool) -> bool:
    if shuts_out or (one.isascii() and other.isascii()):
        return one.casefold() == other.casefold()
    return one == other


def _fits_wildcard(pattern: str, value: str) -> bool:
    r"""Tell whether a value fits: `*` is anything, `\*` a star, and two backslashes are one."""
    parts = [""]
    for mark in re.findall(r"\\.|.", pattern, re.DOTALL):
        if mark == "*":
            parts.append("")
        elif mark in ("\\*", "\\\\"):
            parts[-1] += mark[1]
        elif mark.startswith("\\"):
            raise NotUnderstood("its filter has a backslash before neither a star nor a backslash")
        else:
            parts[-1] += mark
    first, *middle = parts
    if not middle:
        return value == first
    if "" in middle[:-1]:
        raise NotUnderstood("its filter has two stars in a row")
    last = middle.pop()
    at, end = len(first), len(value) - len(last)
    if not value.startswith(first) or not value.endswith(last) or at > end:
        return False
    for part in middle:
        found = value.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def _is_within(network: str, value: str) -> bool:
    try:
        within = ip_network(network, strict=False)
    except ValueError as error:
        raise NotUnderstood("its filter says cidr, and no network") from error
    try:
        return ip_address(value) in within
    except ValueError:
        return False


def _is_in_range(operand: object, value: Value) -> bool:
    if not isinstance(operand, list) or len(operand) not in {2, 4}:
        raise NotUnderstood("its filter says numeric, and no range")
    pairs = list(zip(operand[::2], operand[1::2], strict=True))
    for sign, bound in pairs:
        if sign not in _COMPARISONS or isinstance(bound, str) or not _is_scalar(bound):
            raise NotUnderstood("its filter says numeric, and no range")
    if isinstance(value, str):
        return False  # SNS compares no text as a number
    return all(_COMPARISONS[sign](value, bound) for sign, bound in pairs)
