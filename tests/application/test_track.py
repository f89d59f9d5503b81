"""Tracking: how a deletion ended, asked by id, and what comes next."""

from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.application.stories import DAY, HERE, HOUR, MONDAY, POLICY, THERE, Story

from janitor.domain.model import OPERATORS, LeaseState, Mode, Outcome, Status

MINUTE = timedelta(minutes=1)
FRIDAY = MONDAY + 4 * DAY


def a_deletion(policy: str = POLICY) -> tuple[Story, str]:
    """Go on until a deletion is under way: Friday, 08:00."""
    story = Story(policy)
    return story, story.until_deleting()


def test_a_deletion_is_confirmed_by_id() -> None:
    """The lease closes, the journal says so, and the owner is told."""
    story, stack_id = a_deletion()
    story.stacks.finish(stack_id)
    story.wait(minutes=5)
    story.sweep()
    lease = story.lease(stack_id)
    assert (lease.state, lease.closed_at) == (LeaseState.DELETED, FRIDAY + 5 * MINUTE)
    assert story.reason(stack_id, "deletion.confirmed") == "confirmed by id after attempt 1"
    assert story.subjects()[-1] == "[janitor] feat has been deleted"
    assert story.findings() == []


def test_the_outcome_may_come_from_an_event() -> None:
    """Before any sweep; and what comes twice or late changes nothing."""
    story, stack_id = a_deletion()
    assert story.track(stack_id).detail == "no outcome yet: DELETE_IN_PROGRESS"
    story.stacks.finish(stack_id)
    assert story.track(stack_id).status is Status.DONE
    closed = story.lease(stack_id)
    assert story.track(stack_id).detail == "its lease is closed"
    assert story.lease(stack_id) == closed


def test_an_event_about_an_unknown_stack_is_dropped() -> None:
    """Most events are about stacks that are not managed."""
    assert Story().track("arn:x").detail == "its lease is closed"


def test_an_event_about_a_lease_that_is_not_being_deleted_changes_nothing() -> None:
    """Its stack is there, so there is nothing to record."""
    story = Story()
    stack_id = story.until_marked()
    story.sweep()
    before = story.lease(stack_id)
    assert story.track(stack_id).status is Status.SKIPPED
    assert story.lease(stack_id) == before


def test_a_stack_deleted_by_another_hand_is_gone_and_not_deleted() -> None:
    """The janitor does not claim what it did not do, and tells nobody."""
    story = Story()
    stack_id = story.deploy()
    story.sweep()
    story.stacks.remove(stack_id)
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.GONE
    assert story.reason(stack_id, "lease.closed") == "deleted by another hand, confirmed by id"
    assert story.channel.sent == []


def test_an_id_that_nobody_knows_any_more_is_closed_as_unverified() -> None:
    """After 90 days CloudFormation forgets."""
    story, stack_id = a_deletion()
    del story.stacks.stacks[stack_id]
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.GONE
    last = list(story.ledger.chain(stack_id))[-1]
    assert (last.action, last.body["result"]) == ("lease.closed", "unverified")
    assert last.body["reason"]["sentence"] == (
        "CloudFormation no longer knows this id, so nothing more can be confirmed"
    )


def test_a_failed_deletion_is_tried_again_later_each_time_and_then_handed_over() -> None:
    """After 30, 60, 120 and 240 minutes; then owner and operators are told, once."""
    story, stack_id = a_deletion()
    story.stacks.fail(stack_id, times=9, reason="The following resource(s) failed: [Bucket].")
    tried = []
    for _ in range(12 * 60 // 5):
        story.stacks.finish(stack_id)
        story.sweep()
        tried.append(story.lease(stack_id).attempts)
        story.wait(minutes=5)
    first_seen_at = [tried.index(attempt) * 5 for attempt in sorted(set(tried))]
    assert first_seen_at == [0, 30, 60 + 35, 120 + 100, 240 + 225]
    lease = story.lease(stack_id)
    assert lease.state is LeaseState.NEEDS_ATTENTION
    assert lease.last_error == (
        "DELETE_FAILED: The following resource(s) failed: [Bucket]"
        " | Queue (AWS::SQS::Queue feat-queue-1): The following resource(s) failed: [Bucket]"
    )
    assert lease.next_attempt_at is None
    assert story.actions(stack_id).count("deletion.failed") == 4
    assert story.actions(stack_id).count("deletion.given_up") == 1
    attention = [m for m in story.channel.sent if m.kinds == ("attention",)]
    assert [message.contact.address for message in attention] == ["ana@example.com", "operators"]
    assert "It could not be deleted after 5 attempts: DELETE_FAILED:" in attention[0].text
    assert len(story.calls("delete")) == 5


def test_a_stack_that_goes_at_the_second_attempt_is_deleted() -> None:
    """Network interfaces of functions linger, and then are gone."""
    story, stack_id = a_deletion()
    story.stacks.fail(stack_id)
    story.stacks.finish(stack_id)
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.FAILED
    story.wait(minutes=30)
    story.sweep()
    story.stacks.finish(stack_id)
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.DELETED
    assert story.reason(stack_id, "deletion.confirmed") == "confirmed by id after attempt 2"


def test_only_as_many_attempts_as_the_policy_says() -> None:
    """One may be enough."""
    story, stack_id = a_deletion(POLICY + "limits: {max_attempts: 1}")
    story.stacks.fail(stack_id)
    story.stacks.finish(stack_id)
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.NEEDS_ATTENTION


@pytest.mark.parametrize("seconds, state", [(-1, LeaseState.DELETING), (0, LeaseState.FAILED)])
def test_a_deletion_that_falls_back_to_the_former_status_has_failed(
    seconds: int, state: LeaseState
) -> None:
    """An export is in use; that is certain after a quarter of an hour."""
    story, stack_id = a_deletion()
    story.stacks.hold(stack_id, "other")
    story.stacks.finish(stack_id)
    story.wait(minutes=15, seconds=seconds)
    story.sweep()
    lease = story.lease(stack_id)
    assert lease.state is state
    if state is LeaseState.FAILED:
        assert lease.last_error == (
            "the deletion had no effect, status is UPDATE_COMPLETE:"
            " Export feat cannot be deleted as it is in use by other"
        )


def test_a_claim_whose_call_was_never_made_is_made_good() -> None:
    """The function ended between the claim and the call."""
    story, stack_id = a_deletion()
    story.stacks.set(stack_id, "UPDATE_COMPLETE")
    story.wait(minutes=15)
    story.sweep()
    story.wait(minutes=30)
    story.sweep()
    assert story.stack(stack_id).status == "DELETE_IN_PROGRESS"
    assert story.lease(stack_id).attempts == 2


def test_what_nobody_can_delete_is_closed_when_a_person_did() -> None:
    """Attention was all it needed."""
    story, stack_id = a_deletion(POLICY + "limits: {max_attempts: 1}")
    story.stacks.fail(stack_id)
    story.stacks.finish(stack_id)
    story.sweep()
    story.stacks.remove(stack_id)
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.GONE


def test_a_failure_is_recorded_even_where_nobody_may_be_told() -> None:
    """Mode observe: the outcome of what was begun still counts."""
    story, stack_id = a_deletion(POLICY + "limits: {max_attempts: 1}")
    story.stacks.fail(stack_id)
    story.stacks.finish(stack_id)
    sent = len(story.channel.sent)
    story.policies.override = Mode.OBSERVE
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.NEEDS_ATTENTION
    assert len(story.channel.sent) == sent


def tried_again(seconds: float) -> tuple[Story, str, Outcome]:
    """Let a second attempt be taken, and CloudFormation answer so much later with what was."""
    story, stack_id = a_deletion()
    story.stacks.fail(stack_id)
    story.stacks.finish(stack_id)
    story.sweep()
    story.wait(minutes=30)
    before = story.stack(stack_id)
    story.sweep()
    now = story.stack(stack_id)
    assert (before.status, now.status) == ("DELETE_FAILED", "DELETE_IN_PROGRESS")
    story.wait(seconds=seconds)
    story.stacks.stacks[stack_id] = before
    outcome = story.track(stack_id)
    story.stacks.stacks[stack_id] = now
    return story, stack_id, outcome


def test_a_failure_of_before_is_not_believed_right_after_the_call() -> None:
    """CloudFormation's answers lag; what was deleted is journalled as that, once.

    Fails without `STALE_FOR`.
    """
    story, stack_id, outcome = tried_again(59)
    assert outcome.detail == "no outcome yet: DELETE_FAILED"
    story.stacks.finish(stack_id)
    story.track(stack_id)
    assert story.lease(stack_id).state is LeaseState.DELETED
    assert story.actions(stack_id)[-2:] == ["deletion.started", "deletion.confirmed"]


def test_a_failure_that_lasts_is_believed() -> None:
    """By the next sweep, should its event have come too early."""
    story, stack_id, outcome = tried_again(60)
    assert outcome.status is Status.FAILED
    assert story.lease(stack_id).attempts == 2


def test_a_first_attempt_that_fails_at_once_is_believed_at_once() -> None:
    """Before it the stack was whole, so nothing old can look like this.

    Fails if `_is_news` takes no notice of `half_deleted`.
    """
    story, stack_id = a_deletion()
    story.stacks.fail(stack_id)
    story.stacks.finish(stack_id)
    assert story.track(stack_id).status is Status.FAILED


def test_what_goes_after_an_attempt_of_ours_is_not_laid_on_another_hand_alone() -> None:
    """Nobody knows which of the two it was.

    Fails if `deleted_by` takes no notice of the claim.
    """
    story, stack_id = a_deletion()
    story.stacks.fail(stack_id)
    story.stacks.finish(stack_id)
    story.sweep()
    story.stacks.remove(stack_id)
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.GONE
    assert story.reason(stack_id, "lease.closed") == (
        "deleted by another hand, or late by an attempt of the janitor's, confirmed by id"
    )


def test_a_deletion_that_fails_in_a_region_that_was_dropped_is_told() -> None:
    """The policy no longer names its region. Fails without the branch for it in `survey`."""
    story = Story()
    stack_id = story.until_deleting(region=THERE)
    story.stacks.fail(stack_id, reason="bucket not empty")
    story.stacks.finish(stack_id)
    story.janitor = replace(story.janitor, regions=(HERE,))
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.FAILED
    assert story.subjects()[-1].startswith("[janitor] feat could not be deleted")
    calls = len(story.calls("delete"))
    story.wait(30)
    story.sweep()
    assert len(story.calls("delete")) == calls


def test_a_region_that_refuses_closes_nothing() -> None:
    """Missing data never means gone."""
    story, stack_id = a_deletion()
    story.stacks.finish(stack_id)
    story.stacks.refuse(HERE, "AccessDenied")
    before = story.lease(stack_id)
    story.sweep()
    assert story.lease(stack_id) == before


def test_operators_who_own_a_stack_are_told_once() -> None:
    """Not once as owner and once as operators."""
    story = Story(POLICY + "limits: {max_attempts: 1}\ndefaults: {ownerless_grace: 24h}")
    stack_id = story.until_deleting(tags={"janitor:ttl": "3d"})
    story.stacks.fail(stack_id)
    story.stacks.finish(stack_id)
    story.wait(minutes=1)
    story.sweep()
    attention = [m.contact for m in story.channel.sent if m.kinds == ("attention",)]
    assert attention == [OPERATORS]
    assert story.lease(stack_id).attempts == 1
    assert story.now < FRIDAY + HOUR
