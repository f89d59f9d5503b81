"""Deleting: everything is read and decided again, the intent is written, then AWS is asked."""

from typing import Any

import pytest
from msgspec.structs import replace
from tests.application.stories import DAY, HERE, HOUR, MONDAY, OWNED, Story
from tests.fakes.memory import MemoryLedger
from tests.fakes.stacks import MemoryStacks

from janitor.application.deletion.delete import delete
from janitor.application.ports import PLAIN
from janitor.domain.deletion.strategy import Step
from janitor.domain.errors import DeleteRefused
from janitor.domain.journal.events import Entry
from janitor.domain.model import Account, Lease, LeaseState, Mode, Outcome, Status
from janitor.domain.notification.messages import DeletionRequest
from janitor.domain.stack.resources import Resource, Snapshot


def a_queued_deletion(**kind: Any) -> tuple[Story, str]:
    """Go on until a deletion stands in the queue: Friday, 08:00."""
    story = Story()
    stack_id = story.until_marked(**kind)
    story.wait(1)
    story.look()
    assert story.janitor.queue.deletions == [DeletionRequest(stack_id, story.now)]
    return story, stack_id


def skipped(story: Story, stack_id: str) -> str:
    """Do what is queued, see that nothing was deleted, and return why."""
    (outcome,) = story.janitor.drain()
    assert outcome.status is Status.SKIPPED
    assert story.calls("delete") == []
    return outcome.detail


def test_a_stack_that_is_due_is_deleted_by_its_id() -> None:
    """Claimed, intended, asked for, and accepted."""
    story, stack_id = a_queued_deletion()
    assert story.janitor.drain() == (Outcome(stack_id, "delete", Status.DONE),)
    assert story.stack(stack_id).status == "DELETE_IN_PROGRESS"
    lease = story.lease(stack_id)
    assert (lease.state, lease.attempts, lease.claimed_at) == (
        LeaseState.DELETING,
        1,
        story.now,
    )
    assert story.actions(stack_id)[-2:] == ["deletion.intended", "deletion.started"]
    assert story.findings() == []


def test_the_intent_is_in_the_journal_with_its_reason_and_facts() -> None:
    """What an auditor reads first."""
    story, stack_id = a_queued_deletion()
    story.janitor.drain()
    intended = list(story.ledger.chain(stack_id))[-2]
    assert intended.body["reason"] == {
        "sentence": "expired 1 day ago (tag janitor:ttl=3d), told, and the grace is over",
        "facts": {
            "status": "UPDATE_COMPLETE",
            "rule": "default",
            "deadline": "Thu 4 Jun 2026 08:00 UTC",
            "deadline_source": "tag janitor:ttl=3d",
        },
    }
    assert intended.body["target"]["owner"] == "ana@example.com"
    assert intended.body["target"]["tags"]["janitor:ttl"] == "3d"


@pytest.mark.parametrize("mode", [Mode.OFF, Mode.OBSERVE, Mode.NOTIFY])
def test_the_mode_is_read_again_right_before(mode: Mode) -> None:
    """An operator who switches off stops what stands in the queue."""
    story, stack_id = a_queued_deletion()
    story.policies.override = mode
    assert skipped(story, stack_id) == f"mode is {mode.value} by now"


def test_an_extension_in_the_last_moment_wins() -> None:
    """It was acknowledged, so it holds."""
    story, stack_id = a_queued_deletion()
    story.extend(stack_id, by=DAY)
    assert skipped(story, stack_id) == (
        "no longer due: not due, yet tagged as marked; expires in 1 day (an extension)"
    )
    assert story.lease(stack_id).state is LeaseState.ACTIVE


def test_a_tag_changed_in_the_last_moment_wins() -> None:
    """The stack is described again, by its id."""
    story, stack_id = a_queued_deletion()
    story.stacks.redeploy(stack_id, {**OWNED, "janitor:ttl": "9d"})
    assert skipped(story, stack_id) == (
        "no longer due: no longer due; expires in 5 days (tag janitor:ttl=9d)"
    )


def test_a_protecting_tag_in_the_last_moment_wins() -> None:
    """With what it says."""
    story, stack_id = a_queued_deletion()
    story.stacks.redeploy(stack_id, {**OWNED, "janitor:protect": "demo"})
    assert (
        skipped(story, stack_id) == "no longer due: due, but protected by tag janitor:protect: demo"
    )


def test_termination_protection_shows_only_when_described_and_is_respected() -> None:
    """It is journalled once, however often the sweep asks."""
    story = Story()
    stack_id = story.until_marked()
    story.stacks.lock(stack_id)
    story.wait(1)
    for _ in range(3):
        story.sweep()
        story.wait(hours=1)
    assert story.calls("delete") == []
    assert story.actions(stack_id).count("deletion.blocked") == 1
    assert story.reason(stack_id, "deletion.blocked") == (
        "due, but protected by CloudFormation's termination protection"
    )
    story.stacks.lock(stack_id, on=False)
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.DELETING


def test_protection_is_journalled_once_though_the_message_comes_twice() -> None:
    """As queues do.

    Fails with `if False:` for the first line of `_journal_refusal`.
    """
    story, stack_id = a_queued_deletion()
    story.stacks.lock(stack_id)
    (request,) = story.janitor.queue.deletions
    story.janitor.drain()
    story.janitor.queue.delete(request)
    story.janitor.drain()
    assert story.actions(stack_id).count("deletion.blocked") == 1


def test_protection_is_journalled_again_for_a_deadline_of_its_own() -> None:
    """After an extension the next refusal is news."""
    story = Story()
    stack_id = story.until_marked()
    story.stacks.lock(stack_id)
    story.wait(1)
    story.sweep()
    story.extend(stack_id, by=DAY)
    story.wait(1)
    story.sweep()
    story.wait(1)
    story.sweep()
    assert story.actions(stack_id).count("deletion.blocked") == 2


def test_a_stack_that_is_busy_is_left_alone() -> None:
    """An owner deploys just now."""
    story, stack_id = a_queued_deletion()
    story.stacks.set(stack_id, "UPDATE_IN_PROGRESS")
    assert skipped(story, stack_id) == "no longer due: due, but busy: UPDATE_IN_PROGRESS"


def test_a_stack_deleted_by_another_hand_is_left_alone() -> None:
    """There is nothing left to ask for."""
    story, stack_id = a_queued_deletion()
    story.stacks.remove(stack_id)
    assert skipped(story, stack_id).startswith("no longer due: no longer listed")


def test_the_window_is_looked_at_again() -> None:
    """A message that stood in the queue until after five waits for the morning."""
    story = Story("")
    stack_id = story.until_marked()
    story.now = MONDAY + 4 * DAY + 8 * HOUR + 59 * (HOUR / 60)  # Friday, 16:59
    story.look()
    story.wait(minutes=1)
    assert skipped(story, stack_id) == (
        "no longer due: due, but deletions run only from Mon 8 Jun 2026 09:00 UTC"
    )


@pytest.mark.parametrize("seconds, is_done", [(0, True), (1, False)])
def test_a_verdict_is_good_for_an_hour(seconds: int, is_done: bool) -> None:
    """After that the breaker and the pace it came from say nothing any more."""
    story, stack_id = a_queued_deletion()
    story.wait(hours=1, seconds=seconds)
    if is_done:
        story.janitor.drain()
        assert story.lease(stack_id).state is LeaseState.DELETING
    else:
        assert skipped(story, stack_id) == "decided too long ago; the next sweep decides anew"


def test_a_request_that_comes_twice_deletes_once() -> None:
    """Queues deliver at least once."""
    story, stack_id = a_queued_deletion()
    story.janitor.queue.deletions.extend(story.janitor.queue.deletions)
    first, second = story.janitor.drain()
    assert (first.status, second.status) == (Status.DONE, Status.SKIPPED)
    assert story.calls("delete") == [stack_id]
    assert story.lease(stack_id).attempts == 1


def test_a_request_for_a_closed_lease_is_dropped() -> None:
    """And one for a stack that was never known."""
    story = Story()
    story.janitor.queue.delete(DeletionRequest("arn:x", story.now))
    (outcome,) = story.janitor.drain()
    assert outcome == Outcome("arn:x", "delete", Status.SKIPPED, "its lease is closed")


class Refusing(MemoryStacks):
    """CloudFormation that says no to every deletion."""

    def delete(self, stack_id: str, token: str, step: Step = PLAIN) -> str:
        """Refuse."""
        raise DeleteRefused("feat is not what it was")


def test_a_refusal_by_cloudformation_is_a_failed_attempt() -> None:
    """Recorded with its reason, and tried again after half an hour."""
    story, stack_id = a_queued_deletion()
    refusing = Refusing(lambda: story.now)
    refusing.stacks = story.stacks.stacks
    (outcome,) = replace(story.janitor, stacks=refusing).drain()
    why = "feat is not what it was"
    assert outcome == Outcome(stack_id, "delete", Status.FAILED, why)
    lease = story.lease(stack_id)
    assert (lease.state, lease.attempts, lease.last_error) == (LeaseState.FAILED, 1, why)
    assert lease.next_attempt_at == story.now + HOUR / 2
    assert story.actions(stack_id)[-2:] == ["deletion.intended", "deletion.failed"]


@pytest.mark.parametrize("why", ["it is updated", "it is protected"])
def test_an_owner_may_keep_what_cloudformation_would_not_even_begin_to_delete(why: str) -> None:
    """A deployment came right before the call, or somebody's protection: nothing was asked yet.

    Fails if such a refusal counts as a failed attempt, if what would have been left behind stays
    in the lease, or if an extension leaves the count of refusals.
    """
    database = Resource("Db", "AWS::RDS::DBInstance", "db-1", policy="Snapshot")
    story, stack_id = a_queued_deletion(resources=(database,))
    snapshot = story.stacks.snapshot

    def meanwhile(*known: Any) -> Snapshot:
        if why == "it is updated":
            story.stacks.set(stack_id, "UPDATE_IN_PROGRESS")
        else:
            story.stacks.lock(stack_id)
        return snapshot(*known)

    story.stacks.snapshot = meanwhile  # type: ignore[method-assign, assignment]
    story.janitor.drain()
    assert story.actions(stack_id)[-2:] == ["deletion.intended", "deletion.withdrawn"]
    lease = story.lease(stack_id)
    assert (lease.state, lease.attempts, lease.claimed_at) == (LeaseState.MARKED, 0, None)
    assert (lease.refusals, lease.retained) == (1, ())
    kept = story.extend(stack_id)
    assert (kept.state, kept.refusals, kept.next_attempt_at) == (LeaseState.ACTIVE, 0, None)


def test_what_can_never_be_begun_is_handed_to_a_person_in_the_end() -> None:
    """In a status that only DeleteStack finds fault with.

    Fails if a refusal of that kind never counts.
    """
    story = Story()
    stack_id = story.until_marked()
    story.wait(1)

    def refuse(*_: Any) -> str:
        raise DeleteRefused("feat cannot be deleted while in status CREATE_COMPLETE")

    story.stacks.delete = refuse  # type: ignore[method-assign, assignment]
    for _ in range(200):
        story.wait(hours=6)
        story.sweep()
    assert story.lease(stack_id).state is LeaseState.NEEDS_ATTENTION
    assert len(story.actions(stack_id)) < 100


def test_a_region_that_refuses_in_the_last_moment_is_told() -> None:
    """The lease is as it was, and the next sweep asks again."""
    story, stack_id = a_queued_deletion()
    before = story.lease(stack_id)
    story.stacks.refuse(HERE, "Throttling")
    (outcome,) = story.janitor.drain()
    assert outcome.status is Status.FAILED
    assert "Throttling" in outcome.detail
    assert story.lease(stack_id) == before


def test_each_claim_has_a_token_of_its_own() -> None:
    """CloudFormation takes a second call with the same token for the first one."""
    story, stack_id = a_queued_deletion()
    story.stacks.fail(stack_id)
    story.janitor.drain()
    story.stacks.finish(stack_id)
    story.sweep()
    story.wait(hours=1)
    story.sweep()
    tokens = [call[2] for call in story.stacks.calls if call[0] == "delete"]
    assert len(tokens) == len(set(tokens)) == 2
    assert max(map(len, tokens)) <= 128


class SlowLedger(MemoryLedger):
    """A ledger behind which a laptop falls asleep, right after the claim."""

    def __init__(self, story: Story) -> None:
        super().__init__()
        self.records, self.journal = story.ledger.records, story.ledger.journal
        self.story = story

    def commit(self, entry: Entry[Lease] | Entry[Account]) -> None:
        """Write, and sleep."""
        super().commit(entry)
        if entry.events[-1].action == "deletion.intended":
            self.story.wait(minutes=6)


def test_a_claim_that_was_held_up_deletes_nothing() -> None:
    """Others may have given the claim up meanwhile, and its owner may have extended."""
    story, stack_id = a_queued_deletion()
    (request,) = story.janitor.queue.deletions
    outcome = delete(
        request,
        clock=story.janitor.clock,
        policies=story.janitor.policies,
        stacks=story.stacks,
        ledger=SlowLedger(story),
        purgers={},
    )
    assert outcome.status is Status.SKIPPED
    assert story.calls("delete") == []
    story.wait(hours=1)
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.FAILED
    story.wait(hours=1)
    story.sweep()
    assert story.calls("delete") == [stack_id]


def test_no_stack_goes_without_having_been_told() -> None:
    """Found overdue, it is marked, told, and stands for a whole grace."""
    story = Story()
    stack_id = story.deploy(created=MONDAY - 7 * DAY)
    for _ in range(25):
        story.sweep()
        assert story.calls("delete") == []
        story.wait(hours=1)
    assert story.lease(stack_id).notices[0].delivered_at == MONDAY + HOUR
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.DELETING


def test_a_stack_that_was_there_before_is_told_what_the_janitor_is_days_before_its_mark() -> None:
    """Found long overdue: a first notice, three days, the mark, the final notice, a whole grace.

    Fails if `Kind.ADOPTED` is met at once in domain/planning/conditions.py.
    """
    story = Story()
    stack_id = story.deploy(created=MONDAY - 7 * DAY - HOUR)
    for _ in range(1 + 72):
        assert story.sweep().plan.due == 0
        assert story.lease(stack_id).state is LeaseState.ACTIVE
        story.wait(hours=1)
    for _ in range(24):
        story.sweep()
        assert story.lease(stack_id).state is LeaseState.MARKED
        story.wait(hours=1)
    assert [n.stage for n in story.lease(stack_id).notices] == ["adopted", "final"]
    assert story.calls("delete") == []
    story.sweep()
    assert story.calls("delete") == [stack_id]
    assert story.subjects() == [
        "[janitor] feat is looked after by the janitor from now on",
        "[janitor] feat will be deleted",
    ]


def test_a_stack_protected_for_a_while_is_told_again_before_it_goes() -> None:
    """The old final notice was taken back with the mark."""
    story = Story()
    stack_id = story.until_marked()
    tags = dict(story.stack(stack_id).tags)
    story.stacks.redeploy(stack_id, {**tags, "janitor:protect": "demo"})
    story.sweep()
    story.wait(5)
    story.stacks.redeploy(stack_id, OWNED)
    story.sweep()
    assert story.lease(stack_id).delete_after == story.now + DAY
    story.wait(hours=23)
    story.sweep()
    assert story.calls("delete") == []
    story.wait(hours=1)
    story.sweep()
    assert story.calls("delete") == [stack_id]
    assert story.subjects() == ["[janitor] feat will be deleted"] * 2


def test_a_bootstrap_stack_is_left_alone_whatever_its_name_and_its_tags() -> None:
    """`cdk bootstrap` gives it the tags of the app, and the listing of it shows its outputs.

    Fails if `why_not_managed` does not look at `toolkit`.
    """
    story = Story()
    outputs = ("BootstrapVersion", "ImageRepositoryName")
    stack_id = story.deploy("deploy-base", outputs=outputs)
    app = story.until_deleting()
    assert story.calls("delete") == [app]
    assert story.ledger.lease(stack_id) is None


def test_what_turns_out_to_be_a_bootstrap_stack_at_the_last_moment_stays() -> None:
    """It became one after the sweep: what is decided right before the call looks again."""
    story = Story()
    stack_id = story.until_marked()
    story.wait(1)
    story.look()
    stack = story.stack(stack_id)
    story.stacks.stacks[stack_id] = replace(stack, toolkit="AWS CDK")
    (outcome,) = story.janitor.drain()
    assert "bootstrap stack of AWS CDK" in outcome.detail
    assert story.calls("delete") == []
