"""Training crops kept on the training device, so that cutting and changing them happens there."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from rejshand_ros.hand.keypoints import MIDDLE_MCP
from rejshand_ros.training.crops import CropStore


@dataclass(frozen=True)
class DeviceCrops:
    """n crops on a device; the meanings are those of `CropStore`.

    Attributes:
        crops: (n, S, S, 3) uint8 BGR.
        matrix: (n, 3, 3) float32.
        keypoints_2d: (n, 21, 2) float32 crop pixels; NaN where there is no hand.
        keypoints_3d: (n, 21, 3) float32 metres relative to keypoint 9, axes of the crop's camera.
        vertices: (n, 778, 3) float16 metres relative to keypoint 9; NaN where unknown.
        side_known: (n,) bool.
        weight: (n,) float32.
        has_hand: (n,) bool.
    """

    crops: Tensor
    matrix: Tensor
    keypoints_2d: Tensor
    keypoints_3d: Tensor
    vertices: Tensor
    side_known: Tensor
    weight: Tensor
    has_hand: Tensor

    def __len__(self) -> int:
        return len(self.crops)

    @classmethod
    def of(cls, store: CropStore, device: torch.device) -> DeviceCrops:
        """Copy a store to a device."""
        root = store.keypoints_3d[:, MIDDLE_MCP, None]
        relative = np.asarray(store.vertices[:] - root, np.float16)
        values = (
            np.asarray(store.crops[:]), store.matrix, store.keypoints_2d,
            store.keypoints_3d - root, relative, store.side_known, store.weight, store.has_hand,
        )  # fmt: skip
        return cls(*(torch.from_numpy(np.ascontiguousarray(v)).to(device) for v in values))


class GrowingCrops:
    """`DeviceCrops` that more can be added to without copying all of them each time.

    Args:
        first: What there is at the beginning, on its device.
    """

    def __init__(self, first: DeviceCrops) -> None:
        self._room = first
        self._count = len(first)

    def __len__(self) -> int:
        return self._count

    @property
    def crops(self) -> DeviceCrops:
        """All of them so far."""
        return DeviceCrops(
            *(getattr(self._room, f.name)[: self._count] for f in fields(self._room))
        )

    def add(self, more: DeviceCrops) -> None:
        """Append; room is doubled when it runs out."""
        needed = self._count + len(more)
        if needed > len(self._room):
            size = max(needed, 2 * self._count)
            self._room = DeviceCrops(
                *(self._widened(getattr(self._room, f.name), size) for f in fields(self._room))
            )
        for f in fields(more):
            getattr(self._room, f.name)[self._count : needed] = getattr(more, f.name)
        self._count = needed

    def _widened(self, tensor: Tensor, size: int) -> Tensor:
        wider = tensor.new_empty((size, *tensor.shape[1:]))
        wider[: self._count] = tensor[: self._count]
        return wider
