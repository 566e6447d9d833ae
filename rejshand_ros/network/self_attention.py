"""Multi-head self-attention (Eq. 2 and 3)."""

from __future__ import annotations

from torch import Tensor, nn

HEADS = 8


class SelfAttention(nn.Module):
    """(N, tokens, C) to the same shape: 8 heads of C / 8 features each, then a linear layer.

    Args:
        width: Features C of a token: 256, 128 or 64, which gives the paper's d_k of 32, 16 or 8.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Attend from every token to every token."""
        return self.out(attended(self.query(tokens), self.key(tokens), self.value(tokens)))


def attended(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """What each token of queries, keys and values (N, tokens, C) gathers by its 8 heads."""
    heads = (given.unflatten(2, (HEADS, -1)).transpose(1, 2) for given in (query, key, value))
    gathered = nn.functional.scaled_dot_product_attention(*heads)
    return gathered.transpose(1, 2).flatten(2)
