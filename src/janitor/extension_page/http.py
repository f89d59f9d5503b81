"""HTTP as the extension page knows it: requests, responses, and which form counts as ours."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

from msgspec import Struct

from janitor.domain.lease.owners import clean

LONGEST_BODY = 4_096
LONGEST_REASON = 200
PRESS_THERE = "Open the link in the notice itself, and press the button there."
FORM = "application/x-www-form-urlencoded"

_INSTANT = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", flags=re.ASCII
)


class Request(Struct, frozen=True):
    """An HTTP request, from whichever door it came."""

    method: str
    path: str
    """Without the query, which nothing here reads."""
    headers: Mapping[str, str]
    """Names in any case."""
    body: bytes
    ip: str

    def header(self, name: str) -> str | None:
        """Return a header's value; its name may be in any case."""
        wanted = name.lower()
        return next((v for n, v in self.headers.items() if n.lower() == wanted), None)


class Response(Struct, frozen=True):
    """The answer, with every header that it needs but Content-Length."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Refusal(Struct, frozen=True):
    """Why a request gets no further, as the page that says so."""

    status: int
    title: str
    text: str
    hint: str = ""


class NotTheForm(Exception):
    """What was sent is not what our form sends; the text is for the person who sent it."""


def not_our_form(request: Request, base_url: str) -> Refusal | None:
    """Refuse a POST that cannot be proved to come from our own page, or is no form."""
    if is_prefetch(request):
        text = "This was sent ahead of any tap, so nothing was changed"
        return Refusal(403, "Please use the page itself", text, PRESS_THERE)
    # Our Referrer-Policy makes browsers send `Origin: null`; Sec-Fetch-Site still tells.
    site = request.header("Sec-Fetch-Site")
    origin = request.header("Origin")
    ours = site == "same-origin" if site is not None else origin == _origin(base_url)
    if not ours:
        text = "This was not sent from the janitor's own page, so nothing was changed"
        return Refusal(403, "Please use the page itself", text, PRESS_THERE)
    if len(request.body) > LONGEST_BODY:
        text = "What was sent is too long, so nothing was changed"
        return Refusal(413, "That is too much", text, "Please give a shorter reason.")
    content_type = (request.header("Content-Type") or "").partition(";")[0].strip().lower()
    if content_type != FORM:
        text = "What was sent is not this page's form, so nothing was changed"
        return Refusal(415, "Please use the page itself", text, PRESS_THERE)
    return None


def is_prefetch(request: Request) -> bool:
    """Tell whether a browser asks before anybody has tapped anything."""
    told = (request.header(name) or "" for name in ("Sec-Purpose", "Purpose", "X-Moz"))
    return any(word in text.lower() for text in told for word in ("prefetch", "prerender"))


def _origin(url: str) -> str:
    """Return the origin of an address as browsers write it."""
    parts = urlsplit(url)
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    port = f":{parts.port}" if parts.port not in (None, usual) else ""
    host = parts.hostname or ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}"


def read_form(body: bytes) -> tuple[datetime, str]:
    """Return the chosen instant and the reason. Raises `NotTheForm` for anything else."""
    values = _fields(body)
    text = values.get("until", "")
    if not _INSTANT.fullmatch(text):
        raise NotTheForm("Please choose one of these dates.")
    try:
        until = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise NotTheForm("Please choose one of these dates.") from error
    return until, clean(values.get("reason", ""))[:LONGEST_REASON]


def read_name(body: bytes) -> str:
    """Return the name that was typed, trimmed. Raises `NotTheForm` for anything else."""
    return _fields(body).get("name", "").strip()


def _fields(body: bytes) -> dict[str, str]:
    try:
        fields = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            encoding="utf-8",
            errors="strict",
            max_num_fields=10,
        )
    except ValueError as error:
        raise NotTheForm("The form could not be read. Please send it again.") from error
    values = dict(fields)
    if len(values) != len(fields):
        raise NotTheForm("The form could not be read. Please send it again.")
    return values
