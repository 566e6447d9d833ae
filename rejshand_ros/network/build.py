"""From a description to a network, and what it weighs."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from rejshand_ros.hand.hand_mesh import HandMesh
from rejshand_ros.hand.template import load_template
from rejshand_ros.network.config import NetworkConfig
from rejshand_ros.network.rejshand import ReJSHand


def build_network(config: NetworkConfig, mesh: HandMesh | None = None) -> ReJSHand:
    """Build the network of a description.

    Args:
        config: The architecture.
        mesh: What it answers with; the project's own hand template by default.
    """
    return ReJSHand(config, mesh or HandMesh.of_template(load_template()))


@dataclass(frozen=True)
class ParameterCount:
    """Trainable parameters by part.

    Attributes:
        backbone: The timm backbone.
        adapter: 1x1 convolutions that bring the backbone to the head's width.
        head: Everything of the paper after the backbone.
        presence_side: The linear layer for presence and side, which the paper does not have.
    """

    backbone: int
    adapter: int
    head: int
    presence_side: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.backbone + self.adapter + self.head + self.presence_side


def count_parameters(network: ReJSHand) -> ParameterCount:
    """Count a network's trainable parameters by part."""

    def count(module: nn.Module) -> int:
        return sum(parameter.numel() for parameter in module.parameters())

    backbone, adapter = count(network.backbone), count(network.adapter)
    extra = count(network.presence_side)
    return ParameterCount(backbone, adapter, count(network) - backbone - adapter - extra, extra)
