"""Compiled: human keypoints as targets of a robot's vectors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from rejshand_ros.geometry import Array
from rejshand_ros.hand.keypoints import MIDDLE_MCP, WRIST
from rejshand_ros.retargeting.kinematics import Indices


class HumanVectors(NamedTuple):
    """Human vectors and how each maps to the robot's.

    Attributes:
        start: (k,) keypoint at each vector's start.
        end: (k,) keypoint at its end.
        factor: (k,) of its length, on top of the keypoints' scale.
        scale: (21,) robot metres for a human metre, a keypoint.
        offset: (21, 3) metres, operator frame.
        root_from_operator: (3, 3) rotation.
    """

    start: Indices
    end: Indices
    factor: Array
    scale: Array
    offset: Array
    root_from_operator: Array


@njit(cache=True)
def fill_targets(keypoints: Array, vectors: HumanVectors, target: Array) -> None:
    """Targets (k, 3) in the root frame from keypoints (21, 3) in the operator frame, metres."""
    scale, offset, rotation = vectors.scale, vectors.offset, vectors.root_from_operator
    vector = np.empty(3)
    for k in range(vectors.start.shape[0]):
        a, b = vectors.end[k], vectors.start[k]
        for i in range(3):
            end = scale[a] * keypoints[a, i] + offset[a, i]
            start = scale[b] * keypoints[b, i] + offset[b, i]
            vector[i] = vectors.factor[k] * (end - start)
        for i in range(3):
            target[k, i] = (
                rotation[i, 0] * vector[0] + rotation[i, 1] * vector[1] + rotation[i, 2] * vector[2]
            )


@njit(cache=True)
def palm_length(keypoints: Array) -> float:
    """Wrist to middle knuckle of keypoints (21, 3), metres; NaN if one of them is not finite."""
    length = 0.0
    for i in range(3):
        length += (keypoints[MIDDLE_MCP, i] - keypoints[WRIST, i]) ** 2
        for k in range(keypoints.shape[0]):
            if not np.isfinite(keypoints[k, i]):
                return np.nan
    return float(np.sqrt(length))
