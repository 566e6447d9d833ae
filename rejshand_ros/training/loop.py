"""The training loop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rejshand_ros.errors import ConfigError, InputError, unknown_choice
from rejshand_ros.network.build import build_network
from rejshand_ros.network.rejshand import NetworkOutput, ReJSHand
from rejshand_ros.training.batches import Batch, BatchMaker, Source, prefetched
from rejshand_ros.training.config import ScheduleConfig, TrainConfig
from rejshand_ros.training.losses import Targets, losses, place_loss
from rejshand_ros.training.state import TrainState, averaged_copy, update_average

Report = Callable[[int, dict[str, float], ReJSHand], None]


def learning_rate(schedule: ScheduleConfig, progress: float) -> float:
    """The rate at a share of the run (0..1)."""
    if progress < schedule.warm_up:
        return schedule.rate * max(progress / schedule.warm_up, 1e-3)
    if schedule.name == "paper":
        return schedule.rate * (1.0 if progress < 0.5 else 0.1)
    done = (progress - schedule.warm_up) / (1.0 - schedule.warm_up)
    return schedule.rate * 0.5 * (1.0 + math.cos(math.pi * min(done, 1.0)))


def make_state(config: TrainConfig) -> TrainState:
    """A run's beginning: random (or pretrained) weights, drawn by the seed."""
    torch.manual_seed(config.seed)
    network = build_network(config.network).to(pick_device(config.device))
    return TrainState(network, averaged_copy(network), _optimiser(network, config.schedule))


def pick_device(name: str) -> torch.device:
    """The device of a name: ``auto`` takes the GPU where there is one."""
    if name not in ("auto", "cpu", "cuda"):
        raise unknown_choice("device", name, ("auto", "cpu", "cuda"))
    found = torch.cuda.is_available()
    if name == "cuda" and not found:
        raise ConfigError("device 'cuda': torch sees no NVIDIA GPU here; valid: auto, cpu")
    return torch.device("cuda" if found and name != "cpu" else "cpu")


def train(
    config: TrainConfig,
    sources: list[Source],
    *,
    report: Report | None = None,
    stop_after: int | None = None,
) -> TrainState:
    """Train from the beginning, or from where the run in ``config.out`` stopped.

    Args:
        config: The run.
        sources: Its data.
        report: Called with the step, mean values and averaged weights every ``log_every`` steps.
        stop_after: Stop (and save) after this step, as an interruption would.

    Returns:
        The run's end.

    Raises:
        InputError: The loss is not a number.
        ModelFileError: The checkpoint to go on from is unreadable or of another architecture.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    state = make_state(config)
    path = Path(config.out) / "last.pt"
    if path.is_file():
        state.restore(path)
    maker = BatchMaker(
        sources, config.network.input_size, config.schedule.batch, config.augment, config.seed
    )
    clock = _Clock(config.schedule, state)
    batches = prefetched(maker, state.step)
    sums: dict[str, float] = {}
    try:
        for batch in batches:
            if state.progress >= 1.0 or (stop_after is not None and state.step >= stop_after):
                break
            values = train_step(state, batch, config)
            for name, value in values.items():
                sums[name] = sums.get(name, 0.0) + value / config.log_every
            state.progress = clock.progress(state.step)
            if state.step % config.log_every == 0:
                if report is not None:
                    report(state.step, {**sums, "progress": state.progress}, state.average)
                sums = {}
            if state.step % config.save_every == 0:
                state.save(path)
    finally:
        batches.close()  # type: ignore[attr-defined]
        if state.step:
            state.save(path)
    return state


def train_step(state: TrainState, batch: Batch, config: TrainConfig) -> dict[str, float]:
    """One step on one batch; returns the losses, the rate and the gradient's norm."""
    schedule = config.schedule
    rate = learning_rate(schedule, state.progress)
    for group in state.optimiser.param_groups:
        group["lr"] = rate
    network = state.network.train()
    device = next(network.parameters()).device
    targets = Targets(
        **{f.name: torch.from_numpy(getattr(batch, f.name)).to(device) for f in fields(Targets)}
    )
    images = torch.from_numpy(batch.images).to(device)
    with torch.autocast(device.type, torch.bfloat16, enabled=schedule.amp):
        parts = _forward(
            network, images, targets, config, flat=state.progress < schedule.flat_until
        )
    total = parts["total"]
    if not torch.isfinite(total):
        raise InputError(
            f"the loss of step {state.step + 1} is {total.item()}; finite images, labels and a"
            f" rate below {rate:g} are needed"
        )
    state.optimiser.zero_grad(set_to_none=True)
    total.backward()
    norm = torch.nn.utils.clip_grad_norm_(network.parameters(), schedule.clip or math.inf)
    state.optimiser.step()
    state.step += 1
    if schedule.ema:
        update_average(state.average, network, schedule.ema, state.step)
    else:
        state.average.load_state_dict(network.state_dict())
    values = {name: float(value.detach()) for name, value in parts.items()}
    return {**values, "rate": rate, "gradient": float(norm)}


def _forward(
    network: ReJSHand, images: Tensor, targets: Targets, config: TrainConfig, *, flat: bool
) -> dict[str, Tensor]:
    """The network on a batch, its 3D part on as many samples as the schedule says; the losses."""
    features = network.features(images)
    maps = network.keypoint_generator_2d.maps(features)
    keypoints_2d = network.keypoint_generator_2d.coordinates(maps)
    presence, right = network.presence_side(features)
    most = config.schedule.lift_most or len(images)
    lacking = torch.isnan(targets.keypoints_3d[:, 0, 0])
    lifted = torch.argsort(lacking.to(torch.int8), stable=True)[: 0 if flat else most]
    keypoints_3d = torch.zeros_like(targets.keypoints_3d)
    vertices = torch.zeros_like(targets.vertices)
    if len(lifted):
        some_keypoints, some_vertices = network.lift(features[lifted], keypoints_2d[lifted])
        keypoints_3d = keypoints_3d.index_copy(0, lifted, some_keypoints.float())
        vertices = vertices.index_copy(0, lifted, some_vertices.float())
    left_out = torch.ones(len(images), dtype=torch.bool, device=images.device)
    left_out[lifted] = False
    labels = replace(
        targets,
        keypoints_3d=targets.keypoints_3d.masked_fill(left_out[:, None, None], math.nan),
        vertices=targets.vertices.masked_fill(left_out[:, None, None], math.nan),
    )
    output = NetworkOutput(
        keypoints_2d.float(), keypoints_3d, vertices, presence.float(), right.float()
    )
    parts = losses(output, labels, config.losses, lifted=~left_out)
    if config.losses.place and config.network.expected_coordinates:
        place = place_loss(maps[:, :, 0].float(), targets.keypoints_2d, targets.weight)
        parts = {**parts, "total": parts["total"] + config.losses.place * place, "place": place}
    return parts


class _Clock:
    """Turns steps or elapsed time to progress."""

    def __init__(self, schedule: ScheduleConfig, state: TrainState) -> None:
        self._schedule = schedule
        self._from, self._start = state.progress, time.monotonic()

    def progress(self, step: int) -> float:
        if self._schedule.minutes <= 0:
            return step / self._schedule.steps
        share = (time.monotonic() - self._start) / (60.0 * self._schedule.minutes)
        return min(self._from + share, 1.0)


def _optimiser(network: torch.nn.Module, schedule: ScheduleConfig) -> torch.optim.Optimizer:
    # Biases, norms and other vectors are not decayed.
    matrices = [p for p in network.parameters() if p.ndim > 1]
    vectors = [p for p in network.parameters() if p.ndim <= 1]
    if schedule.optimiser == "adam":
        return torch.optim.Adam([*matrices, *vectors], lr=schedule.rate)
    groups: list[dict[str, Any]] = [
        {"params": matrices, "weight_decay": schedule.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=schedule.rate)


def predict_store(
    network: torch.nn.Module, batches: list[Batch]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Answers and labels of some batches, joined; for validation while training."""
    device = next(network.parameters()).device
    answers: dict[str, list[np.ndarray]] = {}
    labels: dict[str, list[np.ndarray]] = {}
    network.eval()
    with torch.inference_mode():
        for batch in batches:
            output = network(torch.from_numpy(batch.images).to(device))
            for name, value in output._asdict().items():
                answers.setdefault(name, []).append(value.float().cpu().numpy())
            for label in fields(Targets):
                labels.setdefault(label.name, []).append(getattr(batch, label.name))
    join = np.concatenate
    return {k: join(v) for k, v in answers.items()}, {k: join(v) for k, v in labels.items()}
