"""`make package`: a packaged SAM template as the plain CloudFormation that StackSets take.

StackSets with service-managed permissions take no macros, and SAM is one; so what AWS would do
with it at deployment is done here by SAM's own translator, from the environment of its command line.

What SAM has to know while it translates is then fixed, whatever the stack set's parameters say:
the canary. And stacks of a stack set have names so long that CloudFormation shortens the names
of what is in them; permissions that go by the beginning of a name get a shorter beginning.
"""

import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

from samtranslator.translator.transform import transform  # type: ignore[import-not-found]

FIXED = ("Canary",)
BEGINNING = "StackSet-janitor-"
"""Of the names of the stacks; deploy/stackset.yaml takes no stack set that is called otherwise."""


class _NoManagedPolicies:
    """No function of the janitor has a managed policy that SAM would have to look up."""

    def load(self) -> dict[str, str]:
        """Return none."""
        return {}


def plain(template: dict[str, Any]) -> dict[str, Any]:
    """Return the template without SAM."""
    parameters = template["Parameters"]
    # Without a default SAM leaves a reference to a parameter as it is.
    defaults = {
        name: spec.pop("Default")
        for name, spec in parameters.items()
        if name not in FIXED and "Default" in spec
    }
    translated: dict[str, Any] = transform(template, {}, _NoManagedPolicies())
    for name, value in defaults.items():
        translated["Parameters"][name]["Default"] = value
    for name in FIXED:
        del translated["Parameters"][name]
    for group in translated["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]:
        group["Parameters"] = [name for name in group["Parameters"] if name not in FIXED]
    text = json.dumps(translated, indent=1)
    made: dict[str, Any] = json.loads(text.replace("${AWS::StackName}-*", f"{BEGINNING}*"))
    return made


def main(packaged: str) -> None:
    """Print the plain form of the template in a file."""
    logging.disable(logging.WARNING)  # it warns that it could not ask AWS about features of its own
    # SAM takes only the partition from it; regions and accounts stay references.
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    template = json.loads(Path(packaged).read_text(encoding="utf-8"))
    json.dump(plain(template), sys.stdout, indent=1)


if __name__ == "__main__":
    main(*sys.argv[1:])
