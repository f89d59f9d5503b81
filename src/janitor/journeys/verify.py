"""Verify: check every chain of the journal against its hashes and its record's head."""

from collections.abc import Iterator
from dataclasses import dataclass

from janitor.adapters.ports import Ledger
from janitor.core.audit import Finding, verify
from janitor.core.model import ACCOUNT_KEY


@dataclass(frozen=True, slots=True)
class Checked:
    """One chain, how many events it has, and what is wrong with it."""

    key: str
    events: int
    findings: tuple[Finding, ...]


def verify_chains(ledger: Ledger, only: tuple[str, ...] = ()) -> Iterator[Checked]:
    """Check the chains `only`, or all: those in the journal, and those of open leases."""
    keys = dict.fromkeys(only or ledger.chain_keys())
    if not only:
        account, leases = ledger.open_records()
        keys |= dict.fromkeys(leases)
        if account.seq:
            keys[ACCOUNT_KEY] = None
    for key in sorted(keys):
        events = list(ledger.chain(key))
        record = ledger.account() if key == ACCOUNT_KEY else ledger.lease(key)
        end = (record.head, record.seq) if record else (None, None)
        yield Checked(key, len(events), tuple(verify(key, events, *end)))
