"""CloudFormation: list all stacks of many regions, describe one."""

import queue
import threading
import time
from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from janitor.adapters.aws.cloudformation_tagging import StackTagging
from janitor.adapters.aws.errors import (
    AwsError,
    code_of,
    is_not_enabled,
    message_of,
    translated,
)
from janitor.adapters.aws.stack_parsing import read_stack, stacks_of
from janitor.domain.errors import JanitorError
from janitor.domain.failures import bug_text
from janitor.domain.model import Stack
from janitor.domain.planning.plan import Listing
from janitor.domain.planning.unreadable import Unread

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient


class CloudFormation(StackTagging):
    """The `Stacks` port on boto3; more of it is in `cloudformation_deletion.py` and `cloudformation_tagging.py`.

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
        super().__init__(clients, pause)
        self._on_page = on_page
        self._max_workers = max_workers

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
            read_stack(stack_id, raw),
            outputs={
                out.get("OutputKey", ""): out.get("OutputValue", "")
                for out in raw.get("Outputs", ())
            },
            drift=drift.get("StackDriftStatus", ""),
        )

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
