"""The demo clip's choreography: key poses in time and what lies between them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from rejshand_ros.geometry import Array, rotation_from_vector
from rejshand_ros.hand.kinematics import DOFS
from rejshand_ros.hand.sampling import synergy

PALM_TO_CAMERA = np.array([[0, 1.0, 0], [0, 0, -1.0], [-1.0, 0, 0]])
"""camera_from_wrist of a right hand with the palm to the camera and the fingers up."""


@dataclass(frozen=True)
class KeyPose:
    """Where the hand is at one time.

    Attributes:
        time_s: Since the clip's start.
        angles: (22,) radians from rest.
        position: (3,) metres, wrist in camera axes.
        turn: (3,) radians: about the upright axis, about the sideways axis, about the viewing
            axis; zeros show the palm with the fingers up.
        wrist: (2,) radians: the forearm's bend towards the palm and towards the thumb's side.
    """

    time_s: float
    angles: Array
    position: Array
    turn: Array
    wrist: Array = field(default_factory=lambda: np.array([0.0, 0.0]))


@dataclass(frozen=True)
class HandMotion:
    """The hand at each frame.

    Attributes:
        angles: (n, 22) radians from rest.
        camera_from_wrist: (n, 3, 3) rotations.
        position: (n, 3) metres, wrist in camera axes.
        wrist: (n, 2) radians, bend of the forearm.
    """

    angles: Array
    camera_from_wrist: Array
    position: Array
    wrist: Array


def interpolate(keys: tuple[KeyPose, ...], times_s: ArrayLike) -> HandMotion:
    """Pass smoothly through key poses.

    Joint angles come to rest at each key and go between them with least jerk, as people gesture.
    The hand's place and turn keep moving: cubic Hermite curves with the keys' central differences
    as velocities, at rest at both ends.
    """
    times = np.clip(np.asarray(times_s, float), keys[0].time_s, keys[-1].time_s)
    at = np.array([key.time_s for key in keys])
    low = np.clip(np.searchsorted(at, times, side="right") - 1, 0, len(keys) - 2)
    span = (at[low + 1] - at[low])[:, None]
    s = (times - at[low])[:, None] / span
    angles = np.stack([key.angles for key in keys])
    gentle = s**3 * (10 - 15 * s + 6 * s**2)
    between = angles[low] + gentle * (angles[low + 1] - angles[low])
    placed = np.stack([np.concatenate([k.position, k.turn, k.wrist]) for k in keys])
    velocity = np.zeros_like(placed)
    velocity[1:-1] = (placed[2:] - placed[:-2]) / (at[2:] - at[:-2])[:, None]
    curve = (
        (2 * s**3 - 3 * s**2 + 1) * placed[low]
        + (s**3 - 2 * s**2 + s) * span * velocity[low]
        + (3 * s**2 - 2 * s**3) * placed[low + 1]
        + (s**3 - s**2) * span * velocity[low + 1]
    )
    upright, sideways, viewing = (
        rotation_from_vector(curve[:, 3 + axis, None] * direction)
        for axis, direction in enumerate(np.array([[0, 1.0, 0], [1.0, 0, 0], [0, 0, 1.0]]))
    )
    rotation = viewing @ sideways @ upright @ PALM_TO_CAMERA
    return HandMotion(between, rotation, curve[:, :3], curve[:, 6:])


def demo_keys(seconds: float) -> tuple[KeyPose, ...]:
    """Open, fist, pinches, counting, turning, coming near and going away, stretched to a length."""
    spread, fist, relaxed = synergy("spread"), synergy("fist"), synergy("relaxed")
    flat, pinch, pinch_middle = synergy("flat"), synergy("pinch_index"), synergy("pinch_middle")
    table: tuple[tuple[float, Array, tuple[float, ...], tuple[float, ...]], ...] = (
        (0.00, relaxed, (0.017, 0.077, 0.447), (0.10, 0.0, 0.05)),
        (0.07, spread, (0.0, 0.069, 0.43), (0.05, -0.1, 0.0)),
        (0.15, fist, (-0.017, 0.043, 0.43), (0.15, -0.1, 0.05)),
        (0.22, spread, (-0.034, 0.06, 0.43), (0.0, 0.0, 0.05)),
        (0.29, pinch, (-0.017, 0.052, 0.404), (0.45, -0.1, 0.1)),
        (0.34, relaxed, (0.0, 0.06, 0.413), (0.35, -0.1, 0.1)),
        (0.40, pinch_middle, (0.017, 0.052, 0.404), (0.4, -0.1, 0.05)),
        (0.45, fist, (0.034, 0.06, 0.43), (0.1, 0.0, 0.0)),
        (0.50, _count(1), (0.043, 0.077, 0.43), (0.0, 0.0, -0.05)),
        (0.55, _count(2), (0.043, 0.077, 0.43), (-0.05, 0.0, -0.05)),
        (0.60, _count(3), (0.034, 0.077, 0.43), (-0.05, 0.0, 0.0)),
        (0.65, _count(4), (0.017, 0.077, 0.43), (0.0, 0.0, 0.05)),
        (0.70, spread, (0.0, 0.077, 0.43), (0.0, 0.0, 0.05)),
        (0.77, relaxed, (-0.043, 0.077, 0.447), (1.05, 0.0, 0.15)),
        (0.84, flat, (0.043, 0.069, 0.447), (-0.8, 0.0, -0.2)),
        (0.90, spread, (0.046, 0.064, 0.35), (0.0, -0.15, 0.0)),
        (0.95, synergy("cylinder"), (-0.052, 0.052, 0.602), (0.25, 0.1, 0.25)),
        (1.00, relaxed, (0.017, 0.077, 0.447), (0.10, 0.0, 0.05)),
    )
    return tuple(
        KeyPose(share * seconds, angles, np.array(place), np.array(turn), _bend(turn))
        for share, angles, place, turn in table
    )


def _bend(turn: tuple[float, ...]) -> Array:
    """The forearm stays about upright while the hand leans."""
    return np.array([-0.6 * turn[1], 0.6 * turn[2]])


def _count(fingers: int) -> Array:
    """The fist with so many fingers out, the index finger first."""
    angles, out = synergy("fist"), synergy("spread")
    for number, dof in enumerate(DOFS):
        if 1 <= dof.finger <= fingers:
            angles[number] = 0.5 * out[number]
    return angles
