"""What is no answer of AWS's or of Slack's is refused in one line, and believed in nothing."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from botocore.config import Config
from slack_sdk import WebClient
from tests.answering import HTML, XHTML, Answer, answering

from janitor.adapters.aws.cloudformation import CloudFormation
from janitor.adapters.aws.deployment import Deployment
from janitor.adapters.aws.dynamodb.ledger import DynamoLedger
from janitor.adapters.aws.dynamodb.schema import put_account
from janitor.adapters.aws.s3_archive import S3Archive
from janitor.adapters.aws.secrets import link_keys
from janitor.adapters.aws.session import Aws, connect
from janitor.adapters.aws.sns import SnsChannel
from janitor.adapters.aws.sqs import SqsQueue
from janitor.adapters.policy_sources import ModeParameter, ParameterPolicies
from janitor.adapters.slack.channel import SlackChannel
from janitor.domain.errors import JanitorError
from janitor.domain.journal.archive_format import ArchiveObject
from janitor.domain.journal.events import Actor, Draft, entry, target_of
from janitor.domain.model import Contact, ContactKind, Lease, Stack
from janitor.domain.notification.digest import Wording
from janitor.domain.notification.messages import DeletionRequest, Message
from janitor.domain.planning.decisions import Reason
from janitor.domain.tagging.change_set import Proposal, Readiness
from janitor.settings import read_settings

HERE = "eu-central-1"
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
ID = f"arn:aws:cloudformation:{HERE}:123456789012:stack/feat/1"
LEASE = Lease(ID, "feat", HERE, "all", NOON, NOON)
STACK = Stack(ID, "feat", HERE, "CREATE_COMPLETE", NOON)
PROPOSAL = Proposal("arn:of:a:change-set", Readiness.READY)
WITH_ID = {"x-amzn-RequestId": "request"}


def topic(aws: Aws) -> SnsChannel:
    """Return a topic, whoever hears it."""
    return SnsChannel(aws.client("sns"), "arn:aws:sns:eu:1:t", assume_told=True)


MESSAGE = Message(
    Contact(ContactKind.SLACK_USER, "U0123ABCD"), Wording("feat", "hello", (), "bye"), (), ()
)
JSON = "application/x-amz-json-1.0"


SERVICES = (
    *("cloudformation", "cloudwatch", "dynamodb", "lambda", "s3", "scheduler"),
    *("secretsmanager", "sns", "sqs", "ssm"),
)


@pytest.fixture(scope="module")
def server() -> Iterator[Answer]:
    """Run the server."""
    with answering() as answer:
        yield answer


@pytest.fixture(scope="module")
def aws(server: Answer) -> Iterator[Aws]:
    """Connect to it as to AWS."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", server.url)
        aws = connect(read_settings({"AWS_REGION": HERE}))
        clients = [aws.client(service) for service in SERVICES]
    yield aws
    for client in clients:
        client.close()


@pytest.fixture
def answer(server: Answer) -> Answer:
    """Return what the server says, which each test sets anew."""
    server.give(Answer())
    return server


def ledger(aws: Aws) -> DynamoLedger:
    """Make the ledger."""
    return DynamoLedger(aws.client("dynamodb"), "leases", "journal")


def cloudformation(aws: Aws) -> CloudFormation:
    """Make CloudFormation."""
    return CloudFormation(lambda region: aws.client("cloudformation", region), pause=lambda _: None)


def commit(aws: Aws) -> None:
    """Write to the ledger."""
    draft = Draft(NOON, Actor("janitor", "j", "sweep"), "a.b", target_of(LEASE), Reason("x"))
    ledger(aws).commit(entry(LEASE, LEASE, draft))


def queue(aws: Aws) -> SqsQueue:
    """Make the queues."""
    url = f"{aws.client('sqs').meta.endpoint_url}/1/q.fifo"
    return SqsQueue(aws.client("sqs"), url, url)


def policies(aws: Aws) -> ParameterPolicies:
    """Make the policy in SSM."""
    return ParameterPolicies(aws.client("ssm"), "/janitor/policy")


def deployment(aws: Aws) -> Deployment:
    """Make a deployed copy."""
    return Deployment(aws.client, "janitor-dev")


CALLS: dict[str, Callable[[Aws], object]] = {
    "describe": lambda aws: cloudformation(aws).describe(ID),
    "tag": lambda aws: cloudformation(aws).tag(STACK, {"a": "b"}, (), "token"),
    "anatomy": lambda aws: cloudformation(aws).anatomy(STACK),
    "propose": lambda aws: cloudformation(aws).propose(STACK, {"a": "b"}, (), "token"),
    "proposal": lambda aws: cloudformation(aws).proposal(STACK, {"a": "b"}, ()),
    "execute": lambda aws: cloudformation(aws).execute(STACK, PROPOSAL, "token"),
    "withdraw": lambda aws: cloudformation(aws).withdraw(ID),
    "outcome of tags": lambda aws: cloudformation(aws).tag_outcome(STACK, "token", None),
    "delete": lambda aws: cloudformation(aws).delete(ID, "token"),
    "importers": lambda aws: cloudformation(aws).importers(ID, "export"),
    "count": lambda aws: cloudformation(aws).count(ID),
    "snapshot": lambda aws: cloudformation(aws).snapshot(STACK),
    "fates": lambda aws: cloudformation(aws).fates(ID),
    "protect": lambda aws: cloudformation(aws).protect(ID, on=True),
    "open records": lambda aws: ledger(aws).open_records(),
    "lease": lambda aws: ledger(aws).lease(ID),
    "account": lambda aws: ledger(aws).account(),
    "commit": commit,
    "chain": lambda aws: list(ledger(aws).chain(ID)),
    "chain keys": lambda aws: list(ledger(aws).chain_keys()),
    "events": lambda aws: list(ledger(aws).events(NOON, NOON)),
    "put account": lambda aws: put_account(aws.client("dynamodb"), "leases"),
    "policy": lambda aws: policies(aws).policy(),
    "mode": lambda aws: ModeParameter(policies(aws), aws.client("ssm"), "/mode").mode(),
    "queue": lambda aws: queue(aws).delete(DeletionRequest(ID, NOON)),
    "topic": lambda aws: topic(aws).send(MESSAGE),
    "secret": lambda aws: link_keys(aws.client("secretsmanager"), "links"),
    "outputs": lambda aws: deployment(aws).outputs(),
    "schedules": lambda aws: deployment(aws).schedules(),
    "subscriptions": lambda aws: deployment(aws).audience("arn:aws:sns:eu:1:t", NOON),
    "waiting": lambda aws: deployment(aws).waiting(f"{aws.client('sqs').meta.endpoint_url}/1/q"),
    "last sweep": lambda aws: deployment(aws).last_sweep("dev", NOON),
    "checked": lambda aws: deployment(aws).checked("check"),
}
ANSWERS = {
    "HTML": Answer(HTML),
    "HTML that is XML": Answer(XHTML),
    "HTML, refused": Answer(XHTML, 403),
    "HTML, sent on": Answer(HTML, 302, headers={"Location": "https://sso.example.com"}),
    "empty": Answer(b"", 200, JSON),
    "empty, 204": Answer(b"", 204),
    "JSON of somebody else": Answer(b'{"hello": 1}', 200, JSON),
    "a list": Answer(b"[1]", 200, JSON),
    "null": Answer(b"null", 200, JSON),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", ANSWERS)
def test_what_is_no_answer_of_aws_is_refused_in_one_line(
    aws: Aws, answer: Answer, kind: str, call: str
) -> None:
    """Of DynamoDB, SSM and SQS botocore takes HTML for an empty answer: a write that went well.

    Fails without `take_only_aws` in adapters/aws/session.py, and for half of these if a missing request id is
    no reason to refuse.
    """
    answer.give(ANSWERS[kind])
    with pytest.raises(JanitorError) as caught:
        CALLS[call](aws)
    assert "\n" not in str(caught.value)
    asked = "is AWS_ENDPOINT_URL or a proxy in the way?"
    assert str(caught.value).endswith(asked), str(caught.value)


@pytest.mark.parametrize("body", [XHTML, b""])
def test_an_archive_that_is_not_s3_has_neither_taken_nor_kept_anything(
    aws: Aws, answer: Answer, body: bytes
) -> None:
    """Else a part of the journal would count as archived; other answers botocore calls a 500."""
    answer.body = body
    archive = S3Archive(aws.client("s3"), "s3://archive")
    with pytest.raises(JanitorError, match="what answered is not AWS"):
        archive.put(ArchiveObject("name", b"body", 1))
    with pytest.raises(JanitorError, match="what answered is not AWS"):
        list(archive.traces())


HAVE_TO_HOLD = {
    *(
        "describe",
        "outcome of tags",
        "proposal",
        "importers",
        "count",
        "fates",
        "open records",
        "chain",
    ),
    *("chain keys", "events", "policy", "mode", "queue", "topic", "outputs", "schedules"),
}


@pytest.mark.parametrize("call", sorted(HAVE_TO_HOLD))
@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"null", HTML, b"<a><RequestId>1</RequestId></a>"]
)
def test_an_answer_that_lacks_what_aws_never_leaves_out_is_refused(
    aws: Aws, answer: Answer, body: bytes, call: str
) -> None:
    """Even with a request id: it was cut off on its way, and empty is not none.

    Fails without `_HOLDS` in response_check.py.
    """
    answer.give(Answer(body, kind=JSON, headers=WITH_ID))
    with pytest.raises(JanitorError, match="what answered is not AWS"):
        CALLS[call](aws)


@pytest.mark.parametrize("kind", ANSWERS)
def test_a_region_that_is_not_answered_for_by_aws_is_refused_whole(
    aws: Aws, answer: Answer, kind: str
) -> None:
    """Never listed as empty: then every lease there would look gone."""
    answer.give(ANSWERS[kind])
    (listing,) = cloudformation(aws).list_all([HERE])
    assert (listing.stacks, listing.unread, listing.bug) == ((), (), None)
    assert listing.error.startswith(f"listing {HERE} failed: what answered is not AWS (HTTP ")


EMPTY = b"""<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/">
<DescribeStacksResult>%s</DescribeStacksResult>
<ResponseMetadata><RequestId>request</RequestId></ResponseMetadata></DescribeStacksResponse>"""
MEMBER = b"""<member><StackId>%s</StackId><StackName>%s</StackName><StackStatus>CREATE_COMPLETE
</StackStatus><CreationTime>%s</CreationTime></member>"""


def test_no_stacks_is_what_aws_says_in_so_many_words(aws: Aws, answer: Answer) -> None:
    """`<Stacks/>` is none, and nothing at all is no answer."""
    answer.kind = "text/xml"
    answer.body = EMPTY % b"<Stacks/>"
    (listing,) = cloudformation(aws).list_all([HERE])
    assert (listing.stacks, listing.error) == ((), "")
    answer.body = EMPTY % b""
    (listing,) = cloudformation(aws).list_all([HERE])
    assert "without Stacks" in listing.error


def test_a_stack_with_an_odd_time_is_named_and_the_others_are_listed(
    aws: Aws, answer: Answer
) -> None:
    """The same page, over the wire.

    Fails if `read_timestamp` raises: botocore then loses the page.
    """
    odd = MEMBER % (ID.replace("feat", "odd").encode(), b"odd", b"yesterday")
    fine = MEMBER % (ID.encode(), b"feat", b"2026-06-01T12:00:00Z")
    answer.kind, answer.body = "text/xml", EMPTY % (b"<Stacks>%s%s</Stacks>" % (odd, fine))
    (listing,) = cloudformation(aws).list_all([HERE])
    assert [stack.name for stack in listing.stacks] == ["feat"]
    (unread,) = listing.unread
    assert unread.name == "odd"
    assert unread.why == "CreationTime is 'yesterday', which is no instant"


def test_a_described_stack_that_cannot_be_read_is_an_error_of_one_line(
    aws: Aws, answer: Answer
) -> None:
    """And so is an answer about no stack at all."""
    odd = MEMBER % (ID.encode(), b"feat", b"yesterday")
    answer.give(Answer(EMPTY % (b"<Stacks>%s</Stacks>" % odd), kind="text/xml"))
    expected = f"describing {ID} failed: CreationTime is 'yesterday', which is no instant"
    with pytest.raises(JanitorError) as caught:
        cloudformation(aws).describe(ID)
    assert str(caught.value) == expected
    answer.give(Answer(EMPTY % b"<Stacks/>", kind="text/xml"))
    with pytest.raises(JanitorError, match="failed: CloudFormation named no stack"):
        cloudformation(aws).describe(ID)


def test_what_breaks_off_is_tried_again_whoever_said_it(answer: Answer, aws: Aws) -> None:
    """A bad gateway in plain words is no reason to give up at once.

    Fails if a 502 that cannot be parsed is refused like any other answer.
    """
    answer.give(Answer(b"Bad Gateway", 502, "text/plain"))
    twice = Config(retries={"total_max_attempts": 2})
    client = aws.session.client("cloudformation", config=twice, endpoint_url=answer.url)
    with pytest.raises(JanitorError, match="502"):
        CloudFormation(lambda _: client, pause=lambda _: None).describe(ID)
    client.close()
    assert answer.asked == 2


SLACK_ANSWERS = {
    "HTML": (HTML, "text/html"),
    "empty": (b"", "application/json"),
    "empty HTML": (b"", "text/html"),
    "a list": (b"[1]", "application/json"),
    "null": (b"null", "application/json"),
    "no text": (b"\xff\xfe", "application/json"),
    "compressed": (b"\xff\xfe", "application/gzip"),
    "nothing but fine": (b'{"ok": true}', "application/json"),
    "a user who is none": (b'{"ok": true, "user": [1]}', "application/json"),
    "a user without id": (b'{"ok": true, "user": {"name": "ann"}}', "application/json"),
}


@pytest.mark.parametrize("kind", SLACK_ANSWERS)
@pytest.mark.parametrize("contact", [ContactKind.SLACK_USER, ContactKind.EMAIL])
def test_what_is_no_answer_of_slack_is_no_delivery(
    answer: Answer, kind: str, contact: ContactKind
) -> None:
    """One line, tried again, and nobody written off.

    Fails without `asked` in slack/errors.py.
    """
    answer.body, answer.kind = SLACK_ANSWERS[kind]
    client = WebClient(base_url=f"{answer.url}/api/", timeout=5, retry_handlers=[])
    channel = SlackChannel(client, lambda: "xoxb-1")
    message = Message(Contact(contact, "U0123ABCD"), MESSAGE.words, (), ())
    with pytest.raises(JanitorError, match=r"^(what answered is not Slack|Slack )") as caught:
        channel.send(message)
    assert type(caught.value).__name__ == "DeliveryFailed"
    assert "\n" not in str(caught.value)
    assert json.dumps(str(caught.value)).isascii()
