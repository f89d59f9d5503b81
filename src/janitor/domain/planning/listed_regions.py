"""When each region was listed in full, so that notices from before a long silence count no more."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from statistics import median

from msgspec.structs import replace

from janitor.domain.model import RegionSeen

NOTED_EVERY = timedelta(hours=12)
"""An unchanged sweep writes nothing: so precise is the instant that is kept."""
SILENT_AFTER = timedelta(days=4)
"""After a longer silence nobody remembers a notice."""
SILENT_INTERVALS = 3
"""A janitor that runs once a week is silent after three weeks."""
MOST_GAPS = 5


def seen_now(
    before: Iterable[RegionSeen], listed: Iterable[str], now: datetime
) -> tuple[RegionSeen, ...]:
    """Return what is known after `listed` could all be listed in full."""
    known = {seen.region: seen for seen in before}
    for region in listed:
        known[region] = _seen(known.get(region), region, now)
    return tuple(sorted(known.values(), key=lambda seen: seen.region))


def _seen(before: RegionSeen | None, region: str, now: datetime) -> RegionSeen:
    if before is None:
        return RegionSeen(region, now)
    gap = now - before.at
    if gap < NOTED_EVERY:
        return before
    gaps = (*before.gaps, int(gap.total_seconds()))[-MOST_GAPS:]
    seen = replace(before, at=now, gaps=gaps)
    return replace(seen, void_before=now) if is_silent(before, now) else seen


def is_silent(seen: RegionSeen, now: datetime) -> bool:
    """Tell whether a region has not been listed for too long, by how often it usually is."""
    usual = timedelta(seconds=median(seen.gaps)) if seen.gaps else timedelta()
    return now - seen.at > max(SILENT_AFTER, usual * SILENT_INTERVALS)


def void_by_region(seen: Iterable[RegionSeen]) -> Mapping[str, datetime]:
    """Return before when notices are void, for each region where some are."""
    return {one.region: one.void_before for one in seen if one.void_before}
