"""Distances between capsules: compiled, with the points at which they are attained."""

from __future__ import annotations

import numpy as np
from numba import njit

from rejshand_ros.geometry import Array

_PARALLEL = 1e-12


@njit(cache=True)
def segment_distance(a0: Array, a1: Array, b0: Array, b1: Array) -> tuple[float, float, float]:
    """Distance of two segments and where along each it is attained.

    Follows the clamped closest points of two lines (Ericson, Real-Time Collision Detection,
    5.1.9).

    Args:
        a0: (3,) start of the first segment.
        a1: (3,) its end.
        b0: (3,) start of the second.
        b1: (3,) its end.

    Returns:
        The distance, and the shares 0..1 from start to end along first and second.
    """
    ux, uy, uz = a1[0] - a0[0], a1[1] - a0[1], a1[2] - a0[2]
    vx, vy, vz = b1[0] - b0[0], b1[1] - b0[1], b1[2] - b0[2]
    wx, wy, wz = a0[0] - b0[0], a0[1] - b0[1], a0[2] - b0[2]
    uu = ux * ux + uy * uy + uz * uz
    vv = vx * vx + vy * vy + vz * vz
    uv = ux * vx + uy * vy + uz * vz
    uw = ux * wx + uy * wy + uz * wz
    vw = vx * wx + vy * wy + vz * wz
    s, t = 0.0, 0.0
    if uu > _PARALLEL and vv > _PARALLEL:
        determinant = uu * vv - uv * uv
        if determinant > 1e-9 * uu * vv:
            s = min(max((uv * vw - vv * uw) / determinant, 0.0), 1.0)
        t = (uv * s + vw) / vv
        if t < 0.0:
            t = 0.0
            s = min(max(-uw / uu, 0.0), 1.0)
        elif t > 1.0:
            t = 1.0
            s = min(max((uv - uw) / uu, 0.0), 1.0)
    elif uu > _PARALLEL:
        s = min(max(-uw / uu, 0.0), 1.0)
    elif vv > _PARALLEL:
        t = min(max(vw / vv, 0.0), 1.0)
    dx = wx + s * ux - t * vx
    dy = wy + s * uy - t * vy
    dz = wz + s * uz - t * vz
    return np.sqrt(dx * dx + dy * dy + dz * dz), s, t


@njit(cache=True)
def pair_distances(
    starts: Array, ends: Array, radii: Array, pairs: Array, distances: Array
) -> None:
    """Distances between the surfaces of capsule pairs, negative where they overlap.

    Args:
        starts: (c, 3) metres.
        ends: (c, 3) metres.
        radii: (c,) metres.
        pairs: (m, 2) indices of capsules.
        distances: (m,) filled, metres.
    """
    for k in range(pairs.shape[0]):
        a, b = pairs[k, 0], pairs[k, 1]
        distance, _, _ = segment_distance(starts[a], ends[a], starts[b], ends[b])
        distances[k] = distance - radii[a] - radii[b]
