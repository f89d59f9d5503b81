"""A Slack on 127.0.0.1 that behaves as Slack does, for all tests that speak to it.

It has users, channels, direct messages and scopes; it enforces the limits on text and blocks,
with slack_sdk's own models besides; it can be limited, broken or slow; and it sends signed
reports of what somebody pressed.
"""

import hashlib
import hmac
import json
import re
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any
from urllib.parse import parse_qsl, urlencode

from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block

TOKEN = "xoxb-1-2-fake"
SIGNING_SECRET = "0123456789abcdef0123456789abcdef"
SCOPES = ("chat:write", "users:read", "users:read.email")
NEEDS = {
    "users.lookupByEmail": "users:read.email",
    "users.info": "users:read",
    "conversations.info": "channels:read",
    "conversations.open": "im:write",
    "chat.postMessage": "chat:write",
    "chat.update": "chat:write",
    "chat.postEphemeral": "chat:write",
}
MOST_BLOCKS, MOST_ACTIONS, MOST_IN_CONTEXT = 50, 25, 10
LONGEST_IN_BLOCKS = 12_000
"""Of all text in the blocks together: Slack's own undocumented limit lies a little above."""
LONGEST_TEXT = 40_000
MEMBERS = {
    "rich_text": {"elements"},
    "rich_text_section": {"elements"},
    "divider": set[str](),
    "context": {"elements"},
    "section": {"text", "fields", "accessory"},
    "header": {"text"},
    "actions": {"elements"},
    "button": {
        "text", "action_id", "value", "url", "style", "confirm", "accessibility_label",
    },
    "plain_text": {"text", "emoji"},
    "mrkdwn": {"text", "verbatim"},
    "text": {"text", "style"},
    "link": {"text", "url", "style"},
}  # fmt: skip
"""What each kind of block or element may have, besides its type and block_id."""


@dataclass
class Shown:
    """A message as it stands in a channel."""

    channel: str
    ts: str
    text: str
    blocks: list[dict[str, Any]]
    thread_ts: str = ""
    edits: int = 0
    only_for: str = ""
    """The one user who sees it, if it is ephemeral."""

    @property
    def buttons(self) -> dict[str, dict[str, Any]]:
        """Return what can be pressed, by the last words of how it is spoken: `Let feat go`."""
        return {
            element["accessibility_label"]: element
            for block in self.blocks
            if block["type"] == "actions"
            for element in block["elements"]
        }

    @property
    def words(self) -> str:
        """Return everything that is read in it."""
        return "\n".join(_strings(self.blocks)) or self.text


@dataclass(frozen=True)
class Reply:
    """What the server answers in place of what it would."""

    status: int = 200
    body: Mapping[str, Any] | str = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0
    """How long it takes."""
    works: bool = False
    """Whether what was asked for is done all the same."""


@dataclass
class Workspace:
    """The state of the fake Slack, and what tests do to it."""

    url: str = ""
    token: str = TOKEN
    scopes: set[str] = field(default_factory=lambda: set(SCOPES))
    signing_secret: str = SIGNING_SECRET
    clock: Callable[[], float] = time.monotonic
    quotas: dict[str, int] = field(default_factory=dict)
    """Calls of a method in a minute; more are told to wait for its end."""
    longest_in_blocks: int = LONGEST_IN_BLOCKS
    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    channels: dict[str, dict[str, Any]] = field(default_factory=dict)
    shown: list[Shown] = field(default_factory=list)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """Errors that were answered, in order."""
    replies: dict[str, deque[Reply]] = field(default_factory=lambda: defaultdict(deque))
    _used: dict[str, tuple[float, int]] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    # What tests do.

    def add_user(self, email: str, *, deleted: bool = False) -> str:
        """Let somebody have an account; return the id."""
        user = f"U{next(self._numbers):08d}"
        self.users[user] = {"id": user, "email": email, "deleted": deleted}
        return user

    def add_channel(self, name: str, *, archived: bool = False, joined: bool = True) -> str:
        """Make a channel; return its id."""
        channel = f"C{next(self._numbers):08d}"
        self.channels[channel] = {"name": name, "archived": archived, "joined": joined}
        return channel

    def reply(self, method: str, *replies: Reply) -> None:
        """Answer the next calls of a method with these."""
        self.replies[method].extend(replies)

    def limit(self, method: str, seconds: int, times: int = 1) -> None:
        """Tell the next callers of a method to come again after some seconds."""
        body = {"ok": False, "error": "ratelimited"}
        self.reply(method, *[Reply(429, body, {"Retry-After": str(seconds)})] * times)

    def refuse(self, method: str, error: str, times: int = 1) -> None:
        """Answer the next calls of a method with an error."""
        self.reply(method, *[Reply(body={"ok": False, "error": error})] * times)

    def called(self, method: str) -> list[dict[str, Any]]:
        """Return the arguments of all calls of a method."""
        return [arguments for name, arguments in self.calls if name == method]

    def messages(self, place: str = "") -> list[Shown]:
        """Return what everybody sees in a channel, or of a user's direct message; threads not."""
        wanted = f"D{place[1:]}" if place.startswith("U") else place
        return [
            one
            for one in self.shown
            if not one.thread_ts and not one.only_for and wanted in ("", one.channel)
        ]

    def thread(self, message: Shown) -> list[str]:
        """Return what was said in a message's thread."""
        return [
            one.text
            for one in self.shown
            if (one.channel, one.thread_ts) == (message.channel, message.ts)
        ]

    def told(self, user: str) -> list[str]:
        """Return what was said to one user alone."""
        return [one.text for one in self.shown if one.only_for == user]

    def pings(self) -> list[str]:
        """Return every text in which Slack would find a mention or a link."""
        parsed = [one.text for one in self.shown]
        parsed += [text for one in self.shown for text in _parsed(one.blocks)]
        return [text for text in parsed if re.search(r"<[!@#]|<https?:|<mailto:", text)]

    def press(self, message: Shown, label: str, user: str) -> tuple[bytes, dict[str, str]]:
        """Press a button: return body and headers of the report that Slack sends."""
        return self.report(self.payload(message, message.buttons[label], user))

    @staticmethod
    def payload(message: Shown, button: Mapping[str, Any], user: str) -> dict[str, Any]:
        """Return what Slack reports of a pressed button."""
        action = {name: button[name] for name in ("value", "action_id") if name in button}
        return {
            "type": "block_actions",
            "user": {"id": user, "username": "somebody", "team_id": "T0000001"},
            "api_app_id": "A0000001",
            "trigger_id": "12321423423.333649436676.d8c1bb837935619ccad0f624c448ffb3",
            "container": {
                "type": "message",
                "message_ts": message.ts,
                "channel_id": message.channel,
            },
            "team": {"id": "T0000001", "domain": "example"},
            "channel": {"id": message.channel, "name": "directmessage"},
            "message": {"type": "message", "ts": message.ts, "blocks": message.blocks},
            "response_url": "https://hooks.slack.com/actions/T0000001/1/x",
            "actions": [{"type": "button", "block_id": "a", "action_ts": "1.2", **action}],
        }

    def report(
        self, payload: object, at: float | None = None, secret: str | None = None
    ) -> tuple[bytes, dict[str, str]]:
        """Return body and headers of a signed report; `at` is seconds since 1970."""
        body = urlencode({"payload": json.dumps(payload)}).encode()
        return body, self.signed(body, at, secret)

    def signed(
        self, body: bytes, at: float | None = None, secret: str | None = None
    ) -> dict[str, str]:
        """Return the headers with which Slack sends a body."""
        stamp = str(int(time.time() if at is None else at))
        key = (self.signing_secret if secret is None else secret).encode()
        digest = hmac.new(key, f"v0:{stamp}:".encode() + body, hashlib.sha256).hexdigest()
        return {
            "Content-Type": "application/x-www-form-urlencoded",
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": f"v0={digest}",
        }

    # What Slack does.

    def answer(self, method: str, token: str, arguments: dict[str, Any]) -> Reply:
        """Answer one call, by a reply of the test's or as Slack would."""
        with self._lock:
            self.calls.append((method, arguments))
            if self.replies[method]:
                reply = self.replies[method].popleft()
                if reply.works:
                    self._done(method, token, arguments)
            else:
                reply = self._within_quota(method) or self._done(method, token, arguments)
            if isinstance(reply.body, dict) and not reply.body.get("ok", True):
                self.refused.append(str(reply.body["error"]))
            return reply

    def _within_quota(self, method: str) -> Reply | None:
        if method not in self.quotas:
            return None
        now = self.clock()
        start, used = self._used.get(method, (now, 0))
        if now - start >= 60:
            start, used = now, 0
        self._used[method] = start, used + 1
        if used < self.quotas[method]:
            return None
        headers = {"Retry-After": str(int(start + 60 - now) + 1)}
        return Reply(429, {"ok": False, "error": "ratelimited"}, headers)

    def _done(self, method: str, token: str, arguments: dict[str, Any]) -> Reply:
        headers = {"X-OAuth-Scopes": ",".join(sorted(self.scopes))}
        if token != f"Bearer {self.token}":
            error = "invalid_auth" if token else "not_authed"
        elif method not in NEEDS and method != "auth.test":
            error = "unknown_method"
        elif NEEDS.get(method, "chat:write") not in self.scopes:
            error = "missing_scope"
        else:
            handler = getattr(self, "_" + re.sub(r"\W", "_", method))
            body = handler(arguments)
            if isinstance(body, dict):
                return Reply(body={"ok": True, **body}, headers=headers)
            error, _, why = body.partition(": ")
            more = {"response_metadata": {"messages": [why]}} if why else {}
            return Reply(body={"ok": False, "error": error, **more}, headers=headers)
        return Reply(body={"ok": False, "error": error}, headers=headers)

    def _auth_test(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"team": "example", "user_id": "U0000BOT"}

    def _users_lookupByEmail(self, arguments: dict[str, Any]) -> dict[str, Any] | str:  # noqa: N802 - Slack's name
        for user in self.users.values():
            if user["email"] == arguments["email"] and not user["deleted"]:
                return {"user": dict(user)}
        return "users_not_found"

    def _users_info(self, arguments: dict[str, Any]) -> dict[str, Any] | str:
        user = self.users.get(arguments["user"])
        return {"user": dict(user)} if user else "user_not_found"

    def _conversations_info(self, arguments: dict[str, Any]) -> dict[str, Any] | str:
        channel = self.channels.get(arguments["channel"])
        if channel is None:
            return "channel_not_found"
        return {"channel": {"id": arguments["channel"], "name": channel["name"]}}

    def _conversations_open(self, arguments: dict[str, Any]) -> dict[str, Any] | str:
        user = arguments["users"]
        return {"channel": {"id": f"D{user[1:]}"}} if user in self.users else "user_not_found"

    def _place(self, name: str) -> str | tuple[str]:
        """Return the id of a channel, or an error in a tuple of one."""
        if name in self.users:
            return ("user_disabled",) if self.users[name]["deleted"] else f"D{name[1:]}"
        if name.startswith("D") and f"U{name[1:]}" in self.users:
            return name
        for channel, known in self.channels.items():
            if name in (channel, known["name"], f"#{known['name']}"):
                if known["archived"]:
                    return ("is_archived",)
                return channel if known["joined"] else ("not_in_channel",)
        return ("channel_not_found",)

    def _put(self, arguments: dict[str, Any]) -> str:
        """Return what is wrong with a message's text and blocks, if anything is."""
        text, blocks = arguments.get("text") or "", arguments.get("blocks") or []
        if not text:
            return "no_text"
        if len(text) > LONGEST_TEXT:
            return "msg_too_long"
        if why := what_is_wrong(blocks):
            return f"invalid_blocks: {why}"
        if sum(map(len, _strings(blocks))) > self.longest_in_blocks:
            return "msg_blocks_too_long"
        return ""

    def _chat_postMessage(self, arguments: dict[str, Any]) -> dict[str, Any] | str:  # noqa: N802 - Slack's name
        place = self._place(arguments["channel"])
        if isinstance(place, tuple):
            return place[0]
        if wrong := self._put(arguments):
            return wrong
        ts = f"1780000000.{next(self._numbers):06d}"
        thread = str(arguments.get("thread_ts") or "")
        message = Shown(place, ts, arguments["text"], arguments.get("blocks") or [], thread)
        self.shown.append(message)
        return {"channel": place, "ts": ts}

    def _chat_update(self, arguments: dict[str, Any]) -> dict[str, Any] | str:
        for one in self.shown:
            if (one.channel, one.ts) == (arguments["channel"], arguments["ts"]):
                if wrong := self._put(arguments):
                    return wrong
                one.text, one.blocks = arguments["text"], arguments.get("blocks") or []
                one.edits += 1
                return {"channel": one.channel, "ts": one.ts}
        return "message_not_found"

    def _chat_postEphemeral(self, arguments: dict[str, Any]) -> dict[str, Any] | str:  # noqa: N802 - Slack's name
        place = self._place(arguments["channel"])
        if isinstance(place, tuple):
            return place[0]
        if arguments["user"] not in self.users:
            return "user_not_in_channel"
        message = Shown(place, "0", arguments["text"], [], only_for=arguments["user"])
        self.shown.append(message)
        return {"message_ts": "0"}


def what_is_wrong(blocks: list[dict[str, Any]]) -> str:
    """Say what in the blocks Slack would not take, by its limits and by slack_sdk's models."""
    if len(blocks) > MOST_BLOCKS:
        return "too many blocks"
    try:
        for block in blocks:
            _check(block)
            parsed = Block.parse(block)
            if parsed is None:
                return f"no such block: {block}"
            parsed.validate_json()
            for element in getattr(parsed, "elements", None) or []:
                if hasattr(element, "validate_json"):
                    element.validate_json()
            parsed.to_dict()
    except (SlackObjectFormationError, ValueError) as error:
        return str(error)
    return ""


def _check(part: dict[str, Any]) -> None:
    kind = part["type"]
    if unknown := part.keys() - MEMBERS[kind] - {"type", "block_id"}:
        raise ValueError(f"{kind} has no {unknown}")
    elements = part.get("elements", [])
    most = {"actions": MOST_ACTIONS, "context": MOST_IN_CONTEXT}.get(kind, 10_000)
    if "elements" in part and not 0 < len(elements) <= most:
        raise ValueError(f"{kind} has {len(elements)} elements")
    ids = [element["action_id"] for element in elements if "action_id" in element]
    if len(ids) != len(set(ids)):
        raise ValueError("two buttons with one action_id")
    if "text" in part and isinstance(part["text"], str) and not part["text"]:
        raise ValueError(f"{kind} has no text")
    if not str(part.get("url", "https://")).startswith(("https://", "http://")):
        raise ValueError(f"no link that Slack would show: {part['url']}")
    if kind == "button":
        _check_lengths(part, {"text": 75, "value": 2_000, "url": 3_000, "accessibility_label": 75})
        _check_lengths(
            part.get("confirm", {}), {"title": 100, "text": 300, "confirm": 30, "deny": 30}
        )
    for inner in elements:
        _check(inner)


def _check_lengths(part: dict[str, Any], longest: Mapping[str, int]) -> None:
    for name in longest.keys() & part.keys():
        text = part[name]["text"] if isinstance(part[name], dict) else part[name]
        if not 0 < len(text) <= longest[name]:
            raise ValueError(f"{name} is longer than {longest[name]}, or empty")


def _strings(part: object) -> Iterator[str]:
    """Yield every text in blocks that people read."""
    if isinstance(part, list):
        for one in part:
            yield from _strings(one)
    elif isinstance(part, dict):
        if isinstance(part.get("text"), str):
            yield part["text"]
        for name in ("text", "elements", "fields", "confirm", "title"):
            if isinstance(part.get(name), dict | list):
                yield from _strings(part[name])


def _parsed(part: object) -> Iterator[str]:
    """Yield the texts in blocks that Slack parses as its markup."""
    if isinstance(part, list):
        for one in part:
            yield from _parsed(one)
    elif isinstance(part, dict):
        if part.get("type") == "mrkdwn":
            yield str(part["text"])
        for value in part.values():
            yield from _parsed(value)


@contextmanager
def slack_server() -> Iterator[Workspace]:
    """Serve a workspace on a free port of 127.0.0.1."""
    workspace = Workspace()
    over = threading.Event()

    class Door(BaseHTTPRequestHandler):
        """One call of the Web API."""

        protocol_version = "HTTP/1.1"
        wbufsize = -1  # in one piece, or each answer waits for the caller's acknowledgement

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
            if self.headers["Content-Type"].startswith("application/json"):
                arguments = json.loads(body)
            else:
                arguments = dict(parse_qsl(body))
            method = self.path.rpartition("/")[2]
            reply = workspace.answer(method, self.headers["Authorization"] or "", arguments)
            over.wait(reply.seconds)
            text = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
            """Log nothing."""

    class Server(ThreadingHTTPServer):
        """Threads that end with the server, and nothing said of callers who hung up."""

        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Say nothing."""

    server = Server(("127.0.0.1", 0), Door)
    workspace.url = f"http://127.0.0.1:{server.server_port}/api/"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield workspace
    finally:
        over.set()
        server.shutdown()
        server.server_close()
        thread.join()
