"""Promise 1 over HTTP: a stack goes only after somebody could hear of it, and exactly then.

The emulator delivers by an evaluation of filters of its own, so what lies in a subscriber's queue
is what the janitor's evaluation is compared with.
"""

import json
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

import pytest
from botocore.awsrequest import AWSResponse
from tests.fakes.memory import MemoryPolicies

from janitor.adapters.aws.cloudformation import CloudFormation
from janitor.adapters.aws.dynamodb.ledger import DynamoLedger
from janitor.adapters.aws.dynamodb.schema import create_tables
from janitor.adapters.aws.sns import SnsChannel, SnsTopic
from janitor.application.operations.local import Janitor
from janitor.application.sweep.sweep import Report
from janitor.domain.journal.events import Actor
from janitor.domain.model import ACCOUNT_KEY, Lease, Mode
from janitor.domain.policy.loader import parse_policy

HOUR = timedelta(hours=1)
REGION = "eu-central-1"
TEMPLATE = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})
SWEEPER = Actor("janitor", "janitor", "sweep")
POLICY = """
defaults: {grace: 24h, ownerless_grace: 72h, tagging: off, fallback_contact: 'team@x.org'}
window: {days: [mon, tue, wed, thu, fri, sat, sun], hours: 00:00-24:00}
"""
WITHOUT_FALLBACK = POLICY.replace(", fallback_contact: 'team@x.org'", "")
ANA, TEAM, OPERATORS = "ana@x.org", "team@x.org", "operators"
DENIED = (
    b"<ErrorResponse><Error><Type>Sender</Type><Code>AuthorizationError</Code>"
    b"<Message>Not authorized to access this subscription</Message></Error>"
    b"<RequestId>denied</RequestId></ErrorResponse>"
)
"""What AWS answers about a subscription of another account; the emulator shows it to anybody."""


def refusal(url: str) -> AWSResponse:
    """Return an answer that never came over the wire."""
    make: Any = AWSResponse
    answer: Any = make(url, 403, {"Content-Type": "text/xml"}, None)
    answer._content = DENIED
    return answer  # type: ignore[no-any-return]


class Account:
    """An account with a topic and its subscribers, swept as on a laptop."""

    def __init__(
        self, connect: Callable[..., Any], policy: str = POLICY, *, assume_told: bool = False
    ) -> None:
        self.connect = connect
        self.sns, self.sqs = connect("ministack", "sns"), connect("ministack", "sqs")
        self.stacks = connect("ministack", "cloudformation")
        self.topic = self.sns.create_topic(Name="notices")["TopicArn"]
        create_tables(connect("ministack", "dynamodb"), "leases", "journal")
        self.start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + HOUR
        self.now = self.start
        self.ledger = DynamoLedger(connect("ministack", "dynamodb"), "leases", "journal")
        self.inboxes: dict[str, str] = {}
        self.asked: Counter[str] = Counter()
        for name in ("ListSubscriptionsByTopic", "GetSubscriptionAttributes", "Publish"):
            self.sns.meta.events.register(f"before-call.sns.{name}", self._count)
        self.janitor = Janitor(
            clock=lambda: self.now,
            policies=MemoryPolicies(parse_policy(policy, "policy.yaml"), Mode.ENFORCE),
            stacks=CloudFormation(lambda _: self.stacks),
            ledger=self.ledger,
            channel=SnsChannel(self.sns, self.topic, assume_told=assume_told),
            topic=None if assume_told else SnsTopic(self.sns, self.topic),
            regions=(REGION,),
            home=REGION,
        )

    def _count(self, model: Any, **_: Any) -> None:
        self.asked[model.name] += 1

    def subscribe(self, name: str, policy: Any = None, client: Any = None, **more: str) -> str:
        """Let a mailbox hear what a filter lets through; return the subscription's ARN."""
        url = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        self.inboxes[name] = url
        arn = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        attributes = {"FilterPolicy": json.dumps(policy)} if policy is not None else {}
        answer = (client or self.sns).subscribe(
            TopicArn=self.topic,
            Protocol="sqs",
            Endpoint=arn["Attributes"]["QueueArn"],
            Attributes={**attributes, **more},
            ReturnSubscriptionArn=True,
        )
        return str(answer["SubscriptionArn"])

    def refilter(self, arn: str, policy: Any) -> None:
        """Change the filter of a subscription."""
        self.sns.set_subscription_attributes(
            SubscriptionArn=arn, AttributeName="FilterPolicy", AttributeValue=json.dumps(policy)
        )

    def received(self, name: str) -> list[dict[str, Any]]:
        """Take what lies in a mailbox."""
        answer = self.sqs.receive_message(QueueUrl=self.inboxes[name], MaxNumberOfMessages=10)
        return [json.loads(message["Body"]) for message in answer.get("Messages", [])]

    def finals(self, name: str) -> list[str]:
        """Return the texts of the final notices in a mailbox."""
        return [m["Message"] for m in self.received(name) if "will be deleted" in m["Subject"]]

    def deploy(self, owner: str = ANA) -> str:
        """Deploy a stack that ends in an hour."""
        ends = f"{self.start + HOUR:%Y-%m-%dT%H:%M:%SZ}"
        tags = {"janitor:expires": ends, **({"janitor:owner": owner} if owner else {})}
        made = self.stacks.create_stack(
            StackName=f"feat-{len(tags)}",
            TemplateBody=TEMPLATE,
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
        )
        return str(made["StackId"])

    def sweep(self, hours: float) -> Report:
        """Sweep, so many hours after the beginning."""
        self.now = self.start + hours * HOUR
        return self.janitor.sweep(SWEEPER)

    def lease(self, stack_id: str) -> Lease:
        """Return a lease as it is."""
        lease = self.ledger.lease(stack_id)
        assert lease is not None
        return lease

    def is_there(self, stack_id: str) -> bool:
        """Tell whether a stack stands, once nothing is under way."""
        end = time.monotonic() + 20
        while time.monotonic() < end:
            (stack,) = self.stacks.describe_stacks(StackName=stack_id)["Stacks"]
            if not stack["StackStatus"].endswith("_IN_PROGRESS"):
                return bool(stack["StackStatus"] != "DELETE_COMPLETE")
            time.sleep(0.02)
        raise TimeoutError

    def begin(self, owner: str = ANA) -> tuple[str, Report]:
        """Deploy, sweep, and sweep after the deadline; return the stack and the last report."""
        stack_id = self.deploy(owner)
        self.sweep(0)
        return stack_id, self.sweep(2)

    def goes_after(self, stack_id: str) -> int | None:
        """Return how many hours after its final notice a stack goes; None: not for days."""
        for hours in (23, 24, 71, 72, 120):
            self.sweep(2 + hours)
            if not self.is_there(stack_id):
                return hours
        return None


OPERATORS_OF_SNS: list[tuple[str, Any, Any]] = [
    ("exact", [ANA], ["Ana@x.org"]),
    ("prefix", [{"prefix": "ana"}], [{"prefix": "an@"}]),
    ("suffix", [{"suffix": "@x.org"}], [{"suffix": "@x.or"}]),
    ("wildcard", [{"wildcard": "a*@x.*"}], [{"wildcard": "b*@x.*"}]),
    ("ignore-case", [{"equals-ignore-case": "ANA@X.ORG"}], [{"equals-ignore-case": "ANA"}]),
    ("anything-but", [{"anything-but": "bo@x.org"}], [{"anything-but": [ANA, TEAM, OPERATORS]}]),
    (
        "anything-but prefix",
        [{"anything-but": {"prefix": "bo"}}],
        [{"anything-but": {"prefix": ["ana", "team", "op"]}}],
    ),
    ("exists", [{"exists": True}], [{"exists": False}]),
    ("numeric", [{"numeric": [">", 0]}, ANA], [{"numeric": [">", 0]}]),
    ("cidr", [{"cidr": "10.0.0.0/8"}, ANA], [{"cidr": "10.0.0.0/8"}]),
]


@pytest.mark.parametrize(
    "name, hears, deaf", OPERATORS_OF_SNS, ids=[o[0] for o in OPERATORS_OF_SNS]
)
def test_a_filter_by_each_operator_counts_as_sns_evaluates_it(
    connect: Callable[..., Any], name: str, hears: Any, deaf: Any
) -> None:
    """Let through, the stack goes after the grace; shut out, it stays, and nothing is published.

    Fails with `assume_told` for every topic.
    """
    account = Account(connect)
    arn = account.subscribe("ana", {"owner": deaf})
    stack_id, report = account.begin()
    assert not account.lease(stack_id).notices
    assert account.asked["Publish"] == 0
    assert any("nobody can be reached: ana@x.org (no sub" in o.detail for o in report.outcomes)
    account.sweep(2 + 120)
    assert account.is_there(stack_id)
    assert account.received("ana") == []
    account.refilter(arn, {"owner": hears})
    account.start += 200 * HOUR
    account.sweep(0)
    account.sweep(2)
    (text,) = account.finals("ana")
    assert "To ana@x.org" in text
    assert account.goes_after(stack_id) == 24


@pytest.mark.parametrize(
    "policy, heard",
    [
        ({"$or": [{"owner": [ANA]}, {"kind": ["weekly"]}]}, True),
        ({"$or": [{"owner": ["bo"]}, {"kind": ["weekly"]}]}, False),
        ({"owner": [ANA], "kind": ["final", "24h"]}, True),
        ({"owner": [ANA], "kind": ["deleted"]}, False),
        ({"owner": [ANA], "region": ["us-east-1"]}, False),
        ({"owner": [ANA], "region": [{"prefix": "eu-"}]}, True),
        ({}, True),
        (None, True),
    ],
)
def test_keys_are_and_ed_and_a_shared_mailbox_hears_for_everybody(
    connect: Callable[..., Any], policy: Any, heard: bool
) -> None:
    """Without a warning."""
    account = Account(connect)
    account.subscribe("shared", policy)
    stack_id, report = account.begin()
    assert bool(account.finals("shared")) is heard
    failed = [o.detail for o in report.outcomes if o.status.value == "failed"]
    assert bool(failed) is not heard
    assert account.goes_after(stack_id) == (24 if heard else None)


@pytest.mark.parametrize(
    "hearing, policy, told, hours",
    [
        ({"all": [ANA, TEAM, OPERATORS]}, POLICY, ANA, 24),
        ({"rest": [TEAM, OPERATORS]}, POLICY, TEAM, 72),
        ({"ops": [OPERATORS]}, POLICY, OPERATORS, 72),
        ({"ops": [OPERATORS]}, WITHOUT_FALLBACK, OPERATORS, 72),
        ({"bo": ["bo@x.org"]}, POLICY, None, None),
        ({}, POLICY, None, None),
    ],
)
def test_whoever_hears_is_told_for_whom_and_the_stack_goes_as_promised(
    connect: Callable[..., Any],
    hearing: dict[str, list[str]],
    policy: str,
    told: str | None,
    hours: int | None,
) -> None:
    """Owner, fallback, operators; as the template makes it with `OpsEmail` alone, the operators.

    Fails without `in_place` in `grace_of`, and without `missed` in the greeting.
    """
    account = Account(connect, policy)
    for name, owners in hearing.items():
        account.subscribe(name, {"owner": owners})
    stack_id, _ = account.begin()
    texts = [account.finals(name) for name in hearing]
    if told is None:
        assert texts in ([], [[]])
    else:
        ((text, *_),) = texts
        text = " ".join(text.split())
        assert ("To ana@x.org: this is about" in text) is (told == ANA)
        assert ("of ana@x.org, who cannot be reached (no sub" in text) is (told != ANA)
        misses_team = told == OPERATORS and policy == POLICY
        assert ("Nor can team@x.org (no subscription" in text) is misses_team
        (notice,) = [n for n in account.lease(stack_id).notices if n.stage == "final"]
        assert (notice.contact.address, notice.channel) == (ANA, "sns")
        assert (notice.instead.address if notice.instead else ANA) == told
        promised = account.start + 2 * HOUR + (hours or 0) * HOUR
        assert account.lease(stack_id).delete_after == promised
        assert f"{promised:%H:%M} UTC (in {(hours or 0) // 24} day" in text
    assert account.goes_after(stack_id) == hours


def test_a_stack_without_an_owner_goes_by_whoever_hears_for_it(connect: Callable[..., Any]) -> None:
    """The fallback is deaf, so the operators are told in its place."""
    account = Account(connect)
    account.subscribe("ops", {"owner": [OPERATORS]})
    stack_id, _ = account.begin(owner="")
    assert len(account.finals("ops")) == 2, "in the fallback's place, and their own"
    assert account.goes_after(stack_id) == 72


def test_who_has_not_confirmed_hears_nothing(connect: Callable[..., Any]) -> None:
    """Nor does Firehose, nor a filter on the text, which is no JSON."""
    account = Account(connect)
    account.sns.subscribe(
        TopicArn=account.topic, Protocol="http", Endpoint="http://127.0.0.1:9/inbox"
    )
    account.subscribe("body", {"owner": [ANA]}, FilterPolicyScope="MessageBody")
    stack_id, report = account.begin()
    (why,) = {o.detail for o in report.outcomes if o.status.value == "failed"}
    assert "one is not confirmed" in why
    assert "one filters by the text of a message" in why
    assert account.asked["Publish"] == 0
    assert account.goes_after(stack_id) is None


def test_a_subscription_that_may_not_be_read_counts_for_nobody(connect: Callable[..., Any]) -> None:
    """Another account's: the notice goes to who is known to hear it, and all is in the journal."""
    account = Account(connect)
    other = account.subscribe("other", {"owner": [ANA]})
    account.subscribe("ops", {"owner": [OPERATORS]})

    def refuse(request: Any, **_: Any) -> Any:
        if other not in unquote(str(request.body)):
            return None
        return refusal(request.url)

    account.sns.meta.events.register("before-send.sns.GetSubscriptionAttributes", refuse)
    stack_id, _ = account.begin()
    (text,) = account.finals("ops")
    assert "Not authorized to access this" in " ".join(text.split())
    events = list(account.ledger.chain(ACCOUNT_KEY))
    (read,) = [event for event in events if event.action == "audience.read"]
    facts = read.body["reason"]["facts"]
    assert "Not authorized" in facts[f"sqs {other.rpartition(':')[2]}"]
    assert account.goes_after(stack_id) == 72


@pytest.mark.parametrize("assume_told", [True, False])
def test_a_topic_of_another_account_counts_once_somebody_answers_for_it(
    connect: Callable[..., Any], assume_told: bool
) -> None:
    """Without that nobody may know who hears it: nobody is told, and the stack stays."""
    account = Account(connect, assume_told=assume_told)
    account.subscribe("ana")

    def refuse(request: Any, **_: Any) -> Any:
        return refusal(request.url)

    account.sns.meta.events.register("before-send.sns.ListSubscriptionsByTopic", refuse)
    stack_id, report = account.begin()
    if assume_told:
        assert len(account.finals("ana")) == 1
        assert account.goes_after(stack_id) == 24
        (told,) = [
            e
            for e in account.ledger.chain(stack_id)
            if "final" in e.body["reason"]["facts"].values()
        ]
        assert told.body["reason"]["facts"]["heard_by"] == "assumed: somebody passes it on"
        return
    said = {o.detail for o in report.outcomes if o.status.value == "failed"}
    assert any(f"--notify sns:{account.topic}:assume-told says so" in one for one in said)
    assert account.goes_after(stack_id) is None


def test_a_filter_tightened_after_the_notice_takes_nothing_back(
    connect: Callable[..., Any],
) -> None:
    """It was delivered while it could reach her: the word stands, and so does its date."""
    account = Account(connect)
    arn = account.subscribe("ana", {"owner": [ANA]})
    stack_id, _ = account.begin()
    assert len(account.finals("ana")) == 1
    account.refilter(arn, {"owner": ["bo@x.org"]})
    assert account.goes_after(stack_id) == 24
    assert account.lease(stack_id).notices[-1].instead is None
    heard = [e.body["reason"]["facts"].get("heard_by") for e in account.ledger.chain(stack_id)]
    assert f"1 of 1 subscriptions: sqs {arn.rpartition(':')[2]}" in heard


def test_a_filter_tightened_before_the_notice_counts_at_once(connect: Callable[..., Any]) -> None:
    """By what the ledger knew from the sweep before, she was reached.

    Fails if a sweep does not look where the ledger has an audience already.
    """
    account = Account(connect)
    arn = account.subscribe("ana", {"owner": [ANA]})
    stack_id = account.deploy()
    account.sweep(0)
    account.sweep(0.5)
    assert account.lease(stack_id).notices, "the reminder was heard"
    account.refilter(arn, {"owner": ["bo@x.org"]})
    account.sweep(2)
    assert [n.stage for n in account.lease(stack_id).notices] == ["24h"]
    assert account.goes_after(stack_id) is None


def test_a_quiet_sweep_asks_nothing_and_one_that_tells_asks_once(
    connect: Callable[..., Any],
) -> None:
    """However many it tells.

    Fails with the look before `if notices`, and with one in `SnsChannel.send`.
    """
    account = Account(connect)
    account.subscribe("shared")
    account.deploy()
    account.deploy(owner="")
    account.sweep(0)
    assert account.asked == {}
    account.sweep(0.5)
    assert account.asked == {
        "ListSubscriptionsByTopic": 1, "GetSubscriptionAttributes": 1, "Publish": 3
    }  # fmt: skip
    account.asked.clear()
    writes = len(list(account.ledger.chain(ACCOUNT_KEY)))
    account.sweep(0.8)
    assert account.asked == {}
    account.sweep(2)
    assert account.asked["ListSubscriptionsByTopic"] == 1
    assert len(list(account.ledger.chain(ACCOUNT_KEY))) == writes, "it found what it knew"
