"""A network recorded once as a CUDA graph and replayed: no launch of its kernels from Python.

At one crop the GPU finishes a kernel before Python has launched the next; a network of several
hundred kernels then takes as long as the launches do. A graph launches them all at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

_WARM_RUNS = 3
"""Before recording: libraries choose their kernels and allocate in the first runs."""


class GraphedNetwork:
    """Replays a network for the batch sizes that it has met.

    Args:
        network: Takes a tensor (N, 3, S, S) and gives a tuple of tensors; evaluated, on the GPU.
        dtype: Type of its input.
    """

    def __init__(self, network: Callable[[torch.Tensor], Any], dtype: torch.dtype) -> None:
        self._network = network
        self._dtype = dtype
        self._recorded: dict[
            tuple[int, ...], tuple[torch.cuda.CUDAGraph, torch.Tensor, tuple[torch.Tensor, ...]]
        ] = {}

    def __call__(self, batch: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Run on a batch in the computer's memory (N, 3, S, S), float32.

        Returns:
            The outputs on the GPU; the next call overwrites them.
        """
        shape = tuple(batch.shape)
        if shape not in self._recorded:
            self._recorded[shape] = self._record(shape)
        graph, given, answer = self._recorded[shape]
        given.copy_(batch, non_blocking=True)
        graph.replay()
        return answer

    def _record(
        self, shape: tuple[int, ...]
    ) -> tuple[torch.cuda.CUDAGraph, torch.Tensor, tuple[torch.Tensor, ...]]:
        given = torch.zeros(shape, dtype=self._dtype, device="cuda").contiguous(
            memory_format=torch.channels_last
        )
        # Recording must not see what other streams still do.
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(_WARM_RUNS):
                self._network(given)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            answer = tuple(self._network(given))
        return graph, given, answer
