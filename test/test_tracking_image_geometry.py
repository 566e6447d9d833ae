"""The compiled geometry of the tracker's points, against numpy's own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rejshand_ros.geometry import PinholeCamera
from rejshand_ros.tracking.image_geometry import (
    middle,
    share_inside,
    shrunk_patch,
    through,
    turned_hull,
    virtual_camera,
)

SEEDS = st.integers(0, 2**32 - 1)
ANGLES = st.floats(-np.pi, np.pi)


def points_of(seed: int, count: int = 21) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-200.0, 1200.0, (count, 2))


@given(SEEDS, ANGLES)
def test_a_hull_holds_every_point_and_touches_four_sides(seed: int, roll: float) -> None:
    points = points_of(seed)
    x, y = points[3]
    axes = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    turned = (points - points[3]) @ axes
    expected = (*turned.min(0), *turned.max(0))
    assert turned_hull(points, x, y, roll) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_hull_of_points_that_are_nowhere_is_no_hull(bad: float) -> None:
    points = points_of(1)
    points[20, 1] = bad
    assert np.isnan(turned_hull(points, 0.0, 0.0, 0.3)).all()


@given(SEEDS, ANGLES, st.booleans())
def test_image_and_crop_homographies_undo_each_other(seed: int, roll: float, mirror: bool) -> None:
    camera = PinholeCamera.from_field_of_view(1280, 720, 70.0)
    random = np.random.default_rng(seed)
    u, v, side = random.uniform(0, 1280), random.uniform(0, 720), random.uniform(20, 700)
    matrix, turn, to_crop, to_image = virtual_camera(
        camera.ray_from_pixel, u, v, side, roll, 192, mirror
    )
    assert to_crop @ to_image == pytest.approx(np.eye(3), abs=1e-7)
    expected = matrix @ turn @ camera.ray_from_pixel
    assert to_crop == pytest.approx(expected / expected[2, 2], rel=1e-9, abs=1e-9)
    assert turn @ turn.T == pytest.approx(np.eye(3), abs=1e-12)
    assert np.linalg.det(turn) == pytest.approx(-1.0 if mirror else 1.0)
    middle_of_crop = through(to_crop, np.array([[u, v]]), 1.0, 0.0, 0.5, 1 / 192)
    assert middle_of_crop == pytest.approx(np.array([[0.5, 0.5]]), abs=1e-9)


@given(SEEDS, ANGLES, st.integers(2, 5))
def test_a_shrunk_patch_holds_the_crop_and_lies_where_it_says(
    seed: int, roll: float, by: int
) -> None:
    width, height, size = 1280, 720, 160
    camera = PinholeCamera.from_field_of_view(width, height, 70.0)
    random = np.random.default_rng(seed)
    u, v = random.uniform(-300, width + 300), random.uniform(-300, height + 300)
    _, _, to_crop, to_image = virtual_camera(
        camera.ray_from_pixel, u, v, by * size + 3.0, roll, size, False
    )
    cells, crop_from_patch = shrunk_patch(to_image, to_crop, size, by, width, height)
    first, last, count = cells
    assert (first >= 0).all() and (last <= (width, height)).all()
    assert (count == np.ceil((last - first) / by)).all()
    # Every image pixel of the crop lies in the patch.
    edge = np.linspace(-0.5, size - 0.5, 20)
    inside = np.stack(np.meshgrid(edge, edge), axis=2).reshape(-1, 2)
    pixels = through(to_image, inside, 1.0, 0.0, 0.0, 1.0)
    pixels = pixels[((pixels >= 0) & (pixels <= (width - 1, height - 1))).all(1)]
    assert len(pixels) == 0 or ((pixels >= first) & (pixels < last)).all()
    # The centre of a patch pixel is the centre of the image pixels that it stands for.
    if (count > 0).all():
        cell = random.uniform(-0.5, count - 0.5, (5, 2))
        image_points = first - 0.5 + (cell + 0.5) * (last - first) / count
        expected = through(to_crop, np.ascontiguousarray(image_points), 1.0, 0.0, 0.0, 1.0)
        assert through(crop_from_patch, cell, 1.0, 0.0, 0.0, 1.0) == pytest.approx(expected)


@given(SEEDS)
def test_points_go_through_a_homography_as_numpy_sends_them(seed: int) -> None:
    homography = np.eye(3) + np.random.default_rng(seed).normal(0, 1e-4, (3, 3))
    points = points_of(seed)
    mapped = np.column_stack([2.0 * points - 0.5, np.ones(21)]) @ homography.T
    expected = (mapped[:, :2] / mapped[:, 2:] + 3.0) * 0.25
    assert through(homography, points, 2.0, -0.5, 3.0, 0.25) == pytest.approx(expected, rel=1e-9)


def test_the_share_inside_and_the_middle_of_some_points() -> None:
    points = np.array([[0.5, 0.5], [1.09, 0.0], [1.11, 0.5], [0.5, -0.2]])
    assert share_inside(points, 0.6) == 0.5
    assert middle(points, np.array([0, 2])) == pytest.approx((0.805, 0.5))
