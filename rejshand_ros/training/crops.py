"""Crops of hands kept in memory with all that is known of them: the one form of training data."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rejshand_ros.errors import InputError, ModelFileError
from rejshand_ros.hand.keypoints import KEYPOINT_COUNT
from rejshand_ros.hand.template import VERTEX_COUNT


class Rows(Protocol):
    """What a store needs of a field: an array, or something like one that reads when asked."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the whole."""

    @property
    def ndim(self) -> int:
        """Number of its axes."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any, /) -> Any: ...


@dataclass(frozen=True)
class CropStore:
    """n square crops, cut wider than the network's input so that it can be moved and turned.

    Every hand stands there as a right one (left ones are mirrored). Each crop is the image of a
    pinhole camera of its own, in whose axes the 3D truth is given.

    Attributes:
        crops: (n, S, S, 3) uint8 BGR.
        matrix: (n, 3, 3) intrinsics of each crop's camera, crop pixels.
        keypoints_2d: (n, 21, 2) crop pixels; NaN where there is no hand.
        keypoints_3d: (n, 21, 3) metres, axes of the crop's camera, its centre the origin; NaN
            where unknown.
        vertices: (n, 778, 3) metres, same frame; NaN where unknown.
        side_known: (n,) whether the side of the hand was certain when it was turned to a right one.
        weight: (n,) trust in the labels, 0..1.
        group: (n,) name of the person, place or day; one group is never on both sides of a split.
    """

    crops: Rows
    matrix: NDArray[np.float32]
    keypoints_2d: NDArray[np.float32]
    keypoints_3d: NDArray[np.float32]
    vertices: Rows
    side_known: NDArray[np.bool_]
    weight: NDArray[np.float32]
    group: NDArray[np.str_]

    def __post_init__(self) -> None:
        n, size = len(self.crops), self.crops.shape[1] if self.crops.ndim == 4 else 0
        shapes = {
            "crops": (n, size, size, 3),
            "matrix": (n, 3, 3),
            "keypoints_2d": (n, KEYPOINT_COUNT, 2),
            "keypoints_3d": (n, KEYPOINT_COUNT, 3),
            "vertices": (n, VERTEX_COUNT, 3),
            "side_known": (n,),
            "weight": (n,),
            "group": (n,),
        }
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                given = getattr(self, name).shape
                raise InputError(f"crops' {name} has shape {given}; {shape} needed")

    def __len__(self) -> int:
        return len(self.crops)

    @property
    def has_hand(self) -> NDArray[np.bool_]:
        """(n,) whether the crop shows a hand."""
        return np.isfinite(self.keypoints_2d[:, 0, 0])

    def take(self, indices: NDArray[np.intp] | NDArray[np.bool_]) -> CropStore:
        """The crops of some indices or of a mask."""
        return CropStore(**{f.name: getattr(self, f.name)[indices] for f in fields(self)})

    def save(self, path: Path) -> None:
        """Write to an .npz; a write that is cut off leaves no half file behind."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part.npz")
        with partial.open("wb") as file:
            np.savez(file, **{f.name: getattr(self, f.name) for f in fields(self)})
        partial.replace(path)

    @classmethod
    def load(cls, path: Path) -> CropStore:
        """Read from an .npz.

        Raises:
            ModelFileError: Missing, cut short or of another kind.
        """
        if not path.is_file():
            raise ModelFileError(f"crops {path} are missing")
        try:
            with path.open("rb") as file, np.load(file) as data:
                return cls(**{f.name: data[f.name] for f in fields(cls)})
        except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise ModelFileError(f"crops {path} cannot be read: {error}") from error

    @classmethod
    def join(cls, parts: Sequence[CropStore]) -> CropStore:
        """All crops of several stores of one size."""
        if not parts:
            raise InputError("no crops to join; one store or more is needed")
        return cls(
            **{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)}
        )
