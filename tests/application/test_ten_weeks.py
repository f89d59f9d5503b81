"""Ten weeks of an ordinary account: what nobody means to keep goes, what somebody does stays."""

from functools import partial
from random import Random

import pytest
from tests.application import operating
from tests.application.habits import KEPT, POLICY, People
from tests.application.ordinary import DAY, HOUR, SOAK, START, Account, Made

WEEKS = 10 if SOAK else 2
PER_DAY = 10
TAIL = 17
"""So many days nobody makes anything, until the last that is unwanted should have gone."""
SHARE = 0.95


def play(seed: int, weeks: int = WEEKS) -> tuple[Account, People]:
    """Let weeks pass in which ten stacks are made on each working day, and then the tail."""
    account, people = Account(POLICY), People(Random(seed))  # noqa: S311 - a story, not a secret
    for number in range(weeks * 5 * PER_DAY):
        week, rest = divmod(number, 5 * PER_DAY)
        day, place = divmod(rest, PER_DAY)
        when = START + (week * 7 + day) * DAY + (9 + place * 9 // PER_DAY) * HOUR
        account.at(when, partial(people.make, number=number))
    account.run(weeks * 7 + TAIL)
    return account, people


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1, 6) if SOAK else [1])
def test_what_nobody_means_to_keep_goes_in_time_and_the_rest_says_why(
    seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody intervenes, every hold is on, and the share is printed."""
    account, people = play(seed)
    made = [m for m in account.made.values() if not m.by_hand]
    unwanted = [m for m in made if people.drawn[m.stack_id][1] not in KEPT]
    kept = [m for m in made if people.drawn[m.stack_id][1] in KEPT]
    in_time = [m for m in unwanted if m.gone and not m.late]
    share = len(in_time) / len(unwanted)
    with capsys.disabled():
        print(  # noqa: T201 - it is what this test is asked for
            f"\n{WEEKS} weeks, seed {seed}: {share:.1%} of {len(unwanted)} unwanted in time"
        )
    assert account.wrong == []
    assert [m.name for m in kept if m.gone] == []
    assert len(kept) >= 0.1 * len(made)
    assert share >= SHARE, [why(account, people, m) for m in unwanted if m not in in_time]
    for one in account.standing.values():
        shown = operating.obstacle(account.decision(one.stack_id))
        assert shown.reason
        assert shown.who, shown


def why(account: Account, people: People, made: Made) -> str:
    """Say of a stack that did not go in time what it was, and what is said of it."""
    decision = account.decision(made.stack_id)
    drawn = ", ".join(people.drawn[made.stack_id])
    return f"{made.name} ({drawn}; {made.tags}): {made.late or (decision and decision.reason)}"
