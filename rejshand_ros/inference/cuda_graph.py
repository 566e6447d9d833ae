"""A network recorded once as a CUDA graph and replayed: no launch of its kernels from Python.

At one crop the GPU finishes a kernel before Python has launched the next; a network of several
hundred kernels then takes as long as the launches do. A graph launches them all at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from rejshand_ros.inference.runtime import FloatArray

_WARM_RUNS = 3
"""Before recording: libraries choose their kernels and allocate in the first runs."""


@dataclass(frozen=True)
class _Recording:
    """A graph and the memory that it reads and writes."""

    graph: torch.cuda.CUDAGraph
    crops: torch.Tensor
    answer: torch.Tensor
    # Page-locked, so that the GPU fetches and brings by itself.
    crops_on_host: torch.Tensor
    answer_on_host: torch.Tensor


class GraphedNetwork:
    """Replays a network for the batch sizes that it has met.

    Args:
        network: Takes crops (N, 3, S, S), float32, on the GPU, and gives one tensor (N, M),
            float32; evaluated.
    """

    def __init__(self, network: Callable[[torch.Tensor], torch.Tensor]) -> None:
        self._network = network
        self._recorded: dict[tuple[int, ...], _Recording] = {}

    def __call__(self, batch: FloatArray) -> FloatArray:
        """The answer (N, M) for crops (N, 3, S, S), both in the computer's memory."""
        recording = self.recording(tuple(batch.shape))
        np.copyto(recording.crops_on_host.numpy(), batch)
        recording.crops.copy_(recording.crops_on_host, non_blocking=True)
        recording.graph.replay()
        recording.answer_on_host.copy_(recording.answer, non_blocking=True)
        torch.cuda.current_stream().synchronize()
        return np.array(recording.answer_on_host.numpy())

    def replay(self, shape: tuple[int, ...]) -> None:
        """Run once more on the crops that lie on the GPU, without any copy; does not wait."""
        self.recording(shape).graph.replay()

    def recording(self, shape: tuple[int, ...]) -> _Recording:
        """The graph for batches of a shape, recorded if it is the first."""
        if shape not in self._recorded:
            self._recorded[shape] = self._record(shape)
        return self._recorded[shape]

    def _record(self, shape: tuple[int, ...]) -> _Recording:
        crops = torch.zeros(shape, device="cuda")
        # Recording must not see what other streams still do.
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(_WARM_RUNS):
                self._network(crops)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            answer = self._network(crops)
        return _Recording(
            graph,
            crops,
            answer,
            torch.empty(shape).pin_memory(),
            torch.empty(answer.shape).pin_memory(),
        )
