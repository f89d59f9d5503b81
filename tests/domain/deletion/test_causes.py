"""Why a deletion failed is told from what AWS says, never from a name, in steps that stay few."""

import importlib
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from msgspec.structs import replace

from janitor.domain.deletion import causes
from janitor.domain.deletion.causes import (
    THROTTLED_CODES,
    Cause,
    cause_of,
    cause_of_failure,
    cause_of_refusal,
    stuck,
)
from janitor.domain.model import Stack
from janitor.domain.stack import importers
from janitor.domain.stack.importers import LONGEST_LIST, MOST_IMPORTERS, importers_in
from janitor.domain.stack.resources import NESTED, Resource

STACK = Stack("arn", "feat", "here", "DELETE_FAILED", datetime(2026, 6, 1, 12, tzinfo=UTC))
CDK = (
    "Received response status [FAILED] from custom resource. Message returned: Error: "
    "Exports cannot be updated: "
)
TWO_EXPORTS = f"""{CDK}
/cdk/exports/a is in use by stack(s) bar baz
/cdk/exports/b is in use by stack(s) app
    at i (/var/task/index.js:4:10)"""


def reasons() -> Iterator[tuple[str, Cause]]:
    """Yield each reason that was collected from accounts and issues, with its cause."""
    for line in Path(__file__).with_name("deletion_reasons.tsv").read_text().splitlines()[1:]:
        cause, reason = line.split("\t")
        yield reason.replace("\\n", "\n"), Cause(cause)


NAMES = [
    "The queue rate-exceeded could not be deleted",
    "The role throttled-access-denied could not be deleted",
    "The bucket Throttling could not be deleted",
    "Throttling has dependants",
    "The alarm Rate exceeded could not be deleted",
    "The alarm 'Rate exceeded' could not be deleted",
    "The topic AccessDenied is busy",
    "AccessDenied is busy",
    "arn:aws:iam::1:role/Throttling/x is busy",
    "arn:aws:sqs:eu-central-1:1:429 is busy, as is 403",
    "The following resource(s) failed to delete: [Throttling, AccessDenied, BucketNotEmpty]. ",
    "The following resource(s) failed to delete: [A, AccessDenied, B, DeleteConflict]. ",
    "feat-throttling does not end, and throttler-1 does not either",
    "The function not-empty, in-use and deletion-protection failed",
    "The parameter /cdk/exports/in-use could not be deleted",
]


@pytest.mark.parametrize("said,cause", [*reasons(), ("", Cause.OTHER)])
def test_what_aws_says_is_classed(said: str, cause: Cause) -> None:
    """By codes where AWS puts codes, by a status of its own meaning, and by known sentences.

    Fails, each where it alone decides, without `_LABELLED`, `_LED`, `_FIRST`, `_STATUS` or `_SENTENCES`.
    """
    assert cause_of(said) is cause


@pytest.mark.parametrize("said", NAMES)
def test_what_a_thing_is_called_proves_nothing(said: str) -> None:
    """Whoever writes a template names things at will.

    Fails if a sentence needs no beginning, or if `_LED` needs no colon after a code.
    """
    assert cause_of(said) is Cause.OTHER


@pytest.mark.parametrize("code", sorted(THROTTLED_CODES))
def test_every_code_of_throttling_counts_wherever_a_code_may_stand(code: str) -> None:
    """And only there."""
    for said in (
        f"no (Service: X; Status Code: 400; Error Code: {code}; Request ID: 1)",
        f"An error occurred ({code}) when calling the DeleteX operation: no",
        f"Received response status [FAILED] from custom resource. Message returned: {code}: no",
    ):
        assert cause_of(said) is Cause.THROTTLED
    assert cause_of(f"The thing {code} stays") is Cause.OTHER


@pytest.mark.parametrize(
    "said,names",
    [
        (f"{CDK}/cdk/exports/foo is in use by import of stack bar", ("bar",)),
        (TWO_EXPORTS, ("bar", "baz", "app")),
        (f"{CDK}/cdk/exports/foo is in use by stack(s) bar at i (/var/task)", ("bar",)),
        ("Export net cannot be deleted as it is in use by feat-b", ("feat-b",)),
        ("Cannot delete export net as it is in use by feat-b, feat-c and feat-d.",
         ("feat-b", "feat-c", "feat-d")),
        ("Export net is imported by stack feat-b", ("feat-b",)),
        (f"{CDK}\n\nat i (/var/task/index.js:4:10)", ()),
        ("Export net cannot be deleted as it is in use by " + ", ".join("abcdefg"),
         ("a", "b", "c", "d", "e")),
    ],
)  # fmt: skip
def test_who_uses_an_export_is_named(said: str, names: tuple[str, ...]) -> None:
    """Also by CDK's custom resource, whose exports CloudFormation does not know."""
    assert importers_in([said, said]) == names
    assert len(names) <= MOST_IMPORTERS


def failed(*reasons: str, **values: Any) -> tuple[Resource, ...]:
    """Make a resource that failed for each reason."""
    return tuple(
        Resource(f"R{n}", "AWS::X::Y", f"r-{n}", "DELETE_FAILED", reason, **values)
        for n, reason in enumerate(reasons)
    )


RATE, FULL = "Rate exceeded", "The bucket you tried to delete is not empty"
USED = "Export net is imported by stack feat-b"
DENIED = "AccessDenied: no"
IN_THE_WAY = "resource sg-1 has a dependent object"


@pytest.mark.parametrize(
    "reasons,cause",
    [
        ((RATE,), Cause.THROTTLED),
        ((RATE, RATE), Cause.THROTTLED),
        ((RATE, USED), Cause.IN_USE),
        ((RATE, "odd"), Cause.OTHER),
        ((USED, "odd"), Cause.OTHER),
        ((RATE, FULL), Cause.FULL),
        ((FULL, IN_THE_WAY, RATE), Cause.FULL),
        ((FULL, DENIED), Cause.DENIED),
        ((USED, RATE, DENIED), Cause.DENIED),
        # These say nothing of their own.
        ((RATE, ""), Cause.THROTTLED),
        ((RATE, "Resource deletion cancelled"), Cause.THROTTLED),
        (("", ""), Cause.OTHER),
        ((), Cause.OTHER),
    ],
)
def test_several_reasons_make_one_cause(reasons: tuple[str, ...], cause: Cause) -> None:
    """Only where waiting alone helps with all of them is the stack one that waits.

    Fails if `_WEIGHT` is turned around, or if what says nothing of its own counts.
    """
    listed = replace(STACK, status_reason="The following resource(s) failed to delete: [R0, R1]. ")
    for some in (reasons, reasons[::-1]):
        assert cause_of_failure(listed, failed(*some)) is cause


def test_of_a_nested_stack_what_is_in_it_counts() -> None:
    """That it failed is no reason beside its own.

    Fails without `_with_contents` in `cause_of_failure`.
    """
    child = Resource("Child", NESTED, "arn:child", reason="Embedded stack arn:child failed")
    assert cause_of_failure(STACK, (child,)) is Cause.OTHER
    inside = failed(RATE, stack_id="arn:child")
    assert cause_of_failure(STACK, (child, *inside)) is Cause.THROTTLED
    assert stuck((child, *inside)) == ()
    more = failed(RATE, FULL, stack_id="arn:child")
    assert stuck((child, *more)) == (child, more[1])


def test_the_reason_of_the_stack_counts_where_it_says_something() -> None:
    """Of a stack that fell back to its former status it is the only one."""
    assert cause_of_failure(replace(STACK, status_reason=USED), ()) is Cause.IN_USE
    assert cause_of_failure(replace(STACK, status_reason=USED), failed(RATE)) is Cause.IN_USE
    assert cause_of_failure(replace(STACK, status_reason="odd"), failed(RATE)) is Cause.THROTTLED


@pytest.mark.parametrize(
    "said,cause",
    [
        ("Stack [x] cannot be deleted while TerminationProtection is enabled", Cause.NOT_BEGUN),
        ("Stack [x] cannot be deleted while in status UPDATE_IN_PROGRESS", Cause.NOT_BEGUN),
        ("Stack [x] cannot be deleted while in status DELETE_IN_PROGRESS", Cause.OTHER),
        ("Throttling: Rate exceeded", Cause.THROTTLED),
        ("Role x is invalid or cannot be assumed", Cause.ROLE_GONE),
    ],
)
def test_a_refusal_may_mean_that_nothing_was_begun(said: str, cause: Cause) -> None:
    """What failed was begun, whatever a resource says of a protection of its own.

    Fails if `cause_of` knows `NOT_BEGUN`.
    """
    assert cause_of_refusal(said) is cause
    assert cause_of_failure(STACK, failed(said)) is not Cause.NOT_BEGUN


# However long and whatever the text, the steps grow as it does.


def parts(pattern: Any, inside: int = 1) -> Iterator[int]:
    """Yield for each repeat in a parsed pattern how often it runs at most, with those around it."""
    for name, value in pattern:
        here = inside
        if str(name) in {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}:
            here = inside * int(value[1])
            yield here
        for child in inner(value):
            yield from parts(child, here)


def inner(value: Any) -> Iterator[Any]:
    """Yield the parsed patterns in the operand of a parsed one."""
    if type(value).__name__ == "SubPattern":
        yield value
    elif isinstance(value, tuple | list):
        for one in value:
            yield from inner(one)


def patterns() -> dict[str, str]:
    """Return every pattern of both modules, by its name."""
    every = {**vars(causes), **vars(importers)}
    found = {name: p for name, p in every.items() if isinstance(p, re.Pattern)}
    found |= {f"sentence of {cause}": pattern for cause, pattern in causes._SENTENCES}
    return {name: pattern.pattern for name, pattern in found.items()}


@pytest.mark.parametrize("name", sorted(patterns()))
def test_no_pattern_reads_far_from_where_it_begins(name: str) -> None:
    """So that a search reads each character a bounded number of times, whatever the text.

    Fails if any repeat has no end, as in `[^)]*`, or if one stands within another.
    """
    parser = importlib.import_module("re._parser")
    assert max(parts(parser.parse(patterns()[name])), default=1) <= 150


def steps(stack: Stack, resources: tuple[Resource, ...]) -> int:
    """Count the calls, our own and those into C, that it takes to class a failure."""
    count = 0

    def counted(_frame: FrameType, _event: str, _arg: object) -> None:
        nonlocal count
        count += 1

    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        cause_of_failure(stack, resources)
        stuck(resources)
        importers_in(one.reason for one in resources)
    finally:
        sys.setprofile(before)
    return count


TEXTS = {
    "names": "arn:aws:s3:::r-1 R2 r-3 ",
    "words": "abcdefghij",
    "nested": "[({[(",
    "begins": "API: api: API:aaaa ",
    "codes": "Error Code: AccessDenier; An error occurred (No) when ",
    "leads": "Throttlings: ,Throttlings: ",
    "statuses": "Status Code: 400; ",
    "users": "as it is in use by ( ",
}


@pytest.mark.parametrize("kind", sorted(TEXTS))
def test_twice_the_text_takes_at_most_twice_the_steps(kind: str) -> None:
    """Be it more resources, or longer reasons. What is counted are calls: no clock is asked.

    Fails if the names of the resources are taken out of each text, one by one.
    """
    reason = TEXTS[kind] * (3_500 // len(TEXTS[kind]))
    once = steps(STACK, failed(*[reason] * 50))
    assert steps(STACK, failed(*[reason] * 100)) <= 2 * once + 100
    assert steps(STACK, failed(*[reason * 2] * 50)) <= 2 * once + 100


@pytest.mark.parametrize("kind", sorted(TEXTS))
def test_five_hundred_long_reasons_are_classed_whatever_the_text(kind: str) -> None:
    """What AWS says at the end of one of them is found."""
    reason = TEXTS[kind] * (3_500 // len(TEXTS[kind]))
    many = failed(*[reason] * 499, f"{reason} (Status Code: 409; Error Code: BucketNotEmpty)")
    assert cause_of_failure(STACK, many) is (Cause.IN_USE if kind == "users" else Cause.FULL)


def test_a_list_of_users_is_read_only_so_far() -> None:
    """The text after each is cut before it is looked into."""
    said = "as it is in use by " + "x" * 10_000
    assert importers_in([said]) == ()
    assert LONGEST_LIST < 1_000
