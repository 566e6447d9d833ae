"""Mesh token generator (III-D): 336 tokens of joints and skeleton to 778 vertices."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from rejshand_ros.geometry import Array

VERTEX_COUNT = 778
TOKENS = 336
WIDTH = 64
# The last layer speaks decimetres: its weights then have the size that optimisers expect.
METRES = 0.1


class MeshTokenGenerator(nn.Module):
    """F_J' and F_S' (N, 336, 64) to vertices (N, 778, 3) in metres.

    Concatenation and a linear map to 64 fuse the two; a linear map over tokens gives the mesh
    tokens F_V (778 x 64), one over features the vertices. All of it is linear, so the vertices
    are computed in the order that is cheap: features first, then tokens (`mesh_tokens` gives F_V
    itself; a test holds the two together).

    Args:
        rest_vertices: (778, 3) metres, the mesh that an untrained network answers.
    """

    def __init__(self, rest_vertices: Array) -> None:
        super().__init__()
        self.fuse = nn.Linear(2 * WIDTH, WIDTH)
        self.vertices = nn.Linear(TOKENS, VERTEX_COUNT)
        self.coordinates = nn.Linear(WIDTH, 3, bias=False)
        rest = np.asarray(rest_vertices, np.float32) / METRES
        self.rest = nn.Parameter(torch.from_numpy(rest.copy()))

    def _fused(self, joint: Tensor, skeleton: Tensor) -> Tensor:
        return self.fuse(torch.cat([joint, skeleton], dim=2))

    def mesh_tokens(self, joint: Tensor, skeleton: Tensor) -> Tensor:
        """F_V (N, 778, 64)."""
        return self.vertices(self._fused(joint, skeleton).transpose(1, 2)).transpose(1, 2)

    def forward(self, joint: Tensor, skeleton: Tensor) -> Tensor:
        """Vertices (N, 778, 3), metres."""
        reduced = self.coordinates(self._fused(joint, skeleton)).transpose(1, 2)
        # The bias over vertices is added before the features are reduced: carry it through.
        bias = self.coordinates.weight.sum(1)[:, None] * self.vertices.bias
        offsets = nn.functional.linear(reduced, self.vertices.weight) + bias
        return METRES * (offsets.transpose(1, 2) + self.rest)
