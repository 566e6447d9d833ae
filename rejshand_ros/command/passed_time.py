"""Time between two ticks, by a clock that may be set and by one that never is."""

from __future__ import annotations

_CLOCK_STEP_S = 1e-3
"""A clock that gains more than this on the steady one between two ticks was set."""


class PassedTime:
    """Measures the time from tick to tick."""

    def __init__(self) -> None:
        """Begin before the first tick."""
        self._last_ns: int | None = None
        self._last_steady_ns: int | None = None

    def forget(self) -> None:
        """Begin anew: the next tick is the first."""
        self._last_ns = self._last_steady_ns = None

    def tick(self, now_ns: int, steady_ns: int | None) -> tuple[float, float]:
        """Advance to this time.

        Args:
            now_ns: Time of the clock that may be set.
            steady_ns: Time of a clock that never is; None where there is none.

        Returns:
            Seconds since the last tick, zero at the first: by the clock, negative where it was set
            back; and those for which something may have moved, of which a clock that was set ahead
            makes no more than truly passed.
        """
        last_ns, self._last_ns = self._last_ns, now_ns
        last_steady_ns, self._last_steady_ns = self._last_steady_ns, steady_ns
        by_clock_s = 0.0 if last_ns is None else (now_ns - last_ns) * 1e-9
        if steady_ns is None or last_steady_ns is None:
            return by_clock_s, by_clock_s
        truly_s = (steady_ns - last_steady_ns) * 1e-9
        # A mere moment between the readings of the two clocks is no step.
        was_set = by_clock_s > truly_s + _CLOCK_STEP_S
        return by_clock_s, truly_s if was_set else by_clock_s
