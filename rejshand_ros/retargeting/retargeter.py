"""From human keypoints to a robot hand's joint targets, one bounded solve a frame."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import compress

import numpy as np
from numpy.typing import ArrayLike

from rejshand_ros.errors import ConfigError, InputError, unknown_choice
from rejshand_ros.geometry import Array
from rejshand_ros.hand.keypoints import KEYPOINT_COUNT, Side
from rejshand_ros.hand.template import load_template
from rejshand_ros.retargeting.calibration import Calibration
from rejshand_ros.retargeting.limits import step_bounds
from rejshand_ros.retargeting.objectives import Objective, build_objective
from rejshand_ros.retargeting.operator_frame import OperatorFrame
from rejshand_ros.retargeting.problem import SolveReport, SolverProblem
from rejshand_ros.retargeting.result import RetargetResult, SolveOutcome
from rejshand_ros.retargeting.robot_hand import RobotHandConfig
from rejshand_ros.retargeting.robot_model import RobotModel
from rejshand_ros.retargeting.smoothing import follow
from rejshand_ros.retargeting.solver_config import SolverConfig
from rejshand_ros.retargeting.targets import palm_length

FRAMES = ("fit", "given")
_NANO = 1e-9
# Rounding must not carry a step past its limit.
_RATE_SHARE = 1.0 - 1e-6


@dataclass(frozen=True)
class RetargeterConfig:
    """How keypoints become joint targets.

    Attributes:
        objective: Name of an objective of the hand's YAML.
        frame: ``"fit"`` finds the operator frame in the keypoints; ``"given"`` takes them as
            already in it.
        limit_rates: Keep within velocity and acceleration limits.
        collision: Keep the hand's capsules apart.
        settling_s: Time constant with which the target follows the solution, seconds; it lags
            by twice as much. 0 for none; None for the one in the objective's YAML.
        longest_period_s: A longer gap between frames ends the motion: the next target starts
            from rest, and steps are limited as for this period.
        first_period_s: Period taken for the first frame, seconds.
        shortest_palm_m: A human hand's wrist to middle knuckle is no shorter.
        longest_palm_m: Nor longer.
        solver: The solver's settings.
    """

    objective: str = "vector"
    frame: str = "fit"
    limit_rates: bool = True
    collision: bool = True
    settling_s: float | None = None
    longest_period_s: float = 0.2
    first_period_s: float = 1 / 30
    shortest_palm_m: float = 0.03
    longest_palm_m: float = 0.2
    solver: SolverConfig = field(default_factory=SolverConfig)

    def __post_init__(self) -> None:
        if self.frame not in FRAMES:
            raise unknown_choice("frame", self.frame, FRAMES)
        for name in ("longest_period_s", "first_period_s", "shortest_palm_m", "longest_palm_m"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ConfigError(f"{name} {getattr(self, name)} must be finite and above zero")
        if self.settling_s is not None and not 0 <= self.settling_s < 1:
            raise ConfigError(f"settling_s {self.settling_s}; valid: 0 to 1")
        if self.shortest_palm_m >= self.longest_palm_m:
            raise ConfigError("shortest_palm_m must be less than longest_palm_m")


class Retargeter:
    """Retargets one human hand onto one robot hand, frame after frame.

    Every frame is answered: with the solution and how the solve ended, or, where the input cannot
    be a hand, with the last good target and the reason.
    """

    def __init__(
        self,
        robot_hand: RobotHandConfig,
        config: RetargeterConfig | None = None,
        objective: Objective | None = None,
        calibration: Calibration | None = None,
    ) -> None:
        """Build the robot model and compile the solver where that was not done before.

        Args:
            robot_hand: The hand.
            config: How to retarget; the default serves teleoperation.
            objective: An objective of one's own in place of `config.objective`.
            calibration: The person's measures; None scales as the hand's YAML says.

        Raises:
            ConfigError: The hand's YAML lacks the objective, or contradicts itself.
            ModelFileError: Its URDF cannot be read.
        """
        self.robot_hand = robot_hand
        self.config = config or RetargeterConfig()
        self.model = RobotModel(robot_hand)
        self.objective = objective or build_objective(self.model, self.config.objective)
        if calibration is not None:
            self.objective.calibrate(calibration)
        self.problem = SolverProblem(
            self.model,
            self.objective,
            self.config.solver,
            collision=self.config.collision and robot_hand.collision is not None,
        )
        self._frame = OperatorFrame(robot_hand.side)
        self._settling_s = (
            robot_hand.objective(self.config.objective).settling_s
            if self.config.settling_s is None
            else self.config.settling_s
        )
        self._velocity = self.model.variable_rates(robot_hand.velocity) * _RATE_SHARE
        self._acceleration = self.model.variable_rates(robot_hand.acceleration) * _RATE_SHARE
        size = len(self.model.variable_names)
        self._low, self._high = np.empty(size), np.empty(size)
        self.reset()
        self._warm_up()

    def reset(self, positions: ArrayLike | None = None) -> None:
        """Forget every earlier frame.

        Args:
            positions: (n,) where the next solve starts, radians; None for the rest pose. The
                first frame afterwards is free of velocity limits.

        Raises:
            InputError: Wrong shape, or not finite.
        """
        given = self.robot_hand.rest if positions is None else positions
        variables = self.model.variables(self.model.check_positions(np.asarray(given, float)))
        self._last = np.clip(variables, self.model.lower, self.model.upper)
        self._goal = self._last
        self._rate = np.zeros_like(self._last)
        self._stamp_ns: int | None = None
        self._positions = self.model.positions(self._last)
        self._errors = dict.fromkeys(self.problem.fingers, 0.0)
        self._frame.reset()
        self.objective.reset()

    def calibrate(self, calibration: Calibration | None) -> None:
        """Change the person's measures between two frames; None for the YAML's scale."""
        self.objective.calibrate(calibration)

    def retarget(self, keypoints_3d: ArrayLike, side: Side | str, stamp_ns: int) -> RetargetResult:
        """The joint target for one frame.

        Args:
            keypoints_3d: (21, 3) metres relative to the wrist, in any fixed axes (with frame
                ``"given"``: in the operator frame).
            side: Side of the human hand.
            stamp_ns: Capture time, nanoseconds.

        Returns:
            The target. Its outcome is REJECTED_INPUT, with the last good positions and the
            reason, where the input cannot be a hand, is the other hand, or is no newer than the
            last frame.
        """
        begin = time.perf_counter()
        try:
            points, period_s = self._accept(keypoints_3d, side, stamp_ns)
        except InputError as error:
            return self._rejected(str(error), begin)
        self.objective.update(points, period_s)
        model = self.model
        report = self.problem.solve(self._goal, self._goal, model.lower, model.upper)
        self._goal = report.variables
        if self._stamp_ns is not None and (self.config.limit_rates or self._settling_s > 0):
            report = self._step(report, period_s)
        return self._advance(report, period_s, stamp_ns, begin)

    def robot_fingertips(self, positions: ArrayLike) -> dict[str, Array]:
        """Origins (3,) of the fingertip links in the root link's frame, metres.

        Args:
            positions: (n,) radians.

        Raises:
            InputError: Wrong shape, or not finite.
        """
        return self.model.link_positions(
            np.asarray(positions, float), self.robot_hand.fingertip_links
        )

    def _accept(
        self, keypoints_3d: ArrayLike, side: Side | str, stamp_ns: int
    ) -> tuple[Array, float]:
        try:
            # A copy, for the compiled code knows only one layout.
            points = np.array(keypoints_3d, float, order="C")
        except (TypeError, ValueError):
            raise InputError("keypoints are not numbers") from None
        if points.shape != (KEYPOINT_COUNT, 3):
            raise InputError(f"keypoints have shape {points.shape}; valid: ({KEYPOINT_COUNT}, 3)")
        if side != self.robot_hand.side:
            raise InputError(f"{side} hand given to a {self.robot_hand.side} robot hand")
        if self._stamp_ns is None:
            period_s = self.config.first_period_s
        else:
            period_s = (stamp_ns - self._stamp_ns) * _NANO
            if -self.config.longest_period_s <= period_s <= 0.0:
                raise InputError(f"stamp is {-period_s:.3f} s behind the last one; time must grow")
        length = palm_length(points)
        if length != length:
            raise InputError("keypoints are not finite")
        if not self.config.shortest_palm_m <= length <= self.config.longest_palm_m:
            raise InputError(
                f"wrist to middle knuckle measures {length:.3f} m; valid: "
                f"{self.config.shortest_palm_m:g} to {self.config.longest_palm_m:g}"
            )
        # Far behind is no late frame but a clock that was set back: as after a gap, from rest.
        if abs(period_s) > self.config.longest_period_s:
            period_s = self.config.longest_period_s
            self._rate[:] = 0.0
            self.objective.reset()
            self._frame.reset()
        if self.config.frame == "fit":
            points = self._frame.update(points)
        return points, period_s

    def _step(self, report: SolveReport, period_s: float) -> SolveReport:
        """One step towards a solution: as smooth as configured, within the limits on rates."""
        model = self.model
        low, high = model.lower, model.upper
        if self.config.limit_rates:
            low, high = self._low, self._high
            step_bounds(
                self._last,
                self._rate,
                period_s,
                model.lower,
                model.upper,
                self._velocity,
                self._acceleration,
                low,
                high,
            )
        wanted = follow(self._last, self._rate, report.variables, period_s, self._settling_s)
        return self.problem.approach(self._last, wanted, low, high, report)

    def _advance(
        self, report: SolveReport, period_s: float, stamp_ns: int, begin: float
    ) -> RetargetResult:
        if self._stamp_ns is not None:
            self._rate = (report.variables - self._last) / period_s
        self._last = report.variables
        self._positions = self.model.positions(report.variables)
        self._stamp_ns = stamp_ns
        self._errors = dict(zip(self.problem.fingers, report.tip_errors.tolist(), strict=True))
        return RetargetResult(
            joint_names=self.robot_hand.joint_names,
            positions=self._positions.copy(),
            outcome=report.outcome,
            reason=report.reason,
            iterations=report.iterations,
            solve_time_s=time.perf_counter() - begin,
            fingertip_error_m=self._errors,
            active_limits=tuple(compress(self.model.variable_names, report.active.tolist())),
        )

    def _rejected(self, reason: str, begin: float) -> RetargetResult:
        return RetargetResult(
            joint_names=self.robot_hand.joint_names,
            positions=self._positions.copy(),
            outcome=SolveOutcome.REJECTED_INPUT,
            reason=reason,
            iterations=0,
            solve_time_s=time.perf_counter() - begin,
            fingertip_error_m=self._errors,
            active_limits=(),
        )

    def _warm_up(self) -> None:
        """Compile, or load what was compiled, on frames that are thrown away.

        The second frame takes the step from one target to the next, which the first has not.
        """
        points = np.array(load_template().rest_keypoints)
        if self.robot_hand.side == Side.LEFT:
            points[:, 0] *= -1.0
        for frame in range(2):
            self.retarget(points, self.robot_hand.side, round(frame * 1e9 / 30))
        self.reset()
