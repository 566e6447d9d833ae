"""MediaPipe as a stand-in: refusals, and its answers as boxes and estimates.

The model file is the user's; where MEDIAPIPE_TASK names one and MediaPipe is installed, the real
thing is run on the recorded video.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from rejshand_ros.errors import MissingDependencyError, ModelFileError
from rejshand_ros.geometry import PinholeCamera
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.hand.template import load_template
from rejshand_ros.tracking.mediapipe_hands import (
    MediapipeHands,
    MediapipeLocaliser,
    MediapipePredictor,
    boxes_of_result,
    estimate_of_result,
)
from shared_data import SHARED_DATA

INSTALLED = importlib.util.find_spec("mediapipe") is not None
TASK = os.environ.get("MEDIAPIPE_TASK", "")
REST = load_template().rest_keypoints


def points(array: np.ndarray) -> list[SimpleNamespace]:
    return [SimpleNamespace(x=x, y=y, z=z) for x, y, z in array]


def result(*hands: tuple[tuple[float, float], str, float]) -> SimpleNamespace:
    """As the tasks API answers: hands at these places, with side and score."""
    flat = np.column_stack([REST[:, 1], -REST[:, 2], np.zeros(21)])
    return SimpleNamespace(
        hand_landmarks=[points(flat - flat.mean(0) + (*place, 0)) for place, _, _ in hands],
        hand_world_landmarks=[points(REST + index) for index in range(len(hands))],
        handedness=[[SimpleNamespace(category_name=side, score=score)] for _, side, score in hands],
    )


def test_boxes_tell_place_side_and_score() -> None:
    boxes = boxes_of_result(result(((0.3, 0.5), "Left", 0.8), ((0.7, 0.5), "Right", 0.9)), 640, 480)
    assert [box.side for box in boxes] == [Side.RIGHT, Side.LEFT]
    assert [box.score for box in boxes] == pytest.approx([0.9, 0.8])
    assert abs(boxes[0].centre[0] - 0.7 * 640) < 40
    assert boxes_of_result(result(), 640, 480) == []


def test_an_estimate_is_of_the_hand_in_the_middle() -> None:
    estimate = estimate_of_result(result(((0.1, 0.1), "Right", 0.9), ((0.5, 0.5), "Left", 0.8)))
    assert np.abs(estimate.keypoints_2d.mean(0) - 0.5).max() < 1e-9
    np.testing.assert_allclose(estimate.keypoints_3d, REST - REST[0], atol=1e-12)
    assert estimate.presence == 1.0
    assert estimate.right_probability == pytest.approx(0.2)
    assert estimate.vertices.shape == (0, 3)
    assert estimate_of_result(result()).presence == 0.0


def test_a_missing_file_and_a_missing_library_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"none\.task"):
        MediapipeHands(tmp_path / "none.task")
    path = tmp_path / "hand_landmarker.task"
    path.write_bytes(b"no zip")
    with pytest.raises(ModelFileError if INSTALLED else MissingDependencyError):
        MediapipeHands(path)


def test_mediapipe_is_imported_only_when_asked_for() -> None:
    code = "import sys, rejshand_ros.tracking.mediapipe_hands; sys.exit('mediapipe' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.skipif(not (INSTALLED and TASK), reason="no MediaPipe, or MEDIAPIPE_TASK not set")
def test_the_real_model_finds_the_recorded_hand() -> None:
    video = cv2.VideoCapture(str(SHARED_DATA / "hand_video/human_hand_video.mp4"))
    image = np.asarray(video.read()[1], np.uint8)
    video.release()
    truth = np.load(SHARED_DATA / "hand_video/mediapipe_keypoints.npz")["uv"][0]
    hands = MediapipeHands(TASK)
    camera = PinholeCamera.from_field_of_view(image.shape[1], image.shape[0])
    (box,) = MediapipeLocaliser(hands).find(image, camera)
    assert box.side is Side.RIGHT
    assert np.abs(box.centre - truth.mean(0)).max() < 0.3 * box.side_px
    x, y = (box.centre - box.side_px / 2).astype(int)
    side = int(box.side_px)
    crop = cv2.resize(image[y : y + side, x : x + side], (256, 256))
    (estimate,) = MediapipePredictor(hands).predict(np.asarray(crop[None], np.uint8))
    found = estimate.keypoints_2d * side + (x, y)
    assert np.abs(found - truth).max() < 0.1 * side
    assert estimate.right_probability > 0.5
