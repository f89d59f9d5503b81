"""A digest as a structure: what channels lay out, each in its own way; here as plain text."""

import re
import textwrap
from datetime import datetime

from msgspec import Struct

from janitor.domain.lease.owners import clean
from janitor.domain.model import Contact, Lease

WIDTH = 78
"""Columns of plain text: many mail programs do not break the lines of one."""


_LINKABLE = re.compile(
    r"(?P<address>(?<![\w.+'-])[\w.+'-]++@[\w.-]+)|(?P<scheme>:)(?=//)|(?<=\w)[.\u3002\uff0e\uff61](?=[^\W\d_]{2})"
)
"""A mail address, the colon of `https://`, a dot as in `example.com` (browsers know four)."""


def without_links(text: str) -> str:
    """Break what mail programs and Slack make links of: `https[:]//example[.]com`.

    Tags, reasons and outputs are written by anybody, and no link but the janitor's own may
    stand in its messages. Mail addresses stay: readers find themselves by them.
    """
    return _LINKABLE.sub(_broken, text)


def _broken(found: re.Match[str]) -> str:
    if found["address"]:
        return found["address"]
    return "[:]" if found["scheme"] else "[.]"


class Item(Struct, frozen=True):
    """One stack in a digest, before it is put into words."""

    stage: str
    lease: Lease | None
    """None where the notice is about the account as a whole."""
    text: str = ""
    delete_after: datetime | None = None
    """For a final notice: the date that will hold."""
    link: str = ""
    """Where the owner can extend; empty where no page is served."""
    refusal: str = ""
    """Why it can no longer be extended, if that is so."""
    offers: tuple[datetime, ...] = ()
    """Deadlines that the owner may choose."""
    token: str = ""
    """What a button carries, to be signed for what it does; empty without buttons."""
    is_former: bool = False
    """Whether the reader owned the stack until some days ago, and has no say any more."""


class Missed(Struct, frozen=True):
    """Somebody whom a notice cannot reach, and why."""

    contact: Contact
    why: str

    def __str__(self) -> str:
        return f"{clean(self.contact.address)} ({clean(self.why)})"


class Choice(Struct, frozen=True):
    """A later deadline on offer."""

    label: str
    until: datetime


class Command(Struct, frozen=True):
    """A command that works as it stands, and what it is for."""

    why: str
    line: str


class Entry(Struct, frozen=True):
    """One stack in a digest, in words."""

    stage: str
    name: str
    region: str = ""
    stack_id: str = ""
    fate: str = ""
    """What happens to it and when, in one sentence: the first thing to be read."""
    lines: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    choices: tuple[Choice, ...] = ()
    link: str = ""
    token: str = ""
    commands: tuple[Command, ...] = ()
    """What to run in a shell; where there is a link, that keeps it, and these come after."""

    @property
    def text(self) -> str:
        """Return the entry as plain text; what is to be clicked or copied stays on one line."""
        name = without_links(self.name)
        head = f"{name}  ({self.region})" if self.region else wrapped(name)
        facts = "; ".join(f"{name}: {value}" for name, value in self.facts)
        told = [line for line in (self.fate, *self.lines, f"{facts}." if facts else "") if line]
        link = [f"  To keep it: {self.link}"] if self.link else []
        run = (f"{wrapped(one.why, '  ')}\n    {one.line}" for one in self.commands)
        lines = (wrapped(without_links(line), "  ") for line in told)
        return "\n".join([head, *lines, *link, *run])


class Wording(Struct, frozen=True):
    """A digest in words, ready to be laid out and sent."""

    subject: str
    greeting: str
    entries: tuple[Entry, ...] = ()
    foot: str = ""

    @property
    def text(self) -> str:
        """Return the whole digest as plain text."""
        parts = [wrapped(without_links(self.greeting)), *(entry.text for entry in self.entries)]
        return "\n\n".join(part for part in (*parts, wrapped(self.foot)) if part)


def wrapped(text: str, indent: str = "") -> str:
    """Break a paragraph into lines; what has no blanks is never broken: names, links.

    Lines after the first stand two columns further in, where the paragraph is indented.
    """
    lines = textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent * 2,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(lines)
