"""A proxy in front of the emulator that refuses, or holds up, CloudFormation in one region."""

import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

REFUSAL = (
    b"<ErrorResponse><Error><Type>Sender</Type><Code>InvalidClientTokenId</Code>"
    b"<Message>The security token included in the request is invalid.</Message></Error>"
    b"<RequestId>refused</RequestId></ErrorResponse>"
)
"""What AWS answers in a region that the account has not opted into."""


@contextmanager
def proxied(
    upstream: str,
    region: str,
    *,
    held_seconds: float = 0.0,
    status: int = 403,
    kind: str = "text/xml",
    body: bytes = REFUSAL,
) -> Iterator[str]:
    """Pass everything on to `upstream`, but for CloudFormation calls to `region`.

    Those are refused, or answered as is said.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            scope = f"/{region}/cloudformation/"
            if scope in self.headers.get("Authorization", ""):
                time.sleep(held_seconds)
                self._answer(status, {"Content-Type": kind}, body)
                return
            request = urllib.request.Request(  # noqa: S310 - loopback only
                upstream + self.path, sent, dict(self.headers), method="POST"
            )
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                    self._answer(answer.status, dict(answer.headers), answer.read())
            except urllib.error.HTTPError as error:
                self._answer(error.code, dict(error.headers), error.read())

        def _answer(self, code: int, headers: dict[str, str], said: bytes) -> None:
            self.send_response(code)
            for name, value in headers.items():
                if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            # The caller may have been interrupted: that is what such a test is about.
            with suppress(BrokenPipeError, ConnectionResetError):
                self.wfile.write(said)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)
