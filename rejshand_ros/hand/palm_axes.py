"""The axes of a palm, compiled: they are wanted several times in every image."""

from __future__ import annotations

import numpy as np
from numba import njit

from rejshand_ros.compiled_geometry import principal_axes
from rejshand_ros.geometry import Array

FOUND, NOT_FINITE, ON_ONE_LINE, NO_DIRECTION = range(4)
"""How the search for the axes went."""
_SMALLEST_SPREAD = 1e-4
"""Spread across the palm (m) below which there is no plane to fit; real palms' is ten times it."""


@njit("Tuple((i8, f8[:, ::1]))(f8[:, ::1], f8)", cache=True)
def palm_axes(palm: Array, thumb_sign: float) -> tuple[int, Array]:
    """The wrist frame's axes as `rejshand_ros.hand.frame` defines them.

    Args:
        palm: (5, 3) metres: the wrist and the knuckles from index to little finger.
        thumb_sign: 1 where y points towards the thumb (a right hand), -1 where away from it.

    Returns:
        `FOUND`, or why there are none, and the rotation (3, 3) whose columns are x, y and z.
    """
    rotation = np.zeros((3, 3))
    for point in palm:
        if not np.isfinite(point).all():
            return NOT_FINITE, rotation
    mean = np.zeros(3)
    for point in palm:
        mean += point / len(palm)
    scatter = np.zeros((3, 3))
    for point in palm:
        for i in range(3):
            for k in range(3):
                scatter[i, k] += (point[i] - mean[i]) * (point[k] - mean[k])
    spreads, axes = principal_axes(scatter)
    thinnest = np.argmin(spreads)
    middle = spreads.sum() - spreads.min() - spreads.max()
    if np.sqrt(max(middle, 0.0)) < _SMALLEST_SPREAD:
        return ON_ONE_LINE, rotation
    x = axes[:, thinnest].copy()
    z = (palm[1] + palm[2] + palm[3]) / 3.0 - palm[0]
    z -= (z * x).sum() * x
    length = np.sqrt((z * z).sum())
    if length < _SMALLEST_SPREAD:
        return NO_DIRECTION, rotation
    z /= length
    y = np.cross(z, x)
    # From the little finger's knuckle to the index's: the thumb's side.
    if ((palm[1] - palm[4]) * y).sum() * thumb_sign < 0:
        x, y = -x, -y
    rotation[:, 0], rotation[:, 1], rotation[:, 2] = x, y, z
    return FOUND, rotation
