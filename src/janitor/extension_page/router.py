"""The extension page: a request in, a response out; GET shows, and only POST acts."""

import logging
import re
from collections.abc import Mapping
from datetime import datetime

from janitor.application.ports import Clock, Ledger, Policies, Queue
from janitor.domain.errors import BadLink, ExpiredLink, StackNotFound
from janitor.domain.notification.signed_links import EXTEND, LET_GO, Links
from janitor.error_log import log_failure
from janitor.extension_page.http import PRESS_THERE, Request, Response, not_our_form
from janitor.extension_page.refusals import why_text
from janitor.extension_page.render import render, style_source
from janitor.extension_page.views import Page, Visit
from janitor.extension_page.wording import Standing

_LOOK, _LOOK_AND_SEND = ("GET", "HEAD"), ("GET", "HEAD", "POST")
ADDRESSES = {
    "/extend/{token}": _LOOK_AND_SEND,
    "/extend/{token}/deadline.ics": _LOOK,
    "/let-go/{token}": _LOOK_AND_SEND,
}
"""Each address with the methods that it knows; template.yaml has a route for each."""

_ROUTES = {
    re.compile(re.escape(address).replace(r"\{token\}", "([^/]*)")): address
    for address in ADDRESSES
}
_log = logging.getLogger("janitor.api")


def handle(
    request: Request,
    *,
    clock: Clock,
    policies: Policies,
    ledger: Ledger,
    links: Links,
    queue: Queue | None = None,
) -> Response:
    """Answer one request. Whatever goes wrong becomes a page, and none shows a trace."""
    try:
        page = _route(request, clock(), policies, ledger, links, queue)
    except Exception as error:
        # The token is in the path and in no error's text: signed_links.py words its own.
        log_failure(_log, "page.failed", error)
        page = _message(
            503,
            "Please try again in a moment",
            "Something went wrong on our side, and nothing was changed that this page could confirm",
            "Opening the link once more shows the deadline that holds.",
            {"Retry-After": "30"},
        )
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Robots-Tag": "noindex",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": f"default-src 'none'; style-src {style_source()};"
        " form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        **page.headers,
    }
    body = b"" if request.method == "HEAD" else page.text.encode()
    return Response(page.status, headers, body)


def _route(
    request: Request,
    now: datetime,
    policies: Policies,
    ledger: Ledger,
    links: Links,
    queue: Queue | None,
) -> Page:
    found = [
        (match[1], address)
        for path, address in _ROUTES.items()
        if (match := path.fullmatch(request.path))
    ]
    if not found:
        hint = "The page of a stack is behind the link in the janitor's notices about it."
        return _message(404, "Nothing here", "There is no page at this address", hint)
    token, address = found[0]
    methods = ADDRESSES[address]
    action = LET_GO if address.startswith(f"/{LET_GO}/") else EXTEND
    if request.method not in methods:
        can = ", and its form can be sent; nothing else" if "POST" in methods else ", nothing else"
        text = f"This page can be looked at{can}"
        allow = {"Allow": ", ".join(methods)}
        return _message(405, "That does not work here", text, PRESS_THERE, allow)
    if request.method == "POST" and (refused := not_our_form(request, links.base_url)):
        return _message(refused.status, refused.title, refused.text, refused.hint)
    try:
        claims = links.verify(token, now, action)
    except ExpiredLink as error:
        hint = (
            "The newest notice about your stack has a link that works. If there is none any more,"
            " the stack is long gone, or the operators of the janitor can extend it."
        )
        return _message(410, "This link is too old", str(error), hint)
    except BadLink as error:
        hint = "It may have been cut off on its way. Open the link in the newest notice, or copy all of it."
        return _message(404, "This link does not work", str(error), hint)
    policy, mode = policies.policy(), policies.mode()
    visit = Visit(request, claims, now, policy, mode, ledger, links, queue)
    try:
        return _visit(visit, address)
    except StackNotFound:
        text = "The janitor knows nothing of this stack any more"
        hint = "Its lease ended long ago, so nothing is left to keep. A new stack gets a new lease."
        return _message(404, "Unknown stack", text, hint)


def _visit(visit: Visit, address: str) -> Page:
    sends = visit.request.method == "POST"
    match address:
        case "/let-go/{token}":
            return visit.let_go() if sends else visit.ask_to_let_go()
        case "/extend/{token}/deadline.ics":
            return visit.calendar()
        case _:
            return visit.post() if sends else visit.show()


def _message(
    status: int,
    title: str,
    text: str,
    hint: str = "",
    headers: Mapping[str, str] | None = None,
) -> Page:
    standing = Standing(title, why_text(text), hint)
    return Page(status, render("message", standing=standing), headers or {})
