"""Rendered hands as training crops: reads the shards that `rejshand_ros.synthetic` writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rejshand_ros.errors import ModelFileError
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.synthetic.sample import SyntheticSample
from rejshand_ros.synthetic.shards import SyntheticShard, load_shard
from rejshand_ros.training.crops import CropStore

_MIRROR = np.array([-1.0, 1.0, 1.0], np.float32)


def shard_paths(folder: Path) -> list[Path]:
    """The shards of a folder, those of several renderings in folders of their own among them."""
    return sorted(folder.rglob("*.npz"))


def load_synthetic(folder: Path) -> CropStore:
    """All shards of a folder and the folders in it, every hand turned to a right one.

    Raises:
        ModelFileError: The folder holds no shard, or one is cut short.
    """
    paths = shard_paths(folder)
    if not paths:
        raise ModelFileError(f"{folder} holds no shard (*.npz) of synthetic samples")
    return CropStore.join([crops_of_shard(load_shard(path), path.stem) for path in paths])


def crops_of_samples(samples: Sequence[SyntheticSample], group: str) -> CropStore:
    """Samples fresh from the generator as crops.

    Args:
        samples: One or more, of one size.
        group: Name of their group.
    """
    shard = SyntheticShard(
        np.stack([s.image for s in samples]),
        np.stack([s.keypoints_2d for s in samples]).astype(np.float32),
        np.stack([s.keypoints_3d for s in samples]).astype(np.float32),
        np.stack([s.vertices for s in samples]).astype(np.float16),
        np.stack([s.root for s in samples]).astype(np.float32),
        np.stack([s.matrix for s in samples]).astype(np.float32),
        np.array([s.presence for s in samples]),
        np.array([s.side is Side.RIGHT for s in samples]),
        np.stack([s.visible for s in samples]),
    )
    return crops_of_shard(shard, group)


def crops_of_shard(shard: SyntheticShard, group: str) -> CropStore:
    """One shard as crops.

    Args:
        shard: Samples as rendered.
        group: Name of their group.
    """
    n, size = len(shard.images), shard.images.shape[1]
    images = shard.images.copy()
    uv = shard.keypoints_2d * np.float32(size) - np.float32(0.5)
    root = shard.root[:, None].astype(np.float32)
    keypoints = shard.keypoints_3d + root
    vertices = shard.vertices.astype(np.float32) + root
    matrix = shard.matrix.astype(np.float32).copy()
    left = shard.presence & ~shard.right
    images[left] = images[left, :, ::-1]
    uv[left, :, 0] = size - 1 - uv[left, :, 0]
    keypoints[left] *= _MIRROR
    vertices[left] *= _MIRROR
    matrix[left, 0, 2] = size - 1 - matrix[left, 0, 2]
    for labels in (uv, keypoints, vertices):
        labels[~shard.presence] = np.nan
    return CropStore(
        images, matrix, uv.astype(np.float32), keypoints.astype(np.float32), vertices,
        shard.presence.copy(), np.ones(n, np.float32), np.full(n, group),
    )  # fmt: skip
