"""The command line on an emulated account, as a person or cron uses it."""

import os
import re
import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.entrypoints.command_line import CommandLine, Ran
from tests.entrypoints.proxy import proxied

from janitor import __version__

NOW = datetime.now(UTC)
ENFORCE = ("--mode", "enforce", "--notify", "console:assume-told")
ANSI = re.compile("\x1b")
DECISION_KEYS = [
    "stack_id",
    "name",
    "region",
    "decision",
    "reason",
    "state",
    "expires_at",
    "delete_after",
    "owners",
]


def at(**later: float) -> str:
    """Return an instant after the start of the tests, as `--now` takes it."""
    return f"{NOW + timedelta(**later):%Y-%m-%dT%H:%M:%SZ}"


def next_weekday(hours: float) -> str:
    """Return 10:00 UTC of the first weekday that is `hours` or more ahead: deletions run then."""
    day = NOW + timedelta(hours=hours)
    day = day.replace(hour=10, minute=0, second=0) + timedelta(days=day.hour >= 10)
    while day.weekday() > 4:
        day += timedelta(days=1)
    return f"{day:%Y-%m-%dT%H:%M:%SZ}"


def sweep(janitor: CommandLine, now: str, *more: str) -> Ran:
    """Make a whole sweep at `now`."""
    return janitor("sweep", "--apply", *ENFORCE, "--now", now, *more)


def decisions(ran: Ran) -> dict[str, str]:
    """Return the decision on each stack by its name."""
    return {d["name"]: d["decision"] for d in ran.json["decisions"]}


def test_a_stack_lives_its_life_from_the_command_line(janitor: CommandLine) -> None:
    """Plan, open, remind, mark, extend, delete and audit do what the README says."""
    janitor.deploy("feat-goes", ttl="1d", owner="ada@example.com")
    janitor.deploy("feat-stays", ttl="1d", owner="bob@example.com")
    janitor.deploy("other", team="x")
    first = janitor("plan")
    assert first.code == 0
    assert "Plan (observe): 2 new, 1 not managed." in first.out
    assert "other" not in first.out
    assert "other" in janitor("plan", "--all").out
    assert sweep(janitor, at(minutes=1)).code == 0
    reminded = sweep(janitor, at(hours=2))
    assert re.search(r"Subject: \[janitor\] feat-goes expires in 2[12] hours", reminded.out)
    marked = sweep(janitor, at(hours=25))
    assert "2 to mark" in marked.out
    assert "Subject: [janitor] feat-goes will be deleted" in marked.out
    tags = janitor.client("cloudformation").describe_stacks(StackName="feat-goes")["Stacks"][0]
    assert "janitor:state" in {tag["Key"] for tag in tags["Tags"]}
    extended = janitor("extend", "feat-stays", "--by", "7d", "--now", at(hours=26), "--json")
    assert extended.json["extensions"] == 1
    deleted = sweep(janitor, next_weekday(52), "--json")
    assert decisions(deleted) == {"feat-goes": "delete", "feat-stays": "unmark", "other": "ignore"}
    assert deleted.json["applied"] is True
    time.sleep(0.5)  # the emulator's deletion takes a moment
    names = {s["StackName"] for s in janitor.client("cloudformation").describe_stacks()["Stacks"]}
    assert names == {"feat-stays", "other"}
    after = sweep(janitor, next_weekday(53))
    assert "feat-goes has been deleted" in after.out
    story = janitor("audit", "show", "feat-goes")
    assert [a for a in ACTIONS if a not in story.out] == []
    assert janitor("audit", "verify").out.startswith("Journal: ")
    listed = janitor("audit", "list", "--now", next_weekday(54), "--action", "deletion")
    assert "deletion.confirmed" in listed.out
    assert "lease.opened" not in listed.out


ACTIONS = (
    "lease.opened",
    "notice.delivered",
    "stack.marked",
    "tags.written",
    "deletion.intended",
    "deletion.started",
    "deletion.confirmed",
)


def test_plan_json_is_as_the_design_says(janitor: CommandLine) -> None:
    """One object on stdout and nothing else, with exactly the documented keys."""
    janitor.deploy("feat-a", ttl="3d", owner="ada@example.com")
    document = janitor("plan", "--json").json
    assert list(document) == ["now", "mode", "regions", "decisions", "summary"]
    assert document["regions"] == [{"region": "eu-central-1", "error": None}]
    (decision,) = document["decisions"]
    assert list(decision) == DECISION_KEYS
    assert (decision["decision"], decision["owners"]) == ("open", ["ada@example.com"])
    noisy = sweep(janitor, at(minutes=1), "--json")
    assert noisy.json["outcomes"][-1]["action"] == "open"
    told = sweep(janitor, at(days=2, hours=12), "--json")
    assert told.json["decisions"][0]["decision"] == "remind"
    assert "Subject: [janitor] feat-a expires" in told.err


def test_many_stacks_in_two_regions_and_a_third_that_refuses(janitor: CommandLine) -> None:
    """Pages matter, and a refused region is left alone as a whole and makes exit 1."""
    for number in range(260):
        janitor.deploy(f"feat-{number}", ttl="1d")
    janitor.deploy("feat-paris", "eu-west-3", ttl="1d")
    hidden = janitor.deploy("feat-dublin", "eu-west-1", ttl="1d")
    three = ("--region", "eu-central-1", "--region", "eu-west-3", "--region", "eu-west-1")
    assert sweep(janitor, at(minutes=1), *three).code == 0
    with proxied(janitor.url, "eu-west-1") as url:
        refused = CommandLine(url)("plan", "--json", "--now", at(days=2), *three)
        assert refused.code == 1
        found = {d["name"]: d for d in refused.json["decisions"]}
        assert len(found) == 262
        assert found["feat-259"]["decision"] == found["feat-paris"]["decision"] == "mark"
        assert found["feat-dublin"]["decision"] == "wait"
        assert found["feat-dublin"]["stack_id"] == hidden
        (problem,) = [r for r in refused.json["regions"] if r["error"]]
        assert problem["region"] == "eu-west-1"
        assert "eu-west-1 is not enabled in this account" in problem["error"]
        applied = CommandLine(url)("sweep", "--apply", "--now", at(days=2), *three)
        assert applied.code == 1
    assert "region.refused" in janitor("audit", "show", "janitor").out
    assert "lease.closed" not in janitor("audit", "show", "feat-dublin").out


def test_audit_verify_names_an_event_that_was_changed(janitor: CommandLine) -> None:
    """Someone who edits the table is found, and which event it was is said."""
    stack_id = janitor.deploy("feat-a", ttl="3d")
    sweep(janitor, at(minutes=1))
    table = janitor.client("dynamodb")
    key = {"stack_id": {"S": stack_id}, "seq": {"N": "1"}}
    row = table.get_item(TableName="janitor-journal", Key=key)["Item"]
    row["doc"]["S"] = row["doc"]["S"].replace("default", "another")
    table.put_item(TableName="janitor-journal", Item=row)
    found = janitor("audit", "verify")
    assert found.code == 1
    assert "feat-a: event 1 does not match its hash" in found.out
    as_json = janitor("audit", "verify", "--json")
    assert [(f["seq"], f["what"]) for f in as_json.json["findings"]] == [(1, "changed")]


BAD_INPUT = {
    "unknown region": (("plan", "--region", "eu-nowhere-1"), "region 'eu-nowhere-1' is unknown"),
    "no such policy file": (("plan", "--policy", "nowhere.yaml"), "nowhere.yaml cannot be read"),
    "no such parameter": (("plan", "--policy", "ssm:/no/such"), "there is no parameter /no/such"),
    "tables missing": (("plan", "--lease-table", "other"), "run `janitor init`"),
    "naive now": (("plan", "--now", "2026-06-01T12:00"), "--now '2026-06-01T12:00' has no time"),
    "bad span": (("extend", "x", "--by", "soon"), "--by 'soon' is not a lifetime"),
    "neither by nor until": (("extend", "x"), "give either --by or --until"),
    "bad notify": (("sweep", "--apply", "--notify", "mail"), "--notify: 'mail' is not valid"),
    "nothing to notify by": (("sweep", "--apply", "--mode", "enforce"), "give --notify console"),
    "short table": (
        ("plan", "--lease-table", "l2"),
        "for instance janitor-leases: 3 to 255 letters",
    ),
    "no such checked": (("policy", "check", "ssm:/no/such"), "there is no parameter /no/such"),
    "extend nothing": (("extend", "", "--by", "3d"), "STACK is empty; give a name or an id"),
    "explain nothing": (("explain", " "), "STACK is empty; give a name or an id"),
    "several regions": (("plan", "--region", "eu-west-1,eu-x-1"), "region 'eu-x-1' is unknown"),
    "bad since": (("audit", "list", "--since", "never"), "--since 'never' is not a date"),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_gets_one_clear_line_and_exit_2(case: str, account: CommandLine) -> None:
    """Settings that cannot be used are named, without a trace, before anything is done."""
    arguments, line = BAD_INPUT[case]
    ran = account(*arguments)
    assert ran.code == 2
    assert ran.out == ""
    assert ran.err.startswith("janitor: ")
    assert line in ran.err
    assert ran.err.count("\n") == 1


def test_no_credentials_is_one_clear_line(account: CommandLine) -> None:
    """Whoever has not logged in is told so."""
    nothing = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": ""}
    ran = account("plan", **nothing)
    assert ran.code == 2
    assert ran.err.count("\n") == 1
    assert "credentials" in ran.err


def test_no_region_is_one_clear_line(account: CommandLine) -> None:
    """Without a region nobody knows where the tables are."""
    ran = account("plan", AWS_REGION="", AWS_DEFAULT_REGION="")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "no AWS region is set" in ran.err


def test_a_policy_is_refused_by_field_and_line(account: CommandLine, tmp_path: Path) -> None:
    """Every problem has its line, in `policy check` and in every other command."""
    file = tmp_path / "policy.yaml"
    file.write_text(
        "mode: observe\nrules:\n  - name: a\n    select: {tag: x}\n    ttl: three days\n"
    )
    for command in (("policy", "check", str(file)), ("plan", "--policy", str(file))):
        ran = account(*command)
        assert ran.code == 2
        assert f"{file}:5: rules[0].ttl: 'three days' is not a duration" in ran.err


def test_a_policy_that_deletes_nothing_says_so_above_its_examples(
    account: CommandLine, tmp_path: Path
) -> None:
    """In one line, and as a field of the object.

    Fails without `why_nothing_goes` in `policy check`.
    """
    file = tmp_path / "policy.yaml"
    file.write_text("mode: enforce\nlimits: {max_deleting: 0}\n")
    line = "As it stands nothing is deleted: limits.max_deleting is 0."
    shown = account("policy", "check", str(file)).out
    assert " ".join(shown.split()).find(f"{line} Otherwise:") > 0
    assert account("policy", "check", str(file), "--json").json["nothing_is_deleted"] == line
    file.write_text("mode: enforce\n")
    assert "nothing is deleted" not in account("policy", "check", str(file)).out


def test_a_table_of_another_schema_is_refused(janitor: CommandLine) -> None:
    """A version that does not know the rows leaves them alone."""
    janitor.client("dynamodb").update_item(
        TableName="janitor-leases",
        Key={"stack_id": {"S": "janitor"}},
        UpdateExpression="SET #s = :v",
        ExpressionAttributeNames={"#s": "schema"},
        ExpressionAttributeValues={":v": {"N": "99"}},
    )
    ran = janitor("plan")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "99" in ran.err


def test_a_clock_that_went_backwards_is_refused(janitor: CommandLine) -> None:
    """What the ledger has recorded cannot lie in the future."""
    janitor.deploy("feat-a", ttl="3d")
    sweep(janitor, at(days=1))
    ran = janitor("plan", "--now", at(hours=1))
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "the clock stands at" in ran.err


def test_a_pretended_time_never_changes_a_real_account(account: CommandLine) -> None:
    """--now is for emulators; without AWS_ENDPOINT_URL it is refused before any call."""
    changing = (
        ("sweep", "--apply", *ENFORCE, "--now", at(days=9)),
        ("extend", "feat-a", "--by", "3d", "--now", at(days=9)),
        ("breaker", "lift", "--reason", "x", "--now", at(days=9)),
    )
    for arguments in changing:
        ran = account(*arguments, AWS_ENDPOINT_URL="")
        assert (ran.code, ran.err.count("\n")) == (2, 1)
        assert "--now is for trying things out" in ran.err


def test_a_surprise_is_held_and_an_operator_accepts_exactly_it(
    janitor: CommandLine, tmp_path: Path
) -> None:
    """Shown, accepted by the name of the set, journalled; then it is marked."""
    policy = tmp_path / "policy.yaml"
    rule = "rules: [{name: feat, select: {name: 'feat-*'}, ttl: %s}]\n"
    policy.write_text(rule % "9d")
    by = ("--policy", str(policy))
    for number in range(6):
        janitor.deploy(f"feat-{number}", owner="ada@example.com")
    sweep(janitor, at(hours=0.1), *by)
    assert janitor("breaker", "show", *by).out.startswith("Nothing is held")
    policy.write_text(rule % "30m")
    held = sweep(janitor, at(hours=1), *by)
    assert "6 waiting" in held.out
    assert "Subject: [janitor] held: too many deadlines would come earlier at once" in held.out
    when = ("--now", at(hours=2))
    shown = janitor("breaker", "show", *by, *when)
    assert len(re.findall(r"^  feat-", shown.out, re.MULTILINE)) == 6
    name = janitor("breaker", "show", "--json", *by, *when).json["set"]
    assert f"janitor breaker lift --set {name} --reason 'all of it is meant'" in shown.out
    for wrong, says in (
        (("--set", name), "--reason is missing"),
        (("--reason", "end of the project"), "--set says what is accepted"),
        (("--set", "00000000", "--reason", "x"), "has changed since it was shown"),
    ):
        ran = janitor("breaker", "lift", *wrong, *by, *when)
        assert (ran.code > 0, ran.err.count("\n")) == (True, 1)
        assert says in ran.err
    lifted = janitor("breaker", "lift", "--set", name, "--reason", "the project ends", *by, *when)
    assert (lifted.code, lifted.out.startswith("Accepted: policy ")) == (0, True)
    going = sweep(janitor, at(hours=3), *by, "--json")
    assert set(decisions(going).values()) == {"mark"}
    assert "the project ends" in janitor("audit", "show", "janitor").out


def test_a_stack_is_taken_out_and_put_back(janitor: CommandLine) -> None:
    """For a reason, and by its name."""
    janitor.deploy("feat-a", ttl="1h", owner="ada@example.com")
    sweep(janitor, at(hours=0.1))
    ran = janitor("unmanage", "feat-a")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    ran = janitor("unmanage", "feat-a", "--reason", "no feature")
    assert ran.out == "feat-a is taken out: no sweep looks at it any more, and none deletes it.\n"
    shown = sweep(janitor, at(hours=1))
    assert "1 taken out by an operator" in shown.out
    assert "no feature" in janitor("audit", "show", "feat-a").out


def test_the_days_ahead_are_shown_one_by_one(janitor: CommandLine) -> None:
    """As a list and as JSON."""
    janitor.deploy("feat-a", ttl="3d", owner="ada@example.com")
    sweep(janitor, at(hours=0.1))
    shown = janitor("plan", "--days", "14").out
    assert [step in shown for step in ("2 reminders", "1 mark", "1 deletion")]
    ahead = janitor("plan", "--days", "14", "--json").json["ahead"]
    assert [one["step"] for one in ahead if one["step"] != "reminder"] == ["mark", "deletion"]


def test_nothing_but_text_goes_to_a_pipe(janitor: CommandLine) -> None:
    """Off a terminal there is no colour, no progress, and no cut line."""
    janitor.deploy("feat-a", ttl="3d", owner="ada@example.com")
    for arguments in (("plan",), ("sweep", "--apply"), ("explain", "feat-a"), ("audit", "list")):
        ran = janitor(*arguments, FORCE_COLOR="", TERM="xterm-256color")
        assert (ran.code, ran.err) == (0, "")
        assert not ANSI.search(ran.out)
        assert "…" not in ran.out


def test_the_version_needs_no_command(account: CommandLine) -> None:
    """Fails where the command that follows shows it: there is none, and that was missed."""
    ran = account("--version")
    assert (ran.code, ran.out, ran.err) == (0, f"janitor {__version__}\n", "")


@pytest.mark.parametrize("command", ["plan", "plan --json", "audit export --csv", "policy check"])
def test_output_that_goes_nowhere_is_one_line_or_none(command: str, account: CommandLine) -> None:
    """A full disk is exit 1 with a line; where nobody reads on, it ends as other tools do.

    Fails without the `except OSError`, and of what is buffered without the flush.
    """
    reader, writer = os.pipe()
    os.close(reader)
    with Path("/dev/full").open("w") as full, os.fdopen(writer, "w") as nobody:
        ends = {}
        for where in (full, nobody):
            process = account.into(where, *command.split(), PYTHONUNBUFFERED="")
            _, err = process.communicate(timeout=60)
            ends[where] = (process.returncode, err)
    line = "janitor: the output cannot be written: No space left on device\n"
    assert ends == {full: (1, line), nobody: (141, "")}


def test_hostile_tags_stay_text(janitor: CommandLine) -> None:
    """Markup and control characters in a tag reach the terminal as plain text."""
    janitor.deploy("feat-a", ttl="3d", owner="[bold red]<!channel>\u202ereversed")
    ran = janitor("plan", FORCE_COLOR="1")
    assert "[bold red]<!channel>" in ran.out
    assert "\u202e" not in ran.out


def test_ctrl_c_is_clean(janitor: CommandLine) -> None:
    """An interrupt while a region hangs ends at once, with one line, and exit 130."""
    janitor.deploy("feat-a", ttl="3d")
    with proxied(janitor.url, "eu-west-1", held_seconds=20) as url:
        process = CommandLine(url).start(
            "sweep", "--apply", "--region", "eu-central-1", "--region", "eu-west-1"
        )
        time.sleep(3)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=15)
    assert time.monotonic() - began < 10
    assert process.returncode == 130
    assert err.strip() == (
        "janitor: interrupted; what was done is journalled, the next sweep does the rest"
    )
    assert janitor("audit", "verify").code == 0


def test_explain_and_extend_say_what_they_do_not_know(janitor: CommandLine) -> None:
    """A name that nobody knows is exit 1 with a line that says where it was looked for."""
    for arguments in (("explain", "no-such"), ("audit", "show", "no-such")):
        ran = janitor(*arguments)
        assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
        assert "no-such" in ran.err
    ran = janitor("extend", "no-such", "--by", "3d")
    assert (ran.code, ran.out) == (1, "")


def test_the_tables_stay_where_the_settings_say(janitor: CommandLine) -> None:
    """--region says where to look for stacks; a ledger is in one region, whatever comes first."""
    janitor.deploy("feat-a", ttl="3d")
    ran = janitor("plan", "--region", "us-east-1", "--region", "eu-central-1")
    assert (ran.code, ran.err) == (0, "")
    elsewhere = janitor("init", "--region", "us-east-1")
    assert (elsewhere.code, elsewhere.out) == (2, "")
    assert "the tables go to eu-central-1" in elsewhere.err


def test_extend_goes_by_the_policy_of_the_sweeps(janitor: CommandLine, tmp_path: Path) -> None:
    """Another policy's limits do not count, and an extension is never granted by mistake."""
    policy = tmp_path / "policy.yaml"
    policy.write_text("defaults: {max_extensions: 0}\n")
    janitor.deploy("feat-a", ttl="3d")
    sweep(janitor, at(minutes=1), "--policy", str(policy))
    other = tmp_path / "other.yaml"
    other.write_text("defaults: {max_extensions: 9}\n")
    ran = janitor("extend", "feat-a", "--by", "1d", "--policy", str(other))
    assert (ran.code, ran.out) == (2, "")
    assert "leave --policy away, or give that of the sweeps" in ran.err
    for by in (("--policy", str(policy)), ()):
        same = janitor("extend", "feat-a", "--by", "1d", *by)
        assert same.code == 1
        assert "has used all of its 0 extensions" in same.err


def test_a_pretended_time_is_not_fooled_by_an_endpoint_that_is_not_in_force(
    account: CommandLine,
) -> None:
    """What counts is where the calls would go."""
    lift = ("breaker", "lift", "--reason", "x", "--now", at(days=9))
    ran = account(*lift, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS="true")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "AWS_ENDPOINT_URL is not in force" in ran.err


def test_an_endpoint_that_is_no_address_is_one_clear_line(account: CommandLine) -> None:
    """No trace for a typing mistake."""
    ran = account("plan", AWS_ENDPOINT_URL="garbage")
    assert (ran.code, ran.err.count("\n")) == (2, 1)


def test_the_week_is_told_once_and_telling_it_again_is_no_failure(janitor: CommandLine) -> None:
    """So that cron may call it every day."""
    told = janitor("digest", *ENFORCE)
    assert (told.code, "the week" in told.out) == (0, True)
    again = janitor("digest", *ENFORCE)
    assert (again.code, again.err) == (0, "")
    assert re.fullmatch(r"Nobody was told: \d{4}-W\d\d was told already\.\n", again.out)
    watching = janitor("digest", "--notify", "console:assume-told")
    assert (watching.code, watching.out) == (0, "Nobody was told: mode observe tells nobody.\n")
