"""A wrong wall clock for one Python process: on PYTHONPATH, it is imported before anything else.

libfaketime cannot be used: with it, Python's waits with a time-out fail or never end.
"""

import os
import time

_right = time.time
_skew = float(os.environ.get("CHAOS_CLOCK_SKEW", "0"))
"""In seconds."""

time.time = lambda: _right() + _skew
