"""Gathered: what a sweep queues at its end, in the place of the queue until then."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from janitor.core.model import Contact
from janitor.core.requests import (
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


@dataclass(frozen=True, slots=True)
class Gathered:
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
            for first in range(0, len(items), MOST_IN_ONE_REQUEST):
                yield NoticeRequest(contact, tuple(items[first : first + MOST_IN_ONE_REQUEST]))
