"""How fast the machine itself is at a moment: a fixed piece of work, timed.

A machine that shares its processors with others is a tenth faster in one quarter of an hour than
in the next. A benchmark that compares its end with its start times this beside it, so that a drift
of the machine is not taken for one of the program.
"""

from __future__ import annotations

import time

import numpy as np

_VALUES = np.random.default_rng(0).random(20_000)
_ROUNDS = 50


def reference_ms() -> float:
    """Processor time that the fixed work takes now, milliseconds: some 3 on a computer of 2025."""
    begun = time.thread_time()
    for _ in range(_ROUNDS):
        # Sorting is branches and memory, the sum of its text's digits plain Python: both kinds.
        ordered = np.sort(_VALUES)
        sum(map(int, str(float(ordered[len(ordered) // 2]))[2:10]))
    return 1e3 * (time.thread_time() - begun)
