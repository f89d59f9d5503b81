"""How many stacks of a digest meet which fate: the line that a reader in a hurry reads."""

from collections import Counter
from collections.abc import Iterable

from janitor.core.letter import Item
from janitor.core.model import ATTENTION, DELETED, FINAL, PROBLEM, SETTLED

_SUMS = {
    ATTENTION: ("could not be deleted", "could not be deleted"),
    FINAL: ("will be deleted", "will be deleted"),
    PROBLEM: ("has a lifetime that cannot be read", "have lifetimes that cannot be read"),
    DELETED: ("has been deleted", "have been deleted"),
    SETTLED: ("needs nothing any more", "need nothing any more"),
}
"""What is said of one stack at a stage, and of several; any other stage is a reminder."""


def summary(items: Iterable[Item]) -> str:
    """Return it in the order of the digest: `1 will be deleted, 3 expire soon`."""
    of_reminders = ("expires soon", "expire soon")
    counts = Counter(_SUMS.get(item.stage, of_reminders) for item in items)
    sums = [f"{n} {one if n == 1 else many}" for (one, many), n in counts.items()]
    return ", ".join(sums)
