"""An owner's change to a lease: read, decide, one conditional write, and again if it was lost."""

from collections.abc import Callable
from contextlib import suppress

from msgspec import Struct

from janitor.application.ports import Ledger, Queue
from janitor.domain.errors import Conflict, ExtensionRefused, JanitorError, StackNotFound
from janitor.domain.journal.events import Actor, Draft, entry
from janitor.domain.model import Lease
from janitor.domain.notification.messages import RevisionRequest

TRIES = 5
_WAYS = {"link": "by the link in a notice", "slack": "in Slack", "cli": "by the command line"}


class Change(Struct, frozen=True):
    """What becomes of a lease, and how the journal and earlier messages tell of it."""

    lease: Lease
    draft: Draft
    say: Callable[[Lease], str]
    """What a message's thread says of the lease as written."""


def change_lease(
    stack_id: str, decide: Callable[[Lease], Change], *, ledger: Ledger, queue: Queue | None
) -> Lease:
    """Write what `decide` makes of the lease as it is; by way of `queue` show messages anew.

    Returns the lease as written: what was acknowledged is in the ledger. Raises
    `StackNotFound` or `ExtensionRefused`, whose text says what to do; `decide` may as well.
    """
    for _ in range(TRIES):
        lease = ledger.lease(stack_id)
        if lease is None:
            raise StackNotFound(f"no lease is known for {stack_id}")
        change = decide(lease)
        written = entry(lease, change.lease, change.draft)
        try:
            ledger.commit(written)
        except Conflict:
            continue  # a sweep, a click or a deletion was faster: look at what it made of it
        if queue is not None:
            show_anew(lease, change.say(written.record), queue)
        return written.record
    raise ExtensionRefused("the lease is changing all the time just now; please try again")


def way_of(actor: Actor) -> str:
    """Say how somebody did it, as a message's thread tells it."""
    return _WAYS.get(actor.via, actor.via)


def show_anew(lease: Lease, said: str, queue: Queue) -> None:
    """Queue the revision of each message that spoke of `lease`, as it was before a change.

    Best effort: what was granted is in the ledger, and an old button says so.
    """
    messages = {
        (notice.contact, notice.message_id): (lease.stack_id, *notice.beside)
        for notice in lease.notices
        if notice.message_id
    }
    for (contact, message_id), stack_ids in messages.items():
        with suppress(JanitorError):
            queue.notify(RevisionRequest(contact, message_id, stack_ids, said))
