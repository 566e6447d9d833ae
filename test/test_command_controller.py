"""The state machine: transitions by hand, invariants over random events."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rejshand_ros.command.command import HandCommand, TeleopPhase
from rejshand_ros.command.config import CommandConfig
from rejshand_ros.command.controller import TeleopController
from rejshand_ros.command.limits import JointLimits
from rejshand_ros.command.watchdog import WatchdogConfig
from rejshand_ros.errors import ConfigError, InputError

MS = 1_000_000
START = 10**18
LIMITS = JointLimits(
    ("a", "b"), np.array([-1.0, 0.2]), np.array([1.0, 1.6]), np.full(2, 3.0), np.full(2, 60.0)
)
REST = np.array([0.0, 0.5])


def run(
    controller: TeleopController, now: int, count: int, target: np.ndarray | None = None
) -> tuple[int, list[HandCommand]]:
    """Tick `count` times at 100 Hz, with a fresh target every third tick where one is given."""
    commands = []
    for index in range(count):
        now += 10 * MS
        if target is not None and index % 3 == 0:
            controller.on_target(target, now - 30 * MS, now)
        command = controller.tick(now)
        assert command is not None
        commands.append(command)
    return now, commands


def tracking() -> tuple[TeleopController, int]:
    controller = TeleopController(LIMITS)
    controller.on_measured(REST, START)
    controller.on_target(REST, START - 30 * MS, START)
    assert controller.engage(START).accepted
    now, commands = run(controller, START, 10, REST)
    assert commands[-1].phase is TeleopPhase.TRACKING
    return controller, now


def test_no_command_before_the_hand_is_measured() -> None:
    controller = TeleopController(LIMITS, CommandConfig(auto_engage=True))
    assert controller.tick(START) is None
    controller.on_target(REST, START, START)
    assert controller.tick(START + MS) is None
    assert "unknown" in controller.reason
    controller.on_measured([0.3, 1.0], START + 2 * MS)
    command = controller.tick(START + 3 * MS)
    assert command is not None
    assert command.positions == pytest.approx([0.3, 1.0], abs=0.01)


def test_by_setting_the_first_command_starts_at_the_first_target() -> None:
    config = CommandConfig(auto_engage=True, start_without_measured=True)
    controller = TeleopController(LIMITS, config)
    assert controller.tick(START) is None
    controller.on_target([0.3, 1.0], START, START)
    command = controller.tick(START)
    assert command is not None
    assert command.positions == pytest.approx([0.3, 1.0])
    assert command.first_for_capture
    assert command.capture_ns == START


def test_disengaged_holds_the_measured_position() -> None:
    controller = TeleopController(LIMITS)
    controller.on_measured([0.3, 1.0], START)
    controller.on_target([-1, 1.5], START, START)
    _, commands = run(controller, START, 5, np.array([-1, 1.5]))
    assert all(c.phase is TeleopPhase.DISENGAGED and c.capture_ns is None for c in commands)
    assert all(np.array_equal(c.positions, [0.3, 1.0]) for c in commands)


def test_engage_ramps_then_tracks() -> None:
    controller = TeleopController(LIMITS)
    controller.on_measured(REST, START)
    target = np.array([0.9, 1.5])
    controller.on_target(target, START, START)
    controller.engage(START)
    _now, commands = run(controller, START, 120, target)
    phases = [c.phase for c in commands]
    switch = phases.index(TeleopPhase.TRACKING)
    assert switch > 5
    assert set(phases[:switch]) == {TeleopPhase.RAMPING}
    first = np.max(np.abs([c.velocities for c in commands[:10]]))
    assert first <= 3.0 * (0.25 + 0.75 * 0.1) + 1e-9
    assert commands[-1].positions == pytest.approx(target, abs=1e-3)


def test_stale_input_holds_within_100_ms_and_later_disengages() -> None:
    controller, now = tracking()
    controller.on_target(REST, now - MS, now)
    silent_since = now
    phases = []
    for _ in range(300):
        now += 10 * MS
        command = controller.tick(now)
        assert command is not None
        phases.append((now - silent_since, command.phase))
    assert all(p is TeleopPhase.TRACKING for t, p in phases if t <= 90 * MS)
    assert all(p is TeleopPhase.HOLDING for t, p in phases if 100 * MS <= t <= 2000 * MS)
    assert all(p is TeleopPhase.DISENGAGED for t, p in phases if t > 2010 * MS)
    assert "ago" in controller.reason
    # Without auto_engage, input alone does not bring it back.
    _, commands = run(controller, now, 10, REST)
    assert commands[-1].phase is TeleopPhase.DISENGAGED


def test_coming_back_from_holding_ramps() -> None:
    controller, now = tracking()
    now, commands = run(controller, now, 30)
    assert commands[-1].phase is TeleopPhase.HOLDING
    now, commands = run(controller, now, 5, np.array([0.9, 1.5]))
    assert commands[0].phase is TeleopPhase.RAMPING


def test_a_stalled_command_loop_ramps_afterwards() -> None:
    controller, now = tracking()
    now += 400 * MS
    controller.on_target([1.0, 1.5], now - MS, now)
    command = controller.tick(now)
    assert command is not None
    assert command.phase is TeleopPhase.RAMPING
    assert command.positions == pytest.approx(REST, abs=0.02)


def test_stop_latches_until_released_and_engaged_again() -> None:
    controller = TeleopController(LIMITS, CommandConfig(auto_engage=True))
    controller.on_measured(REST, START)
    now, _ = run(controller, START, 10, REST)
    controller.emergency_stop(now, "by pedal")
    assert not controller.engage(now).accepted
    assert not controller.disengage(now).accepted
    now, commands = run(controller, now, 50, np.array([1.0, 1.0]))
    assert {c.phase for c in commands} == {TeleopPhase.STOPPED}
    assert "by pedal" in commands[-1].reason
    assert controller.release(now).accepted
    assert not controller.release(now).accepted
    now, commands = run(controller, now, 10, np.array([1.0, 1.0]))
    assert {c.phase for c in commands} == {TeleopPhase.DISENGAGED}
    assert controller.engage(now).accepted
    now, commands = run(controller, now, 10, np.array([1.0, 1.0]))
    assert commands[0].phase is TeleopPhase.RAMPING


def test_auto_engage_respects_the_operators_disengage() -> None:
    controller = TeleopController(LIMITS, CommandConfig(auto_engage=True))
    controller.on_measured(REST, START)
    now, commands = run(controller, START, 10, REST)
    assert commands[-1].phase is TeleopPhase.TRACKING
    controller.disengage(now)
    now, commands = run(controller, now, 10, REST)
    assert commands[-1].phase is TeleopPhase.DISENGAGED


def test_bad_targets_are_refused_and_are_no_sign_of_life() -> None:
    controller, now = tracking()
    controller.on_target(REST, now - MS, now)
    for _ in range(20):
        now += 10 * MS
        assert not controller.on_target([np.nan, 0.5], now - MS, now)
        command = controller.tick(now)
    assert command is not None
    assert command.phase is TeleopPhase.HOLDING
    assert "not a finite number: a" in command.reason
    assert not controller.on_target(REST, now - 900 * MS, now)
    assert "0.900 s old" in controller.last_refusal
    assert not controller.on_target(REST, now + 900 * MS, now)
    with pytest.raises(InputError):
        controller.on_target([0.0], now, now)


def test_a_new_target_moves_the_hand_at_once() -> None:
    controller, now = tracking()
    before = controller.tick(now)
    controller.on_target([0.9, 0.5], now - 20 * MS, now + 3 * MS)
    command = controller.tick(now + 3 * MS)
    assert before is not None
    assert command is not None
    assert command.positions[0] > before.positions[0]
    assert command.first_for_capture
    assert command.capture_ns == now - 20 * MS
    again = controller.tick(now + 10 * MS)
    assert again is not None
    assert not again.first_for_capture
    assert again.capture_ns == command.capture_ns


def test_clock_set_back_holds_until_new_input() -> None:
    controller, now = tracking()
    back = now - 10**10
    command = controller.tick(back)
    assert command is not None
    assert command.phase is TeleopPhase.HOLDING
    assert "went back" in command.reason
    back, commands = run(controller, back, 3, REST)
    assert commands[0].phase is TeleopPhase.RAMPING


def test_settings_are_checked() -> None:
    for name, bad in (
        ("rate_hz", 0.0),
        ("ramp_time_s", np.inf),
        ("ramp_velocity_scale", 1.1),
        ("start_tolerance_rad", np.nan),
        ("longest_step_s", 0.005),
    ):
        with pytest.raises(ConfigError, match=name):
            CommandConfig(**{name: bad})
    with pytest.raises(ConfigError, match="hold_after"):
        WatchdogConfig(hold_after_s=3.0)
    with pytest.raises(ConfigError, match="max_capture_age_s"):
        WatchdogConfig(max_capture_age_s=np.nan)


number = st.one_of(st.floats(-3, 3), st.sampled_from([np.nan, np.inf, -np.inf, 1e30]))
pair = st.tuples(number, number)
event = st.one_of(
    st.tuples(st.just("tick"), st.sampled_from([10, 10, 10, 9, 11, 1, 0, 30, 70, 500, 3000])),
    st.tuples(st.just("tick"), st.floats(0.01, 20)),
    st.tuples(st.just("clock"), st.sampled_from([-5000, -20, 5000, 10**7])),
    st.tuples(st.just("target"), pair, st.sampled_from([0, 20, 60, 400, 900, -50, -900])),
    st.tuples(
        st.just("follow"),
        st.one_of(st.just((0.0, 0.5)), st.tuples(st.floats(-2, 2), st.floats(-2, 2))),
        st.integers(1, 30),
    ),
    st.tuples(st.just("measured"), pair),
    st.tuples(st.sampled_from(["engage", "disengage", "stop", "release"])),
    # The command process dies and comes back, or a manager takes it in and out of service.
    st.tuples(st.sampled_from(["death", "restart"])),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(event, min_size=5, max_size=60), st.booleans(), st.booleans())
def test_invariants_over_random_events(events: list, auto: bool, without: bool) -> None:
    config = CommandConfig(auto_engage=auto, start_without_measured=without)
    controller = TeleopController(LIMITS, config)
    now = START
    arrival: int | None = None
    last: HandCommand | None = None
    known = False

    def tick() -> None:
        nonlocal last
        command = controller.tick(now)
        if command is None:
            assert last is None
            return
        assert known, "a command came before anything was known about the hand"
        assert np.all(np.isfinite(command.positions))
        assert np.all(np.isfinite(command.velocities))
        assert np.all(command.positions >= LIMITS.lower)
        assert np.all(command.positions <= LIMITS.upper)
        assert np.all(np.abs(command.velocities) <= LIMITS.velocity + 1e-9)
        if command.phase in (TeleopPhase.RAMPING, TeleopPhase.TRACKING):
            assert arrival is not None
            assert 0 <= now - arrival <= 100 * MS
        else:
            assert not command.first_for_capture
        if last is not None:
            period = (command.issued_ns - last.issued_ns) * 1e-9
            moved = command.positions - last.positions
            if period <= 0:
                assert np.array_equal(command.positions, last.positions)
            else:
                assert np.all(np.abs(moved) <= LIMITS.velocity * period + 1e-9)
                change = np.abs(command.velocities - last.velocities)
                assert np.all(change <= LIMITS.acceleration * period + 1e-7)
            gap = period > config.longest_step_s or period < 0
            was_following = last.phase in (TeleopPhase.RAMPING, TeleopPhase.TRACKING)
            if gap or not was_following:
                assert command.phase is not TeleopPhase.TRACKING, "did not ramp after a gap"
            if last.phase is TeleopPhase.STOPPED and not released:
                assert command.phase is TeleopPhase.STOPPED
        last = command

    released = False
    for kind, *details in events:
        if kind == "tick":
            now += int(details[0] * MS)
            tick()
            released = False
        elif kind == "clock":
            now += details[0] * MS
        elif kind == "target":
            if controller.on_target(details[0], now - details[1] * MS, now):
                arrival = now
                known = known or without
        elif kind == "follow":
            for index in range(details[1]):
                now += 10 * MS
                if index % 3 == 0 and controller.on_target(details[0], now - 20 * MS, now):
                    arrival = now
                    known = known or without
                tick()
                released = False
        elif kind == "measured":
            controller.on_measured(details[0], now)
            known = known or bool(np.all(np.isfinite(details[0])))
        elif kind == "engage":
            controller.engage(now)
        elif kind == "disengage":
            controller.disengage(now)
        elif kind == "stop":
            controller.emergency_stop(now)
            released = False
        elif kind in ("death", "restart"):
            if kind == "death":
                controller = TeleopController(LIMITS, config)
            else:
                stopped = controller.phase is TeleopPhase.STOPPED
                controller.restart()
                assert controller.phase is not TeleopPhase.TRACKING
                assert stopped == (controller.phase is TeleopPhase.STOPPED)
            last, known, arrival = None, False, None
        else:
            controller.release(now)
            released = True
