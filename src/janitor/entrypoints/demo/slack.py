"""How the demo shows Slack: messages with buttons, pressed and then shown anew, in a terminal."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from msgspec import Struct, field
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.text import Text

from janitor.application.lease.slack_action import Pressed, press
from janitor.application.operations.local import Janitor
from janitor.domain.errors import ConfigurationError
from janitor.domain.notification.digest import Entry
from janitor.domain.notification.messages import Message
from janitor.domain.notification.signed_buttons import button_value

USER = "U0DEMOINES"


class Chat(Struct):
    """One owner's direct messages with the app, and the newest buttons that keep a stack."""

    address: str
    keep: tuple[str, ...] = ()
    """What the buttons of the newest message carry, the shortest time first."""
    said: list[str] = field(default_factory=list)
    """The threads and the private answers, as they came."""
    shown: tuple[Entry, ...] = ()
    """What an earlier message was last changed to: several at once are changed to the same."""

    def receive(self, message: Message) -> RenderableType:
        """Take a message, and return how it looks."""
        entry = message.words.entries[0]
        if entry.token and entry.choices:
            values = (button_value(entry.token, choice.until) for choice in entry.choices)
            self.keep = tuple(values)
        return _panel(f"Slack, to {self.address}", message.words.entries)

    def change(self, message: Message, said: str) -> Iterator[RenderableType]:
        """Yield how an earlier message looks from now on, if that is new, and what its thread says."""
        if message.words.entries != self.shown:
            self.shown = message.words.entries
            yield _panel(f"Slack, the message to {self.address} is now", self.shown)
        if said:
            yield self.hear("in its thread", said)

    def hear(self, where: str, text: str) -> RenderableType:
        """Take a word, and return how it looks."""
        self.said.append(text)
        line = Text(f"{where}: ", style="magenta").append(text, style="default")
        return Padding(line, (0, 0, 0, 2))


def press_second(chat: Chat, janitor: Janitor, now: datetime) -> None:
    """Press the second button of the newest message; what comes of it is queued."""
    if janitor.links is None:
        raise ConfigurationError("buttons need something to be signed with")
    press(
        Pressed(USER, "D0DEMO", chat.keep[1]),
        now=now,
        policy=janitor.policies.policy(),
        ledger=janitor.ledger,
        links=janitor.links,
        queue=janitor.queue,
    )


def _panel(title: str, entries: Iterable[Entry]) -> Panel:
    parts: list[RenderableType] = []
    for entry in entries:
        parts.append(Text(f"{entry.name}  {entry.region}", style="bold underline"))
        parts.append(Text(entry.fate, style="bold"))
        parts += [Text(line) for line in entry.lines]
        labels = [choice.label for choice in entry.choices if entry.token]
        if labels:
            buttons = [f"[ {label} ]" for label in (*labels, "Choose…", "Let it go")]
            parts.append(Text("\n".join(buttons), style="magenta"))
    head = Text(title, style="magenta")
    return Panel(Group(*parts), title=head, title_align="left", border_style="magenta")
