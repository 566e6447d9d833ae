"""The wrist frame turns with the hand, mirrors with it and stands noise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rejshand_ros.errors import InputError
from rejshand_ros.geometry import RigidTransform, rotation_from_vector
from rejshand_ros.hand.frame import fingertip_frames, in_wrist_frame, mirror_points, wrist_frame
from rejshand_ros.hand.keypoints import Side, finger_keypoints
from rejshand_ros.hand.kinematics import HandParameters, pose_skeleton
from rejshand_ros.hand.sampling import sample_poses
from rejshand_ros.hand.template import load_template

TEMPLATE = load_template()


def hand(seed):
    angles = sample_poses(np.random.default_rng(seed), 1)
    return pose_skeleton(TEMPLATE, HandParameters.of(angles)).keypoints[0]


def pose(seed):
    rng = np.random.default_rng(seed)
    return RigidTransform(rotation_from_vector(rng.normal(size=3) * 2), rng.normal(size=3))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(list(Side)))
def test_frame_turns_with_the_hand(seed, side):
    keypoints, camera_from_hand = hand(seed), pose(seed)
    frame = wrist_frame(keypoints, side)
    moved = wrist_frame(camera_from_hand.apply(keypoints), side)
    expected = camera_from_hand @ frame
    np.testing.assert_allclose(moved.rotation, expected.rotation, atol=1e-9)
    np.testing.assert_allclose(moved.translation, expected.translation, atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(moved.rotation), 1, atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_mirrored_hand_has_the_mirrored_frame(seed):
    right = pose(seed).apply(hand(seed))
    left = right * [-1, 1, 1]
    in_right, in_left = in_wrist_frame(right, "right"), in_wrist_frame(left, "left")
    np.testing.assert_allclose(in_left, mirror_points(in_right), atol=1e-9)


def test_frame_does_not_depend_on_fingers_or_scale():
    keypoints = hand(3)
    bent = keypoints.copy()
    bent[[1, 2, 3, 4, 6, 7, 8, 12, 16, 20]] += 0.02
    np.testing.assert_allclose(
        wrist_frame(bent, "right").rotation, wrist_frame(keypoints, "right").rotation, atol=1e-12
    )
    np.testing.assert_allclose(
        wrist_frame(2 * keypoints, "right").rotation,
        wrist_frame(keypoints, "right").rotation,
        atol=1e-9,
    )


def test_axes_mean_what_they_say():
    right = wrist_frame(TEMPLATE.rest_keypoints, Side.RIGHT).rotation
    local = TEMPLATE.rest_keypoints @ right
    assert local[12, 2] > 0.15  # fingers along z
    assert local[4, 0] > 0.02  # thumb in front of the palm
    assert local[5, 1] > 0 > local[17, 1]  # index on the thumb's side
    left = in_wrist_frame(TEMPLATE.rest_keypoints * [1, -1, 1], Side.LEFT)
    assert left[5, 1] < 0 < left[17, 1]
    assert left[4, 0] > 0.02


def test_noise_on_one_knuckle_tilts_the_frame_less_than_a_plane_through_three_points():
    rng = np.random.default_rng(0)

    def three_point_normal(points):
        normal = np.cross(points[5] - points[0], points[9] - points[0])
        return normal / np.linalg.norm(normal)

    clean = TEMPLATE.rest_keypoints
    ours, plain = [], []
    for _ in range(200):
        noisy = clean + rng.normal(size=clean.shape) * 0.003
        frame = wrist_frame(noisy, "right").rotation
        ours.append(np.arccos(np.clip(frame[0, 0], -1, 1)))
        normal = three_point_normal(noisy)
        plain.append(np.arccos(np.clip(abs(normal @ three_point_normal(clean)), -1, 1)))
    assert np.mean(ours) < 0.6 * np.mean(plain)
    assert np.degrees(np.mean(ours)) < 5


@pytest.mark.parametrize(
    "keypoints",
    [
        np.zeros((20, 3)),
        np.zeros((21, 3)),
        np.full((21, 3), np.nan),
        np.outer(range(21), [1, 1, 1]),
    ],
)
def test_hands_without_a_palm_are_refused(keypoints):
    with pytest.raises(InputError):
        wrist_frame(keypoints, "right")


@given(st.integers(0, 10**6))
def test_axes_are_those_of_a_singular_value_decomposition(seed):
    points = np.random.default_rng(seed).normal(0, (0.05, 0.03, 0.01), (21, 3))
    frame = wrist_frame(pose(seed).apply(points), "right")
    palm = pose(seed).apply(points)[[0, 5, 9, 13, 17]]
    normal = np.linalg.svd(palm - palm.mean(0))[2][2]
    np.testing.assert_allclose(abs(frame.rotation[:, 0] @ normal), 1.0, atol=1e-9)
    np.testing.assert_allclose(frame.rotation.T @ frame.rotation, np.eye(3), atol=1e-12)
    assert np.linalg.det(frame.rotation) > 0
    assert (palm[1] - palm[4]) @ frame.rotation[:, 1] > 0
    forward = palm[1:4].mean(0) - palm[0]
    assert forward @ frame.rotation[:, 2] > 0
    assert abs(forward @ frame.rotation[:, 1]) < 1e-12


def test_unknown_side_is_refused():
    with pytest.raises(ValueError, match="middle"):
        wrist_frame(TEMPLATE.rest_keypoints, "middle")


@given(seed=st.integers(0, 10_000))
def test_fingertip_frames_are_rotations_along_the_last_bone(seed):
    points = np.random.default_rng(seed).normal(0, 0.05, (21, 3))
    for finger, pose in fingertip_frames(points).items():
        base = finger_keypoints(finger)
        np.testing.assert_allclose(pose.rotation @ pose.rotation.T, np.eye(3), atol=1e-9)
        assert np.linalg.det(pose.rotation) > 0
        bone = points[base[3]] - points[base[2]]
        np.testing.assert_allclose(pose.rotation[:, 2], bone / np.linalg.norm(bone), atol=1e-6)
        np.testing.assert_allclose(pose.translation, points[base[3]])


def test_a_straight_fingers_tip_has_the_wrists_axes_and_a_lengthless_bone_is_refused():
    points = np.zeros((21, 3))
    points[:, 2] = 0.02 * np.arange(21)
    np.testing.assert_allclose(fingertip_frames(points)["index"].rotation, np.eye(3), atol=1e-9)
    points[8] = points[7]
    with pytest.raises(InputError, match="index has no length"):
        fingertip_frames(points)
