"""What queues carry and what channels take."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from pydantic import TypeAdapter

from janitor.core.letter import Wording
from janitor.core.model import Contact


@dataclass(frozen=True, slots=True)
class NoticeItem:
    """One stack in a notice: the stage, and the deadline that it speaks of."""

    stack_id: str
    stage: str
    deadline: datetime | None
    text: str = ""
    """What a `problem` or an outcome is about."""
    resources: int | None = None
    """How many resources the stack has, where that was counted for this notice."""
    region: str = ""
    """Which one, where a region as a whole cannot be listed."""

    @property
    def about(self) -> str:
        """Return what it tells of the account as a whole, as `notices.matters_of` names that."""
        return f"{self.stage} {self.region}".rstrip()


@dataclass(frozen=True, slots=True)
class NoticeRequest:
    """One owner's digest, to be rendered and sent."""

    contact: Contact
    items: tuple[NoticeItem, ...]


@dataclass(frozen=True, slots=True)
class RevisionRequest:
    """A message that was sent earlier, to be shown as things stand now."""

    contact: Contact
    message_id: str
    stack_ids: tuple[str, ...]
    """All stacks in it."""
    said: str = ""
    """What happened, for the message's thread; without it, only the message changes."""


@dataclass(frozen=True, slots=True)
class AnswerRequest:
    """A word to one person alone, in the channel where they pressed a button."""

    contact: Contact
    channel_id: str
    text: str


@dataclass(frozen=True, slots=True)
class WeeklyRequest:
    """The operators' look back at a week, in words; sent once for each week."""

    contact: Contact
    week: str
    """The ISO week in which it was made: `2026-W23`."""
    words: Wording


Telling = NoticeRequest | RevisionRequest | AnswerRequest | WeeklyRequest
"""What the queue of notices carries."""


@dataclass(frozen=True, slots=True)
class DeletionRequest:
    """A stack that a sweep found due, to be decided upon again and deleted."""

    stack_id: str
    decided_at: datetime
    restore_only: bool = False
    """Nothing is to be deleted: only a protection that was taken off is to be put back."""


@lru_cache
def notice_body() -> TypeAdapter[Telling]:
    """Return how what is to be told looks in a message; what does not fit is a ValueError.

    Built when first needed: it takes time that not every function's start has to spend.
    """
    return TypeAdapter(Telling)


@lru_cache
def deletion_body() -> TypeAdapter[DeletionRequest]:
    """Return how a deletion looks in a message, as `notice_body` does."""
    return TypeAdapter(DeletionRequest)


@dataclass(frozen=True, slots=True)
class Message:
    """A digest in words, with attributes to filter by."""

    contact: Contact
    words: Wording
    kinds: tuple[str, ...]
    regions: tuple[str, ...]

    @property
    def subject(self) -> str:
        """Return the subject."""
        return self.words.subject

    @property
    def text(self) -> str:
        """Return the digest as plain text."""
        return self.words.text


@dataclass(frozen=True, slots=True)
class Sent:
    """What a channel says of a message that it took."""

    message_id: str
    channel: str
    recipient: str = ""
    """The person behind the contact, where the channel had to look: a Slack user's id."""
    can_change: bool = False
    """Whether the message can be shown anew later."""
