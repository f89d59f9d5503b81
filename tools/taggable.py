"""`make taggable TEMPLATES=directory`: by which way the janitor could tag stacks of these templates.

It looks as the sweep does, at stacks without a service role: with one, CloudFormation tags with
that role's rights. What is nested in them it does not see. Prints a line for each template whose
stacks would not be tagged, with the reason, and the sums. What is no template is passed over.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from janitor.adapters.aws.templates import parsed
from janitor.domain.tagging.ways import Anatomy, Part, Refusal, Way, way_of

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
WAYS = {Way.PLAIN: "a plain update", Way.CHANGE_SET: "a change set that shows tags alone"}
NO_TYPE = "(no type)"
"""As in templates of other tools, which make one for CloudFormation of them."""


class Looked(NamedTuple):
    """By which way stacks of one template could be tagged, or why by none."""

    file: str
    way: Way | Refusal


def types_in(template: object) -> frozenset[str]:
    """Return the types of a template's resources; none for what is no template."""
    resources = template.get("Resources") if isinstance(template, Mapping) else None
    found = _types(resources) if isinstance(resources, Mapping) else ()
    return frozenset(made for one in found for made in MADE_BY_SAM.get(one, (one,)))


def _types(resources: Mapping[str, object]) -> Iterator[str]:
    """Yield the types of resources, those in loops too; a type that is no text is `NO_TYPE`."""
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
    """Yield by which way each template under a directory could be tagged, by file."""
    for path in sorted(directory.rglob("*")):
        if path.suffix in SUFFIXES and path.is_file():
            template, _ = parsed(path.read_text(encoding="utf-8", errors="replace"))
            if types := types_in(template):
                root = Part(name=path.stem, template=template, types=tuple(types))
                way = way_of(Anatomy(root=root), status="CREATE_COMPLETE", role="", reads_ssm=False)
                yield Looked(str(path.relative_to(directory)), way)


def table(found: Iterable[Looked]) -> Iterator[str]:
    """Yield the lines to print."""
    found = list(found)
    refused = [(one.file, one.way) for one in found if isinstance(one.way, Refusal)]
    yield from (f"{file}: {way}" for file, way in refused)
    yield ""
    reasons = Counter(f"not tagged: {way.why}" for _, way in refused)
    ways = Counter(f"tagged by {WAYS[one.way]}" for one in found if isinstance(one.way, Way))
    yield from (f"{number:4} {text}" for text, number in (ways + reasons).most_common())
    yield f"{len(found):4} templates"


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
