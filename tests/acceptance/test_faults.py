"""What goes wrong in the deployed parts: the life still ends right."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from tests.acceptance.conftest import verify
from tests.acceptance.deployed import (
    PAST,
    Account,
    Inbox,
    Stage,
    event,
    records,
    until,
)
from tests.acceptance.wire import Wire

WRITE = b"TransactWriteItems"


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
    account: Account, one: Stage, impatient: None
) -> None:
    """Five tries, and the digests and deletions of everybody else go on meanwhile."""
    (stack,) = told(account, one, "feat-beside")
    for queue in ("Notice", "Deletion"):
        one.send(queue, "{", f"poison-{queue}")
    one.invoke("Sweep")
    until(lambda: account.status(stack) == "DELETE_COMPLETE")
    one.invoke("Sweep")
    until(lambda: one.actions(stack)[-2:] == ["deletion.confirmed", "notice.delivered"])
    until(lambda: one.waiting("NoticeDeadLetter") == one.waiting("DeletionDeadLetter") == 1, 60)
    assert one.take_dead("Notice") == one.take_dead("Deletion") == ["{"]


@pytest.mark.parametrize("function", ["Sweep", "Track"])
def test_a_call_that_always_fails_ends_in_the_dead_letters(
    function: str, account: Account, one: Stage
) -> None:
    """Schedule and events call without waiting for an answer; what they asked for is kept."""
    call = {"poison": function}
    if function == "Sweep":
        one.set_policy(rules=3)
    functions, name = account.client("lambda"), one.outputs[f"{function}FunctionName"]
    # The template sets it for the alias, and the emulator looks at what is set for no alias.
    kept = functions.get_function_event_invoke_config(FunctionName=name, Qualifier="live")
    functions.put_function_event_invoke_config(
        FunctionName=name,
        MaximumRetryAttempts=kept["MaximumRetryAttempts"],
        DestinationConfig=kept["DestinationConfig"],
    )
    functions.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps(call).encode())
    until(lambda: one.waiting(f"{function}DeadLetter") == 1, seconds=60)
    (dead,) = one.take_dead(function)
    assert json.loads(dead)["requestPayload"] == call


def test_a_sweep_that_is_killed_is_finished_by_the_next(
    account: Account, one: Stage, wire: Wire
) -> None:
    """The process goes by SIGKILL in the middle of its writes, many of which go together."""
    tags = {"team-one": "x", "janitor:ttl": "3d"}
    stacks = [account.create_stack(f"feat-killed-{number}", tags) for number in range(60)]

    def sweep() -> None:
        with suppress(Exception):
            one.invoke("Sweep")

    with wire.stopping_at(WRITE, passes=3):
        sweeping = threading.Thread(target=sweep)
        sweeping.start()
        assert wire.stopped.wait(30)
        kill(one, "Sweep")
        sweeping.join()
    done = sum(one.state(stack) == "active" for stack in stacks)
    assert 0 < done < len(stacks)
    one.sweep()
    assert {one.state(stack) for stack in stacks} == {"active"}
    assert {tuple(one.actions(stack)) for stack in stacks} == {("lease.opened",)}
    verify(one)


def processes_of(function: str) -> list[int]:
    """Return where our emulator runs a function; another worker's has one of the same name."""
    listed = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=", "-o", "ppid=", "-o", "command="],  # noqa: S607
        capture_output=True,
        text=True,
        check=True,
    )
    parents, commands = {}, {}
    for line in listed.stdout.splitlines():
        pid, parent, command = line.split(maxsplit=2)
        parents[int(pid)], commands[int(pid)] = int(parent), command

    def is_ours(pid: int) -> bool:
        return pid == os.getpid() or (pid in parents and is_ours(parents[pid]))

    return [pid for pid, command in commands.items() if function in command and is_ours(pid)]


@pytest.fixture
def impatient(account: Account, one: Stage, request: pytest.FixtureRequest) -> Iterator[None]:
    """Let messages that failed come back after a moment, so that minutes take seconds."""
    seconds = str(getattr(request, "param", 1))
    sqs, before = account.client("sqs"), {}
    for queue in ("Notice", "Deletion"):
        url = one.outputs[f"{queue}QueueUrl"]
        before[url] = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": seconds})
    yield
    for url, answer in before.items():
        sqs.set_queue_attributes(QueueUrl=url, Attributes=answer["Attributes"])


def kill(one: Stage, function: str) -> None:
    """Kill every process of a function, as nothing can catch."""
    found = processes_of(one.outputs[f"{function}FunctionName"])
    assert found
    for process in found:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def test_a_delete_that_is_killed_after_its_intent_is_finished(
    account: Account, one: Stage, wire: Wire, impatient: None
) -> None:
    """CloudFormation has been asked and nobody wrote it down: it is asked no second time."""
    (stack,) = told(account, one, "feat-killed-delete")
    with wire.stopping_at(WRITE, passes=1):
        body = {"stack_id": stack, "decided_at": datetime.now(UTC).isoformat()}
        one.send("Deletion", json.dumps(body), "killed-delete")
        assert wire.stopped.wait(30)
        kill(one, "Delete")
    until(lambda: account.status(stack) == "DELETE_COMPLETE")
    assert one.actions(stack).count("deletion.intended") == 1
    assert "deletion.started" not in one.actions(stack)
    until(one.quiet)
    until(lambda: one.sweep() and one.state(stack) == "deleted")
    assert one.waiting("DeletionDeadLetter") == 0
    verify(one)


def test_a_notify_that_is_killed_after_sending_sends_again_and_records(
    account: Account, one: Stage, inbox: Inbox, wire: Wire, impatient: None
) -> None:
    """Twice is the price; never would be the end of a stack that nobody was told of."""
    tags = {"team-one": "x", "janitor:expires": PAST, "janitor:owner": "ada@example.com"}
    stack = account.create_stack("feat-killed-notify", tags)
    one.set_mode("notify")
    one.sweep()
    notices = []
    with wire.stopping_at(b"notice.delivered"):
        one.invoke("Sweep")
        assert wire.stopped.wait(30)
        kill(one, "Notify")
        notices += inbox.read()
        assert "notice.delivered" not in one.actions(stack)
    until(lambda: "notice.delivered" in one.actions(stack), seconds=60)
    notices += inbox.read()
    assert len([n for n in notices if "feat-killed-notify" in n["Message"]]) == 2
    assert one.actions(stack).count("notice.delivered") == 1
    assert one.waiting("NoticeDeadLetter") == 0
    verify(one)


def test_a_track_that_is_killed_leaves_the_end_to_the_sweep(
    account: Account, one: Stage, wire: Wire
) -> None:
    """No second event comes; and the end is written once."""
    (stack,) = told(account, one, "feat-killed-track")
    one.sweep()
    until(lambda: account.status(stack) == "DELETE_COMPLETE")

    def track() -> None:
        with suppress(Exception):
            one.invoke("Track", {**event("track"), "detail": {"stack-id": stack}})

    with wire.stopping_at(WRITE):
        tracking = threading.Thread(target=track)
        tracking.start()
        assert wire.stopped.wait(30)
        kill(one, "Track")
        tracking.join()
    assert one.state(stack) == "deleting"
    one.sweep()
    assert one.state(stack) == "deleted"
    assert one.actions(stack).count("deletion.confirmed") == 1
    verify(one)


@pytest.mark.parametrize("impatient", [15], indirect=True)
def test_work_that_met_a_dead_dynamodb_is_done_when_it_is_back(
    account: Account, one: Stage, wire: Wire, impatient: None
) -> None:
    """It is dead for a minute, in which every function gives up all its tries.

    Messages go back to their queues, a sweep fails, and nothing is deleted.
    """
    (stack,) = told(account, one, "feat-outage")
    tags = {"team-one": "x", "janitor:expires": PAST, "janitor:owner": "eve@example.com"}
    late = account.create_stack("feat-outage-late", tags)
    notice = {
        "contact": {"kind": "email", "address": "eve@example.com"},
        "items": [{"stack_id": late, "stage": "final", "deadline": one.lease(stack)["expires_at"]}],
    }
    before = {function: one.failures(function) for function in ("Delete", "Notify")}
    began = time.monotonic()
    with wire.cut(), ThreadPoolExecutor() as pool:
        deletion = {"stack_id": stack, "decided_at": datetime.now(UTC).isoformat()}
        one.send("Deletion", json.dumps(deletion), "outage")
        one.send("Notice", json.dumps(notice), "outage")
        sweeping = pool.submit(one.invoke, "Sweep")
        for function, count in before.items():
            until(lambda f=function, n=count: one.failures(f) > n, seconds=120)  # type: ignore[misc]
        with pytest.raises(RuntimeError, match="LeaseTable"):
            sweeping.result()
        assert "deletion.intended" not in one.actions(stack)
        assert one.state(late) == "none"
        time.sleep(max(0, began + 60 - time.monotonic()))
    for forgotten in (stack, late):
        until(lambda f=forgotten: one.invoke("Sweep") and one.state(f) == "deleted", 90)  # type: ignore[misc]
    until(one.quiet)
    assert one.waiting("DeletionDeadLetter") == one.waiting("NoticeDeadLetter") == 0
    verify(one)
