"""One network on one runtime, in a process of its own: time of a crop, and memory.

Arguments: weights, device, precision, repetitions. Standard output: one line of JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import numpy as np

from rejshand_ros.inference.load import load_predictor


def resident_mb() -> float:
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    """Load, warm up, time."""
    weights, device, precision, repetitions = sys.argv[1:5]
    before = resident_mb()
    if device != "cpu":
        import torch

        torch.set_num_threads(2)
    predictor = load_predictor(weights, device, precision=precision)
    size = predictor.input_size
    crop = np.random.default_rng(0).integers(0, 255, (1, size, size, 3), dtype=np.uint8)
    for _ in range(3):
        predictor.predict(crop)
    seconds = []
    for _ in range(int(repetitions)):
        begin = time.perf_counter()
        predictor.predict(crop)
        seconds.append(time.perf_counter() - begin)
    answer = {
        "runtime": predictor.runtime.name,
        "input_size": size,
        "ms_p50": 1e3 * float(np.median(seconds)),
        "ms_p95": 1e3 * float(np.percentile(seconds, 95)),
        "memory_mb": resident_mb() - before,
    }
    print(json.dumps(answer))


main()
