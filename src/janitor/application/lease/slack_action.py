"""Press: a button in Slack keeps a stack or lets it go, if whoever pressed it may."""

from contextlib import suppress
from datetime import datetime

from msgspec import Struct

from janitor.application.lease.extend import extend, outdated
from janitor.application.lease.release import let_go
from janitor.application.ports import Ledger, Queue
from janitor.domain.errors import BadLink, ExtensionRefused, JanitorError, StackNotFound
from janitor.domain.instants import instant_text
from janitor.domain.journal.events import Actor
from janitor.domain.model import Contact, ContactKind, Lease
from janitor.domain.notification.messages import AnswerRequest
from janitor.domain.notification.signed_buttons import read_button
from janitor.domain.notification.signed_links import SLACK, Links
from janitor.domain.policy.model import Policy


class Pressed(Struct, frozen=True):
    """A button that a Slack user pressed, in a channel or a direct message."""

    user: str
    channel_id: str
    value: str
    again: bool = False
    """Whether Slack reports it once more: what was refused has been said by then."""


def press(
    pressed: Pressed,
    *,
    now: datetime,
    policy: Policy,
    ledger: Ledger,
    links: Links,
    queue: Queue,
) -> str:
    """Do what the button says, in one conditional write, and return what is said to that.

    The same is queued as an answer to that person alone. A button is good for one
    generation of the lease, so that pressing twice, or Slack's own retry, does no more.
    """
    try:
        said = _done(pressed, now, policy, ledger, links, queue)
    except (BadLink, ExtensionRefused, StackNotFound) as error:
        said = f"Nothing was changed: {error}."
        if pressed.again:
            return said
    with suppress(JanitorError):  # what was done is in the ledger, and the message shows it
        who = Contact(ContactKind.SLACK_USER, pressed.user)
        queue.notify(AnswerRequest(who, pressed.channel_id, said))
    return said


def _done(
    pressed: Pressed, now: datetime, policy: Policy, ledger: Ledger, links: Links, queue: Queue
) -> str:
    token, until = read_button(pressed.value)
    claims = links.verify(token, now, SLACK)
    lease = ledger.lease(claims.stack_id)
    if lease is None:
        raise StackNotFound("the janitor knows nothing of this stack any more")
    if lease.generation != claims.generation:
        # First of all, since an extension also forgets whom the messages before it reached.
        raise ExtensionRefused(outdated(lease, policy, now))
    actor = actor_of(pressed.user, lease, policy)
    if actor is None:
        raise ExtensionRefused(f"only an owner of {lease.name} or an operator can do that")
    if until is None:
        gone = let_go(
            lease.stack_id,
            actor=actor,
            reason="",
            now=now,
            policy=policy,
            ledger=ledger,
            generation=claims.generation,
            queue=queue,
        )
        return f"{gone.name} is let go. A final notice will say when it is deleted."
    kept = extend(
        lease.stack_id,
        until=until,
        actor=actor,
        reason="",
        now=now,
        policy=policy,
        ledger=ledger,
        generation=claims.generation,
        queue=queue,
    )
    return f"{kept.name} is kept until {instant_text(kept.expires_at, policy.window.window.zone)}."


def actor_of(user: str, lease: Lease, policy: Policy) -> Actor | None:
    """Return as whom a Slack user may act on a stack; None if not at all.

    An owner is named by the tag, or was found behind an address in the tag when a notice
    was sent there. To be in a channel gives nobody a right.
    """
    if Contact(ContactKind.SLACK_USER, user) in lease.contacts:
        return Actor("owner", user, "slack")
    for notice in lease.notices:
        if notice.recipient == user and notice.contact in lease.contacts:
            return Actor("owner", f"{user} ({notice.contact.address})", "slack")
    if user in policy.operators.members:
        return Actor("operator", user, "slack")
    return None
