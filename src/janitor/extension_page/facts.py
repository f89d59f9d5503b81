"""What the extension page shows of a stack, line by line. Much of it is from tags."""

from msgspec import Struct

from janitor.domain.instants import instant_text
from janitor.domain.lease.notice_history import caps_count_from
from janitor.domain.lease.owners import clean
from janitor.domain.model import ContactKind
from janitor.domain.planning.conditions import Condition, conditions
from janitor.domain.stack.labels import COST, cost_text
from janitor.extension_page.wording import PageWords


class Fact(Struct, frozen=True):
    """One line of the table about a stack. The text is from tags in part: show it isolated."""

    name: str
    text: str


def facts(words: PageWords) -> tuple[Fact, ...]:
    """Return what there is to know about the stack, but for its name."""
    lease, terms = words.lease, words.policy.terms(words.lease.rule)
    left = max(0, terms.max_extensions - lease.extensions)
    ceiling = caps_count_from(lease) + terms.max_lifetime
    count = "unknown" if lease.resources is None else str(lease.resources)
    account = (lease.stack_id.split(":") + [""] * 5)[4]
    labels = [Fact(name.capitalize(), clean(text)) for name, text in lease.labels if name != COST]
    return (
        Fact("Account", clean(account)),
        Fact("Region", clean(lease.region)),
        Fact("Owner", _owners(words)),
        Fact("Created", words.when(lease.created)),
        Fact("Deadline", words.when(lease.expires_at)),
        *([Fact("Set by", clean(lease.deadline_source))] if lease.deadline_source else []),
        Fact("Extensions", f"{lease.extensions} used, {left} left"),
        Fact("Not beyond", instant_text(ceiling, words.policy.window.window.zone)),
        Fact("Resources", count),
        Fact("Monthly cost", cost_text(lease.labels)),
        *labels,
    )


def _owners(words: PageWords) -> str:
    told = ", ".join(
        "the operators" if one.kind is ContactKind.OPERATORS else clean(one.address)
        for one in words.lease.contacts
    )
    if words.lease.ownerless:
        return f"nobody; told instead: {told}" if told else "nobody"
    return told or "unknown"


class Need(Struct, frozen=True):
    """One thing that a deletion needs, as a line of the page."""

    is_met: bool
    text: str


def needs(words: PageWords) -> tuple[Need, ...]:
    """Return what stands before the deletion of the stack, met or not, in its order."""
    found = conditions(None, words.lease, words.policy, words.now)
    return tuple(Need(one.is_met, _need(one)) for one in found)


def _need(condition: Condition) -> str:
    detail = f"; {clean(condition.detail)}" if condition.detail else ""
    return f"{condition.kind}{detail}"
