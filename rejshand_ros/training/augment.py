"""What is done to a crop before the network sees it: moved, turned, flipped, recoloured, hidden."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rejshand_ros.errors import ConfigError
from rejshand_ros.geometry import Array, PinholeCamera
from rejshand_ros.hand.keypoints import MIDDLE_MCP, WRIST
from rejshand_ros.tracking.crop import CropCamera
from rejshand_ros.training.crops import CropStore

BOX_SCALE = 1.25
"""Side of the network's box over that of the keypoints' square hull."""


@dataclass(frozen=True)
class AugmentConfig:
    """How far crops are changed; zero everywhere leaves the upright, centred box.

    Attributes:
        jitter: Furthest shift of the centre, share of the box side, each way.
        scale_low: Smallest side over the box side.
        scale_high: Largest side over the box side.
        roll_deg: Spread (one sigma) of the turn about "fingers point up", degrees.
        any_roll: Share of crops turned by any angle at all instead.
        flip: Share of crops mirrored to a left hand; these teach 2D and side, not 3D.
        channel_noise: Largest relative change of each colour channel.
        brightness: Largest shift of brightness to either side of `brightness_centre`, share of
            the full range.
        brightness_centre: Middle of the shifts of brightness, share of the full range.
        grey: Share of crops without colour.
        blur: Share of crops blurred (out of focus, by motion, or by low resolution).
        noise: Largest sigma of sensor noise, share of the full range.
        cutout: Share of crops with a part hidden.
        misplaced: Share of crops cut beside the hand or out of a part of it; they teach that
            there is no hand to follow in the box, so that a tracker which slips off lets go.
        surround: Share of crops whose black surround (outside of the photograph) is filled.
    """

    jitter: float = 0.12
    scale_low: float = 0.85
    scale_high: float = 1.35
    roll_deg: float = 30.0
    any_roll: float = 0.3
    flip: float = 0.25
    channel_noise: float = 0.3
    brightness: float = 0.25
    grey: float = 0.1
    blur: float = 0.35
    noise: float = 0.06
    cutout: float = 0.3
    misplaced: float = 0.08
    surround: float = 0.7
    brightness_centre: float = 0.0

    @property
    def brightness_range(self) -> tuple[float, float]:
        """Lowest and highest shift of brightness, share of the full range."""
        return self.brightness_centre - self.brightness, self.brightness_centre + self.brightness

    def __post_init__(self) -> None:
        if self.brightness < 0 or not all(-1 <= end <= 1 for end in self.brightness_range):
            raise ConfigError(
                f"augment brightness {self.brightness} around {self.brightness_centre};"
                " valid: shifts within -1..1"
            )
        for name in ("any_roll", "flip", "grey", "blur", "cutout", "surround", "misplaced"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigError(f"augment.{name} is {getattr(self, name)}; valid: 0..1")
        if not 0.0 < self.scale_low <= self.scale_high:
            raise ConfigError(
                f"augment scales {self.scale_low}..{self.scale_high}; valid: 0 < low <= high"
            )


NO_AUGMENTATION = AugmentConfig(
    jitter=0.0, scale_low=1.0, scale_high=1.0, roll_deg=0.0, any_roll=0.0, flip=0.0,
    channel_noise=0.0, brightness=0.0, grey=0.0, blur=0.0, noise=0.0, cutout=0.0,
    surround=0.0, misplaced=0.0,
)  # fmt: skip
"""The crop that the tracker would cut if it knew where the hand is."""


@dataclass(frozen=True)
class TrainingSample:
    """What the network learns from one crop.

    Attributes:
        image: (S, S, 3) uint8 BGR.
        keypoints_2d: (21, 2) 0..1 of the crop; NaN where unknown.
        keypoints_3d: (21, 3) metres relative to keypoint 9, crop axes; NaN where unknown.
        vertices: (778, 3) likewise.
        presence: 1 with a hand, 0 without.
        right: 1 for a right hand, 0 for a left one, NaN where unknown.
        weight: Trust in the labels, 0..1.
    """

    image: NDArray[np.uint8]
    keypoints_2d: NDArray[np.float32]
    keypoints_3d: NDArray[np.float32]
    vertices: NDArray[np.float32]
    presence: float
    right: float
    weight: float


def upright_roll(keypoints_2d: Array) -> float:
    """Roll (radians, of `CropCamera`) at which the fingers of (21, 2) keypoints point up."""
    along = keypoints_2d[MIDDLE_MCP] - keypoints_2d[WRIST]
    return float(np.arctan2(along[0], -along[1]))


def draw_sample(
    store: CropStore,
    index: int,
    size: int,
    config: AugmentConfig,
    rng: np.random.Generator,
    *,
    further_roll: float = 0.0,
) -> TrainingSample:
    """Cut one training sample out of a stored crop.

    The cut is again a `CropCamera`, of the stored crop's own camera: exact in 2D and 3D.

    Args:
        store: The crops.
        index: Which of them.
        size: Side of the network's input, pixels.
        config: How far it is changed.
        rng: Where chance comes from.
        further_roll: Turns the cut by this much more, radians.
    """
    image = store.crops[index]
    wide = image.shape[0]
    matrix = store.matrix[index].astype(float)
    keypoints = store.keypoints_2d[index].astype(float)
    present = bool(np.isfinite(keypoints[0, 0]))
    if present:
        low, high = keypoints.min(0), keypoints.max(0)
        centre, box = (low + high) / 2, BOX_SCALE * float((high - low).max())
        roll = upright_roll(keypoints)
    else:
        centre, box, roll = np.full(2, (wide - 1) / 2), wide / 1.5, 0.0
    scale = float(np.exp(rng.uniform(np.log(config.scale_low), np.log(config.scale_high))))
    shift = rng.uniform(-config.jitter, config.jitter, 2)
    misplaced = present and config.misplaced > 0 and bool(rng.random() < config.misplaced)
    if misplaced:
        scale, shift = _misplaced(rng)
    centre = centre + shift * box
    if rng.random() < config.any_roll or (not present and config.roll_deg > 0):
        roll = float(rng.uniform(-np.pi, np.pi))
    else:
        roll += float(np.radians(config.roll_deg) * np.clip(rng.normal(), -2.5, 2.5))
    roll += further_roll
    flip = bool(rng.random() < config.flip)
    camera = PinholeCamera(wide, wide, matrix)
    cut = CropCamera.around(camera, centre, scale * box, roll, size, mirror=flip)
    picture = cut.warp(image)
    if rng.random() < config.surround:
        picture = _fill_surround(picture, store, rng)
    if config.scale_low < config.scale_high:
        picture = _change_picture(picture, config, rng)
    present = present and not misplaced
    uv = cut.from_image(keypoints) if present else np.full_like(keypoints, np.nan)
    # A mirrored hand is a left one: what the network says of its depth would never be used.
    known = present and not flip
    return TrainingSample(
        picture,
        uv.astype(np.float32),
        _relative(cut, store, store.keypoints_3d[index], index, known),
        _relative(cut, store, store.vertices[index], index, known),
        1.0 if present else 0.0,
        (0.0 if flip else 1.0) if present and store.side_known[index] else float("nan"),
        float(store.weight[index]),
    )


def _misplaced(rng: np.random.Generator) -> tuple[float, Array]:
    """Scale and shift, in boxes, of a cut that misses the hand."""
    if rng.random() < 0.5:
        return float(rng.uniform(0.2, 0.45)), rng.uniform(-0.4, 0.4, 2)
    angle = rng.uniform(0, 2 * np.pi)
    reach = rng.uniform(0.6, 0.9)
    return float(rng.uniform(0.6, 1.1)), reach * np.array([np.cos(angle), np.sin(angle)])


def _fill_surround(
    picture: NDArray[np.uint8], store: CropStore, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Fill what is quite black with a colour, or with another crop that shows no hand."""
    outside = (picture == 0).all(axis=2)
    if outside.mean() < 0.02:
        return picture
    picture = picture.copy()
    empty = np.flatnonzero(~store.has_hand)
    if len(empty) and rng.random() < 0.7:
        other = store.crops[int(rng.choice(empty))]
        other = cv2.resize(other, picture.shape[1::-1], interpolation=cv2.INTER_AREA)
        picture[outside] = other[outside]
    else:
        picture[outside] = rng.integers(0, 256, 3)
    return picture


def _relative(
    cut: CropCamera, store: CropStore, points: NDArray[np.float32], index: int, known: bool
) -> NDArray[np.float32]:
    if not known:
        return np.full_like(points, np.nan)
    root = store.keypoints_3d[index, MIDDLE_MCP]
    return cut.points_to_crop(points - root).astype(np.float32)


def _change_picture(
    picture: NDArray[np.uint8], config: AugmentConfig, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Hide, blur and recolour."""
    size = picture.shape[0]
    if rng.random() < config.cutout:
        picture = picture.copy()
        for _ in range(int(rng.integers(1, 3))):
            side = rng.uniform(0.1, 0.38, 2) * size
            x, y = (rng.uniform(0, 1, 2) * size - side / 2).astype(int)
            part = picture[max(y, 0) : y + int(side[1]), max(x, 0) : x + int(side[0])]
            if part.size == 0:
                continue
            if rng.random() < 0.5:
                part[:] = rng.integers(0, 256, 3)
            else:
                # Something of the picture itself, turned around: has texture and edges.
                y2, x2 = (int(rng.integers(0, size - part.shape[i] + 1)) for i in (0, 1))
                other = picture[y2 : y2 + part.shape[0], x2 : x2 + part.shape[1]]
                part[:] = other[::-1, ::-1].copy()
    if rng.random() < config.blur:
        picture = _blurred(picture, rng)
    values = picture.astype(np.float32)
    if rng.random() < config.grey:
        values[:] = values.mean(axis=2, keepdims=True)
    gain = 1.0 + rng.uniform(-config.channel_noise, config.channel_noise, 3).astype(np.float32)
    contrast = np.float32(rng.uniform(0.75, 1.25))
    mean = np.float32(values.mean())
    values = (values - mean) * contrast + mean * np.float32(1.0)
    values = values * gain + np.float32(255 * rng.uniform(*config.brightness_range))
    sigma = 255 * config.noise * rng.random() ** 2
    if sigma > 1.0:
        # Coarse noise from a small field is as good and far cheaper than one draw a value.
        noise = np.empty(values.shape, np.float32)
        cv2.setRNGSeed(int(rng.integers(1 << 31)))
        cv2.randn(noise, np.zeros(3), np.full(3, sigma))
        values += noise
    return np.clip(values, 0, 255).astype(np.uint8)


def _blurred(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Out of focus, moving, or of low resolution."""
    size = picture.shape[0]
    kind = int(rng.integers(3))
    if kind == 0:
        sigma = float(rng.uniform(0.4, 1.6)) * size / 128
        return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.uint8)
    if kind == 1:
        length = int(rng.integers(3, 10)) * size // 128
        angle = rng.uniform(0, np.pi)
        kernel = np.zeros((2 * length + 1, 2 * length + 1), np.float32)
        reach = np.array([np.cos(angle), np.sin(angle)]) * length / 2
        start, end = (tuple(int(v) for v in np.rint(length + s * reach)) for s in (-1, 1))
        cv2.line(kernel, start, end, 1.0)
        return np.asarray(cv2.filter2D(picture, -1, kernel / kernel.sum()), np.uint8)
    small = max(int(size / rng.uniform(1.3, 3.5)), 8)
    shrunk = cv2.resize(picture, (small, small), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(shrunk, (size, size), interpolation=cv2.INTER_LINEAR), np.uint8)
