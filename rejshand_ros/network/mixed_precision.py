"""Half precision for a network, but for the layers in which it costs accuracy.

The first layers, at half the crop's resolution and finer, take differences of bright pixels with
weights that nearly cancel: rounding those weights moves the mesh more than rounding everything
behind them. A wide layer among them, which leads on to the next stage, has many answers of which
none weighs much, and costs as much as all the narrow ones together.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import torch
from torch import Tensor, nn

from rejshand_ros.inference.openvino_runtime import PRECISE_MARK
from rejshand_ros.network.lean_head import PRECISE
from rejshand_ros.network.rejshand import ReJSHand

_FINE = 2
"""Layers that answer on at least the crop's side over this stay in single precision,"""
_WIDENED = 2
"""as long as they have no more than this many times the channels of the first."""
_CONSTANTS = ("Const", "Parameter", "Result")


class SinglePrecision(nn.Module):
    """A layer that computes in single precision between others that do not.

    Args:
        layer: Takes and gives one tensor.
    """

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, given: Tensor) -> Tensor:
        """The layer's answer, in the precision in which its input came."""
        return self.layer(given.float()).to(given.dtype)


def to_half(network: ReJSHand) -> ReJSHand:
    """Turn a network (in place) to half precision, but for what a file's marks spare too."""
    spared = _finest_convolutions(network)
    for name, module in network.named_modules():
        # Those that compute no weights look to their precision themselves.
        if name in PRECISE and isinstance(module, nn.Linear):
            spared[name] = copy.deepcopy(module)
    network = network.half()
    for name, layer in spared.items():
        parent, _, last = name.rpartition(".")
        setattr(network.get_submodule(parent), last, SinglePrecision(layer))
    return network


def mark_precise_layers(path: Path, size: int) -> None:
    """Mark the layers of an OpenVINO file that every runtime computes in single precision.

    These are the finest, and what the lean head names (`lean_head.PRECISE`).

    OpenVINO's CPU runtime heeds the mark ("precise") where it computes in bfloat16.

    Args:
        path: The .xml file, its input's shape known but for the number of images.
        size: Side of the input, pixels.
    """
    tree = ElementTree.parse(path)
    first: int | None = None
    for layer in tree.iterfind("layers/layer"):
        shape = [int(dim.text or 0) for dim in layer.iterfind("output/port[1]/dim")]
        if layer.get("type") in _CONSTANTS:
            continue
        if not any(part in str(layer.get("name")) for part in PRECISE):
            if len(shape) != 4 or not _is_fine(shape, size):
                continue
            if first is None and layer.get("type") == "Convolution":
                first = shape[1]
            if first is not None and shape[1] > _WIDENED * first:
                continue
        facts = ElementTree.Element("rt_info")
        ElementTree.SubElement(facts, "attribute", name=PRECISE_MARK, version="0")
        data = layer.find("data")
        layer.insert(0 if data is None else 1, facts)
    tree.write(path, encoding="utf-8", xml_declaration=True)


def _is_fine(shape: Sequence[int], size: int) -> bool:
    """Whether a layer answers (N, C, h, w) so finely to images of a size."""
    return min(shape[2:]) * _FINE >= size


def _finest_convolutions(network: ReJSHand) -> dict[str, nn.Module]:
    """Copies by name: half precision would round their weights."""
    size = network.config.input_size
    found: dict[str, nn.Module] = {}
    first: int | None = None
    names = {m: n for n, m in network.backbone.named_modules() if isinstance(m, nn.Conv2d)}

    def seen(module: Any, _: object, output: Tensor) -> None:
        nonlocal first
        if not _is_fine(output.shape, size):
            return
        first = first or output.shape[1]
        if output.shape[1] <= _WIDENED * first:
            found[f"backbone.{names[module]}"] = module

    handles = [module.register_forward_hook(seen) for module in names]
    with torch.no_grad():
        network(torch.zeros(1, 3, size, size))
    for handle in handles:
        handle.remove()
    return {name: copy.deepcopy(module) for name, module in found.items()}
