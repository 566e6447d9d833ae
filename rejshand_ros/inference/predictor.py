"""From crops as pictures to hands in metres."""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from rejshand_ros.errors import InputError
from rejshand_ros.hand.keypoints import WRIST
from rejshand_ros.inference.estimate import CropEstimate
from rejshand_ros.inference.runtime import FloatArray, Runtime

_AS_FLOAT = (np.arange(256, dtype=np.float32) * np.float32(1 / 255) - np.float32(0.5)).astype(
    np.float32
)
"""What a byte of an image is to the network."""


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
        size = self.input_size
        if crops.ndim != 4 or crops.shape[1:] != (size, size, 3) or crops.dtype != np.uint8:
            raise InputError(
                f"crops of shape {crops.shape} and type {crops.dtype};"
                f" (N, {size}, {size}, 3) uint8 needed"
            )
        if len(crops) == 0:
            return []
        raw = self.runtime.run(network_input(crops))
        wrist = raw.keypoints_3d[:, WRIST : WRIST + 1].astype(float)
        keypoints = raw.keypoints_3d - wrist
        vertices = raw.vertices - wrist
        presence = _probability(raw.presence_logit)
        right = _probability(raw.right_logit)
        return [
            CropEstimate(
                raw.keypoints_2d[i].astype(float),
                keypoints[i],
                vertices[i],
                float(presence[i]),
                float(right[i]),
            )
            for i in range(len(crops))
        ]


def network_input(crops: NDArray[np.uint8]) -> FloatArray:
    """Crops (N, S, S, 3) uint8 BGR as the network takes them: (N, 3, S, S) RGB/255 - 0.5."""
    count, height, width, channels = crops.shape
    planes = np.empty((count, channels, height, width), np.float32)
    for crop, of_crop in zip(crops, planes, strict=True):
        for index, plane in enumerate(of_crop):
            # A table of 256 values turns and scales a channel in one pass over it.
            cv2.LUT(cv2.extractChannel(crop, channels - 1 - index), _AS_FLOAT, dst=plane)
    return planes


def _probability(logit: FloatArray) -> NDArray[np.float64]:
    """The logistic function, without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * logit.astype(float))))
