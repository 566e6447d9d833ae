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
