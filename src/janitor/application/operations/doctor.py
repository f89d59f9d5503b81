"""Doctor: look at a deployed copy from outside, and say what would keep it from its work."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Protocol

from msgspec import Struct

from janitor.domain.errors import ConfigurationError, JanitorError
from janitor.domain.failures import bug_text
from janitor.domain.instants import relative_text
from janitor.domain.model import Audience
from janitor.domain.notification.topic_reach import UNCONFIRMED, how_owners_hear


class Copy(Protocol):
    """A deployed copy, as `adapters/aws/deployment.py` reads it from AWS."""

    @property
    def name(self) -> str:
        """Return the name of the stack."""
        ...

    def outputs(self) -> Mapping[str, str]:
        """Return the stack's outputs, and its status as `StackStatus`."""
        ...

    def audience(self, topic: str, now: datetime) -> Audience:
        """Return who is subscribed to a topic."""
        ...

    def schedules(self) -> Mapping[str, str]:
        """Return the schedules of the stack and the state of each."""
        ...

    def waiting(self, queue_url: str) -> int:
        """Return how many messages a queue holds."""
        ...

    def checked(self, function: str) -> str:
        """Let the check function look under its own role; return what is wrong."""
        ...

    def last_sweep(self, stage: str, now: datetime) -> datetime | None:
        """Return the hour in which a sweep completed last, if lately."""
        ...


class Examined(Struct, frozen=True):
    """One thing that was looked at: whether it is fine, and what was seen."""

    what: str
    fine: bool
    seen: str
    bug: Exception | None = None
    """What was raised, where it is none of our own errors."""


def examine(copy: Copy, now: datetime, *, fresh: bool = False) -> Iterator[Examined]:
    """Look at everything that a deployment needs; one finding does not hide another.

    Of a `fresh` copy nobody asks yet whether it swept and whether anybody subscribed; how
    owners get a channel is said all the same.
    Raises `StackNotFound` where there is no such stack, `ConfigurationError` where it is another.
    """
    outputs = _outputs_of(copy)
    status = outputs["StackStatus"]
    yield Examined("stack", status.endswith("_COMPLETE") and "ROLLBACK" not in status, status)

    def subscriptions() -> tuple[bool, str]:
        several = copy.audience(outputs["NoticesTopicArn"], now).subscriptions
        count, pending = len(several), sum(one.problem == UNCONFIRMED for one in several)
        seen = f"{count} subscriptions, {pending} not confirmed"
        return count > pending and not pending, seen if count else "nobody subscribes to notices"

    def schedule() -> tuple[bool, str]:
        states = copy.schedules()
        seen = ", ".join(f"{name} {state.lower()}" for name, state in states.items())
        return set(states.values()) == {"ENABLED"}, seen or "the stack has no schedule"

    def dead_letters() -> tuple[bool, str]:
        urls = [url for name, url in outputs.items() if name.endswith("DeadLetterQueueUrl")]
        count = sum(copy.waiting(url) for url in urls)
        return not count, f"{count} messages that nobody could work off"

    def settings() -> tuple[bool, str]:
        problem = copy.checked(outputs["CheckFunctionName"])
        return not problem, problem or "policy, mode, secrets and a dry sweep are fine"

    def sweeps() -> tuple[bool, str]:
        last = copy.last_sweep(outputs["Stage"], now)
        return last is not None, f"completed {relative_text(last, now)}" if last else "none lately"

    looks: dict[str, Callable[[], tuple[bool, str]]] = {
        "settings": settings,
        "schedule": schedule,
        **({} if fresh else {"last sweep": sweeps, "subscriptions": subscriptions}),
        "dead letters": dead_letters,
        "owners": partial(owners_of, copy, outputs, now, fresh=fresh),
    }
    for what, look in looks.items():
        bug: Exception | None = None
        try:
            fine, seen = look()
        except KeyError as error:
            fine, seen = False, f"the stack has no output {error}: deploy it anew"
        except JanitorError as error:
            fine, seen = False, str(error)
        except Exception as error:
            fine, seen, bug = False, f"could not be looked at: {bug_text(error)}", error
        yield Examined(what, fine, seen, bug)


def owners_of(
    copy: Copy, outputs: Mapping[str, str], now: datetime, *, fresh: bool = False
) -> tuple[bool, str]:
    """Tell whether the owners of stacks have a channel, and how they get one; `fresh` may lack it.

    Raises `KeyError` where the stack has no topic, `JanitorError` where it cannot be read.
    """
    has_slack = outputs.get("SlackSecretArn", "none") != "none"
    audience = copy.audience(outputs["NoticesTopicArn"], now)
    fine, seen = how_owners_hear(audience, has_slack=has_slack)
    return fine or fresh, seen


def _outputs_of(copy: Copy) -> Mapping[str, str]:
    outputs = copy.outputs()
    if "CheckFunctionName" not in outputs:
        status = outputs["StackStatus"]
        text = f"the stack {copy.name} is no deployed janitor; its status is {status}"
        raise ConfigurationError(text)
    return outputs
