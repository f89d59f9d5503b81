"""One contract for the archive: in memory, and in S3 as two emulators have it."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from tests.fakes.archive import MemoryArchive

from janitor.adapters.aws.s3_archive import S3Archive
from janitor.application.ports import Archive
from janitor.domain.errors import ConfigurationError
from janitor.domain.journal.archive_format import (
    Began,
    Seen,
    Trace,
    Written,
    beginning_of,
    objects_of,
    trace_of,
)
from janitor.domain.journal.chain_check import Finding

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
EMULATORS = ["ministack", "moto"]
REGION = {"LocationConstraint": "eu-central-1"}


class Bucket:
    """A fresh bucket of an emulator, with Object Lock and so with versions."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.name = f"archive-{uuid.uuid4().hex[:8]}"
        client.create_bucket(
            Bucket=self.name, CreateBucketConfiguration=REGION, ObjectLockEnabledForBucket=True
        )
        client.put_object_lock_configuration(
            Bucket=self.name,
            ObjectLockConfiguration={
                "ObjectLockEnabled": "Enabled",
                "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}},
            },
        )

    def keys(self) -> list[str]:
        """Return the keys of all objects."""
        listed = self.client.list_objects_v2(Bucket=self.name)
        return [str(one["Key"]) for one in listed.get("Contents", ())]


@pytest.fixture(params=EMULATORS)
def bucket(request: pytest.FixtureRequest, connect: Callable[..., Any]) -> Bucket:
    """Make a fresh bucket in each emulator."""
    return Bucket(connect(request.param, "s3"))


@pytest.fixture(params=["memory", *EMULATORS])
def archive(request: pytest.FixtureRequest, connect: Callable[..., Any]) -> Archive:
    """Make a fresh archive of each kind."""
    if request.param == "memory":
        return MemoryArchive()
    client = connect(request.param, "s3")
    return S3Archive(client, f"s3://{Bucket(client).name}/deep/er")


def a_write(number: int, seen: Seen = Seen.INSERT) -> Written:
    """Make a write to the journal."""
    document = {"key": "k", "seq": number, "prev_hash": "0", "hash": f"{number}"}
    removed = seen is Seen.REMOVE
    return Written("k", number, seen, NOON, 100 + number, None if removed else document)


def put(archive: Archive, *writes: Written) -> str:
    """Put one object; return its name."""
    (made,) = objects_of(writes)
    archive.put(made)
    return made.name


Told = tuple[str, Trace] | Began | Finding


def traces(archive: Archive) -> list[Told]:
    """Return everything that the archive tells: what is wrong, the lines by number, its beginning."""

    def place(told: Told) -> int:
        match told:
            case Finding():
                return 0
            case Began():
                return 10**6
            case _, trace:
                return trace.number

    return sorted(archive.traces(), key=place)


def test_what_was_put_is_read(archive: Archive) -> None:
    """Every line of every object, with the key of its chain."""
    writes = [a_write(number) for number in range(1, 5)]
    put(archive, *writes[:3])
    put(archive, writes[3])
    assert traces(archive) == [("k", trace_of(write)) for write in writes]


def test_an_archive_that_nothing_was_put_into_is_empty(archive: Archive) -> None:
    """And no error."""
    assert traces(archive) == []


def test_an_object_that_is_there_stays(archive: Archive) -> None:
    """Putting it again is success: the same batch makes the same object.

    Fails without `IfNoneMatch`: a second version is a finding.
    """
    put(archive, a_write(1))
    put(archive, a_write(1))
    assert traces(archive) == [("k", trace_of(a_write(1)))]


def test_the_first_word_of_when_it_began_stays(archive: Archive) -> None:
    """Every batch puts one, and none is put over it.

    Fails without `IfNoneMatch`: the second one is a finding.
    """
    for number in (1, 2):
        archive.put(beginning_of([replace(a_write(number), at=NOON + timedelta(days=number))]))
        put(archive, a_write(number))
    began = Began(NOON + timedelta(days=1))
    assert traces(archive) == [*(("k", trace_of(a_write(n))) for n in (1, 2)), began]


def test_more_objects_than_are_read_at_once_are_all_read(archive: Archive) -> None:
    """Seventy are more than one round."""
    writes = [a_write(number) for number in range(1, 71)]
    for write in writes:
        put(archive, write)
    assert traces(archive) == [("k", trace_of(write)) for write in writes]


def test_the_oldest_version_counts_and_the_newer_one_is_named(bucket: Bucket) -> None:
    """Whoever may write to the bucket can put another version over an object.

    Fails if the newest is taken: `versions[0]`.
    """
    archive = S3Archive(bucket.client, f"s3://{bucket.name}")
    name = put(archive, a_write(1))
    bucket.client.put_object(Bucket=bucket.name, Key=name, Body=b"forged")
    finding, line = traces(archive)
    assert isinstance(finding, Finding)
    assert "was put 2 times; the oldest one counts" in finding.text
    assert line == ("k", trace_of(a_write(1)))


def test_an_object_that_was_deleted_is_read_all_the_same_and_named(bucket: Bucket) -> None:
    """A delete hides an object under a marker; under Object Lock the version stays.

    Fails if delete markers are not listed.
    """
    archive = S3Archive(bucket.client, f"s3://{bucket.name}/p")
    put(archive, a_write(1))
    bucket.client.delete_object(Bucket=bucket.name, Key=bucket.keys()[0])
    finding, line = traces(archive)
    assert isinstance(finding, Finding)
    assert "was deleted, which hides it" in finding.text
    assert line == ("k", trace_of(a_write(1)))


def test_a_beginning_that_was_put_again_is_named_and_the_first_one_counts(bucket: Bucket) -> None:
    """Under Object Lock a delete only hides it, and then the next batch writes another."""
    archive = S3Archive(bucket.client, f"s3://{bucket.name}/p")
    archive.put(beginning_of([a_write(1)]))
    bucket.client.delete_object(Bucket=bucket.name, Key=bucket.keys()[0])
    archive.put(beginning_of([replace(a_write(2), at=NOON + timedelta(days=9))]))
    hidden, again, began = traces(archive)
    assert isinstance(hidden, Finding)
    assert isinstance(again, Finding)
    assert "was deleted" in hidden.text
    assert "was put 2 times" in again.text
    assert began == Began(NOON)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"began": "soon"}'])
def test_a_beginning_that_no_janitor_wrote_is_named(bucket: Bucket, body: bytes) -> None:
    """And is none."""
    bucket.client.put_object(Bucket=bucket.name, Key="began.jsonl", Body=body)
    (finding,) = traces(S3Archive(bucket.client, f"s3://{bucket.name}"))
    assert isinstance(finding, Finding)
    assert "the object began.jsonl cannot be read" in finding.text


@pytest.mark.parametrize("body", [b"", b"\xff", b'{"seq": 1}\n'])
def test_an_object_that_no_janitor_wrote_is_named(bucket: Bucket, body: bytes) -> None:
    """Its name does not fit what is in it, and nothing in it is believed."""
    archive = S3Archive(bucket.client, f"s3://{bucket.name}")
    bucket.client.put_object(Bucket=bucket.name, Key="2026/06/01/any.jsonl", Body=body)
    (finding,) = traces(archive)
    assert isinstance(finding, Finding)
    assert "2026/06/01/any.jsonl" in finding.text


def test_what_lies_beside_the_prefix_is_not_read(bucket: Bucket) -> None:
    """Several archives may share a bucket."""
    put(S3Archive(bucket.client, f"s3://{bucket.name}/one/"), a_write(1))
    put(S3Archive(bucket.client, f"s3://{bucket.name}/one-more"), a_write(2))
    assert traces(S3Archive(bucket.client, f"s3://{bucket.name}/one")) == [
        ("k", trace_of(a_write(1)))
    ]


@pytest.mark.parametrize("emulator", EMULATORS)
def test_a_bucket_that_is_not_there_is_named(emulator: str, connect: Callable[..., Any]) -> None:
    """Reading and writing alike, in one line."""
    archive = S3Archive(connect(emulator, "s3"), "s3://no-such-bucket-anywhere/here")
    expected = "there is no bucket no-such-bucket-anywhere"
    with pytest.raises(ConfigurationError, match=expected):
        traces(archive)
    with pytest.raises(ConfigurationError, match=expected):
        put(archive, a_write(1))
