"""One-Euro filters: time, resets, lag against calm, rotations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rejshand_ros.errors import ConfigError
from rejshand_ros.geometry import rotation_from_vector, rotation_vector
from rejshand_ros.tracking.config import TrackingConfig
from rejshand_ros.tracking.one_euro import (
    OneEuroConfig,
    OneEuroFilter,
    OneEuroRotation,
)

CONFIG = OneEuroConfig(min_cutoff_hz=1.5, beta=20.0)
FRAME_NS = 33_333_333


@given(st.lists(st.tuples(st.floats(-1, 1), st.integers(1, 10**9)), min_size=1, max_size=30))
def test_output_stays_within_what_was_seen(steps: list[tuple[float, int]]) -> None:
    smooth, stamp = OneEuroFilter(CONFIG), 0
    values = []
    for value, step in steps:
        stamp += step
        values.append(value)
        out = float(smooth([value], stamp)[0])
        assert min(values) - 1e-12 <= out <= max(values) + 1e-12


def test_a_constant_passes_and_a_first_value_is_taken_as_it_is() -> None:
    smooth = OneEuroFilter(CONFIG)
    for frame in range(5):
        np.testing.assert_allclose(smooth([[1.0, 2.0, 3.0]], frame * FRAME_NS), [[1.0, 2.0, 3.0]])


def test_time_counts_not_frames() -> None:
    # The same ramp at 30 and at 60 Hz must come out about the same at the same times.
    slow, fast = OneEuroFilter(CONFIG), OneEuroFilter(CONFIG)
    for frame in range(61):
        stamp = frame * FRAME_NS // 2
        value = [0.2 * stamp * 1e-9]
        quick = fast(value, stamp)
        if frame % 2 == 0:
            calm = slow(value, stamp)
    np.testing.assert_allclose(quick, calm, atol=0.003)


def test_gaps_and_backward_stamps_start_afresh_and_equal_ones_change_nothing() -> None:
    smooth = OneEuroFilter(CONFIG)
    smooth([0.0], 0)
    held = smooth([1.0], FRAME_NS)
    assert 0 < held[0] < 1
    np.testing.assert_array_equal(smooth([5.0], FRAME_NS), held)
    np.testing.assert_array_equal(smooth([3.0], FRAME_NS // 2), [3.0])
    np.testing.assert_array_equal(smooth([4.0], 10**10), [4.0])
    smooth.reset()
    np.testing.assert_array_equal(smooth([7.0], 10**10 + 1), [7.0])


def test_answers_are_not_shared_with_the_filter() -> None:
    smooth = OneEuroFilter(CONFIG)
    smooth([0.0], 0)[:] = 99
    assert smooth([0.0], FRAME_NS)[0] == 0.0


def test_noise_at_rest_shrinks_and_motion_lags_little() -> None:
    rng = np.random.default_rng(0)
    smooth = OneEuroFilter(CONFIG)
    noise = rng.normal(0, 0.001, (300, 3))
    out = np.array([smooth(n, i * FRAME_NS) for i, n in enumerate(noise)])
    assert out[30:].std() < 0.6 * noise.std()
    smooth.reset()
    times = np.arange(90) * FRAME_NS
    ramp = np.array([smooth([0.6 * t * 1e-9], int(t))[0] for t in times])
    lag_s = (0.6 * times[60:] * 1e-9 - ramp[60:]) / 0.6
    assert lag_s.max() < 0.02


def test_a_skeleton_stays_on_a_fast_hand() -> None:
    # A hand that moves by two of its own lengths a second; half a frame late is not seen.
    smooth, speed = OneEuroFilter(TrackingConfig().image_filter), 2.0
    for frame in range(30):
        seconds = frame / 30
        late_s = seconds - smooth([[speed * seconds, 0.0]], round(seconds * 1e9))[0, 0] / speed
    assert late_s < 0.5 / 30


def test_scale_is_the_unit() -> None:
    metres, boxes = OneEuroFilter(CONFIG), OneEuroFilter(CONFIG)
    for i, value in enumerate(np.random.default_rng(1).normal(size=(20, 2))):
        a = metres(value, i * FRAME_NS)
        b = boxes(value * 200, i * FRAME_NS, scale=200)
    np.testing.assert_allclose(a * 200, b)


vectors = st.tuples(*[st.floats(-1.7, 1.7)] * 3)


@given(vectors, vectors)
def test_a_filtered_rotation_lies_on_the_way(a: tuple[float, ...], b: tuple[float, ...]) -> None:
    start, end = rotation_from_vector(a), rotation_from_vector(b)
    smooth = OneEuroRotation(OneEuroConfig(1.0, 0.5))
    np.testing.assert_allclose(smooth(start, 0), start)
    out = smooth(end, FRAME_NS)
    np.testing.assert_allclose(out @ out.T, np.eye(3), atol=1e-9)
    whole = np.linalg.norm(rotation_vector(start.T @ end))
    parts = np.linalg.norm(rotation_vector(start.T @ out)) + np.linalg.norm(
        rotation_vector(out.T @ end)
    )
    assert parts == pytest.approx(whole, abs=1e-5)


@pytest.mark.parametrize(
    "wrong",
    [{"min_cutoff_hz": 0.0}, {"beta": -1.0}, {"speed_cutoff_hz": np.nan}, {"reset_after_s": -1}],
)
def test_parameters_that_make_no_filter_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        OneEuroConfig(**{"min_cutoff_hz": 1.0, "beta": 1.0, **wrong})


def test_a_filter_is_the_papers_formula_with_the_neighbours_speed() -> None:
    """Against the definition, written with arrays: cut-offs, floors, scale and neighbours."""
    rng = np.random.default_rng(3)
    neighbours = np.array([[0, 1], [0, 2], [2, 2], [3, 1]])
    config = OneEuroConfig(0.7, 5.0, speed_cutoff_hz=2.0, speed_floor=0.3)
    smooth, scale, stamp = OneEuroFilter(config, neighbours), 7.0, 0

    def share(cutoff_hz, period_s):
        return 1 / (1 + 1 / (2 * np.pi * cutoff_hz * period_s))

    value = smooth(rng.normal(size=(4, 3)), stamp, scale)
    velocity = np.zeros((4, 3))
    for _ in range(30):
        step, new = int(rng.integers(10**7, 10**8)), rng.normal(size=(4, 3))
        stamp, period_s = stamp + step, step * 1e-9
        velocity += share(config.speed_cutoff_hz, period_s) * ((new - value) / period_s - velocity)
        speed = np.linalg.norm(velocity[neighbours].mean(1), axis=1, keepdims=True) / scale
        cutoff = config.min_cutoff_hz + config.beta * np.maximum(0, speed - config.speed_floor)
        value = value + share(cutoff, period_s) * (new - value)
        np.testing.assert_allclose(smooth(new, stamp, scale), value, rtol=1e-9)
