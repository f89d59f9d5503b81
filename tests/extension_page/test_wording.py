"""The head of the extension page, as whole texts: which stack, what, when, and what to do."""

import pytest
from msgspec.structs import replace
from tests.browser.site import DAY, HOUR, LEASE, MARKED, NOW, POLICY, TAKEN

from janitor.application.lease.extend import is_extended, outdated, refusal
from janitor.domain.lease.notice_history import LET_GO
from janitor.domain.model import Contact, ContactKind, Lease, LeaseState, Mode
from janitor.domain.policy.model import Policy
from janitor.extension_page.refusals import ANEW, Spent, not_let_go, refused
from janitor.extension_page.wording import PageWords, Standing

NOTICE = "You get a final notice. It will be deleted 1 day after that, at the earliest."
EXPIRED = "It expired Mon 1 Jun 2026 06:34 CEST (3 hours ago) and is marked for deletion."


def whole(standing: Standing) -> list[str]:
    """Return the three lines and the look."""
    return [standing.title, standing.lead, standing.next, standing.tone.value]


def words(lease: Lease, mode: Mode = Mode.ENFORCE, policy: Policy = POLICY) -> PageWords:
    """Return the words about a lease."""
    return PageWords(lease, policy, mode, NOW)


@pytest.mark.parametrize(
    "lease, mode, text",
    [
        (
            LEASE,
            Mode.ENFORCE,
            [
                "feat-basket ends in 23 hours",
                "It ends Tue 2 Jun 2026 08:34 CEST.",
                f"At its deadline it is marked for deletion. {NOTICE}",
                "calm",
            ],
        ),
        (
            LEASE,
            Mode.NOTIFY,
            [
                "feat-basket ends in 23 hours",
                "It ends Tue 2 Jun 2026 08:34 CEST.",
                (
                    f"At its deadline it is marked for deletion. {NOTICE[:-1]}"
                    ", and not before deletions are switched on."
                ),
                "calm",
            ],
        ),
        (
            replace(LEASE, ownerless=True),
            Mode.ENFORCE,
            [
                "feat-basket ends in 23 hours",
                "It ends Tue 2 Jun 2026 08:34 CEST.",
                (
                    "At its deadline it is marked for deletion. You get a final notice."
                    " It will be deleted 3 days after that, at the earliest."
                ),
                "calm",
            ],
        ),
        (
            replace(LEASE, expires_at=NOW),
            Mode.ENFORCE,
            [
                "feat-basket has expired",
                "It ended Mon 1 Jun 2026 09:34 CEST (now).",
                NOTICE,
                "late",
            ],
        ),
        (
            MARKED,
            Mode.ENFORCE,
            [
                "feat-basket may be deleted in 21 hours",
                "It will be deleted, at the earliest Tue 2 Jun 2026 06:34 CEST.",
                EXPIRED,
                "late",
            ],
        ),
        (
            replace(MARKED, delete_after=NOW),
            Mode.ENFORCE,
            [
                "feat-basket may be deleted now",
                (
                    "It will be deleted at any moment; the final notice gave"
                    " Mon 1 Jun 2026 09:34 CEST (now)."
                ),
                EXPIRED,
                "late",
            ],
        ),
        (
            replace(MARKED, delete_after=None),
            Mode.ENFORCE,
            ["feat-basket has expired", EXPIRED, NOTICE, "late"],
        ),
        (
            MARKED,
            Mode.NOTIFY,
            [
                "feat-basket has expired",
                EXPIRED,
                (
                    "Deletions are switched off at present. Once they are on, it will be deleted,"
                    " at the earliest Tue 2 Jun 2026 06:34 CEST (in 21 hours)."
                ),
                "late",
            ],
        ),
        (
            replace(MARKED, blocked=True, last_error="due, but protected by X\u202e"),
            Mode.ENFORCE,
            [
                "feat-basket may be deleted in 21 hours",
                "It will be deleted, at the earliest Tue 2 Jun 2026 06:34 CEST.",
                f"{EXPIRED} It is held up at present: due, but protected by X.",
                "late",
            ],
        ),
        (
            TAKEN,
            Mode.ENFORCE,
            [
                "feat-basket was let go",
                "It ended Mon 1 Jun 2026 08:34 CEST (1 hour ago), since its owner let it go.",
                NOTICE,
                "late",
            ],
        ),
        (
            replace(MARKED, deadline_source=LET_GO),
            Mode.ENFORCE,
            [
                "feat-basket may be deleted in 21 hours",
                "It will be deleted, at the earliest Tue 2 Jun 2026 06:34 CEST.",
                (
                    "Its owner let it go Mon 1 Jun 2026 06:34 CEST (3 hours ago), and it is marked"
                    " for deletion."
                ),
                "late",
            ],
        ),
        (
            replace(LEASE, protection="protected by tag janitor:protect: fair"),
            Mode.ENFORCE,
            [
                "feat-basket is protected",
                "It is protected by tag janitor:protect: fair.",
                (
                    "Nothing is marked or deleted as long as that tag is there, so you need do"
                    " nothing. Without the tag, its deadline is Tue 2 Jun 2026 08:34 CEST (in 23"
                    " hours)."
                ),
                "calm",
            ],
        ),
    ],
)
def test_a_stack_that_can_be_kept(lease: Lease, mode: Mode, text: list[str]) -> None:
    """What happens to it, and when."""
    assert whole(words(lease, mode).standing()) == text


SAVE = (
    "Save what you need of it. If it must stay for longer, ask the operators of the janitor, or"
    " deploy a new stack: that gets a lease of its own."
)
BUCKET = "The following resource(s) failed to delete: [Bucket]."


@pytest.mark.parametrize(
    "lease, generation, text",
    [
        (
            replace(LEASE, extensions=5),
            1,
            [
                "feat-basket cannot be extended",
                "It ends Tue 2 Jun 2026 08:34 CEST.",
                (
                    "feat-basket has used all of its 5 extensions (max_extensions); it ends Tue 2"
                    f" Jun 2026 08:34 CEST. {SAVE}"
                ),
                "late",
            ],
        ),
        (
            replace(MARKED, created=NOW - 30 * DAY),
            1,
            [
                "feat-basket cannot be extended",
                "It will be deleted, at the earliest Tue 2 Jun 2026 06:34 CEST.",
                (
                    "feat-basket may not live beyond Mon 1 Jun 2026 09:34 CEST (max_lifetime)."
                    f" {SAVE}"
                ),
                "late",
            ],
        ),
        (
            replace(LEASE, extensions=5, protection="protected by tag janitor:protect"),
            1,
            [
                "feat-basket is protected",
                "It is protected by tag janitor:protect.",
                (
                    "feat-basket has used all of its 5 extensions (max_extensions); it ends Tue 2"
                    f" Jun 2026 08:34 CEST. {SAVE}"
                ),
                "calm",
            ],
        ),
        (
            replace(LEASE, expires_at=None),
            1,
            [
                "feat-basket stays",
                "feat-basket never expires, so there is nothing to extend.",
                "You need do nothing.",
                "calm",
            ],
        ),
        (
            replace(LEASE, expires_at=None, problem="tag janitor:ttl 'x' is no lifetime"),
            1,
            [
                "feat-basket is kept",
                (
                    "feat-basket has no deadline to extend, since tag janitor:ttl 'x' is no"
                    " lifetime."
                ),
                "Please correct the tag; until then nothing reminds you and nothing deletes it.",
                "calm",
            ],
        ),
        (
            replace(LEASE, state=LeaseState.DELETING, claimed_at=NOW - HOUR),
            1,
            [
                "feat-basket is being deleted",
                (
                    "It is being deleted since Mon 1 Jun 2026 08:34 CEST (1 hour ago), and that"
                    " cannot be taken back."
                ),
                f"You are told when it is gone. {ANEW}",
                "late",
            ],
        ),
        (
            replace(LEASE, state=LeaseState.FAILED, last_error=BUCKET, next_attempt_at=NOW + HOUR),
            7,
            [
                "feat-basket could not be deleted",
                f"A deletion was begun and has failed: {BUCKET}",
                (
                    "Part of it may be gone already; a later tag janitor:expires keeps what is"
                    " whole. The janitor tries again, not before Mon 1 Jun 2026 10:34 CEST (in 1"
                    f" hour). {ANEW}"
                ),
                "late",
            ],
        ),
        (
            replace(LEASE, state=LeaseState.NEEDS_ATTENTION, last_error=BUCKET),
            1,
            [
                "feat-basket could not be deleted",
                f"A deletion was begun and has failed: {BUCKET}",
                (
                    "The janitor will not try again. Please delete it by hand, on its page in the"
                    f" AWS console, or ask your operators. {ANEW}"
                ),
                "late",
            ],
        ),
        (
            replace(LEASE, state=LeaseState.DELETED, closed_at=NOW - HOUR),
            7,
            [
                "feat-basket is deleted",
                (
                    "It was deleted Mon 1 Jun 2026 08:34 CEST (1 hour ago), and CloudFormation has"
                    " confirmed it."
                ),
                f"Nothing is left to keep. {ANEW}",
                "calm",
            ],
        ),
        (
            replace(LEASE, state=LeaseState.GONE, closed_at=NOW - HOUR),
            1,
            [
                "feat-basket is gone",
                (
                    "Somebody else deleted it, as was noticed Mon 1 Jun 2026 08:34 CEST"
                    " (1 hour ago)."
                ),
                f"Nothing is left to keep. {ANEW}",
                "calm",
            ],
        ),
        (
            replace(LEASE, state=LeaseState.RELEASED),
            1,
            [
                "feat-basket is released",
                "The janitor does not look after it any more, and will not delete it.",
                "You need do nothing. If a rule selects it again, its owner is reminded in time.",
                "calm",
            ],
        ),
        (
            replace(LEASE, extended_until=LEASE.expires_at),
            7,
            [
                "Already extended",
                "feat-basket is already extended to Tue 2 Jun 2026 08:34 CEST.",
                "You will be reminded before that, with a new link; this one is used up.",
                "done",
            ],
        ),
        (
            LEASE,
            7,
            [
                "This link is out of date",
                (
                    "This link was for an earlier deadline of feat-basket, which now ends Tue 2 Jun"
                    " 2026 08:34 CEST."
                ),
                "The newest notice about this stack has a link that works.",
                "calm",
            ],
        ),
        (
            TAKEN,
            7,
            [
                "feat-basket was let go",
                "Its owner let it go Mon 1 Jun 2026 08:34 CEST (1 hour ago).",
                "The final notice has a link that keeps it after all, and says when it goes.",
                "late",
            ],
        ),
    ],
)
def test_a_link_that_does_nothing_more(lease: Lease, generation: int, text: list[str]) -> None:
    """Why, and what to do next."""
    old = generation != lease.generation
    why = outdated(lease, POLICY, NOW) if old else refusal(lease, POLICY, NOW)
    spent = Spent.NOT if not old else Spent.OUTDATED
    if old and is_extended(lease, NOW):
        spent = Spent.EXTENDED
    told = refused(words(lease), why, spent)
    assert whole(told) == text


@pytest.mark.parametrize(
    "ownerless, text",
    [
        (
            False,
            [
                "feat-basket has changed hands",
                "It belongs to bob@example.com now, so your link only shows it.",
                (
                    "If you still need it, ask them to keep it, or name yourself in its owner tag"
                    " again: soon after that, this link or that of the newest notice works for you."
                ),
                "calm",
            ],
        ),
        (
            True,
            [
                "feat-basket has changed hands",
                "No tag names its owner any more, so your link only shows it.",
                (
                    "If you still need it, ask your operators to keep it, or name yourself in its"
                    " owner tag again: soon after that, this link or that of the newest notice"
                    " works for you."
                ),
                "calm",
            ],
        ),
    ],
)
def test_an_owner_who_was_replaced_reads_whom_to_ask(ownerless: bool, text: list[str]) -> None:
    """The same whether the link was to keep it or to let it go."""
    bob = Contact(ContactKind.EMAIL, "bob@example.com")
    of_bob = words(replace(LEASE, contacts=(bob,), ownerless=ownerless))
    assert whole(refused(of_bob, "", Spent.REPLACED)) == text
    assert whole(not_let_go(of_bob, "", Spent.REPLACED)) == text


def test_an_extension_is_confirmed_with_the_date_that_holds() -> None:
    """In full, with its zone."""
    assert whole(words(replace(LEASE, expires_at=NOW + 3 * DAY)).extended()) == [
        "feat-basket is kept",
        "feat-basket now ends Thu 4 Jun 2026 09:34 CEST (in 3 days).",
        (
            "There is nothing more to do. You will be reminded before that, with a new link;"
            " this one is used up."
        ),
        "done",
    ]


def test_letting_go_promises_no_date_that_the_window_could_not_keep() -> None:
    """On a Friday evening the earliest is Monday. Fails if `let_go` adds the grace by itself."""
    friday = NOW + 4 * DAY + 10 * HOUR
    lead = PageWords(replace(LEASE, expires_at=friday), POLICY, Mode.ENFORCE, friday).let_go().lead
    assert lead.startswith("It will be deleted, at the earliest Mon 8 Jun 2026 09:00 CEST")


@pytest.mark.parametrize("days", [1, 3, 7])
def test_a_button_says_the_date_and_what_it_adds(days: int) -> None:
    """From the deadline where that lies ahead, else from now."""
    ends = NOW + 23 * HOUR
    plural = "" if days == 1 else "s"
    assert words(LEASE).longer(ends + days * DAY) == f"{days} day{plural} longer"
    assert words(MARKED).longer(NOW + days * DAY) == f"{days} day{plural} from now"
    assert words(LEASE).until(ends + DAY) == "Keep until Wed 3 Jun 08:34 CEST"
