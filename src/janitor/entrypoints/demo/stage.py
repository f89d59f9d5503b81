"""How the demo shows itself: a clock that jumps, captions, notices as owners read them, clicks."""

import re
import select
import sys
import time
import urllib.request
from collections.abc import Callable
from datetime import datetime, timedelta
from html import unescape
from itertools import count
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from rich.console import Console, RenderableType
from rich.panel import Panel
from rich.rule import Rule
from rich.style import Style
from rich.text import Text

from janitor.domain.instants import instant_text
from janitor.domain.notification.messages import AnswerRequest, Message, Sent
from janitor.entrypoints.demo.cast import SLACK_OWNER
from janitor.entrypoints.demo.slack import USER, Chat

WIDEST = 120
_LINK = re.compile(r"http://127\.0\.0\.1:\d+/extend/[\w.-]+", flags=re.ASCII)
_SHOWN_OF_TOKEN = 12


class Clock:
    """A clock that stands still until the story moves it."""

    def __init__(self, start: datetime, zone: ZoneInfo) -> None:
        self.start = start
        self.zone = zone
        self.now = start

    def __call__(self) -> datetime:
        """Return the instant at which the clock stands."""
        return self.now

    def jump(self, day: int, hour: int, minute: int = 0) -> None:
        """Go to a time of day, so many days after the first."""
        date = self.start.astimezone(self.zone).date() + timedelta(days=day)
        local = datetime(date.year, date.month, date.day, hour, minute, tzinfo=self.zone)
        self.now = max(self.now, local.astimezone(self.start.tzinfo))


class Screen:
    """The console, and the `Channel` port: each kind of notice is shown once in full."""

    most = 100

    def __init__(self, console: Console, clock: Clock) -> None:
        self._console = console
        self._clock = clock
        self._numbers = count(1)
        self._kinds: set[str] = set()
        self.in_full: set[str] = set()
        """Whose notices are shown in full, whatever their kind."""
        self.links: dict[str, str] = {}
        """The newest link that each contact was sent."""
        self.chat = Chat(SLACK_OWNER)

    def show(self, what: RenderableType) -> None:
        """Print something, not too wide to read."""
        width = min(self._console.width, WIDEST)
        self._console.print(what, width=width, highlight=False)

    def day(self, day: int, text: str) -> None:
        """Print where the story is."""
        when = instant_text(self._clock.now, self._clock.zone)
        self.heading(f"Day {day}, {when}")
        self.say(text)

    def heading(self, text: str) -> None:
        """Print a heading."""
        self.show("")
        self.show(Rule(Text(text, style="bold"), align="left", style="dim"))

    def say(self, text: str) -> None:
        """Print a caption."""
        self.show(Text(text, style="italic"))

    def send(self, message: Message) -> Sent:
        """Show a notice: in full if it is the first of its kind, else its subject."""
        address = message.contact.address
        number = f"demo-{next(self._numbers)}"
        if address == self.chat.address:
            self.show(self.chat.receive(message))
            return Sent(number, "slack", USER, can_change=True)
        if links := _LINK.findall(message.text):
            self.links[address] = links[0]
        if set(message.kinds) <= self._kinds and address not in self.in_full:
            line = Text(f"  to {address}: ", style="cyan")
            self.show(line.append(message.subject, style="default"))
        else:
            self._kinds |= set(message.kinds)
            title = Text(f"to {address}", style="cyan")
            head = Text(f"{message.subject}\n\n", style="bold")
            body = head.append_text(_short_links(message.text))
            self.show(Panel(body, title=title, title_align="left", border_style="cyan"))
        return Sent(number, "console")

    def revise(self, message_id: str, message: Message, said: str) -> None:  # noqa: ARG002 - the port's
        """Show how the message in Slack looks from now on."""
        for part in self.chat.change(message, said):
            self.show(part)

    def answer(self, request: AnswerRequest) -> None:
        """Show what Slack tells only the one who pressed."""
        self.show(self.chat.hear(f"only to {request.contact.address}", request.text))

    def wait_for(self, done: Callable[[], bool], seconds: float) -> bool:
        """Wait until `done`, Enter, or the time is over; tell whether it was done."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not done():
            if select.select([sys.stdin], [], [], 0.2)[0]:
                sys.stdin.readline()
                break
        return done()

    def show_link(self, link: str) -> None:
        """Print a link whole and on a line of its own, so that it can be clicked and copied."""
        self._console.print(Text(f"\n{link}\n"), soft_wrap=True, highlight=False)


def click(link: str, reason: str, choice: int = -1) -> tuple[str, str]:
    """Open a link, choose the latest or another date, press the button; return what pages say."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(link, timeout=10) as answer:
        page = answer.read().decode()
    until = unescape(re.findall(r'name="until" value="([^"]*)"', page)[choice])
    form = urlencode({"until": until, "reason": reason}).encode()
    headers = {"Sec-Fetch-Site": "same-origin", "User-Agent": "the demo's own finger"}
    with opener.open(urllib.request.Request(link, form, headers), timeout=10) as answer:  # noqa: S310 - loopback
        return said_by(page), said_by(answer.read().decode())


def said_by(page: str) -> str:
    """Return a page's title and its first sentence."""
    title = re.search(r"<h1>(.*?)</h1>", page, flags=re.DOTALL)
    sentence = re.search(r'<p class="deadline.*?>(.*?)</p>', page, flags=re.DOTALL)
    parts = [re.sub(r"<[^>]*>", "", found[1]) for found in (title, sentence) if found]
    return " - ".join(" ".join(unescape(part).split()) for part in parts)


def _short_links(text: str) -> Text:
    """Return the text with its links cut for the eye; a terminal still opens them whole."""
    shown = Text()
    at = 0
    for link in _LINK.finditer(text):
        head = link[0][: link[0].rindex("/") + 1 + _SHOWN_OF_TOKEN]
        shown.append(text[at : link.start()])
        shown.append(f"{head}...", style=Style(link=link[0], underline=True))
        at = link.end()
    return shown.append(text[at:])
