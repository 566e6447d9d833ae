"""The last minute of the chain's delays and rates, for live plots."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

import numpy as np

from rejshand_ros.geometry import Array
from rejshand_ros.viewing.live import LiveNode

STAGES = ("camera", "hand_pose", "retargeting", "command")
"""Nodes in the order in which an image passes through them."""


class History:
    """Samples of every stage, oldest first; the window slides."""

    def __init__(self, span_s: float = 60.0, period_s: float = 0.5) -> None:
        """Begin empty.

        Args:
            span_s: How far back it reaches, seconds.
            period_s: Time between two samples, seconds.
        """
        size = round(span_s / period_s)
        self._period_s = period_s
        self._delays: deque[tuple[float, ...]] = deque([(0.0,) * len(STAGES)] * 2, size)
        self._rates: deque[tuple[float, ...]] = deque([(0.0,) * len(STAGES)] * 2, size)

    def add(self, nodes: Mapping[str, LiveNode]) -> None:
        """Take a sample.

        Args:
            nodes: The newest report of each node, by stage; one that is missing counts as zero.
        """
        ages = [nodes[stage].age_ms if stage in nodes else None for stage in STAGES]
        self._delays.append(stage_delays(ages))
        self._rates.append(
            tuple(nodes[stage].rate_hz if stage in nodes else 0.0 for stage in STAGES)
        )

    def delays(self) -> tuple[Array, ...]:
        """Seconds before now, then for each stage the milliseconds up to its end: stacked areas."""
        return self._columns(np.cumsum(np.array(self._delays), axis=1))

    def rates(self) -> tuple[Array, ...]:
        """Seconds before now, then each stage's messages a second."""
        return self._columns(np.array(self._rates))

    def _columns(self, rows: Array) -> tuple[Array, ...]:
        ago_s = -self._period_s * np.arange(len(rows) - 1, -1, -1)
        return (ago_s, *rows.T)


def stage_delays(ages_ms: list[float | None]) -> tuple[float, ...]:
    """What each stage adds to the age of an image.

    Args:
        ages_ms: Age at the end of each stage's work, in order; None where a stage told none.

    Returns:
        Milliseconds for each stage; nothing where its age is not known, or is below the one
        before, as medians of different images may have it.
    """
    delays, before = [], 0.0
    for age in ages_ms:
        known = before if age is None else max(before, age)
        delays.append(known - before)
        before = known
    return tuple(delays)
