"""Two tracks, or a track and a find, that are one hand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from rejshand_ros.tracking.sighting import Sighting
from rejshand_ros.tracking.track import Track
from rejshand_ros.tracking.tracked_hand import TrackState

_SAME_HAND = 0.2
"""Two tracks whose keypoints lie nearer than this share of a box are one hand."""
_SAME_HAND_FRAMES = 3
"""For so many images in a row: hands that only cross are left alone."""


class DoubleWatch:
    """Tells when two tracks have come to follow one hand."""

    def __init__(self) -> None:
        self._frames = 0

    def one_too_many(self, tracks: Sequence[Track]) -> Track | None:
        """The less believable of two tracks on one hand; to be asked once an image."""
        if len(tracks) < 2 or any(t.state is not TrackState.TRACKING for t in tracks):
            self._frames = 0
            return None
        a, b = tracks
        self._frames = self._frames + 1 if _nearness(a.last, b.last) <= _SAME_HAND else 0
        if self._frames < _SAME_HAND_FRAMES:
            return None
        self._frames = 0
        return min(tracks, key=lambda t: (t.last.right_probability, t.seen_frames))


def is_followed(seen: Sighting, tracks: Iterable[Track]) -> bool:
    """Whether a sighting is of a hand that is followed already."""
    return any(
        _nearness(track.last, seen) < 2 * _SAME_HAND
        for track in tracks
        if track.state is TrackState.TRACKING
    )


def _nearness(a: Sighting, b: Sighting) -> float:
    """Mean distance of the keypoints of two sightings, as a share of the larger box's side."""
    apart = np.linalg.norm(a.keypoints_2d - b.keypoints_2d, axis=1).mean()
    return float(apart / max(a.box.side_px, b.box.side_px))
