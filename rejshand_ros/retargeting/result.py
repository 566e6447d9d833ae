"""What a solve hands on: a joint target and an honest account of how it came about."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from rejshand_ros.geometry import Array


class SolveOutcome(Enum):
    """How a solve ended; values as in rejshand_msgs/JointTarget."""

    CONVERGED = 0
    ITERATION_CAP = 1
    TIME_CAP = 2
    INFEASIBLE = 3
    REJECTED_INPUT = 4


@dataclass(frozen=True)
class RetargetResult:
    """Joint target for one robot hand.

    Attributes:
        joint_names: (n,) names of the hand's movable joints.
        positions: (n,) radians, one a name; the last good target when the input was rejected.
        outcome: How the solve ended.
        reason: Why the input was rejected or the solve failed; empty otherwise.
        iterations: Solver iterations spent.
        solve_time_s: Wall time of the solve.
        fingertip_error_m: Finger name -> distance of the robot's tip from where it was asked.
        active_limits: Names of joints resting on a position or velocity limit.
    """

    joint_names: tuple[str, ...]
    positions: Array
    outcome: SolveOutcome
    reason: str
    iterations: int
    solve_time_s: float
    fingertip_error_m: dict[str, float]
    active_limits: tuple[str, ...]
