"""Ordinary loads and disasters on the default policy, over HTTP: the stories of the fakes again."""

import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.application.ordinary import POLICY, Account, Made

from janitor.adapters.aws.cloudformation import CloudFormation
from janitor.adapters.aws.dynamodb.ledger import DynamoLedger
from janitor.adapters.aws.dynamodb.schema import create_tables
from janitor.application.ports import PLAIN
from janitor.domain.deletion.strategy import Step
from janitor.domain.model import STATE_TAG, Stack

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
TEMPLATE = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})
EVERY = 4
FEATURES = """
mode: enforce
operators: {{channel: '#janitor'}}
rules:
- {{name: features, select: {{name: 'feat-*'}}, ttl: {ttl}}}
"""
OWNED = {"janitor:owner": "ana@example.com"}


class Stacks:
    """CloudFormation over HTTP, with the hands of people, that shows the judge what it is asked."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.real = CloudFormation(lambda _: client)
        self.account: Account
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        """Return what CloudFormation itself does."""
        return getattr(self.real, name)

    # What the janitor does.

    def delete(self, stack_id: str, token: str, step: Step = PLAIN) -> str:
        """Look, then delete."""
        self.account.look_at_deletion(self.account.made[stack_id])
        self.asked.append(stack_id)
        return self.real.delete(stack_id, token, step)

    def tag(self, stack: Stack, put: Mapping[str, str], *rest: Any, **more: Any) -> Any:
        """Look, then tag."""
        if STATE_TAG in put:
            self.account.look_at_mark(self.account.made[stack.stack_id])
        updated = self.real.tag(stack, put, *rest, **more)
        self._rest()
        return updated

    # What people do.

    def create(self, name: str, region: str, tags: Mapping[str, str]) -> Stack:
        """Deploy a stack."""
        answer = self.client.create_stack(
            StackName=name, TemplateBody=TEMPLATE, Tags=_pairs(tags), Capabilities=[]
        )
        return self.stacks[str(answer["StackId"])]

    def redeploy(self, stack_id: str, tags: Mapping[str, str]) -> None:
        """Deploy a stack again; these tags replace all there were."""
        self.client.update_stack(StackName=stack_id, UsePreviousTemplate=True, Tags=_pairs(tags))
        self._rest()

    def settle(self) -> list[str]:
        """Wait for what was asked to go; return the ids of that."""
        self._rest()
        asked, self.asked = self.asked, []
        return asked

    @property
    def stacks(self) -> "Stacks":
        """Be the mapping from ids to stacks, too."""
        return self

    def __getitem__(self, stack_id: str) -> Stack:
        """Return a stack, a deleted one too."""
        stack = self.real.describe(stack_id)
        assert stack is not None
        return stack

    def _rest(self) -> None:
        """Wait until nothing is under way."""
        end = time.monotonic() + 20
        while any(
            one["StackStatus"].endswith("_IN_PROGRESS")
            for one in self.client.describe_stacks()["Stacks"]
        ):
            if time.monotonic() > end:
                raise TimeoutError
            time.sleep(0.02)


def _pairs(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


@pytest.fixture
def account(connect: Callable[..., Any]) -> Callable[..., Account]:
    """Return a function that begins an account under a policy, at the next full hour.

    CloudFormation's clock is the real one, and so the account's begins there.
    """

    def begin(policy: str = POLICY) -> Account:
        tables = connect("ministack", "dynamodb")
        create_tables(tables, "leases", "journal")
        stacks = Stacks(connect("ministack", "cloudformation"))
        start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + HOUR
        ledger = DynamoLedger(tables, "leases", "journal")
        stacks.account = Account(policy, start=start, stacks=stacks, ledger=ledger)
        return stacks.account

    return begin


def want(account: Account, name: str, days: float) -> Made:
    """Deploy a stack that is wanted for so many days."""
    due = account.now + days * DAY
    tags = {**OWNED, "janitor:expires": f"{due:%Y-%m-%dT%H:%M:%SZ}"}
    return account.make(name, tags, due=due)


def run(account: Account, days: float) -> None:
    """Let days pass, with a sweep every four hours: two of them in the window of a day."""
    account.run(days, every=EVERY, daytime=range(0))


def assert_in_time(account: Account, least: int) -> None:
    """See that nothing stays too long and nothing goes too early."""
    assert account.wrong == []
    assert account.early == []
    assert account.late == []
    assert len(account.gone()) >= least, account.share


def test_5_stacks_of_one_day_each_made_together_all_go(account: Callable[..., Account]) -> None:
    """All that there is falls due at once."""
    world = account()
    for number in range(5):
        want(world, f"feat-{number}", 1)
    run(world, 7)
    assert_in_time(world, least=5)


def test_3_a_day_wanted_3_days_all_go_in_time(account: Callable[..., Account]) -> None:
    """Day after day."""
    world = account()
    for day in range(4):
        for number in range(3):
            want(world, f"feat-{day}-{number}", 3)
        run(world, 1)
    run(world, 8)
    assert_in_time(world, least=12)


def features(account: Callable[..., Account]) -> Account:
    """Return an account of ten stacks under a rule of five days."""
    world = account(FEATURES.format(ttl="5d"))
    for number in range(10):
        made = world.make(f"feat-{number}", OWNED, due=None)
        made.due = world.stacks.stacks[made.stack_id].created + 5 * DAY
    run(world, 1)
    return world


def test_a_ttl_edited_to_minutes_waits_for_an_operator(account: Callable[..., Account]) -> None:
    """And then exactly that goes: with mark, notice and full grace."""
    world = features(account)
    world.set_policy(FEATURES.format(ttl="30m"))
    run(world, 2)
    assert len(world.held) == 10
    assert not world.gone()
    world.accept()
    run(world, 6)
    assert_in_time(world, least=10)
    assert not world.held


def test_a_ttl_that_is_put_back_is_as_if_it_had_not_been(
    account: Callable[..., Account],
) -> None:
    """Without an operator."""
    world = features(account)
    world.set_policy(FEATURES.format(ttl="30m"))
    run(world, 1)
    world.set_policy(FEATURES.format(ttl="5d"))
    run(world, 1)
    assert not world.held
    run(world, 8)
    assert_in_time(world, least=10)


def test_what_a_script_sets_to_yesterday_waits_for_an_operator(
    account: Callable[..., Account],
) -> None:
    """The others live and go as ever."""
    world = account()
    made = [want(world, f"feat-{number}", 6) for number in range(12)]
    run(world, 1)
    for one in made[:9]:
        world.retag(one, expires=f"{world.now - DAY:%Y-%m-%dT%H:%M:%SZ}")
    run(world, 2)
    assert world.held == {one.stack_id for one in made[:9]}
    assert not world.gone()
    world.accept()
    run(world, 2.5)
    assert set(world.standing) >= {one.stack_id for one in made[9:]}
    run(world, 7)
    assert_in_time(world, least=12)
