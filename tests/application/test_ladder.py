"""A deletion that fails: each rung of the ladder, from the policy or a tag to the journal."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace
from tests.application.stories import DAY, MONDAY, OWNED, POLICY, THERE, Story

from janitor.application.deletion.attempt import MOST_PAUSES
from janitor.application.deletion.delete import delete
from janitor.application.ports import Purged, Purger
from janitor.domain.errors import JanitorError
from janitor.domain.model import OPERATORS, LeaseState, Mode, Stack
from janitor.domain.notification.messages import DeletionRequest, deletion_from
from janitor.domain.stack.resources import Resource, Snapshot

BUCKET = Resource("Data", "AWS::S3::Bucket", "feat-data-1")
IMAGES = Resource("Images", "AWS::ECR::Repository", "feat-images-1")
QUEUE = Resource("Queue", "AWS::SQS::Queue", "feat-queue-1")
OWN_ROLE = "arn:aws:iam::123456789012:role/own"
CLEANUP = "arn:aws:iam::123456789012:role/cleanup"


def on(story: Story, stack_id: str, attempts: int = 1) -> None:
    """Let so many attempts come to their end, with all the waiting in between."""
    for _ in range(attempts):
        story.stacks.finish(stack_id)
        story.wait(minutes=1)
        story.sweep()
        again = story.lease(stack_id).next_attempt_at
        if again is not None:
            story.now = again
            story.sweep()


def with_policy(text: str) -> str:
    """Return the policy of the stories with more defaults."""
    return f"{POLICY}defaults: {{{text}}}\n"


OVERRIDE = with_policy("override_protection: true")


def begun(policy: str = POLICY, **kind: Any) -> tuple[Story, str]:
    """Go on until a deletion is under way."""
    story = Story(policy)
    return story, story.until_deleting(**{"resources": (BUCKET, QUEUE), **kind})


def facts(story: Story, stack_id: str, action: str) -> dict[str, str]:
    """Return the facts of the last such event."""
    found = [event for event in story.ledger.chain(stack_id) if event.action == action]
    return dict(found[-1].body["reason"]["facts"])


def test_what_the_stack_is_stands_in_the_journal_before_the_intent() -> None:
    """Resources with both ids, tags, outputs, role and template; no value that may be a secret.

    Fails if `_claim` leaves out `*drafts`.
    """
    policy = POLICY + "journal_outputs: [net*]\n"
    story, stack_id = begun(policy, exports=("net", "password"), role=OWN_ROLE)
    recorded, intended = list(story.ledger.chain(stack_id))[-3:-1]
    assert (recorded.action, intended.action) == ("stack.recorded", "deletion.intended")
    told = dict(recorded.body["reason"]["facts"])
    assert told.pop("output password").startswith("hmac-sha256:")
    assert "value of password" not in str([event.body for event in story.ledger.chain(stack_id)])
    key = story.ledger.account().evidence_key
    assert len(key) == 64
    assert key not in str([event.body for event in story.ledger.chain("janitor")])
    assert told == {
        "role": OWN_ROLE,
        "template": "sha256:feat",
        "drift": "not checked",
        "resources": "2",
        "output net": "value of net",
        "resource Data": "AWS::S3::Bucket feat-data-1 (CREATE_COMPLETE)",
        "resource Queue": "AWS::SQS::Queue feat-queue-1 (CREATE_COMPLETE)",
    }
    assert recorded.body["target"]["tags"]["janitor:ttl"] == "3d"


def test_a_stack_that_cannot_be_recorded_is_not_deleted() -> None:
    """No evidence, no deletion; the next sweep tries again.

    Fails if `delete` goes on without the snapshot.
    """
    story = Story()
    stack_id = story.until_marked()
    story.wait(1)

    class Blind(type(story.stacks)):  # type: ignore[misc]  # the twin, less one permission
        """CloudFormation that does not list resources."""

        def snapshot(self, stack: Stack, *_: Any) -> Snapshot:
            """Refuse."""
            raise JanitorError(f"listing the resources of {stack.name} failed: AccessDenied")

    story.stacks.__class__ = Blind
    report = story.sweep()
    assert "AccessDenied" in report.outcomes[-1].detail
    assert story.calls("delete") == []
    assert story.lease(stack_id).state is LeaseState.MARKED


def test_a_bucket_with_things_in_it_is_left_alone_without_an_opt_in() -> None:
    """It fails, each resource is named with its reason, and what to do is said, once.

    Fails if `purge_words` returns all words.
    """
    story, stack_id = begun(POLICY + "limits: {max_attempts: 3}\n")
    story.stacks.resources.contents["feat-data-1"] = 5
    on(story, stack_id, 3)
    assert story.stacks.resources.contents["feat-data-1"] == 5
    lease = story.lease(stack_id)
    assert lease.state is LeaseState.NEEDS_ATTENTION
    assert lease.last_error == (
        "DELETE_FAILED: The following resource(s) failed to delete: [Data]"
        " | Data (AWS::S3::Bucket feat-data-1): it is not empty"
        " (The bucket you tried to delete is not empty);"
        " empty it, or let the janitor do so: tag the stack janitor:purge=s3"
    )
    told = [m.contact.address for m in story.channel.sent if "failed-plain" in m.kinds]
    assert told == ["ana@example.com", "operators"]
    told = [m.contact.address for m in story.channel.sent if "attention" in m.kinds]
    assert told == ["ana@example.com", "operators"]


@pytest.mark.parametrize(
    "policy,tags",
    [(with_policy("purge: [s3]"), OWNED), (POLICY, {**OWNED, "janitor:purge": "s3"})],
    ids=["policy", "tag"],
)
def test_a_bucket_is_emptied_where_policy_or_tag_opted_in(
    policy: str, tags: dict[str, str]
) -> None:
    """Only after CloudFormation failed on it, with counts in the journal."""
    story, stack_id = begun(policy, tags=tags)
    story.stacks.resources.contents["feat-data-1"] = 2500
    story.stacks.resources.contents["other"] = 7
    on(story, stack_id)
    story.stacks.finish(stack_id)
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.DELETED
    assert story.stacks.resources.contents == {"feat-data-1": 0, "other": 7}
    intended = facts(story, stack_id, "deletion.intended")
    assert (intended["rung"], intended["empties"]) == (
        "purge",
        "Data (AWS::S3::Bucket feat-data-1)",
    )
    assert facts(story, stack_id, "resource.purged") == {
        "type": "AWS::S3::Bucket",
        "logical_id": "Data",
        "physical_id": "feat-data-1",
        "object versions": "2500",
        "empty": "yes",
    }
    assert story.reason(stack_id, "deletion.confirmed") == "confirmed by id after attempt 2"
    assert story.findings() == []


def test_images_need_a_word_of_their_own() -> None:
    """`s3` empties no repository."""
    story, stack_id = begun(with_policy("purge: [s3]"), resources=(IMAGES, QUEUE))
    story.stacks.resources.contents["feat-images-1"] = 3
    on(story, stack_id, 2)
    assert story.stacks.resources.contents["feat-images-1"] == 3
    story.set_policy(with_policy("purge: [ecr]"))
    on(story, stack_id, 1)
    story.stacks.finish(stack_id)
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.DELETED
    assert facts(story, stack_id, "resource.purged")["images"] == "3"


def test_emptying_that_does_not_end_in_time_goes_on_in_the_next_run() -> None:
    """It is no attempt; what was done is journalled, and nothing is done twice.

    Fails if `_purge` does not ask whether it may go on.
    """
    story, stack_id = begun(with_policy("purge: [s3]"))
    story.stacks.resources.contents["feat-data-1"] = 10_000
    story.stacks.finish(stack_id)
    story.sweep()
    story.now = story.lease(stack_id).next_attempt_at or story.now
    left = iter([True] * 3 + [False] + [True] * 99)
    story.look()
    (request,) = story.janitor.queue.deletions
    outcome = delete(
        request,
        clock=story.janitor.clock,
        policies=story.policies,
        stacks=story.stacks,
        ledger=story.ledger,
        purgers=story.janitor.purgers,
        may_go_on=lambda: next(left),
    )
    assert outcome.detail == "emptied in part; the next sweep goes on with it"
    assert story.stacks.resources.contents["feat-data-1"] == 7_000
    lease = story.lease(stack_id)
    assert (lease.state, lease.attempts) == (LeaseState.FAILED, 1)
    assert story.actions(stack_id)[-2:] == ["resource.purged", "deletion.paused"]
    story.wait(hours=1)
    story.janitor.queue.deletions.clear()
    story.sweep()
    assert story.stacks.resources.contents["feat-data-1"] == 0
    story.stacks.finish(stack_id)
    story.sweep()
    lease = story.lease(stack_id)
    assert (lease.state, lease.attempts) == (LeaseState.DELETED, 2)


class WhileEmptying:
    """A purger beside whom something else happens, each time that it asks whether to go on."""

    def __init__(self, purger: Purger, happens: Callable[[], None]) -> None:
        self._purger = purger
        self._happens = happens

    def purge(self, stack_id: str, resource: Resource, may_go_on: Callable[[], bool]) -> Purged:
        """Empty, while it happens."""

        def asked() -> bool:
            self._happens()
            return may_go_on()

        return self._purger.purge(stack_id, resource, asked)


@pytest.mark.parametrize("seconds,left", [(0, 0), (2, 8_000)], ids=["at once", "slowly"])
def test_mode_off_stops_an_attempt_that_is_under_way(seconds: int, left: int) -> None:
    """While it empties a bucket, and right before it deletes; no attempt is counted.

    Fails if `make` never asks `_why_not`, and slowly if `in_time` does not.
    """
    story, stack_id = begun(with_policy("purge: [s3]"))
    story.stacks.resources.contents["feat-data-1"] = 10_000
    story.stacks.finish(stack_id)
    story.sweep()
    story.now = story.lease(stack_id).next_attempt_at or story.now

    def switched_off() -> None:
        story.policies.override = Mode.OFF
        story.wait(seconds=seconds)

    purgers = story.janitor.purgers
    slow = {"s3": WhileEmptying(purgers["s3"], switched_off)}
    story.janitor = replace(story.janitor, purgers=slow)
    story.sweep()
    assert story.stacks.resources.contents["feat-data-1"] == left
    assert story.calls("delete") == [stack_id]
    lease = story.lease(stack_id)
    assert (lease.state, lease.attempts) == (LeaseState.FAILED, 1)
    assert story.actions(stack_id)[-2:] == ["resource.purged", "deletion.paused"]
    story.wait(1)
    story.sweep()
    assert story.calls("delete") == [stack_id]
    story.policies.override = Mode.ENFORCE
    story.janitor = replace(story.janitor, purgers=purgers)
    story.sweep()
    story.stacks.finish(stack_id)
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.DELETED
    assert story.findings() == []


@pytest.mark.parametrize("seconds,reads", [(1, 1), (6, 2)])
def test_a_plain_attempt_reads_the_mode_again_only_if_that_took_a_while(
    seconds: int, reads: int
) -> None:
    """What the first reading said is a moment old; protection is not even taken off.

    Fails if `make` never asks `_why_not`.
    """
    story = Story(OVERRIDE)
    stack_id = story.until_marked()
    story.stacks.lock(stack_id)
    story.wait(1)
    story.look()
    modes = [Mode.ENFORCE]

    class Late(type(story.stacks)):  # type: ignore[misc]  # the twin, less its speed
        """CloudFormation that lists resources slowly."""

        def snapshot(self, stack: Stack, *more: Any) -> Snapshot:
            """Take a while."""
            story.wait(seconds=seconds)
            return super().snapshot(stack, *more)  # type: ignore[no-any-return]  # as the twin says

    class Switched(type(story.policies)):  # type: ignore[misc]  # the twin, and another mode each time
        """A mode that is switched off after its first reading."""

        def mode(self) -> Mode:
            """Say so."""
            modes.append(Mode.OFF)
            return modes[-2]

    story.stacks.__class__ = Late
    story.policies.__class__ = Switched
    story.janitor.drain()
    assert len(modes) - 1 == reads
    is_deleted = reads == 1
    assert bool(story.calls("delete")) is bool(story.calls("unprotect")) is is_deleted
    if not is_deleted:
        assert story.reason(stack_id, "deletion.withdrawn") == (
            "nothing is deleted now: mode is off by now"
        )
        lease = story.lease(stack_id)
        assert (lease.state, lease.attempts, lease.unprotected) == (LeaseState.MARKED, 0, False)
        assert story.extend(stack_id, by=DAY).state is LeaseState.ACTIVE


def test_a_mode_that_cannot_be_read_lets_nothing_be_deleted() -> None:
    """The claim is given back all the same.

    Fails if `_why_not` lets the error pass.
    """
    story, stack_id = begun(with_policy("purge: [s3]"))
    story.stacks.resources.contents["feat-data-1"] = 5
    story.stacks.finish(stack_id)
    story.sweep()
    story.now = story.lease(stack_id).next_attempt_at or story.now

    begun_to_empty: list[None] = []

    class Unread(type(story.policies)):  # type: ignore[misc]  # the twin, less its parameter
        """A parameter that cannot be read any more from some time on."""

        def mode(self) -> Mode:
            """Refuse."""
            if begun_to_empty:
                raise JanitorError("reading the parameter failed: ThrottlingException")
            return Mode.ENFORCE

    story.policies.__class__ = Unread
    slow = WhileEmptying(story.janitor.purgers["s3"], lambda: begun_to_empty.append(None))
    story.janitor = replace(story.janitor, purgers={"s3": slow})
    story.sweep()
    assert story.calls("delete") == [stack_id]
    assert story.actions(stack_id)[-1] == "deletion.paused"


def test_a_bucket_that_is_filled_all_the_time_ends_with_a_person() -> None:
    """Emptying is bounded too."""
    story, stack_id = begun(with_policy("purge: [s3]") + "limits: {max_attempts: 2}\n")
    story.stacks.resources.contents["feat-data-1"] = 10**9
    for _ in range(MOST_PAUSES + 10):
        story.stacks.finish(stack_id)
        story.wait(hours=2)
        story.look()
        for request in story.janitor.queue.deletions:
            story_delete(story, request.stack_id)
        story.janitor.queue.deletions.clear()
    assert story.lease(stack_id).state is LeaseState.NEEDS_ATTENTION


def story_delete(story: Story, stack_id: str) -> None:
    """Delete with time for a single batch."""
    left = iter([True])
    delete(
        DeletionRequest(stack_id, story.now),
        clock=story.janitor.clock,
        policies=story.policies,
        stacks=story.stacks,
        ledger=story.ledger,
        purgers=story.janitor.purgers,
        may_go_on=lambda: next(left, False),
    )


@pytest.mark.parametrize("trouble", ["gone", "denied"])
def test_the_cleanup_role_takes_over_where_the_stacks_own_is_of_no_use(trouble: str) -> None:
    """Only then, and only if the policy names one."""
    story = Story(with_policy(f"cleanup_role: '{CLEANUP}'"))
    stack_id = story.until_marked(role=OWN_ROLE, resources=(QUEUE,))
    if trouble == "gone":
        story.stacks.gone_roles.add(OWN_ROLE)
    else:
        story.stacks.resources.denied_to.add(OWN_ROLE)
    story.wait(1)
    story.sweep()
    on(story, stack_id)
    assert facts(story, stack_id, "deletion.intended")["role"] == CLEANUP
    story.stacks.finish(stack_id)
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.DELETED
    first = next(e for e in story.ledger.chain(stack_id) if e.action == "deletion.failed")
    expected = "cannot be assumed" if trouble == "gone" else "permission to delete it is missing"
    assert expected in first.body["reason"]["sentence"]


def test_a_stack_without_a_role_of_its_own_never_gets_the_cleanup_role() -> None:
    """It would stay on the stack."""
    story, stack_id = begun(with_policy(f"cleanup_role: '{CLEANUP}'"), resources=(QUEUE,))
    story.stacks.fail(stack_id, reason="AccessDenied: not authorized")
    on(story, stack_id)
    assert "role" not in facts(story, stack_id, "deletion.intended")


@pytest.mark.parametrize("resort", ["retain", "force"])
def test_the_last_resort_leaves_behind_what_will_not_go_and_says_so(resort: str) -> None:
    """After all plain attempts; *deleted with leftovers*, with physical ids, never plain deleted.

    Fails if `_deleted` passes the result "ok".
    """
    policy = with_policy(f"last_resort: {resort}") + "limits: {max_attempts: 2}\n"
    story, stack_id = begun(policy)
    story.stacks.resources.contents["feat-data-1"] = 5
    on(story, stack_id, 2)
    assert facts(story, stack_id, "deletion.intended")["rung"] == resort
    story.stacks.finish(stack_id)
    story.sweep()
    lease = story.lease(stack_id)
    assert lease.state is LeaseState.DELETED
    assert lease.leftovers == ("Data (AWS::S3::Bucket feat-data-1)",)
    confirmed = list(story.ledger.chain(stack_id))[-3]
    assert (confirmed.action, confirmed.body["result"]) == ("deletion.confirmed", "leftovers")
    assert confirmed.body["reason"]["sentence"] == (
        "deleted with leftovers, confirmed by id after attempt 3;"
        " 1 stayed: Data (AWS::S3::Bucket feat-data-1)"
    )
    assert confirmed.body["reason"]["facts"] == {
        "gone": "1",
        "stayed": "1",
        "stayed 1": "Data (AWS::S3::Bucket feat-data-1)",
        "gone 1": "Queue (AWS::SQS::Queue feat-queue-1)",
    }
    assert story.subjects()[-1] == "[janitor] feat has been deleted with leftovers"
    assert "Data (AWS::S3::Bucket feat-data-1)" in story.channel.sent[-1].text
    assert {m.contact.address for m in story.channel.sent[-2:]} == {"ana@example.com", "operators"}


def test_without_the_opt_in_nothing_is_left_behind() -> None:
    """A person is asked instead."""
    story, stack_id = begun(POLICY + "limits: {max_attempts: 1}\n")
    story.stacks.resources.contents["feat-data-1"] = 5
    on(story, stack_id, 3)
    assert story.lease(stack_id).state is LeaseState.NEEDS_ATTENTION
    assert story.stack(stack_id).status == "DELETE_FAILED"


def test_what_the_template_keeps_is_a_leftover_too() -> None:
    """DeletionPolicy Retain, and what leaves a snapshot."""
    kept = Resource("Log", "AWS::Logs::LogGroup", "/feat", policy="Retain")
    database = Resource("Db", "AWS::RDS::DBInstance", "feat-db", policy="Snapshot")
    story, stack_id = begun(resources=(QUEUE, kept, database))
    story.stacks.finish(stack_id)
    story.sweep()
    assert story.lease(stack_id).leftovers == (
        "Log (AWS::Logs::LogGroup /feat)",
        "a snapshot of Db (AWS::RDS::DBInstance feat-db)",
    )


def test_what_a_nested_stack_keeps_is_a_leftover_too() -> None:
    """Though its parent only shows the child, as deleted.

    Fails if `fates` tells of the root alone.
    """
    child = "arn:aws:cloudformation:eu-central-1:123456789012:stack/feat-Child/1"
    nested = Resource("Child", "AWS::CloudFormation::Stack", child)
    table = Resource("Table", "AWS::DynamoDB::Table", "feat-table", policy="Retain")
    story, stack_id = begun(resources=(QUEUE, nested))
    story.stacks.resources.put(child, (BUCKET, table))
    story.stacks.finish(stack_id)
    story.sweep()
    lease = story.lease(stack_id)
    assert lease.state is LeaseState.DELETED
    assert lease.leftovers == ("Child/Table (AWS::DynamoDB::Table feat-table)",)


CHILD = "arn:aws:cloudformation:eu-central-1:123456789012:stack/feat-Child/1"
NESTED = Resource("Child", "AWS::CloudFormation::Stack", CHILD)


def begun_nested(policy: str, *inside: Resource) -> tuple[Story, str]:
    """Go on until the deletion of a stack with these in a nested one is under way."""
    story = Story(policy)
    story.stacks.resources.put(CHILD, inside)
    return story, story.until_deleting(resources=(QUEUE, NESTED))


def test_what_a_nested_stack_leaves_a_snapshot_of_is_a_leftover_too() -> None:
    """Though CloudFormation lists it nowhere but in the nested stack.

    Fails if the snapshot before the deletion is of the root alone.
    """
    database = Resource("Db", "AWS::RDS::DBInstance", "feat-db", policy="Snapshot")
    story, stack_id = begun_nested(POLICY, database)
    recorded = facts(story, stack_id, "stack.recorded")
    assert recorded["resource Child"].endswith("(CREATE_COMPLETE, template sha256:feat-Child)")
    assert recorded["resource Child/Db"] == (
        "AWS::RDS::DBInstance feat-db (CREATE_COMPLETE, policy Snapshot)"
    )
    story.stacks.finish(stack_id)
    story.sweep()
    assert story.lease(stack_id).leftovers == (
        "a snapshot of Child/Db (AWS::RDS::DBInstance feat-db)",
    )


def test_a_bucket_in_a_nested_stack_is_emptied_as_that_stacks() -> None:
    """It was made for the nested stack, and its tag names that one; the advice given holds.

    Fails if `_purge` asks for it with the root's id, or `failed` leaves out nested stacks.
    """
    story, stack_id = begun_nested(with_policy("purge: [s3]"), BUCKET)
    story.stacks.resources.contents["feat-data-1"] = 5
    on(story, stack_id)
    assert facts(story, stack_id, "resource.purged") == {
        "type": "AWS::S3::Bucket",
        "logical_id": "Child/Data",
        "physical_id": "feat-data-1",
        "object versions": "5",
        "empty": "yes",
    }
    story.stacks.finish(stack_id)
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.DELETED
    assert story.lease(stack_id).leftovers == ()
    assert story.findings() == []


def test_only_the_root_stacks_own_resources_are_named_to_be_left_behind() -> None:
    """What fails in a nested stack may be called as something that has gone from the root.

    Fails if `next_step` retains all that failed.
    """
    policy = with_policy("last_resort: retain") + "limits: {max_attempts: 1}\n"
    story, stack_id = begun_nested(policy, replace(QUEUE, physical_id="inner"))
    story.stacks.fail(CHILD, times=9, resource="Queue")
    on(story, stack_id)
    whole = f"Child (AWS::CloudFormation::Stack {CHILD})"
    assert facts(story, stack_id, "deletion.intended")["leaves"] == whole
    story.stacks.finish(stack_id)
    story.sweep()
    assert story.lease(stack_id).leftovers == (whole,)


def test_each_rung_is_told_once() -> None:
    """To owner and operators, however often it fails."""
    policy = with_policy("purge: [s3], last_resort: retain") + "limits: {max_attempts: 3}\n"
    story, stack_id = begun(policy)
    story.stacks.fail(stack_id, times=9, resource="Queue")
    story.stacks.resources.contents["feat-data-1"] = 1
    on(story, stack_id, 6)
    kinds = [kind for m in story.channel.sent for kind in m.kinds if kind.startswith("failed-")]
    assert sorted(kinds) == sorted(["failed-plain", "failed-purge"] * 2)
    assert story.lease(stack_id).state is LeaseState.DELETED


def test_an_export_in_use_is_journalled_as_that_and_counts_for_no_rung() -> None:
    """CloudFormation returns to the former status, and says why in its reason.

    Fails if `is_an_attempt` is always true.
    """
    story, stack_id = begun()
    story.stacks.hold(stack_id, "feat-other")
    story.stacks.finish(stack_id)
    story.wait(minutes=16)
    story.sweep()
    lease = story.lease(stack_id)
    assert (lease.state, lease.attempts, lease.rung) == (LeaseState.FAILED, 0, "")
    assert story.actions(stack_id)[-1] == "deletion.refused"
    assert lease.blocker == "stack feat-other imports what it exports"
    story.sweep()
    assert "in-use" in [kind for m in story.channel.sent for kind in m.kinds]
    story.now = lease.next_attempt_at or story.now
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.DELETING


@pytest.mark.parametrize("name", ["feat-throttling", "throttled", "feat-basket"])
def test_what_a_stack_is_called_does_not_class_its_failures(name: str) -> None:
    """Each counts, be it refused or failed, and a person is asked after the last.

    Fails if a word of throttling counts wherever it stands.
    """
    story = Story(POLICY + "limits: {max_attempts: 2}\n")
    stack_id = story.until_marked(name, role=OWN_ROLE)
    story.stacks.gone_roles.add(OWN_ROLE)
    story.wait(1)
    story.sweep()
    assert story.lease(stack_id).attempts == 1
    story.stacks.gone_roles.clear()
    story.stacks.fail(stack_id, reason=f"{name} has dependencies")
    on(story, stack_id, 2)
    assert story.lease(stack_id).state is LeaseState.NEEDS_ATTENTION
    assert "deletion.refused" not in story.actions(stack_id)


def test_a_name_alone_brings_no_cleanup_role() -> None:
    """Nothing was denied here but in a name.

    Fails if a code counts wherever it stands.
    """
    page = Resource("AccessDenied", "AWS::S3::Bucket", "page")
    kind = {"role": OWN_ROLE, "resources": (page,)}
    story, stack_id = begun(with_policy(f"cleanup_role: '{CLEANUP}'"), **kind)
    story.stacks.fail(stack_id, reason="AccessDenied has dependencies")
    on(story, stack_id)
    assert "role" not in facts(story, stack_id, "deletion.intended")


def test_a_deletion_that_hangs_is_told_to_operators_and_never_cancelled() -> None:
    """After two hours, once."""
    story, stack_id = begun()
    story.stacks.stuck.add(stack_id)
    for minutes in (119, 1, 60):
        story.wait(minutes=minutes)
        story.sweep()
    stuck = [m for m in story.channel.sent if m.kinds == ("stuck",)]
    assert [m.contact for m in stuck] == [OPERATORS]
    assert story.lease(stack_id).state is LeaseState.DELETING
    assert story.calls("delete") == [stack_id]


def test_an_update_that_hangs_is_told_too() -> None:
    """Whoever began it."""
    story = Story()
    stack_id = story.deploy()
    story.sweep()
    story.wait(hours=1)
    story.stacks.redeploy(stack_id)
    story.stacks.set(stack_id, "UPDATE_IN_PROGRESS")
    for _ in range(4):
        story.wait(hours=1)
        story.sweep()
    assert [m.contact for m in story.channel.sent if m.kinds == ("stuck",)] == [OPERATORS]
    assert story.stack(stack_id).status == "UPDATE_IN_PROGRESS"


def test_termination_protection_is_told_to_the_owner_once() -> None:
    """The owner alone can take it off, or the policy."""
    story = Story()
    stack_id = story.until_marked()
    story.stacks.lock(stack_id)
    story.wait(1)
    for _ in range(4):
        story.sweep()
        story.wait(hours=1)
    told = [m.contact.address for m in story.channel.sent if "protected" in m.kinds]
    assert told == ["ana@example.com"]
    assert story.calls("unprotect") == story.calls("delete") == []


def test_protection_is_taken_off_right_before_where_the_policy_says_so() -> None:
    """Announced in the intent, journalled when done."""
    story = Story(OVERRIDE)
    stack_id = story.until_marked()
    story.stacks.lock(stack_id)
    story.wait(1)
    story.sweep()
    kinds = [call[0] for call in story.stacks.calls if call[0] in {"unprotect", "delete"}]
    assert kinds == ["unprotect", "delete"]
    assert facts(story, stack_id, "deletion.intended")["protection"] == "taken off first"
    assert story.actions(stack_id)[-3:] == [
        "deletion.intended",
        "protection.removed",
        "deletion.started",
    ]


def test_protection_comes_back_if_the_deletion_is_refused() -> None:
    """At once where CloudFormation says no, and by the next sweep where it falls back.

    Fails if `delete` never asks `lacks_protection`, or `_ask` never looks at `unprotected`.
    """
    story = Story(OVERRIDE)
    stack_id = story.until_marked()
    story.stacks.lock(stack_id)
    story.stacks.throttled = 1
    story.wait(1)
    story.sweep()
    assert story.stack(stack_id).termination_protection
    assert story.actions(stack_id)[-3:] == [
        "deletion.refused",
        "protection.intended",
        "protection.restored",
    ]
    story.stacks.hold(stack_id, "other")
    story.wait(hours=1)
    story.sweep()
    assert not story.stack(stack_id).termination_protection
    story.stacks.finish(stack_id)
    for _ in range(2):
        story.wait(minutes=16)
        story.sweep()
    assert story.stack(stack_id).termination_protection
    assert story.lease(stack_id).unprotected is False


def fallen_back(**kind: Any) -> tuple[Story, str]:
    """Let an attempt fall back that took protection off; go on until the next one is due."""
    story = Story(OVERRIDE)
    stack_id = story.until_marked(**kind)
    story.stacks.lock(stack_id)
    story.stacks.hold(stack_id, "other")
    story.wait(1)
    story.sweep()
    story.stacks.finish(stack_id)
    story.wait(minutes=16)
    story.sweep()
    assert story.lease(stack_id).unprotected
    story.wait(hours=3)
    return story, stack_id


@pytest.mark.parametrize("why", ["pace", "importer"])
def test_putting_protection_back_deletes_nothing(why: str) -> None:
    """Though the stack itself is due: what holds it up is known to the sweep alone.

    Fails if `delete` takes no notice of `restore_only`.
    """
    story, stack_id = fallen_back(exports=("net",))
    match why:
        case "pace":
            story.set_policy(OVERRIDE + "limits: {max_deleting: 0}\n")
        case _:
            story.deploy("user", tags={}, imports=("net",))
    story.sweep()
    assert story.calls("delete") == [stack_id]
    assert story.stack(stack_id).status == "UPDATE_COMPLETE"
    assert story.stack(stack_id).termination_protection
    assert story.actions(stack_id)[-2:] == ["protection.intended", "protection.restored"]
    assert story.findings() == []


@pytest.mark.parametrize(
    "mode,is_back",
    [(Mode.NOTIFY, True), (Mode.OBSERVE, False), (Mode.OFF, False)],
)
def test_protection_comes_back_in_each_mode_that_may_change_something(
    mode: Mode, is_back: bool
) -> None:
    """Mode `notify` deletes nothing, and leaves nothing unprotected either.

    Fails if a sweep asks for it only in mode `enforce`.
    """
    story, stack_id = fallen_back()
    story.policies.override = mode
    story.sweep()
    story.janitor.queue.delete(DeletionRequest(stack_id, story.now, restore_only=True))
    story.janitor.drain()
    assert story.stack(stack_id).termination_protection is is_back
    assert story.calls("delete") == [stack_id]


def test_protection_comes_back_in_the_sweep_that_moves_the_mark(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A deadline that moved is no reason to stand unprotected until the sweep after it.

    Nor is an update under way, the janitor's own of the tags among them.

    Fails without `_protect_again` in the branch of `Unmark`, then of `Mark`, of application/sweep/apply.py,
    and if `lacks_protection` wants a stack to be at rest.
    """

    def fail(_: str, *, on: bool) -> None:
        raise JanitorError(f"switching protection to {on} failed: Throttling")

    story, stack_id = fallen_back()
    tags = story.stack(stack_id).tags
    with monkeypatch.context() as refused:
        refused.setattr(story.stacks, "protect", fail)
        story.stacks.redeploy(stack_id, {**tags, "janitor:ttl": "9d"})
        story.sweep()
    assert story.reason(stack_id, "stack.unmarked")
    assert story.actions(stack_id)[-1] == "protection.intended"
    story.stacks.redeploy(stack_id, tags)
    story.stacks.set(stack_id, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.MARKED
    assert story.stack(stack_id).termination_protection


def test_protection_is_not_put_back_while_a_deletion_is_under_way() -> None:
    """A message may come late, and once more.

    Fails if `_restore` does not ask `lacks_protection`.
    """
    story = Story(OVERRIDE)
    stack_id = story.until_marked()
    story.stacks.lock(stack_id)
    story.wait(1)
    story.sweep()
    story.janitor.queue.delete(DeletionRequest(stack_id, story.now, restore_only=True))
    (outcome,) = story.janitor.drain()
    assert outcome.detail == "no protection is to be put back by now"
    assert story.actions(stack_id)[-1] == "deletion.started"


def test_nested_stacks_are_looked_into_for_as_long_as_what_was_read_counts_as_known() -> None:
    """Hundreds of them would outlast the function, and whatever the tags came to say meanwhile.

    Fails without the time limit of `snapshot` in application/deletion/delete.py.
    """
    story, asked = Story(), []
    stack_id = story.until_marked()

    class Slow(type(story.stacks)):  # type: ignore[misc]  # the twin, less its speed
        """CloudFormation that needs three seconds for each nested stack."""

        def snapshot(self, stack: Stack, may_go_on: Callable[[], bool] = bool) -> Snapshot:
            """Ask before each."""
            for _ in range(5):
                asked.append(may_go_on())
                story.wait(seconds=3)
            return super().snapshot(stack)  # type: ignore[no-any-return]  # as the twin says

    story.stacks.__class__ = Slow
    story.wait(1)
    story.sweep()
    assert asked == [True, True, False, False, False]
    assert story.lease(stack_id).state is LeaseState.DELETING


def test_a_request_of_before_still_deletes() -> None:
    """It may lie in the queue while a new version is deployed."""
    body = '{"stack_id": "arn", "decided_at": "2026-06-01T08:00:00Z"}'
    assert deletion_from(body) == DeletionRequest("arn", MONDAY)


def test_protection_comes_back_in_a_region_that_was_dropped() -> None:
    """No sweep lists the stack any more, and its deletion came to nothing.

    Fails if a sweep asks for it only where it sees the stack.
    """
    story, stack_id = fallen_back()
    story.janitor = replace(story.janitor, regions=(THERE,))
    story.sweep()
    assert story.stack(stack_id).termination_protection
    assert story.calls("delete") == [stack_id]
    before = list(story.actions(stack_id))
    story.sweep()
    assert story.actions(stack_id) == before


@pytest.mark.parametrize("first", ["UPDATE_COMPLETE", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"])
def test_a_stack_that_is_set_free_gets_its_protection_back_first(first: str) -> None:
    """The lease alone remembers that it was taken off, also when another hand's deletion falls back.

    Fails if `decide` releases it all the same.
    """
    story = Story(OVERRIDE)
    stack_id = story.until_marked()
    story.stacks.lock(stack_id)
    story.stacks.hold(stack_id, "other")
    story.wait(1)
    story.sweep()
    story.stacks.finish(stack_id)
    story.wait(minutes=16)
    story.sweep()
    story.set_policy(OVERRIDE + "never_delete: [feat]\n")
    story.stacks.set(stack_id, first)
    story.sweep()
    story.stacks.set(stack_id, "UPDATE_COMPLETE")
    for _ in range(3):
        story.sweep()
    assert story.stack(stack_id).termination_protection
    assert story.lease(stack_id).state is LeaseState.RELEASED


def test_a_change_set_that_nobody_executed_has_a_grace_of_its_own() -> None:
    """Somebody may be reviewing it.

    Fails if `_told` does not look at `review_grace`.
    """
    story = Story(with_policy("review_grace: 6d"))
    stack_id = story.until_marked(status="REVIEW_IN_PROGRESS", resources=())
    story.wait(1)
    story.sweep()
    assert story.calls("delete") == []
    story.wait(2)
    story.sweep()
    assert story.calls("delete") == [stack_id]


def test_a_stack_recreated_by_hand_under_its_name_is_another_stack() -> None:
    """The old lease is closed, the new stack gets its own time."""
    story = Story()
    old = story.until_marked()
    story.stacks.remove(old)
    new = story.deploy()
    story.wait(1)
    story.sweep()
    story.sweep()
    assert story.lease(old).state is LeaseState.GONE
    assert story.lease(new).state is LeaseState.ACTIVE
    assert story.calls("delete") == []


def test_a_confirmation_waits_for_word_of_what_stayed() -> None:
    """Who writes "deleted" today cannot add tomorrow what stayed; after a day it is left open."""
    story, stack_id = begun()
    story.stacks.finish(stack_id)

    class Forgetful(type(story.stacks)):  # type: ignore[misc]  # the twin, less its events
        """CloudFormation whose events cannot be read."""

        def fates(self, stack_id: str) -> tuple[Resource, ...]:
            """Refuse."""
            raise JanitorError("reading the events failed: Throttling")

    story.stacks.__class__ = Forgetful
    story.wait(hours=1)
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.DELETING
    story.wait(1)
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.DELETED
    last = next(e for e in story.ledger.chain(stack_id) if e.action == "deletion.confirmed")
    assert last.body["result"] == "unverified"
    assert last.body["reason"]["facts"]["unread"] == "reading the events failed: Throttling"


def test_a_failure_of_before_is_not_taken_for_one_of_the_attempt_at_work() -> None:
    """Between the claim and the call a stack still shows the failure before.

    Fails if `_verdict` does not look at `asked_at`.
    """
    story, stack_id = begun(with_policy("purge: [s3]"))
    story.stacks.resources.contents["feat-data-1"] = 5
    story.stacks.finish(stack_id)
    story.sweep()
    story.now = story.lease(stack_id).next_attempt_at or story.now
    seen: list[str] = []
    purger = story.janitor.purgers["s3"]
    purge = purger.purge

    def meanwhile(*args: object, **kwargs: object) -> object:
        seen.append(story.track(stack_id).detail)
        return purge(*args, **kwargs)  # type: ignore[arg-type]  # as it came

    object.__setattr__(purger, "purge", meanwhile)
    story.sweep()
    assert seen == ["no outcome yet: DELETE_FAILED"]
    assert story.lease(stack_id).state is LeaseState.DELETING
