"""Where Slack reports what was pressed: signed requests in, an empty answer out.

The answer goes out before Slack's three seconds are over: one conditional write, and what
is to be said is queued. The signature is checked here and not by slack_sdk, whose module
for it loads the whole client (docs/adr/0013).
"""

import hashlib
import hmac
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated
from urllib.parse import parse_qs

from msgspec import Meta, MsgspecError, Struct, json

from janitor.application.lease.slack_action import Pressed, press
from janitor.application.ports import Clock, Ledger, Policies, Queue
from janitor.domain.notification.signed_links import Links
from janitor.error_log import log_failure
from janitor.extension_page.http import Request, Response

PATH = "/slack/interactivity"
MAX_AGE = timedelta(minutes=5)
LONGEST_PAYLOAD = 256 * 1024

_log = logging.getLogger("janitor.slack")


class _User(Struct):
    id: Annotated[str, Meta(pattern=r"^[UW][A-Z0-9]{2,30}\Z")]


class _Channel(Struct):
    id: Annotated[str, Meta(pattern=r"^[A-Z][A-Z0-9]{2,30}\Z")]


class _Action(Struct):
    value: str = ""
    """Empty for a button that is a link: Slack reports those too."""


class _Payload(Struct):
    """What is read of the `block_actions` that Slack sends."""

    type: str
    user: _User
    channel: _Channel | None = None
    actions: tuple[_Action, ...] = ()


def interact(
    request: Request,
    *,
    secret: Callable[[], str],
    clock: Clock,
    policies: Policies,
    ledger: Ledger,
    links: Callable[[], Links],
    queue: Queue,
) -> Response:
    """Answer one request; nothing but a genuine one from the last minutes gets any further."""
    try:
        now = clock()
        if not is_genuine(request, secret(), now):
            return _empty(401)
        payload = _read(request.body)
        if payload is None:
            return _empty(400)
        again = request.header("X-Slack-Retry-Num") is not None
        if payload.type == "block_actions" and payload.channel:
            for action in payload.actions:
                if action.value:
                    press(
                        Pressed(payload.user.id, payload.channel.id, action.value, again),
                        now=now,
                        policy=policies.policy(),
                        ledger=ledger,
                        links=links(),
                        queue=queue,
                    )
    except Exception as error:
        # Slack then shows that it failed, and the button can be pressed again.
        log_failure(_log, "slack.failed", error)
        return _empty(503)
    return _empty(200)


def is_genuine(request: Request, secret: str, now: datetime) -> bool:
    """Tell whether Slack signed this request with the secret, within the last minutes."""
    sent = request.header("X-Slack-Request-Timestamp") or ""
    if not (sent.isascii() and sent.isdigit() and len(sent) <= len("9999999999")):
        return False
    if abs(now.timestamp() - int(sent)) > MAX_AGE.total_seconds():
        return False
    if len(request.body) > LONGEST_PAYLOAD:
        return False
    base = f"v0:{sent}:".encode() + request.body
    expected = f"v0={hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()}"
    given = request.header("X-Slack-Signature") or ""
    return hmac.compare_digest(expected.encode(), given.encode(errors="replace"))


def _read(body: bytes) -> _Payload | None:
    """Return the payload of a form; None for what is not one."""
    try:
        (text,) = parse_qs(body.decode(), strict_parsing=True)["payload"]
        return json.decode(text, type=_Payload)
    except (ValueError, KeyError, MsgspecError, RecursionError):
        return None


def _empty(status: int) -> Response:
    return Response(status, {"Cache-Control": "no-store"}, b"")
