"""Which stack SAM made as the companion of which."""

from datetime import UTC, datetime
from typing import Any

import pytest

from janitor.domain.model import Stack
from janitor.domain.stack.companions import companion_name, parent_in
from janitor.domain.stack.nesting import with_families

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
LONG = "b" * 120


def a_stack(name: str, **values: Any) -> Stack:
    """Make a stack."""
    return Stack(f"arn:{name}", name, "here", "CREATE_COMPLETE", NOW, **values)


@pytest.mark.parametrize(
    "parent, name",
    [
        ("feat", "feat-1ba8aba1-CompanionStack"),
        ("feat-new-basket", "feat-new-basket-434ab9c3-CompanionStack"),
        (LONG, f"{'b' * 104}-c8eb2986-CompanionStack"),
    ],
)
def test_a_companion_is_called_as_sam_calls_it(parent: str, name: str) -> None:
    """As SAM CLI 1.x does: these names are its own."""
    assert companion_name(parent) == name
    assert len(name) <= 128


@pytest.mark.parametrize(
    "name, parent",
    [
        (companion_name("feat"), "feat"),
        (companion_name(LONG), "b" * 104),
        ("feat-00000000-CompanionStack", ""),
        ("feat-CompanionStack", ""),
        (companion_name("feat").lower(), ""),
        (f"{companion_name('feat')}-2", ""),
        (f"x{companion_name('feat')}", ""),
        ("-CompanionStack", ""),
        ("", ""),
    ],
)
def test_a_name_alone_makes_a_companion_only_by_its_checksum(name: str, parent: str) -> None:
    """Fails if `parent_in` does not compare it."""
    assert parent_in(name) == parent


def seen(*stacks: Stack) -> dict[str, tuple[str, str, tuple[str, ...]]]:
    """Return companion, parent and who goes with it, by name."""
    return {s.name: (s.companion, s.companion_of, s.nested) for s in with_families(stacks)}


def test_parent_and_companion_know_each_other_in_whatever_order_they_are_listed() -> None:
    """Of a long name too, beside another that begins alike.

    Fails if `with_companions` goes by how the name begins.
    """
    companion, long_one = companion_name("feat"), companion_name(LONG)
    twin = f"{LONG[:-1]}c"
    found = seen(
        a_stack(companion), a_stack("feat"), a_stack(twin), a_stack(LONG), a_stack(long_one)
    )
    assert found["feat"] == (f"arn:{companion}", "", (companion,))
    assert found[companion] == ("", "feat", ())
    assert found[LONG] == (f"arn:{long_one}", "", (long_one,))
    assert found[long_one] == ("", LONG, ())
    assert found[twin] == ("", "", ())


def test_a_companion_goes_with_all_that_is_nested_in_its_parent() -> None:
    """What is nested keeps its place."""
    companion = companion_name("feat")
    nested = a_stack("feat-db", parent_id="arn:feat")
    found = seen(a_stack("feat"), nested, a_stack(companion))
    assert found["feat"] == (f"arn:{companion}", "", ("feat-db", companion))


def test_neither_a_nested_stack_nor_one_that_is_not_there_has_a_companion() -> None:
    """Fails without the look at `parent_id` in `with_companions`."""
    inner = a_stack("inner", parent_id="arn:feat")
    fake = a_stack(companion_name("feat"), parent_id="arn:feat")
    found = seen(a_stack("feat"), inner, fake, a_stack(companion_name("inner")))
    assert found["feat"][0] == ""
    assert found[companion_name("inner")] == ("", "", ())
    assert seen(a_stack(companion_name("gone"))) == {companion_name("gone"): ("", "", ())}
