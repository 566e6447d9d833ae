"""What every command to a robot hand must obey, judged from the outside by the commands alone.

Knows neither the controller nor ROS: it takes commands in the order in which they were issued and
names whatever breaks a rule. The rules are those of docs/safety.md.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from rejshand_ros.command.command import TeleopPhase
from rejshand_ros.command.limits import JointLimits
from rejshand_ros.geometry import Array

FOLLOWING = (TeleopPhase.RAMPING, TeleopPhase.TRACKING)
_POSITION_SLACK_RAD = 1e-9
_RATE_SLACK = 1e-6
_TIME_SLACK_S = 1e-3
_SHORTEST_S = 1e-6
_START_SLACK_RAD = 0.05
"""How far a new command node may begin from where the hand said it was a moment before."""


@dataclass(frozen=True)
class SeenCommand:
    """One command as it was published.

    Attributes:
        number: The publisher's own count of its messages, from one.
        issued_ns: Its stamp.
        capture_ns: Stamp of the image that it follows; zero before the first.
        phase: State of the teleoperation.
        positions: (n,) radians.
        velocities: (n,) radians a second.
    """

    number: int
    issued_ns: int
    capture_ns: int
    phase: TeleopPhase
    positions: Array
    velocities: Array


@dataclass(frozen=True)
class Timing:
    """Settings of the command node that the rules name, seconds."""

    hold_after_s: float = 0.1
    max_capture_age_s: float = 0.5
    longest_step_s: float = 0.05


class CommandRules:
    """Checks a stream of commands, one after the other.

    Attributes:
        violations: What broke a rule, in words.
        checked: Commands seen.
        describe_now: What is going on, for the text of a violation.
    """

    def __init__(
        self,
        limits: JointLimits,
        timing: Timing = Timing(),
    ) -> None:
        """Begin with an empty stream.

        Args:
            limits: Of the robot hand.
            timing: Of the command node.
        """
        self._limits = limits
        self._timing = timing
        self.describe_now = ""
        self._last: SeenCommand | None = None
        self._first_issued: dict[int, int] = {}
        self._measured: deque[Array] = deque(maxlen=200)
        self.violations: list[str] = []
        self.checked = 0

    def measured(self, positions: Array) -> None:
        """Note where the hand says it is (n,), radians; non-finite ones are nobody's start."""
        if positions.shape == self._limits.lower.shape and np.all(np.isfinite(positions)):
            self._measured.append(positions)

    def see(self, command: SeenCommand) -> None:
        """Judge the next command."""
        self.checked += 1
        last = self._last
        if not self._valid_by_itself(command):
            return
        if last is None or command.number <= last.number:
            self._first_issued.clear()
            self._judge_beginning(command)
        else:
            self._judge_motion(last, command)
            self._judge_phase(last, command)
        self._judge_input(command, last)
        self._last = command

    def _break(self, rule: str, command: SeenCommand) -> None:
        self.violations.append(f"{rule} (command {command.number}; {self.describe_now})")

    def _valid_by_itself(self, command: SeenCommand) -> bool:
        positions, limits = command.positions, self._limits
        if positions.shape != limits.lower.shape or not np.all(np.isfinite(positions)):
            self._break("not finite, or of another number of joints", command)
            return False
        below = positions < limits.lower - _POSITION_SLACK_RAD
        above = positions > limits.upper + _POSITION_SLACK_RAD
        if np.any(below | above):
            self._break("outside the position limits", command)
        return True

    def _judge_beginning(self, command: SeenCommand) -> None:
        """The first command of a command node: where the hand is, and not yet following fully."""
        if command.phase is TeleopPhase.TRACKING and command.number == 1:
            self._break("a command node began without a ramp", command)
        if self._measured and command.number == 1:
            known = self._limits.clip(np.stack(tuple(self._measured)))
            distance = np.abs(known - command.positions).max(axis=1).min()
            if distance > _START_SLACK_RAD:
                self._break(f"began {distance:.3f} rad from where the hand was", command)

    def _judge_motion(self, last: SeenCommand, command: SeenCommand) -> None:
        period_s = (command.issued_ns - last.issued_ns) * 1e-9
        moved = np.abs(command.positions - last.positions)
        next_to_each_other = command.number == last.number + 1
        if period_s < _SHORTEST_S:
            # The clock was set back: nothing may be moved by a time that did not pass.
            if next_to_each_other and np.any(moved > _POSITION_SLACK_RAD):
                self._break("moved while the clock went back", command)
            return
        allowed = self._limits.velocity * period_s * (1 + _RATE_SLACK) + _POSITION_SLACK_RAD
        if np.any(moved > allowed):
            self._break(f"faster than the velocity limit by {np.max(moved - allowed):.2e}", command)
        if next_to_each_other:
            change = np.abs(command.velocities - last.velocities)
            allowed = self._limits.acceleration * period_s * (1 + _RATE_SLACK) + _RATE_SLACK
            if np.any(change > allowed):
                self._break("beyond the acceleration limit", command)

    def _judge_phase(self, last: SeenCommand, command: SeenCommand) -> None:
        if command.phase is not TeleopPhase.TRACKING or command.number != last.number + 1:
            return
        if last.phase not in FOLLOWING:
            self._break(f"tracked straight after {last.phase.name.lower()}", command)
        gap_s = (command.issued_ns - last.issued_ns) * 1e-9
        if gap_s > self._timing.longest_step_s + _TIME_SLACK_S:
            self._break(f"tracked on after a gap of {gap_s:.3f} s", command)

    def _judge_input(self, command: SeenCommand, last: SeenCommand | None) -> None:
        """No command follows an input that arrived, or was captured, too long ago."""
        if last is not None and command.issued_ns < last.issued_ns:
            self._first_issued.clear()
        if command.phase not in FOLLOWING:
            return
        # A new target is answered at once, so the first command for it tells when it arrived.
        arrived_ns = self._first_issued.setdefault(command.capture_ns, command.issued_ns)
        waited_s = (command.issued_ns - arrived_ns) * 1e-9
        if waited_s > self._timing.hold_after_s + _TIME_SLACK_S:
            self._break(f"followed an input that was {waited_s:.3f} s old", command)
        age_s = (command.issued_ns - command.capture_ns) * 1e-9
        oldest_s = self._timing.max_capture_age_s + self._timing.hold_after_s + _TIME_SLACK_S
        if age_s > oldest_s:
            self._break(f"followed an image that was {age_s:.3f} s old", command)
        if len(self._first_issued) > 100:
            del self._first_issued[next(iter(self._first_issued))]
