"""Real backgrounds for rendered hands: squares without hands, cut out of labelled photographs.

python -m rejshand_ros.training.photograph_backgrounds LABELS FOLDER
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np

from rejshand_ros.errors import ModelFileError
from rejshand_ros.synthetic.backgrounds import Image
from rejshand_ros.training.split import is_held_out


def cut_photographs(labels: Path, folder: Path, *, limit: int = 1500, seed: int = 0) -> int:
    """Cut squares without hands out of labelled photographs into a folder of backgrounds.

    Only photographs whose hands people marked with boxes are used, and only groups for training;
    a square may touch no box and no keypoint's neighbourhood.

    Args:
        labels: labels.jsonl beside the photographs' folders.
        folder: Written: JPEG files.
        limit: At most so many squares.
        seed: Of the random choices.

    Returns:
        How many were written.

    Raises:
        ModelFileError: A photograph is unreadable.
    """
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.loads(line) for line in labels.read_text().splitlines()]
    entries = [e for e in lines if e["boxes"] and not is_held_out(e["group"])]
    written = 0
    for index in rng.permutation(len(entries)):
        entry = entries[index]
        image = cv2.imread(str(labels.parent / entry["image"]))
        if image is None:
            raise ModelFileError(f"cannot read {labels.parent / entry['image']}")
        square = _free_square(rng, np.asarray(image, np.uint8), entry)
        if square is not None and written < limit:
            shrunk = cv2.resize(square, (256, 256), interpolation=cv2.INTER_AREA)
            cv2.imwrite(str(folder / f"{written:05d}.jpg"), shrunk, [cv2.IMWRITE_JPEG_QUALITY, 88])
            written += 1
    return written


def _free_square(rng: np.random.Generator, image: Image, entry: dict[str, list]) -> Image | None:  # type: ignore[type-arg]
    """A random large square that keeps clear of all hands, if there is one."""
    height, width = image.shape[:2]
    taken = [np.array(box, float) for box in entry["boxes"]]
    for hand in entry["hands"]:
        uv = np.array(hand["uv"])
        margin = 0.3 * float(np.ptp(uv, axis=0).max())
        taken.append(np.concatenate([uv.min(0) - margin, uv.max(0) + margin]))
    for _ in range(30):
        side = int(rng.uniform(0.3, 0.95) * min(height, width))
        x, y = int(rng.integers(width - side + 1)), int(rng.integers(height - side + 1))
        if side >= 120 and not any(
            x < b[2] and b[0] < x + side and y < b[3] and b[1] < y + side for b in taken
        ):
            return image[y : y + side, x : x + side]
    return None


def main() -> None:
    """Cut the backgrounds."""
    parser = argparse.ArgumentParser(description="cut backgrounds out of labelled photographs")
    parser.add_argument("labels", type=Path, help="labels.jsonl beside the photographs' folders")
    parser.add_argument("folder", type=Path, help="where to write them")
    parser.add_argument("--limit", type=int, default=1500, help="at most so many")
    given = parser.parse_args()
    written = cut_photographs(given.labels, given.folder, limit=given.limit)
    print(f"{written} backgrounds in {given.folder}")


if __name__ == "__main__":
    main()
