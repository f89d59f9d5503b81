"""Report: read a span of the journal once, and tell each deletion in it as a whole."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from msgspec import Struct

from janitor.adapters.ports import Ledger
from janitor.core.audit import Finding
from janitor.core.journal import Event, owners_text
from janitor.core.model import Account, Lease
from janitor.core.questions import Question
from janitor.core.running import RunningCheck
from janitor.core.stories import Ending, Life, Stories, life_of
from janitor.core.totals import Totals

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
    account, leases = ledger.open_records()
    records: tuple[Lease | Account, ...] = (*leases.values(), account)
    settled = [r for r in records if r.updated_at and r.updated_at < now - SETTLED and r.head]
    check, stories, totals = RunningCheck(), Stories(), Totals()

    def take(life: Life) -> None:
        whole = life if life.is_whole else _completed(life, ledger)
        if not _is_asked(question, whole.name, whole.key, whole.owner):
            return
        totals.add_life(whole)
        if whole.ending not in (Ending.OPEN, Ending.RELEASED):
            tell(whole, life.key not in check.broken)

    for event in ledger.events(since, until):
        check.add(event)
        if question.fits(event):
            totals.add(event)
        for life in stories.add(event):
            take(life)
    for life in _attention_last(stories):
        take(life)
    heads = {record.key: (record.seq, record.head) for record in settled}
    findings = check.end(heads, whole=until >= now)
    # A stack to which nothing happened in the span is open all the same.
    totals.endings[Ending.OPEN] = sum(
        _is_asked(question, lease.name, lease.key, owners_text(lease.contacts))
        for lease in leases.values()
    )
    return Report(since, until, now, totals, check.events, check.chains, tuple(findings))


def _attention_last(stories: Stories) -> Iterator[Life]:
    later = []
    for life in stories.rest():
        if life.ending is Ending.NEEDS_ATTENTION:
            later.append(life)
        else:
            yield life
    yield from later


def _completed(life: Life, ledger: Ledger) -> Life:
    """Return the life with what came before the span."""
    earlier = [event for event in ledger.chain(life.key) if event.seq <= life.last_seq]
    return life_of(life.key, earlier) if earlier else life


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
