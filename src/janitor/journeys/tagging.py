"""Mirror a lease in its stack's tags: intent, call, outcome. The lease stays the truth."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime

from msgspec.structs import replace

from janitor.adapters.ports import Ledger, Stacks
from janitor.core.decisions import Reason, TagChange
from janitor.core.errors import JanitorError, TagRefused
from janitor.core.failures import failed
from janitor.core.journal import Actor, about, entry
from janitor.core.model import Lease, LeaseState, Outcome, Stack, Status
from janitor.core.plan import Listing
from janitor.core.refresh import deployed_at


def mirror_tags(
    stack: Stack,
    lease: Lease,
    change: TagChange,
    *,
    now: datetime,
    policy_version: str,
    actor: Actor,
    read_back: bool,
    stacks: Stacks,
    ledger: Ledger,
) -> Outcome:
    """Change the tags of `stack`; a refusal is journalled and changes nothing else.

    `read_back`: learn when CloudFormation says it was updated by that, so that it does not
    count as a deployment; a lifetime that counts from deployments needs it, and a stack that
    was let go, which a deployment takes back. If the answer is lost, `settle` asks again.
    """
    facts = {**change.put, "removed": ", ".join(change.remove)}

    def write(stored: Lease, changed: Lease, action: str, text: str, result: str = "ok") -> Lease:
        draft = about(
            stored,
            action,
            Reason(text, {key: value for key, value in facts.items() if value}),
            actor=actor,
            now=now,
            policy_version=policy_version,
            stack=stack,
            result=result,
        )
        written = entry(stored, changed, draft)
        ledger.commit(written)
        return written.record

    # The place of the intent in its chain makes the token unique: tags go on and off again.
    digest = hashlib.sha256(lease.stack_id.encode()).hexdigest()[:16]
    token = f"janitor-tags-{digest}-{lease.seq + 1}"
    asked = replace(
        lease, tag_token=token if read_back else "", deployed_at=deployed_at(stack, lease)
    )
    intended = write(lease, asked, "tags.intended", "the stack's tags are to mirror its lease")
    # A call that was cut off is made again; one that was answered is not.
    tried = replace(intended, tag_attempt=change.attempt)
    try:
        updated = stacks.tag(stack, change.put, change.remove, token, read_back=read_back)
    except TagRefused as refusal:
        refused = replace(tried, tag_token="")
        write(intended, refused, "tags.refused", str(refusal), result="refused")
        return Outcome(lease.stack_id, "tag", Status.SKIPPED, str(refusal))
    after = replace(tried, own_update=updated, tag_token="") if updated else tried
    write(intended, after, "tags.written", "CloudFormation took the tags that mirror the lease")
    return Outcome(lease.stack_id, "tag", Status.DONE)


def settle(
    listings: Iterable[Listing],
    leases: Mapping[str, Lease],
    *,
    now: datetime,
    policy_version: str,
    actor: Actor,
    stacks: Stacks,
    ledger: Ledger | None,
    broken: list[Outcome],
) -> dict[str, Lease]:
    """Return those marked leases whose tag update went unanswered and is found to be the last.

    Its token tells; a deployment since, or not to know, leaves the lease as it is, and the
    stack counts as deployed. Without a `ledger` nothing is written. What the code itself fails
    at goes to `broken`.
    """
    lost = {
        stack_id: lease
        for stack_id, lease in leases.items()
        if lease.tag_token and lease.state is LeaseState.MARKED
    }
    settled: dict[str, Lease] = {}
    for stack in (stack for listing in listings if lost for stack in listing.stacks):
        if (lease := lost.get(stack.stack_id)) is None:
            continue
        try:
            if not (at := stacks.own_update(stack.stack_id, lease.tag_token)):
                continue
            draft = about(
                lease,
                "tags.written",
                Reason("its last update was that of its tags, whose time was not known yet"),
                actor=actor,
                now=now,
                policy_version=policy_version,
                stack=stack,
            )
            written = entry(lease, replace(lease, own_update=at, tag_token=""), draft)
            if ledger is not None:
                ledger.commit(written)
            settled[stack.stack_id] = written.record
        except JanitorError:
            continue  # The next sweep asks again.
        except Exception as error:
            broken.append(failed(stack.stack_id, "settle", error))
    return settled
