"""Let go: the owner ends the lease now. Final notice and grace follow as at any deadline."""

from datetime import datetime

from msgspec.structs import replace

from janitor.application.lease.extend import link_refusal
from janitor.application.lease.update import Change, change_lease, way_of
from janitor.application.ports import Ledger, Queue
from janitor.domain.errors import ExtensionRefused
from janitor.domain.instants import instant_text
from janitor.domain.journal.events import Actor, about
from janitor.domain.lease.notice_history import LET_GO, is_let_go, notices_that_stay
from janitor.domain.lease.owners import clean
from janitor.domain.model import Contact, Lease, LeaseState
from janitor.domain.notification.wording import let_go as said_of
from janitor.domain.planning.decisions import Reason
from janitor.domain.policy.model import Policy


def let_go(
    stack_id: str,
    *,
    actor: Actor,
    reason: str,
    now: datetime,
    policy: Policy,
    ledger: Ledger,
    generation: int | None = None,
    sent_to: Contact | None = None,
    queue: Queue | None = None,
) -> Lease:
    """Move the deadline to `now`; the next sweep marks the stack and sends the final notice.

    Nothing is deleted by this: until the grace is over, an extension takes it back, and so
    does another deployment. `generation` and `sent_to` are those of a link, as for `extend`.
    Raises `StackNotFound` or `ExtensionRefused`, whose text says what to do.
    """
    zone = policy.window.window.zone

    def decide(lease: Lease) -> Change:
        why = link_refusal(lease, generation, sent_to, policy, now) or hindrance(lease, policy)
        if why:
            raise ExtensionRefused(why)
        facts = {"from": instant_text(lease.expires_at, zone), "until": instant_text(now, zone)}
        changed = replace(
            lease,
            expires_at=min(now, lease.expires_at or now),
            deadline_source=LET_GO,
            let_go_at=now,
            generation=lease.generation + 1,
            notices=notices_that_stay(lease, min(now, lease.expires_at or now)),
            delete_after=None,
            moved=None,
        )
        draft = about(
            lease,
            "lease.let_go",
            Reason(reason or "let go, no reason given", facts),
            actor=actor,
            now=now,
            policy_version=policy.version,
        )
        return Change(changed, draft, lambda lease: said_of(actor.id, way_of(actor), lease))

    return change_lease(stack_id, decide, ledger=ledger, queue=queue)


def hindrance(lease: Lease, policy: Policy) -> str:
    """Say why the lease cannot be let go; nothing if it can."""
    ends = instant_text(lease.expires_at, policy.window.window.zone)
    match lease.state:
        case LeaseState.ACTIVE if lease.problem:
            return f"{lease.name} has no deadline, since {lease.problem}; correct the tag first"
        case LeaseState.ACTIVE if lease.protection:
            return f"{lease.name} is {lease.protection}; take that tag away first"
        case LeaseState.ACTIVE if is_let_go(lease):
            return f"{lease.name} has been let go already"
        case LeaseState.ACTIVE:
            return ""
        case LeaseState.MARKED:
            return f"{lease.name} ended {ends} and goes by itself; the final notice says when"
        case LeaseState.DELETING:
            return f"{lease.name} is being deleted already"
        case LeaseState.FAILED | LeaseState.NEEDS_ATTENTION:
            return f"{lease.name} could not be deleted so far: {clean(lease.last_error)}"
        case LeaseState.DELETED | LeaseState.GONE | LeaseState.RELEASED:
            return f"{lease.name} is {lease.state.value}: there is nothing left to let go"
