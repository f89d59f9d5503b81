"""Two thousand stacks of two hundred owners due at once, by way of a Slack with its limits."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from msgspec.structs import replace
from slack_sdk import WebClient
from tests.application.stories import DAY, HERE, POLICY, THERE, Story
from tests.fakes.memory import MemoryChannel
from tests.slack_server import TOKEN, Reply, Workspace, slack_server

from janitor.adapters.channel_router import Routes
from janitor.adapters.slack.channel import SlackChannel
from janitor.application.notification.dispatch import tell
from janitor.domain.model import Status
from janitor.domain.notification.messages import Telling

STACKS_EACH = 10
MOST_RECEIVES = 10
"""As template.yaml has it for the queue of notices."""
VISIBILITY = 360.0
GONE = {3, 7, 11}
"""Owners whom Slack does not know."""


@dataclass
class Waiting:
    """A message in the queue."""

    request: Telling
    at: float = 0.0
    received: int = 0


class Office:
    """The account, Slack, and a queue that works as SQS does; time passes only between them."""

    def __init__(self, slack: Workspace, owners: int) -> None:
        self.slack = slack
        self.owners = owners
        self.seconds = 0.0
        slack.clock = lambda: self.seconds
        self.story = Story(
            POLICY + "defaults: {fallback_contact: '#dev'}\noperators: {channel: '#ops'}\n"
        )
        client = WebClient(base_url=slack.url, timeout=5, retry_handlers=[])
        channel = SlackChannel(client, lambda: TOKEN, lambda: self.seconds)
        self.topic = MemoryChannel("sns")
        self.channel = Routes(channel, self.topic, self.story.policies)
        self.late: Counter[str] = Counter()
        self._deploy()

    def _deploy(self) -> None:
        """Deploy the stacks and let them come to their end; most owners are known in Slack."""
        self.slack.add_channel("dev")
        self.slack.add_channel("ops")
        for owner in range(self.owners):
            address = f"owner-{owner}@example.com"
            if owner not in GONE:
                self.slack.add_user(address)
            for number in range(STACKS_EACH):
                tags = {"janitor:ttl": "3d", "janitor:owner": address}
                region = HERE if number % 2 else THERE
                self.story.deploy(f"feat-{owner}-{number}", tags, region=region)
        self.story.look()
        self.story.now += 3 * DAY

    def queued(self) -> list[Waiting]:
        """Sweep, and return what that put into the queue."""
        self.story.look()
        return [Waiting(request) for request in self.story.janitor.queue.take_notices()]

    def work_off(self, queue: list[Waiting]) -> None:
        """Take message after message as each becomes visible, until none is left."""
        while queue:
            message = min(queue, key=lambda one: one.at)
            self.seconds = max(self.seconds, message.at)
            message.received += 1
            assert message.received <= MOST_RECEIVES, "it would lie with the dead letters"
            outcome, *_ = tell(
                message.request,
                clock=lambda: self.story.now,
                policies=self.story.policies,
                ledger=self.story.ledger,
                channel=self.channel,
                links=self.story.janitor.links,
            )
            if outcome.status is not Status.FAILED:
                queue.remove(message)
                continue
            self.late[message.request.contact.address] += 1
            message.at = self.seconds + (outcome.retry_after or VISIBILITY)


@pytest.fixture
def office(request: pytest.FixtureRequest) -> Iterator[Office]:
    """Return an office with a few owners, or as many as the test asks for."""
    with slack_server() as slack:
        yield Office(slack, getattr(request, "param", 20))


@pytest.mark.parametrize("office", [200], indirect=True)
def test_two_hundred_owners_of_two_thousand_stacks_get_one_message_each(office: Office) -> None:
    """No limit is broken, nothing is lost, and nobody waits for what befalls another.

    Fails if MOST of slack/blocks.py is 9, since ten stacks are two messages then; and if
    `notify` gives back no `retry_after`, since the queue's six minutes are waited for then.
    """
    slack = office.slack
    slack.quotas = {"users.lookupByEmail": 50, "chat.postMessage": 120}
    queue = office.queued()
    assert len(queue) == office.owners
    office.work_off(queue)
    to_people = [one for one in slack.messages() if one.channel.startswith("D")]
    assert len(to_people) == len({one.channel for one in to_people}) == office.owners - len(GONE)
    assert set(slack.refused) == {"ratelimited", "users_not_found"}
    assert slack.pings() == []
    for message in to_people:
        assert message.words.count("It will be deleted, at the earliest on") == STACKS_EACH
        assert len(message.blocks) <= 50
    (dev,) = {one.channel for one in slack.messages() if "cannot be reached" in one.words} - {
        next(id_ for id_, known in slack.channels.items() if known["name"] == "ops")
    }
    assert len(slack.messages(dev)) == len(GONE)
    leases = office.story.ledger.open_records().leases
    assert len(leases) == office.owners * STACKS_EACH
    for lease in leases.values():
        stages = [notice.stage for notice in lease.notices]
        is_gone = lease.contacts[0].address in {f"owner-{number}@example.com" for number in GONE}
        assert stages == ["final", *(["unreachable"] * is_gone)]
    found = {lease.contacts[0].address: lease.notices[0].recipient for lease in leases.values()}
    accounts = {user["email"]: user["id"] for user in slack.users.values()}
    assert found == {**dict.fromkeys(found, ""), **accounts}
    assert office.seconds < 6 * 60
    assert office.queued() == []


def test_no_owner_waits_for_what_befalls_another(office: Office) -> None:
    """One whom Slack's server fails for is late; everybody else has been told by then."""
    slack = office.slack
    slack.reply("chat.postMessage", *[Reply(503, "no")] * 2)
    office.work_off(office.queued())
    assert [*office.late.values()] == [1, 1]
    rooms = {f"D{user['id'][1:]}": user["email"] for user in slack.users.values()}
    told = [rooms[one.channel] for one in slack.messages() if one.channel in rooms]
    assert sorted(told) == sorted(rooms.values())
    assert set(told[-2:]) == set(office.late)


def test_a_revoked_token_reaches_operators_and_every_owners_own_subscription(
    office: Office,
) -> None:
    """Slack takes nothing: two copies of each digest, and a delivery that is recorded as such.

    Fails if `Routes.send` returns what the topic said of the owner's copy: nobody need be
    subscribed to that.
    """
    office.slack.token = "xoxb-another"
    office.work_off(office.queued())
    sent = Counter(message.contact.kind.value for message in office.topic.sent)
    assert sent["email"] == sent["operators"] == office.owners
    assert office.slack.messages() == []
    leases = office.story.ledger.open_records().leases
    facts = {
        event.body["reason"]["facts"].get("fallback")
        for key in leases
        for event in office.story.ledger.chain(key)
        if event.action == "notice.delivered"
    }
    assert facts == {"operators"}
    words = next(
        " ".join(m.text.split()) for m in office.topic.sent if m.contact.kind.value == "operators"
    )
    assert "Slack refuses the janitor (invalid_auth): put the token of an installed app" in words


def test_a_token_put_right_again_sends_by_slack_at_once(office: Office) -> None:
    """What was delivered to operators meanwhile is not told again; the next notice is."""
    office.slack.token = "xoxb-another"
    office.work_off(office.queued())
    office.slack.token = TOKEN
    leases = office.story.ledger.open_records().leases
    (key,) = [key for key, lease in leases.items() if lease.name == "feat-5-0"]
    lease = office.story.extend(key)
    assert lease == replace(lease, notices=())
    office.story.look()  # takes the mark back
    office.work_off(office.queued())
    assert ["feat-5-0" in message.words for message in office.slack.messages()] == [True]
