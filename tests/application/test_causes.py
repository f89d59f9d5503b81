"""Why a deletion failed, and what becomes of the stack then: from AWS's words to the notices."""

from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace
from tests.application.stories import POLICY, Story

from janitor.application.ports import Purged
from janitor.domain.deletion.strategy import TOLD_AFTER
from janitor.domain.errors import JanitorError
from janitor.domain.model import OPERATORS, LeaseState
from janitor.domain.stack.resources import Resource

BUCKET = Resource("Data", "AWS::S3::Bucket", "feat-data-1")
QUEUE = Resource("Queue", "AWS::SQS::Queue", "feat-queue-1")
API = Resource("Api", "AWS::ApiGateway::RestApi", "api-1")
GROUP = Resource("Group", "AWS::Athena::WorkGroup", "feat")
VAULT = Resource("Vault", "AWS::Backup::BackupVault", "feat-vault")
ROLE = Resource("Role", "AWS::IAM::Role", "feat-role")
WRITER = Resource("Writer", "Custom::CrossRegionExportWriter", "writer-1")
TOO_MANY = "Too Many Requests (Service: ApiGateway, Status Code: 429, Request ID: x)"
BUSY = "The queue too-many-requests could not be deleted"
USED = (
    "Received response status [FAILED] from custom resource. Message returned: Error: Exports"
    " cannot be updated: /cdk/exports/foo is in use by import of stack bar"
)
ATTACHED = (
    "Cannot delete entity, must detach all policies first. (Service: AmazonIdentityManagement;"
    " Status Code: 409; Error Code: DeleteConflict; Request ID: x)"
)


def begun(policy: str, *resources: Resource, says: Mapping[str, str] = {}) -> tuple[Story, str]:
    """Go on until the deletion of a stack with these is under way."""
    story = Story(policy)
    story.stacks.resources.says.update(says)
    return story, story.until_deleting(resources=resources)


def on(story: Story, stack_id: str, attempts: int = 1) -> None:
    """Let so many attempts end, and begin the next each time as soon as it may begin."""
    for _ in range(attempts):
        story.stacks.finish(stack_id)
        for _ in range(2):
            story.wait(minutes=1)
            story.sweep()
        story.now = story.lease(stack_id).next_attempt_at or story.now
        story.sweep()


def told(story: Story, kind: str) -> list[str]:
    """Return who was told something of this kind."""
    return [m.contact.address for m in story.channel.sent if kind in m.kinds]


def test_a_resource_whose_service_throttles_costs_no_attempt_and_goes_later() -> None:
    """However often; its owner and the operators hear of it once, and nobody gives up.

    Fails if `only_waits` leaves out throttling, or if `is_failing` never asks `_is_throttled`.
    """
    story, stack_id = begun(POLICY + "limits: {max_attempts: 1}\n", QUEUE, API)
    story.stacks.resources.says[API.physical_id] = TOO_MANY
    waits = []
    for refused in range(1, 9):
        story.stacks.finish(stack_id)
        story.wait(minutes=1)
        story.sweep()
        lease = story.lease(stack_id)
        assert (lease.state, lease.attempts, lease.refusals) == (LeaseState.FAILED, 0, refused)
        assert lease.next_attempt_at is not None
        waits.append((lease.next_attempt_at - story.now).total_seconds() / 3600)
        assert told(story, "failed-throttled") == (
            ["ana@example.com", "operators"] if refused >= TOLD_AFTER else []
        )
        story.now = lease.next_attempt_at
        story.sweep()
    assert waits == [0.5, 1, 2, 4, 8, 16, 16, 16]
    text = next(m.text for m in story.channel.sent if "failed-throttled" in m.kinds)
    words = " ".join(text.split())
    assert "could not be deleted yet, as AWS has refused for hours to take so many calls" in words
    assert "AWS was asked too often at that moment (Too Many Requests (Service" in words
    assert "The janitor tries again: " in words
    story.stacks.resources.says.clear()
    story.stacks.finish(stack_id)
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.DELETED
    assert story.reason(stack_id, "deletion.confirmed") == "confirmed by id after attempt 1"
    assert "attention" not in {kind for m in story.channel.sent for kind in m.kinds}
    assert story.findings() == []


def test_a_call_that_is_throttled_is_no_attempt_either() -> None:
    """It says nothing of the stack, however long it lasts.

    Fails if `is_an_attempt` counts it after some refusals.
    """
    story = Story(POLICY + "limits: {max_attempts: 2}\n")
    stack_id = story.until_marked()
    story.stacks.throttled = 8
    for _ in range(8):
        story.wait(1)
        story.sweep()
        lease = story.lease(stack_id)
        assert (lease.state, lease.attempts) == (LeaseState.FAILED, 0)
    kinds = [m.kinds for m in story.channel.sent if m.contact == OPERATORS]
    assert kinds == [("failed-throttled",)]
    story.wait(1)
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.DELETING


def test_throttling_is_counted_from_its_own_first_time() -> None:
    """Other refusals before it, and what failed in between, do not make it last.

    Fails if `_came_to_nothing` counts refusals for another cause.
    """
    story, stack_id = begun(POLICY, API)
    for _ in range(3):
        story.stacks.hold(stack_id, "other")
        story.stacks.finish(stack_id)
        story.wait(minutes=16)
        story.sweep()
        story.now = story.lease(stack_id).next_attempt_at or story.now
        story.sweep()
    assert story.lease(stack_id).refusals == 3
    story.stacks.resources.says[API.physical_id] = TOO_MANY
    on(story, stack_id)
    lease = story.lease(stack_id)
    assert (lease.refusals, lease.cause) == (1, "throttled")


def test_what_is_full_is_emptied_though_another_thing_was_throttled() -> None:
    """The one costs an attempt and is mended by the next; then the other only waits.

    Fails if throttling comes first in `_WEIGHT`.
    """
    story, stack_id = begun(
        POLICY + "defaults: {purge: [s3]}\n", BUCKET, API, says={API.physical_id: TOO_MANY}
    )
    story.stacks.resources.contents[BUCKET.physical_id] = 5
    on(story, stack_id)
    assert story.lease(stack_id).cause == "not empty"
    assert story.stacks.resources.contents[BUCKET.physical_id] == 0
    on(story, stack_id)
    lease = story.lease(stack_id)
    assert (lease.cause, lease.refusals) == ("throttled", 1)
    assert [one.logical_id for one in story.stacks.resources.of(stack_id)] == ["Api"]
    story.stacks.resources.says.clear()
    story.stacks.finish(stack_id)
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.DELETED


def test_what_was_throttled_is_not_left_behind_with_the_last_resort() -> None:
    """It is deleted, when its service takes the call.

    Fails if `next_step` does not ask `stuck`.
    """
    policy = POLICY + "defaults: {last_resort: retain}\nlimits: {max_attempts: 1}\n"
    says = {API.physical_id: TOO_MANY, ROLE.physical_id: ATTACHED}
    story, stack_id = begun(policy, ROLE, API, says=says)
    on(story, stack_id)
    del story.stacks.resources.says[API.physical_id]
    story.stacks.finish(stack_id)
    story.sweep()
    lease = story.lease(stack_id)
    assert lease.state is LeaseState.DELETED
    assert lease.leftovers == ("Role (AWS::IAM::Role feat-role)",)


@pytest.mark.parametrize(
    "resource,contents,says,words",
    [
        (GROUP, 3, "", "; empty the work group, or delete it with its contents"),
        (VAULT, 3, "", "because it contains recovery points); delete its recovery points"),
        (ROLE, 0, ATTACHED, "something outside of the stack is attached to it"),
        (QUEUE, 0, BUSY, f"Queue (AWS::SQS::Queue feat-queue-1): {BUSY}"),
    ],
)
def test_what_a_person_has_to_mend_is_explained_and_costs_attempts(
    resource: Resource, contents: int, says: str, words: str
) -> None:
    """Also where everything is opted in that can be emptied."""
    story = Story(POLICY + "defaults: {purge: [s3, ecr]}\nlimits: {max_attempts: 2}\n")
    resources = story.stacks.resources
    resources.contents[resource.physical_id], resources.says[resource.physical_id] = contents, says
    stack_id = story.until_deleting(resources=(resource,))
    on(story, stack_id, 2)
    lease = story.lease(stack_id)
    assert (lease.state, lease.attempts) == (LeaseState.NEEDS_ATTENTION, 2)
    assert words in lease.last_error
    for kind in ("failed-plain", "attention"):
        assert told(story, kind) == ["ana@example.com", "operators"]
        text = next(m.text for m in story.channel.sent if kind in m.kinds)
        assert words.split(" (", maxsplit=1)[0] in " ".join(text.split())
    assert resources.contents[resource.physical_id] == contents


def test_an_export_of_cdk_in_use_names_its_user_and_counts_for_no_rung() -> None:
    """CloudFormation knows nothing of such an export: its custom resource alone tells.

    Fails without CDK's sentence in `_SENTENCES`, or in `_USED_BY`.
    """
    story, stack_id = begun(POLICY, QUEUE, WRITER, says={WRITER.physical_id: USED})
    on(story, stack_id, 7)
    lease = story.lease(stack_id)
    assert (lease.attempts, lease.cause) == (1, "export in use")  # one is under way again
    assert lease.state is LeaseState.DELETING
    assert told(story, "in-use") == ["ana@example.com"]
    text = next(m.text for m in story.channel.sent if "in-use" in m.kinds)
    assert "cannot be deleted: stack bar imports what it exports." in " ".join(text.split())
    story.stacks.resources.says.clear()
    story.stacks.finish(stack_id)
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.DELETED


def test_what_the_function_of_a_custom_resource_may_not_do_brings_no_other_role() -> None:
    """The role is CloudFormation's, and the function has its own.

    Fails if `FUNCTION` comes after `DENIED` in `_SENTENCES`.
    """
    said = "Received response status [FAILED] from custom resource. Message returned: AccessDenied"
    policy = POLICY + "defaults: {cleanup_role: 'arn:aws:iam::123456789012:role/cleanup'}\n"
    story = Story(policy)
    story.stacks.resources.says[WRITER.physical_id] = said
    own = "arn:aws:iam::123456789012:role/own"
    stack_id = story.until_deleting(resources=(WRITER,), role=own)
    on(story, stack_id)
    assert story.lease(stack_id).cause == "custom resource"
    assert story.stack(stack_id).role == own


def test_a_failure_waits_for_the_reasons_before_it_is_counted() -> None:
    """They say whether it costs an attempt; after a day it counts without them.

    Fails if `_look` goes on at once where the events of a half-deleted stack cannot be read.
    """
    story, stack_id = begun(POLICY, API, says={API.physical_id: TOO_MANY})
    readable = type(story.stacks)

    class Unread(readable):  # type: ignore[misc, valid-type]  # the twin, less its events
        """CloudFormation whose events cannot be read."""

        def fates(self, stack_id: str) -> Any:
            """Refuse."""
            raise JanitorError("reading the events failed: Throttling")

    story.stacks.finish(stack_id)
    story.stacks.__class__ = Unread
    story.wait(hours=1)
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.DELETING
    story.stacks.__class__ = readable
    story.sweep()
    lease = story.lease(stack_id)
    assert (lease.state, lease.attempts, lease.cause) == (LeaseState.FAILED, 0, "throttled")


class Endless:
    """A purger that never comes to an end."""

    def purge(self, *_: Any) -> Purged:
        """Leave some for the next run."""
        return Purged({}, is_empty=False)


def test_emptying_in_between_ends_a_run_of_throttling() -> None:
    """It is counted among the refusals too, but says nothing of the service.

    Fails if `_pause` leaves the cause as it was.
    """
    policy = POLICY + "defaults: {purge: [s3]}\n"
    story, stack_id = begun(policy, API, says={API.physical_id: TOO_MANY})
    on(story, stack_id, TOLD_AFTER - 2)
    story.stacks.finish(stack_id)
    story.wait(minutes=1)
    story.sweep()
    lease = story.lease(stack_id)
    assert (lease.cause, lease.refusals) == ("throttled", TOLD_AFTER - 1)
    silent = replace(BUCKET, status="DELETE_FAILED")
    story.stacks.resources.put(stack_id, (silent, *story.stacks.resources.of(stack_id)))
    story.janitor = replace(story.janitor, purgers={"s3": Endless()})
    story.now = lease.next_attempt_at or story.now
    story.sweep()
    assert story.actions(stack_id)[-1] == "deletion.paused"
    story.wait(minutes=1)
    story.sweep()
    lease = story.lease(stack_id)
    assert (lease.cause, lease.attempts) == ("", 0)
    assert lease.refusals >= TOLD_AFTER
    assert told(story, "failed-throttled") == []
