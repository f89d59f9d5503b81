"""Bugs on the command line: each is one line, and with --debug its traceback."""

import traceback
from collections.abc import Iterable
from typing import Annotated

import typer
from rich.console import Console

from janitor.domain.failures import bug_text
from janitor.domain.journal.event_view import stack_name
from janitor.domain.model import Outcome

META = "janitor.debug"
HINT = "run with --debug for the traceback"


def _remembered(ctx: typer.Context, asked: bool) -> bool:
    """Take it before or after the command: contexts of both share their meta."""
    ctx.meta[META] = asked or ctx.meta.get(META, False)
    return bool(ctx.meta[META])


Debug = Annotated[
    bool,
    typer.Option("--debug", callback=_remembered, help="Show the traceback of what is a bug."),
]


def err() -> Console:
    """Return the console on stderr, for progress and errors."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def show_bug(error: Exception, *, debug: bool, of: str = "") -> None:
    """Say that the janitor is wrong, and where, for whoever asked."""
    text = bug_text(error) if debug else f"{bug_text(error)}; {HINT}"
    err().print(f"{of}: {text}" if of else text, markup=False, style="red")
    if debug:
        err().print("".join(traceback.format_exception(error)), markup=False)


def show_bugs(outcomes: Iterable[Outcome], *, debug: bool) -> None:
    """Say over which items the code itself failed."""
    for outcome in outcomes:
        if outcome.bug:
            show_bug(outcome.bug, debug=debug, of=stack_name(outcome.key))
