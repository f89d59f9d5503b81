"""The extension page: a request in, a response out; GET shows, and only POST acts."""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from janitor.adapters.ports import Clock, Ledger, Policies
from janitor.core.contacts import clean
from janitor.core.errors import BadLink, ExtensionRefused, StackNotFound
from janitor.core.journal import Actor
from janitor.core.lease import grace_of
from janitor.core.links import Claims, Links
from janitor.core.model import Lease, LeaseState, Mode
from janitor.core.policy import Policy
from janitor.core.times import relative_text, span_text
from janitor.entrypoints.http import (
    LONGEST_REASON,
    NotTheForm,
    Request,
    Response,
    not_our_form,
    read_form,
)
from janitor.journeys.extend import choices, extend, is_extended, outdated, refusal
from janitor.pages import render, style_source

LONGEST_USER_AGENT = 200
METHODS = "GET, HEAD, POST"

_PATH = re.compile(r"/extend/([^/]*)")
_log = logging.getLogger("janitor.api")


@dataclass(frozen=True, slots=True)
class _Page:
    """A page before it is wrapped into a response."""

    status: int
    html: str
    headers: Mapping[str, str]


def handle(
    request: Request, *, clock: Clock, policies: Policies, ledger: Ledger, links: Links
) -> Response:
    """Answer one request. Whatever goes wrong becomes a page, and none shows a trace."""
    try:
        page = _route(request, clock(), policies, ledger, links)
    except Exception:
        # The token is in the path and in no error's text: links.py words its own.
        _log.exception("page.failed")
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
        " form-action 'self'; frame-ancestors 'none'",
        **page.headers,
    }
    body = b"" if request.method == "HEAD" else page.html.encode()
    return Response(page.status, headers, body)


def _route(
    request: Request, now: datetime, policies: Policies, ledger: Ledger, links: Links
) -> _Page:
    match = _PATH.fullmatch(request.path)
    if match is None:
        return _message(404, "Nothing here", "There is no page at this address")
    if request.method not in METHODS.split(", "):
        text = "This page can be looked at, and its form can be sent; nothing else"
        return _message(405, "That does not work here", text, "", {"Allow": METHODS})
    if request.method == "POST" and (refused := not_our_form(request, links.base_url)):
        return _message(refused.status, refused.title, refused.text, refused.hint)
    try:
        claims = links.verify(match[1], now)
    except BadLink as error:
        hint = "It may have been cut off on its way. Open the link in the newest notice, or copy all of it."
        return _message(404, "This link does not work", str(error), hint)
    visit = _Visit(request, claims, now, policies.policy(), policies.mode(), ledger)
    try:
        return visit.post() if request.method == "POST" else visit.show()
    except StackNotFound:
        text = "The janitor knows nothing of this stack any more"
        return _message(404, "Unknown stack", text, "Its lease ended long ago.")


@dataclass(frozen=True, slots=True)
class _Visit:
    """A request with a genuine link."""

    request: Request
    claims: Claims
    now: datetime
    policy: Policy
    mode: Mode
    ledger: Ledger

    def show(self, problem: str = "") -> _Page:
        """Show the stack and the form, with what was wrong with it; or why there is no form."""
        lease = self._lease()
        if lease.generation != self.claims.generation:
            return self._refused(lease, outdated(lease, self.policy, self.now))
        if why := refusal(lease, self.policy, self.now):
            return self._refused(lease, why)
        return self._form(lease, problem)

    def post(self) -> _Page:
        """Extend, and state the deadline that holds from now on."""
        try:
            until, reason = read_form(self.request.body)
        except NotTheForm as error:
            return self.show(str(error))
        try:
            lease = extend(
                self.claims.stack_id,
                until=until,
                actor=Actor(
                    "owner",
                    self.claims.contact.address,
                    "link",
                    self.request.ip,
                    clean(self.request.header("User-Agent") or "")[:LONGEST_USER_AGENT],
                ),
                reason=reason,
                now=self.now,
                policy=self.policy,
                ledger=self.ledger,
                generation=self.claims.generation,
            )
        except ExtensionRefused as error:
            # If there still is something to offer, it was this date that was refused.
            return self.show(f"{error}.")
        return _page(200, "extended", title="Extended", **self._values(lease))

    def _lease(self) -> Lease:
        lease = self.ledger.lease(self.claims.stack_id)
        if lease is None:
            raise StackNotFound(f"no lease is known for {self.claims.stack_id}")
        return lease

    def _form(self, lease: Lease, problem: str) -> _Page:
        offers = [
            (when, relative_text(when, self.now)) for when in choices(lease, self.policy, self.now)
        ]
        return _page(
            400 if problem else 200,
            "extend",
            title=f"Keep {lease.name}?",
            problem=problem,
            offers=offers,
            preselected=min(1, len(offers) - 1),
            marked=lease.state is LeaseState.MARKED,
            enforced=self.mode is Mode.ENFORCE,
            longest_reason=LONGEST_REASON,
            claims=self.claims,
            grace=span_text(grace_of(lease, self.policy.terms(lease.rule))),
            **self._values(lease),
        )

    def _values(self, lease: Lease) -> dict[str, object]:
        terms = self.policy.terms(lease.rule)
        return {
            "lease": lease,
            "account": lease.stack_id.split(":")[4],
            "extensions_left": max(0, terms.max_extensions - lease.extensions),
            "ceiling": lease.created + terms.max_lifetime,
            "now": self.now,
            "zone": self.policy.window.window.zone,
        }

    def _refused(self, lease: Lease, why: str) -> _Page:
        """Say why this link extends nothing: one status for all of it, whatever the method."""
        if not lease.state.is_open:
            return _message(409, "There is nothing left to extend", why)
        if lease.state not in (LeaseState.ACTIVE, LeaseState.MARKED):
            return _message(409, "Too late", why, "Deploy it again if you still need it.")
        if lease.generation == self.claims.generation:
            hint = "Ask the operators of the janitor if you need it for longer."
            return _message(409, "This cannot be extended", why, hint)
        if is_extended(lease, self.now):
            hint = "You will be reminded before that, with a new link."
            return _message(409, "Already extended", why, hint, fine=True)
        hint = "The newest notice about this stack has a link that works."
        return _message(409, "This link is out of date", why, hint)


def _message(
    status: int,
    title: str,
    text: str,
    hint: str = "",
    headers: Mapping[str, str] | None = None,
    *,
    fine: bool = False,
) -> _Page:
    # A stack's name keeps its small first letter.
    sentence = f"T{text[1:]}." if text.startswith("this link") else f"{text}."
    html = render("message", title=title, text=sentence, hint=hint, fine=fine)
    return _Page(status, html, headers or {})


def _page(status: int, template: str, **values: object) -> _Page:
    return _Page(status, render(template, **values), {})
