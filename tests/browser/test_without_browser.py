"""Where there is no Chromium, people are told how to get it, and CI does not pass without it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.browser.browsing import HOW_TO_GET_IT

ROOT = Path(__file__).resolve().parents[2]
ONE = "tests/browser/test_pages.py::test_it_works_with_scripts_switched_off"


@pytest.mark.parametrize("ci, code, told", [("", 0, "SKIPPED [1]"), ("true", 1, "1 error")])
def test_without_chromium_tests_are_left_out_on_a_laptop_and_fail_in_ci(
    ci: str, code: int, told: str, tmp_path: Path
) -> None:
    """Fails if the fixture `browser` does not look at CI."""
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-rs", "-o", f"cache_dir={tmp_path}", ONE],
        cwd=ROOT,
        env={**environment, "PATH": "/nowhere", **({"CI": ci} if ci else {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == code, done.stdout
    assert told in done.stdout
    assert HOW_TO_GET_IT in " ".join(done.stdout.split())
