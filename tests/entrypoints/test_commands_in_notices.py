"""The commands that notices print, taken out of their text and run as they stand.

Their reader has the account's credentials, and nothing of the shell that sweeps: no policy file,
no variables of the janitor's, another region.
"""

import os
import pty
import re
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.entrypoints.command_line import CommandLine, Ran
from tests.entrypoints.proxy import proxied

NOW = datetime.now(UTC)
TABLES = ("--lease-table", "leases-2", "--journal-table", "journal-2")
RULE = (
    "window: {{days: [mon, tue, wed, thu, fri, sat, sun], hours: 00:00-24:00}}\n"
    "rules: [{{name: feat, select: {{name: 'feat-*'}}, ttl: {ttl}, max_extension: 2d}}]\n"
)
COMMAND = re.compile(r"^ {4}((?:\w+=\S+ )?janitor .*)$", re.MULTILINE)


def at(**later: float) -> str:
    """Return an instant after the start of the tests, as `--now` takes it."""
    return f"{NOW + timedelta(**later):%Y-%m-%dT%H:%M:%SZ}"


def commands(text: str) -> list[str]:
    """Return the commands that a text prints, each once."""
    return list(dict.fromkeys(COMMAND.findall(text)))


def paste(janitor: CommandLine, line: str, now: str = "") -> Ran:
    """Do what a shell does with a line; `now` is when, where the clock of the account has gone on."""
    words = shlex.split(line)
    at_janitor = words.index("janitor")
    variables = dict(word.split("=", 1) for word in words[:at_janitor])
    elsewhere = {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}
    pretended = ("--now", now) if now else ()
    return janitor(*words[at_janitor + 1 :], *pretended, **{**elsewhere, **variables})


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """Return the policy file of whoever sweeps."""
    path = tmp_path / "policy.yaml"
    path.write_text(RULE.format(ttl="3d"))
    return path


def sweep(janitor: CommandLine, policy: Path, now: str, *more: str) -> Ran:
    """Sweep as cron does, with everything by options."""
    by = ("--policy", str(policy), "--notify", "console:assume-told", "--mode", "enforce")
    return janitor("sweep", "--apply", *by, *TABLES, "--now", now, *more)


def test_what_a_notice_says_keeps_the_stack(janitor: CommandLine, policy: Path) -> None:
    """By the reminder's command, and by the final notice's, within caps that its reader never saw.

    Fails with a command without region or tables, with `--by 3d`, and without the ledger's policy.
    """
    assert janitor("init", *TABLES).code == 0
    janitor.deploy("feat-a", owner="ada@example.com")
    sweep(janitor, policy, at(hours=0.1))
    reminded = sweep(janitor, policy, at(days=2, hours=1))
    (line,) = commands(reminded.out)
    assert "dynamodb:GetItem and PutItem on leases-2 and journal-2." in " ".join(
        reminded.out.split()
    )
    assert line.startswith("AWS_REGION=eu-central-1 janitor extend arn:aws:cloudformation:")
    kept = paste(janitor, line)
    assert (kept.code, kept.err) == (0, "")
    assert "(extension 1 of 5)" in kept.out
    policy.unlink()
    final = sweep(janitor, written(policy), at(days=6))
    (line,) = commands(final.out)
    assert "feat-a will be deleted" in final.out
    assert paste(janitor, line, at(days=6)).code == 0
    (decision,) = sweep(janitor, policy, at(days=6, hours=1), "--json").json["decisions"]
    assert decision["state"] == "active"


def written(policy: Path) -> Path:
    """Write the policy anew."""
    policy.write_text(RULE.format(ttl="3d"))
    return policy


def test_another_policy_is_still_refused(
    janitor: CommandLine, policy: Path, tmp_path: Path
) -> None:
    """Whoever gives one gives that of the sweeps."""
    assert janitor("init", *TABLES).code == 0
    janitor.deploy("feat-a", owner="ada@example.com")
    sweep(janitor, policy, at(hours=0.1))
    other = tmp_path / "other.yaml"
    other.write_text(RULE.format(ttl="9d"))
    ran = janitor("extend", "feat-a", "--by", "1d", "--policy", str(other), *TABLES)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "leave --policy away" in ran.err


def test_tags_that_a_deployment_dropped(janitor: CommandLine, policy: Path) -> None:
    """An operator takes the stack out by what the notice prints."""
    assert janitor("init", *TABLES).code == 0
    stack_id = janitor.deploy("feat-a", owner="ada@example.com", ttl="3d")
    sweep(janitor, policy, at(hours=0.1))
    janitor.client("cloudformation").update_stack(
        StackName=stack_id, UsePreviousTemplate=True, Tags=[{"Key": "team", "Value": "web"}]
    )
    told = sweep(janitor, policy, at(hours=1))
    lines = commands(told.out)
    assert any("janitor unmanage arn:" in line for line in lines)
    several = [paste(janitor, line) for line in lines]
    assert [(ran.code, ran.err) for ran in several] == [(0, "")] * len(lines)
    assert "taken out" in several[-1].out


def test_what_is_held_is_shown_and_accepted_by_what_is_printed(
    janitor: CommandLine, policy: Path
) -> None:
    """By the edited policy, which no reader has: the ledger keeps it though it is not accepted.

    Fails without `swept_policy` in `_changes` of application/sweep/account.py.
    """
    assert janitor("init", *TABLES).code == 0
    for number in range(6):
        janitor.deploy(f"feat-{number}", owner="ada@example.com")
    sweep(janitor, policy, at(hours=0.1))
    policy.write_text(RULE.format(ttl="30m"))
    held = sweep(janitor, policy, at(hours=1), "--region", "eu-central-1")
    (show,) = [line for line in commands(held.out) if "breaker" in line]
    assert show.endswith("janitor breaker show --region eu-central-1 " + " ".join(TABLES))
    policy.unlink()
    shown = paste(janitor, show, at(hours=1))
    assert (shown.code, shown.err) == (0, "")
    assert len(re.findall(r"^  feat-", shown.out, re.MULTILINE)) == 6
    (lift,) = re.findall(r"To accept exactly this: (.*)$", shown.out, re.MULTILINE)
    lifted = paste(janitor, lift, at(hours=1))
    assert (lifted.code, lifted.err) == (0, "")
    assert "Accepted: policy" in lifted.out
    assert paste(janitor, show, at(hours=1)).out.startswith("Nothing is held")


def test_a_region_that_cannot_be_listed_is_looked_at(janitor: CommandLine, policy: Path) -> None:
    """The command answers, and says what is wrong there."""
    assert janitor("init", *TABLES).code == 0
    both = ("--region", "eu-central-1,us-east-1")
    with proxied(janitor.url, "us-east-1") as url:
        refused = CommandLine(url)
        told = sweep(refused, policy, at(hours=0.1), *both)
        (line,) = commands(told.out)
        ran = paste(refused, line, at(hours=0.2))
    assert ran.code == 1
    assert "us-east-1" in ran.out
    assert "InvalidClientTokenId" in ran.out


def on_a_terminal(janitor: CommandLine, *arguments: str) -> tuple[int, str]:
    """Run a command whose stdout is a terminal; return how it ended and what was shown."""
    master, slave = pty.openpty()
    process = janitor.into(slave, *arguments, COLUMNS="300")
    os.close(slave)
    shown = b""
    try:
        while part := os.read(master, 65536):
            shown += part
    except OSError:
        pass  # the other end is closed
    process.communicate(timeout=120)
    os.close(master)
    return process.returncode, shown.decode().replace("\r", "")


def test_a_terminal_is_the_operators_and_no_owners(janitor: CommandLine) -> None:
    """They are told for whom, and the stack stands for the longer grace.

    Fails if `ConsoleChannel` takes what is for owners.
    """
    stack_id = janitor.deploy("feat-a", owner="ada@example.com", ttl="1d")
    on = ("sweep", "--apply", "--mode", "enforce", "--notify", "console", "--now")
    assert on_a_terminal(janitor, *on, at(hours=0.1))[0] == 0
    code, shown = on_a_terminal(janitor, *on, at(hours=25))
    assert code == 0
    assert "To: operators" in shown
    assert "of ada@example.com, who cannot be reached (only operators read a" in " ".join(
        shown.split()
    )
    story = janitor("audit", "show", stack_id, "--json").json[0]["events"]
    (told,) = [e for e in story if e["action"] == "notice.delivered"]
    assert told["reason"]["facts"]["fallback"] == "operators"
    rows = janitor.client("dynamodb").scan(TableName="janitor-leases")["Items"]
    (lease,) = [row for row in rows if stack_id == row["stack_id"]["S"]]
    promised = datetime.fromisoformat(re.findall(r'"delete_after":"([^"]+)"', str(lease))[0])
    assert promised >= datetime.fromisoformat(at(hours=25)) + timedelta(hours=72)


def test_off_a_terminal_the_console_reaches_nobody(janitor: CommandLine) -> None:
    """Mode enforce refuses it in one line; mode notify prints, and counts it for nothing.

    Fails without `unheard` in `Janitor.sweep`, and without `Readers.UNKNOWN`.
    """
    stack_id = janitor.deploy("feat-a", owner="ada@example.com", ttl="1d")
    refused = janitor("sweep", "--apply", "--mode", "enforce", "--notify", "console")
    assert (refused.code, refused.out, refused.err.count("\n")) == (2, "", 1)
    assert "or --notify console:assume-told if somebody passes it on" in refused.err
    notifying = ("sweep", "--apply", "--mode", "notify", "--notify", "console", "--now")
    assert janitor(*notifying, at(hours=0.1)).code == 0
    for _ in range(2):
        printed = janitor(*notifying, at(hours=25))
        assert (printed.code, "feat-a will be deleted" in printed.out) == (0, True)
        assert "counts for nothing" in printed.out
    story = janitor("audit", "show", stack_id, "--json").json[0]["events"]
    assert not [event for event in story if event["action"] == "notice.delivered"]
