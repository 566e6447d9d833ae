"""MuJoCo's picture of a robot hand shows what the software's does."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from rejshand_ros.errors import InputError
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.retargeting.robot_hand import load_robot_hand
from rejshand_ros.viewing.mujoco_view import MujocoView, egl_works
from rejshand_ros.viewing.robot_view import RobotView, robot_renderer

pytestmark = pytest.mark.skipif(not egl_works(), reason="needs EGL to render without a screen")


def silhouette(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where a row differs from its first pixel, which the hand does not reach."""
    return np.abs(picture.astype(int) - picture[:, :1].astype(int)).sum(-1) > 20


@pytest.mark.parametrize(("hand", "side"), [("allegro", Side.RIGHT), ("shadow", Side.LEFT)])
def test_both_renderers_agree_on_where_the_hand_is(hand: str, side: Side) -> None:
    robot = load_robot_hand(hand, side)
    bent = np.clip(robot.rest + 0.3, robot.lower, robot.upper)
    by_mujoco, in_software = MujocoView(robot, 240, 240), RobotView(robot, 240, 240)
    masks = [silhouette(view.render(robot.joint_names, bent)) for view in (by_mujoco, in_software)]
    assert masks[0].mean() > 0.08
    assert (masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum() > 0.85


def test_two_views_do_not_disturb_each_other() -> None:
    robots = [load_robot_hand("allegro", side) for side in Side]
    views = [MujocoView(robot, 160, 160) for robot in robots]
    first = views[0].render(robots[0].joint_names, robots[0].rest)
    views[1].render(robots[1].joint_names, robots[1].rest)
    del views[1]
    again = MujocoView(robots[1], 160, 160)
    np.testing.assert_array_equal(views[0].render(robots[0].joint_names, robots[0].rest), first)
    assert (again.render(robots[1].joint_names, robots[1].rest) != first).any()


def test_previews_take_mujoco_where_it_can_render() -> None:
    robot = load_robot_hand("allegro", Side.RIGHT)
    picture = robot_renderer("allegro", Side.RIGHT)(robot.joint_names, robot.rest)
    np.testing.assert_array_equal(picture, MujocoView(robot).render(robot.joint_names, robot.rest))
    with pytest.raises(InputError, match="elbow"):
        MujocoView(robot, 64, 64).render(("elbow",), np.zeros(1))
