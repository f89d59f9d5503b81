"""Measure reading all stacks with a default session and a paginator, and no more."""

import boto3

from timing import Numbers, counted_calls, print_timed

session = boto3.Session()
calls = counted_calls(session)
client = session.client("cloudformation")


def read() -> Numbers:
    """Read the stacks page by page, and do nothing with them."""
    pages = [len(page["Stacks"]) for page in client.get_paginator("describe_stacks").paginate()]
    return {"stacks": sum(pages), "largest_page": max(pages)}


print_timed(read, calls=calls)
