"""What lies behind the hand: procedural clutter, and cut-outs of photographs where given."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from rejshand_ros.errors import ModelFileError
from rejshand_ros.synthetic.noise import noise_image

Image = NDArray[np.uint8]

CANVAS_PX = 320
"""Side of the square pictures that crops are cut from."""


@lru_cache(maxsize=512)
def procedural_background(seed: int, number: int) -> Image:
    """One of endlessly many cluttered pictures (320, 320, 3) BGR; the same for the same numbers."""
    rng = np.random.default_rng((seed, 77, number))
    image = _base(rng)
    for _ in range(rng.integers(0, 9)):
        _LAYERS[rng.integers(len(_LAYERS))](rng, image)
    if rng.random() < 0.6:
        grain = noise_image(rng, CANVAS_PX, CANVAS_PX, 6)[..., None]
        image *= 1 + rng.uniform(0.05, 0.5) * (grain - 0.5)
    if rng.random() < 0.5:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.6, 4.0)), np.float32)
    result = np.clip(image, 0, 255).astype(np.uint8)
    result.flags.writeable = False
    return result


def cut_background(rng: np.random.Generator, canvas: Image, size: int) -> Image:
    """A random view (size, size, 3) of a canvas: part, turned, mirrored, lighter or darker."""
    height, width = canvas.shape[:2]
    side = rng.uniform(0.35, 1.0) * min(height, width)
    angle = rng.uniform(-0.5, 0.5) if rng.random() < 0.7 else rng.uniform(0, 2 * np.pi)
    scale = side / size * (1 if rng.random() < 0.5 else -1)
    c, s = np.cos(angle) * abs(scale), np.sin(angle) * abs(scale)
    linear = np.array([[c * np.sign(scale), -s], [s * np.sign(scale), c]])
    margin = side / 2
    middle = np.array(
        [rng.uniform(margin, width - margin + 1e-6), rng.uniform(margin, height - margin + 1e-6)]
    )
    shift = middle - linear @ np.full(2, (size - 1) / 2)
    transform = np.append(linear, shift[:, None], axis=1)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    cut = cv2.warpAffine(canvas, transform, (size, size), None, flags, cv2.BORDER_REFLECT_101)
    gain, offset = np.exp(rng.normal(0, 0.2)), rng.normal(0, 10)
    return np.asarray(cv2.convertScaleAbs(cut, alpha=gain, beta=max(offset, 0.0)), np.uint8)


def load_background_folder(folder: Path) -> list[Image]:
    """All .jpg and .png pictures of a folder, BGR, in the order of their names.

    Raises:
        ModelFileError: The folder is missing or empty, or a picture is unreadable.
    """
    paths = sorted(p for p in folder.glob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if not paths:
        raise ModelFileError(f"background folder {folder} holds no .jpg or .png")
    images = []
    for path in paths:
        image = cv2.imread(str(path))
        if image is None:
            raise ModelFileError(f"cannot read background {path}")
        images.append(np.asarray(image, np.uint8))
    return images


def _colour(rng: np.random.Generator) -> tuple[float, float, float]:
    """BGR 0..255: often grey or brown, sometimes like skin, sometimes bright."""
    kind = rng.random()
    value = rng.uniform(15, 245)
    if kind < 0.35:
        b, g, r = value * (1 + rng.normal(0, 0.05, 3))
    elif kind < 0.65:
        b, g, r = value * np.array([rng.uniform(0.4, 0.8), rng.uniform(0.6, 0.9), 1.0])
    else:
        b, g, r = rng.uniform(0, 255, 3)
    return float(b), float(g), float(r)


def _base(rng: np.random.Generator) -> NDArray[np.float32]:
    """A wall, a gradient, or clouds between two or three colours."""
    n = CANVAS_PX
    one, two = np.array(_colour(rng)), np.array(_colour(rng))
    kind = rng.random()
    if kind < 0.3:
        two = one * rng.uniform(0.7, 1.3)
    if kind < 0.6:
        ramp = np.linspace(0, 1, n)
        angle = rng.uniform(0, 2 * np.pi)
        mix = np.cos(angle) * ramp[None] + np.sin(angle) * ramp[:, None]
        mix = (mix - mix.min()) / np.ptp(mix)
    else:
        mix = noise_image(rng, n, n, int(rng.integers(1, 6)))
        if rng.random() < 0.3:
            mix = (mix > rng.uniform(0.35, 0.65)).astype(np.float32)
        elif rng.random() < 0.3:
            mix = 0.5 + 0.5 * np.sin(rng.uniform(8, 60) * mix)
    return np.asarray(one + mix[..., None] * (two - one), np.float32)


def _point(rng: np.random.Generator) -> tuple[int, int]:
    x, y = rng.integers(-40, CANVAS_PX + 40, 2)
    return int(x), int(y)


def _stripes(rng: np.random.Generator, image: NDArray[np.float32]) -> None:
    y, x = np.mgrid[:CANVAS_PX, :CANVAS_PX].astype(np.float32)
    angle, period = rng.uniform(0, np.pi), rng.uniform(4, 60)
    wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) * (2 * np.pi / period))
    if rng.random() < 0.4:
        wave = wave * np.sin((y * np.cos(angle) - x * np.sin(angle)) * (2 * np.pi / period))
    mask = (wave > rng.uniform(-0.5, 0.7)).astype(np.float32)[..., None]
    image += rng.uniform(0.1, 0.9) * mask * (np.array(_colour(rng), np.float32) - image)


def _boxes(rng: np.random.Generator, image: NDArray[np.float32]) -> None:
    for _ in range(rng.integers(1, 7)):
        size = rng.uniform(8, 140, 2)
        corners = cv2.boxPoints((_point(rng), (size[0], size[1]), rng.uniform(0, 90)))
        if rng.random() < 0.5:
            x, y = _point(rng)
            corners = np.array(
                [[x, y], [x + size[0], y], [x + size[0], y + size[1]], [x, y + size[1]]]
            )
        thickness = -1 if rng.random() < 0.75 else int(rng.integers(1, 6))
        outline = [np.rint(corners).astype(np.int32)]
        if thickness < 0:
            cv2.fillPoly(image, outline, _colour(rng), cv2.LINE_AA)
        else:
            cv2.polylines(image, outline, True, _colour(rng), thickness, cv2.LINE_AA)


def _blobs(rng: np.random.Generator, image: NDArray[np.float32]) -> None:
    for _ in range(rng.integers(1, 6)):
        axes = (int(rng.integers(5, 90)), int(rng.integers(5, 90)))
        angle = float(rng.uniform(0, 180))
        layer = image.copy()
        cv2.ellipse(layer, _point(rng), axes, angle, 0, 360, _colour(rng), -1, cv2.LINE_AA)
        share = rng.uniform(0.4, 1.0)
        image += share * (layer - image)


def _limbs(rng: np.random.Generator, image: NDArray[np.float32]) -> None:
    """Thick bent lines in one colour: arms, cables, branches, and what else is not a finger."""
    shade = _colour(rng)
    for _ in range(rng.integers(1, 7)):
        points = np.cumsum(np.vstack([_point(rng), rng.normal(0, 45, (4, 2))]), axis=0)
        thickness = int(rng.integers(2, 28))
        corners = [np.rint(points).astype(np.int32)]
        cv2.polylines(image, corners, False, shade, thickness, cv2.LINE_AA)


def _text(rng: np.random.Generator, image: NDArray[np.float32]) -> None:
    shade = _colour(rng)
    x, y = _point(rng)
    size = rng.uniform(0.3, 1.6)
    mask = np.zeros((CANVAS_PX, CANVAS_PX), np.uint8)  # Letters are drawn on bytes only.
    for line in range(rng.integers(1, 8)):
        letters = "".join(chr(c) for c in rng.integers(48, 123, rng.integers(3, 18)))
        origin = (x, y + int(34 * size * line))
        cv2.putText(mask, letters, origin, int(rng.integers(0, 8)), size, 255, 1, cv2.LINE_AA)
    image += (mask.astype(np.float32) / 255)[..., None] * (np.array(shade, np.float32) - image)


def _shelf(rng: np.random.Generator, image: NDArray[np.float32]) -> None:
    """A row of upright boxes of many colours, as books or bottles stand."""
    x, bottom = int(rng.integers(-20, 60)), int(rng.integers(80, CANVAS_PX))
    while x < CANVAS_PX and rng.random() < 0.97:
        width, height = int(rng.integers(6, 36)), int(rng.integers(30, 110))
        low = (x, bottom - height)
        cv2.rectangle(image, low, (x + width, bottom), _colour(rng), -1)
        x += width + int(rng.integers(1, 5))


def _edge(rng: np.random.Generator, image: NDArray[np.float32]) -> None:
    """A table's edge or a wall's corner: half of the picture in another colour."""
    y, x = np.mgrid[:CANVAS_PX, :CANVAS_PX].astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    place = (x - rng.uniform(0, CANVAS_PX)) * np.cos(angle)
    place = place + (y - rng.uniform(0, CANVAS_PX)) * np.sin(angle)
    mask = np.clip(place / rng.uniform(0.5, 20), 0, 1)[..., None]
    image += mask * (np.array(_colour(rng), np.float32) * rng.uniform(0.6, 1.2) - image)


_LAYERS: tuple[Callable[[np.random.Generator, NDArray[np.float32]], None], ...] = (
    _stripes, _boxes, _blobs, _limbs, _text, _shelf, _edge, _boxes, _limbs,
)  # fmt: skip
