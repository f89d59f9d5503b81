"""What CloudFormation says of a stack and of an event, as our types."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from janitor.adapters.aws.client_config import instant_of
from janitor.adapters.aws.failure_reasons import capped
from janitor.adapters.aws.tag_update_rules import region_of
from janitor.domain.errors import JanitorError, StackNotFound
from janitor.domain.model import Stack
from janitor.domain.planning.unreadable import Unread
from janitor.domain.stack.resources import Resource
from janitor.domain.stack.toolkits import toolkit_of

ODD = (LookupError, TypeError, ValueError, AttributeError, StackNotFound)
"""What reading raises where an answer lacks something, or has something else there."""


def stack_of(region: str, raw: Mapping[str, Any]) -> Stack:
    """Read a stack of this region; raises one of `ODD` where that cannot be done."""
    get = raw.get
    stack_id = raw["StackId"]
    outputs = get("Outputs", ())
    region_of(stack_id)  # raises where that is no id
    return Stack(
        stack_id=stack_id,
        name=raw["StackName"],
        region=region,
        status=raw["StackStatus"],
        created=instant_of(raw["CreationTime"], "CreationTime"),
        updated=updated_of(raw),
        tags={tag["Key"]: tag["Value"] for tag in get("Tags", ())},
        status_reason=capped(get("StackStatusReason", "")),
        parent_id=get("ParentId"),
        termination_protection=get("EnableTerminationProtection", False),
        exports=tuple([out["ExportName"] for out in outputs if "ExportName" in out]),
        reads_ssm=any("ResolvedValue" in parameter for parameter in get("Parameters", ())),
        resolves=next((v for v in _values(raw) if "resolve:" in v), ""),
        role=get("RoleARN", ""),
        toolkit=toolkit_of([out["OutputKey"] for out in outputs], get("Description", "")),
    )


def read_stack(stack_id: str, raw: Mapping[str, Any]) -> Stack:
    """Read a stack that was asked for by its id. Raises `JanitorError` where that cannot be done."""
    try:
        return stack_of(region_of(stack_id), raw)
    except ODD as error:
        raise JanitorError(f"describing {stack_id} failed: {why_odd(error)}") from error


def _values(raw: Mapping[str, Any]) -> Iterable[str]:
    return (str(one.get("ParameterValue", "")) for one in raw.get("Parameters", ()))


def stacks_of(region: str, page: Any) -> tuple[list[Stack], list[Unread]]:
    """Read the stacks of a page, and name those that cannot be read."""
    stacks: list[Stack] = []
    unread: list[Unread] = []
    for raw in page:
        try:
            stacks.append(stack_of(region, raw))
        except ODD as error:
            of = raw if isinstance(raw, Mapping) else {}
            stack_id, name = str(of.get("StackId") or ""), str(of.get("StackName") or "")
            unread.append(Unread(stack_id, name, why_odd(error)))
    return stacks, unread


def why_odd(error: Exception) -> str:
    """Say what an answer lacks, or has instead."""
    return f"it has no {error.args[0]}" if isinstance(error, KeyError) else str(error)


def updated_of(raw: Mapping[str, Any]) -> datetime | None:
    """Return when a stack was updated last, if it ever was."""
    if "LastUpdatedTime" not in raw:
        return None
    return instant_of(raw["LastUpdatedTime"], "LastUpdatedTime")


def resource_of(raw: Mapping[str, Any], policies: Mapping[str, str]) -> Resource:
    """Read a resource, or an event about one."""
    get = raw.get
    name = get("LogicalResourceId", "")
    return Resource(
        logical_id=name,
        type=get("ResourceType", ""),
        physical_id=get("PhysicalResourceId", ""),
        status=get("ResourceStatus", ""),
        reason=capped(get("ResourceStatusReason", "")),
        policy=policies.get(name, ""),
    )
