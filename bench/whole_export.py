"""Measure `janitor audit export` as a person calls it, with the arguments of this script."""

import os
import sys
import tempfile
from pathlib import Path

from janitor.entrypoints.cli.main import app
from timing import Numbers, print_timed


def export() -> Numbers:
    """Export once, to a file that is thrown away."""
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "export"
        app(["audit", "export", *sys.argv[1:], "--output", str(file)], standalone_mode=False)
        return {"bytes": file.stat().st_size}


os.environ.pop("JANITOR_NOTIFY", None)
print_timed(export)
