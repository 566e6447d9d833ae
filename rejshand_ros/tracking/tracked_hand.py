"""A hand followed through the images of one camera."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from rejshand_ros.geometry import Array, RigidTransform
from rejshand_ros.hand.keypoints import Side


class TrackState(Enum):
    """How the newest estimate of a hand came about; values as in rejshand_msgs/HandPose."""

    LOST = 0
    TRACKING = 1
    HELD = 2


@dataclass(frozen=True)
class TrackedHand:
    """One hand at the capture of one image.

    Attributes:
        stamp_ns: Capture time of the image, nanoseconds.
        side: The real side of the person's hand.
        state: Seen now, held from before, or lost.
        score: Probability of a hand in the crop, 0..1.
        keypoints_2d: (21, 2) pixels in the full image.
        keypoints_3d: (21, 3) metres, camera axes, relative to the wrist.
        vertices: (778, 3) metres, camera axes, relative to the wrist.
        camera_from_wrist: Pose of the wrist frame in the camera's optical frame.
        hand_length_m: Wrist to tip of the straightened middle finger.
        intrinsics_assumed: The camera is uncalibrated and a field of view was assumed.
    """

    stamp_ns: int
    side: Side
    state: TrackState
    score: float
    keypoints_2d: Array
    keypoints_3d: Array
    vertices: Array
    camera_from_wrist: RigidTransform
    hand_length_m: float
    intrinsics_assumed: bool
