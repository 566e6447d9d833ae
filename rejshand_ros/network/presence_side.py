"""Presence and side of the hand in the crop: what a tracker needs beyond the paper."""

from __future__ import annotations

from torch import Tensor, nn


class PresenceSide(nn.Module):
    """F_B (N, C, h, h) to the logits of "a hand is here" and "it is a right one", (N,) each.

    Args:
        width: Channels C.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 2)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """One linear layer over the averaged features."""
        logits = self.linear(features.mean(dim=(2, 3)))
        return logits[:, 0], logits[:, 1]
