"""3D keypoint generator (III-D): joint matrix times vertices, and fingertips."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rejshand_ros.geometry import Array


class KeypointGenerator3D(nn.Module):
    """Vertices (N, 778, 3) to keypoints (N, 21, 3).

    The paper multiplies the joint matrix with 778x64 in III-D and with the vertices, 778x3, in
    III-A. The vertices are taken: only there does the matrix, which is made to regress joints
    from coordinates, mean what it says, and the keypoints then always agree with the mesh.
    Fingertips are single vertices (rows of the matrix with one entry).

    Args:
        joint_regressor: (21, 778) rows summing to 1. It is fixed, not trained, and is stored with
            the weights, so that a network keeps the matrix that it was trained with.
    """

    joint_matrix: Tensor

    def __init__(self, joint_regressor: Array) -> None:
        super().__init__()
        self.register_buffer("joint_matrix", torch.tensor(joint_regressor, dtype=torch.float32))

    def forward(self, vertices: Tensor) -> Tensor:
        """Keypoints in the vertices' unit and axes."""
        return torch.matmul(self.joint_matrix, vertices)
