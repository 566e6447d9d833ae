"""A folded network says what the trained one says, in fewer and smaller steps."""

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

from torch import nn  # noqa: E402

from rejshand_ros.network.build import build_network  # noqa: E402
from rejshand_ros.network.config import NetworkConfig, network_preset  # noqa: E402
from rejshand_ros.network.expansion import Expansion  # noqa: E402
from rejshand_ros.network.folding import folded  # noqa: E402
from rejshand_ros.network.lean_head import LeanHead, LeanSampling  # noqa: E402
from rejshand_ros.network.rejshand import ReJSHand  # noqa: E402

_SMALL = replace(network_preset("light"), input_size=96, width=64)
_CONFIGS = {
    "light": _SMALL,
    "lightest": replace(network_preset("lightest"), input_size=96, width=64),
    "small": replace(network_preset("small"), input_size=96),
    "no adapter": replace(network_preset("small"), backbone="fastvit_t8", input_size=96, width=768),
    "published": replace(network_preset("published"), backbone="repvit_m0_9", input_size=96),
    "upsampling of 3": replace(_SMALL, upsampling=3),
}


def _as_if_trained(config: NetworkConfig) -> ReJSHand:
    """Random weights everywhere, norms and rest mesh included: nothing that folds is neutral."""
    torch.manual_seed(3)
    network = build_network(config).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0.0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
        if isinstance(module, nn.BatchNorm2d | nn.LayerNorm):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)
    for name, parameter in network.named_parameters():
        if "cells" in name:
            nn.init.normal_(parameter, std=0.1)
    return network


@pytest.mark.parametrize("name", _CONFIGS)
def test_a_folded_network_answers_the_same(name: str) -> None:
    config = _CONFIGS[name]
    network = _as_if_trained(config)
    lean = folded(network)
    images = torch.rand(2, 3, config.input_size, config.input_size) - 0.5
    with torch.no_grad():
        for theirs, ours in zip(network(images), lean(images), strict=True):
            bound = 1e-4 * float(theirs.abs().max())
            torch.testing.assert_close(ours, theirs, rtol=0.0, atol=bound)


def test_folding_leaves_the_given_network_as_it_was() -> None:
    network = _as_if_trained(_SMALL)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    folded(network)
    assert network.lean_head is None
    after = network.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_only_the_papers_head_at_its_upsampling_is_made_lean() -> None:
    kinds = {name: folded(_as_if_trained(config)).lean_head for name, config in _CONFIGS.items()}
    lean = {name for name, head in kinds.items() if isinstance(head, LeanHead)}
    assert lean == {"light", "lightest", "small", "no adapter"}


def test_the_adapter_goes_into_the_backbones_last_convolution() -> None:
    assert isinstance(folded(_as_if_trained(_SMALL)).adapter.coarse, nn.Identity)


@pytest.mark.parametrize("size", [3, 6, 7])
def test_sampling_near_cells_is_sampling_the_enlarged_map(size: int) -> None:
    """Inside, on the borders of cells, on the map's edge and outside of it."""
    torch.manual_seed(size)
    expansion = Expansion(width=8).eval()
    convolution = expansion.enlarge[0]
    convolution.bias = nn.Parameter(torch.randn(convolution.out_channels))
    expansion.enlarge[1] = nn.Identity()
    expansion.joint = nn.Identity()
    expansion.skeleton = nn.Identity()
    features = torch.randn(40, 8, size, size)
    last = 2 * size - 1
    places = torch.rand(40, 21, 2) * 1.6 - 0.3
    places[1] = torch.randint(0, last + 1, (21, 2)) / last
    places[2] = torch.randint(0, 2, (21, 2)).float()
    places[3] = 1.0 + torch.rand(21, 2) / last
    with torch.no_grad():
        expected, _ = expansion(features, places)
        sampled = LeanSampling(expansion, size)(features, places)
    torch.testing.assert_close(sampled, expected, rtol=0.0, atol=1e-5)
