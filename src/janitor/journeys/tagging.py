"""Mirror a lease in its stack's tags: intent, call, outcome. The lease stays the truth."""

import hashlib
from dataclasses import replace
from datetime import datetime

from janitor.adapters.ports import Ledger, Stacks
from janitor.core.decisions import Reason, TagChange
from janitor.core.errors import TagRefused
from janitor.core.journal import Actor, about, entry
from janitor.core.lease import deployed_at
from janitor.core.model import Lease, Outcome, Stack, Status


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
    was let go, which a deployment takes back.
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

    intended = write(lease, lease, "tags.intended", "the stack's tags are to mirror its lease")
    # A call that was cut off is made again; one that was answered is not.
    tried = replace(intended, tag_attempt=change.attempt)
    token = f"janitor-tags-{hashlib.sha256(change.attempt.encode()).hexdigest()[:32]}"
    try:
        updated = stacks.tag(stack, change.put, change.remove, token, read_back=read_back)
    except TagRefused as refusal:
        write(intended, tried, "tags.refused", str(refusal), result="refused")
        return Outcome(lease.stack_id, "tag", Status.SKIPPED, str(refusal))
    deployed = deployed_at(stack, lease)
    after = replace(tried, own_update=updated or tried.own_update, deployed_at=deployed)
    write(intended, after, "tags.written", "the stack's tags mirror its lease")
    return Outcome(lease.stack_id, "tag", Status.DONE)
