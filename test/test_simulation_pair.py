"""A right and a left hand in one scene: each follows its own targets, and they can touch."""

from __future__ import annotations

import numpy as np
import pytest

from rejshand_ros.errors import ConfigError, InputError
from rejshand_ros.geometry import RigidTransform
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.retargeting.robot_hand import load_robot_hand
from rejshand_ros.simulation.backend import SceneBackend
from rejshand_ros.simulation.load import BACKENDS, load_scene_backend
from rejshand_ros.simulation.mujoco_backend import MujocoBackend
from rejshand_ros.simulation.scene import load_scene, scene_from_mapping

PAIR = (Side.RIGHT, Side.LEFT)


def pair(name: str, hand: str = "allegro", scene: str = "cube") -> SceneBackend:
    return load_scene_backend(name, [load_robot_hand(hand, side) for side in PAIR], scene)


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("hand", ["allegro", "shadow"])
def test_each_hand_follows_its_own_targets(hand: str, name: str) -> None:
    robots = [load_robot_hand(hand, side) for side in PAIR]
    scene = load_scene_backend(name, robots)
    right, left = scene.hands
    assert right.joint_names == robots[0].joint_names
    assert left.joint_names == robots[1].joint_names
    targets = []
    for share, robot, simulated in zip((0.1, 0.2), robots, scene.hands, strict=True):
        target = robot.rest + share * (robot.upper - robot.rest)
        for coupling in robot.couplings:
            leader = target[robot.joint_names.index(coupling.leader)]
            target[robot.joint_names.index(coupling.joint)] = leader
        simulated.set_targets(target)
        targets.append(target)
    scene.step(1.0)
    for simulated, target in zip(scene.hands, targets, strict=True):
        assert simulated.state().positions == pytest.approx(target, abs=0.06)
        assert simulated.state().time_s == pytest.approx(1.0)
    scene.reset([None, robots[1].rest + 0.05])
    assert left.state().positions == pytest.approx(np.minimum(robots[1].rest + 0.05, 9))
    assert right.state().positions == pytest.approx(robots[0].rest)


@pytest.mark.parametrize("name", BACKENDS)
def test_each_stands_to_its_side_and_both_see_the_same_objects(name: str) -> None:
    scene = pair(name)
    base = load_scene("cube").base
    right, left = (hand.state() for hand in scene.hands)
    sideways = np.array([0.0, base.apart_m / 2, 0.0])
    middle = base.world_from_base.translation
    assert right.world_from_base.translation == pytest.approx(middle - sideways, abs=1e-6)
    assert left.world_from_base.translation == pytest.approx(middle + sideways, abs=1e-6)
    assert right.objects["cube"].translation == pytest.approx(left.objects["cube"].translation)
    # Each base is carried by itself.
    goal = RigidTransform(
        left.world_from_base.rotation, left.world_from_base.translation + np.array([0, 0, 0.02])
    )
    scene.hands[1].set_base_pose(goal)
    scene.step(0.5)
    right, left = (hand.state() for hand in scene.hands)
    assert right.world_from_base.translation == pytest.approx(middle - sideways, abs=0.003)
    assert left.world_from_base.translation == pytest.approx(goal.translation, abs=0.003)


def test_hands_that_meet_push_each_other() -> None:
    """Palm to palm: the right hand is moved through where the left one stands."""
    values = {"base": {"moved": True, "apart_m": 0.3}, "gravity": False}
    robots = [load_robot_hand("allegro", side) for side in PAIR]
    scene = load_scene_backend("mujoco", robots, scene_from_mapping(values))
    assert isinstance(scene, MujocoBackend)
    start = scene.hands[0].state().world_from_base
    touched = False
    for step in range(60):
        place = start.translation + np.array([0.0, 0.004 * step, 0.0])
        scene.hands[0].set_base_pose(RigidTransform(start.rotation, place))
        scene.step(0.02)
        for contact in scene.data.contact[: scene.data.ncon]:
            bodies = [scene.model.body(scene.model.geom_bodyid[g]).name for g in contact.geom]
            touched |= {body.split("/")[0] for body in bodies} == {"right", "left"}
    assert touched


def test_one_hand_of_each_side_at_most() -> None:
    robot = load_robot_hand("allegro", Side.RIGHT)
    with pytest.raises(ConfigError, match="right and a left"):
        load_scene_backend("scripted", [robot, robot])
    with pytest.raises(InputError, match="2"):
        pair("scripted").reset([None])
    with pytest.raises(ConfigError, match="apart_m"):
        scene_from_mapping({"base": {"apart_m": 0.0}})
