"""Samples rendered ahead into files, so that training spends its time on training.

`python -m rejshand_ros.synthetic.shards FOLDER --count 24000 --size 160 --workers 2`
"""

from __future__ import annotations

import argparse
import multiprocessing
import zipfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rejshand_ros.errors import InputError, ModelFileError
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.synthetic.generator import SyntheticGenerator
from rejshand_ros.synthetic.sample import SyntheticConfig

WIDE_MARGIN = (1.5, 1.75)
"""Crop side over hull side of samples from which training still cuts its own crops: the 1.25 of
the box convention times 1.2 to 1.4."""


@dataclass(frozen=True)
class SyntheticShard:
    """Some samples as arrays; the meanings are those of `sample.SyntheticSample`.

    Attributes:
        images: (n, S, S, 3) uint8 BGR.
        keypoints_2d: (n, 21, 2) float32, 0..1 in the crop.
        keypoints_3d: (n, 21, 3) float32 metres relative to keypoint 9.
        vertices: (n, 778, 3) float16 metres relative to keypoint 9.
        root: (n, 3) float32 metres, keypoint 9 in crop-camera axes.
        matrix: (n, 3, 3) float32 intrinsics of each crop's camera.
        presence: (n,) bool.
        right: (n,) bool, True for a right hand, False for a left one (and without a hand).
        visible: (n, 21) bool.
    """

    images: NDArray[np.uint8]
    keypoints_2d: NDArray[np.float32]
    keypoints_3d: NDArray[np.float32]
    vertices: NDArray[np.float16]
    root: NDArray[np.float32]
    matrix: NDArray[np.float32]
    presence: NDArray[np.bool_]
    right: NDArray[np.bool_]
    visible: NDArray[np.bool_]


def generate_shard(
    config: SyntheticConfig | SyntheticGenerator, start: int, count: int, path: Path
) -> None:
    """Render samples start .. start + count - 1 into an npz; it appears when complete.

    Args:
        config: How they are drawn, or a generator to go on with.
        start: Number of the first.
        count: How many.
        path: File to write, ending in .npz.

    Raises:
        InputError: There is nothing to render.
    """
    if count < 1 or start < 0:
        raise InputError(f"shard of {count} samples from {start}; at least 1 from 0 on valid")
    generator = config if isinstance(config, SyntheticGenerator) else SyntheticGenerator(config)
    samples = [generator.sample(index) for index in range(start, start + count)]
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    with temporary.open("wb") as file:
        np.savez(
            file,
            images=np.stack([s.image for s in samples]),
            keypoints_2d=np.stack([s.keypoints_2d for s in samples]).astype(np.float32),
            keypoints_3d=np.stack([s.keypoints_3d for s in samples]).astype(np.float32),
            vertices=np.stack([s.vertices for s in samples]).astype(np.float16),
            root=np.stack([s.root for s in samples]).astype(np.float32),
            matrix=np.stack([s.matrix for s in samples]).astype(np.float32),
            presence=np.array([s.presence for s in samples]),
            right=np.array([s.side is Side.RIGHT for s in samples]),
            visible=np.stack([s.visible for s in samples]),
        )
    temporary.replace(path)


def load_shard(path: Path) -> SyntheticShard:
    """Read a shard.

    Raises:
        ModelFileError: It is missing, cut short or something else.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return SyntheticShard(**{name: archive[name] for name in archive.files})
    except (OSError, ValueError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise ModelFileError(f"{path} is not a shard of synthetic samples: {error}") from error


def main() -> None:
    """Render shards into a folder; those that are there already stay."""
    parser = argparse.ArgumentParser(description="render synthetic training samples ahead")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=24000)
    parser.add_argument("--shard", type=int, default=1000, help="samples a file")
    parser.add_argument("--size", type=int, default=160, help="side of a crop, pixels")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--backgrounds", type=Path, help="folder of pictures without hands")
    parser.add_argument("--workers", type=int, default=1, help="processes that render at once")
    parser.add_argument(
        "--uniform-poses", type=float, default=SyntheticConfig.uniform_pose_share,
        help="share of poses drawn evenly over the joint limits",
    )  # fmt: skip
    parser.add_argument(
        "--side-views", type=float, default=0.0, help="share of hands seen from the side"
    )
    given = parser.parse_args()
    config = SyntheticConfig(
        seed=given.seed, size=given.size, box_scale=WIDE_MARGIN, centre_jitter=0.05,
        background_folder=given.backgrounds, uniform_pose_share=given.uniform_poses,
        side_view_share=given.side_views,
    )  # fmt: skip
    starts = range(0, given.count, given.shard)
    workers = min(given.workers, len(starts))
    if workers < 1:
        raise InputError(f"--workers {given.workers}, --count {given.count}; 1 or more needed")
    if workers == 1:
        _render(config, starts, given)
        return
    # Each worker takes every so-manieth shard, so that all of them fill the folder from its start.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        shares = [starts[first::workers] for first in range(workers)]
        for done in [pool.submit(_render, config, share, given) for share in shares]:
            done.result()


def _render(config: SyntheticConfig, starts: Sequence[int], given: argparse.Namespace) -> None:
    """The shards that begin at these numbers, as `main` was asked for them."""
    generator = SyntheticGenerator(config)
    for start in starts:
        path = given.folder / f"shard_{start // given.shard:04d}.npz"
        if not path.exists():
            generate_shard(generator, start, min(given.shard, given.count - start), path)


if __name__ == "__main__":
    main()
