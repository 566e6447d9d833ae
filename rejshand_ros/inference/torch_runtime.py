"""The network by torch: the reference everywhere, and the fast way on an NVIDIA GPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from rejshand_ros.errors import InputError, MissingDependencyError, ModelFileError
from rejshand_ros.inference.runtime import FloatArray, RawOutput, Runtime


class TorchRuntime(Runtime):
    """Runs the network from its .safetensors file.

    Args:
        path: The .safetensors file; its .json lies beside it.
        device: ``"cuda"`` (half precision) or ``"cpu"`` (single precision).

    Raises:
        MissingDependencyError: torch or timm is not installed, or has no GPU to run on.
        ModelFileError: The weights are missing or of another kind.
    """

    def __init__(self, path: Path, *, device: str = "cpu") -> None:
        try:
            import torch

            from rejshand_ros.network.checkpoint import load_network
            from rejshand_ros.network.export import reparameterised
        except ImportError as error:
            raise MissingDependencyError(
                f"the torch runtime needs {error.name}: install the training extra"
            ) from error
        if device == "cuda" and not torch.cuda.is_available():
            raise MissingDependencyError("device 'cuda': torch sees no NVIDIA GPU here")
        if not path.is_file():
            raise ModelFileError(f"weights file {path} is missing")
        network, config = load_network(path)
        self._torch: Any = torch
        self._device = torch.device(device)
        self._type = torch.float16 if device == "cuda" else torch.float32
        if device == "cuda":
            # Folded branches save memory traffic; the reference on the CPU stays as trained.
            network = reparameterised(network)
        self._network: Any = network.eval().to(self._device, self._type)
        self.input_size = int(config.input_size)
        self.name = f"torch ({device}, {'f16' if device == 'cuda' else 'f32'})"

    def run(self, batch: FloatArray) -> RawOutput:
        """Run on crops (N, 3, S, S); see `Runtime`."""
        size = self.input_size
        if batch.ndim != 4 or batch.shape[1:] != (3, size, size):
            raise InputError(f"batch of shape {batch.shape}; (N, 3, {size}, {size}) needed")
        torch = self._torch
        with torch.inference_mode():
            tensor = torch.from_numpy(np.ascontiguousarray(batch)).to(self._device, self._type)
            answer = self._network(tensor)
            values = [value.float().cpu().numpy() for value in answer]
        count = len(batch)
        return RawOutput(
            values[0], values[1], values[2], values[3].reshape(count), values[4].reshape(count)
        )
