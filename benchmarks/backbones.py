"""The paper's Table I and Fig. 1 with this project's own measurements.

Frames a second of one crop for every backbone and runtime, and accuracy for every set of trained
weights that is at hand: the shipped default, and those named by `--weights`. Time does not depend
on what the weights are, so backbones without trained weights are timed with random ones; no
accuracy stands beside them. Leaves out/bench/backbones.json, .md (the table) and .png (the figure).
"""

from __future__ import annotations

import argparse
import json
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.accuracy import unseen_hands
from benchmarks.backbones_figure import draw_figure
from benchmarks.report import DEFAULT_FOLDER, table, write_report
from rejshand_ros.inference.load import load_predictor, weights_facts, weights_file
from rejshand_ros.inference.predictor import Predictor
from rejshand_ros.network.build import build_network, count_parameters
from rejshand_ros.network.checkpoint import load_network, save_network
from rejshand_ros.network.config import PRESETS, NetworkConfig, network_preset
from rejshand_ros.network.export import export_openvino
from rejshand_ros.training import evaluate
from rejshand_ros.training.metrics import HandMetrics

_SAMPLES = 300
_SECONDS = 1.5
"""Of timing a runtime, after two runs that are not counted."""
_KEPT = Path("out/cache/backbones")


@dataclass(frozen=True)
class Row:
    """One network on one runtime.

    Attributes:
        network: Preset or name of the weights.
        config: Its architecture.
        runtime: Name of the runtime.
        frames_per_s: One crop at a time.
        head: Parameters of the paper's part.
        total: All parameters.
        accuracy: None where there are no trained weights.
    """

    network: str
    config: NetworkConfig
    runtime: str
    frames_per_s: float
    head: int
    total: int
    accuracy: HandMetrics | None


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser("backbones", description=main.__doc__)
    parser.add_argument(
        "--weights", action="append", default=[], metavar="NAME=PATH", help="further weights"
    )
    parser.add_argument("--presets", nargs="*", default=list(PRESETS), help="untrained ones too")
    parser.add_argument("--samples", type=int, default=_SAMPLES)
    given = parser.parse_args()
    torch.set_num_threads(2)
    trained = {"default": str(weights_file(None, ".xml"))}
    trained |= dict(item.split("=", 1) for item in given.weights)
    hands = unseen_hands(given.samples, 160, uniform_pose_share=0.35)
    rows: list[Row] = []
    constant: HandMetrics | None = None
    done: set[NetworkConfig] = set()
    for name, path in trained.items():
        config = NetworkConfig.from_dict(weights_facts(path)["network"])
        done.add(config)
        for predictor in _predictors(path):
            samples = evaluate.cut_upright(hands, predictor.input_size)
            answers = evaluate.answer(predictor, samples)
            constant = constant or evaluate.constant_hand_metrics(answers)
            rows.append(_row(name, config, predictor, evaluate.metrics_3d(answers)))
    for name in given.presets:
        config = network_preset(name)
        if config not in done:
            rows += [_row(name, config, p, None) for p in _predictors(_untrained(name, config))]
    assert constant is not None
    _report(rows, constant, given.samples)


def _predictors(weights: str | Path) -> list[Predictor]:
    """Every runtime that this machine has."""
    predictors = [
        load_predictor(weights, "torch-cpu"),
        load_predictor(weights, "cpu", precision="f32"),
    ]
    fastest = load_predictor(weights, "cpu", precision="auto")
    if fastest.runtime.name != predictors[1].runtime.name:
        predictors.append(fastest)
    if torch.cuda.is_available():
        predictors.append(load_predictor(weights, "cuda"))
    return predictors


def _untrained(name: str, config: NetworkConfig) -> Path:
    """Random weights of an architecture and their export, made once."""
    key = zlib.crc32(json.dumps(config.as_dict(), sort_keys=True).encode())
    path = _KEPT / f"{name}-{key:08x}.safetensors"
    if not path.with_suffix(".bin").is_file():
        torch.manual_seed(0)
        save_network(build_network(config), path)
        export_openvino(load_network(path)[0], path.with_suffix(".xml"))
    return path


def _row(
    name: str, config: NetworkConfig, predictor: Predictor, accuracy: HandMetrics | None
) -> Row:
    count = count_parameters(build_network(config))
    rate = 1.0 / _seconds_per_crop(predictor)
    return Row(name, config, predictor.runtime.name, rate, count.head, count.total, accuracy)


def _seconds_per_crop(predictor: Predictor) -> float:
    """Median time of one crop, from picture to hand."""
    size = predictor.input_size
    crop = np.random.default_rng(0).integers(0, 255, (1, size, size, 3), dtype=np.uint8)
    predictor.predict(crop)
    predictor.predict(crop)
    seconds: list[float] = []
    end = time.perf_counter() + _SECONDS
    while time.perf_counter() < end or len(seconds) < 5:
        begin = time.perf_counter()
        predictor.predict(crop)
        seconds.append(time.perf_counter() - begin)
    return float(np.median(seconds))


def _report(rows: Sequence[Row], constant: HandMetrics, samples: int) -> None:
    rows = sorted(rows, key=lambda row: (row.accuracy is None, row.total, row.frames_per_s))
    DEFAULT_FOLDER.mkdir(parents=True, exist_ok=True)
    page = DEFAULT_FOLDER / "backbones.md"
    page.write_text(markdown(rows, constant, samples))
    figure = DEFAULT_FOLDER / "backbones.png"
    points = [
        (
            f"{row.network} ({row.config.backbone})",
            row.runtime,
            row.frames_per_s,
            row.accuracy.pa_mpjpe_mm if row.accuracy else None,
        )
        for row in rows
    ]
    draw_figure(points, constant.pa_mpjpe_mm, figure)
    print(
        table(
            ("network", "backbone", "runtime", "frames/s", "PA-MPJPE mm"),
            [(*_names(row), row.frames_per_s, _number(row, "pa_mpjpe_mm")) for row in rows],
        )
    )
    shipped = [row for row in rows if row.network == "default" and row.accuracy]
    best = max(shipped, key=lambda row: row.frames_per_s)
    assert best.accuracy is not None
    figures: dict[str, Any] = {
        "default_frames_per_s": best.frames_per_s,
        "default_runtime": best.runtime,
        "default_pa_mpjpe_mm": best.accuracy.pa_mpjpe_mm,
        "constant_hand_pa_mpjpe_mm": constant.pa_mpjpe_mm,
    }
    details = {
        "rows": [
            {
                "network": row.network,
                "backbone": row.config.backbone,
                "input_size": row.config.input_size,
                "head": row.config.head,
                "runtime": row.runtime,
                "frames_per_s": row.frames_per_s,
                "parameters_head": row.head,
                "parameters": row.total,
                "accuracy": row.accuracy.as_dict() if row.accuracy else None,
            }
            for row in rows
        ]
    }
    write_report("backbones", figures, details)
    print(page, figure, sep="\n")


def markdown(rows: Sequence[Row], constant: HandMetrics, samples: int) -> str:
    """The table as the card shows it."""
    columns = (
        "network", "backbone, input", "runtime", "frames/s", "PA-MPJPE, mm", "PA-MPVPE, mm", "F@5",
        "F@15", "parameters (head)",
    )  # fmt: skip
    lines = [
        f"| {' | '.join(columns)} |",
        f"|{'---|' * len(columns)}",
    ]
    for row in rows:
        accuracy = [
            _number(row, name)
            for name in ("pa_mpjpe_mm", "pa_mpvpe_mm", "f5_aligned", "f15_aligned")
        ]
        network, backbone, runtime = _names(row)
        lines.append(
            f"| {network} | {backbone}, {row.config.input_size} | {runtime} |"
            f" {row.frames_per_s:.0f} | {' | '.join(accuracy)} |"
            f" {row.total / 1e6:.2f} M ({row.head / 1e6:.2f} M) |"
        )
    c = constant
    lines.append(
        f"| a constant hand | | | | {c.pa_mpjpe_mm:.1f} | {c.pa_mpvpe_mm:.1f} |"
        f" {c.f5_aligned:.3f} | {c.f15_aligned:.3f} | |"
    )
    lines.append(
        f"\n{samples} rendered hands in usual poses from seeds never trained on, upright; one crop"
        " at a time, two CPU threads. A dash: no weights of that architecture were trained."
    )
    return "\n".join(lines) + "\n"


def _names(row: Row) -> tuple[str, str, str]:
    return row.network, row.config.backbone, row.runtime


def _number(row: Row, name: str) -> str:
    if row.accuracy is None:
        return "-"
    value = getattr(row.accuracy, name)
    return f"{value:.1f}" if name.endswith("_mm") else f"{value:.3f}"


if __name__ == "__main__":
    main()
