"""Tag all stacks and delete them with bare boto3, by the fewest calls that leave evidence.

Four for each stack: UpdateStack, and before DeleteStack what it consists of and its template.
No lease, no journal, nobody told, and nothing looked at again before it is changed.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3

WORKERS = 3
"""As many as Custodian has to delete."""

cloudformation = boto3.client("cloudformation")


def mark(stack: dict[str, Any]) -> None:
    """Add one tag."""
    cloudformation.update_stack(
        StackName=stack["StackId"],
        UsePreviousTemplate=True,
        Tags=[*stack["Tags"], {"Key": "marked", "Value": "yes"}],
    )


def delete(stack: dict[str, Any]) -> None:
    """Look at what is there, then delete it."""
    name = stack["StackId"]
    cloudformation.list_stack_resources(StackName=name)
    cloudformation.get_template(StackName=name)
    cloudformation.delete_stack(StackName=name)


for act in (mark, delete):
    pages = cloudformation.get_paginator("describe_stacks").paginate()
    with ThreadPoolExecutor(WORKERS) as workers:
        list(workers.map(act, [stack for page in pages for stack in page["Stacks"]]))
