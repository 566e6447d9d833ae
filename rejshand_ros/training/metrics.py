"""FreiHAND's metrics, as its official evaluation code computes them.

The paper writes the errors as root mean squares (Eq. 8 and 9); the official code, and so every
number that is reported on FreiHAND, is a mean of distances. The mean is taken here.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rejshand_ros.errors import InputError
from rejshand_ros.geometry import Array, align_similarity

_AUC_LIMIT_M = 0.05
_AUC_STEPS = 100
_F_THRESHOLDS_M = (0.005, 0.015)


@dataclass(frozen=True)
class HandMetrics:
    """Errors in millimetres, areas under the curve and F-scores 0..1.

    ``pa`` and ``aligned``: after a similarity alignment of each sample.
    """

    mpjpe_mm: float
    pa_mpjpe_mm: float
    mpvpe_mm: float
    pa_mpvpe_mm: float
    auc_xyz: float
    auc_xyz_aligned: float
    auc_verts: float
    auc_verts_aligned: float
    f5: float
    f15: float
    f5_aligned: float
    f15_aligned: float

    def as_dict(self) -> dict[str, float]:
        """Plain values, for JSON."""
        return asdict(self)


def hand_metrics(
    xyz: ArrayLike, vertices: ArrayLike, true_xyz: ArrayLike, true_vertices: ArrayLike
) -> HandMetrics:
    """Compare n predicted hands with the truth.

    Args:
        xyz: (n, 21, 3) metres.
        vertices: (n, V, 3) metres.
        true_xyz: (n, 21, 3) metres.
        true_vertices: (n, V, 3) metres.
    """
    predicted, truth = np.asarray(xyz, float), np.asarray(true_xyz, float)
    mesh, true_mesh = np.asarray(vertices, float), np.asarray(true_vertices, float)
    if predicted.shape != truth.shape or mesh.shape != true_mesh.shape or not len(predicted):
        raise InputError(
            f"keypoints {predicted.shape} against {truth.shape}, vertices {mesh.shape} against"
            f" {true_mesh.shape}; equal shapes with at least one hand needed"
        )
    aligned = aligned_points(predicted, truth)
    aligned_mesh = aligned_points(mesh, true_mesh)
    joint, joint_aligned = distances(predicted, truth), distances(aligned, truth)
    vertex, vertex_aligned = distances(mesh, true_mesh), distances(aligned_mesh, true_mesh)
    f = np.array([f_scores(a, b) for a, b in zip(mesh, true_mesh, strict=True)]).mean(0)
    f_aligned = np.array(
        [f_scores(a, b) for a, b in zip(aligned_mesh, true_mesh, strict=True)]
    ).mean(0)
    return HandMetrics(
        mpjpe_mm=_mean_mm(joint),
        pa_mpjpe_mm=_mean_mm(joint_aligned),
        mpvpe_mm=_mean_mm(vertex),
        pa_mpvpe_mm=_mean_mm(vertex_aligned),
        auc_xyz=area_under_curve(joint),
        auc_xyz_aligned=area_under_curve(joint_aligned),
        auc_verts=area_under_curve(vertex),
        auc_verts_aligned=area_under_curve(vertex_aligned),
        f5=float(f[0]),
        f15=float(f[1]),
        f5_aligned=float(f_aligned[0]),
        f15_aligned=float(f_aligned[1]),
    )


def aligned_points(points: Array, truth: Array, *, rotate: bool = True) -> Array:
    """Each of (n, P, 3) moved onto its truth by the best similarity."""
    pairs = zip(points, truth, strict=True)
    return np.stack([align_similarity(a, b, rotate=rotate) for a, b in pairs])


def distances(points: Array, truth: Array) -> Array:
    """(n, P) metres."""
    return np.asarray(np.linalg.norm(points - truth, axis=-1))


def area_under_curve(errors: Array) -> float:
    """Area under the share of points within a threshold, from 0 to 50 mm, 0..1.

    The share is taken for each point over the samples, then averaged over points.

    Args:
        errors: (n, P) metres.
    """
    thresholds = np.linspace(0.0, _AUC_LIMIT_M, _AUC_STEPS)
    share = (errors[None] <= thresholds[:, None, None]).mean(axis=(1, 2))
    return float(np.trapezoid(share, thresholds) / _AUC_LIMIT_M)


def f_scores(points: Array, truth: Array) -> tuple[float, ...]:
    """F-score of a point cloud (P, 3) against another at 5 and 15 mm (Knapitsch et al. 2017)."""
    to_truth, to_points = _nearest(points, truth)
    scores = []
    for threshold in _F_THRESHOLDS_M:
        recall = float((to_points < threshold).mean())
        precision = float((to_truth < threshold).mean())
        total = recall + precision
        scores.append(2 * recall * precision / total if total > 0 else 0.0)
    return tuple(scores)


def pck(predicted: ArrayLike, truth: ArrayLike, box_side: ArrayLike, share: float = 0.1) -> float:
    """Share of 2D keypoints within a share of the hand's box side.

    Args:
        predicted: (n, 21, 2).
        truth: (n, 21, 2); NaN where there is none.
        box_side: (n,) in the same unit.
        share: Of the box side.
    """
    relative = relative_error_2d(predicted, truth, box_side)
    return float((relative[np.isfinite(relative)] <= share).mean())


def relative_error_2d(
    predicted: ArrayLike, truth: ArrayLike, box_side: ArrayLike
) -> NDArray[np.float64]:
    """(n, 21) distance of 2D keypoints as a share of the box side."""
    gap = np.linalg.norm(np.asarray(predicted, float) - np.asarray(truth, float), axis=-1)
    return np.asarray(gap / np.asarray(box_side, float)[:, None])


def _mean_mm(errors: Array) -> float:
    return float(errors.mean() * 1e3)


def _nearest(a: Array, b: Array) -> tuple[Array, Array]:
    """Distance of each point of a to the nearest of b, and the other way."""
    squared = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
    between = np.sqrt(np.maximum(squared, 0.0))
    return between.min(1), between.min(0)
