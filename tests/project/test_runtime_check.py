"""The runtime of the functions is questioned half a year ahead, and not a day later."""

import json
from datetime import date, timedelta
from importlib.resources import files

import pytest
from tools.runtime_check import AHEAD, DEPRECATED_ON, TEMPLATE, problems, runtimes

OLD = "Globals:\n  Function:\n    Runtime: python3.13\n"
LAST_GOOD_DAY = date(2029, 6, 30) - AHEAD


def test_the_runtime_of_our_template_is_found_and_known() -> None:
    """Else the check would pass because it saw nothing."""
    found = runtimes(TEMPLATE.read_text(encoding="utf-8"))
    assert found
    assert set(found) <= DEPRECATED_ON.keys()


@pytest.mark.parametrize("days, is_fine", [(-1, True), (0, True), (1, False)])
def test_half_a_year_is_the_limit(days: int, is_fine: bool) -> None:
    """180 days are enough, 179 are not."""
    assert (problems(OLD, LAST_GOOD_DAY + timedelta(days=days)) == []) is is_fine


def test_the_message_names_runtime_and_date() -> None:
    """Whoever sees the workflow fail knows what to do."""
    (problem,) = problems(OLD, date(2029, 6, 29))
    assert problem == "python3.13: deprecated on 2029-06-30, in 1 days; move to a newer one"


def test_a_runtime_without_a_date_is_a_problem() -> None:
    """A new runtime does not slip through unchecked."""
    assert "no date known" in problems("Runtime: python3.99", date(2026, 1, 1))[0]


def test_a_template_without_a_runtime_is_a_problem() -> None:
    """A change of the template's form does not switch the check off."""
    assert problems("Resources: {}", date(2026, 1, 1)) == ["the template names no runtime"]


def test_the_dates_are_those_that_cfn_lint_has() -> None:
    """A new lock may bring new dates of AWS; then the table is to be changed with it."""
    table = files("cfnlint") / "data/AdditionalSpecs/LmbdRuntimeLifecycle.json"
    theirs = json.loads(table.read_text(encoding="utf-8"))
    assert {name: str(day) for name, day in DEPRECATED_ON.items()} == {
        name: theirs[name]["deprecated"] for name in DEPRECATED_ON
    }
