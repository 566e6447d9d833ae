"""Directions from which a camera sees a hand: rotations camera_from_wrist, (3, 3)."""

from __future__ import annotations

import numpy as np

from rejshand_ros.geometry import Array, rotation_from_vector

# The palm (x of the wrist frame) faces the camera (-z), the fingers point up.
_FACING = np.array([[0, 1.0, 0], [0, 0, -1.0], [-1.0, 0, 0]])
_FROM_EDGE_DEG = 35.0


def any_view(rng: np.random.Generator) -> Array:
    """Any direction of view, palm and back more often."""
    spin = rotation_from_vector([0, 0, rng.uniform(0, 2 * np.pi)])
    if rng.random() < 0.5:
        # Even over all rotations, by a random unit quaternion's two angles and this spin.
        tilt = np.arccos(rng.uniform(-1, 1))
    else:
        tilt = abs(rng.normal(0, 0.6))
        tilt = np.pi - tilt if rng.random() < 0.5 else tilt
    lean = rotation_from_vector([0, tilt, 0])
    turn = rotation_from_vector([0, 0, rng.uniform(0, 2 * np.pi)])
    return np.asarray(spin @ lean @ turn @ _FACING)


def side_view(rng: np.random.Generator) -> Array:
    """From the thumb's or the little finger's side, within 35 degrees of the palm's edge."""
    spin = rotation_from_vector([0, 0, rng.uniform(0, 2 * np.pi)])
    away = np.arcsin(rng.uniform(-1, 1) * np.sin(np.radians(_FROM_EDGE_DEG)))
    lean = rotation_from_vector([0, rng.choice([-1, 1]) * (np.pi / 2 + away), 0])
    # About the line of view of a palm that faces the camera: how far fingers or wrist come nearer.
    turn = rotation_from_vector([0, 0, rng.normal(0, np.radians(25))])
    return np.asarray(spin @ lean @ turn @ _FACING)
