"""2D keypoint generator: linear maps from the backbone's features to image coordinates."""

from __future__ import annotations

from torch import Tensor, nn

from rejshand_ros.hand.keypoints import KEYPOINT_COUNT


class KeypointGenerator2D(nn.Module):
    """F_B (N, C, h, h) to F_2D (N, 21, 2), 0..1 in the crop (III-A: "simple linear operations").

    One linear map over channels gives each keypoint a few maps (the paper's reading: one); a
    second one over the cells of those maps gives its two coordinates.

    Args:
        width: Channels C.
        map_size: Side h of the feature map.
        maps: Maps a keypoint.
    """

    def __init__(self, width: int, map_size: int, maps: int = 1) -> None:
        super().__init__()
        self.channels = nn.Conv2d(width, KEYPOINT_COUNT * maps, 1)
        self.cells = nn.Linear(maps * map_size * map_size, 2)
        # Start in the middle of the crop.
        nn.init.constant_(self.cells.bias, 0.5)

    def forward(self, features: Tensor) -> Tensor:
        """Coordinates of the 21 keypoints; not clamped, a keypoint may lie outside of the crop."""
        maps = self.channels(features)
        return self.cells(maps.reshape(maps.shape[0], KEYPOINT_COUNT, -1))
