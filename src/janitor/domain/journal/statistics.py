"""The journal in numbers: counted while it passes by."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from statistics import median

from msgspec import Struct, field

from janitor.domain.journal.event_view import fact_of, instant_of, read_event
from janitor.domain.journal.events import Event
from janitor.domain.journal.history import Ending, Life


class Week(Struct):
    """What became of stacks in one week, which begins on a Monday, in UTC."""

    deleted: int = 0
    gone: int = 0
    given_up: int = 0


class Totals(Struct):
    """What has passed, in numbers."""

    events: int = 0
    first: datetime | None = None
    last: datetime | None = None
    actions: Counter[str] = field(default_factory=Counter)
    results: Counter[str] = field(default_factory=Counter)
    extended_by: Counter[str] = field(default_factory=Counter)
    told_by: Counter[str] = field(default_factory=Counter)
    """Notices by the channel that took them."""
    endings: Counter[Ending] = field(default_factory=Counter)
    """How lives stood at their last event; whoever knows the leases counts those open by them."""
    deleted_of: Counter[str] = field(default_factory=Counter)
    """Deleted stacks by their owners."""
    lifetimes: list[timedelta] = field(default_factory=list)
    graces: list[timedelta] = field(default_factory=list)
    """From the last final notice to the deletion, of each deleted stack."""
    _weeks: dict[date, Week] = field(default_factory=dict)

    def add(self, event: Event) -> None:
        """Count one more event."""
        self.events += 1
        self.actions[event.action or "unreadable"] += 1
        self.results[str(event.body.get("result", "unreadable"))] += 1
        at = instant_of(event)
        if at is not None:
            self.first, self.last = min(self.first or at, at), max(self.last or at, at)
        match event.action:
            case "lease.extended":
                self.extended_by[read_event(event).who] += 1
            case "notice.delivered":
                self.told_by[fact_of(event, "channel") or "?"] += 1
            case "deletion.given_up" if at is not None:
                self._week(at).given_up += 1
            case _:
                pass

    def add_life(self, life: Life) -> None:
        """Count how one more life ended."""
        self.endings[life.ending] += 1
        if life.ended is None:
            return
        if life.ending in (Ending.DELETED, Ending.LEFTOVERS):
            self._week(life.ended).deleted += 1
            self.deleted_of[life.owner or "nobody"] += 1
            if life.opened is not None:
                self.lifetimes.append(life.ended - life.opened)
            begun = next((s.at for s in life.steps if s.action == "deletion.intended"), None)
            if begun is not None and life.final_notice is not None:
                self.graces.append(begun - life.final_notice)
        elif life.ending is Ending.GONE:
            self._week(life.ended).gone += 1

    def weeks(self) -> list[tuple[date, Week]]:
        """Return all weeks from the first with an event to the last, empty ones too."""
        if self.first is None or self.last is None:
            return []
        week, end = _monday(self.first), _monday(self.last)
        found = []
        while week <= end:
            found.append((week, self._weeks.get(week, Week())))
            week += timedelta(weeks=1)
        return found

    @property
    def median_lifetime(self) -> timedelta | None:
        """Return how long half of the deleted stacks were known for, at the most."""
        seconds = [lifetime.total_seconds() for lifetime in self.lifetimes]
        return timedelta(seconds=median(seconds)) if seconds else None

    @property
    def shortest_grace(self) -> timedelta | None:
        """Return the least time between a final notice and its deletion."""
        return min(self.graces, default=None)

    def _week(self, at: datetime) -> Week:
        return self._weeks.setdefault(_monday(at), Week())


def _monday(at: datetime) -> date:
    day = at.astimezone(UTC).date()
    return day - timedelta(days=day.weekday())
