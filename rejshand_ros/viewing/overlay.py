"""Draw a tracked hand on a camera image."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from rejshand_ros.geometry import Array
from rejshand_ros.hand.keypoints import BONES, FINGERS, FINGERTIPS, KEYPOINT_COUNT
from rejshand_ros.viewing.colours import FINGER_RGB, PALM_RGB

FINGER_COLOURS_BGR = {finger: colour[::-1] for finger, colour in FINGER_RGB.items()}
_PALM_COLOUR_BGR = PALM_RGB[::-1]
_SUBPIXEL_BITS = 4


def finger_of(keypoint: int) -> str:
    """Name of the finger that a keypoint other than the wrist belongs to."""
    return FINGERS[(keypoint - 1) // 4]


def draw_skeleton(
    image: NDArray[np.uint8], keypoints_2d: Array, *, faded: bool = False
) -> NDArray[np.uint8]:
    """Draw bones and joints in place and return the image.

    Args:
        image: (H, W, 3) BGR.
        keypoints_2d: (21, 2) pixels.
        faded: For an estimate held from before: thin lines.
    """
    if keypoints_2d.shape != (KEYPOINT_COUNT, 2) or not np.isfinite(keypoints_2d).all():
        return image
    scale = max(image.shape[:2]) / 640
    thickness = max(1, round(scale * (1 if faded else 2.2)))
    radius = max(2, round(scale * 3.2))
    limit = 4 * max(image.shape[:2])
    points = np.clip(keypoints_2d, -limit, limit) * (1 << _SUBPIXEL_BITS)
    pixels = [tuple(map(int, np.rint(point))) for point in points]
    for parent, child in BONES:
        colour = _PALM_COLOUR_BGR if parent == 0 else FINGER_COLOURS_BGR[finger_of(child)]
        for width, paint in ((thickness + 2, (30, 30, 30)), (thickness, colour)):
            if faded and paint == (30, 30, 30):
                continue
            cv2.line(
                image,
                pixels[parent],
                pixels[child],
                paint,
                width,
                cv2.LINE_AA,
                _SUBPIXEL_BITS,
            )
    for index, pixel in enumerate(pixels):
        colour = _PALM_COLOUR_BGR if index == 0 else FINGER_COLOURS_BGR[finger_of(index)]
        size = (radius + (1 if index in FINGERTIPS else 0)) << _SUBPIXEL_BITS
        cv2.circle(image, pixel, size, (30, 30, 30), -1, cv2.LINE_AA, _SUBPIXEL_BITS)
        cv2.circle(image, pixel, int(size * 0.72), colour, -1, cv2.LINE_AA, _SUBPIXEL_BITS)
    return image


def draw_label(
    image: NDArray[np.uint8],
    lines: list[str],
    corner: tuple[int, int] = (12, 12),
    *,
    colour_bgr: tuple[int, int, int] = (245, 245, 245),
) -> NDArray[np.uint8]:
    """Write lines of text on a darkened plate, in place.

    Args:
        image: (H, W, 3) BGR.
        lines: Text from top to bottom.
        corner: (x, y) of the plate's top left corner, pixels.
        colour_bgr: Of the text.
    """
    font, size = cv2.FONT_HERSHEY_SIMPLEX, 0.5
    measures = [cv2.getTextSize(line, font, size, 1)[0] for line in lines]
    width = max((m[0] for m in measures), default=0) + 16
    height = 22 * len(lines) + 8
    x, y = corner
    plate = image[y : y + height, x : x + width]
    plate[:] = (plate * 0.45).astype(np.uint8)
    for row, line in enumerate(lines):
        origin = (x + 8, y + 20 + 22 * row)
        cv2.putText(image, line, origin, font, size, colour_bgr, 1, cv2.LINE_AA)
    return image
