"""Verify: check every chain against its hashes, its record's head, and the archive."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from msgspec import Struct

from janitor.application.ports import Archive, Ledger
from janitor.domain.errors import UnreadableRecord
from janitor.domain.journal.archive_check import LAG, Compared, check_beginning, compare
from janitor.domain.journal.archive_format import Began, Trace
from janitor.domain.journal.chain_check import Finding, verify
from janitor.domain.journal.events import Event
from janitor.domain.model import ACCOUNT_KEY, Account, Lease

Record = Lease | Account | str | None
ATTEMPTS = 5
"""How often a chain is read again before something is told that was found amid writes to it."""


class Checked(Struct, frozen=True):
    """One chain, how many events it has, and what is wrong with it."""

    key: str
    events: int
    findings: tuple[Finding, ...]
    on_the_way: int = 0
    """Events too young to be in the archive for certain."""
    older: int = 0
    """Events from before the archive began."""


class Memory(Struct, frozen=True):
    """What the archive remembers, read once, and when it was read."""

    traces: Mapping[str, list[Trace]]
    findings: tuple[Finding, ...]
    """What is wrong with the archive itself."""
    began: datetime | None
    now: datetime
    lag: timedelta = LAG

    def beside(self, key: str, events: list[Event]) -> Compared:
        """Compare one chain of the table with what the archive remembers of it."""
        traces = self.traces.get(key, ())
        return compare(key, events, traces, now=self.now, began=self.began, lag=self.lag)


def remember(archive: Archive, now: datetime, lag: timedelta = LAG) -> Memory:
    """Read the archive whole; of an event no more is kept than what tells it from another."""
    traces: defaultdict[str, list[Trace]] = defaultdict(list)
    findings, said = [], []
    for found in archive.traces():
        match found:
            case Finding():
                findings.append(found)
            case Began():
                said.append(found.at)
            case key, trace:
                traces[key].append(trace)
    written = [min(trace.at for trace in chain) for chain in traces.values()]
    findings += check_beginning(min(said, default=None), min(written, default=None))
    return Memory(dict(traces), tuple(findings), min(said + written, default=None), now, lag)


def verify_chains(
    ledger: Ledger, only: tuple[str, ...] = (), memory: Memory | None = None
) -> Iterator[Checked]:
    """Check the chains `only`, or all: of the journal, of every record, of the archive.

    What is wrong with the archive itself comes last, as a chain of no events.
    """
    keys = dict.fromkeys(only)
    if not only:
        remembered = memory.traces if memory else ()
        keys |= dict.fromkeys((*ledger.chain_keys(), *ledger.record_keys(), *remembered))
    older = 0
    for key in sorted(keys):
        checked = _check(ledger, key, memory)
        older += checked.older
        if checked.events or checked.findings:  # else the account's, before its first event
            yield checked
    if memory is not None:
        empty = Finding("archive", 0, "archive", "the archive is empty, and the journal is not")
        wrong = (*memory.findings, *((empty,) if older and memory.began is None else ()))
        if wrong:
            yield Checked("archive", 0, wrong)


def _check(ledger: Ledger, key: str, memory: Memory | None) -> Checked:
    """Check one chain; what is found has to be found again, beside a record that stays the same.

    A janitor at work may write between the reading of the one and of the other, and a query
    may see a transaction a moment later than a get.
    """
    checked = _read(ledger, key, _record(ledger, key), memory)
    for _ in range(ATTEMPTS):
        if not checked.findings:
            break
        record = _record(ledger, key)
        checked = _read(ledger, key, record, memory)
        if record == _record(ledger, key):
            break
    return checked


def _read(ledger: Ledger, key: str, record: Record, memory: Memory | None) -> Checked:
    """Read a chain and check it by its record and the archive."""
    events = list(ledger.chain(key))
    known = record if isinstance(record, Lease | Account) else None
    end = (known.head, known.seq) if known else (None, None)
    beside = memory.beside(key, events) if memory else Compared()
    findings = (*verify(key, events, *end), *beside.findings)
    if isinstance(record, str):
        findings = (*findings, Finding(key, 0, "record", record))
    return Checked(key, len(events), findings, beside.on_the_way, beside.older)


def _record(ledger: Ledger, key: str) -> Record:
    """Return a record; of one that cannot be read, what is wrong with it."""
    try:
        return ledger.account() if key == ACCOUNT_KEY else ledger.lease(key)
    except UnreadableRecord as error:
        return str(error)
