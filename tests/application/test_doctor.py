"""What a doctor says of a deployed copy."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from janitor.application.operations.doctor import examine
from janitor.domain.errors import ConfigurationError, JanitorError
from janitor.domain.model import Audience, Subscription
from janitor.domain.notification.topic_reach import UNCONFIRMED

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
TOPIC = "arn:aws:sns:eu-central-1:123456789012:notices"
OUTPUTS = {
    "StackStatus": "UPDATE_COMPLETE",
    "Stage": "dev",
    "NoticesTopicArn": TOPIC,
    "CheckFunctionName": "check",
    "NoticeDeadLetterQueueUrl": "n",
    "DeletionDeadLetterQueueUrl": "d",
}


@dataclass
class FakeCopy:
    """A deployed copy that answers what a test wants."""

    stack: Mapping[str, str] = field(default_factory=lambda: OUTPUTS)
    name: str = "janitor-dev"
    subscribed: tuple[int, int] = (1, 0)
    filter: str = ""
    states: Mapping[str, str] = field(default_factory=lambda: {"hourly": "ENABLED"})
    dead: Mapping[str, int] = field(default_factory=lambda: {"n": 0, "d": 0})
    problem: str = ""
    swept: datetime | None = NOW - timedelta(hours=1)

    def outputs(self) -> Mapping[str, str]:
        """Answer the outputs."""
        return self.stack

    def audience(self, topic: str, now: datetime) -> Audience:
        """Answer so many who hear everything their filter lets through, or wait for that."""
        count, pending = self.subscribed
        several = [
            Subscription(str(number), "email", self.filter, UNCONFIRMED * (number < pending))
            for number in range(count)
        ]
        return Audience(topic, now, tuple(several))

    def schedules(self) -> Mapping[str, str]:
        """Answer the schedules."""
        return self.states

    def waiting(self, queue_url: str) -> int:
        """Answer how many are dead."""
        return self.dead[queue_url]

    def checked(self, function: str) -> str:
        """Answer what is wrong."""
        if self.problem == "denied":
            raise JanitorError("invoking check failed: not allowed")
        return self.problem

    def last_sweep(self, stage: str, now: datetime) -> datetime | None:
        """Answer the last sweep."""
        assert (stage, now) == ("dev", NOW)
        return self.swept


def wrong(copy: FakeCopy) -> list[tuple[str, str]]:
    """Return what is not fine."""
    return [(e.what, e.seen) for e in examine(copy, NOW) if not e.fine]


def test_a_copy_that_works_is_fine_in_every_respect() -> None:
    """Seven things are looked at, and each says what was seen."""
    assert [(e.what, e.fine, e.seen) for e in examine(FakeCopy(), NOW)] == [
        ("stack", True, "UPDATE_COMPLETE"),
        ("settings", True, "policy, mode, secrets and a dry sweep are fine"),
        ("schedule", True, "hourly enabled"),
        ("last sweep", True, "completed 1 hour ago"),
        ("subscriptions", True, "1 subscriptions, 0 not confirmed"),
        ("dead letters", True, "0 messages that nobody could work off"),
        ("owners", True, "every owner is heard: a subscription lets all of them through"),
    ]


def test_each_thing_that_is_wrong_is_named_and_hides_no_other() -> None:
    """All at once, as after a first try on a bad day."""
    copy = FakeCopy(
        stack={**OUTPUTS, "StackStatus": "UPDATE_ROLLBACK_COMPLETE"},
        subscribed=(2, 1),
        states={"hourly": "DISABLED"},
        dead={"n": 2, "d": 1},
        problem="denied",
        swept=None,
    )
    assert wrong(copy) == [
        ("stack", "UPDATE_ROLLBACK_COMPLETE"),
        ("settings", "invoking check failed: not allowed"),
        ("schedule", "hourly disabled"),
        ("last sweep", "none lately"),
        ("subscriptions", "2 subscriptions, 1 not confirmed"),
        ("dead letters", "3 messages that nobody could work off"),
    ]


def test_a_fresh_copy_need_not_have_swept_nor_have_subscribers() -> None:
    """Else no deployment could be looked at right after it was made."""
    found = list(examine(FakeCopy(subscribed=(0, 0), swept=None), NOW, fresh=True))
    assert [e.what for e in found] == ["stack", "settings", "schedule", "dead letters", "owners"]
    assert all(e.fine for e in found)
    assert found[-1].seen.startswith("owners have no channel yet: what is for them goes to the op")


def test_nobody_to_tell_is_wrong() -> None:
    """A topic without subscriptions takes every notice and tells no one."""
    first, (what, seen) = wrong(FakeCopy(subscribed=(0, 0)))
    assert first == ("subscriptions", "nobody subscribes to notices")
    assert (what, seen.startswith("owners have no channel yet")) == ("owners", True)


@pytest.mark.parametrize(
    "policy, slack, fine",
    [
        ('{"owner": ["operators"]}', "none", False),
        ('{"owner": ["operators"]}', "arn:aws:secretsmanager:eu-central-1:1:secret:s", True),
        ('{"owner": ["ana@example.com"]}', "none", True),
        ('{"owner": [{"suffix": "@example.com"}]}', "none", True),
        ('{"owner": [{"regex": ".*"}]}', "none", False),
        ("", "none", True),
    ],
)
def test_owners_without_a_channel_are_said_with_the_command_that_gives_them_one(
    policy: str, slack: str, fine: bool
) -> None:
    """As deployed with nothing but `OpsEmail`; a shared mailbox is enough."""
    copy = FakeCopy(stack={**OUTPUTS, "SlackSecretArn": slack}, filter=policy)
    assert [what for what, _ in wrong(copy)] == ["owners"] * (not fine)
    if not fine:
        ((_, seen),) = wrong(copy)
        command = f"aws sns subscribe --region eu-central-1 --topic-arn {TOPIC} --protocol email"
        assert command in seen


def test_a_stack_that_is_no_janitor_is_told_apart() -> None:
    """Somebody mistyped the name, and hit another stack, or the first deployment failed.

    Fails without the look at the outputs: there were no dead letters, and that was fine.
    """
    text = "the stack janitor-dev is no deployed janitor; its status is ROLLBACK_COMPLETE"
    with pytest.raises(ConfigurationError, match=text):
        wrong(FakeCopy(stack={"StackStatus": "ROLLBACK_COMPLETE"}))


def test_a_copy_of_a_former_version_is_looked_at_as_far_as_it_goes() -> None:
    """An output that it lacks is named."""
    former = {name: value for name, value in OUTPUTS.items() if name != "NoticesTopicArn"}
    why = "the stack has no output 'NoticesTopicArn': deploy it anew"
    assert wrong(FakeCopy(stack=former)) == [("subscriptions", why), ("owners", why)]
