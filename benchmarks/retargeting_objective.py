"""dex-retargeting's pinch objective as one of this project's, and the value of either."""

from __future__ import annotations

import numpy as np

from rejshand_ros.geometry import Array
from rejshand_ros.retargeting.hand_parts import ObjectiveConfig
from rejshand_ros.retargeting.objectives import VectorObjective
from rejshand_ros.retargeting.robot_model import RobotModel

NEAR_M, FAR_M, FINGERS_NEAR_M = 0.03, 0.05, 0.03
TOUCH_M, APART_M = 1e-4, 3e-2
THUMB_WEIGHT, FINGER_WEIGHT = 200.0, 400.0


class PeerPinchObjective(VectorObjective):
    """DexPilot's objective with dex-retargeting's constants: terms jump as human tips near."""

    def __init__(self, model: RobotModel, config: ObjectiveConfig) -> None:
        """Lay out the terms: all pairs of fingertips, the thumb's first, then wrist to tips."""
        super().__init__(model, config)
        fingers = len(model.config.fingers)
        self._pairs = fingers * (fingers - 1) // 2
        self._thumb_pairs = fingers - 1
        self._snapped = np.zeros(self._pairs, bool)
        self._ends = [(i, j) for i in range(fingers - 2) for j in range(i + 1, fingers - 1)]

    def update(self, keypoints: Array, period_s: float) -> None:
        """Snap or let go by the human keypoints alone, then fill targets and weights in."""
        super().update(keypoints, period_s)
        vectors = (keypoints[self._to] - keypoints[self._from])[: self._pairs]
        distances = np.sqrt((vectors * vectors).sum(1))
        thumb = self._thumb_pairs
        self._snapped[:thumb] |= distances[:thumb] < NEAR_M
        self._snapped[:thumb] &= distances[:thumb] <= FAR_M
        for k, (i, j) in enumerate(self._ends, start=thumb):
            both = self._snapped[i] and self._snapped[j]
            self._snapped[k] = both and distances[k] <= FINGERS_NEAR_M
        lengths = np.where(np.arange(self._pairs) < thumb, TOUCH_M, APART_M)
        heavy = np.where(np.arange(self._pairs) < thumb, THUMB_WEIGHT, FINGER_WEIGHT)
        snapped = vectors * (lengths / (distances + 1e-6))[:, None] @ self._turn
        pairs = slice(0, self._pairs)
        self.terms.target[pairs] = np.where(
            self._snapped[:, None], snapped, self.terms.target[pairs]
        )
        self.terms.weight[pairs] = np.where(
            self._snapped, heavy * self._base_weight[pairs], self._base_weight[pairs]
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
