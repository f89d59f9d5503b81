"""Emptying buckets and repositories, over the wire and in memory."""

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.fakes.resources import MemoryPurger, MemoryResources

from janitor.adapters.aws.purgers import BucketPurger, RepositoryPurger
from janitor.domain.stack.resources import Resource

BUCKET = Resource("Data", "AWS::S3::Bucket", "feat-data-1", "DELETE_FAILED")
IMAGES = Resource("Images", "AWS::ECR::Repository", "feat-images", "DELETE_FAILED")
PLACE = {"LocationConstraint": "eu-central-1"}

Aws = Callable[[str], Any]


def always() -> bool:
    """Have all the time there is."""
    return True


@pytest.fixture
def aws(connect: Callable[..., Any]) -> Aws:
    """Connect to services of ministack, in an account of this test."""
    clients: dict[str, Any] = {}

    def client(service: str) -> Any:
        return clients.setdefault(service, connect("ministack", service))

    return client


@pytest.fixture
def stack_id(aws: Aws) -> str:
    """Name a stack of that account."""
    account = aws("sts").get_caller_identity()["Account"]
    return f"arn:aws:cloudformation:eu-central-1:{account}:stack/feat/1"


def made_for(s3: Any, stack_id: str) -> None:
    """Tag the bucket as CloudFormation does, or as one that it did not make."""
    tags = [{"Key": "aws:cloudformation:stack-id", "Value": stack_id}] if stack_id else []
    s3.put_bucket_tagging(
        Bucket="feat-data-1", Tagging={"TagSet": [{"Key": "team", "Value": "web"}, *tags]}
    )


@pytest.fixture
def s3(aws: Aws, stack_id: str) -> Iterator[Any]:
    """Make the bucket, with versions, and one beside it."""
    client = aws("s3")
    for bucket in ("feat-data-1", "feat-data-2"):
        client.create_bucket(Bucket=bucket, CreateBucketConfiguration=PLACE)
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        client.put_object(Bucket=bucket, Key="a", Body=b"1")
    made_for(client, stack_id)
    yield client
    for bucket in ("feat-data-1", "feat-data-2"):
        for one in client.list_object_versions(Bucket=bucket).get("Versions", ()):
            client.delete_object(Bucket=bucket, Key=one["Key"], VersionId=one["VersionId"])
        client.delete_bucket(Bucket=bucket)


def left(s3: Any, bucket: str = "feat-data-1") -> int:
    """Count what is in a bucket."""
    found = s3.list_object_versions(Bucket=bucket)
    uploads = s3.list_multipart_uploads(Bucket=bucket)
    return sum(len(found.get(kind, ())) for kind in ("Versions", "DeleteMarkers")) + len(
        uploads.get("Uploads", ())
    )


def test_a_bucket_is_emptied_of_versions_markers_and_uploads(
    aws: Aws, s3: Any, stack_id: str
) -> None:
    """Each is counted, nothing is left, and the bucket beside it is as it was.

    Fails if `purge` leaves out `DeleteMarkers`.
    """
    for body in (b"2", b"3"):
        s3.put_object(Bucket="feat-data-1", Key="a", Body=body)
    s3.put_object(Bucket="feat-data-1", Key="ünïcode & <b>", Body=b"x")
    s3.delete_object(Bucket="feat-data-1", Key="a")
    s3.create_multipart_upload(Bucket="feat-data-1", Key="big")
    done = BucketPurger(lambda service, _: aws(service)).purge(stack_id, BUCKET, always)
    assert (dict(done.counts), done.is_empty, done.problem) == (
        {"object versions": 4, "delete markers": 1, "unfinished uploads": 1},
        True,
        "",
    )
    assert (left(s3), left(s3, "feat-data-2")) == (0, 1)
    again = BucketPurger(lambda service, _: aws(service)).purge(stack_id, BUCKET, always)
    assert (dict(again.counts), again.is_empty) == ({}, True)


def test_ten_thousand_versions_go_in_batches_and_carry_on_in_the_next_run(
    aws: Aws, s3: Any, stack_id: str
) -> None:
    """A thousand a call; what one run does not get to is left to the next."""
    calls: list[str] = []
    s3.meta.events.register(
        "before-call.s3.DeleteObjects", lambda model, **_: calls.append(model.name)
    )
    for number in range(2_499):
        s3.put_object(Bucket="feat-data-1", Key=f"{number % 50}", Body=b"x")
    purger = BucketPurger(lambda service, _: aws(service))
    time = iter([True, False])
    first = purger.purge(stack_id, BUCKET, lambda: next(time))
    assert (dict(first.counts), first.is_empty) == ({"object versions": 1000}, False)
    second = purger.purge(stack_id, BUCKET, always)
    assert (dict(second.counts), second.is_empty) == ({"object versions": 1500}, True)
    assert len(calls) == 3


@pytest.mark.parametrize("owner", ["another stack", "nobody", "not tagged at all"])
def test_a_bucket_whose_name_passed_on_is_left_alone(
    aws: Aws, s3: Any, stack_id: str, owner: str
) -> None:
    """Deleted by hand and made again by another stack, or by hand: its data is alive.

    Fails without `_not_its_own` in `BucketPurger`.
    """
    other = stack_id.replace("/feat/1", "/feat-2/2")
    if owner == "not tagged at all":
        s3.delete_bucket_tagging(Bucket="feat-data-1")
    else:
        made_for(s3, other if owner == "another stack" else "")
    done = BucketPurger(lambda service, _: aws(service)).purge(stack_id, BUCKET, always)
    whose = f"belongs to {other}" if owner == "another stack" else "was not made by CloudFormation"
    assert done.problem == f"what has this name now {whose}, and is left alone"
    assert (dict(done.counts), done.is_empty, left(s3)) == ({}, False, 1)


def test_a_bucket_that_is_gone_is_empty(aws: Aws, stack_id: str) -> None:
    """Another hand was faster."""
    done = BucketPurger(lambda service, _: aws(service)).purge(stack_id, BUCKET, always)
    assert (dict(done.counts), done.is_empty) == ({}, True)


def put_images(ecr: Any, count: int, stack_id: str) -> None:
    """Push images with a tag each into a repository that was made for a stack."""
    tags = [{"Key": "aws:cloudformation:stack-id", "Value": stack_id}]
    ecr.create_repository(repositoryName="feat-images", tags=tags)
    for number in range(count):
        config = {"digest": "sha256:" + hashlib.sha256(str(number).encode()).hexdigest()}
        ecr.put_image(
            repositoryName="feat-images",
            imageManifest=json.dumps({"schemaVersion": 2, "config": config}),
            imageTag=f"v{number}",
        )


def test_a_repository_is_emptied_in_batches(aws: Aws, stack_id: str) -> None:
    """A hundred a call, however many there are."""
    ecr = aws("ecr")
    put_images(ecr, 130, stack_id)
    done = RepositoryPurger(lambda service, _: aws(service)).purge(stack_id, IMAGES, always)
    assert (dict(done.counts), done.is_empty) == ({"images": 130}, True)
    assert ecr.list_images(repositoryName="feat-images")["imageIds"] == []


def test_a_repository_without_time_is_left_for_the_next_run(aws: Aws, stack_id: str) -> None:
    """Nothing is begun that cannot be journalled."""
    ecr = aws("ecr")
    put_images(ecr, 1, stack_id)
    purger = RepositoryPurger(lambda service, _: aws(service))
    done = purger.purge(stack_id, IMAGES, lambda: False)
    assert (dict(done.counts), done.is_empty, done.problem) == ({}, False, "")
    assert len(ecr.list_images(repositoryName="feat-images")["imageIds"]) == 1
    gone = Resource("Other", "AWS::ECR::Repository", "no-such", "DELETE_FAILED")
    assert purger.purge(stack_id, gone, always).is_empty


def test_a_repository_of_another_stack_is_left_alone(aws: Aws, stack_id: str) -> None:
    """As a bucket is. Fails without `_not_its_own` in `RepositoryPurger`."""
    ecr = aws("ecr")
    put_images(ecr, 1, stack_id.replace("/feat/1", "/feat-2/2"))
    done = RepositoryPurger(lambda service, _: aws(service)).purge(stack_id, IMAGES, always)
    assert done.problem.startswith("what has this name now belongs to ")
    assert (dict(done.counts), done.is_empty) == ({}, False)
    assert len(ecr.list_images(repositoryName="feat-images")["imageIds"]) == 1


@pytest.fixture
def memory() -> MemoryResources:
    """Make the twin of both."""
    resources = MemoryResources()
    resources.contents.update({"feat-data-1": 2500, "feat-images": 3, "other": 1})
    resources.put("arn", (BUCKET, IMAGES))
    return resources


def test_the_twin_empties_in_batches_too(memory: MemoryResources) -> None:
    """And leaves alone what it was not asked about."""
    time = iter([True, False])
    first = MemoryPurger(memory, "s3").purge("arn", BUCKET, lambda: next(time))
    assert (dict(first.counts), first.is_empty) == ({"object versions": 1000}, False)
    second = MemoryPurger(memory, "s3").purge("arn", BUCKET, always)
    assert (dict(second.counts), second.is_empty) == ({"object versions": 1500}, True)
    assert dict(memory.contents) == {"feat-data-1": 0, "feat-images": 3, "other": 1}
    assert MemoryPurger(memory, "ecr").purge("arn", IMAGES, always).is_empty


def test_the_twin_leaves_alone_what_is_another_stacks(memory: MemoryResources) -> None:
    """A name that passed on is not this stack's any more."""
    memory.made_for["feat-data-1"] = "another"
    done = MemoryPurger(memory, "s3").purge("arn", BUCKET, always)
    assert (dict(done.counts), done.is_empty, bool(done.problem)) == ({}, False, True)
    assert memory.contents["feat-data-1"] == 2500


def test_the_twin_leaves_alone_what_is_a_nested_stacks(memory: MemoryResources) -> None:
    """It was made for that one, and says so by its tag: the root's id opens nothing.

    Fails if the twin does not look at who lists the bucket.
    """
    memory.put("nested", (BUCKET,))
    memory.put("arn", (IMAGES,))
    assert MemoryPurger(memory, "s3").purge("arn", BUCKET, always).problem
    assert memory.contents["feat-data-1"] == 2500
    assert MemoryPurger(memory, "s3").purge("nested", BUCKET, always).is_empty
