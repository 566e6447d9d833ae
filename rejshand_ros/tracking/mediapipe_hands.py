"""MediaPipe's HandLandmarker in place of the project's own networks: as finder or for the crops.

MediaPipe is imported only when one of these is built, and the user brings the model: a .task file
(`hand_landmarker.task`). It gives keypoints but no mesh: its estimates have no vertices.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rejshand_ros.errors import InputError, MissingDependencyError, ModelFileError
from rejshand_ros.geometry import Array, PinholeCamera
from rejshand_ros.hand.keypoints import KEYPOINT_COUNT, WRIST, Side
from rejshand_ros.inference.estimate import CropEstimate
from rejshand_ros.tracking.localiser import HandBox, Localiser, box_of_keypoints

_CROP_PX = 256
_MOST_HANDS = 2


class MediapipeHands:
    """The model itself, on single images.

    Args:
        task: The .task file.
        most: At most this many hands an image.

    Raises:
        ModelFileError: The file is missing, or MediaPipe cannot read it.
        MissingDependencyError: MediaPipe (1.0 or newer) is not installed.
    """

    def __init__(self, task: str | Path, *, most: int = _MOST_HANDS) -> None:
        path = Path(task).expanduser()
        if not path.is_file():
            raise ModelFileError(f"MediaPipe task file {str(task)!r} does not exist")
        try:
            import mediapipe
            from mediapipe.tasks.python import BaseOptions, vision
        except ImportError as error:
            raise MissingDependencyError(
                f"estimator mediapipe needs MediaPipe (pip install mediapipe): {error}"
            ) from None
        self._image = lambda rgb: mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=rgb)
        options = vision.HandLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=str(path)), num_hands=most
        )
        try:
            self._landmarker = vision.HandLandmarker.create_from_options(options)
        except (RuntimeError, ValueError) as error:
            text = " ".join(str(error).split())
            raise ModelFileError(f"MediaPipe cannot read {path}: {text}") from None

    def detect(self, image: NDArray[np.uint8]) -> Any:
        """MediaPipe's HandLandmarkerResult for an image (H, W, 3), uint8, BGR."""
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise InputError(f"image {image.shape} {image.dtype}; (H, W, 3) uint8 needed")
        return self._landmarker.detect(self._image(np.ascontiguousarray(image[..., ::-1])))


class MediapipeLocaliser(Localiser):
    """Finds hands in whole frames by MediaPipe.

    Args:
        hands: The model.
    """

    def __init__(self, hands: MediapipeHands) -> None:
        self._hands = hands

    def find(
        self, image: NDArray[np.uint8], camera: PinholeCamera, exclude: Sequence[HandBox] = ()
    ) -> list[HandBox]:
        """Find hands; see `Localiser`. The camera is not needed."""
        boxes = boxes_of_result(self._hands.detect(image), image.shape[1], image.shape[0])
        return [
            box
            for box in boxes
            if all(np.abs(box.centre - e.centre).max() > 0.3 * e.side_px for e in exclude)
        ]


class MediapipePredictor:
    """Estimates the hand in each crop by MediaPipe; see `CropPredictor`.

    Args:
        hands: The model.
    """

    input_size = _CROP_PX

    def __init__(self, hands: MediapipeHands) -> None:
        self._hands = hands

    def predict(self, crops: NDArray[np.uint8]) -> list[CropEstimate]:
        """Estimate the hand in each crop (N, S, S, 3), uint8, BGR, taken as a right one."""
        return [estimate_of_result(self._hands.detect(crop)) for crop in crops]


def boxes_of_result(result: Any, width: int, height: int) -> list[HandBox]:
    """Boxes of the hands in a HandLandmarkerResult of an image of this size, the surest first."""
    boxes = []
    for landmarks, handedness in zip(result.hand_landmarks, result.handedness, strict=True):
        # Normalised coordinates run from edge to edge; pixels' centres are whole.
        pixels = _points(landmarks)[:, :2] * (width, height) - 0.5
        right = _right_probability(handedness)
        side = Side.RIGHT if right >= 0.5 else Side.LEFT
        boxes.append(box_of_keypoints(pixels, 0.0, side, max(right, 1.0 - right)))
    return sorted(boxes, key=lambda box: -box.score)


def estimate_of_result(result: Any) -> CropEstimate:
    """The hand nearest to the middle of a crop, from its HandLandmarkerResult.

    MediaPipe keeps the probability of a hand to itself and answers by its own threshold: presence
    is 1 or 0.
    """
    if not result.hand_landmarks:
        middle = np.full((KEYPOINT_COUNT, 2), 0.5)
        return CropEstimate(middle, np.zeros((KEYPOINT_COUNT, 3)), np.zeros((0, 3)), 0.0, 0.5)
    found = [_points(landmarks)[:, :2] for landmarks in result.hand_landmarks]
    nearest = min(range(len(found)), key=lambda i: float(np.abs(found[i].mean(0) - 0.5).max()))
    world = _points(result.hand_world_landmarks[nearest])
    right = _right_probability(result.handedness[nearest])
    return CropEstimate(found[nearest], world - world[WRIST], np.zeros((0, 3)), 1.0, right)


def _points(landmarks: Any) -> Array:
    return np.array([(point.x, point.y, point.z) for point in landmarks], float)


def _right_probability(handedness: Any) -> float:
    """The tasks API names the side that an unmirrored image shows."""
    best = handedness[0]
    return float(best.score if best.category_name == "Right" else 1.0 - best.score)
