"""What the extension page says: how a stack stands, what comes next, and what to do.

The first two lines are for a busy person on a phone: which stack, what, when.
"""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from janitor.domain.instants import instant_text, relative_text, short_text, span_text
from janitor.domain.lease.notice_history import grace_of, is_let_go, promise
from janitor.domain.lease.owners import clean
from janitor.domain.model import Lease, LeaseState, Mode
from janitor.domain.policy.model import Policy

ONCE_ON = "Deletions are switched off at present. Once they are on, it will be deleted"


class Tone(StrEnum):
    """How a page looks at first sight."""

    CALM = "calm"
    LATE = "late"
    DONE = "done"


class Standing(Struct, frozen=True):
    """The head of a page: what it is about, what is so, and what follows from it."""

    title: str
    lead: str
    next: str = ""
    tone: Tone = Tone.CALM


class PageWords(Struct, frozen=True):
    """Words about one lease at one instant."""

    lease: Lease
    policy: Policy
    mode: Mode
    now: datetime

    @property
    def name(self) -> str:
        """Return the stack's name."""
        return clean(self.lease.name)

    @property
    def grace(self) -> str:
        """Say how long the stack stands after its final notice."""
        return span_text(grace_of(self.lease, self.policy.terms(self.lease.rule)))

    def when(self, at: datetime | None) -> str:
        """Say an instant: absolute with its zone, and relative."""
        text = instant_text(at, self.policy.window.window.zone)
        return f"{text} ({relative_text(at, self.now)})" if at else text

    def standing(self) -> Standing:
        """Say what happens to a stack that its owner may keep."""
        lease, ends = self.lease, self.lease.expires_at
        if ends is None:
            return Standing(f"{self.name} stays", "It never expires.")
        if lease.protection:
            why = f"It is {clean(lease.protection)}."
            kept = (
                "Nothing is marked or deleted as long as that tag is there, so you need do nothing."
            )
            return Standing(f"{self.name} is protected", why, f"{kept} {self._without_tag}")
        if lease.state is LeaseState.MARKED:
            return self._marked(ends)
        if is_let_go(lease):
            gone = f"It ended {self.when(ends)}, since its owner let it go."
            return Standing(f"{self.name} was let go", gone, self._to_come, Tone.LATE)
        if ends <= self.now:
            return Standing(
                f"{self.name} has expired", f"It ended {self.when(ends)}.", self._to_come, Tone.LATE
            )
        title = f"{self.name} ends {relative_text(ends, self.now)}"
        at = instant_text(ends, self.policy.window.window.zone)
        then = f"At its deadline it is marked for deletion. {self._to_come}"
        return Standing(title, f"It ends {at}.", then)

    def _marked(self, ends: datetime) -> Standing:
        after = self.lease.delete_after
        expired = f"It expired {self.when(ends)} and is marked for deletion."
        if is_let_go(self.lease):
            expired = f"Its owner let it go {self.when(ends)}, and it is marked for deletion."
        if self.lease.blocked:
            held = f"It is held up at present: {clean(self.lease.last_error).rstrip('.')}."
            expired = f"{expired} {held}"
        if self.mode is not Mode.ENFORCE:
            soonest = f", at the earliest {self.when(after)}" if after else ""
            title = f"{self.name} has expired"
            return Standing(title, expired, f"{ONCE_ON}{soonest}.", Tone.LATE)
        if after is None:
            return Standing(f"{self.name} has expired", expired, self._to_come, Tone.LATE)
        if after <= self.now:
            at_once = f"It will be deleted at any moment; the final notice gave {self.when(after)}."
            return Standing(f"{self.name} may be deleted now", at_once, expired, Tone.LATE)
        at = instant_text(after, self.policy.window.window.zone)
        return Standing(
            f"{self.name} may be deleted {relative_text(after, self.now)}",
            f"It will be deleted, at the earliest {at}.",
            expired,
            Tone.LATE,
        )

    @property
    def _to_come(self) -> str:
        """Say what still lies between an expired stack and its deletion."""
        later = "" if self.mode is Mode.ENFORCE else ", and not before deletions are switched on"
        return (
            "You get a final notice. It will be deleted"
            f" {self.grace} after that, at the earliest{later}."
        )

    @property
    def _without_tag(self) -> str:
        return f"Without the tag, its deadline is {self.when(self.lease.expires_at)}."

    def until(self, when: datetime) -> str:
        """Say on a button until when it keeps the stack."""
        return f"Keep until {short_text(when, self.policy.window.window.zone)}"

    def longer(self, when: datetime) -> str:
        """Say how much that adds."""
        ends = self.lease.expires_at
        if ends is None or ends <= self.now:
            return f"{span_text(when - self.now)} from now"
        return f"{span_text(when - ends)} longer"

    def extended(self) -> Standing:
        """State the new deadline."""
        until = self.when(self.lease.expires_at)
        rest = (
            "There is nothing more to do. You will be reminded before that, with a new link;"
            " this one is used up."
        )
        return Standing(f"{self.name} is kept", f"{self.name} now ends {until}.", rest, Tone.DONE)

    def asking_to_let_go(self) -> Standing:
        """Ask whether the stack may really go."""
        ends = self.when(self.lease.expires_at)
        lead = f"Nothing is deleted at once: it ends now instead of {ends}."
        return Standing(f"Let {self.name} go?", lead, f"{self._to_come} {self._way_back}")

    def let_go(self) -> Standing:
        """State what follows now that it was let go."""
        earliest = promise(self.lease, self.policy, self.now)
        if self.mode is Mode.ENFORCE:
            lead = f"It will be deleted, at the earliest {self.when(earliest)}."
        else:
            lead = f"{ONCE_ON}, at the earliest {self.when(earliest)}."
        rest = (
            f"First you get a final notice, and the stack still stands for {self.grace} after it."
            f" {self._way_back}"
        )
        return Standing(f"{self.name} is let go", lead, rest, Tone.DONE)

    @property
    def _way_back(self) -> str:
        """Say how letting go is taken back: by an extension, if any is left."""
        if self.lease.extensions >= self.policy.terms(self.lease.rule).max_extensions:
            return "All extensions are used, so only deploying it again takes this back."
        return "Until it is deleted, the link in that notice keeps it."
