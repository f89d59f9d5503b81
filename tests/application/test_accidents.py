"""Random ordinary accounts with random mistakes on top: in time, and nothing by mistake alone."""

from dataclasses import dataclass

import pytest
from hypothesis import Phase, event, given, settings
from hypothesis import strategies as st
from tests.application.ordinary import DAY, HERE, HOUR, SOAK, START, THERE, Account, Act, Made

POLICY = """
mode: enforce
operators: {{channel: '#janitor'}}
rules:
- {{name: default, select: {{any: [{{tag: 'janitor:ttl'}}, {{tag: 'janitor:expires'}}]}}}}
- {{name: features, select: {{name: 'feat-*'}}, ttl: {ttl}}}
"""
TTL, EDITED = 14, "30m"
OWNED = {"janitor:owner": "ana@example.com"}
EVERY = 4
"""A sweep every so many hours: two of them fall into the window of a working day."""
PHASES = (Phase.explicit, Phase.generate)
"""Without shrinking, which takes minutes here."""
DAYS = 31
MARGIN = 2
"""By so many a mistake exceeds what counts as a surprise, so that no test hangs on the edge."""
EXAMPLES = settings().max_examples // 10 if SOAK else 12


@dataclass(frozen=True)
class Wanted:
    """A stack, and what its people do with it."""

    hour: int
    days: int
    kind: str
    region: str
    extended: bool
    redeployed: str


@dataclass(frozen=True)
class Mistake:
    """Something that brings many deadlines forward, or hides a region; put back, or not."""

    kind: str
    hour: int
    an_hour: int
    put_back_after: int
    """Days; 0: never."""


STACKS = st.lists(
    st.builds(
        Wanted,
        hour=st.integers(0, 6 * 24),
        days=st.integers(1, 20),
        kind=st.sampled_from(["ttl", "ttl", "expires", "rule", "rule", "protected"]),
        region=st.sampled_from([HERE, HERE, THERE]),
        extended=st.booleans(),
        redeployed=st.sampled_from(["", "", "as it was", "without tags"]),
    ),
    min_size=20,
    max_size=45,
)
MISTAKES = st.lists(
    st.builds(
        Mistake,
        kind=st.sampled_from(["policy", "script", "outage"]),
        hour=st.integers(5 * 24, 9 * 24),
        an_hour=st.sampled_from([1, 3, 100]),
        put_back_after=st.sampled_from([0, 1, 3, 6]),
    ),
    max_size=2,
    unique_by=lambda mistake: mistake.kind,
)


@pytest.mark.soak
@settings(max_examples=EXAMPLES, phases=PHASES)
@given(stacks=STACKS, mistakes=MISTAKES)
def test_all_goes_in_time_and_nothing_by_a_mistake_alone(
    stacks: list[Wanted], mistakes: list[Mistake]
) -> None:
    """Whatever people do, and whatever was edited, tagged or hidden on top of that.

    Fails with `if ground.is_policy_held:` alone in `survey` of domain/planning/plan.py (an edit is never a
    surprise), with `> 1_000_000` for the bound of `bulk` there (nor are tags), and with
    `return terms.ownerless_grace` in `grace_of` of domain/lease/notice_history.py (what is due stays).
    """
    account = Account(POLICY.format(ttl=f"{TTL}d"), regions=(HERE, THERE))
    for number, wanted in enumerate(stacks):
        account.at(START + wanted.hour * HOUR, _maker(number, wanted))
    for mistake in mistakes:
        account.at(START + mistake.hour * HOUR, _err(mistake))
    account.run(DAYS, every=EVERY, daytime=range(0))
    assert account.wrong == []
    assert account.late == []
    if not any(mistake.kind == "script" and mistake.an_hour < 100 for mistake in mistakes):
        assert account.early == []


def _maker(number: int, wanted: Wanted) -> Act:
    """Return the making of a stack; its people come back to it later."""

    def make(account: Account) -> None:
        end = account.now + wanted.days * DAY
        tags, due = dict(OWNED), account.now + TTL * DAY
        if wanted.kind in ("ttl", "expires"):
            due = end
            text = f"{wanted.days}d" if wanted.kind == "ttl" else f"{end:%Y-%m-%dT%H:%MZ}"
            tags[f"janitor:{wanted.kind}"] = text
        if wanted.kind == "protected":
            tags["janitor:protect"] = "the demo"
        is_kept = wanted.kind == "protected"
        made = account.make(
            f"feat-{number}", tags, due=None if is_kept else due, region=wanted.region
        )
        if wanted.redeployed:
            again: dict[str, str] | None = None if wanted.redeployed == "as it was" else {}
            account.at(
                account.now + 5 * HOUR, lambda a: _is_known(a, made) and a.redeploy(made, again)
            )
        if wanted.extended and not is_kept:
            account.at(due - 7 * HOUR, lambda a: a.extend(made, DAY))

    return make


def _err(mistake: Mistake) -> Act:
    """Return the making of a mistake, where it touches more than anybody would by hand."""

    def act(account: Account) -> None:
        victims = [m for m in account.ahead if _is_touched(account, m, mistake.kind)]
        if mistake.kind != "outage" and len(victims) <= account.bound + MARGIN:
            return
        event(mistake.kind)
        back = account.now + mistake.put_back_after * DAY
        match mistake.kind:
            case "policy":
                account.set_policy(POLICY.format(ttl=EDITED))
                if mistake.put_back_after:
                    account.at(back, lambda a: a.set_policy(POLICY.format(ttl=f"{TTL}d")))
            case "outage":
                account.refuse(THERE, "AccessDenied")
                account.at(max(back, account.now + DAY), lambda a: a.refuse(THERE, ""))
            case _:
                for at, made in enumerate(victims):
                    made.tampered = True
                    when = account.now + (1 + at // mistake.an_hour) * HOUR
                    account.at(when, _tagger(made))
                    if mistake.put_back_after:
                        account.at(when + mistake.put_back_after * DAY, _untagger(made))

    return act


def _is_touched(account: Account, made: Made, kind: str) -> bool:
    """Tell whether the mistake brings the end of this stack forward, and clearly so."""
    if made.due is None or made.due < account.now + 2 * DAY or account.unseen:
        return False
    tags = account.stacks.stacks[made.stack_id].tags
    is_ruled = not {"janitor:ttl", "janitor:expires"} & tags.keys()
    # What a script was at may be held by its tags, and then the edit brings nothing forward.
    return is_ruled and not made.tampered if kind == "policy" else True


def _is_known(account: Account, made: Made) -> bool:
    """Tell whether a sweep has seen it: what tags it had before that nobody can know."""
    return account.ledger.lease(made.stack_id) is not None


def _tagger(made: Made) -> Act:
    return lambda account: account.retag(made, expires=f"{account.now - DAY:%Y-%m-%dT%H:%MZ}")


def _untagger(made: Made) -> Act:
    return lambda account: account.redeploy(made)
