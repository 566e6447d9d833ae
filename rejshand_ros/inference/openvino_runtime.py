"""The network on the CPU by OpenVINO."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rejshand_ros.errors import (
    ConfigError,
    MissingDependencyError,
    ModelFileError,
    unknown_choice,
)
from rejshand_ros.inference.model_cache import cache_folder, folder_for, keep_within
from rejshand_ros.inference.network_input import FULL_SCALE, MIDDLE
from rejshand_ros.inference.runtime import OUTPUT_NAMES, FloatArray, RawOutput, Runtime
from rejshand_ros.inference.worker_threads import WorkerThreads

PRECISIONS = ("auto", "f32", "bf16", "f16")
"""Arithmetic: ``auto`` takes what the processor is fastest in (bf16 where it has instructions for
it) of what the file allows: one whose delicate layers are not marked runs in f32."""
WORKERS = WorkerThreads()
"""OpenVINO's threads, which all models of the process share."""
PRECISE_MARK = "precise"
"""Attribute of the layers of an OpenVINO file that stay in f32 whatever the rest is in."""


def compile_model(
    path: Path, *, threads: int = 2, precision: str = "auto", cache: Path | None = None
) -> Any:
    """Compile an OpenVINO file for lowest latency on the CPU, one image at a time.

    The file takes planes, RGB/255 - 0.5; the compiled model takes the image's own bytes
    (1, H, W, 3), BGR, and turns them on the way into its first layer.

    Args:
        path: The .xml file, its .bin beside it; or an .onnx file.
        threads: CPU threads of one inference.
        precision: One of `PRECISIONS`.
        cache: Folder of compiled models; the user's cache folder by default.

    Raises:
        ModelFileError: The file is missing, cut short, no OpenVINO model or none of images.
        MissingDependencyError: OpenVINO is not installed.
        ConfigError: The precision is unknown.
    """
    if precision not in PRECISIONS:
        raise unknown_choice("precision", precision, PRECISIONS)
    for part in (path,) if path.suffix == ".onnx" else (path, path.with_suffix(".bin")):
        if not part.is_file():
            raise ModelFileError(f"model file {part} is missing")
    core = _core()
    settings: dict[str, Any] = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": "1",
        # Pinned threads fight with every other process of the chain for the same core.
        "ENABLE_CPU_PINNING": False,
    }
    if precision != "auto":
        settings["INFERENCE_PRECISION_HINT"] = precision
    try:
        model = core.read_model(path)
        shape = model.input(0).get_partial_shape()
        if shape.rank.get_length() != 4 or shape[1] != 3 or shape[2].is_dynamic:
            raise ModelFileError(f"model file {path} takes {shape}; (N, 3, H, W) needed")
        if shape[0].is_dynamic:
            # A model of one image at a time is compiled a fifth faster; two hands are the most.
            shape[0] = 1
            model.reshape(shape)
        cache = cache or cache_folder()
        kept = folder_for(path, cache)
        if kept:
            settings["CACHE_DIR"] = str(kept)
        with WORKERS.noted():
            compiled = core.compile_model(_of_bytes(model), "CPU", settings)
            # Its threads start with the first inference.
            compiled.create_infer_request().infer()
        if kept:
            keep_within(cache)
        return compiled
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise ModelFileError(f"model file {path} cannot be loaded: {reason}") from error


def _of_bytes(model: Any) -> Any:
    """A model of planes (N, 3, H, W) that takes the images' bytes (N, H, W, 3), BGR.

    OpenVINO's own steps make planes first, of bytes, and then turn them back for a layer that
    reads pixel by pixel. Scaled as pixels and called planes last, they are never turned at all.
    """
    from openvino import Layout, Model
    from openvino import opset13 as op
    from openvino.preprocess import PrePostProcessor

    steps = PrePostProcessor(model)
    steps.input().model().set_layout(Layout("NCHW"))
    steps.input().tensor().set_layout(Layout("NCHW"))
    # Goes into the first layer's weights.
    steps.input().preprocess().reverse_channels()
    model = steps.build()
    planes = model.get_parameters()[0]
    count, channels, height, width = planes.get_partial_shape()
    images = op.parameter([count, height, width, channels], np.uint8, name="bytes")
    values = op.subtract(op.convert(images, "f32"), np.float32(MIDDLE))
    values = op.multiply(values, np.float32(1.0 / FULL_SCALE))
    turned = op.transpose(values, np.array([0, 3, 1, 2]))
    for reader in planes.output(0).get_target_inputs():
        reader.replace_source_output(turned.output(0))
    return Model(model.get_results(), [images], model.get_friendly_name())


@functools.cache
def _core() -> Any:
    """OpenVINO, loaded once for the whole life of the process.

    Its CPU part gives signals a stack of its own and takes it back when it is unloaded; loaded
    twice, it leaves them one that is gone, and the next signal kills the process.

    Raises:
        MissingDependencyError: OpenVINO is not installed.
    """
    try:
        import openvino
    except ImportError as error:
        raise MissingDependencyError(
            "the CPU runtime needs OpenVINO: pip install openvino"
        ) from error
    return openvino.Core()


class OpenVinoRuntime(Runtime):
    """Runs the exported network (.xml and .bin, or .onnx) on the CPU.

    Args:
        path: The .xml or .onnx file.
        threads: CPU threads of one inference; two is where the default network stops gaining.
        precision: One of `PRECISIONS`.
        cache: Folder of compiled models; the user's cache folder by default.

    Raises:
        ConfigError: The precision is unknown, or asks less than f32 of a file without marks.
        ModelFileError, MissingDependencyError: See `compile_model`.
    """

    def __init__(
        self, path: Path, *, threads: int = 2, precision: str = "auto", cache: Path | None = None
    ) -> None:
        if not _has_marks(path):
            if precision in ("bf16", "f16"):
                raise ConfigError(
                    f"precision {precision!r} for {path}, which marks no layers to keep in f32;"
                    " valid: auto, f32, or a file of `rejshand export-model --format openvino`"
                )
            precision = "f32" if precision == "auto" else precision
        self._model = compile_model(path, threads=threads, precision=precision, cache=cache)
        self._request = self._model.create_infer_request()
        self.input_size = _input_size(path, self._model)
        # The request's own buffers: asking by mapping checks and wraps each tensor anew.
        self._input = self._request.get_input_tensor(0).data
        self._outputs = [
            self._request.get_tensor(port).data for port in _output_ports(path, self._model)
        ]
        used = self._model.get_property("INFERENCE_PRECISION_HINT").to_string()
        self.name = f"openvino (CPU, {used})"

    def _run(self, crops: NDArray[np.uint8]) -> RawOutput:
        answers = [self._infer(crop) for crop in crops]
        count = len(answers)
        values = (
            answers[0]
            if count == 1
            else [np.concatenate(part) for part in zip(*answers, strict=True)]
        )
        return RawOutput(
            values[0].reshape(count, -1, 2),
            values[1].reshape(count, -1, 3),
            values[2].reshape(count, -1, 3),
            values[3].reshape(count),
            values[4].reshape(count),
        )

    def _infer(self, crop: NDArray[np.uint8]) -> list[FloatArray]:
        """The outputs for one crop (S, S, 3), copied out of the request's buffers."""
        self._input[0] = crop
        WORKERS.keep_apart()
        # Shared: else the answers are copied once more, into a dictionary that nobody reads.
        self._request.infer(share_outputs=True)
        return [np.array(output, np.float32) for output in self._outputs]


def _has_marks(path: Path) -> bool:
    """Whether a file says which of its layers need f32; a missing one is told of later."""
    mark = f'name="{PRECISE_MARK}"'.encode()
    return path.suffix == ".xml" and (not path.is_file() or mark in path.read_bytes())


def _input_size(path: Path, model: Any) -> int:
    """Side of the square input of a compiled model."""
    _, height, width, _ = model.input(0).get_shape()
    if height != width:
        raise ModelFileError(f"model file {path} takes {width} x {height} pixels; a square needed")
    return int(width)


def _output_ports(path: Path, model: Any) -> list[Any]:
    """The five outputs in the order of `OUTPUT_NAMES`, by name, or by position if unnamed."""
    named = {name: port for port in model.outputs for name in port.get_names()}
    if all(name in named for name in OUTPUT_NAMES):
        return [named[name] for name in OUTPUT_NAMES]
    if len(model.outputs) == len(OUTPUT_NAMES):
        return list(model.outputs)
    raise ModelFileError(
        f"model file {path} has outputs {sorted(named)}; {', '.join(OUTPUT_NAMES)} needed"
    )
