"""What CloudFormation accepts on a stack, known before it is asked."""

from collections.abc import Collection, Mapping

from janitor.domain.errors import StackNotFound, TagRefused
from janitor.domain.model import Stack
from janitor.domain.stack.statuses import TAGGABLE

MAX_TAGS = 50
MAX_KEY = 128
MAX_VALUE = 256
RESERVED = "aws:"


def region_of(stack_id: str) -> str:
    """Return the region that stands in the id. Names are refused: they are used again."""
    parts = stack_id.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn" or parts[2] != "cloudformation" or "/" not in parts[5]:
        raise StackNotFound(f"{stack_id!r} is no stack id")
    return parts[3]


def tags_to_send(
    fresh: Stack, seen: Stack, put: Mapping[str, str], remove: Collection[str]
) -> dict[str, str]:
    """Return the full list of tags to send, as those left out would be removed.

    Raises `TagRefused` where CloudFormation would say no, and where the stack was updated since it
    was `seen`: what was decided upon is no longer there.
    """
    if fresh.updated != seen.updated:
        raise TagRefused(fresh.name, why="moved")
    if fresh.status not in TAGGABLE:
        raise TagRefused(f"{fresh.name} takes no tags while in status {fresh.status}")
    tags = {key: value for key, value in fresh.tags.items() if key not in remove} | dict(put)
    if len(tags) > MAX_TAGS:
        raise TagRefused(f"{fresh.name} has no room for more tags ({MAX_TAGS} at most)")
    for key, value in tags.items():
        if key.startswith(RESERVED):
            raise TagRefused(f"{fresh.name} has tags that only AWS may set ({key})")
        if len(key) > MAX_KEY or len(value) > MAX_VALUE:
            raise TagRefused(f"the tag {key[:MAX_KEY]} of {fresh.name} would be too long")
    return tags


def account_of(stack_id: str) -> str:
    """Return the account that stands in the id."""
    region_of(stack_id)
    return stack_id.split(":", 5)[4]


def prefix_of(stack_id: str, service: str) -> str:
    """Return how the ARNs of a service begin where the stack is."""
    region_of(stack_id)
    parts = stack_id.split(":", 5)
    return ":".join((*parts[:2], service, *parts[3:5]))
