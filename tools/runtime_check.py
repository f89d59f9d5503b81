"""`make audit-runtime`: fail half a year before AWS deprecates the runtime of the functions."""

import re
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

TEMPLATE = Path(__file__).resolve().parent.parent / "template.yaml"
AHEAD = timedelta(days=180)

# "Deprecation date" in AWS's table of supported runtimes (Lambda developer guide, "Lambda
# runtimes"), as of November 2026. AWS moves these dates now and then; cfn-lint carries the
# same table, and a test compares the two.
DEPRECATED_ON = {
    "python3.11": date(2027, 6, 30),
    "python3.12": date(2028, 10, 31),
    "python3.13": date(2029, 6, 30),
    "python3.14": date(2029, 6, 30),
}


def runtimes(template: str) -> list[str]:
    """List every runtime that a template names, once."""
    named = re.findall(r"^\s*Runtime:\s*[\"']?([a-z0-9.]+)", template, flags=re.MULTILINE)
    return sorted(set(named))


def problems(template: str, today: date) -> list[str]:
    """List what is wrong with the runtimes of a template: too old soon, unknown, or none."""
    found = []
    for runtime in runtimes(template):
        end = DEPRECATED_ON.get(runtime)
        if end is None:
            found.append(f"{runtime}: no date known; add it to tools/runtime_check.py")
        elif (left := end - today) < AHEAD:
            found.append(
                f"{runtime}: deprecated on {end}, in {left.days} days; move to a newer one"
            )
    return found or ([] if runtimes(template) else ["the template names no runtime"])


def main() -> int:
    """Check template.yaml against today's date."""
    template = TEMPLATE.read_text(encoding="utf-8")
    wrong = problems(template, datetime.now(UTC).date())
    for problem in wrong:
        print(problem, file=sys.stderr)
    if not wrong:
        print("; ".join(f"{r}: until {DEPRECATED_ON[r]}" for r in runtimes(template)))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
