"""A message that was sent earlier, shown as things stand now."""

import pytest
from msgspec.structs import replace
from tests.application.stories import DAY, MONDAY, OWNED, POLICY, Story
from tests.fakes.memory import MemoryChannel

from janitor.domain.errors import DeliveryFailed, JanitorError
from janitor.domain.model import Contact, ContactKind, LeaseState, Mode, Status
from janitor.domain.notification.digest import Entry
from janitor.domain.notification.messages import AnswerRequest, Message, RevisionRequest

ANA = Contact(ContactKind.EMAIL, "ana@example.com")
EXPIRES = MONDAY + 3 * DAY


def reminded(*names: str, policy: str = POLICY) -> tuple[Story, list[str]]:
    """Deploy stacks of Ana's and send her the 24 h reminder of all in one message."""
    story = Story(policy)
    ids = [story.deploy(name) for name in names or ("feat",)]
    story.sweep()
    story.wait(2)
    story.sweep()
    assert len(story.channel.sent) == 1
    return story, ids


def shown(story: Story, *ids: str, message: str = "memory-1") -> tuple[Entry, ...]:
    """Show the message anew, and return its entries."""
    story.janitor.queue.notify(RevisionRequest(ANA, message, tuple(ids), "said"))
    (outcome,) = story.janitor.drain()
    assert outcome.status is Status.DONE
    return story.channel.revised[-1][1].words.entries


def test_a_reminder_that_still_holds_is_shown_with_its_choices() -> None:
    """As it was sent, with times as they are now."""
    story, ids = reminded()
    story.wait(hours=3)
    (entry,) = shown(story, *ids)
    assert entry.stage == "24h"
    assert entry.fate.startswith("Expires Thu 4 Jun 2026 08:00 UTC (in 21 hours)")
    assert entry.link
    assert len(entry.choices) == 3
    assert story.channel.revised[0][::2] == ("memory-1", "said")


def test_a_stack_that_was_kept_is_settled_and_the_one_beside_it_stands() -> None:
    """What is still to be decided comes first."""
    story, ids = reminded("one", "two")
    story.extend(ids[0], by=DAY, queue=story.janitor.queue)
    story.janitor.drain()
    (message_id, message, said) = story.channel.revised[-1]
    assert message_id == "memory-1"
    assert said == (
        "ana@example.com kept one until Fri 5 Jun 2026 08:00 UTC, by the command line."
        " Reason: still testing"
    )
    assert [(e.name, e.stage, bool(e.link)) for e in message.words.entries] == [
        ("two", "24h", True),
        ("one", "settled", False),
    ]
    assert (
        message.words.entries[1].fate == "Kept: it now ends Fri 5 Jun 2026 08:00 UTC (in 2 days)."
    )


def test_a_reminder_whose_deadline_has_come_offers_nothing() -> None:
    """The final notice does, in a message of its own."""
    story, ids = reminded()
    story.wait(1)
    (entry,) = shown(story, *ids)
    assert (entry.stage, entry.link) == ("settled", "")
    story.sweep()
    (entry,) = shown(story, *ids)
    assert entry.fate == "It is marked for deletion; the newest notice says when it goes."
    (entry,) = shown(story, *ids, message="memory-2")
    assert entry.stage == "final"
    assert "at the earliest on Fri 5 Jun 2026 08:00 UTC (in 1 day)." in entry.fate


def test_a_final_notice_is_shown_anew_with_the_date_that_it_gave() -> None:
    """However the policy was changed since.

    Fails without `is_told(lease, FINAL, contact)` in `item_of` of application/notification/send_digest.py.
    """
    story = Story()
    stack_id = story.until_marked()
    story.set_policy(POLICY + "defaults: {grace: 72h}")
    story.wait(hours=1)
    (entry,) = shown(story, stack_id)
    assert "at the earliest on Fri 5 Jun 2026 08:00 UTC" in entry.fate


@pytest.mark.parametrize("state", [s for s in LeaseState if s is not LeaseState.MARKED])
def test_a_final_notice_offers_nothing_once_its_stack_is_no_longer_marked(
    state: LeaseState,
) -> None:
    """Nobody presses a button about what is gone, going or kept.

    Fails without `lease.state is state` in `_standing` of application/notification/update_message.py.
    """
    story = Story()
    stack_id = story.until_marked()
    lease = replace(story.lease(stack_id), state=state, last_error="in use")
    story.ledger.records[stack_id] = lease
    (entry,) = shown(story, stack_id)
    assert (entry.stage, entry.link, entry.token, entry.choices) == ("settled", "", "", ())


def test_a_deletion_shows_in_the_final_notice() -> None:
    """The message that announced it says that it came."""
    story = Story()
    stack_id = story.until_deleting()
    story.stacks.finish(stack_id)
    story.track(stack_id)
    story.janitor.drain()
    revised = [message.words.entries[0].fate for _, message, _ in story.channel.revised]
    assert revised == ["It has been deleted, and CloudFormation has confirmed it."]


def test_a_problem_is_shown_anew_with_what_is_wrong() -> None:
    """And a problem that has become another is settled there.

    Fails without `lease.problem` in the item, or in `_standing`, of application/notification/update_message.py.
    """
    story = Story()
    stack_id = story.deploy(tags={**OWNED, "janitor:ttl": "3x"})
    for _ in range(2):
        story.sweep()
    (entry,) = shown(story, stack_id)
    assert (entry.stage, entry.fate[:40]) == ("problem", "It is kept, but tag janitor:ttl '3x': th")
    story.stacks.redeploy(stack_id, {**OWNED, "janitor:ttl": "soon"})
    story.sweep()
    (entry,) = shown(story, stack_id)
    assert entry.stage == "settled"


def test_stacks_that_nobody_knows_any_more_leave_the_message_as_it_is() -> None:
    """Their rows are kept for ninety days."""
    story, _ = reminded()
    story.janitor.queue.notify(RevisionRequest(ANA, "memory-1", ("arn:x",)))
    (outcome,) = story.janitor.drain()
    assert outcome.detail == "nothing is known any more of the stacks in it"
    assert story.channel.revised == []


@pytest.mark.parametrize("mode", [Mode.OFF, Mode.OBSERVE])
def test_nothing_is_shown_anew_in_modes_that_tell_nobody(mode: Mode) -> None:
    """The owner's extension holds all the same.

    Fails with `if False:` for `if not mode.notifies:` in application/notification/update_message.py.
    """
    story, ids = reminded()
    story.policies.override = mode
    story.extend(ids[0], by=DAY, queue=story.janitor.queue)
    (outcome,) = story.janitor.drain()
    assert (outcome.status, outcome.detail) == (Status.SKIPPED, f"mode is {mode.value} by now")
    assert story.channel.revised == []
    assert story.lease(ids[0]).expires_at == EXPIRES + DAY


class Refusing(MemoryChannel):
    """A channel that changes no message just now."""

    def __init__(self, error: JanitorError) -> None:
        super().__init__()
        self.error = error

    def revise(self, message_id: str, message: Message, said: str) -> None:
        """Refuse."""
        raise self.error

    def answer(self, request: AnswerRequest) -> None:
        """Refuse."""
        raise self.error


@pytest.mark.parametrize(
    "error, after",
    [(DeliveryFailed("ratelimited", retry_after=30), 30), (JanitorError("revoked"), 0)],
)
def test_a_revision_or_an_answer_that_fails_says_when_to_try_again(
    error: JanitorError, after: int
) -> None:
    """The queue hands it out again then."""
    story, ids = reminded()
    story.janitor = replace(story.janitor, channel=Refusing(error))
    story.janitor.queue.notify(RevisionRequest(ANA, "memory-1", tuple(ids)))
    story.janitor.queue.notify(AnswerRequest(ANA, "C012", "Only its owner may do that."))
    outcomes = story.janitor.drain()
    assert [(o.action, o.status, o.detail, o.retry_after) for o in outcomes] == [
        ("revise", Status.FAILED, str(error), after),
        ("answer", Status.FAILED, str(error), after),
    ]


def test_an_answer_goes_to_the_one_who_pressed() -> None:
    """And to nobody else."""
    story = Story()
    answer = AnswerRequest(ANA, "C012", "Only its owner may do that.")
    story.janitor.queue.notify(answer)
    (outcome,) = story.janitor.drain()
    assert outcome.status is Status.DONE
    assert story.channel.answered == [answer]


def test_a_message_is_revised_once_for_all_notices_that_were_in_it() -> None:
    """Reminders of two owners are two messages; each is shown anew by its own."""
    story = Story()
    stack_id = story.deploy(tags={**OWNED, "janitor:owner": "ana@example.com bo@example.com"})
    story.sweep()
    story.wait(2)
    story.sweep()
    story.wait(hours=1)
    story.extend(stack_id, by=DAY, queue=story.janitor.queue)
    story.janitor.drain()
    told = [(i, message.contact.address) for i, message, _ in story.channel.revised]
    assert told == [("memory-1", "ana@example.com"), ("memory-2", "bo@example.com")]
