"""CloudFormation: list all stacks of many regions, describe and tag one."""

import queue
import threading
import time
from collections.abc import Callable, Collection, Generator, Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from msgspec.structs import replace

from janitor.adapters.aws_errors import (
    AwsError,
    code_of,
    is_about_credentials,
    is_not_enabled,
    is_transient,
    message_of,
    translated,
)
from janitor.adapters.clients import instant_of
from janitor.adapters.stack_deletions import StackDeletions, is_unknown
from janitor.adapters.stack_reading import ODD, stack_of, stacks_of, why_odd
from janitor.adapters.stack_rules import region_of, tags_to_send
from janitor.core.errors import JanitorError, TagRefused
from janitor.core.failures import bug_text
from janitor.core.model import Stack
from janitor.core.plan import Listing
from janitor.core.unread import Unread

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.literals import CapabilityType
    from mypy_boto3_cloudformation.type_defs import StackEventTypeDef, StackTypeDef

CAPABILITIES: "tuple[CapabilityType, ...]" = (
    "CAPABILITY_IAM",
    "CAPABILITY_NAMED_IAM",
    "CAPABILITY_AUTO_EXPAND",
)
_WAITS = (0.0, 0.3, 0.7, 1.5)
"""Seconds before each look for the moved LastUpdatedTime: 2.5 s in all."""
_BEGUN_WITHIN = timedelta(minutes=1)
"""The event that begins an update is that close to LastUpdatedTime, or of another update."""


class CloudFormation(StackDeletions):
    """The `Stacks` port on boto3; what a deletion needs is in `stack_deletions.py`.

    `clients` returns the client of a region, and is called from the thread that lists it.
    `on_page` is told region and count after each page, from that thread too.
    """

    def __init__(
        self,
        clients: "Callable[[str], CloudFormationClient]",
        on_page: Callable[[str, int], None] | None = None,
        max_workers: int = 8,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(clients)
        self._on_page = on_page
        self._max_workers = max_workers
        self._pause = pause

    def list_all(self, regions: Iterable[str]) -> Generator[Listing, None, None]:
        """List the regions side by side, beginning now and not when first asked."""
        wanted = list(dict.fromkeys(regions))
        todo: queue.SimpleQueue[str] = queue.SimpleQueue()
        done: queue.SimpleQueue[Listing] = queue.SimpleQueue()
        stop = threading.Event()
        for region in wanted:
            todo.put(region)
        # Threads of a pool are waited for when the interpreter ends, and one that sits in
        # a call to a dead network would keep Ctrl-C waiting for minutes. Daemons are not.
        for _ in range(min(self._max_workers, len(wanted))):
            threading.Thread(target=self._list_next, args=(todo, done, stop), daemon=True).start()
        return _taken(len(wanted), done, stop)

    def describe(self, stack_id: str) -> Stack | None:
        """Describe one stack by its id."""
        raw = self._describe(stack_id)
        if raw is None:
            return None
        drift: dict[str, Any] = dict(raw.get("DriftInformation") or {})
        return replace(
            _read(stack_id, raw),
            outputs={
                out.get("OutputKey", ""): out.get("OutputValue", "")
                for out in raw.get("Outputs", ())
            },
            drift=drift.get("StackDriftStatus", ""),
        )

    def tag(
        self,
        stack: Stack,
        put: Mapping[str, str],
        remove: Collection[str],
        token: str,
        *,
        read_back: bool = True,
    ) -> datetime | None:
        """Update nothing but the tags. Everything that is left out here stays as it is."""
        region, stack_id = region_of(stack.stack_id), stack.stack_id
        raw = self._describe(stack_id)
        if raw is None:
            raise TagRefused(f"{stack.name} does not exist")
        fresh = _read(stack_id, raw)
        full = tags_to_send(fresh, stack, put, remove)
        if full == fresh.tags:
            return None
        try:
            # Never NotificationARNs, RoleARN or policies: [] would wipe topics, and a role
            # passed once stays on the stack for whoever operates it.
            self._clients(region).update_stack(
                StackName=stack_id,
                UsePreviousTemplate=True,
                Parameters=[
                    {"ParameterKey": parameter["ParameterKey"], "UsePreviousValue": True}
                    for parameter in raw.get("Parameters", ())
                ],
                Capabilities=list(CAPABILITIES),
                Tags=[{"Key": key, "Value": value} for key, value in full.items()],
                ClientRequestToken=token,
            )
        except ClientError as error:
            if "No updates are to be performed" in message_of(error):
                return None
            if code_of(error) != "TokenAlreadyExistsException":
                if is_transient(error) or is_about_credentials(error):
                    raise translated(error, f"tagging {stack.name} in {region}") from error
                raise TagRefused(
                    f"CloudFormation will not tag {stack.name}: {message_of(error)}"
                ) from error
        except AwsError as error:
            raise translated(error, f"tagging {stack.name} in {region}") from error
        return self._moved(stack_id, fresh.updated) if read_back else None

    def own_update(self, stack_id: str, token: str) -> datetime | None:
        """Read the events back to where the last operation began; all of it has one token."""
        raw = self._describe(stack_id)
        updated = _read(stack_id, raw).updated if raw else None
        client = self._clients(region_of(stack_id))
        pages = client.get_paginator("describe_stack_events").paginate(StackName=stack_id)
        try:
            for event in (event for page in pages for event in page["StackEvents"]):
                if event.get("PhysicalResourceId") != stack_id:
                    continue
                if updated is None or event.get("ClientRequestToken") != token:
                    return None
                if event.get("ResourceStatus") == "UPDATE_IN_PROGRESS":
                    is_of_it = abs(_begun(event) - updated) <= _BEGUN_WITHIN
                    return updated if is_of_it else None
        except AwsError as error:
            raise translated(error, f"reading the events of {stack_id}") from error
        return None

    def _list_next(
        self,
        todo: queue.SimpleQueue[str],
        done: queue.SimpleQueue[Listing],
        stop: threading.Event,
    ) -> None:
        while not stop.is_set():
            try:
                region = todo.get_nowait()
            except queue.Empty:
                return
            try:
                done.put(self._list(region, stop))
            except AwsError as error:
                done.put(Listing(region, error=_not_listed(region, error)))
            except JanitorError as error:
                done.put(Listing(region, error=f"listing {region} failed: {error}"))
            except Exception as error:
                # Whatever it was, the region is not known in full, and the rest goes on.
                done.put(Listing(region, error=bug_text(error), bug=error))

    def _list(self, region: str, stop: threading.Event) -> Listing:
        stacks: list[Stack] = []
        unread: list[Unread] = []
        for page in self._clients(region).get_paginator("describe_stacks").paginate():
            some, odd = stacks_of(region, page["Stacks"])
            stacks += some
            unread += odd
            if self._on_page:
                self._on_page(region, len(stacks))
            if stop.is_set():
                break  # Nobody will take the listing.
        return Listing(region, tuple(stacks), unread=tuple(unread))

    def _describe(self, stack_id: str) -> "StackTypeDef | None":
        region = region_of(stack_id)
        try:
            found = self._clients(region).describe_stacks(StackName=stack_id)["Stacks"]
        except ClientError as error:
            if is_unknown(error):
                return None
            raise translated(error, f"describing {stack_id}") from error
        except AwsError as error:
            raise translated(error, f"describing {stack_id}") from error
        if not found:
            raise JanitorError(f"describing {stack_id} failed: CloudFormation named no stack")
        return found[0]

    def _moved(self, stack_id: str, before: datetime | None) -> datetime | None:
        """Wait a moment for LastUpdatedTime to leave `before`; None if it never does."""
        for seconds in _WAITS:
            if seconds:
                self._pause(seconds)
            raw = self._describe(stack_id)
            after = _read(stack_id, raw).updated if raw else None
            if after is not None and after != before:
                return after
        return None


def _not_listed(region: str, error: Exception) -> str:
    if not is_not_enabled(error):
        return str(translated(error, f"listing {region}"))
    said = f"{code_of(error)}: {message_of(error)}"
    return f"{region} is not enabled in this account, or refuses these credentials ({said})"


def _taken(
    count: int, done: queue.SimpleQueue[Listing], stop: threading.Event
) -> Generator[Listing, None, None]:
    try:
        for _ in range(count):
            yield done.get()
    finally:
        stop.set()


def _read(stack_id: str, raw: "StackTypeDef") -> Stack:
    try:
        return stack_of(region_of(stack_id), dict(raw))
    except ODD as error:
        raise JanitorError(f"describing {stack_id} failed: {why_odd(error)}") from error


def _begun(event: "StackEventTypeDef") -> datetime:
    try:
        return instant_of(event["Timestamp"], "Timestamp")
    except ODD as error:
        raise JanitorError(f"an event of {event.get('StackName')}: {why_odd(error)}") from error
