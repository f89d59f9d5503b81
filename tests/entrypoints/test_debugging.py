"""What goes wrong on the command line is one line each, and a bug a traceback with --debug."""

import re
from collections.abc import Iterator

import pytest
import typer
from tests.answering import HTML, XHTML, Answer, answering
from tests.entrypoints.command_line import CommandLine
from tests.entrypoints.proxy import proxied
from typer.testing import CliRunner

from janitor.domain.failures import failed
from janitor.domain.model import Outcome, Status
from janitor.entrypoints.cli.debugging import Debug, show_bugs
from janitor.entrypoints.cli.main import Commands
from janitor.entrypoints.cli.options import Options, taking_only

app = typer.Typer(cls=Commands, pretty_exceptions_enable=False)


@app.callback()
def _main(_debug: Debug = False) -> None:
    """Take what is said before a command."""


@app.command()
def buggy(_debug: Debug = False) -> None:
    """Fail as code does that was never run."""
    raise KeyError("Stacks")


@app.command()
def lost(_debug: Debug = False) -> None:
    """Look for a file that is not there."""
    raise FileNotFoundError(2, "No such file", "/nowhere")


@app.command()
@taking_only()
def asked(options: Options) -> None:
    """Say whether tracebacks are wanted."""
    typer.echo(options.debug)


@app.command()
def picky(number: int, _debug: Debug = False) -> None:
    """Take a number."""


LINE = "a bug in janitor: KeyError: 'Stacks'"


def test_a_bug_is_one_line_and_exit_1() -> None:
    """Nobody is to read a traceback who did not ask for it.

    Fails without the last `except` of `Commands.invoke`.
    """
    ran = CliRunner().invoke(app, ["buggy"])
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert ran.stderr == f"{LINE}; run with --debug for the traceback\n"
    ran = CliRunner().invoke(app, ["lost"])
    assert ran.exit_code == 1
    assert ran.stderr.startswith("a bug in janitor: FileNotFoundError: [Errno 2] No such file")
    assert ran.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [["--debug", "buggy"], ["buggy", "--debug"]])
def test_debug_shows_the_traceback_before_or_after_the_command(arguments: list[str]) -> None:
    """With the line on top, and on stderr.

    Fails if the callback of the option returns what was asked there alone.
    """
    ran = CliRunner().invoke(app, arguments)
    assert (ran.exit_code, ran.stdout) == (1, "")
    first, *rest = ran.stderr.splitlines()
    assert first == LINE
    assert rest[0] == "Traceback (most recent call last):"
    assert "KeyError: 'Stacks'" in rest[-2:]
    told = CliRunner().invoke(app, [one.replace("buggy", "asked") for one in arguments])
    assert told.stdout == "True\n"
    assert CliRunner().invoke(app, ["asked"]).stdout == "False\n"


def test_what_is_wrong_on_the_command_line_is_no_bug() -> None:
    """The parser says what it wants, and ends with its own code."""
    ran = CliRunner().invoke(app, ["picky", "five"])
    assert ran.exit_code == 2
    assert "bug" not in ran.stderr


def test_bugs_over_single_stacks_are_named_each(capsys: pytest.CaptureFixture[str]) -> None:
    """What failed for a reason of AWS's stands in the table alone."""
    arn = "arn:aws:cloudformation:eu-central-1:123456789012:stack/feat/1"
    with pytest.raises(ZeroDivisionError) as raised:
        _ = 1 / 0
    bug = failed(arn, "sweep", raised.value)
    outcomes = [bug, Outcome(arn, "sweep", Status.FAILED, "throttled")]
    show_bugs(outcomes, debug=False)
    line = "feat: a bug in janitor: ZeroDivisionError: division by zero"
    assert capsys.readouterr().err == f"{line}; run with --debug for the traceback\n"
    show_bugs(outcomes, debug=True)
    said = capsys.readouterr().err
    assert said.startswith(f"{line}\nTraceback (most recent call last):\n")
    assert "test_debugging.py" in said


@pytest.fixture(scope="module")
def nothing() -> Iterator[Answer]:
    """Run what answers all with a page of HTML."""
    with answering() as answer:
        answer.give(Answer(XHTML))
        yield answer


COMMANDS = [
    "init", "plan", "plan --json", "sweep --apply --mode enforce --notify console:assume-told", "explain feat",
    "extend feat --by 3d", "audit list", "audit show feat", "audit verify", "audit export --json",
    "audit stats", "breaker show", "breaker lift --reason x", "digest", "doctor", "plan --policy ssm:/policy",
    "policy check ssm:/policy", "plan --deployment janitor-dev", "audit verify --archive s3://arch",
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_a_page_of_html_is_one_line_of_any_command(nothing: Answer, command: str) -> None:
    """No traceback, no bug, and above all no empty account."""
    ran = CommandLine(nothing.url)(*command.split())
    assert ran.code in (1, 2)
    assert ran.out == ""
    (line,) = [line for line in ran.err.splitlines() if line.strip()]
    assert line.startswith("janitor: ")
    assert line.endswith("is AWS_ENDPOINT_URL or a proxy in the way?")


@pytest.mark.parametrize("body", [b"", HTML])
def test_a_region_behind_a_login_page_is_left_alone_and_the_others_are_swept(
    janitor: CommandLine, body: bytes
) -> None:
    """An empty answer is no empty region: its leases wait."""
    janitor.deploy("feat-here", ttl="5d")
    hidden = janitor.deploy("feat-there", "eu-west-1", ttl="5d")
    both = (
        "--region",
        "eu-central-1,eu-west-1",
        "--mode",
        "enforce",
        "--notify",
        "console:assume-told",
    )
    assert janitor("sweep", "--apply", *both).code == 0
    with proxied(janitor.url, "eu-west-1", status=200, kind="text/html", body=body) as url:
        ran = CommandLine(url)("sweep", "--apply", "--json", *both)
    assert ran.code == 1
    found = {d["name"]: d["decision"] for d in ran.json["decisions"]}
    assert found == {"feat-here": "keep", "feat-there": "wait"}
    errors = {region["region"]: region["error"] for region in ran.json["regions"]}
    assert errors["eu-central-1"] is None
    expected = r"listing eu-west-1 failed: what answered is not AWS \(.*\); is .* in the way\?"
    assert re.fullmatch(expected, errors["eu-west-1"])
    assert ran.json["outcomes"][-1]["status"] != "failed"
    story = janitor("audit", "show", hidden, "--json").json[0]["events"]
    assert [event["action"] for event in story] == ["lease.opened"]


def spoil(janitor: CommandLine, stack_id: str, document: str) -> None:
    """Let somebody edit a row by hand."""
    janitor.client("dynamodb").update_item(
        TableName="janitor-leases",
        Key={"stack_id": {"S": stack_id}},
        UpdateExpression="SET doc = :doc",
        ExpressionAttributeValues={":doc": {"S": document}},
    )


def test_a_row_that_cannot_be_read_is_named_by_every_command_that_needs_it(
    janitor: CommandLine,
) -> None:
    """It stops no other, opens no second lease, and makes exit 1."""
    odd = janitor.deploy("feat-odd", ttl="1d")
    sweeping = ("sweep", "--apply", "--mode", "enforce", "--notify", "console:assume-told")
    assert janitor(*sweeping).code == 0
    spoil(janitor, odd, '{"stack_id": 5}')
    janitor.deploy("feat-new", ttl="1d")
    planned = janitor("plan")
    assert planned.code == 1
    why = "its lease cannot be read: its stack_id is '5', which says nothing here"
    assert f"feat-odd ({odd}): left alone, {why}" in planned.out
    assert re.search(f"wait .*feat-odd .*left alone: {re.escape(why)}", planned.out)
    swept = janitor(*sweeping)
    assert swept.code == 1
    assert "Applied: 1 opened." in swept.out
    summary = janitor("plan", "--json").json["summary"]
    assert summary["unreadable"] == [{"key": odd, "error": why}]
    line = f"janitor: the lease of {odd} cannot be read: its stack_id is '5', which says nothing here\n"
    for command in ("explain feat-odd", f"explain {odd}", "extend feat-odd --by 3d"):
        ran = janitor(*command.split())
        assert (ran.code, ran.out, ran.err) == (1, "", line)
    verified = janitor("audit", "verify")
    assert verified.code == 1
    assert f"feat-odd: the lease of {odd} cannot be read" in verified.out
    assert "1 of 3 chains are not sound" in verified.out
    listed = janitor("audit", "list")
    assert listed.code == 0


def test_without_the_accounts_row_nothing_is_done(janitor: CommandLine) -> None:
    """One line, and exit 2."""
    janitor.deploy("feat-new", ttl="1d")
    spoil(janitor, "janitor", "<html>")
    ran = janitor("sweep", "--apply", "--mode", "enforce", "--notify", "console:assume-told")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        "janitor: the row janitor of the table janitor-leases, without which nothing is decided,"
        " cannot be read: its content is no JSON\n"
    )
