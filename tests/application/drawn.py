"""What the machine draws from: names, tags, orders, jumps in time, faults."""

from collections import Counter
from datetime import timedelta

from hypothesis import strategies as st
from tests.application.faults import Fault

from janitor.domain.model import Mode

CLEANUP_ROLE = "arn:aws:iam::123456789012:role/cleanup"
OWN_ROLE = "arn:aws:iam::123456789012:role/own"
NAMES = ("feat-a", "feat-b", "feat-c", "feat-d", "app-e", "keep-f", "SC-g")
OWNERS = ("ann@x.org", "bob@x.org", "bob@x.org, ann@x.org", "")
READERS = ("ann@x.org", "bob@x.org", "ops@x.org", "operators")
"""Whoever a notice may be for."""
LIFETIMES = ("3h", "3h", "30h", "4d", "soon", "never", "+5h", "+40h", "-2h", "2026-13-40", "")
EDITS = (
    {"grace": 0},
    {"grace": 2},
    {"grace": 30},
    {"ownerless_grace": 5},
    {"ownerless_grace": 72},
    {"office_hours": True},
    {"office_hours": False},
    {"max_deleting": 0},
    {"max_deleting": 1},
    {"max_deleting": None},
    {"adoption": 0},
    {"adoption": 72},
    {"ttl": 30},
    {"max_attempts": 1},
    {"max_attempts": 3},
    {"max_days": 2},
    {"max_days": 12},
    {"max_extension": 1},
    {"max_extensions": 1},
    {"max_extensions": 5},
    {"fallback": "ops@x.org"},
    {"fallback": None},
    {"tagging": "off"},
    {"tagging": "on"},
    {"by_name": True},
    {"by_name": False},
    {"min_observed": 0},
    {"min_observed": 40},
    {"allow_never": True},
    {"override": True},
    {"override": False},
    {"purge": True},
    {"purge": False},
    {"last_resort": "none"},
    {"last_resort": "retain"},
    {"last_resort": "force"},
    {"cleanup_role": CLEANUP_ROLE},
)
ORDERS = (
    *EDITS,
    *[{"by_name": True}, {"by_name": False}] * 2,
    *Mode,
    *[Mode.ENFORCE] * 6,
    *[None] * 2,
)
ORDERS_BETWEEN = (None, None, Mode.OFF, Mode.OBSERVE, {"max_deleting": 0}, {"max_days": 1})
CROWD = tuple(f"feat-c{n}" for n in range(8))
"""So many that one edit, or one script, is a surprise."""
SURPRISES = (
    {"ttl": 3},
    {"ttl": 3},
    {"ttl": 96},
    {"max_days": 1},
    {"max_days": 12},
    {"by_name": True},
    {"by_name": False},
)
SCRIPTS = ("past", "past", "soon", "short", "bare", "bare", "later")
"""What a script does to the tags of all stacks."""
MISSPELT = (
    {"janitor:protected": "true"},
    {"Janitor:TTL": "30d"},
    {"janitor-expires": "2030-01-01"},
    {"janitor:keep": ""},
)
JUMPS = [timedelta(minutes=m) for m in (5, 20, 50, 60, 180, 720, 1440, 1440, 2880, 7200)]
OTHERS = (
    "extend",
    "extend",
    "extend",
    "let go",
    "redeploy",
    "strip",
    "later",
    "protect",
    "remove",
    "owner",
    "observe",
    "off",
)

which = st.integers(0, 63)
faults_early = st.dictionaries(st.integers(0, 7), st.sampled_from(Fault), max_size=2)
faults_anywhere = st.dictionaries(st.integers(2, 20), st.sampled_from(Fault), max_size=2)
fates = st.sampled_from(["lost", "kept", "twice"])
lifetimes = st.sampled_from(LIFETIMES)
owners = st.sampled_from(OWNERS)
others = st.sampled_from(OTHERS)

COUNTS: Counter[str] = Counter()
