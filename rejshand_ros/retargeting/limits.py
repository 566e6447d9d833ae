"""Bounds of one step: position, velocity and acceleration limits as one box."""

from __future__ import annotations

import numpy as np
from numba import njit

from rejshand_ros.geometry import Array


@njit(cache=True)
def step_bounds(
    last: Array,
    rate: Array,
    period_s: float,
    lower: Array,
    upper: Array,
    velocity: Array,
    acceleration: Array,
    low: Array,
    high: Array,
) -> None:
    """Fill the box in which the next variables may lie.

    Towards a position limit only so much speed is allowed as the acceleration limit can brake in
    time: v * period + v^2 / (2 a) <= distance left. Where limits contradict one another, position
    wins over velocity and velocity over acceleration.

    Args:
        last: (v,) the last variables.
        rate: (v,) the last rate of change, a second.
        period_s: Seconds from the last variables to the next.
        lower: (v,) position limits.
        upper: (v,) position limits.
        velocity: (v,) largest rate, a second.
        acceleration: (v,) largest change of rate, a second squared.
        low: (v,) filled.
        high: (v,) filled.
    """
    for i in range(last.shape[0]):
        a = acceleration[i]
        fastest = velocity[i] * period_s
        change = a * period_s
        room_up = max(upper[i] - last[i], 0.0)
        room_down = max(last[i] - lower[i], 0.0)
        up = a * (np.sqrt(period_s * period_s + 2.0 * room_up / a) - period_s) * period_s
        down = a * (np.sqrt(period_s * period_s + 2.0 * room_down / a) - period_s) * period_s
        up = min(up, fastest)
        down = min(down, fastest)
        most = (rate[i] + change) * period_s
        least = (rate[i] - change) * period_s
        # The box always holds a point: a speed that is too high is braked as hard as possible.
        step_high = max(min(up, most), -down)
        step_low = min(max(-down, least), up)
        low[i] = min(max(last[i] + step_low, lower[i]), upper[i])
        high[i] = max(min(last[i] + step_high, upper[i]), low[i])
