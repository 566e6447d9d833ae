"""One robot hand's solve: an objective, capsules and priors bound to the compiled solver."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
from numba import njit

from rejshand_ros.errors import ConfigError
from rejshand_ros.geometry import Array
from rejshand_ros.retargeting.capsules import segment_distance
from rejshand_ros.retargeting.kinematics import Indices, Tree, forward
from rejshand_ros.retargeting.objectives import Objective
from rejshand_ros.retargeting.result import SolveOutcome
from rejshand_ros.retargeting.robot_model import RobotModel
from rejshand_ros.retargeting.solver import CAPPED, STUCK, solve
from rejshand_ros.retargeting.terms import (
    Capsules,
    Priors,
    Scratch,
    Terms,
    evaluate,
    new_scratch,
)

_CHUNK = 8
_SET_IN_EARLY_M = 0.0005
_APPROACH_ITERATIONS = 20
_NO_TERMS = Terms(
    start=np.zeros(0, np.int64),
    end=np.zeros(0, np.int64),
    target=np.zeros((0, 3)),
    weight=np.zeros(0),
    huber=np.zeros(0),
    pad_start=np.zeros(0, np.int64),
    pad_end=np.zeros(0, np.int64),
    pad_distance=np.zeros(0),
    pad_weight=np.zeros(0),
    pad_huber=np.zeros(0),
)
_RETREAT_HALVINGS = 6


@dataclass(frozen=True)
class SolverConfig:
    """How a solve runs and when it ends.

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


@dataclass(frozen=True)
class SolveReport:
    """How a solve ended.

    Attributes:
        variables: (v,) the solution.
        outcome: How it ended.
        reason: What keeps it from being feasible or better; else empty.
        iterations: Spent.
        value: Of the function.
        tip_errors: (f,) distance of each fingertip from where it was asked, metres.
    """

    variables: Array
    outcome: SolveOutcome
    reason: str
    iterations: int
    value: float
    tip_errors: Array


class SolverProblem:
    """The arrays of one hand and objective, and the solve over them."""

    def __init__(
        self, model: RobotModel, objective: Objective, config: SolverConfig, *, collision: bool
    ) -> None:
        """Collect points and arrays.

        Args:
            model: The robot.
            objective: What is asked; its arrays are read at every solve.
            config: How a solve runs.
            collision: Whether the hand's capsules are kept apart.
        """
        self._config = config
        self._objective = objective
        self.fingers = tuple(objective.tip_terms())
        self._tip_terms = np.array([*objective.tip_terms().values()], np.int64)
        guarded = model.config.collision if collision else None
        points = list(objective.points)
        starts, ends, radii, reaches = [], [], [], []
        self._capsule_names: tuple[str, ...] = ()
        for capsule in guarded.capsules if guarded else ():
            starts.append(len(points))
            ends.append(len(points) + 1)
            points += [(capsule.link, capsule.start), (capsule.link, capsule.end)]
            radii.append(capsule.radius_m)
            reaches.append(
                capsule.radius_m + float(np.linalg.norm(capsule.end - capsule.start)) / 2
            )
            self._capsule_names = (*self._capsule_names, capsule.name)
        self.tree = model.tree(points)
        self.capsules = Capsules(
            start=np.array(starts, np.int64),
            end=np.array(ends, np.int64),
            radius=np.array(radii, float),
            reach=np.array(reaches, float),
            pair=np.array(guarded.pairs if guarded else [], np.int64).reshape(-1, 2),
            # The quadratic gives way a little under load: set in early to keep the whole margin.
            margin=np.array([guarded.margin_m + _SET_IN_EARLY_M if guarded else 0.0]),
            weight=np.array([config.collision_weight]),
        )
        self.priors = Priors(
            last=model.variables(model.config.rest),
            last_weight=config.step_weight * model.joint_weights(),
            rest=model.variables(model.config.rest),
            rest_weight=np.full(len(model.variable_names), config.rest_weight),
        )
        self._wish = Priors(
            last=self.priors.last.copy(),
            last_weight=np.ones(len(model.variable_names)),
            rest=self.priors.rest,
            rest_weight=np.zeros(len(model.variable_names)),
        )
        self._no_errors = np.zeros(len(self._tip_terms))
        self._scratch = new_scratch(self.tree)

    @property
    def terms(self) -> Terms:
        """The objective's arrays."""
        return self._objective.terms

    def evaluate(self, variables: Array) -> tuple[float, Array, Array]:
        """Value, gradient (v,) and Hessian (v, v) at variables (v,)."""
        size = len(variables)
        gradient, hessian = np.empty(size), np.empty((size, size))
        value = evaluate(
            self.tree,
            self.terms,
            self.capsules,
            self.priors,
            self._scratch,
            np.asarray(variables, float),
            gradient,
            hessian,
        )
        return value, gradient, hessian

    def solve(self, start: Array, last: Array, lower: Array, upper: Array) -> SolveReport:
        """Minimise within bounds.

        Args:
            start: (v,) where to begin.
            last: (v,) the variables that the step prior holds on to.
            lower: (v,) bounds.
            upper: (v,) bounds.
        """
        config = self._config
        deadline = time.perf_counter() + config.most_time_s
        self.priors.last[:] = last
        x = start.copy()
        damping = np.array([1e-6])
        spent = 0
        outcome = SolveOutcome.ITERATION_CAP
        state, value = CAPPED, np.nan
        while spent < config.most_iterations:
            state, iterations, value = solve(
                self.tree,
                self._objective.terms,
                self.capsules,
                self.priors,
                self._scratch,
                lower,
                upper,
                x,
                damping,
                min(_CHUNK, config.most_iterations - spent),
                config.gradient_tolerance,
                config.value_tolerance,
            )
            spent += iterations
            if state != CAPPED:
                outcome = SolveOutcome.CONVERGED
                break
            if time.perf_counter() > deadline:
                outcome = SolveOutcome.TIME_CAP
                break
        reason = ""
        if state == STUCK:
            outcome = SolveOutcome.ITERATION_CAP
            reason = "no step lowers the objective further"
        if not np.isfinite(value):
            outcome, reason = SolveOutcome.INFEASIBLE, "the objective is not finite"
        return self._inspected(SolveReport(x, outcome, reason, spent, value, self._no_errors))

    def approach(
        self, last: Array, wanted: Array, lower: Array, upper: Array, report: SolveReport
    ) -> SolveReport:
        """The variables nearest to those wanted that are within bounds and free of collision.

        Args:
            last: (v,) the last step's variables.
            wanted: (v,) variables.
            lower: (v,) bounds of this step.
            upper: (v,) bounds of this step.
            report: Of the solve that the wanted variables lead to; its account is kept.
        """
        x = np.clip(wanted, lower, upper)
        iterations = 0
        if len(self.capsules.pair):
            self._wish.last[:] = wanted
            _, iterations, _ = solve(
                self.tree,
                _NO_TERMS,
                self.capsules,
                self._wish,
                self._scratch,
                lower,
                upper,
                x,
                np.array([1e-6]),
                _APPROACH_ITERATIONS,
                self._config.gradient_tolerance,
                self._config.value_tolerance,
            )
        report = replace(report, variables=x, iterations=report.iterations + iterations)
        found = self._inspected(report)
        if found.outcome is not SolveOutcome.INFEASIBLE or not np.isfinite(report.value):
            return found
        share = self._retreat(last, x)
        found = replace(self._inspected(report), outcome=SolveOutcome.INFEASIBLE)
        reason = f"{found.reason or 'capsules would overlap'}: moved {100 * share:.0f} % of the way"
        return replace(found, reason=reason)

    def _retreat(self, last: Array, x: Array) -> float:
        """Move x back towards the last variables, as far as keeps the capsules apart.

        A hand in full motion can be bound by its acceleration limits to run into itself. Stopping
        short breaks those for one frame, which the command's own limits smooth out; it breaks
        neither position nor velocity limits, since it stays between two poses that keep them.

        Returns:
            The share 0..1 of the way that is left; 0 also where the last pose itself overlaps.
        """
        goal = x.copy()
        kept, span = 0.0, 1.0
        errors = np.empty(len(self._tip_terms))
        for _ in range(_RETREAT_HALVINGS):
            span /= 2
            x[:] = last + (kept + span) * (goal - last)
            if self._overlap(x, errors)[0] <= self._config.most_overlap_m:
                kept += span
        x[:] = last + kept * (goal - last)
        return kept

    def _overlap(self, x: Array, errors: Array) -> tuple[float, int]:
        """Fill the fingertips' errors; the deepest overlap of capsules, metres, and its pair."""
        found: tuple[float, int] = _inspect(
            self.tree,
            self._objective.terms,
            self.capsules,
            self._scratch,
            x,
            self._tip_terms,
            errors,
        )
        return found

    def _inspected(self, report: SolveReport) -> SolveReport:
        """The report with fingertip errors, infeasible where capsules overlap."""
        errors = np.empty(len(self._tip_terms))
        overlap, pair = self._overlap(report.variables, errors)
        outcome, reason = report.outcome, report.reason
        if overlap > self._config.most_overlap_m:
            first, second = (self._capsule_names[i] for i in self.capsules.pair[pair])
            outcome = SolveOutcome.INFEASIBLE
            reason = f"{first} and {second} overlap by {1e3 * overlap:.1f} mm within the limits"
        elif outcome is SolveOutcome.INFEASIBLE and np.isfinite(report.value):
            # The way there is free, even if the goal itself is not.
            outcome, reason = SolveOutcome.CONVERGED, ""
        return SolveReport(
            report.variables, outcome, reason, report.iterations, report.value, errors
        )


@njit(cache=True)
def _inspect(
    tree: Tree,
    terms: Terms,
    capsules: Capsules,
    scratch: Scratch,
    x: Array,
    tip_terms: Indices,
    errors: Array,
) -> tuple[float, int]:
    """Fill the fingertips' errors; the deepest overlap of capsules in metres, and its pair."""
    forward(tree, x, scratch.rotations, scratch.origins, scratch.axes, scratch.points)
    points = scratch.points
    for f in range(tip_terms.shape[0]):
        k = tip_terms[f]
        square = 0.0
        for i in range(3):
            error = points[terms.end[k], i] - points[terms.start[k], i] - terms.target[k, i]
            square += error * error
        errors[f] = np.sqrt(square)
    deepest, where = -np.inf, -1
    for k in range(capsules.pair.shape[0]):
        a, b = capsules.pair[k, 0], capsules.pair[k, 1]
        distance, _, _ = segment_distance(
            points[capsules.start[a]],
            points[capsules.end[a]],
            points[capsules.start[b]],
            points[capsules.end[b]],
        )
        overlap = capsules.radius[a] + capsules.radius[b] - distance
        if overlap > deepest:
            deepest, where = overlap, k
    return deepest, where
