"""Sweeping: gather, decide, apply; nothing it does not know for certain is acted upon."""

from collections.abc import Callable, Iterable, Iterator

import pytest
from msgspec.structs import replace
from tests.application.stories import (
    DAY,
    HERE,
    HOUR,
    MONDAY,
    OWNED,
    POLICY,
    SWEEPER,
    THERE,
    Story,
    failures,
)
from tests.fakes.memory import MemoryLedger
from tests.fakes.stacks import MemoryStacks

from janitor.application.ports import OpenRecords
from janitor.domain.errors import ClockError, ConfigurationError
from janitor.domain.model import OPERATORS, LeaseState, Mode
from janitor.domain.planning.plan import Listing
from janitor.entrypoints.cli.views.plan import plan_document


def test_a_managed_stack_gets_a_lease_and_no_other_does() -> None:
    """With its deadline and owner, and why."""
    story = Story()
    mine = story.deploy()
    other = story.deploy("prod", tags={"env": "prod"})
    child = story.deploy("feat-child", parent_id=mine)
    story.deploy("CDKToolkit")
    story.sweep()
    assert list(story.ledger.chain_keys()) == ["janitor", mine]
    assert story.lease(mine).expires_at == MONDAY + 3 * DAY
    assert story.ledger.lease(other) is None
    assert story.ledger.lease(child) is None
    assert story.reason(mine, "lease.opened") == (
        "matches rule 'default'; expires Thu 4 Jun 2026 08:00 UTC (tag janitor:ttl=3d)"
    )


def test_an_unchanged_account_makes_no_entry() -> None:
    """A sweep an hour must cost nothing and say nothing; twice a day it notes that it listed all.

    Fails with another `NOTED_EVERY` in domain/planning/listed_regions.py.
    """
    story = Story()
    stack_id = story.deploy()
    story.sweep()
    before = dict(story.ledger.records)
    for _ in range(11):
        story.wait(hours=1)
        story.sweep()
    assert story.ledger.records == before
    for _ in range(9):
        story.wait(hours=1)
        story.sweep()
    assert story.lease(stack_id) == before[stack_id]
    assert story.actions(stack_id) == ["lease.opened"]
    assert story.actions()[3:] == ["regions.listed"]


def test_a_whole_life_from_deployment_to_deletion() -> None:
    """In the journal of one stack, from beginning to end, unbroken."""
    story = Story()
    stack_id = story.deploy()
    while story.ledger.lease(stack_id) is None or story.lease(stack_id).state.is_open:
        story.sweep()
        story.stacks.finish(stack_id)
        story.wait(hours=1)
        assert story.now < MONDAY + 9 * DAY
    assert story.actions(stack_id) == [
        "lease.opened",
        "notice.delivered",
        "notice.delivered",
        "stack.marked",
        "tags.intended",
        "notice.delivered",
        "tags.written",
        "stack.recorded",
        "deletion.intended",
        "deletion.started",
        "deletion.confirmed",
        "notice.delivered",
    ]
    assert story.subjects()[-1] == "[janitor] feat has been deleted"
    assert story.findings() == []


def test_a_dry_run_decides_the_same_and_applies_nothing() -> None:
    """Plan and act share one path."""
    story = Story()
    story.until_marked()
    story.sweep()
    story.deploy("new")
    story.wait(1)
    records, calls = dict(story.ledger.records), len(story.stacks.calls)
    planned = story.janitor.plan()
    assert planned.outcomes == ()
    assert story.ledger.records == records
    assert {call[0] for call in story.stacks.calls[calls:]} == {"list"}
    assert plan_document(planned.plan) == plan_document(story.look().plan)


def test_off_writes_nothing_at_all() -> None:
    """Not even into the ledger."""
    story = Story(mode=Mode.OFF)
    story.deploy()
    story.sweep()
    assert story.ledger.journal == {}


def test_observe_keeps_the_books_and_touches_nothing() -> None:
    """Leases are opened and followed; no mark, no notice, no tag, no deletion."""
    story = Story(mode=Mode.OBSERVE)
    stack_id = story.deploy()
    for _ in range(10):
        story.sweep()
        story.wait(1)
    assert story.lease(stack_id).state is LeaseState.ACTIVE
    assert story.channel.sent == []
    assert {call[0] for call in story.stacks.calls} == {"list"}
    assert story.actions(stack_id) == ["lease.opened"]


def test_notify_does_all_but_delete() -> None:
    """Marked, tagged and told, for as long as the mode stays."""
    story = Story(mode=Mode.NOTIFY)
    stack_id = story.until_marked()
    for _ in range(10):
        story.wait(1)
        story.sweep()
    assert story.lease(stack_id).state is LeaseState.MARKED
    assert story.calls("delete") == []
    assert "Deletions are switched off at present." in story.channel.sent[-1].text


def test_a_mode_that_notifies_needs_a_way_to() -> None:
    """Else everything would be told to nobody."""
    story = Story(mode=Mode.NOTIFY)
    mute = replace(story.janitor, channel=None)
    with pytest.raises(ConfigurationError, match="mode notify sends notices, and nothing says how"):
        mute.sweep(SWEEPER)
    assert story.ledger.journal == {}


def test_a_change_of_mode_is_journalled_once() -> None:
    """An auditor sees from when on there were deletions."""
    story = Story(mode=Mode.OBSERVE)
    story.sweep()
    story.sweep()
    story.policies.override = Mode.ENFORCE
    story.sweep()
    assert story.actions() == ["mode.changed", "policy.changed", "policy.accepted", "mode.changed"]
    assert story.reason("janitor", "mode.changed") == "mode is enforce, was observe"


def test_a_region_that_refuses_is_left_alone_and_told_once() -> None:
    """Nothing there is closed or deleted; when it answers again that is told too."""
    story = Story()
    stack_id = story.until_marked(region=THERE)
    before = story.lease(stack_id)
    story.stacks.refuse(THERE, "AccessDenied")
    story.wait(1)
    story.sweep()
    story.sweep()
    assert story.lease(stack_id) == before
    assert story.reason("janitor", "region.refused") == "us-east-1 left alone: AccessDenied"
    story.stacks.refuse(THERE, "")
    story.sweep()
    assert story.actions() == [
        "mode.changed",
        "policy.changed",
        "policy.accepted",
        "regions.listed",
        "region.refused",
        "operators.told",
        "region.listed",
    ]
    assert story.lease(stack_id).state is LeaseState.DELETING


def test_a_region_that_refuses_stops_no_other() -> None:
    """Each is on its own."""
    story = Story()
    story.stacks.refuse(THERE, "AccessDenied")
    stack_id = story.deploy()
    story.sweep()
    assert story.lease(stack_id).region == HERE


def test_a_stack_seen_for_the_first_time_is_never_marked_in_the_same_sweep() -> None:
    """However long overdue: first it is opened."""
    story = Story()
    stack_id = story.deploy(created=MONDAY - 6 * DAY)
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.ACTIVE
    assert story.channel.sent == []


def test_a_stack_must_be_known_for_a_while_before_it_goes() -> None:
    """min_observed, where the grace is none."""
    story = Story(POLICY + "defaults: {grace: 0h}\nlimits: {min_observed: 5h}")
    stack_id = story.deploy(created=MONDAY - 6 * DAY)
    for _ in range(5):
        story.sweep()
        assert story.calls("delete") == []
        story.wait(hours=1)
    story.sweep()
    assert story.calls("delete") == [stack_id]


def test_a_sixth_and_a_sixtieth_due_stack_go_as_the_first_does() -> None:
    """Load holds nothing, and is worth no word to operators.

    Fails if a sweep stops, or waits, at any number of due stacks or any share of them.
    """
    story = Story()
    ids = [story.deploy(f"feat-{number}") for number in range(60)]
    story.sweep()
    story.wait(3)
    story.sweep()
    story.wait(1)
    story.sweep()
    assert sorted(story.calls("delete")) == sorted(ids)
    assert [message for message in story.channel.sent if message.contact == OPERATORS] == []
    first = ["mode.changed", "policy.changed", "policy.accepted"]
    assert story.actions() == [*first, "regions.listed", "regions.listed"]


def test_only_so_many_go_at_once_the_oldest_first() -> None:
    """The others go once there is room: a deletion under way takes its place until it has ended."""
    story = Story(POLICY + "limits: {max_deleting: 1}")
    second = story.deploy("second")
    first = story.deploy("first", created=MONDAY - HOUR)
    story.sweep()
    story.wait(3)
    story.sweep()
    story.wait(1)
    story.sweep()
    assert story.calls("delete") == [first]
    story.sweep()
    assert story.calls("delete") == [first]
    story.stacks.finish(first)
    for _ in range(2):
        story.sweep()
    assert story.calls("delete") == [first, second]


def test_a_longer_lifetime_takes_the_mark_away() -> None:
    """By tag, by the owner, on a stack that was marked already."""
    story = Story()
    stack_id = story.until_marked()
    story.stacks.redeploy(stack_id, {**story.stack(stack_id).tags, "janitor:ttl": "9d"})
    story.sweep()
    lease = story.lease(stack_id)
    assert (lease.state, lease.delete_after, lease.generation) == (LeaseState.ACTIVE, None, 2)
    assert story.stack(stack_id).tags == {**OWNED, "janitor:ttl": "9d"}


def test_a_typing_error_on_a_marked_stack_keeps_it() -> None:
    """A tag that cannot be read never means expired."""
    story = Story()
    stack_id = story.until_marked()
    story.stacks.redeploy(stack_id, {**OWNED, "janitor:ttl": "9 moons"})
    story.wait(5)
    story.sweep()
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.ACTIVE
    assert story.subjects()[-1] == "[janitor] feat is kept until its tag janitor:ttl is put right"


def test_a_released_stack_that_comes_back_goes_on_with_its_chain_and_its_caps() -> None:
    """A policy that leaves it out and takes it in again is no way around max_extensions."""
    story = Story()
    stack_id = story.deploy()
    story.sweep()
    story.extend(stack_id, by=DAY)
    story.set_policy(POLICY + "never_delete: [feat]\n")
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.RELEASED
    story.wait(hours=1)
    story.set_policy(POLICY)
    story.sweep()
    lease = story.lease(stack_id)
    assert (lease.state, lease.extensions) == (LeaseState.ACTIVE, 1)
    assert story.actions(stack_id) == [
        "lease.opened",
        "lease.extended",
        "lease.closed",
        "lease.reopened",
    ]
    story.sweep()
    assert story.lease(stack_id).expires_at == MONDAY + 4 * DAY
    assert story.findings() == []


def test_a_date_that_was_given_holds_after_a_release_too() -> None:
    """Left out by one policy and taken in by the next, with an owner this time.

    Fails with `unmarked(lease)` for `unmarked(before)` in application/sweep/apply.py.
    """
    story = Story()
    at_once = POLICY + "defaults: {adoption: 0h}\n"
    stack_id = story.until_marked(tags={"janitor:ttl": "3d"})
    given = story.lease(stack_id).delete_after
    assert given == MONDAY + 6 * DAY
    for policy in (POLICY + "never_delete: [feat]\n", at_once):
        story.wait(hours=1)
        story.set_policy(policy)
        story.sweep()
    story.stacks.redeploy(stack_id, OWNED)
    for _ in range(3):
        story.wait(hours=1)
        story.sweep()
    assert story.lease(stack_id).state is LeaseState.MARKED
    while not story.calls("delete"):
        story.wait(hours=1)
        story.sweep()
    assert story.now == given


class Hasty(MemoryStacks):
    """CloudFormation that ends a deletion as soon as it has listed it as under way."""

    def __init__(self, story: Story, end: Callable[[], object]) -> None:
        super().__init__(lambda: story.now)
        self.stacks, self.imports = story.stacks.stacks, story.stacks.imports
        self.end = end

    def list_all(self, regions: Iterable[str]) -> Iterator[Listing]:
        """List, and be overtaken."""
        found = list(super().list_all(regions))
        self.end()
        return iter(found)


def test_a_deletion_that_ends_while_the_stacks_are_listed_stays_confirmed() -> None:
    """The listing still shows it, the open leases no longer do.

    Fails without the looks at `BEING_DELETED` in domain/planning/decide.py and in `_closed_before`.
    """
    story = Story()
    stack_id = story.until_deleting()

    def end() -> None:
        story.stacks.finish(stack_id)
        story.track(stack_id)

    story.wait(minutes=20)
    report = replace(story.janitor, stacks=Hasty(story, end)).sweep(SWEEPER)
    story.wait(hours=1)
    story.sweep()
    assert failures(report) == []
    assert story.lease(stack_id).state is LeaseState.DELETED
    assert "lease.reopened" not in story.actions(stack_id)


@pytest.mark.parametrize("state", [LeaseState.DELETED, LeaseState.GONE])
def test_a_listing_that_is_older_than_the_end_of_a_lease_opens_nothing(state: LeaseState) -> None:
    """Listed at rest, and gone before the leases were read.

    Fails, for `gone`, without `ended >= self.plan.now` in application/sweep/apply.py.
    """
    story = Story(POLICY + "defaults: {grace: 1h}\n")
    stack_id = story.until_marked()

    def end() -> None:
        if state is LeaseState.DELETED:
            story.wait(hours=1)
            story.sweep()
            story.stacks.finish(stack_id)
        story.stacks.remove(stack_id)
        story.track(stack_id)

    report = replace(story.janitor, stacks=Hasty(story, end)).sweep(SWEEPER)
    assert "changed meanwhile; the next sweep decides anew" in [o.detail for o in report.outcomes]
    assert story.lease(stack_id).state is state


def test_a_confirmed_deletion_is_not_taken_back_by_a_listing_that_lags() -> None:
    """An id is never used again.

    Fails without the look at DELETED in `_closed_before` of application/sweep/apply.py.
    """
    story = Story()
    stack_id = story.until_deleting()
    before = replace(story.stack(stack_id), status="CREATE_COMPLETE")
    story.stacks.finish(stack_id)
    story.sweep()
    story.stacks.stacks[stack_id] = before
    story.wait(hours=1)
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.DELETED


def test_a_stack_that_was_taken_for_gone_and_is_there_gets_its_lease_back() -> None:
    """CloudFormation did not know its id for a moment; nobody is without a janitor for that."""
    story = Story()
    stack_id = story.deploy()
    story.sweep()
    stack = story.stacks.stacks.pop(stack_id)
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.GONE
    story.stacks.stacks[stack_id] = stack
    story.wait(hours=1)
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.ACTIVE


def test_a_name_used_again_is_another_lease() -> None:
    """Only the id tells stacks apart; what the old one was told says nothing of the new."""
    story = Story()
    old = story.until_marked()
    story.stacks.remove(old)
    new = story.deploy()
    story.wait(1)
    story.sweep()
    assert story.lease(old).state is LeaseState.GONE
    lease = story.lease(new)
    assert (lease.state, lease.notices) == (LeaseState.ACTIVE, ())


@pytest.mark.parametrize("seconds, is_fine", [(0, True), (1, False)])
def test_a_clock_that_went_back_stops_the_sweep(seconds: int, is_fine: bool) -> None:
    """More than five minutes is no difference between machines."""
    story = Story()
    story.deploy()
    story.sweep()
    story.wait(minutes=-5, seconds=-seconds)
    if is_fine:
        story.sweep()
        return
    with pytest.raises(ClockError) as caught:
        story.sweep()
    assert str(caught.value) == (
        "the clock stands at Mon 1 Jun 2026 07:54 UTC, but the ledger was written at"
        " Mon 1 Jun 2026 08:00 UTC; set the clock right, or give a later --now"
    )


class Lagging(MemoryLedger):
    """A ledger whose index of open leases lags behind."""

    def __init__(self, fresh: MemoryLedger) -> None:
        super().__init__()
        self.stale = fresh.open_records()
        self.records, self.journal = fresh.records, fresh.journal

    def open_records(self) -> OpenRecords:
        """Return what was so before."""
        return self.stale


def test_a_lease_that_changed_meanwhile_is_left_to_the_next_sweep() -> None:
    """Another sweep was faster; nothing is done twice."""
    story = Story()
    stack_id = story.deploy()
    story.sweep()
    story.wait(3)
    lagging = Lagging(story.ledger)
    story.sweep()
    report = replace(story.janitor, ledger=lagging).sweep(SWEEPER)
    assert [outcome.detail for outcome in report.outcomes if outcome.key == stack_id] == [
        "changed meanwhile; the next sweep decides anew"
    ]
    assert story.actions(stack_id).count("stack.marked") == 1
    assert len(story.channel.sent) == 1


def test_a_region_that_was_not_asked_about_is_not_called_listed() -> None:
    """A sweep elsewhere knows nothing of a region that refused before."""
    story = Story()
    story.deploy()
    story.stacks.refuse(HERE, "denied")
    story.sweep()
    elsewhere = replace(story.janitor, regions=(THERE,))
    elsewhere.sweep(SWEEPER)
    assert story.ledger.account().refused_regions == (HERE,)
    assert "region.listed" not in story.actions()
