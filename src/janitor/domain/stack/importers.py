"""Which stacks use an export, as CloudFormation and CDK's own custom resource name them."""

import re
from collections.abc import Iterable

_USED_BY = re.compile(
    r"(?:as it is in use by|is imported by stack|is in use by (?:import of )?stack(?:\(s\))?) "
)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,127}")
_STOP = re.compile(r"[\n.;:()]| at | See | Logs")
_BETWEEN = re.compile(r",? and |,? ")

LONGEST_LIST = 400
"""Characters of a list of names that are read."""

MOST_IMPORTERS = 5


def importers_in(texts: Iterable[str]) -> tuple[str, ...]:
    """Name the stacks that use an export, in the order in which they are named."""
    found: dict[str, None] = {}
    for said in texts:
        for match in _USED_BY.finditer(said):
            listed = _STOP.split(said[match.end() : match.end() + LONGEST_LIST], maxsplit=1)[0]
            names = (one for one in _BETWEEN.split(listed) if _NAME.fullmatch(one))
            found |= dict.fromkeys(names)
            if len(found) >= MOST_IMPORTERS:
                return tuple(found)[:MOST_IMPORTERS]
    return tuple(found)
