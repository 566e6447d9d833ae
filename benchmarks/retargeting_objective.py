"""dex-retargeting's pinch objective as one of this project's, and the value of either."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from rejshand_ros.geometry import Array
from rejshand_ros.retargeting.hand_parts import ObjectiveConfig
from rejshand_ros.retargeting.objectives import VectorObjective
from rejshand_ros.retargeting.robot_model import RobotModel
from rejshand_ros.retargeting.targets import HumanVectors

NEAR_M, FAR_M, FINGERS_NEAR_M = 0.03, 0.05, 0.03
TOUCH_M, APART_M = 1e-4, 3e-2
THUMB_WEIGHT, FINGER_WEIGHT = 200.0, 400.0


class PeerPinchObjective(VectorObjective):
    """DexPilot's objective with dex-retargeting's constants: terms jump as human tips near."""

    def __init__(self, model: RobotModel, config: ObjectiveConfig) -> None:
        """Lay out the terms: all pairs of fingertips, the thumb's first, then wrist to tips."""
        super().__init__(model, config)
        fingers = len(model.config.fingers)
        self._snapped = np.zeros(fingers * (fingers - 1) // 2, np.bool_)
        self._thumb_pairs = fingers - 1

    def update(self, keypoints: Array, period_s: float) -> None:
        """Snap or let go by the human keypoints alone, then fill targets and weights in."""
        super().update(keypoints, period_s)
        _snap(
            keypoints,
            self.vectors,
            self._base_weight,
            self._thumb_pairs,
            self._snapped,
            self.terms.target,
            self.terms.weight,
        )

    def reset(self) -> None:
        """What is snapped outlives a new start: it follows from the human alone."""


def value(model: RobotModel, objective: VectorObjective, positions: Array) -> float:
    """The robust part of an objective at joint positions (n,): by pinocchio, in plain numpy."""
    poses = model.link_poses(positions)
    terms = objective.terms
    places = np.array([poses[link].apply(local) for link, local in objective.points])
    errors = np.linalg.norm(places[terms.end] - places[terms.start] - terms.target, axis=1)
    huber = terms.huber
    rho = np.where(errors < huber, 0.5 * errors**2 / huber, errors - 0.5 * huber)
    return float(terms.weight @ rho)


@njit(cache=True)
def _snap(
    keypoints: Array,
    vectors: HumanVectors,
    base_weight: Array,
    thumb_pairs: int,
    snapped: NDArray[np.bool_],
    target: Array,
    weight: Array,
) -> None:
    """Change targets and weights of the pairs that have snapped; `snapped` is kept up to date."""
    distances = np.empty(snapped.shape[0])
    for k in range(snapped.shape[0]):
        between = keypoints[vectors.end[k]] - keypoints[vectors.start[k]]
        distances[k] = np.sqrt((between * between).sum())
    k = thumb_pairs
    for i in range(thumb_pairs):
        snapped[i] = (snapped[i] or distances[i] < NEAR_M) and distances[i] <= FAR_M
    for i in range(thumb_pairs - 1):
        for j in range(i + 1, thumb_pairs):
            snapped[k] = snapped[i] and snapped[j] and distances[k] <= FINGERS_NEAR_M
            k += 1
    for k in range(snapped.shape[0]):
        weight[k] = base_weight[k]
        if snapped[k]:
            length, factor = (
                (TOUCH_M, THUMB_WEIGHT) if k < thumb_pairs else (APART_M, FINGER_WEIGHT)
            )
            weight[k] *= factor
            between = keypoints[vectors.end[k]] - keypoints[vectors.start[k]]
            between *= length / (distances[k] + 1e-6)
            for i in range(3):
                target[k, i] = (vectors.root_from_operator[i] * between).sum()
