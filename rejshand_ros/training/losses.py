"""The paper's losses (Eq. 4 to 7), masked so that partly labelled data train together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from rejshand_ros.network.rejshand import NetworkOutput

Across = Callable[[Tensor], Tensor]
"""Mean of a number over all processes that share a batch; dividing by it makes the mean of their
losses the loss of the whole batch, however its labels are spread."""


def alone(value: Tensor) -> Tensor:
    """`Across` of one process."""
    return value


@dataclass(frozen=True)
class LossConfig:
    """Weights of the parts.

    Attributes:
        keypoints_2d: k_2D of Eq. 7.
        keypoints_3d: k_3D.
        vertices: k_V.
        presence: Of the presence and of the side (not in the paper).
        in_plane: Of the 3D keypoints' agreement with 2D labels where no 3D is known: their image
            under the best scale and shift (weak perspective) against the labels (not in the paper).
        place: Of the 2D keypoints' maps where the network reads them as places: cross-entropy
            against a small bell around the label (not in the paper).
    """

    keypoints_2d: float = 1.0
    keypoints_3d: float = 10.0
    vertices: float = 10.0
    presence: float = 0.1
    in_plane: float = 0.0
    place: float = 0.0


@dataclass(frozen=True)
class Targets:
    """Labels of N crops as tensors; NaN where unknown. Fields as in `Batch`."""

    keypoints_2d: Tensor
    keypoints_3d: Tensor
    vertices: Tensor
    presence: Tensor
    right: Tensor
    weight: Tensor


def losses(
    output: NetworkOutput,
    targets: Targets,
    config: LossConfig,
    lifted: Tensor | None = None,
    across: Across = alone,
) -> dict[str, Tensor]:
    """Each part (unweighted) and their weighted sum under ``"total"``.

    Args:
        output: What the network answered.
        targets: The labels.
        config: Weights of the parts.
        lifted: (N,) whether a sample passed the 3D part; None for all.
        across: Mean over the processes that share the batch.

    Distances are L1, summed over a point's coordinates and averaged over points and over the
    samples that have that label; 2D in shares of the crop, 3D in metres.
    """
    parts = {
        "keypoints_2d": _points(output.keypoints_2d, targets.keypoints_2d, targets.weight, across),
        "keypoints_3d": _points(output.keypoints_3d, targets.keypoints_3d, targets.weight, across),
        "vertices": _points(output.vertices, targets.vertices, targets.weight, across),
        "presence": _logits(output.presence_logit, targets.presence, across),
        "right": _logits(output.right_logit, targets.right, across),
    }
    total = (
        config.keypoints_2d * parts["keypoints_2d"]
        + config.keypoints_3d * parts["keypoints_3d"]
        + config.vertices * parts["vertices"]
        + config.presence * (parts["presence"] + parts["right"])
    )
    if config.in_plane:
        # Where the side is a left one, the depth answer belongs to nothing in the picture.
        lacking = torch.isnan(targets.keypoints_3d[:, 0, 0]) & (targets.right != 0)
        if lifted is not None:
            lacking = lacking & lifted
        labels = torch.where(lacking[:, None, None], targets.keypoints_2d, torch.nan)
        parts["in_plane"] = _in_plane(output.keypoints_3d, labels, targets.weight, across)
        total = total + config.in_plane * parts["in_plane"]
    return {"total": total, **parts}


def place_loss(
    maps: Tensor, labels: Tensor, weight: Tensor, sigma: float = 0.7, across: Across = alone
) -> Tensor:
    """Cross-entropy of the keypoints' place maps, above what the bell itself leaves open.

    Args:
        maps: (N, 21, h * h) logits.
        labels: (N, 21, 2) 0..1; NaN where unknown.
        weight: (N,) trust.
        sigma: Of the bell, cells.
        across: Mean over the processes that share the batch.
    """
    side = int(maps.shape[2] ** 0.5)
    known = torch.isfinite(labels).all(dim=2)
    # A keypoint outside of the crop pulls to the edge nearest to it.
    place = (torch.where(known[..., None], labels, 0.5) * side - 0.5).clamp(0, side - 1)
    cells = torch.arange(side, device=maps.device, dtype=maps.dtype)
    bell = (-0.5 * ((place[..., None] - cells) / sigma).square()).softmax(dim=3)
    target = (bell[:, :, 1, :, None] * bell[:, :, 0, None, :]).flatten(2)
    entropy = -(target * target.clamp(min=1e-9).log()).sum(2)
    loss = -(target * maps.log_softmax(dim=2)).sum(2) - entropy
    trust = known * weight[:, None]
    return (loss * trust).sum() / across(trust.sum()).clamp(min=1e-6)


def _points(predicted: Tensor, labels: Tensor, weight: Tensor, across: Across) -> Tensor:
    """Masked L1 of points (N, P, D); zero, with a gradient of zero, where nothing is labelled."""
    known = torch.isfinite(labels).all(dim=2)
    distance = (predicted - torch.where(known[..., None], labels, 0.0)).abs().sum(dim=2)
    trust = known * weight[:, None]
    return (torch.where(known, distance, 0.0) * trust).sum() / across(trust.sum()).clamp(min=1e-6)


def _logits(logit: Tensor, labels: Tensor, across: Across) -> Tensor:
    known = torch.isfinite(labels)
    loss = torch.nn.functional.binary_cross_entropy_with_logits(
        logit, torch.where(known, labels, 0.0), reduction="none"
    )
    return torch.where(known, loss, 0.0).sum() / across(known.sum().float()).clamp(min=1e-6)


def _in_plane(keypoints_3d: Tensor, labels: Tensor, weight: Tensor, across: Across) -> Tensor:
    known = torch.isfinite(labels).all(dim=2).all(dim=1)
    labels = torch.where(known[:, None, None], labels, 0.0)
    flat = keypoints_3d[..., :2] - keypoints_3d[..., :2].mean(dim=1, keepdim=True)
    target = labels - labels.mean(dim=1, keepdim=True)
    with torch.no_grad():
        scale = (flat * target).sum((1, 2)) / flat.square().sum((1, 2)).clamp(min=1e-6)
        # A scale found from a mesh not yet in shape must not blow up or turn the hand around.
        scale = scale.clamp(1.5, 12.0)
    distance = (scale[:, None, None] * flat - target).abs().sum(2).mean(1)
    trust = known * weight
    return (distance * trust).sum() / across(trust.sum()).clamp(min=1e-6)
