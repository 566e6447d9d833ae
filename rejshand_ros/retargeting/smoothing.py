"""Smoothing of keypoints by time, not by frame."""

from __future__ import annotations

import numpy as np

from rejshand_ros.geometry import Array


class Smoother:
    """Two first-order low-passes in a row, each with the same time constant.

    Two poles hold noise down as well as one pole of more than twice the lag, and pass no kink: a
    step at the input leaves the output's velocity continuous. The gain follows from the time
    between frames, so that uneven stamps change nothing in the filter's meaning.
    """

    def __init__(self, time_constant_s: float) -> None:
        """Start without a value.

        Args:
            time_constant_s: Of each pole, seconds; the lag is twice as long. 0 smooths nothing.
        """
        self._time_constant_s = time_constant_s
        self.reset()

    def reset(self) -> None:
        """Forget everything: the next value passes as it is."""
        self._first: Array | None = None
        self._second: Array | None = None

    def __call__(self, value: Array, period_s: float) -> Array:
        """Take in a value of any shape.

        Args:
            value: The newest value.
            period_s: Time since the one before, seconds.
        """
        if self._time_constant_s <= 0.0:
            return value
        if self._first is None or self._second is None:
            self._first, self._second = value.copy(), value.copy()
            return value
        gain = 1.0 - np.exp(-period_s / self._time_constant_s)
        self._first = self._first + gain * (value - self._first)
        self._second = self._second + gain * (self._first - self._second)
        return self._second
