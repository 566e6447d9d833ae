"""The 21 keypoints of a hand, their tree and their names.

Order (the one of MediaPipe and FreiHAND): 0 wrist, then thumb, index, middle, ring and little
finger with four points each from base to tip.

The **wrist frame** (`hand_<side>/wrist`, also called the operator frame) has its origin at
keypoint 0, z from the wrist towards the fingers in the plane of the palm, x out of the palm, and
y = z cross x: towards the thumb on a right hand, away from it on a left one.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np


class Side(StrEnum):
    """Which hand of a person."""

    LEFT = "left"
    RIGHT = "right"

    @property
    def other(self) -> Side:
        """The opposite side."""
        return Side.RIGHT if self is Side.LEFT else Side.LEFT


FINGERS = ("thumb", "index", "middle", "ring", "little")
_SEGMENTS = {
    "thumb": ("cmc", "mcp", "ip", "tip"),
    **dict.fromkeys(FINGERS[1:], ("mcp", "pip", "dip", "tip")),
}
KEYPOINT_NAMES = ("wrist", *(f"{f}_{s}" for f in FINGERS for s in _SEGMENTS[f]))
KEYPOINT_COUNT = len(KEYPOINT_NAMES)

WRIST = 0
MIDDLE_MCP = 9
FINGERTIPS = (4, 8, 12, 16, 20)
"""Tips, thumb first."""
KNUCKLES = (5, 9, 13, 17)
"""Metacarpophalangeal joints of index to little finger."""
PALM = (0, 5, 9, 13, 17)
"""The points that move rigidly with the palm (the thumb's base does not quite)."""

PARENTS = np.array([-1, 0, 1, 2, 3, 0, 5, 6, 7, 0, 9, 10, 11, 0, 13, 14, 15, 0, 17, 18, 19])
"""(21,) parent of each keypoint in the tree, -1 for the wrist."""
BONES = tuple((int(PARENTS[child]), child) for child in range(1, KEYPOINT_COUNT))
"""The 20 bones as (parent, child)."""


def finger_keypoints(finger: str) -> tuple[int, int, int, int]:
    """Indices of a finger's four keypoints, base to tip."""
    first = 1 + 4 * FINGERS.index(finger)
    return first, first + 1, first + 2, first + 3
