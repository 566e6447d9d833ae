"""What a byte of an image is to the network."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

FULL_SCALE = 255.0
"""A channel's brightest byte."""
MIDDLE = 127.5
"""The byte value that is zero to the network."""

_AS_FLOAT = ((np.arange(256, dtype=np.float64) - MIDDLE) / FULL_SCALE).astype(np.float32)


def network_input(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Crops (N, S, S, 3) uint8 BGR as the network takes them: (N, 3, S, S) RGB/255 - 0.5."""
    count, height, width, channels = crops.shape
    planes = np.empty((count, channels, height, width), np.float32)
    for crop, of_crop in zip(crops, planes, strict=True):
        for index, plane in enumerate(of_crop):
            # A table of 256 values turns and scales a channel in one pass over it.
            cv2.LUT(cv2.extractChannel(crop, channels - 1 - index), _AS_FLOAT, dst=plane)
    return planes
