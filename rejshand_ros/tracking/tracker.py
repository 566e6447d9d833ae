"""Following hands from image to image."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from rejshand_ros.errors import InputError
from rejshand_ros.geometry import PinholeCamera
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.inference.predictor import CropPredictor
from rejshand_ros.tracking.close_look import CloseLook, right_probability
from rejshand_ros.tracking.config import TrackingConfig
from rejshand_ros.tracking.doubles import DoubleWatch, is_followed
from rejshand_ros.tracking.given import check_camera, check_image
from rejshand_ros.tracking.localiser import HandBox, Localiser, overlap
from rejshand_ros.tracking.side import SideMemory
from rejshand_ros.tracking.sighting import Sighting
from rejshand_ros.tracking.track import Track, lost_hand
from rejshand_ros.tracking.tracked_hand import TrackedHand, TrackState

_REFINEMENTS = 2
"""Times that the crop of a find on a followed hand is cut anew around the keypoints seen in it."""
_AGREEMENT = 0.45
"""A find that overlaps a followed hand's box less than this (intersection over union) says that
the hand is only partly in its crop."""
_DOUBTFUL = 0.05
"""Badness of a sighting from which a followed hand is checked in haste."""
_BETTER = 0.8
"""A second look replaces the first only if its badness is less than this share of the first's."""
_DOUBT_HASTE = 0.3
"""The check's period then, as a share of the usual one."""
_EXPECTED = 0.1
"""By how much less presence a hand needs that comes back where it was lost."""
_SAME_PLACE = 0.2
"""A hand whose box overlaps the find's less than this is not what was found."""


class HandTracker:
    """Finds, follows, holds and loses up to one right and one left hand.

    A followed hand costs one run of the crop network: its next crop comes from its last
    keypoints. The localiser runs on every image while nothing is followed, and seldom while a
    further hand may turn up; what it says then helps from the next image on, so that `look_about`
    can wait until the answer is on its way.

    Args:
        predictor: The crop network, or what stands in for it.
        localiser: Finds hands in whole frames.
        config: Parameters.
    """

    def __init__(
        self, predictor: CropPredictor, localiser: Localiser, config: TrackingConfig | None = None
    ) -> None:
        self.config = config or TrackingConfig()
        self._close = CloseLook(predictor, self.config.smallest_px)
        self._localiser = localiser
        self._camera: PinholeCamera | None = None
        self.reset()

    def reset(self) -> None:
        """Forget every hand."""
        self._tracks: dict[Side, Track] = {}
        self._lost: set[Side] = set()
        self._memory = SideMemory()
        self._stamp_ns: int | None = None
        self._searched_ns: int | None = None
        self._unsearched: tuple[NDArray[np.uint8], int, PinholeCamera] | None = None
        self._shape: tuple[int, ...] = ()
        self._doubles = DoubleWatch()
        self._answer: tuple[TrackedHand, ...] = ()

    def update(
        self, image: NDArray[np.uint8], stamp_ns: int, camera: PinholeCamera
    ) -> tuple[TrackedHand, ...]:
        """Take in the newest image.

        Args:
            image: (H, W, 3) uint8, BGR.
            stamp_ns: Its capture time, nanoseconds. The last image's stamp again answers the
                last answer again; one that runs backwards starts afresh.
            camera: The camera that took it.

        Returns:
            One entry for every side that is followed, and for every side that was and got lost
            (state LOST: its arrays are empty, its wrist is NaN).

        Raises:
            InputError: The image or the camera cannot be used; the tracks stay as they were.
        """
        self._check_given(image, camera)
        if self._stamp_ns is not None and stamp_ns == self._stamp_ns:
            return self._answer
        if image.shape != self._shape or (self._stamp_ns is not None and stamp_ns < self._stamp_ns):
            self.reset()
            self._shape = image.shape
        self._stamp_ns = stamp_ns
        self.look_about()
        self._follow(image, stamp_ns, camera)
        double = self._doubles.one_too_many(list(self._tracks.values()))
        if double is not None:
            self._drop(double)
        if self._misses_a_hand():
            self._search(image, stamp_ns, camera)
        elif self._should_search(stamp_ns):
            self._unsearched = image, stamp_ns, camera
        self._answer = tuple(self._report(stamp_ns, camera))
        return self._answer

    def _check_given(self, image: NDArray[np.uint8], camera: PinholeCamera) -> None:
        """Refuse an image or a camera that cannot be used."""
        check_image(image, self.config.longest_side_px)
        if camera is not self._camera:
            check_camera(camera)
            self._camera = camera
        height, width = image.shape[:2]
        if (camera.width, camera.height) != (width, height):
            raise InputError(
                f"camera of {camera.width}x{camera.height} px for an image of {width}x{height} px"
            )

    def look_about(self) -> None:
        """Search the last image whole, where that is due: see `TrackingConfig.search_period_s`.

        To be called between two images; `update` does it first where nobody has. The image must
        be as it was till then.
        """
        unsearched, self._unsearched = self._unsearched, None
        if unsearched is not None:
            self._search(*unsearched)

    def _follow(self, image: NDArray[np.uint8], stamp_ns: int, camera: PinholeCamera) -> None:
        """Look for each followed hand where it should be by now."""
        tracks = list(self._tracks.values())
        boxes = [track.next_box(stamp_ns) for track in tracks]
        mirrors = [track.side is Side.LEFT for track in tracks]
        looks = self._close.look(image, stamp_ns, camera, boxes, mirrors)
        for track, (seen, fits) in zip(tracks, looks, strict=True):
            if fits and seen.presence >= self.config.keep_presence:
                try:
                    track.see(seen, camera)
                except InputError:
                    # Keypoints that no hand before the camera explains: as good as not seen.
                    track.miss()
            else:
                track.miss()
            unseen_s = (stamp_ns - track.last.stamp_ns) * 1e-9
            gone = unseen_s > self.config.hold_s
            passing = unseen_s > 0 and not track.is_confirmed
            if gone or passing or track.side_belief < self.config.side_doubt:
                self._drop(track)

    def _drop(self, track: Track) -> None:
        """Lose a hand."""
        if track.is_confirmed:
            self._lost.add(track.side)
            if track.side_belief >= self.config.side_doubt:
                self._memory.remember(track)
        del self._tracks[track.side]

    def _misses_a_hand(self) -> bool:
        """Whether none is followed, or one is missing that was there: its answer needs a search."""
        tracks = self._tracks.values()
        return not tracks or any(track.state is not TrackState.TRACKING for track in tracks)

    def _should_search(self, stamp_ns: int) -> bool:
        """Whether to look for a further hand, and check that the crops still hold whole hands."""
        if self._searched_ns is None:
            return True
        unseen_s = (stamp_ns - self._searched_ns) * 1e-9
        doubtful = any(track.last.badness > _DOUBTFUL for track in self._tracks.values())
        return unseen_s >= self.config.search_period_s * (_DOUBT_HASTE if doubtful else 1.0)

    def _search(self, image: NDArray[np.uint8], stamp_ns: int, camera: PinholeCamera) -> None:
        """Find new hands and hands that are held; check those that are followed."""
        self._searched_ns = stamp_ns
        for find in self._localiser.find(image, camera):
            track = self._track_at(find)
            if track is not None:
                self._check(track, find, image, stamp_ns, camera)
            elif not all(self._is_taken(side) for side in self.config.sides):
                self._take_up(image, stamp_ns, camera, find)

    def _track_at(self, find: HandBox) -> Track | None:
        """The followed hand that a find lies on."""
        for track in self._tracks.values():
            box = track.last.box
            reach = 0.5 * max(box.side_px, find.side_px)
            near = np.abs(box.centre - find.centre).max() < reach
            if track.state is TrackState.TRACKING and near:
                return track
        return None

    def _check(
        self,
        track: Track,
        find: HandBox,
        image: NDArray[np.uint8],
        stamp_ns: int,
        camera: PinholeCamera,
    ) -> None:
        """Where a find and a track differ, or the track is in doubt, look again from the find."""
        doubtful = track.last.badness > _DOUBTFUL
        if overlap(track.last.box, find) >= _AGREEMENT and not doubtful:
            return
        box = find
        for _ in range(_REFINEMENTS):
            mirror = track.side is Side.LEFT
            ((seen, fits),) = self._close.look(image, stamp_ns, camera, [box], [mirror])
            if not fits or seen.presence < self.config.keep_presence:
                return
            box = seen.box
        if seen.badness < _BETTER * track.last.badness:
            # A palm without a plane is no better sighting: the track stays as it was.
            with suppress(InputError):
                track.correct(seen, camera)

    def _is_taken(self, side: Side) -> bool:
        """Whether a side is followed so well that a further find cannot take its place."""
        track = self._tracks.get(side)
        return track is not None and track.state is TrackState.TRACKING and not track.is_weak

    def _take_up(
        self, image: NDArray[np.uint8], stamp_ns: int, camera: PinholeCamera, find: HandBox
    ) -> None:
        """Look closely at a find; follow it if it is a hand of a side that is wanted."""
        looks = self._close.both_sides(image, stamp_ns, camera, find)
        right = right_probability(find, looks[0][0], looks[1][0])
        right = self._memory.reminded(right, find, self._tracks.values(), stamp_ns)
        side = Side.RIGHT if right >= 0.5 else Side.LEFT
        belief = max(right, 1.0 - right)
        if side not in self.config.sides or self._is_taken(side):
            # Only where the network is in two minds may it be the hand that is missing.
            if belief > 0.7 or side.other not in self.config.sides:
                return
            side, belief = side.other, 0.5
        needed = self.config.acquire_presence
        if self._memory.was_here(find, self._tracks.values(), stamp_ns):
            needed -= _EXPECTED
        if min(look[0].presence for look in looks) < needed - _EXPECTED / 2:
            return
        seen, fits = looks[side is Side.LEFT]
        if not fits or seen.presence < self.config.keep_presence:
            return
        # Cut anew once; the next image does so again, before the hand is reported.
        mirror = side is Side.LEFT
        ((seen, fits),) = self._close.look(image, stamp_ns, camera, [seen.box], [mirror])
        good = seen.presence >= needed and seen.error <= self.config.acquire_error
        if not (fits and good and overlap(seen.box, find) >= _SAME_PLACE):
            return
        if not is_followed(seen, self._tracks.values()):
            self._begin(side, seen, camera, belief)

    def _begin(self, side: Side, seen: Sighting, camera: PinholeCamera, belief: float) -> None:
        """Follow a new hand, go on with one that is held, or replace one that was none."""
        track = self._tracks.get(side)
        try:
            if track is not None and track.state is not TrackState.TRACKING:
                track.see(seen, camera)
                return
            new = Track(side, seen, camera, belief, self.config)
        except InputError:
            # No place before the camera explains these keypoints: not a hand. Look on.
            return
        if track is not None:
            self._drop(track)
        self._tracks[side] = new

    def _report(self, stamp_ns: int, camera: PinholeCamera) -> list[TrackedHand]:
        """The answer for this image."""
        answer = []
        for side in self.config.sides:
            track = self._tracks.get(side)
            if track is not None and track.is_confirmed:
                self._lost.discard(side)
                answer.append(track.report(stamp_ns))
            elif side in self._lost:
                answer.append(lost_hand(side, stamp_ns, intrinsics_assumed=camera.assumed))
        return answer
