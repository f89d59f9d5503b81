"""The options that commands share, and what a command makes of them."""

import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Annotated, Any, Concatenate, ParamSpec
from zoneinfo import ZoneInfo

import typer
from msgspec import Struct
from msgspec.structs import fields
from rich.console import Console

from janitor.adapters.aws.session import Aws, connect
from janitor.application.operations.local import Janitor
from janitor.bootstrap import as_deployed, build
from janitor.domain.errors import ConfigurationError
from janitor.domain.lease.deadlines import Unreadable, parse_instant
from janitor.domain.model import Mode
from janitor.entrypoints.cli.debugging import Debug, err
from janitor.settings import Settings, settings_now

P = ParamSpec("P")

_OPTIONS: dict[str, Any] = {
    "regions": Annotated[
        list[str] | None,
        typer.Option(
            "--region",
            metavar="REGION",
            help="Region to look at, or several: a,b. May be repeated. [default: the policy's, or"
            " AWS_REGION]",
        ),
    ],
    "policy": Annotated[
        str | None,
        typer.Option(
            "--policy", metavar="SOURCE", help="Policy file, or ssm:NAME. [env: JANITOR_POLICY]"
        ),
    ],
    "mode": Annotated[
        Mode | None,
        typer.Option(
            "--mode", metavar="MODE", help="off, observe, notify or enforce. [env: JANITOR_MODE]"
        ),
    ],
    "notify": Annotated[
        str | None,
        typer.Option(
            "--notify",
            metavar="CHANNEL",
            help="console, or sns:TOPIC_ARN; with :assume-told behind it, nobody looks whether it"
            " is heard. [env: JANITOR_NOTIFY]",
        ),
    ],
    "now": Annotated[
        str | None,
        typer.Option(
            "--now",
            metavar="INSTANT",
            help="Pretend that it is this instant, for trying things out.",
        ),
    ],
    "deployment": Annotated[
        str | None,
        typer.Option(
            "--deployment",
            metavar="STACK",
            help="Stack of a deployed janitor: its tables, policy and mode hold where nothing"
            " else is said. [env: JANITOR_DEPLOYMENT]",
        ),
    ],
    "lease_table": Annotated[
        str | None,
        typer.Option(
            "--lease-table",
            metavar="NAME",
            help="[env: JANITOR_LEASE_TABLE] [default: janitor-leases]",
        ),
    ],
    "journal_table": Annotated[
        str | None,
        typer.Option(
            "--journal-table",
            metavar="NAME",
            help="[env: JANITOR_JOURNAL_TABLE] [default: janitor-journal]",
        ),
    ],
    "archive": Annotated[
        str | None,
        typer.Option(
            "--archive",
            metavar="WHERE",
            help="Compare with the archive: s3://BUCKET/PREFIX, or the stack of a deployed"
            " janitor. [env: JANITOR_ARCHIVE]",
        ),
    ],
    "as_json": Annotated[
        bool, typer.Option("--json", help="Print JSON and nothing else on stdout.")
    ],
    "debug": Debug,
}
"""The options that several commands take, by their names in `Options`."""

Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for the journal.")]


def _given(reason: str) -> str:
    if not reason.strip():
        raise ConfigurationError(
            "--reason is missing, and the journal wants one; for instance --reason 'asked the team'"
        )
    return reason


NeededReason = Annotated[
    str,
    typer.Option(
        "--reason", metavar="TEXT", help="Why, for the journal. Required.", callback=_given
    ),
]

NOT_FOR_REAL = "--now is for trying things out, and this would change a real account"
ANY_WIDTH = 1_000_000


class _Piped(Console):
    """A console for what reads line by line: no line is wrapped, none ends in blanks."""

    def print(self, *objects: Any, **how: Any) -> None:
        """Print as a terminal of any width would show it."""
        with self.capture() as captured:
            super().print(*objects, **how)
        self.file.write(re.sub(" +$", "", captured.get(), flags=re.MULTILINE))
        self.file.flush()


def out() -> Console:
    """Return the console on stdout; off a terminal it has no colour and wraps nothing."""
    console = Console(highlight=False)
    return console if console.is_terminal else _Piped(highlight=False, width=ANY_WIDTH)


def print_json(document: Any) -> None:
    """Print one JSON object on stdout."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


class Options(Struct, frozen=True):
    """What was said on the command line of the options that commands share."""

    regions: list[str] | None = None
    policy: str | None = None
    mode: Mode | None = None
    notify: str | None = None
    now: str | None = None
    deployment: str | None = None
    lease_table: str | None = None
    journal_table: str | None = None
    archive: str | None = None
    as_json: bool = False
    debug: bool = False

    def settings(self) -> Settings:
        """Return the settings: an option first, then its variable."""
        return settings_now(
            regions=[one.strip() for several in self.regions or () for one in several.split(",")],
            policy=self.policy,
            mode=self.mode,
            notify=self.notify,
            deployment=self.deployment,
            lease_table=self.lease_table,
            journal_table=self.journal_table,
            archive=self.archive,
        )

    def clock(self, settings: Settings, *, changes: bool) -> Callable[[], datetime]:
        """Return the clock: the real one, or one that stands at `--now`.

        A pretended instant never decides about a real account's stacks.
        """
        if self.now is None:
            return lambda: datetime.now(UTC)
        if changes and not settings.is_emulated:
            raise ConfigurationError(
                f"{NOT_FOR_REAL}; leave it away, or set AWS_ENDPOINT_URL to an emulator"
            )
        try:
            instant = parse_instant(self.now, ZoneInfo("UTC"))
        except Unreadable as error:
            raise ConfigurationError(f"--now {error}") from error
        return lambda: instant

    @contextmanager
    def session(
        self, *, changes: bool = False, by_last_sweep: bool = False
    ) -> Iterator[tuple[Janitor, Aws]]:
        """Connect to the account and put the janitor together; show what is being listed.

        With `by_last_sweep` the policy of that is in force, unless another one is given.
        With `--json` notices go to stderr, so that stdout is JSON alone.
        """
        settings = self.settings()
        clock = self.clock(settings, changes=changes)
        by_last_sweep = by_last_sweep and not settings.policy
        aws = connect(settings)
        settings = as_deployed(settings, aws)
        if self.now is not None and changes and aws.is_real():
            raise ConfigurationError(f"{NOT_FOR_REAL}: AWS_ENDPOINT_URL is not in force")
        notices = err() if self.as_json else out()
        with err().status("listing stacks", spinner="dots") as status:
            counts: dict[str, int] = {}

            def on_page(region: str, count: int) -> None:
                counts[region] = counts.get(region, 0) + count
                listed = ", ".join(f"{name} {number}" for name, number in sorted(counts.items()))
                status.update(f"listing stacks: {listed}")

            def write(text: str) -> None:
                notices.print(text, markup=False, soft_wrap=True)

            def on_done(count: int) -> None:
                status.update(f"sweeping: {count} steps done")

            janitor = build(
                settings,
                aws,
                clock=clock,
                write=write,
                on_page=on_page,
                on_done=on_done,
                is_terminal=notices.is_terminal,
                by_last_sweep=by_last_sweep,
            )
            yield janitor, aws


Command = Callable[Concatenate[Options, P], None]


def taking(*names: str) -> Callable[[Command[P]], Callable[..., None]]:
    """Give a command the options of everything that reads the ledger, and those in `names`."""
    return taking_only(*names, "regions", "deployment", "lease_table", "journal_table", "as_json")


def taking_only(*names: str) -> Callable[[Command[P]], Callable[..., None]]:
    """Give a command the shared options `names`, and --debug: it gets them as its first argument.

    typer reads a command's options off its signature, so that is what is added to.
    """
    names = (*names, "debug")

    def decorate(command: Command[P]) -> Callable[..., None]:
        @wraps(command)
        def run(*own: P.args, **given: P.kwargs) -> None:
            shared: dict[str, Any] = {name: given.pop(name) for name in names}
            command(Options(**shared), *own, **given)

        defaults = {field.name: field.default for field in fields(Options)}
        own = list(signature(command).parameters.values())[1:]
        parameters = [
            *(parameter.replace(kind=Parameter.KEYWORD_ONLY) for parameter in own),
            *(
                Parameter(
                    name,
                    Parameter.KEYWORD_ONLY,
                    default=defaults[name],
                    annotation=_OPTIONS[name],
                )
                for name in names
            ),
        ]
        run.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        return run

    return decorate
