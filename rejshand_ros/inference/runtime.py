"""What every way of running the network has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rejshand_ros.errors import InputError

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class RawOutput:
    """The network's five tensors for a batch of crops, each taken as a right hand.

    Attributes:
        keypoints_2d: (N, 21, 2) in the crop, 0..1.
        keypoints_3d: (N, 21, 3) metres, crop axes, relative to keypoint 9 (middle MCP).
        vertices: (N, 778, 3) metres, crop axes, relative to keypoint 9.
        presence_logit: (N,) logit of the probability that the crop holds a hand.
        right_logit: (N,) logit of the probability that the crop shows a right hand.
    """

    keypoints_2d: FloatArray
    keypoints_3d: FloatArray
    vertices: FloatArray
    presence_logit: FloatArray
    right_logit: FloatArray


OUTPUT_NAMES = ("keypoints_2d", "keypoints_3d", "vertices", "presence_logit", "right_logit")
"""Names and order of the network's outputs in every exported file."""


class Runtime(ABC):
    """Runs one network.

    Attributes:
        name: For people and summaries, e.g. ``"openvino (CPU, bf16)"``.
        input_size: Side of the crops that it takes, pixels.
    """

    name: str
    input_size: int

    def run(self, crops: NDArray[np.uint8]) -> RawOutput:
        """Run on crops.

        Args:
            crops: (N, S, S, 3) uint8, BGR, N at least 1.

        Raises:
            InputError: Crops of another shape or type.
        """
        size = self.input_size
        if crops.ndim != 4 or crops.shape[1:] != (size, size, 3) or crops.dtype != np.uint8:
            raise InputError(
                f"crops of shape {crops.shape} and type {crops.dtype};"
                f" (N, {size}, {size}, 3) uint8 needed"
            )
        return self._run(crops)

    @abstractmethod
    def _run(self, crops: NDArray[np.uint8]) -> RawOutput:
        """Run on crops that fit."""
