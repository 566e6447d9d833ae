"""A trained network as inference wants it: branches, norms and scales folded into the layers."""

from __future__ import annotations

import copy
from typing import Any

import torch
from timm.layers import Conv2dSame
from timm.layers.padding import get_same_padding
from timm.models.fastvit import AttentionBlock, LayerScale2d, RepMixerBlock
from timm.utils.model import reparameterize_model
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from rejshand_ros.network.lean_head import UPSAMPLING, LeanHead
from rejshand_ros.network.rejshand import ReJSHand

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d)


def folded(network: ReJSHand) -> ReJSHand:
    """A copy for inference that computes the same with about half as many steps.

    Training's parallel branches become one convolution; a batch norm behind a convolution, or
    before an attention's linear map, goes into that layer's weights, and so does a layer scale
    behind a linear one. Borders that are worked out from the image's size at every run are
    fixed, since the size is known.

    Args:
        network: As trained; it stays as it is.
    """
    lean = copy.deepcopy(network).eval()
    lean.backbone.body = reparameterize_model(lean.backbone.body)
    lean.requires_grad_(False)
    for block in list(lean.backbone.body.modules()):
        if isinstance(block, AttentionBlock):
            _fold_attention_block(block)
        elif isinstance(block, RepMixerBlock):
            block.layer_scale = _fold_scale(block.layer_scale, block.mlp.fc2)
    _fold_norms(lean)
    _fix_paddings(lean)
    _fold_adapter(lean)
    _fold_head(lean)
    return lean.requires_grad_(False)


def _fold_adapter(network: ReJSHand) -> None:
    """Make one convolution of the backbone's last and the adapter's, if nothing stands between."""
    adapter = network.adapter.coarse
    name = _read_by(adapter, network)
    before: Any = network.get_submodule(name) if name else None
    if not isinstance(adapter, nn.Conv2d) or before is None or before.groups != 1:
        return
    turn = adapter.weight.flatten(1).double()
    joined = nn.Conv2d(
        before.in_channels, len(turn), before.kernel_size, before.stride, before.padding,
        before.dilation,
    )  # fmt: skip
    joined.weight = nn.Parameter(torch.tensordot(turn, before.weight.double(), 1).float())
    offset = turn.new_zeros(len(turn)) if adapter.bias is None else adapter.bias.double()
    if before.bias is not None:
        offset = offset + turn @ before.bias.double()
    joined.bias = nn.Parameter(offset.float())
    _replace(network, name, joined.eval())
    network.adapter.coarse = nn.Identity()


def _read_by(reader: nn.Module, network: ReJSHand) -> str:
    """Name of the backbone's convolution whose answer a module reads as it is; or empty."""
    names = {module: name for name, module in network.backbone.named_modules(prefix="backbone")}
    answered: list[tuple[str, Tensor, int]] = []
    found = ""

    def seen(module: nn.Module, _: object, output: Tensor) -> None:
        # An activation that works in place leaves the same tensor, but counts its change.
        answered.append((names[module], output, output._version))

    def read(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        nonlocal found
        name, answer, version = answered[-1]
        if answer is inputs[0] and answer._version == version:
            found = name

    handles = [m.register_forward_hook(seen) for m in names if isinstance(m, nn.Conv2d)]
    handles.append(reader.register_forward_pre_hook(read))
    with torch.no_grad():
        network(torch.zeros(1, 3, network.config.input_size, network.config.input_size))
    for handle in handles:
        handle.remove()
    return found


def _fold_head(network: ReJSHand) -> None:
    """Put the lean head in the place of the paper's blocks."""
    if network.config.head != "paper" or network.config.upsampling != UPSAMPLING:
        return
    network.lean_head = LeanHead(network)
    for name in ("expansion", "interaction", "mesh_token_generator", "keypoint_generator_3d"):
        delattr(network, name)


def _fold_norms(network: ReJSHand) -> None:
    """Fold each batch norm that reads what a convolution has just given, and nothing else."""
    sample = torch.zeros(1, 3, network.config.input_size, network.config.input_size)
    names = {module: name for name, module in network.named_modules()}
    for convolution, norm in _pairs(network, sample):
        transposed = isinstance(convolution, nn.ConvTranspose2d)
        _replace(network, names[convolution], fuse_conv_bn_eval(convolution, norm, transposed))
        # timm's norms may carry the activation that follows.
        _replace(network, names[norm], getattr(norm, "act", nn.Identity()))


def _fix_paddings(network: ReJSHand) -> None:
    """Give convolutions that pad by their input's size the border that this size needs."""
    names = {m: name for name, m in network.named_modules() if isinstance(m, Conv2dSame)}
    borders: dict[str, tuple[int, int, int, int]] = {}

    def seen(module: Any, inputs: tuple[Tensor, ...]) -> None:
        down, right = (
            get_same_padding(inputs[0].shape[axis - 2], module.kernel_size[axis], stride, dilation)
            for axis, (stride, dilation) in enumerate(
                zip(module.stride, module.dilation, strict=True)
            )
        )
        # As TensorFlow does: what cannot be shared goes to the end.
        borders[names[module]] = (right // 2, right - right // 2, down // 2, down - down // 2)

    handles = [module.register_forward_pre_hook(seen) for module in names]
    with torch.no_grad():
        network(torch.zeros(1, 3, network.config.input_size, network.config.input_size))
    for handle in handles:
        handle.remove()
    for name, border in borders.items():
        _replace(network, name, nn.Sequential(nn.ZeroPad2d(border), _unpadded(name, network)))


def _unpadded(name: str, network: nn.Module) -> nn.Conv2d:
    """A plain convolution with the weights of the one of this name, without any border."""
    of: Any = network.get_submodule(name)
    plain = nn.Conv2d(
        of.in_channels, of.out_channels, of.kernel_size, of.stride, 0, of.dilation, of.groups
    )
    plain.weight, plain.bias = of.weight, of.bias
    return plain.eval()


def _pairs(network: ReJSHand, sample: Tensor) -> list[tuple[Any, nn.BatchNorm2d]]:
    """Convolutions and the batch norms behind them, as a run shows them."""
    given: list[tuple[nn.Module, Tensor]] = []
    found: list[tuple[Any, nn.BatchNorm2d]] = []

    def seen(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if isinstance(module, nn.BatchNorm2d) and given and given[-1][1] is inputs[0]:
            found.append((given[-1][0], module))
        elif isinstance(module, _CONVOLUTIONS):
            given.append((module, output))

    handles = [
        module.register_forward_hook(seen)
        for module in network.modules()
        if isinstance(module, (*_CONVOLUTIONS, nn.BatchNorm2d))
    ]
    with torch.no_grad():
        network(sample)
    for handle in handles:
        handle.remove()
    return found


def _fold_attention_block(block: Any) -> None:
    """The norm goes into the linear map behind it, the scales into those before them."""
    block.norm = _fold_norm_into_next(block.norm, block.token_mixer.qkv)
    block.layer_scale_1 = _fold_scale(block.layer_scale_1, block.token_mixer.proj)
    block.layer_scale_2 = _fold_scale(block.layer_scale_2, block.mlp.fc2)


def _fold_norm_into_next(norm: Any, linear: nn.Linear) -> nn.Module:
    """Fold a batch norm into the linear map that alone reads it; what stands in its place."""
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    shift = norm.bias - norm.running_mean * scale
    bias = linear.weight @ shift
    if linear.bias is not None:
        bias = bias + linear.bias
    linear.bias = nn.Parameter(bias)
    linear.weight = nn.Parameter(linear.weight * scale)
    return nn.Identity()


def _fold_scale(scale: nn.Module, layer: Any) -> nn.Module:
    """Fold a scale of channels into the layer before it; what stands in its place."""
    if not isinstance(scale, LayerScale2d):
        return scale
    gamma = scale.gamma.flatten()
    layer.weight = nn.Parameter(layer.weight * gamma.view(-1, *[1] * (layer.weight.ndim - 1)))
    if layer.bias is not None:
        layer.bias = nn.Parameter(layer.bias * gamma)
    return nn.Identity()


def _replace(network: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, last = name.rpartition(".")
    setattr(network.get_submodule(parent), last, module)
