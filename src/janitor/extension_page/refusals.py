"""What the extension page says when a link does nothing more: why, and what to do next."""

from enum import Enum, auto
from typing import assert_never

from janitor.domain.journal.events import owners_text
from janitor.domain.lease.notice_history import is_let_go
from janitor.domain.lease.owners import clean
from janitor.domain.model import LeaseState
from janitor.extension_page.wording import PageWords, Standing, Tone

ANEW = "If you need it again, deploy it again: the new stack gets a lease of its own."
BEGUN = "Part of it may be gone already; a later tag janitor:expires keeps what is whole."


class Spent(Enum):
    """In which way a link is of no use any more."""

    NOT = auto()
    OUTDATED = auto()
    """Made for another deadline than the present one."""
    EXTENDED = auto()
    """The same, and the present one is due to an extension."""
    REPLACED = auto()
    """Sent to somebody who is no longer an owner."""


def refused(words: PageWords, why: str, spent: Spent) -> Standing:
    """Say why a link does nothing more for this stack, and what does."""
    lease = words.lease
    match lease.state:
        case LeaseState.ACTIVE | LeaseState.MARKED if spent is Spent.NOT:
            return _at_its_limits(words, why)
        case LeaseState.ACTIVE | LeaseState.MARKED if spent is Spent.REPLACED:
            return _replaced(words)
        case LeaseState.ACTIVE | LeaseState.MARKED:
            return _outdated(words, why, extended=spent is Spent.EXTENDED)
        case LeaseState.DELETING:
            since = f" since {words.when(lease.claimed_at)}" if lease.claimed_at else ""
            lead = f"It is being deleted{since}, and that cannot be taken back."
            text = f"You are told when it is gone. {ANEW}"
            return Standing(f"{words.name} is being deleted", lead, text, Tone.LATE)
        case LeaseState.FAILED:
            again = lease.next_attempt_at
            at = f" The janitor tries again, not before {words.when(again)}." if again else ""
            text = f"{BEGUN}{at} {ANEW}"
            return Standing(f"{words.name} could not be deleted", _failed(words), text, Tone.LATE)
        case LeaseState.NEEDS_ATTENTION:
            text = (
                "The janitor will not try again. Please delete it by hand, on its page in the"
                f" AWS console, or ask your operators. {ANEW}"
            )
            return Standing(f"{words.name} could not be deleted", _failed(words), text, Tone.LATE)
        case LeaseState.DELETED:
            lead = f"It was deleted {_closed(words)}, and CloudFormation has confirmed it."
            return Standing(f"{words.name} is deleted", lead, f"Nothing is left to keep. {ANEW}")
        case LeaseState.GONE:
            lead = f"Somebody else deleted it, as was noticed {_closed(words)}."
            return Standing(f"{words.name} is gone", lead, f"Nothing is left to keep. {ANEW}")
        case LeaseState.RELEASED:
            lead = "The janitor does not look after it any more, and will not delete it."
            text = "You need do nothing. If a rule selects it again, its owner is reminded in time."
            return Standing(f"{words.name} is released", lead, text)
        case _ as unreachable:
            assert_never(unreachable)


def _failed(words: PageWords) -> str:
    return f"A deletion was begun and has failed: {clean(words.lease.last_error).rstrip('.')}."


def _closed(words: PageWords) -> str:
    at = words.lease.closed_at
    return words.when(at) if at else "some time ago"


def _at_its_limits(words: PageWords, why: str) -> Standing:
    lease = words.lease
    if lease.problem:
        hint = "Please correct the tag; until then nothing reminds you and nothing deletes it."
        return Standing(f"{words.name} is kept", why_text(why), hint)
    if lease.expires_at is None:
        return Standing(f"{words.name} stays", why_text(why), "You need do nothing.")
    hint = (
        "Save what you need of it. If it must stay for longer, ask the operators of the"
        " janitor, or deploy a new stack: that gets a lease of its own."
    )
    stands = words.standing()
    title = stands.title if lease.protection else f"{words.name} cannot be extended"
    tone = stands.tone if lease.protection else Tone.LATE
    return Standing(title, stands.lead, f"{why_text(why)} {hint}", tone)


def _replaced(words: PageWords) -> Standing:
    lease = words.lease
    owners, ask = clean(owners_text(lease.contacts)), "them"
    lead = f"It belongs to {owners} now, so your link only shows it."
    if lease.ownerless:
        lead, ask = "No tag names its owner any more, so your link only shows it.", "your operators"
    hint = (
        f"If you still need it, ask {ask} to keep it, or name yourself in its owner tag again:"
        " soon after that, this link or that of the newest notice works for you."
    )
    return Standing(f"{words.name} has changed hands", lead, hint)


def _outdated(words: PageWords, why: str, *, extended: bool) -> Standing:
    newest = "The newest notice about this stack has a link that works."
    if is_let_go(words.lease):
        lead = f"Its owner let it go {words.when(words.lease.expires_at)}."
        hint = "The final notice has a link that keeps it after all, and says when it goes."
        return Standing(f"{words.name} was let go", lead, hint, Tone.LATE)
    if extended:
        hint = "You will be reminded before that, with a new link; this one is used up."
        return Standing("Already extended", why_text(why), hint, Tone.DONE)
    return Standing("This link is out of date", why_text(why), newest)


def no_date() -> Standing:
    """Say that there is nothing for a calendar."""
    text = "There is no date ahead of this link that a calendar could hold."
    return Standing("No date for a calendar", text, "The link itself shows how things stand.")


def not_let_go(words: PageWords, why: str, spent: Spent) -> Standing:
    """Say why a stack cannot be let go."""
    running = words.lease.state in (LeaseState.ACTIVE, LeaseState.MARKED)
    if spent is not Spent.NOT or not running or words.lease.problem:
        return refused(words, why, spent)
    stands = words.standing()
    more = "" if words.lease.protection else stands.lead
    return Standing(stands.title, why_text(why), more, stands.tone)


def why_text(why: str) -> str:
    """Make a sentence of a reason; a stack's name keeps its small first letter."""
    text = clean(why).rstrip(".")
    return f"T{text[1:]}." if text.startswith(("this link", "the lease")) else f"{text}."
