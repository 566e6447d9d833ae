"""How good the photographs' 3D labels are: the same fits, where two calibrated views know better.

The photographs' depth, bone lengths and vertices come from fitting the hand template to marked 2D
with the teacher's 3D as a hint (`training.photographs`). Here the teacher's marks in each of the
two views are fitted in that very way, and compared with what both views say together.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy_films import FEWEST_KEYPOINTS, gap
from rejshand_ros.geometry import Array, PinholeCamera
from rejshand_ros.hand.fit import fit_hands
from rejshand_ros.tracking.crop import CropCamera
from rejshand_ros.training.photographs import CROP_SCALE, CROP_SIZE

_IMAGE_PX = (640, 480)


def measure_labels(folder: Path, details: dict[str, Any]) -> None:
    """Fit each view's marked 2D and take up the error, over the teacher's own.

    Args:
        folder: Holds truth.npz: marks, intrinsics, the teacher's 3D and that of both views.
        details: ``two_view_labels`` is taken up here: aligned and unrotated ratio, with the
            teacher's hint and without one. The truth is made of the same marks, so across the
            line of view it flatters them; in depth the other view speaks.
    """
    with np.load(folder / "truth.npz") as data:
        truth = {name: np.asarray(data[name], float) for name in data.files}
    fits: dict[str, list[tuple[float, float]]] = {"hinted": [], "unhinted": [], "teacher": []}
    for camera in (0, 1):
        marks, points = truth[f"uv_cam{camera}"], truth[f"xyz_cam{camera}"]
        theirs = truth[f"mediapipe_xyz_cam{camera}"]
        known = (truth["valid"] > 0) & np.isfinite(points).all(2)
        usable = (known.sum(1) >= FEWEST_KEYPOINTS) & np.isfinite(marks).all((1, 2))
        usable &= np.isfinite(theirs).all((1, 2))
        view = PinholeCamera(*_IMAGE_PX, truth[f"K{camera}"])
        rows = np.flatnonzero(usable)
        crops = [_crop(view, marks[row]) for row in rows]
        seen = zip(crops, rows, strict=True)
        uv = np.stack([crop.from_image(marks[row]) * CROP_SIZE - 0.5 for crop, row in seen])
        matrix = np.stack([crop.matrix for crop in crops])
        answers = {
            "hinted": fit_hands(uv, matrix, hint=theirs[rows]).keypoints,
            "unhinted": fit_hands(uv, matrix).keypoints,
        }
        answers["teacher"] = theirs[rows]
        for name, hands in answers.items():
            for crop, row, hand in zip(crops, rows, hands, strict=True):
                answer = hand if name == "teacher" else crop.points_to_camera(hand)
                pair = answer, points[row], known[row]
                fits[name].append((gap(*pair), gap(*pair, rotate=False)))
    teacher = np.mean(fits.pop("teacher"), axis=0)
    ratios = {name: np.mean(gaps, axis=0) / teacher for name, gaps in fits.items()}
    details["two_view_labels"] = {
        name: {"ratio": float(turned), "unrotated_ratio": float(unrotated)}
        for name, (turned, unrotated) in ratios.items()
    }


def _crop(view: PinholeCamera, marks: Array) -> CropCamera:
    """The crop that is cut of a photograph with these marks (21, 2)."""
    low, high = marks.min(0), marks.max(0)
    side = CROP_SCALE * float((high - low).max())
    return CropCamera.around(view, (low + high) / 2, side, size=CROP_SIZE)
