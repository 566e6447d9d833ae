"""From crops as pictures to hands in metres."""

from __future__ import annotations

from math import tanh
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rejshand_ros.hand.keypoints import WRIST
from rejshand_ros.inference.estimate import CropEstimate
from rejshand_ros.inference.runtime import Runtime


class CropPredictor(Protocol):
    """What estimates the hand in crops: the project's network, or another's."""

    @property
    def input_size(self) -> int:
        """Side of the crops, pixels."""

    def predict(self, crops: NDArray[np.uint8]) -> list[CropEstimate]:
        """Estimate the hand in each crop (N, S, S, 3), uint8, BGR, taken as a right one."""


class Predictor:
    """Turns crops into `CropEstimate`s with any runtime.

    Args:
        runtime: What runs the network.
    """

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    @property
    def input_size(self) -> int:
        """Side of the crops, pixels."""
        return self.runtime.input_size

    def predict(self, crops: NDArray[np.uint8]) -> list[CropEstimate]:
        """Estimate the hand in each crop, taken as a right one.

        Args:
            crops: (N, S, S, 3) uint8, BGR.

        Returns:
            One estimate a crop, relative to the wrist.

        Raises:
            InputError: Crops of another shape or type.
        """
        if len(crops) == 0:
            return []
        raw = self.runtime.run(crops)
        wrist = raw.keypoints_3d[:, WRIST : WRIST + 1].astype(float)
        keypoints = raw.keypoints_3d - wrist
        vertices = raw.vertices - wrist
        return [
            CropEstimate(
                raw.keypoints_2d[i].astype(float),
                keypoints[i],
                vertices[i],
                _probability(float(raw.presence_logit[i])),
                _probability(float(raw.right_logit[i])),
            )
            for i in range(len(crops))
        ]


def _probability(logit: float) -> float:
    """The logistic function, without overflow."""
    return 0.5 * (1.0 + tanh(0.5 * logit))
