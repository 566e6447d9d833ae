"""One followed hand: where its next crop lies, what was last seen, how it is smoothed."""

from __future__ import annotations

from dataclasses import replace
from math import hypot

import numpy as np

from rejshand_ros.geometry import PinholeCamera, RigidTransform
from rejshand_ros.hand.frame import wrist_frame
from rejshand_ros.hand.keypoints import BONES, KEYPOINT_COUNT, PALM, PARENTS, Side
from rejshand_ros.tracking.config import TrackingConfig
from rejshand_ros.tracking.image_geometry import middle
from rejshand_ros.tracking.localiser import HandBox
from rejshand_ros.tracking.one_euro import OneEuroFilter, OneEuroRotation
from rejshand_ros.tracking.region import HandRegion
from rejshand_ros.tracking.sighting import Sighting
from rejshand_ros.tracking.tracked_hand import TrackedHand, TrackState
from rejshand_ros.tracking.wrist import HandLength

ALONG_FINGER = np.array(
    [
        [max(int(PARENTS[i]), 0), i, next((c for p, c in BONES if p == i and i), i)]
        for i in range(KEYPOINT_COUNT)
    ]
)
"""(21, 3) each keypoint with the ones before and after it: they move alike, their noise differs."""
_PALM = np.array(PALM)
_RECENT = 0.1
"""Share of the newest image in what a track remembers of how well it was seen."""
_LONGEST_PREDICTION_S = 0.15
"""A velocity says nothing about later than this."""
_GROWTH_PER_S = 2.0
"""How fast the crop of an unseen hand widens, as a share of its side a second."""
_WIDEST = 1.6
"""The widest crop of an unseen hand, as a share of its last."""


class Track:
    """Follows one hand of one side.

    Args:
        side: The hand's side.
        first: Its first sighting.
        camera: The camera, for the wrist's place.
        right_probability: First opinion that `side` is right, 0..1.
        config: Parameters.

    Raises:
        InputError: The first sighting explains no place before the camera.
    """

    def __init__(
        self,
        side: Side,
        first: Sighting,
        camera: PinholeCamera,
        right_probability: float,
        config: TrackingConfig,
    ) -> None:
        self.side = side
        self.seen_frames = 0
        self.state = TrackState.TRACKING
        self.side_belief = right_probability
        self._config = config
        self._length = HandLength(config.hand_length_m)
        self._image_filter = OneEuroFilter(config.image_filter, ALONG_FINGER)
        self._points_filter = OneEuroFilter(config.points_filter, ALONG_FINGER)
        self._vertices_filter = OneEuroFilter(config.points_filter)
        self._position_filter = OneEuroFilter(config.position_filter)
        self._orientation_filter = OneEuroRotation(config.orientation_filter)
        self._filters: tuple[OneEuroFilter | OneEuroRotation, ...] = (
            self._image_filter,
            self._points_filter,
            self._vertices_filter,
            self._position_filter,
            self._orientation_filter,
        )
        self._first_ns = first.stamp_ns
        self._presence, self._error = first.presence, first.error
        self._velocity = np.zeros(2)
        self._region = HandRegion(config.crop_shrink_s, first.box, first.keypoints_2d)
        self.last = first
        self.hand = self._accept(first, camera)

    @property
    def is_confirmed(self) -> bool:
        """Whether it was seen often enough to be reported."""
        return self.seen_frames >= self._config.confirm_frames

    @property
    def is_weak(self) -> bool:
        """Whether of late it hardly looked like a hand."""
        config = self._config
        threshold = 0.5 * (config.acquire_presence + config.keep_presence)
        return self._presence < threshold or self._error > config.acquire_error

    def next_box(self, stamp_ns: int) -> HandBox:
        """Where the hand should be at a time: its last box, moved on, widened while unseen."""
        period = (stamp_ns - self.last.stamp_ns) * 1e-9
        box = self._region.box
        ahead = min(period, _LONGEST_PREDICTION_S)
        side = box.side_px
        if self.state is not TrackState.TRACKING:
            side *= min(_WIDEST, 1.0 + _GROWTH_PER_S * period)
        centre = box.centre + self._velocity * ahead
        return HandBox(centre, side, box.roll_rad, box.side, box.score)

    def see(self, seen: Sighting, camera: PinholeCamera) -> None:
        """Take in a sighting.

        Raises:
            InputError: It explains no place before the camera; the track is as before.
        """
        period = (seen.stamp_ns - self.last.stamp_ns) * 1e-9
        hand = self._accept(seen, camera)
        if period > 0:
            age = (seen.stamp_ns - self._first_ns) * 1e-9
            weight = min(1.0, period / min(age + period, self._config.side_time_s))
            self.side_belief += weight * (seen.right_probability - self.side_belief)
        if 0 < period <= 2 * _LONGEST_PREDICTION_S:
            (x, y), (last_x, last_y) = (
                middle(one.keypoints_2d, _PALM) for one in (seen, self.last)
            )
            moved = np.array([(x - last_x) / period, (y - last_y) / period])
            # Half of the new, half of the old: a jump of the crop must not fling the next one.
            velocity = 0.5 * (self._velocity + moved)
            fastest = 8.0 * seen.box.side_px
            self._velocity = velocity * min(1.0, fastest / max(hypot(*velocity.tolist()), 1e-9))
        else:
            self._velocity = np.zeros(2)
        self._presence += _RECENT * (seen.presence - self._presence)
        self._error += _RECENT * (seen.error - self._error)
        self._region.update(seen.box, seen.keypoints_2d, period)
        self.state = TrackState.TRACKING
        self.last, self.hand = seen, hand

    def correct(self, seen: Sighting, camera: PinholeCamera) -> None:
        """Replace this image's sighting by a better one; what was smoothed starts afresh.

        Raises:
            InputError: Its palm has no plane; the track is as before.
        """
        wrist_frame(seen.keypoints_3d, self.side)
        for smooth in self._filters:
            smooth.reset()
        self.hand = self._accept(seen, camera)
        self._region.restart(seen.box, seen.keypoints_2d)
        self.last, self._velocity = seen, np.zeros(2)

    def miss(self) -> None:
        """Not seen in this image."""
        self.state = TrackState.HELD

    def report(self, stamp_ns: int) -> TrackedHand:
        """The hand at an image's capture: seen now, or held."""
        if self.hand.stamp_ns == stamp_ns and self.hand.state is self.state:
            return self.hand
        return replace(self.hand, stamp_ns=stamp_ns, state=self.state)

    def _accept(self, seen: Sighting, camera: PinholeCamera) -> TrackedHand:
        """Place, scale and smooth a sighting."""
        length, factor = self._length.update(seen.keypoints_3d)
        keypoints = seen.keypoints_3d * factor
        # Seen from one camera, a hand of twice the size stands twice as far.
        position = seen.position * factor
        rotation = wrist_frame(keypoints, self.side).rotation
        pixels, vertices = seen.keypoints_2d, seen.vertices * factor
        if self._config.smooth:
            stamp = seen.stamp_ns
            pixels = self._image_filter(pixels, stamp, seen.box.side_px)
            keypoints = self._points_filter(keypoints, stamp)
            vertices = self._vertices_filter(vertices, stamp)
            position = self._position_filter(position, stamp)
            rotation = self._orientation_filter(rotation, stamp)
        self.seen_frames += 1
        return TrackedHand(
            stamp_ns=seen.stamp_ns,
            side=self.side,
            state=TrackState.TRACKING,
            score=seen.presence,
            keypoints_2d=pixels,
            keypoints_3d=keypoints,
            vertices=vertices,
            camera_from_wrist=RigidTransform(rotation, position),
            hand_length_m=length,
            intrinsics_assumed=camera.assumed,
        )


def lost_hand(side: Side, stamp_ns: int, *, intrinsics_assumed: bool) -> TrackedHand:
    """A hand that is not there: no points, and a wrist of NaN that nobody can take for a pose."""
    return TrackedHand(
        stamp_ns=stamp_ns,
        side=side,
        state=TrackState.LOST,
        score=0.0,
        keypoints_2d=np.zeros((0, 2)),
        keypoints_3d=np.zeros((0, 3)),
        vertices=np.zeros((0, 3)),
        camera_from_wrist=RigidTransform(np.full((3, 3), np.nan), np.full(3, np.nan)),
        hand_length_m=0.0,
        intrinsics_assumed=intrinsics_assumed,
    )
