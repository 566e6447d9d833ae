"""One grasp: the base follows a script, the fingers close because human keypoints close."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from rejshand_ros.command.command import TeleopPhase
from rejshand_ros.command.config import CommandConfig
from rejshand_ros.command.controller import TeleopController
from rejshand_ros.command.limits import JointLimits
from rejshand_ros.errors import SimulationError
from rejshand_ros.geometry import Array, RigidTransform, rotation_from_vector
from rejshand_ros.hand.kinematics import DOFS, HandParameters, pose_skeleton
from rejshand_ros.hand.sampling import synergy
from rejshand_ros.hand.template import load_template
from rejshand_ros.retargeting.retargeter import Retargeter, RetargeterConfig
from rejshand_ros.retargeting.robot_hand import load_robot_hand
from rejshand_ros.simulation.backend import OneHand
from rejshand_ros.simulation.mujoco_backend import MujocoBackend
from rejshand_ros.simulation.scene import (
    BaseConfig,
    ObjectConfig,
    SceneConfig,
    TableConfig,
)

CAMERA_HZ, COMMAND_HZ = 30, 100
_START_NS = 10**15
_MOST_CLOSED = 1.3

# The base has come down; the fingers are closed; it begins to rise; it is up; the end.
_DOWN_S, _CLOSED_S, _LIFT_S, _UP_S, _END_S = 2.0, 3.5, 4.2, 6.2, 11.7

# Palm down: out of the palm is down, towards the fingers is along the table.
PALM_DOWN = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])

OBJECTS = {
    "cube": ObjectConfig("cube", "box", (0.05, 0.05, 0.05), 0.1, (0.0, 0.0, 0.025)),
    "ball": ObjectConfig("ball", "ball", (0.06,), 0.1, (0.0, 0.0, 0.03)),
}


@dataclass(frozen=True)
class GraspPlan:
    """How a person would take an object with one of the hands.

    Attributes:
        closed: Name of the human pose that the hand closes towards.
        opened: How much of that pose is there while it approaches, 0..1.
        squeeze_m: How much narrower than the object the fingers try to close.
        lower_m: How far below the object's middle the fingertips aim.
    """

    closed: str
    opened: float
    squeeze_m: float = 0.02
    lower_m: float = 0.0


PLANS = {
    "allegro": GraspPlan("fist", opened=0.0, lower_m=0.004),
    "shadow": GraspPlan("fist", opened=0.0, lower_m=0.003),
}


@dataclass(frozen=True)
class GraspOutcome:
    """What came of one trial.

    Attributes:
        success: The object was at least 5 cm up for the whole of the last 5 s.
        lowest_m: Its least height over the table during those 5 s, over its height at rest.
        fingertip_force_n: Mean contact force of each fingertip during them, newtons.
        states: States of the command that the trial went through.
    """

    success: bool
    lowest_m: float
    fingertip_force_n: tuple[float, ...]
    states: tuple[str, ...]


class GraspTrial:
    """Trials with one hand and one object; the model is built once."""

    def __init__(self, hand: str, side: str, item: ObjectConfig, plan: GraspPlan) -> None:
        self.robot = load_robot_hand(hand, side)
        self.item, self.plan, self.side = item, plan, side
        scene = SceneConfig(
            name=f"{hand} {item.name}",
            base=BaseConfig(moved=True, position_m=(0.0, 0.0, 0.5)),
            table=TableConfig(),
            objects=(item,),
        )
        self.physics = MujocoBackend([self.robot], scene)
        self.backend = OneHand(self.physics)
        self.retargeter = Retargeter(self.robot, RetargeterConfig())
        self.closing, self.grasp_point, axis = self._reach()
        # Tilted until thumb and fingers meet the object at the same height.
        tilt = np.arctan2(-axis[0], axis[2])
        self.attitude = rotation_from_vector([0.0, tilt, 0.0]) @ PALM_DOWN

    def _pads(self, positions: Array) -> tuple[Array, Array, float]:
        """Thumb's pad, mean of index' and middle's in the operator frame, and their radii."""
        poses = self.retargeter.model.link_poses(positions)
        link = poses[self.robot.operator_link] @ self.robot.operator_link_from_frame
        pads, radii = {}, {}
        for finger in ("thumb", "index", "middle"):
            pad = self.robot.fingers[finger].pad
            if pad is None:
                raise SimulationError(f"{self.robot.hand} has no pad on its {finger}")
            radii[finger] = pad.radius_m
            pads[finger] = link.inverse().apply(poses[pad.link].apply(pad.centre))
        both = radii["thumb"] + radii["index"]
        return pads["thumb"], (pads["index"] + pads["middle"]) / 2, both

    def _reach(self) -> tuple[float, Array, Array]:
        """How far to close the human hand; where and along which line the fingers meet the object.

        Point (3,) metres and line from the thumb to the fingers (3,) in the operator frame.
        """
        free = Retargeter(self.robot, RetargeterConfig(limit_rates=False))
        size = self.item.size_m[0]
        stamp, touch, closing = _START_NS, None, _MOST_CLOSED
        for share in np.linspace(self.plan.opened, _MOST_CLOSED, 45):
            points = human_keypoints(self.plan.closed, share, self.side)
            # Again and again, since each answer starts at the last one.
            for _ in range(4):
                stamp += 33_000_000
                result = free.retarget(points, self.side, stamp)
            thumb, fingers, radii = self._pads(result.positions)
            gap = float(np.linalg.norm(fingers - thumb)) - radii
            if touch is None and gap <= size:
                touch = ((thumb + fingers) / 2, fingers - thumb)
            if gap <= size - self.plan.squeeze_m:
                closing = float(share)
                break
        if touch is None:
            raise SimulationError(
                f"{self.robot.hand} does not close to {size} m with {self.plan.closed}"
            )
        return closing, *touch

    def run(self, seed: int) -> GraspOutcome:
        """One trial with the object displaced and turned at random by the seed."""
        random = np.random.default_rng(seed)
        offset = random.uniform(-1, 1, 2)
        offset *= 0.01 / max(1.0, float(np.linalg.norm(offset)))
        turn = np.radians(random.uniform(-15, 15))
        place = self.item.world_from_object
        displaced = RigidTransform(
            rotation_from_vector([0, 0, turn]), place.translation + np.array([*offset, 0.0])
        )
        at_object = place.translation - self.attitude @ self.grasp_point
        at_object = at_object - np.array([0, 0, self.plan.lower_m])
        return self._play(displaced, at_object)

    def _play(self, displaced: RigidTransform, at_object: Array) -> GraspOutcome:
        robot = self.robot
        limits = JointLimits(
            robot.joint_names, robot.lower, robot.upper, robot.velocity, robot.acceleration
        )
        controller = TeleopController(limits, CommandConfig(auto_engage=True))
        self.retargeter.reset()
        self.backend.reset(world_from_objects={self.item.name: displaced})
        heights, forces, states = [], [], set()
        rest = displaced.translation[2]
        frames = 0
        for tick in range(int(_END_S * COMMAND_HZ)):
            time_s = tick / COMMAND_HZ
            now = _START_NS + int(time_s * 1e9)
            state = self.backend.state()
            controller.on_measured(state.positions, now)
            if time_s * CAMERA_HZ >= frames:
                frames += 1
                share = self._share(time_s)
                points = human_keypoints(self.plan.closed, share, self.side)
                result = self.retargeter.retarget(points, self.side, now)
                controller.on_target(result.positions, now, now)
            command = controller.tick(now)
            if command is not None:
                self.backend.set_targets(command.positions)
                states.add(command.phase)
            self.backend.set_base_pose(RigidTransform(self.attitude, at_object + _lift(time_s)))
            self.backend.step(1 / COMMAND_HZ)
            if time_s >= _END_S - 5.0:
                heights.append(state.objects[self.item.name].translation[2] - rest)
                forces.append(np.linalg.norm(state.fingertip_forces, axis=1))
        lowest = float(np.min(heights))
        mean = np.mean(forces, axis=0)
        names = tuple(phase.name for phase in TeleopPhase if phase in states)
        return GraspOutcome(lowest >= 0.05, lowest, tuple(float(f) for f in mean), names)

    def _share(self, time_s: float) -> float:
        """How closed the human hand is."""
        return float(np.interp(time_s, [_DOWN_S, _CLOSED_S], [self.plan.opened, self.closing]))


def _lift(time_s: float) -> Array:
    """Height of the base over the grasp: from 15 cm down, stay, then 10 cm up, smoothly."""
    height = 0.0
    if time_s < _DOWN_S:
        height = 0.15 * (1.0 - _smooth(time_s / (_DOWN_S - 0.2)))
    elif time_s > _LIFT_S:
        height = 0.10 * _smooth((time_s - _LIFT_S) / (_UP_S - _LIFT_S))
    return np.array([0.0, 0.0, height])


def _smooth(share: float) -> float:
    """From 0 to 1 without a jerk at the ends."""
    x = float(np.clip(share, 0.0, 1.0))
    return x * x * x * (10 - 15 * x + 6 * x * x)


@lru_cache(maxsize=4096)
def _keypoints(closed: str, share: float, side: str) -> bytes:
    angles = (1.0 - share) * open_hand(closed) + share * synergy(closed)
    points = pose_skeleton(load_template(), HandParameters.of(angles)).keypoints[0]
    if side == "left":
        points = points * np.array([1.0, -1.0, 1.0])
    return np.ascontiguousarray(points).tobytes()


def human_keypoints(closed: str, share: float, side: str) -> Array:
    """(21, 3) metres in the wrist frame of a human hand between open (0) and a pose (1)."""
    return np.frombuffer(_keypoints(closed, round(float(share), 4), side)).reshape(21, 3).copy()


def open_hand(closed: str) -> Array:
    """Angles (22,) of a hand with stretched fingers and the thumb held as the closed hand has it.

    So the thumb only bends while the hand closes, and does not sweep the object aside.
    """
    angles, goal = synergy("flat"), synergy(closed)
    for number, dof in enumerate(DOFS):
        if dof.finger == 0:
            angles[number] = 0.0 if dof.kind == "flexion" else goal[number]
    return angles
