"""The command line in processes of its own, on an emulated account over HTTP."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from typing import IO, Any

import boto3

TEMPLATE = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Return stdout as JSON."""
        return json.loads(self.out)


@dataclass(frozen=True)
class CommandLine:
    """`janitor` in a process of its own, on one emulator."""

    url: str
    clients: dict[tuple[str, str], Any] = field(default_factory=dict)

    def start(self, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        """Start a command and leave it running."""
        return self.into(subprocess.PIPE, *arguments, **environment)

    def into(
        self, stdout: IO[str] | int, /, *arguments: str, **environment: str
    ) -> "subprocess.Popen[str]":
        """Start a command whose output goes somewhere."""
        return subprocess.Popen(
            [sys.executable, "-m", "janitor.entrypoints.cli.main", *arguments],
            env={**os.environ, "AWS_ENDPOINT_URL": self.url, **environment},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *arguments: str, **environment: str) -> Ran:
        """Run a command to its end."""
        process = self.start(*arguments, **environment)
        out, err = process.communicate(timeout=120)
        return Ran(process.returncode, out, err)

    def client(self, service: str, region: str = "eu-central-1") -> Any:
        """Return a client that does to the account what other people do."""
        if (service, region) not in self.clients:
            make: Any = boto3.client
            self.clients[service, region] = make(service, region_name=region, endpoint_url=self.url)
        return self.clients[service, region]

    def deploy(self, name: str, region: str = "eu-central-1", **tags: str) -> str:
        """Deploy a stack that the janitor did not make; `ttl` stands for `janitor:ttl`."""
        pairs = [
            {"Key": f"janitor:{key}" if key in ("ttl", "expires", "protect") else key, "Value": v}
            for key, v in tags.items()
        ]
        created = self.client("cloudformation", region).create_stack(
            StackName=name, TemplateBody=TEMPLATE, Tags=pairs
        )
        return str(created["StackId"])
