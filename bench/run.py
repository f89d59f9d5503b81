"""`make bench`: what an unchanged sweep costs and a function weighs, beside the least possible.

Every number comes from a fresh process that works against an emulator in another one,
and is CPU time where it can be: other load on the machine disturbs that least. All of
them: results go to results.json and RESULTS.md. Some parts (`run.py cpu plan`): to
stdout alone. Exit code 1 if a target is missed.
"""

import argparse
import json
import math
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import exports
import functions
from account import Account, Accounts
from report import Part, Target, document, machine, page

HERE = Path(__file__).resolve().parent
STACKS = 2_000
SIZES = (1_000, 2_000, 5_000, 10_000)
PAIRS = 9
ROUNDS = 5
PLANNED = 10_000
QUERY_PAGE = 1024 * 1024
"""How many bytes one page of a DynamoDB query holds."""

MOST_CALLS = 1.02
MOST_CPU = 1.3
MOST_EXPONENT = 1.05
MOST_MEMORY = 256.0


def calls(accounts: Accounts) -> Part:
    """Count the requests of a sweep."""
    account, lease_bytes = accounts.with_stacks(STACKS)
    bare, sweep = _measure("bare.py", account), _sweep(account)
    pages = math.ceil(STACKS / bare["largest_page"])
    queries = math.ceil(lease_bytes / QUERY_PAGE)
    least, made = pages + queries, sum(sweep["calls"].values())
    return Part(
        "calls",
        f"AWS calls at {STACKS} managed stacks",
        f"Least: {STACKS} stacks in pages of {bare['largest_page']}, the emulator's size, and"
        f" {lease_bytes / QUERY_PAGE:.2f} MiB of open leases in pages of 1 MiB.",
        ("", "DescribeStacks", "Query", "all"),
        (
            ("least", str(pages), str(queries), str(least)),
            ("bare", str(bare["calls"]["DescribeStacks"]), "-", str(sum(bare["calls"].values()))),
            ("sweep", *(str(sweep["calls"][n]) for n in ("DescribeStacks", "Query")), str(made)),
        ),
        [Target(f"calls at {STACKS} stacks / least", made / least, MOST_CALLS)],
        {"least": least, "made": made, "sweep": sweep["calls"], "lease_bytes": lease_bytes},
    )


def cpu(accounts: Accounts) -> Part:
    """Compare a sweep with the bare reading of the same stacks, in turns."""
    account, _ = accounts.with_stacks(STACKS)
    pairs = [(_measure("bare.py", account), _sweep(account)) for _ in range(PAIRS)]
    rows, numbers = [], {}
    for key, title in (("cpu", "sweep / bare"), ("cpu_with_start", "with start and imports")):
        bare, sweep = ([run[key] for run in runs] for runs in zip(*pairs, strict=True))
        ratios = sorted(b / a for a, b in zip(bare, sweep, strict=True))
        ratio = statistics.median(ratios)
        middle = (statistics.median(bare), statistics.median(sweep))
        least = (min(bare), min(sweep))
        numbers[key] = {"ratio": ratio, "ratios": ratios, "bare": bare, "sweep": sweep}
        rows.append(
            (
                title,
                f"{ratio:.2f}",
                f"{ratios[0]:.2f}-{ratios[-1]:.2f}",
                f"{least[1] / least[0]:.2f}",
                *(f"{seconds * 1000:.0f} ms" for seconds in middle),
            )
        )
    return Part(
        "cpu",
        f"CPU at {STACKS} managed stacks",
        f"A whole sweep beside a bare boto3 paginator over DescribeStacks, {PAIRS} times in turns.",
        ("CPU time", "median ratio", "spread", "least / least", "bare", "sweep"),
        rows,
        [Target(f"CPU at {STACKS} stacks / bare", numbers["cpu"]["ratio"], MOST_CPU)],
        numbers,
    )


def growth(accounts: Accounts) -> Part:
    """Sweep accounts of several sizes, round after round."""
    filled = [accounts.with_stacks(size)[0] for size in SIZES]
    rounds = [[_sweep(account) for account in filled] for _ in range(ROUNDS)]
    runs = dict(zip(SIZES, zip(*rounds, strict=True), strict=True))
    least = {size: min(run["cpu"] for run in runs[size]) for size in SIZES}
    peaks = {size: max(run["peak_mib"] for run in runs[size]) for size in SIZES}
    exponent = statistics.linear_regression(
        [math.log(size) for size in SIZES], [math.log(least[size]) for size in SIZES]
    ).slope
    rows = []
    for size in SIZES:
        middle = statistics.median(run["cpu"] for run in runs[size])
        waited = statistics.median(run["wall"] - run["cpu"] for run in runs[size])
        wall = statistics.median(run["wall"] for run in runs[size])
        seconds = (f"{value:.2f} s" for value in (least[size], middle, wall, waited))
        each = f"{least[size] / size * 1e6:.0f} µs"
        rows.append((str(size), each, *seconds, f"{peaks[size]:.0f} MiB"))
    return Part(
        "growth",
        "Growth",
        f"Least and median of {ROUNDS} rounds over all sizes. Waiting is wall less CPU: the"
        f" emulator's time, for the most part. CPU grows with the number of stacks to the power of"
        f" {exponent:.3f} (least squares over the logarithms of the least).",
        ("stacks", "CPU per stack", "CPU", "median", "wall", "waiting", "peak memory"),
        rows,
        [
            Target("growth exponent of CPU", exponent, MOST_EXPONENT),
            Target(f"peak MiB at {SIZES[-1]} stacks", peaks[SIZES[-1]], MOST_MEMORY),
        ],
        {
            "exponent": exponent,
            **{str(n): [_kept(run) for run in runs[n]] for n in SIZES},
        },
    )


def plan(_: Accounts) -> Part:
    """Time the deciding alone, without any input or output."""
    runs = [_measure("pure_plan.py", None, str(PLANNED)) for _ in range(ROUNDS)]
    least, middle = (choose(run["cpu"] for run in runs) for choose in (min, statistics.median))
    return Part(
        "plan",
        f"The pure plan of {PLANNED} stacks",
        f"`domain.planning.plan.make_plan` on stacks and leases in memory, {ROUNDS} processes.",
        ("CPU", "median", "CPU per stack"),
        [(f"{least:.3f} s", f"{middle:.3f} s", f"{least / PLANNED * 1e6:.1f} µs")],
        [],
        {"least": least, "median": middle, "per_stack_us": least / PLANNED * 1e6},
    )


PARTS: dict[str, Callable[[Accounts], Part]] = {
    "calls": calls,
    "cpu": cpu,
    "growth": growth,
    "plan": plan,
    "imports": lambda _: functions.imports(),
    "package": lambda _: functions.package(),
    "export": lambda _: exports.export(),
}


def _sweep(account: Account) -> dict[str, Any]:
    """Measure a sweep, and refuse the number if it was not a whole unchanged one."""
    measured = _measure("whole_sweep.py", account)
    if measured["outcomes"] or measured["stacks"] != account.stacks:
        raise RuntimeError(f"not an unchanged sweep of {account.stacks} stacks: {measured}")
    return measured


def _measure(script: str, account: Account | None, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(HERE / script), *arguments],
        env=account.environment if account else None,
        stdout=subprocess.PIPE,
        check=True,
    )
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


def _kept(run: dict[str, Any]) -> dict[str, float]:
    return {key: run[key] for key in ("cpu", "cpu_with_start", "wall", "peak_mib")}


def main(arguments: Sequence[str]) -> int:
    """Run the parts that are asked for, or all."""
    parser = argparse.ArgumentParser(prog="bench/run.py", description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="part", help=f"{', '.join(PARTS)}; or all")
    wanted = parser.parse_args(arguments).parts or list(PARTS)
    if unknown := set(wanted) - PARTS.keys():
        parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    made_on = machine()
    parts = []
    with ExitStack() as until_the_end:
        accounts = Accounts(until_the_end)
        for name in dict.fromkeys(wanted):
            print(f"measuring {name} …", file=sys.stderr, flush=True)
            parts.append(PARTS[name](accounts))
    text = page(parts, made_on)
    print(text)
    if set(wanted) == set(PARTS):
        results = json.dumps(document(parts, made_on), indent=1)
        (HERE / "results.json").write_text(results + "\n", encoding="utf-8")
        (HERE / "RESULTS.md").write_text(text, encoding="utf-8")
    missed = [target for part in parts for target in part.targets if not target.is_met]
    for target in missed:
        print(f"missed: {target}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
