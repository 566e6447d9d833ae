"""The training loop."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rejshand_ros.errors import ConfigError, InputError, unknown_choice
from rejshand_ros.hand.hand_mesh import HandMesh
from rejshand_ros.network.backbone import freeze_stages
from rejshand_ros.network.build import build_network
from rejshand_ros.network.rejshand import NetworkOutput, ReJSHand
from rejshand_ros.training.batches import Batch, BatchMaker, Source, prefetched
from rejshand_ros.training.config import TrainConfig
from rejshand_ros.training.device_batches import DeviceBatchMaker, endless
from rejshand_ros.training.losses import Targets, losses, place_loss
from rejshand_ros.training.precision import Precision
from rejshand_ros.training.processes import ALONE, Processes, share_batch_norm
from rejshand_ros.training.schedule import RunClock, learning_rate, make_optimiser
from rejshand_ros.training.state import (
    TrainState,
    averaged_copy,
    begin_with,
    update_average,
)

Report = Callable[[int, dict[str, float], ReJSHand], None]


def make_state(config: TrainConfig, mesh: HandMesh | None = None) -> TrainState:
    """A run's beginning: random (or pretrained) weights, drawn by the seed; see `train`."""
    torch.manual_seed(config.seed)
    device = pick_device(config.device)
    network = build_network(config.network, mesh)
    if config.start:
        begin_with(network, Path(config.start))
    network = network.to(device)
    if config.schedule.channels_last:
        network = network.to(memory_format=torch.channels_last)
    average = averaged_copy(network)
    frozen = freeze_stages(network.backbone.body, config.schedule.frozen_stages)
    precision = Precision.of(config.schedule, device)
    return TrainState(
        network,
        average,
        make_optimiser(network, config.schedule),
        frozen=frozen,
        scaler=precision.scaler(),
    )


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
    processes: Processes = ALONE,
    mesh: HandMesh | None = None,
) -> TrainState:
    """Train from the beginning, or from where the run in ``config.out`` stopped.

    Args:
        config: The run.
        sources: Its data.
        report: Called with the step, mean values and averaged weights every ``log_every`` steps.
        stop_after: Stop (and save) after this step, as an interruption would.
        processes: Those that train as one; only the first reports and saves.
        mesh: The hand mesh that the data's vertices are those of; the project's own by default.

    Returns:
        The run's end.

    Raises:
        InputError: The loss is not a number.
        ModelFileError: The checkpoint to go on from is unreadable or of another architecture, or
            too many images cannot be read.
        ConfigError: The batch cannot be shared out among the processes.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    processes.part(config.schedule.batch)
    state = make_state(config, mesh)
    path = Path(config.out) / "last.pt"
    if path.is_file():
        state.restore(path)
    share_batch_norm(state.network, processes)
    device = next(state.network.parameters()).device
    maker, batches = _batches(config, sources, state.step, device, processes)
    clock = RunClock(config.schedule, state.progress)
    sums: dict[str, float] = {}
    try:
        for batch in batches:
            if state.progress >= 1.0 or (stop_after is not None and state.step >= stop_after):
                break
            values = train_step(state, batch, config, processes)
            for name, value in values.items():
                sums[name] = sums.get(name, 0.0) + value / config.log_every
            state.progress = processes.of_first(clock.progress(state.step), device)
            if state.step % config.log_every == 0:
                if report is not None and processes.first:
                    sums["corrupt_images"] = float(maker.corrupt.count)
                    report(state.step, {**sums, "progress": state.progress}, state.average)
                sums = {}
            if state.step % config.save_every == 0 and processes.first:
                state.save(path)
    finally:
        batches.close()  # type: ignore[attr-defined]
        if state.step and processes.first:
            state.save(path)
    processes.wait()
    return state


def _batches(
    config: TrainConfig,
    sources: list[Source],
    first: int,
    device: torch.device,
    processes: Processes,
) -> tuple[BatchMaker | DeviceBatchMaker, Iterator[Batch]]:
    """What makes the batches, and the batches from step `first` on."""
    size, batch = config.network.input_size, config.schedule.batch
    if config.data.on_device:
        if processes.count > 1:
            raise ConfigError(
                f"data.on_device with {processes.count} processes; its batches are not shared out:"
                " valid with one process"
            )
        growing = Path(config.data.synthetic) if config.data.growing else None
        ours = DeviceBatchMaker(
            sources, size, batch, config.augment, device, config.seed, growing=growing
        )
        return ours, endless(ours, first)
    maker = BatchMaker(
        sources,
        size,
        batch,
        config.augment,
        config.seed,
        rank=processes.rank,
        processes=processes.count,
    )
    return maker, prefetched(maker, first)


def train_step(
    state: TrainState, batch: Batch, config: TrainConfig, processes: Processes = ALONE
) -> dict[str, float]:
    """One step on one batch; returns the losses, the rate and the gradient's norm.

    Args:
        state: The run, changed.
        batch: This process's part of the step's batch.
        config: The run's description.
        processes: Those that share the batch.

    Raises:
        InputError: The loss is not a number.
    """
    schedule = config.schedule
    rate = learning_rate(schedule, state.progress)
    for group in state.optimiser.param_groups:
        group["lr"] = rate * group["share"]
    network = state.network.train()
    for module in state.frozen:
        module.eval()
    device = next(network.parameters()).device
    targets = Targets(
        **{f.name: torch.as_tensor(getattr(batch, f.name)).to(device) for f in fields(Targets)}
    )
    images = torch.as_tensor(batch.images).to(device)
    if schedule.channels_last:
        images = images.contiguous(memory_format=torch.channels_last)
    with Precision.of(schedule, device).arithmetic():
        parts = _forward(
            network,
            images,
            targets,
            config,
            flat=state.progress < schedule.flat_until,
            processes=processes,
        )
    total = parts["total"]
    if not torch.isfinite(total):
        raise InputError(
            f"the loss of step {state.step + 1} is {total.item()}: {_why(batch, rate)}"
        )
    state.optimiser.zero_grad(set_to_none=True)
    state.scaler.scale(total).backward()
    processes.average_gradients(network)
    state.scaler.unscale_(state.optimiser)
    norm = torch.nn.utils.clip_grad_norm_(network.parameters(), schedule.clip or math.inf)
    # A gradient that overflowed half precision is left out, and the scale comes down.
    state.scaler.step(state.optimiser)
    state.scaler.update()
    state.step += 1
    if schedule.ema:
        update_average(state.average, network, schedule.ema, state.step)
    else:
        state.average.load_state_dict(network.state_dict())
    means = processes.mean(torch.stack([value.detach().float() for value in parts.values()]))
    values = dict(zip(parts, means.tolist(), strict=True))
    return {**values, "rate": rate, "gradient": float(norm)}


def _why(batch: Batch, rate: float) -> str:
    """What may have spoilt a loss that is not a number."""
    finite = torch.isfinite(torch.as_tensor(batch.images)).all(3).all(2).all(1)
    if not finite.all():
        bad = torch.nonzero(~finite)[:, 0].tolist()
        return f"images {bad} of the batch are not finite; finite ones are needed"
    # Labels that are no numbers count as unknown; the trust in them must be one.
    if not torch.isfinite(torch.as_tensor(batch.weight)).all():
        return f"weights {batch.weight.tolist()} of the batch; finite ones are needed"
    return (
        f"images and weights are finite, so training has diverged; a rate below {rate:g} is needed"
    )


def _forward(
    network: ReJSHand,
    images: Tensor,
    targets: Targets,
    config: TrainConfig,
    *,
    flat: bool,
    processes: Processes,
) -> dict[str, Tensor]:
    """The network on a batch, its 3D part on as many samples as the schedule says; the losses."""
    features = network.features(images)
    maps = network.keypoint_generator_2d.maps(features)
    keypoints_2d = network.keypoint_generator_2d.coordinates(maps)
    presence, right = network.presence_side(features)
    most = -(-config.schedule.lift_most // processes.count) or len(images)
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
    parts = losses(output, labels, config.losses, lifted=~left_out, across=processes.mean)
    if config.losses.place and config.network.expected_coordinates:
        place = place_loss(
            maps[:, :, 0].float(), targets.keypoints_2d, targets.weight, across=processes.mean
        )
        parts = {**parts, "total": parts["total"] + config.losses.place * place, "place": place}
    return parts


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
