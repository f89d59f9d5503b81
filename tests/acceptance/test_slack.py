"""The whole life of a stack in Slack, through nothing but what template.yaml deploys."""

import base64
import json
import time
from datetime import datetime

import pytest
from botocore.exceptions import ClientError
from tests.acceptance.conftest import SLACK_POLICY, verify
from tests.acceptance.deployed import PAST, Account, Inbox, Stage, until
from tests.acceptance.test_privilege import DENIED, credentials_of
from tests.slack_server import Shown, Workspace


def report(stage: Stage, sent: tuple[bytes, dict[str, str]]) -> int:
    """Let Slack report something to the stage; return the status of the answer, which is empty."""
    body, headers = sent
    answer = stage.page(
        f"{stage.outputs['ApiUrl']}/slack/interactivity", "POST", body.decode(), **headers
    )
    if answer.status == 200:
        assert answer.data == b""
    return int(answer.status)


def newest(slack: Workspace, user: str) -> Shown:
    """Return the newest message in somebody's direct messages."""
    return slack.messages(user)[-1]


def label(message: Shown, beginning: str) -> str:
    """Return the whole of a button's words."""
    return next(words for words in message.buttons if words.startswith(beginning))


@pytest.fixture(scope="module")
def ada(slack: Workspace) -> str:
    """Give Ada an account in Slack; return her id there."""
    return slack.add_user("ada@example.com")


def test_a_stack_is_kept_in_slack_and_later_deleted(
    account: Account, three: Stage, slack: Workspace, ada: str
) -> None:
    """Sweep, message, button, extension, message updated; let go; deleted, and it says so."""
    tags = {"team-three": "x", "janitor:ttl": "40h", "janitor:owner": "ada@example.com"}
    stack = account.create_stack("feat-in-slack", tags)
    three.sweep()
    three.sweep()
    message = newest(slack, ada)
    assert "feat-in-slack" in message.words
    before = three.lease(stack)
    button = label(message, "Keep 1 day")
    chosen = message.buttons[button]["value"].split()[1]
    stranger = slack.add_user("eve@example.com")
    assert report(three, slack.press(message, button, stranger)) == 200
    until(lambda: slack.told(stranger))
    assert "only an owner of feat-in-slack" in slack.told(stranger)[0]
    assert three.lease(stack) == before

    assert report(three, slack.press(message, button, ada)) == 200
    after = three.lease(stack)
    assert datetime.fromisoformat(after["expires_at"]) == datetime.fromisoformat(chosen)
    gained = datetime.fromisoformat(after["expires_at"]) - datetime.fromisoformat(
        before["expires_at"]
    )
    assert gained.days == 1
    until(lambda: slack.thread(message))
    assert "Kept: it now ends" in message.words
    assert message.buttons == {}
    assert f"{ada} (ada@example.com) kept feat-in-slack until" in slack.thread(message)[0]
    until(lambda: any("is kept until" in told for told in slack.told(ada)))
    assert "lease.extended" in three.actions(stack)

    reminded_again(account, three, stack, slack, ada)
    message = newest(slack, ada)
    assert report(three, slack.press(message, label(message, "Let feat-in-slack go"), ada)) == 200
    until(lambda: "Its owner has let it go" in message.words)
    three.sweep()
    assert three.state(stack) == "marked"
    final = until(lambda: newest(slack, ada) if newest(slack, ada) is not message else None)
    assert "It will be deleted, at the earliest on" in final.words
    three.sweep()
    until(lambda: account.status(stack) == "DELETE_COMPLETE")
    three.sweep()
    assert three.state(stack) == "deleted"
    until(lambda: "It has been deleted" in newest(slack, ada).words)
    assert slack.pings() == []
    verify(three)


def reminded_again(account: Account, three: Stage, stack: str, slack: Workspace, ada: str) -> None:
    """Let reminders come earlier, so that the next one is due now."""
    (rule,) = SLACK_POLICY["rules"]
    three.set_policy(**{**SLACK_POLICY, "rules": [{**rule, "reminders": ["90h"]}]})
    count = len(slack.messages(ada))
    three.sweep()
    until(lambda: len(slack.messages(ada)) == count + 1)


def test_nothing_that_slack_did_not_sign_extends_anything(
    account: Account, three: Stage, slack: Workspace, ada: str
) -> None:
    """Unsigned, old, by another secret, changed on its way; and a replay does nothing twice."""
    tags = {"team-three": "x", "janitor:ttl": "40h", "janitor:owner": "ada@example.com"}
    stack = account.create_stack("feat-guarded", tags)
    three.sweep()
    three.sweep()
    message = newest(slack, ada)
    button = message.buttons[label(message, "Keep 1 day")]
    payload = slack.payload(message, button, ada)
    body, headers = slack.report(payload)
    before = three.lease(stack)
    for sent in (
        (body, {"Content-Type": "application/x-www-form-urlencoded"}),
        slack.report(payload, time.time() - 400),
        slack.report(payload, secret="f" * 32),
        (body + b"&x=1", headers),
    ):
        assert report(three, sent) == 401
    assert three.lease(stack) == before
    assert report(three, (body, headers)) == 200
    after = three.lease(stack)
    assert after["generation"] == 2
    assert report(three, (body, headers)) == 200
    assert three.lease(stack) == after


def test_who_is_at_slacks_limit_waits_and_is_told(
    account: Account, three: Stage, slack: Workspace, ada: str
) -> None:
    """The message goes back for as long as Slack says, and not for the queue's six minutes."""
    slack.limit("chat.postMessage", 2)
    tags = {"team-three": "x", "janitor:ttl": "40h", "janitor:owner": "ada@example.com"}
    account.create_stack("feat-limited", tags)
    three.sweep()
    three.sweep()
    until(lambda: "feat-limited" in newest(slack, ada).words)
    assert three.new_errors() != []  # it is logged; the metric of failures leaves it out


def test_a_revoked_token_sends_everything_by_the_topic(
    account: Account, three: Stage, inboxes: dict[str, Inbox], slack: Workspace, ada: str
) -> None:
    """Operators are told in the owner's place, and the owner's own subscription gets a copy."""
    inboxes["three"].read()
    tags = {"team-three": "x", "janitor:expires": PAST, "janitor:owner": "ada@example.com"}
    stack = account.create_stack("feat-revoked", tags)
    three.sweep()
    count = len(slack.messages())
    slack.token = "xoxb-another"
    try:
        three.sweep()
        until(lambda: "notice.delivered" in three.actions(stack))
        assert three.invoke("Check")["reason"].startswith(
            "Slack refuses the janitor (invalid_auth)"
        )
    finally:
        slack.token = "xoxb-1-2-fake"
    notices = {
        n["MessageAttributes"]["owner"]["Value"]: n["Message"] for n in inboxes["three"].read()
    }
    assert "feat-revoked" in notices["ada@example.com"]
    told = " ".join(notices["operators"].split())
    assert "who cannot be reached (Slack refuses the janitor (invalid_auth)" in told
    assert len(slack.messages()) == count
    assert three.invoke("Check") == {"fine": True, "reason": ""}


def test_each_of_slacks_secrets_is_read_by_one_function(
    account: Account, three: Stage, slack_secrets: dict[str, str]
) -> None:
    """The door that strangers reach has no token, and who has the token signs nothing."""

    def may_read(function: str, parameter: str) -> bool:
        secrets = account.client("secretsmanager", credentials_of(account, three, function))
        try:
            return bool(secrets.get_secret_value(SecretId=slack_secrets[parameter])["SecretString"])
        except ClientError as error:
            if error.response["Error"]["Code"] in DENIED:
                return False
            raise

    functions = ("Sweep", "Notify", "Delete", "Track", "Api", "Check")
    for parameter, readers in (
        ("SlackSecretArn", {"Notify", "Check"}),
        ("SlackSigningSecretArn", {"Api", "Check"}),
    ):
        assert {f for f in functions if may_read(f, parameter)} == readers


def test_a_stage_without_slack_has_no_such_door(one: Stage, slack: Workspace) -> None:
    """Whatever is sent there."""
    assert report(one, slack.report({"type": "block_actions"})) == 404


def test_no_log_line_has_a_secret_or_a_token(three: Stage, slack: Workspace) -> None:
    """After all that, failures included."""
    log = "\n".join(three.log())
    assert "Slack takes no more just now" in log
    tokens = {
        button["value"].split()[0]
        for message in slack.messages()
        for button in message.buttons.values()
        if "value" in button
    }
    assert tokens
    for secret in (slack.token, slack.signing_secret, *tokens):
        assert secret not in log
        assert base64.b64encode(secret.encode()).decode() not in log
    assert json.dumps(slack.signing_secret) not in log
