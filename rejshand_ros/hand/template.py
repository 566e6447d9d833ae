"""The project's own right-hand template: what `hand/template.npz` holds, checked when loaded.

Made by `scripts/make_hand_template.py`; no data of any other hand model is in it.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rejshand_ros.errors import ModelFileError
from rejshand_ros.geometry import Array
from rejshand_ros.hand.keypoints import BONES, FINGERTIPS, KEYPOINT_COUNT

VERTEX_COUNT = 778
FACE_COUNT = 2 * VERTEX_COUNT - 4
"""Of a closed surface without handles (Euler)."""
JOINTS = (1, 2, 3, 5, 6, 7, 9, 10, 11, 13, 14, 15, 17, 18, 19)
"""Keypoints about which something turns."""
SKIN_BONE_COUNT = len(BONES) + len(JOINTS)
"""Skin follows the 20 bones and, at each joint, a helper turned half as far, so that bent fingers
keep their thickness."""

TEMPLATE_PATH = Path(__file__).with_name("template.npz")


@dataclass(frozen=True)
class HandTemplate:
    """A right hand at rest, in its wrist frame.

    Attributes:
        vertices: (778, 3) metres.
        faces: (1552, 3) int32, wound outwards.
        joint_regressor: (21, 778) rows non-negative, summing to 1; fingertips are single vertices.
        skinning_weights: (778, 35) rows summing to 1: the 20 bones of `keypoints.BONES`, then one
            half-turned helper for each of `JOINTS`.
        rest_keypoints: (21, 3) metres.
        flexion_axes: (5, 3) unit axis about which each finger closes.
        abduction_axes: (5, 3) unit axis towards the thumb's side (thumb: away from the palm).
        twist_axis: (3,) unit, along the thumb's metacarpal.
        keypoint_radii: (21,) half the hand's thickness around each keypoint, metres.
    """

    vertices: Array
    faces: NDArray[np.int32]
    joint_regressor: Array
    skinning_weights: Array
    rest_keypoints: Array
    flexion_axes: Array
    abduction_axes: Array
    twist_axis: Array
    keypoint_radii: Array

    @property
    def fingertip_vertices(self) -> tuple[int, ...]:
        """Indices of the five vertices that are the fingertips, thumb first."""
        return tuple(int(np.argmax(self.joint_regressor[tip])) for tip in FINGERTIPS)


_SHAPES: dict[str, tuple[int, ...]] = {
    "vertices": (VERTEX_COUNT, 3),
    "faces": (FACE_COUNT, 3),
    "joint_regressor": (KEYPOINT_COUNT, VERTEX_COUNT),
    "skinning_weights": (VERTEX_COUNT, SKIN_BONE_COUNT),
    "rest_keypoints": (KEYPOINT_COUNT, 3),
    "flexion_axes": (5, 3),
    "abduction_axes": (5, 3),
    "twist_axis": (3,),
    "keypoint_radii": (KEYPOINT_COUNT,),
}


@cache
def load_template(path: Path = TEMPLATE_PATH) -> HandTemplate:
    """Read and check a template file; the shipped one by default. The arrays are read-only.

    Raises:
        ModelFileError: The file is missing, unreadable or does not hold a template.
    """
    if not path.is_file():
        raise ModelFileError(f"hand template {path} does not exist")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ModelFileError(f"hand template {path} is not a readable npz: {error}") from error
    for name, shape in _SHAPES.items():
        if name not in arrays:
            raise ModelFileError(f"hand template {path} lacks {name}; it needs {list(_SHAPES)}")
        if arrays[name].shape != shape:
            given = arrays[name].shape
            raise ModelFileError(f"hand template {path}: {name} has shape {given}; valid: {shape}")
        if not np.isfinite(arrays[name]).all():
            raise ModelFileError(f"hand template {path}: {name} is not finite")
    checked: dict[str, NDArray[Any]] = {}
    for name in _SHAPES:
        dtype = np.int32 if name == "faces" else np.float64
        checked[name] = arrays[name].astype(dtype)
    for name in ("joint_regressor", "skinning_weights"):
        # Stored as float32: sums here, and lengths below, are made exact again.
        rows = checked[name]
        checked[name] = rows / rows.sum(axis=1, keepdims=True)
    for name in ("flexion_axes", "abduction_axes", "twist_axis"):
        axes = checked[name]
        checked[name] = axes / np.linalg.norm(axes, axis=-1, keepdims=True)
    for array in checked.values():
        array.flags.writeable = False
    return HandTemplate(**checked)  # type: ignore[arg-type]


def save_template(template: HandTemplate, path: Path) -> None:
    """Write a template as compressed npz, floats as float32."""
    arrays = {}
    for field in fields(template):
        value = getattr(template, field.name)
        arrays[field.name] = value if field.name == "faces" else value.astype(np.float32)
    np.savez_compressed(path, **arrays)
