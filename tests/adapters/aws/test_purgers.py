"""Emptying that AWS throttles: how the answer of its service is taken."""

from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from janitor.adapters.aws.purgers import BucketPurger
from janitor.domain.stack.resources import Resource

STACK_ID = "arn:aws:cloudformation:eu-central-1:123456789012:stack/feat/1"
BUCKET = Resource("Data", "AWS::S3::Bucket", "feat-data-1", "DELETE_FAILED")
TAGS = {"TagSet": [{"Key": "aws:cloudformation:stack-id", "Value": STACK_ID}]}
VERSIONS = {"Versions": [{"Key": "a", "VersionId": "1"}]}


def refused_call(aws: Stubber, code: str) -> None:
    """Let S3 refuse the call as a whole."""
    aws.add_client_error("delete_objects", code, "no", http_status_code=503)


def refused_objects(aws: Stubber, code: str) -> None:
    """Let S3 take the call, and refuse the objects in it."""
    error = {"Key": "a", "VersionId": "1", "Code": code, "Message": "no"}
    aws.add_response("delete_objects", {"Errors": [error]})


@pytest.mark.parametrize("refuse", [refused_call, refused_objects])
@pytest.mark.parametrize("code,is_problem", [("SlowDown", False), ("AccessDenied", True)])
def test_emptying_that_is_throttled_goes_on_in_the_next_run(
    refuse: Callable[[Stubber, str], None], code: str, is_problem: bool
) -> None:
    """It is no problem of the bucket, so that no attempt is spent on it.

    Fails if `_ended`, or `_why_some_stay`, does not ask whether it was throttled.
    """
    client: Any = boto3.client("s3", region_name="eu-central-1")
    with Stubber(client) as aws:
        aws.add_response("get_bucket_tagging", TAGS)
        aws.add_response("list_object_versions", VERSIONS)
        refuse(aws, code)
        done = BucketPurger(lambda *_: client).purge(STACK_ID, BUCKET, lambda: True)
    assert (done.is_empty, bool(done.problem)) == (False, is_problem)
