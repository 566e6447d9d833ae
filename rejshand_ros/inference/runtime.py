"""What every way of running the network has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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

    @abstractmethod
    def run(self, batch: FloatArray) -> RawOutput:
        """Run on crops (N, 3, S, S), RGB/255 - 0.5, float32."""
