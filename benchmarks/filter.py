"""Smoothing: lag against residual jitter on recorded motion, beside the field's usual filter.

The recorded hand (30 Hz), freed of its own noise without any delay, is the truth; noise is added
to it. *Jitter* is what of the noise comes through: the distance between a filter's output with and
without it (root mean square over points, mm). *Lag* is the delay of the truth that explains the
filter's output best. The usual filter is ``y += 0.2 (x - y)`` at each frame, blind to time.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.report import table, write_report
from rejshand_ros.errors import ModelFileError
from rejshand_ros.geometry import Array
from rejshand_ros.tracking.config import TrackingConfig
from rejshand_ros.tracking.one_euro import OneEuroFilter
from rejshand_ros.tracking.track import ALONG_FINGER

_MOTION = Path(__file__).parents[1] / "../shared/data/hand_video/dex_retargeting_keypoints.npy"
_RATE_HZ = 30.0
_PERIOD_NS = round(1e9 / _RATE_HZ)
_MOTION_BAND_HZ = 5.0
_NOISES_M = (0.001, 0.002, 0.004)
_NOISE_M = 0.002
"""Standard deviation a coordinate of the noise behind the figures."""
_LONGEST_LAG_S = 0.3
_SKIP = 15
"""First frames left out: filters settle."""

Filter = Callable[[Array], Array]


def without_noise(motion: Array) -> Array:
    """A recording (n, 21, 3) without what is faster than a hand, and without delay."""
    count = len(motion)
    # Reflected at both ends, so that the spectrum sees no jump.
    whole = np.concatenate(
        [2 * motion[:1] - motion[:0:-1], motion, 2 * motion[-1:] - motion[-2::-1]]
    )
    frequency = np.fft.rfftfreq(len(whole), 1 / _RATE_HZ)
    gain = 1.0 / (1.0 + (frequency / _MOTION_BAND_HZ) ** 4)
    smooth = np.fft.irfft(np.fft.rfft(whole, axis=0) * gain[:, None, None], len(whole), axis=0)
    return np.asarray(smooth[count - 1 : 2 * count - 1])


def usual(motion: Array) -> Array:
    """The field's filter over a motion (n, 21, 3)."""
    out = motion.copy()
    for i in range(1, len(motion)):
        out[i] = out[i - 1] + 0.2 * (motion[i] - out[i - 1])
    return out


def ours(motion: Array) -> Array:
    """This project's filter over a motion (n, 21, 3), with its default parameters."""
    smooth = OneEuroFilter(TrackingConfig().points_filter, ALONG_FINGER)
    return np.stack([smooth(points, i * _PERIOD_NS) for i, points in enumerate(motion)])


def lag_s(output: Array, truth: Array) -> float:
    """Delay of the truth that explains an output (n, 21, 3) best, seconds."""
    frames = np.arange(len(truth))
    shifts = np.arange(0.0, _LONGEST_LAG_S, 0.002)
    errors = []
    for shift in shifts:
        at = np.maximum(frames[_SKIP:] - shift * _RATE_HZ, 0.0)
        low = np.minimum(at.astype(int), len(truth) - 2)
        part = (at - low)[:, None, None]
        delayed = truth[low] * (1 - part) + truth[low + 1] * part
        errors.append(float(np.square(delayed - output[_SKIP:]).mean()))
    return float(shifts[int(np.argmin(errors))])


def measure(smooth: Filter, truth: Array, noise: Array) -> tuple[float, float]:
    """Lag, ms, and residual jitter, mm, of a filter."""
    clean, noisy = smooth(truth), smooth(truth + noise)
    jitter = np.sqrt(np.square(noisy - clean)[_SKIP:].sum(-1).mean())
    return 1e3 * lag_s(noisy, truth), 1e3 * float(jitter)


def main() -> None:
    """Measure and report."""
    if not _MOTION.is_file():
        raise ModelFileError(f"no recorded motion at {_MOTION}")
    truth = without_noise(np.load(_MOTION).astype(float))
    rng = np.random.default_rng(0)
    rows, chosen = [], {}
    for noise_m in _NOISES_M:
        noise = rng.normal(0.0, noise_m, truth.shape)
        for name, smooth in (("One-Euro", ours), ("y += 0.2 (x - y)", usual)):
            lag, jitter = measure(smooth, truth, noise)
            rows.append((1e3 * noise_m, name, lag, jitter))
            if noise_m == _NOISE_M:
                chosen[name] = (lag, jitter)
    print(table(("noise mm", "filter", "lag ms", "jitter mm"), rows))
    (lag, jitter), (usual_lag, usual_jitter) = chosen.values()
    write_report(
        "filter",
        {
            "lag_ms": lag,
            "jitter_mm": jitter,
            "ema_lag_ms": usual_lag,
            "ema_jitter_mm": usual_jitter,
        },
        {
            "noise_mm": 1e3 * _NOISE_M,
            "rows": rows,
            "jitter": "rms distance between the output with and without the noise",
            "lag": "delay of the truth that explains the output best",
        },
    )


if __name__ == "__main__":
    main()
