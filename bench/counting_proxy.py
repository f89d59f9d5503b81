"""A proxy on 127.0.0.1 that counts AWS calls by name, and can make each take longer."""

import asyncio
import re
import threading
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

_HEAD_LIMIT = 1024 * 1024
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_CHUNKED = re.compile(rb"(?i)\r\ntransfer-encoding: *chunked")
_TARGET = re.compile(rb"(?i)\r\nx-amz-target: *[^.\r]*\.(\w+)")
_ACTION = re.compile(rb"(?:^|&)Action=(\w+)")
_CLOSES = re.compile(rb"(?i)\r\nconnection: *close")

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class CountingProxy:
    """What passes on to one emulator; `calls` and `delay` may be set between two runs."""

    port: int
    """Of the emulator."""
    url: str = ""
    delay: float = 0.0
    """Seconds that every call takes longer; all that are under way wait side by side."""
    calls: Counter[str] = field(default_factory=Counter)
    most_at_once: int = 0
    _at_once: int = 0
    _idle: deque[Stream] = field(default_factory=deque)
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    async def serve(self, started: threading.Event, stop: asyncio.Event) -> None:
        """Serve on a free port until `stop`."""
        server = await asyncio.start_server(self._client, "127.0.0.1", 0, limit=_HEAD_LIMIT)
        async with server:
            self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            started.set()
            await stop.wait()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for _, writer in self._idle:
            writer.close()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            while True:
                head, body = await _message(reader)
                self.calls[_name(head, body)] += 1
                self._at_once += 1
                self.most_at_once = max(self.most_at_once, self._at_once)
                try:
                    if self.delay:
                        await asyncio.sleep(self.delay)
                    answer = await self._ask(head + body)
                finally:
                    self._at_once -= 1
                writer.write(answer)
                await writer.drain()
        except (EOFError, ConnectionError, asyncio.CancelledError):
            pass  # The client has gone, or the bench ends.
        finally:
            writer.close()

    async def _ask(self, request: bytes) -> bytes:
        """Return the emulator's answer, over a connection that is kept for the next call."""
        kept = bool(self._idle)
        stream = self._idle.pop() if kept else await self._connect()
        try:
            stream[1].write(request)
            head, body = await _message(stream[0])
        except (EOFError, ConnectionError):
            stream[1].close()
            if not kept:
                raise
            # The emulator had closed the idle connection: the request has not been read.
            stream = await self._connect()
            stream[1].write(request)
            head, body = await _message(stream[0])
        if _CLOSES.search(head):
            stream[1].close()
        else:
            self._idle.append(stream)
        return head + body

    async def _connect(self) -> Stream:
        return await asyncio.open_connection("127.0.0.1", self.port, limit=_HEAD_LIMIT)


@contextmanager
def counting_proxy(port: int) -> Iterator[CountingProxy]:
    """Run a proxy before the emulator on `port`, in a thread of this process."""
    proxy, started, stop = CountingProxy(port), threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(
        target=lambda: loop.run_until_complete(proxy.serve(started, stop)), daemon=True
    )
    thread.start()
    started.wait()
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    if length := _LENGTH.search(head):
        return head, await reader.readexactly(int(length[1]))
    if not _CHUNKED.search(head):
        return head, b""
    parts = []
    while True:
        size = await reader.readuntil(b"\r\n")
        parts += [size, await reader.readexactly(int(size, 16) + 2)]
        if int(size, 16) == 0:
            return head, b"".join(parts)


def _name(head: bytes, body: bytes) -> str:
    found = _TARGET.search(head) or _ACTION.search(body)
    return found[1].decode() if found else "other"
