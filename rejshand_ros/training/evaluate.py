"""How well a network does, measured through the runtime that ships (no torch needed)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rejshand_ros.geometry import Array
from rejshand_ros.inference.predictor import Predictor
from rejshand_ros.training.augment import (
    NO_AUGMENTATION,
    TrainingSample,
    draw_sample,
    upright_roll,
)
from rejshand_ros.training.crops import CropStore
from rejshand_ros.training.metrics import (
    HandMetrics,
    aligned_points,
    hand_metrics,
    relative_error_2d,
)

_BATCH = 32
_FLIPPED = replace(NO_AUGMENTATION, flip=1.0)
_ANY_ROLL = replace(NO_AUGMENTATION, any_roll=1.0)


@dataclass(frozen=True)
class Answers:
    """What a network said of n crops, and the labels of the same cuts.

    Attributes:
        samples: The crops with their labels.
        keypoints_2d: (n, 21, 2) 0..1 of the crop.
        keypoints_3d: (n, 21, 3) metres relative to the wrist, crop axes.
        vertices: (n, 778, 3) metres relative to the wrist, crop axes.
        presence: (n,) probability.
        right: (n,) probability.
    """

    samples: tuple[TrainingSample, ...]
    keypoints_2d: Array
    keypoints_3d: Array
    vertices: Array
    presence: Array
    right: Array

    def label(self, name: str) -> NDArray[np.float32]:
        """A label of all samples, e.g. ``"keypoints_2d"``."""
        return np.stack([getattr(sample, name) for sample in self.samples])


def answer(predictor: Predictor, samples: list[TrainingSample]) -> Answers:
    """Run a network on samples."""
    estimates = []
    for start in range(0, len(samples), _BATCH):
        images = np.stack([sample.image for sample in samples[start : start + _BATCH]])
        estimates += predictor.predict(images)
    return Answers(
        tuple(samples),
        np.stack([e.keypoints_2d for e in estimates]),
        np.stack([e.keypoints_3d for e in estimates]),
        np.stack([e.vertices for e in estimates]),
        np.array([e.presence for e in estimates]),
        np.array([e.right_probability for e in estimates]),
    )


def cut_upright(store: CropStore, size: int, *, flip: bool = False) -> list[TrainingSample]:
    """Every hand of a store as the tracker would cut it: boxed, fingers up."""
    rng = np.random.default_rng(0)
    config = _FLIPPED if flip else NO_AUGMENTATION
    hands = np.flatnonzero(store.has_hand)
    return [draw_sample(store, int(index), size, config, rng) for index in hands]


def cut_any_roll(store: CropStore, size: int, seed: int = 0) -> list[TrainingSample]:
    """Every hand of a store, boxed and turned in the image plane by any angle."""
    rng = np.random.default_rng(seed)
    hands = np.flatnonzero(store.has_hand)
    return [draw_sample(store, int(index), size, _ANY_ROLL, rng) for index in hands]


def cut_as_seen(store: CropStore, first: Answers, size: int) -> list[TrainingSample]:
    """Every hand again, turned upright by what a first look at it (`cut_any_roll`) said."""
    rng = np.random.default_rng(0)
    hands = np.flatnonzero(store.has_hand)
    samples = []
    truth = first.label("keypoints_2d").astype(float)
    for number, index in enumerate(hands):
        # How far the answer's direction of the fingers is off, the second cut is turned too far.
        off = upright_roll(first.keypoints_2d[number]) - upright_roll(truth[number])
        samples.append(draw_sample(store, int(index), size, NO_AUGMENTATION, rng, further_roll=off))
    return samples


def metrics_3d(answers: Answers) -> HandMetrics:
    """FreiHAND's metrics over the samples that have 3D labels; roots are aligned at keypoint 9."""
    truth, mesh = answers.label("keypoints_3d"), answers.label("vertices")
    known = np.isfinite(truth).all((1, 2)) & np.isfinite(mesh).all((1, 2))
    root = answers.keypoints_3d[known, 9:10]
    return hand_metrics(
        answers.keypoints_3d[known] - root,
        answers.vertices[known] - root,
        truth[known],
        mesh[known],
    )


def errors_2d(answers: Answers) -> NDArray[np.float64]:
    """(n, 21) error as a share of the box side; the crops must be exactly the boxes."""
    labels = answers.label("keypoints_2d")
    return relative_error_2d(answers.keypoints_2d, labels, np.ones(len(labels)))


def constant_hand(points: Array, rounds: int = 4) -> Array:
    """The one hand that lies nearest to all of (n, P, 3) after alignment (generalised Procrustes).

    What it scores is what a network scores that has learnt no pose at all.
    """
    mean = np.asarray(points[0], float)
    for _ in range(rounds):
        onto = np.broadcast_to(mean, points.shape)
        mean = aligned_points(np.asarray(points, float), onto).mean(0)
        mean = mean - mean.mean(0)
        # Alignment scales each hand to the mean; without this the mean would shrink every round.
        mean *= np.linalg.norm(points - points.mean(1, keepdims=True), axis=(1, 2)).mean() / (
            np.linalg.norm(mean)
        )
    return np.asarray(mean)


def constant_hand_metrics(answers: Answers) -> HandMetrics:
    """What the best constant hand would score on the same samples."""
    labels, meshes = answers.label("keypoints_3d"), answers.label("vertices")
    known = np.isfinite(labels).all((1, 2)) & np.isfinite(meshes).all((1, 2))
    truth, mesh = labels[known].astype(float), meshes[known].astype(float)
    return hand_metrics(
        np.broadcast_to(constant_hand(truth), truth.shape),
        np.broadcast_to(constant_hand(mesh), mesh.shape),
        truth,
        mesh,
    )


def constant_hand_errors_2d(keypoints: Array, box_side: Array | float = 1.0) -> Array:
    """(n, 21) what the best constant 2D hand, aligned to each, would be off, share of the box.

    Args:
        keypoints: (n, 21, 2) of the truth.
        box_side: (n,) side of each hand's box in the same unit, or of all.
    """
    flat = np.concatenate([keypoints, np.zeros((*keypoints.shape[:2], 1))], axis=2).astype(float)
    aligned = aligned_points(np.broadcast_to(constant_hand(flat), flat.shape), flat)
    sides = np.broadcast_to(np.asarray(box_side, float), len(flat))
    return np.asarray(relative_error_2d(aligned[..., :2], keypoints, sides))
