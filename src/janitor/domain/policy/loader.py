"""Reading a policy document: every problem by field and line.

YAML 1.1 reads `off` as false and `12:30` as 750; here only `true`, `false`, numbers and
`null` are anything but text, which is YAML 1.2's core schema.
"""

import re
from collections.abc import Mapping
from typing import Any

import yaml
from msgspec import Struct
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from janitor.domain.errors import PolicyError
from janitor.domain.lease.owners import clean
from janitor.domain.policy.model import Limits, Operators, Policy, Rule, Terms, WindowSpec
from janitor.domain.policy.selector import Selector

Path = tuple[int | str, ...]


class _Loader(yaml.SafeLoader):
    """SafeLoader with YAML 1.2's few implicit types."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own protocol

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Refuse aliases: a few lines of them make a document without end."""
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(
                problem="write it out, aliases (*) are not read", problem_mark=mark
            )
        return super().compose_node(parent, index)


for _tag, _pattern, _first in (
    ("bool", r"true|false|True|False", "tfTF"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    ("float", r"[-+]?[0-9]*\.[0-9]+(?:[eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("null", r"~|null|", "~n"),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), [*_first]
    )
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^$"), [""])
# YAML 1.1 reads 010 as eight.
_Loader.add_constructor("tag:yaml.org,2002:int", lambda _, node: int(node.value))


class Document(Struct, frozen=True):
    """A document's data, and the line on which each value begins."""

    source: str
    data: Any
    lines: Mapping[Path, int]

    def has(self, path: Path) -> bool:
        """Tell whether the document itself has a value at this path."""
        return path in self.lines

    def line(self, path: Path) -> int:
        """Return the line of the value, or of the nearest one around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read_document(text: str, source: str) -> Document:
    """Read one YAML or JSON mapping; an empty text is an empty mapping."""
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return Document(source, {}, {})
        lines: dict[Path, int] = {}
        _walk(node, (), lines, source)
        data = loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        problem = error.problem or error.context
        raise PolicyError(f"{source}:{line}: not valid YAML or JSON: {problem}") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        problem = f"the character U+{ord(text[error.position]):04X} may not stand in it"
        raise PolicyError(f"{source}:{line}: not valid YAML or JSON: {problem}") from error
    except RecursionError as error:
        raise PolicyError(f"{source}:1: not valid YAML or JSON: nested too deep") from error
    except (ValueError, LookupError, AttributeError) as error:
        # What PyYAML says to a number of 5,000 digits and to `!!bool maybe`.
        raise PolicyError(f"{source}:1: not valid YAML or JSON: {error}") from error
    if not isinstance(data, dict):
        raise PolicyError(f"{source}:1: must be a mapping of fields; for instance mode: observe")
    return Document(source, data, lines)


def _walk(node: yaml.Node, path: Path, lines: dict[Path, int], source: str) -> None:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*path, str(key.value))
            if inner in lines:
                line = key.start_mark.line + 1
                raise PolicyError(f"{source}:{line}: {key.value}: is written twice")
            lines[inner] = key.start_mark.line + 1
            _walk(value, inner, lines, source)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _walk(value, (*path, index), lines, source)


def parse_policy(text: str, source: str) -> Policy:
    """Read a policy from YAML or JSON.

    Raises `PolicyError` with one problem a line: `source:line: field: what is wrong`.
    """
    document = read_document(text, source)
    try:
        return Policy.model_validate(document.data)
    except ValidationError as error:
        raise PolicyError("\n".join(_problems(error, document))) from error


def _problems(error: ValidationError, document: Document) -> list[str]:
    """Word pydantic's findings in the order of their lines; each fault is told only once."""
    found: dict[str, int] = {}
    for problem in error.errors():
        where = problem["loc"]
        is_laid = where[:1] == ("rules",) and len(where) > 2 and not document.has(where[:3])
        if is_laid and problem["type"] != "missing":
            continue  # the same fault is told where `defaults` has it
        if problem["type"] == "too_short" and problem["input"]:
            continue  # what is at fault counts as none, and each of it is told
        line = document.line(where)
        found[f"{document.source}:{line}: {_path(where)}{_message(problem)}"] = line
    return sorted(found, key=found.__getitem__)


def _message(problem: ErrorDetails) -> str:
    match problem["type"]:
        case "extra_forbidden":
            return _unknown_field(problem["loc"])
        case "missing":
            return "is required"
        case "value_error":
            return problem["msg"].removeprefix("Value error, ")
        case "too_short":
            return "must list at least one"
        case "tuple_type":
            return f"{problem['input']!r} is not a list; for instance [a, b]"
        case "model_type":
            return f"{problem['input']!r} is not a mapping of fields"
        case _:
            text = problem["msg"][0].lower() + problem["msg"][1:]
            value = problem["input"]
            return f"{value!r}: {text}" if isinstance(value, str | int | float) else text


def _unknown_field(where: tuple[int | str, ...]) -> str:
    models: dict[object, type[BaseModel]] = {
        "defaults": Terms,
        "rules": Rule,
        "window": WindowSpec,
        "limits": Limits,
        "operators": Operators,
    }
    model = models.get(where[0], Policy) if len(where) > 1 else Policy
    if "select" in where:
        model = Selector
    import difflib  # noqa: PLC0415 - cold starts do not need it

    close = difflib.get_close_matches(str(where[-1]), model.model_fields, n=1)
    return "no such field" + (f"; did you mean {close[0]}?" if close else "")


def _path(where: tuple[int | str, ...]) -> str:
    text = ""
    for part in where:
        name = clean(str(part)) or repr(part)
        text += f"[{part}]" if isinstance(part, int) else f".{name}" if text else name
    return f"{text}: " if text else ""
