"""The life of a stack, told from its events: who was asked, who extended, how it ended."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never
from zoneinfo import ZoneInfo

from msgspec import Struct, field

from janitor.domain.instants import instant_text, span_text
from janitor.domain.journal.event_view import (
    UNEXPLAINED,
    Reading,
    instant_of,
    read_event,
    stack_name,
)
from janitor.domain.journal.events import Event
from janitor.domain.model import ACCOUNT_KEY

PATIENCE = timedelta(days=2)
"""How long after its end a life is kept open for what comes late: word of the deletion."""


OF_THE_END = ("stack.recorded", "protection.", "resource.", "deletion.", "lease.closed")
"""How the events begin that tell of a deletion: what was there, what was done, what came of it."""


class Ending(StrEnum):
    """How a life ended, or that it did not."""

    OPEN = "open"
    DELETED = "deleted"
    LEFTOVERS = "deleted with leftovers"
    GONE = "gone"
    RELEASED = "released"
    NEEDS_ATTENTION = "needs attention"

    @property
    def is_over(self) -> bool:
        """Tell whether nothing more is expected."""
        return self in (Ending.DELETED, Ending.LEFTOVERS, Ending.GONE, Ending.RELEASED)


class Told(Struct, frozen=True):
    """One delivered notice."""

    at: datetime | None
    stage: str
    to: str
    channel: str
    instead: str = ""
    """Who got it where `to` could not be reached."""


class Extended(Struct, frozen=True):
    """One extension."""

    at: datetime | None
    by: str
    until: str
    reason: str
    """Empty where none was given."""


class Life(Struct, frozen=True):
    """One stack from its first event to its last."""

    key: str
    name: str
    region: str
    owner: str
    ending: Ending
    ended: datetime | None
    """The end, or the last event of a life that goes on."""
    opened: datetime | None
    told: tuple[Told, ...]
    extended: tuple[Extended, ...]
    steps: tuple[Reading, ...]
    """What was done to delete it, and how that went; evidence included."""
    tags: Mapping[str, str]
    first_seq: int
    last_seq: int

    @property
    def is_whole(self) -> bool:
        """Tell whether the events go back to the first."""
        return self.first_seq == 1

    @property
    def final_notice(self) -> datetime | None:
        """Return when the last owner was told before the deletion began."""
        begun = next((s.at for s in reversed(self.steps) if s.action == "deletion.intended"), None)
        finals = [
            told.at
            for told in self.told
            if told.stage == "final" and told.at and (begun is None or told.at <= begun)
        ]
        return max(finals, default=None)


def ending_of(event: Event) -> Ending | None:
    """Return how a life stands after this event, if the event says anything about that."""
    match event.action:
        case "deletion.confirmed":
            stayed = event.body.get("result") == "leftovers"
            return Ending.LEFTOVERS if stayed else Ending.DELETED
        case "lease.closed":
            # A sweep closes what no rule selects any more; who tracks found the stack gone.
            return Ending.GONE if read_event(event).via == "track" else Ending.RELEASED
        case "deletion.given_up":
            return Ending.NEEDS_ATTENTION
        case "lease.opened" | "lease.reopened" | "lease.extended" | "deletion.intended":
            return Ending.OPEN
        case _:
            return None


def life_of(key: str, events: Iterable[Event]) -> Life:
    """Tell a life from all events of a chain that there are, in any order."""
    ordered = sorted(events, key=lambda event: event.seq)
    if not ordered:
        raise ValueError(f"no life without an event: {key}")
    readings = [read_event(event) for event in ordered]
    ending, ended = Ending.OPEN, readings[-1].at
    for event, reading in zip(ordered, readings, strict=True):
        if stands := ending_of(event):
            ending, ended = stands, reading.at
    named = [reading for reading in readings if reading.stack]
    tagged = [reading.tags for reading in readings if reading.tags]
    return Life(
        key=key,
        name=named[-1].stack if named else stack_name(key),
        region=next((r.region for r in reversed(readings) if r.region), ""),
        owner=next((r.owner for r in reversed(readings) if r.owner), ""),
        ending=ending,
        ended=readings[-1].at if ending is Ending.OPEN else ended,
        opened=readings[0].at if ordered[0].seq == 1 else None,
        told=tuple(_told(readings)),
        extended=tuple(_extended(readings)),
        steps=tuple(r for r in readings if r.action.startswith(OF_THE_END)),
        tags=tagged[-1] if tagged else {},
        first_seq=ordered[0].seq,
        last_seq=ordered[-1].seq,
    )


def in_brief(life: Life, zone: ZoneInfo) -> str:
    """Return the life in two sentences: how it ended, and who had a say."""
    end = _end_of(life, instant_text(life.ended, zone) if life.ended else "at a time unknown")
    if life.opened and life.ended:
        end += f", {span_text(life.ended - life.opened)} after it was first seen"
    asked = ", ".join(dict.fromkeys(told.to for told in life.told)) or "nobody"
    count = len(life.extended)
    by = ", ".join(dict.fromkeys(one.by for one in life.extended))
    extended = f"extended {count} time{'s' * (count != 1)}, by {by}" if by else "never extended"
    return f"{end}. Owner {life.owner or 'unknown'}; told: {asked}; {extended}."


def _end_of(life: Life, when: str) -> str:
    match life.ending:
        case Ending.OPEN:
            return f"Still there, last heard of {when}"
        case Ending.DELETED:
            return f"Deleted by the janitor, {when}"
        case Ending.LEFTOVERS:
            return f"Deleted by the janitor with leftovers, {when}"
        case Ending.GONE:
            return f"Gone by another hand, seen {when}"
        case Ending.RELEASED:
            return f"Released, {when}"
        case Ending.NEEDS_ATTENTION:
            return f"Could not be deleted and needs attention since {when}"
        case _ as unreachable:
            assert_never(unreachable)


def _told(readings: Sequence[Reading]) -> Iterator[Told]:
    for reading in readings:
        if reading.action == "notice.delivered":
            facts = reading.facts
            yield Told(
                reading.at,
                facts.get("stage", ""),
                facts.get("to", ""),
                facts.get("channel", ""),
                facts.get("fallback", ""),
            )


def _extended(readings: Sequence[Reading]) -> Iterator[Extended]:
    for reading in readings:
        if reading.action == "lease.extended":
            until = reading.facts.get("until", "")
            reason = "" if reading.sentence == UNEXPLAINED else reading.sentence
            yield Extended(reading.at, reading.who, until, reason)


class Stories(Struct):
    """Lives told from all events as they pass by: only those that go on are in memory."""

    _going_on: dict[str, list[Event]] = field(default_factory=dict)
    _over: dict[str, datetime] = field(default_factory=dict)
    """When a life ended that is still kept open, the oldest end first."""
    _told: set[str] = field(default_factory=set)
    """Lives that were yielded: what is still said of them is no life of its own."""

    def add(self, event: Event) -> Iterator[Life]:
        """Take in one more event; yield the lives that are over by now."""
        at = instant_of(event)
        if at is not None:
            yield from self._closed_before(at - PATIENCE)
        if event.action == "lease.reopened":
            self._told.discard(event.key)
        if event.key == ACCOUNT_KEY or event.key in self._told:
            return
        self._going_on.setdefault(event.key, []).append(event)
        stands = ending_of(event)
        if stands is not None:
            self._over.pop(event.key, None)
            if stands.is_over and at is not None:
                self._over[event.key] = at

    def rest(self) -> Iterator[Life]:
        """Yield all lives that are left, those over first; nothing comes any more."""
        for key in (*self._over, *(key for key in self._going_on if key not in self._over)):
            yield life_of(key, self._going_on[key])
        self._going_on.clear()
        self._over.clear()

    def _closed_before(self, when: datetime) -> Iterator[Life]:
        while self._over:
            key, at = next(iter(self._over.items()))
            if at > when:
                return
            del self._over[key]
            self._told.add(key)
            yield life_of(key, self._going_on.pop(key))
