"""From a choice of weights and device to something that predicts."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np

from rejshand_ros.errors import ModelFileError, unknown_choice
from rejshand_ros.inference.predictor import Predictor
from rejshand_ros.inference.runtime import Runtime

DEVICES = ("auto", "cpu", "cuda", "cuda-eager", "cuda-compiled", "torch-cpu")
"""``auto``: the GPU where torch is installed and sees one, else the CPU by OpenVINO. ``cuda``
replays a CUDA graph; ``cuda-compiled`` goes through torch.compile, which takes minutes to start.
``torch-cpu`` is the reference: torch, single precision."""
_MODES = {"cuda": "graph", "cuda-eager": "eager", "cuda-compiled": "compiled"}

_ENDINGS = (".xml", ".bin", ".onnx", ".safetensors")
WEIGHTS_FOLDER = Path(__file__).resolve().parents[1] / "weights"


def weights_file(weights: str | Path | None, suffix: str) -> Path:
    """The file of a set of weights for a runtime.

    Args:
        weights: A name below rejshand_ros/weights (``"default"``), a path with or without
            ending, or None for the default.
        suffix: Ending that the runtime needs, e.g. ``".xml"``.

    Raises:
        ModelFileError: No such file.
    """
    given = Path(weights) if weights is not None else Path("default")
    stem = given.with_suffix("") if given.suffix in _ENDINGS else given
    candidates = [Path(f"{stem}{suffix}")]
    if not stem.is_absolute() and len(stem.parts) == 1:
        candidates.insert(0, WEIGHTS_FOLDER / f"{stem}{suffix}")
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    shipped = sorted(path.stem for path in WEIGHTS_FOLDER.glob(f"*{suffix}"))
    raise ModelFileError(
        f"weights {str(given)!r}: no file {' or '.join(map(str, candidates))};"
        f" shipped: {', '.join(shipped) or 'none'}"
    )


def weights_facts(weights: str | Path | None = None) -> dict[str, Any]:
    """What the .json beside a set of weights says of them.

    Raises:
        ModelFileError: It is missing or no JSON object.
    """
    path = weights_file(weights, ".json")
    try:
        facts = json.loads(path.read_text())
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"weights description {path} is no JSON: {error}") from error
    if not isinstance(facts, dict):
        raise ModelFileError(f"weights description {path} holds no JSON object")
    return facts


def load_predictor(
    weights: str | Path | None = None,
    device: str = "auto",
    *,
    threads: int = 2,
    precision: str = "auto",
) -> Predictor:
    """Load the network.

    Args:
        weights: A shipped name, a path, or None for the default.
        device: One of `DEVICES`.
        threads: CPU threads of the CPU runtime.
        precision: Arithmetic of the CPU runtime: auto, f32, bf16 or f16.

    Raises:
        ConfigError: Unknown device or precision.
        ModelFileError: Weights missing, cut short or of another kind.
        MissingDependencyError: The device's library is not installed.
    """
    if device not in DEVICES:
        raise unknown_choice("device", device, DEVICES)
    if device == "auto":
        device = "cuda" if _sees_gpu() else "cpu"
    runtime: Runtime
    if device == "cpu":
        from rejshand_ros.inference.openvino_runtime import OpenVinoRuntime

        ending = ".onnx" if str(weights).endswith(".onnx") else ".xml"
        runtime = OpenVinoRuntime(
            weights_file(weights, ending), threads=threads, precision=precision
        )
    else:
        from rejshand_ros.inference.torch_runtime import TorchRuntime

        path = weights_file(weights, ".safetensors")
        kind = "cpu" if device == "torch-cpu" else "cuda"
        runtime = TorchRuntime(path, device=kind, mode=_MODES.get(device, "eager"))
    predictor = Predictor(runtime)
    # The first run is slower than the rest, and shows whether the file is this network at all.
    try:
        size = predictor.input_size
        predictor.predict(np.zeros((1, size, size, 3), np.uint8))
    except (ValueError, IndexError) as error:
        raise ModelFileError(
            f"weights {str(weights or 'default')!r} do not fit: {error}"
        ) from error
    return predictor


def _sees_gpu() -> bool:
    """Whether torch is installed and has an NVIDIA GPU.

    Importing torch takes seconds, so the driver's device file is looked for first.
    """
    if not Path("/dev/nvidiactl").exists() or importlib.util.find_spec("torch") is None:
        return False
    import torch

    return bool(torch.cuda.is_available())
