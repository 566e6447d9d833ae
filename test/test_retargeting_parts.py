"""Bounds, capsules, pinches, smooth following, the operator frame and calibration."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rejshand_ros.errors import ConfigError, InputError
from rejshand_ros.geometry import rotation_from_vector
from rejshand_ros.hand.frame import wrist_frame
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.hand.template import load_template
from rejshand_ros.retargeting.calibration import (
    calibration_path,
    load_calibration,
    save_calibration,
)
from rejshand_ros.retargeting.calibration_session import CalibrationSession, robot_finger
from rejshand_ros.retargeting.capsules import segment_distance
from rejshand_ros.retargeting.hand_parts import OBJECTIVES, PinchConfig
from rejshand_ros.retargeting.limits import step_bounds
from rejshand_ros.retargeting.operator_frame import OperatorFrame
from rejshand_ros.retargeting.pinch import PinchState
from rejshand_ros.retargeting.result import SolveOutcome
from rejshand_ros.retargeting.retargeter import Retargeter, RetargeterConfig
from rejshand_ros.retargeting.robot_hand import load_robot_hand
from rejshand_ros.retargeting.robot_model import RobotModel
from rejshand_ros.retargeting.smoothing import follow

REST = load_template().rest_keypoints


@settings(max_examples=200, deadline=None)
@given(
    last=st.floats(-1, 1),
    rate=st.floats(-4, 4),
    period=st.floats(0.001, 0.2),
    velocity=st.floats(0.1, 4),
    acceleration=st.floats(1, 100),
)
def test_a_step_has_room_and_can_always_stop(
    last: float, rate: float, period: float, velocity: float, acceleration: float
) -> None:
    one = np.ones(1)
    low, high = np.empty(1), np.empty(1)
    limits = (-1.0 * one, one, velocity * one, acceleration * one)
    step_bounds(last * one, rate * one, period, *limits, low, high)
    assert -1 <= low[0] <= high[0] <= 1
    assert high[0] - last <= velocity * period + 1e-12
    assert last - low[0] <= velocity * period + 1e-12
    # Run as fast as allowed at the limit: once within the bounds, braking is always possible.
    position, speed = last, 0.0
    for _ in range(100):
        step_bounds(position * one, speed * one, period, *limits, low, high)
        step = high[0] - position
        assert abs(step / period - speed) <= acceleration * period + 1e-6
        position, speed = high[0], step / period
    assert position <= 1


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10**6), flat=st.booleans())
def test_segment_distance_is_the_least_over_both(seed: int, flat: bool) -> None:
    rng = np.random.default_rng(seed)
    a0, a1, b0, b1 = rng.normal(size=(4, 3))
    if flat:
        b1 = b0 + (a1 - a0) * rng.uniform(-1, 1)
    distance, s, t = segment_distance(a0, a1, b0, b1)
    assert 0 <= s <= 1
    assert 0 <= t <= 1
    shares = np.linspace(0, 1, 101)
    p = a0 + shares[:, None] * (a1 - a0)
    q = b0 + shares[:, None] * (b1 - b0)
    grid = np.linalg.norm(p[:, None] - q[None], axis=2).min()
    assert distance <= grid + 1e-9
    assert distance >= grid - 0.1
    between = np.linalg.norm(a0 + s * (a1 - a0) - b0 - t * (b1 - b0))
    assert distance == pytest.approx(between, abs=1e-9)


def test_a_pinch_takes_hold_gradually_and_lets_go_late() -> None:
    state = PinchState(1, PinchConfig(near_m=0.03, far_m=0.05, weight=1, handover_s=0.1))
    shares = [float(state.update(np.array([d]), 0.02)[0]) for d in np.linspace(0.06, 0.02, 20)]
    assert shares[0] == 0
    assert shares[-1] == 1
    assert (np.diff(shares) >= 0).all()
    assert np.diff(shares).max() <= 0.2 + 1e-9
    assert state.update(np.array([0.045]), 0.02)[0] == 1
    falling = [float(state.update(np.array([0.06]), 0.02)[0]) for _ in range(6)]
    np.testing.assert_allclose(falling, [0.8, 0.6, 0.4, 0.2, 0, 0], atol=1e-9)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10**6), parts=st.integers(2, 5))
def test_following_depends_on_time_and_not_on_frames(seed: int, parts: int) -> None:
    rng = np.random.default_rng(seed)
    last, rate, goal = rng.normal(size=(3, 4))
    whole = follow(last, rate, goal, 0.1, 0.05)
    near = last
    elapsed = np.linspace(0, 0.1, parts + 1)[1:]
    for moment in elapsed:
        near = follow(last, rate, goal, float(moment), 0.05)
    np.testing.assert_allclose(near, whole, atol=1e-12)
    np.testing.assert_allclose(follow(last, rate, goal, 5.0, 0.05), goal, atol=1e-9)
    np.testing.assert_array_equal(follow(last, rate, goal, 0.1, 0.0), goal)


@pytest.mark.parametrize("sigma", [(0.003, 0.003, 0.003), (0.002, 0.012, 0.002)])
def test_the_frame_is_calmer_and_truer_than_a_plane(sigma: tuple[float, ...]) -> None:
    rng = np.random.default_rng(0)
    followed = OperatorFrame(Side.RIGHT)
    ours, plane = [], []
    truth = wrist_frame(REST, "right").rotation
    for step in range(150):
        turn = rotation_from_vector([0, 1.4 * np.sin(0.05 * step), 0.3 * np.sin(0.03 * step)])
        seen = (REST + rng.normal(size=(21, 3)) * 0.0) @ turn.T + rng.normal(size=(21, 3)) * sigma
        followed.update(seen)
        assert followed.rotation is not None
        plane.append(wrist_frame(seen, "right").rotation)
        for found, rotation in ((ours, followed.rotation), (plane, plane.pop())):
            error = truth.T @ turn.T @ rotation
            found.append(np.arccos(np.clip((np.trace(error) - 1) / 2, -1, 1)))
    assert np.mean(ours[5:]) < 0.85 * np.mean(plane[5:])
    assert np.max(ours[5:]) < np.max(plane[5:])


def test_the_frame_outlives_a_palm_on_one_line() -> None:
    frame = OperatorFrame(Side.RIGHT)
    with pytest.raises(InputError, match="line"):
        frame.update(np.outer(np.linspace(0, 0.2, 21), [0, 0, 1.0]))
    for _ in range(5):
        good = frame.update(REST)
    thin = REST * [1e-9, 1e-9, 1.0]
    kept = frame.update(thin)
    assert np.isfinite(kept).all()
    np.testing.assert_allclose(kept[9], good[9], atol=0.02)


@pytest.mark.parametrize("hand", ["allegro", "shadow"])
def test_a_calibrated_hand_lies_on_the_robots_fingers(hand: str, tmp_path: Path) -> None:
    robot = load_robot_hand(hand, Side.RIGHT)
    model = RobotModel(robot)
    session = CalibrationSession(model, duration_s=1.0)
    turn = rotation_from_vector([0.4, -0.2, 1.0])
    vertices = load_template().vertices
    done = False
    for step in range(40):
        done = session.add(REST @ turn.T, step * 33_000_000, vertices @ turn.T)
    assert done
    calibration = session.finish("somebody")
    assert calibration.quality > 0.9
    local = wrist_frame(REST, "right").inverse().apply(REST)
    for finger, fit in calibration.fingers.items():
        base, length = robot_finger(model, finger)
        first = 1 + 4 * ("thumb", "index", "middle", "ring", "little").index(finger)
        np.testing.assert_allclose(fit.scale * local[first] + fit.offset, base, atol=1e-9)
        assert fit.scale * fit.length_m == pytest.approx(length)
    path = tmp_path / "person.yaml"
    save_calibration(path, calibration)
    again = load_calibration(path, hand, Side.RIGHT)
    assert again.person == "somebody"
    for finger, fit in calibration.fingers.items():
        np.testing.assert_allclose(again.fingers[finger].offset, fit.offset, atol=1e-5)
    with pytest.raises(ConfigError, match="left"):
        load_calibration(path, hand, Side.LEFT)
    retargeter = Retargeter(robot, RetargeterConfig(), calibration=again)
    result = retargeter.retarget(REST, Side.RIGHT, 1)
    retargeter.calibrate(None)
    retargeter.reset()
    assert np.abs(retargeter.retarget(REST, Side.RIGHT, 1).positions - result.positions).max() > 0


def test_a_fist_is_no_calibration() -> None:
    model = RobotModel(load_robot_hand("allegro", Side.RIGHT))
    session = CalibrationSession(model, duration_s=0.5)
    fist = REST.copy()
    fist[[8, 12, 16]] = fist[[5, 9, 13]] + [0.02, 0, 0]
    for step in range(30):
        session.add(fist, step * 33_000_000)
    with pytest.raises(InputError, match="0 of 30 frames"):
        session.finish("somebody")
    with pytest.raises(InputError, match="letters"):
        calibration_path("../evil", "allegro", "right")


_FRESH = """
import sys
import numpy as np
from numba.core import event
from rejshand_ros.hand.template import load_template
from rejshand_ros.retargeting.retargeter import Retargeter, RetargeterConfig
from rejshand_ros.retargeting.robot_hand import load_robot_hand

hand, side, objective = sys.argv[1:]
retargeter = Retargeter(load_robot_hand(hand, side), RetargeterConfig(objective=objective))
points = np.array(load_template().rest_keypoints) * ([-1, 1, 1] if side == "left" else 1)
with event.install_recorder("numba:compiler_lock") as compiled:
    for frame in range(4):
        result = retargeter.retarget(points * (1 + 0.02 * frame), side, frame * 33_000_000)
        assert result.outcome.name == "CONVERGED", result
print(len(compiled.buffer))
"""


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize(("hand", "side"), [("allegro", "right"), ("shadow", "left")])
def test_the_first_frames_find_everything_compiled(hand: str, side: str, objective: str) -> None:
    # In a process of its own: what an earlier test compiled stays in this one.
    command = [sys.executable, "-c", _FRESH, hand, side, objective]
    assert int(subprocess.check_output(command, text=True)) == 0


def test_a_new_retargeter_remembers_no_frame() -> None:
    retargeter = Retargeter(load_robot_hand("allegro", Side.RIGHT))
    points = load_template().rest_keypoints * 1.1
    first = retargeter.retarget(points, Side.RIGHT, 0)
    retargeter.reset()
    again = retargeter.retarget(points, Side.RIGHT, 0)
    assert np.array_equal(first.positions, again.positions)
    assert first.outcome is SolveOutcome.CONVERGED
