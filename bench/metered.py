"""Run a Python script as it is, and leave this process's time and peak memory in a file.

`python bench/metered.py FILE SCRIPT [ARGUMENT …]`, with the interpreter of the script.
"""

import json
import runpy
import sys
import time
from pathlib import Path

from timing import peak_mib

out = Path(sys.argv[1])
sys.argv[:2] = []
began = time.perf_counter()
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    measured = {
        "cpu": time.process_time(),
        "wall": time.perf_counter() - began,
        "peak_mib": peak_mib(),
    }
    out.write_text(json.dumps(measured), encoding="utf-8")
