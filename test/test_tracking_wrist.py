"""Placement of the wrist from image points and metric points."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rejshand_ros.errors import InputError
from rejshand_ros.geometry import PinholeCamera, rotation_from_vector
from rejshand_ros.hand.template import load_template
from rejshand_ros.tracking.wrist import STEADY, HandLength, hand_length, wrist_position

CAMERA = PinholeCamera.from_field_of_view(1280, 720, 65.0)
LENS = PinholeCamera(1280, 720, CAMERA.matrix, np.array([-0.2, 0.05, 0.001, -0.001, 0.0]))

poses = st.tuples(st.floats(-0.2, 0.2), st.floats(-0.1, 0.1), st.floats(0.3, 1.5))
turns = st.tuples(*[st.floats(-3, 3)] * 3)


def _hand(turn: tuple[float, ...]) -> np.ndarray:
    keypoints = np.asarray(load_template().rest_keypoints, float)
    return (keypoints - keypoints[0]) @ rotation_from_vector(turn).T


@settings(deadline=None)
@given(poses, turns, st.sampled_from([CAMERA, LENS]))
def test_exact_points_give_the_exact_place(
    place: tuple[float, ...], turn: tuple[float, ...], camera: PinholeCamera
) -> None:
    points = _hand(turn)
    # OpenCV takes a lens's distortion back in five rounds, which are too few 50 degrees off.
    rays = (points + place)[:, :2] / (points + place)[:, 2:]
    assume(camera is CAMERA or np.abs(rays).max() < 1.2)
    pixels = cv2.projectPoints(
        points + place, np.zeros(3), np.zeros(3), camera.matrix, camera.distortion
    )[0].reshape(-1, 2)
    np.testing.assert_allclose(wrist_position(pixels, points, camera), place, atol=2e-4)


@settings(deadline=None)
@given(poses, turns, st.integers(0, 1000))
def test_noise_and_one_outlier_move_it_little(
    place: tuple[float, ...], turn: tuple[float, ...], seed: int
) -> None:
    points = _hand(turn)
    pixels = CAMERA.project(points + place)
    extent = np.ptp(pixels, axis=0).max()
    pixels += np.random.default_rng(seed).normal(0, 0.005 * extent, pixels.shape)
    pixels[7] += 0.5 * extent
    found = wrist_position(pixels, points, CAMERA)
    assert abs(found[2] - place[2]) < 0.1 * place[2]


@settings(deadline=None)
@given(poses, turns, st.integers(0, 1000))
def test_wrong_depths_of_finger_ends_do_not_move_it(
    place: tuple[float, ...], turn: tuple[float, ...], seed: int
) -> None:
    points = _hand(turn)
    pixels = CAMERA.project(points + place)
    ends = [i for i in range(21) if i not in STEADY]
    points[ends, 2] += np.random.default_rng(seed).normal(0, 0.04, len(ends))
    found = wrist_position(pixels[STEADY], points[STEADY], CAMERA)
    np.testing.assert_allclose(found, place, atol=1e-6)


def test_points_that_make_no_sense_are_refused() -> None:
    points = _hand((0, 0, 0))
    pixels = CAMERA.project(points + np.array([0, 0, 0.6]))
    with pytest.raises(InputError):
        wrist_position(pixels * np.nan, points, CAMERA)
    with pytest.raises(InputError):
        # All pixels mirrored through their middle: only a hand behind the camera does that.
        wrist_position(2 * pixels.mean(0) - pixels, points, CAMERA)


def test_hand_length_is_calibrated_or_the_networks() -> None:
    points = _hand((0.3, 0.2, 0.1))
    true = hand_length(points)
    assert 0.15 < true < 0.22
    length, factor = HandLength(0.2).update(points)
    assert length == 0.2
    assert hand_length(points * factor) == pytest.approx(0.2)
    own = HandLength()
    for _ in range(20):
        # Foreshortened ones come out too short, and must not pull the length down.
        own.update(points * 0.9)
        length, factor = own.update(points)
    assert length == pytest.approx(true)
    assert factor == 1.0
