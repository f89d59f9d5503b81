"""The archive as a dictionary in memory, for tests."""

from collections.abc import Iterator

from janitor.domain.journal.archive_format import ArchiveObject, Began, Trace, told_by
from janitor.domain.journal.chain_check import Finding


class MemoryArchive:
    """Objects by name; the first one under a name stays."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def put(self, made: ArchiveObject) -> None:
        """Keep the object, unless it is there."""
        self.objects.setdefault(made.name, made.body)

    def traces(self) -> Iterator[tuple[str, Trace] | Began | Finding]:
        """Yield what all objects hold."""
        for name, body in self.objects.items():
            yield from told_by(name, body)
