"""Leases read for one message; one that cannot be read keeps the others from nothing."""

from collections.abc import Iterable
from functools import partial

from janitor.application.ports import Ledger, SideBySide, in_turn
from janitor.domain.errors import UnreadableRecord
from janitor.domain.model import Lease


def read_leases(
    ledger: Ledger, stack_ids: Iterable[str], side_by_side: SideBySide = in_turn
) -> tuple[dict[str, Lease], dict[str, UnreadableRecord]]:
    """Return those that are known by their ids, and why others cannot be read."""
    ids = tuple(dict.fromkeys(stack_ids))
    read = side_by_side(partial(_lease, ledger, stack_id) for stack_id in ids)
    found = dict(zip(ids, read, strict=True))
    return (
        {key: one for key, one in found.items() if isinstance(one, Lease)},
        {key: one for key, one in found.items() if isinstance(one, UnreadableRecord)},
    )


def _lease(ledger: Ledger, stack_id: str) -> Lease | UnreadableRecord | None:
    try:
        return ledger.lease(stack_id)
    except UnreadableRecord as error:
        return error
