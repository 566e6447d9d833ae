"""Looking closely at a place of the image: the crop network on a box, and what it says there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rejshand_ros.geometry import PinholeCamera
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.inference.predictor import CropPredictor
from rejshand_ros.tracking.crop import CropCamera
from rejshand_ros.tracking.localiser import HandBox
from rejshand_ros.tracking.sighting import Sighting, is_plausible, sighting

_FINDER_SHARE = 0.2
"""What the finder's opinion of the side counts beside the close look's."""

Look = tuple[Sighting, bool]
"""What is seen in a box, and whether it is a hand that fits the box."""


class CloseLook:
    """Runs the crop network on boxes of an image.

    Args:
        predictor: The crop network, or what stands in for it.
        smallest_px: Boxes smaller than this are no hands, pixels.
    """

    def __init__(self, predictor: CropPredictor, smallest_px: float) -> None:
        self._predictor, self._smallest_px = predictor, smallest_px

    def look(
        self,
        image: NDArray[np.uint8],
        stamp_ns: int,
        camera: PinholeCamera,
        boxes: Sequence[HandBox],
        mirrors: Sequence[bool],
    ) -> list[Look]:
        """What is seen in each box.

        Args:
            image: (H, W, 3) uint8, BGR.
            stamp_ns: Its capture time, nanoseconds.
            camera: The camera that took it.
            boxes: Where to look.
            mirrors: Whether each is looked at in a mirror, as left hands are.
        """
        if not boxes:
            return []
        size = self._predictor.input_size
        crops = [
            CropCamera.around(camera, box.centre, box.side_px, box.roll_rad, size, mirror)
            for box, mirror in zip(boxes, mirrors, strict=True)
        ]
        pictures = [crop.warp(image) for crop in crops]
        one = len(pictures) == 1
        estimates = self._predictor.predict(pictures[0][None] if one else np.stack(pictures))
        looks = []
        for estimate, crop in zip(estimates, crops, strict=True):
            seen = sighting(estimate, crop, stamp_ns, camera)
            points, side_px = estimate.keypoints_2d, crop.side_px
            fits = is_plausible(seen, points, side_px, image.shape, self._smallest_px)
            looks.append((seen, fits))
        return looks

    def both_sides(
        self, image: NDArray[np.uint8], stamp_ns: int, camera: PinholeCamera, find: HandBox
    ) -> tuple[Look, Look]:
        """A find as it is and in a mirror: as a right hand and as a left one."""
        plain, mirrored = self.look(image, stamp_ns, camera, [find, find], [False, True])
        return plain, mirrored


def right_probability(find: HandBox, plain: Sighting, mirrored: Sighting) -> float:
    """Probability that a find is a right hand, by the close look and by the finder.

    Args:
        find: The find.
        plain: What the network sees in it.
        mirrored: What it sees in its mirror image: the one opinion checks the other.
    """
    right = 0.5 * (plain.right_probability + 1.0 - mirrored.right_probability)
    if find.side is not None:
        right += _FINDER_SHARE * ((find.side is Side.RIGHT) - right)
    return right
