"""Tag all stacks and delete them with bare boto3, by the fewest calls that leave evidence.

`bare_calls.py 4`: UpdateStack, and before DeleteStack what the stack consists of and its template.
`bare_calls.py 6`: the stack is described too, right before each of the two changes.

No lease, no journal, nobody told. Clients are set up as the janitor's are, which is cheaper.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3

from janitor.adapters.aws.client_config import config_of

LOOKS_AGAIN = sys.argv[1] == "6"
WORKERS = 3
"""As many as Custodian has to delete; more of them need no less CPU."""

cloudformation = boto3.client("cloudformation", config=config_of("cloudformation"))


def mark(stack: dict[str, Any]) -> None:
    """Add one tag."""
    name, tags = stack["StackId"], stack["Tags"]
    if LOOKS_AGAIN:
        tags = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["Tags"]
    marked = [*tags, {"Key": "marked", "Value": "yes"}]
    cloudformation.update_stack(StackName=name, UsePreviousTemplate=True, Tags=marked)


def delete(stack: dict[str, Any]) -> None:
    """Look at what is there, then delete it."""
    name = stack["StackId"]
    if LOOKS_AGAIN:
        cloudformation.describe_stacks(StackName=name)
    cloudformation.list_stack_resources(StackName=name)
    cloudformation.get_template(StackName=name)
    cloudformation.delete_stack(StackName=name)


for act in (mark, delete):
    pages = cloudformation.get_paginator("describe_stacks").paginate()
    with ThreadPoolExecutor(WORKERS) as workers:
        list(workers.map(act, [stack for page in pages for stack in page["Stacks"]]))
