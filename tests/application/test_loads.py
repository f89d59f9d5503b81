"""Ordinary loads and the disasters among them, on the default policy with every hold on.

Ordinary weeks of any size hold nothing and go in time; what a mistake brings forward is held
until somebody accepts it or puts it back. `ordinary.py` judges, apart from the product.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import timedelta
from random import Random

import pytest
from tests.application.ordinary import (
    DAY,
    HERE,
    HOUR,
    OWNERLESS_GRACE,
    SOAK,
    START,
    THERE,
    Account,
    Made,
)

FEATURES = """
mode: enforce
operators: {{channel: '#janitor'}}
rules:
- {{name: features, select: {{name: 'feat-*'}}, ttl: {ttl}}}
"""
SELECTING = """
mode: enforce
operators: {{channel: '#janitor'}}
rules:
- {{name: default, select: {{any: [{{tag: 'janitor:ttl'}}, {{tag: 'janitor:expires'}}]}}}}
{more}
"""
MORE = "- {name: services, select: {name: 'svc-*'}, ttl: 7d}"
OWNED = {"janitor:owner": "ana@example.com"}
STARTS = range(5) if SOAK else (0, 3)
"""On which weekday the account begins: what piles up before a weekend differs."""


def fill(
    account: Account,
    per_day: int,
    lifetimes: Iterable[float],
    days: Iterable[int],
    *,
    spread: bool = False,
    lively: bool = False,
) -> None:
    """Let so many stacks a working day be made, at ten o'clock or over the day."""
    lifetimes = tuple(lifetimes)
    random = Random(per_day)  # noqa: S311 - a story, not a secret
    for day in days:
        for number in range(per_day):
            when = START + day * DAY + (9 + number * 9 // per_day if spread else 10) * HOUR
            name, lasts = f"feat-{day}-{number}", lifetimes[number % len(lifetimes)]
            if when.weekday() < 5:
                account.at(when, maker(name, lasts, random if lively else None))


def maker(name: str, days: float, random: Random | None = None) -> Callable[[Account], None]:
    """Return the making of a stack; a third is deployed again, and every fifth extended."""

    def make(account: Account) -> None:
        made = account.want(name, days)
        if random and random.random() < 0.35:
            later = account.now + random.randint(1, round(days * 24) - 1) * HOUR
            account.at(later, lambda account: account.redeploy(made))
        if random and random.random() < 0.2 and made.due:
            ahead = random.choice([2, 6, 20]) * HOUR
            account.at(made.due - ahead, lambda account: account.extend(made, DAY))

    return make


def assert_in_time(account: Account, least: int) -> None:
    """See that nothing stays too long, nothing goes too early, and much has gone at all."""
    assert account.wrong == []
    assert account.early == []
    assert account.late == []
    assert len(account.gone()) >= least, account.share


LOADS = [
    ("3 stacks a working day, wanted 3 days each, all made at 10:00", 3, [3], False, 5),
    ("5 a day, wanted 3 days", 5, [3], False, 5),
    ("10 a day, wanted 1 day", 10, [1], False, 5),
    ("40 a day, spread over the day, wanted 2 days", 40, [2], True, 5),
]


@pytest.mark.soak
@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("what,per_day,lifetimes,spread,weeks", LOADS, ids=[x[0] for x in LOADS])
def test_an_ordinary_week_holds_nothing_and_goes_in_time(
    what: str, per_day: int, lifetimes: list[float], spread: bool, weeks: int, start: int
) -> None:
    """Whatever the weekday on which it begins.

    Fails with `and self.now.hour < 12` after `opens == self.now` in `window` of
    domain/planning/conditions.py (half of the window is no window).
    """
    weeks = weeks if SOAK or per_day < 10 else 2
    account = Account()
    fill(account, per_day, lifetimes, range(start, start + weeks * 7), spread=spread)
    account.run(start + weeks * 7)
    assert_in_time(account, least=per_day * (weeks - 1) * 5 - per_day * 2)


@pytest.mark.soak
def test_400_a_day_spread_wanted_1_to_5_days_redeployed_and_extended_as_people_do() -> None:
    """Nothing waits for how much it is."""
    account = Account()
    days = 35 if SOAK else 1
    fill(account, 400, [1, 2, 3, 4, 5] if SOAK else [1, 2], range(days), spread=True, lively=True)
    account.run(days if SOAK else 4, daytime=range(9, 18, 3))  # hourly takes a quarter of an hour
    assert_in_time(account, least=400 * 20 if SOAK else 200)


@pytest.mark.parametrize("start", range(5))
def test_5_stacks_in_all_one_day_each_made_together(start: int) -> None:
    """All that there is falls due at once."""
    account = Account()
    fill(account, 5, [1], [start])
    account.run(14)
    assert_in_time(account, least=5)


def test_after_no_sweep_for_nine_days_what_fell_due_is_told_then_goes_oldest_first() -> None:
    """Holidays: 5 a day before and after."""
    account = Account()
    fill(account, 5, [1, 2, 3, 4, 8], [*range(10), *range(19, 28)])
    account.run(10)
    account.asleep, asleep = True, account.now
    account.run(9)
    account.asleep, awake = False, account.now
    account.run(9)
    assert_in_time(account, least=45)
    meanwhile = [m for m in account.made.values() if m.due and asleep <= m.due < awake]
    assert len(meanwhile) >= 15
    assert all(made.told[0][0] >= awake for made in meanwhile)
    assert len(account.gone(meanwhile)) == len(meanwhile)
    asked = [call[1] for call in account.stacks.calls if call[0] == "delete"]
    line = [account.made[one] for one in dict.fromkeys(asked)]
    for at in {made.asked for made in line}:
        due = [made.due for made in line if made.asked == at and made.due]
        assert due == sorted(due)


# An edit of the policy.


def features() -> Account:
    """Return an account with 60 stacks of ages 0 to 29 days, under a rule of 30 days."""
    account = Account(FEATURES.format(ttl="30d"))
    for number in range(60):
        when = START + number * DAY / 2

        def make(account: Account, number: int = number) -> None:
            account.make(f"feat-{number}", OWNED, due=account.now + 30 * DAY)

        account.at(when, make)
    account.run(29.75)
    assert len(account.standing) == 60
    return account


def test_a_ttl_edited_from_30d_to_30m_lets_none_go_before_the_old_one_would() -> None:
    """None is marked or told by the new one, and what is due by the old one goes as ever."""
    account = features()
    account.set_policy(FEATURES.format(ttl="30m"))
    account.run(14)
    assert_in_time(account, least=20)
    assert account.held >= {made.stack_id for made in account.ahead}


def test_a_ttl_edited_to_30m_and_accepted_lets_exactly_that_go() -> None:
    """With mark, notice and full grace, counted from then."""
    account = features()
    account.set_policy(FEATURES.format(ttl="30m"))
    account.run(3)
    assert account.held
    account.accept()
    account.run(5)
    assert_in_time(account, least=60)
    assert not account.standing
    assert not account.held


def test_a_selector_that_takes_in_200_more_adopts_each_of_them() -> None:
    """A first notice, `adoption` from its delivery, then mark and grace as ever."""
    account = Account(SELECTING.format(more=""))
    fill(account, 20, [3, 9, 28], range(3))
    for number in range(200):
        created = START - (number % 60) * DAY
        account.make(f"svc-{number}", OWNED, due=None, created=created)
    account.run(7 + 10 / 24)
    assert_in_time(account, least=7)
    account.set_policy(SELECTING.format(more=MORE))
    edited = account.now
    taken_in = [made for made in account.made.values() if made.name.startswith("svc-")]
    for made in taken_in:
        created = account.stacks.stacks[made.stack_id].created
        made.due = max(edited + 3 * DAY, created + 7 * DAY)
    account.run(14 if SOAK else 8)
    assert_in_time(account, least=200)
    for made in taken_in:
        assert made.first_told is not None
        assert made.told[0][0] >= made.first_told + 3 * DAY
        assert edited <= made.first_told <= edited + DAY / 3


# A script over the tags.


def tagged() -> tuple[Account, list[Made]]:
    """Return an account with 120 stacks, and the 100 of them that a script is about to change."""
    account = Account()
    fill(account, 40, [8, 10, 12, 15, 18, 20, 23, 25, 28], range(3))
    account.run(7)
    made = list(account.made.values())
    assert len(account.standing) == 120
    return account, made[:100]


def a_day_ago(account: Account) -> str:
    """Return an instant as the script writes it."""
    return f"{account.now - DAY:%Y-%m-%dT%H:%M:%SZ}"


def run_script(account: Account, victims: list[Made], an_hour: int = 100) -> None:
    """Let a script set `janitor:expires` to a day in the past, so many an hour."""
    for at in range(0, len(victims), an_hour):
        some = victims[at : at + an_hour]
        for made in some:
            account.retag(made, expires=a_day_ago(account))
        account.run(1 / 24, every=1)


@pytest.mark.parametrize("an_hour", [100, 5], ids=["at once", "5 stacks an hour"])
def test_what_a_script_sets_to_yesterday_stays_until_its_former_deadline(an_hour: int) -> None:
    """The other 20 live and go as ever."""
    account, victims = tagged()
    run_script(account, victims, an_hour)
    account.run(14)
    assert account.wrong == []
    assert account.late == []
    assert an_hour == 5 or account.early == []
    assert len(account.gone()) >= 40
    ahead = {made.stack_id for made in account.ahead}
    assert account.held & ahead == {made.stack_id for made in victims} & ahead


def test_what_a_script_set_and_an_operator_accepted_goes_and_nothing_else() -> None:
    """With mark, notice and full grace, counted from then."""
    account, victims = tagged()
    run_script(account, victims)
    account.run(2)
    left = [made for made in victims if made.stack_id in account.standing]
    others = [made for made in account.standing.values() if made not in victims]
    account.accept()
    account.run(4)
    assert_in_time(account, least=len(left))
    assert not set(account.standing) & {made.stack_id for made in left}
    assert {m.stack_id for m in others if m.due and m.due > account.now} <= set(account.standing)


@pytest.mark.parametrize("mistake", ["the tags", "the ttl"])
def test_what_is_put_back_is_as_if_it_had_not_been(mistake: str) -> None:
    """Without an operator: the same stacks go, at the same sweeps."""
    without, _ = (features(), []) if mistake == "the ttl" else tagged()
    account, victims = (features(), []) if mistake == "the ttl" else tagged()
    without.run(10)
    if mistake == "the ttl":
        account.set_policy(FEATURES.format(ttl="30m"))
    for made in victims:
        account.retag(made, expires=a_day_ago(account))
    account.run(2)
    account.set_policy(FEATURES.format(ttl="30d")) if mistake == "the ttl" else None
    for made in victims:
        account.untag(made, "expires")
    account.run(8)
    assert_in_time(account, least=15)
    assert not account.held
    assert {m.name: m.gone for m in account.gone()} == {m.name: m.gone for m in without.gone()}


def test_a_script_s_tags_taken_off_stacks_that_had_none_are_put_back_too() -> None:
    """Stacks under a rule's ttl carry no lifetime of their own that could come back.

    Fails with `return tags` at the end of `_remembered` in domain/lease/refresh.py.
    """
    account = features()
    victims = list(account.standing.values())[20:]
    run_script(account, victims)
    account.run(1)
    assert account.held
    for made in victims:
        account.untag(made, "expires")
    account.run(1)
    assert not account.held
    account.run(14)
    assert_in_time(account, least=20)


# A region, and one owner.


def test_a_region_that_comes_back_after_a_week_has_all_of_it_told_anew() -> None:
    """Nothing goes on the day of its return; the other region goes on all the while.

    Fails with `void_before={}` in `ground_of` of domain/planning/accepted_policy.py.
    """
    account = Account(regions=(HERE, THERE))
    for day in range(21):
        for number, region in enumerate((HERE, THERE) * 3):
            when = START + day * DAY + 10 * HOUR
            if when.weekday() < 5:
                account.at(when, _in(region, f"feat-{day}-{number}", 1 + number))
    account.run(8.75)
    account.refuse(THERE, "AccessDenied")
    account.run(7)
    account.refuse(THERE, "")
    back = account.now
    account.run(5.25)
    assert_in_time(account, least=40)
    after = [m for m in account.gone() if m.asked and m.asked > back and f":{THERE}:" in m.stack_id]
    assert len(after) >= 10
    for made in after:
        assert made.asked
        assert made.told[-1][0] >= back
        assert made.asked >= made.told[-1][0] + timedelta(days=1)


def _in(region: str, name: str, days: int) -> Callable[[Account], None]:
    def make(account: Account) -> None:
        account.want(name, days, region=region)

    return make


def test_an_owner_who_moves_one_date_to_today_has_it_marked_told_and_gone() -> None:
    """One is no accident."""
    account = Account()
    fill(account, 20, [10], [0])
    account.run(1.5)
    made = next(iter(account.made.values()))
    account.retag(made, expires=f"{account.now:%Y-%m-%d}")
    made.due = account.now.replace(hour=0) + DAY - timedelta(seconds=1)
    account.run(5.5)
    assert_in_time(account, least=1)
    assert account.gone() == [made]


def test_nobody_named_has_three_days_of_grace() -> None:
    """And then it goes in time, too."""
    account = Account()
    for number in range(12):
        name = f"feat-{number}"
        due = START + DAY
        account.make(name, {"janitor:ttl": "1d"}, due=due, grace=OWNERLESS_GRACE)
    account.run(8)
    assert_in_time(account, least=12)
    assert Counter(made.gone for made in account.gone()).most_common(1)[0][1] == 12
