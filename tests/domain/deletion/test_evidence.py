"""What a stack was and what of it stayed, whatever its size."""

import json
import re
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from janitor.adapters.aws.dynamodb.schema import event_row
from janitor.domain.deletion.evidence import (
    LONGEST_VALUE,
    MOST_KEPT,
    MOST_PARTS,
    confirmed_reason,
    recorded_outputs,
    snapshot_drafts,
    snapshots_of,
    what_stayed,
)
from janitor.domain.journal.events import Actor, entry
from janitor.domain.model import Lease, Stack
from janitor.domain.stack.resources import Resource, Snapshot

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
LEASE = Lease("arn", "feat", "here", "default", NOW, NOW, attempts=1)
STACK = Stack("arn", "feat", "here", "CREATE_COMPLETE", NOW)
ACTOR = Actor("janitor", "janitor", "delete")
DATA = Resource("Data", "AWS::S3::Bucket", "feat-data")
QUEUE = Resource("Queue", "AWS::SQS::Queue", "feat-queue", "DELETE_COMPLETE")


def drafts_of(
    snapshot: Snapshot, outputs: dict[str, str] | None = None, **stack: object
) -> list[dict[str, str]]:
    """Return the facts of each part, which must fit into what DynamoDB takes."""
    drafts = snapshot_drafts(
        LEASE,
        replace(STACK, **stack),
        snapshot,
        actor=ACTOR,
        now=NOW,
        policy_version="p",
        outputs=outputs or {},
    )
    written = entry(LEASE, LEASE, *drafts)
    rows = [len(json.dumps(event_row(event))) for event in written.events]
    assert max(rows) < 400_000
    assert sum(rows) < 4_000_000
    assert len(rows) <= MOST_PARTS
    return [dict(draft.reason.facts) for draft in drafts]


def test_five_hundred_resources_with_the_longest_names_are_split_over_events() -> None:
    """None is lost, and each event fits.

    Fails if `PART_BYTES` is ten times as much.
    """
    resources = tuple(
        Resource(f"R{n:03}{'x' * 250}", f"AWS::Some::{'T' * 100}", "p" * 1024) for n in range(500)
    )
    tags = {f"{n}{'k' * 126}": "\u00fc" * 256 for n in range(50)}
    parts = drafts_of(Snapshot(resources, "sha256:x"), tags=tags)
    assert len(parts) > 5
    named = [key for part in parts for key in part if key.startswith("resource ")]
    assert len(named) == 500


def test_what_even_that_cannot_hold_is_counted_and_said() -> None:
    """A deletion never fails for it, and never passes it over in silence."""
    resources = tuple(Resource(f"R{n}", "T", "\u00fc" * LONGEST_VALUE) for n in range(500))
    parts = drafts_of(Snapshot(resources))
    kept = sum(key.startswith("resource ") for part in parts for key in part)
    assert kept < 500
    assert parts[-1]["left out"] == f"{500 - kept} more facts, for want of room"


def test_a_nested_stack_is_recorded_with_its_templates_hash_and_what_is_in_it() -> None:
    """Or with why that is not known; what leaves a snapshot there is named, too.

    Fails if `_resource_facts` does not look at `nested`.
    """
    kind = "AWS::CloudFormation::Stack"
    child, other = Resource("Child", kind, "arn:1", "X"), Resource("Other", kind, "arn:2", "X")
    database = Resource("Child/Db", "T", "db", "X", policy="Snapshot", stack_id="arn:1")
    nested = {"arn:1": "sha256:y", "arn:2": "unknown: not authorized"}
    snapshot = Snapshot((child, other, database), "sha256:x", nested)
    (facts,) = drafts_of(snapshot)
    assert facts["template"] == "sha256:x"
    assert facts["resources"] == "3"
    assert facts["resource Child"] == f"{kind} arn:1 (X, template sha256:y)"
    assert facts["resource Other"] == f"{kind} arn:2 (X, template unknown: not authorized)"
    assert facts["resource Child/Db"] == "T db (X, policy Snapshot)"
    assert snapshots_of(snapshot) == ("a snapshot of Child/Db (T db)",)


def test_the_longest_names_of_what_is_deeply_nested_fit_into_a_row() -> None:
    """A hundred levels of names of the longest kind.

    Fails without the look at a key's length in `_parts`, or at that of a name in `_named`.
    """
    deep = "/".join(["x" * 255] * 100)
    resources = tuple(
        Resource(f"{n}{deep}", "T", "p", "DELETE_SKIPPED", policy="Snapshot") for n in range(500)
    )
    drafts_of(Snapshot(resources))
    leaves = (snapshots_of(Snapshot(resources)), what_stayed(LEASE, resources)[:MOST_KEPT])
    assert len(json.dumps(leaves)) < 250_000


@given(st.dictionaries(st.text(max_size=50), st.text(max_size=6000), max_size=200))
def test_outputs_of_any_kind_fit(outputs: dict[str, str]) -> None:
    """They are other people's text, and may be long."""
    parts = drafts_of(Snapshot(), outputs=outputs)
    assert sum(key.startswith("output ") for part in parts for key in part) == len(outputs)


def test_the_journal_keeps_no_value_of_an_output_that_the_policy_does_not_name() -> None:
    """Same value, same hash; another key of another account, another hash."""
    stack = replace(
        STACK,
        outputs={"ApiUrl": "https://a", "Token": "s3cret", "Again": "s3cret", "Odd": "\ud800"},
    )
    found = recorded_outputs(stack, ("Api*",), "key")
    assert found["ApiUrl"] == "https://a"
    assert found["Token"] == found["Again"] != found["Odd"]
    assert re.fullmatch("hmac-sha256:[0-9a-f]{32}", found["Token"])
    assert recorded_outputs(stack, (), "other key")["Token"] != found["Token"]
    assert recorded_outputs(stack, (), "")["Token"] == "not kept"


def test_what_was_asked_to_stay_stayed_unless_it_is_known_to_be_gone() -> None:
    """Events may be lost; then the intent counts."""
    lease = replace(LEASE, retained=(str(DATA), "a snapshot of Db"))
    assert what_stayed(lease, ()) == (str(DATA), "a snapshot of Db")
    gone = replace(DATA, status="DELETE_COMPLETE")
    assert what_stayed(lease, (gone,)) == ("a snapshot of Db",)


def test_no_snapshot_is_made_of_what_was_gone_before() -> None:
    """As of a database whose creation was rolled back: the stack still lists it.

    Fails if `snapshots_of` does not look at the status.
    """
    database = Resource("Db", "AWS::RDS::DBInstance", "db-1", policy="Snapshot")
    assert snapshots_of(Snapshot((database,))) == (f"a snapshot of {database}",)
    assert snapshots_of(Snapshot((replace(database, status="DELETE_COMPLETE"),))) == ()


def test_a_resource_whose_deletion_never_ended_stayed() -> None:
    """Only its own DELETE_COMPLETE says otherwise."""
    fates = tuple(replace(DATA, status=f"DELETE_{end}") for end in ("SKIPPED", "FAILED"))
    for fate in (*fates, replace(DATA, status="DELETE_IN_PROGRESS")):
        assert what_stayed(LEASE, (fate, QUEUE)) == (str(DATA),)


def test_text_from_aws_cannot_forge_lines() -> None:
    """Ids are other people's text."""
    evil = Resource("A\nB", "T", "x\u202ey", "DELETE_SKIPPED")
    assert what_stayed(LEASE, (evil,)) == ("A B (T x y)",)


def test_a_plain_end_says_only_that() -> None:
    """With what is gone as facts."""
    reason = confirmed_reason(LEASE, (QUEUE,))
    assert reason.sentence == "confirmed by id after attempt 1"
    assert reason.facts == {"gone": "1", "stayed": "0", "gone 1": str(QUEUE)}
