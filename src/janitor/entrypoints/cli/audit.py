"""Commands about the journal: list, show, verify."""

import json
import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Annotated

import typer
from msgspec.structs import replace

from janitor.application.audit.report import events_of
from janitor.application.audit.verify import Memory, remember, verify_chains
from janitor.application.operations.local import Janitor
from janitor.bootstrap import archive_of
from janitor.domain.errors import ConfigurationError, StackNotFound
from janitor.domain.journal.event_filter import Question
from janitor.domain.journal.event_view import stack_name
from janitor.domain.journal.events import Event, instant
from janitor.domain.lease.deadlines import Unreadable, parse_duration
from janitor.domain.model import ACCOUNT_KEY
from janitor.entrypoints.cli import export as report_commands
from janitor.entrypoints.cli.export import Owner, Since, Span, StackName, Until
from janitor.entrypoints.cli.options import Options, out, print_json, taking
from janitor.entrypoints.cli.views import journal as tables

app = typer.Typer(no_args_is_help=True, help="Read, check and export the journal.")
Name = Annotated[
    str, typer.Argument(metavar="STACK", help="A stack's name or id (ARN), or janitor for sweeps.")
]


@app.command("list")
@taking("policy", "now")
def list_events(
    options: Options,
    since: Since = "7d",
    until: Until = None,
    stack: StackName = "",
    owner: Owner = "",
    action: Annotated[
        str, typer.Option(metavar="ACTION", help="Only this action, or its noun.")
    ] = "",
    result: Annotated[
        str,
        typer.Option(metavar="RESULT", help="Only ok, refused, failed, unverified or leftovers."),
    ] = "",
    actor: Annotated[
        str,
        typer.Option(metavar="ACTOR", help="Only by this id, kind (owner) or way (link, cli)."),
    ] = "",
) -> None:
    """List events, the oldest first; --json prints one object a line."""
    question = Question(stack, owner, action, result, actor)
    with options.session() as (janitor, _):
        zone = janitor.policies.policy().window.window.zone
        span = Span.of(since, until, janitor.clock(), zone)
        count = 0

        def counted() -> Iterator[Event]:
            nonlocal count
            for event in events_of(janitor.ledger, question, span.since, span.until):
                count += 1
                yield event

        if options.as_json:
            for event in counted():
                sys.stdout.write(json.dumps(event.document(), ensure_ascii=False) + "\n")
            return
        console = out()
        for part in tables.events_view(counted(), zone):
            console.print(part)
    console.print(f"{count} event{'' if count == 1 else 's'}.")


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


def _keys(janitor: Janitor, stack: str, others: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the chains of a name: of every stack that ever bore it, also of `others`."""
    wanted = dict.fromkeys(_matching(janitor, stack))
    wanted |= dict.fromkeys(key for key in others if stack in (key, stack_name(key)))
    if not wanted:
        raise StackNotFound(f"the journal knows nothing of {stack}")
    return tuple(wanted)


def _matching(janitor: Janitor, stack: str) -> Iterator[str]:
    if stack.startswith("arn:") or stack == ACCOUNT_KEY:
        if next(janitor.ledger.chain(stack), None) is not None:
            yield stack
        return
    for key in janitor.ledger.chain_keys():
        if stack_name(key) == stack:
            yield key


@app.command("verify")
@taking("policy", "now", "archive")
def verify(
    options: Options,
    stack: Annotated[
        str | None, typer.Argument(metavar="STACK", help="Only this name or id. [default: all]")
    ] = None,
    lag: Annotated[
        str, typer.Option(metavar="SPAN", help="How long an event may be on its way there.")
    ] = "30m",
) -> None:
    """Check the journal, and name each event that is not as it was.

    That is one changed, removed, inserted or swapped; there is exit 1 if there is any. With --archive its rows are compared with what the archive kept of them.
    """
    try:
        span = parse_duration(lag)
    except Unreadable as error:
        raise ConfigurationError(f"--lag {error}") from error
    settings = options.settings()
    if settings.archive and not settings.archive.startswith("s3://") and not settings.deployment:
        # The archive of a deployed copy is of that copy's tables.
        options = replace(options, deployment=settings.archive)
    with options.session() as (janitor, aws):
        memory: Memory | None = None
        if settings.archive:
            memory = remember(archive_of(settings, aws), janitor.clock(), span)
        remembered = chain(janitor.ledger.record_keys(), memory.traces if memory else ())
        only = _keys(janitor, stack, remembered) if stack else ()
        checks = list(verify_chains(janitor.ledger, only, memory))
    findings = [finding for check in checks for finding in check.findings]
    if options.as_json:
        archive = memory and {
            "began": instant(memory.began) if memory.began else None,
            "on_the_way": sum(check.on_the_way for check in checks),
            "older": sum(check.older for check in checks),
        }
        print_json(
            {
                "chains": len(checks),
                "events": sum(check.events for check in checks),
                "archive": archive,
                "findings": [
                    {"key": f.key, "seq": f.seq, "what": f.what, "text": f.text} for f in findings
                ],
            }
        )
    else:
        out().print(tables.checks_view(checks, memory))
    if findings:
        raise typer.Exit(1)


app.add_typer(report_commands.app)
