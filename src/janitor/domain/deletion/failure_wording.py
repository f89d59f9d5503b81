"""The sentences on why something could not be deleted, and on what helps."""

from collections.abc import Sequence

from janitor.domain.deletion.causes import Cause, cause_of_resource
from janitor.domain.deletion.strategy import PURGEABLE
from janitor.domain.lease.owners import clean
from janitor.domain.model import PURGE_TAG
from janitor.domain.stack.importers import importers_in
from janitor.domain.stack.resources import Resource

LONGEST_SAID = 400
"""Of AWS's own words in one line."""

MOST_REASONS = 10
REASONS_APART = " | "
"""Between what CloudFormation said of the stack and of each resource, in one text."""

_WORDS = {
    Cause.THROTTLED: (
        "AWS was asked too often at that moment",
        "nothing is wrong with it, and a later try will do",
    ),
    Cause.FUNCTION: (
        "the function behind this custom resource did not delete it",
        "look at that function's log, or see that it still exists",
    ),
    Cause.ROLE_GONE: (
        "the role of the stack is gone",
        "create the role again, or ask your operators for a cleanup_role",
    ),
    Cause.DENIED: (
        "permission to delete it is missing",
        "delete it by hand, or ask your operators",
    ),
    Cause.PROTECTED: (
        "it has a protection against deletion of its own",
        "switch that off on the resource",
    ),
    Cause.IN_THE_WAY: (
        "something outside of the stack is attached to it or still uses it",
        "detach or delete that; network interfaces of functions go by themselves within an hour",
    ),
}
"""What a cause means, and what helps."""

_EMPTYING = {
    "AWS::Athena::WorkGroup": "empty the work group, or delete it with its contents"
    " (aws athena delete-work-group --recursive-delete-option)",
    "AWS::Backup::BackupVault": "delete its recovery points",
    "AWS::ECS::Cluster": "stop what runs in it",
    "AWS::Route53::HostedZone": "delete the records in it that the stack did not make",
    **{
        kind: f"empty it, or let the janitor do so: tag the stack {PURGE_TAG}={word}"
        for kind, word in PURGEABLE.items()
    },
}
"""What helps where something is in it."""


def plain_words(resource: Resource) -> str:
    """Say why a resource could not be deleted, and what to do, in one line."""
    said = clean(resource.reason).rstrip(".")[:LONGEST_SAID]
    name = clean(str(resource))
    if (words := _words(resource)) is None:
        return f"{name}: {said or 'CloudFormation gave no reason'}"
    means, helps = words
    return f"{name}: {means} ({said}); {helps}"


def _words(resource: Resource) -> tuple[str, str] | None:
    """Say what its reason means and what helps, where that is known."""
    cause = cause_of_resource(resource)
    if cause is Cause.FULL:
        return "it is not empty", _EMPTYING.get(resource.type, "empty it, or delete it by hand")
    if cause is Cause.IN_USE:
        return held_up_text(importers_in([resource.reason])), "take the import out of there"
    return _WORDS.get(cause)


def failure_text(said: str, failed: Sequence[Resource]) -> str:
    """Say why an attempt failed, resource by resource."""
    more = len(failed) - MOST_REASONS
    reasons = [plain_words(one) for one in failed[:MOST_REASONS]]
    if more > 0:
        reasons.append(f"and {more} more")
    return REASONS_APART.join([clean(said).rstrip("."), *reasons]) if reasons else clean(said)


def held_up_text(importers: Sequence[str]) -> str:
    """Say which stacks keep another one, by importing what it exports."""
    match importers:
        case []:
            return "another stack imports what it exports"
        case [one]:
            return f"stack {one} imports what it exports"
        case [*first, last]:
            return f"stacks {', '.join(first)} and {last} import what it exports"
        case _:
            raise AssertionError("a sequence has no other form")
