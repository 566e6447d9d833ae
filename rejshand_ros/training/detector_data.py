"""The photographs that the detector learns from, and their split."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rejshand_ros.errors import ModelFileError
from rejshand_ros.hand.keypoints import MIDDLE_MCP, WRIST
from rejshand_ros.synthetic.shards import load_shard
from rejshand_ros.training.split import is_held_out

BOX_SCALE = 1.25
"""Side of a hand's box over the longer side of its keypoints' hull."""


@dataclass(frozen=True)
class LabelledHand:
    """A hand in a photograph.

    Attributes:
        centre: (2,) pixels, middle of the keypoints' hull or of the drawn box.
        side_px: Side of its square box, pixels.
        up: (2,) unit direction from wrist to middle knuckle in the image; None if unknown.
        right: Whether it is a right hand; None if unknown.
        exact: Whether the box comes from keypoints, not from a drawn box.
    """

    centre: NDArray[np.float64]
    side_px: float
    up: NDArray[np.float64] | None
    right: bool | None
    exact: bool


@dataclass(frozen=True)
class Photograph:
    """A labelled photograph, kept small in memory.

    Attributes:
        image: (H, W, 3) uint8 BGR.
        hands: What is known of the hands in it.
        folder: The collection that it is from.
        group: One person, place or day.
    """

    image: NDArray[np.uint8]
    hands: tuple[LabelledHand, ...]
    folder: str
    group: str


def load_photographs(folder: Path, *, held_out: bool, longest_px: int = 320) -> list[Photograph]:
    """Read the labelled photographs of one side of the split.

    Args:
        folder: Holds labels.jsonl and the images that it names.
        held_out: The groups for evaluation instead of those for training.
        longest_px: Images are shrunk to this longest side.

    Raises:
        ModelFileError: The labels or an image cannot be read.
    """
    labels = folder / "labels.jsonl"
    if not labels.is_file():
        raise ModelFileError(f"no labels.jsonl in {folder}")
    photographs = []
    for line in labels.read_text().splitlines():
        entry = json.loads(line)
        # Without hands and boxes an image is unlabelled, which is not the same as empty.
        if is_held_out(entry["group"]) != held_out or not (entry["hands"] or entry["boxes"]):
            continue
        image = cv2.imread(str(folder / entry["image"]))
        if image is None:
            raise ModelFileError(f"cannot read {folder / entry['image']}")
        scale = min(1.0, longest_px / max(image.shape[:2]))
        if scale < 1.0:
            image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        photographs.append(
            Photograph(
                np.asarray(image, np.uint8),
                _hands(entry, scale),
                entry["image"].split("/")[0],
                entry["group"],
            )
        )
    return photographs


def load_rendered(folder: Path, count: int) -> list[Photograph]:
    """Rendered hands, whose sides and directions are exact.

    Args:
        folder: Holds the synthetic shards, shard_*.npz.
        count: At most this many hands, spread over the shards.

    Raises:
        ModelFileError: There is no shard, or one cannot be read.
    """
    paths = sorted(folder.glob("shard_*.npz"))
    if not paths:
        raise ModelFileError(f"no shard_*.npz in {folder}")
    rendered = []
    for path in paths:
        shard = load_shard(path)
        size = shard.images.shape[1]
        chosen = np.flatnonzero(shard.presence)[: -(-count // len(paths))]
        for i in chosen:
            uv = shard.keypoints_2d[i].astype(float) * size - 0.5
            hand = _hand_of(uv, bool(shard.right[i]), exact=True)
            rendered.append(Photograph(shard.images[i].copy(), (hand,), "rendered", path.stem))
    return rendered[:count]


def _hand_of(uv: NDArray[np.float64], right: bool | None, *, exact: bool) -> LabelledHand:
    """The label of 21 keypoints, pixels."""
    low, high = uv.min(0), uv.max(0)
    up = uv[MIDDLE_MCP] - uv[WRIST]
    extent, length = float((high - low).max()), float(np.linalg.norm(up))
    # A palm that points at the camera has no direction in the image.
    turned = length > 0.15 * extent and exact
    return LabelledHand(
        (low + high) / 2, extent * BOX_SCALE, up / length if turned else None, right, exact
    )


def _hands(entry: dict[str, Any], scale: float) -> tuple[LabelledHand, ...]:
    """The teacher's hands, and drawn boxes in which it found none."""
    hands = []
    for hand in entry["hands"]:
        uv = np.asarray(hand["uv"], float) * scale
        doubtful = hand["agreement"] is None or hand["agreement"] > 0.15
        certain_side = bool(hand["side_agrees"]) and not doubtful
        right = hand["side"] == "right" if certain_side else None
        hands.append(_hand_of(uv, right, exact=not doubtful))
    for box in entry["boxes"]:
        low, high = np.array(box[:2], float) * scale, np.array(box[2:], float) * scale
        if any(np.all((low < h.centre) & (h.centre < high)) for h in hands):
            continue
        hands.append(LabelledHand((low + high) / 2, float((high - low).max()), None, None, False))
    return tuple(hands)
