"""Measure a whole sweep, applied, with the clients and adapters of the command line."""

import os
from datetime import UTC, datetime

from janitor.adapters.aws.session import connect
from janitor.bootstrap import build
from janitor.domain.journal.events import Actor
from janitor.settings import read_settings
from timing import Numbers, counted_calls, print_timed

settings = read_settings(os.environ)
aws = connect(settings)
calls = counted_calls(aws.session)
janitor = build(settings, aws, clock=lambda: datetime.now(UTC), write=lambda _: None)
aws.client("cloudformation")


def sweep() -> Numbers:
    """Sweep once."""
    report = janitor.sweep(Actor("user", "bench", "cli"))
    return {
        "stacks": report.plan.managed,
        "decisions": report.plan.counts,
        "outcomes": [str(outcome) for outcome in report.outcomes],
    }


print_timed(sweep, calls=calls)
