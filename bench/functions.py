"""The parts of the bench about the deployed functions: how they begin, and what they weigh."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from report import ROOT, Part, Target

HANDLERS = {
    "sweep, notify, delete, track": "janitor.entrypoints.aws_lambda.workers",
    "api": "janitor.entrypoints.aws_lambda.api",
    "check": "janitor.entrypoints.aws_lambda.preflight",
    "archive": "janitor.entrypoints.aws_lambda.archive",
}
IN_TURNS = 9
KEPT = tempfile.TemporaryDirectory()
"""Where bytecode is kept for as long as this process runs."""


@dataclass(frozen=True)
class Way:
    """One way of starting."""

    has_bytecode: bool = True
    clients: list[str] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)


WAYS = {
    "compiling": Way(has_bytecode=False),
    "bytecode": Way(),
    "in Lambda": Way(
        clients=["dynamodb:", "ssm:"],
        variables={
            "AWS_LAMBDA_FUNCTION_NAME": "bench",
            "AWS_REGION": "eu-central-1",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "JANITOR_POLICY": "ssm:/bench",
        },
    ),
}
BUILD = ROOT / ".aws-sam" / "build"

MOST_IMPORT = 1.15
MOST_PACKAGE = 12.0
MIB = 1024 * 1024


def imports() -> Part:
    """Compare importing each handler with importing the third-party modules that it needs."""
    rows, targets, numbers = [], [], {}
    for functions, module in HANDLERS.items():
        cells, found = [functions], {}
        for name, how in WAYS.items():
            needed = _third_party(_import([module], how)["modules"]) + how.clients
            pairs = [(_cpu(needed, how), _cpu([module], how)) for _ in range(IN_TURNS)]
            ratio = statistics.median(b / a for a, b in pairs)
            middles = [statistics.median(times) for times in zip(*pairs, strict=True)]
            cells += [*(f"{seconds * 1000:.0f} ms" for seconds in middles), f"{ratio:.2f}"]
            targets.append(Target(f"{name}: {functions} / third party", ratio, MOST_IMPORT))
            found[name] = {"third_party": needed, "seconds": pairs}
        rows.append(cells)
        numbers[module] = found
    return Part(
        "imports",
        "Cold start of the functions",
        f"CPU time, {IN_TURNS} times in turns, beside that of the third-party modules which are there"
        " afterwards: importing with everything compiled, as from a package without bytecode;"
        " importing with bytecode, as `make build` packages it where Python 3.13 is there; and"
        " starting as Lambda does it, with bytecode, boto3 and the clients that every function"
        " makes before its first event.",
        ("function", *(f"{name}{what}" for name in WAYS for what in (": needs", "has", "ratio"))),
        rows,
        targets,
        numbers,
    )


def package() -> Part:
    """Weigh what `make build` made, function by function."""
    built = {folder.name: _files(folder) for folder in sorted(BUILD.glob("*Function"))}
    note = "Files as Lambda unpacks them, of the last `make build`; boto3 comes with the runtime."
    if not built:
        note = "Not measured: there is no build. `make build` makes one."
    for name in built:
        if (BUILD / name / "boto3").exists():
            raise RuntimeError(f"{name} has boto3 in it, which Lambda brings")
    rows = []
    for name, files in built.items():
        own = sum(size for path, size in files.items() if path.parts[0] == "janitor")
        rows.append((name, _mib(sum(files.values())), _mib(own), str(len(files))))
    sizes = {name: sum(files.values()) for name, files in built.items()}
    return Part(
        "package",
        "Size of the functions",
        note,
        ("function", "unzipped", "the janitor's own", "files"),
        rows,
        [Target(f"MiB of {name}", size / MIB, MOST_PACKAGE) for name, size in sizes.items()],
        {"bytes": sizes},
    )


def _third_party(modules: Iterable[str]) -> list[str]:
    """List, in the order of import, those that are neither Python's nor ours.

    What compiled modules put into sys.modules by themselves cannot be imported.
    """
    ours = {*sys.stdlib_module_names, "janitor", "cython_runtime"}
    return [n for n in modules if n.partition(".")[0] not in ours and not n.startswith("_")]


def _cpu(modules: list[str], how: "Way") -> float:
    return float(_import(modules, how)["cpu"])


def _import(modules: list[str], how: "Way") -> dict[str, Any]:
    """Import in a fresh process: by compiling everything, or with the bytecode in a folder.

    A folder of its own, since an installer may have compiled the third party and nobody us.
    """
    script = str(Path(__file__).with_name("cold_import.py"))
    variables = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    variables |= {"PYDANTIC_DISABLE_PLUGINS": "__all__", **how.variables}  # as template.yaml has it
    with tempfile.TemporaryDirectory() as empty:
        kept = KEPT.name if how.has_bytecode else empty
        options = ["-X", f"pycache_prefix={kept}", *(() if how.has_bytecode else ("-B",))]
        done = subprocess.run(
            [sys.executable, *options, script, *modules],
            env=variables,
            stdout=subprocess.PIPE,
            check=True,
        )
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


def _files(folder: Path) -> dict[Path, int]:
    """Return the size of each file by its path in the folder."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder): path.stat().st_size for path in paths}


def _mib(size: int) -> str:
    return f"{size / MIB:.2f} MiB"
