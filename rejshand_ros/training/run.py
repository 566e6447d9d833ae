"""`rejshand train`: a run from the command line, with a progress bar and TensorBoard scalars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from rejshand_ros.network.checkpoint import save_network
from rejshand_ros.network.rejshand import ReJSHand
from rejshand_ros.training.augment import NO_AUGMENTATION, draw_sample
from rejshand_ros.training.batches import Batch, Source
from rejshand_ros.training.config import TrainConfig, load_train_config
from rejshand_ros.training.loop import predict_store, train
from rejshand_ros.training.metrics import relative_error_2d
from rejshand_ros.training.sources import load_sources
from rejshand_ros.training.state import TrainState


def run_training(path: Path | None, overrides: Sequence[str] = ()) -> TrainState:
    """Train as a configuration says, or go on with the run in its folder.

    Args:
        path: YAML file, or None for the defaults.
        overrides: Such as ``"schedule.rate=5e-4"``.
    """
    config = load_train_config(path, overrides)
    training, held_out = load_sources(config.data)
    for source in training:
        hands = int(source.store.has_hand.sum())
        print(f"{source.name}: {hands} hands, {len(source.store) - hands} without", flush=True)
    out = Path(config.out)
    with _Watch(config, held_out) as watch:
        state = train(config, training, report=watch.report)
    facts = {"training": {"steps": state.step, "config": asdict(config)}}
    save_network(state.average, out / "average.safetensors", facts)
    print(f"{state.step} steps; weights in {out / 'average.safetensors'}", flush=True)
    return state


def validation_batches(source: Source, size: int, batch: int = 64) -> list[Batch]:
    """All hands of a source as the tracker would cut them, in batches."""
    rng = np.random.default_rng(0)
    hands = np.flatnonzero(source.store.has_hand)
    samples = [draw_sample(source.store, int(i), size, NO_AUGMENTATION, rng) for i in hands]
    return [Batch.of(samples[i : i + batch]) for i in range(0, len(samples), batch)]


class _Watch:
    """Shows how a run is doing."""

    def __init__(self, config: TrainConfig, held_out: list[Source]) -> None:
        self._config = config
        self._size = config.network.input_size
        self._batches = [b for s in held_out for b in validation_batches(s, self._size)]
        self._bar: Any = None
        self._writer: Any = None

    def __enter__(self) -> _Watch:
        from tqdm import tqdm

        try:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(Path(self._config.out) / "tensorboard"))
        except ImportError:
            print("tensorboard is not installed: no scalars are written", flush=True)
        self._bar = tqdm(total=1000, unit="‰", mininterval=20.0, dynamic_ncols=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()
        if self._writer is not None:
            self._writer.close()

    def report(self, step: int, values: dict[str, float], average: ReJSHand) -> None:
        """Show values; now and then look at the held-out groups too."""
        every = self._config.validate_every
        if self._batches and every and step % every == 0:
            values = {**values, **self._validate(average)}
        if self._writer is not None:
            for name, value in values.items():
                self._writer.add_scalar(name, value, step)
        self._bar.update(round(1000 * values["progress"]) - self._bar.n)
        shown = "  ".join(f"{k} {v:.4g}" for k, v in values.items() if k != "progress")
        self._bar.write(f"step {step}  progress {values['progress']:.3f}  {shown}")

    def _validate(self, average: ReJSHand) -> dict[str, float]:
        answers, labels = predict_store(average, self._batches)
        box = np.full(len(answers["keypoints_2d"]), 1.0)
        error = relative_error_2d(answers["keypoints_2d"], labels["keypoints_2d"], box)
        known = np.isfinite(labels["keypoints_3d"][:, 0, 0])
        gap = answers["keypoints_3d"][known] - labels["keypoints_3d"][known]
        return {
            "held_out/median_2d": float(np.median(error)),
            "held_out/pck_2d_0.1": float((error < 0.1).mean()),
            "held_out/mpjpe_mm": float(np.linalg.norm(gap, axis=2).mean() * 1e3),
            "held_out/right": float((answers["right_logit"] > 0).mean()),
        }
