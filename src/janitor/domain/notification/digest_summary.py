"""How many stacks of a digest meet which fate: the line that a reader in a hurry reads."""

from collections import Counter
from collections.abc import Iterable

from janitor.domain.model import (
    ADOPTED,
    ATTENTION,
    DELETED,
    FAILED_RUNG,
    FINAL,
    IN_USE,
    KEPT,
    PROBLEM,
    PROTECTED,
    SETTLED,
    STUCK,
    TAGS_DROPPED,
    TAGS_STUCK,
)
from janitor.domain.notification.digest import Item

_SUMS = {
    ATTENTION: ("could not be deleted", "could not be deleted"),
    TAGS_STUCK: ("needs its roll-back ended", "need their roll-backs ended"),
    STUCK: ("has been stuck for hours", "have been stuck for hours"),
    FINAL: ("will be deleted", "will be deleted"),
    PROBLEM: ("needs its lifetime tag put right", "need their lifetime tags put right"),
    IN_USE: ("is held up by another stack", "are held up by other stacks"),
    PROTECTED: ("is due and protected", "are due and protected"),
    ADOPTED: ("is looked after from now on", "are looked after from now on"),
    KEPT: ("is kept", "are kept"),
    TAGS_DROPPED: ("has lost its tags", "have lost their tags"),
    DELETED: ("has been deleted", "have been deleted"),
    SETTLED: ("needs nothing any more", "need nothing any more"),
}
_NOT_YET = ("could not be deleted yet", "could not be deleted yet")
_REMINDED = ("expires soon", "expire soon")
"""What is said of one stack at a stage, and of several; any other stage is a reminder."""


def summary(items: Iterable[Item]) -> str:
    """Return it in the order of the digest: `1 will be deleted, 3 expire soon`."""
    counts = Counter(
        _NOT_YET if item.stage.startswith(FAILED_RUNG) else _SUMS.get(item.stage, _REMINDED)
        for item in items
    )
    sums = [f"{n} {one if n == 1 else many}" for (one, many), n in counts.items()]
    return ", ".join(sums)
