"""Unreachable: name to the operators an owner who can never be reached as the tag says."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from janitor.application.ports import Channel
from janitor.domain.errors import JanitorError
from janitor.domain.lease.notice_history import is_named
from janitor.domain.model import OPERATORS, UNREACHABLE, Audience, Contact, Lease, Notice
from janitor.domain.notification.digest import Missed
from janitor.domain.notification.messages import Message, Sent
from janitor.domain.notification.wording import unreachable


def name_to_operators(
    missed: Missed, leases: Sequence[Lease], channel: Channel, audience: Audience | None
) -> Sent | None:
    """Say it once for a stack and deadline; None if there was nothing to say or it failed.

    The notice itself has gone to the fallback, and the journal has that; what failed is
    said again with the next notice.
    """
    new = [lease.name for lease in leases if not is_named(lease, missed.contact)]
    if not new:
        return None
    with suppress(JanitorError):
        words = unreachable(missed, new)
        return channel.send(Message(OPERATORS, words, (UNREACHABLE,), (), audience))
    return None


def named(lease: Lease, owner: Contact, sent: Sent, now: datetime) -> Notice:
    """Return what the lease remembers of it."""
    return Notice(UNREACHABLE, lease.expires_at, OPERATORS, now, sent.channel, owner.address)
