"""The backbone: any of a few timm networks, brought to the head's width by an adapter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import timm
import torch
from timm.models import group_parameters
from torch import Tensor, nn

from rejshand_ros.errors import ModelFileError
from rejshand_ros.network.config import NetworkConfig


class Backbone(nn.Module):
    """Crop to features, at the backbone's own width.

    Args:
        config: Names the backbone and says whether its finer level is wanted too.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.fine = config.fine_level
        self.body = make_body(config.backbone, config.pretrained, config.pretrained_file)
        reductions = [(info["reduction"], i) for i, info in enumerate(self._info())]
        self._fine_index = next(i for reduction, i in reductions if reduction == 16)
        with torch.no_grad():
            sample = torch.zeros(1, 3, config.input_size, config.input_size)
            was_training = self.training
            self.eval()
            coarse, fine = self(sample)
            self.train(was_training)
        self.coarse_width = int(coarse.shape[1])
        self.fine_width = int(fine.shape[1]) if fine is not None else 0

    def _info(self) -> list[dict[str, Any]]:
        info = self.body.feature_info
        return list(getattr(info, "info", info))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Features of images (N, 3, S, S): (N, C, S/32, S/32), and (N, C', S/16, S/16) or None."""
        if not self.fine:
            return self.body.forward_features(images), None
        coarse, levels = self.body.forward_intermediates(images, indices=[self._fine_index])
        return coarse, levels[0]


class Adapter(nn.Module):
    """Brings a backbone's features to the head's width by 1x1 convolutions.

    Where there is a finer level, both are brought to the width and added on the finer grid.

    Args:
        coarse_width: Channels of the coarse level.
        fine_width: Channels of the finer level; 0 for none.
        width: Channels that the head takes.
    """

    def __init__(self, coarse_width: int, fine_width: int, width: int) -> None:
        super().__init__()
        needed = coarse_width != width or fine_width > 0
        self.coarse: nn.Module = (
            nn.Conv2d(coarse_width, width, 1, bias=False) if needed else nn.Identity()
        )
        self.fine: nn.Module | None = (
            nn.Conv2d(fine_width, width, 1, bias=False) if fine_width else None
        )
        self.norm: nn.Module = (
            nn.Sequential(nn.BatchNorm2d(width), nn.ReLU(inplace=True)) if needed else nn.Identity()
        )

    def forward(self, coarse: Tensor, fine: Tensor | None) -> Tensor:
        """(N, C, h, h) and (N, C', 2h, 2h) or None to F_B (N, width, h or 2h, same)."""
        features = self.coarse(coarse)
        if self.fine is not None and fine is not None:
            features = nn.functional.interpolate(
                features, scale_factor=2.0, mode="bilinear", align_corners=False
            ) + self.fine(fine)
        return self.norm(features)


def make_body(name: str, pretrained: bool = False, pretrained_file: str = "") -> Any:
    """A timm network without what classified images: features only.

    Args:
        name: As timm calls it.
        pretrained: Start from timm's ImageNet weights (downloaded by timm).
        pretrained_file: Start from this local file instead; empty for none.

    Raises:
        ModelFileError: The local file is missing, unreadable or of another network.
    """
    body: Any = timm.create_model(
        name, pretrained=pretrained and not pretrained_file, num_classes=0, global_pool=""
    )
    if pretrained_file:
        _load_local(body, Path(pretrained_file))
    # timm keeps some of the classifier behind the feature map.
    for part in ("conv_head", "norm_head", "bn2", "head"):
        if hasattr(body, part):
            setattr(body, part, nn.Identity())
    return body


def freeze_stages(body: Any, stages: int) -> tuple[nn.Module, ...]:
    """Keep a backbone's first stages as they are.

    What a pretrained stem sees (edges, colours) serves hands as well, and leaving it alone saves
    the most expensive half of the backward pass: that at the highest resolution.

    Args:
        body: A timm network; its parameters of those stages lose their gradients.
        stages: How many, the stem counted as the first; 0 for none.

    Returns:
        The modules of those stages, to be held in evaluation mode while the others train.
    """
    if stages <= 0:
        return ()
    stage_of = group_parameters(body, body.group_matcher(coarse=True), reverse=True)
    frozen: list[nn.Module] = []
    for name, module in body.named_modules():
        own = dict(module.named_parameters(recurse=False))
        names = [f"{name}.{key}" if name else key for key in own]
        if own and all(int(stage_of[key]) < stages for key in names):
            module.requires_grad_(False)
            frozen.append(module)
    return tuple(frozen)


def _load_local(body: nn.Module, path: Path) -> None:
    """Load a backbone's weights from a local .safetensors or .pth file.

    Raises:
        ModelFileError: The file is missing, unreadable or of another backbone.
    """
    if not path.is_file():
        raise ModelFileError(f"backbone weights {path} are missing")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            state = load_file(str(path))
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
            state = state.get("state_dict", state)
    except Exception as error:
        raise ModelFileError(f"backbone weights {path} cannot be read: {error}") from error
    # How many batches a norm has seen counts for nothing, and older files lack it.
    own = {k: v for k, v in body.state_dict().items() if not k.endswith("num_batches_tracked")}
    fitting = {k: v for k, v in state.items() if k in own and v.shape == own[k].shape}
    if len(fitting) < 0.9 * len(own):
        raise ModelFileError(
            f"backbone weights {path} fit {len(fitting)} of {len(own)} tensors; another backbone's?"
        )
    body.load_state_dict(fitting, strict=False)
