"""What people are sent, word for word."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from janitor.core.letter import Item, Wording
from janitor.core.model import OPERATORS, Contact, ContactKind, Lease, Mode
from janitor.core.policy import default_policy
from janitor.core.policy_file import parse_policy
from janitor.core.wording import digest

POLICY = default_policy()
NOW = datetime(2026, 6, 3, 8, tzinfo=UTC)
CREATED = datetime(2026, 6, 1, 8, tzinfo=UTC)
ANA = Contact(ContactKind.EMAIL, "ana@example.com")
LINK = "https://janitor.example.com/extend/abc"


def a_lease(name: str = "feat-basket", **values: Any) -> Lease:
    """Make a lease that ends on Thursday morning."""
    known: dict[str, Any] = {
        "stack_id": f"arn:{name}",
        "name": name,
        "region": "eu-central-1",
        "rule": "default",
        "created": CREATED,
        "first_seen": CREATED,
        "expires_at": CREATED + timedelta(days=3),
        "deadline_source": "tag janitor:ttl=3d",
        "contacts": (ANA,),
    }
    return Lease(**{**known, **values})


def worded(
    *items: Item, to: Contact = ANA, mode: Mode = Mode.ENFORCE, now: datetime = NOW
) -> Wording:
    """Word a digest."""
    return digest(to, items, now=now, policy=POLICY, mode=mode)


def letter(
    *items: Item, to: Contact = ANA, mode: Mode = Mode.ENFORCE, now: datetime = NOW
) -> tuple[str, str]:
    """Word a digest as subject and plain text."""
    words = worded(*items, to=to, mode=mode, now=now)
    return words.subject, words.text


WHY = "Why: tag janitor:ttl=3d; created Mon 1 Jun 2026 08:00 UTC (2 days ago)."
FOOT = "\n\nIf you no longer need a stack, delete it now, or let it go by itself."
TO_ANA = "To ana@example.com: this is about a temporary CloudFormation stack of yours.\n\n"


def test_a_reminder() -> None:
    """When, why, and how to keep it."""
    assert letter(Item("24h", a_lease(), link=LINK)) == (
        "[janitor] feat-basket expires in 1 day",
        (
            f"{TO_ANA}feat-basket  (eu-central-1)\n"
            "  Expires Thu 4 Jun 2026 08:00 UTC (in 1 day); then it is marked for deletion.\n"
            f"  {WHY}\n"
            "  resources: unknown; monthly cost: unknown.\n"
            f"  To keep it: {LINK}{FOOT}"
        ),
    )


def test_a_final_notice_says_the_date_that_will_hold() -> None:
    """The date is what the grace is about."""
    now = CREATED + timedelta(days=3, hours=2)
    after = now + timedelta(days=1)
    item = Item("final", a_lease(), delete_after=after, link=LINK)
    assert letter(item, now=now) == (
        "[janitor] feat-basket will be deleted",
        (
            f"{TO_ANA}feat-basket  (eu-central-1)\n"
            "  It will be deleted, at the earliest on Fri 5 Jun 2026 10:00 UTC (in 1 day).\n"
            "  Expired Thu 4 Jun 2026 08:00 UTC (2 hours ago).\n"
            "  Why: tag janitor:ttl=3d; created Mon 1 Jun 2026 08:00 UTC (3 days 2 hours ago).\n"
            "  resources: unknown; monthly cost: unknown.\n"
            f"  To keep it: {LINK}{FOOT}"
        ),
    )


def test_a_final_notice_does_not_threaten_where_nothing_is_deleted() -> None:
    """Mode `notify` has no deletions."""
    item = Item("final", a_lease(), delete_after=NOW + timedelta(days=1))
    assert (
        "  Deletions are switched off at present. Once they are on it will be deleted,"
        " at the earliest on Thu 4 Jun 2026 08:00 UTC (in 1 day).\n"
    ) in worded(item, mode=Mode.NOTIFY).text


def test_without_a_page_the_command_is_told() -> None:
    """Ready to be copied."""
    text = worded(Item("24h", a_lease())).text
    assert "  To keep it: janitor extend feat-basket --by 3d --reason '...'\n" in text


def test_a_problem_says_what_is_wrong_and_what_is_right() -> None:
    """And that nothing is lost meanwhile."""
    problem = "tag janitor:ttl '3x': the unit is not m, h, d or w; for instance 90m, 36h, 3d or 2w"
    assert letter(Item("problem", a_lease(expires_at=None), problem)) == (
        "[janitor] feat-basket has a lifetime that cannot be read",
        (
            f"{TO_ANA}feat-basket  (eu-central-1)\n"
            f"  It is kept, but {problem}.\n"
            "  Please correct the tag; until then nothing reminds you and nothing deletes it."
        ),
    )


def test_a_deletion_is_confirmed() -> None:
    """With why, and no word of what could still be done."""
    assert letter(Item("deleted", a_lease())) == (
        "[janitor] feat-basket has been deleted",
        (
            f"{TO_ANA}feat-basket  (eu-central-1)\n"
            "  It has been deleted, and CloudFormation has confirmed it.\n"
            f"  {WHY}"
        ),
    )


@pytest.mark.parametrize("attempts, text", [(1, "1 attempt"), (5, "5 attempts")])
def test_a_stack_that_will_not_go_is_handed_to_a_person(attempts: int, text: str) -> None:
    """With CloudFormation's own words, on one line and with one full stop."""
    error = "DELETE_FAILED: The following resource(s) failed to delete:\n[Bucket]. "
    assert letter(Item("attention", a_lease(attempts=attempts), error)) == (
        "[janitor] feat-basket could not be deleted",
        (
            f"{TO_ANA}feat-basket  (eu-central-1)\n"
            f"  It could not be deleted after {text}:"
            " DELETE_FAILED: The following resource(s) failed to delete: [Bucket].\n"
            "  The janitor will not try again. Please delete it by hand, or ask your operators."
        ),
    )


def test_operators_are_told_of_the_breaker() -> None:
    """What stopped, and what to do."""
    why = "51 stacks are due for deletion, and max_due is 50"
    assert letter(Item("breaker", None, why), to=OPERATORS) == (
        "[janitor] deletions are stopped: too many stacks are due",
        (
            "To the operators of the janitor:\n\n"
            f"Nothing is being deleted: {why}.\n"
            "  Look at `janitor plan`. If all of that may go, `janitor breaker lift` lets it go"
            " for one day."
        ),
    )


def test_a_digest_begins_with_what_is_most_urgent() -> None:
    """Attention, final, problem, reminders by deadline, and what is over last."""
    stages = ["deleted", "48h", "24h", "problem", "final", "attention"]
    items = [
        Item(stage, a_lease(stage, expires_at=CREATED + timedelta(days=9 - number)), "x")
        for number, stage in enumerate(stages)
    ]
    words = worded(*items)
    assert words.subject == "[janitor] attention could not be deleted, and 5 more"
    assert words.text.startswith(
        "To ana@example.com: this is about 6 temporary stacks of yours.\n\n"
    )
    heads = [line.split("  ")[0] for line in words.text.split("\n") if "  (eu" in line]
    assert heads == ["attention", "final", "problem", "24h", "48h", "deleted"]
    assert words.text.endswith(FOOT)


def test_the_order_of_a_digest_does_not_depend_on_the_order_of_its_items() -> None:
    """The same stacks make the same text."""
    items = [Item("24h", a_lease(f"feat-{number}")) for number in range(5)]
    assert worded(*items) == worded(*reversed(items))


def test_times_are_told_in_the_zone_of_the_policy() -> None:
    """As on the owner's own clock."""
    policy = parse_policy("window: {zone: Europe/Berlin}", "p")
    words = digest(ANA, [Item("24h", a_lease())], now=NOW, policy=policy, mode=Mode.NOTIFY)
    assert "Expires Thu 4 Jun 2026 10:00 CEST (in 1 day);" in words.text


def test_a_subject_stays_under_a_hundred_characters() -> None:
    """SNS refuses a longer one; what is cut shows that it is."""
    items = [Item("24h", a_lease("x" * 128 + str(number))) for number in range(1_000)]
    words = worded(*items)
    assert len(words.subject) == 99
    assert words.subject.endswith("x..., and 999 more")
    assert len(worded(items[0]).subject) == 99


HOSTILE = "x\r\nBcc: all@example.com\x1b[2J\N{RIGHT-TO-LEFT OVERRIDE}\N{ZERO WIDTH SPACE}\x00"


def test_hostile_text_cannot_add_lines_or_hide() -> None:
    """Not from an owner tag, a lifetime tag, nor from CloudFormation."""
    lease = a_lease(deadline_source=HOSTILE)
    to = Contact(ContactKind.NAME, HOSTILE)
    kind = worded(Item("24h", a_lease()), to=Contact(ContactKind.NAME, "x"))
    words = worded(Item("24h", lease), to=to)
    assert words.text.count("\n") == kind.text.count("\n")
    assert words.text.replace("\n", "").isprintable()
    assert "To x Bcc: all@example.com [2J: this is about" in words.text
    problem = worded(Item("problem", a_lease(), HOSTILE)).text
    assert "  It is kept, but x Bcc: all@example.com [2J.\n" in problem


stages = st.sampled_from(["48h", "24h", "final", "problem", "deleted", "attention"])
leases = st.builds(
    a_lease,
    st.text(min_size=1, max_size=128),
    expires_at=st.none() | st.just(NOW) | st.just(NOW + timedelta(days=1)),
    deadline_source=st.text(max_size=100),
    attempts=st.integers(0, 9),
)
items = st.builds(Item, stages, leases, st.text(max_size=100), st.none() | st.just(NOW))


@given(
    st.lists(items, min_size=1, max_size=5),
    st.builds(Contact, st.sampled_from(ContactKind), st.text(max_size=100)),
    st.sampled_from(Mode),
)
def test_any_digest_can_be_worded_and_sent(
    chosen: list[Item], contact: Contact, mode: Mode
) -> None:
    """A subject on one line and short enough, a text that is all printable."""
    words = worded(*chosen, to=contact, mode=mode)
    assert words.subject.isprintable()
    assert 0 < len(words.subject) < 100
    assert words.text.replace("\n", "").isprintable()
