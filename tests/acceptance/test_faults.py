"""What goes wrong in the deployed parts: the life still ends right."""

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

import pytest
from tests.acceptance.conftest import verify
from tests.acceptance.deployed import PAST, Account, Inbox, Stage, records, until


def told(account: Account, one: Stage, *names: str) -> list[str]:
    """Let stacks come so far that only the deletion is missing."""
    tags = {"team-one": "x", "janitor:expires": PAST, "janitor:owner": "ada@example.com"}
    stacks = [account.create_stack(name, tags) for name in names]
    one.set_mode("notify")
    one.sweep()
    one.sweep()
    for stack in stacks:
        until(lambda stack=stack: "notice.delivered" in one.actions(stack))  # type: ignore[misc]
    one.set_mode("enforce")
    return stacks


def test_deletions_that_come_twice_and_out_of_order_happen_once(
    account: Account, one: Stage
) -> None:
    """SQS promises no more than at least once."""
    stacks = told(account, one, "feat-twice-a", "feat-twice-b")
    a, b = ({"stack_id": s, "decided_at": datetime.now(UTC).isoformat()} for s in stacks)
    one.invoke("Delete", records(one, "Deletion", b, a, b, a))
    for number, body in enumerate((a, b, b, a)):
        one.send("Deletion", json.dumps(body), f"again-{number}")
    until(one.quiet)
    one.sweep()
    for stack in stacks:
        until(lambda stack=stack: account.status(stack) == "DELETE_COMPLETE")  # type: ignore[misc]
        assert one.actions(stack).count("deletion.intended") == 1
    one.sweep()
    assert [one.state(stack) for stack in stacks] == ["deleted", "deleted"]


def test_a_notice_that_comes_twice_is_sent_once(account: Account, one: Stage, inbox: Inbox) -> None:
    """The lease knows what was delivered."""
    (stack,) = told(account, one, "feat-told-twice")
    one.set_mode("notify")
    sent = len([n for n in inbox.read() if "feat-told-twice" in n["Message"]])
    request = {
        "contact": {"kind": "email", "address": "ada@example.com"},
        "items": [
            {"stack_id": stack, "stage": "final", "deadline": one.lease(stack)["expires_at"]}
        ],
    }
    one.invoke("Notify", records(one, "Notice", request, request))
    assert sent == 1
    assert not [n for n in inbox.read() if "feat-told-twice" in n["Message"]]


def test_a_poisoned_message_ends_in_the_dead_letters_and_stops_nobody(
    account: Account, one: Stage, inbox: Inbox
) -> None:
    """Five tries, and the digests of everybody else go out meanwhile."""
    sqs = account.client("sqs")
    url = one.outputs["NoticeQueueUrl"]
    before = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
    # So that the five tries take seconds and not half an hour.
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "1"})
    one.send("Notice", "{", "poison")
    tags = {"team-one": "x", "janitor:ttl": "40h", "janitor:owner": "eve@example.com"}
    account.create_stack("feat-beside", tags)
    one.invoke("Sweep")
    one.invoke("Sweep")
    until(lambda: any("feat-beside" in notice["Message"] for notice in inbox.read()))
    until(lambda: one.waiting("NoticeDeadLetter") == 1, seconds=60)
    (dead,) = sqs.receive_message(QueueUrl=one.outputs["NoticeDeadLetterQueueUrl"])["Messages"]
    assert dead["Body"] == "{"
    sqs.set_queue_attributes(QueueUrl=url, Attributes=before["Attributes"])


def test_a_sweep_that_is_killed_is_finished_by_the_next(account: Account, one: Stage) -> None:
    """The process goes by SIGKILL in the middle of its writes."""
    tags = {"team-one": "x", "janitor:ttl": "3d"}
    stacks = [account.create_stack(f"feat-killed-{number}", tags) for number in range(40)]

    one.invoke("Sweep", {"dry_run": True})  # so that there is a process, and it is known

    def sweep() -> None:
        with suppress(Exception):
            one.invoke("Sweep")

    processes = processes_of(one.outputs["SweepFunctionName"])
    sweeping = threading.Thread(target=sweep)
    sweeping.start()
    while not one.has_leases("feat-killed-") and sweeping.is_alive():
        pass
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    sweeping.join()
    done = sum(one.state(stack) == "active" for stack in stacks)
    assert done < len(stacks), "it was over before it was killed"
    one.sweep()
    assert {one.state(stack) for stack in stacks} == {"active"}
    assert {tuple(one.actions(stack)) for stack in stacks} == {("lease.opened",)}
    verify(one)


def processes_of(function: str) -> list[int]:
    """Return where the emulator runs a function; its name is nobody else's."""
    listed = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=", "-o", "command="],  # noqa: S607
        capture_output=True,
        text=True,
        check=True,
    )
    return [int(line.split()[0]) for line in listed.stdout.splitlines() if function in line]


@contextmanager
def dynamodb_gone(account: Account, stage: Stage, *functions: str) -> Iterator[None]:
    """Let DynamoDB refuse everything that these functions ask of it."""
    iam, roles = account.client("iam"), []
    statement = {"Effect": "Deny", "Action": "dynamodb:*", "Resource": "*"}
    for function in functions:
        name = stage.outputs[f"{function}FunctionName"]
        role = account.client("lambda").get_function_configuration(FunctionName=name)["Role"]
        roles.append(role.rpartition("/")[2])
        iam.put_role_policy(
            RoleName=roles[-1],
            PolicyName="outage",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        )
    try:
        yield
    finally:
        for role in roles:
            iam.delete_role_policy(RoleName=role, PolicyName="outage")


def test_work_that_met_a_dead_dynamodb_is_done_when_it_is_back(
    account: Account, one: Stage, inbox: Inbox
) -> None:
    """Messages go back to their queues and a sweep fails; nothing is lost and nothing deleted."""
    (stack,) = told(account, one, "feat-outage")
    inbox.read()
    sqs, url = account.client("sqs"), one.outputs["DeletionQueueUrl"]
    before = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "3"})
    with dynamodb_gone(account, one, "Sweep", "Delete"):
        with pytest.raises(RuntimeError, match="dynamodb"):
            one.invoke("Sweep")
        one.new_errors()
        body = {"stack_id": stack, "decided_at": datetime.now(UTC).isoformat()}
        one.send("Deletion", json.dumps(body), "outage")
        until(one.new_errors)
        assert "deletion.intended" not in one.actions(stack)
    until(lambda: account.status(stack) == "DELETE_COMPLETE")
    sqs.set_queue_attributes(QueueUrl=url, Attributes=before["Attributes"])
    one.sweep()
    assert one.state(stack) == "deleted"
    assert one.waiting("DeletionDeadLetter") == 0
