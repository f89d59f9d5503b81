"""What a filter policy of SNS lets through, operator by operator."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from janitor.domain.notification.sns_filters import NotUnderstood, lets_through

ANA = {"owner": ("ana@x.org",), "kind": ("48h", "final"), "region": ("eu-central-1",)}


def owner(*rules: object, of: str = "ana@x.org") -> bool:
    """Tell whether a filter of these values for `owner` lets a message for somebody through."""
    return lets_through(json.dumps({"owner": rules}), {**ANA, "owner": (of,)})


@pytest.mark.parametrize(
    "rule, heard, deaf",
    [
        ("ana@x.org", "ana@x.org", "Ana@x.org"),
        ({"prefix": "ana"}, "ana@x.org", "mariana@x.org"),
        ({"suffix": "@x.org"}, "ana@x.org", "ana@x.org.evil"),
        ({"suffix": "@x.org"}, "ana@x.org", "ana@X.org"),
        ({"wildcard": "a*@x.*"}, "ana@x.org", "bo@x.org"),
        ({"wildcard": "*@x.org"}, "ana@x.org", "ana@y.org"),
        ({"wildcard": "ana*"}, "ana", "an"),
        ({"wildcard": "a*a*a"}, "abacaba", "aa"),
        ({"wildcard": "ab*ba"}, "abba", "aba"),
        ({"wildcard": "ana"}, "ana", "anaa"),
        ({"wildcard": "a\\*b"}, "a*b", "axb"),
        ({"wildcard": "x*y*"}, "x.y", "y.x"),
        ({"equals-ignore-case": "ANA@x.org"}, "ana@x.org", "bo@x.org"),
        ({"equals-ignore-case": "jos\u00e9"}, "jos\u00e9", "JOS\u00c9"),
        ({"anything-but": "bo"}, "ana", "bo"),
        ({"anything-but": ["bo", "cy"]}, "ana", "cy"),
        ({"anything-but": {"prefix": "ops-"}}, "ana", "ops-1"),
        ({"anything-but": {"prefix": ["ops-", "a"]}}, "bo", "ana"),
        ({"anything-but": {"suffix": "@x.org"}}, "ana@y.org", "ana@x.org"),
        ({"anything-but": {"wildcard": "*@x.*"}}, "ana@y.org", "ana@x.org"),
        ({"anything-but": {"equals-ignore-case": "BO"}}, "ana", "bo"),
        ({"anything-but": {"equals-ignore-case": ["BO", "JOS\u00c9"]}}, "ana", "jos\u00e9"),
        ({"cidr": "10.0.0.0/24"}, "10.0.0.7", "10.0.1.7"),
        ({"cidr": "10.0.0.0/24"}, "10.0.0.255", "ana@x.org"),
        ({"cidr": "2001:db8::/32"}, "2001:db8::1", "2001:db9::1"),
    ],
)
def test_each_operator_lets_its_owner_through_and_no_other(
    rule: object, heard: str, deaf: str
) -> None:
    """Case counts, and a whole value has to fit.

    Fails with any of the operators taken out of `_compares`, or its answer turned round.
    """
    assert owner(rule, of=heard)
    assert not owner(rule, of=deaf)


@pytest.mark.parametrize(
    "policy, heard",
    [
        ("", True),
        ("{}", True),
        ({"owner": ["bo", "ana@x.org"]}, True),
        ({"owner": ["ana@x.org"], "kind": ["24h"]}, False),
        ({"owner": ["ana@x.org"], "kind": ["final"]}, True),
        ({"owner": ["ana@x.org"], "region": ["us-east-1"]}, False),
        ({"owner": ["bo"], "kind": ["final"]}, False),
        ({"team": ["ana@x.org"]}, False),
        ({"team": [{"anything-but": "bo"}]}, False),
        ({"team": [{"exists": False}]}, True),
        ({"team": [{"exists": True}]}, False),
        ({"owner": [{"exists": True}]}, True),
        ({"owner": [{"exists": False}]}, False),
        ({"team": ["x", {"exists": False}]}, True),
        ({"kind": [{"anything-but": "24h"}]}, True),
        ({"kind": [{"anything-but": "48h"}]}, False),
        ({"kind": [{"prefix": "fin"}]}, True),
        ({"$or": [{"owner": ["bo"]}, {"kind": ["final"]}]}, True),
        ({"$or": [{"owner": ["bo"]}, {"kind": ["24h"]}]}, False),
        ({"$or": [{"owner": ["bo"]}, {"kind": ["final"]}], "region": ["us-east-1"]}, False),
        ({"$or": [{"owner": ["bo"]}, {"$or": [{"kind": ["final"]}, {"a": ["b"]}]}]}, True),
        ({"$or": ["ana@x.org"]}, False),
        ({"$or": [{"prefix": "ana"}, {"suffix": "org"}]}, False),
        ({"owner": [{"numeric": ["=", 1]}]}, False),
        ({"owner": [1, None, True]}, False),
    ],
)
def test_keys_are_and_ed_and_values_or_ed(policy: Any, heard: bool) -> None:
    """Of an array one element is enough, but for what it must not hold.

    Fails with `True in` for `False not in` in `_all_hold`, and the other way round in
    `_one_holds`; and with `any` for `anything-but` of an array.
    """
    text = policy if isinstance(policy, str) else json.dumps(policy)
    assert lets_through(text, ANA) is heard


@pytest.mark.parametrize(
    "rule, inside, outside",
    [
        (["=", 3], 3, 4),
        ([">", 3], 3.5, 3),
        ([">=", 3, "<", 5], 3, 5),
        ([">", 0, "<=", 5], 5, 0),
    ],
)
def test_numbers_are_compared_with_numbers_alone(
    rule: list[object], inside: float, outside: float
) -> None:
    """No attribute of the janitor's is one; the rule is SNS's."""
    policy = json.dumps({"count": [{"numeric": rule}]})
    assert lets_through(policy, {"count": (inside,)})
    assert not lets_through(policy, {"count": (outside,)})
    assert not lets_through(policy, {"count": (str(inside),)})
    exact = json.dumps({"count": [inside]})
    assert lets_through(exact, {"count": (float(inside),)})
    assert not lets_through(exact, {"count": (str(inside),)})


@pytest.mark.parametrize(
    "policy",
    [
        "no json",
        "[]",
        "[" * 100_000,
        '{"owner": "ana@x.org"}',
        '{"owner": []}',
        '{"owner": [["ana@x.org"]]}',
        '{"owner": {"sub": ["ana@x.org"]}}',
        '{"owner": [{"regex": ".*"}]}',
        '{"owner": ["ana@x.org", {"regex": ".*"}]}',
        '{"kind": ["final"], "owner": [{"regex": ".*"}]}',
        '{"owner": [{"prefix": "a", "suffix": "g"}]}',
        '{"owner": [{"prefix": 1}]}',
        '{"owner": [{"prefix": {"equals-ignore-case": "A"}}]}',
        '{"owner": [{"exists": "yes"}]}',
        '{"owner": [{"anything-but": []}]}',
        '{"owner": [{"anything-but": {"regex": "x"}}]}',
        '{"owner": [{"anything-but": {"prefix": "x", "suffix": "y"}}]}',
        '{"owner": [{"anything-but": {"prefix": []}}]}',
        '{"owner": [{"anything-but": [{"prefix": "x"}]}]}',
        '{"owner": [{"wildcard": "a**b"}]}',
        '{"owner": [{"wildcard": "a\\\\nb"}]}',
        '{"owner": [{"cidr": "here"}]}',
        '{"owner": [{"numeric": [">"]}]}',
        '{"owner": [{"numeric": ["about", 3]}]}',
        '{"owner": [{"numeric": [">", "3"]}]}',
        '{"$or": [{"owner": ["ana@x.org"]}, {"kind": "final"}]}',
    ],
)
@pytest.mark.parametrize("attributes", [ANA, {}])
def test_what_is_not_understood_is_said_whatever_the_message(policy: str, attributes: Any) -> None:
    """Though another value would let it through: nobody knows what SNS makes of it.

    Fails with `any(...)` and `all(...)`, which stop at the first, in place of the lists.
    """
    with pytest.raises(NotUnderstood):
        lets_through(policy, attributes)


@pytest.mark.parametrize("name", ['an"a', "an\\a"])
def test_a_value_that_sns_compares_escaped_equals_nothing(name: str) -> None:
    """Whether it does is written in two ways: unsure is not reached."""
    for rule in (name, {"equals-ignore-case": name}, {"anything-but": "bo"}, {"suffix": name}):
        assert not owner(rule, of=name)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=3), st.lists))
def test_no_document_is_worse_than_not_understood(document: Any) -> None:
    """A filter is written by anybody who may subscribe."""
    for policy in (document, {"owner": document}, {"owner": [document]}, {"$or": document}):
        with suppress(NotUnderstood):
            lets_through(json.dumps(policy), ANA)
