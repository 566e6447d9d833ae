"""Loading MANO (Romero, Tzionas and Black 2017) from a file that the user brings.

MANO's licence forbids passing it on, so the project ships none of it. The official
`MANO_RIGHT.pkl` (Python 2, chumpy, SciPy) and plain copies of it (pickle or npz of arrays) are
read alike, without chumpy or SciPy and without running code from the file.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rejshand_ros.errors import ModelFileError, reason_of
from rejshand_ros.geometry import Array
from rejshand_ros.hand.restricted_pickle import read_pickled_arrays

MANO_VERTEX_COUNT = 778
MANO_FINGERTIPS = (744, 320, 443, 555, 672)
"""Vertices taken as fingertips, thumb to little finger."""
KEYPOINT_FROM_MANO = (0, 13, 14, 15, 16, 1, 2, 3, 17, 4, 5, 6, 18, 10, 11, 12, 19, 7, 8, 9, 20)
"""Row of (MANO's 16 joints, then the five fingertips) for each of our 21 keypoints."""

_JOINTS = 16
_LARGEST_UNPACKED = 256 * 1024 * 1024
_SHAPES: dict[str, tuple[int | None, ...]] = {
    "v_template": (MANO_VERTEX_COUNT, 3),
    "shapedirs": (MANO_VERTEX_COUNT, 3, 10),
    "posedirs": (MANO_VERTEX_COUNT, 3, 135),
    "J_regressor": (_JOINTS, MANO_VERTEX_COUNT),
    "weights": (MANO_VERTEX_COUNT, _JOINTS),
    "f": (None, 3),
    "kintree_table": (2, _JOINTS),
    "hands_mean": (45,),
    "hands_components": (45, 45),
}


@dataclass(frozen=True)
class ManoModel:
    """MANO's arrays under their own names, checked.

    Attributes:
        v_template: (778, 3) metres.
        shapedirs: (778, 3, 10) metres per unit of shape.
        posedirs: (778, 3, 135) metres per entry of the joints' rotations minus identity.
        J_regressor: (16, 778) MANO's own joints from vertices.
        weights: (778, 16) skinning weights.
        faces: (f, 3) int32, 1538 in the official file.
        parents: (16,) parent of each joint, -1 for the wrist.
        hands_mean: (45,) radians.
        hands_components: (45, 45).
    """

    v_template: Array
    shapedirs: Array
    posedirs: Array
    J_regressor: Array
    weights: Array
    faces: NDArray[np.int32]
    parents: NDArray[np.int32]
    hands_mean: Array
    hands_components: Array

    def keypoint_regressor(self) -> Array:
        """(21, 778) our keypoints from vertices: MANO's joints and single vertices as tips."""
        tips = np.zeros((len(MANO_FINGERTIPS), MANO_VERTEX_COUNT))
        tips[np.arange(len(MANO_FINGERTIPS)), list(MANO_FINGERTIPS)] = 1.0
        return np.concatenate([self.J_regressor, tips])[list(KEYPOINT_FROM_MANO)]


def load_mano(path: Path | str) -> ManoModel:
    """Read MANO from `MANO_RIGHT.pkl` (or `MANO_LEFT.pkl`), or from plain arrays (.pkl, .npz).

    Raises:
        ModelFileError: The file is missing, cut short, holds anything but data, or is not MANO.
    """
    path = Path(path)
    arrays = _read_npz(path) if path.suffix == ".npz" else read_pickled_arrays(path)
    missing = [name for name in _SHAPES if name not in arrays]
    if missing:
        raise ModelFileError(f"{path} lacks {', '.join(missing)}; MANO has {', '.join(_SHAPES)}")
    for name, shape in _SHAPES.items():
        given = arrays[name].shape
        if len(given) != len(shape) or any(
            wanted not in (None, size) for size, wanted in zip(given, shape, strict=True)
        ):
            wanted_text = tuple("any" if size is None else size for size in shape)
            raise ModelFileError(f"{path}: {name} has shape {given}; MANO has {wanted_text}")
        if not np.isfinite(arrays[name].astype(float)).all():
            raise ModelFileError(f"{path}: {name} is not finite")
    faces = arrays["f"].astype(np.int64)
    if len(faces) == 0 or faces.min() < 0 or faces.max() >= MANO_VERTEX_COUNT:
        raise ModelFileError(f"{path}: f names vertices outside 0..{MANO_VERTEX_COUNT - 1}")
    # The official file writes the missing parent as 2^32 - 1.
    parents = arrays["kintree_table"][0].astype(np.int64)
    parents[0] = -1
    if any(not 0 <= parent < joint for joint, parent in enumerate(parents) if joint):
        raise ModelFileError(f"{path}: kintree_table is no tree of {_JOINTS} joints")
    floats = {
        name: arrays[name].astype(float) for name in _SHAPES if name not in ("f", "kintree_table")
    }
    return ManoModel(**floats, faces=faces.astype(np.int32), parents=parents.astype(np.int32))


def _read_npz(path: Path) -> dict[str, NDArray[Any]]:
    if not path.is_file():
        raise ModelFileError(f"{path} does not exist")
    try:
        with path.open("rb") as file:
            with zipfile.ZipFile(file) as packed:
                claimed = sum(member.file_size for member in packed.infolist())
            if claimed > _LARGEST_UNPACKED:
                raise ValueError(f"it claims {claimed >> 20} MiB; not a hand model")
            file.seek(0)
            with np.load(file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
    # A forged archive can make NumPy, zipfile and zlib fail in any way; all mean the same.
    except Exception as error:
        reason = reason_of(error)
        raise ModelFileError(f"{path} is not a readable npz of arrays: {reason}") from error
    bad = [name for name, array in arrays.items() if array.dtype.kind not in "biuf"]
    return {name: array for name, array in arrays.items() if name not in bad}
