"""The URDFs, their YAMLs and the solver's functions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rejshand_ros.errors import ConfigError, ModelFileError
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.retargeting.retargeter import Retargeter, RetargeterConfig
from rejshand_ros.retargeting.robot_hand import (
    available_hands,
    load_robot_hand,
    read_robot_hand,
)
from rejshand_ros.retargeting.robot_model import RobotModel
from shared_data import SHARED_DATA

HANDS = [(hand, side) for hand in ("allegro", "shadow") for side in Side]


@pytest.mark.parametrize(("hand", "side"), HANDS)
def test_fingertips_are_where_the_facts_say(hand: str, side: Side) -> None:
    facts = json.loads((SHARED_DATA / f"hands/{hand}_{side}.json").read_text())
    robot = load_robot_hand(hand, side)
    model = RobotModel(robot)
    for case in facts["forward_kinematics_cases"]:
        positions = np.array([case["q"][name] for name in robot.joint_names])
        poses = model.link_poses(positions)
        for link, expected in case["fingertip_xyz_m"].items():
            np.testing.assert_allclose(poses[link].translation, expected, atol=1e-4)


def test_both_hands_come_in_both_sides() -> None:
    hands = available_hands()
    assert {"allegro", "shadow"} <= set(hands)
    assert all(set(sides) == set(Side) for sides in hands.values())


@pytest.mark.parametrize(("hand", "side"), HANDS)
@pytest.mark.parametrize("objective", ["vector", "position", "pinch"])
def test_the_gradient_is_that_of_the_value(hand: str, side: Side, objective: str) -> None:
    retargeter = Retargeter(load_robot_hand(hand, side), RetargeterConfig(objective=objective))
    rng = np.random.default_rng(0)
    problem = retargeter.problem
    low, high = retargeter.model.lower, retargeter.model.upper
    for _ in range(5):
        keypoints = rng.normal([0, 0, 0.08], 0.05, (21, 3))
        keypoints[0] = 0
        retargeter.objective.update(keypoints, 0.033)
        x = rng.uniform(low, high)
        _, gradient, _ = problem.evaluate(x)
        gradient = gradient.copy()
        numeric = np.empty_like(x)
        for i in range(len(x)):
            step = np.zeros_like(x)
            step[i] = 1e-6
            numeric[i] = (problem.evaluate(x + step)[0] - problem.evaluate(x - step)[0]) / 2e-6
        np.testing.assert_allclose(gradient, numeric, atol=1e-5 * max(1.0, np.abs(numeric).max()))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), hand=st.sampled_from(["allegro", "shadow"]))
def test_the_solution_is_no_worse_than_its_start(seed: int, hand: str) -> None:
    retargeter = _retargeter(hand)
    rng = np.random.default_rng(seed)
    keypoints = rng.normal([0.02, 0, 0.09], 0.04, (21, 3))
    keypoints[0] = 0
    retargeter.objective.update(keypoints, 0.033)
    low, high = retargeter.model.lower, retargeter.model.upper
    start = rng.uniform(low, high)
    retargeter.problem.priors.last[:] = start
    before, _, _ = retargeter.problem.evaluate(start)
    report = retargeter.problem.solve(start, start, low, high)
    assert report.value <= before + 1e-12
    assert (report.variables >= low).all()
    assert (report.variables <= high).all()


_CACHE: dict[str, Retargeter] = {}


def _retargeter(hand: str) -> Retargeter:
    if hand not in _CACHE:
        _CACHE[hand] = Retargeter(load_robot_hand(hand, Side.RIGHT))
    return _CACHE[hand]


def test_wrong_hands_and_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"allegro.*shadow"):
        load_robot_hand("gripper", Side.RIGHT)
    text = Path(load_robot_hand("allegro", Side.RIGHT).urdf_path).read_text()
    assert "joint_0.0" in text
    broken = tmp_path / "broken_right.yaml"
    broken.write_text("hand: broken\nside: right\nurdf: nothing.urdf\ncolour: red\n")
    with pytest.raises((ConfigError, ModelFileError), match=r"colour|nothing\.urdf"):
        read_robot_hand(broken)
