"""Smoothing that trades lag for calm by speed: the One-Euro filter.

Casiez, Roussel and Vogel, "1 Euro Filter", CHI 2012. Each point is low-passed with a cut-off that
grows with its own speed: at rest noise is held down, in motion little lag is added. Time comes
with every value, so that dropped frames and uneven stamps change nothing in the filter's meaning.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot, pi

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from rejshand_ros.compiled_geometry import turn_between, turned
from rejshand_ros.errors import ConfigError
from rejshand_ros.geometry import Array


@dataclass(frozen=True)
class OneEuroConfig:
    """Parameters of a One-Euro filter.

    Attributes:
        min_cutoff_hz: Cut-off at rest, Hz. Lower: calmer at rest, and slower to start moving.
        beta: Growth of the cut-off with speed, Hz per (unit/s), that is 1/unit; the unit is the
            value's: metres, radians, or hand boxes for image points. Higher: less lag in motion,
            more noise.
        speed_cutoff_hz: Cut-off of the speed's own low-pass, Hz.
        speed_floor: Speed up to which the cut-off stays at its value at rest, unit/s: what noise
            alone shows as speed.
        reset_after_s: A gap between stamps longer than this, or one that runs backwards, starts
            the filter afresh, seconds.
    """

    min_cutoff_hz: float
    beta: float
    speed_cutoff_hz: float = 3.0
    speed_floor: float = 0.0
    reset_after_s: float = 0.5

    def __post_init__(self) -> None:
        """Refuse what would not be a filter."""
        for name in ("min_cutoff_hz", "speed_cutoff_hz", "reset_after_s"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value > 0):
                raise ConfigError(f"{name} {value}; a positive number is needed")
        if not (np.isfinite(self.beta) and self.beta >= 0):
            raise ConfigError(f"beta {self.beta}; zero or a positive number is needed")
        if not (np.isfinite(self.speed_floor) and self.speed_floor >= 0):
            raise ConfigError(
                f"speed_floor {self.speed_floor}; zero or a positive number is needed"
            )


_OWN = np.zeros((0, 1), np.int64)
"""No neighbours: every point goes by its own speed."""


class OneEuroFilter:
    """Filters arrays (..., d) of points, each point by its own speed.

    Args:
        config: The parameters.
        neighbours: (n, k) indices: a point's speed is that of the mean velocity of these points
            of (n, d). What moves together shares its motion but not its noise.
    """

    def __init__(self, config: OneEuroConfig, neighbours: NDArray[np.intp] | None = None) -> None:
        self.config = config
        self._neighbours = (
            _OWN if neighbours is None else np.ascontiguousarray(neighbours, np.int64)
        )
        self.reset()

    def reset(self) -> None:
        """Forget everything: the next value passes as it is."""
        self._stamp_ns: int | None = None
        self._value: Array | None = None
        self._velocity: Array | None = None

    def __call__(self, value: ArrayLike, stamp_ns: int, scale: float = 1.0) -> Array:
        """Filter the newest value.

        Args:
            value: (..., d) in the unit of `beta` times `scale`.
            stamp_ns: Its time, nanoseconds. A stamp equal to the last one answers the last
                value again; one that runs backwards or a long gap starts afresh.
            scale: How many of the value's units make one unit of `beta`, e.g. pixels a hand box.

        Returns:
            The filtered value, same shape.
        """
        new = np.asarray(value, float)
        if self._value is None or self._velocity is None or self._stamp_ns is None:
            return self._start(new, stamp_ns)
        period = (stamp_ns - self._stamp_ns) * 1e-9
        if period == 0.0 and new.shape == self._value.shape:
            return self._value.copy()
        if period <= 0.0 or period > self.config.reset_after_s or new.shape != self._value.shape:
            return self._start(new, stamp_ns)
        rows, config = (-1, new.shape[-1]), self.config
        _advance(
            np.ascontiguousarray(new).reshape(rows),
            self._value.reshape(rows),
            self._velocity.reshape(rows),
            self._neighbours,
            period,
            config.min_cutoff_hz,
            config.beta / scale,
            config.speed_cutoff_hz,
            config.speed_floor * scale,
        )
        self._stamp_ns = stamp_ns
        return self._value.copy()

    def _start(self, value: Array, stamp_ns: int) -> Array:
        self._value, self._velocity = value.copy(order="C"), np.zeros(value.shape)
        self._stamp_ns = stamp_ns
        return value.copy()


class OneEuroRotation:
    """Filters a rotation on its manifold, by its angular speed.

    Args:
        config: The parameters; `beta` per radian.
    """

    def __init__(self, config: OneEuroConfig) -> None:
        self.config = config
        self.reset()

    def reset(self) -> None:
        """Forget everything: the next rotation passes as it is."""
        self._stamp_ns: int | None = None
        self._rotation = np.eye(3)
        self._speed = 0.0

    def __call__(self, rotation: ArrayLike, stamp_ns: int) -> Array:
        """Filter the newest rotation (3, 3); stamps as in `OneEuroFilter`."""
        new = np.ascontiguousarray(rotation, float)
        period = 0.0 if self._stamp_ns is None else (stamp_ns - self._stamp_ns) * 1e-9
        if self._stamp_ns is not None and period == 0.0:
            return self._rotation.copy()
        if self._stamp_ns is None or period < 0.0 or period > self.config.reset_after_s:
            self._rotation, self._speed, self._stamp_ns = new.copy(), 0.0, stamp_ns
            return new.copy()
        x, y, z = turn_between(self._rotation, new)
        speed = hypot(x, y, z) / period
        self._speed += _weight(self.config.speed_cutoff_hz, period) * (speed - self._speed)
        above = max(0.0, self._speed - self.config.speed_floor)
        weight = _weight(self.config.min_cutoff_hz + self.config.beta * above, period)
        self._rotation = turned(self._rotation, weight * x, weight * y, weight * z)
        self._stamp_ns = stamp_ns
        return self._rotation.copy()


def _weight(cutoff_hz: float, period_s: float) -> float:
    """Share of the new value in an exponential low-pass of a cut-off at a period."""
    turn = 2 * pi * cutoff_hz * period_s
    return turn / (turn + 1.0)


@njit(
    "void(f8[:, ::1], f8[:, ::1], f8[:, ::1], i8[:, ::1], f8, f8, f8, f8, f8)",
    cache=True,
)
def _advance(
    new: Array,
    value: Array,
    velocity: Array,
    neighbours: NDArray[np.int64],
    period_s: float,
    min_cutoff_hz: float,
    beta: float,
    speed_cutoff_hz: float,
    speed_floor: float,
) -> None:
    """Move filtered values (n, d) and velocities (n, d) on, in place, by new values (n, d).

    Speed comes from the filtered value, not from the last raw one: raw noise differentiates to a
    speed that would open the filter at rest.
    """
    count, size = new.shape
    turn = 2 * pi * speed_cutoff_hz * period_s
    share = turn / (turn + 1.0)
    for i in range(count):
        for k in range(size):
            fresh = (new[i, k] - value[i, k]) / period_s
            velocity[i, k] += share * (fresh - velocity[i, k])
    for i in range(count):
        square = 0.0
        for k in range(size):
            component = velocity[i, k]
            if len(neighbours) > 0:
                component = 0.0
                for neighbour in neighbours[i]:
                    component += velocity[neighbour, k]
                component /= neighbours.shape[1]
            square += component * component
        above = max(0.0, np.sqrt(square) - speed_floor)
        turn = 2 * pi * (min_cutoff_hz + beta * above) * period_s
        share = turn / (turn + 1.0)
        for k in range(size):
            value[i, k] += share * (new[i, k] - value[i, k])
