"""A network on FreiHAND: its metrics, and the pred.json of its leaderboard."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rejshand_ros.errors import InputError
from rejshand_ros.geometry import Array, PinholeCamera
from rejshand_ros.hand.keypoints import MIDDLE_MCP
from rejshand_ros.inference.predictor import Predictor
from rejshand_ros.tracking.crop import CropCamera
from rejshand_ros.tracking.wrist import wrist_position
from rejshand_ros.training.augment import BOX_SCALE
from rejshand_ros.training.crops import CropStore
from rejshand_ros.training.metrics import HandMetrics, hand_metrics, relative_error_2d

_BATCH = 16
_DIGITS = 6
"""Of a metre, in pred.json."""


@dataclass(frozen=True)
class FreihandAnswers:
    """What a network said of every image, in the axes of the image's camera.

    Attributes:
        keypoints_3d: (n, 21, 3) metres from the camera.
        vertices: (n, 778, 3) metres from the camera.
        error_2d: (n, 21) of the 2D keypoints, share of the box's side.
        presence: (n,) probability.
        right: (n,) probability.
    """

    keypoints_3d: Array
    vertices: Array
    error_2d: NDArray[np.float64]
    presence: Array
    right: Array


def answer_freihand(predictor: Predictor, store: CropStore) -> FreihandAnswers:
    """Run a network on every image, boxed by the true keypoints as is usual on FreiHAND.

    Crops are not turned: that would tell the network which way the fingers point. Predictions
    turn back from the virtual camera's axes to the image's. The hand is then placed where its 3D
    keypoints project onto its 2D ones, so depth is as good as the network's idea of its size.

    Raises:
        CorruptImageError: An image cannot be read; none may be left out here.
    """
    answers: list[tuple[Array, ...]] = []
    for start in range(0, len(store), _BATCH):
        cuts = [_cut(store, i) for i in range(start, min(start + _BATCH, len(store)))]
        crops = [
            CropCamera.around(camera, centre, side, size=predictor.input_size)
            for camera, centre, side in cuts
        ]
        images = np.stack([cut.warp(store.crops[start + i]) for i, cut in enumerate(crops)])
        for i, estimate in enumerate(predictor.predict(images)):
            cut = crops[i]
            keypoints = cut.points_to_camera(estimate.keypoints_3d)
            pixels = cut.to_image(estimate.keypoints_2d)
            place = _place(pixels, keypoints, cuts[i][0])
            truth = store.keypoints_2d[start + i].astype(float)
            error = relative_error_2d(pixels[None], truth[None], [cut.side_px])[0]
            answers.append(
                (
                    keypoints + place,
                    cut.points_to_camera(estimate.vertices) + place,
                    error,
                    np.array(estimate.presence),
                    np.array(estimate.right_probability),
                )
            )
    return FreihandAnswers(*(np.stack(column) for column in zip(*answers, strict=True)))


def freihand_metrics(answers: FreihandAnswers, store: CropStore) -> HandMetrics:
    """FreiHAND's metrics; the unaligned ones with the roots (keypoint 9) laid on each other."""
    truth = store.keypoints_3d.astype(float)
    mesh = np.stack([store.vertices[i] for i in range(len(store))]).astype(float)
    root = answers.keypoints_3d[:, MIDDLE_MCP : MIDDLE_MCP + 1]
    true_root = truth[:, MIDDLE_MCP : MIDDLE_MCP + 1]
    return hand_metrics(
        answers.keypoints_3d - root, answers.vertices - root, truth - true_root, mesh - true_root
    )


def write_pred(answers: FreihandAnswers, path: Path) -> None:
    """Write FreiHAND's pred.json: [keypoints (n x 21 x 3), vertices (n x 778 x 3)], metres."""
    content = [
        np.round(values, _DIGITS).tolist() for values in (answers.keypoints_3d, answers.vertices)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def _place(pixels: Array, keypoints: Array, camera: PinholeCamera) -> Array:
    """(3,) metres, where the wrist is; every image needs an answer, however bad the hand."""
    try:
        return wrist_position(pixels, keypoints, camera)
    except InputError:
        # 2D and 3D have nothing to do with each other: the distance at which their extents agree.
        rays = camera.rays(pixels)
        depth = np.ptp(keypoints[:, :2], axis=0).max() / np.ptp(rays[:, :2], axis=0).max()
        depth = float(np.clip(depth, 0.1, 5.0)) - min(0.0, float(keypoints[:, 2].min()))
        return np.asarray(depth * rays.mean(0))


def _cut(store: CropStore, index: int) -> tuple[PinholeCamera, Array, float]:
    """The image's camera, and centre and side of the box around its true keypoints, pixels."""
    size = store.crops.shape[1]
    keypoints = store.keypoints_2d[index].astype(float)
    low, high = keypoints.min(0), keypoints.max(0)
    camera = PinholeCamera(size, size, store.matrix[index].astype(float))
    return camera, (low + high) / 2, BOX_SCALE * float((high - low).max())
