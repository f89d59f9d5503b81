"""The table of mutations stays in step with the code."""

import pytest
from tests.application.mutations import MUTATIONS, ROOT, Mutation


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: f"{m.invariant}-{m.file}")
def test_a_mutation_names_text_that_stands_once_in_its_file(mutation: Mutation) -> None:
    """A mutation whose text has moved on would prove nothing."""
    assert (ROOT / mutation.path).read_text().count(mutation.old) == 1
    assert mutation.new != mutation.old


def test_every_invariant_has_a_mutation() -> None:
    """None of them is taken on trust."""
    assert {mutation.invariant for mutation in MUTATIONS} == {*range(1, 12)}
