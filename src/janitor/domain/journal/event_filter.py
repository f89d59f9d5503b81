"""What somebody asks of the journal: which events fit."""

from msgspec import Struct

from janitor.domain.errors import ConfigurationError
from janitor.domain.journal.event_view import read_event
from janitor.domain.journal.events import Event
from janitor.domain.lease.owners import clean

RESULTS = ("ok", "refused", "failed", "unverified", "leftovers")


class Question(Struct, frozen=True):
    """What an event must be like; what is empty asks for nothing.

    Raises `ConfigurationError` for a result that no event has.
    """

    stack: str = ""
    """A name or an id."""
    owner: str = ""
    """One of the owners' addresses."""
    action: str = ""
    """`noun.verb`, or the noun alone."""
    result: str = ""
    actor: str = ""
    """Who acted: an id, a kind (`owner`, `operator` …) or a way (`link`, `cli` …)."""

    def __post_init__(self) -> None:
        if self.result and self.result not in RESULTS:
            known = ", ".join(RESULTS)
            raise ConfigurationError(f"--result {self.result!r} is none of {known}")

    def fits(self, event: Event) -> bool:
        """Tell whether the event is one of those that are asked for."""
        if self.action and not _is_action(event.action, self.action):
            return False
        if self == Question(action=self.action):
            return True
        read = read_event(event)
        return (
            self.stack in ("", read.stack, event.key)
            and self.result in ("", read.result)
            and (not self.owner or _same(self.owner, *read.owner.split(", ")))
            and (not self.actor or _same(self.actor, read.actor, read.actor_type, read.via))
        )


def _is_action(action: str, asked: str) -> bool:
    return action == asked or action.startswith(f"{asked}.")


def _same(asked: str, *texts: str) -> bool:
    wanted = clean(asked).casefold()
    return any(text.casefold() == wanted for text in texts)
