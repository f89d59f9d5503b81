"""A proxy before ministack that adds what AWS answers of stacks and ministack leaves out."""

import re
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote

BY_NAME = frozenset({"ListChangeSets", "DescribeChangeSet", "ExecuteChangeSet"})


@dataclass
class Lacking:
    """What ministack does not say, as it is in this test."""

    parents: dict[str, str] = field(default_factory=dict)
    """The root, by the id of a nested stack."""
    roles: dict[str, str] = field(default_factory=dict)
    """Service roles, by stack id."""
    deployed: dict[str, str] = field(default_factory=dict)
    """What parameters from SSM were at deployment, by their names in the template."""
    now: dict[str, str] = field(default_factory=dict)
    """What they are now."""
    lose: str = ""
    """An action whose next answer is lost: it is done, and the connection breaks."""
    asked: list[str] = field(default_factory=list)
    """The actions, in order."""

    def said(self, action: str, answer: str) -> str:
        """Add what AWS says."""
        if action == "DescribeStacks":
            for stack_id, parent in self.parents.items():
                answer = _beside(answer, "StackId", stack_id, f"<ParentId>{parent}</ParentId>")
            for stack_id, role in self.roles.items():
                answer = _beside(answer, "StackId", stack_id, f"<RoleARN>{role}</RoleARN>")
        values = {"DescribeStacks": self.deployed, "DescribeChangeSet": self.now}.get(action, {})
        for key, value in values.items():
            more = f"<ResolvedValue>{value}</ResolvedValue>"
            answer = _beside(answer, "ParameterKey", key, more)
        return answer


def _beside(answer: str, tag: str, text: str, more: str) -> str:
    element = f"<{tag}>{text}</{tag}>"
    return answer.replace(element, element + more)


def _by_name(body: str) -> str:
    """Ask for the change sets of a stack by its name: ministack finds none by the id."""
    return re.sub(
        r"StackName=arn%3Aaws%3Acloudformation[^&]*?stack%2F([^&%]+)%2F[^&]*",
        lambda found: f"StackName={quote(found[1])}",
        body,
    )


@contextmanager
def amended(upstream: str, lacking: Lacking) -> Iterator[str]:
    """Pass everything on to `upstream`, and the answers back with what `lacking` says."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            action = parse_qs(sent).get("Action", [""])[0]
            lacking.asked.append(action)
            passed = _by_name(sent) if action in BY_NAME else sent
            headers = {k: v for k, v in self.headers.items() if k.lower() != "content-length"}
            request = urllib.request.Request(  # noqa: S310 - loopback only
                upstream + self.path, passed.encode(), headers, method="POST"
            )
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                    code, said = answer.status, answer.read().decode()
            except urllib.error.HTTPError as error:
                code, said = error.code, error.read().decode()
            if action == lacking.lose:
                lacking.lose = ""
                self.close_connection = True
                return
            self._answer(code, lacking.said(action, said).encode())

        def _answer(self, code: int, said: bytes) -> None:
            self.send_response(code)
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
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
