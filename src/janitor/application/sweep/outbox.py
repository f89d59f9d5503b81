"""Gathered: what a sweep queues at its end, in the place of the queue until then."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from msgspec import Struct, field

from janitor.domain.model import Contact
from janitor.domain.notification.messages import (
    AnswerRequest,
    DeletionRequest,
    NoticeItem,
    NoticeRequest,
    RevisionRequest,
    Telling,
    WeeklyRequest,
)

MOST_IN_ONE_REQUEST = 100
"""Stacks in one request: a queue's message has its limits. Channels have their own."""
MOST_BYTES_OF_TEXT = 100_000
"""Of what is said of them; ids and the rest of a hundred stacks come to half as much."""


class Gathered(Struct, frozen=True):
    """What a sweep queues at its end, in the place of the queue until then.

    Each owner gets one digest per sweep, whatever it is about.
    """

    notices: dict[Contact, list[NoticeItem]] = field(default_factory=lambda: defaultdict(list))
    others: list[RevisionRequest | AnswerRequest | WeeklyRequest] = field(default_factory=list)
    deletions: list[DeletionRequest] = field(default_factory=list)

    def notify(self, request: Telling) -> None:
        """Put a notice into its contact's digest; keep anything else as it is."""
        if isinstance(request, NoticeRequest):
            self.notices[request.contact].extend(request.items)
        else:
            self.others.append(request)

    def delete(self, request: DeletionRequest) -> None:
        """Keep the request."""
        self.deletions.append(request)

    def take(self, other: "Gathered") -> None:
        """Add what another one has gathered."""
        self.others.extend(other.others)
        for contact, items in other.notices.items():
            self.notices[contact].extend(items)
        self.deletions.extend(other.deletions)

    def take_notices(self) -> Iterator[Telling]:
        """Take out the revisions, and then the digests, none too long for a queue."""
        while self.others:
            yield self.others.pop(0)
        while self.notices:
            contact = min(self.notices)
            items = self.notices.pop(contact)
            yield from (NoticeRequest(contact, part) for part in _parts(items))


def _parts(items: Iterable[NoticeItem]) -> Iterator[tuple[NoticeItem, ...]]:
    """Divide a digest into such as a queue takes; whoever is left over comes in the next."""
    part: list[NoticeItem] = []
    size = 0
    for item in items:
        own = len(item.text.encode())
        if part and (len(part) == MOST_IN_ONE_REQUEST or size + own > MOST_BYTES_OF_TEXT):
            yield tuple(part)
            part, size = [], 0
        part.append(item)
        size += own
    if part:
        yield tuple(part)
