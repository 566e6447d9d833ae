"""A robot hand in MuJoCo: motors with force limits, contact, objects, a movable base."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from rejshand_ros.errors import MissingDependencyError, SimulationError
from rejshand_ros.geometry import Array, RigidTransform
from rejshand_ros.simulation.backend import HandBackend, HandState
from rejshand_ros.simulation.hand import checked_positions, simulated_hand
from rejshand_ros.simulation.scene import SceneConfig
from rejshand_ros.simulation.scripted_backend import checked_base_pose, starting_poses, whole_steps

try:
    import mujoco

    from rejshand_ros.simulation.mujoco_model import build_mujoco, wxyz
except ModuleNotFoundError as error:
    raise MissingDependencyError(
        "the mujoco backend needs the Python package mujoco (pip install mujoco); "
        "the backend 'scripted' needs nothing"
    ) from error

if TYPE_CHECKING:
    from rejshand_ros.retargeting.robot_hand import RobotHandConfig

# Faster than any motor here can turn a joint: the solver has lost the state.
_RUNAWAY_RAD_S = 2000.0


class MujocoBackend(HandBackend):
    """Steps of 2 ms; `step` runs as many as fit into the time that it is given."""

    def __init__(self, robot_hand: RobotHandConfig, scene: SceneConfig) -> None:
        self._hand = simulated_hand(robot_hand)
        self._scene = scene
        self._built = build_mujoco(self._hand, scene)
        self.model: mujoco.MjModel = self._built.model
        self.data = mujoco.MjData(self.model)
        self._driven = self._built.actuators >= 0
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
        poses = starting_poses(self._scene, world_from_objects)
        mujoco.mj_resetData(self.model, self.data)
        self.data.qpos[self._built.qpos] = start
        for name, pose in poses.items():
            address = self.model.joint(f"{name}_free").qposadr[0]
            self.data.qpos[address : address + 3] = pose.translation
            self.data.qpos[address + 3 : address + 7] = wxyz(pose)
        self._left_s = 0.0
        self.set_targets(start)
        mujoco.mj_forward(self.model, self.data)

    def set_targets(self, positions: ArrayLike) -> None:
        """Take new joint targets."""
        targets = checked_positions(self._hand, positions, "joint target")
        self.data.ctrl[self._built.actuators[self._driven]] = targets[self._driven]

    def set_base_pose(self, world_from_base: RigidTransform) -> None:
        """Move the hand's base."""
        pose = checked_base_pose(self._scene, world_from_base)
        pose = pose @ self._built.root_from_wrist.inverse()
        self.data.mocap_pos[self._built.carrier] = pose.translation
        self.data.mocap_quat[self._built.carrier] = wxyz(pose)

    def step(self, duration_s: float) -> None:
        """Let simulated time pass."""
        count, self._left_s = whole_steps(duration_s, self._left_s, self.model.opt.timestep)
        if count:
            mujoco.mj_step(self.model, self.data, count)
            self._check()

    def state(self) -> HandState:
        """The state now."""
        data, built = self.data, self._built
        return HandState(
            positions=data.qpos[built.qpos],
            velocities=data.qvel[built.qvel],
            efforts=data.qfrc_actuator[built.qvel],
            fingertip_forces=self._fingertip_forces(),
            time_s=float(data.time),
            world_from_base=self._pose(built.mount) @ built.root_from_wrist,
            objects={name: self._pose(body) for name, body in built.objects.items()},
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

    def _pose(self, body: int) -> RigidTransform:
        return RigidTransform(
            self.data.xmat[body].reshape(3, 3).copy(), self.data.xpos[body].copy()
        )

    def _fingertip_forces(self) -> Array:
        """(t, 3) newtons that contacts put on each tip, axes of the hand's root link."""
        forces = np.zeros((len(self._built.tip_bodies), 3))
        row = {body: index for index, body in enumerate(self._built.tip_bodies)}
        wrench = np.zeros(6)
        for index in range(self.data.ncon):
            contact = self.data.contact[index]
            first, second = (int(self.model.geom_bodyid[geom]) for geom in contact.geom)
            if first not in row and second not in row:
                continue
            mujoco.mj_contactForce(self.model, self.data, index, wrench)
            # In the contact's frame, on the second body; rows of `frame` are its axes.
            force = contact.frame.reshape(3, 3).T @ wrench[:3]
            if second in row:
                forces[row[second]] += force
            if first in row:
                forces[row[first]] -= force
        return forces @ self.data.xmat[self._built.mount].reshape(3, 3)
