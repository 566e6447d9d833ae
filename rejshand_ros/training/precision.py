"""Half-precision training: which arithmetic, and a scaler for gradients that would underflow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from rejshand_ros.training.config import ScheduleConfig


@dataclass(frozen=True)
class Precision:
    """The arithmetic of a run on a device.

    float16 keeps more digits than bfloat16 but fewer orders of magnitude, so its losses are
    scaled up before gradients are taken, and a step whose gradients overflow is left out.

    Attributes:
        device: Where the network runs.
        half: torch.bfloat16 or torch.float16; None for single precision throughout.
    """

    device: torch.device
    half: torch.dtype | None

    @classmethod
    def of(cls, schedule: ScheduleConfig, device: torch.device) -> Precision:
        """What a schedule asks for on a device."""
        if not schedule.amp:
            return cls(device, None)
        name = schedule.amp_type
        if name == "auto":
            name = "float16" if device.type == "cuda" else "bfloat16"
        return cls(device, torch.float16 if name == "float16" else torch.bfloat16)

    def arithmetic(self) -> Any:
        """Context in which the network and its losses are computed."""
        return torch.autocast(
            self.device.type, self.half or torch.bfloat16, enabled=self.half is not None
        )

    def scaler(self) -> torch.amp.GradScaler:
        """Scales losses where float16 is used and does nothing elsewhere."""
        return torch.amp.GradScaler(self.device.type, enabled=self.half == torch.float16)
