"""The demo's own clip: rendered once, kept in the user's cache, with known truth."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rejshand_ros import __version__
from rejshand_ros.errors import MediaError
from rejshand_ros.geometry import PinholeCamera
from rejshand_ros.nodes.calibration_file import save_calibration

SECONDS, FPS, WIDTH, HEIGHT, SEED = 10.0, 30.0, 640, 480, 7


@dataclass(frozen=True)
class DemoClip:
    """A rendered clip of a right hand.

    Attributes:
        video: The clip.
        truth: Its truth (npz).
        calibration: Its camera (YAML).
    """

    video: Path
    truth: Path
    calibration: Path

    def exists(self) -> bool:
        """Whether it was rendered."""
        return all(path.is_file() for path in (self.video, self.truth, self.calibration))


def cache_folder() -> Path:
    """The user's cache folder of this project (XDG)."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "rejshand_ros"


def clip_in(folder: Path) -> DemoClip:
    """The names of a clip's files in a folder."""
    return DemoClip(folder / "clip.mp4", folder / "truth.npz", folder / "camera.yaml")


def render(folder: Path, seconds: float = SECONDS, width: int = WIDTH, height: int = HEIGHT,
           seed: int = SEED) -> DemoClip:  # fmt: skip
    """Render a clip into a folder.

    Raises:
        MediaError: The folder cannot be written.
    """
    from rejshand_ros.synthetic.clip import render_clip

    clip = clip_in(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        render_clip(clip.video, clip.truth, seconds, FPS, width, height, seed)
    except OSError as error:
        raise MediaError(f"cannot render a clip into {folder}: {error.strerror}") from error
    with np.load(clip.truth) as truth:
        matrix = truth["K"].astype(float)
    save_calibration(clip.calibration, PinholeCamera(width, height, matrix))
    return clip


def default_clip() -> DemoClip:
    """The demo's clip; rendered on the first call, which takes some seconds.

    Raises:
        MediaError: The cache folder cannot be written.
    """
    folder = cache_folder() / f"clip-{__version__}-{SEED}"
    clip = clip_in(folder)
    if clip.exists():
        return clip
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Beside its place first: a run that is cut short leaves no half clip behind.
        temporary = Path(tempfile.mkdtemp(prefix="clip-", dir=folder.parent))
    except OSError as error:
        raise MediaError(f"cannot write {folder.parent}: {error.strerror}") from error
    try:
        render(temporary)
        if not clip.exists():
            shutil.rmtree(folder, ignore_errors=True)
            temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return clip


if __name__ == "__main__":
    print(default_clip().video)
