"""The network by torch: the reference everywhere, and the fast way on an NVIDIA GPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rejshand_ros.errors import MissingDependencyError, ModelFileError, unknown_choice
from rejshand_ros.inference.network_input import network_input
from rejshand_ros.inference.runtime import FloatArray, RawOutput, Runtime

MODES = ("eager", "graph", "compiled", "tuned")
"""How a GPU runs the network: kernel by kernel from Python; recorded once and replayed as a CUDA
graph; compiled by torch.compile before it is recorded, which takes a minute to start; the same,
with every matrix product tried in many ways first, which takes minutes."""

_COMPILER: dict[str, dict[str, Any]] = {
    "compiled": {"freezing": True, "conv_1x1_as_mm": True},
    "tuned": {"freezing": True, "conv_1x1_as_mm": True, "max_autotune": True},
}


class TorchRuntime(Runtime):
    """Runs the network from its .safetensors file.

    In half precision and on a GPU's fast ways the network is folded (`network.folding`), and
    images lie channels last there, as tensor cores read them; the finest layers stay in single
    precision (`network.mixed_precision`). Eager single precision is the
    network as trained, without the GPU's shortened "tf32" products: the reference.

    Args:
        path: The .safetensors file; its .json lies beside it.
        device: ``"cuda"`` or ``"cpu"``.
        half: Half precision instead of single; by default on a GPU alone.
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
            from rejshand_ros.network.folding import folded
            from rejshand_ros.network.mixed_precision import to_half
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
        if half or (on_gpu and mode != "eager"):
            network = folded(network)
        if half:
            network = to_half(network)
        self._network: Any = network.eval().to(self._device)
        self._layout = torch.contiguous_format
        self.graph: Any = None
        self.input_size = int(config.input_size)
        self.name = f"torch ({device}, {'f16' if half else 'f32'}{', ' + mode if on_gpu else ''})"
        if on_gpu:
            self._use_gpu(mode)

    def _use_gpu(self, mode: str) -> None:
        """Put the network on the GPU's fast track."""
        torch = self._torch
        # Time each way of a convolution once and keep the fastest: the shapes never change.
        torch.backends.cudnn.benchmark = True
        if self._type == torch.float32:
            torch.backends.cudnn.allow_tf32 = False
        if self._type == torch.float16:
            # As tensor cores read them. A CPU computes wrongly with FastViT's laid out so.
            self._layout = torch.channels_last
            self._network = self._network.to(memory_format=self._layout)
        if mode in _COMPILER:
            self._network = torch.compile(
                self._network, fullgraph=True, dynamic=False, options=_COMPILER[mode]
            )
        if mode != "eager":
            from rejshand_ros.inference.cuda_graph import GraphedNetwork

            self.graph = GraphedNetwork(self.flat)

    def flat(self, crops: Any) -> Any:
        """The five outputs as one tensor (N, M), float32, of crops (N, 3, S, S) on the device."""
        torch = self._torch
        answer = self._network(crops.to(self._type).contiguous(memory_format=self._layout))
        return torch.cat([value.reshape(len(crops), -1).float() for value in answer], 1)

    def _run(self, crops: NDArray[np.uint8]) -> RawOutput:
        batch = network_input(crops)
        torch = self._torch
        with torch.inference_mode():
            if self.graph is not None:
                return _split(self.graph(batch))
            # One transfer, which also waits for the GPU, instead of five.
            return _split(self.flat(torch.from_numpy(batch).to(self._device)).cpu().numpy())


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
