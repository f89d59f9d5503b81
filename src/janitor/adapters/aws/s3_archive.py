"""The archive in an S3 bucket: objects that are written once, under Object Lock."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError

from janitor.adapters.aws.client_config import instant_of
from janitor.adapters.aws.errors import AwsError, code_of, is_denied, message_of, translated
from janitor.domain.errors import ConfigurationError, JanitorError
from janitor.domain.journal.archive_format import (
    ArchiveObject,
    Began,
    Trace,
    UnreadableArchive,
    told_by,
)
from janitor.domain.journal.chain_check import Finding

Told = tuple[str, Trace] | Began | Finding
AT_ONCE = 16
"""Objects that are read at a time: most are small, and waiting is what takes long."""


class S3Archive:
    """The `Archive` port at an address like `s3://BUCKET` or `s3://BUCKET/PREFIX`."""

    def __init__(self, client: Any, address: str) -> None:
        self._client = client
        self._bucket, _, below = address.removeprefix("s3://").partition("/")
        self._prefix = f"{below.strip('/')}/" if below.strip("/") else ""

    def put(self, made: ArchiveObject) -> None:
        """Write where there is nothing yet; the name says what is in it, so else it is done."""
        key = f"{self._prefix}{made.name}"
        try:
            self._client.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=made.body,
                IfNoneMatch="*",
                ChecksumAlgorithm="SHA256",  # a bucket with Object Lock asks for one
                ContentType="application/x-ndjson",
            )
        except ClientError as error:
            if code_of(error) != "PreconditionFailed":
                raise self._translated(error, f"writing {key}") from error
        except AwsError as error:
            raise self._translated(error, f"writing {key}") from error

    def traces(self) -> Iterator[Told]:
        """Read the oldest version of every object: what was put over it later is named."""
        versions = self._oldest_versions()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            while some := list(islice(versions, AT_ONCE * 4)):
                wanted = []
                for found in some:
                    if isinstance(found, Finding):
                        yield found
                    else:
                        wanted.append(found)
                for read in pool.map(self._read, wanted):
                    yield from read

    def _oldest_versions(self) -> Iterator[tuple[str, str] | Finding]:
        """Yield key and version of each object, and a finding where there is more to it."""
        entries = self._entries()
        current: list[tuple[str, str, bool]] = []
        for entry in entries:
            if current and entry[0] != current[0][0]:
                yield from _first_of(current)
                current = []
            current.append(entry)
        if current:
            yield from _first_of(current)

    def _entries(self) -> Iterator[tuple[str, str, bool]]:
        """Yield key, version and whether it hides the object; of one key the newest first."""
        pages = self._client.get_paginator("list_object_versions")
        try:
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix):
                entries = [
                    (str(one["Key"]), _written(one), str(one["VersionId"]), hides)
                    for kind, hides in (("Versions", False), ("DeleteMarkers", True))
                    for one in page.get(kind, ())
                ]
                entries.sort(key=lambda entry: entry[1], reverse=True)
                entries.sort(key=lambda entry: entry[0])
                yield from ((key, version, hides) for key, _, version, hides in entries)
        except AwsError as error:
            raise self._translated(error, "listing the archive") from error

    def _read(self, found: tuple[str, str]) -> list[Told]:
        key, version = found
        try:
            body = self._client.get_object(Bucket=self._bucket, Key=key, VersionId=version)
            return list(_traces(key, body["Body"].read()))
        except AwsError as error:
            raise self._translated(error, f"reading {key}") from error

    def _translated(self, error: Exception, doing: str) -> JanitorError:
        """Say what S3 did not like; what a person can put right is a `ConfigurationError`."""
        where = f"s3://{self._bucket}/{self._prefix}"
        if code_of(error) == "NoSuchBucket":
            return ConfigurationError(f"there is no bucket {self._bucket} for the archive {where}")
        if is_denied(error):
            return ConfigurationError(
                f"permission is missing for {doing} in {where}: {message_of(error)}"
            )
        return translated(error, f"{doing} in {where}")


def _written(version: Any) -> datetime:
    try:
        return instant_of(version.get("LastModified"), "LastModified")
    except ValueError as error:
        raise JanitorError(f"the archive cannot be listed: {version['Key']}: {error}") from error


def _traces(key: str, body: bytes) -> Iterable[Told]:
    try:
        yield from told_by(key, body)
    except UnreadableArchive as error:
        yield Finding(key, 0, "archive", str(error))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        yield Finding(key, 0, "archive", f"the object {key} cannot be read: {error}")


def _first_of(entries: list[tuple[str, str, bool]]) -> Iterator[tuple[str, str] | Finding]:
    """Return the oldest version of one object, and say what was done to it since."""
    key = entries[0][0]
    versions = [version for _, version, hides in entries if not hides]
    if any(hides for _, _, hides in entries):
        yield Finding(key, 0, "archive", f"the object {key} was deleted, which hides it")
    if len(versions) > 1:
        text = f"the object {key} was put {len(versions)} times; the oldest one counts"
        yield Finding(key, 0, "archive", text)
    if versions:
        yield key, versions[-1]
