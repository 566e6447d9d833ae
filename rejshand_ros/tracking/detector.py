"""The trained finder of hands in whole frames, run by OpenVINO."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from rejshand_ros.errors import InputError, ModelFileError
from rejshand_ros.geometry import Array, PinholeCamera
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.inference.load import weights_file
from rejshand_ros.inference.openvino_runtime import WORKERS, compile_model
from rejshand_ros.tracking.localiser import HandBox, Localiser, overlap

_CHANNELS = 7
"""Centre logit, offset x and y (cells), log side over input width, up x and y, right logit."""


class Detector(Localiser):
    """Finds hands by the shipped detector network.

    Args:
        weights: Name or path of the detector's files.
        threads: CPU threads.
        min_score: Finds below this probability are left out.
        most: At most this many finds.
        cache: Folder of compiled models; the user's cache folder by default.

    Raises:
        ModelFileError: The files are missing, cut short or of another kind.
    """

    def __init__(
        self,
        weights: str | Path = "detector",
        *,
        threads: int = 2,
        min_score: float = 0.4,
        most: int = 4,
        cache: Path | None = None,
    ) -> None:
        path = weights_file(weights, ".xml")
        self._model = compile_model(path, threads=threads, cache=cache)
        self._request = self._model.create_infer_request()
        shape = self._model.input(0).get_partial_shape()
        answer = self._model.output(0).get_partial_shape()
        if shape.is_dynamic or answer.is_dynamic or answer[1].get_length() != _CHANNELS:
            raise ModelFileError(f"model file {path} is no hand detector: {shape} to {answer}")
        self._height, self._width = (int(shape[i].get_length()) for i in (1, 2))
        self._stride = self._width / int(answer[3].get_length())
        self._min_score, self._most = min_score, most
        self.description = _description(path.with_suffix(".json"))

    def find(
        self, image: NDArray[np.uint8], camera: PinholeCamera, exclude: Sequence[HandBox] = ()
    ) -> list[HandBox]:
        """Find hands; see `Localiser`. The camera is not needed."""
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise InputError(f"image {image.shape} {image.dtype}; (H, W, 3) uint8 needed")
        frame, scale, offset = self._letterbox(image)
        WORKERS.keep_apart()
        dense = self._request.infer([frame[None]])[self._model.output(0)]
        finds: list[HandBox] = []
        for box in self._peaks(np.asarray(dense[0], float)):
            found = HandBox(
                (box.centre - offset) / scale, box.side_px / scale, box.roll_rad, box.side,
                box.score,
            )  # fmt: skip
            if all(_apart(found, other) for other in (*exclude, *finds)):
                finds.append(found)
            if len(finds) == self._most:
                break
        return finds

    def _letterbox(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float, Array]:
        """The frame shrunk into the input; a pixel p of the frame lies at scale * p + offset."""
        height, width = image.shape[:2]
        scale = min(self._width / width, self._height / height)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = cv2.resize(
            image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        )
        frame = np.full((self._height, self._width, 3), 127, np.uint8)
        left, top = (self._width - size[0]) // 2, (self._height - size[1]) // 2
        frame[top : top + size[1], left : left + size[0]] = small
        return frame, scale, np.array([left, top]) + (scale - 1) / 2

    def _peaks(self, dense: Array) -> list[HandBox]:
        """Local maxima of the heatmap, the surest first, in input pixels."""
        heat = 1.0 / (1.0 + np.exp(-dense[0]))
        highest = cv2.dilate(heat, np.ones((3, 3)))
        rows, columns = np.nonzero((heat >= highest) & (heat >= self._min_score))
        order = np.argsort(-heat[rows, columns])[: 4 * self._most]
        boxes = []
        for row, column in zip(rows[order], columns[order], strict=True):
            values = dense[:, row, column]
            cell = np.array([column, row]) + np.clip(values[1:3], -1.5, 1.5)
            boxes.append(
                HandBox(
                    self._stride * cell + (self._stride - 1) / 2,
                    self._width * float(np.exp(np.clip(values[3], -5.0, 1.0))),
                    float(np.arctan2(values[4], -values[5])),
                    Side.RIGHT if values[6] > 0 else Side.LEFT,
                    float(heat[row, column]),
                )
            )
        return boxes


def _apart(a: HandBox, b: HandBox) -> bool:
    """Whether two boxes are two hands: neither overlapping much nor one within the other."""
    near = np.abs(a.centre - b.centre).max() < 0.3 * max(a.side_px, b.side_px)
    return overlap(a, b) < 0.4 and not near


def _description(path: Path) -> dict[str, object]:
    """What the detector's .json says of it."""
    try:
        description = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ModelFileError(f"cannot read {path}: {error}") from error
    if not isinstance(description, dict):
        raise ModelFileError(f"{path} holds no description of a detector")
    return description
