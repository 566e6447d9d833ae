"""2D keypoint generator: linear maps from the backbone's features to image coordinates."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rejshand_ros.hand.keypoints import KEYPOINT_COUNT


class KeypointGenerator2D(nn.Module):
    """F_B (N, C, h, h) to F_2D (N, 21, 2), 0..1 in the crop (III-A: "simple linear operations").

    One linear map over channels gives each keypoint a few maps (the paper's reading: one); a
    second one over the cells of those maps gives its two coordinates. With `expected` the first
    map also says how likely the keypoint is in each cell, and the expected place is added: from
    random weights and few pictures the linear maps alone take several times as long to learn
    where things are.

    Args:
        width: Channels C.
        map_size: Side h of the feature map.
        maps: Maps a keypoint.
        expected: Add the expected place under the first map.
    """

    centres: Tensor

    def __init__(self, width: int, map_size: int, maps: int = 1, *, expected: bool = False) -> None:
        super().__init__()
        self.expected = expected
        self.channels = nn.Conv2d(width, KEYPOINT_COUNT * maps, 1)
        self.cells = nn.Linear(maps * map_size * map_size, 2)
        steps = (torch.arange(map_size) + 0.5) / map_size
        grid = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), dim=2).reshape(-1, 2)
        self.register_buffer("centres", grid, persistent=False)
        if expected:
            nn.init.zeros_(self.cells.weight)
            nn.init.zeros_(self.cells.bias)
        else:
            # Start in the middle of the crop.
            nn.init.constant_(self.cells.bias, 0.5)

    def maps(self, features: Tensor) -> Tensor:
        """(N, 21, maps, h * h), the keypoints' maps."""
        return self.channels(features).reshape(
            features.shape[0], KEYPOINT_COUNT, -1, features.shape[2] * features.shape[3]
        )

    def coordinates(self, maps: Tensor) -> Tensor:
        """Coordinates (N, 21, 2) of maps; not clamped, a keypoint may lie outside of the crop."""
        answer = self.cells(maps.flatten(2))
        if self.expected:
            answer = answer + maps[:, :, 0].softmax(dim=2) @ self.centres
        return answer

    def forward(self, features: Tensor) -> Tensor:
        """Coordinates of the 21 keypoints."""
        return self.coordinates(self.maps(features))
