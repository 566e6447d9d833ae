"""Sampled poses: inside the limits, apart from themselves, repeatable, and what they are called."""

import numpy as np
import pytest

from rejshand_ros.errors import ConfigError
from rejshand_ros.hand.keypoints import FINGERTIPS
from rejshand_ros.hand.kinematics import HandParameters, joint_limits, pose_skeleton
from rejshand_ros.hand.sampling import (
    SYNERGIES,
    TOLERANCE_M,
    sample_poses,
    self_penetration,
    synergy,
)
from rejshand_ros.hand.template import load_template


def keypoints(angles):
    return pose_skeleton(load_template(), HandParameters.of(angles)).keypoints


def test_poses_keep_the_limits_and_do_not_pierce_themselves():
    angles = sample_poses(np.random.default_rng(0), 500)
    limits = joint_limits()
    assert angles.shape == (500, 22)
    assert (angles >= limits[:, 0]).all()
    assert (angles <= limits[:, 1]).all()
    assert self_penetration(angles).max() <= TOLERANCE_M


def test_the_same_seed_gives_the_same_poses():
    one = sample_poses(np.random.default_rng(7), 20)
    np.testing.assert_array_equal(one, sample_poses(np.random.default_rng(7), 20))
    assert not np.array_equal(one, sample_poses(np.random.default_rng(8), 20))


def test_poses_cover_the_limits():
    angles = sample_poses(np.random.default_rng(1), 2000, uniform_share=1.0)
    limits = joint_limits()
    spread = np.ptp(angles, axis=0) / (limits[:, 1] - limits[:, 0])
    assert spread.min() > 0.9


def test_poses_differ_by_centimetres():
    points = keypoints(sample_poses(np.random.default_rng(3), 300))
    spread = np.linalg.norm(points - points.mean(axis=0), axis=-1).mean(axis=0)
    assert spread[list(FINGERTIPS)].min() > 0.02


def test_none_asked_none_given():
    assert sample_poses(np.random.default_rng(0), 0).shape == (0, 22)


@pytest.mark.parametrize("name", SYNERGIES)
def test_every_synergy_keeps_the_limits_and_is_nearly_free_of_contact(name):
    angles, limits = synergy(name), joint_limits()
    assert ((angles >= limits[:, 0]) & (angles <= limits[:, 1])).all()
    assert self_penetration(angles[None])[0] <= TOLERANCE_M


@pytest.mark.parametrize(
    ("finger", "tip"), [("index", 8), ("middle", 12), ("ring", 16), ("little", 20)]
)
def test_pinches_bring_the_tips_together(finger, tip):
    points = keypoints(synergy(f"pinch_{finger}"))[0]
    assert np.linalg.norm(points[4] - points[tip]) < 0.013


def test_fist_folds_the_fingers_and_point_leaves_the_index_out():
    fist, point = keypoints(synergy("fist"))[0], keypoints(synergy("point"))[0]
    assert all(np.linalg.norm(fist[tip] - fist[tip - 3]) < 0.06 for tip in (8, 12, 16, 20))
    assert point[8, 2] > 0.16
    assert point[12, 2] < 0.10


def test_piercing_fingers_are_noticed():
    angles = synergy("flat")
    angles[[7, 8, 9]] = [1.4, 1.7, 1.2]
    angles[6] = 0.0
    folded_into_palm = angles.copy()
    folded_into_palm[7] = 1.5
    folded_into_palm[8] = 1.75
    assert self_penetration(folded_into_palm[None])[0] > self_penetration(synergy("flat")[None])[0]
    crossing = synergy("fist")
    crossing[:6] = [-0.4, 0.75, 0.3, 0, 0.9, 1.2]
    assert self_penetration(crossing[None])[0] > TOLERANCE_M


def test_unknown_synergy_names_the_valid_ones():
    with pytest.raises(ConfigError, match="tripod"):
        synergy("wave")
