"""Where things begin: parse, call a journey, shape the answer."""

import gc

# Objects before Python looks for cycles: starting and sweeping make many, and next to no cycles.
# At Python's own number the looking takes 6 % of a function's start, and of a sweep's CPU time
# a fifth at 10,000 stacks, and more with more of them.
gc.set_threshold(50_000)
