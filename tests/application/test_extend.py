"""Extending: one write, within the caps, and whoever loses a race is told."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from tests.application.stories import ANA, DAY, HOUR, MONDAY, OWNED, POLICY, Story
from tests.fakes.memory import MemoryLedger

from janitor.application.lease.extend import choices, latest, refusal
from janitor.domain.errors import Conflict, ExtensionRefused, StackNotFound
from janitor.domain.journal.events import Actor, Entry
from janitor.domain.model import LeaseState

EXPIRES = MONDAY + 3 * DAY


def a_story(policy: str = "") -> tuple[Story, str]:
    """Begin with one lease that ends on Thursday."""
    story = Story(POLICY + policy)
    stack_id = story.deploy()
    story.sweep()
    return story, stack_id


def refused(story: Story, stack_id: str, **how: Any) -> str:
    """Return what the owner is told instead."""
    before = story.lease(stack_id)
    with pytest.raises(ExtensionRefused) as caught:
        story.extend(stack_id, **how)
    assert story.lease(stack_id) == before
    return str(caught.value)


def test_an_extension_counts_from_the_deadline() -> None:
    """Two days more than there were."""
    story, stack_id = a_story()
    lease = story.extend(stack_id, by=2 * DAY)
    assert lease == story.lease(stack_id)
    assert lease.expires_at == lease.extended_until == EXPIRES + 2 * DAY
    assert (lease.extensions, lease.generation) == (1, 2)
    assert lease.deadline_source == "an extension"


def test_an_extension_after_the_deadline_counts_from_now() -> None:
    """An owner who comes late still gets whole days."""
    story, stack_id = a_story()
    story.wait(3, hours=5)
    assert story.extend(stack_id, by=DAY).expires_at == EXPIRES + 5 * HOUR + DAY


def test_an_extension_may_name_the_instant() -> None:
    """As the page does, whose choices are absolute."""
    story, stack_id = a_story()
    assert story.extend(stack_id, until=EXPIRES + HOUR).expires_at == EXPIRES + HOUR


def test_without_a_length_it_is_a_day() -> None:
    """The least that is of use."""
    story, stack_id = a_story()
    assert story.extend(stack_id).expires_at == EXPIRES + DAY


def test_an_extension_is_journalled_with_who_and_why() -> None:
    """In the same write."""
    story, stack_id = a_story()
    story.extend(stack_id, by=DAY, actor=Actor("owner", "ana", "link", "192.0.2.1", "curl"))
    event = list(story.ledger.chain(stack_id))[-1]
    assert event.action == "lease.extended"
    assert event.body["actor"]["ip"] == "192.0.2.1"
    assert event.body["reason"] == {
        "sentence": "still testing",
        "facts": {
            "from": "Thu 4 Jun 2026 08:00 UTC",
            "until": "Fri 5 Jun 2026 08:00 UTC",
            "extension": "1 of 5",
        },
    }
    story.extend(stack_id, by=DAY, reason="")
    assert story.reason(stack_id, "lease.extended") == "extended, no reason given"


def test_the_next_sweep_agrees_with_an_extension() -> None:
    """No other deadline, no other generation, not a word in the journal."""
    story, stack_id = a_story()
    lease = story.extend(stack_id, by=2 * DAY)
    story.wait(hours=1)
    story.sweep()
    assert story.lease(stack_id) == lease


def test_the_next_sweep_agrees_with_an_extension_up_to_the_cap() -> None:
    """Where the deadline is max_lifetime itself."""
    story, stack_id = a_story("defaults: {max_lifetime: 5d}")
    lease = story.extend(stack_id, until=MONDAY + 5 * DAY)
    story.wait(hours=1)
    story.sweep()
    assert story.lease(stack_id) == lease


def test_an_extension_of_a_marked_stack_takes_the_mark_and_its_tags_away() -> None:
    """And forgets what was promised and told of the old deadline."""
    story = Story()
    stack_id = story.until_marked()
    assert "janitor:state" in story.stack(stack_id).tags
    lease = story.extend(stack_id, by=2 * DAY)
    assert (lease.state, lease.delete_after, lease.notices) == (LeaseState.ACTIVE, None, ())
    story.wait(hours=1)
    story.sweep()
    assert story.stack(stack_id).tags == OWNED


def test_an_extension_arms_the_reminders_again() -> None:
    """They are about a deadline, and this is another."""
    story, stack_id = a_story()
    story.wait(1, hours=1)
    story.sweep()
    story.extend(stack_id, by=DAY)
    story.wait(1)
    story.sweep()
    assert story.subjects() == ["[janitor] feat expires in 1 day 23 hours"] * 2


def test_a_link_is_good_for_its_generation_only() -> None:
    """A second click says what the first one did."""
    story, stack_id = a_story()
    story.extend(stack_id, by=DAY, generation=1)
    assert refused(story, stack_id, by=DAY, generation=1) == (
        "feat is already extended to Fri 5 Jun 2026 08:00 UTC"
    )
    assert story.lease(stack_id).extensions == 1


def test_a_link_of_a_deadline_that_a_tag_has_moved_is_void() -> None:
    """It spoke of another day."""
    story, stack_id = a_story()
    story.stacks.redeploy(stack_id, {**OWNED, "janitor:ttl": "5d"})
    story.sweep()
    assert refused(story, stack_id, by=DAY, generation=1) == (
        "this link was for an earlier deadline of feat, which now ends Sat 6 Jun 2026 08:00 UTC"
    )


def test_as_many_extensions_as_the_policy_says() -> None:
    """And not one more."""
    story, stack_id = a_story("defaults: {max_extensions: 2}")
    story.extend(stack_id, by=HOUR)
    story.extend(stack_id, by=HOUR)
    assert refused(story, stack_id, by=HOUR) == (
        "feat has used all of its 2 extensions (max_extensions); it ends Thu 4 Jun 2026 10:00 UTC"
    )


def test_no_extensions_at_all_means_none() -> None:
    """Zero means zero."""
    story, stack_id = a_story("defaults: {max_extensions: 0}")
    assert refused(story, stack_id).startswith("feat has used all of its 0 extensions")


@pytest.mark.parametrize("seconds, fits", [(0, True), (1, False)])
def test_one_extension_is_no_longer_than_the_policy_says(seconds: int, fits: bool) -> None:
    """To the second."""
    story, stack_id = a_story()
    by = 7 * DAY + timedelta(seconds=seconds)
    if fits:
        assert story.extend(stack_id, by=by).expires_at == EXPIRES + by
    else:
        assert refused(story, stack_id, by=by) == (
            "feat can be extended until Thu 11 Jun 2026 08:00 UTC at the latest"
            " (max_extension, max_lifetime)"
        )


@pytest.mark.parametrize("seconds, fits", [(0, True), (1, False)])
def test_no_extension_goes_past_the_longest_life(seconds: int, fits: bool) -> None:
    """Counted from creation, whatever was extended before."""
    story, stack_id = a_story("defaults: {max_lifetime: 4d}")
    until = MONDAY + 4 * DAY + timedelta(seconds=seconds)
    if fits:
        story.extend(stack_id, until=until)
        assert refused(story, stack_id, by=HOUR) == (
            "feat may not live beyond Fri 5 Jun 2026 08:00 UTC (max_lifetime)"
        )
    else:
        assert refused(story, stack_id, until=until).startswith("feat can be extended until Fri 5")


@pytest.mark.parametrize("until", [EXPIRES, EXPIRES - HOUR, MONDAY - DAY])
def test_an_extension_never_shortens(until: Any) -> None:
    """Nor does it leave things as they are and count as one."""
    story, stack_id = a_story()
    assert refused(story, stack_id, until=until) == (
        "feat already runs until Thu 4 Jun 2026 08:00 UTC; choose a later instant"
    )


@pytest.mark.parametrize("by", [timedelta(0), -DAY])
def test_an_extension_by_nothing_or_less_is_not_more(by: timedelta) -> None:
    """Zero means zero, and is refused like what is less."""
    story, stack_id = a_story()
    assert refused(story, stack_id, by=by).startswith("feat already runs until")


def test_a_stack_without_a_lease_is_not_found() -> None:
    """Not managed, or not seen yet."""
    story = Story()
    with pytest.raises(StackNotFound, match="no lease is known for arn:x"):
        story.extend("arn:x")


FAILED_ONCE = (
    "feat is past extending: a deletion was begun and has failed (AWS said no);"
    " a later tag janitor:expires keeps what is whole"
)


@pytest.mark.parametrize(
    "state, why",
    [
        (LeaseState.DELETING, "feat is being deleted, and that cannot be taken back"),
        (
            LeaseState.FAILED,
            FAILED_ONCE,
        ),
        (LeaseState.DELETED, "feat is deleted: there is nothing left to extend"),
        (LeaseState.GONE, "feat is gone: there is nothing left to extend"),
        (LeaseState.RELEASED, "feat is released: there is nothing left to extend"),
    ],
)
def test_what_is_going_or_gone_is_not_extended(state: LeaseState, why: str) -> None:
    """And the owner is told which."""
    story, stack_id = a_story()
    lease = replace(story.lease(stack_id), state=state, last_error="AWS said no")
    story.ledger.records[stack_id] = lease
    assert refused(story, stack_id) == why
    assert refused(story, stack_id, generation=7) == why
    assert choices(lease, story.policies.policy(), story.now) == ()


def test_what_has_no_deadline_is_not_extended() -> None:
    """Neither `never` nor a lifetime that cannot be read."""
    story = Story(POLICY + "defaults: {allow_never: true}")
    never = story.deploy("keep", {"janitor:ttl": "never"})
    bad = story.deploy("bad", {"janitor:ttl": "soon"})
    story.sweep()
    assert refused(story, never) == "keep never expires, so there is nothing to extend"
    assert refused(story, bad) == (
        "bad has no deadline to extend, since tag janitor:ttl 'soon' is not a lifetime;"
        " for instance 90m, 36h, 3d or 2w"
    )


class Racing(MemoryLedger):
    """A ledger in which somebody else is faster, so many times."""

    def __init__(self, times: int, act: Callable[[], None]) -> None:
        super().__init__()
        self.times = times
        self.act = act

    def commit(self, entry: Entry[Any]) -> None:
        """Let the other hand in first."""
        if entry.events[-1].action == "lease.extended" and self.times:
            self.times -= 1
            self.act()
            raise Conflict("changed in between")
        super().commit(entry)


def racing(times: int, act: Callable[[Story, str], None]) -> tuple[Story, str]:
    """Begin with one lease, and another hand that is faster so many times."""
    story, stack_id = a_story()
    racer = Racing(times, lambda: act(story, stack_id))
    racer.records, racer.journal = story.ledger.records, story.ledger.journal
    story.ledger = racer
    return story, stack_id


def test_a_race_against_a_sweep_is_run_again() -> None:
    """An owner does not care that the janitor wrote something."""
    story, stack_id = racing(4, lambda *_: None)
    assert story.extend(stack_id, by=DAY).extensions == 1


def test_a_race_that_never_ends_is_told() -> None:
    """With what to do."""
    story, stack_id = racing(99, lambda *_: None)
    assert refused(story, stack_id) == (
        "the lease is changing all the time just now; please try again"
    )


def test_whoever_loses_against_a_deletion_is_told() -> None:
    """Never both."""

    def delete(story: Story, stack_id: str) -> None:
        lease = story.lease(stack_id)
        story.ledger.records[stack_id] = replace(lease, state=LeaseState.DELETING)

    story, stack_id = racing(1, delete)
    with pytest.raises(ExtensionRefused, match="is being deleted, and that cannot be taken back"):
        story.extend(stack_id, by=DAY)
    assert story.lease(stack_id).extensions == 0


def test_whoever_loses_against_another_click_is_told() -> None:
    """Two clicks on one link are one extension."""

    def click(story: Story, stack_id: str) -> None:
        story.extend(stack_id, by=DAY, generation=1, actor=ANA)

    story, stack_id = racing(1, click)
    with pytest.raises(ExtensionRefused, match="feat is already extended to Fri 5 Jun 2026 08:00"):
        story.extend(stack_id, by=DAY, generation=1)
    assert story.lease(stack_id).extensions == 1


@pytest.mark.parametrize(
    "policy, days",
    [
        ("", [1, 3, 7]),
        ("defaults: {max_extension: 3d}", [1, 3]),
        ("defaults: {max_extension: 12h}", [0.5]),
        ("defaults: {max_lifetime: 6d}", [1, 3]),
        ("defaults: {max_lifetime: 75h}", [0.125]),
        ("defaults: {max_lifetime: 3d}", []),
    ],
)
def test_the_choices_offered_are_all_granted(policy: str, days: list[float]) -> None:
    """Absolute instants within the caps, or else the last that is possible."""
    story, stack_id = a_story(policy)
    lease = story.lease(stack_id)
    offered = choices(lease, story.policies.policy(), story.now)
    assert list(offered) == [EXPIRES + timedelta(days=d) for d in days]
    for until in offered:
        other, same_id = a_story(policy)
        assert other.extend(same_id, until=until).expires_at == until


def test_a_refusal_and_the_latest_instant_agree() -> None:
    """What the page says before and after the click."""
    story, stack_id = a_story()
    lease, policy = story.lease(stack_id), story.policies.policy()
    assert refusal(lease, policy, story.now) == ""
    assert latest(lease, policy, story.now) == EXPIRES + 7 * DAY
