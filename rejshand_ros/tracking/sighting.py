"""What the crop network saw in one image, taken out of its crop, and whether it can be a hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rejshand_ros.errors import InputError
from rejshand_ros.geometry import Array, PinholeCamera
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.inference.estimate import CropEstimate
from rejshand_ros.tracking.crop import CropCamera
from rejshand_ros.tracking.image_geometry import share_inside
from rejshand_ros.tracking.localiser import HandBox, box_of_keypoints
from rejshand_ros.tracking.wrist import place_hand

_ABSENCE_WEIGHT = 0.1
"""What a missing presence of 1 counts beside the error."""


@dataclass(frozen=True)
class Sighting:
    """A hand seen in one image, in the image's and the camera's terms, not smoothed.

    Attributes:
        stamp_ns: Capture time of the image, nanoseconds.
        keypoints_2d: (21, 2) pixels in the full image.
        keypoints_3d: (21, 3) metres, camera axes, relative to the wrist.
        vertices: (778, 3) metres, camera axes, relative to the wrist.
        box: The hand's box, from these keypoints.
        position: (3,) metres, where the wrist is if the keypoints' metres are right; NaN if no
            place before the camera explains them.
        error: Distance between the metric points and the image points, as a share of the hand.
        presence: Probability of a hand in the crop, 0..1.
        right_probability: Probability that the crop as given shows a right hand, 0..1.
    """

    stamp_ns: int
    keypoints_2d: Array
    keypoints_3d: Array
    vertices: Array
    box: HandBox
    position: Array
    error: float
    presence: float
    right_probability: float

    @property
    def badness(self) -> float:
        """How little this is to be believed: its error, and what its presence lacks."""
        return self.error + _ABSENCE_WEIGHT * (1.0 - self.presence)


def sighting(
    estimate: CropEstimate, crop: CropCamera, stamp_ns: int, camera: PinholeCamera
) -> Sighting:
    """Take an estimate out of its crop: points to pixels and camera axes, a mirror undone."""
    pixels = crop.to_image(estimate.keypoints_2d)
    keypoints = crop.points_to_camera(estimate.keypoints_3d)
    side = Side.LEFT if crop.mirror else Side.RIGHT
    try:
        position, error = place_hand(pixels, keypoints, camera)
    except InputError:
        # No place before the camera explains the points: as wrong as can be.
        position, error = np.full(3, np.nan), np.inf
    return Sighting(
        stamp_ns,
        pixels,
        keypoints,
        crop.points_to_camera(estimate.vertices),
        box_of_keypoints(pixels, crop.roll_rad, side, estimate.presence),
        position,
        error,
        estimate.presence,
        estimate.right_probability,
    )


def is_plausible(
    seen: Sighting, in_crop: Array, crop_side_px: float, shape: tuple[int, ...], smallest_px: float
) -> bool:
    """Whether a sighting is a hand that fits its crop and lies in the image.

    Args:
        seen: The sighting.
        in_crop: (21, 2) its keypoints in the crop, 0..1.
        crop_side_px: Side of the crop in the full image, pixels.
        shape: The image's height, width and so on, pixels.
        smallest_px: Boxes smaller than this are no hands, pixels.
    """
    if not (np.isfinite(seen.keypoints_2d).all() and np.isfinite(seen.error)):
        return False
    ratio = seen.box.side_px / crop_side_px
    if not 0.3 < ratio < 1.8 or seen.box.side_px < smallest_px:
        return False
    x, y = seen.box.centre.tolist()
    if not (0 <= x < shape[1] and 0 <= y < shape[0]):
        return False
    return share_inside(np.asarray(in_crop, float), 0.6) >= 0.75
