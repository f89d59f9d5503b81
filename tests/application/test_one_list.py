"""Decide and explain never disagree, whatever stands before a deletion."""

from collections import Counter
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.application.stories import DAY, HOUR, Story

from janitor.application.operations.explain import Explained, explain
from janitor.domain.model import Mode
from janitor.domain.planning.conditions import Kind
from janitor.domain.planning.decisions import Delete, Retry, Track
from janitor.domain.policy.model import Policy

WINDOWS: list[dict[str, Any]] = [
    {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "hours": "00:00-24:00"},
    {"days": ["wed"], "hours": "09:00-11:00"},
]
STATUSES = ("CREATE_COMPLETE", "UPDATE_IN_PROGRESS", "REVIEW_IN_PROGRESS", "ROLLBACK_FAILED")
PROTECT: list[dict[str, str]] = [
    *({} for _ in range(9)),
    {"janitor:protect": "demo"},
    {"DoNotDelete": "true"},
    {"janitor-ttl": "1d"},
]
stacks = st.fixed_dictionaries(
    {
        "ttl": st.sampled_from([*["1d"] * 6, "2d", "9d", "3x", "never"]),
        "protect": st.sampled_from(PROTECT),
        "lock": st.sampled_from([*[False] * 5, True]),
        "status": st.sampled_from([*["CREATE_COMPLETE"] * 2, *STATUSES]),
        "age": st.sampled_from([*[0] * 6, 20]),
        "imports": st.sampled_from([(), ("x",)]),
    }
)
SEEN: Counter[str] = Counter()


def policy(window: dict[str, Any], review: str, *, override: bool, shorter: bool) -> Policy:
    """Return a policy that draws in everything that a condition asks for."""
    terms = {
        "override_protection": override,
        "review_grace": review,
        "allow_never": True,
        "max_lifetime": "2h" if shorter else "30d",
    }
    return Policy.model_validate({"window": window, "defaults": terms})


@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(
    st.lists(stacks, min_size=2, max_size=12),
    st.sampled_from(WINDOWS),
    st.sampled_from(["0m", "30d"]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([Mode.NOTIFY, Mode.ENFORCE]),
    st.lists(st.integers(8, 30), min_size=1, max_size=6),
)
def test_the_first_that_is_not_met_is_what_a_sweep_decides_by(
    drawn: list[dict[str, Any]],
    window: dict[str, Any],
    review: str,
    override: bool,
    shorter: bool,
    mode: Mode,
    waits: list[int],
) -> None:
    """Protection, override, review, windows, busy statuses, holds, adoption, importers: all drawn.

    Fails with `None` for `stack` in `outlook` of domain/planning/earliest_deletion.py, and without `as_protected` in
    application/operations/explain.py.
    """
    story = Story(mode=mode)
    story.policies.current = policy(window, review, override=override, shorter=False)
    for number, one in enumerate(drawn):
        tags = {"janitor:ttl": one["ttl"], "owner": "ana@example.com", **one["protect"]}
        story.stacks.create(
            f"feat-{number}",
            tags=tags,
            created=story.now - one["age"] * DAY,
            status=one["status"] if number else "CREATE_COMPLETE",
            termination_protection=one["lock"],
            exports=("x",) if number == 0 else (),
            imports=one["imports"] if number else (),
        )
    for hours in waits:
        story.sweep()
        story.now += hours * HOUR
    story.policies.current = policy(window, review, override=override, shorter=shorter)
    plan = story.janitor.plan().plan
    for planned in plan.decisions:
        if planned.lease is None or isinstance(planned, Track):
            continue
        found = explain(
            planned.lease.stack_id,
            planned.lease,
            plan=plan,
            policy=story.policies.policy(),
            stacks=story.stacks,
        )
        is_locked = found.stack is not None and found.stack.termination_protection
        if not is_locked:
            assert found.decision == planned
        agree(found)


def agree(found: Explained) -> None:
    """See that the list says what was decided."""
    decision = found.decision
    assert found.outlook is not None
    unmet = [c for c in found.outlook.conditions if not c.is_met and c.kind is not Kind.MODE]
    assert (not unmet) is isinstance(decision, Delete | Retry)
    if unmet and decision.unmet:
        assert decision.unmet.kind is unmet[0].kind
        SEEN[decision.unmet.kind.value] += 1
