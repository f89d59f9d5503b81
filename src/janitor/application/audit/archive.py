"""Archive: keep every write to the journal once more, and name those that no janitor makes."""

from collections.abc import Iterable

from msgspec import Struct

from janitor.application.ports import Archive
from janitor.domain.journal.archive_format import (
    ArchiveObject,
    Seen,
    Written,
    beginning_of,
    objects_of,
)


class Archived(Struct, frozen=True):
    """What came of one batch of the stream."""

    objects: tuple[ArchiveObject, ...]
    tampered: tuple[Written, ...]
    """Rows that were changed or removed: the journal is only ever added to."""


def keep(writes: Iterable[Written], archive: Archive) -> Archived:
    """Write a batch down; all of it again after any error, as its objects stay the same."""
    # Gather.
    batch = tuple(writes)
    # Decide.
    objects = objects_of(batch)
    beginning = (beginning_of(batch),) if batch else ()
    # Apply: the beginning first, so that there is no archive without one.
    for made in (*beginning, *objects):
        archive.put(made)
    return Archived(objects, tuple(write for write in batch if write.seen is not Seen.INSERT))
