"""Notices to the person at the terminal."""

from collections.abc import Callable
from itertools import count

from janitor.core.requests import AnswerRequest, Message, Sent


class ConsoleChannel:
    """The `Channel` port on a function that writes text."""

    most = 100

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._numbers = count(1)

    def send(self, message: Message) -> Sent:
        """Write the digest; its id is its number in this run."""
        to = printable(message.contact.address)
        subject = printable(message.subject)
        text = printable(message.text, keep=chr(10))
        self._write(f"To: {to}\nSubject: {subject}\n\n{text}\n")
        return Sent(f"console-{next(self._numbers)}", "console")

    def revise(self, message_id: str, message: Message, said: str) -> None:
        """What is printed stays."""

    def answer(self, request: AnswerRequest) -> None:
        """Nobody presses buttons here."""


def printable(text: str, keep: str = "") -> str:
    """Return `text` without what could steer a terminal; tags are written by anybody."""
    return "".join(letter for letter in text if letter.isprintable() or letter in keep)
