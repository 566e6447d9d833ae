"""Photographs with a teacher's labels, cut to crops once and kept in a cache."""

from __future__ import annotations

import json
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rejshand_ros.errors import CorruptImageError, ModelFileError
from rejshand_ros.geometry import Array, PinholeCamera
from rejshand_ros.hand.fit import fit_hands
from rejshand_ros.hand.keypoints import KEYPOINT_COUNT
from rejshand_ros.hand.template import VERTEX_COUNT, load_template
from rejshand_ros.tracking.crop import CropCamera
from rejshand_ros.training.corrupt import CorruptImages
from rejshand_ros.training.crops import CropStore
from rejshand_ros.training.split import is_held_out

CROP_SIZE = 256
"""Side of a cached crop, pixels."""
CROP_SCALE = 1.9
"""Side of a cached crop over that of the keypoints' square hull: 1.5 of the network's boxes."""
_VERSION = 2
# Nearer than this (in hull sides) hardly anyone holds a hand to a camera; close-up pictures are
# cut from wider ones, so their own width says nothing of the angle that they span.
_NEAREST_FOCAL = 2.5


@dataclass(frozen=True)
class PhotographConfig:
    """Which photographs and labels are used.

    Attributes:
        agreement: Hands whose teacher disagrees with itself by more than this are left out.
        fit_error: Fits farther off the teacher's 2D than this share of the hull give no 3D.
        negatives: Crops without a hand for each photograph with drawn or labelled boxes.
    """

    agreement: float = 0.08
    fit_error: float = 0.05
    negatives: int = 1


def load_photographs(
    folder: Path, cache: Path, config: PhotographConfig | None = None
) -> tuple[CropStore, CropStore]:
    """Crops of a folder of photographs for training and for validation, split by group.

    Args:
        folder: Holds labels.jsonl and the images that it names.
        cache: Folder for the prepared crops, made on the first call.
        config: Which of them to use.

    Raises:
        ModelFileError: Labels or images are missing or unreadable.
    """
    config = config or PhotographConfig()
    labels = folder / "labels.jsonl"
    if not labels.is_file():
        raise ModelFileError(f"photographs {folder} hold no labels.jsonl")
    template = load_template()
    key = zlib.crc32(labels.read_bytes() + repr((_VERSION, config)).encode())
    # The fits are only as good as the template that they were made with.
    key = zlib.crc32(template.vertices.tobytes(), key)
    path = cache / f"photographs-{key:08x}.npz"
    if not path.is_file():
        prepare_photographs(folder, config).save(path)
    store = CropStore.load(path)
    held_out = np.array([is_held_out(str(group)) for group in store.group])
    return store.take(~held_out), store.take(held_out)


def prepare_photographs(folder: Path, config: PhotographConfig) -> CropStore:
    """Cut all hands (and some places without one) out of a folder of photographs.

    Depth and vertices come from fitting the hand template to the teacher's 2D, with the
    teacher's 3D as a hint.
    """
    hands: list[_Cut] = []
    empty: list[_Cut] = []
    rng = np.random.default_rng(0)
    entries = list(_entries(folder / "labels.jsonl"))
    corrupt = CorruptImages(len(entries))
    for entry in entries:
        read = cv2.imread(str(folder / entry["image"]))
        if read is None:
            corrupt.add(CorruptImageError(f"photograph {folder / entry['image']}", "is no picture"))
            continue
        image = np.asarray(read, np.uint8)
        for hand in entry["hands"]:
            agreement = hand.get("agreement")
            if agreement is not None and agreement < config.agreement:
                hands.append(_cut_hand(image, hand, entry["group"]))
        empty += _cut_empty(image, entry, rng, config.negatives)
    if corrupt.count:
        warnings.warn(f"left out: {corrupt}", stacklevel=2)
    if not hands:
        raise ModelFileError(f"photographs {folder} hold no hand with usable labels")
    return CropStore.join([_fitted(hands, config.fit_error), _without_hands(empty)])


@dataclass(frozen=True)
class _Cut:
    crop: NDArray[np.uint8]
    matrix: Array
    group: str
    keypoints: Array | None = None
    hint: Array | None = None
    side_known: bool = False
    agreement: float = 0.0


def _entries(path: Path) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(path.read_text().splitlines(), 1):
        try:
            entry = json.loads(line)
            missing = {"image", "hands", "boxes", "group"} - set(entry)
        except (ValueError, TypeError) as error:
            raise ModelFileError(f"{path} line {number} is no JSON object: {error}") from error
        if missing:
            raise ModelFileError(f"{path} line {number} lacks {', '.join(sorted(missing))}")
        yield entry


def _camera(image: NDArray[np.uint8], hull: float) -> PinholeCamera:
    """The camera that a photograph is taken to come from; none is given with it."""
    height, width = image.shape[:2]
    camera = PinholeCamera.from_field_of_view(width, height)
    if camera.matrix[0, 0] >= _NEAREST_FOCAL * hull:
        return camera
    matrix = camera.matrix.copy()
    matrix[0, 0] = matrix[1, 1] = _NEAREST_FOCAL * hull
    return PinholeCamera(width, height, matrix, assumed=True)


def _cut_hand(image: NDArray[np.uint8], hand: dict[str, Any], group: str) -> _Cut:
    uv = np.asarray(hand["uv"], float)
    low, high = uv.min(0), uv.max(0)
    hull = float((high - low).max())
    mirror = hand["side"] == "left"
    camera = _camera(image, hull)
    crop = CropCamera.around(
        camera, (low + high) / 2, CROP_SCALE * hull, size=CROP_SIZE, mirror=mirror
    )
    # The teacher's 3D belongs to a close-up of the hand: axes of the crop, except for the mirror.
    hint = np.asarray(hand["xyz"], float) * [-1.0 if mirror else 1.0, 1.0, 1.0]
    return _Cut(
        crop.warp(image),
        crop.matrix,
        group,
        crop.from_image(uv) * CROP_SIZE - 0.5,
        hint,
        bool(hand.get("side_agrees")),
        float(hand["agreement"]),
    )


def _cut_empty(
    image: NDArray[np.uint8], entry: dict[str, Any], rng: np.random.Generator, count: int
) -> list[_Cut]:
    """Squares outside of every box and every labelled hand; none where nothing is labelled."""
    boxes = [np.asarray(box, float) for box in entry["boxes"]]
    for hand in entry["hands"]:
        uv = np.asarray(hand["uv"], float)
        boxes.append(np.concatenate([uv.min(0) - 8, uv.max(0) + 8]))
    height, width = image.shape[:2]
    cuts: list[_Cut] = []
    if not boxes or min(height, width) < 200:
        return cuts
    for _ in range(12 * count):
        side = float(np.exp(rng.uniform(np.log(70), np.log(0.8 * height))))
        centre = rng.uniform((0, 0), (width, height))
        low, high = centre - 0.5 * side, centre + 0.5 * side
        if any((low < box[2:]).all() and (high > box[:2]).all() for box in boxes):
            continue
        camera = PinholeCamera.from_field_of_view(width, height)
        # Only the square itself is known to be empty, so the crop holds no more than that.
        crop = CropCamera.around(camera, centre, side, size=CROP_SIZE)
        cuts.append(_Cut(crop.warp(image), crop.matrix, entry["group"]))
        if len(cuts) == count:
            break
    return cuts


def _fitted(cuts: list[_Cut], largest_error: float) -> CropStore:
    uv = np.stack([cut.keypoints for cut in cuts if cut.keypoints is not None])
    hint = np.stack([cut.hint for cut in cuts if cut.hint is not None])
    matrix = np.stack([cut.matrix for cut in cuts])
    fit = fit_hands(uv, matrix, hint=hint)
    keypoints, vertices = fit.keypoints.copy(), fit.vertices()
    hull = np.ptp(uv, axis=1).max(axis=1)
    bad = ~(fit.reprojection_error < largest_error * hull)
    keypoints[bad], vertices[bad] = np.nan, np.nan
    agreement = np.array([cut.agreement for cut in cuts])
    return CropStore(
        np.stack([cut.crop for cut in cuts]),
        matrix.astype(np.float32),
        uv.astype(np.float32),
        keypoints.astype(np.float32),
        vertices.astype(np.float32),
        np.array([cut.side_known for cut in cuts]),
        np.where(agreement < 0.05, 1.0, 0.5).astype(np.float32),
        np.array([cut.group for cut in cuts]),
    )


def _without_hands(cuts: list[_Cut]) -> CropStore:
    n = len(cuts)
    crops = [cut.crop for cut in cuts]
    return CropStore(
        np.stack(crops) if n else np.zeros((0, CROP_SIZE, CROP_SIZE, 3), np.uint8),
        np.array([cut.matrix for cut in cuts], np.float32).reshape(n, 3, 3),
        np.full((n, KEYPOINT_COUNT, 2), np.nan, np.float32),
        np.full((n, KEYPOINT_COUNT, 3), np.nan, np.float32),
        np.full((n, VERTEX_COUNT, 3), np.nan, np.float32),
        np.zeros(n, bool),
        np.ones(n, np.float32),
        np.array([cut.group for cut in cuts], dtype=str),
    )
