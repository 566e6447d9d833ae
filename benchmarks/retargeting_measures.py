"""What is measured of a sequence of joint positions: limits, speed, jerk, lag, gaps, overlaps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.retargeting_motions import RATE_HZ
from rejshand_ros.geometry import Array
from rejshand_ros.hand.keypoints import finger_keypoints
from rejshand_ros.retargeting.calibration_session import finger_base
from rejshand_ros.retargeting.capsules import pair_distances
from rejshand_ros.retargeting.hand_parts import Pad
from rejshand_ros.retargeting.robot_model import RobotModel

_LONGEST_LAG_S = 0.4
_OVERLAP_M = 1e-3


def limit_violations(model: RobotModel, positions: Array) -> int:
    """Joint positions (t, n) outside the URDF's limits, counted."""
    robot = model.config
    return int(((positions < robot.lower) | (positions > robot.upper)).sum())


def velocity_ratio(model: RobotModel, positions: Array) -> float:
    """Largest joint velocity over its limit."""
    velocity = np.abs(np.diff(positions, axis=0)) * RATE_HZ
    return float((velocity / model.config.velocity).max())


def jerk(positions: Array) -> float:
    """Root mean square of the joints' jerk, radians a second cubed."""
    return float(np.sqrt(np.mean((np.diff(positions, 3, axis=0) * RATE_HZ**3) ** 2)))


def fingertips(model: RobotModel, positions: Array) -> Array:
    """Fingertips (t, f, 3) in the root link's frame, metres."""
    links = model.config.fingertip_links
    return np.array([[*model.link_positions(q, links).values()] for q in positions])


def lag_s(human: Array, robot: Array) -> float:
    """Delay of the human fingertips (t, f, 3) that correlates best with the robot's, seconds.

    Correlations at whole frames, and the top of the parabola through the best three: a delay
    between frames would need the human's motion between frames.
    """
    most = round(_LONGEST_LAG_S * RATE_HZ)
    count = len(human) - most
    late = _centred(robot.reshape(len(robot), -1)[most:])
    flat = human.reshape(len(human), -1)
    scores = np.array(
        [
            np.mean((_centred(flat[most - lag : most - lag + count]) * late).sum(0))
            for lag in range(most + 1)
        ]
    )
    best = int(np.clip(np.argmax(scores), 1, most - 1))
    before, top, after = scores[best - 1 : best + 2]
    return float((best + 0.5 * (before - after) / (before - 2 * top + after)) / RATE_HZ)


def _centred(columns: Array) -> Array:
    columns = columns - columns.mean(0)
    return np.asarray(columns / (np.linalg.norm(columns, axis=0) + 1e-9))


def direction_error_deg(model: RobotModel, human: Array, positions: Array) -> float:
    """Mean angle between human and robot fingers, from base to tip, degrees.

    Args:
        model: The robot.
        human: (t, 21, 3) operator frame.
        positions: (t, n) radians.
    """
    robot = model.config
    rest = model.link_poses(robot.rest)
    turn = (rest[robot.operator_link] @ robot.operator_link_from_frame).rotation
    angles = []
    for keypoints, q in zip(human, positions, strict=True):
        tips = model.link_positions(q, robot.fingertip_links)
        for finger, link in robot.fingertip_links.items():
            first, *_, last = finger_keypoints(finger)
            ours = (tips[finger] - finger_base(model.joint_places(q, link))) @ turn
            theirs = keypoints[last] - keypoints[first]
            cosine = ours @ theirs / (np.linalg.norm(ours) * np.linalg.norm(theirs))
            angles.append(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))
    return float(np.mean(angles))


def pinch_gaps(model: RobotModel, positions: Array, fingers: Sequence[str]) -> Array:
    """Gaps (t,) between the surfaces of thumb and named finger, beyond the margin, metres.

    Args:
        model: The robot.
        positions: (t, n) radians.
        fingers: The finger of each frame.
    """
    margin = model.config.collision.margin_m if model.config.collision else 0.0
    thumb = model.config.fingers["thumb"].pad
    gaps = []
    for q, finger in zip(positions, fingers, strict=True):
        pad = model.config.fingers[finger].pad
        assert isinstance(thumb, Pad)
        assert isinstance(pad, Pad)
        poses = model.link_poses(q)
        between = poses[thumb.link].apply(thumb.centre) - poses[pad.link].apply(pad.centre)
        distance = float(np.linalg.norm(between)) - thumb.radius_m - pad.radius_m
        gaps.append(max(distance - margin, 0.0))
    return np.array(gaps)


def overlaps(model: RobotModel, positions: Array) -> Array:
    """Deepest overlap of two capsules in each frame (t,), metres; negative where all are apart."""
    collision = model.config.collision
    assert collision is not None
    pairs = np.array(collision.pairs, np.int64)
    radii = np.array([capsule.radius_m for capsule in collision.capsules])
    distances = np.empty(len(pairs))
    deepest = []
    for q in positions:
        poses = model.link_poses(q)
        starts = np.array([poses[c.link].apply(c.start) for c in collision.capsules])
        ends = np.array([poses[c.link].apply(c.end) for c in collision.capsules])
        pair_distances(starts, ends, radii, pairs, distances)
        deepest.append(-distances.min())
    return np.array(deepest)


def overlap_share(depths: Array) -> float:
    """Share of frames in which two capsules overlap by more than a millimetre."""
    return float((depths > _OVERLAP_M).mean())
