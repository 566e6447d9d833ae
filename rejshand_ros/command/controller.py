"""The one place that decides what a teleoperated hand is told: states, limits, time-outs.

Pure: it knows no clock, no thread and no ROS; every call says what time it is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from rejshand_ros.command.command import HandCommand, TeleopPhase
from rejshand_ros.command.config import CommandConfig
from rejshand_ros.command.interpolation import MotionLimiter
from rejshand_ros.command.limits import JointLimits
from rejshand_ros.command.passed_time import PassedTime
from rejshand_ros.command.reply import Reply
from rejshand_ros.command.watchdog import InputAge, InputWatchdog
from rejshand_ros.geometry import Array

_FOLLOWING = (TeleopPhase.RAMPING, TeleopPhase.TRACKING)


class TeleopController:
    """State machine of a teleoperated hand.

    DISENGAGED -> (engage) -> RAMPING -> TRACKING -> (input too old) HOLDING -> (older still)
    DISENGAGED; HOLDING -> (new input) RAMPING. STOPPED latches until `release`.

    There is no command before the hand's own positions are known (or, by setting, before the first
    target): zeros are never sent for want of better. Every command is finite and within the
    position, velocity and acceleration limits, also while it brakes into HOLDING, DISENGAGED and
    STOPPED. Times are nanoseconds of one clock, which may jump; where `tick` is told a steady
    clock's time too, a jump ahead moves nothing faster than its limits.
    """

    def __init__(self, joint_limits: JointLimits, config: CommandConfig | None = None) -> None:
        self.joint_limits = joint_limits
        self.config = config or CommandConfig()
        self._limiter = MotionLimiter(joint_limits, self.config.longest_step_s)
        self._watchdog = InputWatchdog(self.config.watchdog, 1.0 / self.config.rate_hz)
        self._phase = TeleopPhase.DISENGAGED
        self._reason = "not engaged yet"
        self._started = False
        self._measured: Array | None = None
        self._measured_ns = 0
        self._target: Array | None = None
        self._target_capture_ns = 0
        self._capture_ns: int | None = None
        self._target_is_new = False
        self._passed = PassedTime()
        self._no_start = ""
        self._ramp_began_ns = 0
        self._engaged_ns = 0
        # Set by the operator's own disengage or stop: only the operator undoes it.
        self._operator_off = False
        self._last_refusal = ""

    @property
    def phase(self) -> TeleopPhase:
        """State of the teleoperation."""
        return self._phase

    @property
    def reason(self) -> str:
        """Why it is in this state, in plain words."""
        if not self._started and self._phase is not TeleopPhase.STOPPED:
            why = self._no_start or "the hand's own positions are unknown"
            return f"{self._reason}; no command yet: {why}"
        return self._reason

    @property
    def at_rest(self) -> bool:
        """Whether the last command, if there was one, asks for no motion."""
        return not (self._started and np.any(self._limiter.velocities))

    @property
    def last_refusal(self) -> str:
        """Why the latest refused target was refused; empty after an accepted one."""
        return self._last_refusal

    def engage(self, now_ns: int) -> Reply:
        """Let the operator move the hand; it ramps to the operator's pose."""
        if self._phase is TeleopPhase.STOPPED:
            return Reply(False, f"stopped ({self._reason}); release the stop first")
        self._operator_off = False
        if self._phase is not TeleopPhase.DISENGAGED:
            return Reply(True, f"already engaged ({self._phase.name.lower()})")
        self._engaged_ns = now_ns
        if self._watchdog.judge(now_ns) is InputAge.FRESH:
            self._begin_ramp(now_ns, "engaged by the operator")
        else:
            self._enter(TeleopPhase.HOLDING, "engaged, waiting for a fresh target")
        return Reply(True, self._reason)

    def disengage(self, now_ns: int, reason: str = "by the operator") -> Reply:
        """Take the hand from the operator; it brakes and stays where it is."""
        if self._phase is TeleopPhase.STOPPED:
            return Reply(False, f"stopped ({self._reason}); release the stop first")
        self._operator_off = True
        self._enter(TeleopPhase.DISENGAGED, f"disengaged {reason}".strip())
        return Reply(True, self._reason)

    def emergency_stop(self, now_ns: int, reason: str = "by the operator") -> Reply:
        """Brake at once and latch until `release`."""
        self._operator_off = True
        if self._phase is not TeleopPhase.STOPPED:
            self._enter(TeleopPhase.STOPPED, f"emergency stop {reason}".strip())
        return Reply(True, self._reason)

    def release(self, now_ns: int) -> Reply:
        """Undo the latch of an emergency stop; the hand stays disengaged until `engage`."""
        if self._phase is not TeleopPhase.STOPPED:
            return Reply(False, f"not stopped ({self._phase.name.lower()})")
        self._enter(TeleopPhase.DISENGAGED, "stop released; engage to go on")
        return Reply(True, self._reason)

    def restart(self) -> None:
        """Forget where the hand is, as after a time without commands in which it may have moved.

        The next command starts at what is measured from now on. A stop stays latched; otherwise
        the hand is disengaged and the operator's own disengagement still counts.
        """
        self._started = False
        self._measured = None
        self._passed.forget()
        self._capture_ns = None
        self._target_is_new = False
        self._watchdog.forget()
        if self._phase not in (TeleopPhase.STOPPED, TeleopPhase.DISENGAGED):
            self._enter(TeleopPhase.DISENGAGED, "started anew")

    def inherit(self, before: TeleopController) -> None:
        """Take over what the operator has decided with the controller that this one replaces.

        A stop stays latched, and only the operator undoes his own disengagement.
        """
        self._operator_off = before._operator_off
        if before._phase is TeleopPhase.STOPPED:
            self._enter(TeleopPhase.STOPPED, before._reason)

    def on_measured(self, positions: ArrayLike, now_ns: int) -> None:
        """Note the hand's measured joint positions (n,), radians; non-finite ones are ignored.

        Raises:
            InputError: Another number of joints.
        """
        values = self.joint_limits.checked(positions, "measured joint state")
        if np.all(np.isfinite(values)):
            self._measured, self._measured_ns = values, now_ns

    def on_target(self, positions: ArrayLike, capture_ns: int, now_ns: int) -> bool:
        """Take a new joint target; `tick` may be called right after it.

        Args:
            positions: (n,) radians; outside the limits they are moved inside.
            capture_ns: Capture stamp of the image behind it.
            now_ns: Time of arrival.

        Returns:
            Whether it will be followed; `last_refusal` says why not. A refused target does not
            count as a sign of life.

        Raises:
            InputError: Another number of joints.
        """
        values = self.joint_limits.checked(positions, "joint target")
        self._last_refusal = self._refusal(values, capture_ns, now_ns)
        if self._last_refusal:
            return False
        self._target = self.joint_limits.clip(values)
        self._target_capture_ns = capture_ns
        self._target_is_new = True
        self._watchdog.accept(now_ns)
        return True

    def _refusal(self, values: Array, capture_ns: int, now_ns: int) -> str:
        bad = ~np.isfinite(values)
        if np.any(bad):
            return f"not a finite number: {self.joint_limits.names[int(np.argmax(bad))]}"
        stale = self._watchdog.refusal(capture_ns, now_ns)
        if stale:
            return stale
        # Somebody who repeats one image gives no fresh input. Only after so long a silence that
        # the hand has disengaged may stamps begin anew, as those of a restarted camera do.
        known = self._watchdog.judge(now_ns) in (InputAge.FRESH, InputAge.STALE)
        if known and capture_ns <= self._target_capture_ns:
            return "its image is not newer than the last one followed"
        return ""

    def tick(self, now_ns: int, steady_ns: int | None = None) -> HandCommand | None:
        """Advance to this time and say what the hand is told.

        Args:
            now_ns: Time.
            steady_ns: Time of a clock that is never set, where there is one: the hand moves for
                no longer than passed on it.

        Returns:
            The command, or None while nothing is known about where the hand is.
        """
        period_s, motion_s = self._passed.tick(now_ns, steady_ns)
        if period_s < 0:
            # No time may be read off a clock that was set back: forget the input and the motion.
            self._watchdog.forget()
            self._limiter.rest()
            self._engaged_ns = now_ns
            if self._phase in _FOLLOWING:
                self._enter(TeleopPhase.HOLDING, f"the clock went back by {-period_s:.3f} s")
        self._update_phase(now_ns, gap_s=period_s)
        if not self._started and not self._start(now_ns):
            return None
        following = self._phase in _FOLLOWING
        self._limiter.step(
            self._target if following else None, motion_s, self._velocity_scale(now_ns)
        )
        first = following and self._target_is_new
        if following:
            self._capture_ns = self._target_capture_ns
            self._target_is_new = False
        command = HandCommand(
            issued_ns=now_ns,
            capture_ns=self._capture_ns,
            phase=self._phase,
            reason=self._reason,
            joint_names=self.joint_limits.names,
            positions=self._limiter.positions,
            velocities=self._limiter.velocities,
            first_for_capture=first,
        )
        # After the command, so that every return shows at least one that ramps.
        self._finish_ramp(now_ns)
        return command

    def _start(self, now_ns: int) -> bool:
        """Place the first command; False while there is nothing to place it on."""
        longest_ns = self.config.watchdog.disengage_after_s * 1e9
        self._no_start = ""
        if self._measured is not None and abs(now_ns - self._measured_ns) <= longest_ns:
            start = self._measured
            # A first command at the limit would throw such a joint there, or its unit is wrong.
            self._no_start = self.joint_limits.beyond(start, self.config.start_tolerance_rad)
            if self._no_start:
                return False
        elif (
            self.config.start_without_measured
            and self._phase in _FOLLOWING
            and self._target is not None
        ):
            start = self._target
        else:
            return False
        self._limiter.reset(start)
        self._started = True
        if self._phase in _FOLLOWING:
            # The ramp begins with the first command, not while there was none.
            self._begin_ramp(now_ns, self._reason)
        return True

    def _update_phase(self, now_ns: int, gap_s: float) -> None:
        """Let the age of the input move the state."""
        age = self._watchdog.judge(now_ns)
        if self._phase in _FOLLOWING:
            if age is not InputAge.FRESH:
                self._enter(TeleopPhase.HOLDING, self._age_reason(now_ns))
            elif gap_s > self.config.longest_step_s:
                self._begin_ramp(now_ns, f"no command was issued for {gap_s:.3f} s")
        elif self._phase is TeleopPhase.HOLDING and age is InputAge.FRESH:
            self._begin_ramp(now_ns, "fresh input")
        elif (
            self._phase is TeleopPhase.DISENGAGED
            and self.config.auto_engage
            and not self._operator_off
            and age is InputAge.FRESH
        ):
            self._begin_ramp(now_ns, "engaged by itself on fresh input")
        if self._phase is TeleopPhase.HOLDING:
            waited_s = (now_ns - self._engaged_ns) * 1e-9
            longest_s = self.config.watchdog.disengage_after_s
            if age in (InputAge.EXPIRED, InputAge.NONE) and waited_s > longest_s:
                self._enter(TeleopPhase.DISENGAGED, f"disengaged: {self._age_reason(now_ns)}")

    def _age_reason(self, now_ns: int) -> str:
        age_s = self._watchdog.age_s(now_ns)
        if age_s is None or age_s < 0:
            return "no target has arrived"
        refused = f"; the last one was refused: {self._last_refusal}" if self._last_refusal else ""
        return f"the last target arrived {age_s:.3f} s ago{refused}"

    def _velocity_scale(self, now_ns: int) -> float:
        if self._phase is not TeleopPhase.RAMPING:
            return 1.0
        progress = (now_ns - self._ramp_began_ns) * 1e-9 / self.config.ramp_time_s
        low = self.config.ramp_velocity_scale
        return low + (1.0 - low) * min(max(progress, 0.0), 1.0)

    def _begin_ramp(self, now_ns: int, reason: str) -> None:
        self._ramp_began_ns = now_ns
        self._enter(TeleopPhase.RAMPING, reason)

    def _finish_ramp(self, now_ns: int) -> None:
        """End a ramp that has reached the target or its longest time."""
        if self._phase is not TeleopPhase.RAMPING or self._target is None:
            return
        far = float(np.max(np.abs(self._target - self._limiter.positions)))
        if (
            far <= self.config.ramp_tolerance_rad
            or now_ns - self._ramp_began_ns >= self.config.ramp_time_s * 1e9
        ):
            self._enter(TeleopPhase.TRACKING, "following the operator")

    def _enter(self, phase: TeleopPhase, reason: str) -> None:
        self._phase = phase
        self._reason = reason
