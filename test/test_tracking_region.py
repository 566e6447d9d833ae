"""The region of the next crop: widens at once, shrinks slowly, goes with the palm."""

from __future__ import annotations

import numpy as np
import pytest

from rejshand_ros.hand.keypoints import PALM
from rejshand_ros.tracking.localiser import box_of_keypoints
from rejshand_ros.tracking.region import HandRegion

RNG = np.random.default_rng(0)
OPEN = np.column_stack([RNG.uniform(100, 200, 21), RNG.uniform(100, 260, 21)])
OPEN[0], OPEN[9] = (150, 260), (150, 180)
OPEN[[5, 13, 17]] = (130, 185), (165, 185), (180, 190)


def _fist() -> np.ndarray:
    fist = OPEN.copy()
    fingers = [i for i in range(21) if i not in PALM]
    fist[fingers] = (150, 200)
    return fist


def test_at_first_the_region_is_the_box() -> None:
    box = box_of_keypoints(OPEN, 0.0)
    region = HandRegion(0.2, box, OPEN)
    np.testing.assert_allclose(region.box.centre, box.centre)
    assert region.box.side_px == pytest.approx(box.side_px)


def test_it_widens_at_once_and_shrinks_slowly() -> None:
    wide, tight = box_of_keypoints(OPEN, 0.0), box_of_keypoints(_fist(), 0.0)
    region = HandRegion(0.2, tight, _fist())
    region.update(wide, OPEN, 1 / 30)
    assert region.box.side_px >= wide.side_px - 1e-6
    sides = []
    for _ in range(40):
        region.update(tight, _fist(), 1 / 30)
        sides.append(region.box.side_px)
    assert sides[0] > 0.9 * wide.side_px
    assert np.all(np.diff(sides) <= 1e-9)
    assert sides[-1] == pytest.approx(tight.side_px, rel=0.02)


def test_it_goes_with_the_palm() -> None:
    box = box_of_keypoints(OPEN, 0.0)
    region = HandRegion(0.2, box, OPEN)
    moved = OPEN + np.array([40.0, -25.0])
    region.update(box_of_keypoints(moved, 0.0), moved, 1 / 30)
    np.testing.assert_allclose(region.box.centre, box.centre + np.array([40.0, -25.0]), atol=1e-6)
    assert region.box.side_px == pytest.approx(box.side_px)
