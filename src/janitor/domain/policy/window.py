"""The deletion window: on which days and at what hours deletions may run."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from msgspec import Struct


class Window(Struct, frozen=True):
    """When deletions may run: days of the week (0 is Monday) and hours, in a zone.

    `end` at or before `start` means the window runs past midnight and belongs to the
    day on which it opens; both at midnight is the whole day.
    """

    days: frozenset[int]
    start: time
    end: time
    zone: ZoneInfo

    def next_open(self, now: datetime) -> datetime:
        """Return `now` if the window is open, else the instant at which it opens next."""
        today = now.astimezone(self.zone).date()
        # The one opening of a week may fall into the hour that summer time skips.
        for offset in range(-1, 16):
            day = date.fromordinal(today.toordinal() + offset)
            if day.weekday() not in self.days:
                continue
            opens, closes = self._bounds(day)
            if opens <= now < closes:
                return now
            if now < opens < closes:  # each later day opens later still
                return opens
        raise ValueError("a window has at least one day")

    def is_open(self, now: datetime) -> bool:
        """Tell whether deletions may run at `now`."""
        return self.next_open(now) == now

    def _bounds(self, day: date) -> tuple[datetime, datetime]:
        last = day if self.end > self.start else date.fromordinal(day.toordinal() + 1)
        opens = datetime.combine(day, self.start, tzinfo=self.zone)
        closes = datetime.combine(last, self.end, tzinfo=self.zone)
        return opens.astimezone(UTC), closes.astimezone(UTC)
