"""What a camera does to a picture: blur, coarse sampling, colour cast, noise, compression."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]


def camera_effects(rng: np.random.Generator, image: Image, strength: float = 1.0) -> Image:
    """A clean picture as a cheap camera may have taken it.

    Args:
        rng: Source of chance.
        image: (S, S, 3) uint8 BGR.
        strength: Scales how often and how much, 0..1.
    """
    if strength <= 0:
        return image
    if rng.random() < 0.35 * strength:
        image = _coarse(rng, image)
    if rng.random() < 0.25 * strength:
        image = _motion_blur(rng, image)
    elif rng.random() < 0.25 * strength:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.4)), np.uint8)
    image = _tone(rng, image, strength)
    if rng.random() < 0.7 * strength:
        image = _sensor_noise(rng, image, strength)
    if rng.random() < 0.5 * strength:
        image = _compress(image, int(rng.integers(25, 90)))
    return image


def _coarse(rng: np.random.Generator, image: Image) -> Image:
    """The detail of a hand that is small in the full picture."""
    size = image.shape[0]
    small = max(int(size * rng.uniform(0.25, 0.8)), 16)
    shrunk = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(shrunk, (size, size), interpolation=cv2.INTER_LINEAR), np.uint8)


def _motion_blur(rng: np.random.Generator, image: Image) -> Image:
    """Along a straight line of up to a twelfth of the picture."""
    length = rng.uniform(2.0, image.shape[0] / 12)
    angle = rng.uniform(0, np.pi)
    half = int(np.ceil(length / 2))
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    dx, dy = np.cos(angle) * length / 2, np.sin(angle) * length / 2
    fraction = 16.0  # Ends of the line in sixteenths of a pixel.
    start = (round((half - dx) * fraction), round((half - dy) * fraction))
    end = (round((half + dx) * fraction), round((half + dy) * fraction))
    cv2.line(kernel, start, end, 1.0, 1, cv2.LINE_AA, 4)
    return np.asarray(cv2.filter2D(image, -1, kernel / max(kernel.sum(), 1e-6)), np.uint8)


def _tone(rng: np.random.Generator, image: Image, strength: float) -> Image:
    """White balance, exposure, contrast and saturation."""
    ramp = np.arange(256, dtype=np.float32) / 255.0
    warm, green = rng.normal(0, 0.07 * strength), rng.normal(0, 0.03 * strength)
    gain = np.exp(rng.normal(0, 0.12 * strength))
    gamma = np.exp(rng.normal(0, 0.15 * strength))
    lift = rng.uniform(0, 0.06) * strength
    table = np.empty((1, 256, 3), np.uint8)
    for channel, cast in enumerate((1 - warm, 1 + green, 1 + warm)):
        curve = lift + (1 - lift) * np.clip(gain * cast * ramp, 0, 1) ** gamma
        table[0, :, channel] = np.rint(255 * np.clip(curve, 0, 1)).astype(np.uint8)
    toned = cv2.LUT(image, table)
    if rng.random() < 0.4 * strength:
        grey = cv2.cvtColor(cv2.cvtColor(toned, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        share = 1.0 - rng.uniform(-0.4, 1.0 if rng.random() < 0.1 else 0.6) * strength
        toned = cv2.addWeighted(toned, share, grey, 1.0 - share, 0.0)
    return np.asarray(toned, np.uint8)


@cache
def _noise_bank() -> NDArray[np.int16]:
    """Gaussian noise of deviation 64, drawn once: drawing it anew costs more than all else."""
    draw = np.random.default_rng(5).standard_normal((420, 420, 3), dtype=np.float32)
    return np.asarray(np.clip(64 * draw, -300, 300), np.int16)


def _sensor_noise(rng: np.random.Generator, image: Image, strength: float) -> Image:
    """Noise of each colour, sometimes in grains larger than a pixel."""
    bank = _noise_bank()
    size = image.shape[0]
    level = rng.uniform(1, 12) * rng.random() * strength / 64.0
    span = size if rng.random() < 0.6 else max(int(size * rng.uniform(0.4, 0.9)), 8)
    span = min(span, bank.shape[0])
    y, x = rng.integers(bank.shape[0] - span + 1), rng.integers(bank.shape[1] - span + 1)
    grains = bank[y : y + span, x : x + span]
    if rng.random() < 0.3:
        grains = np.repeat(grains[..., :1], 3, axis=2)
    if span != size:
        grains = np.asarray(cv2.resize(grains, (size, size)), np.int16)
    noisy = cv2.addWeighted(image, 1.0, grains, level, 0.0, dtype=cv2.CV_8U)
    return np.asarray(noisy, np.uint8)


def _compress(image: Image, quality: int) -> Image:
    """Through JPEG and back."""
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR) if done else image, np.uint8)
