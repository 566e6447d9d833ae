"""A trained network brought to crops of another size."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn.functional import interpolate

from rejshand_ros.errors import ConfigError
from rejshand_ros.network.build import build_network
from rejshand_ros.network.config import network_preset
from rejshand_ros.network.rejshand import ReJSHand

sys.path.append(str(Path(__file__).resolve().parents[1] / "scripts"))
from resize_network import resized

CONFIG = replace(network_preset("lightest"), input_size=192, width=32)


@pytest.fixture
def network() -> ReJSHand:
    torch.manual_seed(1)
    built = build_network(CONFIG).eval()
    # As trained ones are: smooth from cell to cell.
    smooth = interpolate(torch.randn(1, 4, 3, 3), size=(12, 12), mode="bicubic")
    built.keypoint_generator_2d.cells.weight.data = smooth.reshape(2, -1)
    return built


def test_a_smooth_map_means_the_same_place_at_another_size(network: ReJSHand) -> None:
    smaller = resized(network, 160)
    assert smaller.config == replace(CONFIG, input_size=160)
    coarse = torch.randn(1, 42, 3, 3)
    with torch.inference_mode():
        wanted, got = (
            one.keypoint_generator_2d.cells(
                interpolate(coarse, size=(side, side), mode="bilinear").reshape(1, 21, -1)
            )
            for one, side in ((network, 12), (smaller, 10))
        )
    assert (got - wanted).abs().max() < 0.05 * wanted.abs().max()


def test_everything_else_stays(network: ReJSHand) -> None:
    before, after = network.state_dict(), resized(network, 160).state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"keypoint_generator_2d.cells.weight"}


def test_the_same_size_answers_the_same(network: ReJSHand) -> None:
    images = torch.rand(2, 3, 192, 192) - 0.5
    with torch.inference_mode():
        for ours, theirs in zip(resized(network, 192)(images), network(images), strict=True):
            torch.testing.assert_close(ours, theirs)


def test_what_cannot_be_resized_is_named(network: ReJSHand) -> None:
    with pytest.raises(ConfigError, match="multiples of 32"):
        resized(network, 150)
    small = replace(CONFIG, head="published", backbone="repvit_m0_9", width=384)
    with pytest.raises(ConfigError, match="published"):
        resized(build_network(small), 160)
