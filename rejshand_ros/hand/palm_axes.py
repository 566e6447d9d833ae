"""The axes of a palm, compiled: they are wanted several times in every image."""

from __future__ import annotations

import numpy as np
from numba import njit

from rejshand_ros.geometry import Array

FOUND, NOT_FINITE, ON_ONE_LINE, NO_DIRECTION = range(4)
"""How the search for the axes went."""
_SMALLEST_SPREAD = 1e-4
"""Spread across the palm (m) below which there is no plane to fit; real palms' is ten times it."""
_MOST_SWEEPS = 12
"""Jacobi's method is done after five, in practice."""


@njit("Tuple((f8[::1], f8[:, ::1]))(f8[:, ::1])", cache=True)
def _principal_axes(symmetric: Array) -> tuple[Array, Array]:
    """Eigenvalues (3,) and eigenvectors (3, 3), in columns, of a symmetric matrix (3, 3).

    Jacobi's method: turns in one plane after the other, each of which makes the element outside
    the diagonal zero there (Golub and Van Loan, Matrix Computations, section 8.5).
    """
    left = symmetric.copy()
    vectors = np.eye(3)
    for _ in range(_MOST_SWEEPS):
        outside = left[0, 1] ** 2 + left[0, 2] ** 2 + left[1, 2] ** 2
        inside = left[0, 0] ** 2 + left[1, 1] ** 2 + left[2, 2] ** 2
        if outside <= 1e-32 * inside:
            break
        for p in range(2):
            for q in range(p + 1, 3):
                if left[p, q] == 0.0:
                    continue
                ratio = (left[q, q] - left[p, p]) / (2.0 * left[p, q])
                tangent = 1.0 / (abs(ratio) + np.sqrt(ratio * ratio + 1.0))
                if ratio < 0.0:
                    tangent = -tangent
                cosine = 1.0 / np.sqrt(tangent * tangent + 1.0)
                sine = tangent * cosine
                for i in range(3):
                    a, b = left[i, p], left[i, q]
                    left[i, p], left[i, q] = cosine * a - sine * b, sine * a + cosine * b
                for i in range(3):
                    a, b = left[p, i], left[q, i]
                    left[p, i], left[q, i] = cosine * a - sine * b, sine * a + cosine * b
                for i in range(3):
                    a, b = vectors[i, p], vectors[i, q]
                    vectors[i, p], vectors[i, q] = cosine * a - sine * b, sine * a + cosine * b
    return np.diag(left).copy(), vectors


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
    spreads, axes = _principal_axes(scatter)
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
