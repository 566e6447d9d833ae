"""Simulated hands: they hold still, follow, keep to their limits, and say what is wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rejshand_ros.errors import ConfigError, InputError, SimulationError
from rejshand_ros.geometry import RigidTransform, rotation_from_vector
from rejshand_ros.retargeting.robot_hand import load_robot_hand
from rejshand_ros.simulation.backend import OneHand
from rejshand_ros.simulation.hand import simulated_hand
from rejshand_ros.simulation.load import BACKENDS, load_backend
from rejshand_ros.simulation.mujoco_backend import MujocoBackend
from rejshand_ros.simulation.scene import load_scene, scene_from_mapping, scene_names

HANDS = [("allegro", "right"), ("allegro", "left"), ("shadow", "right"), ("shadow", "left")]


def backend(
    hand: str = "allegro", side: str = "right", name: str = "mujoco", scene: str | None = None
) -> OneHand:
    return load_backend(name, load_robot_hand(hand, side), scene)


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize(("hand", "side"), HANDS)
def test_holds_still_and_then_follows(hand: str, side: str, name: str) -> None:
    robot = load_robot_hand(hand, side)
    simulated = load_backend(name, robot)
    assert simulated.joint_names == robot.joint_names
    start = simulated.state().positions
    simulated.step(0.5)
    assert simulated.state().positions == pytest.approx(start, abs=0.03)
    target = robot.rest + 0.15 * (robot.upper - robot.rest)
    for coupling in robot.couplings:
        follower = robot.joint_names.index(coupling.joint)
        leader = target[robot.joint_names.index(coupling.leader)]
        target[follower] = coupling.ratio * leader + coupling.offset_rad
    simulated.set_targets(target)
    simulated.step(1.0)
    state = simulated.state()
    assert state.time_s == pytest.approx(1.5)
    assert state.positions == pytest.approx(target, abs=0.06)
    assert state.fingertip_forces.shape == (len(simulated.fingertip_names), 3)
    simulated.reset()
    assert simulated.state().positions == pytest.approx(start)
    assert simulated.state().time_s == 0.0


@pytest.mark.parametrize(("hand", "side"), HANDS)
def test_survives_slamming_between_the_limits(hand: str, side: str) -> None:
    robot = load_robot_hand(hand, side)
    simulated = load_backend("mujoco", robot)
    random = np.random.default_rng(7)
    for _ in range(40):
        simulated.set_targets(random.uniform(robot.lower, robot.upper))
        simulated.step(0.1)
        state = simulated.state()
        assert np.all(np.isfinite(state.positions))
        assert np.all(np.abs(state.efforts) <= simulated_hand(robot).effort + 1e-9)


def test_allegros_motors_give_what_the_real_ones_give() -> None:
    simulated = backend()
    assert isinstance(simulated.scene, MujocoBackend)
    assert np.max(simulated.scene.model.actuator_forcerange) <= 0.7


def test_shadows_distal_joints_follow_the_middle_ones() -> None:
    robot = load_robot_hand("shadow", "right")
    simulated = backend("shadow")
    target = robot.rest.copy()
    target[robot.joint_names.index("FFJ2")] = 1.0
    simulated.set_targets(target)
    simulated.step(1.0)
    positions = dict(zip(robot.joint_names, simulated.state().positions, strict=True))
    assert positions["FFJ1"] == pytest.approx(positions["FFJ2"], abs=0.05)
    assert positions["FFJ2"] > 0.8


@pytest.mark.parametrize("name", BACKENDS)
def test_bad_targets_and_durations_are_refused(name: str) -> None:
    simulated = backend(name=name)
    good = simulated.state().positions
    with pytest.raises(InputError, match=r"joint_0\.0"):
        simulated.set_targets([np.nan, *good[1:]])
    with pytest.raises(InputError, match="16 joints"):
        simulated.set_targets(good[:-1])
    for duration in (-0.1, np.nan):
        with pytest.raises(InputError, match="step"):
            simulated.step(duration)
    with pytest.raises(InputError, match="fixed base"):
        simulated.set_base_pose(RigidTransform())
    with pytest.raises(InputError, match="no object 'x'"):
        simulated.reset(world_from_objects={"x": RigidTransform()})


def test_short_steps_add_up() -> None:
    simulated = backend()
    for _ in range(100):
        simulated.step(0.0033)
    assert simulated.state().time_s == pytest.approx(0.33, abs=0.0021)


def test_divergence_is_an_error_and_reset_mends_it() -> None:
    simulated = backend()
    assert isinstance(simulated.scene, MujocoBackend)
    simulated.scene.data.qvel[3] = 1e7
    with pytest.raises(SimulationError, match="diverged"):
        simulated.step(0.01)
    simulated.reset()
    simulated.step(0.01)
    assert np.all(np.isfinite(simulated.state().positions))


@pytest.mark.parametrize("hand", ["allegro", "shadow"])
@pytest.mark.parametrize("scene", ["cube", "ball", "cylinder", "mug"])
def test_objects_rest_on_the_table(hand: str, scene: str) -> None:
    assert set(scene_names()) >= {"free", "cube", "ball", "cylinder", "mug"}
    simulated = backend(hand, scene=scene)
    before = simulated.state().objects[scene].translation
    simulated.step(0.5)
    state = simulated.state()
    assert state.objects[scene].translation == pytest.approx(before, abs=0.003)
    base = load_scene(scene).base.world_from_base
    assert state.world_from_base.translation == pytest.approx(base.translation, abs=0.002)


def test_the_base_follows_and_reset_brings_it_back() -> None:
    simulated = backend(scene="cube")
    start = simulated.state().world_from_base
    turn = rotation_from_vector([0.0, 0.0, 0.4])
    goal = RigidTransform(turn @ start.rotation, start.translation + np.array([0.05, 0, 0.05]))
    for share in np.linspace(0, 1, 50):
        between = start.translation + share * (goal.translation - start.translation)
        rotation = rotation_from_vector([0.0, 0.0, 0.4 * share]) @ start.rotation
        simulated.set_base_pose(RigidTransform(rotation, between))
        simulated.step(0.02)
    reached = simulated.state().world_from_base
    assert reached.translation == pytest.approx(goal.translation, abs=0.003)
    assert reached.rotation == pytest.approx(goal.rotation, abs=0.01)
    simulated.reset()
    assert simulated.state().world_from_base.translation == pytest.approx(start.translation)
    simulated.step(0.1)
    assert simulated.state().world_from_base.translation == pytest.approx(
        start.translation, abs=0.003
    )


def test_unknown_choices_name_the_valid_ones() -> None:
    with pytest.raises(ConfigError, match="mujoco, scripted"):
        backend(name="gazebo")
    with pytest.raises(ConfigError, match="cube"):
        backend(scene="kitchen")
    with pytest.raises(ConfigError, match="friction"):
        scene_from_mapping(
            {"objects": [{"name": "a", "shape": "ball", "size_m": [0.1], "friction": 2}]}
        )
    with pytest.raises(ConfigError, match="valid: "):
        scene_from_mapping({"tables": 1})


def test_a_hand_whose_joints_the_urdf_lacks_is_refused() -> None:
    robot = load_robot_hand("allegro", "right")
    names = ("elbow", *robot.joint_names[1:])
    with pytest.raises(ConfigError, match=r"elbow.*joint_1\.0"):
        load_backend("scripted", replace(robot, joint_names=names))
