"""Commands about one stack: explain, extend, unmanage."""

from typing import Annotated

import typer

from janitor.application.lease.extend import extend as extend_lease
from janitor.application.operations.explain import explain as explain_stack
from janitor.application.operations.unmanage import unmanage as unmanage_stack
from janitor.domain.errors import ConfigurationError, StackNotFound
from janitor.domain.instants import instant_text
from janitor.domain.journal.events import Actor
from janitor.domain.lease.deadlines import Unreadable, parse_duration, parse_instant
from janitor.entrypoints.cli.options import NeededReason, Options, Reason, out, print_json, taking
from janitor.entrypoints.cli.views import explain as explain_tables
from janitor.entrypoints.cli.views import journal as tables
from janitor.entrypoints.cli.views.plan import iso

app = typer.Typer()


def _named(stack: str) -> str:
    if not stack.strip():
        raise ConfigurationError("STACK is empty; give a name or an id, for instance feat-basket")
    return stack


Stack = Annotated[
    str, typer.Argument(metavar="STACK", help="A stack's name or id (ARN).", callback=_named)
]


@app.command()
@taking("policy", "mode", "now")
def explain(
    options: Options,
    stack: Stack,
) -> None:
    """Explain what the janitor makes of one stack, and why."""
    with options.session() as (janitor, _):
        found = explain_stack(
            stack,
            janitor.find(stack),
            plan=janitor.plan().plan,
            policy=janitor.policies.policy(),
            stacks=janitor.stacks,
        )
        now, zone = janitor.clock(), janitor.policies.policy().window.window.zone
    if options.as_json:
        print_json(explain_tables.explained_document(found))
    else:
        out().print(tables.facts_view(explain_tables.explained_facts(found, now, zone)))


@app.command()
@taking("policy", "now")
def extend(
    options: Options,
    stack: Stack,
    by: Annotated[
        str | None, typer.Option(metavar="SPAN", help="For how long: 36h, 3d, 1w.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Until a date or an instant.")
    ] = None,
    reason: Reason = "",
) -> None:
    """Give a stack a later deadline, within the policy's limits."""
    if (by is None) == (until is None):
        raise ConfigurationError("give either --by or --until; for instance --by 3d")
    with options.session(changes=True, by_last_sweep=True) as (janitor, aws):
        document = janitor.policies.policy()
        zone = document.window.window.zone
        try:
            span = parse_duration(by) if by is not None else None
            instant = parse_instant(until, zone) if until is not None else None
        except Unreadable as error:
            raise ConfigurationError(f"--{'by' if by is not None else 'until'} {error}") from error
        swept_by = janitor.ledger.account().policy_version
        if swept_by and swept_by != document.version:
            raise ConfigurationError(
                f"the last sweep went by policy {swept_by}, and this is {document.version}:"
                " leave --policy away, or give that of the sweeps, whose limits hold"
            )
        lease = janitor.find(stack)
        if lease is None:
            raise StackNotFound(
                f"no lease is open on {stack}; `janitor plan` shows those there are"
            )
        extended = extend_lease(
            lease.stack_id,
            by=span,
            until=instant,
            actor=Actor("operator", aws.identity(), "cli"),
            reason=reason,
            now=janitor.clock(),
            policy=document,
            ledger=janitor.ledger,
        )
    expires = instant_text(extended.expires_at, zone)
    if options.as_json:
        print_json(
            {
                "stack_id": extended.stack_id,
                "name": extended.name,
                "expires_at": iso(extended.expires_at),
                "extensions": extended.extensions,
                "generation": extended.generation,
            }
        )
    else:
        most = document.terms(extended.rule).max_extensions
        out().print(
            f"{extended.name} now ends {expires} (extension {extended.extensions} of {most}).",
            markup=False,
        )


@app.command()
@taking("now")
def unmanage(
    options: Options,
    stack: Stack,
    reason: NeededReason = "",
    undo: Annotated[
        bool, typer.Option("--undo", help="Let the janitor look after it again.")
    ] = False,
) -> None:
    """Take a stack out of the janitor's care, or put it back."""
    with options.session(changes=True) as (janitor, aws):
        lease = janitor.find(stack)
        if lease is None:
            raise StackNotFound(
                f"no lease is open on {stack}; give its id (ARN) if its lease has ended"
            )
        account = unmanage_stack(
            lease,
            actor=Actor("operator", aws.identity(), "cli"),
            reason=reason,
            now=janitor.clock(),
            ledger=janitor.ledger,
            undo=undo,
        )
    if options.as_json:
        print_json({"stack_id": lease.stack_id, "taken_out": not undo})
        return
    also = len(account.taken_out) - (not undo)
    text = f"{lease.name} is taken out: no sweep looks at it any more, and none deletes it."
    if undo:
        text = f"{lease.name} is looked after again, as far as a rule selects it."
    rest = f" {also} other stack{'s are' if also > 1 else ' is'} taken out." if also else ""
    out().print(f"{text}{rest}", markup=False)
