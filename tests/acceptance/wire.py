"""The wire between the deployed functions and DynamoDB, which tests cut and stop."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit


class Wire:
    """A TCP proxy on a port of 127.0.0.1: DynamoDB's address as the functions know it."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._upstream: tuple[str, int] = ("127.0.0.1", 0)
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._is_cut = False
        self._stop_at, self._passes = b"", 0
        self.stopped = threading.Event()
        """Set when the request came at which the wire is to stop."""
        self._go_on = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """Return where it listens."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def lead_to(self, url: str) -> None:
        """Pass on to this address from now on."""
        at = urlsplit(url)
        self._upstream = (str(at.hostname), int(at.port or 80))

    @contextmanager
    def cut(self) -> Iterator[None]:
        """Close every connection, and every new one, until the end of the block."""
        with self._lock:
            self._is_cut = True
            for one in self._open:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
        try:
            yield
        finally:
            self._is_cut = False

    @contextmanager
    def stopping_at(self, what: bytes, passes: int = 0) -> Iterator[None]:
        """Hold what comes from the request on that has `what` in it, having let some pass.

        At the end of the block it is thrown away, and its connection closed.
        """
        self.stopped.clear()
        self._go_on.clear()
        self._stop_at, self._passes = what, passes
        try:
            yield
        finally:
            self._stop_at = b""
            self._go_on.set()

    def close(self) -> None:
        """Listen no more."""
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._join, args=(near,), daemon=True).start()

    def _join(self, near: socket.socket) -> None:
        with near, suppress(OSError):  # the emulator may be gone before its functions are
            if self._is_cut:
                return
            with socket.create_connection(self._upstream) as far:
                with self._lock:
                    self._open |= {near, far}
                back = threading.Thread(target=_pump, args=(far, near), daemon=True)
                back.start()
                with suppress(OSError):
                    while (data := near.recv(65536)) and not self._holds(data):
                        far.sendall(data)
                for one in (near, far):
                    with suppress(OSError):
                        one.shutdown(socket.SHUT_RDWR)
                back.join()
                with self._lock:
                    self._open -= {near, far}

    def _holds(self, data: bytes) -> bool:
        """Tell whether these bytes were held, and so are lost."""
        with self._lock:
            if not (self._stop_at and self._stop_at in data):
                return False
            self._passes -= 1
            if self._passes >= 0:
                return False
        self.stopped.set()
        self._go_on.wait()
        return True


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)
