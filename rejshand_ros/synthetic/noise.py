"""A periodic volume of smooth noise, from which surfaces and backgrounds take their grain."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

SIZE = 64
"""Cells along each edge; the volume repeats after them. A power of two, so that indices wrap by
a mask."""


@cache
def noise_volume() -> NDArray[np.float32]:
    """(64, 64, 64) float32 in about -1..1: always the same."""
    values = np.random.default_rng(2026).standard_normal((SIZE, SIZE, SIZE)).astype(np.float32)
    # A light blur takes the grid's axes out of the pattern.
    for axis in range(3):
        values = 0.5 * values + 0.25 * (np.roll(values, 1, axis) + np.roll(values, -1, axis))
    values /= 2.5 * values.std()
    volume = np.clip(values, -1, 1).astype(np.float32)
    volume.flags.writeable = False
    return volume


def noise_image(
    rng: np.random.Generator, height: int, width: int, octaves: int = 4
) -> NDArray[np.float32]:
    """(height, width) float32 in 0..1: noise with as much detail at every scale."""
    import cv2

    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        cells = 3 * 2**octave
        grid = rng.random((cells, cells), dtype=np.float32)
        total += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) / 2**octave
    low, high = float(total.min()), float(total.max())
    return np.asarray((total - low) / max(high - low, 1e-6), np.float32)
