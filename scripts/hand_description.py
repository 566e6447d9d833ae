"""What the template hand looks like: skeleton, radii and the smooth solid around them.

All lengths in metres. Proportions follow published averages of adult hand anthropometry (hand
length 185 mm, breadth 85 mm, phalanges as usual shares of the finger's length); the shapes are
the project's own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rejshand_ros.geometry import rotation_from_vector
from rejshand_ros.hand.frame import in_wrist_frame, wrist_frame
from rejshand_ros.hand.keypoints import FINGERS, Side, finger_keypoints

Array = NDArray[np.float64]

# Rough wrist frame: x out of the palm, y to the thumb, z to the fingers; set straight at the end.
KNUCKLES = {
    "index": (-0.001, 0.0265, 0.0900),
    "middle": (-0.003, 0.0050, 0.0905),
    "ring": (-0.0005, -0.0145, 0.0850),
    "little": (0.004, -0.0315, 0.0765),
}
SEGMENTS = {
    "thumb": (0.0420, 0.0325, 0.0280),
    "index": (0.0405, 0.0245, 0.0225),
    "middle": (0.0435, 0.0280, 0.0240),
    "ring": (0.0405, 0.0265, 0.0235),
    "little": (0.0320, 0.0190, 0.0205),
}
"""Lengths base to end; the last one reaches the very end of the finger."""
TIP_DEG = 50.0
"""A fingertip keypoint lies on the rounded end, this far from the finger's length towards the
nail: where people mark a fingertip that they see from any side."""
RADII = {
    "thumb": (0.0150, 0.0118, 0.0105, 0.0086),
    "index": (0.0118, 0.0092, 0.0080, 0.0070),
    "middle": (0.0120, 0.0094, 0.0082, 0.0072),
    "ring": (0.0113, 0.0088, 0.0077, 0.0068),
    "little": (0.0102, 0.0078, 0.0068, 0.0060),
}
"""Radii at base, middle joints and tip."""
FAN_DEG = {"index": 6.0, "middle": 0.5, "ring": -6.0, "little": -12.0}
"""Directions of the fingers in the palm's plane, towards the thumb positive."""
ROLL_DEG = {"index": -6.0, "middle": 0.0, "ring": 7.0, "little": 13.0}
"""Turn of each finger about its length: the arch of the palm makes closing fingers converge."""
REST_FLEXION_DEG = (6.0, 10.0, 6.0)
"""Slight bend of MCP, PIP and DIP at rest, as in a hand lying relaxed."""
THUMB_BASE = (0.010, 0.0225, 0.0200)
THUMB_DIRECTION = (0.33, 0.60, 0.72)
THUMB_FLEXES_TOWARDS = (0.42, -0.85, 0.30)
THUMB_REST_FLEXION_DEG = (0.0, 10.0, 8.0)


@dataclass(frozen=True)
class RoundCone:
    """A capsule whose radius changes along its length."""

    start: Array
    end: Array
    start_radius: float
    end_radius: float

    def distance(self, points: Array) -> Array:
        """Signed distance (n,) of points (n, 3) to the cone's surface, negative inside."""
        axis = self.end - self.start
        along = np.clip((points - self.start) @ axis / (axis @ axis), 0.0, 1.0)
        gap = np.linalg.norm(points - self.start - along[:, None] * axis, axis=1)
        return np.asarray(gap - (self.start_radius + along * (self.end_radius - self.start_radius)))


@dataclass(frozen=True)
class Skeleton:
    """The resting skeleton in the wrist frame.

    Attributes:
        keypoints: (21, 3); the tips on the surface, just below the nails.
        ends: (5, 3) the very ends of the fingers.
        flexion_axes: (5, 3) unit axis about which each finger closes.
        abduction_axes: (5, 3) unit axis that moves each finger towards the thumb's side (for the
            thumb: away from the palm).
        twist_axis: (3,) the thumb metacarpal's length.
    """

    keypoints: Array
    ends: Array
    flexion_axes: Array
    abduction_axes: Array
    twist_axis: Array


def _turn(axis: Array, degrees: float) -> Array:
    return rotation_from_vector(axis * np.radians(degrees))


def _unit(vector: Array) -> Array:
    return np.asarray(vector / np.linalg.norm(vector))


def build_skeleton() -> Skeleton:
    """Lay out the keypoints and the axes of the joints, in the exact wrist frame."""
    keypoints = np.zeros((21, 3))
    ends, flexion, abduction = np.zeros((5, 3)), np.zeros((5, 3)), np.zeros((5, 3))
    x, y, z = np.eye(3)
    twist = _unit(np.array(THUMB_DIRECTION))
    for number, finger in enumerate(FINGERS):
        if finger == "thumb":
            base, direction = np.array(THUMB_BASE), twist
            towards = np.array(THUMB_FLEXES_TOWARDS)
            axis = _unit(np.cross(direction, towards))
            outwards = _unit(np.cross(axis, direction))
            bends: tuple[float, ...] = THUMB_REST_FLEXION_DEG
            # Palmar abduction: away from the plane of the palm, at right angles to flexion.
            abduction[number] = outwards if (np.cross(outwards, direction) @ x) > 0 else -outwards
        else:
            base = np.array(KNUCKLES[finger])
            to_thumb = _turn(-x, FAN_DEG[finger])
            direction = to_thumb @ z
            axis = _turn(direction, ROLL_DEG[finger]) @ (to_thumb @ y)
            bends = REST_FLEXION_DEG
            abduction[number] = -_unit(np.cross(direction, np.cross(x, direction)))
        flexion[number] = axis
        first = finger_keypoints(finger)[0]
        keypoints[first] = base
        for step, length in enumerate(SEGMENTS[finger]):
            direction = _turn(axis, bends[step]) @ direction
            keypoints[first + step + 1] = keypoints[first + step] + length * direction
        ends[number] = keypoints[first + 3]
        radius, lift = RADII[finger][3], np.radians(TIP_DEG)
        to_nail = np.cross(direction, axis)
        keypoints[first + 3] += radius * ((np.cos(lift) - 1) * direction + np.sin(lift) * to_nail)
    turn = wrist_frame(keypoints, Side.RIGHT).rotation
    return Skeleton(
        in_wrist_frame(keypoints, Side.RIGHT),
        ends @ turn,
        flexion @ turn,
        abduction @ turn,
        twist @ turn,
    )


def smooth_union(a: Array, b: Array, blend: float) -> Array:
    """Union of two signed distances with a fillet of about the size `blend` (quadratic)."""
    overlap = np.maximum(blend - np.abs(a - b), 0.0) / blend
    return np.asarray(np.minimum(a, b) - 0.25 * blend * overlap**2)


def finger_cones(skeleton: Skeleton, finger: str) -> list[RoundCone]:
    """Round cones of a finger's phalanges (of the thumb: from its metacarpal on)."""
    first = finger_keypoints(finger)[0]
    points = skeleton.keypoints[first : first + 4].copy()
    points[3] = skeleton.ends[FINGERS.index(finger)]
    radii = RADII[finger]
    # The last cone's round cap reaches the finger's end.
    tip_direction = _unit(points[3] - points[2])
    points[3] = points[3] - tip_direction * radii[3]
    return [RoundCone(points[i], points[i + 1], radii[i], radii[i + 1]) for i in range(3)]


def _palm_cones(skeleton: Skeleton) -> list[RoundCone]:
    k = skeleton.keypoints
    cones = [
        RoundCone(np.array([0.0, 0.010, -0.012]), np.array([0.001, 0.013, 0.020]), 0.0185, 0.0165),
        RoundCone(np.array([0.0, -0.010, -0.012]), np.array([0.001, -0.013, 0.02]), 0.0180, 0.0165),
        RoundCone(np.array([0.001, 0.012, 0.015]), k[5], 0.0150, 0.0120),
        RoundCone(np.array([0.000, 0.004, 0.015]), k[9], 0.0150, 0.0125),
        RoundCone(np.array([0.001, -0.005, 0.015]), k[13], 0.0150, 0.0120),
        RoundCone(np.array([0.002, -0.013, 0.015]), k[17], 0.0150, 0.0105),
        # Ball of the little finger, and the soft ridge under the knuckles.
        RoundCone(
            np.array([0.0075, -0.021, 0.020]), np.array([0.007, -0.0285, 0.058]), 0.0150, 0.0125
        ),
        RoundCone(k[5] + [0.005, -0.002, 0.000], k[17] + [0.003, 0.002, 0.002], 0.0095, 0.0090),
    ]
    # The palm reaches past the knuckles: the webs lie well up the first phalanges.
    for finger in FINGERS[1:]:
        first = finger_keypoints(finger)[0]
        end = k[first] + 0.30 * (k[first + 1] - k[first]) + [0.002, 0.0, 0.0]
        radius = 0.92 * RADII[finger][0]
        cones.append(RoundCone(k[first], end, radius, 0.92 * radius))
    return cones


def _web_cones(skeleton: Skeleton) -> list[RoundCone]:
    k = skeleton.keypoints
    # Skin and muscle between the metacarpals of thumb and index finger, and the thumb's ball.
    return [
        RoundCone(k[1] + 0.45 * (k[2] - k[1]), 0.55 * k[5] + [0.004, 0, 0], 0.0105, 0.0110),
        RoundCone(k[1] + 0.75 * (k[2] - k[1]), 0.72 * k[5] + [0.003, 0, 0], 0.0070, 0.0085),
        RoundCone(np.array([0.008, 0.012, 0.016]), k[1] + 0.75 * (k[2] - k[1]), 0.0155, 0.0130),
    ]


def hand_distance(skeleton: Skeleton, points: Array) -> Array:
    """Signed distance-like field (n,) of the whole hand at points (n, 3), negative inside."""

    def union(cones: list[RoundCone], blend: float) -> Array:
        field = cones[0].distance(points)
        for cone in cones[1:]:
            field = smooth_union(field, cone.distance(points), blend)
        return field

    palm = union(_palm_cones(skeleton), 0.015)
    palm = smooth_union(palm, union(_web_cones(skeleton), 0.010), 0.012)
    palm = smooth_union(palm, union(finger_cones(skeleton, "thumb"), 0.004), 0.008)
    # Each finger blends with the palm but not with its neighbours: no webs between fingers.
    fields = [
        smooth_union(palm, union(finger_cones(skeleton, finger), 0.003), 0.005)
        for finger in FINGERS[1:]
    ]
    return np.asarray(np.min(fields, axis=0))


def project_to_surface(skeleton: Skeleton, points: Array, steps: int = 4) -> Array:
    """Points (n, 3) moved along the field's gradient onto the hand's surface."""
    moved = points.copy()
    h = 1e-4
    for _ in range(steps):
        value = hand_distance(skeleton, moved)
        gradient = np.stack(
            [
                (hand_distance(skeleton, moved + h * e) - hand_distance(skeleton, moved - h * e))
                / (2 * h)
                for e in np.eye(3)
            ],
            axis=1,
        )
        size = np.maximum(np.sum(gradient**2, axis=1), 0.25)
        moved -= np.clip(value / size, -0.002, 0.002)[:, None] * gradient
    return moved
