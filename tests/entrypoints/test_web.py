"""The server on 127.0.0.1: requests of any kind reach the page, and nothing is logged."""

import http.client
import socket
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from janitor.entrypoints.demo.web import serve
from janitor.extension_page.http import LONGEST_BODY, Request, Response


class Echo:
    """What was asked, and an answer."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.address = ""

    def at(self, address: str) -> "Echo":
        """Learn the address."""
        self.address = address
        return self

    def __call__(self, request: Request) -> Response:
        """Keep the request."""
        self.requests.append(request)
        body = b"" if request.method == "HEAD" else b"hello"
        return Response(201, {"X-One": "1"}, body)


@pytest.fixture
def echo() -> Iterator[Echo]:
    """Serve an echo."""
    one = Echo()
    with serve(one.at) as address:
        assert address == one.address
        yield one


def connection(echo: Echo) -> http.client.HTTPConnection:
    """Connect to the server."""
    return http.client.HTTPConnection("127.0.0.1", urlsplit(echo.address).port, timeout=10)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "BREW"])
def test_every_method_arrives(echo: Echo, method: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Which of them are allowed is for the page to say."""
    with closing(connection(echo)) as client:
        client.request(method, "/extend/secret?utm=1", body=b"until=x", headers={"X-A": "b"})
        answer = client.getresponse()
        body = answer.read()
    assert (answer.status, answer.getheader("X-One")) == (201, "1")
    assert body == (b"" if method == "HEAD" else b"hello")
    (request,) = echo.requests
    assert (request.method, request.path, request.ip) == (method, "/extend/secret", "127.0.0.1")
    assert request.header("x-a") == "b"
    assert request.body == b"until=x"
    assert capfd.readouterr() == ("", "")


def test_a_body_too_long_is_not_read_to_its_end(echo: Echo) -> None:
    """So much is read that the page sees it is too long."""
    with closing(connection(echo)) as client:
        client.request("POST", "/", body=b"x" * (LONGEST_BODY + 100))
        assert client.getresponse().status == 201
    assert len(echo.requests[0].body) == LONGEST_BODY + 1


@pytest.mark.parametrize("length", ["-1", "x", "", "1_0", "²"])
def test_a_length_that_is_no_number_means_no_body(echo: Echo, length: str) -> None:
    """Odd lengths neither hang nor break the server."""
    assert b" 201 " in raw(echo, f"POST / HTTP/1.0\r\nContent-Length: {length}\r\n\r\n")
    assert echo.requests[0].body == b""


def test_a_doubled_header_is_both_of_its_values(echo: Echo) -> None:
    """Nobody slips a second Sec-Fetch-Site past the first."""
    raw(echo, "GET / HTTP/1.0\r\nSec-Fetch-Site: same-origin\r\nsec-fetch-site: none\r\n\r\n")
    assert echo.requests[0].header("Sec-Fetch-Site") == "same-origin, none"


def test_a_request_that_is_none_gets_no_page_with_its_words(echo: Echo) -> None:
    """What cannot be parsed is not repeated: it could be a token."""
    answer = raw(echo, "GET /extend/secret HTTP/x\r\n\r\n")
    assert b"400" in answer
    assert b"<" not in answer


def raw(echo: Echo, text: str) -> bytes:
    """Send bytes that no client would, and return the whole answer."""
    with socket.create_connection(("127.0.0.1", urlsplit(echo.address).port or 0), 10) as client:
        client.sendall(text.encode("latin-1"))
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(65_536), b""))


def test_the_server_is_gone_afterwards(echo: Echo) -> None:
    """Leaving the block closes the port."""
    with serve(Echo().at) as address:
        port = urlsplit(address).port or 0
    with socket.socket() as client:
        assert client.connect_ex(("127.0.0.1", port)) != 0
