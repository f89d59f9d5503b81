"""Measure importing modules, in the order of the arguments, and list what came with them.

Arguments like `dynamodb:` name clients to be made by boto3 afterwards, within what is measured.
"""

import gc
import importlib
import json
import sys
import time

gc.collect()
before = set(sys.modules)
began = time.process_time()
for name in sys.argv[1:]:
    if name.endswith(":"):
        sys.modules["boto3"].client(name.removesuffix(":"))
    else:
        importlib.import_module(name)
cpu = time.process_time() - began
json.dump({"cpu": cpu, "modules": [name for name in sys.modules if name not in before]}, sys.stdout)
