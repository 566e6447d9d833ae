"""What a tracker is given, checked: an image and the camera that took it."""

from __future__ import annotations

import numpy as np

from rejshand_ros.errors import InputError
from rejshand_ros.geometry import PinholeCamera


def check_image(image: object, longest_px: int) -> None:
    """Refuse what no hand can be found in.

    Raises:
        InputError: Not a BGR uint8 image of 32 px to `longest_px`.
    """
    if not isinstance(image, np.ndarray) or image.ndim != 3 or image.shape[2] != 3:
        raise InputError(
            f"image of shape {getattr(image, 'shape', None)}; (height, width, 3) BGR needed"
        )
    if image.dtype != np.uint8:
        raise InputError(f"image of type {image.dtype}; uint8 needed")
    height, width = image.shape[:2]
    if not (32 <= height <= longest_px and 32 <= width <= longest_px):
        raise InputError(f"image of {width}x{height} px; 32 to {longest_px} px a side needed")


def check_camera(camera: PinholeCamera) -> None:
    """Refuse a camera that no place before it can be told from.

    Raises:
        InputError: Its matrix or its distortion is of no use.
    """
    matrix = np.asarray(camera.matrix, float)
    if matrix.shape != (3, 3) or matrix[2, 2] != 1 or not camera.is_usable:
        raise InputError(
            f"camera matrix {matrix.tolist()}, distortion {np.asarray(camera.distortion).tolist()};"
            " finite values with positive focal lengths needed"
        )
