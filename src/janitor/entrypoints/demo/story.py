"""The demo: ten days of a development account on an embedded AWS, in seconds."""

import secrets
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace
from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from janitor.adapters.aws.session import connect
from janitor.application.operations.local import Janitor
from janitor.bootstrap import build, create_tables_of
from janitor.domain.journal.events import Actor
from janitor.domain.model import Mode
from janitor.domain.notification.signed_links import Links
from janitor.domain.planning.decisions import Ignore
from janitor.domain.planning.plan import Plan
from janitor.entrypoints.cli.views import plan as plan_tables
from janitor.entrypoints.demo import cast
from janitor.entrypoints.demo.account import DevAccount
from janitor.entrypoints.demo.emulator import emulated_aws, nothing_but
from janitor.entrypoints.demo.ending import show_end
from janitor.entrypoints.demo.slack import press_second
from janitor.entrypoints.demo.stage import Clock, Screen, click
from janitor.entrypoints.demo.web import serve
from janitor.extension_page.router import handle
from janitor.settings import settings_now

PAUSE_SECONDS = 45.0
SWEEPER = Actor("janitor", "janitor", "sweep")


def run_demo(
    console: Console, *, interactive: bool | None = None, pause_seconds: float = PAUSE_SECONDS
) -> int:
    """Play the story; return 0 if everything ended as it should.

    `interactive` stops once, for a person to click a link; by default it does so on a
    terminal.
    """
    started = time.monotonic()
    if interactive is None:
        interactive = console.is_terminal and sys.stdin.isatty()
    with stage(console) as story:
        story.begin()
        story.first_days()
        story.be_clicked(pause_seconds if interactive else 0)
        story.middle_days()
        story.stubborn_day()
        story.last_days()
        fine = show_end(story.screen, story.janitor, story.account)
        seconds = time.monotonic() - started
        verdict = "Everything ended as it should" if fine else "Not everything ended as it should"
        story.screen.show(Text(f"\n{verdict}. ({seconds:.0f} s)", style="bold"))
    return 0 if fine else 1


@contextmanager
def stage(console: Console) -> Iterator["Story"]:
    """Start the embedded AWS with its stacks, the janitor, and the page that owners click."""
    zone = cast.place_where_it_is_morning(datetime.now(UTC))
    with (
        console.status("starting an AWS on this machine", spinner="dots") as status,
        emulated_aws() as url,
        nothing_but(url, cast.HOME),
        tempfile.TemporaryDirectory(prefix="janitor-demo-") as directory,
    ):
        policy = cast.PolicyFile(Path(directory) / "policy.yaml", zone)
        policy.write(Mode.OBSERVE)
        settings = settings_now(policy=str(policy.path))
        aws = connect(settings)
        status.update("deploying stacks")
        account = DevAccount(aws.client)
        aws.session.events.register(
            "after-call.cloudformation.DescribeStacks", account.show_parents
        )
        account.deploy(cast.cast(datetime.now(ZoneInfo(zone)).date()))
        create_tables_of(settings, aws)
        status.stop()
        clock = Clock(datetime.now(UTC), ZoneInfo(zone))
        janitor = build(settings, aws, clock=clock, write=console.print)
        keys = [secrets.token_urlsafe(32)]

        with serve(
            lambda base_url: partial(
                handle,
                clock=clock,
                policies=janitor.policies,
                ledger=janitor.ledger,
                links=Links(keys, base_url),
                queue=janitor.queue,
            )
        ) as base_url:
            screen = Screen(console, clock)
            janitor = replace(janitor, channel=screen, links=Links(keys, base_url))
            yield Story(screen, clock, janitor, account, policy)


class Story(Struct, frozen=True):
    """The days, in order."""

    screen: Screen
    clock: Clock
    janitor: Janitor
    account: DevAccount
    policy: cast.PolicyFile

    def begin(self) -> None:
        """Day 0: look, and record."""
        text = self.policy.write(Mode.OBSERVE).rstrip()
        self.screen.show(Panel(Text(text), title="policy.yaml", title_align="left"))
        self.screen.day(
            0,
            "The janitor has just been installed, on an account that has its stacks already."
            " Its mode is observe: it looks and records, and changes nothing.",
        )
        plan = self.sweep(table=True)
        for decision in plan.decisions:
            if isinstance(decision, Ignore) and decision.stack:
                text = f"  left alone: {decision.stack.name}, {decision.reason}"
                self.screen.show(Text(text, style="dim"))

    def first_days(self) -> None:
        """Days 1 and 2: enforce, and the first final notices."""
        self.policy.write(Mode.ENFORCE)
        self.at(1, 10)
        self.screen.day(1, "The operators have read the plan and switched to enforce.")
        self.sweep(table=True)
        self.be_pressed()
        self.screen.in_full.add(cast.CLICKER)
        self.at(2, 10)
        self.screen.day(2, "Who was told a day ago and did nothing loses the stack now.")
        self.sweep()

    def be_pressed(self) -> None:
        """Let the owner of one stack keep it by a button in Slack."""
        self.screen.say(f"\nInes is in Slack, and keeps {cast.CHATTED} by the second button.")
        press_second(self.screen.chat, self.janitor, self.clock())
        self.janitor.drain()

    def be_clicked(self, pause_seconds: float) -> None:
        """Let the owner of one stack extend it: a person at the terminal, or the demo itself."""
        stack_id = self.account.id_of(cast.CLICKED)
        before = self._generation(stack_id)
        link = self.screen.links[cast.CLICKER]
        self.screen.in_full.clear()

        def is_clicked() -> bool:
            return self._generation(stack_id) != before

        self.screen.say(f"\nChris still needs {cast.CLICKED}, and opens the link in the notice.")
        if pause_seconds:
            self.screen.show_link(link)
            self.screen.say(
                "This is your chance: open it in a browser and press the button. The demo goes on"
                f" when you have, when you press Enter, or after {pause_seconds:.0f} s."
            )
            if self.screen.wait_for(is_clicked, pause_seconds):
                self.screen.say("You did it. Thank you.")
        if not is_clicked():
            for page in click(link, "the customer wants to see it once more"):
                self.screen.show(Text(f"  {page}", style="green"))
        self.at(2, 16)
        self.screen.day(2, "In the afternoon CloudFormation's answers are in.")
        self.sweep()

    def middle_days(self) -> None:
        """Days 3 to 5: gone by another hand, nobody's stack, wiped tags, a nested stack."""
        self.account.delete(cast.QUICK)
        self.at(3, 10)
        self.screen.day(3, f"Ben has deleted {cast.QUICK} himself.")
        self.sweep()
        self.at(4, 10)
        self.screen.day(4, "Nobody answered for feat-orphan, within its longer grace.")
        self.sweep(table=True)
        self.account.redeploy(cast.WIPED)
        self.at(4, 16)
        self.screen.day(
            4,
            f"Dora has redeployed {cast.WIPED}, and CloudFormation wiped the janitor's tags."
            " The lease still knows, and writes them again.",
        )
        self.sweep()
        self.at(5, 10)
        self.screen.day(5, f"{cast.PARENT} goes, and its nested stack with it.")
        self.sweep()
        self.at(5, 16)
        self.screen.day(5, "Confirmed.")
        self.sweep()

    def stubborn_day(self) -> None:
        """Day 6: a delete that fails, a cause that is cured, and a second attempt."""
        self.account.start_dump()
        self.at(6, 10)
        self.screen.day(6, f"{cast.STUBBORN} is due, while a dump of its data is running.")
        self.sweep()
        self.at(6, 10, 10)
        self.screen.day(6, "CloudFormation could not delete it. That is not called deleted.")
        self.sweep()
        self.account.end_dump()
        self.at(6, 11)
        self.screen.day(6, "The dump is through. After the back-off the janitor tries again.")
        self.sweep(table=True)

    def last_days(self) -> None:
        """Days 7 to 10: what was extended comes to its end after all."""
        for day, text in (
            (7, f"An extension arms the reminders anew: {cast.CLICKED}, once more."),
            (8, "And again, a day ahead."),
            (9, "This time nobody clicks."),
            (10, "And nobody did."),
        ):
            self.at(day, 10)
            lease = self.janitor.ledger.lease(self.account.id_of(cast.CLICKED))
            # A person may have chosen an earlier date than the demo does.
            self.screen.day(day, text if lease and lease.state.is_open else "A quiet day.")
            self.sweep()
        self.at(10, 16)
        self.screen.day(10, "The last sweep of this story.")
        self.sweep(table=True)

    def at(self, day: int, hour: int, minute: int = 0) -> None:
        """Let time pass."""
        self.clock.jump(day, hour, minute)

    def sweep(self, *, table: bool = False) -> Plan:
        """Show the plan, carry it out, and return it."""
        plan = self.janitor.plan().plan
        if table:
            self.screen.show(plan_tables.plan_view(plan, self.clock.zone))
        else:
            self.screen.show(plan_tables.plan_summary(plan))
        report = self.janitor.sweep(SWEEPER)
        self.screen.show(plan_tables.outcomes_view(report.outcomes))
        self.account.settle()
        return plan

    def _generation(self, stack_id: str) -> int:
        lease = self.janitor.ledger.lease(stack_id)
        return lease.generation if lease else 0
