"""Ways to make a crop harder, each by a known amount."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rejshand_ros.training.augment import BOX_SCALE

Image = NDArray[np.uint8]
Change = Callable[[Image, float, np.random.Generator], Image]


def _unchanged(image: Image, level: float, rng: np.random.Generator) -> Image:
    return image


@dataclass(frozen=True)
class Factor:
    """One way to make a hand harder to read.

    Attributes:
        name: With the unit of its levels, for tables.
        levels: By how much; the easiest first or in the middle.
        change: Changes the crop's picture (S, S, 3) BGR by a level.
        turns: Whether the level turns the crop, degrees.
        scales: Whether the level is the side of the crop over that of the right box.
    """

    name: str
    levels: tuple[float, ...]
    change: Change = _unchanged
    turns: bool = False
    scales: bool = False

    def label(self, level: float) -> str:
        """A level as a table shows it."""
        return f"{level:g}"

    def turn_rad(self, level: float) -> float:
        """How far the crop is turned off "fingers up", radians."""
        return float(np.radians(level)) if self.turns else 0.0

    def box_scale(self, level: float) -> float:
        """Side of the crop over that of the right box."""
        return level if self.scales else 1.0


def hidden(image: Image, level: float, rng: np.random.Generator) -> Image:
    """A patch with texture of the picture's own hides a share of the keypoints' hull."""
    if level <= 0:
        return image
    size = image.shape[0]
    # The hull fills the middle 1 / BOX_SCALE of the crop; the patch lies wholly within it.
    hull = size / BOX_SCALE
    side = max(1, round(hull * np.sqrt(level)))
    low = (size - hull) / 2
    x, y = (int(v) for v in rng.uniform(low, low + hull - side + 1, 2))
    patch = np.rot90(cv2.resize(image[:: size // 8, :: size // 8], (side, side)), 2)
    covered = image.copy()
    part = covered[y : y + side, x : x + side]
    part[:] = patch[: part.shape[0], : part.shape[1]]
    return covered


def moving(image: Image, level: float, rng: np.random.Generator) -> Image:
    """Blurred along a straight line whose length is a share of the crop."""
    length = level * image.shape[0]
    if length < 1:
        return image
    half = int(np.ceil(length / 2))
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    angle = rng.uniform(0, np.pi)
    reach = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    ends = [tuple(round(16 * (half + s * v)) for v in reach) for s in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0, 1, cv2.LINE_AA, 4)
    blurred = cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blurred, np.uint8)


def lit(image: Image, level: float, rng: np.random.Generator) -> Image:
    """Darker or brighter by a factor, with the sensor noise of a dark picture."""
    values = image.astype(np.float32) * np.float32(level)
    if level < 1:
        values += rng.normal(0, 3.0, image.shape).astype(np.float32)
    return np.asarray(np.clip(values, 0, 255), np.uint8)


def small(image: Image, level: float, rng: np.random.Generator) -> Image:
    """As a camera shows a hand whose box is so many pixels wide."""
    side = round(level)
    if side >= image.shape[0]:
        return image
    shrunk = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    grown = cv2.resize(shrunk, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(grown, np.uint8)


FACTORS = (
    Factor("turn in the image, degrees", (0, 15, 30, 45, 60, 90, 135, 180), turns=True),
    Factor("box over the right one", (0.7, 0.85, 1.0, 1.2, 1.4, 1.6), scales=True),
    Factor("hidden share of the hand's square", (0, 0.05, 0.1, 0.2, 0.3, 0.45), hidden),
    Factor("motion blur, share of the box", (0, 0.03, 0.06, 0.1, 0.15, 0.2), moving),
    Factor("brightness, factor", (0.1, 0.2, 0.4, 0.7, 1, 1.5, 2.2), lit),
    Factor("width of the hand's box, pixels", (128, 96, 64, 48, 32, 24, 16), small),
)
