"""The functions' doors, called as Lambda calls them, on an emulated account."""

import base64
import json
import re
import time
import urllib.parse
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from traceback import format_exception
from typing import Any

import boto3
import pytest
from aws_lambda_powertools.utilities.batch.exceptions import BatchProcessingError
from aws_lambda_powertools.utilities.typing import LambdaContext
from tests.entrypoints.command_line import TEMPLATE
from tests.fakes.memory import MemoryLedger
from tests.fakes.stacks import MemoryStacks
from tests.hooks import Hooks
from tests.slack_server import SIGNING_SECRET, TOKEN, Workspace, slack_server

from janitor.adapters.aws.dynamodb.schema import create_tables
from janitor.application.sweep.sweep import sweep as sweep_itself
from janitor.domain.errors import ConfigurationError, UnreadableMessage
from janitor.domain.journal.events import Entry
from janitor.domain.notification.messages import DeletionRequest, body_of
from janitor.domain.planning.plan import Listing
from janitor.entrypoints.aws_lambda import api as api_door
from janitor.entrypoints.aws_lambda import container as deployed
from janitor.entrypoints.aws_lambda import preflight as check
from janitor.entrypoints.aws_lambda import workers as lambdas
from janitor.entrypoints.demo.emulator import emulated_aws

EVENTS = Path(__file__).parents[2] / "events"
POLICY = """
window: {days: [mon, tue, wed, thu, fri, sat, sun], hours: 00:00-24:00}
defaults: {grace: 0m, ownerless_grace: 0m}
limits: {min_observed: 0m}
"""


class Context(LambdaContext):
    """What Lambda tells a function about itself; the last of the times that are left holds on."""

    def __init__(self, *milliseconds: int) -> None:
        self._function_name = "janitor"
        self._memory_limit_in_mb = 512
        self._invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:janitor"
        self._aws_request_id = "request"
        self._log_stream_name = "stream"
        self._left = [*milliseconds] or [60_000]

    def get_remaining_time_in_millis(self) -> int:  # type: ignore[override]
        """Return the time that is left."""
        return self._left.pop(0) if len(self._left) > 1 else self._left[0]


@dataclass(frozen=True)
class Account:
    """An emulated account with everything that the template would make."""

    url: str

    def client(self, service: str) -> Any:
        """Return a client of another hand."""
        make: Any = boto3.client
        return make(service, region_name="eu-central-1", endpoint_url=self.url)

    def deploy(self, name: str, **tags: str) -> str:
        """Deploy a stack with `janitor:` tags."""
        pairs = [{"Key": f"janitor:{key}", "Value": value} for key, value in tags.items()]
        created = self.client("cloudformation").create_stack(
            StackName=name, TemplateBody=TEMPLATE, Tags=pairs
        )
        return str(created["StackId"])

    def messages(self, queue: str) -> dict[str, Any]:
        """Take what is in a queue, as Lambda's trigger would hand it on."""
        sqs = self.client("sqs")
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        taken = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"]
        ).get("Messages", [])
        for message in taken:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        (template,) = event("notify.json")["Records"]
        return {
            "Records": [{**template, "messageId": m["MessageId"], "body": m["Body"]} for m in taken]
        }


def event(name: str) -> Any:
    """Read one of the events that `sam local invoke` takes as well."""
    return json.loads((EVENTS / name).read_text(encoding="utf-8"))


@pytest.fixture
def hooks() -> Iterator[Hooks]:
    """Run what stands for CodeDeploy, and for where CloudFormation waits for answers."""
    hooks = Hooks()
    yield hooks
    hooks.close()


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """Make what the template makes, and set the variables that it sets."""
    with emulated_aws() as url:
        account = Account(url)
        sqs, fifo = account.client("sqs"), {"FifoQueue": "true"}
        ssm = account.client("ssm")
        ssm.put_parameter(Name="/janitor/policy", Value=POLICY, Type="String")
        ssm.put_parameter(Name="/janitor/mode", Value="enforce", Type="String")
        secret = account.client("secretsmanager").create_secret(Name="links", SecretString="k" * 64)
        topic = account.client("sns").create_topic(Name="notices")["TopicArn"]
        inbox = sqs.create_queue(QueueName="inbox")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=inbox, AttributeNames=["QueueArn"])
        account.client("sns").subscribe(
            TopicArn=topic, Protocol="sqs", Endpoint=arn["Attributes"]["QueueArn"]
        )
        variables = {
            "AWS_ENDPOINT_URL": url,
            "JANITOR_STAGE": "test",
            "JANITOR_POLICY": "ssm:/janitor/policy",
            "JANITOR_MODE_PARAMETER": "/janitor/mode",
            "JANITOR_NOTIFY": f"sns:{topic}",
            "JANITOR_NOTICE_QUEUE": sqs.create_queue(QueueName="n.fifo", Attributes=fifo)[
                "QueueUrl"
            ],
            "JANITOR_DELETION_QUEUE": sqs.create_queue(QueueName="d.fifo", Attributes=fifo)[
                "QueueUrl"
            ],
            "JANITOR_LINK_SECRET": secret["ARN"],
            "JANITOR_LINK_BASE": "https://janitor.example/live",
        }
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        deployed.of_this_process.cache_clear()
        create_tables(account.client("dynamodb"), "janitor-leases", "janitor-journal")
        yield account
        deployed.of_this_process.cache_clear()


class Refusing(MemoryStacks):
    """CloudFormation that allows nothing."""

    def __init__(self) -> None:
        super().__init__(lambda: datetime.now(UTC))
        self.refuse("eu-west-1", "not allowed")


def sweep(**more: Any) -> dict[str, Any]:
    """Let the schedule fire."""
    answer: dict[str, Any] = lambdas.sweep(event("sweep.json") | more, Context())
    return answer


def notify(account: Account) -> list[dict[str, str]]:
    """Let the queue call notify; return what owners were sent."""
    batch = account.messages("n.fifo")
    assert lambdas.notify(batch, Context()) == {"batchItemFailures": []}
    return inbox(account)


def inbox(account: Account) -> list[dict[str, str]]:
    """Return what came through the topic."""
    return [json.loads(r["body"]) for r in account.messages("inbox")["Records"]]


def marked(account: Account) -> tuple[str, str]:
    """Bring a stack to its mark; return its id and the link in its final notice."""
    stack_id = account.deploy("feat-a", expires="2026-01-01", owner="ada@example.com")
    assert sweep()["open"] == 1
    assert sweep()["mark"] == 1
    (message,) = notify(account)
    assert message["Subject"] == "[janitor] feat-a will be deleted"
    link = next(word for word in message["Message"].split() if word.startswith("https://"))
    return stack_id, link


def request(name: str, link: str, **changes: Any) -> dict[str, Any]:
    """Make API Gateway's event for a link."""
    made: dict[str, Any] = event(name)
    path = link.removeprefix("https://janitor.example/live")
    return {**made, "path": path, **changes}


def test_a_stack_goes_through_schedule_queues_and_status_event(account: Account) -> None:
    """Sweep, notify, sweep, delete, track: each door does its part of the life."""
    stack_id, _ = marked(account)
    assert sweep()["delete"] == 1
    batch = account.messages("d.fifo")
    assert lambdas.delete(batch, Context()) == {"batchItemFailures": []}
    told = event("track.json")
    told["detail"]["stack-id"] = stack_id
    answer = lambdas.track(told, Context())
    while answer["status"] == "skipped":  # the emulator deletes in a moment
        time.sleep(0.1)
        answer = lambdas.track(told, Context())
    assert answer == {"status": "done", "detail": "confirmed by id after attempt 1"}
    assert [m["Subject"] for m in notify(account)] == ["[janitor] feat-a has been deleted"]
    assert lambdas.delete(batch, Context()) == {"batchItemFailures": []}
    assert sweep() == {"mode": "enforce", "managed": 0, "due": 0}


def test_the_link_in_a_notice_extends_by_post_alone(account: Account) -> None:
    """GET shows the form, POST from our own page extends, and the stack is unmarked."""
    account.client("ssm").put_parameter(
        Name="/janitor/policy",
        Value=POLICY + "rules: [{name: a, select: {tag: 'janitor:ttl'}}]\n",
        Type="String",
        Overwrite=True,
    )
    account.deploy("feat-a", ttl="1d", owner="ada@example.com")
    sweep()
    sweep()
    (message,) = notify(account)
    link = next(word for word in message["Message"].split() if word.startswith("https://"))
    shown = api_door.api(request("api-get.json", link), Context())
    assert shown["statusCode"] == 200
    assert "feat-a" in shown["body"]
    until = re.findall(r'value="([0-9TZ:.+-]{19,})"', shown["body"])[0]
    body = urllib.parse.urlencode({"until": until})
    elsewhere = {**event("api-post.json")["headers"], "Sec-Fetch-Site": "cross-site"}
    refused = api_door.api(request("api-post.json", link, body=body, headers=elsewhere), Context())
    assert refused["statusCode"] == 403
    origin = "https://abc123.execute-api.eu-central-1.amazonaws.com"
    headers = {k: v for k, v in event("api-post.json")["headers"].items() if k != "Sec-Fetch-Site"}
    for sent, status in ((f"{origin}.evil.example", 403), (origin, 400)):
        asked = request("api-post.json", link, body="until=x", headers={**headers, "Origin": sent})
        assert api_door.api(asked, Context())["statusCode"] == status
    coded = base64.b64encode(body.encode()).decode()
    extended = api_door.api(
        request("api-post.json", link, body=coded, isBase64Encoded=True), Context()
    )
    assert extended["statusCode"] == 200
    again = api_door.api(request("api-post.json", link, body=body), Context())
    assert again["statusCode"] == 409
    assert "Already extended" in again["body"]


def test_the_page_lets_a_stack_go_and_has_earlier_messages_shown_anew(
    account: Account, slack: Workspace
) -> None:
    """Through the function's own queue, and back again by the link in the answer.

    Fails if `answer` hands `handle` no queue.
    """
    account.client("ssm").put_parameter(
        Name="/janitor/policy",
        Value=POLICY + "rules: [{name: a, select: {tag: 'janitor:ttl'}}]\n",
        Type="String",
        Overwrite=True,
    )
    account.deploy("feat-a", ttl="20h", owner="ada@example.com")
    sweep()
    sweep()
    notify(account)
    (message,) = slack.messages()
    link = message.buttons["Choose for feat-a"]["url"]
    shown = api_door.api(request("api-get.json", link), Context())["body"]
    path = re.findall(r'action="\.\.(/let-go/[^"]+)"', shown)[0]
    asked = api_door.api(request("api-get.json", path), Context())
    assert "Let feat-a go?" in asked["body"]
    wrong = api_door.api(request("api-post.json", path, body="name=feat-b"), Context())
    assert wrong["statusCode"] == 400
    gone = api_door.api(request("api-post.json", path, body="name=feat-a"), Context())
    assert "feat-a is let go" in gone["body"]
    notify(account)
    assert "Its owner has let it go" in message.words
    assert slack.thread(message) == ["ada@example.com let feat-a go, by the link in a notice."]
    assert sweep()["mark"] == 1
    calendar = api_door.api(request("api-get.json", f"{link}/deadline.ics"), Context())
    assert calendar["statusCode"] == 409, "the link before is used up"
    back = re.findall(r'href="\.\.(/extend/[^"]+)"', gone["body"])[0]
    page = api_door.api(request("api-get.json", back), Context())["body"]
    until = re.findall(r'name="until" value="([^"]+)"', page)[0]
    body = urllib.parse.urlencode({"until": until})
    kept = api_door.api(request("api-post.json", back, body=body), Context())
    assert "feat-a is kept" in kept["body"]
    assert sweep().get("mark", 0) == 0


def test_a_rotated_key_leaves_links_good_and_a_second_rotation_does_not(
    account: Account,
) -> None:
    """Putting a new value is all that a rotation takes."""
    _, link = marked(account)
    secret = deployed.deployed().settings.link_secret
    for key, status in (("n" * 64, 200), ("m" * 64, 404)):
        account.client("secretsmanager").put_secret_value(SecretId=secret, SecretString=key)
        shown = api_door.api(request("api-get.json", link), Context())
        assert shown["statusCode"] == status


def test_a_message_that_makes_no_sense_fails_alone(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its owner waits and an alarm counts it; everybody else in the batch is told."""
    account.deploy("feat-a", expires="2026-01-01", owner="ada@example.com")
    sweep()
    sweep()
    batch = account.messages("n.fifo")
    poison = event("notify.json")["Records"][0] | {"body": "{}", "messageId": "poison"}
    poison["attributes"] = {**poison["attributes"], "MessageGroupId": "another"}
    answer = lambdas.notify({"Records": [poison, *batch["Records"]]}, Context())
    assert answer == {"batchItemFailures": [{"itemIdentifier": "poison"}]}
    assert '"NoticesFailed":[1.0,0.0]' in capsys.readouterr().out
    assert len(inbox(account)) == 1


def logged(caplog: pytest.LogCaptureFixture, message: str) -> list[Any]:
    """Return the lines of the log with this message."""
    return [record for record in caplog.records if record.getMessage() == message]


def test_a_message_that_cannot_be_read_is_named_in_one_line(
    account: Account, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """By its id, counted, and without a traceback: it is nobody's bug.

    Fails with `logger.exception` in `_log_failed`, and for deletions without its `except`.
    """
    (record,) = event("notify.json")["Records"]
    bad = record | {"body": "<html>", "messageId": "bad"}
    other = record | {"body": "[]", "messageId": "other"}
    other["attributes"] = {**record["attributes"], "MessageGroupId": "another"}
    for act, metric in (("notify", "NoticesFailed"), ("delete", "DeletionsFailed")):
        caplog.clear()
        with suppress(BatchProcessingError):  # the whole batch is bad
            getattr(lambdas, act)({"Records": [bad, other]}, Context())
        said = capsys.readouterr().out
        lines = logged(caplog, f"{act}.failed")
        assert [line.key for line in lines] == ["bad", "other"]
        assert all(line.detail.startswith("the message cannot be read: ") for line in lines)
        assert not [line for line in lines if line.exc_info]
        assert f'"{metric}":[1.0,1.0]' in said
        assert '"Bugs":[0.0,0.0]' in said
    with pytest.raises(UnreadableMessage, match="the event names no stack"):
        lambdas.track({"detail": {"stack": 1}}, Context())


def test_a_row_that_cannot_be_read_is_named_and_counted(
    account: Account, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """The others are looked after as ever."""
    odd = account.deploy("feat-odd", ttl="1d", owner="ada@example.com")
    sweep()
    account.client("dynamodb").update_item(
        TableName="janitor-leases",
        Key={"stack_id": {"S": odd}},
        UpdateExpression="SET doc = :doc",
        ExpressionAttributeValues={":doc": {"S": "{"}},
    )
    account.deploy("feat-new", ttl="1d", owner="ada@example.com")
    capsys.readouterr()
    assert sweep() == {"mode": "enforce", "managed": 2, "due": 0, "open": 1, "wait": 1}
    said = capsys.readouterr().out
    (line,) = logged(caplog, "record.unreadable")
    assert (line.key, line.error) == (odd, "its lease cannot be read: its content is no JSON")
    assert '"RecordsUnreadable":[1.0]' in said
    assert '"SweepCompleted":[1.0]' in said
    assert '"OutcomesFailed":[0.0]' in said


class Buggy(MemoryLedger):
    """A ledger over which the code fails."""

    def commit(self, entry: Entry[Any]) -> None:
        """Fail as code does that was never run."""
        raise AttributeError("'NoneType' object has no attribute 'seq'")


def test_a_sweep_in_which_the_code_fails_over_every_stack_is_logged_counted_and_not_completed(
    account: Account, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Each with its traceback and the id of its stack.

    Fails without `exc_info` in `_log`.
    """
    ids = {account.deploy(f"feat-{n}", ttl="1d") for n in range(5)}
    deployed.deployed().__dict__["ledger"] = Buggy()
    sweep()
    said = capsys.readouterr().out
    lines = logged(caplog, "sweep.failed")
    assert {line.key for line in lines} == {*ids, "janitor"}
    assert all("in commit" in "".join(format_exception(line.exc_info[1])) for line in lines)
    expected = "a bug in janitor: AttributeError: 'NoneType' object has no attribute 'seq'"
    assert {line.detail for line in lines} == {expected}
    assert '"Bugs":[6.0]' in said
    assert '"OutcomesFailed":[6.0]' in said
    assert '"SweepCompleted":[0.0]' in said


def test_a_bug_in_a_dry_sweep_lets_no_new_version_go_live(account: Account) -> None:
    """The check says so in one line, and its log has the traceback."""

    class Lost(MemoryStacks):
        def list_all(self, regions: Iterable[str]) -> Iterator[Listing]:
            for region in regions:
                yield Listing(region, error="a bug", bug=KeyError("Stacks"))

    deployed.deployed().__dict__["stacks"] = Lost(lambda: datetime.now(UTC))
    assert check.check({}, Context())["reason"] == "a bug in janitor: KeyError: 'Stacks'"


def test_a_sweep_out_of_time_leaves_the_rest_to_the_next(account: Account) -> None:
    """It stops between two stacks, and what it had begun is whole."""
    for number in range(4):
        account.deploy(f"feat-{number}", ttl="1d")
    lambdas.sweep({}, Context(60_000, 60_000, 20_000))
    first = sweep(dry_run=True)
    assert (first["open"], first["keep"] if "keep" in first else first["remind"]) == (2, 2)
    assert sweep()["open"] == 2
    assert "open" not in sweep(dry_run=True)


def test_settings_that_are_missing_or_wrong_are_named(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever changed the template by hand reads which variable it was."""
    monkeypatch.delenv("JANITOR_NOTICE_QUEUE")
    with pytest.raises(ConfigurationError, match=r"^JANITOR_NOTICE_QUEUE must be set"):
        lambdas.sweep({}, Context())
    deployed.of_this_process.cache_clear()
    monkeypatch.setenv("JANITOR_LINK_BASE", "ftp://nowhere")
    with pytest.raises(ConfigurationError, match=r"^JANITOR_LINK_BASE: 'ftp://nowhere' is not"):
        lambdas.sweep({}, Context())


def test_the_check_names_the_parameter_that_is_wrong(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deployment with an unusable mode, policy or secret fails with a reason."""
    assert check.check(event("check.json"), Context()) == {"fine": True, "reason": ""}
    ssm = account.client("ssm")
    ssm.put_parameter(Name="/janitor/mode", Value="loud", Type="String", Overwrite=True)
    told = check.check({}, Context())["reason"]
    assert told.startswith("the parameter /janitor/mode holds 'loud'; it must be off")
    ssm.put_parameter(Name="/janitor/policy", Value="ttl: 3", Type="String", Overwrite=True)
    assert check.check({}, Context())["reason"].startswith("/janitor/policy:1: ttl: no such field")


def test_the_check_names_the_secret_of_slacks_that_is_wrong(
    account: Account, slack: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Missing, of another form, only one of two; by hand, Slack itself is asked as well."""
    secrets = account.client("secretsmanager")

    def reason(asked: dict[str, Any] | None = None) -> str:
        deployed.of_this_process.cache_clear()
        return str(check.check(asked or {}, Context())["reason"])

    assert reason() == ""
    slack.scopes.discard("users:read.email")
    assert reason() == (
        "the Slack app lacks users:read.email; give the app the scopes in docs/slack.md,"
        " and install it again"
    )
    slack.token = "xoxb-another"
    assert "(invalid_auth): put the token of an installed app into the secret" in reason()
    secrets.put_secret_value(SecretId="signing", SecretString="not a signing secret")
    assert reason().startswith("SlackSigningSecretArn: the secret arn:aws:")
    assert "holds no signing secret as plain text" in reason()
    secrets.put_secret_value(SecretId="token", SecretString=f'{{"token": "{TOKEN}"}}')
    assert "holds no bot token as plain text; one begins with xoxb-" in reason()
    assert TOKEN not in reason()
    secrets.put_secret_value(SecretId="token", SecretBinary=b"xoxb-1")
    assert reason().startswith("SlackSecretArn: the secret arn:aws:")
    monkeypatch.setenv("JANITOR_SLACK_SECRET", "arn:aws:secretsmanager:eu-central-1:1:secret:no")
    assert reason().startswith("SlackSecretArn: reading the secret arn:aws:")
    monkeypatch.delenv("JANITOR_SLACK_SECRET")
    assert reason() == "SlackSecretArn: must be set too; Slack needs both secrets"


@pytest.fixture
def slack(account: Account, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """Run a Slack, in which Ada has an account, and set what the template sets for it."""
    secrets = account.client("secretsmanager")
    with slack_server() as workspace:
        workspace.add_user("ada@example.com")
        variables = {
            "JANITOR_SLACK_URL": workspace.url,
            "JANITOR_SLACK_SECRET": secrets.create_secret(Name="token", SecretString=TOKEN)["ARN"],
            "JANITOR_SLACK_SIGNING_SECRET": secrets.create_secret(
                Name="signing", SecretString=f"{SIGNING_SECRET}\n"
            )["ARN"],
        }
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        deployed.of_this_process.cache_clear()
        yield workspace


def reported(sent: tuple[bytes, dict[str, str]], *, coded: bool = False) -> int:
    """Let API Gateway hand on what Slack reports; return the status of the empty answer."""
    body, headers = sent
    text = base64.b64encode(body).decode() if coded else body.decode()
    changes = {"body": text, "headers": headers, "isBase64Encoded": coded}
    answer = api_door.api({**event("slack.json"), **changes}, Context())
    assert answer["body"] == ""
    return int(answer["statusCode"])


@pytest.mark.parametrize("coded", [False, True])
def test_a_button_in_slack_goes_through_every_door(
    account: Account, slack: Workspace, coded: bool
) -> None:
    """Sweep, message, button, extension; then the message is shown anew, and Ada is answered."""
    account.client("ssm").put_parameter(
        Name="/janitor/policy",
        Value=POLICY + "rules: [{name: a, select: {tag: 'janitor:ttl'}}]\n",
        Type="String",
        Overwrite=True,
    )
    stack_id = account.deploy("feat-a", ttl="1d", owner="ada@example.com")
    sweep()
    sweep()
    notify(account)
    (message,) = slack.messages()
    (user,) = slack.users
    label = next(words for words in message.buttons if words.startswith("Keep 1 day"))
    until = message.buttons[label]["value"].split()[1]
    sent = slack.press(message, label, user)
    unsigned = {k: v for k, v in sent[1].items() if k != "X-Slack-Signature"}
    assert reported((sent[0], unsigned), coded=coded) == 401
    assert reported(sent, coded=coded) == 200
    lease = deployed.deployed().ledger.lease(stack_id)
    assert lease is not None
    assert lease.expires_at is not None
    assert lease.expires_at.isoformat() == until
    assert notify(account) == []
    assert "Kept: it now ends" in message.words
    assert [text.split(" until")[0] for text in slack.thread(message)] == [
        f"{user} (ada@example.com) kept feat-a"
    ]
    assert [text.split(" until")[0] for text in slack.told(user)] == ["feat-a is kept"]


def test_a_body_that_is_not_base64_is_not_genuine(account: Account, slack: Workspace) -> None:
    """Though API Gateway says that it is."""
    body, headers = slack.report({"type": "block_actions"})
    asked = {**event("slack.json"), "body": body.decode(), "headers": headers}
    answer = api_door.api({**asked, "isBase64Encoded": True}, Context())
    assert answer["statusCode"] == 401


def test_without_slack_there_is_no_such_door(account: Account) -> None:
    """Whoever knocks gets the page that says so."""
    answer = api_door.api(event("slack.json"), Context())
    assert answer["statusCode"] == 404


def test_a_notice_that_slack_wants_later_comes_back_then(
    account: Account, slack: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    """For as long as Slack says and not as the queue has it, and it is counted as no failure.

    Fails if `_notify` does not postpone: the queue would keep it for half a minute.
    """
    account.deploy("feat-a", expires="2026-01-01", owner="ada@example.com")
    sweep()
    sweep()
    slack.limit("chat.postMessage", 1)
    sqs = account.client("sqs")
    url = sqs.get_queue_url(QueueName="n.fifo")["QueueUrl"]
    (taken,) = sqs.receive_message(QueueUrl=url)["Messages"]
    (record,) = event("notify.json")["Records"]
    changes = {"messageId": "1", "body": taken["Body"], "receiptHandle": taken["ReceiptHandle"]}
    capsys.readouterr()
    answer = lambdas.notify({"Records": [{**record, **changes}]}, Context())
    assert answer == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    assert '"NoticesFailed":[0.0]' in capsys.readouterr().out
    (again,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]
    assert again["Body"] == taken["Body"]
    slack.refuse("chat.postMessage", "fatal_error")
    lambdas.notify({"Records": [{**record, **changes}]}, Context())
    assert '"NoticesFailed":[1.0]' in capsys.readouterr().out


def test_a_deletion_before_its_turn_comes_back_then(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    """And it is counted as no failure.

    Fails if `_delete` does not postpone: the queue would keep it for six minutes.
    """
    sqs = account.client("sqs")
    url = sqs.get_queue_url(QueueName="d.fifo")["QueueUrl"]
    turn = datetime.now(UTC) + timedelta(seconds=2)
    stack_id = account.deploy("feat-a")
    body = body_of(DeletionRequest(stack_id, turn, not_before=turn))
    sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId="g", MessageDeduplicationId="d")
    (taken,) = sqs.receive_message(QueueUrl=url)["Messages"]
    (record,) = event("delete.json")["Records"]
    changes = {"messageId": "1", "body": taken["Body"], "receiptHandle": taken["ReceiptHandle"]}
    answer = lambdas.delete({"Records": [{**record, **changes}]}, Context())
    assert answer == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    assert '"DeletionsFailed":[0.0]' in capsys.readouterr().out
    (again,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]
    changes["receiptHandle"] = again["ReceiptHandle"]
    assert lambdas.delete({"Records": [{**record, **changes}]}, Context()) == {
        "batchItemFailures": []
    }


def test_a_request_to_delete_that_cannot_be_read_is_logged_counted_and_comes_back(
    account: Account, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """The batch goes on.

    Fails without `raise` in `_delete`.
    """
    (record,) = event("delete.json")["Records"]
    answer = lambdas.delete({"Records": [{**record, "body": "no request"}]}, Context())
    assert len(answer["batchItemFailures"]) == 1
    assert '"DeletionsFailed":[1.0]' in capsys.readouterr().out
    assert [one.message for one in caplog.records].count("delete.failed") == 1


def at_deployment(stub: Hooks, **properties: str) -> str:
    """Let CloudFormation ask the check function, and return the reason that it is given."""
    asked = {
        "RequestType": "Create",
        "ResponseURL": f"{stub.url}/answer",
        "StackId": "stack",
        "RequestId": "request",
        "LogicalResourceId": "Preflight",
        "ResourceProperties": properties,
    }
    said = check.check(asked, Context())
    told = stub.answers[-1]
    assert (told["Status"], told["Reason"]) == (
        ("SUCCESS", "fine") if said["fine"] else ("FAILED", said["reason"])
    )
    return str(said["reason"])


def test_a_deployment_with_a_schedule_or_a_name_that_cannot_be_fails_with_a_reason(
    account: Account, hooks: Hooks
) -> None:
    """Before the scheduler finds out, and before permissions go by names that were cut off.

    Fails without `_check_names(...)` or without `check_schedule(...)` in `check._look`.
    """
    longest, roles = "j" * 24, "arn:aws:iam::123456789012:role/"
    fine = {
        "ScheduleExpression": "cron(0 6-18 ? * MON-FRI *)", "OwnRoles": f"{roles}{longest}-*",
    }  # fmt: skip
    assert at_deployment(hooks, **fine) == ""
    told = at_deployment(hooks, **(fine | {"ScheduleExpression": "cron(99 99 * * ? *)"}))
    assert told.startswith("ScheduleExpression: 'cron(99 99 * * ? *)': minutes is '99'")
    told = at_deployment(hooks, **(fine | {"DigestSchedule": "cron(0 8 * * MON *)"}))
    assert told.startswith("DigestSchedule: 'cron(0 8 * * MON *)': one of day-of-month and day-of-")
    told = at_deployment(hooks, **(fine | {"OwnRoles": f"{roles}{longest}j-*"}))
    assert told.startswith(f"the stack's name {longest}j has 25 characters, and 24 is the most")
    assert told.endswith("for instance janitor-dev")
    assert at_deployment(hooks, **(fine | {"OwnRoles": f"{roles}StackSet-janitor-*"})) == ""


def test_a_policy_that_is_wrong_all_over_fails_a_deployment_with_what_is_wrong_first(
    account: Account, hooks: Hooks
) -> None:
    """CloudFormation takes no answer of more than 4,096 bytes, and would name no reason at all.

    Fails without `_fitting` in entrypoints/aws_lambda/preflight.py.
    """
    wrong = "\n".join(f"gr\u00e4ce{number}: {'x' * 30}" for number in range(90))
    account.client("ssm").put_parameter(
        Name="/janitor/policy", Value=wrong, Type="String", Overwrite=True
    )
    deployed.of_this_process.cache_clear()
    asked = {
        "RequestType": "Create",
        "ResponseURL": f"{hooks.url}/answer",
        "StackId": "stack",
        "RequestId": "request",
        "LogicalResourceId": "Preflight",
    }
    assert not check.check(asked, Context())["fine"]
    told = hooks.answers[-1]
    assert len(json.dumps(told)) <= 4_096
    assert told["Reason"].startswith("/janitor/policy:1: gr\u00e4ce0: no such field")
    assert told["Reason"].endswith(" ... (cut)")
    assert len(told["Reason"]) > 2_000


HOOK = {"DeploymentId": "d-1", "LifecycleEventHookExecutionId": "e-1"}


@pytest.mark.parametrize("mode, status", [("observe", "Succeeded"), ("loud", "Failed")])
def test_codedeploy_is_told_whether_a_dry_sweep_went_well(
    mode: str, status: str, account: Account, hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only then does the new code get the traffic; and the dry sweep changes nothing.

    Fails with `passed=True` in `check.check`.
    """
    monkeypatch.setenv("AWS_ENDPOINT_URL_CODEDEPLOY", hooks.url)
    deployed.of_this_process.cache_clear()
    account.client("ssm").put_parameter(
        Name="/janitor/mode", Value=mode, Type="String", Overwrite=True
    )
    account.deploy("feat-new", ttl="3d")
    said = check.check(HOOK, Context())
    assert said["fine"] is (status == "Succeeded")
    assert hooks.told == [
        (
            "CodeDeploy_20141006.PutLifecycleEventHookExecutionStatus",
            {"deploymentId": "d-1", "lifecycleEventHookExecutionId": "e-1", "status": status},
        )
    ]
    account.client("ssm").put_parameter(
        Name="/janitor/mode", Value="observe", Type="String", Overwrite=True
    )
    assert sweep(dry_run=True)["open"] == 1


def test_a_dry_sweep_that_is_short_of_time_still_answers(
    account: Account, hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It asks no more of CloudFormation than there is time for.

    Fails without `may_go_on` in `_dry_sweep` of entrypoints/aws_lambda/preflight.py.
    """
    monkeypatch.setenv("AWS_ENDPOINT_URL_CODEDEPLOY", hooks.url)
    marked(account)
    seen: list[bool] = []

    def sweeping(**given: Any) -> Any:
        seen.append(given["may_go_on"]())
        return sweep_itself(**given)

    monkeypatch.setattr(check, "sweep", sweeping)
    for left in (60_000, 20_000):
        assert check.check(HOOK, Context(left))["fine"]
    assert seen == [True, False]


def test_no_log_line_has_a_token_or_a_key(
    account: Account, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Links and secrets stay out of the logs, whatever happens."""
    _, link = marked(account)
    token = link.rpartition("/")[2]
    api_door.api(request("api-get.json", link), Context())
    api_door.api(request("api-post.json", link, body="until=x"), Context())
    api_door.api(request("api-get.json", link + "x"), Context())
    printed = capsys.readouterr()
    logged = "".join(str(vars(record)) for record in caplog.records)
    everything = printed.out + printed.err + logged
    assert "page.answered" in everything
    assert token[:40] not in everything
    assert "k" * 64 not in everything


def test_a_sweep_that_could_list_no_region_is_not_called_completed(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a permission that is missing would keep the alarm quiet for ever."""
    account.client("ssm").put_parameter(
        Name="/janitor/policy", Value="regions: [eu-west-1]", Type="String", Overwrite=True
    )
    refusing = Refusing()
    deployed.deployed().__dict__["stacks"] = refusing
    sweep()
    counted = capsys.readouterr().out
    assert '"SweepCompleted":[0.0]' in counted
    assert '"RegionsRefused":[1.0]' in counted
    assert check.check({}, Context())["reason"] == "no region can be listed: not allowed"


def test_the_week_goes_from_its_schedule_to_the_operators_once(account: Account) -> None:
    """Digest queues, notify sends; a schedule that fires again in the week sends nothing."""
    account.deploy("feat-a", ttl="3x", owner="ada@example.com")
    sweep()
    assert lambdas.digest(event("digest.json"), Context()) == {
        "status": "done",
        "detail": "[janitor] the week: 0 deleted, 0 extended, 0 in trouble",
    }
    (message,) = notify(account)
    assert message["Subject"] == "[janitor] the week: 0 deleted, 0 extended, 0 in trouble"
    assert "Lifetimes to put right (1)" in message["Message"]
    attributes = message["MessageAttributes"]
    assert attributes["owner"]["Value"] == "operators"  # type: ignore[index]
    assert attributes["kind"]["Value"] == '["weekly"]'  # type: ignore[index]
    lambdas.digest({"again": 1}, Context())
    account.deploy("feat-b", ttl="3x")
    sweep()  # so that there is something to tell
    assert "the week" not in "".join(m["Subject"] for m in notify(account))


HOSTILE = (
    "=cmd|' /C calc'!A0 <!channel> \r\nBcc: all@example.com\u2028"
    "\N{RIGHT-TO-LEFT OVERRIDE}moc.live\N{ZERO WIDTH SPACE} <script>alert(1)</script> "
).ljust(256, "x")


def test_hostile_tags_come_out_harmless_in_mail_and_logs(
    account: Account, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line of the log is one JSON object, and nothing in mail or log is hidden or turned.

    Fails without `clean` around the error of a region in entrypoints/aws_lambda/workers.py.
    """
    janitor = deployed.deployed("notice_queue", "deletion_queue")
    stacks = MemoryStacks(lambda: datetime.now(UTC))
    tags = {"janitor:expires": "2026-01-01", "janitor:owner": HOSTILE, "branch": HOSTILE}
    stacks.create("feat-a", tags=tags, created=datetime.now(UTC) - timedelta(days=2))
    stacks.create("feat-b", tags={**tags, "janitor:expires": HOSTILE})
    monkeypatch.setitem(janitor.__dict__, "stacks", stacks)
    sweep()
    sweep()
    stacks.refuse("eu-central-1", HOSTILE)
    sweep()
    messages = notify(account)
    assert {m["Subject"] for m in messages} == {
        "[janitor] feat-a will be deleted, and 1 more",
        "[janitor] feat-b is kept until its tag janitor:expires is put right",
        "[janitor] a region cannot be listed",
    }
    for message in messages:
        text = message["Message"]
        assert text.replace("\n", "").isprintable()
        assert "Bcc" not in {line.strip().partition(":")[0] for line in text.split("\n")}
        owner = message["MessageAttributes"]["owner"]["Value"]  # type: ignore[index]
        assert owner.isprintable()
    lines = [lambdas.logger.registered_formatter.format(record) for record in caplog.records]
    assert any("region.refused" in line for line in lines)
    for line in lines:
        assert len(line.splitlines()) == 1
        logged = json.loads(line)
        assert all(value.isprintable() for value in logged.values() if isinstance(value, str))


def test_every_event_of_the_journal_is_a_line_in_the_log(
    account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    """The saved queries ask for its fields; and what hides text in a tag is not in them.

    Fails if `DynamoLedger.commit` does not tell of what it wrote.
    """
    account.deploy("feat-a", expires="2026-01-01", owner="ada\u202e lovelace")
    sweep()
    sweep()
    notify(account)
    rows = account.client("dynamodb").scan(TableName="janitor-journal")["Items"]
    lines = [vars(record) for record in caplog.records if record.message == "journal.written"]
    assert {(line["key"], line["seq"]) for line in lines} == {
        (row["stack_id"]["S"], int(row["seq"]["N"])) for row in rows
    }
    assert len(lines) == len(rows)
    (marked_,) = [line for line in lines if line["action"] == "stack.marked"]
    asked = ("stack", "region", "owner", "actor", "via", "result")
    told = ("feat-a", "eu-central-1", "ada lovelace", "janitor", "sweep", "ok")
    assert tuple(marked_[name] for name in asked) == told
    assert marked_["reason"].startswith("expired ")
