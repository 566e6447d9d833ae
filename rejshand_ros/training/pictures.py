"""Pictures of what a network answers while it is being trained."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from rejshand_ros.hand.keypoints import BONES
from rejshand_ros.network.rejshand import ReJSHand
from rejshand_ros.training.batches import Batch
from rejshand_ros.viewing.overlay import draw_label, draw_skeleton

_TILE = 224
_LABEL_BGR = (245, 245, 245)


def answer_sheet(
    network: ReJSHand, batch: Batch, *, most: int = 16, columns: int = 4
) -> NDArray[np.uint8]:
    """Crops with the network's keypoints in colour over the labels' in white.

    Args:
        network: What answers.
        batch: The crops and their labels.
        most: Draw no more than this many.
        columns: Crops beside each other.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    device = next(network.parameters()).device
    network.eval()
    with torch.inference_mode():
        answer = network(torch.from_numpy(batch.images[:most]).to(device))
    keypoints = answer.keypoints_2d.float().cpu().numpy()
    presence = answer.presence_logit.float().sigmoid().cpu().numpy()
    right = answer.right_logit.float().sigmoid().cpu().numpy()
    tiles = []
    for i, values in enumerate(batch.images[:most]):
        picture = (255.0 * (values.transpose(1, 2, 0)[..., ::-1] + 0.5)).clip(0, 255)
        tile = np.asarray(cv2.resize(picture.astype(np.uint8), (_TILE, _TILE)), np.uint8)
        _draw_labels(tile, batch.keypoints_2d[i])
        draw_skeleton(tile, _TILE * keypoints[i].astype(float) - 0.5)
        tiles.append(draw_label(tile, [f"hand {presence[i]:.2f} right {right[i]:.2f}"], (2, 2)))
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)]
    return np.ascontiguousarray(np.vstack(rows)[..., ::-1])


def _draw_labels(tile: NDArray[np.uint8], keypoints: NDArray[np.float32]) -> None:
    """Thin white bones, in place; nothing where there are no labels."""
    if not np.isfinite(keypoints).all():
        return
    pixels = np.rint(_TILE * keypoints - 0.5).astype(int).clip(-4 * _TILE, 4 * _TILE)
    for parent, child in BONES:
        cv2.line(tile, pixels[parent].tolist(), pixels[child].tolist(), _LABEL_BGR, 1, cv2.LINE_AA)
