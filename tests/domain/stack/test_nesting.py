"""A root stack as the root of all that is nested in it."""

from datetime import UTC, datetime
from typing import Any

from janitor.domain.model import Stack
from janitor.domain.stack.nesting import with_families

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def a_stack(name: str, parent: str | None = None, **values: Any) -> Stack:
    """Make a stack that exports what its name says."""
    known = {"parent_id": parent and f"arn:{parent}", "exports": (f"{name}-out",)}
    return Stack(f"arn:{name}", name, "here", "CREATE_COMPLETE", NOW, **known | values)


def families(*stacks: Stack) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Return exports and nested ones by name."""
    return {stack.name: (stack.exports, stack.nested) for stack in with_families(stacks)}


def test_a_root_has_what_is_nested_in_it_however_deep_and_in_whatever_order_it_is_listed() -> None:
    """What is nested stays as it is, and so does whoever has nothing nested in it.

    Fails if `_root` climbs one step only.
    """
    deep = a_stack("deep", "net", exports=("deep-out", "net-out"))
    found = families(deep, a_stack("net", "app"), a_stack("app"), a_stack("other"))
    assert found["app"] == (("app-out", "deep-out", "net-out"), ("deep", "net"))
    assert found["net"] == (("net-out",), ())
    assert found["other"] == (("other-out",), ())


def test_a_nested_stack_whose_parent_is_not_listed_counts_as_a_root() -> None:
    """Its parent left it behind."""
    found = families(a_stack("left", "gone"), a_stack("in-it", "left"))
    assert found["left"] == (("left-out", "in-it-out"), ("in-it",))


def test_stacks_that_are_each_others_parents_come_to_an_end() -> None:
    """AWS never says so; a sweep must not hang on it. Fails without `seen` in `_root`."""
    assert len(families(a_stack("a", "b"), a_stack("b", "a"), a_stack("c", "a"))) == 3


def test_a_stack_on_two_pages_is_there_once() -> None:
    """A list that changes while it is read shows some twice."""
    net = a_stack("net", "app")
    assert families(net, a_stack("app"), net)["app"] == (("app-out", "net-out"), ("net",))


def test_whoever_has_a_nested_stack_that_reads_ssm_does_so_too() -> None:
    """An update of its tags is one of the nested stack.

    Fails without `reads_ssm` in `_joined`.
    """
    listed = (a_stack("app"), a_stack("net", "app", reads_ssm=True), a_stack("other"))
    assert [stack.reads_ssm for stack in with_families(listed)] == [True, True, False]
