"""How plans and events are laid out: for each width of a terminal, and for a pipe."""

import io
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace
from rich.console import Console
from tests.application.stories import HERE, OWNED, THERE, Story

from janitor.domain.journal.events import Event
from janitor.domain.model import Mode
from janitor.entrypoints.cli.options import out
from janitor.entrypoints.cli.views.journal import events_view, facts_view, story_view
from janitor.entrypoints.cli.views.plan import plan_view

BERLIN = ZoneInfo("Europe/Berlin")
NAMES = ("feat-a", "feat-basket", "feat-checkout-with-a-name-of-a-length-that-is-not-rare")
WIDTHS = (80, 100, 120, 160, 200)


def told() -> Story:
    """Return an account with short names and long ones, reminded, marked and misspelt."""
    story = Story()
    for name in NAMES:
        story.deploy(name, {**OWNED, "janitor:owner": "ada.lovelace@department.example.com"})
    story.deploy("feat-typo", {**OWNED, "janitor:ttl": "three days"})
    for _ in range(4):
        story.sweep()
        story.wait(1)
    return story


def events_of(story: Story) -> list[Event]:
    """Return all events, as they came."""
    return list(story.ledger.events(story.now - timedelta(days=30), story.now))


def on_a_terminal(width: int, *parts: object) -> list[str]:
    """Return the lines that a terminal shows."""
    screen = io.StringIO()
    console = Console(file=screen, width=width, highlight=False)
    for part in parts:
        console.print(part)
    return screen.getvalue().splitlines()


@pytest.mark.parametrize("width", WIDTHS)
def test_events_and_plans_can_be_read_at_every_width(width: int) -> None:
    """Nothing is cut, and no reason is broken into a ladder of short lines.

    Fails with fixed columns, as there were: at 120 eight characters were left to each reason.
    """
    story = told()
    events = events_of(story)
    lines = on_a_terminal(width, *events_view(events, BERLIN))
    assert len(lines) <= 3 * len(events)
    plan = story.janitor.plan().plan
    shown = on_a_terminal(width, plan_view(plan, BERLIN))
    assert len(shown) <= 4 * len(plan.decisions)
    for text in (lines, shown):
        assert max(map(len, text)) <= width
        assert "…" not in "".join(text)


def test_a_pipe_gets_a_line_for_each_fact_and_none_ends_in_blanks(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """So that grep finds what it is asked for.

    Fails with a console of 120 columns, and without the stripping.
    """
    story = told()
    events = events_of(story)
    plan = story.janitor.plan().plan
    for part in (*events_view(events, BERLIN), plan_view(plan, BERLIN)):
        out().print(part)
    assert len(capsys.readouterr().out.splitlines()) == 1 + len(events) + 1 + len(NAMES) + 3
    prose = "word " * 100 + "end"
    out().print(story_view(events[0].key, events, BERLIN))
    out().print(facts_view([("a", prose), ("", "")]))
    out().print(prose)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == prose
    assert lines[-3] == f"a  {prose}"
    assert not [line for line in lines if line != line.rstrip()]


def test_a_plan_for_one_region_counts_the_leases_in_others_and_shows_none() -> None:
    """Where the policy no longer names a region its leases are shown, since nobody chose that.

    Fails without `_elsewhere`.
    """
    story = Story()
    for name in NAMES:
        story.deploy(name)
    story.sweep()
    story.deploy("feat-there", region=THERE)
    plan = replace(story.janitor, regions=(THERE,)).plan().plan
    shown = on_a_terminal(120, plan_view(plan, BERLIN, chosen=True))
    assert [line.split()[:2] for line in shown if "feat-" in line] == [["open", "feat-there"]]
    assert shown[-2:] == [
        f"Left out: 3 leases in {HERE}, where --region does not look.",
        "Plan (enforce): 1 new.",
    ]
    everything = on_a_terminal(120, plan_view(plan, BERLIN))
    assert everything[-1] == "Plan (enforce): 1 new, 3 waiting."
    assert sum("feat-" in line for line in everything) == 4


@pytest.mark.parametrize(
    "mode, says",
    [
        (Mode.OFF, "In mode off a sweep does none of this."),
        (Mode.OBSERVE, "In mode observe a sweep only records. Mode notify would tell"),
        (Mode.NOTIFY, "In mode notify a sweep deletes nothing. Mode enforce would."),
        (Mode.ENFORCE, "Plan (enforce): "),
    ],
)
def test_a_plan_says_what_its_mode_leaves_undone(mode: Mode, says: str) -> None:
    """And nothing where nothing is due. Fails without `UNDONE`."""
    story = told()
    story.policies.override = mode
    shown = on_a_terminal(500, plan_view(story.janitor.plan().plan, BERLIN))
    assert any(line.startswith(says) for line in shown[-2:])
    quiet = Story(mode=mode)
    quiet.deploy("other", {})
    assert on_a_terminal(500, plan_view(quiet.janitor.plan().plan, BERLIN)) == [
        f"Plan ({mode}): 1 not managed."
    ]


def test_many_events_come_as_one_table() -> None:
    """Laid out a part at a time, with one head."""
    (event, *_) = events_of(told())
    lines = on_a_terminal(160, *events_view([event] * 401, BERLIN))
    assert [number for number, line in enumerate(lines) if line.startswith("When")] == [0]
