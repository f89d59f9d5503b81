"""One visit to the extension page with a genuine link: what it shows, and what its forms do."""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct, field
from msgspec.structs import replace

from janitor.application.lease.extend import (
    choices,
    extend,
    is_extended,
    is_replaced,
    link_refusal,
    refusal,
)
from janitor.application.lease.release import hindrance, let_go
from janitor.application.ports import Ledger, Queue
from janitor.domain.errors import ExtensionRefused, StackNotFound
from janitor.domain.journal.events import Actor
from janitor.domain.lease.owners import clean, standing_of
from janitor.domain.model import Lease, Mode
from janitor.domain.notification.signed_links import EXTEND, LET_GO, Claims, Links
from janitor.domain.policy.model import Policy
from janitor.domain.stack.console_links import console_page
from janitor.extension_page.calendar import calendar_of
from janitor.extension_page.facts import facts, needs
from janitor.extension_page.http import LONGEST_REASON, NotTheForm, Request, read_form, read_name
from janitor.extension_page.refusals import Spent, no_date, not_let_go, refused
from janitor.extension_page.render import render
from janitor.extension_page.wording import PageWords, Standing

LONGEST_USER_AGENT = 200


class Page(Struct, frozen=True):
    """An answer before it gets the headers that all of them have."""

    status: int
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)


class Offer(Struct, frozen=True):
    """A later deadline on a button."""

    value: str
    text: str
    longer: str


class Visit(Struct, frozen=True):
    """A request with a genuine link."""

    request: Request
    claims: Claims
    now: datetime
    policy: Policy
    mode: Mode
    ledger: Ledger
    links: Links
    queue: Queue | None

    def show(self, complaint: str = "") -> Page:
        """Show the stack and the form, with what was wrong with it; or why there is no form."""
        lease = self._lease()
        words = self._words(lease)
        spent = self._spent(lease)
        why = spent or self._refusal(lease)
        standing = refused(words, why, self._kind(lease)) if why else words.standing()
        return self._page(
            409 if why else 400 if complaint else 200,
            "extend",
            lease,
            standing,
            complaint="" if why else complaint,
            offers=[] if why else self._offers(lease),
            longest_reason=LONGEST_REASON,
            let_go="" if spent or hindrance(lease, self.policy) else self._link(LET_GO),
            asking=words.asking_to_let_go(),
            calendar="" if spent else self._calendar(lease, self.claims),
        )

    def post(self) -> Page:
        """Extend, and state the deadline that holds from now on."""
        try:
            until, reason = read_form(self.request.body)
        except NotTheForm as error:
            return self.show(str(error))
        try:
            lease = extend(
                self.claims.stack_id,
                until=until,
                actor=self._actor,
                reason=reason,
                now=self.now,
                policy=self.policy,
                ledger=self.ledger,
                generation=self.claims.generation,
                sent_to=self.claims.contact,
                queue=self.queue,
            )
        except ExtensionRefused as error:
            # If there still is something to offer, it was this date that was refused.
            return self.show(f"Nothing was changed: {error}.")
        calendar = self._calendar(lease, self._renewed(lease))
        return self._page(200, "done", lease, self._words(lease).extended(), calendar=calendar)

    def calendar(self) -> Page:
        """Return the deadline as a calendar file."""
        lease = self._lease()
        text = calendar_of(lease, self.now, self.policy.window.window.zone)
        if self._spent(lease) or not text:
            # No other page: its links would be relative to another address.
            return Page(409, render("message", standing=no_date()))
        headers = {
            "Content-Type": "text/calendar; charset=utf-8",
            "Content-Disposition": 'attachment; filename="deadline.ics"',
        }
        return Page(200, text, headers)

    def ask_to_let_go(self, complaint: str = "") -> Page:
        """Show what letting it go means, and ask for the stack's name."""
        lease = self._lease()
        why = self._spent(lease) or hindrance(lease, self.policy)
        words = self._words(lease)
        if why:
            return self._page(409, "done", lease, not_let_go(words, why, self._kind(lease)))
        return self._page(
            400 if complaint else 200,
            "let-go",
            lease,
            words.asking_to_let_go(),
            complaint=complaint,
            back=self._link(EXTEND),
        )

    def let_go(self) -> Page:
        """Let the stack go if its name was typed, and say what follows."""
        try:
            typed = read_name(self.request.body)
        except NotTheForm as error:
            return self.ask_to_let_go(str(error))
        if typed != (name := self._lease().name):
            complaint = f"Nothing was changed: to let it go, type its name exactly: {clean(name)}"
            return self.ask_to_let_go(complaint)
        try:
            lease = let_go(
                self.claims.stack_id,
                actor=self._actor,
                reason="",
                now=self.now,
                policy=self.policy,
                ledger=self.ledger,
                generation=self.claims.generation,
                sent_to=self.claims.contact,
                queue=self.queue,
            )
        except ExtensionRefused:
            return self.ask_to_let_go()
        back = "" if self._refusal(lease) else self._link(EXTEND, self._renewed(lease))
        return self._page(200, "done", lease, self._words(lease).let_go(), back=back)

    def _lease(self) -> Lease:
        lease = self.ledger.lease(self.claims.stack_id)
        if lease is None:
            raise StackNotFound(f"no lease is known for {self.claims.stack_id}")
        return lease

    def _words(self, lease: Lease) -> PageWords:
        return PageWords(lease, self.policy, self.mode, self.now)

    def _spent(self, lease: Lease) -> str:
        """Say why the link is of no use by now, whatever it is for; nothing if it is good."""
        claims = self.claims
        return link_refusal(lease, claims.generation, claims.contact, self.policy, self.now)

    def _kind(self, lease: Lease) -> Spent:
        """Return in which way the link is spent."""
        if is_replaced(self.claims.contact, lease, self.policy):
            return Spent.REPLACED
        if lease.generation == self.claims.generation:
            return Spent.NOT
        return Spent.EXTENDED if is_extended(lease, self.now) else Spent.OUTDATED

    def _refusal(self, lease: Lease) -> str:
        return refusal(lease, self.policy, self.now)

    @property
    def _actor(self) -> Actor:
        user_agent = clean(self.request.header("User-Agent") or "")[:LONGEST_USER_AGENT]
        lease, contact = self._lease(), self.claims.contact
        standing = standing_of(contact, lease, self.policy.terms(lease.rule))
        return Actor(standing, contact.address, "link", self.request.ip, user_agent)

    def _renewed(self, lease: Lease) -> Claims:
        """Return the claims of a link for the generation that this visit has made."""
        return replace(self.claims, generation=lease.generation, issued_at=self.now)

    def _link(self, action: str, claims: Claims | None = None) -> str:
        """Return a link relative to the pages: the stage in front of the path is not ours."""
        return f"../{action}/{self.links.sign(claims or self.claims, action)}"

    def _calendar(self, lease: Lease, claims: Claims) -> str:
        if not calendar_of(lease, self.now, self.policy.window.window.zone):
            return ""
        return f"{self._link(EXTEND, claims)}/deadline.ics"

    def _offers(self, lease: Lease) -> list[Offer]:
        words = self._words(lease)
        return [
            Offer(when.isoformat(), words.until(when), words.longer(when))
            for when in choices(lease, self.policy, self.now)
        ]

    def _page(
        self, status: int, template: str, lease: Lease, standing: Standing, **values: object
    ) -> Page:
        given: dict[str, object] = {
            "lease": lease,
            "standing": standing,
            "facts": facts(self._words(lease)),
            "needs": needs(self._words(lease)) if lease.state.is_open else (),
            "console": console_page(lease.stack_id),
            "contact": clean(self.claims.contact.address),
            "calendar": "",
            "back": "",
            **values,
        }
        return Page(status, render(template, **given))
