"""Notices: one digest per owner, each stage once, delivery recorded stack by stack."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace
from tests.application.stories import DAY, HERE, HOUR, MONDAY, OWNED, POLICY, THERE, Story, failures
from tests.fakes.memory import MemoryChannel
from tests.fakes.stacks import MemoryStacks

from janitor.adapters.aws.sns import MAX_BYTES
from janitor.domain.errors import (
    DeliveryFailed,
    ExtensionRefused,
    JanitorError,
    TooLong,
    Undeliverable,
)
from janitor.domain.lease.owners import standing_of
from janitor.domain.model import OPERATORS, Contact, ContactKind, LeaseState, Mode, Status
from janitor.domain.notification.messages import (
    Message,
    NoticeItem,
    NoticeRequest,
    RevisionRequest,
    Sent,
    body_of,
)
from janitor.domain.notification.signed_links import Claims
from janitor.domain.planning.conditions import Kind, conditions
from janitor.domain.stack.resources import Count

ANA = Contact(ContactKind.EMAIL, "ana@example.com")
BO = Contact(ContactKind.EMAIL, "bo@example.com")
TEAM = Contact(ContactKind.SLACK_CHANNEL, "#team")
EXPIRES = MONDAY + 3 * DAY


def test_a_stack_is_told_at_each_stage_once() -> None:
    """However often it is swept: 48 hours ahead, 24 hours ahead, and at the deadline."""
    story = Story()
    story.deploy()
    for _ in range(4 * 24):
        story.sweep()
        story.wait(hours=1)
    assert story.subjects() == [
        "[janitor] feat expires in 2 days",
        "[janitor] feat expires in 1 day",
        "[janitor] feat will be deleted",
    ]


def test_a_stage_that_was_missed_is_not_sent_late() -> None:
    """The sweep stood still for two days: one notice, the one that applies."""
    story = Story()
    stack_id = story.deploy()
    story.sweep()
    story.wait(2, hours=12)
    story.sweep()
    assert story.subjects() == ["[janitor] feat expires in 12 hours"]
    assert [notice.stage for notice in story.lease(stack_id).notices] == ["24h"]


def test_one_owner_has_one_digest_over_all_regions() -> None:
    """Three stacks in two regions, one message; another owner has one of their own."""
    story = Story()
    story.deploy("one")
    story.deploy("two")
    story.deploy("three", region=THERE)
    story.deploy("four", {**OWNED, "janitor:owner": "bo@example.com"})
    story.sweep()
    story.wait(2)
    story.sweep()
    assert [(m.contact, m.subject, m.kinds, m.regions) for m in story.channel.sent] == [
        (ANA, "[janitor] one expires in 1 day, and 2 more", ("24h",), (HERE, THERE)),
        (BO, "[janitor] four expires in 1 day", ("24h",), (HERE,)),
    ]


def test_a_delivery_is_recorded_with_its_deadline_and_journalled() -> None:
    """On the stack that it spoke of."""
    story = Story()
    stack_id = story.deploy()
    story.sweep()
    story.wait(2)
    story.sweep()
    (notice,) = story.lease(stack_id).notices
    assert (notice.stage, notice.deadline, notice.contact) == ("24h", EXPIRES, ANA)
    assert (notice.delivered_at, notice.channel) == (story.now, "memory")
    assert story.reason(stack_id, "notice.delivered") == "24h notice delivered to ana@example.com"
    assert list(story.ledger.chain(stack_id))[-1].body["request_ids"] == ["memory-1"]


def test_the_date_in_a_final_notice_is_the_date_in_the_ledger() -> None:
    """What was promised is what will hold."""
    story = Story()
    stack_id = story.until_marked()
    assert story.lease(stack_id).delete_after == EXPIRES + DAY
    assert (
        "It will be deleted, at the earliest on Fri 5 Jun 2026 08:00 UTC (in 1 day)."
        in story.channel.sent[-1].text
    )


def test_a_late_final_notice_moves_the_date() -> None:
    """The grace counts from its delivery, and it says so."""
    story = Story()
    stack_id = story.deploy()
    story.sweep()
    story.channel.refuse(ANA, DeliveryFailed("throttled"))
    story.wait(3)
    story.sweep()
    story.wait(2)
    story.channel.accept(ANA)
    story.sweep()
    assert story.lease(stack_id).delete_after == EXPIRES + 3 * DAY
    assert "at the earliest on Sun 7 Jun 2026 08:00 UTC (in 1 day)." in story.channel.sent[-1].text
    story.wait(hours=23)
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.MARKED


def test_a_notice_that_failed_is_tried_again_by_the_next_sweep() -> None:
    """And is recorded only once it was taken."""
    story = Story()
    stack_id = story.deploy()
    story.sweep()
    story.wait(2)
    story.channel.refuse(ANA, DeliveryFailed("throttled"))
    assert failures(story.sweep()) == ["throttled"]
    assert story.lease(stack_id).notices == ()
    story.channel.accept(ANA)
    assert failures(story.sweep()) == []
    assert story.subjects() == ["[janitor] feat expires in 1 day"]


def test_one_owner_who_cannot_be_told_stops_nobody_elses_notice() -> None:
    """Each digest is on its own."""
    story = Story()
    story.deploy("one")
    story.deploy("two", {**OWNED, "janitor:owner": "bo@example.com"})
    story.sweep()
    story.wait(2)
    story.channel.refuse(ANA, DeliveryFailed("throttled"))
    story.sweep()
    assert [message.contact for message in story.channel.sent] == [BO]


def test_a_contact_that_can_never_be_reached_has_a_fallback() -> None:
    """Recorded as delivered to the owner, by way of the fallback; so the grace begins."""
    story = Story(POLICY + "defaults: {fallback_contact: '#team'}")
    stack_id = story.deploy()
    story.channel.refuse(ANA, Undeliverable("users_not_found"))
    story.sweep()
    story.wait(3)
    story.sweep()
    notice_, word = story.channel.sent
    assert (notice_.contact, word.contact) == (TEAM, OPERATORS)
    assert "of ana@example.com, who cannot be reached (users_not_found)." in notice_.words.greeting
    assert word.subject == "[janitor] ana@example.com cannot be reached"
    notice, named = story.lease(stack_id).notices
    assert (notice.stage, notice.contact) == ("final", ANA)
    assert (named.stage, named.contact, named.detail) == ("unreachable", OPERATORS, ANA.address)
    assert story.reason(stack_id, "notice.delivered") == "final notice delivered to #team"
    facts = list(story.ledger.chain(stack_id))[-1].body["reason"]["facts"]
    assert facts["fallback"] == "#team"


def test_each_stack_of_one_who_cannot_be_reached_has_the_fallback_of_its_own_rule() -> None:
    """Though all were due in one digest.

    Fails if a digest goes to the fallback of its first stack.
    """
    story = Story(
        POLICY
        + """
rules:
  - {name: a, select: {name: "a*"}, ttl: 3d, fallback_contact: "#a-team"}
  - {name: b, select: {name: "b*"}, ttl: 3d, fallback_contact: "#b-team"}
"""
    )
    ids = {name: story.deploy(name, {"owner": ANA.address}) for name in ("a-1", "b-1", "a-2")}
    story.channel.refuse(ANA, Undeliverable("users_not_found"))
    story.sweep()
    story.wait(3)
    story.sweep()
    for name, stack_id in ids.items():
        (told,) = [notice for notice in story.lease(stack_id).notices if notice.stage == "final"]
        assert told.instead == Contact(ContactKind.SLACK_CHANNEL, f"#{name[0]}-team")
    finals = [message.contact.address for message in story.channel.sent if "final" in message.kinds]
    assert sorted(finals) == ["#a-team", "#b-team"]


def test_without_a_fallback_the_operators_are_told() -> None:
    """Somebody always is, or nothing is deleted."""
    story = Story()
    story.channel.refuse(ANA, Undeliverable("users_not_found"))
    story.until_marked()
    assert [message.contact for message in story.channel.sent] == [OPERATORS]


def test_if_the_fallback_cannot_be_reached_nobody_was_told() -> None:
    """And so nothing is deleted, for as long as that lasts."""
    story = Story()
    story.channel.refuse(ANA, Undeliverable("users_not_found"))
    story.channel.refuse(OPERATORS, DeliveryFailed("down"))
    stack_id = story.until_marked()
    story.wait(20)
    story.sweep()
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.MARKED
    assert story.calls("delete") == []


def test_a_stack_that_nobody_owns_is_told_to_the_operators() -> None:
    """And stands for the longer grace."""
    story = Story()
    stack_id = story.until_marked(tags={"janitor:ttl": "3d"})
    assert story.channel.sent[-1].contact == OPERATORS
    assert story.lease(stack_id).delete_after == EXPIRES + 3 * DAY


def test_a_second_owner_who_comes_late_is_told_before_anything_goes() -> None:
    """The grace counts from the last of them."""
    story = Story()
    stack_id = story.until_marked()
    story.wait(hours=20)
    tags = {**story.stack(stack_id).tags, "janitor:owner": "ana@example.com bo@example.com"}
    story.stacks.redeploy(stack_id, tags)
    story.sweep()
    assert story.channel.sent[-1].contact == BO
    assert story.lease(stack_id).delete_after == EXPIRES + 20 * HOUR + DAY
    story.wait(hours=23)
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.MARKED
    story.wait(hours=1)
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.DELETING


def test_a_link_is_good_for_as_long_as_the_one_it_was_sent_to_is_an_owner() -> None:
    """Who leaves has no say, who comes is told, and who stays is not told again.

    Fails if `link_refusal` does not ask `is_replaced`, and if contacts move the generation.
    """
    story = Story()
    two = {**OWNED, "janitor:owner": "ana@example.com cy@example.com"}
    stack_id = story.deploy(tags=two)
    story.sweep()
    story.wait(1, hours=1)
    story.sweep()
    story.stacks.redeploy(stack_id, {**two, "janitor:owner": "bo@example.com cy@example.com"})
    story.wait(hours=1)
    story.sweep()
    cy = Contact(ContactKind.EMAIL, "cy@example.com")
    assert [message.contact for message in story.channel.sent] == [ANA, cy, BO]
    with pytest.raises(ExtensionRefused, match="feat belongs to bo@"):
        story.extend(stack_id, by=DAY, generation=1, sent_to=ANA)
    story.extend(stack_id, by=DAY, generation=1, sent_to=cy)
    story.extend(stack_id, by=DAY, generation=2, sent_to=BO)


def test_a_problem_is_told_once_and_told_again_when_it_is_another() -> None:
    """With an example of what would be right."""
    story = Story()
    stack_id = story.deploy(tags={**OWNED, "janitor:ttl": "3x"})
    for _ in range(5):
        story.sweep()
    assert [message.contact for message in story.channel.sent] == [ANA, OPERATORS]
    assert set(story.subjects()) == {
        "[janitor] feat is kept until its tag janitor:ttl is put right"
    }
    story.stacks.redeploy(stack_id, {**OWNED, "janitor:ttl": "soon"})
    for _ in range(3):
        story.sweep()
    assert len(story.channel.sent) == 4
    (entry,) = story.channel.sent[-1].words.entries
    assert entry.fate.endswith("'soon' is not a lifetime; for instance 90m, 36h, 3d or 2w.")


@pytest.mark.parametrize(
    "tags, policy, days",
    [
        ({**OWNED, "janitor:ttl": "3x"}, POLICY, 0),
        ({"janitor:ttl": "3d"}, POLICY + "defaults: {fallback_contact: '#team'}\n", 3),
    ],
)
def test_operators_are_told_even_if_only_their_copy_was_lost(
    tags: dict[str, str], policy: str, days: int
) -> None:
    """Of a lifetime that cannot be read, and of a final notice about a stack without an owner.

    Fails without what `standing_notices` in domain/notification/pending.py yields for operators alone.
    """
    story = Story(policy)
    story.deploy(tags=tags)
    story.sweep()
    story.channel.refuse(OPERATORS, DeliveryFailed("down"))
    story.wait(days)
    story.sweep()
    assert {message.contact for message in story.channel.sent} != set()
    story.channel.accept(OPERATORS)
    for _ in range(2):
        story.wait(hours=1)
        story.sweep()
    told = [message.kinds for message in story.channel.sent if message.contact == OPERATORS]
    assert told == [("final" if days else "problem",)]


def test_a_late_copy_for_operators_moves_no_date() -> None:
    """What they are told is the date of the notice before, and that is what holds.

    Fails without `is_of_date` in `_told` of application/notification/record_delivery.py.
    """
    story = Story(POLICY + "defaults: {fallback_contact: '#team'}\n")
    stack_id = story.deploy(tags={"janitor:ttl": "3d"})
    story.sweep()
    story.channel.refuse(OPERATORS, DeliveryFailed("down"))
    story.wait(3)
    story.sweep()
    story.channel.accept(OPERATORS)
    story.wait(3)
    story.sweep()
    assert story.channel.sent[-1].contact == OPERATORS
    assert story.lease(stack_id).state is LeaseState.DELETING


def test_a_notice_is_looked_at_again_before_it_is_sent() -> None:
    """The owner extended while it stood in the queue."""
    story = Story()
    stack_id = story.deploy()
    story.sweep()
    story.wait(2)
    story.look()
    story.extend(stack_id, by=DAY)
    (outcome,) = story.janitor.drain()
    assert (outcome.status, outcome.detail) == (Status.SKIPPED, "nothing of it holds any more")
    assert story.channel.sent == []


def test_what_still_holds_of_a_digest_is_sent() -> None:
    """Without what was extended meanwhile."""
    story = Story()
    story.deploy("one")
    two = story.deploy("two")
    story.sweep()
    story.wait(2)
    story.look()
    story.extend(two, by=DAY)
    story.janitor.drain()
    assert story.subjects() == ["[janitor] one expires in 1 day"]


def test_a_queued_notice_that_comes_twice_is_sent_once() -> None:
    """Queues deliver at least once."""
    story = Story()
    story.deploy()
    story.sweep()
    story.wait(2)
    story.look()
    twice = {contact: items * 2 for contact, items in story.janitor.queue.notices.items()}
    story.janitor.queue.notices.update(twice)
    story.janitor.drain()
    story.janitor.queue.notices.update(twice)
    story.janitor.drain()
    (message,) = story.channel.sent
    assert message.text.count("To keep it") == 1


def test_the_mode_is_looked_at_again_before_anything_is_sent() -> None:
    """Switching to observe stops what stands in the queue."""
    story = Story()
    story.deploy()
    story.sweep()
    story.wait(2)
    story.look()
    story.policies.override = Mode.OBSERVE
    (outcome,) = story.janitor.drain()
    assert outcome.detail == "mode is observe by now"
    assert story.channel.sent == []


def test_each_contact_has_a_link_of_their_own() -> None:
    """For the generation that the notice speaks of."""
    story = Story()
    stack_id = story.deploy()
    story.sweep()
    story.wait(2)
    story.sweep()
    links = story.janitor.links
    assert links
    line = next(t for t in story.channel.sent[0].text.split() if t.startswith("https://"))
    token = line.removeprefix("https://janitor.example.com/extend/")
    assert links.verify(token, story.now) == Claims(stack_id, 1, ANA, story.now)


def test_a_final_notice_for_a_lease_extended_while_it_was_sent_promises_nothing() -> None:
    """The delivery is recorded; the new deadline has no date of deletion."""
    story = Story()
    stack_id = story.until_marked()
    extended = story.extend(stack_id, by=DAY)
    item = NoticeItem(stack_id, "final", EXPIRES)
    story.janitor.queue.notify(NoticeRequest(ANA, (item,)))
    story.janitor.drain()
    assert story.lease(stack_id) == extended


def test_a_notice_about_an_unknown_stack_is_dropped() -> None:
    """Its lease is no longer kept."""
    story = Story()
    item = NoticeItem("arn:x", "24h", EXPIRES)
    story.janitor.queue.notify(NoticeRequest(ANA, (item,)))
    (outcome,) = story.janitor.drain()
    assert outcome.detail == "nothing of it holds any more"


@pytest.mark.parametrize("stage", ["48h", "24h", "final", "problem", "deleted", "attention"])
def test_no_stage_is_sent_about_a_lease_in_another_state(stage: str) -> None:
    """A message that was late by days says nothing that is no longer so."""
    story = Story()
    stack_id = story.deploy()
    story.sweep()
    story.wait(4)
    state = LeaseState.DELETING
    story.ledger.records[stack_id] = replace(story.lease(stack_id), state=state)
    item = NoticeItem(stack_id, stage, EXPIRES, "x")
    story.janitor.queue.notify(NoticeRequest(ANA, (item,)))
    story.janitor.drain()
    assert story.channel.sent == []


@pytest.mark.parametrize("count", [100, 101, 230])
def test_every_stack_of_an_owner_of_many_is_in_a_message(count: int) -> None:
    """Messages hold a hundred at most, and none is recorded that was not named."""
    story = Story()
    for number in range(count):
        story.deploy(f"feat-{number:03}")
    story.sweep()
    story.wait(2)
    story.sweep()
    named = [message.text.count("Expires ") for message in story.channel.sent]
    assert sum(named) == count
    assert max(named) <= 100


def test_a_notice_does_not_offer_what_would_be_refused() -> None:
    """Whoever has used all extensions reads so, instead of a command that fails."""
    story = Story(POLICY + "defaults: {max_extensions: 0}\n")
    story.deploy()
    story.sweep()
    story.wait(2)
    story.sweep()
    (message,) = story.channel.sent
    assert "To keep it" not in message.text
    assert "It cannot be extended any more: feat has used all of its 0 extensions" in message.text


def test_a_channel_that_a_tag_names_gets_the_link_and_nothing_to_press() -> None:
    """To be in a channel gives nobody a right; the fallback is of the policy's choosing.

    Fails if `item_of` signs a token for every contact.
    """
    story = Story(POLICY + "defaults: {fallback_contact: '#team'}\n")
    for name, owner in (
        *(("hers", "ana@example.com"), ("theirs", "#dev"), ("nobodys", "")),
        *(("capitals", "CUSTOMERS"), ("short", "WEBTEAM")),  # a channel, where Slack knows it
    ):
        story.deploy(name, {**OWNED, "janitor:owner": owner})
    story.sweep()
    story.wait(2)
    story.sweep()
    told = {m.contact.address: m.words.entries[0] for m in story.channel.sent}
    assert {who: bool(entry.token) for who, entry in told.items()} == {
        "CUSTOMERS": False,
        "WEBTEAM": True,
        "ana@example.com": True,
        "#dev": False,
        "#team": True,
        "operators": True,
    }
    assert all(entry.link for entry in told.values())


class Directory(MemoryChannel):
    """A channel that finds somebody behind every contact."""

    def send(self, message: Message) -> Sent:
        """Keep the message, and say whose it is."""
        sent = super().send(message)
        return replace(sent, recipient=f"U-{message.contact.address}")


def test_who_is_told_in_an_owners_place_is_not_recorded_as_the_owner() -> None:
    """Whoever was found behind a contact may act as that owner in Slack.

    Fails if `Delivery.notice` keeps the recipient whoever the notice went to.
    """
    story = Story(POLICY + "defaults: {fallback_contact: bo@example.com}\n")
    channel = Directory()
    story.janitor = replace(story.janitor, channel=channel)
    kept = story.deploy("hers")
    gone = Contact(ContactKind.EMAIL, "gone@example.com")
    lost = story.deploy("lost", {**OWNED, "janitor:owner": gone.address})
    channel.refuse(gone, Undeliverable("nobody has this address"))
    story.sweep()
    story.wait(2)
    story.sweep()
    assert [n.recipient for n in story.lease(kept).notices] == ["U-ana@example.com"]
    assert {n.recipient for n in story.lease(lost).notices} == {""}


@pytest.mark.parametrize("policy, reader, kind", [
    ("defaults: {fallback_contact: bo@example.com}\n", BO, "fallback"),
    ("", OPERATORS, "operator"),
])  # fmt: skip
def test_who_is_told_in_an_owners_place_acts_in_their_own_name(
    policy: str, reader: Contact, kind: str
) -> None:
    """By the link, and by that of the same message once it was shown anew.

    Fails without `to` in the claims of `item_of`, and in the second part without `_reader`.
    """
    story = Story(POLICY + policy)
    stack_id = story.deploy()
    story.channel.refuse(ANA, Undeliverable("nobody has this address"))
    story.sweep()
    story.wait(2)
    story.sweep()
    (sent,) = [message for message in story.channel.sent if message.contact == reader][-1:]
    (notice,) = [one for one in story.lease(stack_id).notices if one.message_id]
    assert (notice.contact, notice.instead) == (ANA, reader)
    story.janitor.queue.notify(RevisionRequest(ANA, notice.message_id, (stack_id,)))
    story.janitor.drain()
    for message in (sent, story.channel.revised[-1][1]):
        (entry,) = message.words.entries
        links = story.janitor.links
        assert links is not None
        claims = links.verify(entry.link.rpartition("/")[2], story.now)
        assert claims.contact == reader
        lease, terms = story.lease(stack_id), story.policies.policy().defaults
        assert standing_of(claims.contact, lease, terms) == kind


# In several messages, and by way of others.


class Stopping(MemoryChannel):
    """A channel that takes so many messages, and no more until it is mended."""

    def __init__(self, takes: int, error: JanitorError) -> None:
        super().__init__(most=2)
        self.takes = takes
        self.error = error

    def send(self, message: Message) -> Sent:
        """Take the first few."""
        if len(self.sent) >= self.takes:
            raise self.error
        return super().send(message)


def with_channel(story: Story, channel: MemoryChannel) -> Story:
    """Let the story go on with another channel."""
    story.channel = channel
    story.janitor = replace(story.janitor, channel=channel)
    return story


def five_due(policy: str = POLICY) -> tuple[Story, list[str]]:
    """Deploy five stacks of Ana's whose 24 h reminder is due, and sweep but for the notices."""
    story = Story(policy)
    ids = [story.deploy(f"feat-{number}") for number in range(5)]
    story.sweep()
    story.wait(2)
    return story, ids


def test_a_digest_goes_in_as_many_messages_as_the_channel_needs() -> None:
    """Each stack is in one of them, with those beside it; each has an id of its own."""
    story, ids = five_due()
    with_channel(story, MemoryChannel(most=2))
    story.sweep()
    named = [[entry.name for entry in m.words.entries] for m in story.channel.sent]
    assert named == [["feat-0", "feat-1"], ["feat-2", "feat-3"], ["feat-4"]]
    notices = [story.lease(stack_id).notices[0] for stack_id in ids]
    sent = [f"memory-{number}" for number in (1, 1, 2, 2, 3)]
    assert [notice.message_id for notice in notices] == sent
    assert [notice.beside for notice in notices] == [
        (ids[1],),
        (ids[0],),
        (ids[3],),
        (ids[2],),
        (),
    ]


def test_a_part_that_fails_leaves_the_rest_for_another_try() -> None:
    """What went before it is recorded, and is not sent again; the delay is handed on.

    Fails if all parts are recorded only at the end, or if none are.
    """
    story, ids = five_due()
    with_channel(story, Stopping(1, DeliveryFailed("ratelimited", retry_after=30)))
    story.look()
    (outcome,) = story.janitor.drain()
    assert (outcome.status, outcome.detail, outcome.retry_after) == (
        Status.FAILED,
        "ratelimited",
        30,
    )
    told = [len(story.lease(stack_id).notices) for stack_id in ids]
    assert told == [1, 1, 0, 0, 0]
    with_channel(story, MemoryChannel(most=2))
    story.sweep()
    named = [entry.name for m in story.channel.sent for entry in m.words.entries]
    assert named == ["feat-2", "feat-3", "feat-4"]


def test_the_grace_counts_from_the_part_that_named_the_stack() -> None:
    """Sending many messages takes its time, and the date in each is the one that will hold."""
    story, ids = five_due()
    story.wait(1)

    class Slow(MemoryChannel):
        def send(self, message: Message) -> Sent:
            story.wait(hours=1)
            return super().send(message)

    with_channel(story, Slow(most=2))
    story.sweep()
    hours = [(story.lease(i).delete_after or MONDAY) - EXPIRES - DAY for i in ids]
    assert [span // HOUR for span in hours] == [0, 0, 1, 1, 2]
    for message, until in zip(story.channel.sent, ("08:00", "09:00", "10:00"), strict=True):
        assert f"at the earliest on Fri 5 Jun 2026 {until} UTC" in message.text


TEAM_IS_FALLBACK = POLICY + "defaults: {fallback_contact: '#team'}"


@pytest.mark.parametrize(
    "unreachable, reached",
    [({ANA}, TEAM), ({ANA, TEAM}, OPERATORS), ({TEAM, OPERATORS}, ANA), (set(), ANA)],
)
def test_a_notice_goes_to_the_first_who_can_be_reached(
    unreachable: set[Contact], reached: Contact
) -> None:
    """The owner, the fallback, the operators; and it counts as told to the owner.

    In their place the longer grace holds. Fails without `in_place` in `promise` of domain/lease/notice_history.py.
    """
    story = Story(TEAM_IS_FALLBACK)
    for contact in unreachable:
        story.channel.refuse(contact, Undeliverable("users_not_found"))
    stack_id = story.until_marked()
    assert story.channel.sent[0].contact == reached
    assert story.lease(stack_id).notices[0].contact == ANA
    after = EXPIRES + (DAY if reached == ANA else 3 * DAY)
    lease, policy = story.lease(stack_id), story.policies.policy()
    found = conditions(story.stack(stack_id), lease, policy, story.now)
    (said,) = [one.detail for one in found if one.kind is Kind.TOLD]
    instead = f"to {reached.address} in the place of {ANA.address}"
    assert said == (f"to {ANA.address}" if reached == ANA else instead)
    assert story.lease(stack_id).delete_after == after
    assert f"on {after:%a} {after.day} Jun 2026 08:00 UTC" in story.channel.sent[0].text
    story.wait(hours=(after - EXPIRES) / HOUR - 1)
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.MARKED
    story.wait(hours=1)
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.DELETING


def test_nobody_who_can_be_reached_means_nobody_was_told() -> None:
    """The journal has no delivery, and the next sweep tries anew."""
    story = Story(TEAM_IS_FALLBACK)
    for contact in (ANA, TEAM, OPERATORS):
        story.channel.refuse(contact, Undeliverable("is_archived"))
    stack_id = story.deploy()
    story.sweep()
    story.wait(3)
    (said,) = failures(story.sweep())
    assert said == (
        "nobody can be reached: ana@example.com (is_archived); #team (is_archived);"
        " operators (is_archived)"
    )
    assert "notice.delivered" not in story.actions(stack_id)
    story.channel.accept(TEAM)
    story.sweep()
    assert story.channel.sent[0].contact == TEAM


def test_a_failure_for_now_does_not_fall_back() -> None:
    """The owner is told later, rather than somebody else now."""
    story = Story(TEAM_IS_FALLBACK)
    story.channel.refuse(ANA, DeliveryFailed("ratelimited"))
    story.until_marked()
    assert story.channel.sent == []


# What operators are told.


def to_operators(story: Story) -> list[str]:
    """Return the subjects of what operators got."""
    return [m.subject for m in story.channel.sent if m.contact == OPERATORS]


def test_operators_are_told_once_of_an_owner_who_cannot_be_reached() -> None:
    """Not at each stage and each sweep anew; of another stack they are told.

    Fails with `new = [lease.name for lease in leases]` in application/notification/unreachable_owner.py.
    """
    story = Story(TEAM_IS_FALLBACK)
    story.channel.refuse(ANA, Undeliverable("users_not_found"))
    story.deploy("one")
    for _ in range(4 * 24):
        story.sweep()
        story.wait(hours=1)
        if story.now == MONDAY + DAY:
            story.deploy("two")
    words = [m.text for m in story.channel.sent if m.kinds == ("unreachable",)]
    assert ["Stacks: one." in text for text in words] == [True, False]
    assert ["Stacks: two." in text for text in words] == [False, True]


def test_what_operators_could_not_be_told_they_are_told_with_the_next_notice() -> None:
    """The owner's own notice is not held up by that."""
    story = Story(TEAM_IS_FALLBACK)
    story.channel.refuse(ANA, Undeliverable("users_not_found"))
    story.channel.refuse(OPERATORS, DeliveryFailed("down"))
    story.deploy()
    story.sweep()
    story.wait(2)
    story.sweep()
    story.channel.accept(OPERATORS)
    story.wait(1)
    story.sweep()
    assert [m.contact for m in story.channel.sent] == [TEAM, TEAM, OPERATORS]


def test_operators_are_told_of_a_stack_without_an_owner_besides_the_fallback() -> None:
    """Once for each stage, and their copy moves no date."""
    story = Story(TEAM_IS_FALLBACK)
    stack_id = story.deploy(tags={"janitor:ttl": "3d"})
    for _ in range(4 * 24):
        story.sweep()
        story.wait(hours=1)
    told = [(m.contact, m.subject) for m in story.channel.sent]
    final = "[janitor] feat will be deleted"
    assert told.count((TEAM, final)) == told.count((OPERATORS, final)) == 1
    assert len(told) == 6
    assert story.lease(stack_id).delete_after == EXPIRES + 3 * DAY
    (copy,) = [m for m in story.channel.sent if m.contact == OPERATORS and m.subject == final]
    assert "No tag says who owns it." in copy.text


def test_a_copy_that_reaches_operators_late_moves_no_date() -> None:
    """It names the date that the owners were given.

    Fails without `and delivery.contact in lease.contacts` in `_told` of application/notification/record_delivery.py.
    """
    story = Story(TEAM_IS_FALLBACK)
    story.channel.refuse(OPERATORS, DeliveryFailed("down"))
    stack_id = story.until_marked(tags={"janitor:ttl": "3d"})
    story.wait(1)
    story.channel.accept(OPERATORS)
    item = NoticeItem(stack_id, "final", EXPIRES)
    story.janitor.queue.notify(NoticeRequest(OPERATORS, (item,)))
    story.janitor.drain()
    assert story.lease(stack_id).delete_after == EXPIRES + 3 * DAY
    assert "at the earliest on Sun 7 Jun 2026 08:00 UTC" in story.channel.sent[-1].text


def test_operators_are_told_once_of_a_tag_that_cannot_be_read() -> None:
    """Whose it is, too."""
    story = Story()
    story.deploy(tags={**OWNED, "janitor:ttl": "3x"})
    for _ in range(48):
        story.sweep()
        story.wait(hours=1)
    assert to_operators(story) == ["[janitor] feat is kept until its tag janitor:ttl is put right"]
    assert "Owner: ana@example.com." in story.channel.sent[-1].text


HELD = "[janitor] held: too many deadlines would come earlier at once"


def surprised() -> Story:
    """Let an edit bring forward the deadlines of six stacks."""
    story = Story(POLICY + "defaults: {max_lifetime: 20d}\n")
    for number in range(6):
        story.deploy(f"feat-{number}", tags={**OWNED, "janitor:ttl": "20d"})
    story.sweep()
    story.set_policy(POLICY + "defaults: {max_lifetime: 9d}\n")
    return story


def test_operators_are_told_once_of_a_surprise() -> None:
    """However many sweeps it is held for."""
    story = surprised()
    for _ in range(10):
        story.sweep()
        story.wait(hours=1)
    assert to_operators(story) == [HELD]


def test_operators_are_told_once_of_each_region_that_is_refused() -> None:
    """And anew when it is refused again. Fails without REGION in `_items`, or its pruning."""
    story = Story()
    for error in ("AccessDenied", "Throttling", "", "AccessDenied"):
        story.stacks.refuse(THERE, error)
        for _ in range(3):
            story.sweep()
            story.wait(hours=1)
    assert to_operators(story) == ["[janitor] a region cannot be listed"] * 2
    assert "A region cannot be listed: us-east-1 (AccessDenied)." in story.channel.sent[0].text
    assert story.channel.sent[0].regions == (THERE,)
    story.stacks.refuse(HERE, "AccessDenied")
    story.sweep()
    assert to_operators(story)[2:] == ["[janitor] a region cannot be listed"]
    assert story.ledger.account().told == ("region eu-central-1", "region us-east-1")
    assert story.findings() == []


@pytest.mark.parametrize("lost", ["by the queue", "by the channel"])
def test_a_notice_about_the_account_that_was_lost_is_asked_for_again(lost: str) -> None:
    """Of a surprise and of a region. Fails if they are asked for only with the event."""
    story = surprised()
    story.stacks.refuse(THERE, "AccessDenied")
    if lost == "by the queue":
        story.look()
        story.janitor.queue.notices.clear()
    else:
        story.channel.refuse(OPERATORS, DeliveryFailed("down"))
        story.sweep()
        story.channel.accept(OPERATORS)
    assert to_operators(story) == []
    for _ in range(3):
        story.wait(hours=1)
        story.sweep()
    assert to_operators(story) == [f"{HELD}, and 1 more"]


def test_a_notice_about_the_account_that_no_longer_holds_is_not_sent() -> None:
    """It was queued while a region was refused. Fails if `_still_wanted` does not ask."""
    story = Story()
    story.stacks.refuse(THERE, "AccessDenied")
    story.look()
    waiting = dict(story.janitor.queue.notices)
    story.stacks.refuse(THERE, "")
    story.look()
    story.janitor.queue.notices.update(waiting)
    story.janitor.drain()
    assert to_operators(story) == []


def test_operators_are_told_once_of_a_deletion_that_needs_attention() -> None:
    """With whose stack it is and what CloudFormation said."""
    story = Story(POLICY + "limits: {max_attempts: 1}")
    stack_id = story.until_deleting()
    story.stacks.fail(stack_id, reason="bucket not empty")
    story.stacks.finish(stack_id)
    for _ in range(10):
        story.sweep()
        story.wait(hours=1)
    assert to_operators(story) == ["[janitor] feat could not be deleted"]
    (message,) = [m for m in story.channel.sent if m.contact == OPERATORS]
    assert "bucket not empty" in message.text
    assert "Owner: ana@example.com." in message.text


# Long reasons.


class Narrow(MemoryChannel):
    """A channel that takes so many bytes, like a topic."""

    def send(self, message: Message) -> Sent:
        """Keep the message if it is short enough."""
        if len(message.text.encode()) > MAX_BYTES:
            raise TooLong("too long")
        return super().send(message)


def test_failures_with_long_reasons_are_all_told_in_as_many_messages_as_it_takes() -> None:
    """A hundred deletions, each stuck on ten resources: more than a queue or a topic takes.

    The requests fail without MOST_BYTES_OF_TEXT, the messages if `notify` divides by number alone.
    """
    limits = "limits: {max_attempts: 1}"
    story = Story(f"{POLICY}{limits}")
    channel = Narrow()
    story.janitor = replace(story.janitor, channel=channel)
    story.deploy()
    story.sweep()
    (lease,) = story.ledger.open_records().leases.values()
    reasons = "DELETE_FAILED: " + "security group in use, é, " * 220
    for number in range(100):
        stuck = replace(
            lease,
            stack_id=f"{lease.stack_id}{number}",
            state=LeaseState.NEEDS_ATTENTION,
            last_error=reasons,
        )
        story.ledger.records[stuck.stack_id] = stuck
        item = NoticeItem(stuck.stack_id, "attention", stuck.expires_at, reasons)
        story.janitor.queue.notify(NoticeRequest(OPERATORS, (item,)))
    requests = list(story.janitor.queue.take_notices())
    assert all(len(body_of(request)) < 200_000 for request in requests)
    whole = [item for one in requests if isinstance(one, NoticeRequest) for item in one.items]
    assert len(whole) == 100
    outcomes = story.janitor._tell(NoticeRequest(OPERATORS, tuple(whole)))
    assert {outcome.status for outcome in outcomes} == {Status.DONE}
    told = [entry.stack_id for message in channel.sent for entry in message.words.entries]
    assert sorted(told) == sorted(item.stack_id for item in whole)
    assert len(channel.sent) == 4


# Races between sending and recording.


class Meddling(MemoryChannel):
    """A channel during whose sending another hand acts."""

    def __init__(self, act: Callable[[], object]) -> None:
        super().__init__()
        self.act = act

    def send(self, message: Message) -> Sent:
        """Send, and act before that is recorded."""
        sent = super().send(message)
        self.act()
        return sent


def test_a_final_notice_of_a_mark_that_was_taken_back_counts_for_no_later_mark() -> None:
    """It gave a date under the policy of then; another mark is told anew, with its own.

    Fails with `if False:` for `if lease.state is LeaseState.ACTIVE:` in `_told`.
    """
    story = Story()
    stack_id = story.deploy()
    story.sweep()
    story.wait(3)
    protected = {**OWNED, "janitor:protect": "demo"}

    def protect() -> None:
        if len(story.channel.sent) == 1:
            story.stacks.redeploy(stack_id, protected)
            story.look()

    with_channel(story, Meddling(protect))
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.ACTIVE
    assert story.lease(stack_id).notices == ()
    story.set_policy(POLICY + "defaults: {grace: 1h}")
    story.stacks.redeploy(stack_id, OWNED)
    story.wait(hours=2)
    story.sweep()
    assert story.subjects() == ["[janitor] feat will be deleted"] * 2
    assert story.calls("delete") == []


def test_a_delivery_is_recorded_whatever_else_was_written_meanwhile() -> None:
    """Another owner's extension wins; that this one was told is in the journal."""
    story = Story()
    stack_id = story.deploy()
    story.sweep()
    story.wait(2)
    with_channel(story, Meddling(lambda: story.extend(stack_id, by=DAY)))
    story.sweep()
    assert story.actions(stack_id)[-2:] == ["lease.extended", "notice.delivered"]
    assert story.lease(stack_id).expires_at == EXPIRES + DAY
    assert story.lease(stack_id).delete_after is None


def test_the_first_reminder_tells_how_many_resources_a_stack_has() -> None:
    """They are counted once, by the sweep that asks for the reminder; the lease remembers.

    Fails with `if True:` for `if lease.paced is None:` in `_count`.
    """
    story = Story()
    stack_id = story.deploy()
    story.sweep()
    story.wait(1)
    for _ in range(30):
        story.sweep()
        story.wait(hours=1)
    assert [("resources: 1;" in m.text) for m in story.channel.sent] == [True, True]
    assert story.lease(stack_id).resources == 1
    assert len(story.calls("count")) == 1


def test_resources_that_cannot_be_counted_are_not_spoken_of() -> None:
    """And the owner is reminded all the same."""
    story = Story()

    class Uncounted(MemoryStacks):
        def count(self, stack_id: str) -> Count:
            raise JanitorError("throttled")

    story.stacks = Uncounted(lambda: story.now)
    story.janitor = replace(story.janitor, stacks=story.stacks)
    story.deploy()
    story.sweep()
    story.wait(2)
    story.sweep()
    (message,) = story.channel.sent
    assert "resources" not in message.text
