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
    return lean.requires_grad_(False)


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
