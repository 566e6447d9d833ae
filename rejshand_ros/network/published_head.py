"""The head of the authors' released code, for comparison with the paper's.

What the release has and the paper does not: 2D keypoints from the averaged feature map, a sine
encoding of places in the enlarged map, learnt embeddings of the tokens, linear maps that make
more tokens of few, and a ReLU at the end of each block. What the paper has and the release does
not: coordinate attention (there a plain 1x1 convolution), skeleton features of their own (there a
copy of the joint features, added again) and their fusion. At 1216 channels and a kernel of 4 it
counts 6,020,767 parameters, the 6.02 M of the release.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from rejshand_ros.hand.keypoints import KEYPOINT_COUNT
from rejshand_ros.network.mesh_token import VERTEX_COUNT
from rejshand_ros.network.self_attention import SelfAttention

_WIDTHS = (256, 128, 64)
_TOKENS = (KEYPOINT_COUNT, 84, 336, VERTEX_COUNT)
_EMBEDDED = (256, 256, 128)
"""Width of the tokens that an embedding is added to, before each block's linear map."""


class PublishedKeypointGenerator2D(nn.Module):
    """F_B (N, C, h, h) to 2D keypoints (N, 21, 2), 0..1: one linear map of the averaged features.

    Args:
        width: Channels C.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 2 * KEYPOINT_COUNT)
        nn.init.constant_(self.linear.bias, 0.5)

    def maps(self, features: Tensor) -> Tensor:
        """(N, C), what the coordinates come from: here the average, in which no place is left."""
        return features.mean(dim=(2, 3))

    def coordinates(self, maps: Tensor) -> Tensor:
        """Coordinates (N, 21, 2)."""
        return self.linear(maps).unflatten(1, (KEYPOINT_COUNT, 2))

    def forward(self, features: Tensor) -> Tensor:
        """Coordinates of the 21 keypoints."""
        return self.coordinates(self.maps(features))


class PublishedBlock(nn.Module):
    """(N, T, C) to the same shape: convolution of kernel 1, attention, a linear map, a ReLU.

    Args:
        width: Features C of a token.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(width, width, 1)
        self.attention = SelfAttention(width)
        self.linear = nn.Linear(width, width)

    def forward(self, joint: Tensor) -> Tensor:
        """Refine the joint features; their copy stands in for skeleton features, twice."""
        refined = self.convolution(joint.transpose(1, 2)).transpose(1, 2)
        refined = self.linear(self.attention(refined) + joint)
        return (refined + joint).relu()


class PublishedMeshHead(nn.Module):
    """F_B (N, C, h, h) and 2D keypoints (N, 21, 2) to vertices (N, 778, 3), metres.

    Args:
        width: Channels C.
        map_size: Side h of the feature map.
        upsampling: Kernel and stride of the transposed convolution; the release's is 4.
    """

    places: Tensor

    def __init__(self, width: int, map_size: int, upsampling: int) -> None:
        super().__init__()
        first = _WIDTHS[0]
        self.enlarge = nn.Sequential(
            nn.ConvTranspose2d(width, first, upsampling, stride=upsampling, bias=False),
            nn.BatchNorm2d(first),
            nn.ReLU(inplace=True),
        )
        self.embeddings = nn.ParameterList(
            nn.Parameter(nn.init.trunc_normal_(torch.zeros(1, tokens, wide), std=0.02))
            for tokens, wide in zip(_TOKENS, _EMBEDDED, strict=False)
        )
        self.narrow = nn.ModuleList(
            nn.Linear(wide, narrow) for wide, narrow in zip(_EMBEDDED, _WIDTHS, strict=True)
        )
        self.blocks = nn.ModuleList(PublishedBlock(wide) for wide in _WIDTHS)
        self.multiply = nn.ModuleList(nn.Linear(few, many) for few, many in pairwise(_TOKENS))
        self.coordinates = nn.Linear(_WIDTHS[-1], 3)
        self.register_buffer("places", _sine_places(first, map_size * upsampling), persistent=False)

    def forward(self, features: Tensor, keypoints_2d: Tensor) -> Tensor:
        """Vertices, relative to a root of their own choice."""
        enlarged = self.enlarge(features) + self.places
        grid = (2.0 * keypoints_2d - 1.0).clamp(-1.0, 1.0).unsqueeze(2)
        sampled = nn.functional.grid_sample(enlarged, grid, mode="bilinear", align_corners=True)
        tokens = sampled.squeeze(3).transpose(1, 2)
        steps = zip(self.embeddings, self.narrow, self.blocks, self.multiply, strict=True)
        for embedding, narrow, block, multiply in steps:
            tokens = block(narrow(tokens + embedding))
            tokens = multiply(tokens.transpose(1, 2)).transpose(1, 2)
        return self.coordinates(tokens)


def _sine_places(width: int, size: int) -> Tensor:
    """(1, width, size, size) sines and cosines of the row, then of the column (Carion 2020)."""
    quarter = width // 4
    frequency = 10_000.0 ** (-torch.arange(quarter) / quarter)
    place = 2 * math.pi * (torch.arange(size) + 1) / size
    angle = place[:, None] * frequency
    waves = torch.cat([angle.sin(), angle.cos()], dim=1).T
    rows = waves[:, :, None].expand(-1, -1, size)
    columns = waves[:, None, :].expand(-1, size, -1)
    return torch.cat([rows, columns])[None].contiguous()
