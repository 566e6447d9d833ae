"""A sheet of samples to look at: `python -m rejshand_ros.synthetic.sheet OUT.png`."""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from rejshand_ros.hand.keypoints import BONES
from rejshand_ros.synthetic.generator import SyntheticGenerator
from rejshand_ros.synthetic.sample import SyntheticConfig, SyntheticSample

_FINGER_COLOURS = ((60, 60, 230), (40, 170, 240), (60, 200, 60), (220, 160, 40), (220, 60, 200))


def sample_sheet(
    generator: SyntheticGenerator, start: int, rows: int, columns: int, *, truth: bool = False
) -> NDArray[np.uint8]:
    """Samples side by side.

    Args:
        generator: Where they come from.
        start: Number of the first.
        rows: Rows of samples.
        columns: Samples a row.
        truth: Draw the keypoints on them.

    Returns:
        (rows * S, columns * S, 3) uint8 BGR.
    """
    tiles = []
    for index in range(start, start + rows * columns):
        sample = generator.sample(index)
        tiles.append(draw_truth(sample) if truth else sample.image)
    lines = [np.hstack(tiles[r * columns : (r + 1) * columns]) for r in range(rows)]
    return np.asarray(np.vstack(lines), np.uint8)


def draw_truth(sample: SyntheticSample) -> NDArray[np.uint8]:
    """A sample with its skeleton drawn on."""
    image = sample.image.copy()
    if sample.presence:
        pixels = np.rint(sample.keypoints_2d * len(image) - 0.5).astype(int)
        for number, (parent, child) in enumerate(BONES):
            shade = _FINGER_COLOURS[number // 4]
            cv2.line(image, pixels[parent].tolist(), pixels[child].tolist(), shade, 1, cv2.LINE_AA)
    return image


def main() -> None:
    """Write a sheet."""
    parser = argparse.ArgumentParser(description="write a sheet of synthetic samples")
    parser.add_argument("out", type=Path, help="PNG to write")
    parser.add_argument("--rows", type=int, default=6)
    parser.add_argument("--columns", type=int, default=8)
    parser.add_argument("--size", type=int, default=160, help="side of a sample, pixels")
    parser.add_argument("--start", type=int, default=0, help="number of the first sample")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--truth", action="store_true", help="draw the keypoints")
    parser.add_argument("--backgrounds", type=Path, help="folder of pictures without hands")
    given = parser.parse_args()
    config = SyntheticConfig(seed=given.seed, size=given.size, background_folder=given.backgrounds)
    generator = SyntheticGenerator(config)
    sheet = sample_sheet(generator, given.start, given.rows, given.columns, truth=given.truth)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(given.out), sheet)


if __name__ == "__main__":
    main()
