"""The drawn robot hand is the one the URDF describes, and it moves."""

from __future__ import annotations

import numpy as np
import pytest

from rejshand_ros.errors import InputError
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.retargeting.robot_hand import load_robot_hand
from rejshand_ros.viewing.robot_view import RobotView


@pytest.mark.parametrize("hand", ["allegro", "shadow"])
@pytest.mark.parametrize("side", list(Side))
def test_the_open_hand_fills_the_picture_without_touching_its_edge(hand: str, side: Side) -> None:
    robot = load_robot_hand(hand, side)
    view = RobotView(robot, 240, 240)
    picture = view.render(robot.joint_names, robot.rest).astype(int)
    hand_pixels = np.abs(picture - view._background[..., ::-1].astype(int)).sum(-1) > 25
    rows, columns = np.nonzero(hand_pixels)
    assert 0.1 < hand_pixels.mean() < 0.7
    assert 0 < rows.min() < rows.max() < 239
    assert 0 < columns.min() < columns.max() < 239


def test_a_bent_finger_changes_the_picture_and_the_order_of_names_does_not() -> None:
    robot = load_robot_hand("allegro", Side.RIGHT)
    view = RobotView(robot, 160, 160)
    straight = view.render(robot.joint_names, robot.rest)
    bent = np.minimum(np.maximum(robot.rest + 0.8, robot.lower), robot.upper)
    assert (view.render(robot.joint_names, bent) != straight).any()
    turned = view.render(robot.joint_names[::-1], bent[::-1])
    np.testing.assert_array_equal(turned, view.render(robot.joint_names, bent))


def test_left_and_right_hands_look_mirrored() -> None:
    pictures = []
    for side in Side:
        robot = load_robot_hand("shadow", side)
        picture = RobotView(robot, 200, 200).render(robot.joint_names, robot.rest)
        pictures.append(picture.max(-1) > 90)
    # The views are turned the same way, so only the coarse silhouette is compared.
    columns = [np.average(np.arange(200), weights=p.sum(0)) for p in pictures]
    assert abs(columns[0] + columns[1] - 199) < 40


def test_a_foreign_joint_is_refused() -> None:
    robot = load_robot_hand("allegro", Side.RIGHT)
    with pytest.raises(InputError, match="elbow"):
        RobotView(robot, 64, 64).render(("elbow",), np.zeros(1))
