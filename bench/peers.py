"""`make bench-peers`: mark many stacks and delete them, beside Cloud Custodian.

Both work on one emulator in turns, through one proxy that counts their calls and can make
each take longer. Both really tag and really delete, which is looked at after each run.
Results go to PEERS.md and peers.json. Exit code 1 if a target is missed.

PEERS_STACKS (2000) says how many stacks, PEERS_ROUNDS (3) how often without a delay, of
which the median counts, and PEERS_SLOW_ROUNDS (1) how often with one.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3

from account import REGION, TEMPLATE, Account
from counting_proxy import CountingProxy, counting_proxy
from janitor.entrypoints.demo.emulator import FAKE_CREDENTIALS, emulated_aws
from report import ROOT, Part, Target, machine, page
from timing import children_cpu

HERE = Path(__file__).resolve().parent
STACKS = int(os.environ.get("PEERS_STACKS", "2000"))
ROUNDS = int(os.environ.get("PEERS_ROUNDS", "3"))
SLOW_ROUNDS = int(os.environ.get("PEERS_SLOW_ROUNDS", "1"))
DELAY = 0.1
OWNERS = 40

MOST_CPU = 0.6
MOST_WALL = 0.6
MOST_SLOW_WALL = 0.3

JANITOR = ROOT / ".venv" / "bin"
CUSTODIAN = ROOT / ".cache" / "peers" / "bin"

MARK_POLICY = {
    "name": "mark",
    "resource": "cfn",
    "filters": [{"tag:team": "web"}, {"tag:marked": "absent"}],
    "actions": [{"type": "mark-for-op", "tag": "marked", "op": "delete", "days": 0}],
}
DELETE_POLICY = {
    "name": "delete",
    "resource": "cfn",
    "filters": [{"type": "marked-for-op", "tag": "marked", "op": "delete"}],
    "actions": [{"type": "delete"}],
}
JANITOR_POLICY = {
    "rules": [
        {
            "name": "bench",
            "select": {"tag": "team", "equals": "web"},
            "grace": "0m",
            "ownerless_grace": "0m",
        }
    ],
    "window": {
        "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
        "hours": "00:00-24:00",
        "zone": "UTC",
    },
    "limits": {
        "min_observed": "0m",
    },
}
"""Without the waits and the brakes that a janitor is for: Custodian has none here either."""


@dataclass
class Run:
    """What one tool needed for marking and deleting, its steps together and one by one."""

    steps: dict[str, dict[str, Any]] = field(default_factory=dict)

    def total(self, what: str) -> float:
        """Return the sum over the steps; of memory the most."""
        values: list[float] = [step[what] for step in self.steps.values()]
        return max(values) if what == "peak_mib" else sum(values)


@dataclass(frozen=True)
class Bench:
    """The account of the emulator, as it is behind the proxy and as a person sees it."""

    url: str
    proxy: CountingProxy
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of either tool: that of `make bench`, without its settings."""
        given = Account(self.proxy.url, STACKS).environment
        return {name: value for name, value in given.items() if not name.startswith("JANITOR_")}

    def client(self, service: str) -> Any:
        """Return a client that is neither counted nor delayed."""
        return boto3.client(  # type: ignore[call-overload]
            service, endpoint_url=self.url, region_name=REGION, **FAKE_CREDENTIALS
        )

    def fill(self) -> None:
        """Empty the emulator and deploy the stacks, due already."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        request = urllib.request.Request(f"{self.url}/_ministack/reset", method="POST")  # noqa: S310 - our own URL
        with opener.open(request, timeout=60):
            pass
        client = self.client("cloudformation")
        for number in range(STACKS):
            tags = {
                "team": "web",
                "owner": f"dev{number % OWNERS}@example.com",
                "janitor:expires": "2026-01-01",
            }
            client.create_stack(
                StackName=f"feat-basket-{number}",
                TemplateBody=TEMPLATE,
                Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
            )

    def stacks(self, tag: str) -> tuple[int, int]:
        """Return how many stacks there are, and how many of them carry the tag."""
        pages = self.client("cloudformation").get_paginator("describe_stacks").paginate()
        found = [[t["Key"] for t in s["Tags"]] for page in pages for s in page["Stacks"]]
        return len(found), sum(tag in keys for keys in found)

    def expect(self, tag: str, stacks: int, tagged: int) -> None:
        """Refuse a number for work that was not done."""
        if (seen := self.stacks(tag)) != (stacks, tagged):
            raise RuntimeError(f"{seen} stacks, tagged with {tag}; expected {(stacks, tagged)}")

    def run(self, python: Path, script: Path, *arguments: str) -> dict[str, Any]:
        """Run a script; return its CPU, wall, memory, and the calls that it made."""
        self.proxy.calls.clear()
        before = children_cpu()
        measured = self.folder / "measured.json"
        done = subprocess.run(
            [str(python), str(HERE / "metered.py"), str(measured), str(script), *arguments],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{script.name} {arguments}: {done.stderr[-2000:]}")
        numbers: dict[str, Any] = json.loads(measured.read_text(encoding="utf-8"))
        return {
            **numbers,
            "emulator": children_cpu() - before,
            "calls": sum(self.proxy.calls.values()),
            "by_name": dict(self.proxy.calls.most_common()),
        }

    def custodian(self) -> Run:
        """Mark and delete with Cloud Custodian, with its own settings.

        But for its cache, which would show the second policy the stacks from before the first.
        """
        run = Run()
        script = CUSTODIAN / "custodian"
        for name, policy in (("mark", MARK_POLICY), ("delete", DELETE_POLICY)):
            document = self.folder / f"{name}.json"
            document.write_text(json.dumps({"policies": [policy]}), encoding="utf-8")
            options = ("-s", "output", "--cache-period", "0", "--region", REGION)
            run.steps[name] = self.run(CUSTODIAN / "python", script, "run", *options, str(document))
            self.expect("marked", *((STACKS, STACKS) if name == "mark" else (0, 0)))
        return run

    def janitor(self) -> Run:
        """Open, mark, tell and delete with the command line; then see that the journal is sound.

        Three sweeps, since a stack is never marked by the sweep that first sees it, nor
        deleted by the one that marks it.
        """
        run = Run()
        python, script = JANITOR / "python", JANITOR / "janitor"
        policy = self.folder / "policy.yaml"
        policy.write_text(json.dumps(JANITOR_POLICY), encoding="utf-8")
        topic = self.client("sns").create_topic(Name="notices")["TopicArn"]
        self.run(python, script, "init")
        options = ("--mode", "enforce", "--notify", f"sns:{topic}", "--policy", str(policy))
        for name in ("open", "mark", "delete"):
            run.steps[name] = self.run(python, script, "sweep", "--apply", "--json", *options)
            left = 0 if name == "delete" else STACKS
            self.expect("janitor:state", left, STACKS if name == "mark" else 0)
        # A last look, for which Custodian has no counterpart, so it is no part of the sum.
        self.proxy.delay = 0.0
        self.run(python, script, "sweep", "--apply", "--json", *options)
        self.run(python, script, "audit", "verify")
        self._check_journal()
        return run

    def bare(self, calls: str) -> dict[str, Any]:
        """Do it with boto3 alone, and so many calls of CloudFormation for a stack."""
        numbers = self.run(JANITOR / "python", HERE / "bare_calls.py", calls)
        self.expect("marked", 0, 0)
        return numbers

    def _check_journal(self) -> None:
        """Count the events of a whole life in the journal of every stack."""
        pages = self.client("dynamodb").get_paginator("scan").paginate(TableName="janitor-journal")
        rows = [json.loads(row["doc"]["S"])["action"] for page in pages for row in page["Items"]]
        for action in ("tags.written", "deletion.intended", "deletion.confirmed"):
            if rows.count(action) != STACKS:
                raise RuntimeError(f"{rows.count(action)} events {action} of {STACKS} stacks")


def compare(bench: Bench, rounds: int, delay: float) -> Part:
    """Let both do it in turns, the one first and then the other."""
    runs: dict[str, list[Run]] = {"custodian": [], "janitor": []}
    tools: dict[str, Callable[[], Run]] = {"custodian": bench.custodian, "janitor": bench.janitor}
    for number in range(rounds):
        for name in list(tools) if number % 2 == 0 else reversed(tools):
            print(f"{name}, round {number + 1} of {rounds}, {delay:g} s delay", file=sys.stderr)
            bench.proxy.delay = 0.0
            bench.fill()
            bench.proxy.delay = delay
            runs[name].append(tools[name]())
    rows, ratios = [], {}
    for what, shown in SHOWN.items():
        c7n, ours = ([run.total(what) for run in runs[name]] for name in runs)
        pairs = sorted(b / a for a, b in zip(c7n, ours, strict=True))
        ratios[what] = statistics.median(pairs)
        spread = f"{pairs[0]:.2f}-{pairs[-1]:.2f}"
        middles = (shown.format(statistics.median(values)) for values in (c7n, ours))
        rows.append((NAMES[what], *middles, f"{ratios[what]:.2f}", spread))
    for name, some in runs.items():
        for step, numbers in some[-1].steps.items():
            counts = ", ".join(f"{n} {called}" for called, n in numbers["by_name"].items())
            cells = f"{numbers['cpu']:.1f} s CPU, {numbers['wall']:.1f} s wall; {counts}"
            rows.append((f"{name}: {step}, last round", cells, "", "", ""))
    if not delay:
        rows += least(bench, runs["custodian"][-1])
    title = f"With {delay * 1000:g} ms added to every AWS call" if delay else "No delay"
    targets = [Target(f"{title.lower()}: wall, janitor / Custodian", ratios["wall"], MOST_WALL)]
    if delay:
        targets = [Target(f"{title}: wall, ratio", ratios["wall"], MOST_SLOW_WALL)]
    else:
        targets.append(Target("no delay: CPU, janitor / Custodian", ratios["cpu"], MOST_CPU))
    return Part(
        "slow" if delay else "fast",
        title,
        f"{rounds} round{'s' * (rounds > 1)} in turns. CPU is user and system time of the tool's"
        " own processes, start and imports included.",
        (f"{STACKS} stacks", "Custodian", "janitor", "ratio", "spread"),
        rows,
        targets,
        {name: [run.steps for run in some] for name, some in runs.items()},
    )


def least(bench: Bench, custodian: Run) -> list[tuple[str, ...]]:
    """Measure what no janitor that leaves evidence can be below, while it calls by boto3."""
    rows: list[tuple[str, ...]] = []
    for calls in ("4", "6"):
        bench.fill()
        numbers = bench.bare(calls)
        for what in ("cpu", "wall", "emulator"):
            theirs, bare = custodian.total(what), numbers[what]
            shown = (SHOWN[what].format(theirs), SHOWN[what].format(bare), f"{bare / theirs:.2f}")
            rows.append((f"{calls} calls a stack by bare boto3: {NAMES[what]}", *shown, ""))
    return rows


NAMES = {
    "cpu": "CPU",
    "wall": "wall",
    "calls": "AWS calls",
    "peak_mib": "peak memory",
    "emulator": "CPU of the emulator",
}
SHOWN = {
    "cpu": "{:.1f} s",
    "wall": "{:.1f} s",
    "calls": "{:.0f}",
    "peak_mib": "{:.0f} MiB",
    "emulator": "{:.1f} s",
}

FAIRNESS = """
## What was compared

Cloud Custodian {c7n} with boto3 {boto3}, its own number of workers (two to tag, three to delete), its
output to files; only its cache is off, which would hide the first policy's tags from the second. Two
runs: `mark-for-op`, then `marked-for-op` with `delete`. The janitor: three sweeps of its command line
(open, mark, delete), leases and journal in DynamoDB on the same emulator, a notice per owner through
SNS, {owners} owners, and a policy without waits and brakes. After each run all stacks were seen to be
tagged, then gone; the janitor's journal was verified, and has intent and outcome of every deletion.

The janitor makes more calls: it writes what it is about to do before it does it, describes each
stack right before it changes it, so that nobody's newer tags are lost and no protected stack is
deleted, reads resources and template of what it deletes for the record, and tells the owners: six
calls of CloudFormation for a stack, where Custodian makes two, by the list that it began with. Each
costs boto3 0.8 to 0.9 ms of CPU, here and there, so without a delay on the wire the janitor is the
dearer of the two; with one, working side by side is what counts.

`bare_calls.py` is the floor: boto3 alone, set up as the janitor's is, makes nothing but these calls,
without lease, journal or notice. With 4 it tags each stack by an old list, reads resources and
template, and deletes it; with 6 it looks again before both changes, without which somebody's newer tags
are lost and termination protection, which a list does not show for certain, is not seen. While botocore
makes the calls, no janitor that looks again and leaves evidence needs less CPU than the 6. The emulator
is one process that works on one call at a time, and searches all stacks for each id (a name, which may
have been given anew, it finds at once), so no such janitor takes less wall than its CPU: that of these
calls, and that of leases and journal on top.
"""


def versions() -> dict[str, str]:
    """Return the versions in Custodian's environment."""
    code = "from importlib.metadata import version as v; print(v('c7n'), v('boto3'))"
    done = subprocess.run(
        [str(CUSTODIAN / "python"), "-c", code], capture_output=True, text=True, check=True
    )
    return dict(zip(("c7n", "boto3"), done.stdout.split(), strict=True))


@contextmanager
def an_account() -> Iterator[Bench]:
    """Start the emulator, and the proxy before it."""
    with (
        emulated_aws() as url,
        counting_proxy(int(url.rpartition(":")[2])) as proxy,
        tempfile.TemporaryDirectory(prefix="janitor-peers-") as folder,
    ):
        yield Bench(url, proxy, Path(folder))


def main() -> int:
    """Compare without and with a delay."""
    made_on = machine()
    with an_account() as bench:
        wanted = ((ROUNDS, 0.0), (SLOW_ROUNDS, DELAY))
        parts = [compare(bench, rounds, delay) for rounds, delay in wanted if rounds]
    text = page(parts, made_on, "The janitor beside Cloud Custodian", "make bench-peers")
    text += FAIRNESS.format(owners=OWNERS, **versions())
    print(text)
    if STACKS >= 2000 and len(parts) == len(wanted):
        (HERE / "PEERS.md").write_text(text, encoding="utf-8")
        numbers = {"machine": made_on, **{part.name: part.numbers for part in parts}}
        (HERE / "peers.json").write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")
    missed = [target for part in parts for target in part.targets if not target.is_met]
    for target in missed:
        print(f"missed: {target}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
