"""How good the photographs' 3D labels are: the same fits, where two calibrated views know better.

The photographs' depth, bone lengths and vertices come from fitting the hand template to marked 2D
with the teacher's 3D as a hint (`training.photographs`). Here the teacher's marks in each of the
two views are fitted in that very way, and compared with what both views say together.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from rejshand_ros.geometry import Array, PinholeCamera, align_similarity
from rejshand_ros.hand.fit import fit_hands
from rejshand_ros.tracking.crop import CropCamera
from rejshand_ros.training.photographs import CROP_SCALE, CROP_SIZE

_IMAGE_PX = (640, 480)
_FEWEST_KEYPOINTS = 6


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
    fits: dict[str, list[Array]] = {"hinted": [], "unhinted": [], "teacher": []}
    for camera in (0, 1):
        marks, points = truth[f"uv_cam{camera}"], truth[f"xyz_cam{camera}"]
        theirs = truth[f"mediapipe_xyz_cam{camera}"]
        known = (truth["valid"] > 0) & np.isfinite(points).all(2)
        usable = (known.sum(1) >= _FEWEST_KEYPOINTS) & np.isfinite(marks).all((1, 2))
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
        for number, (crop, row) in enumerate(zip(crops, rows, strict=True)):
            there = known[row]
            for name, hands in answers.items():
                answer = crop.points_to_camera(hands[number])
                fits[name].append(_gaps(answer[there], points[row][there]))
            fits["teacher"].append(_gaps(theirs[row][there], points[row][there]))
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


def _gaps(points: Array, truth: Array) -> Array:
    """(2,) mean distance in metres after alignment with and without a turn."""
    aligned = [align_similarity(points, truth, rotate=rotate) for rotate in (True, False)]
    return np.array([np.linalg.norm(one - truth, axis=1).mean() for one in aligned])
