"""One command to a robot hand and the state behind it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from rejshand_ros.geometry import Array


class TeleopPhase(Enum):
    """State of a teleoperated hand; values as in rejshand_msgs/TeleopState."""

    DISENGAGED = 0
    RAMPING = 1
    TRACKING = 2
    HOLDING = 3
    STOPPED = 4


@dataclass(frozen=True)
class HandCommand:
    """What the robot hand is told at one instant.

    Attributes:
        issued_ns: Time of issue, nanoseconds.
        capture_ns: Capture stamp of the image that the command follows; None before the first.
        phase: State of the teleoperation.
        reason: Why, in plain words.
        joint_names: (n,) names.
        positions: (n,) radians.
        velocities: (n,) radians a second.
        first_for_capture: Whether this is the first command that follows `capture_ns`.
    """

    issued_ns: int
    capture_ns: int | None
    phase: TeleopPhase
    reason: str
    joint_names: tuple[str, ...]
    positions: Array
    velocities: Array
    first_for_capture: bool
