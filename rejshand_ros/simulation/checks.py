"""What every backend checks: starts, base poses and durations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from rejshand_ros.errors import InputError
from rejshand_ros.geometry import Array, RigidTransform
from rejshand_ros.simulation.hand import SimulatedHand, checked_positions
from rejshand_ros.simulation.scene import SceneConfig


def starting_positions(
    hands: Sequence[SimulatedHand], positions: Sequence[ArrayLike | None] | None
) -> list[Array]:
    """For each hand, the joint positions (n,) at which it starts, radians.

    Raises:
        InputError: Another number of hands or joints, or a value that is not finite.
    """
    given = [None] * len(hands) if positions is None else list(positions)
    if len(given) != len(hands):
        raise InputError(f"start positions for {len(given)} hands; the scene has {len(hands)}")
    return [
        hand.rest.copy() if start is None else checked_positions(hand, start, "start position")
        for hand, start in zip(hands, given, strict=True)
    ]


def starting_poses(
    scene: SceneConfig, changed: Mapping[str, RigidTransform] | None
) -> dict[str, RigidTransform]:
    """Poses of a scene's objects at the start, some of them changed.

    Raises:
        InputError: An object that the scene does not hold.
    """
    poses = {item.name: item.world_from_object for item in scene.objects}
    for name, pose in (changed or {}).items():
        if name not in poses:
            raise InputError(
                f"scene {scene.name} has no object {name!r}; valid: {', '.join(poses) or 'none'}"
            )
        poses[name] = pose
    return poses


def checked_base_pose(scene: SceneConfig, pose: RigidTransform) -> RigidTransform:
    """The pose, if the scene lets the base move.

    Raises:
        InputError: The base is fixed, or the pose is not finite.
    """
    if not scene.base.moved:
        raise InputError(f"scene {scene.name} has a fixed base; base.moved: true lets it move")
    if not (np.all(np.isfinite(pose.rotation)) and np.all(np.isfinite(pose.translation))):
        raise InputError("the base pose is not finite")
    return pose


def whole_steps(duration_s: float, left_s: float, period_s: float) -> tuple[int, float]:
    """How many whole steps fit, and the time that is left for the next call.

    Raises:
        InputError: A negative or non-finite duration.
    """
    if not (np.isfinite(duration_s) and duration_s >= 0):
        raise InputError(f"cannot step for {duration_s} s; a finite time of zero or more is needed")
    total = left_s + duration_s
    # A hair more than the sum, so that 5 x 0.002 s makes five steps and not four.
    count = int(total / period_s + 1e-6)
    return count, max(total - count * period_s, 0.0)
