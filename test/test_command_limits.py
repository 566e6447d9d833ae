"""Limits and interpolation: no step ever leaves them, whatever the targets and periods."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rejshand_ros.command.interpolation import MotionLimiter
from rejshand_ros.command.limits import JointLimits, joint_indices
from rejshand_ros.errors import ConfigError, InputError


def make_limits(velocity: float = 3.0, acceleration: float = 40.0) -> JointLimits:
    return JointLimits(
        ("a", "b", "c"),
        np.array([-1.0, 0.0, -0.3]),
        np.array([1.0, 1.6, 0.4]),
        np.full(3, velocity),
        np.full(3, acceleration),
    )


def test_reversed_limits_are_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="joint b are reversed"):
        JointLimits(("a", "b"), [0, 1.0], [1, 0.5], [1, 1], [1, 1])


@pytest.mark.parametrize(
    ("names", "lower", "velocity"),
    [((), [], []), (("a", "a"), [0, 0], [1, 1]), (("a",), [np.nan], [1]), (("a",), [0], [0.0])],
)
def test_bad_limits_are_refused(names: tuple[str, ...], lower: list, velocity: list) -> None:
    with pytest.raises(ConfigError):
        JointLimits(names, lower, [1.0] * len(names), velocity, [1.0] * len(names))


def test_wrong_number_of_joints_is_refused_with_their_names() -> None:
    with pytest.raises(InputError, match="a, b, c"):
        make_limits().checked([0.0, 0.0], "joint target")


def test_names_that_do_not_match_are_shown_side_by_side() -> None:
    with pytest.raises(ConfigError, match=r"a \| b; b \| x \(ours \| theirs\)"):
        joint_indices(["a", "b"], ["b", "x"], "driver")
    assert joint_indices(["a", "b"], ["b", "a"], "driver") == (1, 0)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.lists(st.floats(-5, 5), min_size=3, max_size=3)),
            st.one_of(st.floats(1e-4, 0.02), st.sampled_from([0.0, -1.0, 0.01, 0.049, 0.3, 5.0])),
            st.sampled_from([0.2, 0.6, 1.0]),
        ),
        min_size=2,
        max_size=60,
    ),
    st.sampled_from([5.0, 40.0, 400.0]),
)
def test_never_leaves_the_limits(steps: list, acceleration: float) -> None:
    limits = make_limits(acceleration=acceleration)
    limiter = MotionLimiter(limits)
    limiter.reset([0.0, 0.1, 0.4])
    velocity, position, last = limiter.velocities, limiter.positions, None
    for target, period, scale in steps:
        limiter.step(None if target is None else np.array(target), period, scale)
        new_velocity, new_position = limiter.velocities, limiter.positions
        assert np.all(new_position >= limits.lower)
        assert np.all(new_position <= limits.upper)
        if period <= 0:
            assert np.array_equal(new_position, position)
            continue
        assert np.all(np.abs(new_velocity) <= limits.velocity + 1e-9)
        assert new_position == pytest.approx(position + new_velocity * period, abs=1e-9)
        middle = period if last is None else 0.5 * (last + period)
        change = np.abs(new_velocity - velocity)
        assert np.all(change <= limits.acceleration * min(period, middle) * (1 + 1e-9) + 1e-7)
        velocity, position, last = new_velocity, new_position, period


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.floats(-1, 1), min_size=3, max_size=3),
    st.lists(st.floats(5e-4, 0.03), min_size=5, max_size=5),
)
def test_reaches_a_resting_target_without_overshoot(target: list, periods: list) -> None:
    limits = make_limits()
    limiter = MotionLimiter(limits)
    limiter.reset([0.0, 0.8, 0.0])
    goal = limits.clip(target)
    side = np.sign(goal - limiter.positions)
    elapsed = 0.0
    for index in range(4000):
        limiter.step(goal, periods[index % 5])
        elapsed += periods[index % 5]
        assert np.all(side * (goal - limiter.positions) >= -1e-9)
        if elapsed > 2.0:
            break
    assert limiter.positions == pytest.approx(goal, abs=1e-4)


def test_time_to_a_far_target_is_near_the_optimum() -> None:
    limits = make_limits(velocity=3.0, acceleration=100.0)
    limiter = MotionLimiter(limits)
    limiter.reset([-1.0, 0.0, 0.0])
    steps = 0
    while limiter.positions[0] < 0.99:
        limiter.step(np.array([1.0, 0.0, 0.0]), 0.01)
        steps += 1
        assert steps < 200
    # Two radians at three a second, 30 ms to speed up and 60 ms to brake at half the limit.
    assert steps * 0.01 < 2.0 / 3.0 + 0.1


def test_long_pause_brings_the_hand_to_rest_instead_of_a_jump() -> None:
    limiter = MotionLimiter(make_limits())
    limiter.reset([-1.0, 0.0, 0.0])
    for _ in range(10):
        limiter.step(np.array([1.0, 0.0, 0.0]), 0.01)
    before = limiter.positions
    limiter.step(np.array([1.0, 0.0, 0.0]), 1.0)
    assert limiter.positions == pytest.approx(before)
