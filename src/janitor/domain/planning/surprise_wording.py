"""What is held, in words: how many stacks, why, since when, and what clears it."""

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from janitor.domain.instants import instant_text
from janitor.domain.lease.owners import clean
from janitor.domain.model import Lease, MoveCause
from janitor.domain.planning.surprises import Surprise, bound_of

LIFT = "`janitor breaker show` lists them; `janitor breaker lift` accepts exactly those"


def surprise_text(surprise: Surprise) -> str:
    """Say in one sentence each what is held, why, and what clears it."""
    return " ".join(_sentences(surprise))


def _sentences(surprise: Surprise) -> Iterator[str]:
    bound = bound_of(surprise.managed)
    by_policy, by_tags = surprise.of(MoveCause.POLICY), surprise.of(MoveCause.TAGS)
    if by_policy:
        yield (
            f"policy {surprise.policy_version} would bring forward the deadlines of"
            f" {len(by_policy)} of {surprise.managed} managed stacks. That is more than {bound}, so"
            " each keeps the later of its two deadlines until an operator accepts the policy or"
            f" it is put back (to {surprise.accepted_version})."
        )
    if surprise.new:
        are = "is" if len(surprise.new) == 1 else "are"
        yield f"{_stacks(len(surprise.new))} that only this policy manages {are} left alone."
    if by_tags:
        yield (
            f"tags brought forward the deadlines of {_stacks(len(by_tags))} of"
            f" {surprise.managed} managed within a day. That is more than {bound}, so each keeps"
            " its former deadline until an operator accepts the new ones or the tags are put back."
        )
    yield "All else goes on."


def held_line(lease: Lease, zone: ZoneInfo) -> str:
    """Say of one lease what is held."""
    moved = lease.moved
    if moved is None:
        return ""
    former, to = instant_text(moved.former, zone), instant_text(moved.to, zone)
    since = instant_text(moved.at, zone)
    by = "its tags" if moved.cause is MoveCause.TAGS else "the policy"
    return f"{clean(lease.name)} ({lease.region}): ends {former}; by {by} {to}, since {since}"


def _stacks(count: int) -> str:
    return f"{count} stack{'' if count == 1 else 's'}"
