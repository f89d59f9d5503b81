"""A year of a busy account's journal: sound chains, made by the code that writes them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from account import REGION
from janitor.adapters.aws.dynamodb.schema import event_row
from janitor.domain.journal.events import Actor, Draft, Entry, about, entry
from janitor.domain.model import Contact, ContactKind, Lease, Stack
from janitor.domain.planning.decisions import Reason

END = datetime(2026, 6, 1, tzinfo=UTC)
SWEEP, NOTIFY, DELETE, TRACK = (
    Actor("janitor", "janitor", via) for via in ("sweep", "notify", "delete", "track")
)


def rows(events: int) -> Iterator[dict[str, Any]]:
    """Yield rows of the journal table, stack by stack, spread over a year."""
    made = number = 0
    while made < events:
        for written in _life(number, END - timedelta(days=364) * (1 - made / events)):
            for event in written.events:
                if made < events:
                    yield event_row(event)
                    made += 1
        number += 1


def _life(number: int, opened: datetime) -> Iterator[Entry[Lease]]:
    """Yield what is written of one stack: told twice, perhaps extended, deleted in the end."""
    name = f"feat-{number:06}"
    key = f"arn:aws:cloudformation:{REGION}:111122223333:stack/{name}/{number:036}"
    owner = Contact(ContactKind.EMAIL, f"dev-{number % 40}@example.com")
    tags = {"janitor:ttl": "3d", "janitor:owner": owner.address, "team": f"team-{number % 8}"}
    stack = Stack(key, name, REGION, "CREATE_COMPLETE", opened, tags=tags)
    lease = Lease(key, name, REGION, "default", opened, opened, contacts=(owner,))
    by_owner = Actor("owner", owner.address, "link", "192.0.2.1", "Mozilla/5.0")
    told = {"stage": "final", "to": owner.address, "channel": "sns"}
    until = {"from": "Mon 1 Jun 2026", "until": "Thu 4 Jun 2026", "extension": "1 of 5"}
    failed = number % 25 == 0
    steps: list[tuple[float, str, Actor, Reason, str]] = [
        (0, "lease.opened", SWEEP, Reason("matches rule 'default'; expires in 3 days"), "ok"),
        (24, "notice.delivered", NOTIFY, Reason("48h notice", {**told, "stage": "48h"}), "ok"),
        (48, "notice.delivered", NOTIFY, Reason("24h notice", {**told, "stage": "24h"}), "ok"),
        (72, "stack.marked", SWEEP, Reason("expired now (tag janitor:ttl=3d)"), "ok"),
        (72.1, "tags.intended", SWEEP, Reason("janitor:state, janitor:delete-after"), "ok"),
        (72.1, "tags.written", SWEEP, Reason("written"), "ok"),
        (72.2, "notice.delivered", NOTIFY, Reason("final notice delivered", told), "ok"),
        (97, "deletion.intended", DELETE, Reason("expired, told, and the grace is over"), "ok"),
        (97, "deletion.started", DELETE, Reason("CloudFormation accepted the deletion"), "ok"),
        *([(97.5, "deletion.failed", TRACK, Reason("DELETE_FAILED: [Bucket]"), "failed")] * failed),
        (98, "deletion.confirmed", TRACK, Reason("confirmed by id after attempt 1"), "ok"),
    ]
    if number % 3 == 0:
        steps.insert(3, (60, "lease.extended", by_owner, Reason("still testing", until), "ok"))
    for hours, action, actor, reason, result in steps:
        when = opened + timedelta(hours=hours)
        draft: Draft = about(
            lease, action, reason, actor=actor, now=when, policy_version="bench",
            stack=stack, result=result,
        )  # fmt: skip
        written = entry(lease, lease, draft)
        lease = written.record
        yield written
