"""A server on this machine that answers every request with the same, whatever was asked."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HTML = b"<html><head><title>Sign in</title></head><body>Please sign in.<br></body></html>"
XHTML = b"<html><head><title>Sign in</title></head><body>Please sign in.</body></html>"


@dataclass
class Answer:
    """What the server says, until a test changes it, and how often it was asked."""

    body: bytes = b""
    status: int = 200
    kind: str = "text/html"
    headers: dict[str, str] = field(default_factory=dict)
    asked: int = 0
    url: str = ""

    def give(self, other: "Answer") -> None:
        """Say what `other` does from now on."""
        self.body, self.status, self.kind = other.body, other.status, other.kind
        self.headers, self.asked = other.headers, 0


@contextmanager
def answering() -> Iterator[Answer]:
    """Run the server, and yield what it answers."""
    answer = Answer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answer.asked += 1
            self.send_response(answer.status)
            headers = {"Content-Type": answer.kind, "Content-Length": str(len(answer.body))}
            for name, value in {**headers, **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST  # noqa: N815 - its name there
        do_PUT = do_POST  # noqa: N815 - its name there

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    answer.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield answer
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)
