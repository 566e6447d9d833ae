"""What a live view shows, one dataclass a thing; whoever feeds a view makes these."""

from __future__ import annotations

from dataclasses import dataclass

from rejshand_ros.geometry import Array
from rejshand_ros.hand.keypoints import Side


@dataclass(frozen=True)
class LiveHand:
    """A person's hand in the picture shown.

    Attributes:
        side: Which hand.
        held: True for an estimate repeated from before, False where it was seen in this picture.
        keypoints_2d: (21, 2) pixels of the whole picture.
        keypoints_in_wrist: (21, 3) metres, in the wrist frame.
    """

    side: Side
    held: bool
    keypoints_2d: Array
    keypoints_in_wrist: Array


@dataclass(frozen=True)
class LivePicture:
    """A camera image as it came, compressed.

    Attributes:
        data: The file's bytes.
        media: Its kind: ``jpeg`` or ``png``.
        width: Pixels.
        height: Pixels.
    """

    data: bytes
    media: str
    width: int
    height: int


@dataclass(frozen=True)
class LiveState:
    """State of the teleoperation of one hand.

    Attributes:
        phase: ``disengaged``, ``ramping``, ``tracking``, ``holding`` or ``stopped``.
        reason: Why, in the command node's words.
    """

    phase: str
    reason: str


@dataclass(frozen=True)
class LiveNode:
    """One node's last report on /diagnostics.

    Attributes:
        rate_hz: Messages handled a second.
        age_ms: Median age of what it handled, from the capture to the end of its work; None
            where it handled nothing that has an age.
        dropped: Messages skipped or lost since its start.
        trouble: What it complains of; empty for nothing.
    """

    rate_hz: float
    age_ms: float | None
    dropped: int
    trouble: str = ""
