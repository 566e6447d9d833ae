"""Camera calibrations as the ROS camera_calibration tools write them (YAML)."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import yaml

from rejshand_ros.errors import ConfigError
from rejshand_ros.geometry import Array, PinholeCamera
from rejshand_ros.resources import resource_path
from rejshand_ros.yaml_file import read_yaml

_OWN = "package://rejshand_ros/"


def calibration_path(url: str) -> Path:
    """The file behind a camera_info_url.

    Args:
        url: ``file:///...``, ``package://rejshand_ros/...`` or a path.

    Raises:
        ConfigError: Another kind of URL.
    """
    if url.startswith(_OWN):
        return resource_path(url.removeprefix(_OWN))
    if url.startswith("file://"):
        return Path(unquote(url.removeprefix("file://")))
    if "://" in url:
        raise ConfigError(f"camera_info_url {url!r}; valid: file:///..., {_OWN}..., or a path")
    return Path(url).expanduser()


def load_calibration(url: str) -> PinholeCamera:
    """Read a calibration.

    Raises:
        ConfigError: The file is missing or is no calibration.
    """
    path = calibration_path(url)
    values = read_yaml(path)
    try:
        matrix = _numbers(values["camera_matrix"], 9).reshape(3, 3)
        distortion = _numbers(values.get("distortion_coefficients", {"data": []}))
        width, height = int(values["image_width"]), int(values["image_height"])
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ConfigError(
            f"camera calibration {path}: {type(error).__name__} {error}; it needs image_width, "
            "image_height, camera_matrix and distortion_coefficients"
        ) from None
    positive = matrix[0, 0] > 0 and matrix[1, 1] > 0 and width > 0 and height > 0
    if not (positive and np.isfinite(matrix).all() and np.isfinite(distortion).all()):
        raise ConfigError(f"camera calibration {path}: sizes and focal lengths must be positive")
    return PinholeCamera(width, height, matrix, distortion if distortion.any() else np.zeros(0))


def save_calibration(path: Path, camera: PinholeCamera, name: str = "camera") -> None:
    """Write a calibration."""
    distortion = [float(v) for v in camera.distortion] or [0.0] * 5
    values = {
        "image_width": camera.width,
        "image_height": camera.height,
        "camera_name": name,
        "camera_matrix": {"rows": 3, "cols": 3, "data": camera.matrix.reshape(9).tolist()},
        "distortion_model": "plumb_bob" if len(distortion) <= 5 else "rational_polynomial",
        "distortion_coefficients": {"rows": 1, "cols": len(distortion), "data": distortion},
    }
    path.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")


def flipped(camera: PinholeCamera) -> PinholeCamera:
    """The camera of the images flipped left to right."""
    matrix = camera.matrix.copy()
    matrix[0, 2] = camera.width - 1 - matrix[0, 2]
    matrix[0, 1] = -matrix[0, 1]
    distortion = np.array(camera.distortion, float)
    if len(distortion) > 3:
        # p2 shears along x, which has changed its sign.
        distortion[3] = -distortion[3]
    return PinholeCamera(camera.width, camera.height, matrix, distortion, camera.assumed)


def scaled(camera: PinholeCamera, width: int, height: int) -> PinholeCamera:
    """The same camera read out at another size.

    Raises:
        ConfigError: The other size has another shape: it would be a crop of unknown place.
    """
    if abs(width * camera.height - height * camera.width) > 2 * max(width, height):
        raise ConfigError(
            f"calibration of {camera.width} x {camera.height} does not fit images of "
            f"{width} x {height}"
        )
    factor = width / camera.width
    matrix = camera.matrix.copy()
    matrix[:2] *= factor
    # Pixel centres have whole coordinates: the scale acts about the corner at -0.5.
    matrix[:2, 2] += 0.5 * (factor - 1.0)
    return PinholeCamera(width, height, matrix, camera.distortion, camera.assumed)


def _numbers(entry: Any, count: int | None = None) -> Array:
    values = np.array(entry["data"], float).reshape(-1)
    if count is not None and len(values) != count:
        raise ValueError(f"{len(values)} numbers instead of {count}")
    return values
