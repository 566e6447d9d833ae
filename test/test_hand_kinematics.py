"""Posing: limits, bone lengths, scales, skin that follows the bones, analytic derivatives."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rejshand_ros.errors import InputError
from rejshand_ros.hand.jacobian import skeleton_jacobian
from rejshand_ros.hand.keypoints import PARENTS
from rejshand_ros.hand.kinematics import (
    DOF_COUNT,
    DOF_NAMES,
    HandParameters,
    dof_index,
    joint_limits,
    pose_hand,
    pose_skeleton,
)
from rejshand_ros.hand.mesh import mesh_volume
from rejshand_ros.hand.sampling import sample_poses
from rejshand_ros.hand.template import load_template

TEMPLATE = load_template()


def random_hands(seed, n=6):
    rng = np.random.default_rng(seed)
    limits = joint_limits()
    angles = rng.uniform(limits[:, 0], limits[:, 1], (n, DOF_COUNT))
    return HandParameters.of(angles, rng.uniform(0.85, 1.15, (n, 20)))


def lengths(keypoints):
    return np.linalg.norm(keypoints[:, 1:] - keypoints[:, PARENTS[1:]], axis=-1)


def test_zero_angles_are_the_rest_pose():
    posed = pose_hand(TEMPLATE, HandParameters.of(np.zeros(DOF_COUNT)))
    np.testing.assert_allclose(posed.vertices[0], TEMPLATE.vertices, atol=1e-12)
    np.testing.assert_allclose(posed.keypoints[0], TEMPLATE.rest_keypoints, atol=1e-12)


def test_limits_are_anatomical():
    limits = joint_limits()
    assert limits.shape == (DOF_COUNT, 2) == (22, 2)
    assert (limits[:, 0] < 0).all()
    assert (limits[:, 1] > 0).all()
    assert (np.degrees(limits) > -60).all()
    assert (np.degrees(limits) < 115).all()
    assert len(set(DOF_NAMES)) == 22


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31))
def test_bones_keep_their_scaled_lengths(seed):
    hands = random_hands(seed)
    rest = lengths(TEMPLATE.rest_keypoints[None])
    posed = pose_skeleton(TEMPLATE, hands)
    np.testing.assert_allclose(lengths(posed.keypoints), rest * hands.bone_scales, rtol=1e-9)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.7, 1.3))
def test_a_larger_hand_is_the_same_hand_larger(seed, factor):
    angles = random_hands(seed, 2).angles
    one = pose_hand(TEMPLATE, HandParameters.of(angles))
    larger = pose_hand(TEMPLATE, HandParameters.of(angles, factor))
    np.testing.assert_allclose(larger.vertices, factor * one.vertices, atol=1e-9)
    np.testing.assert_allclose(larger.keypoints, factor * one.keypoints, atol=1e-9)


@pytest.mark.parametrize("finger", ["index", "middle", "ring", "little"])
def test_flexion_brings_the_fingertip_to_the_palm_and_abduction_to_the_thumb(finger):
    tip = {"index": 8, "middle": 12, "ring": 16, "little": 20}[finger]
    angles = np.zeros((2, DOF_COUNT))
    angles[0, dof_index(f"{finger}_mcp_flexion")] = 0.5
    angles[1, dof_index(f"{finger}_mcp_abduction")] = 0.2
    moved = pose_skeleton(TEMPLATE, HandParameters.of(angles)).keypoints[:, tip]
    shift = moved - TEMPLATE.rest_keypoints[tip]
    assert shift[0, 0] > 0.03
    assert shift[1, 1] > 0.01


def test_only_the_moved_finger_moves():
    angles = np.zeros(DOF_COUNT)
    angles[dof_index("ring_pip_flexion")] = 1.0
    posed = pose_skeleton(TEMPLATE, HandParameters.of(angles)).keypoints[0]
    moved = np.linalg.norm(posed - TEMPLATE.rest_keypoints, axis=1) > 1e-9
    assert np.flatnonzero(moved).tolist() == [15, 16]


def test_regressed_joints_follow_the_skeleton():
    rng = np.random.default_rng(5)
    # People's hands: 15 % in size, 5 % from bone to bone.
    scales = rng.uniform(0.85, 1.15, (200, 1)) * rng.uniform(0.95, 1.05, (200, 20))
    posed = pose_hand(TEMPLATE, HandParameters.of(random_hands(5, 200).angles, scales))
    regressed = np.einsum("kv,nvi->nki", TEMPLATE.joint_regressor, posed.vertices)
    error = np.linalg.norm(regressed - posed.keypoints, axis=-1)
    assert error.mean() < 0.001
    assert error.max() < 0.006


def test_bent_fingers_keep_their_volume():
    posed = pose_hand(TEMPLATE, HandParameters.of(sample_poses(np.random.default_rng(2), 40)))
    rest = mesh_volume(TEMPLATE.vertices, TEMPLATE.faces)
    volumes = np.array([mesh_volume(v, TEMPLATE.faces) for v in posed.vertices])
    assert (np.abs(volumes / rest - 1) < 0.12).all()


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**31))
def test_jacobian_equals_finite_differences(seed):
    hands = random_hands(seed, 2)
    jacobian = skeleton_jacobian(TEMPLATE, hands)
    step = 1e-6

    def difference(angles, scales):
        up = pose_skeleton(TEMPLATE, HandParameters.of(hands.angles + angles, scales[0]))
        down = pose_skeleton(TEMPLATE, HandParameters.of(hands.angles - angles, scales[1]))
        return (up.keypoints - down.keypoints) / (2 * step)

    for number in range(DOF_COUNT):
        nudge = np.zeros(DOF_COUNT)
        nudge[number] = step
        expected = difference(nudge, (hands.bone_scales, hands.bone_scales))
        np.testing.assert_allclose(jacobian.by_angles[..., number], expected, atol=1e-7)
    for bone in range(20):
        ratio = np.ones(20)
        ratio[bone] = np.exp(step)
        expected = difference(0.0, (hands.bone_scales * ratio, hands.bone_scales / ratio))
        np.testing.assert_allclose(jacobian.by_log_scales[..., bone], expected, atol=1e-7)


def test_skinning_takes_less_than_a_millisecond_a_hand():
    hands = random_hands(1, 64)
    pose_hand(TEMPLATE, hands)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        pose_hand(TEMPLATE, hands)
        times.append((time.perf_counter() - start) / 64)
    assert min(times) < 1e-3


@pytest.mark.parametrize(
    ("angles", "scales"),
    [
        (np.zeros(21), 1.0),
        (np.zeros((2, 3, 22)), 1.0),
        (np.full(22, np.nan), 1.0),
        (np.zeros(22), -1.0),
        (np.zeros(22), np.ones(19)),
    ],
)
def test_wrong_parameters_are_refused(angles, scales):
    with pytest.raises(InputError):
        HandParameters.of(angles, scales)


def test_unknown_degree_of_freedom_names_the_valid_ones():
    with pytest.raises(InputError, match="thumb_ip_flexion"):
        dof_index("thumb_dip_flexion")
