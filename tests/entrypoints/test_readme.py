"""The README is the contract: what it says of commands and policy is what the code has."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer.main
from pydantic import BaseModel
from typer.testing import CliRunner

from janitor.domain.durations import duration_text
from janitor.domain.model import Mode
from janitor.domain.policy.loader import parse_policy
from janitor.domain.policy.model import (
    BUILT_IN_NEVER_DELETE,
    Limits,
    Policy,
    Terms,
    WindowSpec,
    default_policy,
)
from janitor.entrypoints.cli.main import app
from janitor.settings import VARIABLES

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
EVERYWHERE = {
    "--json",
    "--region",
    "--lease-table",
    "--journal-table",
    "--deployment",
    "--help",
    "--debug",
}
WITHOUT_ACCOUNT = {"janitor demo", "janitor doctor", "janitor policy check"}
"""Commands that do not take what all others take."""


def commands() -> dict[str, Any]:
    """Return every command there is by its full name."""
    root: Any = typer.main.get_command(app)
    found: dict[str, Any] = {}

    def walk(prefix: str, command: Any) -> None:
        for name, inner in getattr(command, "commands", {}).items():
            full = f"{prefix} {name}"
            if hasattr(inner, "commands"):
                walk(full, inner)
            else:
                found[full] = inner

    walk("janitor", root)
    return found


def rows() -> dict[str, str]:
    """Return the README's command table: command to its whole row."""
    section = README.split("## Commands")[1].split("\n## ")[0]
    found = {}
    for line in section.splitlines():
        if match := re.match(r"\| `(janitor[a-z ]*[a-z])(?: \[?[A-Z]+\]?)?` \|", line):
            found[match[1]] = line
    return found


def test_the_table_has_every_command_and_no_other() -> None:
    """A command that is not in the README does not exist for its readers."""
    assert set(rows()) == set(commands())


@pytest.mark.parametrize("name", sorted(commands()))
def test_the_table_names_every_option_and_no_other(name: str) -> None:
    """Options that most commands take are named once, above the table."""
    command = commands()[name]
    has = {option for p in command.params for option in p.opts if option.startswith("--")}
    common = {"--help", "--debug"} if name in WITHOUT_ACCOUNT else EVERYWHERE
    told = set(re.findall(r"(--[a-z-]+)", rows()[name]))
    assert told - common == has - common
    if name not in WITHOUT_ACCOUNT:
        assert has >= EVERYWHERE - {"--help"}


def test_the_help_shows_every_command_in_the_order_of_need_and_whole() -> None:
    """A sentence that is cut off says nothing.

    Fails without `list_commands`, and with a first line of more than 60 letters or so.
    """
    groups = [["--help"], ["audit", "--help"], ["policy", "--help"], ["breaker", "--help"]]
    runs = [CliRunner().invoke(app, group, terminal_width=80) for group in groups]
    shown = [run.output.split("Commands:")[1] for run in runs]
    assert not [text for text in shown if "..." in text]
    listed = re.findall(r"^  ([a-z]+) ", shown[0], re.MULTILINE)
    assert " ".join(listed) == (
        "init doctor plan sweep explain extend unmanage audit breaker policy digest demo"
    )


def table(field: str) -> str:
    """Return the README's row about a policy field."""
    (line,) = [row for row in README.splitlines() if row.startswith(f"| `{field}` |")]
    return line


def default_text(model: type[BaseModel], field: str) -> str:
    """Return a field's default as the README writes it."""
    value = model.model_fields[field].default
    if isinstance(value, tuple):
        texts = ["48h" if str(v) == "2 days, 0:00:00" else v for v in value]
        texts = ["24h" if str(v) == "1 day, 0:00:00" else v for v in texts]
        return f"`[{', '.join(texts)}]`"
    if value is None:
        return "none"
    if hasattr(value, "total_seconds"):
        text = duration_text(value)
        return f"`{ {'1d': '24h', '3d': '72h'}.get(text, text) }`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


@pytest.mark.parametrize("field", sorted(Terms.model_fields))
def test_every_field_of_a_rule_has_its_default_in_the_readme(field: str) -> None:
    """The table of rule fields is the model."""
    assert f"| {default_text(Terms, field)} |" in table(field)


@pytest.mark.parametrize("field", sorted(Limits.model_fields))
def test_every_limit_has_its_default_in_the_readme(field: str) -> None:
    """The table of limits is the model."""
    assert f"| {default_text(Limits, field)} |" in table(f"limits.{field}")


def test_every_other_field_of_the_policy_is_in_the_readme() -> None:
    """Nothing can be set that is not documented."""
    section = README.split("## Policy")[1].split("\n## ")[0]
    for field in (*Policy.model_fields, *WindowSpec.model_fields):
        assert field in section
    assert all(f"`{pattern}`" in section for pattern in BUILT_IN_NEVER_DELETE)


def test_the_default_policy_in_the_readme_is_the_default_policy() -> None:
    """What is printed as the default loads, and says the same."""
    (text,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    assert parse_policy(text, "README.md") == default_policy()


def test_modes_and_variables_are_all_named() -> None:
    """Each mode has its row, each environment variable its name."""
    assert all(f"| `{mode.value}`" in README for mode in Mode)
    assert all(variable in README for variable in VARIABLES.values())
