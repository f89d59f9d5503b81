"""Each stack decided upon for itself, so that what is odd about one keeps no other from its decision."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from msgspec import Struct, field

from janitor.domain.failures import bug_text, failed
from janitor.domain.model import Lease, Outcome, Stack
from janitor.domain.planning.accepted_policy import Ground
from janitor.domain.planning.decide import decide
from janitor.domain.planning.decisions import Decision, Reason, Wait
from janitor.domain.planning.unreadable import Unread, lease_unread, left_alone


class Deciding(Struct, frozen=True):
    """What is known when each stack is decided upon, and over which ones the code failed."""

    leases: Mapping[str, Lease]
    unreadable: Mapping[str, str]
    ground: Ground
    now: datetime
    broken: list[Outcome] = field(default_factory=list)

    def on(self, stack_id: str, stack: Stack | None) -> Decision:
        """Decide on one stack that is listed, or is known not to be."""
        if why := self.unreadable.get(stack_id):
            return Wait(Reason(f"left alone: {lease_unread(why)}"), stack)
        lease = self.leases.get(stack_id)
        try:
            return decide(stack, lease, self.ground.policy, self.now, self.ground)
        except Exception as error:
            self.broken.append(failed(stack_id, "decide", error))
            return Wait(Reason(f"left alone: {bug_text(error)}"), stack, lease)

    def on_unseen(self, lease: Lease, unread: Iterable[Unread]) -> Decision:
        """Decide on the stack of a lease that its listing does not show, unless that is in doubt."""
        if why := left_alone(lease, unread):
            return Wait(Reason(why), None, lease)
        return self.on(lease.stack_id, None)
