"""Several processes that train one network as if they were one, started by torchrun.

Every process holds the whole network and a part of each batch. Means over a batch (losses, batch
norm) are taken over all parts, so that the loss and the gradient are those of one process with
the whole batch.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from rejshand_ros.errors import ConfigError


@dataclass(frozen=True)
class Processes:
    """The processes of a run, seen from one of them.

    Attributes:
        rank: Number of this one, 0 the first, which alone writes files.
        count: How many there are.
        local_rank: Number of this one on its machine, which is the GPU that it takes.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0

    @property
    def first(self) -> bool:
        """Whether this process writes files and messages."""
        return self.rank == 0

    def part(self, whole: int) -> int:
        """This process's share of a batch.

        Raises:
            ConfigError: The batch cannot be shared out evenly.
        """
        if whole % self.count:
            raise ConfigError(
                f"schedule.batch {whole} for {self.count} processes; valid: a multiple of them"
            )
        return whole // self.count

    def mean(self, value: Tensor) -> Tensor:
        """The mean over all processes of a tensor that carries no gradient."""
        if self.count == 1:
            return value
        value = value.detach().float().clone()
        dist.all_reduce(value)
        return value / self.count

    def of_first(self, value: float, device: torch.device) -> float:
        """The first process's number, so that all agree on it."""
        if self.count == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64, device=device)
        dist.broadcast(shared, 0)
        return float(shared)

    def average_gradients(self, network: nn.Module) -> None:
        """Replace every gradient by its mean over all processes."""
        if self.count == 1:
            return
        gradients = [p.grad for p in network.parameters() if p.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(flat)
        flat /= self.count
        parts = flat.split([gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def wait(self) -> None:
        """Until all processes are here."""
        if self.count > 1:
            dist.barrier()


ALONE = Processes()
"""One process, as without torchrun."""


@contextmanager
def joined_processes(device: str) -> Iterator[Processes]:
    """Join the processes that torchrun started (by its environment variables), if it did.

    Args:
        device: ``auto``, ``cpu`` or ``cuda``; GPUs speak over NCCL, CPUs over gloo.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield ALONE
        return
    processes = Processes(
        int(os.environ["RANK"]), count, int(os.environ.get("LOCAL_RANK", os.environ["RANK"]))
    )
    gpu = device != "cpu" and torch.cuda.is_available()
    if gpu:
        torch.cuda.set_device(processes.local_rank)
    dist.init_process_group("nccl" if gpu else "gloo")
    try:
        yield processes
    finally:
        dist.destroy_process_group()


class _Sum(torch.autograd.Function):
    """Sum over all processes; each one's gradient is the sum of all of theirs."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        total = value.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        dist.all_reduce(total)
        return total


class SharedBatchNorm(nn.BatchNorm2d):
    """Batch norm over the parts of all processes.

    torch's own SyncBatchNorm runs on GPUs alone, and drops the activation that timm's layers
    hold; this one is the same everywhere.

    Args:
        layer: The layer that it stands in for; parameters and buffers are its own.
        processes: Who shares the batch.
    """

    def __init__(self, layer: nn.BatchNorm2d, processes: Processes) -> None:
        super().__init__(layer.num_features, layer.eps, layer.momentum, layer.affine)
        self.weight, self.bias = layer.weight, layer.bias
        for name, value in layer.named_buffers():
            setattr(self, name, value)
        self._processes = processes
        # timm's norm layers end in an activation of their own.
        self.drop = getattr(layer, "drop", nn.Identity())
        self.act = getattr(layer, "act", nn.Identity())

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        """(N, C, h, w) to the same shape."""
        if not self.training:
            answer = super().forward(input)
        else:
            answer = self._over_all(input.float()).to(input.dtype)
        return self.act(self.drop(answer))

    def _over_all(self, values: Tensor) -> Tensor:
        count = values.numel() // values.shape[1] * self._processes.count
        mean = _Sum.apply(values.sum(dim=(0, 2, 3))) / count
        centred = values - mean[:, None, None]
        variance = _Sum.apply(centred.square().sum(dim=(0, 2, 3))) / count
        with torch.no_grad():
            self.num_batches_tracked += 1
            share = self.momentum
            self.running_mean.lerp_(mean, share)
            self.running_var.lerp_(variance * (count / (count - 1)), share)
        answer = centred * (variance + self.eps).rsqrt()[:, None, None]
        return answer * self.weight[:, None, None] + self.bias[:, None, None]


def share_batch_norm(network: nn.Module, processes: Processes) -> None:
    """Put `SharedBatchNorm` in every batch norm's place, where there are several processes."""
    if processes.count == 1:
        return
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(parent, name, SharedBatchNorm(child, processes).train(child.training))
