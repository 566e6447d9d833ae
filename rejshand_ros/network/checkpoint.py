"""Weights on disk: a .safetensors file, and a .json beside it that says what they are."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from rejshand_ros.errors import ConfigError, ModelFileError, reason_of
from rejshand_ros.hand.template import load_template
from rejshand_ros.network.build import build_network, count_parameters
from rejshand_ros.network.config import NetworkConfig
from rejshand_ros.network.rejshand import ReJSHand

ARCHITECTURE = "rejshand"


def save_network(network: ReJSHand, path: Path, facts: dict[str, Any] | None = None) -> None:
    """Write weights in half precision and what they are.

    Args:
        network: The network, in the form in which it was trained (not reparameterised).
        path: The .safetensors file; the .json goes beside it.
        facts: Further facts for the .json (training, figures).
    """
    state = {}
    for name, value in network.state_dict().items():
        half = value.is_floating_point() and "joint_matrix" not in name
        state[name] = (value.half() if half else value).contiguous().cpu()
    path.parent.mkdir(parents=True, exist_ok=True)
    # As bytes: safetensors' own files can be read by nobody but their user.
    path.write_bytes(save(state))
    count = count_parameters(network)
    parts = {f"parameters_{name}": value for name, value in asdict(count).items()}
    write_card(path, network.config, {**parts, "mesh": mesh_name(network), **(facts or {})})


def mesh_name(network: ReJSHand) -> str:
    """``rejshand`` or ``mano``: whose vertices a network answers with, by its joint matrix."""
    ours = torch.tensor(load_template().joint_regressor, dtype=torch.float32)
    theirs = network.keypoint_generator_3d.joint_matrix.cpu()
    return "rejshand" if torch.allclose(ours, theirs, atol=1e-5) else "mano"


def write_card(path: Path, config: NetworkConfig, facts: dict[str, Any] | None = None) -> None:
    """Write the .json of a weights file."""
    network = {**config.as_dict(), "pretrained": False, "pretrained_file": ""}
    card = {
        "architecture": ARCHITECTURE,
        "backbone": config.backbone,
        "input_size": config.input_size,
        "network": network,
        **(facts or {}),
    }
    path.with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n")


def load_network(path: Path) -> tuple[ReJSHand, NetworkConfig]:
    """Build and load the network of a weights file, ready to evaluate.

    Raises:
        ModelFileError: A file is missing, cut short or of another architecture.
    """
    config = load_card(path)
    if not path.is_file():
        raise ModelFileError(f"weights file {path} is missing")
    try:
        state = load_file(str(path))
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelFileError(f"weights file {path} cannot be read: {reason_of(error)}") from error
    network = build_network(config)
    own = network.state_dict()
    strange = sorted(set(own) ^ set(state))
    strange += sorted(k for k in set(own) & set(state) if own[k].shape != state[k].shape)
    if strange:
        raise ModelFileError(
            f"weights file {path} is of another architecture than its .json says:"
            f" {len(strange)} tensors differ, first {strange[0]}"
        )
    network.load_state_dict({k: v.to(own[k].dtype) for k, v in state.items()})
    return network.eval().requires_grad_(False), config


def load_card(path: Path) -> NetworkConfig:
    """The architecture that the .json beside a weights file names.

    Raises:
        ModelFileError: The .json is missing or of another kind.
    """
    card = path.with_suffix(".json")
    if not card.is_file():
        raise ModelFileError(f"weights description {card} is missing")
    try:
        values = json.loads(card.read_text())
        if values["architecture"] != ARCHITECTURE:
            raise ModelFileError(
                f"{card} describes {values['architecture']!r}; {ARCHITECTURE!r} is needed"
            )
        return NetworkConfig.from_dict(values["network"])
    except (ValueError, KeyError, TypeError, RecursionError, ConfigError) as error:
        raise ModelFileError(f"weights description {card} cannot be used: {error}") from error
