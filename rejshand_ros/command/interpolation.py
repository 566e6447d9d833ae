"""Motion from where the hand is told to be towards a target, within every limit, at any period."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from rejshand_ros.command.limits import JointLimits
from rejshand_ros.geometry import Array

# Shorter steps than this do not move: differences of positions would drown in rounding.
_SHORTEST_STEP_S = 1e-6


class MotionLimiter:
    """Moves joint positions towards targets, one step at a time.

    Each step is ``position += velocity * period`` with a newly chosen velocity, so the velocity of
    a command is exactly the difference of two commands over the time between them.

    Two readings of "acceleration" are met at once for uneven periods: the change of velocity over
    the period that follows it, and over the distance of the periods' middles. Speeding up may use
    all of the limit; the room kept for stopping counts on half of it, which is available under
    both readings whatever the coming periods are. With deceleration b = a / 2 and remaining room d,
    the largest next velocity v satisfies ``v * period + v**2 / (2 b) <= d``: after one period at v
    the hand can still stop in time. Since stopping in steps needs less room than stopping
    continuously, that inequality, once true, can be kept true for every later period; so a
    position limit is never overrun, nor a resting target overshot.
    """

    def __init__(self, limits: JointLimits, longest_step_s: float = 0.05) -> None:
        """Create a limiter without a position; call `reset` first.

        Args:
            limits: Limits of the joints.
            longest_step_s: After a longer pause the hand has come to rest at the last command, so
                the step only brakes: catching up within one command would be a jump.
        """
        self.limits = limits
        self._longest_step_s = longest_step_s
        self._positions = limits.lower.copy()
        self._velocities = np.zeros(len(limits.names))
        self._last_period_s: float | None = None

    @property
    def positions(self) -> Array:
        """(n,) radians, of the last step."""
        return self._positions.copy()

    @property
    def velocities(self) -> Array:
        """(n,) radians a second, of the last step."""
        return self._velocities.copy()

    def reset(self, positions: ArrayLike) -> None:
        """Start at rest at positions (n,), radians, moved inside the limits."""
        self._positions = self.limits.clip(positions)
        self._velocities = np.zeros(len(self.limits.names))
        self._last_period_s = None

    def rest(self) -> None:
        """Forget the motion: the positions stay, the velocities are zero."""
        self._velocities = np.zeros(len(self.limits.names))
        self._last_period_s = None

    def step(self, target: Array | None, period_s: float, velocity_scale: float = 1.0) -> None:
        """Advance by one period.

        Args:
            target: (n,) radians, finite; outside the limits it is moved inside. None brakes.
            period_s: Time since the last step, seconds; zero or less does nothing.
            velocity_scale: Share of the velocity limits that may be used, 0..1.
        """
        if period_s < _SHORTEST_STEP_S:
            return
        limits = self.limits
        brake = 0.5 * limits.acceleration
        last = period_s if self._last_period_s is None else self._last_period_s
        change = limits.acceleration * min(period_s, 0.5 * (last + period_s))

        if target is None or period_s > self._longest_step_s:
            wanted = np.zeros(len(limits.names))
        else:
            offset = limits.clip(target) - self._positions
            speed = _fastest(np.abs(offset), brake, period_s)
            wanted = np.sign(offset) * np.minimum(speed, velocity_scale * limits.velocity)
        velocities = np.clip(wanted, self._velocities - change, self._velocities + change)
        velocities = np.minimum(
            velocities, _fastest(limits.upper - self._positions, brake, period_s)
        )
        velocities = np.maximum(
            velocities, -_fastest(self._positions - limits.lower, brake, period_s)
        )
        # The clip only removes rounding.
        self._positions = limits.clip(self._positions + velocities * period_s)
        self._velocities = velocities
        self._last_period_s = period_s


def _fastest(room: Array, brake: Array, period_s: float) -> Array:
    """Largest v with v * period + v**2 / (2 brake) <= room; (n,) radians a second."""
    loss = brake * period_s
    room = np.maximum(room, 0.0)
    # Written as a quotient: the difference of two near-equal roots would lose digits.
    return np.asarray(2.0 * brake * room / (loss + np.sqrt(loss * loss + 2.0 * brake * room)))
