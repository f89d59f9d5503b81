"""Notices on a terminal."""

from janitor.adapters.terminal import ConsoleChannel, Readers
from janitor.domain.model import Contact, ContactKind
from janitor.domain.notification.digest import Wording
from janitor.domain.notification.messages import Message


def test_a_digest_on_the_terminal_cannot_steer_it() -> None:
    """Owners and names come from tags, which anybody may write."""
    written: list[str] = []
    channel = ConsoleChannel(written.append, Readers.EVERYBODY)
    message = Message(
        Contact(ContactKind.EMAIL, "a\x1b[31m@b.c"),
        Wording("two\nlines", "first\nsec\x07ond\u202e"),
        (),
        (),
    )
    assert [channel.send(message).message_id for _ in range(2)] == ["console-1", "console-2"]
    assert written[0] == "To: a[31m@b.c\nSubject: twolines\n\nfirst second\n"
