"""The check of a journal while it passes by: a few words of memory for each chain.

It tells which chains cannot be trusted as they passed: an event that is not what was hashed,
one that does not follow the one before it, a gap. What was done to such a chain is for
`domain.journal.chain_check.verify` to say, which needs all of it.
"""

from collections.abc import Mapping

from msgspec import Struct, field

from janitor.domain.journal.events import FIRST_PREVIOUS, Event, digest

MOST_AHEAD = 100
"""So many events of one chain may wait for one before them; more is a gap, and no clock's fault."""


class _Chain(Struct):
    """From where to where a chain was seen, and what came ahead of its turn."""

    first: int
    first_previous: str
    last: int
    last_hash: str
    ahead: dict[int, tuple[str, str]] = field(default_factory=dict)
    """Previous and own hash by number. Clocks differ, so events may come out of order."""

    def takes(self, event: Event) -> bool:
        """Put the event, and what waited for it, in its place; tell whether that fits."""
        self.ahead[event.seq] = (event.prev_hash, event.hash)
        fits = len(self.ahead) <= MOST_AHEAD
        while (after := self.ahead.pop(self.last + 1, None)) is not None:
            fits = fits and after[0] == self.last_hash
            self.last, self.last_hash = self.last + 1, after[1]
        while (before := self.ahead.pop(self.first - 1, None)) is not None:
            fits = fits and before[1] == self.first_previous
            self.first, self.first_previous = self.first - 1, before[0]
        return fits


class RunningCheck(Struct):
    """What has passed, and the chains of it that are in doubt."""

    events: int = 0
    doubted: set[str] = field(default_factory=set)
    _chains: dict[str, _Chain] = field(default_factory=dict)

    @property
    def chains(self) -> int:
        """Return how many chains have passed."""
        return len(self._chains)

    def add(self, event: Event) -> None:
        """Look at one more event."""
        self.events += 1
        chain = self._chains.get(event.key)
        if chain is None:
            chain = _Chain(event.seq, event.prev_hash, event.seq, event.hash)
            self._chains[event.key] = chain
            fits = True
        else:
            fits = event.key in self.doubted or chain.takes(event)
        begins = event.seq != 1 or event.prev_hash == FIRST_PREVIOUS
        if not (fits and begins and _is_itself(event)):
            self.doubted.add(event.key)
            chain.ahead.clear()

    def holds(self, key: str) -> bool:
        """Tell whether nothing of the chain is in doubt so far, and nothing in it is missing."""
        chain = self._chains.get(key)
        return key not in self.doubted and not (chain and chain.ahead)

    def begins(self, key: str) -> bool:
        """Tell whether the first event of the chain has passed, or none at all."""
        return key not in self._chains or self._chains[key].first == 1

    def end(self, heads: Mapping[str, tuple[int, str]]) -> list[str]:
        """Return the chains that are in doubt now that nothing more comes.

        `heads` is how records say that chains end, of those whose end should have passed.
        """
        gaps = {key for key in self._chains if not self.holds(key)}
        return sorted(gaps | {key for key, head in heads.items() if not self._ends(key, head)})

    def _ends(self, key: str, head: tuple[int, str]) -> bool:
        chain = self._chains.get(key)
        return chain is not None and (chain.last, chain.last_hash) == head


def _is_itself(event: Event) -> bool:
    return digest(event.key, event.seq, event.body, event.prev_hash) == event.hash
