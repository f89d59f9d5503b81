"""One contract for CloudFormation: its twin in memory, and the adapter over the wire."""

import io
import json
import time
import zipfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Protocol
from uuid import uuid4

import pytest
from tests.fakes.stacks import MemoryStacks

from janitor.adapters.aws.cloudformation import CloudFormation
from janitor.application.ports import Stacks
from janitor.domain.deletion.causes import Cause, cause_of, cause_of_refusal
from janitor.domain.deletion.strategy import Rung, Step
from janitor.domain.errors import DeleteRefused, StackNotFound, TagRefused
from janitor.domain.model import Stack
from janitor.domain.stack.resources import NESTED, Count, Resource, Snapshot
from janitor.domain.tagging.outcomes import Became, TagOutcome
from janitor.domain.tagging.ways import Why

REGIONS = ("eu-central-1", "us-east-1")
HOME = REGIONS[0]
DEADLINE = 20.0
TEMPLATE = {
    "Parameters": {
        "Secret": {"Type": "String", "NoEcho": True, "Default": "default"},
        "Plain": {"Type": "String", "Default": "default"},
    },
    "Resources": {
        "Shown": {
            "Type": "AWS::SSM::Parameter",
            "Properties": {"Type": "String", "Value": {"Fn::Sub": "${Secret}/${Plain}"}},
        }
    },
    "Outputs": {"Name": {"Value": {"Ref": "Shown"}}},
}


class Part(Enum):
    """Something that a stack may have in it, and that matters when it is deleted."""

    EXPORT = "exports the value `net`"
    IMPORT = "imports the value `net`"
    STUBBORN = "a resource that fails to be deleted"
    KEPT = "a resource that the template keeps"


class World(Protocol):
    """What other hands do to stacks, and the port under test."""

    @property
    def stacks(self) -> Stacks:
        """The port under test."""
        ...

    def create(
        self,
        name: str,
        tags: Mapping[str, str],
        *,
        region: str = HOME,
        termination_protection: bool = False,
    ) -> Stack:
        """Deploy a stack."""
        ...

    def create_with(self, name: str, *parts: Part) -> Stack:
        """Deploy a stack that consists of these parts."""
        ...

    def create_nested(self, name: str) -> tuple[Stack, str]:
        """Deploy a stack with a nested one that keeps a resource; return the id of that, too."""
        ...

    def redeploy(self, stack_id: str, tags: Mapping[str, str]) -> None:
        """Deploy a stack again."""
        ...

    def finish(self, stack_id: str) -> Stack:
        """Let what is under way come to its end."""
        ...


class InMemory:
    """The twin is both sides at a time."""

    def __init__(self) -> None:
        self.stacks = MemoryStacks(lambda: datetime.now(UTC))

    def create(self, name: str, tags: Mapping[str, str], **options: Any) -> Stack:
        """Deploy a stack."""
        return self.stacks.create(name, tags=tags, **options)

    def create_with(self, name: str, *parts: Part) -> Stack:
        """Deploy a stack that consists of these parts."""
        kept = Resource("Kept", "AWS::SSM::Parameter", f"{name}-kept", policy="Retain")
        stack = self.stacks.create(
            name,
            exports=("net",) * (Part.EXPORT in parts),
            imports=("net",) * (Part.IMPORT in parts),
            resources=(
                Resource("Shown", "AWS::SSM::Parameter", f"{name}-shown"),
                *[Resource("Stubborn", "Custom::Stubborn", f"{name}-stubborn")]
                * (Part.STUBBORN in parts),
                *[kept] * (Part.KEPT in parts),
            ),
        )
        if Part.STUBBORN in parts:
            self.stacks.fail(stack.stack_id, 99, "no", "Stubborn")
        return stack

    def create_nested(self, name: str) -> tuple[Stack, str]:
        """Deploy a stack with a nested one that keeps a resource; return the id of that, too."""
        child = self.create_with(f"{name}-Child", Part.KEPT)
        shown = Resource("Shown", "AWS::SSM::Parameter", f"{name}-shown")
        resources = (shown, Resource("Child", NESTED, child.stack_id))
        return self.stacks.create(name, resources=resources), child.stack_id

    def redeploy(self, stack_id: str, tags: Mapping[str, str]) -> None:
        """Deploy a stack again."""
        self.stacks.redeploy(stack_id, tags)

    def finish(self, stack_id: str) -> Stack:
        """End a deletion."""
        return self.stacks.finish(stack_id)


class OverTheWire:
    """An emulated account, and the adapter that looks at it."""

    def __init__(self, connect: Callable[..., Any], emulator: str) -> None:
        self.client = {region: connect(emulator, "cloudformation", region) for region in REGIONS}
        self.ssm = connect(emulator, "ssm")
        self.functions = connect(emulator, "lambda")
        self.s3 = connect(emulator, "s3")
        self.pages: list[tuple[str, int]] = []
        self.calls: list[str] = []
        for client in self.client.values():
            client.meta.events.register(
                "before-call.cloudformation", lambda model, **_: self.calls.append(model.name)
            )
        self.stacks = CloudFormation(
            self.client.__getitem__, lambda region, count: self.pages.append((region, count))
        )

    def create(
        self,
        name: str,
        tags: Mapping[str, str],
        *,
        region: str = HOME,
        termination_protection: bool = False,
        **parameters: str,
    ) -> Stack:
        """Deploy a stack and wait for it."""
        answer = self.client[region].create_stack(
            StackName=name,
            TemplateBody=json.dumps(TEMPLATE),
            Tags=_tag_list(tags),
            Parameters=_parameter_list(parameters),
            EnableTerminationProtection=termination_protection,
        )
        return self.finish(answer["StackId"])

    def create_with(self, name: str, *parts: Part) -> Stack:
        """Deploy a stack that consists of these parts, and wait for it."""
        template = template_with(*parts, token=self._refusing() if Part.STUBBORN in parts else "")
        answer = self.client[HOME].create_stack(StackName=name, TemplateBody=json.dumps(template))
        return self.finish(answer["StackId"])

    def create_nested(self, name: str) -> tuple[Stack, str]:
        """Deploy a stack with a nested one that keeps a resource; return the id of that, too.

        ministack 1.5 finds a template only if its URL names the bucket in the path, not in the
        host: else the stack ends as ROLLBACK_COMPLETE, without a StackStatusReason. And it
        describes a nested stack without ParentId and RootId, as if it were a root stack.
        """
        place = {"LocationConstraint": HOME}
        bucket = f"templates-{uuid4()}"  # the names of all accounts are in one space
        self.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=place)
        inner = json.dumps(template_with(Part.KEPT))
        self.s3.put_object(Bucket=bucket, Key="inner.json", Body=inner)
        url = f"{self.s3.meta.endpoint_url}/{bucket}/inner.json"
        template = template_with()
        template["Resources"]["Child"] = {"Type": NESTED, "Properties": {"TemplateURL": url}}
        client = self.client[HOME]
        answer = client.create_stack(StackName=name, TemplateBody=json.dumps(template))
        stack = self.finish(answer["StackId"])
        listed = client.list_stack_resources(StackName=name)["StackResourceSummaries"]
        (child,) = [one for one in listed if one["ResourceType"] == NESTED]
        return stack, str(child["PhysicalResourceId"])

    def _refusing(self) -> str:
        """Return a function that lets a custom resource be made, and never be deleted."""
        role = "arn:aws:iam::000000000000:role/any"
        function = self.functions.create_function(
            FunctionName="refusing",
            Runtime="python3.13",
            Role=role,
            Handler="index.handler",
            Code={"ZipFile": zipped(REFUSING)},
        )
        return str(function["FunctionArn"])

    def redeploy(self, stack_id: str, tags: Mapping[str, str]) -> None:
        """Deploy a stack again with another parameter and wait for it."""
        self.client[HOME].update_stack(
            StackName=stack_id,
            UsePreviousTemplate=True,
            Tags=_tag_list(tags),
            Parameters=_parameter_list({"Plain": "again"}),
        )
        self.finish(stack_id)

    def finish(self, stack_id: str) -> Stack:
        """Wait for the end of what is under way."""
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            stack = self.stacks.describe(stack_id)
            if stack and not stack.status.endswith("_IN_PROGRESS"):
                return stack
            time.sleep(0.02)
        raise TimeoutError(stack_id)


def template_with(*parts: Part, token: str = "") -> dict[str, Any]:
    """Return a template with these parts in it."""
    value: Any = {"Fn::ImportValue": "net"} if Part.IMPORT in parts else "x"
    parameter = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": value}}
    resources: dict[str, Any] = {"Shown": parameter}
    outputs: dict[str, Any] = {}
    if Part.EXPORT in parts:
        outputs["Net"] = {"Value": {"Ref": "Shown"}, "Export": {"Name": "net"}}
    if Part.STUBBORN in parts:
        resources["Stubborn"] = {"Type": "Custom::Stubborn", "Properties": {"ServiceToken": token}}
    if Part.KEPT in parts:
        resources["Kept"] = {**parameter, "DeletionPolicy": "Retain"}
    return {"Resources": resources, **({"Outputs": outputs} if outputs else {})}


REFUSING = """
import json, urllib.request
def handler(event, context):
    deleting = event["RequestType"] == "Delete"
    answer = {key: event[key] for key in ("StackId", "RequestId", "LogicalResourceId")}
    answer |= {"Status": "FAILED" if deleting else "SUCCESS", "Reason": "no"}
    answer["PhysicalResourceId"] = event.get("PhysicalResourceId", "stubborn-1")
    body = json.dumps(answer).encode()
    request = urllib.request.Request(event["ResponseURL"], body, method="PUT")
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request)
"""


def zipped(source: str) -> bytes:
    """Return a function's code as Lambda takes it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.py", source)
    return buffer.getvalue()


def _tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _parameter_list(parameters: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]


@pytest.fixture
def cloud(connect: Callable[..., Any]) -> OverTheWire:
    """Make an account in ministack."""
    return OverTheWire(connect, "ministack")


@pytest.fixture(params=["memory", "ministack"])
def world(request: pytest.FixtureRequest) -> World:
    """Make a world of each kind."""
    if request.param == "memory":
        return InMemory()
    cloud: OverTheWire = request.getfixturevalue("cloud")
    return cloud


def listed(world: World, region: str = HOME) -> dict[str, Stack]:
    """List one region by id."""
    (listing,) = world.stacks.list_all([region])
    assert listing.error == ""
    return {stack.stack_id: stack for stack in listing.stacks}


def described(world: World, stack: Stack) -> Stack:
    """Describe a stack that must be there."""
    found = world.stacks.describe(stack.stack_id)
    assert found is not None
    return found


def test_every_region_is_listed_with_its_own_stacks(world: World) -> None:
    """With tags, status and creation time, all in UTC."""
    here = world.create("feat-here", {"owner": "a@b.c", "janitor:ttl": "3d"})
    there = world.create("feat-here", {}, region=REGIONS[1])
    found = {listing.region: listing for listing in world.stacks.list_all(REGIONS)}
    assert {region: [s.stack_id for s in found[region].stacks] for region in REGIONS} == {
        HOME: [here.stack_id],
        REGIONS[1]: [there.stack_id],
    }
    (stack,) = found[HOME].stacks
    assert stack.name == "feat-here"
    assert stack.tags == {"owner": "a@b.c", "janitor:ttl": "3d"}
    assert stack.status == "CREATE_COMPLETE"
    assert stack.created == here.created
    assert stack.created.tzinfo is UTC
    assert stack.region == HOME


def test_a_region_without_stacks_is_an_empty_listing(world: World) -> None:
    """Empty is not an error, and an error is not empty."""
    assert listed(world) == {}


def test_a_new_tag_leaves_the_other_tags_alone(world: World) -> None:
    """The full list goes out, and the time of the update is known by its events."""
    stack = world.create("feat", {"owner": "a@b.c", "old": "1"})
    assert world.stacks.tag(stack, {"janitor:state": "marked-for-deletion"}, ["old"], "token-1")
    world.finish(stack.stack_id)
    after = described(world, stack)
    assert after.tags == {"owner": "a@b.c", "janitor:state": "marked-for-deletion"}
    assert after.updated is not None
    assert after.updated > stack.created
    outcome = world.stacks.tag_outcome(after, "token-1", stack.created)
    assert outcome == TagOutcome(Became.DONE, "", after.updated)
    assert listed(world)[stack.stack_id].tags == after.tags


def test_the_last_tag_can_be_removed(world: World) -> None:
    """An empty list is sent as an empty list, not left out."""
    stack = world.create("feat", {"janitor:state": "marked-for-deletion"})
    world.stacks.tag(stack, {}, ["janitor:state"], "token-1")
    world.finish(stack.stack_id)
    assert described(world, stack).tags == {}


def test_tags_that_are_there_already_are_no_update(world: World) -> None:
    """Nothing moves, and nothing is taken for the janitor's own update."""
    stack = world.create("feat", {"a": "1"})
    assert world.stacks.tag(stack, {"a": "1"}, ["b"], "token-1") is False
    assert described(world, stack).updated == stack.updated


def test_an_update_is_known_as_ones_own_by_its_token(world: World) -> None:
    """Until somebody else updates the stack; another token never was it.

    Fails if `tag_outcome` of twin or adapter does not look at the token.
    """
    stack = world.create("feat", {"owner": "a@b.c"})
    nothing = TagOutcome(Became.NOTHING)
    assert world.stacks.tag_outcome(stack, "token-1", stack.created) == nothing
    world.stacks.tag(stack, {"janitor:state": "marked-for-deletion"}, (), "token-1")
    after = world.finish(stack.stack_id)
    done = TagOutcome(Became.DONE, "", after.updated)
    assert world.stacks.tag_outcome(after, "token-1", stack.created) == done
    assert world.stacks.tag_outcome(after, "token-2", stack.created) == nothing
    world.redeploy(stack.stack_id, {"owner": "a@b.c"})
    later = described(world, stack)
    assert world.stacks.tag_outcome(later, "token-1", stack.created) == TagOutcome(Became.DONE)


def test_a_redeployment_replaces_all_tags(world: World) -> None:
    """The janitor's own vanish, which is why the lease is the truth."""
    stack = world.create("feat", {"owner": "a@b.c"})
    world.stacks.tag(stack, {"janitor:state": "marked-for-deletion"}, (), "token-1")
    world.finish(stack.stack_id)
    world.redeploy(stack.stack_id, {"owner": "a@b.c"})
    assert described(world, stack).tags == {"owner": "a@b.c"}


def test_a_stack_that_was_updated_since_is_not_tagged(world: World) -> None:
    """The decision saw another deployment; the owner's new tags stay."""
    stack = world.create("feat", {"janitor:ttl": "1d"})
    world.redeploy(stack.stack_id, {"janitor:ttl": "9d"})
    with pytest.raises(TagRefused) as refused:
        world.stacks.tag(stack, {"janitor:state": "marked-for-deletion"}, (), "token-1")
    assert refused.value.why == Why.MOVED
    assert described(world, stack).tags == {"janitor:ttl": "9d"}


def test_a_stack_without_room_for_tags_is_left_alone(world: World) -> None:
    """Fifty are the most."""
    stack = world.create("feat", {f"tag-{number}": "x" for number in range(49)})
    with pytest.raises(TagRefused, match="no room"):
        world.stacks.tag(stack, {"a": "1", "b": "2"}, (), "token-1")
    assert described(world, stack).tags == stack.tags


@pytest.mark.parametrize("put", [{"k" * 129: "v"}, {"k": "v" * 257}, {"aws:k": "v"}])
def test_tags_that_cannot_be_are_refused(world: World, put: dict[str, str]) -> None:
    """Too long, or reserved."""
    stack = world.create("feat", {})
    with pytest.raises(TagRefused):
        world.stacks.tag(stack, put, (), "token-1")


def test_a_deleted_stack_leaves_the_list_and_is_still_described(world: World) -> None:
    """By its id: this is how an end is confirmed."""
    stack = world.create("feat", {})
    other = world.create("other", {})
    assert world.stacks.delete(stack.stack_id, "token-1")
    assert world.finish(stack.stack_id).status == "DELETE_COMPLETE"
    assert list(listed(world)) == [other.stack_id]
    with pytest.raises(TagRefused, match="DELETE_COMPLETE"):
        world.stacks.tag(stack, {"a": "1"}, (), "token-2")


def test_asking_twice_for_a_deletion_is_harmless(world: World) -> None:
    """With the same token, while it is under way and when it is over."""
    stack = world.create("feat", {})
    world.stacks.delete(stack.stack_id, "token-1")
    world.stacks.delete(stack.stack_id, "token-1")
    assert world.finish(stack.stack_id).status == "DELETE_COMPLETE"
    world.stacks.delete(stack.stack_id, "token-1")
    assert described(world, stack).status == "DELETE_COMPLETE"


def test_termination_protection_is_respected(world: World) -> None:
    """It is seen when describing, and asking again does not help."""
    stack = world.create("feat", {}, termination_protection=True)
    assert described(world, stack).termination_protection
    with pytest.raises(DeleteRefused, match=r"(?i)termination.?protection") as refused:
        world.stacks.delete(stack.stack_id, "token-1")
    assert cause_of_refusal(refused.value.said) is Cause.NOT_BEGUN
    assert described(world, stack).status == "CREATE_COMPLETE"


def test_protection_goes_off_and_on_again(world: World) -> None:
    """Both may be repeated."""
    stack = world.create("feat", {}, termination_protection=True)
    for on in (False, False, True, True):
        world.stacks.protect(stack.stack_id, on=on)
        assert described(world, stack).termination_protection is on


def test_who_imports_is_told_by_name_and_nobody_is_nobody(world: World) -> None:
    """`is not imported` is an error text of AWS, and here just nothing."""
    exporter = world.create_with("feat-net", Part.EXPORT)
    assert described(world, exporter).exports == ("net",)
    assert listed(world)[exporter.stack_id].exports == ("net",)
    assert world.stacks.importers(exporter.stack_id, "net") == ()
    world.create_with("feat-app", Part.IMPORT)
    world.create_with("feat-shop", Part.IMPORT)
    assert world.stacks.importers(exporter.stack_id, "net") == ("feat-app", "feat-shop")


def test_an_export_in_use_keeps_its_stack(world: World) -> None:
    """By an error or by a silent return to the former status: the words class it the same."""
    exporter = world.create_with("feat-net", Part.EXPORT)
    importer = world.create_with("feat-app", Part.IMPORT)
    said = ""
    try:
        world.stacks.delete(exporter.stack_id, "token-1")
    except DeleteRefused as refusal:
        said = refusal.said
    after = world.finish(exporter.stack_id)
    assert after.status == "CREATE_COMPLETE"
    assert cause_of(said or after.status_reason) is Cause.IN_USE
    world.stacks.delete(importer.stack_id, "token-2")
    world.finish(importer.stack_id)
    assert world.stacks.importers(exporter.stack_id, "net") == ()
    world.stacks.delete(exporter.stack_id, "token-3")
    assert world.finish(exporter.stack_id).status == "DELETE_COMPLETE"


def resources(snapshot: Snapshot) -> dict[str, tuple[str, str]]:
    """Return type and DeletionPolicy by logical id."""
    return {one.logical_id: (one.type, one.policy) for one in snapshot.resources}


def test_a_snapshot_says_what_the_stack_consists_of(world: World) -> None:
    """With physical ids, what the template keeps, and the template's hash."""
    stack = world.create_with("feat", Part.EXPORT, Part.KEPT)
    stack = described(world, stack)
    snapshot = world.stacks.snapshot(stack)
    assert world.stacks.count(stack.stack_id) == Count(len(snapshot.resources), 0)
    assert resources(snapshot) == {
        "Shown": ("AWS::SSM::Parameter", ""),
        "Kept": ("AWS::SSM::Parameter", "Retain"),
    }
    assert all(one.physical_id for one in snapshot.resources)
    assert snapshot.failed == ()
    assert snapshot.template.startswith("sha256:")
    assert stack.outputs.keys() == {"Net"} or stack.outputs.keys() == {"net"}


def test_a_snapshot_looks_into_nested_stacks(world: World) -> None:
    """The list of the parent shows the nested stack alone; each has a template of its own.

    Fails if `snapshot` of twin or adapter reads the root alone.
    """
    stack, child = world.create_nested("feat")
    snapshot = world.stacks.snapshot(described(world, stack))
    assert resources(snapshot) == {
        "Shown": ("AWS::SSM::Parameter", ""),
        "Child": (NESTED, ""),
        "Child/Shown": ("AWS::SSM::Parameter", ""),
        "Child/Kept": ("AWS::SSM::Parameter", "Retain"),
    }
    inside = {one.logical_id for one in snapshot.resources if one.stack_id == child}
    assert inside == {"Child/Shown", "Child/Kept"}
    assert all(one.physical_id for one in snapshot.resources)
    assert snapshot.nested.keys() == {child}
    assert snapshot.nested[child].startswith("sha256:")
    assert snapshot.nested[child] != snapshot.template
    assert world.stacks.count(stack.stack_id) == Count(2, 0)


def test_a_stack_without_nested_ones_is_recorded_in_two_calls(cloud: OverTheWire) -> None:
    """And each nested one takes two more.

    Fails if `whole` reads anything but nested stacks.
    """
    stack = cloud.create_with("feat", Part.KEPT)
    cloud.calls.clear()
    cloud.stacks.snapshot(stack)
    assert cloud.calls == ["GetTemplate", "ListStackResources"]
    stack, _ = cloud.create_nested("feat-more")
    cloud.calls.clear()
    cloud.stacks.snapshot(stack)
    assert cloud.calls == ["GetTemplate", "ListStackResources"] * 2


def fates(world: World, stack: Stack) -> dict[str, str]:
    """Return what became of each resource."""
    return {one.logical_id: one.status for one in world.stacks.fates(stack.stack_id)}


def test_what_the_template_keeps_is_told_by_the_events_of_a_stack_that_is_gone(
    world: World,
) -> None:
    """The stack itself says nothing of it."""
    stack = world.create_with("feat", Part.KEPT)
    assert fates(world, stack) == {}
    world.stacks.delete(stack.stack_id, "token-1")
    assert world.finish(stack.stack_id).status == "DELETE_COMPLETE"
    assert fates(world, stack) == {"Shown": "DELETE_COMPLETE", "Kept": "DELETE_SKIPPED"}
    assert all(one.physical_id for one in world.stacks.fates(stack.stack_id))


def test_what_a_nested_stack_kept_is_told_by_its_own_events(world: World) -> None:
    """The parent only shows the nested stack, as deleted.

    Fails if `fates` of twin or adapter reads the events of the root alone. The nested stack is
    deleted ahead of its parent, since ministack 1.5 has no events of one that goes with it: see
    `test_fates_are_read_of_nested_stacks_too` in tests/adapters/aws/test_cloudformation.py.
    """
    stack, child = world.create_nested("feat")
    for number, stack_id in enumerate((child, stack.stack_id)):
        world.stacks.delete(stack_id, f"token-{number}")
        assert world.finish(stack_id).status == "DELETE_COMPLETE"
    assert fates(world, stack) == {
        "Shown": "DELETE_COMPLETE",
        "Child": "DELETE_COMPLETE",
        "Child/Shown": "DELETE_COMPLETE",
        "Child/Kept": "DELETE_SKIPPED",
    }


@pytest.mark.parametrize("rung", [Rung.RETAIN, Rung.FORCE])
def test_a_last_resort_needs_a_deletion_that_failed(world: World, rung: Rung) -> None:
    """And then leaves exactly what failed."""
    stack = world.create_with("feat", Part.STUBBORN)
    stubborn = (Resource("Stubborn", "Custom::Stubborn"),)
    with pytest.raises(DeleteRefused):
        world.stacks.delete(stack.stack_id, "token-1", Step(rung, retain=stubborn))
    assert described(world, stack).status == "CREATE_COMPLETE"
    world.stacks.delete(stack.stack_id, "token-2")
    assert world.finish(stack.stack_id).status == "DELETE_FAILED"
    (failed,) = world.stacks.snapshot(described(world, stack)).failed
    assert failed.logical_id == "Stubborn"
    (fate,) = [o for o in world.stacks.fates(stack.stack_id) if o.status == "DELETE_FAILED"]
    assert (fate.logical_id, fate.reason) == ("Stubborn", "no")
    world.stacks.delete(stack.stack_id, "token-3", Step(rung, retain=(failed,)))
    assert world.finish(stack.stack_id).status == "DELETE_COMPLETE"
    assert fates(world, stack) == {"Shown": "DELETE_COMPLETE", "Stubborn": "DELETE_SKIPPED"}


def test_a_plain_deletion_that_failed_fails_again_on_the_same(world: World) -> None:
    """What is gone stays gone."""
    stack = world.create_with("feat", Part.STUBBORN)
    for number in range(2):
        world.stacks.delete(stack.stack_id, f"token-{number}")
        assert world.finish(stack.stack_id).status == "DELETE_FAILED"
    assert fates(world, stack) == {"Shown": "DELETE_COMPLETE", "Stubborn": "DELETE_FAILED"}
    assert [o.logical_id for o in world.stacks.snapshot(described(world, stack)).resources] == [
        "Stubborn"
    ]


def test_an_id_that_aws_does_not_know_is_none(world: World) -> None:
    """And it takes no tags."""
    stack = world.create("feat", {})
    unknown = stack.stack_id[:-4] + "beef"
    assert world.stacks.describe(unknown) is None
    with pytest.raises(TagRefused, match="does not exist"):
        world.stacks.tag(_renamed(stack, unknown), {"a": "1"}, (), "token-1")


def test_a_name_is_never_taken_for_an_id(world: World) -> None:
    """Names are used again: another stack could be hit."""
    stack = world.create("feat", {})
    with pytest.raises(StackNotFound, match="no stack id"):
        world.stacks.describe("feat")
    with pytest.raises(StackNotFound, match="no stack id"):
        world.stacks.delete("feat", "token-1")
    with pytest.raises(StackNotFound, match="no stack id"):
        world.stacks.tag(_renamed(stack, "feat"), {}, (), "token-1")
    assert described(world, stack).status == "CREATE_COMPLETE"


def test_a_list_of_several_pages_is_whole_and_takes_one_call_a_page(cloud: OverTheWire) -> None:
    """Not one call more than pages: throttling is what limits a sweep."""
    for number in range(230):
        cloud.client[HOME].create_stack(
            StackName=f"feat-{number}", TemplateBody=json.dumps(TEMPLATE)
        )
    cloud.calls.clear()
    assert len(listed(cloud)) == 230
    assert cloud.calls == ["DescribeStacks"] * 3
    assert cloud.pages == [(HOME, 100), (HOME, 200), (HOME, 230)]


def test_tagging_keeps_every_parameter_the_secret_ones_too(cloud: OverTheWire) -> None:
    """Re-sent values would be the masked ones."""
    stack = cloud.create("feat", {}, Secret="tell-nobody", Plain="p")
    cloud.stacks.tag(stack, {"a": "1"}, (), "token-1")
    cloud.finish(stack.stack_id)
    (raw,) = cloud.client[HOME].describe_stacks(StackName=stack.stack_id)["Stacks"]
    shown = cloud.ssm.get_parameter(Name=raw["Outputs"][0]["OutputValue"])["Parameter"]
    assert shown["Value"] == "tell-nobody/p"
    assert described(cloud, stack).tags == {"a": "1"}


def _renamed(stack: Stack, stack_id: str) -> Stack:
    return Stack(stack_id, stack.name, stack.region, stack.status, stack.created)
