"""Who goes first among stacks that import from each other."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from janitor.domain.model import OPERATORS, Lease, LeaseState, Stack
from janitor.domain.planning.conditions import Kind, Who
from janitor.domain.planning.decisions import Blocked, Decision, Delete, Ignore, Reason, Wait
from janitor.domain.planning.export_order import Imports, by_others, in_order
from janitor.domain.policy.model import default_policy

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
COUNT = 7


def going(number: int, exports: tuple[str, ...]) -> Delete:
    """Make a stack that would go."""
    name = f"s{number}"
    stack = Stack(f"arn:{name}", name, "here", "CREATE_COMPLETE", NOW, exports=exports)
    lease = Lease(stack.stack_id, name, "here", "default", NOW, NOW, state=LeaseState.MARKED)
    return Delete(Reason("due"), stack, lease)


edges = st.sets(st.tuples(st.integers(0, COUNT - 1), st.integers(0, COUNT - 1)), max_size=14)


@given(edges)
def test_whoever_goes_is_imported_by_nobody_and_all_of_those_go(uses: set[tuple[int, int]]) -> None:
    """For any graph: nobody else goes, and nobody else is held up.

    Fails if `in_order` lets one go whose importers leave, too, but later.
    """
    uses = {(a, b) for a, b in uses if a != b}
    line = [going(n, (f"e{n}",)) for n in range(COUNT)]
    truth = {n: tuple(f"s{a}" for a, b in sorted(uses) if b == n) for n in range(COUNT)}
    imports = {f"arn:s{n}": Imports({f"e{n}": names}) for n, names in truth.items()}
    decided = in_order(line, imports, default_policy())
    gone = [d.stack.name for d in decided if isinstance(d, Delete) and d.stack]
    assert gone == [f"s{n}" for n in range(COUNT) if not truth[n]]
    for decision in decided:
        unmet = decision.unmet
        assert isinstance(decision, Delete) or (unmet and unmet.kind is Kind.RELEASED_BY_OTHERS)


@pytest.mark.parametrize(
    "found, who, by_itself",
    [
        (Imports(error="throttled"), Who.AWS, True),
        (Imports({"e1": ("s2",)}), Who.NOBODY, True),
        (Imports({"e1": ("stranger",)}), Who.OTHERS, False),
    ],
)
def test_what_holds_it_up_says_who_can_change_that(
    found: Imports, who: Who, by_itself: bool
) -> None:
    """Waiting is enough for one that goes first, and not for one that stays."""
    line = [going(1, ("e1",)), going(2, ())]
    held, _ = in_order(line, {"arn:s1": found}, default_policy())
    assert held.unmet is not None
    assert (held.unmet.kind, held.unmet.is_met) == (Kind.RELEASED_BY_OTHERS, False)
    assert (held.unmet.who, held.unmet.comes_by_itself) == (who, by_itself)


def test_an_importer_that_is_not_in_the_listing_holds_up() -> None:
    """It was made since, or belongs to nobody that can be seen."""
    one = going(1, ("e1",))
    (decision,) = in_order([one], {"arn:s1": Imports({"e1": ("new\u202e",)})}, default_policy())
    text = "due, but new (owner operators) imports its export e1 and stays"
    assert str(decision.reason) == text


def test_the_plain_decisions_are_left_as_they_are() -> None:
    """Without exports in use there is nothing to order."""
    decisions: list[Decision] = [going(1, ()), Wait(Reason("later"))]
    assert in_order(decisions, {}, default_policy()) == decisions


def test_an_importer_of_its_own_family_holds_nothing_up() -> None:
    """The root itself and what is nested in it go together.

    Fails without `family` in `by_others`.
    """
    stack = Stack("arn:app", "app", "here", "CREATE_COMPLETE", NOW, nested=("app-net",))
    assert not by_others(stack, {"x": ("app-net", "app"), "y": ("app-net",)}).holds_up
    assert by_others(stack, {"x": ("app-net", "shop")}).names == {"x": ("shop",)}


def test_a_nested_importer_is_its_root_however_many_there_are() -> None:
    """Its owner can do something about it; and each export is named once.

    Fails without `root.nested` in `_Order`.
    """
    exporter, shop = going(1, ("e1",)), Stack("arn:shop", "shop", "here", "CREATE_COMPLETE", NOW)
    parts = [Stack(f"arn:{name}", name, "here", "CREATE_COMPLETE", NOW) for name in ("p1", "p2")]
    stays: list[Decision] = [
        Ignore(Reason("managed by nobody"), replace(shop, nested=("p1", "p2"))),
        *(Ignore(Reason("nested"), part) for part in parts),
    ]
    imports = {"arn:s1": Imports({"e1": ("p1", "p2")})}
    held, *_ = in_order([exporter, *stays], imports, default_policy())
    text = "due, but shop (owner operators) imports its export e1 and stays"
    assert str(held.reason) == text


def test_whatever_holds_up_has_a_name_and_is_told() -> None:
    """Should a stack be said to import what it exports itself, that is a circle of one.

    Fails if `_uses` leaves out the stack itself: then it waited for ever for "".
    """
    (held,) = in_order([going(1, ("e1",))], {"arn:s1": Imports({"e1": ("s1",)})}, default_policy())
    assert str(held.reason) == "due, but s1 imports its own exports; take the import out of it"
    assert isinstance(held, Blocked)
    assert held.also == (OPERATORS,)
