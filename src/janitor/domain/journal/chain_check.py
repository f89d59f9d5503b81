"""The check of a journal chain: which event was changed, removed, inserted or swapped.

The chain is walked from its end, which the record remembers, back to its beginning, by
the hash that each event has of the one before it.
"""

from collections.abc import Sequence

from msgspec import Struct, field

from janitor.domain.journal.event_view import stack_name
from janitor.domain.journal.events import FIRST_PREVIOUS, Event, digest


class Finding(Struct, frozen=True):
    """Something wrong with a chain: which event, and what."""

    key: str
    seq: int
    what: str
    """`changed`, `removed`, `inserted` or `swapped`."""
    text: str


def verify(
    key: str, events: Sequence[Event], head: str | None, last: int | None = None
) -> list[Finding]:
    """Check one chain, in the order in which it is stored; return what is wrong, by number.

    `head` is the hash and `last` the number that the lease or account remembers for the
    end; None where the record is no longer kept (closed leases go after 90 days), and
    then a cut tail of whole events cannot be seen.
    """
    walk = _Walk(key, events)
    walk.back_from_the_end(head, last)
    walk.look_at_the_rest()
    return sorted(walk.findings, key=lambda finding: finding.seq)


def unsound_text(findings: Sequence[Finding]) -> str:
    """Say in one line that a journal is not sound: the first of what is wrong, and how to see all."""
    first, more = findings[0], len(findings) - 1
    rest = f", and {more} more" if more else ""
    return (
        f"the journal is not sound: {stack_name(first.key)}, {first.text}{rest};"
        " `janitor audit verify` names all"
    )


class _Walk(Struct):
    """One walk through a chain, and what it has met so far."""

    key: str
    events: Sequence[Event]
    findings: list[Finding] = field(default_factory=list)
    met: dict[int, int] = field(default_factory=dict)
    """Index into `events` of what was met, with the number that it has in the chain."""
    end: int = 0

    def back_from_the_end(self, head: str | None, last: int | None) -> None:
        """Follow the hashes; where one leads nowhere, say why and go on before it."""
        if head:
            previous, number = head, self._last_number(head) if last is None else last
        else:
            final = self.events[-1] if self.events and last is None else None
            previous, number = (final.hash, self._number_of(final)) if final else ("", 0)
        self.end = number
        by_hash = {event.hash: index for index, event in enumerate(self.events)}
        while number > 0:
            index = by_hash.get(previous) if previous else self._standing_for(number)
            if index is None or index in self.met:
                index = self._standing_at(number)
                if index is None:
                    is_tail = number == self.end
                    text = "is missing" + ": the record remembers a later end" * is_tail
                    self._find(number, "removed", text)
                else:
                    text = f"is not the one that {self._follower(number)} has the hash of"
                    self._find(self.events[index].seq, "changed", text)
                previous = ""
            elif self._is_itself(self.events[index], number):
                previous = self.events[index].prev_hash
            else:
                self._find(self.events[index].seq, "changed", "does not match its hash")
                previous = ""
            if index is not None:
                self.met[index] = number
            number -= 1
        if previous not in {FIRST_PREVIOUS, ""}:
            self._find(1, "changed", "does not begin the chain")

    def look_at_the_rest(self) -> None:
        """Name what the walk did not meet, and what it met in another place."""
        for index, event in enumerate(self.events):
            if index not in self.met:
                is_late = not any(later in self.met for later in range(index, len(self.events)))
                why = "the record ends before it" if is_late else "the chain passes it by"
                self._find(event.seq, "inserted", f"was inserted: {why}")
        numbers = [self.met[index] for index in sorted(self.met)]
        if numbers == sorted(numbers) and self.findings:
            return  # in order: they only moved up for what was inserted or removed
        for index, number in sorted(self.met.items()):
            if self.events[index].seq != number:
                text = f"stands here, but was written as number {number}"
                self._find(self.events[index].seq, "swapped", text)

    def _standing_for(self, number: int) -> int | None:
        """Return the index of an event that was written as this number, wherever it stands."""
        at_home = self._standing_at(number)
        rest = [index for index in range(len(self.events)) if index not in self.met]
        tried = rest if at_home is None else [at_home, *rest]
        return next((index for index in tried if self._fits(self.events[index], number)), None)

    def _standing_at(self, number: int) -> int | None:
        """Return the index of what stands where the event of this number should."""
        for index, event in enumerate(self.events):
            if index not in self.met and event.seq == number:
                return index
        return None

    def _follower(self, number: int) -> str:
        return "the record" if number == self.end else f"event {number + 1}"

    def _fits(self, event: Event, number: int) -> bool:
        """Tell whether the hash is that of the content, wherever it stands now."""
        body = {**event.body, "seq": number}
        return digest(self.key, number, body, event.prev_hash) == event.hash

    def _is_itself(self, event: Event, number: int) -> bool:
        """Tell whether the content is the one hashed, but for having moved with its place."""
        return self._fits(event, number) and event.body.get("seq") in {number, event.seq}

    def _number_of(self, event: Event) -> int:
        """Return the number that an event was written as; its place if that is no help."""
        written = event.body.get("seq")
        guesses = [written] if isinstance(written, int) else []
        guesses += [event.seq, event.seq + 1, event.seq - 1]
        return next((number for number in guesses if self._fits(event, number)), event.seq)

    def _last_number(self, head: str) -> int:
        """Return the number of the end where the record tells only its hash."""
        for event in self.events:
            if event.hash == head:
                return self._number_of(event)
        return self.events[-1].seq + 1 if self.events else 1

    def _find(self, seq: int, what: str, text: str) -> None:
        self.findings.append(Finding(self.key, seq, what, f"event {seq} {text}"))
