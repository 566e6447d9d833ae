"""How the hand network's error grows as hands get harder to see, one factor at a time.

Clean rendered hands in usual poses, and photographs of people never trained on, are turned,
boxed badly, hidden, blurred, darkened and shrunk by known amounts. 3D errors are those of the
rendered hands (their truth is exact), 2D errors those of the photographs where these are at hand.
Leaves out/bench/robustness.json and, for the weights' card, out/bench/robustness.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy import SHARED
from benchmarks.report import DEFAULT_FOLDER, write_report
from benchmarks.robustness_changes import FACTORS, Factor
from rejshand_ros.geometry import Array
from rejshand_ros.inference.load import load_predictor
from rejshand_ros.inference.predictor import Predictor
from rejshand_ros.synthetic.generator import SyntheticGenerator
from rejshand_ros.synthetic.sample import SyntheticConfig
from rejshand_ros.tracking.wrist import hand_length
from rejshand_ros.training import evaluate
from rejshand_ros.training.augment import NO_AUGMENTATION, TrainingSample, draw_sample
from rejshand_ros.training.crops import CropStore
from rejshand_ros.training.metrics import aligned_points, distances
from rejshand_ros.training.photographs import load_photographs
from rejshand_ros.training.synthetic import crops_of_samples

_SEED = 20_240_301
_SAMPLES = 200
_PHOTOGRAPHS = 200
_LENGTH_BINS_MM = (0, 160, 175, 190, 205, 400)
_TILT_BINS_DEG = (0, 15, 30, 45, 60, 75, 90)


@dataclass(frozen=True)
class Errors:
    """Of one set of hands under one change.

    Attributes:
        median_2d: Of all keypoints, share of the hand's box; None where not measured.
        pa_mpjpe_mm: Mean over hands; None without exact truth.
        hands: How many.
    """

    median_2d: float | None
    pa_mpjpe_mm: float | None
    hands: int


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser("robustness", description=main.__doc__)
    parser.add_argument("--weights", default=None)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--samples", type=int, default=_SAMPLES)
    given = parser.parse_args()
    predictor = load_predictor(given.weights, given.device)
    rendered = clean_hands(given.samples)
    photographs = _photographs()
    table: dict[str, dict[str, tuple[Errors, Errors | None]]] = {}
    for factor in FACTORS:
        table[factor.name] = {
            factor.label(level): (
                measure(predictor, rendered, factor, level),
                measure(predictor, photographs, factor, level, exact=False)
                if photographs is not None
                else None,
            )
            for level in factor.levels
        }
    for name, bins in _by_hand(predictor, rendered).items():
        table[name] = {label: (errors, None) for label, errors in bins.items()}
    _report(predictor, table)


def clean_hands(count: int) -> CropStore:
    """Right hands in usual poses on plain renderings: nothing held, passing, blurred or noisy."""
    config = SyntheticConfig(
        seed=_SEED, size=224, box_scale=(1.9, 2.0), centre_jitter=0.0, negative_share=0.0,
        left_share=0.0, held_share=0.0, passing_share=0.0, second_hand_share=0.0, effects=0.0,
    )  # fmt: skip
    generator = SyntheticGenerator(config)
    return crops_of_samples([generator.sample(i) for i in range(count)], "clean")


def _photographs() -> CropStore | None:
    """Hands of held-out groups on whose labels the teacher agrees with itself."""
    if not (SHARED / "photos/labels.jsonl").is_file():
        return None
    _, store = load_photographs(SHARED / "photos", Path("out/cache"))
    hands = np.flatnonzero(store.has_hand & (store.weight > 0.99))
    return store.take(hands[:: -(-len(hands) // _PHOTOGRAPHS)])


def measure(
    predictor: Predictor, store: CropStore, factor: Factor, level: float, *, exact: bool = True
) -> Errors:
    """Errors of a store's hands under one change; 3D ones only where the truth is exact."""
    answers = evaluate.answer(predictor, _changed(store, predictor.input_size, factor, level))
    scale = factor.box_scale(level)
    error = evaluate.errors_2d(answers) * scale
    joints = _pa_errors_mm(answers) if exact else None
    return Errors(
        float(np.median(error)), None if joints is None else float(joints.mean()), len(error)
    )


def _changed(store: CropStore, size: int, factor: Factor, level: float) -> list[TrainingSample]:
    scale = factor.box_scale(level)
    config = replace(NO_AUGMENTATION, scale_low=scale, scale_high=scale)
    samples = []
    for number, index in enumerate(np.flatnonzero(store.has_hand)):
        rng = np.random.default_rng([_SEED, number])
        turn = factor.turn_rad(level) * (1 if number % 2 else -1)
        sample = draw_sample(store, int(index), size, config, rng, further_roll=turn)
        samples.append(replace(sample, image=factor.change(sample.image, level, rng)))
    return samples


def _pa_errors_mm(answers: evaluate.Answers) -> Array:
    """(n,) mean distance of each hand's keypoints after alignment."""
    truth = answers.label("keypoints_3d").astype(float)
    return np.asarray(
        1e3 * distances(aligned_points(answers.keypoints_3d, truth), truth).mean(axis=1)
    )


def _by_hand(predictor: Predictor, store: CropStore) -> dict[str, dict[str, Errors]]:
    """Errors of the unchanged hands, sorted by their length and by the palm's tilt."""
    answers = evaluate.answer(predictor, evaluate.cut_upright(store, predictor.input_size))
    joints, flat = _pa_errors_mm(answers), evaluate.errors_2d(answers)
    truth = answers.label("keypoints_3d").astype(float)
    lengths = np.array([1e3 * hand_length(keypoints) for keypoints in truth])
    normal = np.cross(truth[:, 5] - truth[:, 0], truth[:, 17] - truth[:, 0])
    tilt = np.degrees(np.arccos(np.abs(normal[:, 2]) / np.linalg.norm(normal, axis=1)))
    sorted_by = {
        "length of the hand, mm": (lengths, _LENGTH_BINS_MM),
        "tilt of the palm, degrees": (tilt, _TILT_BINS_DEG),
    }
    result: dict[str, dict[str, Errors]] = {}
    for name, (values, bins) in sorted_by.items():
        result[name] = {}
        for low, high in pairwise(bins):
            chosen = (values >= low) & (values < high)
            if chosen.any():
                result[name][f"{low}..{high}"] = Errors(
                    float(np.median(flat[chosen])), float(joints[chosen].mean()), int(chosen.sum())
                )
    return result


def _report(
    predictor: Predictor, table: Mapping[str, Mapping[str, tuple[Errors, Errors | None]]]
) -> None:
    figures: dict[str, Any] = {"runtime": predictor.runtime.name}
    details: dict[str, Any] = {}
    for name, levels in table.items():
        worst = max((e.pa_mpjpe_mm or 0.0) for e, _ in levels.values())
        best = min((e.pa_mpjpe_mm or 0.0) for e, _ in levels.values())
        figures[name] = {"least_pa_mpjpe_mm": best, "greatest_pa_mpjpe_mm": worst}
        details[name] = {
            label: {
                "rendered_pa_mpjpe_mm": rendered.pa_mpjpe_mm,
                "rendered_median_2d": rendered.median_2d,
                "rendered_hands": rendered.hands,
                "photographs_median_2d": photographs.median_2d if photographs else None,
            }
            for label, (rendered, photographs) in levels.items()
        }
    path = DEFAULT_FOLDER / "robustness.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(markdown(table))
    write_report("robustness", figures, details)
    print(path)


def markdown(table: Mapping[str, Mapping[str, tuple[Errors, Errors | None]]]) -> str:
    """The table as the card shows it: a line a factor, a pair of level and error a cell."""
    lines = [
        "| factor | rendered hands: PA-MPJPE, mm | photographs: median 2D error, % of the box |",
        "|---|---|---|",
    ]
    for name, levels in table.items():
        deep = _pairs({label: rendered.pa_mpjpe_mm for label, (rendered, _) in levels.items()}, 1.0)
        flat = _pairs(
            {label: p.median_2d for label, (_, p) in levels.items() if p is not None}, 100.0
        )
        lines.append(f"| {name} | {deep} | {flat} |")
    return "\n".join(lines) + "\n"


def _pairs(values: Mapping[str, float | None], unit: float) -> str:
    known: Sequence[str] = [
        f"{label}: **{unit * value:.1f}**" for label, value in values.items() if value is not None
    ]
    return ", ".join(known)


if __name__ == "__main__":
    main()
