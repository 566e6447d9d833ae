"""The demo's own clip: rendered once, kept in the user's cache, with known truth.

``python -m rejshand_ros.demo.clip`` renders it ahead of time.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import cv2

from rejshand_ros.errors import MediaError
from rejshand_ros.geometry import PinholeCamera
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.nodes.calibration_file import save_calibration
from rejshand_ros.synthetic.clip import ClipTruth, ensure_default_clip, load_clip_truth


@dataclass(frozen=True)
class DemoClip:
    """A rendered clip of one hand.

    Attributes:
        video: The clip.
        truth: Where the hand really is.
        calibration: Its camera (YAML).
    """

    video: Path
    truth: ClipTruth
    calibration: Path


def cache_folder() -> Path:
    """The user's cache folder of this project (XDG)."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "rejshand_ros"


def default_clip(side: Side) -> DemoClip:
    """The demo's clip of a hand; the first call renders it, which takes some seconds.

    Raises:
        MediaError: The cache folder cannot be written.
    """
    try:
        video, truth_file = ensure_default_clip(cache_folder(), side)
        truth = load_clip_truth(truth_file)
        calibration = video.with_suffix(".yaml")
        if not calibration.is_file():
            capture = cv2.VideoCapture(str(video))
            width = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
            height = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
            capture.release()
            draft = calibration.with_name(f".{calibration.name}.{os.getpid()}")
            save_calibration(draft, PinholeCamera(width, height, truth.camera_matrix))
            draft.replace(calibration)
    except OSError as error:
        raise MediaError(f"cannot write {cache_folder()}: {error.strerror}") from error
    return DemoClip(video, truth, calibration)


if __name__ == "__main__":
    for which in Side:
        print(default_clip(which).video)
