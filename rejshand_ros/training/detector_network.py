"""The detector: where in a whole frame hands are, how large, how turned, and of which side.

Objects as points (Zhou et al. 2019): a heatmap of centres and, read off at its peaks, the rest.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from rejshand_ros.network.backbone import make_body

INPUT_HEIGHT, INPUT_WIDTH = 160, 224
"""Pixels of the letterboxed frame; multiples of 32."""
STRIDE = 8
"""Input pixels a heatmap cell."""
_LEVELS = (2, 3, 4)
"""The backbone's levels of stride 8, 16 and 32."""
CHANNELS = 7
"""Centre logit, offset x and y (cells), log of side over input width, up x and y, right logit."""


class DetectorNetwork(nn.Module):
    """A small backbone, one top-down pyramid to stride 8, one dense head.

    Args:
        backbone: Its name in timm.
        pretrained_file: Start the backbone from this local file; empty for random weights.
        width: Channels of the pyramid.
    """

    def __init__(
        self, backbone: str = "tf_efficientnet_lite0", pretrained_file: str = "", width: int = 64
    ) -> None:
        super().__init__()
        self.backbone = make_body(backbone, pretrained_file=pretrained_file)
        channels = [self.backbone.feature_info[i]["num_chs"] for i in _LEVELS]
        self.lateral = nn.ModuleList(nn.Conv2d(c, width, 1) for c in channels)
        self.blend = nn.ModuleList(_separable(width) for _ in channels[1:])
        self.head = nn.Sequential(
            _separable(width), _separable(width), nn.Conv2d(width, CHANNELS, 1)
        )
        last = self.head[-1]
        assert isinstance(last, nn.Conv2d) and last.bias is not None
        # Rare positives: start from a low probability, or the first steps only unlearn a half.
        nn.init.constant_(last.bias, 0.0)
        with torch.no_grad():
            last.bias[0] = -4.0
            last.bias[3] = -1.5

    def forward(self, images: Tensor) -> Tensor:
        """Dense answer (N, 7, H/8, W/8) of RGB/255 - 0.5 images (N, 3, H, W)."""
        levels = self.backbone.forward_intermediates(
            images, indices=list(_LEVELS), intermediates_only=True
        )
        fine, middle, coarse = (lateral(f) for lateral, f in zip(self.lateral, levels, strict=True))
        middle = self.blend[0](middle + functional.interpolate(coarse, scale_factor=2.0))
        fine = self.blend[1](fine + functional.interpolate(middle, scale_factor=2.0))
        answer: Tensor = self.head(fine)
        return answer


def _separable(width: int) -> nn.Sequential:
    """A 5x5 depthwise and a 1x1 convolution with normalisation."""
    return nn.Sequential(
        nn.Conv2d(width, width, 5, padding=2, groups=width, bias=False),
        nn.BatchNorm2d(width),
        nn.Conv2d(width, width, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
    )


def detector_loss(answer: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Losses of a dense answer.

    Args:
        answer: (N, 7, h, w) from `DetectorNetwork`.
        target: (N, 9, h, w): heat 0..1, offset x and y, log side, up x and y, right 0/1, weight of
            the geometry at this cell, weight of the heat at this cell.
    """
    logit, heat = answer[:, 0], target[:, 0]
    geometry, care = target[:, 7], target[:, 8]
    probability = torch.sigmoid(logit).clamp(1e-4, 1 - 1e-4)
    peak = (heat > 0.999).float()
    # Penalty-reduced focal loss of the point detectors: the nearer to a centre, the less a false
    # alarm costs.
    hit = peak * (1 - probability) ** 2 * torch.log(probability)
    miss = (1 - peak) * (1 - heat) ** 4 * probability**2 * torch.log(1 - probability)
    count = peak.sum().clamp(min=1.0)
    total = geometry.sum().clamp(min=1.0)

    def mean(value: Tensor) -> Tensor:
        return (value * geometry).sum() / total

    side = functional.binary_cross_entropy_with_logits(answer[:, 6], target[:, 6], reduction="none")
    return {
        "heat": -((hit + miss) * care).sum() / count,
        "offset": mean((answer[:, 1:3] - target[:, 1:3]).abs().sum(1)),
        "size": 3.0 * mean((answer[:, 3] - target[:, 3]).abs()),
        "up": mean((answer[:, 4:6] - target[:, 4:6]).abs().sum(1)),
        "side": mean(side),
    }
