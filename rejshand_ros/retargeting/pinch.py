"""How much each finger pinches: hysteresis in distance, a smooth hand-over in time."""

from __future__ import annotations

import numpy as np

from rejshand_ros.geometry import Array
from rejshand_ros.retargeting.hand_parts import PinchConfig


class PinchState:
    """Shares 0..1 by which fingers pinch against the thumb.

    Coming nearer, a finger's share rises from 0 at the far distance to 1 at the near one. Going
    away, it stays until the far distance is passed (a share never falls within the band), and
    then falls. Either way it changes no faster than the hand-over time allows.
    """

    def __init__(self, count: int, config: PinchConfig) -> None:
        """Start with nothing pinched.

        Args:
            count: Number of fingers beside the thumb.
            config: Distances and times.
        """
        self._config = config
        self._count = count
        self.reset()

    def reset(self) -> None:
        """Let go of every finger."""
        self.shares = np.zeros(self._count)
        self._wanted = np.zeros(self._count)

    def update(self, distances: Array, period_s: float) -> Array:
        """Take in the distances of human fingertips to the thumb's.

        Args:
            distances: (count,) metres.
            period_s: Time since the last call, seconds.

        Returns:
            (count,) shares, 0..1; the same array at every call.
        """
        config = self._config
        band = np.clip((config.far_m - distances) / (config.far_m - config.near_m), 0.0, 1.0)
        eased = band * band * (3.0 - 2.0 * band)
        self._wanted = np.where(distances > config.far_m, 0.0, np.maximum(self._wanted, eased))
        most = period_s / config.handover_s if config.handover_s > 0 else 1.0
        self.shares += np.clip(self._wanted - self.shares, -most, most)
        return self.shares
