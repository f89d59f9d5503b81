"""Emptying what keeps a stack from going: S3 buckets with all versions, ECR repositories."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from janitor.adapters.aws.errors import AwsError, code_of, is_throttled, translated
from janitor.adapters.aws.tag_update_rules import account_of, prefix_of, region_of
from janitor.application.ports import Purged
from janitor.domain.deletion.causes import THROTTLED_CODES
from janitor.domain.stack.resources import Resource

BATCH = 1000
"""The most that S3 deletes in one call."""

IMAGES = 100
"""The most that ECR does."""

ROUNDS = 3
_MISSING = frozenset({"NoSuchBucket", "RepositoryNotFoundException"})
"""Gone by another hand: nothing is left in it."""

MADE_FOR = "aws:cloudformation:stack-id"
"""CloudFormation puts this tag on what it makes, and AWS lets nobody else write or remove it."""

Clients = Callable[[str, str], Any]
"""Returns the client of a service in a region; there are no type stubs for these two."""


class BucketPurger:
    """Empties a bucket: every version, every delete marker, every upload that never ended.

    Only one that was made for this stack: a name can have passed on to another stack. Each
    call names the owner that it expects, should it have passed to another account.
    """

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def purge(self, stack_id: str, resource: Resource, may_go_on: Callable[[], bool]) -> Purged:
        client = self._clients("s3", region_of(stack_id))
        whose = {"Bucket": resource.physical_id, "ExpectedBucketOwner": account_of(stack_id)}
        counts: Counter[str] = Counter()
        try:
            if why := _not_its_own(stack_id, _bucket_tags(client, whose)):
                return Purged(counts, is_empty=False, problem=why)
            for page in client.get_paginator("list_object_versions").paginate(**whose):
                for kind in ("Versions", "DeleteMarkers"):
                    batch = [
                        {"Key": one["Key"], "VersionId": one["VersionId"]}
                        for one in page.get(kind, ())
                    ]
                    if not batch:
                        continue
                    if not may_go_on():
                        return Purged(counts, is_empty=False)
                    answer = client.delete_objects(
                        Delete={"Objects": batch, "Quiet": True}, **whose
                    )
                    errors = answer.get("Errors", ())
                    counts[_KINDS[kind]] += len(batch) - len(errors)
                    if errors:
                        return Purged(counts, is_empty=False, problem=_why_some_stay(errors))
            return self._abort_uploads(client, whose, counts, may_go_on)
        except AwsError as error:
            return _ended(error, f"emptying the bucket {resource.physical_id}", counts)

    @staticmethod
    def _abort_uploads(
        client: Any, whose: dict[str, str], counts: Counter[str], may_go_on: Callable[[], bool]
    ) -> Purged:
        for page in client.get_paginator("list_multipart_uploads").paginate(**whose):
            for upload in page.get("Uploads", ()):
                if not may_go_on():
                    return Purged(counts, is_empty=False)
                key = {"Key": upload["Key"], "UploadId": upload["UploadId"]}
                client.abort_multipart_upload(**key, **whose)
                counts["unfinished uploads"] += 1
        return Purged(counts, is_empty=True)


def _why_some_stay(errors: Sequence[Mapping[str, str]]) -> str:
    """Say why objects were not deleted; nothing if S3 only throttled, and the next run goes on."""
    wrong = [one for one in errors if one.get("Code") not in THROTTLED_CODES]
    if not wrong:
        return ""
    first = wrong[0]
    return f"{len(errors)} stay, {first.get('Key')}: {first.get('Message') or first.get('Code')}"


_KINDS = {"Versions": "object versions", "DeleteMarkers": "delete markers"}


class RepositoryPurger:
    """Empties an image repository, if it was made for this stack."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def purge(self, stack_id: str, resource: Resource, may_go_on: Callable[[], bool]) -> Purged:
        client = self._clients("ecr", region_of(stack_id))
        whose = {"repositoryName": resource.physical_id, "registryId": account_of(stack_id)}
        counts: Counter[str] = Counter()
        problem = ""
        arn = f"{prefix_of(stack_id, 'ecr')}:repository/{resource.physical_id}"
        try:
            if why := _not_its_own(
                stack_id, client.list_tags_for_resource(resourceArn=arn)["tags"]
            ):
                return Purged(counts, is_empty=False, problem=why)
            # What a manifest list names goes only once the list has gone.
            for _ in range(ROUNDS):
                # Read to the end first: pages shift when what they list goes.
                pages = client.get_paginator("list_images").paginate(**whose)
                digests = sorted({one["imageDigest"] for page in pages for one in page["imageIds"]})
                if not digests:
                    return Purged(counts, is_empty=True)
                for batch in _batches(digests, IMAGES):
                    if not may_go_on():
                        return Purged(counts, is_empty=False)
                    ids = [{"imageDigest": digest} for digest in batch]
                    answer = client.batch_delete_image(imageIds=ids, **whose)
                    failures = answer.get("failures", ())
                    counts["images"] += len(batch) - len(failures)
                    problem = failures[0].get("failureReason", "") if failures else ""
        except AwsError as error:
            return _ended(error, f"emptying the repository {resource.physical_id}", counts)
        return Purged(counts, is_empty=False, problem=f"some images stay: {problem}")


def _bucket_tags(client: Any, whose: dict[str, str]) -> Iterable[Mapping[str, str]]:
    try:
        tags: list[Mapping[str, str]] = client.get_bucket_tagging(**whose)["TagSet"]
    except ClientError as error:
        if code_of(error) == "NoSuchTagSet":
            return ()
        raise
    return tags


def _not_its_own(stack_id: str, tags: Iterable[Mapping[str, str]]) -> str:
    """Say why this cannot be what the stack once had; nothing if it is."""
    made_for = next((tag["Value"] for tag in tags if tag["Key"] == MADE_FOR), "")
    if made_for == stack_id:
        return ""
    whose = f"belongs to {made_for}" if made_for else "was not made by CloudFormation"
    return f"what has this name now {whose}, and is left alone"


def _batches(items: list[str], size: int) -> Iterable[list[str]]:
    return (items[first : first + size] for first in range(0, len(items), size))


def _ended(error: Exception, doing: str, counts: Counter[str]) -> Purged:
    """Say what was done until AWS said no, since it is done."""
    if code_of(error) in _MISSING:
        return Purged(counts, is_empty=True)
    if is_throttled(error):  # The next run goes on with it, and no attempt is spent.
        return Purged(counts, is_empty=False)
    return Purged(counts, is_empty=False, problem=str(translated(error, doing)))
