"""Notices: one digest per owner, each stage once, delivery recorded stack by stack."""

from dataclasses import replace

import pytest
from tests.journeys.stories import DAY, HERE, HOUR, MONDAY, OWNED, POLICY, THERE, Story, failures

from janitor.adapters.memory import MemoryChannel
from janitor.core.errors import DeliveryFailed, Undeliverable
from janitor.core.links import Claims
from janitor.core.model import OPERATORS, Contact, ContactKind, LeaseState, Mode, Status
from janitor.core.requests import Message, NoticeItem, NoticeRequest, Sent

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
    assert "of ana@example.com, who cannot be reached (users_not_found)." in notice_.text
    assert word.subject == "[janitor] ana@example.com cannot be reached"
    (notice,) = story.lease(stack_id).notices
    assert (notice.stage, notice.contact) == ("final", ANA)
    assert story.reason(stack_id, "notice.delivered") == "final notice delivered to #team"


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


def test_a_problem_is_told_once_and_told_again_when_it_is_another() -> None:
    """With an example of what would be right."""
    story = Story()
    stack_id = story.deploy(tags={**OWNED, "janitor:ttl": "3x"})
    for _ in range(5):
        story.sweep()
    assert [message.contact for message in story.channel.sent] == [ANA, OPERATORS]
    assert set(story.subjects()) == {"[janitor] feat has a lifetime that cannot be read"}
    story.stacks.redeploy(stack_id, {**OWNED, "janitor:ttl": "soon"})
    for _ in range(3):
        story.sweep()
    assert len(story.channel.sent) == 4
    assert "'soon' is not a lifetime; for instance 90m, 36h, 3d or 2w." in (
        story.channel.sent[-1].text
    )


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
    for name, owner in (("hers", "ana@example.com"), ("theirs", "#dev"), ("nobodys", "")):
        story.deploy(name, {**OWNED, "janitor:owner": owner})
    story.sweep()
    story.wait(2)
    story.sweep()
    told = {m.contact.address: m.words.entries[0] for m in story.channel.sent}
    assert {who: bool(entry.token) for who, entry in told.items()} == {
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

    Fails if `_record` keeps the recipient whoever the notice went to.
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
    assert [n.recipient for n in story.lease(lost).notices] == [""]
