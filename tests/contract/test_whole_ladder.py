"""Each branch of the ladder over HTTP: from the tags of a stack to the journal in DynamoDB."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.contract.test_stacks import REFUSING, zipped
from tests.fakes.memory import MemoryChannel, MemoryPolicies

from janitor.adapters.aws.cloudformation import CloudFormation
from janitor.adapters.aws.dynamodb.ledger import DynamoLedger
from janitor.adapters.aws.dynamodb.schema import create_tables
from janitor.adapters.aws.failure_reasons import LONGEST
from janitor.adapters.aws.purgers import BucketPurger, RepositoryPurger
from janitor.application.operations.local import Janitor
from janitor.application.sweep.sweep import Report
from janitor.domain.journal.chain_check import verify
from janitor.domain.journal.events import Actor
from janitor.domain.model import LeaseState, Mode
from janitor.domain.policy.loader import parse_policy
from janitor.domain.stack.companions import companion_name

HOME = "eu-central-1"
SWEEPER = Actor("janitor", "janitor", "sweep")
ROLE = "arn:aws:iam::000000000000:role/any"
DUE = {"janitor:expires": "2020-01-01", "janitor:owner": "ana@example.com"}
PARAMETER = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "x"}}
POLICY = """
window: {{days: [mon, tue, wed, thu, fri, sat, sun], hours: 00:00-24:00}}
limits: {{min_observed: 0m, max_attempts: 2}}
defaults: {{grace: 0m, {more}}}
"""


class Emulated:
    """The janitor over an emulated account, with a clock that can be put forward."""

    def __init__(self, connect: Callable[..., Any], more: str = "tagging: 'on'") -> None:
        self.aws: dict[str, Any] = {}
        self._connect = connect
        self.ahead = timedelta()
        dynamodb = self.client("dynamodb")
        create_tables(dynamodb, "leases", "journal")
        self.ledger = DynamoLedger(dynamodb, "leases", "journal")
        self.channel = MemoryChannel()
        policy = parse_policy(POLICY.format(more=more), "policy.yaml")
        self.janitor = Janitor(
            clock=lambda: datetime.now(UTC) + self.ahead,
            policies=MemoryPolicies(policy, Mode.ENFORCE),
            stacks=CloudFormation(lambda _: self.client("cloudformation")),
            ledger=self.ledger,
            channel=self.channel,
            regions=(HOME,),
            home=HOME,
            purgers={
                "s3": BucketPurger(lambda service, _: self.client(service)),
                "ecr": RepositoryPurger(lambda service, _: self.client(service)),
            },
        )

    def client(self, service: str) -> Any:
        """Return a client of this account."""
        if service not in self.aws:
            self.aws[service] = self._connect("ministack", service)
        return self.aws[service]

    def deploy(
        self,
        name: str,
        resources: Mapping[str, Any],
        *,
        tags: Mapping[str, str] = DUE,
        outputs: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> str:
        """Deploy a stack and wait for it."""
        template = {"Resources": resources, **({"Outputs": outputs} if outputs else {})}
        answer = self.client("cloudformation").create_stack(
            StackName=name,
            TemplateBody=json.dumps(template),
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
            **more,
        )
        self.settle()
        return str(answer["StackId"])

    def stubborn(self, says: str = "no") -> dict[str, Any]:
        """Return a resource that will not be deleted; its function is in no stack."""
        function = self.client("lambda").create_function(
            FunctionName="refusing",
            Runtime="python3.13",
            Role=ROLE,
            Handler="index.handler",
            Code={"ZipFile": zipped(REFUSING.replace('"no"', json.dumps(says)))},
        )
        token = {"ServiceToken": function["FunctionArn"]}
        return {"Type": "Custom::Stubborn", "Properties": token}

    def settle(self) -> None:
        """Wait until nothing is under way."""
        end = time.monotonic() + 20
        while any(status.endswith("_IN_PROGRESS") for status in self.statuses().values()):
            if time.monotonic() > end:
                raise TimeoutError
            time.sleep(0.02)

    def statuses(self) -> dict[str, str]:
        """Return the status of every stack that is there."""
        stacks = self.client("cloudformation").describe_stacks()["Stacks"]
        return {stack["StackName"]: stack["StackStatus"] for stack in stacks}

    def sweep(self, count: int = 1, hours: float = 0) -> Report:
        """Sweep so many times, each after so long, and let what was begun come to its end."""
        report = None
        for _ in range(count):
            self.ahead += timedelta(hours=hours)
            report = self.janitor.sweep(SWEEPER)
            self.settle()
        assert report is not None
        return report

    def events(self, stack_id: str, action: str) -> list[dict[str, Any]]:
        """Return the bodies of such events, oldest first."""
        chain = self.ledger.chain(stack_id)
        return [dict(event.body) for event in chain if event.action == action]

    def state(self, stack_id: str) -> LeaseState:
        """Return the state of a lease, whose chain must verify."""
        lease = self.ledger.lease(stack_id)
        assert lease is not None
        assert verify(stack_id, list(self.ledger.chain(stack_id)), lease.head) == []
        return lease.state


@pytest.fixture
def account(connect: Callable[..., Any]) -> Callable[..., Emulated]:
    """Return a function that makes an account under a policy with more defaults."""
    return lambda *more: Emulated(connect, *more)


def exported(name: str) -> dict[str, Any]:
    """Return outputs with one export."""
    return {"Out": {"Value": {"Ref": "Value"}, "Export": {"Name": name}}}


def importing(name: str) -> dict[str, Any]:
    """Return resources with one that imports."""
    value = {"Fn::ImportValue": name}
    return {"Value": {**PARAMETER, "Properties": {"Type": "String", "Value": value}}}


def test_a_chain_of_five_leaves_in_five_sweeps(account: Callable[..., Emulated]) -> None:
    """Importers first, and CloudFormation never has to refuse."""
    world = account()
    ids = [world.deploy("feat-0", {"Value": PARAMETER}, outputs=exported("out-0"))]
    for number in range(1, 5):
        outputs, resources = exported(f"out-{number}"), importing(f"out-{number - 1}")
        ids += [world.deploy(f"feat-{number}", resources, outputs=outputs)]
    world.sweep(2)
    left = []
    for _ in range(5):
        world.sweep()
        left.append(len(world.statuses()))
    assert left == [4, 3, 2, 1, 0]
    world.sweep()
    assert {world.state(stack_id) for stack_id in ids} == {LeaseState.DELETED}
    assert not any(world.events(stack_id, "deletion.refused") for stack_id in ids)
    begun = [world.events(stack_id, "deletion.intended")[0]["occurred_at"] for stack_id in ids]
    assert begun == sorted(begun, reverse=True)


def test_an_importer_that_stays_blocks_and_both_owners_hear_of_it(
    account: Callable[..., Emulated],
) -> None:
    """With names."""
    world = account()
    stack_id = world.deploy("feat-net", {"Value": PARAMETER}, outputs=exported("net"))
    world.deploy("shop", importing("net"), tags={"owner": "bob@example.com"})
    world.sweep(4)
    assert world.statuses().keys() == {"feat-net", "shop"}
    assert world.events(stack_id, "deletion.intended") == []
    told = {m.contact.address for m in world.channel.sent if "in-use" in m.kinds}
    assert told == {"ana@example.com", "bob@example.com"}


def test_a_circle_blocks_and_says_so(account: Callable[..., Emulated]) -> None:
    """CloudFormation would refuse either."""
    world = account()
    first = world.deploy("feat-a", {"Value": PARAMETER}, outputs=exported("a"))
    second = world.deploy("feat-b", importing("a"), outputs=exported("b"))
    template = {"Resources": {"Value": PARAMETER, "More": importing("b")["Value"]}}
    world.client("cloudformation").update_stack(
        StackName=first,
        TemplateBody=json.dumps({**template, "Outputs": exported("a")}),
        Tags=[{"Key": key, "Value": value} for key, value in DUE.items()],
    )
    world.settle()
    world.sweep(4)
    for stack_id in (first, second):
        assert (
            "feat-a and feat-b import each other's exports"
            in (world.events(stack_id, "lease.updated")[-1]["reason"]["sentence"])
        )
    told = {m.contact.address for m in world.channel.sent if "in-use" in m.kinds}
    assert told == {"ana@example.com", "operators"}


def test_what_fails_for_good_is_explained_and_ends_with_a_person(
    account: Callable[..., Emulated],
) -> None:
    """Plain, plain again, and then no more; nothing is left behind without an opt-in."""
    world = account()
    stack_id = world.deploy("feat", {"Value": PARAMETER, "Stubborn": world.stubborn()})
    world.sweep(3)
    world.sweep(4, hours=1)
    assert world.state(stack_id) is LeaseState.NEEDS_ATTENTION
    assert world.statuses() == {"feat": "DELETE_FAILED"}
    failed = world.events(stack_id, "deletion.failed")[0]["reason"]["sentence"]
    assert failed.startswith(
        "DELETE_FAILED: The following resource(s) failed to delete: [Stubborn]"
    )
    assert "the function behind this custom resource did not delete it (no)" in failed
    kinds = [kind for m in world.channel.sent for kind in m.kinds]
    assert (kinds.count("failed-plain"), kinds.count("attention")) == (2, 2)


def test_a_service_that_throttles_costs_no_attempt(account: Callable[..., Emulated]) -> None:
    """However long the text around what AWS says: its end is kept, too.

    Fails without `capped` in `_resource` of cloudformation_deletion.py, or if that keeps no end.
    """
    world = account()
    throttled = "x" * 3_000 + " (Service: Ssm, Status Code: 400, Error Code: ThrottlingException)"
    stack_id = world.deploy("feat", {"Value": PARAMETER, "Stubborn": world.stubborn(throttled)})
    world.sweep(3)
    world.sweep(4, hours=17)
    assert world.state(stack_id) in {LeaseState.DELETING, LeaseState.FAILED}
    assert world.events(stack_id, "deletion.failed") == []
    assert len(world.events(stack_id, "deletion.refused")) >= 2
    (one,) = [o for o in world.janitor.stacks.fates(stack_id) if o.status == "DELETE_FAILED"]
    assert len(one.reason) == LONGEST


@pytest.mark.parametrize("resort", ["retain", "force"])
def test_the_last_resort_is_recorded_with_what_it_left(
    account: Callable[..., Emulated], resort: str
) -> None:
    """Never as plain deleted."""
    world = account(f"last_resort: {resort}")
    stack_id = world.deploy("feat", {"Value": PARAMETER, "Stubborn": world.stubborn()})
    world.sweep(3)
    world.sweep(5, hours=1)
    assert world.state(stack_id) is LeaseState.DELETED
    assert world.statuses() == {}
    (confirmed,) = world.events(stack_id, "deletion.confirmed")
    assert confirmed["result"] == "leftovers"
    assert confirmed["reason"]["facts"]["stayed 1"] == "Stubborn (Custom::Stubborn stubborn-1)"
    rungs = [e["reason"]["facts"].get("rung") for e in world.events(stack_id, "deletion.intended")]
    assert rungs == [None, None, resort]
    assert "[janitor] feat has been deleted with leftovers" in [
        m.subject for m in world.channel.sent
    ]


@pytest.mark.parametrize(
    "more,tags",
    [("purge: [ecr]", DUE), ("tagging: 'on'", {**DUE, "janitor:purge": "ecr"})],
    ids=["policy", "tag"],
)
def test_images_that_stand_in_the_way_are_deleted_where_opted_in(
    account: Callable[..., Emulated], more: str, tags: Mapping[str, str]
) -> None:
    """Only of the repository that failed, with counts."""
    world = account(more)
    ecr = world.client("ecr")
    repository = {
        "Type": "AWS::ECR::Repository",
        "Properties": {"RepositoryName": "feat-images"},
    }
    stack_id = world.deploy("feat", {"Images": repository}, tags=tags)
    ecr.create_repository(repositoryName="other")
    for name in ("feat-images", "other"):
        config = {"digest": "sha256:" + hashlib.sha256(name.encode()).hexdigest()}
        manifest = json.dumps({"schemaVersion": 2, "config": config})
        ecr.put_image(repositoryName=name, imageManifest=manifest, imageTag="v1")
    world.sweep(3)
    assert world.statuses() == {"feat": "DELETE_FAILED"}
    world.sweep(3, hours=1)
    assert world.state(stack_id) is LeaseState.DELETED
    (purged,) = world.events(stack_id, "resource.purged")
    assert purged["reason"]["facts"]["images"] == "1"
    assert purged["reason"]["facts"]["physical_id"] == "feat-images"
    assert len(ecr.list_images(repositoryName="other")["imageIds"]) == 1


def test_a_companion_goes_with_its_parent_and_under_its_opt_in(
    account: Callable[..., Emulated],
) -> None:
    """It has no tags, as SAM leaves it; its images go only once it could not be deleted.

    Fails with `goes_first=False` in `find_companion`.
    """
    world = account("purge: [ecr]")
    repository = {
        "Type": "AWS::ECR::Repository",
        "Properties": {"RepositoryName": "feat1ba8aba1/fn"},
    }
    companion = world.deploy(companion_name("feat"), {"FnRepo": repository}, tags={})
    stack_id = world.deploy("feat", {"Value": PARAMETER})
    config = {"digest": "sha256:" + "0" * 64}
    world.client("ecr").put_image(
        repositoryName="feat1ba8aba1/fn",
        imageManifest=json.dumps({"schemaVersion": 2, "config": config}),
        imageTag="v1",
    )
    world.sweep(3)
    assert world.statuses() == {
        companion_name("feat"): "DELETE_FAILED",
        "feat": "CREATE_COMPLETE",  # the janitor has no right to tag its parameter
    }
    world.sweep(3, hours=1)
    assert world.statuses() == {}
    assert world.state(stack_id) is LeaseState.DELETED
    assert world.ledger.lease(companion) is None
    (confirmed,) = world.events(stack_id, "deletion.confirmed")
    assert (confirmed["result"], confirmed["reason"]["facts"]["gone"]) == ("ok", "3")


def test_without_the_opt_in_no_image_is_touched(account: Callable[..., Emulated]) -> None:
    """The stack stays, and so do they."""
    world = account("purge: [s3]")
    repository = {"Type": "AWS::ECR::Repository", "Properties": {"RepositoryName": "feat-images"}}
    stack_id = world.deploy("feat", {"Images": repository})
    config = {"digest": "sha256:" + "0" * 64}
    world.client("ecr").put_image(
        repositoryName="feat-images",
        imageManifest=json.dumps({"schemaVersion": 2, "config": config}),
        imageTag="v1",
    )
    world.sweep(3)
    world.sweep(4, hours=1)
    assert world.state(stack_id) is LeaseState.NEEDS_ATTENTION
    assert len(world.client("ecr").list_images(repositoryName="feat-images")["imageIds"]) == 1
    assert "tag the stack janitor:purge=ecr" in world.channel.sent[-1].text


def test_what_the_template_keeps_is_found_after_the_stack_has_gone(
    account: Callable[..., Emulated],
) -> None:
    """By its events, as DELETE_SKIPPED."""
    world = account()
    kept = {**PARAMETER, "DeletionPolicy": "Retain"}
    stack_id = world.deploy("feat", {"Value": PARAMETER, "Kept": kept})
    world.sweep(4)
    assert world.state(stack_id) is LeaseState.DELETED
    (recorded,) = world.events(stack_id, "stack.recorded")
    assert "policy Retain" in recorded["reason"]["facts"]["resource Kept"]
    assert recorded["reason"]["facts"]["template"].startswith("sha256:")
    (confirmed,) = world.events(stack_id, "deletion.confirmed")
    assert confirmed["result"] == "leftovers"
    assert confirmed["reason"]["facts"]["stayed 1"].startswith("Kept (AWS::SSM::Parameter ")
    assert confirmed["reason"]["facts"]["gone"] == "1"


def test_termination_protection_is_respected_and_told(account: Callable[..., Emulated]) -> None:
    """Without the policy's word it stays on."""
    world = account()
    stack_id = world.deploy("feat", {"Value": PARAMETER}, EnableTerminationProtection=True)
    world.sweep(5)
    assert world.statuses() == {"feat": "CREATE_COMPLETE"} or world.statuses() == {
        "feat": "UPDATE_COMPLETE"
    }
    assert world.state(stack_id) in {LeaseState.MARKED, LeaseState.ACTIVE}
    assert world.events(stack_id, "deletion.intended") == []


def test_termination_protection_is_taken_off_where_the_policy_says_so(
    account: Callable[..., Emulated],
) -> None:
    """Right before the deletion, and journalled."""
    world = account("override_protection: true")
    stack_id = world.deploy("feat", {"Value": PARAMETER}, EnableTerminationProtection=True)
    world.sweep(4)
    assert world.state(stack_id) is LeaseState.DELETED
    actions = [event.action for event in world.ledger.chain(stack_id)]
    first = actions.index("deletion.intended")
    assert actions[first : first + 3] == [
        "deletion.intended",
        "protection.removed",
        "deletion.started",
    ]


def test_protection_comes_back_when_the_deletion_is_refused(
    account: Callable[..., Emulated],
) -> None:
    """An importer came between the plan and the call; this emulator says so at once."""
    world = account("override_protection: true")
    stack_id = world.deploy(
        "feat", {"Value": PARAMETER}, outputs=exported("net"), EnableTerminationProtection=True
    )
    world.sweep(2)
    world.janitor._sweep(SWEEPER, apply=True)
    world.deploy("shop", importing("net"), tags={})
    world.janitor.drain()
    (stack,) = world.client("cloudformation").describe_stacks(StackName=stack_id)["Stacks"]
    assert stack["EnableTerminationProtection"] is True
    actions = [event.action for event in world.ledger.chain(stack_id)]
    assert actions[-5:] == [
        "deletion.intended",
        "protection.removed",
        "deletion.refused",
        "protection.intended",
        "protection.restored",
    ]
