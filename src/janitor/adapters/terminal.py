"""Notices as text on a terminal, or wherever somebody takes what is printed."""

from collections.abc import Callable
from enum import Enum, auto
from itertools import count

from janitor.domain.errors import NotHeard, Undeliverable
from janitor.domain.model import OPERATORS
from janitor.domain.notification.messages import AnswerRequest, Message, Sent


class Readers(Enum):
    """Who reads what is printed."""

    OPERATORS = auto()
    """It is a terminal."""
    EVERYBODY = auto()
    """Somebody said that they pass it on (`console:assume-told`)."""
    UNKNOWN = auto()
    """It goes into a file or a pipe."""


NOT_A_TERMINAL = (
    "--notify console prints to no terminal here, so nobody is known to read it: give"
    " --notify sns:TOPIC_ARN, or --notify console:assume-told if somebody passes it on"
)


class ConsoleChannel:
    """The `Channel` port on a function that writes text."""

    most = 100

    def __init__(self, write: Callable[[str], None], readers: Readers) -> None:
        self._write = write
        self._readers = readers
        self._numbers = count(1)

    def send(self, message: Message) -> Sent:
        """Write the digest; its id is its number in this run.

        On a terminal operators alone read it. Raises `NotHeard` where nobody may.
        """
        if self._readers is Readers.OPERATORS and message.contact != OPERATORS:
            raise Undeliverable("only operators read a terminal")
        to = printable(message.contact.address)
        subject = printable(message.subject)
        text = printable(message.text, keep=chr(10))
        self._write(f"To: {to}\nSubject: {subject}\n\n{text}\n")
        if self._readers is Readers.UNKNOWN:
            raise NotHeard(f"printed, and counts for nothing: {NOT_A_TERMINAL}")
        heard = "the terminal" if self._readers is Readers.OPERATORS else "assumed"
        return Sent(f"console-{next(self._numbers)}", "console", heard_by=heard)

    def revise(self, message_id: str, message: Message, said: str) -> None:
        """What is printed stays."""

    def answer(self, request: AnswerRequest) -> None:
        """Nobody presses buttons here."""


def printable(text: str, keep: str = "") -> str:
    """Return `text` without what could steer a terminal; tags are written by anybody."""
    return "".join(letter for letter in text if letter.isprintable() or letter in keep)
