"""Commands in notices: whole, so that their reader pastes them into a shell and they work."""

import shlex
from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec import Struct

from janitor.domain.model import Lease
from janitor.domain.notification.digest import Command, without_links

DAYS = timedelta(days=3)
"""So much longer a stack is kept by the command in a notice, where the caps allow it."""
LEASE_TABLE, JOURNAL_TABLE = "janitor-leases", "janitor-journal"


class Place(Struct, frozen=True):
    """Where this janitor is found, from the shell of whoever reads a notice."""

    region: str = ""
    """Of its tables."""
    deployment: str = ""
    """The stack of the deployed copy."""
    lease_table: str = LEASE_TABLE
    journal_table: str = JOURNAL_TABLE
    regions: tuple[str, ...] = ()
    """Where the sweeps look, where that is said by an option."""

    def line(self, *words: str, looks: bool = False) -> str:
        """Return a command of the janitor's as one line for a POSIX shell.

        Every word is quoted. One that `looks` at stacks looks where the sweeps do.
        """
        region = f"AWS_REGION={shlex.quote(self.region)} " if self.region else ""
        there = ("--region", ",".join(self.regions)) if looks and self.regions else ()
        return region + shlex.join(["janitor", *words, *there, *self._tables()])

    def _tables(self) -> Iterable[str]:
        if self.deployment:
            yield from ("--deployment", self.deployment)
            return
        if self.lease_table != LEASE_TABLE:
            yield from ("--lease-table", self.lease_table)
        if self.journal_table != JOURNAL_TABLE:
            yield from ("--journal-table", self.journal_table)

    @property
    def rights(self) -> str:
        """Say in few words what a command about one stack needs."""
        also = ""
        if self.deployment:
            also = f", and cloudformation:DescribeStacks on {self.deployment}"
        return (
            "The commands need AWS credentials of this account with dynamodb:GetItem and PutItem"
            f" on {self.lease_table} and {self.journal_table}{also}."
        )


NOWHERE = Place()


def to_keep(lease: Lease, offers: Iterable[datetime], now: datetime, place: Place) -> list[Command]:
    """Return the command that keeps a stack three days longer, or for as long as it may be."""
    start = max(now, lease.expires_at or now)
    several = sorted(offers)
    until = next((one for one in several if one - start >= DAYS), several[-1] if several else None)
    if until is None or not _is_plain(lease.stack_id):
        return []
    words = ("--until", f"{until:%Y-%m-%dT%H:%M:%SZ}", "--reason", "still needed")
    return [Command("To keep it, run:", place.line("extend", lease.stack_id, *words))]


def to_leave_alone(lease: Lease, place: Place) -> list[Command]:
    """Return the command with which an operator takes a stack out for good."""
    if not _is_plain(lease.stack_id):
        return []
    line = place.line("unmanage", lease.stack_id, "--reason", "not temporary")
    return [Command("If the janitor is to leave it alone, an operator runs:", line)]


def _is_plain(stack_id: str) -> bool:
    """Tell whether an id makes no link where it is printed; those of AWS never do."""
    return without_links(stack_id) == stack_id


def to_see_what_is_held(place: Place) -> Command:
    """Return the command that lists what is held, and ends with the one that accepts it."""
    return Command(
        "To see what is held, and the command that accepts exactly that, run:",
        place.line("breaker", "show", looks=True),
    )


def to_look_at_it(place: Place) -> Command:
    """Return the command with which an operator sees what the janitor cannot reach."""
    if place.deployment:
        line = Place(place.region).line("doctor", place.deployment)
    else:
        line = place.line("plan", looks=True)
    return Command("To look at it, run:", line)
