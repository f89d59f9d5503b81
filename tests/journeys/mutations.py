"""One-line mutations of the code, each of which the invariants must catch.

`python tests/journeys/mutations.py [NUMBER …]` copies the tree, applies them one by one,
and says which were killed. test_mutations.py keeps the table in step with the code.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SRC = "src/janitor"
LONGEST = 600
"""Seconds for one of them."""


@dataclass(frozen=True)
class Mutation:
    """Text that stands once in a file, and what it is replaced with."""

    invariant: int
    file: str
    old: str
    new: str


MUTATIONS = (
    # 1. No delete without a delivered final notice, a grace ago, as promised.
    Mutation(
        1, "core/lifecycle.py", "told = told_at(self.lease, FINAL)", "told = self.lease.first_seen"
    ),
    Mutation(1, "core/lifecycle.py", "if self.now < delete_after:", "if False:"),
    Mutation(
        1,
        "core/lease.py",
        "        if not told:\n            return None",
        "        if not told:\n            continue",
    ),
    Mutation(1, "core/lease.py", "        and notice.contact == contact\n", ""),
    Mutation(
        1,
        "core/lease.py",
        "max(ends, lease.delete_after or ends, lease.promised or ends)",
        "ends",
    ),
    Mutation(1, "core/lifecycle.py", "if not window.is_open(self.now):", "if False:"),
    Mutation(1, "core/lease.py", "deployed_at(stack, lease) < said", "said"),
    Mutation(1, "journeys/tagging.py", ", deployed_at=deployed_at(stack, lease)\n", "\n"),
    # 2. An acknowledged extension is never lost.
    Mutation(
        2,
        "adapters/memory.py",
        "if moved or any(event.seq in taken for event in entry.events):",
        "if False:",
    ),
    Mutation(
        2,
        "core/expiry.py",
        "if extended_until is not None and extended_until > at:",
        "if extended_until is not None and extended_until > at and False:",
    ),
    Mutation(2, "journeys/leases.py", "unmarked(before),", "unmarked(lease),"),
    Mutation(2, "journeys/extend.py", "            let_go_at=None,\n", ""),
    # 3. State and audit cannot disagree; the intent comes first.
    Mutation(
        3,
        "journeys/leases.py",
        "marked = replace(lease, state=LeaseState.MARKED)",
        "marked = lease",
    ),
    Mutation(3, "journeys/delete.py", "        ledger.commit(claimed)\n", "        pass\n"),
    Mutation(3, "core/journal.py", "        head=head,\n", ""),
    Mutation(
        3, "journeys/track.py", 'if stack.status == "DELETE_COMPLETE":', "if ours or stack.status:"
    ),
    Mutation(
        3,
        "journeys/delete.py",
        "return entry(lease, claimed, *drafts, intent)",
        "return entry(lease, claimed, intent)",
    ),
    Mutation(3, "journeys/track.py", 'result = "leftovers" if stayed', 'result = "ok" if stayed'),
    # 4. Only what is managed; only what opted in is emptied, unprotected or left behind.
    Mutation(
        4,
        "core/ladder.py",
        ".known | {*terms.purge}",
        ".known | {*PURGEABLE.values()}",
    ),
    Mutation(
        4, "journeys/delete.py", "stack, snapshot.failed, terms", "stack, snapshot.resources, terms"
    ),
    Mutation(4, "core/ladder.py", "Step(Rung(terms.last_resort)", "Step(Rung.FORCE"),
    Mutation(4, "core/lifecycle.py", "and not self.rule.override_protection", "and False"),
    Mutation(4, "core/selection.py", "    if stack.parent_id:\n", "    if False:\n"),
    Mutation(4, "core/policy.py", "(*BUILT_IN_NEVER_DELETE, *self.never_delete)", "()"),
    Mutation(
        4,
        "core/lifecycle.py",
        "if self.now - self.lease.first_seen < self.policy.limits.min_observed:",
        "if False:",
    ),
    Mutation(
        4,
        "core/lifecycle.py",
        '            return self._wait(f"attempt {which} failed; the next is at {again}")\n'
        "        if self._protection:",
        '            return self._wait(f"attempt {which} failed; the next is at {again}")\n'
        "        if False:",
    ),
    # 5. Every step may be cut off: the next sweep finishes it.
    Mutation(5, "journeys/track.py", "now - lease.claimed_at >= NO_EFFECT_AFTER", "False"),
    Mutation(
        5,
        "core/notices.py",
        "if lease.state is LeaseState.NEEDS_ATTENTION:\n        yield",
        "if False:\n        yield",
    ),
    Mutation(
        5,
        "core/lifecycle.py",
        "Blocked(Reason(why), self.stack, held, changes, self._marked_tags)",
        "Blocked(Reason(why), self.stack, held, changes)",
    ),
    Mutation(
        5,
        "journeys/tagging.py",
        'write(lease, asked, "tags.intended"',
        'write(lease, replace(asked, tag_attempt=change.attempt), "tags.intended"',
    ),
    # 6. Too many due stops everything; under that, so many a sweep. Zero means zero.
    Mutation(6, "core/plan.py", "if due > limits.max_due:", "if limits.max_due and due > 50:"),
    Mutation(
        6,
        "core/plan.py",
        "most = limits.max_deletes_per_sweep",
        "most = limits.max_deletes_per_sweep or 99",
    ),
    Mutation(6, "core/plan.py", "due > limits.max_deletes_fraction * managed", "due > managed"),
    Mutation(
        6,
        "core/plan.py",
        "isinstance(before, Delete | Retry) and not",
        "isinstance(before, Retry) and not",
    ),
    Mutation(
        6, "journeys/delete.py", "if ledger.account().breaker_tripped_at is not None:", "if False:"
    ),
    # 7. Plan and act share one path.
    Mutation(
        7,
        "journeys/sweep.py",
        "does_act = apply and mode is not Mode.OFF",
        "does_act = mode is not Mode.OFF",
    ),
    Mutation(
        7,
        "journeys/leases.py",
        "case Mark(lease=Lease() as lease) if notifies:",
        "case Mark(lease=Lease() as lease) if False:",
    ),
    Mutation(7, "journeys/leases.py", "self.plan.now, restore_only=True", "self.plan.now"),
    # 8. Off and observe change nothing; the mode is read again before each delete.
    Mutation(8, "journeys/delete.py", "if mode is not Mode.ENFORCE:", "if False:"),
    Mutation(8, "journeys/delete.py", "if not mode.notifies:", "if False:"),
    Mutation(8, "journeys/notify.py", "if not mode.notifies:", "if False:"),
    Mutation(8, "journeys/revise.py", "if not mode.notifies:", "if False:"),
    Mutation(
        8, "journeys/sweep.py", "does_act = apply and mode is not Mode.OFF", "does_act = apply"
    ),
    # 9. Missing or partial data never means expired or gone.
    Mutation(9, "core/plan.py", "        if listing.error:\n            continue\n", ""),
    Mutation(9, "core/plan.py", " and lease.region not in errors:", ":"),
)


def kill(mutation: Mutation, tree: Path) -> tuple[bool, str]:
    """Run the machine over the mutated tree; only the checker of this invariant may kill it."""
    file = tree / SRC / mutation.file
    text = file.read_text()
    file.write_text(text.replace(mutation.old, mutation.new))
    command = [sys.executable, "-m", "pytest", "tests/journeys/test_invariants.py", "-x", "-q"]
    environment = {**os.environ, "HUNT": str(mutation.invariant), "PYTHONPATH": str(tree / "src")}
    try:
        done = subprocess.run(
            command, cwd=tree, env=environment, capture_output=True, text=True, check=False,
            timeout=LONGEST,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return False, "hangs"
    finally:
        file.write_text(text)
    lines = re.findall(rf"invariant {mutation.invariant}: .*", done.stdout)
    return bool(lines), lines[0][:110] if lines else done.stdout[-300:]


def main(numbers: list[int]) -> int:
    """Try the mutations of these numbers, or all; return 1 if one survived."""
    survived = 0
    with tempfile.TemporaryDirectory() as place:
        tree = Path(place) / "janitor"
        wanted = shutil.ignore_patterns(".*", "__pycache__")
        shutil.copytree(ROOT, tree, ignore=wanted)
        for number, mutation in enumerate(MUTATIONS, 1):
            if numbers and number not in numbers:
                continue
            begun = time.monotonic()
            killed, why = kill(mutation, tree)
            survived += not killed
            verdict = "killed  " if killed else "SURVIVED"
            line = " ".join(mutation.old.split())[:60]
            spent = time.monotonic() - begun
            print(  # noqa: T201 - a script
                f"{number:2} {verdict} {spent:4.0f} s  invariant {mutation.invariant}"
                  f"  {mutation.file}: {line}\n      {why}", flush=True)  # fmt: skip
    return bool(survived)


if __name__ == "__main__":
    sys.exit(main([int(argument) for argument in sys.argv[1:]]))
