"""A deployed copy as its CloudFormation stack shows it: outputs, parameters, queues, schedule."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from janitor.adapters.aws.client_config import instant_of
from janitor.adapters.aws.errors import AwsError, code_of, translated
from janitor.adapters.aws.sns import SnsTopic
from janitor.domain.errors import ConfigurationError, JanitorError, StackNotFound
from janitor.domain.model import Audience

QUIET_FOR = timedelta(days=2)
"""How far back to look for a completed sweep."""


@contextmanager
def _translating(doing: str) -> Iterator[None]:
    """Say what AWS did not like, or that its answer is none that anything can be made of."""
    try:
        yield
    except AwsError as error:
        raise translated(error, doing) from error
    except (LookupError, TypeError, ValueError) as error:
        raise JanitorError(f"{doing} failed: the answer cannot be read: {error!r}") from error


class Deployment(Struct, frozen=True):
    """One deployed stack; every method asks AWS anew."""

    clients: Callable[[str], Any]
    """Returns the client of a service in the region of the stack."""
    name: str

    def outputs(self) -> Mapping[str, str]:
        """Return the stack's outputs, and its status as `StackStatus`.

        Raises `StackNotFound` where there is no such stack.
        """
        try:
            (stack,) = self.clients("cloudformation").describe_stacks(StackName=self.name)["Stacks"]
        except AwsError as error:
            if code_of(error) == "ValidationError":
                raise StackNotFound(f"there is no stack {self.name}") from error
            raise translated(error, f"describing the stack {self.name}") from error
        except ValueError as error:
            raise JanitorError(f"CloudFormation named no one stack for {self.name}") from error
        outputs = {o["OutputKey"]: o["OutputValue"] for o in stack.get("Outputs", [])}
        return {**outputs, "StackStatus": stack["StackStatus"]}

    def archive(self) -> str:
        """Return the address of the journal's archive.

        Raises `ConfigurationError` where the stack was deployed without one.
        """
        bucket = self.outputs().get("ArchiveBucketName")
        if bucket is None:
            raise ConfigurationError(f"the stack {self.name} has no archive: Archive is not on")
        return f"s3://{bucket}"

    def resources(self) -> list[tuple[str, str, str]]:
        """Return type, logical and physical id of everything in the stack."""
        self.outputs()  # raises what is to be raised where there is no such stack
        return [
            (
                str(resource["ResourceType"]),
                str(resource["LogicalResourceId"]),
                str(resource["PhysicalResourceId"]),
            )
            for resource in self._resources()
            if "PhysicalResourceId" in resource
        ]

    def _resources(self) -> list[dict[str, Any]]:
        pages = self.clients("cloudformation").get_paginator("list_stack_resources")
        with _translating(f"listing the resources of {self.name}"):
            return [
                resource
                for page in pages.paginate(StackName=self.name)
                for resource in page["StackResourceSummaries"]
            ]

    def remove(self) -> None:
        """Delete the stack and wait until it is gone."""
        client = self.clients("cloudformation")
        try:
            client.delete_stack(StackName=self.name)
            client.get_waiter("stack_delete_complete").wait(
                StackName=self.name, WaiterConfig={"Delay": 2, "MaxAttempts": 600}
            )
        except AwsError as error:
            raise translated(error, f"deleting the stack {self.name}") from error

    def audience(self, topic: str, now: datetime) -> Audience:
        """Return who is subscribed to a topic. Raises `JanitorError` where that is not known."""
        audience = SnsTopic(self.clients("sns"), topic).audience(now)
        if audience.problem:
            raise JanitorError(f"listing the subscriptions failed: {audience.problem}")
        return audience

    def schedules(self) -> Mapping[str, str]:
        """Return the schedules of the stack and the state of each."""
        found = {}
        for resource in self._resources():
            if resource["ResourceType"] == "AWS::Scheduler::Schedule":
                name = resource["PhysicalResourceId"].rpartition("/")[2]
                with _translating(f"asking for the schedule {name}"):
                    state = self.clients("scheduler").get_schedule(Name=name)["State"]
                found[name] = str(state)
        return found

    def waiting(self, queue_url: str) -> int:
        """Return how many messages a queue holds."""
        with _translating(f"asking the queue {queue_url.rpartition('/')[2]}"):
            answer = self.clients("sqs").get_queue_attributes(
                QueueUrl=queue_url, AttributeNames=["ApproximateNumberOfMessages"]
            )
        return int(answer["Attributes"]["ApproximateNumberOfMessages"])

    def checked(self, function: str) -> str:
        """Let the deployed check function look, under its own role; return what is wrong."""
        with _translating(f"asking the function {function}"):
            answer = self.clients("lambda").invoke(FunctionName=function, Payload=b"{}")
            payload = json.loads(answer["Payload"].read() or b"{}")
        if "FunctionError" in answer:
            return str(payload.get("errorMessage", "the check function failed"))
        return str(payload.get("reason", ""))

    def last_sweep(self, stage: str, now: datetime) -> datetime | None:
        """Return the end of the last hour in which a sweep completed, if there was one."""
        with _translating("asking for the last sweeps"):
            answer = self.clients("cloudwatch").get_metric_statistics(
                Namespace="janitor",
                MetricName="SweepCompleted",
                Dimensions=[
                    {"Name": "service", "Value": "janitor"},
                    {"Name": "stage", "Value": stage},
                ],
                StartTime=now - QUIET_FOR,
                EndTime=now,
                Period=3600,
                Statistics=["Sum"],
            )
            hours: list[datetime] = [
                instant_of(point["Timestamp"], "Timestamp")
                for point in answer["Datapoints"]
                if point["Sum"] > 0
            ]
        return max(hours, default=None)
