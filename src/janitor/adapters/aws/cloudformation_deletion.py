"""CloudFormation, as far as a deletion needs it: what goes, how it is asked for, what stayed."""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from janitor.adapters.aws.errors import (
    AwsError,
    code_of,
    is_about_credentials,
    is_broken_off,
    is_transient,
    message_of,
    request_id_of,
    translated,
)
from janitor.adapters.aws.stack_parsing import resource_of
from janitor.adapters.aws.tag_update_rules import region_of
from janitor.adapters.aws.templates import content_of, text_of
from janitor.application.ports import PLAIN
from janitor.domain.deletion.evidence import SNAPSHOT
from janitor.domain.deletion.strategy import Rung, Step
from janitor.domain.errors import DeleteRefused, StackNotFound
from janitor.domain.model import Stack
from janitor.domain.stack.resources import NESTED, Count, Resource, Snapshot, whole, with_nested
from janitor.domain.stack.statuses import IN_REVIEW

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import ListStackResourcesOutputTypeDef

_NOT_IMPORTED = "is not imported by any stack"
_SNAPSHOT_HINTS = (SNAPSHOT, "AWS::RDS::DB", NESTED)
"""A YAML template without these has nothing that would leave a snapshot: not worth reading."""
_NO_POLICIES: Mapping[str, str] = MappingProxyType({})


class StackDeletions:
    """That part of the `Stacks` port; `clients` returns the client of a region."""

    def __init__(self, clients: "Callable[[str], CloudFormationClient]") -> None:
        self._clients = clients

    def delete(self, stack_id: str, token: str, step: Step = PLAIN) -> str:
        """Ask for the deletion. Raises `StackNotFound` if AWS does not know the id."""
        region = region_of(stack_id)
        name = _name(stack_id)
        how: dict[str, Any] = {"RoleARN": step.role} if step.role else {}
        if step.rung is Rung.RETAIN:
            how["RetainResources"] = [one.logical_id for one in step.retain]
        elif step.rung is Rung.FORCE:
            how["DeletionMode"] = "FORCE_DELETE_STACK"
        try:
            answer = self._clients(region).delete_stack(
                StackName=stack_id, ClientRequestToken=token, **how
            )
        except ClientError as error:
            said = message_of(error)
            if code_of(error) == "TokenAlreadyExistsException":
                return request_id_of(error)
            if is_unknown(error):
                raise StackNotFound(f"{name} does not exist") from error
            if is_about_credentials(error) or is_broken_off(error):
                raise translated(error, f"deleting {name} in {region}") from error
            raise DeleteRefused(
                f"CloudFormation will not delete {name}: {said}", said=f"{code_of(error)}: {said}"
            ) from error
        except AwsError as error:
            # It may have been taken all the same: the tracker will see.
            raise translated(error, f"deleting {name} in {region}") from error
        return str(answer["ResponseMetadata"]["RequestId"])

    def importers(self, stack_id: str, export: str) -> tuple[str, ...]:
        region = region_of(stack_id)
        pages = self._clients(region).get_paginator("list_imports").paginate(ExportName=export)
        try:
            return tuple(name for page in pages for name in page["Imports"])
        except ClientError as error:
            if _NOT_IMPORTED in message_of(error):
                return ()
            raise translated(error, f"asking who imports {export} in {region}") from error
        except AwsError as error:
            raise translated(error, f"asking who imports {export} in {region}") from error

    def count(self, stack_id: str) -> Count:
        return Count.of(
            whole(stack_id, lambda one: self._consists_of(one, is_nested=one != stack_id))
        )

    def snapshot(self, stack: Stack, may_go_on: Callable[[], bool] = lambda: True) -> Snapshot:
        if stack.status == IN_REVIEW:
            return Snapshot(template="none, as only a change set was made")
        root = stack.stack_id
        return whole(root, lambda one: self._snapshot(one, is_nested=one != root), may_go_on)

    def _snapshot(self, stack_id: str, *, is_nested: bool) -> Snapshot:
        """Read one stack with its template."""
        template, policies = self._template(stack_id)
        return self._consists_of(stack_id, template, policies, is_nested=is_nested)

    def _consists_of(
        self,
        stack_id: str,
        template: str = "",
        policies: Mapping[str, str] = _NO_POLICIES,
        *,
        is_nested: bool,
    ) -> Snapshot:
        """List one stack; that a nested one cannot be read for good is said, and holds nothing up."""
        try:
            return Snapshot(
                tuple(
                    resource_of({**raw}, policies)
                    for page in self._resources(stack_id)
                    for raw in page["StackResourceSummaries"]
                ),
                template,
            )
        except AwsError as error:
            if is_nested and _is_for_good(error):
                said = f"{template}; what is in it is unknown: {message_of(error)}"
                return Snapshot(template=said)
            raise translated(error, f"listing the resources of {_name(stack_id)}") from error

    def _resources(self, stack_id: str) -> "Iterable[ListStackResourcesOutputTypeDef]":
        client = self._clients(region_of(stack_id))
        return client.get_paginator("list_stack_resources").paginate(StackName=stack_id)

    def fates(self, stack_id: str) -> tuple[Resource, ...]:
        return with_nested(stack_id, self._fates)

    def _fates(self, stack_id: str) -> tuple[Resource, ...]:
        """Read the events back to where the stack was last at rest, newest first."""
        region = region_of(stack_id)
        pages = (
            self._clients(region)
            .get_paginator("describe_stack_events")
            .paginate(StackName=stack_id)
        )
        last: dict[tuple[str, str], Resource] = {}
        try:
            for page in pages:
                for event in page["StackEvents"]:
                    status = event.get("ResourceStatus", "")
                    if event.get("PhysicalResourceId") == stack_id:
                        if not status.startswith("DELETE_"):
                            return tuple(last.values())
                    elif status.startswith("DELETE_"):
                        one = resource_of({**event}, {})
                        last.setdefault((one.logical_id, one.physical_id), one)
        except AwsError as error:
            raise translated(error, f"reading the events of {_name(stack_id)}") from error
        return tuple(last.values())

    def protect(self, stack_id: str, *, on: bool) -> None:
        region = region_of(stack_id)
        try:
            self._clients(region).update_termination_protection(
                StackName=stack_id, EnableTerminationProtection=on
            )
        except AwsError as error:
            doing = f"switching the termination protection of {_name(stack_id)}"
            raise translated(error, doing) from error

    def _template(self, stack_id: str) -> tuple[str, Mapping[str, str]]:
        """Return the template's hash, and the DeletionPolicy of each resource that has one.

        What cannot be read for good is said in place of the hash: it keeps nothing from
        being deleted.
        """
        client = self._clients(region_of(stack_id))
        try:
            body = cast("object", client.get_template(StackName=stack_id)["TemplateBody"])
        except AwsError as error:
            if not _is_for_good(error):
                raise translated(error, f"reading the template of {_name(stack_id)}") from error
            return f"unknown: {message_of(error)}", {}
        text, digest = text_of(body)
        is_read = not isinstance(body, str) or any(hint in text for hint in _SNAPSHOT_HINTS)
        return f"sha256:{digest}", deletion_policies(content_of(body)) if is_read else {}


def is_unknown(error: ClientError) -> bool:
    """Tell whether CloudFormation knows no such stack."""
    return code_of(error) == "ValidationError" and "does not exist" in message_of(error)


def _is_for_good(error: Exception) -> bool:
    return not is_transient(error) and not is_about_credentials(error)


def deletion_policies(template: object) -> dict[str, str]:
    """Return what a template says of deletion by logical id, AWS's own defaults included."""
    found: dict[str, str] = {}
    resources = template.get("Resources") if isinstance(template, dict) else None
    for name, resource in (resources if isinstance(resources, dict) else {}).items():
        if not isinstance(resource, dict):
            continue
        policy, kind = resource.get("DeletionPolicy"), resource.get("Type")
        if policy is None and _is_snapshot_by_default(kind, resource.get("Properties")):
            policy = SNAPSHOT
        if isinstance(policy, str) and policy != "Delete":
            found[str(name)] = policy
    return found


def _is_snapshot_by_default(kind: object, properties: object) -> bool:
    in_cluster = isinstance(properties, dict) and "DBClusterIdentifier" in properties
    return kind == "AWS::RDS::DBCluster" or (kind == "AWS::RDS::DBInstance" and not in_cluster)


def _name(stack_id: str) -> str:
    return stack_id.split("/")[1]
