"""`make taggable TEMPLATES=directory`: which stacks of these templates the janitor could tag.

Looks at the types of what is in them, for stacks without a service role: with one, CloudFormation
tags with that role's rights. Prints a line for each template that has a type which hinders, and
the sums. Files that are no templates are passed over.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from janitor.core.tagging_rights import at_creation_only, uncovered

SUFFIXES = {".yaml", ".yml", ".json", ".template"}
MADE_BY_SAM = {
    "AWS::Serverless::Function": ("AWS::Lambda::Function", "AWS::IAM::Role"),
    "AWS::Serverless::Api": ("AWS::ApiGateway::RestApi", "AWS::ApiGateway::Stage"),
    "AWS::Serverless::HttpApi": ("AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::Stage"),
    "AWS::Serverless::SimpleTable": ("AWS::DynamoDB::Table",),
    "AWS::Serverless::StateMachine": ("AWS::StepFunctions::StateMachine", "AWS::IAM::Role"),
    "AWS::Serverless::LayerVersion": (),
    "AWS::Serverless::Application": ("AWS::CloudFormation::Stack",),
}
"""What SAM makes of its types, as far as it takes tags; a stack has these, not SAM's."""


NO_TYPE = "(no type)"
"""As in templates of other tools, which make one for CloudFormation of them."""


class Looked(NamedTuple):
    """What hinders the tags of one template's stacks."""

    file: str
    uncovered: tuple[str, ...]
    at_creation_only: tuple[str, ...]


class _Loader(yaml.SafeLoader):
    """YAML whose short functions (`!Ref`) are passed over: the types alone count."""


_Loader.add_multi_constructor("!", lambda _loader, _name, _node: None)


def types_in(text: str) -> frozenset[str] | None:
    """Return the types of a template's resources; None for what is no template."""
    try:
        template: Any = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError:
        return None
    resources = template.get("Resources") if isinstance(template, dict) else None
    if not isinstance(resources, dict):
        return None
    found = list(_types(resources))
    if not found:
        return None
    return frozenset(made for one in found for made in MADE_BY_SAM.get(one, (one,)))


def _types(resources: dict[str, Any]) -> Iterator[str]:
    """Yield the types of resources, those in loops too; a type that is no text is `(no type)`."""
    for name, one in resources.items():
        match one:
            case [_, _, dict() as repeated] if str(name).startswith("Fn::ForEach::"):
                yield from _types(repeated)
            case {"Type": str(kind)}:
                yield kind
            case {"Type": _}:
                yield NO_TYPE
            case _:
                pass


def look(directory: Path) -> Iterator[Looked]:
    """Yield what hinders each template under a directory, by file."""
    for path in sorted(directory.rglob("*")):
        if path.suffix in SUFFIXES and path.is_file():
            types = types_in(path.read_text(encoding="utf-8", errors="replace"))
            if types is not None:
                name = str(path.relative_to(directory))
                yield Looked(name, uncovered(types), at_creation_only(types))


def table(found: Iterable[Looked]) -> Iterator[str]:
    """Yield the lines to print."""
    found = list(found)
    hindered = [one for one in found if one.uncovered or one.at_creation_only]
    for one in hindered:
        late = [f"{name} (at creation only)" for name in one.at_creation_only]
        yield f"{one.file}: {', '.join([*one.uncovered, *late])}"
    counts = Counter(name for one in hindered for name in one.uncovered + one.at_creation_only)
    yield ""
    yield from (f"{number:4} {name}" for name, number in counts.most_common())
    yield f"{len(found) - len(hindered)} of {len(found)} could be tagged by what is in them"


def main(directory: str) -> int:
    """Print the table; 2 if there is nothing to look at."""
    found = list(look(Path(directory)))
    if not found:
        print(f"error: no templates under {directory}", file=sys.stderr)
        return 2
    print(*table(found), sep="\n")
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: make taggable TEMPLATES=directory")
    sys.exit(main(sys.argv[1]))
