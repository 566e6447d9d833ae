"""A mock: joints follow their targets by themselves, without physics, contact or libraries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from rejshand_ros.geometry import Array, RigidTransform
from rejshand_ros.simulation.backend import HandBackend, HandState, SceneBackend
from rejshand_ros.simulation.checks import (
    checked_base_pose,
    starting_poses,
    starting_positions,
    whole_steps,
)
from rejshand_ros.simulation.hand import SimulatedHand, checked_positions, simulated_hand
from rejshand_ros.simulation.scene import SceneConfig

if TYPE_CHECKING:
    from rejshand_ros.retargeting.robot_hand import RobotHandConfig

_PERIOD_S = 0.002
_TIME_CONSTANT_S = 0.02


class ScriptedBackend(SceneBackend):
    """First-order joints within their velocity limits; objects lie where the scene puts them.

    Exactly repeatable, so that tests can rest on it.
    """

    def __init__(self, robot_hands: Sequence[RobotHandConfig], scene: SceneConfig) -> None:
        self._scene = scene
        self._hands = tuple(
            ScriptedHand(self, simulated_hand(robot), scene.base_pose(robot.side, len(robot_hands)))
            for robot in robot_hands
        )
        self.objects: dict[str, RigidTransform] = {}
        self._steps = 0
        self.reset()

    @property
    def hands(self) -> tuple[HandBackend, ...]:
        """See SceneBackend."""
        return self._hands

    @property
    def scene(self) -> SceneConfig:
        """The scene."""
        return self._scene

    @property
    def time_s(self) -> float:
        """Simulated time since the last reset."""
        return self._steps * _PERIOD_S

    def reset(
        self,
        positions: Sequence[ArrayLike | None] | None = None,
        world_from_objects: Mapping[str, RigidTransform] | None = None,
    ) -> None:
        """Back to the scene's start."""
        starts = starting_positions([hand.config for hand in self._hands], positions)
        self.objects = starting_poses(self._scene, world_from_objects)
        for hand, start in zip(self._hands, starts, strict=True):
            hand.reset(start)
        self._steps = 0
        self._left_s = 0.0

    def step(self, duration_s: float) -> None:
        """Let simulated time pass."""
        count, self._left_s = whole_steps(duration_s, self._left_s, _PERIOD_S)
        for hand in self._hands:
            hand.step(count)
        self._steps += count


class ScriptedHand(HandBackend):
    """One of the mock's hands."""

    def __init__(
        self, backend: ScriptedBackend, config: SimulatedHand, world_from_base: RigidTransform
    ) -> None:
        self.config = config
        self._backend = backend
        self._start = world_from_base
        self.reset(config.rest)

    @property
    def joint_names(self) -> tuple[str, ...]:
        """See HandBackend."""
        return self.config.joint_names

    @property
    def fingertip_names(self) -> tuple[str, ...]:
        """See HandBackend."""
        return self.config.tip_links

    def reset(self, positions: Array) -> None:
        """Rest at positions (n,) radians, the base where it starts."""
        self._positions: Array = positions.copy()
        self._targets = positions.copy()
        self._velocities = np.zeros(len(positions))
        self._base = self._start

    def set_targets(self, positions: ArrayLike) -> None:
        """See HandBackend."""
        self._targets = checked_positions(self.config, positions, "joint target")

    def set_base_pose(self, world_from_base: RigidTransform) -> None:
        """See HandBackend."""
        self._base = checked_base_pose(self._backend.scene, world_from_base)

    def step(self, count: int) -> None:
        """Let some periods pass."""
        share = 1.0 - np.exp(-_PERIOD_S / _TIME_CONSTANT_S)
        longest = self.config.velocity * _PERIOD_S
        for _ in range(count):
            moved = np.clip(share * (self._targets - self._positions), -longest, longest)
            self._positions = self._positions + moved
            self._velocities = moved / _PERIOD_S

    def state(self) -> HandState:
        """See HandBackend."""
        return HandState(
            positions=self._positions.copy(),
            velocities=self._velocities.copy(),
            efforts=np.zeros(len(self._positions)),
            fingertip_forces=np.zeros((len(self.config.tip_links), 3)),
            time_s=self._backend.time_s,
            world_from_base=self._base,
            objects=dict(self._backend.objects),
        )
