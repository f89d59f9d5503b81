"""The demo: it tells its story, clicks or is clicked, checks itself, and cleans up."""

import io
import os
import re
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace
from rich.console import Console
from tests.entrypoints.command_line import CommandLine
from tests.entrypoints.test_commands_in_notices import commands, paste

from janitor.domain.model import Mode
from janitor.domain.notification.messages import AnswerRequest, Message, Sent
from janitor.entrypoints.demo.cast import cast, place_where_it_is_morning
from janitor.entrypoints.demo.ending import show_end
from janitor.entrypoints.demo.stage import Clock, Screen, click
from janitor.entrypoints.demo.story import Story, stage

PLAY = """
import sys
from rich.console import Console
from janitor.entrypoints.demo.story import run_demo
console = Console(width=110, highlight=False)
sys.exit(run_demo(console, interactive={interactive}, pause_seconds={pause}))
"""
CLAIMS = (
    "every stack that should be gone is gone, and no other",
    "no chain of the journal has been touched",
    "no deletion without a final notice delivered a day before",
    "feat-checkout was extended through its link",
    "feat-loyalty was kept by a button in Slack, and is gone now",
    "the tags of feat-reports were written again",
    "feat-broken was never tagged",
    "feat-payments went at the second attempt",
    "the stack nested in feat-shop had no lease of its own",
)


def play(
    *, interactive: bool = False, pause: float = 0, **environment: str
) -> "subprocess.Popen[str]":
    """Start the demo in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", PLAY.format(interactive=interactive, pause=pause)],
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_demo_plays_by_itself_and_holds_what_it_claims(tmp_path: Path) -> None:
    """Ten days in well under a minute, without questions, colours or anything left behind.

    The settings of the person who starts it, as odd as they may be, change nothing.
    """
    began = time.monotonic()
    process = play(
        TMPDIR=str(tmp_path),
        AWS_PROFILE="no-such-profile",
        AWS_ENDPOINT_URL="http://127.0.0.1:9",
        JANITOR_MODE="off",
        JANITOR_POLICY="/nowhere",
        HTTP_PROXY="http://127.0.0.1:9",
        NO_PROXY="",
    )
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, f"{out[-3_000:]}{err}"
    assert err == ""
    assert time.monotonic() - began < 60
    assert "\x1b" not in out
    assert list(tmp_path.iterdir()) == []
    for claim in CLAIMS:
        assert f"yes  {claim}" in out
    assert "NO " not in out
    for line in (
        "Plan (observe): 16 new, 2 not managed.",
        "nested stack: it lives and goes with its parent",
        "to chris@example.com",
        "feat-checkout will be deleted",
        "feat-checkout may be deleted in 1 day - It will be deleted, at the earliest",
        "feat-checkout is kept - feat-checkout now ends",
        "DELETE_FAILED",
        "lease.extended  by chris@example.com (link)",
        "Slack, to ines@example.com",
        "[ Keep 1 day, until",
        "Slack, the message to ines@example.com is now",
        "in its thread: U0DEMOINES (ines@example.com) kept feat-loyalty until",
        "only to U0DEMOINES: feat-loyalty is kept until",
        "chains: sound.",
        "Everything ended as it should.",
    ):
        assert line in out
    # What is shown of Slack differs from what was shown before.
    boxes = re.findall(r"the message to ines@example.com is now ─+.*?\n(.*?)╰", out, re.DOTALL)
    assert len(boxes) == len(set(boxes)) > 1
    # A deletion is when it was confirmed, and a fallback is not the owner.
    table = " ".join(out.split("who was told before")[1].split("really left")[0].split())
    assert re.search(r"feat-broken emil@example.com \w+ \d+ 10:00 \w+ \d+ 16:00 ", table)
    assert "feat-orphan nobody (operators, platform@example.com told) " in table
    days = [int(day) for day in re.findall(r"^Day (\d+), ", out, flags=re.MULTILINE)]
    assert sorted(set(days)) == list(range(11))
    assert days == sorted(days)
    # A token is for the owner; what is printed of it is too short to work.
    assert all(len(token) < 20 for token in re.findall(r"/extend/([\w.-]+)", out))


def test_on_a_terminal_it_waits_for_a_click_and_goes_on_with_it() -> None:
    """A person may choose another date than the demo would, and the end still holds."""
    process = play(interactive=True, pause=60)
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        if "This is your chance" in line:
            break
    link = re.findall(r"^(http://127\S+)$", seen, flags=re.MULTILINE)[-1]
    assert click(link, "by hand", choice=0)[1].startswith("feat-checkout is kept")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, f"{out[-3_000:]}{err}"
    assert "You did it. Thank you." in out
    assert "by hand" in out
    assert "feat-checkout is kept - " not in out


@pytest.mark.parametrize("enter", [True, False])
def test_on_a_terminal_it_goes_on_by_itself(enter: bool) -> None:
    """At Enter, or after a while, the demo clicks."""
    process = play(interactive=True, pause=60 if enter else 1)
    out, err = process.communicate("\n" if enter else None, timeout=50)
    assert process.returncode == 0, f"{out[-3_000:]}{err}"
    assert "feat-checkout is kept - feat-checkout now ends" in out


def test_an_interrupt_leaves_nothing_behind(tmp_path: Path) -> None:
    """The embedded AWS goes with the demo, and so does its directory."""
    process = play(TMPDIR=str(tmp_path))
    assert process.stdout is not None
    assert any("Day 1," in line for line in process.stdout)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode != 0
    assert list(tmp_path.iterdir()) == []


def test_the_demo_does_not_praise_what_did_not_happen() -> None:
    """Right after the first day nothing is gone yet: the check of the end must say no."""
    screen = io.StringIO()
    with stage(Console(file=screen, width=110)) as story:
        assert isinstance(story, Story)
        story.begin()
        assert not show_end(story.screen, story.janitor, story.account)
    said = screen.getvalue()
    assert "NO   every stack that should be gone is gone, and no other" in said
    assert "NO   feat-checkout was extended through its link" in said


class Heard:
    """The demo's screen, and what was sent to it."""

    most = 100

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self.texts: list[str] = []

    def send(self, message: Message) -> Sent:
        """Show a notice, and keep its text."""
        self.texts.append(message.text)
        return self._screen.send(message)

    def revise(self, message_id: str, message: Message, said: str) -> None:
        """Show it anew."""
        self._screen.revise(message_id, message, said)

    def answer(self, request: AnswerRequest) -> None:
        """Show an answer."""
        self._screen.answer(request)


def test_every_command_in_the_demos_notices_runs_as_printed() -> None:
    """As the demo's owners would be told without a page; with one, its link stands there.

    Fails with a command that names the stack by its name, or the days by `--by 3d`.
    """
    with stage(Console(file=io.StringIO(), width=110)) as story:
        heard = Heard(story.screen)
        linked = replace(story, janitor=replace(story.janitor, channel=heard))
        linked.begin()
        linked.policy.write(Mode.ENFORCE)
        linked.at(1, 10)
        linked.sweep()
        assert any("To keep it: http://127.0.0.1" in text for text in heard.texts)
        assert not [line for text in heard.texts for line in commands(text)]
        heard.texts.clear()
        bare = replace(story, janitor=replace(story.janitor, channel=heard, links=None))
        bare.at(2, 10)
        bare.sweep()
        # Two who are told of one stack are told the same.
        lines = list(dict.fromkeys(line for text in heard.texts for line in commands(text)))
        assert len(lines) > 1
        janitor = CommandLine(os.environ["AWS_ENDPOINT_URL"])
        now = f"{story.clock():%Y-%m-%dT%H:%M:%SZ}"
        ran = [paste(janitor, line, now) for line in lines]
    assert [(one.code, one.err) for one in ran] == [(0, "")] * len(lines)
    assert all("now ends" in one.out for one in ran)


def test_it_is_morning_whenever_the_demo_begins() -> None:
    """The story needs a working day ahead of it, at every minute of the day."""
    for minute in range(24 * 60):
        now = datetime(2026, 3, 28, tzinfo=UTC) + timedelta(minutes=minute)
        local = now.astimezone(ZoneInfo(place_where_it_is_morning(now)))
        assert (8, 50) <= (local.hour, local.minute) < (9, 50)


def test_the_clock_goes_to_the_hour_of_a_day_and_never_back() -> None:
    """Days are those of the place, and a jump into the past stands still."""
    start = datetime(2026, 6, 1, 23, 30, tzinfo=UTC)
    clock = Clock(start, ZoneInfo("Asia/Tokyo"))
    clock.jump(1, 10)
    assert clock() == datetime(2026, 6, 3, 1, 0, tzinfo=UTC)
    clock.jump(0, 10)
    assert clock() == datetime(2026, 6, 3, 1, 0, tzinfo=UTC)


def test_the_cast_has_every_interesting_kind() -> None:
    """A dozen and more, and each says what is interesting about it."""
    parts = cast(datetime(2026, 6, 1, tzinfo=UTC).date())
    assert len(parts) >= 12
    assert len({part.kind for part in parts}) == len(parts)
