"""What was measured, on which machine, as JSON and as a page of tables."""

import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
_PACKAGES = ("boto3", "botocore", "pydantic", "ministack")


@dataclass(frozen=True)
class Target:
    """A number and the most that it may be."""

    name: str
    value: float
    most: float

    @property
    def is_met(self) -> bool:
        """Tell whether the number is small enough."""
        return self.value <= self.most

    def __str__(self) -> str:
        return f"{self.name}: {self.value:.3g}, target at most {self.most:g}"


@dataclass(frozen=True)
class Part:
    """One part of the bench: its table, the targets in it, and every number under them."""

    name: str
    title: str
    note: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    targets: Sequence[Target]
    numbers: dict[str, Any]


def machine() -> dict[str, Any]:
    """Return what the numbers depend on besides the code, and the code."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "load_at_start": round(os.getloadavg()[0], 1),
        "system": platform.platform(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "packages": {name: version(name) for name in _PACKAGES},
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
    }


def document(parts: Iterable[Part], made_on: dict[str, Any]) -> dict[str, Any]:
    """Return all results as one JSON object."""
    return {
        "machine": made_on,
        "targets": [
            {"name": t.name, "value": t.value, "most": t.most, "met": t.is_met}
            for part in parts
            for t in part.targets
        ],
        **{part.name: part.numbers for part in parts},
    }


def page(
    parts: Iterable[Part],
    made_on: dict[str, Any],
    title: str = "What a sweep costs, and a function weighs",
    command: str = "make bench",
) -> str:
    """Return the results as Markdown that reads well on a terminal too."""
    parts = tuple(parts)
    packages = ", ".join(f"{name} {number}" for name, number in made_on["packages"].items())
    lines = [
        f"# {title}",
        "",
        f"`{command}`, one run, {made_on['date']}, commit {made_on['commit']}.",
        f"{made_on['cpu']}, {made_on['cores']} cores, load {made_on['load_at_start']} at the start;",
        f"{made_on['python']}, {packages}; {made_on['system']}.",
        "",
    ]
    targets = [target for part in parts for target in part.targets]
    if targets:
        rows = [
            (t.name, f"{t.value:.3g}", f"{t.most:g}", "yes" if t.is_met else "**no**")
            for t in targets
        ]
        lines += [*_table(("target", "reached", "at most", "met"), rows), ""]
    for part in parts:
        lines += [f"## {part.title}", "", part.note, ""]
        lines += [*_table(part.header, part.rows), ""] if part.rows else []
    return "\n".join(lines).rstrip() + "\n"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    ruled = ["-" * width for width in widths]
    return [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in (header, ruled, *rows)
    ]


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine() or sys.platform


def _commit() -> str:
    def git(*arguments: str) -> str:
        command = ["git", "-C", str(ROOT), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()

    changed = " with changes" if git("status", "--porcelain", "--", "src", "bench") else ""
    return (git("rev-parse", "--short", "--verify", "--quiet", "HEAD") or "none yet") + changed
