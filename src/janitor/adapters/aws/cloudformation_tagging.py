"""CloudFormation, as far as changing tags needs it: what a stack is, both ways, what became of it."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from msgspec.structs import replace

from janitor.adapters.aws.client_config import instant_of
from janitor.adapters.aws.cloudformation_deletion import StackDeletions, is_unknown
from janitor.adapters.aws.errors import (
    AwsError,
    code_of,
    is_about_credentials,
    is_transient,
    message_of,
    translated,
)
from janitor.adapters.aws.failure_reasons import capped
from janitor.adapters.aws.stack_parsing import ODD, read_stack, why_odd
from janitor.adapters.aws.tag_update_rules import region_of, tags_to_send
from janitor.adapters.aws.templates import parsed, text_of
from janitor.domain.errors import JanitorError, TagRefused
from janitor.domain.model import Stack
from janitor.domain.stack.resources import MOST_NESTED, NESTED
from janitor.domain.stack.statuses import GONE
from janitor.domain.tagging.change_set import Change, Proposal, Readiness
from janitor.domain.tagging.outcomes import Became, TagOutcome
from janitor.domain.tagging.rights import CHANGE_SET
from janitor.domain.tagging.ways import Anatomy, Part, Why

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.literals import CapabilityType
    from mypy_boto3_cloudformation.type_defs import StackEventTypeDef, StackTypeDef

CAPABILITIES: "tuple[CapabilityType, ...]" = (
    "CAPABILITY_IAM",
    "CAPABILITY_NAMED_IAM",
    "CAPABILITY_AUTO_EXPAND",
)
_WAITS = (0.0, 0.5, 1.0, 2.0)
"""Seconds before each look at a change set that is being made: 3.5 s in all."""
_SLACK = timedelta(minutes=1)
"""CloudFormation's times of one operation differ by less."""
_ENDS: Mapping[str, Became] = {
    "UPDATE_COMPLETE": Became.DONE,
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": Became.DONE,
    "UPDATE_ROLLBACK_COMPLETE": Became.ROLLED_BACK,
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": Became.ROLLED_BACK,
    "UPDATE_FAILED": Became.STUCK,
    "UPDATE_ROLLBACK_FAILED": Became.STUCK,
}
_UNKNOWN_CHANGE_SET = frozenset({"ChangeSetNotFound", "ChangeSetNotFoundException"})


class StackTagging(StackDeletions):
    """That part of the `Stacks` port; `clients` returns the client of a region."""

    def __init__(
        self,
        clients: "Callable[[str], CloudFormationClient]",
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(clients)
        self._pause = pause

    # What a stack is.

    def anatomy(self, stack: Stack) -> Anatomy:
        """Read root and nested stacks; what cannot be read for good is in the part it is missing of."""
        root, nested = self._part(stack.stack_id)
        parts: list[Part] = []
        left, known = [*nested], {stack.stack_id}
        while left and len(known) <= MOST_NESTED:
            if (one := left.pop(0)) in known:
                continue
            known.add(one)
            part, deeper = self._part(one)
            parts.append(part)
            left += deeper
        if left:
            root = replace(root, problem=f"it has more than {MOST_NESTED} nested stacks")
        names: tuple[str, ...] = ()
        try:
            names = tuple(self._change_sets(stack))
        except AwsError as error:
            if is_transient(error) or is_about_credentials(error):
                raise translated(error, f"listing the change sets of {stack.name}") from error
            root = replace(root, problem=message_of(error))
        return Anatomy(
            root,
            tuple(parts),
            change_sets=tuple(name for name in names if name != CHANGE_SET),
            values=(stack.resolves,) * bool(stack.resolves),
            own_change_set=CHANGE_SET in names,
        )

    def _part(self, stack_id: str) -> tuple[Part, list[str]]:
        """Read one stack; return the ids of those nested in it as well."""
        client, name = self._clients(region_of(stack_id)), stack_id.split("/")[1]
        try:
            body = client.get_template(StackName=stack_id, TemplateStage="Original")
            template, digest = parsed(body.get("TemplateBody"))
            pages = client.get_paginator("list_stack_resources").paginate(StackName=stack_id)
            listed = (one for page in pages for one in page["StackResourceSummaries"])
            there = [one for one in listed if one["ResourceStatus"] != GONE]
            types = tuple(one["ResourceType"] for one in there)
            nested = [
                one.get("PhysicalResourceId", "") for one in there if one["ResourceType"] == NESTED
            ]
            policy = client.get_stack_policy(StackName=stack_id).get("StackPolicyBody", "")
            for child in nested:
                region_of(child)
        except AwsError as error:
            if is_transient(error) or is_about_credentials(error):
                raise translated(error, f"looking what {name} consists of") from error
            return Part(name, problem=f"{name}: {message_of(error)}"), []
        except ODD as error:
            return Part(name, problem=f"{name}: {why_odd(error)}"), []
        return Part(name, template, digest, types, policy), nested

    def _change_sets(self, stack: Stack) -> Iterator[str]:
        client = self._clients(region_of(stack.stack_id))
        pages = client.get_paginator("list_change_sets").paginate(StackName=stack.stack_id)
        return (one["ChangeSetName"] for page in pages for one in page["Summaries"])

    # By an update.

    def tag(
        self, stack: Stack, put: Mapping[str, str], remove: Collection[str], token: str
    ) -> bool:
        """Update nothing but the tags. Everything that is left out here stays as it is."""
        sending = self._sending(stack, put, remove)
        if sending is None:
            return False
        client = self._clients(region_of(stack.stack_id))
        try:
            client.update_stack(StackName=stack.stack_id, ClientRequestToken=token, **sending)
        except ClientError as error:
            if "No updates are to be performed" in message_of(error):
                return False
            if code_of(error) != "TokenAlreadyExistsException":
                raise _refused(error, stack) from error
        except AwsError as error:
            raise translated(error, f"tagging {stack.name} in {stack.region}") from error
        return True

    def _sending(
        self, stack: Stack, put: Mapping[str, str], remove: Collection[str]
    ) -> dict[str, Any] | None:
        """Return what to send, by the stack as it is right now; None if it has these tags."""
        raw = self._describe(stack.stack_id)
        if raw is None:
            raise TagRefused(f"{stack.name} does not exist")
        fresh = read_stack(stack.stack_id, raw)
        full = tags_to_send(fresh, stack, put, remove)
        return None if full == fresh.tags else _arguments(full, raw)

    # By a change set.

    def propose(
        self, stack: Stack, put: Mapping[str, str], remove: Collection[str], token: str
    ) -> bool:
        """Make the change set, in the place of one that was left behind."""
        sending = self._sending(stack, put, remove)
        if sending is None:
            return False
        client = self._clients(region_of(stack.stack_id))
        try:
            client.create_change_set(
                StackName=stack.stack_id,
                ChangeSetName=CHANGE_SET,
                ChangeSetType="UPDATE",
                ClientToken=token,
                IncludeNestedStacks=True,
                **sending,
            )
        except ClientError as error:
            raise _refused(error, stack) from error
        except AwsError as error:
            raise translated(error, f"making a change set of {stack.name}") from error
        return True

    def proposal(self, stack: Stack, put: Mapping[str, str], remove: Collection[str]) -> Proposal:
        """Look at the change set, for some seconds while it is being made."""
        raw = self._describe(stack.stack_id)
        if raw is None:
            raise TagRefused(f"{stack.name} does not exist")
        wanted = tags_to_send(read_stack(stack.stack_id, raw), stack, put, remove)
        found = Proposal("", Readiness.FAILED)
        for seconds in _WAITS:
            if seconds:
                self._pause(seconds)
            found = self._proposal(stack, CHANGE_SET, {**raw})
            everything = (found, *found.nested)
            if all(one.readiness is not Readiness.MAKING for one in everything):
                break
        return replace(found, wanted=wanted)

    def _proposal(self, stack: Stack, name: str, raw: Mapping[str, Any]) -> Proposal:
        """Read a change set, and those nested in it."""
        pages = self._pages(stack, name)
        if not pages:
            return Proposal("", Readiness.FAILED, reason="it is gone")
        first = pages[0]
        readiness = _readiness(first)
        changes = tuple(_change(one) for page in pages for one in page.get("Changes", ()))
        proposal = Proposal(
            id=first["ChangeSetId"],
            readiness=readiness,
            changes=changes,
            tags={tag["Key"]: tag["Value"] for tag in first.get("Tags", ())},
            reason=capped(first.get("StatusReason", "")),
        )
        if readiness is not Readiness.READY:
            return proposal
        nested = [
            self._proposal(stack, one.change_set, self._raw_of(one))
            for one in changes
            if one.type == NESTED and one.change_set
        ]
        return replace(
            proposal,
            nested=tuple(nested),
            moved=_moved(raw, first),
            is_same_template=self._is_same_template(stack, first),
        )

    def _raw_of(self, change: Change) -> Mapping[str, Any]:
        raw = self._describe(change.physical_id)
        return {**raw} if raw else {}

    def _pages(self, stack: Stack, name: str) -> list[dict[str, Any]]:
        client = self._clients(region_of(stack.stack_id))
        which = {"ChangeSetName": name}
        if not name.startswith("arn:"):
            which["StackName"] = stack.stack_id
        found: list[dict[str, Any]] = []
        try:
            while True:
                page: dict[str, Any] = {**client.describe_change_set(**which)}  # type: ignore[arg-type]
                found.append(page)
                if not (token := page.get("NextToken")):
                    return found
                which["NextToken"] = token
        except ClientError as error:
            if code_of(error) in _UNKNOWN_CHANGE_SET:
                return []
            raise translated(error, f"looking at a change set of {stack.name}") from error
        except AwsError as error:
            raise translated(error, f"looking at a change set of {stack.name}") from error

    def _is_same_template(self, stack: Stack, of: Mapping[str, Any]) -> bool:
        """Compare what the change set would deploy with what is deployed, transforms done."""
        client = self._clients(region_of(stack.stack_id))
        try:
            new = client.get_template(StackName=of["StackId"], ChangeSetName=of["ChangeSetId"])
            old = client.get_template(StackName=of["StackId"])
        except AwsError as error:
            raise translated(error, f"comparing the templates of {stack.name}") from error
        return text_of(new["TemplateBody"]) == text_of(old["TemplateBody"])

    def execute(self, stack: Stack, proposal: Proposal, token: str) -> None:
        """Execute the very change set that was looked at. Others' would be lost: looked for again."""
        try:
            others = [name for name in self._change_sets(stack) if name != CHANGE_SET]
        except AwsError as error:
            raise translated(error, f"listing the change sets of {stack.name}") from error
        if others:
            raise TagRefused(", ".join(others), why=Why.PENDING)
        pages = self._pages(stack, CHANGE_SET)
        if not pages or pages[0]["ChangeSetId"] != proposal.id:
            raise TagRefused("its change set was made anew", why=Why.NOT_SHOWN)
        raw = self._describe(stack.stack_id)
        if raw is None or read_stack(stack.stack_id, raw).updated != stack.updated:
            raise TagRefused(stack.name, why=Why.MOVED)
        client = self._clients(region_of(stack.stack_id))
        try:
            # By its name: a role is held to that, and not to an id.
            client.execute_change_set(
                StackName=stack.stack_id, ChangeSetName=CHANGE_SET, ClientRequestToken=token
            )
        except ClientError as error:
            if code_of(error) != "TokenAlreadyExistsException":
                raise _refused(error, stack) from error
        except AwsError as error:
            raise translated(error, f"tagging {stack.name} in {stack.region}") from error

    def withdraw(self, stack_id: str) -> None:
        """Delete the change set; CloudFormation deletes those nested in it."""
        client = self._clients(region_of(stack_id))
        try:
            client.delete_change_set(StackName=stack_id, ChangeSetName=CHANGE_SET)
        except ClientError as error:
            if code_of(error) not in _UNKNOWN_CHANGE_SET and not is_unknown(error):
                raise translated(error, f"deleting the change set of {stack_id}") from error
        except AwsError as error:
            raise translated(error, f"deleting the change set of {stack_id}") from error

    # What became of it.

    def tag_outcome(self, stack: Stack, token: str, before: datetime | None) -> TagOutcome:
        """Read the events back to the update with this token; all of it has one token."""
        stack_id = stack.stack_id
        client = self._clients(region_of(stack_id))
        pages = client.get_paginator("describe_stack_events").paginate(StackName=stack_id)
        events: list[StackEventTypeDef] = []
        try:
            for event in (event for page in pages for event in page["StackEvents"]):
                if before is not None and _at(event) < before - _SLACK:
                    break
                if event.get("PhysicalResourceId") != stack_id:
                    continue
                events.append(event)
                is_ours = event.get("ClientRequestToken") == token
                if is_ours and event.get("ResourceStatus") == "UPDATE_IN_PROGRESS":
                    break
        except AwsError as error:
            raise translated(error, f"reading the events of {stack_id}") from error
        return _outcome(stack, token, events)

    def _describe(self, stack_id: str) -> "StackTypeDef | None":
        region = region_of(stack_id)
        try:
            found = self._clients(region).describe_stacks(StackName=stack_id)["Stacks"]
        except ClientError as error:
            if is_unknown(error):
                return None
            raise translated(error, f"describing {stack_id}") from error
        except AwsError as error:
            raise translated(error, f"describing {stack_id}") from error
        if not found:
            raise JanitorError(f"describing {stack_id} failed: CloudFormation named no stack")
        return found[0]


def _arguments(tags: Mapping[str, str], raw: "StackTypeDef") -> dict[str, Any]:
    """Return what an update is asked for with: the tags, and everything else as it was."""
    # Never NotificationARNs, RoleARN or policies: [] would wipe topics, and a role
    # passed once stays on the stack for whoever operates it.
    return {
        "UsePreviousTemplate": True,
        "Parameters": [
            {"ParameterKey": parameter["ParameterKey"], "UsePreviousValue": True}
            for parameter in raw.get("Parameters", ())
        ],
        "Capabilities": list(CAPABILITIES),
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
    }


def _outcome(stack: Stack, token: str, events: "Sequence[StackEventTypeDef]") -> TagOutcome:
    """Return what a stack's own events say of one update, newest first."""
    ours = [one for one in events if one.get("ClientRequestToken") == token]
    if not ours:
        return TagOutcome(Became.NOTHING)
    statuses = [one.get("ResourceStatus", "") for one in ours]
    became = next((_ENDS[one] for one in statuses if one in _ENDS), Became.UNDER_WAY)
    reasons = [one.get("ResourceStatusReason", "") for one in ours]
    said = [why for status, why in zip(statuses, reasons, strict=True) if "ROLLBACK" in status]
    # Events may lag: who was updated long after the last one was updated by somebody else.
    updated = stack.updated if events[0] is ours[0] else None
    is_of_it = updated is not None and updated <= _at(ours[0]) + _SLACK
    reason = next((why for why in reversed(said) if why), "")
    return TagOutcome(became, capped(reason), updated if is_of_it else None)


def _refused(error: ClientError, stack: Stack) -> JanitorError:
    if is_transient(error) or is_about_credentials(error):
        return translated(error, f"tagging {stack.name} in {stack.region}")
    return TagRefused(message_of(error), why=Why.REFUSED)


def _readiness(page: Mapping[str, Any]) -> Readiness:
    status, execution = page.get("Status", ""), page.get("ExecutionStatus", "")
    if status == "CREATE_COMPLETE" and execution == "AVAILABLE":
        return Readiness.READY
    is_begun = status in ("CREATE_PENDING", "CREATE_IN_PROGRESS")
    return Readiness.MAKING if is_begun else Readiness.FAILED


def _change(raw: Mapping[str, Any]) -> Change:
    one: Mapping[str, Any] = raw.get("ResourceChange") or {}
    details = one.get("Details", ())
    return Change(
        kind=raw.get("Type", ""),
        resource=one.get("LogicalResourceId", ""),
        type=one.get("ResourceType", ""),
        physical_id=one.get("PhysicalResourceId", ""),
        action=one.get("Action", ""),
        replacement=one.get("Replacement", ""),
        scope=tuple(one.get("Scope", ())),
        details=tuple(
            ((detail.get("Target") or {}).get("Attribute", ""), detail.get("ChangeSource", ""))
            for detail in details
        ),
        policy_action=one.get("PolicyAction", ""),
        change_set=one.get("ChangeSetId", ""),
    )


def _moved(stack: Mapping[str, Any], change_set: Mapping[str, Any]) -> tuple[str, ...]:
    """Name the parameters whose value from SSM is another by now, or is not known."""

    def values(of: Mapping[str, Any]) -> dict[str, str]:
        return {
            one["ParameterKey"]: one["ResolvedValue"]
            for one in of.get("Parameters", ())
            if "ResolvedValue" in one
        }

    before, after = values(stack), values(change_set)
    return tuple(sorted(key for key in before if before[key] != after.get(key)))


def _at(event: "StackEventTypeDef") -> datetime:
    try:
        return instant_of(event["Timestamp"], "Timestamp")
    except ODD as error:
        raise JanitorError(f"an event of {event.get('StackName')}: {why_odd(error)}") from error
