"""How an explanation is shown: as labelled facts, and as JSON."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from janitor.application.operations.explain import Explained
from janitor.domain.instants import instant_text, relative_text
from janitor.domain.planning.conditions import Condition
from janitor.domain.planning.decisions import Open, decision_name
from janitor.domain.planning.earliest_deletion import Notice
from janitor.domain.tagging.wording import tags_text
from janitor.entrypoints.cli.views.plan import iso


def explained_facts(found: Explained, now: datetime, zone: ZoneInfo) -> Iterator[tuple[str, str]]:
    """Yield the explanation as labelled facts; a label stands once for those under it."""
    for label, texts in _grouped(found, now, zone):
        for number, text in enumerate(texts):
            yield label if number == 0 else "", text


def _grouped(found: Explained, now: datetime, zone: ZoneInfo) -> Iterator[tuple[str, list[str]]]:
    subject = found.lease or found.stack
    if subject:
        yield "stack", [f"{subject.name} in {subject.region}"]
        yield "id", [subject.stack_id]
    if stack := found.stack:
        created = f"{instant_text(stack.created, zone)} ({relative_text(stack.created, now)})"
        yield "status", [stack.status]
        yield "created", [created]
    if companion := _companion(found):
        yield "with it", [f"{companion} goes too, the SAM companion with its image repositories"]
    yield (
        "rules",
        [f"{look.rule}: {'yes' if look.selects else 'no'}, {look.why}" for look in found.looks],
    )
    if lease := found.lease:
        stands = f"{lease.state.value}, generation {lease.generation}"
        yield "lease", ["none yet" if isinstance(found.decision, Open) else stands]
        yield "owners", [", ".join(contact.address for contact in lease.contacts)]
        yield "deadline", list(found.deadline)
        yield "extensions", [f"{lease.extensions} of {found.most_extensions} used"]
        yield "notices", [_notice_text(notice, zone) for notice in found.notices]
        if tags := tags_text(lease):
            yield "tags", [tags]
        if lease.last_error:
            yield "last error", [lease.last_error]
    if found.outlook:
        yield (
            "needed",
            [condition_line(condition) for condition in found.outlook.conditions],
        )
    yield "now", [f"{decision_name(found.decision)}: {found.decision.reason}"]
    yield "deleted", [found.deleted]


def _companion(found: Explained) -> str:
    """Return the name of the companion that goes with a managed stack, as the sweep sees it."""
    seen = found.decision.stack
    return seen.companion.split("/")[1] if found.lease and seen and seen.companion else ""


def condition_line(condition: Condition) -> str:
    """Say in one line whether a condition is met; where it is not, who can change that."""
    detail = f"; {condition.detail}" if condition.detail else ""
    if condition.is_met:
        return f"yes: {condition.kind}{detail}"
    if condition.comes_by_itself:
        return f"not yet: {condition.kind}{detail}"
    return f"no: {condition.kind}{detail} ({condition.who} can change that)"


def _notice_text(notice: Notice, zone: ZoneInfo) -> str:
    at = instant_text(notice.at, zone)
    match notice.state:
        case "delivered":
            return f"{notice.stage} to {notice.to}: delivered by {notice.channel}, {at}"
        case "missed":
            return f"{notice.stage} to {notice.to}: missed, and not sent late"
        case _:
            return f"{notice.stage} to {notice.to}: due {at}"


def explained_document(found: Explained) -> dict[str, Any]:
    """Return the explanation as one JSON object."""
    subject, lease, ahead = found.lease or found.stack, found.lease, found.outlook
    stored = None if isinstance(found.decision, Open) else lease
    return {
        "stack_id": subject.stack_id if subject else None,
        "name": subject.name if subject else None,
        "region": subject.region if subject else None,
        "status": found.stack.status if found.stack else None,
        "companion": _companion(found) or None,
        "rules": [{"rule": k.rule, "selects": k.selects, "why": k.why} for k in found.looks],
        "state": stored.state.value if stored else None,
        "generation": stored.generation if stored else None,
        "owners": [contact.address for contact in lease.contacts] if lease else [],
        "expires_at": iso(lease.expires_at) if lease else None,
        "deadline": list(found.deadline),
        "extensions": lease.extensions if lease else 0,
        "tags": tags_text(lease) if lease else "",
        "notices": [
            {"stage": n.stage, "to": n.to, "state": n.state, "at": iso(n.at), "channel": n.channel}
            for n in found.notices
        ],
        "needed": [
            {
                "what": c.kind.value,
                "holds": c.is_met,
                "detail": c.detail,
                "who": c.who.value,
                "until": iso(c.until),
                "by_itself": c.comes_by_itself,
            }
            for c in (ahead.conditions if ahead else ())
        ],
        "decision": decision_name(found.decision),
        "reason": str(found.decision.reason),
        "earliest": iso(ahead.earliest) if ahead else None,
        "deleted": found.deleted,
    }
