"""What the developers of the demo do in their account, by ordinary AWS calls."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from janitor.domain.errors import JanitorError
from janitor.entrypoints.demo.cast import AWAY, BUCKET, HOME, LOCK, PARENT, QUEUE, TOOLS, Part


class DevAccount:
    """What developers do in the account, by ordinary AWS calls.

    `clients` returns the client of a service in a region.
    """

    def __init__(self, clients: Callable[[str, str], Any]) -> None:
        self._clients = clients
        self.ids: dict[Part, str] = {}
        self.parents: dict[str, str] = {}
        """Nested stacks with their parents, which this emulator does not show."""

    def deploy(self, parts: tuple[Part, ...]) -> None:
        """Deploy the whole cast; what others need comes first."""
        self._clients("s3", HOME).create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": HOME}
        )
        self._clients("s3", HOME).put_object(
            Bucket=BUCKET, Key="database.json", Body=json.dumps({"Resources": QUEUE})
        )
        for part in sorted(parts, key=lambda part: part.name != TOOLS):
            answer = self._clients("cloudformation", part.region).create_stack(
                StackName=part.name,
                TemplateBody=json.dumps({"Resources": part.resources}),
                Tags=_tag_list(part.tags),
                Capabilities=["CAPABILITY_IAM"],
            )
            self.ids[part] = answer["StackId"]
            self.settle()
        for part, stack_id in self.ids.items():
            if part.name == PARENT:
                self.parents[self._nested_in(stack_id)] = stack_id

    def show_parents(self, parsed: dict[str, Any], **_: object) -> None:
        """Complete an answer of DescribeStacks: ministack knows a ParentId, but leaves it out."""
        for stack in parsed.get("Stacks", ()):
            if parent := self.parents.get(stack["StackId"]):
                stack["ParentId"] = stack["RootId"] = parent

    def id_of(self, name: str) -> str:
        """Return the id of a stack in the home region."""
        found = [i for part, i in self.ids.items() if (part.name, part.region) == (name, HOME)]
        return found[0]

    def redeploy(self, name: str) -> None:
        """Deploy a stack once more with its own tags, which wipes all others."""
        part = next(part for part in self.ids if part.name == name)
        self._clients("cloudformation", HOME).update_stack(
            StackName=name, UsePreviousTemplate=True, Tags=_tag_list({**part.tags, "build": "217"})
        )
        self.settle()

    def delete(self, name: str) -> None:
        """Delete a stack by hand."""
        self._clients("cloudformation", HOME).delete_stack(StackName=name)
        self.settle()

    def start_dump(self) -> None:
        """Begin the dump that keeps the stubborn stack's data from going."""
        self._clients("ssm", HOME).put_parameter(Name=LOCK, Value="running", Type="String")

    def end_dump(self) -> None:
        """End it."""
        self._clients("ssm", HOME).delete_parameter(Name=LOCK)

    def status(self, stack_id: str, region: str) -> str:
        """Return what CloudFormation says of a stack, deleted ones too."""
        try:
            answer = self._clients("cloudformation", region).describe_stacks(StackName=stack_id)
        except ClientError as error:
            return str(error)
        return str(answer["Stacks"][0]["StackStatus"])

    def tags(self, stack_id: str) -> dict[str, str]:
        """Return the tags that a stack has now."""
        answer = self._clients("cloudformation", HOME).describe_stacks(StackName=stack_id)
        return {tag["Key"]: tag["Value"] for tag in answer["Stacks"][0]["Tags"]}

    def settle(self) -> None:
        """Wait until nothing in the account is under way any more."""
        end = time.monotonic() + 20
        while any(status.endswith("_IN_PROGRESS") for status in self._statuses()):
            if time.monotonic() > end:
                raise JanitorError("the embedded AWS does not come to rest")
            time.sleep(0.02)

    def _statuses(self) -> Iterator[str]:
        for region in (HOME, AWAY):
            pages = self._clients("cloudformation", region).get_paginator("describe_stacks")
            for page in pages.paginate():
                yield from (stack["StackStatus"] for stack in page["Stacks"])

    def _nested_in(self, stack_id: str) -> str:
        resources = self._clients("cloudformation", HOME).describe_stack_resources(
            StackName=stack_id
        )["StackResources"]
        found = (r for r in resources if r["ResourceType"] == "AWS::CloudFormation::Stack")
        return str(next(found)["PhysicalResourceId"])


def _tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
