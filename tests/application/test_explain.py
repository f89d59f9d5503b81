"""Explain: every rule that looked, where the deadline comes from, and what a deletion still needs."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.application.stories import OWNED, POLICY, SWEEPER, THERE, Story
from tests.fakes.memory import MemoryLedger, MemoryPolicies, MemoryQueue, MemoryStacks

from janitor.application.operations.explain import Explained, explain
from janitor.application.sweep.sweep import sweep
from janitor.domain.errors import JanitorError, StackNotFound
from janitor.domain.lease.refresh import first_lease
from janitor.domain.model import (
    ACCOUNT_KEY,
    FINAL,
    Account,
    Contact,
    ContactKind,
    Lease,
    LeaseState,
    Mode,
    MoveCause,
    Moved,
    Notice,
    Stack,
)
from janitor.domain.planning.decide import decide
from janitor.domain.planning.decisions import decision_name
from janitor.domain.policy.model import Policy
from janitor.domain.policy.selection import looks_of, why_not
from janitor.domain.policy.selector import Selector
from janitor.entrypoints.cli.views.explain import explained_document, explained_facts

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
UTC_ZONE = ZoneInfo("UTC")
ADA = Contact(ContactKind.EMAIL, "ada@example.com")
TAGS = {"janitor:ttl": "3d", "owner": "ada@example.com", "env": "dev"}
RULES: dict[str, Any] = {
    "rules": [
        {"name": "prod", "select": {"tag": "env", "equals": "prod"}},
        {"name": "named", "select": {"name": "pr-*"}},
        {"name": "both", "select": {"all": [{"tag": "env"}, {"tag": "team"}]}},
        {"name": "default", "select": {"any": [{"tag": "janitor:ttl"}, {"tag": "x"}]}},
        {"name": "rest", "select": {"name": "*"}},
    ],
    "window": {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "hours": "00:00-24:00"},
}


def policy(**more: Any) -> Policy:
    """Return a policy with several rules, deletions at any hour."""
    return Policy.model_validate({**RULES, **more})


class Case:
    """A stack, its lease, and what is asked about it."""

    def __init__(self, document: Policy | None = None, **tags: str) -> None:
        self.policy = document or policy()
        self.now = NOON
        self.stacks = MemoryStacks(lambda: self.now)
        self.stack = self.stacks.create("feat-a", "eu-central-1", {**TAGS, **tags})
        rule = self.policy.rule_for(self.stack)
        self.lease = first_lease(self.stack, rule, self.policy, NOON) if rule else None
        self.account = Account()
        self.mode = Mode.ENFORCE

    def change(self, **values: Any) -> None:
        """Bring the lease further."""
        assert self.lease
        self.lease = replace(self.lease, **values)

    def told(self, at: datetime, stage: str = FINAL) -> None:
        """Deliver a notice."""
        assert self.lease
        notice = Notice(stage, self.lease.expires_at, ADA, at, "sns")
        self.change(notices=(*self.lease.notices, notice))

    def explained(self, name: str = "feat-a") -> Explained:
        """Ask."""
        ledger = MemoryLedger()
        ledger.records[ACCOUNT_KEY] = self.account
        if self.lease:
            ledger.records[self.lease.stack_id] = self.lease
        report = sweep(
            clock=lambda: self.now, policies=MemoryPolicies(self.policy, self.mode),
            regions=["eu-central-1"], stacks=self.stacks, ledger=ledger, queue=MemoryQueue(),
            actor=SWEEPER, apply=False,
        )  # fmt: skip
        return explain(name, self.lease, plan=report.plan, policy=self.policy, stacks=self.stacks)

    def needed(self) -> dict[str, bool]:
        """Return each condition and whether it is met."""
        ahead = self.explained().outlook
        assert ahead
        return {condition.kind.value: condition.is_met for condition in ahead.conditions}


# Rules.


def test_every_rule_that_looked_says_why_not() -> None:
    """Up to the one that selects; the others were not asked."""
    looks = [(look.rule, look.selects, look.why) for look in Case().explained().looks]
    assert looks == [
        ("prod", False, "its tag env is 'dev' and not 'prod'"),
        ("named", False, "its name is not like pr-*"),
        ("both", False, "it has no tag team"),
        ("default", True, "it has the tag janitor:ttl=3d"),
        ("rest", False, "not asked, since 'default' comes before it"),
    ]


def test_a_stack_that_no_rule_selects_is_explained_all_the_same() -> None:
    """By every rule, and with the word never."""
    case = Case(policy(rules=RULES["rules"][:3]))
    found = case.explained()
    assert [look.selects for look in found.looks] == [False] * 3
    assert found.deleted == "never: it is not managed"
    assert (found.lease, found.outlook, found.notices) == (None, None, ())


selectors = st.recursive(
    st.one_of(
        st.builds(lambda t: Selector(tag=t), st.sampled_from(["env", "team", "janitor:ttl"])),
        st.builds(lambda v: Selector(tag="env", equals=v), st.sampled_from(["dev", "prod"])),
        st.builds(lambda n: Selector(name=n), st.sampled_from(["feat-*", "pr-*", "feat-a"])),
    ),
    lambda inner: st.one_of(
        st.builds(lambda c: Selector(any=tuple(c)), st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda c: Selector(all=tuple(c)), st.lists(inner, min_size=1, max_size=3)),
    ),
    max_leaves=6,
)


@given(selectors, st.dictionaries(st.sampled_from(["env", "team"]), st.sampled_from(["dev", "x"])))
def test_there_is_a_reason_against_a_rule_exactly_where_it_does_not_match(
    selector: Selector, tags: dict[str, str]
) -> None:
    """The explanation never disagrees with the policy.

    Fails if `any` is explained by its first condition alone: `return why_not(selector.any[0], …)`.
    """
    stack = Stack("id", "feat-a", "eu-central-1", "CREATE_COMPLETE", NOON, tags=tags)
    assert bool(why_not(selector, stack)) is not selector.matches(stack)
    document = Policy.model_validate({"rules": [{"name": "a", "select": selector}]})
    (look,) = looks_of(document, stack)
    assert look.selects is selector.matches(stack)
    assert look.why


# The deadline.


def test_the_deadline_is_told_step_by_step() -> None:
    """What asked for it, from when it counts, what extended it, and the most there is."""
    case = Case()
    assert case.explained().deadline == (
        "asked for by tag janitor:ttl=3d: Thu 4 Jun 2026 12:00 UTC",
        "counted from its creation, Mon 1 Jun 2026 12:00 UTC",
        "never past Wed 1 Jul 2026 12:00 UTC (max_lifetime 30d)",
        "holds: Thu 4 Jun 2026 12:00 UTC (tag janitor:ttl=3d)",
    )
    case.change(extended_until=NOON + timedelta(days=60))
    assert case.explained().deadline[2:] == (
        "extended until Fri 31 Jul 2026 12:00 UTC",
        "never past Wed 1 Jul 2026 12:00 UTC (max_lifetime 30d)",
        "holds: Wed 1 Jul 2026 12:00 UTC (max_lifetime, which cuts an extension)",
    )


def test_a_tag_that_cannot_be_read_is_told_with_what_is_right() -> None:
    """And is in the way of any deletion."""
    found = Case(None, **{"janitor:ttl": "three days"}).explained()
    assert found.deadline[0].startswith("cannot be told: tag janitor:ttl 'three days' is not")
    assert found.deleted.startswith("not as things stand (kept, since tag janitor:ttl")


# Notices.


def test_notices_are_told_as_delivered_missed_and_due() -> None:
    """By stage and contact, with their instants."""
    case = Case()
    case.now = NOON + 47 * HOUR
    case.told(NOON + 24 * HOUR, "48h")
    notices = [(n.stage, n.to, n.state, n.at) for n in case.explained().notices]
    assert notices == [
        ("48h", "ada@example.com", "delivered", NOON + 24 * HOUR),
        ("24h", "ada@example.com", "due", NOON + 48 * HOUR),
        ("final", "ada@example.com", "due", NOON + 72 * HOUR),
    ]
    case.now = NOON + 73 * HOUR
    assert [(n.stage, n.state) for n in case.explained().notices] == [
        ("48h", "delivered"),
        ("24h", "missed"),
        ("final", "due"),
    ]


# What is needed.


def test_what_a_deletion_needs_is_met_one_after_the_other() -> None:
    """From the first sweep to the deletion; and what is left is what the words name."""
    case = Case()
    assert not case.needed()["it has been known for long enough"]
    assert case.explained().deleted == (
        "Fri 5 Jun 2026 12:00 UTC at the earliest, once: the deadline has passed, it is marked,"
        " every owner has its final notice, the grace is over, it has been known for long enough"
    )
    case.now = NOON + 72 * HOUR
    case.change(state=LeaseState.MARKED)
    assert case.explained().deleted.endswith(
        "once: every owner has its final notice, the grace is over"
    )
    case.told(NOON + 73 * HOUR)
    case.now = NOON + 74 * HOUR
    assert case.explained().deleted == (
        "Fri 5 Jun 2026 13:00 UTC at the earliest, once: the grace is over"
    )
    case.now = NOON + 97 * HOUR
    assert set(case.needed().values()) == {True}
    assert case.explained().deleted == "by the next sweep"


def due(**tags: str) -> Case:
    """Return a stack that would go with the next sweep."""
    case = Case(None, **tags)
    case.now = NOON + 200 * HOUR
    case.change(state=LeaseState.MARKED)
    case.told(NOON + 100 * HOUR)
    return case


def protected(case: Case) -> None:
    """Switch termination protection on."""
    case.stacks.stacks[case.stack.stack_id] = replace(case.stack, termination_protection=True)


def held(case: Case) -> None:
    """Let an operator be asked whether its tags are meant."""
    later = case.now + 9 * DAY
    case.change(expires_at=later, moved=Moved(MoveCause.TAGS, case.now, NOON, later, is_held=True))


NONE_AT_ONCE = policy(limits={"max_deleting": 0})
IN_THE_WAY: dict[str, tuple[Any, str, str]] = {
    "no termination protection": (
        protected,
        "protected by CloudFormation's termination protection",
        "the owner",
    ),
    "the mode is enforce": (
        lambda case: setattr(case, "mode", Mode.NOTIFY),
        "it is notify",
        "an operator",
    ),
    "nothing else is in the way": (
        lambda case: setattr(case, "policy", NONE_AT_ONCE),
        (
            "due, but 0 deletions are under way or begin now, and the policy's cap is 0"
            " (max_deleting)"
        ),
        "an operator",
    ),
    "attempts are left": (
        lambda case: case.change(
            state=LeaseState.NEEDS_ATTENTION, attempts=5, last_error="bucket not empty"
        ),
        "needs attention: bucket not empty",
        "the owner",
    ),
}


@pytest.mark.parametrize("what", IN_THE_WAY)
def test_what_only_a_person_can_change_means_not_as_things_stand(what: str) -> None:
    """No date is promised that time alone will not bring, and it is said whose word it needs.

    Fails if `who` of that condition is left at NOBODY.
    """
    case = due()
    assert case.explained().deleted == "by the next sweep"
    act, text, who = IN_THE_WAY[what]
    act(case)
    found = case.explained()
    assert found.outlook
    assert found.outlook.earliest is None
    assert found.deleted == f"not as things stand ({text} ({who}))"
    unmet = [c for c in found.outlook.conditions if not c.is_met and not c.comes_by_itself]
    assert [c.kind.value for c in unmet] == [what]
    facts = [text for _, text in explained_facts(found, case.now, UTC_ZONE)]
    assert f"no: {what}; {text} ({who} can change that)" in facts


def test_a_held_deadline_is_explained_with_both_dates_and_ends_at_the_former_all_the_same() -> None:
    """Nobody has to act for that; an operator, or whoever wrote the tags, can.

    Fails without `_held` in domain/planning/conditions.py, or if `until` of it is left out.
    """
    case = due()
    held(case)
    found = case.explained()
    ends, earliest = "Thu 18 Jun 2026 20:00 UTC", "Fri 19 Jun 2026 20:00 UTC"
    assert found.deleted == (
        f"{earliest} at the earliest, once: its deadline is not held, the deadline has passed,"
        " every owner has its final notice, the grace is over"
    )
    facts = [text for _, text in explained_facts(found, case.now, UTC_ZONE)]
    assert (
        "not yet: its deadline is not held; by its tags it would end Thu 4 Jun 2026 12:00 UTC; its"
        f" former deadline ({ends}) holds until an operator accepts that or its tags are put back"
    ) in facts


def test_protection_that_the_list_does_not_show_blocks() -> None:
    """As it will where the stack is to be deleted. Fails without `with_protection`."""
    case = due()
    protected(case)
    found = case.explained()
    assert (decision_name(found.decision), str(found.decision.reason)) == (
        "blocked",
        "due, but protected by CloudFormation's termination protection",
    )


def test_a_protected_stack_says_why() -> None:
    """The reason in the tag is shown, made harmless."""
    case = due(**{"janitor:protect": "demo on\u202e Friday"})
    assert "tag janitor:protect: demo on Friday (the owner)" in case.explained().deleted


def test_a_window_that_is_closed_moves_the_date() -> None:
    """To its next opening."""
    case = due()
    case.policy = policy(window={"days": ["mon"], "hours": "09:00-17:00"})
    found = case.explained()
    assert found.deleted == "Mon 15 Jun 2026 09:00 UTC at the earliest, once: deletions may run"


def test_a_failed_attempt_waits_for_the_next() -> None:
    """The back-off is a condition of its own."""
    case = due()
    case.change(state=LeaseState.FAILED, attempts=1, next_attempt_at=case.now + HOUR)
    assert not case.needed()["the pause after a failed attempt is over"]
    assert case.explained().deleted.endswith("once: the pause after a failed attempt is over")


@given(
    state=st.sampled_from([LeaseState.ACTIVE, LeaseState.MARKED, LeaseState.FAILED]),
    told=st.booleans(),
    hours=st.integers(0, 24 * 20),
    known=st.integers(0, 3),
    status=st.sampled_from(["CREATE_COMPLETE", "UPDATE_IN_PROGRESS", "DELETE_FAILED"]),
    protect=st.booleans(),
    again=st.one_of(st.none(), st.integers(1, 400)),
)
def test_a_stack_is_deleted_exactly_where_nothing_is_missing(
    state: LeaseState, told: bool, hours: int, known: int, status: str, protect: bool,
    again: int | None,
) -> None:  # fmt: skip
    """The conditions never disagree with what a sweep decides.

    Fails if a condition is left out, for instance that of `min_observed`.
    """
    case = Case(None, **({"janitor:protect": ""} if protect else {}))
    case.now = NOON + timedelta(hours=hours)
    case.change(state=state, first_seen=case.now - known * HOUR / 2)
    if told:
        case.told(NOON + 73 * HOUR)
    if again and state is LeaseState.FAILED:
        case.change(attempts=1, next_attempt_at=NOON + timedelta(hours=again))
    stack = replace(case.stack, status=status)
    case.stacks.stacks[stack.stack_id] = stack
    decision = type(decide(stack, case.lease, case.policy, case.now)).__name__
    goes = decision in {"Delete", "Retry"}
    assert all(case.needed().values()) is goes
    assert (case.explained().deleted == "by the next sweep") is goes


# What the sweep decides of all stacks together.


def told_apart(story: Story) -> dict[str, tuple[str, str]]:
    """Compare what is explained of each stack with the plan; return decision and when it goes."""
    plan = story.janitor.plan().plan
    planned = {d.lease.name: d for d in plan.decisions if d.lease}
    found = {
        name: explain(
            name,
            story.janitor.find(name),
            plan=plan,
            policy=story.policies.policy(),
            stacks=story.stacks,
        )
        for name in planned
    }
    assert {name: one.decision for name, one in found.items()} == planned
    return {name: (decision_name(one.decision), one.deleted) for name, one in found.items()}


def three_due(limits: str) -> Story:
    """Return an account in which three stacks are due, the third one imported by a fourth."""
    story = Story(f"{POLICY}limits: {{{limits}}}\n")
    for name in ("feat-1", "feat-2"):
        story.deploy(name)
        story.wait(minutes=1)
    story.deploy("feat-net", exports=("net",))
    story.deploy("shop", {**OWNED, "janitor:ttl": "20d"}, imports=("net",))
    story.sweep()
    story.wait(3)
    story.sweep()
    story.wait(1)
    return story


def test_a_stack_is_explained_as_the_sweep_decides_on_it() -> None:
    """The place in line and imports count, as in the plan; and nothing is written.

    Fails without the plan: with `decide(stack, lease, …)` each of the three is deleted next.
    """
    stopped = three_due("max_deleting: 0")
    before = dict(stopped.ledger.records)
    found = told_apart(stopped)
    why = (
        "due, but 0 deletions are under way or begin now, and the policy's cap is 0 (max_deleting)"
    )
    assert found["feat-1"] == ("wait", f"not as things stand ({why} (an operator))")
    assert found["shop"][0] == "keep"
    assert stopped.ledger.records == before
    in_line = told_apart(three_due("max_deleting: 1"))
    assert in_line["feat-1"] == ("delete", "by the next sweep")
    assert in_line["feat-2"] == (
        "wait",
        "Fri 5 Jun 2026 08:02 UTC at the earliest, once: nothing else is in the way",
    )
    imported = told_apart(three_due(""))
    why = "shop (owner ana@example.com) imports its export net and stays"
    assert imported["feat-net"] == (
        "blocked",
        f"not as things stand ({why} (the owners of other stacks))",
    )


def test_before_the_first_sweep_there_is_no_lease() -> None:
    """What it would be is explained; as a fact and in JSON there is none.

    Fails without the look at `Open`: the lease was shown as active.
    """
    case = Case()
    case.lease = None
    found = case.explained()
    assert ("lease", "none yet") in explained_facts(found, case.now, ZoneInfo("UTC"))
    document = explained_document(found)
    assert (document["decision"], document["state"], document["generation"]) == ("open", None, None)
    assert document["expires_at"] == "2026-06-04T12:00:00Z"


# Where the stack is.


def test_a_name_that_nobody_knows_is_an_error_that_says_where_it_was_looked_for() -> None:
    """And one that could not be looked for everywhere says that."""
    case = Case()
    case.lease = None
    where = "no stack other in eu-central-1, and no lease is open on it; `janitor audit show other`"
    with pytest.raises(StackNotFound, match=where):
        case.explained("other")
    case.stacks.refuse("eu-central-1", "denied")
    with pytest.raises(JanitorError, match=r"could be looked for; not eu-central-1 \(denied\)"):
        case.explained("other")


def test_a_name_that_two_stacks_have_is_not_guessed_at() -> None:
    """Before any sweep there is no lease to tell which one is meant; a nested one is none of them.

    Fails if the first decision that fits is taken.
    """
    story = Story()
    first = story.deploy()
    story.deploy(region=THERE, parent_id=first)
    plan = story.janitor.plan().plan
    policy_ = story.policies.policy()
    found = explain("feat", None, plan=plan, policy=policy_, stacks=story.stacks)
    assert found.stack
    assert found.stack.stack_id == first
    second = story.deploy(region=THERE)
    plan = story.janitor.plan().plan
    with pytest.raises(
        StackNotFound, match=f"2 stacks are called feat; give the id: {first}, {second}"
    ):
        explain("feat", None, plan=plan, policy=policy_, stacks=story.stacks)
    found = explain(second, None, plan=plan, policy=policy_, stacks=story.stacks)
    assert (found.stack and found.stack.region) == THERE


def test_a_deletion_under_way_has_no_date_any_more() -> None:
    """It is asked about."""
    case = due()
    case.change(state=LeaseState.DELETING, claimed_at=case.now)
    assert case.explained().deleted == "its deletion is under way"


def test_a_lease_whose_stack_is_gone_is_explained() -> None:
    """From what the lease remembers."""
    case = due()
    del case.stacks.stacks[case.stack.stack_id]
    found = case.explained()
    assert isinstance(found.lease, Lease)
    assert (found.stack, found.looks) == (None, ())
