"""The extension page on this machine: a small HTTP server on 127.0.0.1, for demo and tests."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from janitor.extension_page.http import LONGEST_BODY, Request, Response

Answer = Callable[[Request], Response]
SECONDS_TO_ASK = 10.0


@contextmanager
def serve(make: Callable[[str], Answer]) -> Iterator[str]:
    """Serve on a free port of 127.0.0.1 and yield the address.

    `make` is given the address and returns what answers there. Nothing is logged, since a
    path holds a token.
    """
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    address = f"http://127.0.0.1:{server.server_port}"
    server.RequestHandlerClass = _handler(make(address))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield address
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(answer: Answer) -> type[BaseHTTPRequestHandler]:
    class Door(BaseHTTPRequestHandler):
        """One connection: one request of any method, handed to `answer`."""

        timeout = SECONDS_TO_ASK
        server_version = "janitor"
        sys_version = ""
        error_message_format = "%(code)d %(message)s\n"
        error_content_type = "text/plain"

        def __getattr__(self, name: str) -> Any:
            # The base class asks for `do_` and the method's name, whatever that is.
            if name.startswith("do_"):
                return self._answer
            raise AttributeError(name)

        def _answer(self) -> None:
            headers: dict[str, str] = {}
            for header, value in self.headers.items():
                name = header.lower()
                headers[name] = f"{headers[name]}, {value}" if name in headers else value
            response = answer(
                Request(
                    self.command,
                    self.path.partition("?")[0],
                    headers,
                    self._body(headers.get("content-length", "")),
                    str(self.client_address[0]),
                )
            )
            self.send_response(response.status)
            for name, value in response.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(response.body)))
            self.end_headers()
            self.wfile.write(response.body)

        def _body(self, length: str) -> bytes:
            """Read the body, or so much of one too long that it shows."""
            if not (length.isascii() and length.isdigit()):
                return b""
            size = int(length) if len(length) < len("1000000") else LONGEST_BODY + 1
            return self.rfile.read(min(size, LONGEST_BODY + 1))

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
            """Log nothing."""

    return Door
