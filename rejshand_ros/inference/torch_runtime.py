"""The network by torch: the reference everywhere, and the fast way on an NVIDIA GPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from rejshand_ros.errors import (
    InputError,
    MissingDependencyError,
    ModelFileError,
    unknown_choice,
)
from rejshand_ros.inference.runtime import FloatArray, RawOutput, Runtime

MODES = ("eager", "graph", "compiled")
"""How a GPU runs the network: kernel by kernel from Python; recorded once and replayed as a CUDA
graph; or compiled by torch.compile, which records graphs too and takes minutes to start."""


class TorchRuntime(Runtime):
    """Runs the network from its .safetensors file.

    On a GPU training's branches are folded, and images lie channels last, as its tensor cores
    read them.

    Args:
        path: The .safetensors file; its .json lies beside it.
        device: ``"cuda"`` or ``"cpu"``.
        half: Half precision instead of single; by default on a GPU alone. The CPU's single
            precision, not folded, is the reference.
        mode: One of `MODES`; a CPU runs eagerly.

    Raises:
        MissingDependencyError: torch or timm is not installed, or has no GPU to run on.
        ModelFileError: The weights are missing or of another kind.
        ConfigError: The mode is unknown.
    """

    def __init__(
        self, path: Path, *, device: str = "cpu", half: bool | None = None, mode: str = "graph"
    ) -> None:
        if mode not in MODES:
            raise unknown_choice("mode", mode, MODES)
        try:
            import torch

            from rejshand_ros.network.checkpoint import load_network
            from rejshand_ros.network.export import reparameterised
        except ImportError as error:
            raise MissingDependencyError(
                f"the torch runtime needs {error.name}: install the training extra"
            ) from error
        on_gpu = device == "cuda"
        if on_gpu and not torch.cuda.is_available():
            raise MissingDependencyError("device 'cuda': torch sees no NVIDIA GPU here")
        if not path.is_file():
            raise ModelFileError(f"weights file {path} is missing")
        network, config = load_network(path)
        half = on_gpu if half is None else half
        self._torch: Any = torch
        self._device = torch.device(device)
        self._type = torch.float16 if half else torch.float32
        if on_gpu or half:
            network = reparameterised(network)
        self._network: Any = network.eval().to(self._device, self._type)
        self.input_size = int(config.input_size)
        self.name = f"torch ({device}, {'f16' if half else 'f32'}{', ' + mode if on_gpu else ''})"
        if on_gpu:
            self._network = self._network.to(memory_format=torch.channels_last)
            self._use(mode)

    def _use(self, mode: str) -> None:
        """Put the network on the GPU's fast track."""
        if mode == "graph":
            from rejshand_ros.inference.cuda_graph import GraphedNetwork

            self._network = GraphedNetwork(self._network, self._type)
        elif mode == "compiled":
            # It records CUDA graphs of its own.
            self._network = self._torch.compile(
                self._network, mode="max-autotune", fullgraph=True, dynamic=False
            )

    def run(self, batch: FloatArray) -> RawOutput:
        """Run on crops (N, 3, S, S); see `Runtime`."""
        size = self.input_size
        if batch.ndim != 4 or batch.shape[1:] != (3, size, size):
            raise InputError(f"batch of shape {batch.shape}; (N, 3, {size}, {size}) needed")
        torch = self._torch
        with torch.inference_mode():
            tensor = torch.from_numpy(np.ascontiguousarray(batch)).to(self._device, self._type)
            answer = self._network(tensor)
            # One transfer, which also waits for the GPU, instead of five.
            count = len(batch)
            flat = torch.cat([value.reshape(count, -1).float() for value in answer], 1)
            values = flat.cpu().numpy()
        return _split(values)


def _split(values: FloatArray) -> RawOutput:
    """The five outputs out of one array (N, 42 + 63 + 3 V + 2)."""
    count = len(values)
    keypoints_2d, keypoints_3d, vertices = np.split(values[:, :-2], (42, 42 + 63), axis=1)
    return RawOutput(
        keypoints_2d.reshape(count, -1, 2),
        keypoints_3d.reshape(count, -1, 3),
        vertices.reshape(count, -1, 3),
        values[:, -2],
        values[:, -1],
    )
