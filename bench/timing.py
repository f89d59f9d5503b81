"""The meter of one measurement; each runs in a process of its own and prints JSON."""

import gc
import json
import math
import os
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import boto3

Numbers = dict[str, Any]


def print_timed(run: Callable[[], Numbers], **more: Any) -> None:
    """Run once; print what it returns with its time, this process's whole time, and peak."""
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    numbers = run()
    end_cpu, end_wall = time.process_time(), time.perf_counter()
    measured = {
        "cpu": end_cpu - cpu,
        "wall": end_wall - wall,
        "cpu_with_start": end_cpu,
        "peak_mib": peak_mib(),
    }
    json.dump({**numbers, **measured, **more}, sys.stdout)


def counted_calls(session: "boto3.Session") -> Counter[str]:
    """Count by operation what its clients really send, retries and all, from now on."""
    calls: Counter[str] = Counter()

    def count(event_name: str, **_: object) -> None:
        calls[event_name.rpartition(".")[2]] += 1

    session.events.register("before-send", count)
    return calls


def peak_mib() -> float:
    """Return the most memory that this program had.

    On Linux ru_maxrss begins with what the parent had when it forked, so that a child of
    a large process looks large. VmHWM begins anew with the program.
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


def children_cpu() -> float:
    """Return the CPU seconds so far of the child processes that are alive; NaN without /proc."""
    if not Path("/proc/self/stat").exists():
        return math.nan
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # Behind the name, which may have spaces: state, parent, and as 12th and 13th the times.
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # It has ended meanwhile.
        if int(fields[1]) == os.getpid():
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
