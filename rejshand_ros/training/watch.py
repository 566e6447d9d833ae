"""Shows how a run is doing: a progress bar, a log, TensorBoard's scalars and pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from rejshand_ros.network.rejshand import ReJSHand
from rejshand_ros.training.augment import NO_AUGMENTATION, draw_sample
from rejshand_ros.training.batches import Batch, Source
from rejshand_ros.training.config import TrainConfig
from rejshand_ros.training.loop import predict_store
from rejshand_ros.training.metrics import relative_error_2d
from rejshand_ros.training.pictures import answer_sheet
from rejshand_ros.training.sources import TrainingData

_PICTURES = 16


class Watch:
    """What `train` reports to; use as a context manager.

    Args:
        config: The run.
        data: Its data; where nothing is held out, the pictures show training samples.
    """

    def __init__(self, config: TrainConfig, data: TrainingData) -> None:
        self._config = config
        size = config.network.input_size
        self._batches = [b for s in data.held_out for b in validation_batches(s, size)]
        shown = self._batches or validation_batches(data.training[0], size, most=_PICTURES)
        self._shown = shown[0] if shown else None
        self._out = Path(config.out)
        self._bar: Any = None
        self._writer: Any = None

    def __enter__(self) -> Watch:
        from tqdm import tqdm

        self._out.mkdir(parents=True, exist_ok=True)
        try:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(self._out / "tensorboard"))
        except ImportError:
            print("tensorboard is not installed: no scalars and pictures are written", flush=True)
        self._bar = tqdm(total=1000, unit="‰", mininterval=20.0, dynamic_ncols=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()
        if self._writer is not None:
            self._writer.close()

    def report(self, step: int, values: dict[str, float], average: ReJSHand) -> None:
        """Show values; now and then look at the held-out groups and draw some hands too."""
        every = self._config.validate_every
        if every and step % every == 0:
            if self._batches:
                values = {**values, **self._validate(average)}
            if self._shown is not None and self._writer is not None:
                sheet = answer_sheet(average, self._shown, most=_PICTURES)
                self._writer.add_image("hands", sheet, step, dataformats="HWC")
        if self._writer is not None:
            for name, value in values.items():
                self._writer.add_scalar(name, value, step)
        with (self._out / "log.jsonl").open("a") as log:
            log.write(json.dumps({"step": step, **values}) + "\n")
        self._bar.update(round(1000 * values["progress"]) - self._bar.n)
        shown = "  ".join(f"{k} {v:.4g}" for k, v in values.items() if k != "progress")
        self._bar.write(f"step {step}  progress {values['progress']:.3f}  {shown}")

    def _validate(self, average: ReJSHand) -> dict[str, float]:
        answers, labels = predict_store(average, self._batches)
        box = np.full(len(answers["keypoints_2d"]), 1.0)
        error = relative_error_2d(answers["keypoints_2d"], labels["keypoints_2d"], box)
        values = {
            "held_out/median_2d": float(np.median(error)),
            "held_out/pck_2d_0.1": float((error < 0.1).mean()),
            "held_out/right": float((answers["right_logit"] > 0).mean()),
        }
        known = np.isfinite(labels["keypoints_3d"][:, 0, 0])
        if known.any():
            gap = answers["keypoints_3d"][known] - labels["keypoints_3d"][known]
            values["held_out/mpjpe_mm"] = float(np.linalg.norm(gap, axis=2).mean() * 1e3)
        return values


def validation_batches(
    source: Source, size: int, batch: int = 64, most: int | None = None
) -> list[Batch]:
    """Hands of a source as the tracker would cut them, in batches.

    Args:
        source: Where they come from.
        size: Side of the network's input, pixels.
        batch: Hands a batch.
        most: Take no more than this many; None for all.
    """
    rng = np.random.default_rng(0)
    hands = np.flatnonzero(source.store.has_hand)[:most]
    samples = [draw_sample(source.store, int(i), size, NO_AUGMENTATION, rng) for i in hands]
    return [Batch.of(samples[i : i + batch]) for i in range(0, len(samples), batch)]
