"""A hand that the code has never heard of, from the tutorial's own text."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rejshand_ros.errors import ConfigError, InputError, ModelFileError
from rejshand_ros.hand.template import load_template
from rejshand_ros.retargeting.kinematics import forward
from rejshand_ros.retargeting.result import SolveOutcome
from rejshand_ros.retargeting.retargeter import Retargeter, RetargeterConfig
from rejshand_ros.retargeting.robot_hand import RobotHandConfig, read_robot_hand
from rejshand_ros.retargeting.robot_model import RobotModel
from rejshand_ros.retargeting.solver_config import SolverConfig
from rejshand_ros.retargeting.terms import new_scratch
from rejshand_ros.urdf import read_urdf

TUTORIAL = Path(__file__).parents[1] / "docs/your_own_robot_hand.md"


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", TUTORIAL.read_text(), re.DOTALL)
    assert found is not None
    return found.group(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hands")
    (path / "trident_right.urdf").write_text(block("xml"))
    (path / "trident_right.yaml").write_text(block("yaml"))
    return path


@pytest.fixture(scope="module")
def trident(folder: Path) -> RobotHandConfig:
    return read_robot_hand(folder / "trident_right.yaml")


@pytest.mark.parametrize("objective", ["vector", "pinch"])
def test_it_is_retargeted_within_every_limit(trident: RobotHandConfig, objective: str) -> None:
    # A busy machine must not decide how a solve ends.
    config = RetargeterConfig(objective=objective, solver=SolverConfig(most_time_s=10.0))
    retargeter = Retargeter(trident, config)
    keypoints = load_template().rest_keypoints
    last = None
    for step in range(10):
        result = retargeter.retarget(keypoints, "right", (step + 1) * 33_000_000)
        assert result.outcome is SolveOutcome.CONVERGED
        assert ((result.positions > trident.lower) & (result.positions < trident.upper)).all()
        if last is not None:
            assert (np.abs(result.positions - last) <= 0.033 * trident.velocity).all()
        last = result.positions
    q = dict(zip(result.joint_names, result.positions, strict=True))
    assert q["middle_curl"] == pytest.approx(0.9 * q["middle_bend"] + 0.2)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_compiled_tree_is_pinocchios(trident: RobotHandConfig, seed: int) -> None:
    model = RobotModel(trident)
    rng = np.random.default_rng(seed)
    links = list(trident.fingertip_links.values())
    local = rng.normal(scale=0.02, size=3)
    tree = model.tree([(link, local) for link in links])
    variables = rng.uniform(model.lower, model.upper)
    scratch = new_scratch(tree)
    forward(tree, variables, scratch.rotations, scratch.origins, scratch.axes, scratch.points)
    poses = model.link_poses(model.positions(variables))
    expected = np.array([poses[link].apply(local) for link in links])
    np.testing.assert_allclose(scratch.points, expected, atol=1e-12)


def test_positions_come_by_name_in_any_order(trident: RobotHandConfig) -> None:
    first, last = trident.joint_names[0], trident.joint_names[-1]
    expected = trident.rest.copy()
    expected[[0, -1]] = 0.2, 0.1
    np.testing.assert_array_equal(trident.positions_of((last, first), [0.1, 0.2]), expected)
    with pytest.raises(InputError, match="'wing' is not one of"):
        trident.positions_of(("wing",), [0.1])
    with pytest.raises(InputError, match="for 2 joints"):
        trident.positions_of((first, last), [0.1])


def test_a_sliding_joint_slides(folder: Path) -> None:
    text = (folder / "trident_right.urdf").read_text()
    sliding = text.replace(
        'name="index_curl" type="revolute"', 'name="index_curl" type="prismatic"'
    )
    (folder / "slider.urdf").write_text(sliding)
    yaml = (folder / "trident_right.yaml").read_text()
    path = folder / "slider_right.yaml"
    path.write_text(yaml.replace("trident_right.urdf", "slider.urdf"))
    retargeter = Retargeter(read_robot_hand(path), RetargeterConfig())
    retargeter.objective.update(load_template().rest_keypoints, 0.033)
    rng = np.random.default_rng(0)
    x = rng.uniform(retargeter.model.lower, retargeter.model.upper)
    _, gradient, _ = retargeter.problem.evaluate(x)
    step = 1e-6 * np.eye(len(x))
    evaluate = retargeter.problem.evaluate
    numeric = [(evaluate(x + d)[0] - evaluate(x - d)[0]) / 2e-6 for d in step]
    np.testing.assert_allclose(gradient, numeric, atol=1e-6)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("margin_m:", "margin:", "margin"),
        ("tip_link: index_tip", "tip_link: index_nail", "index_nail"),
        (
            "{name: index_curl, driver: motor_4, rest_rad: 0.2}",
            "{name: index_curl, rest_rad: 9}",
            "9",
        ),
        ("acceleration_rad_s2: 60", "acceleration_rad_s2: -1", "-1"),
        ("keypoints: [wrist, index_tip]}", "keypoints: [wrist, index_nail]}", "index_nail"),
        ("leader: middle_bend", "leader: pinky", "pinky"),
        ("side: right", "side: upper", "upper"),
        ("urdf: trident_right.urdf", "urdf: lost.urdf", "lost.urdf"),
        ("scale: 1.0", "scale: .nan", "nan"),
        ("  - {name: index_bend, driver: motor_3, rest_rad: 0.2}\n", "", "index_bend"),
        ("driver: motor_1", "driver: motor_0", "motor_0"),
    ],
)
def test_what_is_wrong_is_named(folder: Path, old: str, new: str, named: str) -> None:
    text = (folder / "trident_right.yaml").read_text()
    assert old in text
    path = folder / "wrong_right.yaml"
    path.write_text(text.replace(old, new))
    with pytest.raises((ConfigError, ModelFileError)) as caught:
        read_robot_hand(path)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('lower="0" upper="1.7"', 'lower="1.7" upper="0"', "index_curl|thumb_curl"),
        ('velocity="4" effort="1"', "", "lacks limits"),
        ('type="fixed"', 'type="floating"', "floating"),
        ('<child link="index_near"/>', '<child link="palm"/>', "loop|root|hangs"),
        ("</robot>", "", "not XML"),
    ],
)
def test_a_broken_urdf_is_refused(folder: Path, old: str, new: str, named: str) -> None:
    text = (folder / "trident_right.urdf").read_text()
    assert old in text
    (folder / "broken.urdf").write_text(text.replace(old, new))
    yaml = (folder / "trident_right.yaml").read_text()
    path = folder / "broken_right.yaml"
    path.write_text(yaml.replace("trident_right.urdf", "broken.urdf"))
    read_urdf.cache_clear()
    with pytest.raises(ModelFileError, match=named):
        read_robot_hand(path)
