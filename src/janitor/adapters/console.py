"""Notices to the person at the terminal."""

from collections.abc import Callable
from itertools import count

from janitor.adapters.ports import Message


class ConsoleChannel:
    """The `Channel` port on a function that writes text."""

    name = "console"

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._numbers = count(1)

    def send(self, message: Message) -> str:
        """Write the digest, and return its number in this run."""
        to = printable(message.contact.address)
        subject = printable(message.subject)
        self._write(f"To: {to}\nSubject: {subject}\n\n{printable(message.text, keep=chr(10))}\n")
        return f"console-{next(self._numbers)}"


def printable(text: str, keep: str = "") -> str:
    """Return `text` without what could steer a terminal; tags are written by anybody."""
    return "".join(letter for letter in text if letter.isprintable() or letter in keep)
