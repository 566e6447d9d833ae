"""A hand as tracking hands it on, for tests of what shows it."""

from __future__ import annotations

import numpy as np

from rejshand_ros.geometry import RigidTransform, rotation_from_vector
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.hand.template import load_template
from rejshand_ros.tracking.tracked_hand import TrackedHand, TrackState

CAMERA = "camera_optical_frame"
STAMP_NS = 1_700_000_000_123_456_789
WRIST = RigidTransform(rotation_from_vector([0.3, -2.0, 0.4]), np.array([0.05, 0.1, 0.6]))


def followed_hand(side: Side = Side.RIGHT) -> TrackedHand:
    """The template's hand, seen somewhere before the camera."""
    template = load_template()
    mirror = np.array([1.0, -1.0 if side is Side.LEFT else 1.0, 1.0])
    return TrackedHand(
        stamp_ns=STAMP_NS,
        side=side,
        state=TrackState.TRACKING,
        score=0.9,
        keypoints_2d=np.zeros((21, 2)),
        keypoints_3d=(template.rest_keypoints * mirror) @ WRIST.rotation.T,
        vertices=(template.vertices * mirror) @ WRIST.rotation.T,
        camera_from_wrist=WRIST,
        hand_length_m=0.19,
        intrinsics_assumed=False,
    )
