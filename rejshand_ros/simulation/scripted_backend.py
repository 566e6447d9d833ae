"""A mock: joints follow their targets by themselves, without physics, contact or libraries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from rejshand_ros.errors import InputError
from rejshand_ros.geometry import Array, RigidTransform
from rejshand_ros.simulation.backend import HandBackend, HandState
from rejshand_ros.simulation.hand import checked_positions, simulated_hand
from rejshand_ros.simulation.scene import SceneConfig

if TYPE_CHECKING:
    from rejshand_ros.retargeting.robot_hand import RobotHandConfig

_PERIOD_S = 0.002
_TIME_CONSTANT_S = 0.02


class ScriptedBackend(HandBackend):
    """First-order joints within their velocity limits; objects lie where the scene puts them.

    Exactly repeatable, so that tests can rest on it.
    """

    def __init__(self, robot_hand: RobotHandConfig, scene: SceneConfig) -> None:
        self._hand = simulated_hand(robot_hand)
        self._scene = scene
        self.reset()

    @property
    def joint_names(self) -> tuple[str, ...]:
        """Names of the joints, in the order of commands."""
        return self._hand.joint_names

    @property
    def fingertip_names(self) -> tuple[str, ...]:
        """See HandBackend."""
        return self._hand.tip_links

    def reset(
        self,
        positions: ArrayLike | None = None,
        world_from_objects: Mapping[str, RigidTransform] | None = None,
    ) -> None:
        """Back to the scene's start."""
        start = self._hand.rest
        if positions is not None:
            start = checked_positions(self._hand, positions, "start position")
        self._objects = starting_poses(self._scene, world_from_objects)
        self._positions: Array = start.copy()
        self._targets = start.copy()
        self._velocities = np.zeros(len(start))
        self._base = self._scene.base.world_from_base
        self._steps = 0
        self._left_s = 0.0

    def set_targets(self, positions: ArrayLike) -> None:
        """Take new joint targets."""
        self._targets = checked_positions(self._hand, positions, "joint target")

    def set_base_pose(self, world_from_base: RigidTransform) -> None:
        """Move the hand's base."""
        self._base = checked_base_pose(self._scene, world_from_base)

    def step(self, duration_s: float) -> None:
        """Let simulated time pass."""
        count, self._left_s = whole_steps(duration_s, self._left_s, _PERIOD_S)
        share = 1.0 - np.exp(-_PERIOD_S / _TIME_CONSTANT_S)
        longest = self._hand.velocity * _PERIOD_S
        for _ in range(count):
            moved = np.clip(share * (self._targets - self._positions), -longest, longest)
            self._positions = self._positions + moved
            self._velocities = moved / _PERIOD_S
        self._steps += count

    def state(self) -> HandState:
        """The state now."""
        count = len(self._hand.joint_names)
        return HandState(
            positions=self._positions.copy(),
            velocities=self._velocities.copy(),
            efforts=np.zeros(count),
            fingertip_forces=np.zeros((len(self._hand.tip_links), 3)),
            time_s=self._steps * _PERIOD_S,
            world_from_base=self._base,
            objects=dict(self._objects),
        )


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
