"""The shipped detector: its letterbox, its finds, its files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from rejshand_ros.errors import InputError, ModelFileError
from rejshand_ros.geometry import PinholeCamera
from rejshand_ros.tracking.detector import Detector
from rejshand_ros.tracking.localiser import HandBox, box_of_keypoints, overlap, wrap_angle
from shared_data import SHARED_DATA


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    return Detector(threads=1, cache=tmp_path_factory.mktemp("compiled"))


def test_a_hand_is_found_wherever_it_is_shown(detector: Detector) -> None:
    video = cv2.VideoCapture(str(SHARED_DATA / "hand_video/human_hand_video.mp4"))
    _, frame = video.read()
    truth = np.load(SHARED_DATA / "hand_video/mediapipe_keypoints.npz")["uv"][0]
    for left in (0, 160, 320):
        part = np.ascontiguousarray(frame[:, left : left + 960])
        camera = PinholeCamera.from_field_of_view(960, 720)
        finds = detector.find(part, camera)
        box = box_of_keypoints(truth.astype(float) - (left, 0), 0.0)
        assert finds
        assert max(overlap(find, box) for find in finds) > 0.4
        best = max(finds, key=lambda find: overlap(find, box))
        # What is followed already is not found again.
        again = detector.find(part, camera, [best])
        assert all(overlap(find, best) < 0.4 for find in again)


def test_plain_images_and_odd_shapes_hold_no_hands(detector: Detector) -> None:
    for shape in ((480, 640), (2000, 40), (40, 2000), (33, 33)):
        for level in (0, 127, 255):
            image = np.full((*shape, 3), level, np.uint8)
            assert detector.find(image, PinholeCamera.from_field_of_view(*shape[::-1])) == []


def test_images_of_another_kind_are_refused(detector: Detector) -> None:
    with pytest.raises(InputError):
        detector.find(np.zeros((480, 640), np.uint8), PinholeCamera.from_field_of_view(640, 480))


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="nothing"):
        Detector(tmp_path / "nothing")


def test_boxes_follow_the_hand_and_overlap_is_symmetric() -> None:
    points = np.random.default_rng(0).uniform(100, 300, (21, 2))
    points[0], points[9] = (200, 300), (260, 240)
    box = box_of_keypoints(points, 0.0)
    assert box.roll_rad == pytest.approx(np.pi / 4)
    other = HandBox(box.centre + 20, box.side_px * 0.8, 0.0, None, 1.0)
    assert overlap(box, other) == pytest.approx(overlap(other, box))
    assert overlap(box, box) == pytest.approx(1.0)
    assert overlap(box, HandBox(box.centre + 1000, 10, 0, None, 1)) == 0.0


def test_a_foreshortened_palm_keeps_the_old_roll() -> None:
    points = np.random.default_rng(0).uniform(100, 300, (21, 2))
    points[0], points[9] = (200, 200), (200, 201)
    assert box_of_keypoints(points, 0.7).roll_rad == pytest.approx(0.7)


def test_angles_wrap() -> None:
    for angle in np.linspace(-10, 10, 41):
        wrapped = wrap_angle(angle)
        assert -np.pi <= wrapped <= np.pi
        assert np.isclose(np.exp(1j * wrapped), np.exp(1j * angle))
