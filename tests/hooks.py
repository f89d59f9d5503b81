"""What waits for the check function's word: CodeDeploy's hook, and CloudFormation's own address."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Hooks:
    """The one call of CodeDeploy that the janitor makes, and the PUT, on a port of 127.0.0.1."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, str]]] = []
        """Target and body of each call, as CodeDeploy's protocol has them."""
        self.answers: list[dict[str, Any]] = []
        """What CloudFormation was answered."""
        told, answers = self.told, self.answers

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self._body()
                told.append((self.headers["X-Amz-Target"], body))
                name = "lifecycleEventHookExecutionId"
                self._answer(json.dumps({name: body[name]}).encode())

            def do_PUT(self) -> None:
                answers.append(self._body())
                self._answer(b"")

            def _body(self) -> dict[str, Any]:
                return dict(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

            def _answer(self, body: bytes) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "application/x-amz-json-1.1")
                self.send_header("x-amzn-RequestId", "request")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Return where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()
