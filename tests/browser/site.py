"""The extension page with twins behind it, in every state that it has, at one fixed instant."""

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import unescape
from urllib.parse import urlencode

from msgspec.structs import replace
from tests.fakes.memory import MemoryLedger, MemoryPolicies, MemoryQueue

from janitor.domain.errors import JanitorError
from janitor.domain.lease.notice_history import LET_GO as BY_OWNER
from janitor.domain.model import Contact, ContactKind, Lease, LeaseState, Mode
from janitor.domain.notification.signed_links import EXTEND, LET_GO, Claims, Links
from janitor.domain.policy.model import Policy
from janitor.entrypoints.demo.web import serve
from janitor.extension_page.http import Request, Response
from janitor.extension_page.router import handle

NOW = datetime(2026, 6, 1, 7, 34, 12, 345, UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ANA = Contact(ContactKind.EMAIL, "ana@example.com")
STACK_ID = "arn:aws:cloudformation:eu-central-1:123456789012:stack/feat-basket/0a1b2c3d"
KEY = "k" * 40
POLICY = Policy.model_validate({"mode": "enforce", "window": {"zone": "Europe/Berlin"}})
LEASE = Lease(
    stack_id=STACK_ID,
    name="feat-basket",
    region="eu-central-1",
    rule="default",
    created=NOW - 3 * DAY,
    first_seen=NOW - 3 * DAY,
    expires_at=NOW + 23 * HOUR,
    deadline_source="tag janitor:ttl=4d",
    contacts=(ANA,),
    labels=(
        ("branch", "feature/new-basket"),
        ("pull request", "1287"),
        ("commit", "9f3c2ab"),
        ("monthly cost", "41.70 EUR"),
    ),
    resources=23,
    version=1,
)
MARKED = replace(
    LEASE,
    state=LeaseState.MARKED,
    expires_at=NOW - 3 * HOUR,
    delete_after=NOW + 21 * HOUR,
)
BARE = replace(LEASE, labels=(), resources=None, contacts=(Contact(ContactKind.NAME, "platform"),))
TAKEN = replace(
    LEASE,
    expires_at=NOW - HOUR,
    let_go_at=NOW - HOUR,
    deadline_source=BY_OWNER,
    generation=2,
)
FROM_OUR_PAGE = {
    "Sec-Fetch-Site": "same-origin",
    "Content-Type": "application/x-www-form-urlencoded",
    "User-Agent": "Browser/1.0",
}
OFFERED = "2026-06-05T06:34:12.000345+00:00"
"""One of the dates on the buttons for `LEASE`."""
RTL, ZERO_WIDTH = "\u202e", "\u200b"
HOSTILE_TAG = (
    f"<!channel> <script>alert(1)</script> =cmd|' /C calc'!A0 {RTL}gnp.exe{ZERO_WIDTH}"
    " https://evil.example/?a=1&b=2 line\r\nbreak @here \"'`;,\\ " + "x" * 140
)[:256]
HOSTILE = replace(
    LEASE,
    protection=f"protected by tag janitor:protect: {HOSTILE_TAG}",
    labels=tuple((name, HOSTILE_TAG) for name in ("branch", "pull request", "commit")),
    contacts=(Contact(ContactKind.NAME, HOSTILE_TAG),),
    deadline_source=f"tag janitor:ttl={HOSTILE_TAG}",
)


class BrokenLedger(MemoryLedger):
    """A ledger that cannot be read."""

    def lease(self, stack_id: str) -> Lease | None:
        """Fail as an adapter does."""
        raise JanitorError(f"reading {stack_id} failed")


@dataclass
class Site:
    """What is behind the page, and how to reach it."""

    lease: Lease | None = LEASE
    mode: Mode = Mode.ENFORCE
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    queue: MemoryQueue = field(default_factory=MemoryQueue)
    address: str = "https://janitor.example.com/live"
    asked: list[Request] = field(default_factory=list)
    policy: Policy = POLICY
    reader: Contact | None = None
    """Whom links were sent to: the first owner, if nobody else."""

    def __post_init__(self) -> None:
        if self.lease is not None:
            self.ledger.records[self.lease.key] = self.lease

    @property
    def links(self) -> Links:
        """Return the signer."""
        return Links([KEY], self.address)

    def at(self, address: str) -> Callable[[Request], Response]:
        """Learn the address, and answer there."""
        self.address = address
        return self.answer

    def answer(self, request: Request) -> Response:
        """Answer one request, and remember that it was asked."""
        self.asked.append(request)
        return handle(
            request,
            clock=lambda: NOW,
            policies=MemoryPolicies(self.policy, self.mode),
            ledger=self.ledger,
            links=self.links,
            queue=self.queue,
        )

    def link(
        self, action: str = EXTEND, generation: int | None = None, age: timedelta = HOUR
    ) -> str:
        """Return a link as it was sent in a notice."""
        lease = self.lease or LEASE
        known = lease.generation if generation is None else generation
        reader = self.reader or next(iter(lease.contacts), ANA)
        return self.links.url(Claims(lease.stack_id, known, reader, NOW - age), action)

    def send(
        self, method: str, link: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Response:
        """Send a request without any server."""
        path = link.removeprefix(self.address)
        return self.answer(Request(method, path, headers or {}, body, "192.0.2.7"))

    def get(self, link: str) -> Response:
        """Open a page."""
        return self.send("GET", link)

    def press(self, link: str, **fields: str) -> Response:
        """Send a form as a browser does."""
        return self.send("POST", link, FROM_OUR_PAGE, urlencode(fields).encode())

    @property
    def now(self) -> Lease:
        """Return the lease as it is now."""
        lease = self.ledger.lease(STACK_ID)
        if lease is None:
            raise LookupError(STACK_ID)
        return lease

    @property
    def recorded(self) -> tuple[object, ...]:
        """Return a copy of all that is recorded and queued."""
        state = (self.ledger.records, self.ledger.journal, self.queue.notices)
        return copy.deepcopy(state)


def text_of(response: Response) -> str:
    """Return what a person reads on a page."""
    page = re.sub(r"<(style|title)>.*?</\1>", "", response.body.decode(), flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", page)).split())


@contextmanager
def served(site: Site) -> Iterator[Site]:
    """Serve the site on 127.0.0.1."""
    with serve(site.at):
        yield site


@dataclass(frozen=True)
class State:
    """One state of the page: how to come to it, and how it begins."""

    title: str
    site: Callable[[], Site] = Site
    link: Callable[[Site], str] = Site.link
    press: str = ""
    """The button to press there, by the beginning of its text."""
    typed: str | None = None
    """What to type as the stack's name; None: do not open that part."""
    value: str = ""
    """What the button sends instead of its own date."""
    status: int = 200


def of(lease: Lease | None, mode: Mode = Mode.ENFORCE) -> Callable[[], Site]:
    """Return how to make a site with one lease."""
    return lambda: Site(lease, mode)


def changed(**changes: object) -> Callable[[], Site]:
    """Return how to make a site with the usual lease, but for `changes`."""
    return of(replace(LEASE, **changes))


def to_let_go(site: Site) -> str:
    """Return the link of the page that asks for the name."""
    return site.link(LET_GO)


def old(site: Site) -> str:
    """Return a link of an earlier generation."""
    return site.link(generation=0)


BOB = Contact(ContactKind.EMAIL, "bob@example.com")
CLOSED = {"closed_at": NOW - 2 * HOUR}
FAILURE = "The following resource(s) failed to delete: [AssetBucket]. The bucket is not empty"
STATES = {
    "ends": State("feat-basket ends in 23 hours"),
    "marked": State("feat-basket may be deleted in 21 hours", of(MARKED)),
    "marked-while-off": State("feat-basket has expired", of(MARKED, Mode.NOTIFY)),
    "marked-untold": State("feat-basket has expired", of(replace(MARKED, delete_after=None))),
    "expired": State("feat-basket has expired", changed(expires_at=NOW - 20 * timedelta(minutes=1))),
    "unknown-facts": State("feat-basket ends in 23 hours", of(BARE)),
    "protected": State(
        "feat-basket is protected",
        changed(protection="protected by tag janitor:protect: shown at the fair until Friday"),
    ),
    "was-let-go": State("feat-basket was let go", of(TAKEN)),
    "wrong-date": State(
        "feat-basket ends in 23 hours", press="Keep until Tue 9 Jun", value="2036-01-01T00:00:00Z", status=400
    ),
    "extended": State("feat-basket is kept", press="Keep until Fri 5 Jun"),
    "used": State(
        "Already extended",
        changed(extensions=1, extended_until=LEASE.expires_at, generation=2),
        old,
        status=409,
    ),
    "out-of-date": State("This link is out of date", of(LEASE), old, status=409),
    "replaced": State(
        "feat-basket has changed hands",
        lambda: Site(replace(LEASE, contacts=(BOB,)), reader=ANA),
        status=409,
    ),
    "no-extensions-left": State(
        "feat-basket cannot be extended", changed(extensions=5), status=409
    ),
    "no-lifetime-left": State(
        "feat-basket cannot be extended", changed(created=NOW - 29 * DAY - HOUR), status=409
    ),
    "never": State("feat-basket stays", changed(expires_at=None), status=409),
    "unreadable": State(
        "feat-basket is kept",
        changed(
            expires_at=None,
            deadline_source="",
            problem="tag janitor:ttl 'soon' is not a lifetime; for instance 90m, 36h, 3d or 2w",
        ),
        status=409,
    ),
    "deleting": State("feat-basket is being deleted", changed(state=LeaseState.DELETING), status=409),
    "failed": State(
        "feat-basket could not be deleted",
        changed(state=LeaseState.FAILED, last_error=FAILURE, next_attempt_at=NOW + HOUR),
        status=409,
    ),
    "needs-attention": State(
        "feat-basket could not be deleted",
        changed(state=LeaseState.NEEDS_ATTENTION, last_error=FAILURE),
        status=409,
    ),
    "deleted": State("feat-basket is deleted", changed(state=LeaseState.DELETED, **CLOSED), status=409),
    "gone": State("feat-basket is gone", changed(state=LeaseState.GONE, **CLOSED), status=409),
    "released": State("feat-basket is released", changed(state=LeaseState.RELEASED, **CLOSED), status=409),
    "let-go-open": State("feat-basket ends in 23 hours", typed=""),
    "let-go": State("Let feat-basket go?", link=to_let_go),
    "let-go-misspelled": State(
        "Let feat-basket go?", press="Let feat-basket go", typed="feat-bakset", status=400
    ),
    "let-go-done": State("feat-basket is let go", press="Let feat-basket go", typed="feat-basket"),
    "let-go-refused": State(
        "feat-basket may be deleted in 21 hours", of(MARKED), to_let_go, status=409
    ),
    "link-too-old": State(
        "This link is too old", link=lambda site: site.link(age=61 * DAY), status=410
    ),
    "link-broken": State(
        "This link does not work", link=lambda site: site.link()[:-3], status=404
    ),
    "unknown-stack": State("Unknown stack", of(None), status=404),
    "nothing-here": State("Nothing here", link=lambda site: f"{site.address}/", status=404),
    "trouble": State(
        "Please try again in a moment", lambda: Site(ledger=BrokenLedger()), status=503
    ),
    "hostile": State("feat-basket is protected", of(HOSTILE)),
}  # fmt: skip
"""Every state that a person can see."""
