"""Recorded commands against the robot hand's limits, independent of what issued them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rejshand_ros.command.limits import JointLimits
from rejshand_ros.geometry import Array

_POSITION_SLACK_RAD = 1e-9
_RATE_SLACK = 1e-6
"""Share by which a rate may exceed its limit: what differences of rounded numbers can lie off."""


def count_violations(
    stamps_ns: Sequence[int], positions: Sequence[Array], limits: JointLimits
) -> int:
    """How many commands broke a position or velocity limit, or were not finite.

    Args:
        stamps_ns: (n,) times of issue.
        positions: (n, joints) radians, in the order of the limits.
        limits: Of the robot hand.
    """
    if not len(positions):
        return 0
    commanded = np.stack(list(positions))
    bad = np.array(~np.isfinite(commanded).all(axis=1), bool)
    bad |= (commanded < limits.lower - _POSITION_SLACK_RAD).any(axis=1)
    bad |= (commanded > limits.upper + _POSITION_SLACK_RAD).any(axis=1)
    periods = np.diff(np.asarray(stamps_ns, np.int64)) * 1e-9
    moved = np.abs(np.diff(commanded, axis=0))
    allowed = limits.velocity * np.maximum(periods, 0.0)[:, None]
    bad[1:] |= (moved > allowed * (1 + _RATE_SLACK) + _POSITION_SLACK_RAD).any(axis=1)
    return int(bad.sum())
