"""What tags say of where a stack comes from and what it costs."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from janitor.domain.stack.labels import cost_of, cost_text, labels_of


def test_the_first_tag_that_says_anything_counts() -> None:
    """The janitor's own before those of other tools; a blank one says nothing."""
    tags = {"branch": "feat/y", "janitor:branch": "feat/x", "janitor:commit": " ", "Commit": "abc"}
    assert labels_of(tags) == (("branch", "feat/x"), ("commit", "abc"))


def test_a_stack_without_such_tags_has_no_labels() -> None:
    """Nothing is made up."""
    assert labels_of({"janitor:ttl": "3d", "Name": "x"}) == ()


@given(st.text(max_size=256))
def test_a_label_is_one_line_of_harmless_text(value: str) -> None:
    """Whoever may tag may not forge a line of a notice. Fails without `clean` in `labels_of`."""
    assert all(text.isprintable() and text == text.strip() for _, text in labels_of({"pr": value}))


@pytest.mark.parametrize(
    "value, cost, text",
    [
        ("12.50", (Decimal("12.50"), "USD"), "12.50 USD"),
        ("12.5 EUR", (Decimal("12.5"), "EUR"), "12.50 EUR"),
        ("7CHF", (Decimal(7), "CHF"), "7.00 CHF"),
        ("0", (Decimal(0), "USD"), "0.00 USD"),
        *(
            (odd, None, "unknown")
            for odd in ("", "-1", "1e9", "=1+1", "$5", "5 eur", "1.234", "nan", "9" * 10, "٣")
        ),
    ],
)
def test_a_monthly_cost_is_an_amount_and_a_currency(
    value: str, cost: tuple[Decimal, str] | None, text: str
) -> None:
    """What is not one is unknown, and never zero."""
    labels = labels_of({"janitor:monthly-cost": value})
    assert (cost_of(labels), cost_text(labels)) == (cost, text)
