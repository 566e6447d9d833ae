"""Export to a file that runs without torch: OpenVINO's own, or ONNX."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch

from rejshand_ros.errors import MissingDependencyError
from rejshand_ros.inference.runtime import OUTPUT_NAMES
from rejshand_ros.network.folding import folded
from rejshand_ros.network.mixed_precision import mark_precise_layers
from rejshand_ros.network.rejshand import ReJSHand


def export_openvino(network: ReJSHand, path: Path) -> None:
    """Write a network as OpenVINO IR.

    Weights stay in single precision: folded ones do not fit half precision, and rounding them
    moves the mesh by 0.3 mm, 3.7 at worst. What suffers from it is marked, so that bfloat16 spares
    it (`mixed_precision`).

    Args:
        network: Any network, as trained.
        path: The .xml file; the .bin goes beside it.

    Raises:
        MissingDependencyError: OpenVINO is not installed.
    """
    try:
        import openvino
    except ImportError as error:
        raise MissingDependencyError("export needs OpenVINO: pip install openvino") from error
    size = network.config.input_size
    example = torch.zeros(1, 3, size, size)
    with torch.no_grad():
        model = openvino.convert_model(
            folded(network), example_input=example, input=[-1, 3, size, size]
        )
    for port, name in zip(model.outputs, OUTPUT_NAMES, strict=True):
        port.get_tensor().set_names({name})
    model.inputs[0].get_tensor().set_names({"images"})
    path.parent.mkdir(parents=True, exist_ok=True)
    openvino.save_model(model, path, compress_to_fp16=False)
    mark_precise_layers(path, size)


def export_onnx(network: ReJSHand, path: Path) -> None:
    """Write a network as ONNX, weights in single precision, any number of crops at a time.

    Args:
        network: Any network, as trained.
        path: The .onnx file.

    Raises:
        MissingDependencyError: onnx or onnxscript is not installed.
    """
    for name in ("onnx", "onnxscript"):
        if importlib.util.find_spec(name) is None:
            raise MissingDependencyError(
                f"export to ONNX needs {name}: pip install onnx onnxscript"
            )
    size = network.config.input_size
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        folded(network),
        # Two crops: of one, the exporter takes the number for a constant.
        (torch.zeros(2, 3, size, size),),
        path,
        input_names=["images"],
        output_names=list(OUTPUT_NAMES),
        dynamic_shapes=({0: torch.export.Dim("crops")},),
        external_data=False,
        verbose=False,
    )
