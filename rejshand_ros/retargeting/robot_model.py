"""A robot hand's kinematics: pinocchio's model, and the same as arrays for the compiled solver."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pinocchio

from rejshand_ros.errors import ConfigError, InputError, ModelFileError
from rejshand_ros.geometry import Array, RigidTransform
from rejshand_ros.retargeting.kinematics import Tree
from rejshand_ros.retargeting.robot_hand import RobotHandConfig


class RobotModel:
    """Kinematics of one robot hand.

    Joint vectors (n,) follow `joint_names` of the config. The solver's variables (v,) are the
    joints that are neither fixed nor coupled, in the same order.
    """

    def __init__(self, robot: RobotHandConfig) -> None:
        """Load the URDF.

        Args:
            robot: The hand.

        Raises:
            ModelFileError: Pinocchio cannot read the URDF.
            ConfigError: No joint is left to move, or a coupling leaves no room within the limits.
        """
        self.config = robot
        try:
            self._model = pinocchio.buildModelFromUrdf(str(robot.urdf_path))
        except (RuntimeError, ValueError) as error:
            raise ModelFileError(f"URDF {robot.urdf_path}: {error}") from None
        self._data = self._model.createData()
        self._ids = [self._model.getJointId(name) for name in robot.joint_names]
        self._index_q = np.array([self._model.joints[i].idx_q for i in self._ids])
        self._followers = {c.joint: c for c in robot.couplings}
        names = robot.joint_names
        self.variable_names = tuple(
            n for n in names if n not in self._followers and n not in robot.fixed_joints
        )
        if not self.variable_names:
            raise ConfigError(f"{robot.hand} {robot.side}: every joint is fixed or coupled")
        self._variables = np.array([names.index(n) for n in self.variable_names])
        leaders = [self._followers[n].leader if n in self._followers else n for n in names]
        self.variable = np.array(
            [self.variable_names.index(n) if n in self.variable_names else -1 for n in leaders]
        )
        self.ratio = np.array(
            [self._followers[n].ratio if n in self._followers else 1.0 for n in names]
        )
        self.offset = np.array(
            [
                self._followers[n].offset_rad
                if n in self._followers
                else robot.fixed_joints.get(n, 0.0)
                for n in names
            ]
        )
        self._moving = self.variable >= 0
        self._spread = np.zeros((len(names), len(self.variable_names)))
        moving = np.flatnonzero(self._moving)
        self._spread[moving, self.variable[moving]] = self.ratio[moving]
        inset = robot.limit_inset_rad
        self.lower, self.upper = self.variable_bounds(robot.lower + inset, robot.upper - inset)
        if not (self.lower < self.upper).all():
            name = self.variable_names[int(np.argmin(self.upper - self.lower))]
            raise ConfigError(f"{robot.hand} {robot.side}: couplings leave {name} no room")

    def positions(self, variables: Array) -> Array:
        """Joint positions (n,) that belong to variables (v,)."""
        return np.asarray(self._spread @ variables + self.offset)

    def variables(self, positions: Array) -> Array:
        """Variables (v,) of joint positions (n,); what couplings and fixings say is dropped."""
        return np.asarray(positions, float)[self._variables]

    def variable_bounds(self, lower: Array, upper: Array) -> tuple[Array, Array]:
        """Bounds (v,) on the variables from bounds (n,) on the joints, coupled ones included."""
        low = np.full(len(self.variable_names), -np.inf)
        high = np.full(len(self.variable_names), np.inf)
        moving = self._moving
        ends = np.stack([lower[moving] - self.offset[moving], upper[moving] - self.offset[moving]])
        ends = np.sort(ends / self.ratio[moving], axis=0)
        np.maximum.at(low, self.variable[moving], ends[0])
        np.minimum.at(high, self.variable[moving], ends[1])
        return low, high

    def variable_rates(self, rates: Array) -> Array:
        """Largest rate (v,) of each variable that keeps every joint within its rate (n,)."""
        most = np.full(len(self.variable_names), np.inf)
        moving = self._moving
        np.minimum.at(most, self.variable[moving], rates[moving] / np.abs(self.ratio[moving]))
        return most

    def joint_weights(self) -> Array:
        """(v,) squared radians of all joints for a squared radian of each variable."""
        weights = np.zeros(len(self.variable_names))
        np.add.at(weights, self.variable[self._moving], self.ratio[self._moving] ** 2)
        return weights

    def check_positions(self, positions: Array) -> Array:
        """The positions as floats.

        Raises:
            InputError: Wrong shape, or not finite.
        """
        positions = np.asarray(positions, float)
        if positions.shape != (len(self.config.joint_names),):
            raise InputError(
                f"joint positions have shape {positions.shape}; "
                f"valid: ({len(self.config.joint_names)},)"
            )
        if not np.isfinite(positions).all():
            raise InputError("joint positions are not finite")
        return positions

    def link_poses(self, positions: Array) -> dict[str, RigidTransform]:
        """Pose of every link in the root link's frame, by pinocchio.

        Args:
            positions: (n,) radians.
        """
        self._place(positions)
        return {
            frame.name: RigidTransform(pose.rotation.copy(), pose.translation.copy())
            for frame, pose in zip(self._model.frames, self._data.oMf, strict=True)
            if frame.type == pinocchio.FrameType.BODY
        }

    def link_positions(self, positions: Array, links: Mapping[str, str]) -> dict[str, Array]:
        """Origins (3,) of named links in the root link's frame, metres.

        Args:
            positions: (n,) radians.
            links: Label -> link.
        """
        self._place(positions)
        return {
            label: self._data.oMf[self._frame(link)].translation.copy()
            for label, link in links.items()
        }

    def joint_places(self, positions: Array, link: str) -> Array:
        """Origins (k, 3) of the movable joints from the root down to a link, metres."""
        self._place(positions)
        joint = self._model.frames[self._frame(link)].parentJoint
        return np.array(
            [self._data.oMi[j].translation for j in self._model.supports[joint] if j > 0]
        )

    def tree(self, points: list[tuple[str, Array]]) -> Tree:
        """The hand as arrays.

        Args:
            points: Link and (3,) metres in it, for each point that the solver needs.
        """
        model = self._model
        count = model.njoints - 1
        column = {joint: k for k, joint in enumerate(self._ids)}
        order = [column[j] for j in range(1, model.njoints)]
        chains = np.full((count, count), -1, np.int64)
        lengths = np.zeros(count, np.int64)
        axes, prismatic = np.zeros((count, 3)), np.zeros(count, np.int64)
        pinocchio.computeJointJacobians(model, self._data, pinocchio.neutral(model))
        for j in range(1, model.njoints):
            chain = [i - 1 for i in model.supports[j] if i > 0]
            chains[j - 1, : len(chain)] = chain
            lengths[j - 1] = len(chain)
            motion = pinocchio.getJointJacobian(
                model, self._data, j, pinocchio.ReferenceFrame.LOCAL
            )[:, model.joints[j].idx_v]
            prismatic[j - 1] = int(np.linalg.norm(motion[3:]) < 0.5)
            axes[j - 1] = motion[:3] if prismatic[j - 1] else motion[3:]
        placed = [self._on_joint(link, local) for link, local in points]
        return Tree(
            parent=np.array([model.parents[j] - 1 for j in range(1, model.njoints)]),
            rotation=np.array([model.jointPlacements[j].rotation for j in range(1, model.njoints)]),
            translation=np.stack(
                [model.jointPlacements[j].translation for j in range(1, model.njoints)]
            ),
            axis=axes,
            prismatic=prismatic,
            variable=self.variable[order],
            ratio=self.ratio[order],
            offset=self.offset[order],
            chain=chains,
            chain_length=lengths,
            point_joint=np.array([joint for joint, _ in placed], np.int64),
            point_local=np.array([local for _, local in placed]).reshape(-1, 3),
        )

    def _on_joint(self, link: str, local: Array) -> tuple[int, Array]:
        frame = self._model.frames[self._frame(link)]
        return frame.parentJoint - 1, np.asarray(frame.placement.act(np.asarray(local, float)))

    def _frame(self, link: str) -> int:
        return int(self._model.getFrameId(link, pinocchio.FrameType.BODY))

    def _configuration(self, positions: Array) -> Array:
        configuration = np.zeros(self._model.nq)
        configuration[self._index_q] = self.check_positions(positions)
        return configuration

    def _place(self, positions: Array) -> None:
        pinocchio.framesForwardKinematics(self._model, self._data, self._configuration(positions))
