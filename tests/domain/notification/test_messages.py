"""What queues carry comes out as it went in, and nothing else does."""

import json
from datetime import UTC, datetime

import pytest

from janitor.domain.errors import UnreadableMessage
from janitor.domain.model import OPERATORS, Contact, ContactKind
from janitor.domain.notification.digest import Entry, Wording
from janitor.domain.notification.messages import (
    AnswerRequest,
    DeletionRequest,
    NoticeItem,
    NoticeRequest,
    RevisionRequest,
    Telling,
    WeeklyRequest,
    body_of,
    deletion_from,
    telling_from,
)

ANN = Contact(ContactKind.EMAIL, "ann@example.com")
NOON = datetime(2026, 6, 1, 12, 0, 0, 1, tzinfo=UTC)
TELLINGS: list[Telling] = [
    NoticeRequest(ANN, (NoticeItem("arn", "48h", NOON), NoticeItem("b", "final", None, "x", 3))),
    RevisionRequest(ANN, "1.2", ("arn", "b"), "kept"),
    AnswerRequest(ANN, "C123", "it is gone"),
    WeeklyRequest(
        OPERATORS, "2026-W23", Wording("a week", "all is well", (Entry("b", "c"),), "bye")
    ),
]


@pytest.mark.parametrize("request_", TELLINGS, ids=lambda one: type(one).__name__)
def test_what_is_to_be_told_comes_out_as_it_went_in(request_: Telling) -> None:
    """Each kind is known by its fields, so that no version has to know another's names."""
    assert telling_from(body_of(request_)) == request_


@pytest.mark.parametrize("is_restore", [False, True])
def test_a_deletion_comes_out_as_it_went_in(is_restore: bool) -> None:
    """The instant is one in UTC again."""
    request = DeletionRequest("arn", NOON, is_restore)
    assert deletion_from(body_of(request)) == request


def _notice(**changes: object) -> str:
    return json.dumps({**json.loads(body_of(TELLINGS[0])), **changes})


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "null",
        "{}",
        "not JSON",
        "<html>\ud800",
        "[" * 100_000,
        '{"stack_id": "arn"}',
        _notice(items=None),
        _notice(items=[{"stack_id": 1, "stage": "48h", "deadline": None}]),
        _notice(items=[{"stack_id": "arn", "stage": "48h", "deadline": "tomorrow"}]),
        _notice(items=[{"stack_id": "arn", "stage": "48h", "deadline": "2026-06-01T12:00:00"}]),
        _notice(contact={"kind": "pigeon", "address": "ann"}),
        _notice(contact=None),
    ],
)
def test_what_does_not_fit_is_refused(body: str) -> None:
    """It goes to the queue of dead letters: nobody is told by halves."""
    with pytest.raises(UnreadableMessage, match=r"^the message cannot be read: [^\n]+$"):
        telling_from(body)
    with pytest.raises(UnreadableMessage, match=r"^the message cannot be read: [^\n]+$"):
        deletion_from(body)
