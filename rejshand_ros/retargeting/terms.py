"""Compiled value, gradient and Hessian of what a solve minimises.

The function is the sum of
- robust vector terms, w * rho(|p_to - p_from - target|),
- robust distance terms, w * rho(| |p_to - p_from| - distance |),
- a one-sided quadratic on pairs of capsules nearer than a margin,
- quadratics that hold each variable near the last step's and near the rest pose's value,
with Huber's rho(e) = e^2 / (2 h) below h and e - h / 2 above (the smooth L1 of learning
libraries). The gradient is that of this very function. The Hessian is exact for the first two,
the second derivative of a chain of joints included (d2p/dq_i dq_j = axis_i x dp/dq_j for i before
j), and Gauss-Newton's for the capsules.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from rejshand_ros.geometry import Array
from rejshand_ros.retargeting.capsules import segment_distance
from rejshand_ros.retargeting.kinematics import Indices, Tree, add_columns, forward


class Terms(NamedTuple):
    """What is asked of points on the robot.

    Attributes:
        start: (k,) point at each vector's start.
        end: (k,) point at its end.
        target: (k, 3) metres, root frame.
        weight: (k,) weights.
        huber: (k,) metres.
        pad_start: (d,) point at each distance's one end.
        pad_end: (d,) point at the other.
        pad_distance: (d,) metres.
        pad_weight: (d,) weights.
        pad_huber: (d,) metres.
    """

    start: Indices
    end: Indices
    target: Array
    weight: Array
    huber: Array
    pad_start: Indices
    pad_end: Indices
    pad_distance: Array
    pad_weight: Array
    pad_huber: Array


class Capsules(NamedTuple):
    """Capsule pairs that are kept apart.

    Attributes:
        start: (c,) point at each capsule's one end.
        end: (c,) point at the other.
        radius: (c,) metres.
        reach: (c,) metres from the middle to the farthest point of the surface.
        pair: (m, 2) capsules.
        margin: Metres between surfaces at which the term sets in.
        weight: Of the squared intrusion.
    """

    start: Indices
    end: Indices
    radius: Array
    reach: Array
    pair: Indices
    margin: float
    weight: float


class Priors(NamedTuple):
    """Pulls on the variables: weight * (variable - value)^2.

    Attributes:
        last: (v,) the last step's variables.
        last_weight: (v,) weights.
        rest: (v,) the rest pose's variables.
        rest_weight: (v,) weights.
    """

    last: Array
    last_weight: Array
    rest: Array
    rest_weight: Array


class Scratch(NamedTuple):
    """Memory that an evaluation fills: see `forward` and `add_columns`."""

    rotations: Array
    origins: Array
    axes: Array
    points: Array
    columns: Array
    owners: Indices


@njit(cache=True)
def new_scratch(tree: Tree) -> Scratch:
    """Memory for evaluations of a tree."""
    n, p = tree.parent.shape[0], tree.point_joint.shape[0]
    return Scratch(
        np.empty((n, 3, 3)),
        np.empty((n, 3)),
        np.empty((n, 3)),
        np.empty((p, 3)),
        np.empty((2 * n + 2, 6)),
        np.empty(2 * n + 2, np.int64),
    )


class Function(NamedTuple):
    """What a solve minimises.

    Attributes:
        tree: The robot and the points on it.
        terms: What is asked of it.
        capsules: What is kept apart.
        priors: Pulls on the variables.
    """

    tree: Tree
    terms: Terms
    capsules: Capsules
    priors: Priors


@njit(cache=True)
def evaluate(
    function: Function, scratch: Scratch, x: Array, gradient: Array, hessian: Array
) -> float:
    """Value of the function at x (v,); fills gradient (v,) and hessian (v, v)."""
    tree, terms, capsules, priors = function
    forward(tree, x, scratch.rotations, scratch.origins, scratch.axes, scratch.points)
    value = 0.0
    for i in range(x.shape[0]):
        last, rest = x[i] - priors.last[i], x[i] - priors.rest[i]
        value += priors.last_weight[i] * last * last + priors.rest_weight[i] * rest * rest
        gradient[i] = 2 * (priors.last_weight[i] * last + priors.rest_weight[i] * rest)
        for j in range(x.shape[0]):
            hessian[i, j] = 0.0
        hessian[i, i] = 2 * (priors.last_weight[i] + priors.rest_weight[i])
    for k in range(terms.start.shape[0]):
        value += _add_vector(tree, terms, k, scratch, gradient, hessian)
    for k in range(terms.pad_start.shape[0]):
        if terms.pad_weight[k] > 0.0:
            value += _add_distance(tree, terms, k, scratch, gradient, hessian)
    for k in range(capsules.pair.shape[0]):
        value += _add_capsules(tree, capsules, k, scratch, gradient, hessian)
    return value


@njit(cache=True)
def _add_vector(
    tree: Tree, terms: Terms, k: int, scratch: Scratch, gradient: Array, hessian: Array
) -> float:
    points = scratch.points
    a, b = terms.end[k], terms.start[k]
    ex = points[a, 0] - points[b, 0] - terms.target[k, 0]
    ey = points[a, 1] - points[b, 1] - terms.target[k, 1]
    ez = points[a, 2] - points[b, 2] - terms.target[k, 2]
    distance = np.sqrt(ex * ex + ey * ey + ez * ez)
    huber, weight = terms.huber[k], terms.weight[k]
    if distance < huber:
        value = weight * 0.5 * distance * distance / huber
        slope = weight / huber
        bend = 0.0
    else:
        value = weight * (distance - 0.5 * huber)
        slope = weight / distance
        # Along the error, rho is straight: its second derivative is zero there.
        bend = slope / (distance * distance)
    _add_block(tree, a, b, ex, ey, ez, slope, slope, -bend, scratch, gradient, hessian)
    return value


@njit(cache=True)
def _add_distance(
    tree: Tree, terms: Terms, k: int, scratch: Scratch, gradient: Array, hessian: Array
) -> float:
    points = scratch.points
    a, b = terms.pad_end[k], terms.pad_start[k]
    vx = points[a, 0] - points[b, 0]
    vy = points[a, 1] - points[b, 1]
    vz = points[a, 2] - points[b, 2]
    length = max(np.sqrt(vx * vx + vy * vy + vz * vz), 1e-6)
    error = length - terms.pad_distance[k]
    huber, weight = terms.pad_huber[k], terms.pad_weight[k]
    if abs(error) < huber:
        value = weight * 0.5 * error * error / huber
        first = weight * error / huber
        second = weight / huber
    else:
        value = weight * (abs(error) - 0.5 * huber)
        first = weight if error > 0 else -weight
        second = 0.0
    # d = |v|: dd/dv = v / d and d2d/dv2 = (I - v v^T / d^2) / d.
    slope = first / length
    along = (second - slope) / (length * length)
    _add_block(tree, a, b, vx, vy, vz, slope, slope, along, scratch, gradient, hessian)
    return value


@njit(cache=True)
def _add_block(
    tree: Tree,
    a: int,
    b: int,
    x: float,
    y: float,
    z: float,
    slope: float,
    isotropic: float,
    along: float,
    scratch: Scratch,
    gradient: Array,
    hessian: Array,
) -> None:
    """Add a function of v = p_a - p_b.

    Its gradient is slope * e, its Hessian isotropic * I + along * e e^T, with e = (x, y, z).
    """
    columns, owners = scratch.columns, scratch.owners
    middle = add_columns(
        tree,
        tree.point_joint[a],
        scratch.points[a],
        1.0,
        scratch.origins,
        scratch.axes,
        0,
        columns,
        owners,
    )
    count = add_columns(
        tree,
        tree.point_joint[b],
        scratch.points[b],
        -1.0,
        scratch.origins,
        scratch.axes,
        middle,
        columns,
        owners,
    )
    for i in range(count):
        row = tree.variable[owners[i]]
        cx, cy, cz = columns[i, 0], columns[i, 1], columns[i, 2]
        dot = cx * x + cy * y + cz * z
        gradient[row] += slope * dot
        # Joints of one chain are in order, so i comes before j in both chains.
        ax, ay, az = columns[i, 3], columns[i, 4], columns[i, 5]
        tx, ty, tz = y * az - z * ay, z * ax - x * az, x * ay - y * ax
        for j in range(i, count):
            dx, dy, dz = columns[j, 0], columns[j, 1], columns[j, 2]
            entry = isotropic * (cx * dx + cy * dy + cz * dz)
            entry += along * dot * (dx * x + dy * y + dz * z)
            if (i < middle) == (j < middle):
                # e . (axis_i x column_j) = column_j . (e x axis_i)
                entry += slope * (dx * tx + dy * ty + dz * tz)
            column = tree.variable[owners[j]]
            hessian[row, column] += entry
            if i != j:
                hessian[column, row] += entry


@njit(cache=True)
def _add_capsules(
    tree: Tree, capsules: Capsules, k: int, scratch: Scratch, gradient: Array, hessian: Array
) -> float:
    first, second = capsules.pair[k, 0], capsules.pair[k, 1]
    points, margin = scratch.points, capsules.margin
    a0, a1 = capsules.start[first], capsules.end[first]
    b0, b1 = capsules.start[second], capsules.end[second]
    # Balls around both capsules that do not touch settle most pairs.
    square = 0.0
    for i in range(3):
        gap = 0.5 * (points[a0, i] + points[a1, i] - points[b0, i] - points[b1, i])
        square += gap * gap
    reach = capsules.reach[first] + capsules.reach[second] + margin
    if square > reach * reach:
        return 0.0
    distance, s, t = segment_distance(points[a0], points[a1], points[b0], points[b1])
    intrusion = margin + capsules.radius[first] + capsules.radius[second] - distance
    if intrusion <= 0.0:
        return 0.0
    near_a, near_b = np.empty(3), np.empty(3)
    for i in range(3):
        near_a[i] = points[a0, i] + s * (points[a1, i] - points[a0, i])
        near_b[i] = points[b0, i] + t * (points[b1, i] - points[b0, i])
    columns, owners = scratch.columns, scratch.owners
    origins, axes = scratch.origins, scratch.axes
    count = add_columns(tree, tree.point_joint[a0], near_a, 1.0, origins, axes, 0, columns, owners)
    count = add_columns(
        tree, tree.point_joint[b0], near_b, -1.0, origins, axes, count, columns, owners
    )
    length = max(distance, 1e-9)
    x = (near_a[0] - near_b[0]) / length
    y = (near_a[1] - near_b[1]) / length
    z = (near_a[2] - near_b[2]) / length
    weight = capsules.weight
    for i in range(count):
        row = tree.variable[owners[i]]
        dot = columns[i, 0] * x + columns[i, 1] * y + columns[i, 2] * z
        gradient[row] -= weight * intrusion * dot
        for j in range(count):
            other = columns[j, 0] * x + columns[j, 1] * y + columns[j, 2] * z
            hessian[row, tree.variable[owners[j]]] += weight * dot * other
    return 0.5 * weight * intrusion * intrusion
