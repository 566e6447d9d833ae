"""Commands in the forms that receivers take, as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import ArrayLike

from rejshand_ros.command.command import HandCommand
from rejshand_ros.command.limits import joint_indices
from rejshand_ros.errors import ConfigError, InputError, unknown_choice
from rejshand_ros.geometry import Array


class OutputForm(Enum):
    """Message that the receiver of commands understands."""

    JOINT_STATE = "joint_state"
    FLOAT64_MULTI_ARRAY = "float64_multi_array"
    JOINT_TRAJECTORY = "joint_trajectory"

    @classmethod
    def parse(cls, name: str) -> OutputForm:
        """The form of this name.

        Raises:
            ConfigError: Another name.
        """
        try:
            return cls(name)
        except ValueError:
            raise unknown_choice("output form", name, [form.value for form in cls]) from None


@dataclass(frozen=True)
class DriverJoints:
    """Joint names and their order on the driver's side.

    Attributes:
        ours: (n,) names of the hand's joints in the order of the command room.
        driver: (n,) names in the driver's order.
        source: (n,) for each driver joint, the index of ours that it carries.
    """

    ours: tuple[str, ...]
    driver: tuple[str, ...]
    source: tuple[int, ...]

    @classmethod
    def same(cls, ours: Sequence[str]) -> DriverJoints:
        """A receiver that uses our names in our order."""
        return cls(tuple(ours), tuple(ours), tuple(range(len(ours))))

    @classmethod
    def build(
        cls,
        ours: Sequence[str],
        ours_by_driver: Mapping[str, str],
        what: str = "the driver",
        driver_order: Sequence[str] | None = None,
    ) -> DriverJoints:
        """From a mapping in the driver's order.

        Args:
            ours: Names of the hand's joints.
            ours_by_driver: The driver's name -> ours.
            what: Who the driver is, for errors.
            driver_order: The driver's names in its order; None takes the mapping's.

        Raises:
            ConfigError: The two sides do not name the same joints; both are shown side by side.
        """
        order = tuple(ours_by_driver) if driver_order is None else tuple(driver_order)
        joint_indices(order, tuple(ours_by_driver), what)
        # Checked from our side first, so that the message pairs our names with the driver's map.
        joint_indices(ours, [ours_by_driver[name] for name in order], what)
        place = {name: index for index, name in enumerate(ours)}
        return cls(tuple(ours), order, tuple(place[ours_by_driver[name]] for name in order))

    def to_driver(self, values: ArrayLike) -> tuple[float, ...]:
        """Values (n,) of our joints in the driver's order."""
        array = _row(values, len(self.ours))
        return tuple(float(array[index]) for index in self.source)

    def from_driver(self, names: Sequence[str], values: Sequence[float]) -> list[float]:
        """Values of a driver's joint state, in our order.

        Args:
            names: The driver's names; further joints (of an arm, say) are passed over.
            values: One number a name.

        Raises:
            ConfigError: A joint of the hand is missing; both lists are shown side by side.
            InputError: Names and values differ in number, or one of the hand's joints is named
                twice.
        """
        given = values_by_name(names, values, self.driver, "joint state")
        if any(name not in given for name in self.driver):
            joint_indices(self.driver, list(names), "the joint state")
        by_ours = {
            self.ours[index]: given[name]
            for index, name in zip(self.source, self.driver, strict=True)
        }
        return [float(by_ours[name]) for name in self.ours]

    def check_receiver(self, names: Sequence[str], what: str, *, named: bool = False) -> None:
        """Refuse a receiver whose joints stand in another order than commands are sent in.

        A bare array of numbers has no names, so an order that differs would move the wrong joints.

        Args:
            names: The receiver's joints in its order.
            what: Who it is, for errors.
            named: Commands carry names, so that their order is no matter.

        Raises:
            ConfigError: Another order or other names; both are shown side by side.
        """
        joint_indices(self.driver, names, what)
        if not named and tuple(names) != self.driver:
            pairs = "; ".join(f"{a} | {b}" for a, b in zip(self.driver, names, strict=True))
            raise ConfigError(f"joint order of {what} differs from ours: {pairs} (ours | theirs)")


@dataclass(frozen=True)
class JointStateOutput:
    """For sensor_msgs/JointState: (n,) names, radians, radians a second."""

    names: tuple[str, ...]
    positions: tuple[float, ...]
    velocities: tuple[float, ...]


@dataclass(frozen=True)
class MultiArrayOutput:
    """For std_msgs/Float64MultiArray: (n,) radians in the driver's order."""

    data: tuple[float, ...]


@dataclass(frozen=True)
class TrajectoryOutput:
    """For trajectory_msgs/JointTrajectory with one point.

    It has no velocities: ros2_control's joint_trajectory_controller refuses a trajectory that does
    not end at rest, unless it is told otherwise (from Jazzy on).

    Attributes:
        names: (n,) the driver's joint names.
        positions: (n,) radians.
        time_from_start_s: When the point is to be reached, seconds after receipt.
    """

    names: tuple[str, ...]
    positions: tuple[float, ...]
    time_from_start_s: float


Output = JointStateOutput | MultiArrayOutput | TrajectoryOutput


def format_command(
    command: HandCommand, form: OutputForm, joints: DriverJoints, horizon_s: float = 0.02
) -> Output:
    """Turn a command into what the receiver takes.

    Args:
        command: The command, joints in the order of `joints.ours`.
        form: The receiver's message.
        joints: Names and order on the driver's side.
        horizon_s: For trajectories: how far ahead the point lies; about two command periods keep
            a trajectory controller moving without a stop between points.

    Raises:
        ConfigError: The command's joints are not those of `joints`.
    """
    if command.joint_names != joints.ours:
        raise ConfigError(
            f"command joints {', '.join(command.joint_names)} are not the expected "
            f"{', '.join(joints.ours)}"
        )
    positions = joints.to_driver(command.positions)
    if form is OutputForm.FLOAT64_MULTI_ARRAY:
        return MultiArrayOutput(positions)
    if form is OutputForm.JOINT_TRAJECTORY:
        return TrajectoryOutput(joints.driver, positions, horizon_s)
    return JointStateOutput(joints.driver, positions, joints.to_driver(command.velocities))


def values_by_name(
    names: Sequence[str], values: Sequence[float], wanted: Sequence[str], what: str
) -> dict[str, float]:
    """Name -> value, as a message pairs them.

    Args:
        names: The message's names; those that are not wanted do not matter.
        values: One number a name.
        wanted: Names of which each may stand there once: a joint with two positions has none.
        what: Name of the message for the error, e.g. ``"joint state"``.

    Raises:
        InputError: Names and values differ in number, or a wanted name stands there twice.
    """
    if len(names) != len(values):
        raise InputError(f"{what}: {len(names)} joint names, {len(values)} values")
    given = dict(zip(names, values, strict=True))
    if len(given) != len(names):
        twice = [name for name in wanted if list(names).count(name) > 1]
        if twice:
            raise InputError(f"{what} names {', '.join(twice)} twice")
    return given


def _row(values: ArrayLike, count: int) -> Array:
    array = np.asarray(values, float)
    if array.shape != (count,):
        raise InputError(f"joint values have shape {array.shape}; ({count},) is needed")
    return array
