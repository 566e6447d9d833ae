"""How far the shipped hand network is off: rendered hands, photographs, a real video, two views.

Every 3D figure stands beside what the best constant hand scores on the same samples. Nothing
here is trained on: rendered hands come from seeds of their own, photographs from groups that
training leaves out, the video and the two views are for measuring only.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy_films import follow, measure_two_view, measure_video
from benchmarks.accuracy_labels import measure_labels
from benchmarks.report import write_report
from rejshand_ros.geometry import Array
from rejshand_ros.inference.load import load_predictor
from rejshand_ros.inference.predictor import Predictor
from rejshand_ros.synthetic.generator import SyntheticGenerator
from rejshand_ros.synthetic.sample import SyntheticConfig, SyntheticSample
from rejshand_ros.training import evaluate
from rejshand_ros.training.crops import CropStore
from rejshand_ros.training.photographs import load_photographs
from rejshand_ros.training.synthetic import crops_of_samples

SHARED = Path("../shared/data")
_SEED = 20_240_229
_SAMPLES = 600
_MOST_TILT_DEG = 75.0


def main() -> None:
    """Measure and write out/bench/accuracy.json."""
    parser = argparse.ArgumentParser("accuracy", description=main.__doc__)
    parser.add_argument("--weights", default=None)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--samples", type=int, default=_SAMPLES)
    given = parser.parse_args()
    predictor = load_predictor(given.weights, given.device)
    figures: dict[str, Any] = {"weights": str(given.weights or "default")}
    figures["runtime"] = predictor.runtime.name
    details: dict[str, Any] = {}
    mean_hand = _synthetic(predictor, given.samples, figures, details)
    if (SHARED / "photos/labels.jsonl").is_file():
        _photographs(predictor, figures, details)
    answers = partial(follow, weights=given.weights, device=given.device)
    if (SHARED / "hand_video").is_dir():
        measure_video(SHARED / "hand_video", answers, mean_hand, figures, details)
    if (SHARED / "two_view/truth.npz").is_file():
        measure_two_view(SHARED / "two_view", answers, mean_hand, figures, details)
        measure_labels(SHARED / "two_view", details)
    write_report("accuracy", figures, details)


def unseen_hands(count: int, size: int, uniform_pose_share: float = 1.0) -> CropStore:
    """Rendered hands that no training run has seen.

    Any in-plane rotation; the palm's tilt against the image is at most 75 degrees either way.

    Args:
        count: How many.
        size: Side of the crops, pixels.
        uniform_pose_share: Share of poses drawn over the whole joint limits; the others are
            grasps and gestures.
    """
    config = SyntheticConfig(
        seed=_SEED,
        size=size,
        box_scale=(1.5, 1.75),
        centre_jitter=0.05,
        negative_share=0.0,
        uniform_pose_share=uniform_pose_share,
    )
    generator = SyntheticGenerator(config)
    samples: list[SyntheticSample] = []
    index = 0
    while len(samples) < count:
        sample = generator.sample(index)
        index += 1
        if sample.presence and _tilt_deg(sample.keypoints_3d) <= _MOST_TILT_DEG:
            samples.append(sample)
    return crops_of_samples(samples, "unseen")


def _tilt_deg(keypoints: Array) -> float:
    """Angle between the palm's plane and the image's, degrees."""
    normal = np.cross(keypoints[5] - keypoints[0], keypoints[17] - keypoints[0])
    return float(np.degrees(np.arccos(abs(normal[2]) / np.linalg.norm(normal))))


def _synthetic(
    predictor: Predictor, count: int, figures: dict[str, Any], details: dict[str, Any]
) -> Array:
    """Measure on rendered hands; returns the constant hand (21, 3) that lies nearest to them."""
    store = unseen_hands(count, 160)
    size = predictor.input_size
    turned = evaluate.answer(predictor, evaluate.cut_any_roll(store, size))
    upright = evaluate.answer(predictor, evaluate.cut_upright(store, size))
    # The tracker turns each crop by what it saw before, so that the fingers point up; here the
    # first look at the crop as it lies gives the turn for the second one.
    second = evaluate.answer(predictor, evaluate.cut_as_seen(store, turned, size))
    measured = evaluate.metrics_3d(second)
    constant = evaluate.constant_hand_metrics(second)
    for key, name in (("pa_mpjpe_mm",) * 2, ("pa_mpvpe_mm",) * 2, ("f15", "f15_aligned")):
        figures[f"synthetic_{key}"] = getattr(measured, name)
        companion = "synthetic_constant_hand_mm" if key == "pa_mpjpe_mm" else None
        figures[companion or f"synthetic_{key}_constant_hand"] = getattr(constant, name)
    for name, answers in (("second_look", second), ("first_look", turned), ("upright", upright)):
        error = evaluate.errors_2d(answers)
        details[f"synthetic_{name}"] = {
            **evaluate.metrics_3d(answers).as_dict(),
            "median_2d": float(np.median(error)),
            "pck_2d_0.1": float((error <= 0.1).mean()),
            "right": float((answers.right > 0.5).mean()),
            "presence": float((answers.presence > 0.5).mean()),
        }
    # What hands do, rather than what joints can: the mix that training draws poses from.
    usual = evaluate.answer(
        predictor,
        evaluate.cut_upright(unseen_hands(count // 2, 160, uniform_pose_share=0.35), size),
    )
    details["synthetic_usual_poses"] = {
        **evaluate.metrics_3d(usual).as_dict(),
        "median_2d": float(np.median(evaluate.errors_2d(usual))),
        "constant_hand_pa_mpjpe_mm": evaluate.constant_hand_metrics(usual).pa_mpjpe_mm,
    }
    details["synthetic_constant_hand"] = constant.as_dict()
    details["synthetic_hands"] = len(store)
    return evaluate.constant_hand(second.label("keypoints_3d").astype(float))


def _photographs(predictor: Predictor, figures: dict[str, Any], details: dict[str, Any]) -> None:
    _, store = load_photographs(SHARED / "photos", Path("out/cache"))
    # The weight says which labels the teacher agrees with itself on to within 0.05.
    hands = store.take(store.has_hand & (store.weight > 0.99))
    as_right = evaluate.answer(predictor, evaluate.cut_upright(hands, predictor.input_size))
    as_left = evaluate.answer(
        predictor, evaluate.cut_upright(hands, predictor.input_size, flip=True)
    )
    error = evaluate.errors_2d(as_right)
    known = hands.side_known
    figures["photos_pck_2d_0.1"] = float((error <= 0.1).mean())
    figures["photos_median_2d"] = float(np.median(error))
    constant = evaluate.constant_hand_errors_2d(as_right.label("keypoints_2d").astype(float))
    figures["photos_pck_2d_0.1_constant_hand"] = float((constant <= 0.1).mean())
    # Each hand once as a right and once as a left one.
    sides = np.concatenate([as_right.right[known] > 0.5, as_left.right[known] < 0.5])
    figures["photos_side_accuracy"] = float(sides.mean())
    figures["photos_side_accuracy_constant_hand"] = 0.5
    empty = store.take(~store.has_hand)
    rng = np.random.default_rng(0)
    cuts = [
        evaluate.draw_sample(empty, i, predictor.input_size, evaluate.NO_AUGMENTATION, rng)
        for i in range(len(empty))
    ]
    folders = np.array([name.rsplit("-", 1)[0] for name in hands.group])
    fits = evaluate.metrics_3d(as_right)
    details["photos"] = {
        "hands": len(hands),
        "hand_present": float((as_right.presence > 0.5).mean()),
        "place_empty": float((evaluate.answer(predictor, cuts).presence < 0.5).mean()),
        "pa_mpjpe_mm_against_fits": fits.pa_mpjpe_mm,
        "pa_mpvpe_mm_against_fits": fits.pa_mpvpe_mm,
        "constant_hand_pa_mpjpe_mm": evaluate.constant_hand_metrics(as_right).pa_mpjpe_mm,
        "median_2d_by_folder": {
            str(folder): float(np.median(error[folders == folder])) for folder in set(folders)
        },
    }


if __name__ == "__main__":
    main()
