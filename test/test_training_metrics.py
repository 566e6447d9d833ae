"""FreiHAND's metrics against the official code's answers."""

import json

import numpy as np
import pytest

from rejshand_ros.errors import InputError
from rejshand_ros.training.metrics import f_scores, hand_metrics, pck
from shared_data import SHARED_DATA


def test_official_cases() -> None:
    expected = json.loads((SHARED_DATA / "metrics/freihand_metric_expected.json").read_text())
    with np.load(SHARED_DATA / "metrics/freihand_metric_cases.npz") as cases:
        ours = hand_metrics(
            cases["pred_xyz"], cases["pred_verts"], cases["gt_xyz"], cases["gt_verts"]
        ).as_dict()
    for name, value in ours.items():
        assert value == pytest.approx(expected[name], rel=1e-6), name


def test_perfect_answer() -> None:
    rng = np.random.default_rng(0)
    xyz, mesh = rng.normal(0, 0.05, (3, 21, 3)), rng.normal(0, 0.05, (3, 40, 3))
    ours = hand_metrics(xyz, mesh, xyz, mesh)
    assert ours.pa_mpjpe_mm == pytest.approx(0, abs=1e-3)
    assert (ours.f5, ours.f15) == (1.0, 1.0)


def test_alignment_forgives_similarity_only() -> None:
    rng = np.random.default_rng(1)
    xyz = rng.normal(0, 0.05, (2, 21, 3))
    q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    moved = 1.7 * xyz @ q.T + 0.3
    ours = hand_metrics(moved, moved, xyz, xyz)
    assert ours.pa_mpjpe_mm < 1e-3
    assert ours.mpjpe_mm > 100


def test_f_score_of_far_clouds_is_zero() -> None:
    cloud = np.random.default_rng(2).normal(0, 0.05, (50, 3))
    assert f_scores(cloud, cloud + 1.0) == (0.0, 0.0)


def test_pck_leaves_unknown_points_out() -> None:
    truth = np.full((1, 21, 2), np.nan)
    truth[0, :2] = 10.0
    predicted = np.full((1, 21, 2), 10.0)
    predicted[0, 1] = 12.5
    assert pck(predicted, truth, [20.0]) == 0.5


def test_shapes_are_checked() -> None:
    with pytest.raises(InputError, match="equal shapes"):
        hand_metrics(
            np.zeros((1, 21, 3)), np.zeros((1, 5, 3)), np.zeros((2, 21, 3)), np.zeros((1, 5, 3))
        )
