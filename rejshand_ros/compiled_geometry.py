"""Axes and rotations of small matrices, compiled: numpy takes ten times as long to be asked."""

from __future__ import annotations

import numpy as np
from numba import njit

from rejshand_ros.geometry import Array

_MOST_SWEEPS = 12
"""Jacobi's method is done after five, in practice."""


@njit("Tuple((f8[::1], f8[:, ::1]))(f8[:, ::1])", cache=True)
def principal_axes(symmetric: Array) -> tuple[Array, Array]:
    """Eigenvalues (n,) and eigenvectors (n, n), in columns, of a symmetric matrix (n, n).

    Jacobi's method: turns in one plane after the other, each of which makes the element outside
    the diagonal zero there (Golub and Van Loan, Matrix Computations, section 8.5).
    """
    size = len(symmetric)
    left = symmetric.copy()
    vectors = np.eye(size)
    for _ in range(_MOST_SWEEPS):
        outside, inside = 0.0, 0.0
        for p in range(size):
            inside += left[p, p] ** 2
            for q in range(p + 1, size):
                outside += left[p, q] ** 2
        if outside <= 1e-32 * inside:
            break
        for p in range(size - 1):
            for q in range(p + 1, size):
                if left[p, q] == 0.0:
                    continue
                ratio = (left[q, q] - left[p, p]) / (2.0 * left[p, q])
                tangent = 1.0 / (abs(ratio) + np.sqrt(ratio * ratio + 1.0))
                if ratio < 0.0:
                    tangent = -tangent
                cosine = 1.0 / np.sqrt(tangent * tangent + 1.0)
                sine = tangent * cosine
                for i in range(size):
                    a, b = left[i, p], left[i, q]
                    left[i, p], left[i, q] = cosine * a - sine * b, sine * a + cosine * b
                for i in range(size):
                    a, b = left[p, i], left[q, i]
                    left[p, i], left[q, i] = cosine * a - sine * b, sine * a + cosine * b
                for i in range(size):
                    a, b = vectors[i, p], vectors[i, q]
                    vectors[i, p], vectors[i, q] = cosine * a - sine * b, sine * a + cosine * b
    return np.diag(left).copy(), vectors


@njit("f8[:, ::1](f8[:, ::1])", cache=True)
def nearest_rotation(matrix: Array) -> Array:
    """The rotation (3, 3) nearest to a matrix (3, 3); never a reflection.

    Horn, "Closed-form solution of absolute orientation using unit quaternions", 1987: its
    quaternion is the principal axis of a symmetric matrix (4, 4).
    """
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = matrix[0], matrix[1], matrix[2]
    symmetric = np.array(
        [
            [xx + yy + zz, zy - yz, xz - zx, yx - xy],
            [zy - yz, xx - yy - zz, xy + yx, xz + zx],
            [xz - zx, xy + yx, yy - xx - zz, yz + zy],
            [yx - xy, xz + zx, yz + zy, zz - xx - yy],
        ]
    )
    values, vectors = principal_axes(symmetric)
    w, x, y, z = vectors[:, np.argmax(values)]
    return np.array(
        [
            [w * w + x * x - y * y - z * z, 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), w * w - x * x + y * y - z * z, 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), w * w - x * x - y * y + z * z],
        ]
    )


@njit("UniTuple(f8, 3)(f8[:, ::1], f8[:, ::1])", cache=True)
def turn_between(start: Array, end: Array) -> tuple[float, float, float]:
    """Axis times angle, radians, of the turn (in the axes of `start`) from a rotation to another.

    As `geometry.rotation_vector` of their quotient.

    Args:
        start: (3, 3).
        end: (3, 3).
    """
    turn = np.zeros((3, 3))
    for i in range(3):
        for k in range(3):
            for m in range(3):
                turn[i, k] += start[m, i] * end[m, k]
    x, y, z = turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]
    sine = np.sqrt(x * x + y * y + z * z) / 2.0
    cosine = (turn[0, 0] + turn[1, 1] + turn[2, 2] - 1.0) / 2.0
    angle = np.arctan2(sine, cosine)
    if sine > 1e-6:
        share = angle / (2.0 * sine)
        return share * x, share * y, share * z
    if cosine > 0.0:
        return x / 2.0, y / 2.0, z / 2.0
    # A half turn: the axis is the column of R + 1 that is farthest from zero.
    column = 0
    for k in range(1, 3):
        if turn[k, k] > turn[column, column]:
            column = k
    turn[column, column] += 1.0
    length = 0.0
    for i in range(3):
        length += turn[i, column] ** 2
    share = angle / np.sqrt(length)
    return share * turn[0, column], share * turn[1, column], share * turn[2, column]


@njit("f8[:, ::1](f8[:, ::1], f8, f8, f8)", cache=True)
def turned(start: Array, x: float, y: float, z: float) -> Array:
    """A rotation (3, 3) turned in its own axes by axis times angle, radians (Rodrigues)."""
    angle = np.sqrt(x * x + y * y + z * z)
    first, second = 1.0, 0.5
    if angle > 0.0:
        first = np.sin(angle) / angle
        second = 0.5 * (np.sin(angle / 2.0) / (angle / 2.0)) ** 2
    cosine = 1.0 - second * angle * angle
    turn = np.array(
        [
            [cosine + second * x * x, second * x * y - first * z, second * x * z + first * y],
            [second * x * y + first * z, cosine + second * y * y, second * y * z - first * x],
            [second * x * z - first * y, second * y * z + first * x, cosine + second * z * z],
        ]
    )
    result = np.zeros((3, 3))
    for i in range(3):
        for k in range(3):
            for m in range(3):
                result[i, k] += start[i, m] * turn[m, k]
    return result
