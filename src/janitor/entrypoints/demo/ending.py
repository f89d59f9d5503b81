"""The end of the demo: one stack's story, who was told of each deletion, and an honest check."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from rich.table import Table
from rich.text import Text

from janitor.application.audit.verify import verify_chains
from janitor.application.operations.local import Janitor
from janitor.domain.journal.events import Event
from janitor.domain.model import FINAL
from janitor.entrypoints.cli.views import journal as tables
from janitor.entrypoints.demo import cast
from janitor.entrypoints.demo.account import DevAccount
from janitor.entrypoints.demo.stage import Screen

GRACE = timedelta(hours=24)
Chains = Mapping[str, Sequence[Event]]


def show_end(screen: Screen, janitor: Janitor, account: DevAccount) -> bool:
    """Show the evidence, compare it with what is really left; tell whether all is as it should."""
    zone = janitor.policies.policy().window.window.zone
    clicked = account.id_of(cast.CLICKED)
    chains = {key: list(janitor.ledger.chain(key)) for key in janitor.ledger.chain_keys()}
    screen.heading("The audit: the life of one stack")
    screen.show(tables.story_view(clicked, chains[clicked], zone))
    screen.heading("What was deleted, and who was told before")
    screen.show(_deletions(chains, janitor, zone))
    screen.heading("What is really left")
    standing, left = _compare(janitor, account)
    screen.show(left)
    screen.heading("Checks")
    checks = list(verify_chains(janitor.ledger))
    screen.show(tables.checks_view(checks))
    claims = {
        "every stack that should be gone is gone, and no other": standing,
        "no chain of the journal has been touched": not any(c.findings for c in checks),
        **_claims(account, chains),
    }
    for claim, holds in claims.items():
        style = "green" if holds else "bold red"
        screen.show(Text(f"  {'yes' if holds else 'NO '}  {claim}", style=style))
    return all(claims.values())


def _deletions(chains: Chains, janitor: Janitor, zone: ZoneInfo) -> Table:
    """List what the janitor deleted: whose it was, who was told when, and which lifetime it had."""
    table = _table("Stack", "Owner", "Final notice", "Confirmed", "Lifetime")
    for events in _deleted(chains):
        intended = _first(events, "deletion.intended")
        finals = _finals(events)
        told = ", ".join(sorted({str(e.body["reason"]["facts"]["to"]) for e in finals}))
        lease = janitor.ledger.lease(intended.key)
        table.add_row(
            _place(intended.body["target"]["name"], intended.body["target"]["region"]),
            f"nobody ({told} told)" if lease and lease.ownerless else told,
            _time(finals[-1], zone) if finals else "none",
            _time(_first(events, "deletion.confirmed"), zone),
            Text(intended.body["reason"]["facts"]["deadline_source"].removeprefix("tag janitor:")),
        )
    return table


def _compare(janitor: Janitor, account: DevAccount) -> tuple[bool, Table]:
    """Hold what should be left against CloudFormation; tell whether they agree."""
    table = _table("Stack", "Should", "CloudFormation", "Lease", "Kind")
    agree = True
    for part, stack_id in account.ids.items():
        lease = janitor.ledger.lease(stack_id)
        stands = part.stands
        if lease is not None and lease.extensions:
            stands = lease.state.is_open  # A person may have clicked more than the story does.
        status = account.status(stack_id, part.region)
        fine = (status != "DELETE_COMPLETE") == stands
        agree = agree and fine
        table.add_row(
            _place(part.name, part.region),
            "stand" if stands else "be gone",
            Text(status, style="" if fine else "bold red"),
            lease.state.value if lease else "none",
            part.kind,
        )
    return agree, table


def _claims(account: DevAccount, chains: Chains) -> dict[str, bool]:
    """Return what the story has claimed, and whether the journal bears it out."""

    def count(name: str, action: str) -> int:
        return sum(event.action == action for event in chains[account.id_of(name)])

    extended = [e for e in chains[account.id_of(cast.CLICKED)] if e.action == "lease.extended"]
    return {
        "no deletion without a final notice delivered a day before": all(
            _was_fair(events) for events in _deleted(chains)
        ),
        f"{cast.CLICKED} was extended through its link": any(
            event.body["actor"]["via"] == "link" for event in extended
        ),
        f"{cast.CHATTED} was kept by a button in Slack, and is gone now": (
            [
                e.body["actor"]["via"]
                for e in chains[account.id_of(cast.CHATTED)]
                if e.action == "lease.extended"
            ]
            == ["slack"]
            and count(cast.CHATTED, "deletion.confirmed") == 1
        ),
        f"the tags of {cast.WIPED} were written again": count(cast.WIPED, "tags.written") == 2,
        f"{cast.STUCK} was never tagged": count(cast.STUCK, "tags.intended") == 0,
        f"{cast.STUBBORN} went at the second attempt": (
            count(cast.STUBBORN, "deletion.failed") == 1
            and count(cast.STUBBORN, "deletion.intended") == 2
            and count(cast.STUBBORN, "deletion.confirmed") == 1
        ),
        f"the stack nested in {cast.PARENT} had no lease of its own": not any(
            child in chains for child in account.parents
        ),
    }


def _deleted(chains: Chains) -> list[Sequence[Event]]:
    """Return the chains that end in a confirmed deletion, in the order of the deletions."""
    found = [c for c in chains.values() if any(e.action == "deletion.confirmed" for e in c)]
    return sorted(found, key=lambda chain: _first(chain, "deletion.confirmed").occurred_at)


def _was_fair(events: Sequence[Event]) -> bool:
    """Tell whether the last final notice came at least the grace before the deletion."""
    finals = _finals(events)
    intended = _instant(_first(events, "deletion.intended"))
    return bool(finals) and intended - _instant(finals[-1]) >= GRACE


def _finals(events: Sequence[Event]) -> list[Event]:
    delivered = [event for event in events if event.action == "notice.delivered"]
    return [event for event in delivered if event.body["reason"]["facts"]["stage"] == FINAL]


def _first(events: Sequence[Event], action: str) -> Event:
    return next(event for event in events if event.action == action)


def _instant(event: Event) -> datetime:
    return datetime.fromisoformat(event.occurred_at)


def _time(event: Event, zone: ZoneInfo) -> str:
    return f"{_instant(event).astimezone(zone):%a %d %H:%M}"


def _place(name: str, region: str) -> str:
    return name if region == cast.HOME else f"{name} {region}"


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns[:-1]:
        table.add_column(column, no_wrap=True)
    table.add_column(columns[-1], overflow="fold")
    return table
