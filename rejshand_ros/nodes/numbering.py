"""Messages that never came, told by the gaps in a publisher's numbering."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

_LONGEST_GAP = 10_000
"""A longer one is no loss but another numbering."""
_TWO_ARGUMENTS = inspect.Signature(
    [inspect.Parameter(name, inspect.Parameter.POSITIONAL_ONLY) for name in ("message", "facts")]
)


def gap_counting(
    callback: Callable[[Any], None], on_gap: Callable[[int], None]
) -> Callable[..., None]:
    """A subscription's callback that tells how many messages are missing before each.

    Args:
        callback: Takes the message.
        on_gap: Takes the number of missing ones, those of a queue that is overwritten among them.
    """
    last: int | None = None

    def received(*given: Any) -> None:
        nonlocal last
        # rclpy's executor that is driven by events hands both over as one pair (9.1).
        message, facts = given if len(given) == 2 else given[0]
        number = facts.get("publication_sequence_number")
        if number is not None:
            # A smaller number is another publisher's, or one that was started again.
            gap = 0 if last is None else number - last - 1
            last = number
            if 0 < gap < _LONGEST_GAP:
                on_gap(gap)
        callback(message)

    # By its signature rclpy sees that it wants the message's facts.
    received.__signature__ = _TWO_ARGUMENTS  # type: ignore[attr-defined]
    return received
