"""`make deploy`, the first time of a stage: ask for what matters, and keep it in samconfig.toml.

At a terminal four questions, each with an answer that is safe; elsewhere, as in a pipeline, those
answers. All other settings can be written into the table; README.md lists them.
"""

import re
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

STAGE = re.compile(r"[a-z][a-z0-9-]{0,15}")
QUESTIONS = {
    "Mode": ("observe", "How far may it go: off, observe, notify or enforce?"),
    "Regions": (
        "",
        "Which regions does it look at, such as eu-central-1,us-east-1? Empty: this one",
    ),
    "SelectorTag": ("janitor:ttl", "Which tag makes a stack one of those that it looks after?"),
    "OpsEmail": ("", "Which address gets alarms and notices to the operators? Empty: none"),
}
"""Each parameter of template.yaml that is asked for, with its default and the question."""


def table(stage: str, answers: dict[str, str]) -> str:
    """Return a stage's table. Raises `ValueError` for what TOML or a parameter cannot hold."""
    lines = [f"\n[{stage}.deploy.parameters]", "parameter_overrides = ["]
    for name, value in {"Stage": stage, **answers}.items():
        if re.search(r'[\s"\\]', value):
            raise ValueError(f"{name}: {value!r} has a blank, a quote or a backslash in it")
        lines += [f'    "{name}={value}",'] if value else []
    return "\n".join([*lines, "]", ""])


def add(file: Path, stage: str, ask: Callable[[str], str] | None) -> bool:
    """Add a stage to the file unless it is there; tell whether it was added.

    `ask` puts a question and returns the answer, empty for the default; without it nobody is
    asked. Raises `ValueError` where the stage or an answer cannot be.
    """
    if not STAGE.fullmatch(stage):
        raise ValueError(f"STAGE: {stage!r} is not a short lower-case name; for instance dev")
    text = file.read_text(encoding="utf-8")
    if "deploy" in tomllib.loads(text).get(stage, {}):
        return False
    answers = {
        name: (ask(f"{question} [{default}] ").strip() if ask else "") or default
        for name, (default, question) in QUESTIONS.items()
    }
    file.write_text(text + table(stage, answers), encoding="utf-8")
    return True


def main(file: str, stage: str) -> int:
    """See that the file has the stage, and say what was added."""
    try:
        added = add(Path(file), stage, input if sys.stdin.isatty() else None)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (EOFError, KeyboardInterrupt):
        print("\nnothing was deployed", file=sys.stderr)
        return 130
    if added:
        print(f"{file} has a table for {stage} now: edit it to change settings, and commit it")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
