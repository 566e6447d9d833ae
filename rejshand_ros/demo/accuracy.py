"""Recorded hands against known truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rejshand_ros.demo.bag_facts import SideFacts
from rejshand_ros.geometry import align_similarity
from rejshand_ros.synthetic.clip import ClipTruth

PCK_SHARE = 0.1
"""A keypoint counts as found within this share of the hand's box side."""


def flipped(truth: ClipTruth, width: int) -> ClipTruth:
    """The truth of the images flipped left to right.

    Args:
        truth: Of the images as they are.
        width: Of the images, pixels.
    """
    mirror = np.array([-1.0, 1.0, 1.0])
    return replace(
        truth,
        uv=truth.uv * (-1.0, 1.0) + (width - 1.0, 0.0),
        xyz=truth.xyz * mirror,
        vertices=truth.vertices * mirror,
        side=truth.side.other,
    )


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
        index = round((stamp - start_ns) * 1e-9 * fps) % len(truth.xyz)
        aligned = align_similarity(keypoints, truth.xyz[index])
        joints.append(np.linalg.norm(aligned - truth.xyz[index], axis=1).mean())
        wanted = truth.uv[index]
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
