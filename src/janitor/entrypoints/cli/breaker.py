"""Commands about what is held: show it, and accept exactly that."""

import sys
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from janitor.application.operations.breaker import lift
from janitor.domain.errors import ConfigurationError
from janitor.domain.instants import instant_text
from janitor.domain.journal.events import Actor
from janitor.domain.model import Account
from janitor.domain.notification.commands import Place
from janitor.domain.planning.plan import Plan
from janitor.domain.planning.surprise_wording import held_line, surprise_text
from janitor.entrypoints.cli.options import NeededReason, Options, out, print_json, taking
from janitor.entrypoints.cli.views.plan import iso

app = typer.Typer(
    no_args_is_help=True, help="What a policy edit or tags in bulk would bring forward."
)

NOTHING = "Nothing is held: no policy edit and no tags in bulk would bring too much forward."


@app.command()
@taking("policy", "now")
def show(
    options: Options,
) -> None:
    """Show what is held, why, since when, and what clears it."""
    with options.session(by_last_sweep=True) as (janitor, _):
        plan, account = janitor.plan().plan, janitor.ledger.account()
    if options.as_json:
        print_json(_document(plan, account))
    else:
        out().print(_view(plan, account, janitor.place))


@app.command("lift")
@taking("policy", "now")
def lift_command(
    options: Options,
    reason: NeededReason = "",
    shown: Annotated[
        str,
        typer.Option(
            "--set",
            metavar="ID",
            help="The set that `breaker show` showed. [default: what is held now, once you have"
            " seen it and said yes]",
        ),
    ] = "",
) -> None:
    """Accept exactly what is held; mark, final notice and full grace follow."""
    with options.session(changes=True, by_last_sweep=True) as (janitor, aws):
        plan, policy = janitor.plan().plan, janitor.policies.policy()
        if not shown and plan.surprise:
            shown = _confirmed(plan, janitor.ledger.account(), janitor.place)
        account = lift(
            plan,
            shown=shown,
            actor=Actor("operator", aws.identity(), "cli"),
            reason=reason,
            now=janitor.clock(),
            policy=policy,
            ledger=janitor.ledger,
        )
    if options.as_json:
        print_json({"accepted": shown, "policy_version": policy.version})
    else:
        moves = f" and {len(account.accepted_moves)} deadlines by tags" * bool(
            account.accepted_moves
        )
        out().print(
            f"Accepted: policy {policy.version}{moves}. The next sweep goes by them; mark, final"
            " notice and full grace follow.",
            markup=False,
        )


def _confirmed(plan: Plan, account: Account, place: Place) -> str:
    """Show what is held to somebody at a terminal, and return its name once they agree."""
    if plan.surprise is None or not sys.stdin.isatty():
        raise ConfigurationError(
            "--set says what is accepted: look at `janitor breaker show`, which names it;"
            " for instance --set 3f2a91bc"
        )
    out().print(_view(plan, account, place))
    typer.confirm("Accept all of this?", abort=True)
    return plan.surprise.set_id


def _view(plan: Plan, account: Account, place: Place) -> RenderableType:
    """Return what is held as a person reads it, the command that accepts it last."""
    surprise = plan.surprise
    if surprise is None:
        return Text(NOTHING)
    zone = plan.ground.policy.window.window.zone
    since = instant_text(account.hold.since, zone) if account.hold else "this very plan"
    text = surprise_text(surprise)
    lines = [Text(f"Held since {since}: {text}", style="bold")]
    lines += [Text(f"  {held_line(lease, zone)}") for lease in surprise.leases]
    lines += [Text(f"  {stack_id}: not looked after yet") for stack_id in surprise.new]
    words = ("breaker", "lift", "--set", surprise.set_id, "--reason", "all of it is meant")
    lines.append(Text(f"To accept exactly this: {place.line(*words, looks=True)}"))
    return Group(*lines)


def _document(plan: Plan, account: Account) -> dict[str, object]:
    surprise = plan.surprise
    if surprise is None:
        return {"held": None}
    moves = [(lease, lease.moved) for lease in surprise.leases]
    return {
        "held": surprise_text(surprise),
        "since": iso(account.hold.since) if account.hold else None,
        "set": surprise.set_id,
        "policy_version": surprise.policy_version or None,
        "accepted_version": surprise.accepted_version or None,
        "stacks": [
            {
                "stack_id": lease.stack_id,
                "name": lease.name,
                "region": lease.region,
                "cause": moved.cause.value,
                "ends": iso(moved.former),
                "would_end": iso(moved.to),
                "since": iso(moved.at),
            }
            for lease, moved in moves
            if moved
        ],
        "newly_managed": list(surprise.new),
    }
