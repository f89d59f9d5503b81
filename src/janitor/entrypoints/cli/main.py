"""The command line: parse, call a journey, show the answer."""

import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from janitor import __version__
from janitor.application.sweep.sweep import Report
from janitor.domain.errors import ConfigurationError, JanitorError
from janitor.domain.journal.events import Actor
from janitor.domain.model import Status
from janitor.domain.planning.forecast import forecast
from janitor.entrypoints.cli import account as account_commands
from janitor.entrypoints.cli import audit as audit_commands
from janitor.entrypoints.cli import breaker as breaker_commands
from janitor.entrypoints.cli import stack as stack_commands
from janitor.entrypoints.cli.debugging import META, Debug, err, show_bug, show_bugs
from janitor.entrypoints.cli.options import Options, out, print_json, taking
from janitor.entrypoints.cli.views import plan as plan_tables
from janitor.entrypoints.cli.views.forecast import forecast_document, forecast_view
from janitor.entrypoints.cli.views.plan import plan_document

ORDER = (
    *("init", "doctor", "plan", "sweep", "explain", "extend", "unmanage"),
    *("audit", "breaker", "policy", "digest", "demo"),
)
"""The commands as somebody comes to need them."""
NOBODY_READS = 141
"""What a shell says of a tool that SIGPIPE ended."""


class Commands(TyperGroup):
    """All commands, with one way to fail: one clear line, and exit 1, 2 or 130.

    What is no error of ours is a bug: one line as well, exit 1, and a traceback with --debug.

    Where nobody reads on, as after `| head`, there is no line, and the exit code is that of
    other tools.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        """List the commands as the help shows them."""
        return sorted(super().list_commands(ctx), key=ORDER.index)

    def invoke(self, ctx: Any) -> Any:
        """Run a command and turn what it raises into a line and an exit code."""
        try:
            try:
                return super().invoke(ctx)
            finally:
                sys.stdout.flush()
        except JanitorError as error:
            for line in str(error).splitlines():
                err().print(f"janitor: {line}", markup=False, style="red")
            raise typer.Exit(2 if isinstance(error, ConfigurationError) else 1) from error
        except KeyboardInterrupt:
            text = "janitor: interrupted; what was done is journalled, the next sweep does the rest"
            err().print(text, markup=False)
            raise typer.Exit(130) from None
        except Exception as error:
            if isinstance(error, typer.Abort) or hasattr(error, "exit_code"):
                raise  # Its own: it has said all, or is about to.
            if isinstance(error, OSError) and not error.filename:  # it is of stdout
                raise typer.Exit(_cannot_write(error)) from None
            show_bug(error, debug=ctx.meta.get(META, False))
            raise typer.Exit(1) from error


def _cannot_write(error: OSError) -> int:
    _let_go_of_stdout()
    if isinstance(error, BrokenPipeError):
        return NOBODY_READS
    text = f"janitor: the output cannot be written: {error.strerror}"
    err().print(text, markup=False, style="red")
    return 1


def _let_go_of_stdout() -> None:
    """Send what is still to be written nowhere, else Python complains of it at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # else "[env: …]" in a help text is taken for markup
    add_completion=False,
    help="Leases for temporary CloudFormation stacks: remind, extend, delete, keep the evidence.",
)
app.add_typer(stack_commands.app)
app.add_typer(account_commands.app)
app.add_typer(breaker_commands.app, name="breaker")
app.add_typer(account_commands.policy_app, name="policy")
app.add_typer(audit_commands.app, name="audit")


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"janitor {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, help="Show the version."),
    ] = False,
    _debug: Debug = False,
) -> None:
    """Take what is said before a command."""


@app.command()
@taking("policy", "mode", "now")
def plan(
    options: Options,
    everything: Annotated[bool, typer.Option("--all", help="Show unmanaged stacks too.")] = False,
    days: Annotated[
        int | None,
        typer.Option(
            "--days",
            metavar="N",
            min=1,
            max=366,
            help="Show what is going to happen in so many days, day by day.",
        ),
    ] = None,
) -> None:
    """Show what a sweep would do, and change nothing."""
    with options.session() as (janitor, _):
        report, policy = janitor.plan(), janitor.policies.policy()
        zone = policy.window.window.zone
    ahead = forecast(report.plan, policy, days) if days else ()
    if options.as_json:
        more = {"ahead": forecast_document(ahead)} if days else {}
        print_json({**plan_document(report.plan), **more})
    elif days:
        out().print(forecast_view(ahead, days, report.plan.mode, zone))
        out().print(plan_tables.plan_summary(report.plan))
    else:
        chosen = bool(options.regions)
        out().print(plan_tables.plan_view(report.plan, zone, everything=everything, chosen=chosen))
    _exit(report, options)


@app.command()
@taking("policy", "mode", "notify", "now")
def sweep(
    options: Options,
    apply: Annotated[bool, typer.Option("--apply", help="Do it; without this, only plan.")] = False,
) -> None:
    """Make one pass: remind, mark, delete, as far as the mode allows."""
    with options.session(changes=apply) as (janitor, _):
        report = janitor.sweep(Actor("janitor", "janitor", "cli")) if apply else janitor.plan()
        zone = janitor.policies.policy().window.window.zone
    if options.as_json:
        outcomes = [
            {"key": o.key, "action": o.action, "status": o.status.value, "detail": o.detail}
            for o in report.outcomes
        ]
        print_json({**plan_document(report.plan), "applied": apply, "outcomes": outcomes})
    else:
        console = out()
        console.print(plan_tables.plan_view(report.plan, zone, chosen=bool(options.regions)))
        if apply:
            console.print(plan_tables.outcomes_view(report.outcomes))
        else:
            console.print("Nothing was changed; `janitor sweep --apply` makes the sweep.")
    _exit(report, options)


def _exit(report: Report, options: Options) -> None:
    show_bugs(report.outcomes, debug=options.debug)
    refused = report.plan.unread or any(error for _, error in report.plan.regions)
    if refused or any(outcome.status is Status.FAILED for outcome in report.outcomes):
        raise typer.Exit(1)


@app.command()
def demo(_debug: Debug = False) -> None:
    """Play about ten days of a development account, on an embedded AWS."""
    from janitor.entrypoints.demo.story import run_demo

    raise typer.Exit(run_demo(out()))


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
