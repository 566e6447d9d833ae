"""How a solve runs and when it ends."""

from __future__ import annotations

from dataclasses import dataclass

from rejshand_ros.errors import ConfigError


@dataclass(frozen=True)
class SolverConfig:
    """Settings of the bounded solver.

    Attributes:
        most_iterations: Cap on iterations.
        most_time_s: Cap on time, looked at every few iterations.
        gradient_tolerance: Largest entry of the projected gradient at a solution.
        value_tolerance: A step that lowers the value by less ends the solve.
        step_weight: Of the squared change of every joint since the last frame.
        rest_weight: Of the squared distance of every variable from the rest pose.
        collision_weight: Of the squared intrusion of capsules into one another's margin.
        most_overlap_m: Capsules that overlap deeper at the solution make it infeasible.
    """

    most_iterations: int = 50
    most_time_s: float = 0.01
    gradient_tolerance: float = 1e-6
    value_tolerance: float = 1e-8
    step_weight: float = 4e-3
    rest_weight: float = 0.0
    collision_weight: float = 2e4
    most_overlap_m: float = 1e-3

    def __post_init__(self) -> None:
        if self.most_iterations < 1:
            raise ConfigError(f"most_iterations {self.most_iterations}; at least 1 is needed")
        for name in ("most_time_s", "collision_weight", "gradient_tolerance", "value_tolerance"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ConfigError(f"{name} {getattr(self, name)} must be finite and above zero")
        for name in ("step_weight", "rest_weight", "most_overlap_m"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ConfigError(f"{name} {getattr(self, name)} must be finite and not negative")
