"""What a training run needs to go on after an interruption: weights, optimiser, progress."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from rejshand_ros.errors import ModelFileError, reason_of
from rejshand_ros.network.build import build_network
from rejshand_ros.network.checkpoint import load_network
from rejshand_ros.network.config import NetworkConfig
from rejshand_ros.network.rejshand import ReJSHand


@dataclass
class TrainState:
    """A run between two steps.

    Attributes:
        network: The weights being trained.
        average: Their exponential moving average, which is what ships.
        optimiser: With its moments.
        frozen: Modules that stay in evaluation mode while the others train.
        step: Steps done.
        progress: Share of the schedule done, 0..1.
        scaler: Keeps half-precision gradients in range; does nothing where it is disabled.
    """

    network: ReJSHand
    average: ReJSHand
    optimiser: torch.optim.Optimizer
    frozen: tuple[nn.Module, ...] = ()
    step: int = 0
    progress: float = 0.0
    scaler: torch.amp.GradScaler = field(
        default_factory=lambda: torch.amp.GradScaler("cpu", enabled=False)
    )

    def save(self, path: Path) -> None:
        """Write everything; a write that is cut off leaves the file before it whole."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part")
        torch.save(
            {
                "architecture": self.network.config.as_dict(),
                "network": self.network.state_dict(),
                "average": self.average.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "scaler": self.scaler.state_dict(),
                "step": self.step,
                "progress": self.progress,
            },
            partial,
        )
        partial.replace(path)

    def restore(self, path: Path) -> None:
        """Take up where a file left off.

        Raises:
            ModelFileError: Cut short, or of another architecture.
        """
        try:
            saved: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
            architecture = dict(saved["architecture"])
            ours = self.network.config.as_dict()
            for loading in ("pretrained", "pretrained_file"):
                architecture.pop(loading, None)
                ours.pop(loading, None)
            if architecture != ours:
                changed = sorted(k for k in ours if architecture.get(k) != ours[k])
                raise ModelFileError(
                    f"checkpoint {path} is of another architecture: differs in {', '.join(changed)}"
                )
            matrix = self.network.keypoint_generator_3d.joint_matrix.cpu()
            if not torch.allclose(
                matrix, saved["network"]["keypoint_generator_3d.joint_matrix"], atol=1e-5
            ):
                raise ModelFileError(
                    f"checkpoint {path} answers with another hand mesh; train on with the data"
                    " (FreiHAND with MANO, or not) that it was begun with"
                )
            self.network.load_state_dict(saved["network"])
            self.average.load_state_dict(saved["average"])
            self.optimiser.load_state_dict(saved["optimiser"])
            # A run that was not in half precision before has no scale to go on with.
            if self.scaler.is_enabled() and saved.get("scaler"):
                self.scaler.load_state_dict(saved["scaler"])
            self.step, self.progress = int(saved["step"]), float(saved["progress"])
        except ModelFileError:
            raise
        except Exception as error:
            raise ModelFileError(f"checkpoint {path} cannot be read: {reason_of(error)}") from error


def network_of_run(path: Path) -> tuple[ReJSHand, dict[str, Any]]:
    """The averaged network of a run's checkpoint, and how far the run had come.

    Raises:
        ModelFileError: The checkpoint is missing or unreadable.
    """
    if not path.is_file():
        raise ModelFileError(f"checkpoint {path} is missing")
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
        network = build_network(NetworkConfig.from_dict(saved["architecture"]))
        network.load_state_dict(saved["average"])
        training = {"steps": int(saved["step"]), "progress": float(saved["progress"])}
    except Exception as error:
        raise ModelFileError(f"checkpoint {path} cannot be read: {reason_of(error)}") from error
    return network.eval().requires_grad_(False), training


def begin_with(network: ReJSHand, path: Path) -> None:
    """Give a network the weights of a trained one, wherever their shapes agree.

    Args:
        network: Changed.
        path: A .safetensors file as training and `rejshand export-model` write it.

    Raises:
        ModelFileError: It is missing, unreadable or of another architecture.
    """
    trained, theirs = load_network(path)
    ours = network.config
    for name in ("backbone", "head", "width", "fine_level"):
        if getattr(theirs, name) != getattr(ours, name):
            raise ModelFileError(
                f"weights {path} to start from have {name} {getattr(theirs, name)};"
                f" {getattr(ours, name)} is needed"
            )
    own = network.state_dict()
    fitting = {
        name: value
        for name, value in trained.state_dict().items()
        if name in own and own[name].shape == value.shape
    }
    network.load_state_dict(fitting, strict=False)


def averaged_copy(network: ReJSHand) -> ReJSHand:
    """A copy to average into."""
    average = copy.deepcopy(network).eval()
    return average.requires_grad_(False)


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """Move the average towards the network; early steps average over what there is so far."""
    decay = min(decay, (1.0 + step) / (10.0 + step))
    ours = [p for p in average.state_dict().values() if p.dtype.is_floating_point]
    theirs = [p for p in network.state_dict().values() if p.dtype.is_floating_point]
    torch._foreach_mul_(ours, decay)
    torch._foreach_add_(ours, theirs, alpha=1.0 - decay)
