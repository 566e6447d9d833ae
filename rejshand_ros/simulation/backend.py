"""The one interface of every simulated hand and scene."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from numpy.typing import ArrayLike

from rejshand_ros.geometry import Array, RigidTransform


@dataclass(frozen=True)
class HandState:
    """State of a simulated hand at one instant.

    Attributes:
        positions: (n,) radians, in the order of the backend's `joint_names`.
        velocities: (n,) radians a second.
        efforts: (n,) newton metres that the actuators apply.
        fingertip_forces: (t, 3) newtons on each fingertip, axes of the hand's root link.
        time_s: Simulated time since the last reset.
        world_from_base: Pose of the hand's base: its operator frame with the wrist at rest, z to
            the fingers, x out of the palm.
        objects: Name -> pose in the world frame.
    """

    positions: Array
    velocities: Array
    efforts: Array
    fingertip_forces: Array
    time_s: float
    world_from_base: RigidTransform = field(default_factory=RigidTransform)
    objects: Mapping[str, RigidTransform] = field(default_factory=dict)


class HandBackend(ABC):
    """A simulated hand that is told joint positions and says where its joints are."""

    @property
    @abstractmethod
    def joint_names(self) -> tuple[str, ...]:
        """(n,) names; targets and states are in this order."""

    @property
    @abstractmethod
    def fingertip_names(self) -> tuple[str, ...]:
        """(t,) names of the links whose contact forces are reported."""

    @abstractmethod
    def set_targets(self, positions: ArrayLike) -> None:
        """Tell the hand where its joints shall be: (n,) radians, moved inside the limits.

        Raises:
            InputError: Wrong number of joints or a value that is not finite.
        """

    @abstractmethod
    def set_base_pose(self, world_from_base: RigidTransform) -> None:
        """Tell the carrier where the hand's base shall be: its operator frame, wrist at rest.

        Raises:
            InputError: The scene's base is fixed, or the pose is not finite.
        """

    @abstractmethod
    def state(self) -> HandState:
        """The state now."""


class SceneBackend(ABC):
    """One hand or a pair of them with the table and the objects around them."""

    @property
    @abstractmethod
    def hands(self) -> tuple[HandBackend, ...]:
        """The hands, in the order in which they were asked for."""

    @abstractmethod
    def reset(
        self,
        positions: Sequence[ArrayLike | None] | None = None,
        world_from_objects: Mapping[str, RigidTransform] | None = None,
    ) -> None:
        """Go back to the start of the scene, time zero.

        Args:
            positions: For each hand (n,) radians at which its joints start; None for its rest pose.
            world_from_objects: Poses of objects that start elsewhere than the scene says.

        Raises:
            InputError: Wrong number of hands or joints, or an unknown object.
        """

    @abstractmethod
    def step(self, duration_s: float) -> None:
        """Let simulated time pass; what is left below one physics step waits for the next call.

        Raises:
            InputError: A negative or non-finite duration.
            SimulationError: The physics diverged; call `reset`.
        """


class OneHand(HandBackend):
    """A scene with a single hand, as that hand.

    Attributes:
        scene: The scene behind it.
    """

    def __init__(self, scene: SceneBackend) -> None:
        """Look at the one hand of a scene."""
        self.scene = scene
        (self._hand,) = scene.hands

    @property
    def joint_names(self) -> tuple[str, ...]:
        """See HandBackend."""
        return self._hand.joint_names

    @property
    def fingertip_names(self) -> tuple[str, ...]:
        """See HandBackend."""
        return self._hand.fingertip_names

    def set_targets(self, positions: ArrayLike) -> None:
        """See HandBackend."""
        self._hand.set_targets(positions)

    def set_base_pose(self, world_from_base: RigidTransform) -> None:
        """See HandBackend."""
        self._hand.set_base_pose(world_from_base)

    def state(self) -> HandState:
        """See HandBackend."""
        return self._hand.state()

    def reset(
        self,
        positions: ArrayLike | None = None,
        world_from_objects: Mapping[str, RigidTransform] | None = None,
    ) -> None:
        """See SceneBackend; positions (n,) radians of the one hand."""
        self.scene.reset([positions], world_from_objects)

    def step(self, duration_s: float) -> None:
        """See SceneBackend."""
        self.scene.step(duration_s)
