"""The virtual crop camera: round trips, exactness of its homography, mirror."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rejshand_ros.errors import InputError
from rejshand_ros.geometry import PinholeCamera
from rejshand_ros.tracking.crop import CropCamera

CAMERA = PinholeCamera.from_field_of_view(1280, 720, 65.0)
SKEWED = PinholeCamera(
    1280, 720, np.array([[900.0, 3.0, 600.0], [0.0, 950.0, 380.0], [0.0, 0.0, 1.0]])
)

crops = st.builds(
    CropCamera.around,
    st.sampled_from([CAMERA, SKEWED]),
    st.tuples(st.floats(-100, 1400), st.floats(-100, 850)),
    st.floats(20, 900),
    st.floats(-4, 4),
    st.sampled_from([128, 160, 224]),
    st.booleans(),
)
unit_points = st.lists(st.tuples(st.floats(-0.2, 1.2), st.floats(-0.2, 1.2)), min_size=1)


@given(crops, unit_points)
def test_points_return_from_the_image(crop: CropCamera, points: list[tuple[float, float]]) -> None:
    np.testing.assert_allclose(crop.from_image(crop.to_image(points)), points, atol=1e-7)


@given(crops)
def test_axes_return_from_the_camera(crop: CropCamera) -> None:
    points = np.random.default_rng(0).normal(size=(21, 3))
    np.testing.assert_allclose(crop.points_to_camera(crop.points_to_crop(points)), points)
    assert np.linalg.det(crop.crop_from_camera) == pytest.approx(crop.determinant)


@given(
    st.sampled_from([CAMERA, SKEWED]),
    st.tuples(st.floats(0, 1280), st.floats(0, 720)),
    st.floats(20, 900), st.floats(-4, 4), st.booleans(), st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_projection_by_the_crop_agrees_with_the_homography(
    camera: PinholeCamera, centre: tuple[float, float], side: float, roll: float, mirror: bool,
    seed: int,
) -> None:  # fmt: skip
    crop = CropCamera.around(camera, centre, side, roll, 224, mirror)
    points = np.random.default_rng(seed).uniform([-0.3, -0.2, 0.4], [0.3, 0.2, 1.5], (30, 3))
    in_crop = crop.points_to_crop(points)
    in_front = in_crop[:, 2] > 0.05
    by_image = crop.from_image(camera.project(points))
    np.testing.assert_allclose(crop.project(in_crop)[in_front], by_image[in_front], atol=1e-6)


@given(crops)
def test_the_centre_is_the_middle_and_the_square_is_inside(crop: CropCamera) -> None:
    np.testing.assert_allclose(crop.to_image((0.5, 0.5)), crop.centre, atol=1e-6)
    c, s = np.cos(crop.roll_rad), np.sin(crop.roll_rad)
    along, down = np.array([c, s]), np.array([-s, c])
    reach = 0.02 * crop.side_px
    for direction in (along, down):
        span = np.abs(crop.from_image(crop.centre + reach * direction) - 0.5).max()
        assert span <= 0.0213


def test_roll_makes_the_named_direction_point_up() -> None:
    for roll in np.linspace(-3, 3, 13):
        for mirror in (False, True):
            crop = CropCamera.around(CAMERA, (640, 360), 200, roll, 160, mirror)
            tip = crop.from_image(crop.centre + 50 * np.array([np.sin(roll), -np.cos(roll)]))
            np.testing.assert_allclose(tip[0], 0.5, atol=0.01)
            assert tip[1] < 0.3


def test_mirror_flips_the_crop_left_to_right() -> None:
    image = np.random.default_rng(1).integers(0, 255, (720, 1280, 3), dtype=np.uint8)
    image = cv2.GaussianBlur(image, (0, 0), 4)
    plain = CropCamera.around(CAMERA, (900, 300), 250, 0.4, 160)
    flipped = CropCamera.around(CAMERA, (900, 300), 250, 0.4, 160, mirror=True)
    difference = plain.warp(image)[:, ::-1].astype(int) - flipped.warp(image)
    assert np.abs(difference).mean() < 0.5
    points = np.array([[0.2, 0.7], [0.9, 0.1]])
    np.testing.assert_allclose(
        flipped.to_image(points), plain.to_image(points * [-1, 1] + [1, 0]), atol=1e-9
    )


@settings(deadline=None, max_examples=25)
@given(st.floats(60, 900), st.floats(-3, 3), st.booleans(), st.floats(450, 850))
def test_a_drawn_dot_lands_where_the_coordinates_say(
    side: float, roll: float, mirror: bool, x: float
) -> None:
    crop = CropCamera.around(CAMERA, (x, 360), side, roll, 160, mirror)
    target = np.array([0.42, 0.55])
    dot = crop.to_image(target)
    rows, columns = np.mgrid[:720, :1280]
    radius = 0.02 * side
    glow = np.exp(-((columns - dot[0]) ** 2 + (rows - dot[1]) ** 2) / (2 * radius**2))
    picture = crop.warp((255 * glow).astype(np.uint8)).astype(float)
    rows, columns = np.mgrid[:160, :160]
    weight = np.maximum(picture - 128, 0)
    found = np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum()
    np.testing.assert_allclose((found + 0.5) / 160, target, atol=0.006)


def test_distortion_is_exact_at_the_centre_and_first_order_around() -> None:
    lens = PinholeCamera(1280, 720, CAMERA.matrix, np.array([-0.25, 0.08, 0.001, -0.002, 0.0]))
    crop = CropCamera.around(lens, (1050, 560), 120, 0.3, 160)
    rng = np.random.default_rng(2)
    centre_ray = crop.points_to_camera([0, 0, 1.0])
    points = centre_ray / centre_ray[2] * 0.6 + rng.uniform(-0.02, 0.02, (30, 3))
    pixels = cv2.projectPoints(points, np.zeros(3), np.zeros(3), lens.matrix, lens.distortion)[0]
    by_image = crop.from_image(pixels.reshape(-1, 2))
    np.testing.assert_allclose(crop.project(crop.points_to_crop(points)), by_image, atol=0.01)
    np.testing.assert_allclose(crop.to_image((0.5, 0.5)), (1050, 560), atol=1e-6)


def test_a_crop_outside_of_the_image_is_black() -> None:
    image = np.full((720, 1280, 3), 200, np.uint8)
    for side in (100, 900):
        crop = CropCamera.around(CAMERA, (3000, 360), side, 0.0, 160)
        assert crop.warp(image).max() == 0


@pytest.mark.parametrize(
    ("centre", "side", "roll", "size"),
    [((np.nan, 1), 10, 0, 160), ((1, 1), 0, 0, 160), ((1, 1), np.inf, 0, 160),
     ((1, 1), 10, np.nan, 160), ((1, 1), 10, 0, 0), ((1, 1, 1), 10, 0, 160)],
)  # fmt: skip
def test_squares_that_make_no_sense_are_refused(
    centre: tuple[float, ...], side: float, roll: float, size: int
) -> None:
    with pytest.raises(InputError):
        CropCamera.around(CAMERA, centre, side, roll, size)


def test_cameras_that_make_no_sense_are_refused() -> None:
    for matrix in (np.zeros((3, 3)), np.full((3, 3), np.nan)):
        with pytest.raises(InputError, match="camera matrix"):
            CropCamera.around(PinholeCamera(640, 480, matrix), (1, 1), 10)
