"""FreiHAND (Zimmermann et al. 2019) in its own file format.

A folder holds `{training,evaluation}_{K,xyz,verts}.json` (lists with one entry an annotation,
metres, axes of the image's camera) and `{training,evaluation}/rgb/%08d.jpg`. There are several
images of each annotation, with other backgrounds: image i has annotation i modulo their number
(32,560 in the released training set of 130,240 images). Images are read when they are drawn; each
is a crop of its own camera already, so virtual-camera crops and augmentation are those of every
other source.
"""

from __future__ import annotations

import re
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rejshand_ros.errors import CorruptImageError, ModelFileError, unknown_choice
from rejshand_ros.hand.keypoints import KEYPOINT_COUNT
from rejshand_ros.hand.template import VERTEX_COUNT
from rejshand_ros.training.crops import CropStore
from rejshand_ros.training.json_numbers import read_json_numbers

SPLITS = ("training", "evaluation")
_ROWS = {"K": (3, 3), "xyz": (KEYPOINT_COUNT, 3), "verts": (VERTEX_COUNT, 3)}
_IMAGE_NAME = re.compile(r"(\d{8})\.jpg")
_JPEG_END = b"\xff\xd9"


class JpegFolder:
    """Images `%08d.jpg` of a folder as if they were one array (n, S, S, 3) uint8 BGR.

    Args:
        folder: Holds them.
        numbers: (n,) numbers of the images, in the order of the array.
        size: Side S of each, pixels.
    """

    ndim = 4

    def __init__(self, folder: Path, numbers: NDArray[np.int64], size: int) -> None:
        self._folder, self._numbers, self._size = folder, numbers, size

    @property
    def shape(self) -> tuple[int, ...]:
        """As of an array."""
        return (len(self._numbers), self._size, self._size, 3)

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: Any) -> Any:
        """One image by its place, or some of them, unread, by a mask or by several places.

        Raises:
            CorruptImageError: It is missing, cut short, no JPEG or of another size.
        """
        numbers = self._numbers[index]
        if np.ndim(numbers):
            return JpegFolder(self._folder, numbers, self._size)
        image = read_jpeg(self._folder / f"{int(numbers):08d}.jpg")
        if image.shape != self.shape[1:]:
            raise CorruptImageError(
                self._folder / f"{int(numbers):08d}.jpg",
                f"has shape {image.shape}; {self.shape[1:]} like the first one's needed",
            )
        return image


class RepeatedRows:
    """Rows (n, ...) as if they stood there several times: row i is row i modulo n.

    Args:
        rows: The n rows.
        count: How many rows there seem to be.
    """

    def __init__(self, rows: NDArray[np.float32], count: int) -> None:
        self._rows, self._count = rows, count

    @property
    def shape(self) -> tuple[int, ...]:
        """As of an array."""
        return (self._count, *self._rows.shape[1:])

    @property
    def ndim(self) -> int:
        """As of an array."""
        return self._rows.ndim

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: Any) -> NDArray[np.float32]:
        """One row, or several by a mask or by places."""
        if np.ndim(index) and np.asarray(index).dtype == bool:
            index = np.flatnonzero(index)
        return self._rows[np.asarray(index) % len(self._rows)]


def read_jpeg(path: Path) -> NDArray[np.uint8]:
    """An image (H, W, 3) BGR.

    Raises:
        CorruptImageError: It is missing, cut short or no JPEG.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CorruptImageError(path, f"cannot be read: {error.strerror}") from error
    # The decoder fills what is missing of a cut file with grey and says nothing.
    if _JPEG_END not in data[-1024:]:
        raise CorruptImageError(path, "is cut short: a JPEG ends with the bytes ff d9")
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise CorruptImageError(path, "cannot be decoded; a JPEG is needed")
    return np.asarray(image, np.uint8)


def load_freihand(folder: Path, split: str, cache: Path) -> CropStore:
    """A split of FreiHAND, its images unread.

    Args:
        folder: Where its archive was unpacked.
        split: One of `SPLITS`.
        cache: Folder for the vertices, which take minutes to read from JSON.

    Raises:
        ModelFileError: A file is missing, cut short or does not fit the others.
    """
    if split not in SPLITS:
        raise unknown_choice("split of FreiHAND", split, SPLITS)
    if not folder.is_dir():
        raise ModelFileError(f"FreiHAND folder {folder} does not exist")
    matrix = _annotations(folder, split, "K")
    keypoints = _annotations(folder, split, "xyz")
    vertices = _annotations(folder, split, "verts", cache)
    count = len(matrix)
    for name, rows in (("xyz", keypoints), ("verts", vertices)):
        if len(rows) != count:
            raise ModelFileError(
                f"{folder / f'{split}_{name}.json'} has {len(rows)} annotations;"
                f" {count} like {split}_K.json needed"
            )
    if (keypoints[..., 2] <= 0).any():
        first = int(np.flatnonzero((keypoints[..., 2] <= 0).any(1))[0])
        raise ModelFileError(
            f"{folder / f'{split}_xyz.json'}: annotation {first} lies behind the camera;"
            " metres in the camera's axes needed"
        )
    images = _images(folder / split / "rgb", count)
    versions = len(images) // count
    pixels = np.einsum("nij,nkj->nki", matrix, keypoints)
    return CropStore(
        images,
        np.tile(matrix, (versions, 1, 1)),
        np.tile((pixels[..., :2] / pixels[..., 2:]).astype(np.float32), (versions, 1, 1)),
        np.tile(keypoints, (versions, 1, 1)),
        RepeatedRows(vertices, len(images)),
        # Left hands were mirrored when the set was made.
        np.ones(len(images), bool),
        np.ones(len(images), np.float32),
        np.full(len(images), "freihand"),
    )


def _annotations(
    folder: Path, split: str, name: str, cache: Path | None = None
) -> NDArray[np.float32]:
    """One of the annotation files, from the cache where it was read before."""
    path = folder / f"{split}_{name}.json"
    if not path.is_file():
        others = ", ".join(f"{split}_{other}.json" for other in _ROWS)
        raise ModelFileError(f"{path} is missing; FreiHAND's {split} set needs {others}")
    if cache is None:
        return read_json_numbers(path, _ROWS[name])
    facts = path.stat()
    key = zlib.crc32(f"{path.resolve()} {facts.st_size} {facts.st_mtime_ns}".encode())
    kept = cache / f"freihand-{split}-{name}-{key:08x}.npy"
    if not kept.is_file():
        rows = read_json_numbers(path, _ROWS[name])
        cache.mkdir(parents=True, exist_ok=True)
        partial = kept.with_suffix(".part")
        with partial.open("wb") as file:
            np.save(file, rows)
        partial.replace(kept)
    return np.asarray(np.load(kept, mmap_mode="r"))


def _images(folder: Path, annotations: int) -> JpegFolder:
    """All images of a split; their number must be a multiple of the annotations'."""
    if not folder.is_dir():
        raise ModelFileError(f"FreiHAND's image folder {folder} does not exist")
    found = {int(m[1]) for path in folder.iterdir() if (m := _IMAGE_NAME.fullmatch(path.name))}
    if not found:
        raise ModelFileError(f"{folder} holds no images; 00000000.jpg and on are needed")
    count = max(found) + 1
    if len(found) < count:
        missing = sorted(set(range(count)) - found)
        raise ModelFileError(
            f"{folder} lacks {len(missing)} images, the first {missing[0]:08d}.jpg;"
            f" all up to {count - 1:08d}.jpg are needed"
        )
    if count % annotations:
        raise ModelFileError(
            f"{folder} holds {count} images for {annotations} annotations; a multiple of them is"
            " needed (130240 and 32560, or 3960 and 3960, in the released set)"
        )
    first = read_jpeg(folder / "00000000.jpg")
    if first.shape[0] != first.shape[1]:
        raise ModelFileError(
            f"{folder / '00000000.jpg'} has shape {first.shape}; a square picture is needed"
        )
    return JpegFolder(folder, np.arange(count), first.shape[0])
