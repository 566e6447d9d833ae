"""Compiled forward kinematics of a tree of joints, as flat arrays taken from pinocchio's model.

Numba compiles these loops once a machine and keeps the result on disk. `RobotModel` fills the
arrays; pinocchio stays the model, and the tests compare the two.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from rejshand_ros.geometry import Array

Indices = NDArray[np.int64]


class Tree(NamedTuple):
    """A robot's joints and the points that matter on its links.

    Joints are in topological order. Each follows a variable of the solver:
    position = ratio * variable + offset; a joint held still has variable -1.

    Attributes:
        parent: (n,) joint before each joint, -1 for the root link.
        rotation: (n, 3, 3) placement in the parent joint's frame at zero.
        translation: (n, 3) the same, metres.
        axis: (n, 3) unit axis in the joint's own frame.
        prismatic: (n,) 1 where the joint slides, 0 where it turns.
        variable: (n,) variable that each joint follows.
        ratio: (n,) of the coupling.
        offset: (n,) of the coupling, radians.
        chain: (n, n) joints from the root to each joint, itself included.
        chain_length: (n,) how many of them.
        point_joint: (p,) joint whose frame holds each point, -1 for the root link.
        point_local: (p, 3) metres, in that frame.
    """

    parent: Indices
    rotation: Array
    translation: Array
    axis: Array
    prismatic: Indices
    variable: Indices
    ratio: Array
    offset: Array
    chain: Indices
    chain_length: Indices
    point_joint: Indices
    point_local: Array


@njit(cache=True)
def forward(
    tree: Tree, variables: Array, rotations: Array, origins: Array, axes: Array, points: Array
) -> None:
    """Pose every joint and point in the root link's frame.

    Args:
        tree: The robot.
        variables: (v,) the solver's variables.
        rotations: (n, 3, 3) filled with the joints' orientations.
        origins: (n, 3) filled with the joints' origins, metres.
        axes: (n, 3) filled with the joints' axes.
        points: (p, 3) filled with the points, metres.
    """
    for j in range(tree.parent.shape[0]):
        variable = tree.variable[j]
        position = tree.offset[j]
        if variable >= 0:
            position += tree.ratio[j] * variables[variable]
        before = tree.parent[j]
        x, y, z = tree.axis[j, 0], tree.axis[j, 1], tree.axis[j, 2]
        # Placement first, in the root's axes.
        p00, p01, p02 = tree.rotation[j, 0, 0], tree.rotation[j, 0, 1], tree.rotation[j, 0, 2]
        p10, p11, p12 = tree.rotation[j, 1, 0], tree.rotation[j, 1, 1], tree.rotation[j, 1, 2]
        p20, p21, p22 = tree.rotation[j, 2, 0], tree.rotation[j, 2, 1], tree.rotation[j, 2, 2]
        t0, t1, t2 = tree.translation[j, 0], tree.translation[j, 1], tree.translation[j, 2]
        # The joint's own turn (Rodrigues); a sliding joint does not turn.
        turns = tree.prismatic[j] == 0
        s = np.sin(position) if turns else 0.0
        c = np.cos(position) if turns else 1.0
        k = 1.0 - c
        r00, r01, r02 = c + k * x * x, k * x * y - s * z, k * x * z + s * y
        r10, r11, r12 = k * x * y + s * z, c + k * y * y, k * y * z - s * x
        r20, r21, r22 = k * x * z - s * y, k * y * z + s * x, c + k * z * z
        for i in range(3):
            if before >= 0:
                a0 = rotations[before, i, 0]
                a1 = rotations[before, i, 1]
                a2 = rotations[before, i, 2]
                origin = origins[before, i]
            else:
                a0 = 1.0 if i == 0 else 0.0
                a1 = 1.0 if i == 1 else 0.0
                a2 = 1.0 if i == 2 else 0.0
                origin = 0.0
            b0 = a0 * p00 + a1 * p10 + a2 * p20
            b1 = a0 * p01 + a1 * p11 + a2 * p21
            b2 = a0 * p02 + a1 * p12 + a2 * p22
            axes[j, i] = b0 * x + b1 * y + b2 * z
            origins[j, i] = origin + a0 * t0 + a1 * t1 + a2 * t2
            if not turns:
                origins[j, i] += position * axes[j, i]
            rotations[j, i, 0] = b0 * r00 + b1 * r10 + b2 * r20
            rotations[j, i, 1] = b0 * r01 + b1 * r11 + b2 * r21
            rotations[j, i, 2] = b0 * r02 + b1 * r12 + b2 * r22
    for k in range(tree.point_joint.shape[0]):
        j = tree.point_joint[k]
        for i in range(3):
            if j < 0:
                points[k, i] = tree.point_local[k, i]
            else:
                points[k, i] = (
                    origins[j, i]
                    + rotations[j, i, 0] * tree.point_local[k, 0]
                    + rotations[j, i, 1] * tree.point_local[k, 1]
                    + rotations[j, i, 2] * tree.point_local[k, 2]
                )


@njit(cache=True)
def add_columns(
    tree: Tree,
    joint: int,
    point: Array,
    sign: float,
    origins: Array,
    axes: Array,
    count: int,
    columns: Array,
    owners: Indices,
) -> int:
    """Append a point's Jacobian, one column for each joint that moves it.

    Args:
        tree: The robot.
        joint: Joint whose link holds the point, -1 for the root link.
        point: (3,) metres, root frame.
        sign: Factor of the columns.
        origins: (n, 3) from `forward`.
        axes: (n, 3) from `forward`.
        count: Columns that are there already.
        columns: (m, 6) filled: metres a unit of the variable, then the joint's scaled axis.
        owners: (m,) filled with the joints.

    Returns:
        The columns that are there now.
    """
    if joint < 0:
        return count
    for step in range(tree.chain_length[joint]):
        j = tree.chain[joint, step]
        if tree.variable[j] < 0:
            continue
        ratio = tree.ratio[j]
        ax, ay, az = axes[j, 0] * ratio, axes[j, 1] * ratio, axes[j, 2] * ratio
        if tree.prismatic[j] == 1:
            columns[count, 0] = sign * ax
            columns[count, 1] = sign * ay
            columns[count, 2] = sign * az
            columns[count, 3] = 0.0
            columns[count, 4] = 0.0
            columns[count, 5] = 0.0
        else:
            x, y, z = point[0] - origins[j, 0], point[1] - origins[j, 1], point[2] - origins[j, 2]
            columns[count, 0] = sign * (ay * z - az * y)
            columns[count, 1] = sign * (az * x - ax * z)
            columns[count, 2] = sign * (ax * y - ay * x)
            columns[count, 3] = ax
            columns[count, 4] = ay
            columns[count, 5] = az
        owners[count] = j
        count += 1
    return count
