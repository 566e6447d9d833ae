"""`rejshand train`, `evaluate` and `export-model`."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rejshand_ros.errors import (
    ConfigError,
    MissingDependencyError,
    ModelFileError,
    unknown_choice,
)
from rejshand_ros.inference.load import weights_facts

if TYPE_CHECKING:
    from rejshand_ros.inference.predictor import Predictor

_FORMATS = {"openvino": (".xml", ".bin"), "onnx": (".onnx",)}
"""Format -> endings of its files, the one to export to first."""


def require_torch() -> None:
    """Say what to install where torch or timm is missing.

    Raises:
        MissingDependencyError: One of them is not installed.
    """
    for name in ("torch", "timm"):
        if importlib.util.find_spec(name) is None:
            raise MissingDependencyError(
                f"{name} is not installed; install the training extra (requirements/training.txt)"
            )


def train_main(arguments: Sequence[str] | None = None) -> None:
    """Train the network, or go on with a run that was interrupted."""
    parser = argparse.ArgumentParser("rejshand train", description=train_main.__doc__)
    parser.add_argument(
        "config", nargs="?", type=Path, help="YAML, e.g. config/training/light.yaml"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="e.g. schedule.rate=5e-4"
    )
    given = parser.parse_args(arguments)
    # Threads that spin while they wait take each other's cores: a third of the speed on two. Read
    # when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    require_torch()
    from rejshand_ros.training.run import run_training

    run_training(given.config, given.set)


def evaluate_main(arguments: Sequence[str] | None = None) -> None:
    """Measure weights on labelled hands: FreiHAND, photographs (held-out groups), or shards."""
    parser = argparse.ArgumentParser("rejshand evaluate", description=evaluate_main.__doc__)
    parser.add_argument("--weights", default=None, help="name, path, or nothing for the default")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--freihand", type=Path, help="FreiHAND's folder; its evaluation set")
    parser.add_argument("--photographs", type=Path, help="folder with labels.jsonl")
    parser.add_argument("--synthetic", type=Path, help="folder of rendered shards")
    parser.add_argument("--cache", type=Path, default=Path("out/cache"))
    parser.add_argument("--out", type=Path, help="write the figures to this .json too")
    parser.add_argument("--pred", type=Path, help="write FreiHAND's pred.json (with --freihand)")
    given = parser.parse_args(arguments)
    if sum(map(bool, (given.freihand, given.photographs, given.synthetic))) != 1:
        raise ConfigError(
            "what to evaluate on; valid: one of --freihand, --photographs, --synthetic"
        )
    if given.pred and not given.freihand:
        raise ConfigError("--pred is FreiHAND's; it needs --freihand")
    from rejshand_ros.inference.load import load_predictor

    predictor = load_predictor(given.weights, given.device)
    figures = _on_freihand(given, predictor) if given.freihand else _on_crops(given, predictor)
    for name, value in figures.items():
        print(f"{name:20s} {value:.5g}")
    if given.out:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(json.dumps(figures, indent=2) + "\n")


def _on_freihand(given: argparse.Namespace, predictor: Predictor) -> dict[str, float]:
    from rejshand_ros.training import freihand_evaluation
    from rejshand_ros.training.freihand import load_freihand

    store = load_freihand(given.freihand, "evaluation", given.cache)
    answers = freihand_evaluation.answer_freihand(predictor, store)
    if given.pred:
        freihand_evaluation.write_pred(answers, given.pred)
        print(f"{given.pred}: {len(store)} hands")
    metrics = freihand_evaluation.freihand_metrics(answers, store).as_dict()
    if weights_facts(given.weights).get("mesh") != "mano":
        print("these weights answer with another mesh than MANO's: no errors of single vertices")
        metrics = {k: v for k, v in metrics.items() if "mpvpe" not in k and "verts" not in k}
    return {
        "hands": len(store),
        **metrics,
        "median_2d": float(np.median(answers.error_2d)),
        "pck_2d_0.1": float((answers.error_2d <= 0.1).mean()),
        "side_accuracy": float((answers.right > 0.5).mean()),
    }


def _on_crops(given: argparse.Namespace, predictor: Predictor) -> dict[str, float]:
    from rejshand_ros.training import evaluate
    from rejshand_ros.training.photographs import load_photographs
    from rejshand_ros.training.synthetic import load_synthetic

    if given.photographs:
        _, store = load_photographs(given.photographs, given.cache)
    else:
        store = load_synthetic(given.synthetic)
    answers = evaluate.answer(predictor, evaluate.cut_upright(store, predictor.input_size))
    error = evaluate.errors_2d(answers)
    return {
        "hands": len(error),
        **evaluate.metrics_3d(answers).as_dict(),
        "median_2d": float(np.median(error)),
        "pck_2d_0.1": float((error <= 0.1).mean()),
        "side_accuracy": float((answers.right > 0.5).mean()),
    }


def export_main(arguments: Sequence[str] | None = None) -> None:
    """Turn a run's checkpoint (last.pt) or a weights file into shippable weights."""
    parser = argparse.ArgumentParser("rejshand export-model", description=export_main.__doc__)
    parser.add_argument("source", type=Path, help="last.pt of a run, or a .safetensors file")
    parser.add_argument("--out", type=Path, required=True, help="path without ending")
    parser.add_argument(
        "--format", default="openvino", help=f"of the runtime's file; one of {', '.join(_FORMATS)}"
    )
    parser.add_argument("--facts", type=Path, help=".json with further facts for the description")
    given = parser.parse_args(arguments)
    if given.format not in _FORMATS:
        raise unknown_choice("format", given.format, _FORMATS)
    require_torch()
    from rejshand_ros.network.checkpoint import load_network, save_network
    from rejshand_ros.network.export import export_onnx, export_openvino
    from rejshand_ros.training.state import network_of_run

    facts = json.loads(given.facts.read_text()) if given.facts else {}
    if given.source.suffix == ".pt":
        network, training = network_of_run(given.source)
        facts = {"training": training, **facts}
    elif given.source.suffix == ".safetensors":
        network, _ = load_network(given.source)
        described = weights_facts(given.source)
        facts = {**{k: described[k] for k in ("training",) if k in described}, **facts}
    else:
        raise ModelFileError(f"{given.source} is no checkpoint; valid: .pt, .safetensors")
    weights = given.out.with_suffix(".safetensors")
    save_network(network, weights, facts)
    # What is exported is what the file holds, so that both runtimes answer alike.
    network, _ = load_network(weights)
    endings = _FORMATS[given.format]
    export = export_onnx if given.format == "onnx" else export_openvino
    export(network, given.out.with_suffix(endings[0]))
    for suffix in (".safetensors", ".json", *endings):
        path = given.out.with_suffix(suffix)
        print(f"{path}  {path.stat().st_size / 1e6:.1f} MB")


def network_table(preset: str) -> str:
    """Parameters of a preset by part, as text; ``all`` for a line each.

    Raises:
        ConfigError: No such preset.
        MissingDependencyError: torch or timm is not installed.
    """
    require_torch()
    from rejshand_ros.network.build import build_network, count_parameters
    from rejshand_ros.network.config import PRESETS, network_preset

    lines = []
    for name in PRESETS if preset == "all" else (preset,):
        config = network_preset(name)
        count = count_parameters(build_network(config))
        lines.append(
            f"{name:10s} backbone {count.backbone:>10,}  adapter {count.adapter:>8,}"
            f"  head {count.head:>9,}  presence and side {count.presence_side:>5,}"
            f"  ({config.backbone}, {config.width} channels)"
        )
    return "\n".join(lines)
