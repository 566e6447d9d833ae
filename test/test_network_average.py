"""Two trained networks made one by the mean of their weights."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from rejshand_ros.errors import InputError
from rejshand_ros.network.build import build_network
from rejshand_ros.network.config import network_preset
from rejshand_ros.network.rejshand import ReJSHand

sys.path.append(str(Path(__file__).resolve().parents[1] / "scripts"))
from average_weights import averaged

CONFIG = replace(network_preset("lightest"), input_size=64, width=32)


def network(seed: int) -> ReJSHand:
    torch.manual_seed(seed)
    built = build_network(CONFIG)
    for module in built.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
    return built.eval()


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_every_weight_and_running_statistic_lies_between(share: float) -> None:
    first, second = network(1).state_dict(), network(2).state_dict()
    mean = averaged(network(1), network(2), share).state_dict()
    moved = 0
    for name, value in mean.items():
        if value.is_floating_point():
            wanted = (1 - share) * first[name] + share * second[name]
            torch.testing.assert_close(value, wanted, rtol=1e-5, atol=1e-6)
            moved += int(not torch.equal(first[name], second[name]))
    assert moved > 100


def test_a_network_and_itself_answer_as_before() -> None:
    images = torch.rand(2, 3, 64, 64) - 0.5
    with torch.inference_mode():
        wanted = network(3)(images)
        got = averaged(network(3), network(3), 0.3)(images)
    for ours, theirs in zip(got, wanted, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_what_cannot_be_averaged_is_named() -> None:
    with pytest.raises(InputError, match=r"share 1\.5; valid: 0\.\.1"):
        averaged(network(1), network(2), 1.5)
    wider = build_network(replace(CONFIG, width=40))
    with pytest.raises(InputError, match="two architectures"):
        averaged(network(1), wider)
