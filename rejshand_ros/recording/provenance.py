"""What an episode was made with: versions of the software, hashes of the files that shaped it."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rejshand_ros import __version__
from rejshand_ros.errors import RecordingError
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.resources import resource_path
from rejshand_ros.retargeting.robot_hand import load_robot_hand

_PACKAGES = ("numpy", "openvino", "torch", "mujoco", "pin", "opencv-python-headless", "rosbags")


def software_versions() -> dict[str, str]:
    """Versions of Python, of this package and of the libraries that are installed."""
    found = {"python": platform.python_version(), "rejshand_ros": __version__}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue  # A robot's computer needs neither torch nor a simulator.
    return found


def hand_files(hand: str, sides: Iterable[Side]) -> dict[str, Path]:
    """The YAML and the URDF of a robot hand: what each is called in a card -> where it lies.

    Args:
        hand: Name of a hand in config/hands, or the path of a YAML file.
        sides: The sides in use.

    Raises:
        ConfigError: No such hand.
    """
    files: dict[str, Path] = {}
    for side in sides:
        if hand.endswith((".yaml", ".yml")):
            description = Path(hand)
        else:
            description = resource_path(f"config/hands/{hand}_{side.value}.yaml")
        urdf = load_robot_hand(hand, side).urdf_path
        files |= {f"hand/{path.name}": path for path in (description, urdf)}
    return files


def file_hashes(files: Mapping[str, Path]) -> dict[str, str]:
    """SHA-256 of each file, in hexadecimal.

    Args:
        files: What each is called in the card -> where it lies.

    Raises:
        RecordingError: One cannot be read.
    """
    hashes = {}
    for name, path in files.items():
        try:
            with path.open("rb") as stream:
                hashes[name] = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            raise RecordingError(f"{name} {path} cannot be hashed: {error.strerror}") from error
    return hashes
