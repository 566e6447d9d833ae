"""The simulated camera sees hands and objects where the backend says that they are."""

from __future__ import annotations

import numpy as np
import pytest

from rejshand_ros.errors import ConfigError, InputError
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.retargeting.robot_hand import load_robot_hand
from rejshand_ros.simulation.load import BACKENDS, load_scene_backend
from rejshand_ros.simulation.scene import ObjectConfig, SceneConfig, load_scene, scene_from_mapping
from rejshand_ros.simulation.scene_camera import SceneCamera, look_at

GREEN = (0.0, 1.0, 0.0)


def green(picture: np.ndarray) -> np.ndarray:
    """Where the picture is green: (rows, columns)."""
    red, level, blue = (picture[..., channel].astype(int) for channel in range(3))
    return np.argwhere((level > 2 * red) & (level > 2 * blue) & (level > 60))


@pytest.mark.parametrize("shape", [("box", (0.03,) * 3), ("ball", (0.03,))])
def test_an_object_is_drawn_where_the_camera_projects_it(shape: tuple) -> None:
    item = ObjectConfig("thing", *shape, position_m=(0.02, 0.12, -0.02), colour=GREEN)
    scene = SceneConfig(objects=(item,), gravity=False)
    robots = [load_robot_hand("allegro", Side.RIGHT)]
    camera = SceneCamera(robots, scene, 200, 160)
    backend = load_scene_backend("mujoco", robots, scene)
    seen = green(camera.render([hand.state() for hand in backend.hands]))
    assert len(seen) > 50
    in_camera = camera.world_from_camera.inverse().apply(np.array(item.position_m))
    column, row = camera.camera.project(in_camera)
    assert seen.mean(axis=0) == pytest.approx([row, column], abs=3)


@pytest.mark.parametrize("scene", ["free", "cube", "ball", "cylinder", "mug"])
@pytest.mark.parametrize("sides", [(Side.RIGHT,), (Side.LEFT,), (Side.RIGHT, Side.LEFT)])
def test_the_hands_stand_in_the_picture(scene: str, sides: tuple[Side, ...]) -> None:
    robots = [load_robot_hand("shadow", side) for side in sides]
    config = load_scene(scene)
    camera = SceneCamera(robots, config, 96, 72)
    backend = load_scene_backend("scripted", robots, config)
    world = camera.world_from_camera.inverse()
    for hand in backend.hands:
        base = hand.state().world_from_base
        for height in (0.0, 0.1, 0.2):
            in_camera = world.apply(base.apply(np.array([0.0, 0.0, height])))
            assert in_camera[2] > 0.1
            column, row = camera.camera.project(in_camera)
            assert 0 <= column < 96 and 0 <= row < 72
    picture = camera.render([hand.state() for hand in backend.hands])
    assert picture.shape == (72, 96, 3)
    assert picture.std() > 10


@pytest.mark.parametrize("name", BACKENDS)
def test_a_hand_that_is_carried_moves_in_the_picture(name: str) -> None:
    robots = [load_robot_hand("allegro", Side.RIGHT)]
    scene = load_scene("cube")
    camera = SceneCamera(robots, scene, 96, 72)
    (hand,) = (backend := load_scene_backend(name, robots, scene)).hands
    before = camera.render([hand.state()]).astype(int)
    pose = hand.state().world_from_base
    for share in np.linspace(0, 1, 20):
        moved = pose.translation + np.array([0.0, 0.0, 0.1 * share])
        hand.set_base_pose(type(pose)(pose.rotation, moved))
        backend.step(0.05)
    after = camera.render([hand.state()]).astype(int)
    assert (np.abs(after - before).max(-1) > 40).sum() > 100


def test_a_camera_looks_at_its_point_upright() -> None:
    for position in ([1.0, 0.0, 0.5], [0.0, 0.0, 2.0], [-0.3, 0.7, -1.0]):
        pose = look_at(np.array(position), np.zeros(3))
        assert pose.rotation @ pose.rotation.T == pytest.approx(np.eye(3))
        assert np.linalg.det(pose.rotation) == pytest.approx(1.0)
        ahead = pose.inverse().apply(np.zeros(3))
        assert ahead == pytest.approx([0, 0, np.linalg.norm(position)])
        # Down in the picture is never up in the world.
        assert pose.rotation[2, 1] <= 1e-9


def test_a_scene_places_its_camera_and_wrong_places_are_refused() -> None:
    values = {"camera": {"position_m": [0.5, 0, 0.3], "look_at_m": [0, 0, 0.1], "fov_deg": 60}}
    robots = [load_robot_hand("allegro", Side.RIGHT)]
    camera = SceneCamera(robots, scene_from_mapping(values))
    assert camera.world_from_camera.translation == pytest.approx([0.5, 0, 0.3])
    for wrong in ({"fov_deg": 2}, {"position_m": [1, 2]}, {"height": 3}):
        with pytest.raises(ConfigError, match="camera"):
            scene_from_mapping({"camera": wrong})
    with pytest.raises(ConfigError, match="same point"):
        look_at(np.ones(3), np.ones(3))
    with pytest.raises(InputError, match="0 states for 1"):
        camera.render([])
