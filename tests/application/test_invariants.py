"""The invariants of DESIGN.md §4, over the real journeys, whatever else happens.

How each of them was seen to fail for a one-line change of the code: mutations.py.
"""

import os

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from tests.application.drawn import COUNTS
from tests.application.faults import Fault
from tests.application.machine import Account

HUNT = bool(os.environ.get("HUNT"))
"""Set by mutations.py: one failure is enough, and nobody reads it."""
SOAK = os.environ.get("HYPOTHESIS_PROFILE") == "soak"
STEPS = 50
EXAMPLES = 4 * settings().max_examples if SOAK else 1_000 if HUNT else 250

REACHED = {
    **dict.fromkeys(("open", "keep", "remind", "mark", "wait", "delete", "blocked", "track"), 50),
    **dict.fromkeys(("ignore", "close", "unmark"), 20),
    **dict.fromkeys(("retry", "tags.refused", "lease.reopened", "lift refused"), 3),
    **dict.fromkeys(("stack.taken_out", "stack.put_back", "spoilt"), 3),
    **dict.fromkeys(("breaker.lifted", "breaker.cleared", "owner.changed"), 5),
    **dict.fromkeys(("policy.accepted", "first word", "told of dropped tags"), 30),
    **dict.fromkeys(("held by tags", "held by policy", "region away"), 30),
    **dict.fromkeys(("deletion.failed", "deletion.given_up", "stack.unmarked"), 10),
    **dict.fromkeys(("breaker.tripped", "region.refused"), 10),
    **dict.fromkeys(("extension granted", "extension refused", "click"), 30),
    **dict.fromkeys(("stack.recorded", "deletion.confirmed"), 200),
    **dict.fromkeys(("purged s3", "deletion.refused", "protection.removed"), 10),
    **dict.fromkeys(("last resort", "cleanup role", "held up"), 5),
    **dict.fromkeys(("let go", "letting go refused", "revised"), 30),
    **dict.fromkeys(("tagged by a change set",), 5),
    **dict.fromkeys((fault.name for fault in Fault), 50),
}
"""So often at least, in each half, or the machine has gone astray."""


@pytest.mark.soak
@pytest.mark.parametrize("half", [1, 2])
def test_the_invariants_hold_whatever_happens(half: int) -> None:
    """Each half makes 10,000 steps, with all checks after each, and ends every story."""
    COUNTS.clear()
    run_state_machine_as_test(
        Account if SOAK else seed(half)(Account),
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
            phases=(Phase.generate,) if HUNT else settings().phases,
        ),
    )
    print(f"{COUNTS['steps']} steps: {dict(sorted(COUNTS.items()))}")  # noqa: T201 - shown by -s
    assert COUNTS["steps"] >= max(10_000, 40 * EXAMPLES)
    missed = {what: COUNTS[what] for what, least in REACHED.items() if COUNTS[what] < least}
    assert HUNT or not missed, missed
