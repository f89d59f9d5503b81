"""Commands about the journal: list, show, verify."""

import json
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from janitor.core.errors import ConfigurationError, StackNotFound
from janitor.core.expiry import Unreadable, parse_duration, parse_instant
from janitor.core.journal import Event
from janitor.core.model import ACCOUNT_KEY
from janitor.entrypoints import tables
from janitor.entrypoints.options import Options, out, print_json, taking
from janitor.journeys.inprocess import Janitor
from janitor.journeys.verify import verify_chains

app = typer.Typer(no_args_is_help=True, help="Read and check the journal.")
Name = Annotated[
    str, typer.Argument(metavar="STACK", help="A stack's name or id (ARN), or janitor for sweeps.")
]


@app.command("list")
@taking("policy", "now")
def list_events(
    options: Options,
    since: Annotated[
        str, typer.Option(metavar="WHEN", help="A date, an instant, or how long ago: 7d.")
    ] = "7d",
    until: Annotated[
        str | None, typer.Option(metavar="WHEN", help="As --since. [default: now]")
    ] = None,
    stack: Annotated[
        str | None, typer.Option(metavar="STACK", help="Only this name or id.")
    ] = None,
    action: Annotated[
        str | None, typer.Option(metavar="ACTION", help="Only this action, or its noun.")
    ] = None,
) -> None:
    """List events, the oldest first; --json prints one object a line."""
    with options.session() as (janitor, _):
        zone = janitor.policies.policy().window.window.zone
        instant = janitor.clock()
        # The end is not part of a span, and what has just happened should be.
        end = _instant(until, "--until", instant, zone) if until else instant + timedelta(seconds=1)
        events = janitor.ledger.events(_instant(since, "--since", instant, zone), end)
        chosen = (event for event in events if _is_asked(event, stack, action))
        if options.as_json:
            for event in chosen:
                sys.stdout.write(json.dumps(event.document(), ensure_ascii=False) + "\n")
            return
        found = list(chosen)
    console = out()
    if found:
        console.print(tables.events_view(found, zone))
    console.print(f"{len(found)} event{'' if len(found) == 1 else 's'}.")


def _instant(text: str, option: str, now: datetime, zone: ZoneInfo) -> datetime:
    try:
        return now - parse_duration(text)
    except Unreadable:
        pass
    except OverflowError as error:
        raise ConfigurationError(f"{option} {text!r} is before all time") from error
    try:
        return parse_instant(text, zone)
    except Unreadable as error:
        raise ConfigurationError(f"{option} {error}, or how long ago: 7d") from error


def _is_asked(event: Event, stack: str | None, action: str | None) -> bool:
    is_stack = stack is None or stack in (event.key, tables.stack_name(event.key))
    is_action = action is None or event.action == action or event.action.startswith(f"{action}.")
    return is_stack and is_action


@app.command("show")
@taking("policy")
def show(
    options: Options,
    stack: Name,
) -> None:
    """Tell the whole life of a stack, deleted ones too."""
    with options.session() as (janitor, _):
        zone = janitor.policies.policy().window.window.zone
        chains = [(key, list(janitor.ledger.chain(key))) for key in _keys(janitor, stack)]
    chains.sort(key=lambda chain: chain[1][0].occurred_at if chain[1] else "")
    if options.as_json:
        documents = [[event.document() for event in events] for _, events in chains]
        print_json(
            [{"key": key, "events": d} for (key, _), d in zip(chains, documents, strict=True)]
        )
        return
    for key, events in chains:
        out().print(tables.story_view(key, events, zone))


def _keys(janitor: Janitor, stack: str) -> tuple[str, ...]:
    """Return the chains of a name: of every stack that ever bore it."""
    wanted = tuple(_matching(janitor, stack))
    if not wanted:
        raise StackNotFound(f"the journal knows nothing of {stack}")
    return wanted


def _matching(janitor: Janitor, stack: str) -> Iterator[str]:
    if stack.startswith("arn:") or stack == ACCOUNT_KEY:
        if next(janitor.ledger.chain(stack), None) is not None:
            yield stack
        return
    for key in janitor.ledger.chain_keys():
        if tables.stack_name(key) == stack:
            yield key


@app.command("verify")
@taking("policy")
def verify(
    options: Options,
    stack: Annotated[
        str | None, typer.Argument(metavar="STACK", help="Only this name or id. [default: all]")
    ] = None,
) -> None:
    """Check the journal: which event was changed, removed, inserted or swapped. Exit 1 if any."""
    with options.session() as (janitor, _):
        only = _keys(janitor, stack) if stack else ()
        checks = list(verify_chains(janitor.ledger, only))
    findings = [finding for check in checks for finding in check.findings]
    if options.as_json:
        print_json(
            {
                "chains": len(checks),
                "events": sum(check.events for check in checks),
                "findings": [
                    {"key": f.key, "seq": f.seq, "what": f.what, "text": f.text} for f in findings
                ],
            }
        )
    else:
        out().print(tables.checks_view(checks))
    if findings:
        raise typer.Exit(1)
