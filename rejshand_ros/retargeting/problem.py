"""One robot hand's solve: an objective, capsules and priors bound to the compiled solver."""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rejshand_ros.geometry import Array
from rejshand_ros.retargeting.inspection import inspect, new_findings, solve_and_inspect
from rejshand_ros.retargeting.objectives import Objective
from rejshand_ros.retargeting.result import SolveOutcome
from rejshand_ros.retargeting.robot_model import RobotModel
from rejshand_ros.retargeting.solver import CAPPED, STUCK, solve
from rejshand_ros.retargeting.solver_config import SolverConfig
from rejshand_ros.retargeting.terms import (
    Capsules,
    Function,
    Priors,
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
_FIRST_DAMPING = 1e-6


class SolveReport(NamedTuple):
    """How a solve ended.

    Attributes:
        variables: (v,) the solution.
        outcome: How it ended.
        reason: What keeps it from being feasible or better; else empty.
        iterations: Spent.
        value: Of the function.
        tip_errors: (f,) distance of each fingertip from where it was asked, metres.
        active: (v,) which variables rest on a bound.
    """

    variables: Array
    outcome: SolveOutcome
    reason: str
    iterations: int
    value: float
    tip_errors: Array
    active: NDArray[np.bool_]


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
        tips = objective.tip_terms()
        self.fingers = tuple(tips)
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
            margin=guarded.margin_m + _SET_IN_EARLY_M if guarded else 0.0,
            weight=float(config.collision_weight),
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
        self._function = Function(self.tree, objective.terms, self.capsules, self.priors)
        self._wishes = self._function._replace(terms=_NO_TERMS, priors=self._wish)
        self._findings = new_findings(
            np.array([*tips.values()], np.int64), len(model.variable_names)
        )

    def evaluate(self, variables: Array) -> tuple[float, Array, Array]:
        """Value, gradient (v,) and Hessian (v, v) at variables (v,)."""
        size = len(variables)
        gradient, hessian = np.empty(size), np.empty((size, size))
        x = np.asarray(variables, float)
        value = evaluate(self._function, new_scratch(self.tree), x, gradient, hessian)
        return value, gradient, hessian

    def overlap(self, variables: Array) -> float:
        """How deep the two capsules that overlap most do, metres; negative: all are apart."""
        x = np.asarray(variables, float)
        return float(inspect(self._function, x, x, x, self._findings)[0])

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
        damping, spent = _FIRST_DAMPING, 0
        outcome, reason = SolveOutcome.CONVERGED, ""
        while True:
            state, iterations, value, damping, overlap, pair = solve_and_inspect(
                self._function,
                lower,
                upper,
                x,
                damping,
                min(_CHUNK, config.most_iterations - spent),
                config.gradient_tolerance,
                config.value_tolerance,
                self._findings,
            )
            spent += iterations
            if state != CAPPED:
                break
            if spent >= config.most_iterations:
                outcome = SolveOutcome.ITERATION_CAP
                break
            if time.perf_counter() > deadline:
                outcome = SolveOutcome.TIME_CAP
                break
        if value - value != 0.0:
            outcome, reason = SolveOutcome.INFEASIBLE, "the objective is not finite"
        elif state == STUCK:
            outcome = SolveOutcome.ITERATION_CAP
            reason = "no step lowers the objective further"
        return self._report(x, outcome, reason, spent, value, overlap, pair)

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
        iterations = report.iterations
        if len(self.capsules.pair):
            self._wish.last[:] = wanted
            _, spent, _, _ = solve(
                self._wishes,
                new_scratch(self.tree),
                lower,
                upper,
                x,
                _FIRST_DAMPING,
                _APPROACH_ITERATIONS,
                self._config.gradient_tolerance,
                self._config.value_tolerance,
            )
            iterations += spent
        overlap, pair = inspect(self._function, lower, upper, x, self._findings)
        outcome, reason, value = report.outcome, report.reason, report.value
        if outcome is SolveOutcome.INFEASIBLE and np.isfinite(value):
            # The way there may be free, even if the goal itself is not.
            outcome, reason = SolveOutcome.CONVERGED, ""
        found = self._report(x, outcome, reason, iterations, value, overlap, pair)
        if found.outcome is not SolveOutcome.INFEASIBLE or not np.isfinite(value):
            return found
        share = self._retreat(last, x)
        reason = f"{found.reason}: moved {100 * share:.0f} % of the way"
        overlap, pair = inspect(self._function, lower, upper, x, self._findings)
        found = self._report(x, found.outcome, reason, iterations, value, overlap, pair)
        return found._replace(reason=reason)

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
        for _ in range(_RETREAT_HALVINGS):
            span /= 2
            x[:] = last + (kept + span) * (goal - last)
            if self.overlap(x) <= self._config.most_overlap_m:
                kept += span
        x[:] = last + kept * (goal - last)
        return kept

    def _report(
        self,
        x: Array,
        outcome: SolveOutcome,
        reason: str,
        iterations: int,
        value: float,
        overlap: float,
        pair: int,
    ) -> SolveReport:
        """The account of a solve just inspected: infeasible where capsules overlap."""
        if overlap > self._config.most_overlap_m:
            first, second = (self._capsule_names[i] for i in self.capsules.pair[pair])
            outcome = SolveOutcome.INFEASIBLE
            reason = f"{first} and {second} overlap by {1e3 * overlap:.1f} mm within the limits"
        errors, active = self._findings.tip_errors.copy(), self._findings.active.copy()
        return SolveReport(x, outcome, reason, iterations, value, errors, active)
