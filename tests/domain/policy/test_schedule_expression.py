"""Reading a schedule's expression: what EventBridge Scheduler takes passes, all else is named."""

import pytest

from janitor.domain.errors import ConfigurationError
from janitor.domain.policy.schedule_expression import check_schedule


@pytest.mark.parametrize(
    "expression",
    [
        "rate(1 minute)",
        "rate(1 hour)",
        "rate(1 day)",
        "rate(30 minutes)",
        "rate(100 hours)",
        "cron(0 6-18 ? * MON-FRI *)",
        "cron(0 0 1 1 ? *)",
        "cron(59 23 31 12 ? 2199)",
        "cron(*/15 * * * ? *)",
        "cron(0/5 8-17/2 ? * 2-6 *)",
        "cron(0,20,40 * ? JAN,JUN-AUG SUN 2026-2030)",
        "cron(0 9 L * ? *)",
        "cron(0 9 LW * ? *)",
        "cron(0 9 15W * ? *)",
        "cron(0 9 ? * 6L *)",
        "cron(0 9 ? * FRIL *)",
        "cron(0 9 ? * MON#1 *)",
        "cron(0 9 ? * 2#5 1970)",
    ],
)
def test_what_eventbridge_scheduler_takes_passes(expression: str) -> None:
    """Both forms, the edges of every range, names, steps, lists, and what is special to days."""
    check_schedule("ScheduleExpression", expression)


@pytest.mark.parametrize(
    "expression, problem",
    [
        ("cron(60 0 * * ? *)", "minutes is '60', and must be 0-59"),
        ("cron(0 24 * * ? *)", "hours is '24', and must be 0-23"),
        ("cron(0 0 0 * ? *)", "day-of-month is '0', and must be 1-31"),
        ("cron(0 0 32W * ? *)", "day-of-month is '32W', and must be 1-31"),
        ("cron(0 0 1 13 ? *)", "month is '13', and must be 1-12 or JAN-DEC"),
        ("cron(0 0 1 MAI ? *)", "month is 'MAI', and must be 1-12 or JAN-DEC"),
        ("cron(0 0 ? * 0 *)", "day-of-week is '0', and must be 1-7 or SUN-SAT"),
        ("cron(0 0 ? * MON#6 *)", "day-of-week is 'MON#6', and must be 1-7 or SUN-SAT"),
        ("cron(0 0 1 * ? 1969)", "year is '1969', and must be 1970-2199"),
        ("cron(0 0 1 * ? 2200)", "year is '2200', and must be 1970-2199"),
        ("cron(0-60 0 1 * ? *)", "minutes is '0-60'"),
        ("cron(0/0 0 1 * ? *)", "minutes is '0/0'"),
        ("cron(0/x 0 1 * ? *)", "minutes is '0/x'"),
        ("cron(/5 0 1 * ? *)", "minutes is '/5'"),
        ("cron(1, 0 1 * ? *)", "minutes is ''"),
        ("cron(? 0 1 * ? *)", "minutes is '?'"),
        ("cron(L 0 1 * ? *)", "minutes is 'L'"),
        ("cron(*-5 0 1 * ? *)", "minutes is '*-5'"),
        ("cron(\u0665 0 1 * ? *)", "minutes is '\u0665'"),
        ("cron(0 6 * * MON-FRI *)", "one of day-of-month and day-of-week, and only one, must be ?"),
        ("cron(0 6 ? * ? *)", "one of day-of-month and day-of-week, and only one, must be ?"),
        ("cron(0 6 * * *)", "has 5 fields, and cron takes 6"),
        ("cron(0  6 ? * MON *)", "has 7 fields, and cron takes 6"),
        ("rate(1 hours)", "is neither a rate nor a cron expression"),
        ("rate(0 hours)", "is neither a rate nor a cron expression"),
        ("rate(2 hour)", "is neither a rate nor a cron expression"),
        ("at(2026-06-01T12:00:00)", "is neither a rate nor a cron expression"),
        ("", "is neither a rate nor a cron expression"),
        ("cron(0 0 1 * ? *)\n", "is neither a rate nor a cron expression"),
    ],
)
def test_what_is_wrong_is_named_with_the_parameter_and_an_example(
    expression: str, problem: str
) -> None:
    """At once, where the scheduler would say so after a quarter of an hour."""
    with pytest.raises(ConfigurationError) as caught:
        check_schedule("ScheduleExpression", expression)
    said = str(caught.value)
    assert said.startswith("ScheduleExpression: ")
    assert problem in said
    assert said.endswith("rate(1 hour), rate(30 minutes) or cron(0 6-18 ? * MON-FRI *)")


def test_every_field_at_fault_is_named() -> None:
    """One deployment shows all of it."""
    with pytest.raises(ConfigurationError) as caught:
        check_schedule("ScheduleExpression", "cron(99 99 * * ? *)")
    assert "minutes is '99', and must be 0-59; hours is '99', and must be 0-23" in str(caught.value)
