"""A stage that `sam deploy` put into the emulated account, as the tests reach it from outside."""

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import urllib3
from botocore.config import Config

REGION = "eu-central-1"
ROOT_KEY = {
    "aws_access_key_id": "AKIAACCEPTANCEROOT00",
    "aws_secret_access_key": "acceptance",
    "aws_session_token": "",
}
Key = Mapping[str, str]
PAST = "2026-01-01"
NOON = "2026-01-01T12:00:00+00:00"
EVENTS = Path(__file__).resolve().parents[2] / "events"


@dataclass(frozen=True)
class Account:
    """The emulated account, with the credentials of its root."""

    url: str

    def client(self, service: str, key: Key = ROOT_KEY) -> Any:
        """Return a client that acts with some credentials."""
        credentials: dict[str, Any] = {name: value or None for name, value in key.items()}
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.url,
            region_name=REGION,
            config=Config(retries={"max_attempts": 1}, read_timeout=120, parameter_validation=True),
            **credentials,
        )

    def create_stack(
        self, name: str, tags: Mapping[str, str], resources: Mapping[str, Any] | None = None
    ) -> str:
        """Let somebody deploy a stack, with one queue in it or with these; return its id."""
        template = {"Resources": resources or {"Queue": {"Type": "AWS::SQS::Queue"}}}
        cloudformation = self.client("cloudformation")
        stack_id: str = cloudformation.create_stack(
            StackName=name,
            TemplateBody=json.dumps(template),
            Capabilities=["CAPABILITY_IAM"],
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
        )["StackId"]
        until(lambda: self.status(stack_id) == "CREATE_COMPLETE")
        return stack_id

    def stack(self, stack_id: str) -> dict[str, Any]:
        """Describe a stack."""
        (stack,) = self.client("cloudformation").describe_stacks(StackName=stack_id)["Stacks"]
        return dict(stack)

    def status(self, stack_id: str) -> str:
        """Return a stack's status."""
        return str(self.stack(stack_id)["StackStatus"])

    def tag_stack(self, stack_id: str, tags: Mapping[str, str]) -> None:
        """Let somebody deploy a stack again with nothing new but its tags."""
        self.client("cloudformation").update_stack(
            StackName=stack_id,
            UsePreviousTemplate=True,
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
        )
        until(lambda: self.status(stack_id) == "UPDATE_COMPLETE")

    def tags(self, stack_id: str) -> dict[str, str]:
        """Return a stack's tags."""
        return {tag["Key"]: tag["Value"] for tag in self.stack(stack_id)["Tags"]}


@dataclass(frozen=True)
class Stage:
    """One deployed copy."""

    account: Account
    name: str
    _pages: urllib3.PoolManager = field(default_factory=urllib3.PoolManager)
    _seen: Counter[str] = field(default_factory=Counter)

    @cached_property
    def outputs(self) -> dict[str, str]:
        """Return what the stack says of itself."""
        outputs = self.account.stack(f"janitor-{self.name}")["Outputs"]
        return {output["OutputKey"]: output["OutputValue"] for output in outputs}

    def set_mode(self, mode: str) -> None:
        """Switch as an operator does."""
        self.account.client("ssm").put_parameter(
            Name=self.outputs["ModeParameterName"], Value=mode, Overwrite=True
        )

    def set_policy(self, **policy: object) -> None:
        """Write a policy as an operator does."""
        self.account.client("ssm").put_parameter(
            Name=self.outputs["PolicyParameterName"], Value=json.dumps(policy), Overwrite=True
        )

    def invoke(self, function: str, event: object = None) -> Any:
        """Call a function by its alias and return the answer. Raises `RuntimeError` if it failed."""
        answer = self.account.client("lambda").invoke(
            FunctionName=self.outputs[f"{function}FunctionName"],
            Qualifier="live",
            Payload=json.dumps(event or {}).encode(),
        )
        payload = json.loads(answer["Payload"].read() or b"null")
        if "FunctionError" in answer:
            raise RuntimeError(payload)
        return payload

    def lease(self, stack_id: str) -> dict[str, Any]:
        """Return a lease as the table holds it; empty if there is none."""
        item = self.account.client("dynamodb").get_item(
            TableName=self.outputs["LeaseTableName"],
            Key={"stack_id": {"S": stack_id}},
            ConsistentRead=True,
        )
        return dict(json.loads(item["Item"]["doc"]["S"])) if "Item" in item else {}

    def end_back_off(self, stack_id: str) -> None:
        """Let the time until the next attempt have passed, as only an administrator can."""
        dynamodb, table = self.account.client("dynamodb"), self.outputs["LeaseTableName"]
        item = dynamodb.get_item(TableName=table, Key={"stack_id": {"S": stack_id}})["Item"]
        item["doc"] = {"S": json.dumps({**json.loads(item["doc"]["S"]), "next_attempt_at": NOON})}
        dynamodb.put_item(TableName=table, Item=item)

    def reason(self, stack_id: str, action: str) -> dict[str, Any]:
        """Return sentence and facts of the last such event in a stack's journal."""
        found = [one for one in self.events(stack_id) if one["action"] == action]
        return dict(found[-1]["reason"])

    def state(self, stack_id: str) -> str:
        """Return a lease's state; a document leaves out what is as usual."""
        lease = self.lease(stack_id)
        return str(lease.get("state", "active")) if lease else "none"

    def has_leases(self, name: str) -> bool:
        """Tell whether there is a lease of a stack whose name begins so."""
        pages = self.account.client("dynamodb").get_paginator("scan")
        return any(
            f":stack/{name}" in item["stack_id"]["S"]
            for page in pages.paginate(TableName=self.outputs["LeaseTableName"])
            for item in page["Items"]
        )

    def actions(self, stack_id: str) -> list[str]:
        """Return the actions in a stack's journal, oldest first."""
        return [event["action"] for event in self.events(stack_id)]

    def events(self, stack_id: str) -> list[dict[str, Any]]:
        """Return a stack's journal, oldest first."""
        pages = self.account.client("dynamodb").get_paginator("query")
        return [
            json.loads(item["doc"]["S"])
            for page in pages.paginate(
                TableName=self.outputs["JournalTableName"],
                KeyConditionExpression="stack_id = :key",
                ExpressionAttributeValues={":key": {"S": stack_id}},
            )
            for item in page["Items"]
        ]

    def waiting(self, queue: str) -> int:
        """Return how many messages a queue holds, those at work included."""
        answer = self.account.client("sqs").get_queue_attributes(
            QueueUrl=self.outputs[f"{queue}QueueUrl"], AttributeNames=["All"]
        )["Attributes"]
        return int(answer["ApproximateNumberOfMessages"]) + int(
            answer["ApproximateNumberOfMessagesNotVisible"]
        )

    def send(self, queue: str, body: str, deduplication: str) -> None:
        """Put a message into a queue, in a group of its own."""
        self.account.client("sqs").send_message(
            QueueUrl=self.outputs[f"{queue}QueueUrl"],
            MessageBody=body,
            MessageGroupId=deduplication,
            MessageDeduplicationId=deduplication,
        )

    def take_dead(self, queue: str) -> list[str]:
        """Take out what lies in a dead-letter queue, and return the bodies."""
        sqs, url = self.account.client("sqs"), self.outputs[f"{queue}DeadLetterQueueUrl"]
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return [message["Body"] for message in messages]

    def quiet(self) -> bool:
        """Tell whether everything queued was worked off."""
        return self.waiting("Notice") == self.waiting("Deletion") == 0

    def sweep(self) -> Any:
        """Make a sweep and wait until what it queued is done."""
        answer = self.invoke("Sweep")
        until(self.quiet)
        return answer

    def new_errors(self) -> list[str]:
        """Return what the functions logged as wrong since this was asked last."""
        lines = Counter(self._errors())
        found = sorted((lines - self._seen).elements())
        self._seen.update(found)
        return found

    def failures(self, function: str) -> int:
        """Return how often a function logged that something was wrong."""
        return sum(1 for _ in self._errors(function))

    def _errors(self, function: str = "") -> Iterator[str]:
        lines = self.log(function)
        return (line for line in lines if '"ERROR"' in line or "Traceback" in line)

    def log(self, function: str = "") -> Iterator[str]:
        """Yield what the functions logged."""
        logs = self.account.client("logs")
        for group in logs.describe_log_groups()["logGroups"]:
            name = group["logGroupName"]
            if f"janitor-{self.name}" in name and function in name:
                for page in logs.get_paginator("filter_log_events").paginate(logGroupName=name):
                    for event in page["events"]:
                        yield event["message"]

    def page(self, link: str, method: str = "GET", form: str = "", **headers: str) -> Any:
        """Ask the API for a page, at the address where the emulator serves what the link names."""
        base = self.outputs["ApiUrl"]
        if not link.startswith(f"{base}/"):
            raise ValueError(f"{link} is not under {base}")
        api = (urlsplit(base).hostname or "").partition(".")[0]
        path = link.removeprefix(base)
        return self._pages.request(
            method,
            f"{self.account.url}/restapis/{api}/live/_user_request_{path}",
            body=form or None,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )

    def press(self, link: str, form: str) -> Any:
        """Press the button on the page."""
        return self.page(
            link,
            "POST",
            form,
            Content_Type="application/x-www-form-urlencoded",
            Sec_Fetch_Site="same-origin",
        )


class Inbox:
    """A queue that is subscribed to a stage's notices."""

    def __init__(self, stage: Stage) -> None:
        self._sqs = stage.account.client("sqs")
        self._url = self._sqs.create_queue(QueueName=f"inbox-{stage.name}")["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])
        arn = arn["Attributes"]["QueueArn"]
        topic = stage.outputs["NoticesTopicArn"]
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self._sqs.set_queue_attributes(QueueUrl=self._url, Attributes={"Policy": policy})
        stage.account.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

    def read(self) -> list[dict[str, Any]]:
        """Take out what has come: subject, text and attributes of each notice."""
        notices: list[dict[str, Any]] = []
        while messages := self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            for message in messages:
                notices.append(json.loads(message["Body"]))
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return notices

    def about(self, stack: str) -> list[dict[str, Any]]:
        """Take out what has come, and return what names this stack."""
        return [notice for notice in self.read() if stack in notice["Message"]]


def until(holds: Callable[[], Any], seconds: float = 30) -> Any:
    """Wait until something holds and return it. Raises `TimeoutError`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := holds():
            return found
        time.sleep(0.1)
    raise TimeoutError(f"not within {seconds} s")


def event(name: str) -> Any:
    """Return one of the events that are kept for `sam local`."""
    return json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))


def records(stage: Stage, queue: str, *bodies: object) -> dict[str, Any]:
    """Return an SQS event with these bodies, in this order."""
    (first,) = event("delete")["Records"]
    name = stage.outputs[f"{queue}QueueUrl"].rpartition("/")[2]
    return {
        "Records": [
            {
                **first,
                "messageId": str(number),
                "body": json.dumps(body),
                "eventSourceARN": f"arn:aws:sqs:{REGION}:000000000000:{name}",
                "attributes": {**first["attributes"], "MessageGroupId": f"group-{number}"},
            }
            for number, body in enumerate(bodies)
        ]
    }


def link_in(text: str) -> str:
    """Return the first link in a notice. Raises `ValueError` if there is none."""
    found = re.search(r"https://\S+/extend/[\w.-]+", text)
    if not found:
        raise ValueError(f"no link in {text}")
    return found[0]
