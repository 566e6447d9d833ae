"""A robot hand as its YAML and URDF describe it: joints, limits, fingers, objectives, capsules.

One YAML a hand and side in config/hands; adding a hand takes a URDF and a YAML and no code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from rejshand_ros.errors import ConfigError, InputError, unknown_choice
from rejshand_ros.geometry import Array, RigidTransform
from rejshand_ros.hand.keypoints import FINGERS, Side
from rejshand_ros.resources import named_by, resource_path, resource_roots
from rejshand_ros.retargeting.fields import Fields
from rejshand_ros.retargeting.hand_parts import (
    Capsule,
    CollisionConfig,
    Coupling,
    Finger,
    ObjectiveConfig,
    read_collision,
    read_couplings,
    read_finger,
    read_objective,
    read_pose,
)
from rejshand_ros.urdf import Urdf, read_urdf
from rejshand_ros.yaml_file import read_yaml

__all__ = [
    "Capsule",
    "Coupling",
    "Finger",
    "RobotHandConfig",
    "available_hands",
    "load_robot_hand",
    "read_robot_hand",
]

_FOLDER = "config/hands"
_LIMIT_INSET_RAD = 1e-4


@dataclass(frozen=True)
class RobotHandConfig:
    """Everything that the chain knows about one robot hand.

    Attributes:
        hand: Name, e.g. ``"allegro"``.
        side: Side of the hand.
        urdf_path: Its URDF.
        root_link: The link whose frame holds every robot position.
        joint_names: (n,) movable joints in the order of the whole chain.
        driver_joint_names: (n,) the names by which the real hand's driver knows them.
        lower: (n,) lower position limits of the URDF, radians.
        upper: (n,) upper position limits of the URDF, radians.
        velocity: (n,) velocity limits, radians a second; at most the URDF's.
        acceleration: (n,) acceleration limits, radians a second squared.
        effort: (n,) torque limits of the URDF, newton metres.
        rest: (n,) rest pose, radians.
        limit_inset_rad: Targets keep this far inside the position limits.
        fixed_joints: Joints held still, name -> radians.
        couplings: Joints that follow another one.
        fingers: Finger name -> its parts, thumb first.
        operator_link: Link to which the operator frame is tied.
        operator_link_from_frame: Pose of the operator frame in that link.
        objectives: Objective name -> what it asks.
        collision: Capsules and margin, or None for no self-collision.
    """

    hand: str
    side: Side
    urdf_path: Path
    root_link: str
    joint_names: tuple[str, ...]
    driver_joint_names: tuple[str, ...]
    lower: Array
    upper: Array
    velocity: Array
    acceleration: Array
    effort: Array
    rest: Array
    limit_inset_rad: float
    fixed_joints: dict[str, float]
    couplings: tuple[Coupling, ...]
    fingers: dict[str, Finger]
    operator_link: str
    operator_link_from_frame: RigidTransform
    objectives: dict[str, ObjectiveConfig]
    collision: CollisionConfig | None

    @property
    def fingertip_links(self) -> dict[str, str]:
        """Finger name -> link at its tip, thumb first."""
        return {name: finger.tip_link for name, finger in self.fingers.items()}

    def objective(self, name: str) -> ObjectiveConfig:
        """One of its objectives.

        Raises:
            ConfigError: The YAML has none of that name.
        """
        if name not in self.objectives:
            raise unknown_choice(f"objective of {self.hand} {self.side}", name, self.objectives)
        return self.objectives[name]

    def positions_of(self, names: Sequence[str], positions: ArrayLike) -> Array:
        """Joint positions given by name, in the hand's own order.

        Args:
            names: Joints in any order; those that are missing rest.
            positions: Radians, one a name.

        Returns:
            (n,) radians in the order of `joint_names`.

        Raises:
            InputError: A joint is not one of the hand's, or not one position a name is given.
        """
        values = np.asarray(positions, float)
        if values.shape != (len(names),):
            raise InputError(f"positions of shape {values.shape} for {len(names)} joints")
        whole = np.array(self.rest, float)
        for name, position in zip(names, values, strict=True):
            if name not in self.joint_names:
                known = ", ".join(self.joint_names)
                raise InputError(f"joint {name!r} is not one of {self.hand}'s: {known}")
            whole[self.joint_names.index(name)] = position
        return whole


def available_hands() -> dict[str, tuple[Side, ...]]:
    """Names of the hands in config/hands and the sides that each has."""
    found: dict[str, list[Side]] = {}
    for root in resource_roots():
        for path in sorted((root / _FOLDER).glob("*.yaml")):
            hand, _, side = path.stem.rpartition("_")
            if hand and side in set(Side) and Side(side) not in found.setdefault(hand, []):
                found[hand].append(Side(side))
    return {hand: tuple(sides) for hand, sides in sorted(found.items()) if sides}


def load_robot_hand(hand: str, side: Side | str) -> RobotHandConfig:
    """Read a hand that ships with the project, or any by the path of its YAML.

    Args:
        hand: Name of a hand in config/hands, or the path of a YAML file.
        side: Side of the hand.

    Raises:
        ConfigError: Unknown hand or side, or a description that is wrong.
    """
    if str(side) not in set(Side):
        raise unknown_choice("side", str(side), Side)
    side = Side(side)
    if hand.endswith((".yaml", ".yml")):
        robot = read_robot_hand(Path(hand))
        if robot.side is not side:
            raise ConfigError(f"{hand} describes a {robot.side} hand; a {side} one was asked for")
        return robot
    available = available_hands()
    if side not in available.get(hand, ()):
        names = [f"{name} ({', '.join(sides)})" for name, sides in available.items()]
        raise unknown_choice("robot hand", f"{hand} {side}", names)
    return _read_cached(resource_path(f"{_FOLDER}/{hand}_{side}.yaml"))


@lru_cache(maxsize=16)
def _read_cached(path: Path) -> RobotHandConfig:
    return read_robot_hand(path)


def read_robot_hand(path: Path) -> RobotHandConfig:
    """Read and check a robot hand's YAML.

    Args:
        path: The YAML. Its `urdf` is looked for beside it and then in the project.

    Raises:
        ConfigError: A key is unknown or missing, or a value cannot be.
        ModelFileError: The URDF is missing or is none.
    """
    with Fields(read_yaml(path), path.name) as fields:
        side = fields.text("side")
        if side not in set(Side):
            raise unknown_choice(f"side in {path.name}", side, Side)
        urdf_path = _find_urdf(path, fields.text("urdf"))
        urdf = read_urdf(urdf_path)
        joints = _read_joints(fields, urdf)
        names = tuple(str(name) for name in joints["name"])
        with fields.section("operator_frame") as frame:
            operator_link = urdf.check_link(frame.text("link"), f"{path.name}.operator_frame")
            operator_pose = read_pose(frame)
        with fields.section("fingers") as section:
            fingers = {name: read_finger(section, name, urdf) for name in _finger_names(section)}
        with fields.section("objectives") as section:
            objectives = {
                name: read_objective(section.section(name), name, urdf) for name in section.names()
            }
        fixed = {
            urdf.check_joint(name, f"{path.name}.fixed_joints"): value
            for name, value in _read_fixed(fields)
        }
        robot = RobotHandConfig(
            hand=fields.text("hand"),
            side=Side(side),
            urdf_path=urdf_path,
            root_link=urdf.root_link,
            joint_names=names,
            driver_joint_names=tuple(str(name) for name in joints["driver"]),
            lower=np.array([urdf.joints[name].lower for name in names]),
            upper=np.array([urdf.joints[name].upper for name in names]),
            velocity=np.array(joints["velocity"], float),
            acceleration=np.array(joints["acceleration"], float),
            effort=np.array([urdf.joints[name].effort for name in names]),
            rest=np.array(joints["rest"], float),
            limit_inset_rad=fields.number("limit_inset_rad", _LIMIT_INSET_RAD, above=0, most=0.1),
            fixed_joints=fixed,
            couplings=read_couplings(fields.sections("couplings", ()), names),
            fingers=fingers,
            operator_link=operator_link,
            operator_link_from_frame=operator_pose,
            objectives=objectives,
            collision=read_collision(fields, urdf),
        )
    _check(robot, path.name)
    return robot


def _find_urdf(path: Path, urdf: str) -> Path:
    beside = named_by(path, urdf)
    return beside.resolve() if beside.is_file() else resource_path(urdf)


def _finger_names(section: Fields) -> list[str]:
    given = section.names()
    for name in given:
        if name not in FINGERS:
            raise unknown_choice("finger", name, FINGERS)
    return sorted(given, key=FINGERS.index)


def _read_fixed(fields: Fields) -> list[tuple[str, float]]:
    section = fields.section("fixed_joints", {})
    return [(name, section.number(name)) for name in section.names()]


def _read_joints(fields: Fields, urdf: Urdf) -> dict[str, list[object]]:
    columns: dict[str, list[object]] = {
        key: [] for key in ("name", "driver", "velocity", "acceleration", "rest")
    }
    velocity = fields.raw("velocity_rad_s", None)
    acceleration = fields.raw("acceleration_rad_s2", None)
    for joint in fields.sections("joints"):
        with joint:
            name = urdf.check_joint(joint.text("name"), "joints")
            columns["name"].append(name)
            columns["driver"].append(joint.text("driver", name))
            own = urdf.joints[name].velocity
            columns["velocity"].append(
                joint.number("velocity_rad_s", own if velocity is None else velocity, above=0)
            )
            columns["acceleration"].append(
                joint.number("acceleration_rad_s2", acceleration, above=0)
            )
            columns["rest"].append(joint.number("rest_rad", 0.0))
    return columns


def _check(robot: RobotHandConfig, where: str) -> None:
    names = robot.joint_names
    for label, values in (("joints", names), ("driver names", robot.driver_joint_names)):
        if len(set(values)) != len(values) or not values:
            raise ConfigError(f"{where}: {label} must be given, each once: {', '.join(values)}")
    missing = sorted(set(read_urdf(robot.urdf_path).joints) - set(names))
    if missing:
        raise ConfigError(f"{where}: joints lacks {', '.join(missing)} of {robot.urdf_path.name}")
    inset = robot.limit_inset_rad
    for i, name in enumerate(names):
        low, high = robot.lower[i], robot.upper[i]
        if not low + 2 * inset < high:
            raise ConfigError(
                f"{where}: limits of {name} are {low:g}..{high:g}; lower must be less"
            )
        rest = robot.fixed_joints.get(name, float(robot.rest[i]))
        if not low <= rest <= high:
            raise ConfigError(f"{where}: rest {rest:g} of {name} is outside {low:g}..{high:g}")
        most = read_urdf(robot.urdf_path).joints[name].velocity
        if robot.velocity[i] > most:
            raise ConfigError(
                f"{where}: velocity {robot.velocity[i]:g} of {name} is above the URDF's {most:g}"
            )
    for coupling in robot.couplings:
        if coupling.joint in robot.fixed_joints or coupling.leader in robot.fixed_joints:
            raise ConfigError(f"{where}: {coupling.joint} cannot be both coupled and fixed")
