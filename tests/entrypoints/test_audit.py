"""The journal from the command line: asked, told, exported, counted, compared with its archive."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.entrypoints.command_line import CommandLine
from tests.entrypoints.test_cli import at, next_weekday, sweep
from tests.entrypoints.test_lambdas import Context, event

from janitor.domain.errors import ConfigurationError
from janitor.entrypoints.aws_lambda import archive as archive_door
from janitor.entrypoints.aws_lambda import container as deployed
from janitor.entrypoints.cli.export import Span
from janitor.entrypoints.demo.emulator import emulated_aws

HOSTILE = "=HYPERLINK(1)<script>\u202eevil"
NEXT_YEAR = ("--now", at(days=300))


@pytest.fixture(scope="module")
def lived() -> Iterator[CommandLine]:
    """Return an account in which one stack was deleted and one was extended; left as it is."""
    with emulated_aws() as url:
        janitor = CommandLine(url)
        assert janitor("init").code == 0
        janitor.deploy("feat-goes", ttl="1d", owner="ada@example.com", note=HOSTILE)
        janitor.deploy("feat-stays", ttl="1d", owner=HOSTILE)
        sweep(janitor, at(minutes=1))
        sweep(janitor, at(hours=25))
        for _ in range(2):
            ran = janitor(
                "extend", "feat-stays", "--by", "3d", "--reason", HOSTILE, "--now", at(hours=26)
            )
            assert ran.code == 0
        sweep(janitor, next_weekday(52))
        while "feat-goes" in str(janitor.client("cloudformation").describe_stacks()["Stacks"]):
            pass
        sweep(janitor, next_weekday(53))
        yield janitor


def listed(janitor: CommandLine, *arguments: str) -> list[dict[str, Any]]:
    """Return the events that `audit list` prints as JSON."""
    ran = janitor("audit", "list", "--json", "--since", "365d", *NEXT_YEAR, *arguments)
    assert (ran.code, ran.err) == (0, "")
    return [json.loads(line) for line in ran.out.splitlines()]


def test_events_are_asked_for_by_all_that_they_have(lived: CommandLine) -> None:
    """Stack, owner, action, result and actor, and several of them together."""
    everything = listed(lived)
    names = {event["target"]["name"] for event in everything}
    assert names >= {"feat-goes", "feat-stays"}
    asked: tuple[tuple[str, str, Callable[[dict[str, Any]], bool]], ...] = (
        ("--stack", "feat-goes", lambda e: e["target"]["name"] == "feat-goes"),
        ("--owner", "ADA@example.com", lambda e: e["target"]["owner"] == "ada@example.com"),
        ("--action", "notice", lambda e: e["action"].startswith("notice.")),
        ("--result", "ok", lambda e: e["result"] == "ok"),
        ("--actor", "operator", lambda e: e["actor"]["type"] == "operator"),
    )
    for option, value, found in asked:
        expected = [event for event in everything if found(event)]
        assert listed(lived, option, value) == expected, option
        assert expected
    both = listed(lived, "--actor", "cli", "--action", "lease.extended")
    assert [event["reason"]["sentence"] for event in both] == [HOSTILE] * 2
    assert listed(lived, "--until", at(minutes=2)) == [
        e for e in everything if e["occurred_at"] < at(minutes=2)
    ]


def test_a_date_is_the_whole_day_in_the_zone_of_the_policy() -> None:
    """From its beginning to its end, and no two days in a row leave out an event between them.

    Fails without `time.min` for --since: it meant the end of the day, and today was an error.
    """
    noon, berlin = datetime(2026, 6, 1, 12, tzinfo=UTC), ZoneInfo("Europe/Berlin")
    today = Span.of("2026-06-01", None, noon, berlin)
    assert today.since == datetime(2026, 5, 31, 22, tzinfo=UTC)
    one_day = Span.of("20260531", "2026-05-31", noon, berlin)
    assert one_day.since == datetime(2026, 5, 30, 22, tzinfo=UTC)
    assert today.since - one_day.until <= timedelta(microseconds=1)
    with pytest.raises(ConfigurationError, match="--since '2026-06-01' is not before --until"):
        Span.of("2026-06-01", "2026-05-31", noon, berlin)


def test_a_list_on_a_terminal_has_nothing_hidden_in_it(lived: CommandLine) -> None:
    """A row for each event; text from tags is text."""
    ran = lived("audit", "list", "--since", "365d", *NEXT_YEAR)
    assert ran.out.splitlines()[-1] == f"{len(listed(lived))} events."
    assert not re.search("[\u202e\x1b]", ran.out)
    assert "…" not in ran.out


def test_the_story_of_a_stack_begins_with_what_became_of_it(lived: CommandLine) -> None:
    """Then each event with its facts."""
    shown = lived("audit", "show", "feat-goes").out
    assert shown.splitlines()[1].startswith("Deleted by the janitor, ")
    story = " ".join(shown.split())
    assert "told: ada@example.com; never extended." in story
    assert "deletion.confirmed by janitor (track)" in story
    told = " ".join(lived("audit", "show", "feat-stays").out.split())
    assert "Still there" in told
    assert "extended 2 times" in told


def exported(janitor: CommandLine, *arguments: str) -> str:
    """Return what `audit export` prints."""
    ran = janitor("audit", "export", *arguments, *NEXT_YEAR)
    assert (ran.code, ran.err) == (0, "")
    return ran.out


def test_the_same_events_come_as_rows_and_as_objects(lived: CommandLine) -> None:
    """Every one of a year, if nothing else is asked for; and no cell is a formula."""
    rows = list(csv.DictReader(io.StringIO(exported(lived, "--csv"))))
    objects = [json.loads(line) for line in exported(lived, "--json").splitlines()]
    assert [row["hash"] for row in rows] == [one["hash"] for one in objects]
    assert {one["hash"] for one in objects} == {event["hash"] for event in listed(lived)}
    assert all(one["key"] for one in objects)
    cells = [cell for row in rows for cell in row.values()]
    assert any(cell.startswith("'=HYPERLINK(1)<script> evil") for cell in cells)
    assert not [cell for cell in cells if cell[:1] in "=+-@\t\r" and cell]
    some = exported(lived, "--csv", "--stack", "feat-goes")
    assert 0 < len(some.splitlines()) < len(rows)


def test_the_page_has_each_deletion_and_is_written_whole(
    lived: CommandLine, tmp_path: Path
) -> None:
    """To a file that is there only once it is complete, for nobody else to read."""
    file = tmp_path / "audit.html"
    ran = lived("audit", "export", "--html", "--output", str(file), *NEXT_YEAR)
    assert (ran.code, ran.out) == (0, "")
    assert str(file) in ran.err
    text = file.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert text.endswith("</html>\n")
    assert "The journal is sound" in text
    assert len(re.findall(r"<article", text)) == 1
    assert "feat-goes" in text
    assert "<script>" not in text
    assert list(tmp_path.iterdir()) == [file]
    assert file.stat().st_mode & 0o077 == 0
    assert exported(lived, "--html") == text


def test_the_numbers_are_shown_and_printed(lived: CommandLine) -> None:
    """The same, as a table and as JSON."""
    ran = lived("audit", "stats", "--json", *NEXT_YEAR)
    assert ran.code == 0
    numbers = ran.json
    assert (numbers["endings"]["deleted"], numbers["endings"]["open"]) == (1, 1)
    assert numbers["deleted_of"] == {"ada@example.com": 1}
    assert sum(numbers["extended_by"].values()) == 2
    assert sum(week["deleted"] for week in numbers["weeks"]) == 1
    assert numbers["findings"] == []
    assert numbers["events"] == len(listed(lived))
    text = lived("audit", "stats", *NEXT_YEAR).out
    assert re.search(r"stacks: deleted +1 *\n", text)
    assert re.search(r"lease\.extended +2 *\n", text)
    assert "\u202e" not in text


BAD = {
    "no form": (("export",), "give one of --csv, --json and --html; for instance --html"),
    "two forms": (("export", "--csv", "--html"), "give one of --csv, --json and --html"),
    "no such result": (("list", "--result", "fine"), "--result 'fine' is none of ok, refused"),
    "the wrong way round": (
        ("stats", "--since", "1d", "--until", "2d"),
        "--since '1d' is not before --until; for instance 7d",
    ),
    "no such folder": (
        ("export", "--csv", "--output", "/nowhere/at/all.csv"),
        "--output /nowhere/at/all.csv: No such file or directory",
    ),
    "no archive": (("verify", "--archive", "s3:/x"), "--archive: 's3:/x' is not valid; for inst"),
    "no bucket": (("verify", "--archive", "s3://not-there-1"), "there is no bucket not-there-1"),
    "no lag": (("verify", "--lag", "soon"), "--lag 'soon' is not a lifetime; for instance"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_clear_line(case: str, lived: CommandLine) -> None:
    """With what would be right."""
    arguments, line = BAD[case]
    ran = lived("audit", *arguments)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert line in ran.err


def test_a_stack_that_is_no_janitor_has_no_archive(lived: CommandLine) -> None:
    """And one that is not there is not found."""
    ran = lived("audit", "verify", "--archive", "feat-stays")
    assert ran.code == 2
    assert "the stack feat-stays is no deployed janitor" in ran.err
    assert lived("audit", "verify", "--archive", "no-such-stack").code == 1


def test_an_unsound_journal_is_said_where_it_is_checked(
    janitor: CommandLine, tmp_path: Path
) -> None:
    """The page is written and the exit code is 1; rows are handed on unchecked, as README says.

    Fails without `_fail_if_unsound`.
    """
    stack_id = janitor.deploy("feat-a", ttl="3d")
    for hours in (0, 25, 49):
        sweep(janitor, at(hours=hours, minutes=1))
    row = {"stack_id": {"S": stack_id}, "seq": {"N": "2"}}
    janitor.client("dynamodb").delete_item(TableName="janitor-journal", Key=row)
    line = (
        "the journal is not sound: feat-a, event 2 is missing; `janitor audit verify` names all\n"
    )
    file = tmp_path / "audit.html"
    ran = janitor("audit", "export", "--html", "--output", str(file), *NEXT_YEAR)
    assert (ran.code, ran.out, ran.err) == (1, "", f"written: {file}\n{line}")
    assert "event 2 is missing" in file.read_text(encoding="utf-8")
    numbers = janitor("audit", "stats", "--json", *NEXT_YEAR)
    assert (numbers.code, numbers.err) == (1, line)
    assert [found["seq"] for found in numbers.json["findings"]] == [2]
    assert janitor("audit", "export", "--csv", *NEXT_YEAR).code == 0
    assert "feat-a: event 2 is missing" in janitor("audit", "verify", *NEXT_YEAR).out


# The archive function's door, and verifying by what it wrote.


@pytest.fixture
def archived(janitor: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Iterator[CommandLine]:
    """Return an account with an archive, and the door's variables set."""
    janitor.client("s3").create_bucket(
        Bucket="archive",
        CreateBucketConfiguration={"LocationConstraint": "eu-central-1"},
        ObjectLockEnabledForBucket=True,
    )
    ssm = janitor.client("ssm")
    ssm.put_parameter(Name="/janitor/policy", Value="{}", Type="String")
    variables = {
        "AWS_ENDPOINT_URL": janitor.url,
        "JANITOR_STAGE": "test",
        "JANITOR_POLICY": "ssm:/janitor/policy",
        "JANITOR_MODE_PARAMETER": "/janitor/mode",
        "JANITOR_ARCHIVE": "s3://archive/of/this",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    deployed.of_this_process.cache_clear()
    yield janitor
    deployed.of_this_process.cache_clear()


def stream(janitor: CommandLine, seen: str = "INSERT") -> dict[str, Any]:
    """Return what the stream of the journal table would say of all its rows."""
    rows = janitor.client("dynamodb").scan(TableName="janitor-journal")["Items"]
    (record, _) = event("archive.json")["Records"]
    return {
        "Records": [
            {
                **record,
                "eventName": seen,
                "dynamodb": {
                    **record["dynamodb"],
                    "ApproximateCreationDateTime": datetime.now(UTC).timestamp(),
                    "Keys": {"stack_id": row["stack_id"], "seq": row["seq"]},
                    "NewImage": row,
                    "SequenceNumber": str(1000 + number),
                },
            }
            for number, row in enumerate(rows)
        ]
    }


def verify(janitor: CommandLine, *more: str, where: str = "s3://archive/of/this") -> Any:
    """Verify by the archive, long after."""
    later = f"{datetime.now(UTC) + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    return janitor("audit", "verify", "--archive", where, "--now", later, *more, JANITOR_ARCHIVE="")


def test_what_the_door_archived_is_what_a_table_is_measured_by(
    archived: CommandLine, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """From the stream's event to the words of `audit verify`."""
    stack_id = archived.deploy("feat-a", ttl="3d")
    assert archived("sweep", "--apply", JANITOR_POLICY="", JANITOR_MODE_PARAMETER="").code == 0
    batch = stream(archived)
    count = len(batch["Records"])
    assert archive_door.archive(batch, Context()) == {"archived": count, "tampered": 0}
    sound = verify(archived)
    assert (sound.code, sound.err) == (0, "")
    assert "Archive: compared, from " in sound.out
    table = archived.client("dynamodb")
    table.delete_item(
        TableName="janitor-journal", Key={"stack_id": {"S": stack_id}, "seq": {"N": "1"}}
    )
    table.delete_item(TableName="janitor-leases", Key={"stack_id": {"S": stack_id}})
    assert archived("audit", "verify", JANITOR_ARCHIVE="").code == 0
    found = verify(archived)
    assert found.code == 1
    assert "feat-a: event 1 is in the archive alone: it is gone from the table" in found.out
    by_name = verify(archived, "feat-a", "--json")
    assert [(f["key"], f["what"]) for f in by_name.json["findings"]] == [(stack_id, "removed")]
    assert by_name.json["archive"]["older"] == 0
    variable = archived("audit", "verify", JANITOR_ARCHIVE="s3://archive/of/this")
    assert variable.code == 1
    assert "archive.done" in caplog.messages
    assert f'"EventsArchived":[{count}.0]' in capsys.readouterr().out


def test_the_door_says_at_once_that_a_row_was_touched(
    archived: CommandLine, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """An error in the log, and a number for the alarm."""
    answer = archive_door.archive(event("archive.json"), Context())
    assert answer == {"archived": 2, "tampered": 1}
    assert [r.message for r in caplog.records if r.levelname == "ERROR"] == ["journal.tampered"]
    assert '"JournalTampered":[1.0]' in capsys.readouterr().out


def test_no_row_makes_the_door_fail(archived: CommandLine) -> None:
    """A batch that fails comes again and again, and all behind it waits."""
    batch = event("archive.json")
    image = batch["Records"][0]["dynamodb"]["NewImage"]
    for number, doc in enumerate(({"S": "{"}, {"S": "[]"}, {"N": "7"}, {"BOOL": True}, None)):
        image.pop("doc", None)
        if doc is not None:
            image["doc"] = doc
        batch["Records"][0]["dynamodb"]["SequenceNumber"] = f"{100 + number}"
        assert archive_door.archive(batch, Context())["archived"] == 2
    found = verify(archived, "--json").json["findings"]
    assert {finding["what"] for finding in found} == {"removed", "changed"}


def test_an_archive_of_another_place_is_no_proof(archived: CommandLine) -> None:
    """A prefix with nothing below it says that it is empty."""
    archived.deploy("feat-a", ttl="3d")
    archived("sweep", "--apply", JANITOR_POLICY="", JANITOR_MODE_PARAMETER="")
    ran = verify(archived, where="s3://archive/elsewhere")
    assert ran.code == 1
    assert "the archive is empty, and the journal is not" in ran.out


def test_a_stack_of_which_only_the_lease_is_left_can_be_asked_for(janitor: CommandLine) -> None:
    """By name and by id; the record remembers a chain that somebody took away.

    Fails without the records' keys in `verify`: "the journal knows nothing of" it.
    """
    stack_id = janitor.deploy("feat-a", ttl="3d")
    assert janitor("sweep", "--apply").code == 0
    assert janitor("audit", "verify", "janitor").code == 0
    key = {"stack_id": {"S": stack_id}, "seq": {"N": "1"}}
    janitor.client("dynamodb").delete_item(TableName="janitor-journal", Key=key)
    for stack in ("feat-a", stack_id):
        found = janitor("audit", "verify", stack, "--json")
        assert [(f["key"], f["seq"], f["what"]) for f in found.json["findings"]] == [
            (stack_id, 1, "removed")
        ]
        assert found.code == 1


def test_an_explanation_is_facts_and_an_object(janitor: CommandLine) -> None:
    """Rules, deadline, notices, what is needed, and when it could go."""
    janitor.deploy("feat-a", ttl="3d", owner=HOSTILE)
    sweep(janitor, at(minutes=1))
    ran = janitor("explain", "feat-a", "--mode", "enforce", "--now", at(hours=2))
    assert ran.code == 0
    for words in (
        "default: yes, it has the tag janitor:ttl=3d",
        "asked for by tag janitor:ttl=3d",
        "not yet: every owner has its final notice; not yet to",
        "at the earliest, once: the deadline has passed",
    ):
        assert words in ran.out
    assert "\u202e" not in ran.out
    document = janitor("explain", "feat-a", "--json", "--now", at(hours=2)).json
    assert document["rules"] == [
        {"rule": "default", "selects": True, "why": "it has the tag janitor:ttl=3d"}
    ]
    assert document["earliest"] is None
    needed = {one["what"]: one["holds"] for one in document["needed"]}
    assert needed["no tag protects it"] is True
    assert needed["the mode is enforce"] is False
    other = janitor.deploy("other", team="x")
    assert janitor("explain", other, "--json").json["deleted"] == "never: it is not managed"
