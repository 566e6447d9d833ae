"""How a run goes through its time: learning rate, progress, and what takes the steps."""

from __future__ import annotations

import math
import time
from typing import Any

import torch

from rejshand_ros.training.config import ScheduleConfig


def learning_rate(schedule: ScheduleConfig, progress: float) -> float:
    """The rate at a share of the run (0..1)."""
    if progress < schedule.warm_up:
        return schedule.rate * max(progress / schedule.warm_up, 1e-3)
    if schedule.name == "paper":
        return schedule.rate * (1.0 if progress < 0.5 else 0.1)
    done = (progress - schedule.warm_up) / (1.0 - schedule.warm_up)
    return schedule.rate * 0.5 * (1.0 + math.cos(math.pi * min(done, 1.0)))


class RunClock:
    """Turns steps or elapsed time to progress."""

    def __init__(self, schedule: ScheduleConfig, done: float) -> None:
        """Start.

        Args:
            schedule: Steps, or minutes, of the whole run.
            done: Share of the run that an earlier process did (0..1).
        """
        self._schedule = schedule
        self._from, self._start = done, time.monotonic()

    def progress(self, step: int) -> float:
        """The share of the run (0..1) that is done after so many steps."""
        if self._schedule.minutes <= 0:
            return step / self._schedule.steps
        share = (time.monotonic() - self._start) / (60.0 * self._schedule.minutes)
        return min(self._from + share, 1.0)


def make_optimiser(network: torch.nn.Module, schedule: ScheduleConfig) -> torch.optim.Optimizer:
    """The optimiser of a run: the backbone at a rate of its own, vectors without decay."""
    groups: list[dict[str, Any]] = []
    for inside, share in ((True, schedule.backbone_rate), (False, 1.0)):
        chosen = [
            p
            for name, p in network.named_parameters()
            if p.requires_grad and name.startswith("backbone.") is inside
        ]
        # Biases, norms and other vectors are not decayed.
        matrices = [p for p in chosen if p.ndim > 1]
        vectors = [p for p in chosen if p.ndim <= 1]
        groups += [
            {"params": matrices, "weight_decay": schedule.weight_decay, "share": share},
            {"params": vectors, "weight_decay": 0.0, "share": share},
        ]
    if schedule.optimiser == "adam":
        for group in groups:
            group["weight_decay"] = 0.0
        return torch.optim.Adam(groups, lr=schedule.rate)
    return torch.optim.AdamW(groups, lr=schedule.rate)
