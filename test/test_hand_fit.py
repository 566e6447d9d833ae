"""Fitting: known hands are found again; limits, mirrors, bad hints and bad input."""

import json

import numpy as np
import pytest

from rejshand_ros.errors import InputError
from rejshand_ros.geometry import PinholeCamera, align_similarity, rotation_from_vector
from rejshand_ros.hand.fit import FitConfig, fit_hands
from rejshand_ros.hand.kinematics import HandParameters, joint_limits, pose_skeleton
from rejshand_ros.hand.mesh import mesh_volume
from rejshand_ros.hand.sampling import sample_poses
from rejshand_ros.hand.template import load_template
from shared_data import SHARED_DATA

TEMPLATE = load_template()
CAMERA = PinholeCamera.from_field_of_view(640, 480)


def make_hands(seed, n=24):
    """True points in the camera (n, 21, 3) and clean pixels (n, 21, 2)."""
    rng = np.random.default_rng(seed)
    scales = np.exp(rng.normal(0, 0.04, (n, 20)))
    scales /= np.exp(np.log(scales).mean(axis=1, keepdims=True))
    hands = HandParameters.of(sample_poses(rng, n), scales)
    local = pose_skeleton(TEMPLATE, hands).keypoints
    rotation = rotation_from_vector(1.5 * rng.normal(size=(n, 3)))
    place = np.stack(
        [rng.uniform(-0.1, 0.1, n), rng.uniform(-0.1, 0.1, n), rng.uniform(0.4, 0.7, n)]
    )
    points = local @ np.swapaxes(rotation, 1, 2) + place.T[:, None]
    return points, CAMERA.project(points), rng


def aligned_error(found, true):
    return np.array(
        [
            np.linalg.norm(align_similarity(f, t) - t, axis=1).mean()
            for f, t in zip(found, true, strict=True)
        ]
    )


def test_hands_are_found_again_from_noisy_pixels_and_a_rough_hint():
    points, pixels, rng = make_hands(0)
    hint = points - points.mean(axis=1, keepdims=True) + 0.010 * rng.normal(size=points.shape)
    pixels = pixels + rng.normal(size=pixels.shape)
    fit = fit_hands(pixels, CAMERA.matrix, hint=hint)
    error = aligned_error(fit.keypoints, points)
    assert np.median(error) < 0.006
    assert np.median(error) < 0.6 * np.median(aligned_error(hint, points))
    assert np.median(fit.reprojection_error) < 2.5
    limits = joint_limits()
    angles = fit.parameters.angles
    assert ((angles >= limits[:, 0]) & (angles <= limits[:, 1])).all()
    # The template's size is assumed; where it is right, so is the distance.
    assert np.median(np.abs(fit.keypoints - points).max(axis=(1, 2))) < 0.06


def test_without_a_hint_the_palm_or_back_is_found_by_trying():
    points, pixels, _ = make_hands(1, 8)
    fit = fit_hands(pixels, CAMERA.matrix)
    assert np.median(aligned_error(fit.keypoints, points)) < 0.012
    assert np.median(fit.reprojection_error) < 2.0


def test_mirrored_input_gives_the_mirrored_hand():
    points, pixels, _ = make_hands(2, 6)
    hint = points - points.mean(axis=1, keepdims=True)
    right = fit_hands(pixels, CAMERA.matrix, hint=hint)
    flipped = pixels * [-1, 1] + [2 * CAMERA.matrix[0, 2], 0]
    left = fit_hands(flipped, CAMERA.matrix, hint=hint * [-1, 1, 1], mirrored=True)
    np.testing.assert_allclose(left.keypoints, right.keypoints * [-1, 1, 1], atol=1e-6)
    np.testing.assert_allclose(left.vertices(), right.vertices() * [-1, 1, 1], atol=1e-6)
    np.testing.assert_allclose(left.reprojection_error, right.reprojection_error, atol=1e-4)
    assert left.mirrored.all()
    np.testing.assert_allclose(np.linalg.det(left.rotation), -1, atol=1e-9)
    # A left hand's skin is wound outwards with the triangles turned over.
    assert mesh_volume(left.vertices()[0], TEMPLATE.faces[:, ::-1]) > 0


def test_one_wild_keypoint_pulls_little():
    points, pixels, _ = make_hands(3, 12)
    hint = points - points.mean(axis=1, keepdims=True)
    clean = fit_hands(pixels, CAMERA.matrix, hint=hint)
    wild = pixels.copy()
    wild[:, 8] += 60
    robust = fit_hands(wild, CAMERA.matrix, hint=hint)
    rest = [i for i in range(21) if i not in (6, 7, 8)]
    moved = np.linalg.norm(robust.keypoints[:, rest] - clean.keypoints[:, rest], axis=-1)
    assert np.median(moved) < 0.01
    ignored = fit_hands(
        wild,
        CAMERA.matrix,
        hint=hint,
        confidence=np.where(np.arange(21) == 8, 0, 1.0) * np.ones((12, 1)),
    )
    moved = np.linalg.norm(ignored.keypoints[:, rest] - clean.keypoints[:, rest], axis=-1)
    assert np.median(moved) < 0.002


def test_each_hand_has_its_own_camera():
    points, _, _ = make_hands(4, 3)
    cameras = np.stack([PinholeCamera.from_field_of_view(640, 480, f).matrix for f in (50, 60, 70)])
    projected = points @ np.swapaxes(cameras, 1, 2)
    pixels = projected[..., :2] / projected[..., 2:]
    fit = fit_hands(pixels, cameras, hint=points - points.mean(axis=1, keepdims=True))
    assert fit.reprojection_error.max() < 3


def test_no_hands():
    fit = fit_hands(np.zeros((0, 21, 2)), CAMERA.matrix)
    assert fit.keypoints.shape == (0, 21, 3)


@pytest.mark.parametrize(
    ("uv", "options"),
    [
        (np.zeros((21, 2)), {}),
        (np.zeros((1, 21, 2)), {}),
        (np.full((1, 21, 2), np.nan), {}),
        (np.ones((1, 21, 2)), {"hint": np.zeros((1, 20, 3))}),
        (np.arange(42.0).reshape(1, 21, 2), {"hint": np.zeros((1, 21, 3))}),
        (np.arange(42.0).reshape(1, 21, 2), {"confidence": np.ones((2, 21))}),
    ],
)
def test_wrong_input_is_refused(uv, options):
    with pytest.raises(InputError):
        fit_hands(uv, CAMERA.matrix, **options)


def test_wrong_trust_is_refused():
    with pytest.raises(InputError, match="bone_sigma"):
        FitConfig(bone_sigma=0.0)


def test_photographs_are_fitted_within_a_few_percent_of_the_hand():
    lines = (SHARED_DATA / "photos/labels.jsonl").read_text().splitlines()[::60]
    uv, xyz, matrix, left = [], [], [], []
    for line in lines:
        entry = json.loads(line)
        for hand in entry["hands"]:
            uv.append(hand["uv"])
            xyz.append(hand["xyz"])
            left.append(hand["side"].lower() == "left")
            camera = PinholeCamera.from_field_of_view(entry["width"], entry["height"])
            matrix.append(camera.matrix)
    fit = fit_hands(uv, np.array(matrix), hint=xyz, mirrored=left)
    share = fit.reprojection_error / (1.25 * np.ptp(uv, axis=1).max(axis=1))
    assert len(share) > 40
    assert np.median(share) < 0.015


def test_two_views_are_met_better_than_by_the_hint():
    data = np.load(SHARED_DATA / "two_view/truth.npz")
    every = slice(0, 200, 5)
    uv, hint = data["uv_cam1"][every], data["mediapipe_xyz_cam1"][every]
    truth, valid = data["xyz_cam1"][every], data["valid"][every].astype(bool)
    seen = np.isfinite(uv).all(axis=(1, 2)) & np.isfinite(hint).all(axis=(1, 2))
    seen &= valid.sum(axis=1) > 12
    fit = fit_hands(uv[seen], data["K1"], hint=hint[seen])

    def error(found):
        return np.mean(
            [
                np.linalg.norm(align_similarity(f[v], t[v]) - t[v], axis=1).mean()
                for f, t, v in zip(found, truth[seen], valid[seen], strict=True)
            ]
        )

    assert error(fit.keypoints) < 0.9 * error(hint[seen])
