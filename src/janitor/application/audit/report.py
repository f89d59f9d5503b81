"""Report: read a span of the journal once, and tell each deletion in it as a whole."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta

from msgspec import Struct, field

from janitor.application.audit.verify import verify_chains
from janitor.application.ports import Ledger
from janitor.domain.journal.chain_check import Finding, verify
from janitor.domain.journal.event_filter import Question
from janitor.domain.journal.events import Event, owners_text
from janitor.domain.journal.history import Ending, Life, Stories, life_of
from janitor.domain.journal.statistics import Totals
from janitor.domain.journal.stream_check import RunningCheck
from janitor.domain.model import ACCOUNT_KEY, Account, Lease

SETTLED = timedelta(minutes=1)
"""An event younger than this may not be in the index yet; its record's head is not asked for."""


class Report(Struct, frozen=True):
    """What a span of the journal holds, and whether it is sound."""

    since: datetime
    until: datetime
    made_at: datetime
    totals: Totals
    events: int
    chains: int
    """How many passed the check; all of the span, whatever was asked for."""
    findings: tuple[Finding, ...]
    """As `audit verify` finds them, of every chain that was in doubt."""


TellLife = Callable[[Life, bool], None]
"""Takes one life, and whether its chain is sound."""


def report(
    ledger: Ledger,
    question: Question,
    *,
    since: datetime,
    until: datetime,
    now: datetime,
    tell: TellLife = lambda _, __: None,
) -> Report:
    """Read the span once, telling each stack that was deleted, gone, or needs attention.

    Lives are told in the order in which they end, those that need attention last. Of a life
    that began before the span the rest is read from its chain. Memory holds the lives that go
    on, and a few words for each chain.
    """
    found = ledger.open_records()
    leases = found.leases
    records: tuple[Lease | Account, ...] = (*leases.values(), found.account)
    checks, stories, totals = _Checks(ledger), Stories(), Totals()

    def take(life: Life) -> None:
        whole = checks.whole(life)
        if whole.ending is Ending.OPEN and life.key not in leases:
            checks.running.doubted.add(life.key)  # its end may have been cut off
        if not _is_asked(question, whole.name, whole.key, whole.owner):
            return
        totals.add_life(whole)
        if whole.ending not in (Ending.OPEN, Ending.RELEASED):
            tell(whole, checks.is_sound(life.key))

    for event in ledger.events(since, until):
        checks.running.add(event)
        if question.fits(event):
            totals.add(event)
        for life in stories.add(event):
            take(life)
    for life in _attention_last(stories):
        take(life)
    settled = min(until, now - SETTLED)
    heads = {
        record.key: (record.seq, record.head)
        for record in records
        if record.updated_at and since <= record.updated_at < settled and record.head
    }
    heads |= dict.fromkeys(found.unreadable, (0, ""))  # no chain ends so: it is looked at
    findings = tuple(checks.findings(heads))
    passed = checks.running
    # A stack to which nothing happened in the span is open all the same.
    totals.endings[Ending.OPEN] = sum(
        _is_asked(question, lease.name, lease.key, owners_text(lease.contacts))
        for lease in leases.values()
    )
    return Report(since, until, now, totals, passed.events, passed.chains, findings)


class _Checks(Struct):
    """The check of what passes; a chain that it leaves in doubt is verified as a whole."""

    ledger: Ledger
    running: RunningCheck = field(default_factory=RunningCheck)
    _verified: dict[str, tuple[Finding, ...]] = field(default_factory=dict)

    def whole(self, life: Life) -> Life:
        """Return the life with what came before the span: who was asked then is evidence too."""
        if life.is_whole or not (chain := list(self.ledger.chain(life.key))):
            return life
        if verify(life.key, chain, None):
            self.running.doubted.add(life.key)
        return life_of(life.key, (event for event in chain if event.seq <= life.last_seq))

    def is_sound(self, key: str) -> bool:
        """Tell whether nothing is wrong with a chain as far as it has passed."""
        return self.running.holds(key) or not self._findings_of(key)

    def findings(self, heads: Mapping[str, tuple[int, str]]) -> Iterator[Finding]:
        """Yield all that is wrong, now that nothing more comes."""
        if not self.running.begins(ACCOUNT_KEY):
            self.running.doubted.add(ACCOUNT_KEY)  # no life, so nobody has read how it began
        for key in self.running.end(heads):
            yield from self._findings_of(key)

    def _findings_of(self, key: str) -> tuple[Finding, ...]:
        if key not in self._verified:
            checks = verify_chains(self.ledger, (key,))
            self._verified[key] = tuple(found for one in checks for found in one.findings)
        return self._verified[key]


def _attention_last(stories: Stories) -> Iterator[Life]:
    later = []
    for life in stories.rest():
        if life.ending is Ending.NEEDS_ATTENTION:
            later.append(life)
        else:
            yield life
    yield from later


def _is_asked(question: Question, name: str, key: str, owner: str) -> bool:
    """Tell whether the stack, with its owners in one line, is one that is asked for."""
    owners = [one.casefold() for one in owner.split(", ")]
    is_stack = question.stack in ("", name, key)
    return is_stack and (not question.owner or question.owner.casefold() in owners)


def events_of(
    ledger: Ledger, question: Question, since: datetime, until: datetime
) -> Iterator[Event]:
    """Yield the events of a span that fit a question, as they are read."""
    return (event for event in ledger.events(since, until) if question.fits(event))
