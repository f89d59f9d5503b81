"""One bad row, stack or answer stops nothing else; what is none of ours is told as a bug."""

from collections.abc import Iterable
from typing import Any

import pytest
from msgspec.structs import replace
from tests.application.stories import DAY, HERE, POLICY, SWEEPER, THERE, Story, failures
from tests.fakes.memory import MemoryLedger
from tests.fakes.stacks import MemoryStacks

from janitor.application.audit.report import report
from janitor.application.audit.verify import verify_chains
from janitor.application.notification.dispatch import tell
from janitor.application.ports import OpenRecords
from janitor.application.sweep.sweep import Report
from janitor.domain.errors import JanitorError, UnreadableRecord
from janitor.domain.journal.chain_check import Finding
from janitor.domain.journal.event_filter import Question
from janitor.domain.journal.events import Entry
from janitor.domain.model import Lease, Status
from janitor.domain.notification.messages import NoticeItem, NoticeRequest
from janitor.domain.planning.plan import Listing
from janitor.domain.planning.unreadable import Unread

WHY = "its state is 'frozen', which says nothing here"


def spoiled(story: Story, *stack_ids: str) -> None:
    """Let nothing be made of these leases any more."""
    story.ledger.spoiled.update(dict.fromkeys(stack_ids, WHY))


def bugs(done: Report) -> list[str]:
    """Return the keys of those over which the code itself failed."""
    return [outcome.key for outcome in done.outcomes if outcome.bug]


def test_a_row_that_cannot_be_read_lets_its_stack_stand_and_the_others_go() -> None:
    """No second lease, no deletion, no end of the lease; and all of it again once it is mended."""
    story = Story()
    odd, fine = story.deploy("odd"), story.until_marked("fine")
    story.wait(1)
    spoiled(story, odd)
    before = story.actions(odd)
    swept = story.sweep()
    assert failures(swept) == []
    assert [key for key, _ in swept.plan.unread] == [odd]
    (waits,) = [d for d in swept.plan.decisions if d.stack and d.stack.stack_id == odd]
    assert str(waits.reason) == f"left alone: its lease cannot be read: {WHY}"
    assert story.actions(odd) == before
    assert story.calls("delete") == [fine]
    story.stacks.remove(odd)
    story.sweep()
    assert story.actions(odd) == before
    story.ledger.spoiled.clear()
    story.sweep()
    assert story.actions(odd)[-1] == "lease.closed"


def test_a_closed_row_that_cannot_be_read_opens_no_second_lease() -> None:
    """The index shows open ones alone, so it shows only when the lease would be written."""
    story = Story()
    odd = story.deploy("odd")
    story.sweep()
    story.set_policy(POLICY + "never_delete: [odd]\n")
    story.sweep()
    assert story.actions(odd)[-1] == "lease.closed"
    spoiled(story, odd)
    story.set_policy(POLICY)
    story.deploy("fine")
    swept = story.sweep()
    assert failures(swept) == [f"the lease of {odd} cannot be read: {WHY}"]
    assert bugs(swept) == []
    assert "1 new" not in story.actions(odd)
    assert len(story.ledger.open_records().leases) == 1


def test_who_asks_for_a_lease_that_cannot_be_read_is_told_so() -> None:
    """By its name and by its id, and never that it is not managed."""
    story = Story()
    odd = story.deploy("odd")
    story.sweep()
    spoiled(story, odd)
    for name in (odd, "odd"):
        with pytest.raises(UnreadableRecord, match=f"the lease of {odd} cannot be read"):
            story.janitor.find(name)
    assert story.janitor.find("other") is None


def test_a_digest_goes_without_the_stack_whose_lease_cannot_be_read() -> None:
    """Its owner is told of the others, and the log of this one.

    Fails if notify reads its leases with `ledger.lease` alone.
    """
    story = Story()
    odd, fine = story.deploy("odd"), story.deploy("fine")
    story.sweep()
    story.wait(2)
    spoiled(story, odd)
    (contact,) = story.lease(fine).contacts
    items = tuple(NoticeItem(one, "24h", story.lease(fine).expires_at) for one in (odd, fine))
    first, *others = tell(
        NoticeRequest(contact, items),
        clock=lambda: story.now,
        policies=story.policies,
        ledger=story.ledger,
        channel=story.channel,
        links=None,
    )
    assert first.status is Status.DONE
    assert [(o.key, o.status) for o in others] == [(odd, Status.FAILED)]
    (message,) = story.channel.sent
    assert "fine" in message.text
    assert "odd" not in message.text


def test_verify_and_report_name_the_record_that_cannot_be_read() -> None:
    """And check every other chain."""
    story = Story()
    odd, fine = story.deploy("odd"), story.deploy("fine")
    story.sweep()
    spoiled(story, odd)
    expected = Finding(odd, 0, "record", f"the lease of {odd} cannot be read: {WHY}")
    checks = {check.key: check.findings for check in verify_chains(story.ledger)}
    assert checks[odd] == (expected,)
    assert checks[fine] == ()
    now = story.now
    found = report(story.ledger, Question(), since=now - DAY, until=now + DAY, now=now)
    assert expected in found.findings


class OddStacks(MemoryStacks):
    """CloudFormation, which says of one stack nothing that can be read."""

    odd = ""
    without_id = False

    def list_all(self, regions: Iterable[str]) -> Any:
        """List it apart."""
        for listing in super().list_all(regions):
            read = tuple(one for one in listing.stacks if one.name != self.odd)
            named = [one for one in listing.stacks if one.name == self.odd]
            unread = tuple(
                Unread("" if self.without_id else one.stack_id, one.name, "it has no CreationTime")
                for one in named
            )
            yield Listing(listing.region, read, listing.error, unread)


@pytest.mark.parametrize("without_id", [False, True])
def test_a_stack_that_cannot_be_read_is_neither_new_nor_gone(without_id: bool) -> None:
    """Its lease waits; a new one is taken up when it can be read."""
    story = Story()
    stacks = OddStacks(lambda: story.now)
    story.stacks, story.janitor = stacks, replace(story.janitor, stacks=stacks)
    kept = story.until_marked("kept")
    story.wait(1)
    stacks.odd, stacks.without_id = "kept", without_id
    swept = story.sweep()
    assert failures(swept) == []
    assert [why for _, why in swept.plan.unread] == [
        "what CloudFormation says of it cannot be read: it has no CreationTime"
    ]
    assert story.lease(kept).state.value == "marked"
    stacks.odd = "new"
    new = story.deploy("new")
    story.sweep()
    assert story.ledger.lease(new) is None
    assert story.calls("delete") == [kept]


class Broken(MemoryLedger):
    """A ledger with a bug: nothing, or nothing of some, can be written."""

    def __init__(self, story: Story, *only: str, error: type[Exception] = AttributeError) -> None:
        super().__init__()
        self.records, self.journal = story.ledger.records, story.ledger.journal
        self.only, self.error = only, error

    def commit(self, entry: Entry[Any]) -> None:
        """Fail as code does that was never run."""
        if not self.only or entry.record.key in self.only:
            raise self.error("'NoneType' object has no attribute 'seq'")
        super().commit(entry)


def test_a_sweep_in_which_every_stack_fails_is_not_complete_and_keeps_each_traceback() -> None:
    """Today all of five fail with an AttributeError, nothing is logged, and all looks well.

    Fails if `guarded` keeps the text alone, and if `is_complete` asks only for regions.
    """
    story = Story()
    ids = [story.deploy(f"feat-{n}") for n in range(5)]
    swept = replace(story.janitor, ledger=Broken(story)).sweep(SWEEPER)
    assert not swept.is_complete
    assert bugs(swept)[1:] == ids  # the account's own record is the first
    text = "a bug in janitor: AttributeError: 'NoneType' object has no attribute 'seq'"
    assert set(failures(swept)) == {text}
    assert all(o.bug.__traceback__ for o in swept.outcomes if o.bug)


def test_a_bug_over_one_stack_is_no_bug_over_the_others() -> None:
    """The sweep is complete, and says of which it was not."""
    story = Story()
    odd, fine = story.deploy("odd"), story.deploy("fine")
    swept = replace(story.janitor, ledger=Broken(story, odd)).sweep(SWEEPER)
    assert swept.is_complete
    assert bugs(swept) == [odd]
    assert story.ledger.lease(fine) is not None


def test_an_error_of_ours_is_no_bug() -> None:
    """It says in one line what somebody can do, and has no traceback."""
    story = Story()
    story.deploy("odd")
    swept = replace(story.janitor, ledger=Broken(story, error=JanitorError)).sweep(SWEEPER)
    assert bugs(swept) == []
    assert not swept.is_complete
    assert set(failures(swept)) == {"'NoneType' object has no attribute 'seq'"}


def test_an_account_without_stacks_is_swept_completely() -> None:
    """There is nothing that could have failed; where no region is listed there is."""
    story = Story()
    assert story.sweep().is_complete
    story.stacks.refuse(HERE, "no")
    assert story.sweep().is_complete
    story.stacks.refuse(THERE, "no")
    assert not story.sweep().is_complete


class Confused(MemoryStacks):
    """CloudFormation behind an adapter with a bug, in one of its calls."""

    call = ""

    def _find(self, stack_id: str) -> Any:
        if self.calls and self.calls[-1][0] == self.call and "odd" in stack_id:
            raise TypeError("unhashable")
        return super()._find(stack_id)


@pytest.mark.parametrize("call", ["importers", "describe"])
def test_a_bug_in_asking_about_one_due_stack_stops_no_other(call: str) -> None:
    """What is asked before the plan is made is asked stack by stack as well.

    Fails without `except Exception` in stack_questions.py.
    """
    story = Story()
    stacks = Confused(lambda: story.now)
    story.stacks, story.janitor = stacks, replace(story.janitor, stacks=stacks)
    odd = story.deploy("odd", exports=("odd",))
    fine = story.until_marked("fine")
    story.wait(1)
    lease = story.lease(odd)
    story.ledger.records[odd] = replace(lease, blocked=True, last_error="due, but protected")
    stacks.call = call
    swept = story.look()
    assert odd in bugs(swept)
    assert fine in [request.stack_id for request in story.janitor.queue.deletions]
    assert isinstance(story.ledger.open_records(), OpenRecords)
    assert isinstance(story.lease(odd), Lease)


def test_a_region_lost_to_a_bug_is_told_with_it_even_in_a_dry_run() -> None:
    """`plan` shows it too, and nothing there is closed."""

    class Lost(MemoryStacks):
        def list_all(self, regions: Iterable[str]) -> Any:
            for listing in super().list_all(regions):
                bug = KeyError("Stacks")
                yield (
                    Listing(listing.region, error="a bug", bug=bug)
                    if (listing.region == HERE)
                    else listing
                )

    story = Story()
    stack_id = story.deploy()
    story.sweep()
    lost = replace(story.janitor, stacks=Lost(lambda: story.now))
    dry = lost.plan()
    assert bugs(dry) == [HERE]
    assert bugs(lost.sweep(SWEEPER)) == [HERE]
    assert story.lease(stack_id).state.is_open
