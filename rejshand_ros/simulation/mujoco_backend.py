"""Robot hands in MuJoCo: motors with force limits, contact, objects, movable bases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from rejshand_ros.errors import MissingDependencyError, SimulationError
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

try:
    import mujoco

    from rejshand_ros.simulation.mujoco_hand import wxyz
    from rejshand_ros.simulation.mujoco_model import HandPlaces, build_mujoco
except ModuleNotFoundError as error:
    raise MissingDependencyError(
        "the mujoco backend needs the Python package mujoco (pip install mujoco); "
        "the backend 'scripted' needs nothing"
    ) from error

if TYPE_CHECKING:
    from rejshand_ros.retargeting.robot_hand import RobotHandConfig

# Faster than any motor here can turn a joint: the solver has lost the state.
_RUNAWAY_RAD_S = 2000.0


class MujocoBackend(SceneBackend):
    """Steps of 2 ms; `step` runs as many as fit into the time that it is given.

    Attributes:
        model: MuJoCo's model of the scene.
        data: Its state.
        objects: Name -> body.
    """

    def __init__(self, robot_hands: Sequence[RobotHandConfig], scene: SceneConfig) -> None:
        self._scene = scene
        configs = [simulated_hand(robot) for robot in robot_hands]
        built = build_mujoco(configs, scene)
        self.model: mujoco.MjModel = built.model
        self.data = mujoco.MjData(self.model)
        self.objects = built.objects
        self._hands = tuple(
            MujocoHand(self, config, places)
            for config, places in zip(configs, built.hands, strict=True)
        )
        self.reset()

    @property
    def hands(self) -> tuple[HandBackend, ...]:
        """See SceneBackend."""
        return self._hands

    @property
    def scene(self) -> SceneConfig:
        """The scene."""
        return self._scene

    def reset(
        self,
        positions: Sequence[ArrayLike | None] | None = None,
        world_from_objects: Mapping[str, RigidTransform] | None = None,
    ) -> None:
        """Back to the scene's start."""
        starts = starting_positions([hand.config for hand in self._hands], positions)
        poses = starting_poses(self._scene, world_from_objects)
        mujoco.mj_resetData(self.model, self.data)
        for hand, start in zip(self._hands, starts, strict=True):
            self.data.qpos[hand.places.qpos] = start
            hand.set_targets(start)
        for name, pose in poses.items():
            address = self.model.joint(f"{name}_free").qposadr[0]
            self.data.qpos[address : address + 3] = pose.translation
            self.data.qpos[address + 3 : address + 7] = wxyz(pose)
        self._left_s = 0.0
        mujoco.mj_forward(self.model, self.data)

    def step(self, duration_s: float) -> None:
        """Let simulated time pass."""
        count, self._left_s = whole_steps(duration_s, self._left_s, self.model.opt.timestep)
        if count:
            mujoco.mj_step(self.model, self.data, count)
            self._check()

    def pose(self, body: int) -> RigidTransform:
        """Pose of a body in the world."""
        return RigidTransform(
            self.data.xmat[body].reshape(3, 3).copy(), self.data.xpos[body].copy()
        )

    def _check(self) -> None:
        """Refuse to go on from a state that is no longer physics."""
        speed = np.abs(self.data.qvel)
        if np.all(np.isfinite(self.data.qpos)) and np.all(speed < _RUNAWAY_RAD_S):
            return
        worst = int(np.argmax(np.where(np.isfinite(speed), speed, np.inf)))
        joint = self.model.joint(self.model.dof_jntid[worst]).name
        raise SimulationError(
            f"the simulation diverged at {self.data.time:.3f} s: joint {joint} moves at "
            f"{self.data.qvel[worst]:g} rad/s; reset it"
        )


class MujocoHand(HandBackend):
    """One of the hands of a MuJoCo scene."""

    def __init__(self, backend: MujocoBackend, config: SimulatedHand, places: HandPlaces) -> None:
        self.config, self.places = config, places
        self._backend = backend
        self._driven = places.actuators >= 0

    @property
    def joint_names(self) -> tuple[str, ...]:
        """See HandBackend."""
        return self.config.joint_names

    @property
    def fingertip_names(self) -> tuple[str, ...]:
        """See HandBackend."""
        return self.config.tip_links

    def set_targets(self, positions: ArrayLike) -> None:
        """See HandBackend."""
        targets = checked_positions(self.config, positions, "joint target")
        actuators = self.places.actuators[self._driven]
        self._backend.data.ctrl[actuators] = targets[self._driven]

    def set_base_pose(self, world_from_base: RigidTransform) -> None:
        """See HandBackend."""
        pose = checked_base_pose(self._backend.scene, world_from_base)
        pose = pose @ self.places.root_from_wrist.inverse()
        self._backend.data.mocap_pos[self.places.carrier] = pose.translation
        self._backend.data.mocap_quat[self.places.carrier] = wxyz(pose)

    def state(self) -> HandState:
        """See HandBackend."""
        backend, places = self._backend, self.places
        data = backend.data
        return HandState(
            positions=data.qpos[places.qpos],
            velocities=data.qvel[places.qvel],
            efforts=data.qfrc_actuator[places.qvel],
            fingertip_forces=self._fingertip_forces(),
            time_s=float(data.time),
            world_from_base=backend.pose(places.mount) @ places.root_from_wrist,
            objects={name: backend.pose(body) for name, body in backend.objects.items()},
        )

    def _fingertip_forces(self) -> Array:
        """(t, 3) newtons that contacts put on each tip, axes of the hand's root link."""
        model, data = self._backend.model, self._backend.data
        forces = np.zeros((len(self.places.tip_bodies), 3))
        row = {body: index for index, body in enumerate(self.places.tip_bodies)}
        wrench = np.zeros(6)
        for index in range(data.ncon):
            contact = data.contact[index]
            first, second = (int(model.geom_bodyid[geom]) for geom in contact.geom)
            if first not in row and second not in row:
                continue
            mujoco.mj_contactForce(model, data, index, wrench)
            # In the contact's frame, on the second body; rows of `frame` are its axes.
            force = contact.frame.reshape(3, 3).T @ wrench[:3]
            if second in row:
                forces[row[second]] += force
            if first in row:
                forces[row[first]] -= force
        return forces @ data.xmat[self.places.mount].reshape(3, 3)
