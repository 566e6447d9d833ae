"""Followed hands of any kind, for tests of messages."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rejshand_ros.geometry import RigidTransform, rotation_from_vector
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.tracking.tracked_hand import TrackedHand, TrackState

numbers = st.floats(-10, 10, width=32)
stamps = st.integers(1, 2**31 * 10**9 - 1)


@st.composite
def hands(draw):
    return TrackedHand(
        stamp_ns=draw(stamps),
        side=draw(st.sampled_from(Side)),
        state=draw(st.sampled_from([TrackState.TRACKING, TrackState.HELD])),
        score=draw(st.floats(0, 1, width=32)),
        keypoints_2d=draw(arrays(np.float32, (21, 2), elements=numbers)).astype(float),
        keypoints_3d=draw(arrays(float, (21, 3), elements=numbers)),
        vertices=draw(arrays(np.float32, (778, 3), elements=numbers, fill=numbers)).astype(float),
        camera_from_wrist=RigidTransform(
            rotation_from_vector(draw(arrays(float, 3, elements=numbers))),
            draw(arrays(float, 3, elements=numbers)),
        ),
        hand_length_m=draw(st.floats(0.125, 0.25, width=32)),
        intrinsics_assumed=draw(st.booleans()),
    )
