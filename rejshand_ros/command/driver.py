"""Drivers of real hands: what they listen to, in which form, with which joints in which order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from rejshand_ros.command.limits import joint_indices
from rejshand_ros.command.outputs import DriverJoints, OutputForm
from rejshand_ros.errors import ConfigError, unknown_choice
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.resources import resource_path
from rejshand_ros.retargeting.robot_hand import load_robot_hand
from rejshand_ros.yaml_file import read_yaml

_FOLDER = "config/drivers"
_PREFIX = {Side.RIGHT: "rh", Side.LEFT: "lh"}


@dataclass(frozen=True)
class DriverConfig:
    """One driver of a real hand.

    Attributes:
        hand: Robot hand that it drives.
        command_form: Message that it takes.
        command_topic: Where it listens.
        joint_states_topic: Where it reports the joints.
        joints: (n,) its names of the joints, in the order in which it reads a bare array.
        controller: ros2_control controller that is asked at the start whether its joints stand in
            that order; empty: none is.
    """

    hand: str
    command_form: OutputForm
    command_topic: str
    joint_states_topic: str
    joints: tuple[str, ...]
    controller: str = ""


def driver_names() -> tuple[str, ...]:
    """Names of the drivers that ship with the project."""
    return tuple(sorted(path.stem for path in resource_path(_FOLDER).glob("*.yaml")))


def load_driver(name: str, side: Side) -> DriverConfig:
    """A shipped driver by name, or a YAML file of one's own by path.

    In topics and joint names, {side} stands for the side, {prefix} for rh or lh.

    Raises:
        ConfigError: No such driver, a key that is unknown or missing, or joints that are not
            those of the hand's description (for a bare array: not in its order).
    """
    if name.endswith((".yaml", ".yml")):
        path = Path(name).expanduser()
        if not path.is_file():
            raise ConfigError(f"driver file {name} does not exist")
    elif name in driver_names():
        path = resource_path(f"{_FOLDER}/{name}.yaml")
    else:
        raise unknown_choice("driver", name, (*driver_names(), "the path of a YAML file"))
    values = read_yaml(path)
    driver = _build(values, path, side)
    robot = load_robot_hand(driver.hand, side)
    ours = dict(zip(robot.driver_joint_names, robot.joint_names, strict=True))
    joints = DriverJoints.build(robot.joint_names, ours, f"hand {driver.hand} {side}")
    if driver.command_form is OutputForm.FLOAT64_MULTI_ARRAY:
        joints.check_receiver(driver.joints, f"driver {path.stem}")
    else:
        joint_indices(joints.driver, driver.joints, f"driver {path.stem}")
    return driver


def load_drivers(name: str, sides: Sequence[Side]) -> dict[Side, DriverConfig]:
    """The driver of each side's hand.

    Raises:
        ConfigError: As `load_driver`, or both hands would listen to one topic, and each be told
            what the other is.
    """
    drivers = {side: load_driver(name, side) for side in sides}
    topics = [driver.command_topic for driver in drivers.values()]
    if len(set(topics)) < len(topics):
        raise ConfigError(
            f"driver {name} has one command topic, {topics[0]}, for both hands; put {{side}} or "
            "{prefix} into it in a driver file of your own, or drive one side"
        )
    return drivers


def _build(values: Any, path: Path, side: Side) -> DriverConfig:
    if not isinstance(values, Mapping):
        raise ConfigError(f"driver file {path} holds no mapping of settings")
    known = [field.name for field in fields(DriverConfig)]
    for key in values:
        if key not in known:
            raise unknown_choice(f"setting in {path.name}", key, known)
    missing = [key for key in known if key not in values and key != "controller"]
    if missing:
        raise ConfigError(f"driver file {path} lacks {', '.join(missing)}")
    if not isinstance(values["joints"], list):
        raise ConfigError(f"driver file {path}: joints is no list of names")
    for key in values:
        if key != "joints" and not (isinstance(values[key], str) and values[key]):
            raise ConfigError(f"driver file {path}: {key} {values[key]!r} is no text")

    def fill(text: object) -> str:
        return str(text).replace("{side}", str(side)).replace("{prefix}", _PREFIX[side])

    return DriverConfig(
        hand=values["hand"],
        command_form=OutputForm.parse(values["command_form"]),
        command_topic=fill(values["command_topic"]),
        joint_states_topic=fill(values["joint_states_topic"]),
        joints=tuple(fill(joint) for joint in values["joints"]),
        controller=fill(values.get("controller", "")),
    )
