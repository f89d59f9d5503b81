"""One-line mutations of the code, each of which the invariants must catch.

`python tests/application/mutations.py [NUMBER …]` copies the tree, applies them one by one,
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

    @property
    def path(self) -> str:
        """Return where the file is in the tree: one of ours, or a fake of the tests."""
        return self.file if self.file.startswith("tests/") else f"{SRC}/{self.file}"


MUTATIONS = (
    # 1. No delete without a delivered final notice, a grace ago, as promised.
    Mutation(
        1,
        "domain/planning/conditions.py",
        "told = told_at(lease, FINAL)",
        "told = lease.first_seen",
    ),
    Mutation(
        1,
        "domain/planning/conditions.py",
        "Condition(Kind.GRACE, told is not None and self.now >= until,",
        "Condition(Kind.GRACE, True,",
    ),
    Mutation(
        1,
        "domain/lease/notice_history.py",
        "        if not told:\n            return None",
        "        if not told:\n            continue",
    ),
    Mutation(1, "domain/lease/notice_history.py", " or notice.contact != contact:", ":"),
    Mutation(
        1,
        "domain/lease/notice_history.py",
        "if in_place or any(told_instead(",
        "if False and any(told_instead(",
    ),
    Mutation(
        1,
        "domain/notification/topic_reach.py",
        "    raise Undeliverable(_why_deaf(audience))",
        "    return ''",
    ),
    Mutation(
        1,
        "domain/lease/notice_history.py",
        "max(ends, lease.delete_after or ends, lease.promised or ends)",
        "ends",
    ),
    Mutation(1, "domain/planning/conditions.py", "is_met = opens == self.now", "is_met = True"),
    Mutation(1, "domain/lease/refresh.py", "deployed_at(stack, lease) < said", "said"),
    Mutation(
        1,
        "application/sweep/tagging.py",
        "tagging=tagging, deployed_at=deployed_at(self.stack, self.lease)",
        "tagging=tagging",
    ),
    # 2. An acknowledged extension is never lost.
    Mutation(
        2,
        "tests/fakes/memory.py",
        "if moved or any(event.seq in taken for event in entry.events):",
        "if False:",
    ),
    Mutation(
        2,
        "domain/lease/deadlines.py",
        "if extended_until is not None and extended_until > at:",
        "if extended_until is not None and extended_until > at and False:",
    ),
    Mutation(2, "application/sweep/apply.py", "unmarked(before),", "unmarked(lease),"),
    Mutation(2, "application/lease/extend.py", "            let_go_at=None,\n", ""),
    # 3. State and audit cannot disagree; the intent comes first.
    Mutation(
        3,
        "application/sweep/apply.py",
        "marked = replace(lease, state=LeaseState.MARKED)",
        "marked = lease",
    ),
    Mutation(
        3, "application/deletion/delete.py", "        ledger.commit(claimed)\n", "        pass\n"
    ),
    Mutation(3, "domain/journal/events.py", "        head=head,\n", ""),
    Mutation(
        3,
        "application/deletion/track.py",
        'if stack.status == "DELETE_COMPLETE":',
        "if ours or stack.status:",
    ),
    Mutation(
        3,
        "application/deletion/delete.py",
        "return entry(lease, claimed, *drafts, intent)",
        "return entry(lease, claimed, intent)",
    ),
    Mutation(
        3,
        "application/deletion/track.py",
        'result = "leftovers" if stayed',
        'result = "ok" if stayed',
    ),
    # 4. Only what is managed; only what opted in is emptied, unprotected or left behind.
    Mutation(
        4,
        "domain/deletion/strategy.py",
        'read_purge(stack.tags.get(PURGE_TAG, ""), PURGEABLE.values()).known | {*terms.purge}',
        "frozenset(PURGEABLE.values())",
    ),
    Mutation(
        4,
        "application/deletion/delete.py",
        "stack, snapshot.failed, terms",
        "stack, snapshot.resources, terms",
    ),
    Mutation(4, "domain/deletion/strategy.py", "Step(Rung(terms.last_resort)", "Step(Rung.FORCE"),
    Mutation(
        4,
        "domain/planning/conditions.py",
        "is_met = not is_on or self.terms.override_protection",
        "is_met = True",
    ),
    Mutation(4, "domain/policy/selection.py", "    if stack.parent_id:\n", "    if False:\n"),
    Mutation(4, "domain/policy/model.py", "(*BUILT_IN_NEVER_DELETE, *self.never_delete)", "()"),
    Mutation(
        4,
        "domain/planning/conditions.py",
        "Condition(Kind.OBSERVED, self.now >= until,",
        "Condition(Kind.OBSERVED, True,",
    ),
    Mutation(
        4,
        "domain/planning/conditions.py",
        "Condition(Kind.UNPROTECTED, not why,",
        "Condition(Kind.UNPROTECTED, True,",
    ),
    # 4. Tags that were dropped hold; who was there before is adopted; who is taken out is left alone.
    Mutation(4, "domain/lease/dropped_tags.py", "    if not remembered:\n", "    if True:\n"),
    Mutation(4, "domain/lease/dropped_tags.py", "held = dict(remembered)", "pass"),
    Mutation(
        4,
        "domain/planning/decide.py",
        "is_taken_in or now - stack.created > ADOPTED_AFTER",
        "is_taken_in",
    ),
    Mutation(
        4,
        "domain/planning/decide.py",
        "is_taken_in or now - stack.created > ADOPTED_AFTER",
        "now - stack.created > ADOPTED_AFTER",
    ),
    Mutation(
        4,
        "domain/planning/conditions.py",
        "    if lease.adopted_at is not None:\n",
        "    if False:\n",
    ),
    Mutation(
        4,
        "domain/policy/selection.py",
        "if (why := taken_out.get(stack.stack_id)) is not None:",
        'if (why := taken_out.get(stack.stack_id)) == "":',
    ),
    # 5. Every step may be cut off: the next sweep finishes it.
    Mutation(
        5, "application/deletion/track.py", "now - lease.claimed_at >= NO_EFFECT_AFTER", "False"
    ),
    Mutation(
        5,
        "domain/notification/pending.py",
        "if lease.state is LeaseState.NEEDS_ATTENTION:\n        yield",
        "if False:\n        yield",
    ),
    Mutation(
        5,
        "domain/planning/decide.py",
        "Blocked(Reason(why), self.stack, held, changes, self._marked_tags, unmet)",
        "Blocked(Reason(why), self.stack, held, changes, None, unmet)",
    ),
    Mutation(
        5,
        "application/sweep/tagging.py",
        'tag_attempt="" if outcome.became is Became.NOTHING else last.attempt',
        "tag_attempt=last.attempt",
    ),
    # 6. A surprise holds what it touches, by the policy and by tags; load holds nothing.
    Mutation(
        6,
        "domain/planning/plan.py",
        "    return count > bound_of(\n        _managed_in_sight(found",
        "    return count > 10**9 + bound_of(\n        _managed_in_sight(found",
    ),
    Mutation(
        6,
        "domain/planning/plan.py",
        "        return count > 0\n",
        "        return count > 5\n",
    ),
    Mutation(
        6,
        "domain/planning/plan.py",
        "if len(bulk) > bound_of(_managed_in_sight(decisions, scene.regions, seen, now)):",
        "if False:",
    ),
    Mutation(
        6, "domain/lease/refresh.py", "known.is_by_tags\n        known =", "False\n        known ="
    ),
    Mutation(
        6,
        "domain/lease/refresh.py",
        "if known and not known.is_held and not counts",
        "if known and not counts",
    ),
    Mutation(
        6,
        "domain/planning/surprises.py",
        "moved.is_by_tags or (moved.cause is MoveCause.TAGS and moved.is_held)",
        "False",
    ),
    Mutation(6, "domain/planning/surprises.py", "LEAST_SURPRISE = 5", "LEAST_SURPRISE = 0"),
    Mutation(
        6,
        "domain/planning/surprises.py",
        "return None if lease.problem or lease.protection else",
        "return",
    ),
    Mutation(
        6, "domain/planning/decide.py", "if ground.is_policy_held and is_taken_in:", "if False:"
    ),
    Mutation(
        6,
        "domain/planning/plan.py",
        "free = max(0, limits.max_deleting - under_way)",
        "free = max(1, limits.max_deleting - under_way)",
    ),
    Mutation(
        6,
        "application/sweep/account.py",
        "if plan.ground.is_policy_held or not plan.is_whole:",
        "if plan.ground.is_policy_held:",
    ),
    Mutation(
        6,
        "application/sweep/account.py",
        "if plan.ground.is_policy_held or not plan.is_whole:",
        "if not plan.is_whole:",
    ),
    Mutation(6, "application/operations/breaker.py", "if surprise.set_id != shown:", "if False:"),
    # 7. Plan and act share one path.
    Mutation(
        7,
        "application/sweep/sweep.py",
        "does_act = apply and mode is not Mode.OFF",
        "does_act = mode is not Mode.OFF",
    ),
    Mutation(
        7,
        "application/sweep/apply.py",
        "case Mark(lease=Lease() as lease) if notifies:",
        "case Mark(lease=Lease() as lease) if False:",
    ),
    Mutation(7, "application/sweep/apply.py", "self.plan.now, restore_only=True", "self.plan.now"),
    # 8. Off and observe change nothing; the mode is read again before each delete.
    Mutation(8, "application/deletion/delete.py", "if mode is not Mode.ENFORCE:", "if False:"),
    Mutation(8, "application/deletion/delete.py", "if not mode.notifies:", "if False:"),
    Mutation(8, "application/notification/send_digest.py", "if not mode.notifies:", "if False:"),
    Mutation(8, "application/notification/update_message.py", "if not mode.notifies:", "if False:"),
    Mutation(
        8,
        "application/sweep/sweep.py",
        "does_act = apply and mode is not Mode.OFF",
        "does_act = apply",
    ),
    # 9. Missing or partial data never means expired or gone.
    Mutation(9, "domain/planning/plan.py", "for stack in () if listing.error else", "for stack in"),
    Mutation(
        9, "domain/planning/plan.py", "if listing is None or listing.error:", "if listing is None:"
    ),
    Mutation(
        9,
        "domain/planning/listed_regions.py",
        "return replace(seen, void_before=now) if is_silent(before, now) else seen",
        "return seen",
    ),
    Mutation(
        9,
        "domain/planning/decide_each.py",
        "if why := self.unreadable.get(stack_id):",
        'if False and (why := ""):',
    ),
    # 10. Tags and nothing but tags.
    Mutation(
        10,
        "domain/tagging/ways.py",
        "return Way.CHANGE_SET if is_known or anatomy.nested or hides else Way.PLAIN",
        "return Way.PLAIN",
    ),
    Mutation(
        10,
        "application/sweep/tagging.py",
        "if more := verdict(shown, anatomy.from_ssm):",
        "if False:",
    ),
    Mutation(10, "domain/tagging/ways.py", "    if anatomy.change_sets:\n", "    if False:\n"),
    Mutation(
        10, "domain/tagging/read_anew.py", 'return "resolve:" in rest or is_begun', "return False"
    ),
    # 11. Who means to keep a stack keeps it, however they write it.
    Mutation(
        11,
        "domain/lease/refresh.py",
        "if near := near_misses(stack.tags, policy.tag_kinds.counts):",
        "if near := ():",
    ),
    Mutation(
        11,
        "domain/stack/tag_keys.py",
        "return NearMiss(key, meant) if is_in_space or meant else None",
        "return NearMiss(key, meant) if is_in_space else None",
    ),
)


def kill(mutation: Mutation, tree: Path) -> tuple[bool, str]:
    """Run the machine over the mutated tree; only the checker of this invariant may kill it."""
    file = tree / mutation.path
    text = file.read_text()
    file.write_text(text.replace(mutation.old, mutation.new))
    command = [sys.executable, "-m", "pytest", "tests/application/test_invariants.py", "-x", "-q"]
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
