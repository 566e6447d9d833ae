"""Expansion block (III-B): features at the 2D keypoints, for joints and skeleton."""

from __future__ import annotations

import torch
from torch import Tensor, nn

JOINT_WIDTH = 256


class Expansion(nn.Module):
    """F_B and F_2D to joint features F_J and skeleton features F_S, both (N, 21, 256).

    A transposed convolution enlarges F_B; the coordinates, brought to -1..1 (Eq. 1), are sampled
    from it bilinearly; two linear maps make joint and skeleton features of the samples.

    Args:
        width: Channels of F_B.
        upsampling: Kernel and stride of the transposed convolution.
        coordinates: Give the linear maps the coordinates of Eq. 1 beside the sampled features.
    """

    def __init__(self, width: int, upsampling: int = 2, *, coordinates: bool = False) -> None:
        super().__init__()
        self.enlarge = nn.Sequential(
            nn.ConvTranspose2d(width, JOINT_WIDTH, upsampling, stride=upsampling, bias=False),
            nn.BatchNorm2d(JOINT_WIDTH),
            nn.ReLU(inplace=True),
        )
        self.coordinates = coordinates
        sampled = JOINT_WIDTH + (2 if coordinates else 0)
        self.joint = nn.Linear(sampled, JOINT_WIDTH)
        self.skeleton = nn.Linear(sampled, JOINT_WIDTH)

    def forward(self, features: Tensor, keypoints_2d: Tensor) -> tuple[Tensor, Tensor]:
        """Args: features (N, C, h, h); keypoints_2d (N, 21, 2), 0..1."""
        grid = (2.0 * keypoints_2d - 1.0).unsqueeze(2)
        sampled = nn.functional.grid_sample(
            self.enlarge(features), grid, mode="bilinear", align_corners=True
        )
        sampled = sampled.squeeze(3).transpose(1, 2)
        if self.coordinates:
            sampled = torch.cat([sampled, grid.squeeze(2)], dim=2)
        return self.joint(sampled), self.skeleton(sampled)
