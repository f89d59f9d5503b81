"""What IAM says to a request, by the policies of one role of template.yaml.

For what the emulator does not evaluate: `aws:CalledVia` on the allowing side, and all keys of
CloudFormation's own. It knows what the template uses; anything else is an error, not a guess.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

Values = str | tuple[str, ...]
"""What a request's context has under a key; a tuple for keys of many values."""
KNOWN = {"Sid", "Effect", "Action", "NotAction", "Resource", "Condition"}
PSEUDO = {
    "AWS::Partition": "aws",
    "AWS::AccountId": "000000000000",
    "AWS::Region": "eu-central-1",
    "AWS::StackName": "janitor-dev",
}
NOTHING = {"Ref": "AWS::NoValue"}


class Request(NamedTuple):
    """One call, as IAM sees it."""

    action: str
    resource: str
    context: Mapping[str, Values]


def is_allowed(statements: list[dict[str, Any]], request: Request) -> bool:
    """Tell whether a statement allows the request, and none denies it."""
    effects = {one["Effect"] for one in statements if _applies(one, request)}
    return effects == {"Allow"}


def statements_of(template: Mapping[str, Any], role: str) -> list[dict[str, Any]]:
    """Return all statements of a role, as if every condition of the template held."""
    properties = template["Resources"][role]["Properties"]
    managed = [template["Resources"][one["Ref"]] for one in properties["ManagedPolicyArns"]]
    policies = [*properties["Policies"], *(one["Properties"] for one in managed)]
    documents = [policy["PolicyDocument"]["Statement"] for policy in policies]
    return [one for document in documents for one in map(resolved, document) if one != NOTHING]


def resolved(value: Any) -> Any:
    """Return a value of the template with its functions worked out; `<X>` stands for resource X."""
    match value:
        case {"Fn::If": [_, then, _]}:
            return resolved(then)
        case {"Fn::Sub": str(text)}:
            return re.sub(r"\$\{([^}]+)\}", lambda m: PSEUDO.get(m[1], f"<{m[1]}>"), text)
        case {"Ref": "AWS::NoValue"}:
            return NOTHING
        case {"Ref": str(name)}:
            return PSEUDO.get(name, f"<{name}>")
        case {"Fn::GetAtt": [name, attribute]}:
            return f"<{name}.{attribute}>"
        case dict():
            if unknown := [key for key in value if key.startswith("Fn::")]:
                raise ValueError(f"function {unknown} of the template is not known here")
            return {key: resolved(one) for key, one in value.items()}
        case list():
            return [one for one in map(resolved, value) if one != NOTHING]
        case _:
            return value


def _applies(statement: Mapping[str, Any], request: Request) -> bool:
    if unknown := statement.keys() - KNOWN:
        raise ValueError(f"{unknown} of a statement is not known here")
    named = any(_like(request.action, one, re.IGNORECASE) for one in _listed(statement, "Action"))
    if "NotAction" in statement:
        listed = _listed(statement, "NotAction")
        named = not any(_like(request.action, one, re.IGNORECASE) for one in listed)
    reached = any(_like(request.resource, one) for one in _listed(statement, "Resource"))
    return (
        named and reached and all(_holds(*one, request.context) for one in _conditions(statement))
    )


def _listed(statement: Mapping[str, Any], key: str) -> list[str]:
    found = statement.get(key, [])
    return found if isinstance(found, list) else [found]


def _conditions(statement: Mapping[str, Any]) -> Iterator[tuple[str, str, list[str]]]:
    """Yield operator, key and values; all of them have to hold."""
    for operator, keys in statement.get("Condition", {}).items():
        for key, values in keys.items():
            yield (
                operator,
                key,
                [str(v) for v in (values if isinstance(values, list) else [values])],
            )


def _holds(operator: str, key: str, wanted: list[str], context: Mapping[str, Values]) -> bool:
    there = {name.lower(): value for name, value in context.items()}.get(key.lower())
    if operator == "Null":
        return (there is None) == (wanted == ["true"])
    quantity, _, plain = operator.rpartition(":")
    plain, if_exists = plain.removesuffix("IfExists"), plain.endswith("IfExists")
    negated = "Not" in plain
    positive = plain.replace("Not", "")
    if positive not in {"StringEquals", "StringLike", "ArnEquals", "ArnLike", "Bool"}:
        raise ValueError(f"operator {operator} is not known here")
    if quantity not in {"", "ForAnyValue", "ForAllValues"}:
        raise ValueError(f"operator {operator} is not known here")
    if isinstance(there, tuple) != bool(quantity) and there is not None:
        raise ValueError(f"{operator} and {key} do not go together")
    if there is None:
        return if_exists or quantity == "ForAllValues" or (negated and not quantity)
    values = there if isinstance(there, tuple) else (there,)
    held = [any(_same(positive, value, one) for one in wanted) != negated for value in values]
    return any(held) if quantity == "ForAnyValue" else all(held)


def _same(operator: str, value: str, wanted: str) -> bool:
    if operator == "Bool":
        return value.lower() == wanted.lower()
    return value == wanted if operator == "StringEquals" else _like(value, wanted)


def _like(value: str, pattern: str, flags: int = 0) -> bool:
    """Tell whether a value is like a pattern, in which * and ? stand for others."""
    return _compiled(pattern, flags).fullmatch(value) is not None


@cache
def _compiled(pattern: str, flags: int) -> re.Pattern[str]:
    parts = (".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern)
    return re.compile("".join(parts), flags | re.DOTALL)
