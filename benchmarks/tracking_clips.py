"""Clips that try a tracker: frames with stamps and, where known, where the hands are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from rejshand_ros.errors import MediaError
from rejshand_ros.geometry import Array
from rejshand_ros.hand.keypoints import Side

Image = NDArray[np.uint8]
PERIOD_NS = 33_333_333


@dataclass(frozen=True)
class TrueHand:
    """A hand in a frame.

    Attributes:
        side: Its real side.
        pixels: (21, 2) where its keypoints are; NaN where that is not known.
        visible: Whether a tracker should see it: inside of the image and lit.
    """

    side: Side
    pixels: Array
    visible: bool


@dataclass(frozen=True)
class Frame:
    """One frame of a trial.

    Attributes:
        image: (H, W, 3) uint8, BGR.
        stamp_ns: Capture time, nanoseconds.
        hands: What is to be seen.
        part: Name of the trial's part.
    """

    image: Image
    stamp_ns: int
    hands: tuple[TrueHand, ...]
    part: str


def read_video(path: Path, count: int | None = None) -> Iterator[Image]:
    """Frames of a video.

    Raises:
        MediaError: It cannot be opened.
    """
    video = cv2.VideoCapture(str(path))
    if not video.isOpened():
        raise MediaError(f"cannot open video {path}")
    try:
        read = 0
        while count is None or read < count:
            good, image = video.read()
            if not good:
                return
            read += 1
            yield np.asarray(image, np.uint8)
    finally:
        video.release()


def plain_clip(path: Path, pixels: Array, side: Side) -> Iterator[Frame]:
    """A video as it is, one hand of a known side in it all along."""
    for index, image in enumerate(read_video(path, len(pixels))):
        hand = TrueHand(side, pixels[index].astype(float), visible=True)
        yield Frame(image, index * PERIOD_NS, (hand,), "plain")


def torture_clip(path: Path, pixels: Array, side: Side, seed: int = 0) -> Iterator[Frame]:
    """One hand's video bent to what trackers trip over.

    The hand leaves and returns on every side, frames are dropped, the camera turns by 90 degrees,
    blurs, goes dark; and its mirror image joins as a second hand.

    Args:
        path: The video.
        pixels: (n, 21, 2) where the hand is in it.
        side: The hand's side.
        seed: Of the random choices.
    """
    images = list(read_video(path, min(len(pixels), 420)))
    rng = np.random.default_rng(seed)
    stamp = 0
    for part, image, hands in _torture(images, pixels.astype(float), side):
        stamp += PERIOD_NS
        if part == "dropped":
            stamp += int(rng.integers(0, 5)) * PERIOD_NS
        yield Frame(image, stamp, hands, part)


def _torture(
    images: Sequence[Image], pixels: Array, side: Side
) -> Iterator[tuple[str, Image, tuple[TrueHand, ...]]]:
    """The parts one after another: name, image, hands."""
    height, width = images[0].shape[:2]
    index = 0

    def moved(matrix: Array) -> tuple[Image, tuple[TrueHand, ...]]:
        # Grey beyond the image: a reflection would show hands that nobody has counted.
        image = cv2.warpAffine(images[index], matrix, (width, height), borderValue=(120, 120, 120))
        points = pixels[index] @ matrix[:, :2].T + matrix[:, 2]
        low, high = points.min(0), points.max(0)
        inside = bool(low.min() >= 0 and high[0] < width and high[1] < height)
        return np.asarray(image, np.uint8), (TrueHand(side, points, inside),)

    for way in ((-1.0, 0.0), (1.0, 0.0), (0.0, 1.0)):
        for share in _there_and_back(12, 18):
            matrix = np.array([[1.0, 0, way[0] * width * share], [0, 1, way[1] * height * share]])
            image, hands = moved(matrix)
            yield "leaving", image, hands
            index += 1
    for _ in range(30):
        index += int(index % 3)
        yield "dropped", images[index], (TrueHand(side, pixels[index], True),)
        index += 1
    for share in _there_and_back(20, 10):
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), 90.0 * share, 1.0 - 0.35 * share)
        yield "turning", *moved(np.asarray(turn, float))
        index += 1
    for share in _there_and_back(10, 10):
        blurred = cv2.GaussianBlur(images[index], (0, 0), 0.1 + 7.0 * share)
        hand = TrueHand(side, pixels[index], visible=share < 0.6)
        yield "blur", np.asarray(blurred, np.uint8), (hand,)
        index += 1
    for share in _there_and_back(8, 12):
        image = np.asarray(images[index] * (1.0 - share), np.uint8)
        hand = TrueHand(side, pixels[index], visible=share < 0.7)
        yield "dark", image, (hand,)
        index += 1
    for step in range(60):
        yield "second", *_second_hand(images[index], pixels[index], side, step)
        index += 1


def _second_hand(
    image: Image, points: Array, side: Side, step: int
) -> tuple[Image, tuple[TrueHand, ...]]:
    """The hand in one half of the frame, its mirror image coming into the other half."""
    width = image.shape[1]
    half = width // 2
    left = int(np.clip(points[:, 0].mean() - half / 2, 0, width - half))
    piece = image[:, left : left + half]
    own = points - (left, 0)
    flipped = np.column_stack([width - 1 - own[:, 0], own[:, 1]])
    present = step >= 15
    other = piece[:, ::-1] if present else np.full_like(piece, 120)
    both = np.ascontiguousarray(np.hstack([piece, other]))
    hands = [TrueHand(side, own, True)]
    if present:
        hands.append(TrueHand(side.other, flipped, True))
    return both, tuple(hands)


def _there_and_back(ramp: int, stay: int) -> list[float]:
    """0 to 1 in `ramp` steps, `stay` steps of 1, back, and some steps of 0."""
    up = [(i + 1) / ramp for i in range(ramp)]
    return [*up, *([1.0] * stay), *reversed(up), *([0.0] * 10)]
