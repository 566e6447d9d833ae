"""Smooth following in joint space, by time and not by frame."""

from __future__ import annotations

import numpy as np

from rejshand_ros.geometry import Array


def follow(last: Array, rate: Array, goal: Array, period_s: float, settling_s: float) -> Array:
    """One step of a critically damped spring that pulls towards a goal.

    Exact for a goal that stands still over the step: with e = last - goal and w = 1 / settling,
    next = goal + (e + (rate + w e) t) exp(-w t). It lags a moving goal by twice the settling
    time, passes a jump of the goal as a smooth move, and holds noise down as well as the usual
    one-pole filter of nearly twice the lag. State is the robot's own position and rate, so that
    limits met on the way leave nothing behind to catch up.

    Args:
        last: (v,) the last variables.
        rate: (v,) their rate of change, a second.
        goal: (v,) where the spring pulls.
        period_s: Seconds from the last variables to the next.
        settling_s: Time constant, seconds; 0 goes to the goal at once.
    """
    if settling_s <= 0.0:
        return goal
    error = last - goal
    decay = np.exp(-period_s / settling_s)
    return np.asarray(goal + (error + (rate + error / settling_s) * period_s) * decay)
