"""Ways in which a hand could have moved when it must not: each was a defect once."""

from __future__ import annotations

import numpy as np
import pytest

from rejshand_ros.command.command import HandCommand, TeleopPhase
from rejshand_ros.command.config import CommandConfig
from rejshand_ros.command.controller import TeleopController
from rejshand_ros.command.limits import JointLimits
from rejshand_ros.command.watchdog import WatchdogConfig

MS = 1_000_000
START = 10**18
LIMITS = JointLimits(
    ("a", "b"), np.array([-1.0, 0.2]), np.array([1.0, 1.6]), np.full(2, 3.0), np.full(2, 60.0)
)
REST = np.array([0.0, 0.5])
FAR = np.array([0.9, 1.5])


def ticked(controller: TeleopController, now: int) -> HandCommand:
    command = controller.tick(now)
    assert command is not None
    return command


def tracking(config: CommandConfig | None = None) -> tuple[TeleopController, int]:
    controller = TeleopController(LIMITS, config)
    controller.on_measured(REST, START)
    controller.on_target(REST, START - 30 * MS, START)
    assert controller.engage(START).accepted
    now = START
    for index in range(10):
        now += 10 * MS
        if index % 3 == 0:
            controller.on_target(REST, now - 30 * MS, now)
        command = ticked(controller, now)
    assert command.phase is TeleopPhase.TRACKING
    return controller, now


def test_the_hand_holds_when_the_input_is_as_old_as_that_and_not_a_period_later() -> None:
    controller, now = tracking()
    silent_since = now
    controller.on_target(FAR, now - MS, now)
    last_following = 0
    for _ in range(30):
        now += 10 * MS
        if ticked(controller, now).phase is TeleopPhase.TRACKING:
            last_following = now - silent_since
    # The hand follows that command until the next one, ten milliseconds later.
    assert last_following + 10 * MS <= 100 * MS
    assert last_following >= 80 * MS


def test_rare_commands_still_follow() -> None:
    config = CommandConfig(rate_hz=2.0, longest_step_s=1.0, auto_engage=True)
    controller = TeleopController(LIMITS, config)
    controller.on_measured(REST, START)
    controller.on_target(FAR, START, START)
    assert ticked(controller, START).phase is TeleopPhase.RAMPING


def test_an_image_that_is_repeated_is_no_fresh_input() -> None:
    """A retargeting node that hangs and says the same again and again must not move the hand."""
    controller, now = tracking()
    capture = now
    controller.on_target(FAR, capture, now)
    phases = []
    for _ in range(60):
        now += 10 * MS
        controller.on_target(FAR, capture, now)
        phases.append(ticked(controller, now).phase)
    assert set(phases[10:]) == {TeleopPhase.HOLDING}
    assert "not newer" in controller.reason or "not newer" in controller.last_refusal


def test_stamps_may_begin_anew_after_a_long_silence() -> None:
    unsynchronised = WatchdogConfig(max_capture_age_s=0.0)
    controller, now = tracking(CommandConfig(watchdog=unsynchronised))
    for _ in range(250):
        now += 10 * MS
        ticked(controller, now)
    assert controller.on_target(REST, 5 * MS, now)


@pytest.mark.parametrize("capture_ns", [-1, -(2**31) * 10**9])
def test_a_stamp_that_is_no_time_is_refused(capture_ns: int) -> None:
    """Otherwise the command that follows it has a stamp that no message can carry."""
    controller, now = tracking(CommandConfig(watchdog=WatchdogConfig(max_capture_age_s=0.0)))
    assert not controller.on_target(FAR, capture_ns, now + 10**10)
    assert "no time" in controller.last_refusal


def test_the_ramp_begins_with_the_first_command() -> None:
    """Engaged long before the hand tells where it is: it must not start at full speed."""
    controller = TeleopController(LIMITS)
    now = START
    controller.on_target(FAR, now - MS, now)
    controller.engage(now)
    for _ in range(150):
        now += 10 * MS
        controller.on_target(FAR, now - MS, now)
        assert controller.tick(now) is None
    controller.on_measured(REST, now)
    fastest = 0.0
    for _ in range(10):
        now += 10 * MS
        controller.on_target(FAR, now - MS, now)
        command = ticked(controller, now)
        assert command.phase is TeleopPhase.RAMPING
        fastest = max(fastest, float(np.max(np.abs(command.velocities))))
    assert fastest <= 3.0 * (0.25 + 0.75 * 0.1) + 1e-9


def test_commands_start_anew_where_the_hand_is() -> None:
    """While nobody commanded it, somebody else may have moved the hand."""
    controller, now = tracking(CommandConfig(auto_engage=True))
    controller.restart()
    assert controller.phase is TeleopPhase.DISENGAGED
    now += 60_000 * MS
    assert controller.tick(now) is None
    controller.on_measured(FAR, now)
    assert ticked(controller, now + MS).positions == pytest.approx(FAR)


def test_a_stop_stays_latched_when_commands_start_anew() -> None:
    controller, now = tracking(CommandConfig(auto_engage=True))
    controller.emergency_stop(now)
    controller.restart()
    controller.on_measured(REST, now)
    controller.on_target(FAR, now, now)
    assert ticked(controller, now + MS).phase is TeleopPhase.STOPPED


def test_a_stop_and_a_disengagement_outlast_the_controller() -> None:
    """A node that is configured anew has a new controller; the operator's word still counts."""
    for request in ("emergency_stop", "disengage"):
        controller, now = tracking(CommandConfig(auto_engage=True))
        assert getattr(controller, request)(now).accepted
        successor = TeleopController(LIMITS, CommandConfig(auto_engage=True))
        successor.inherit(controller)
        successor.on_measured(REST, now)
        successor.on_target(FAR, now, now)
        phase = ticked(successor, now + MS).phase
        stopped = request == "emergency_stop"
        assert phase is (TeleopPhase.STOPPED if stopped else TeleopPhase.DISENGAGED)
        assert successor.engage(now).accepted is not stopped


@pytest.mark.parametrize("without", [False, True])
def test_a_hand_that_is_measured_far_beyond_its_limits_is_not_thrown_there(without: bool) -> None:
    """Degrees for radians, or an encoder gone wrong: the first command would be a jump."""
    config = CommandConfig(auto_engage=True, start_without_measured=without)
    controller = TeleopController(LIMITS, config)
    for measured in ([28.6, 0.5], [0.0, -0.4], [0.0, 1e30]):
        controller.on_measured(measured, START)
        controller.on_target(REST, START, START)
        assert controller.tick(START + MS) is None
        assert f"joint {'a' if measured[0] else 'b'} is measured at" in controller.reason
    controller.on_measured([1.3, -0.2], START + 2 * MS)
    assert ticked(controller, START + 3 * MS).positions == pytest.approx([1.0, 0.2], abs=1e-3)


@pytest.mark.parametrize("ahead_ms", [30, 45, 500, 10_000])
def test_a_clock_set_ahead_moves_nothing_faster(ahead_ms: int) -> None:
    """By that clock more time has passed, but the hand has had ten milliseconds as ever."""
    controller, now = tracking()
    steady, at = 0, [ticked(controller, now).positions]
    for index in range(40):
        steady += 10 * MS
        now += 10 * MS + (ahead_ms * MS if index == 20 else 0)
        controller.on_target(FAR, now - MS, now)
        command = controller.tick(now, steady)
        assert command is not None
        at.append(command.positions)
    velocities = np.diff(np.array(at), axis=0) / 0.01
    assert np.max(np.abs(velocities)) <= 3.0 + 1e-9
    assert np.max(np.abs(np.diff(velocities, axis=0))) <= 60.0 * 0.01 + 1e-9
    assert np.max(velocities) > 1.0
