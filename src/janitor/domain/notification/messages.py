"""What queues carry and what channels take."""

from datetime import datetime, timedelta
from typing import Any

from msgspec import MsgspecError, Struct, convert, json

from janitor.domain.errors import UnreadableMessage
from janitor.domain.model import Audience, Contact, Instant
from janitor.domain.notification.digest import Wording


class NoticeItem(Struct, frozen=True):
    """One stack in a notice: the stage, and the deadline that it speaks of."""

    stack_id: str
    stage: str
    deadline: Instant | None
    text: str = ""
    """What a `problem` or an outcome is about."""
    resources: int | None = None
    """How many resources the stack has, where that was counted for this notice."""
    paced: int | None = None
    """How many of them AWS deletes one at a time, where that was counted."""
    region: str = ""
    """Which one, where a region as a whole cannot be listed."""

    @property
    def about(self) -> str:
        """Return what it tells of the account as a whole, as `notices.matters_of` names that."""
        return f"{self.stage} {self.region}".rstrip()


class NoticeRequest(Struct, frozen=True):
    """One owner's digest, to be rendered and sent."""

    contact: Contact
    items: tuple[NoticeItem, ...]


class RevisionRequest(Struct, frozen=True):
    """A message that was sent earlier, to be shown as things stand now."""

    contact: Contact
    message_id: str
    stack_ids: tuple[str, ...]
    """All stacks in it."""
    said: str = ""
    """What happened, for the message's thread; without it, only the message changes."""


class AnswerRequest(Struct, frozen=True):
    """A word to one person alone, in the channel where they pressed a button."""

    contact: Contact
    channel_id: str
    text: str


class WeeklyRequest(Struct, frozen=True):
    """The operators' look back at a week, in words; sent once for each week."""

    contact: Contact
    week: str
    """The ISO week in which it was made: `2026-W23`."""
    words: Wording


Telling = NoticeRequest | RevisionRequest | AnswerRequest | WeeklyRequest
"""What the queue of notices carries."""


GOOD_FOR = timedelta(hours=1)
"""A sweep's verdict older than this is not acted upon: the next sweep gives a new one."""


class DeletionRequest(Struct, frozen=True):
    """A stack that a sweep found due, to be decided upon again and deleted."""

    stack_id: str
    decided_at: Instant
    restore_only: bool = False
    """Nothing is to be deleted: only a protection that was taken off is to be put back."""
    companion: str = ""
    """The id of its SAM companion, which goes with it."""
    not_before: datetime | None = None
    """Its turn, where AWS does one after the other."""


_TELLINGS: dict[str, type[Telling]] = {
    "items": NoticeRequest,
    "message_id": RevisionRequest,
    "channel_id": AnswerRequest,
    "week": WeeklyRequest,
}
"""By a field that no other has."""


_ODD = (MsgspecError, RecursionError, ValueError)
"""What reading a message raises: it is no JSON, or says something else."""


def body_of(request: Telling | DeletionRequest) -> str:
    """Return the message in which a queue carries it."""
    return json.encode(request).decode()


def telling_from(body: str) -> Telling:
    """Read what is to be told. Raises `UnreadableMessage`."""
    try:
        document = json.decode(body, type=dict[str, Any])
        kinds = (kind for name, kind in _TELLINGS.items() if name in document)
        return convert(document, next(kinds, NoticeRequest))
    except _ODD as error:
        raise UnreadableMessage(f"the message cannot be read: {error}") from error


def deletion_from(body: str) -> DeletionRequest:
    """Read what is to be deleted. Raises `UnreadableMessage`."""
    try:
        return json.decode(body, type=DeletionRequest)
    except _ODD as error:
        raise UnreadableMessage(f"the message cannot be read: {error}") from error


class Message(Struct, frozen=True):
    """A digest in words, with attributes to filter by."""

    contact: Contact
    words: Wording
    kinds: tuple[str, ...]
    regions: tuple[str, ...]
    audience: Audience | None = None
    """Who hears the topic, as the ledger has it, for a channel that has to know."""

    @property
    def subject(self) -> str:
        """Return the subject."""
        return self.words.subject

    @property
    def text(self) -> str:
        """Return the digest as plain text."""
        return self.words.text


class Sent(Struct, frozen=True):
    """What a channel says of a message that it took."""

    message_id: str
    channel: str
    recipient: str = ""
    """The person behind the contact, where the channel had to look: a Slack user's id."""
    heard_by: str = ""
    """What says that somebody hears it, where the channel had to look."""
    can_change: bool = False
    """Whether the message can be shown anew later."""
