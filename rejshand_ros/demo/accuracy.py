"""Recorded hands against known truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rejshand_ros.demo.bag_facts import SideFacts
from rejshand_ros.errors import ModelFileError
from rejshand_ros.geometry import Array, align_similarity

PCK_SHARE = 0.1
"""A keypoint counts as found within this share of the hand's box side."""


@dataclass(frozen=True)
class ClipTruth:
    """Where the hand of a rendered clip really is.

    Attributes:
        keypoints_2d: (N, 21, 2) pixels.
        keypoints_3d: (N, 21, 3) metres, camera axes.
        vertices: (N, 778, 3) metres, camera axes.
        width: Image width, pixels.
    """

    keypoints_2d: Array
    keypoints_3d: Array
    vertices: Array
    width: int

    def flipped(self) -> ClipTruth:
        """The truth of the images flipped left to right."""
        pixels = self.keypoints_2d * (-1.0, 1.0) + (self.width - 1.0, 0.0)
        mirror = np.array([-1.0, 1.0, 1.0])
        return ClipTruth(pixels, self.keypoints_3d * mirror, self.vertices * mirror, self.width)


def load_truth(path: Path, width: int) -> ClipTruth:
    """Read the truth beside a rendered clip.

    Raises:
        ModelFileError: It is missing or of another kind.
    """
    try:
        with np.load(path) as values:
            return ClipTruth(
                values["uv"].astype(float),
                values["xyz"].astype(float),
                values["vertices"].astype(float),
                width,
            )
    except (OSError, KeyError, ValueError) as error:
        raise ModelFileError(f"{path} holds no truth of a clip: {error}") from error


def accuracy(
    facts: SideFacts, truth: ClipTruth, start_ns: int, fps: float
) -> dict[str, float] | None:
    """Errors over all images in which the hand was seen; None without one.

    Args:
        facts: Hands of one side.
        truth: Of every image of the clip, which may have been played several times.
        start_ns: Capture stamp of the first image.
        fps: Images a second.

    Returns:
        ``pa_mpjpe_mm`` and ``pa_mpvpe_mm``, mean distances after Procrustes alignment (FreiHAND);
        ``pck_2d``, the share of keypoints within `PCK_SHARE` of the box side.
    """
    joints, surface, found = [], [], []
    for stamp, keypoints in facts.keypoints_3d.items():
        index = round((stamp - start_ns) * 1e-9 * fps) % len(truth.keypoints_3d)
        aligned = align_similarity(keypoints, truth.keypoints_3d[index])
        joints.append(np.linalg.norm(aligned - truth.keypoints_3d[index], axis=1).mean())
        wanted = truth.keypoints_2d[index]
        box_px = 1.25 * float((wanted.max(0) - wanted.min(0)).max())
        apart = np.linalg.norm(facts.keypoints_2d[stamp] - wanted, axis=1)
        found.append(float((apart <= PCK_SHARE * box_px).mean()))
        if stamp in facts.vertices:
            aligned = align_similarity(facts.vertices[stamp], truth.vertices[index])
            surface.append(np.linalg.norm(aligned - truth.vertices[index], axis=1).mean())
    if not joints:
        return None
    result = {
        "pa_mpjpe_mm": round(1e3 * float(np.mean(joints)), 3),
        "pck_2d": round(float(np.mean(found)), 4),
    }
    if surface:
        result["pa_mpvpe_mm"] = round(1e3 * float(np.mean(surface)), 3)
    return result
