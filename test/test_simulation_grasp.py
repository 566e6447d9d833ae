"""A hand closed by human keypoints holds an object by friction alone."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.grasp_trial import OBJECTS, PLANS, GraspTrial, human_keypoints


def test_allegro_lifts_the_ball() -> None:
    trial = GraspTrial("allegro", "right", OBJECTS["ball"], PLANS["allegro"])
    model = trial.physics.model
    assert np.max(model.geom_friction[:, 0]) <= 1.0
    assert np.max(model.actuator_forcerange) <= 0.7
    outcome = trial.run(seed=0)
    assert outcome.success, outcome
    # The tips that hold it feel it.
    assert sum(force > 0.3 for force in outcome.fingertip_force_n) >= 2


def test_a_left_human_hand_is_the_mirror_of_a_right_one() -> None:
    right, left = (human_keypoints("fist", 0.3, side) for side in ("right", "left"))
    np.testing.assert_allclose(left, right * [1, -1, 1])
