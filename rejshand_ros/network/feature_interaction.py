"""Feature-interaction block (III-C): joint and skeleton features refine each other."""

from __future__ import annotations

from torch import Tensor, nn

from rejshand_ros.network.coordinate_attention import CoordinateAttention
from rejshand_ros.network.self_attention import SelfAttention


class FeatureInteraction(nn.Module):
    """F_J and F_S (N, T, C) to F_J' and F_S' (N, 4T, C/2), or (N, T, C) in the last block.

    The joint features pass the coordinate attention; guided by the skeleton features (added),
    they attend to each other. The skeleton features learn from the refined joint features through
    a linear map of their own. A linear projection then makes four tokens of half the width from
    each: 21x256, 84x128, 336x64.

    Args:
        width: Features C of a token.
        split: Whether tokens are split in four; not in the last block.
    """

    def __init__(self, width: int, *, split: bool) -> None:
        super().__init__()
        self.coordinate_attention = CoordinateAttention(width)
        self.joint_norm = nn.LayerNorm(width)
        self.attention = SelfAttention(width)
        self.skeleton_norm = nn.LayerNorm(width)
        self.skeleton_from_joint = nn.Linear(width, width)
        self.project_joint = TokenSplit(width) if split else nn.Identity()
        self.project_skeleton = TokenSplit(width) if split else nn.Identity()

    def forward(self, joint: Tensor, skeleton: Tensor) -> tuple[Tensor, Tensor]:
        """Args: joint and skeleton (N, T, C)."""
        joint = self.coordinate_attention(joint)
        joint = joint + self.attention(self.joint_norm(joint + skeleton))
        skeleton = skeleton + self.skeleton_from_joint(self.skeleton_norm(joint))
        return self.project_joint(joint), self.project_skeleton(skeleton)


class TokenSplit(nn.Module):
    """(N, T, C) to (N, 4T, C/2): a linear map to 2C, read as four tokens.

    Args:
        width: Features C of a token.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 2 * width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Split each token in four neighbours."""
        return self.linear(tokens).unflatten(2, (4, -1)).flatten(1, 2)
