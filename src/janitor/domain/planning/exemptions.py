"""Exemptions: how many stacks are never deleted as things stand, and why.

Whoever runs the janitor sees them, so that what is kept by mistake does not hide.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from janitor.domain.model import Lease
from janitor.domain.planning.conditions import Kind
from janitor.domain.planning.decisions import Decision
from janitor.domain.policy.selection import Apart

UNREADABLE = "with tags that cannot be read"
PROTECTED = "protected by a tag"
LOCKED = "with termination protection"
ENDLESS = "without an end"

_BY_KIND = {
    Kind.READABLE: UNREADABLE,
    Kind.UNPROTECTED: PROTECTED,
    Kind.UNLOCKED: LOCKED,
    Kind.ENDS: ENDLESS,
}


def exemption_of(decision: Decision) -> str:
    """Say why a stack is never deleted as things stand; nothing if it is, or was never meant to be."""
    if decision.apart is not None and decision.apart is not Apart.NESTED:
        return decision.apart.value
    return _BY_KIND.get(decision.unmet.kind, "") if decision.unmet else ""


def exemptions(decisions: Iterable[Decision]) -> Counter[str]:
    """Count what is never deleted, by why."""
    return Counter(filter(None, map(exemption_of, decisions)))


def exemptions_of_leases(leases: Iterable[Lease], taken_out: Iterable[object]) -> Counter[str]:
    """Count the same by what the ledger knows, where nobody looks at the stacks themselves."""
    counts = Counter(filter(None, map(_exemption_of_lease, leases)))
    counts[Apart.TAKEN_OUT.value] = len(list(taken_out))
    return +counts


def _exemption_of_lease(lease: Lease) -> str:
    if lease.problem:
        return UNREADABLE
    if lease.protection:
        return PROTECTED
    if lease.blocked:
        return LOCKED
    return ENDLESS if lease.expires_at is None and lease.moved is None else ""


def exemptions_text(counts: Mapping[str, int]) -> str:
    """Say it in one line: `Never deleted: 3 protected by a tag, 1 without an end`."""
    parts = [f"{count} {why}" for why, count in sorted(counts.items()) if count]
    return f"Never deleted as things stand: {', '.join(parts)}." if parts else ""
