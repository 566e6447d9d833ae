"""Coordinate attention: a one-dimensional convolution that weighs the joint features."""

from __future__ import annotations

from torch import Tensor, nn


class CoordinateAttention(nn.Module):
    """(N, tokens, C) to the same shape, each entry weighed by a learned gate (III-C).

    The features are laid out as the channels of a one-dimensional signal over the tokens; a
    convolution of kernel 1 gives the gates, which keeps "the feature dimensions" as the paper
    says and costs one C x C layer, the reading that agrees with its parameter count.

    Args:
        width: Features C of a token.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gate = nn.Conv1d(width, width, 1)

    def forward(self, joint: Tensor) -> Tensor:
        """Weigh the joint features (N, tokens, C)."""
        signal = joint.transpose(1, 2)
        # A gate around one at the start, so that the features pass while it is untrained.
        return (signal * (2.0 * self.gate(signal).sigmoid())).transpose(1, 2)
