"""Commands about the account: its tables, its policy, its breaker."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from janitor.adapters.aws.session import connect
from janitor.application.notification.weekly import look_back, queue_week
from janitor.application.operations.doctor import examine
from janitor.bootstrap import as_deployed, create_tables_of, deployment_of, policies_of
from janitor.domain.errors import ConfigurationError, JanitorError
from janitor.domain.model import Status
from janitor.domain.planning.policy_preview import examples, why_nothing_goes
from janitor.entrypoints.cli.debugging import err, show_bug, show_bugs
from janitor.entrypoints.cli.options import (
    Options,
    out,
    print_json,
    taking,
    taking_only,
)
from janitor.entrypoints.cli.views import journal as tables

app = typer.Typer()
policy_app = typer.Typer(no_args_is_help=True, help="Look at policy documents.")


@app.command()
@taking()
def init(
    options: Options,
) -> None:
    """Create the two tables, if they are not there."""
    settings = options.settings()
    aws = connect(settings)
    settings = as_deployed(settings, aws)
    if any(region != aws.home for region in settings.regions):
        raise ConfigurationError(
            f"the tables go to {aws.home}, which is the region of the AWS settings;"
            " set AWS_REGION to have them elsewhere"
        )
    with err().status("creating tables", spinner="dots"):
        created = create_tables_of(settings, aws)
    if options.as_json:
        print_json({"region": aws.home, "created": created})
        return
    for name in (settings.lease_table, settings.journal_table):
        out().print(f"{name} in {aws.home}: {'created' if name in created else 'was there'}")


@app.command()
@taking_only("regions", "as_json")
def doctor(
    options: Options,
    stack: Annotated[
        str | None,
        typer.Argument(
            metavar="STACK",
            help="The stack of the deployed janitor. [default: JANITOR_DEPLOYMENT, or janitor-dev]",
        ),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="It was deployed only now: no sweep, no subscriber yet.")
    ] = False,
) -> None:
    """Look at a deployed copy, and say what keeps it from its work.

    Settings, permissions, schedule, last sweep, subscriptions, dead letters.
    """
    settings = options.settings()
    aws = connect(settings)
    stack = stack or settings.deployment or "janitor-dev"
    with err().status("looking", spinner="dots"):
        found = list(examine(deployment_of(stack, aws), datetime.now(UTC), fresh=fresh))
    if options.as_json:
        print_json([{"what": e.what, "fine": e.fine, "seen": e.seen} for e in found])
    else:
        out().print(tables.examined_view(found))
    for examined in found:
        if examined.bug:
            show_bug(examined.bug, debug=options.debug, of=examined.what)
    if not all(examined.fine for examined in found):
        raise typer.Exit(1)


@app.command()
@taking("policy", "mode", "notify", "now")
def digest(
    options: Options,
) -> None:
    """Look back at the last seven days, and with --notify tell of it.

    The operators are told once a week, however often it is called.
    """
    with options.session(changes=bool(options.notify)) as (janitor, _):
        sources: dict[str, Any] = {
            "clock": janitor.clock,
            "policies": janitor.policies,
            "ledger": janitor.ledger,
            "place": janitor.place,
        }
        words = look_back(**sources)
        outcomes = []
        if options.notify:
            outcomes = [queue_week(**sources, queue=janitor.queue), *janitor.drain()]
    if options.as_json:
        said = [{"status": o.status.value, "detail": o.detail} for o in outcomes]
        print_json({"subject": words.subject, "text": words.text, "outcomes": said})
    elif not outcomes:
        out().print(words.text, markup=False, soft_wrap=True)
    show_bugs(outcomes, debug=options.debug)
    for outcome in outcomes:
        if outcome.status is Status.FAILED:
            raise JanitorError(f"the operators were not told: {outcome.detail}")
        if outcome.status is Status.SKIPPED and not options.as_json:
            out().print(f"Nobody was told: {outcome.detail}.", markup=False)


@policy_app.command("check")
@taking_only("now", "as_json")
def policy_check(
    options: Options,
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE", help="A file, YAML or JSON, or ssm:NAME. [default: built in]"
        ),
    ] = "",
) -> None:
    """Say what is wrong with a policy, by line, and what it would do."""
    settings = options.settings().model_copy(update={"policy": source})
    clock = options.clock(settings, changes=False)
    aws = connect(settings) if source.startswith("ssm:") else None
    document = policies_of(settings, aws).policy()
    rows, why_nothing = examples(document, clock()), why_nothing_goes(document)
    if options.as_json:
        played = [{"name": r.name, "tags": dict(r.tags), "fate": r.fate} for r in rows]
        print_json(
            {
                "policy": document.model_dump(mode="json"),
                "nothing_is_deleted": why_nothing,
                "examples": played,
            }
        )
        return
    console = out()
    rules = f"{len(document.rules)} rule{'' if len(document.rules) == 1 else 's'}"
    summary = f"{source or 'the built-in policy'}: fine, {rules}, mode {document.mode.value}, version {document.version}"
    console.print(summary, markup=False)
    if why_nothing:
        console.print(f"{why_nothing} Otherwise:", markup=False)
    console.print(tables.examples_view(rows))
