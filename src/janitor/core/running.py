"""The check of a journal while it passes by: a few words of memory for each chain.

`core.audit.verify` tells what was done to a chain, and needs all of it. This tells whether
each event is the one that was hashed and follows the one before it.
"""

from collections.abc import Mapping

from msgspec import Struct, field

from janitor.core.audit import Finding
from janitor.core.journal import FIRST_PREVIOUS, Event, digest


class _Chain(Struct):
    """From where to where a chain was seen, and what came ahead of its turn."""

    first: int
    first_previous: str
    last: int
    last_hash: str
    ahead: dict[int, tuple[str, str]] = field(default_factory=dict)
    """Previous and own hash by number. Clocks differ, so events may come out of order."""


class RunningCheck(Struct):
    """What has passed, and what was wrong with it."""

    events: int = 0
    findings: list[Finding] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    """The chains that something is wrong with so far."""
    _chains: dict[str, _Chain] = field(default_factory=dict)

    @property
    def chains(self) -> int:
        """Return how many chains have passed."""
        return len(self._chains)

    def add(self, event: Event) -> None:
        """Look at one more event."""
        self.events += 1
        if digest(event.key, event.seq, event.body, event.prev_hash) != event.hash:
            self._find(event.key, event.seq, "changed", "does not match its hash")
        chain = self._chains.get(event.key)
        if chain is None:
            chain = _Chain(event.seq, event.prev_hash, event.seq, event.hash)
            self._chains[event.key] = chain
        else:
            chain.ahead[event.seq] = (event.prev_hash, event.hash)
        self._join(event.key, chain)

    def _join(self, key: str, chain: _Chain) -> None:
        """Put what came ahead of its turn behind or before what is joined already."""
        while (after := chain.ahead.pop(chain.last + 1, None)) is not None:
            if after[0] != chain.last_hash:
                self._find(key, chain.last + 1, "changed", f"does not follow event {chain.last}")
            chain.last, chain.last_hash = chain.last + 1, after[1]
        while (before := chain.ahead.pop(chain.first - 1, None)) is not None:
            if before[1] != chain.first_previous:
                self._find(key, chain.first, "changed", f"does not follow event {chain.first - 1}")
            chain.first, chain.first_previous = chain.first - 1, before[0]

    def end(self, heads: Mapping[str, tuple[int, str]], *, whole: bool) -> list[Finding]:
        """Close the check and return all findings.

        `heads` is what open records remember of their chains' ends. Not `whole`: events after
        the last that passed are not expected to be there.
        """
        for key, chain in self._chains.items():
            for seq in sorted(chain.ahead):
                text = f"stands apart: the journal goes from {chain.first} to {chain.last}"
                self._find(key, seq, "removed", text)
            if chain.first == 1 and chain.first_previous != FIRST_PREVIOUS:
                self._find(key, 1, "changed", "does not begin the chain")
            seq, head = heads.get(key, (0, ""))
            is_another = seq == chain.last and head != chain.last_hash
            if whole and (seq > chain.last or is_another):
                text = f"is where the record says the chain ends, and it ends at {chain.last}"
                self._find(key, seq, "removed", text)
        self.findings.sort(key=lambda finding: (finding.key, finding.seq))
        return self.findings

    def _find(self, key: str, seq: int, what: str, text: str) -> None:
        self.broken.add(key)
        self.findings.append(Finding(key, seq, what, f"event {seq} {text}"))
